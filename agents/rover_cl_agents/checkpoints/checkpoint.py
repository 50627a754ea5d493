"""Checkpoints: a folder of safetensors and one JSON file, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as tensors_from_bytes
from safetensors.torch import save as tensors_to_bytes
from torch import Tensor

FORMAT = 1
"""Raised when the files' meaning changes."""

INDEX = "learner.json"

Tensors = dict[str, Tensor]


class CheckpointError(ValueError):
    """A checkpoint that is damaged, or made for something else."""


def write(folder: Path, tensors: Mapping[str, Tensors], values: Mapping[str, Any]) -> None:
    """Write a checkpoint, replacing an older one at the same place.

    It is written beside `folder` and renamed, so that `folder` is at no time half a checkpoint.

    Args:
        folder: Where to; its parents are made.
        tensors: By file stem, then by tensor name.
        values: Anything that JSON can hold.

    Raises:
        ValueError: if `folder` exists and is something else than a checkpoint.
    """
    if folder.exists() and not (folder / INDEX).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"{folder} exists and is no checkpoint; choose another folder.")
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    digests = {}
    for stem, named in tensors.items():
        # Clones: safetensors refuses tensors that share memory, as shared feature extractors do.
        data = tensors_to_bytes({name: t.detach().cpu().clone().contiguous() for name, t in named.items()})
        (partial / f"{stem}.safetensors").write_bytes(data)
        digests[stem] = hashlib.sha256(data).hexdigest()
    index = {"format": FORMAT, "digests": digests, **values}
    (partial / INDEX).write_text(json.dumps(index, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    if folder.exists():
        old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
        folder.rename(old)
        partial.rename(folder)
        shutil.rmtree(old)
    else:
        partial.rename(folder)


def read(folder: Path) -> tuple[dict[str, Tensors], dict[str, Any]]:
    """Read what `write` wrote.

    Raises:
        CheckpointError: if a file is missing, damaged, or of another format.
    """
    index = _read_index(folder / INDEX)
    tensors = {}
    for stem, digest in index["digests"].items():
        if not stem.isidentifier():
            raise CheckpointError(
                f"{folder / INDEX} names a file {stem!r}; expected one of the folder's own."
            )
        path = folder / f"{stem}.safetensors"
        try:
            data = path.read_bytes()
        except OSError as error:
            raise CheckpointError(
                f"{path} can't be read ({error.strerror}); take an older checkpoint."
            ) from error
        if hashlib.sha256(data).hexdigest() != digest:
            raise CheckpointError(
                f"{path} is damaged ({len(data)} bytes, wrong checksum); take an older checkpoint."
            )
        try:
            tensors[stem] = tensors_from_bytes(data)
        except SafetensorError as error:
            raise CheckpointError(f"{path} is no safetensors file; take an older checkpoint.") from error
    return tensors, index


def _read_index(path: Path) -> dict[str, Any]:
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CheckpointError(
            f"{path} can't be read ({error.strerror}); is this a checkpoint's folder?"
        ) from error
    except ValueError as error:
        raise CheckpointError(f"{path} is damaged (not JSON); take an older checkpoint.") from error
    if (
        not isinstance(index, dict)
        or index.get("format") != FORMAT
        or not isinstance(index.get("digests"), dict)
    ):
        raise CheckpointError(
            f"{path} isn't of checkpoint format {FORMAT}; write it again with this version."
        )
    return index


def copy_into(target: Mapping[str, Tensor], source: Tensors, path: Path) -> None:
    """Overwrite the tensors of `target` in place by those of `source`, which must be the same set.

    Raises:
        CheckpointError: naming `path` and the first tensor that doesn't fit; nothing is changed then.
    """
    odd = sorted(set(target) ^ set(source))
    if odd:
        side = "lacks" if odd[0] in target else "has an unknown"
        raise CheckpointError(f"{path} {side} tensor {odd[0]!r}; build the algorithm with the same networks.")
    for name, tensor in target.items():
        if tensor.shape != source[name].shape:
            raise CheckpointError(
                f"{path}: {name!r} has shape {tuple(source[name].shape)}, here {tuple(tensor.shape)}; "
                "build the algorithm with the same networks."
            )
    with torch.no_grad():
        for name, tensor in target.items():
            tensor.copy_(source[name])


def pack_optimizer(optimizer: torch.optim.Optimizer) -> Tensors:
    """Give an optimiser's state as tensors named `<parameter index>.<entry>`."""
    state = optimizer.state_dict()["state"]
    return {
        f"{i}.{key}": torch.as_tensor(value) for i, entry in state.items() for key, value in entry.items()
    }


def unpack_optimizer(optimizer: torch.optim.Optimizer, tensors: Tensors, path: Path) -> None:
    """Put back what `pack_optimizer` gave; settings such as the learning rate stay the optimiser's own.

    Raises:
        CheckpointError: if the state isn't this optimiser's.
    """
    entries: dict[int, Tensors] = {}
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for name, tensor in tensors.items():
        index, _, key = name.partition(".")
        if not index.isdecimal() or int(index) >= len(parameters):
            raise CheckpointError(f"{path} has an unknown tensor {name!r}; build the algorithm the same way.")
        if tensor.dim() and tensor.shape != parameters[int(index)].shape:
            raise CheckpointError(
                f"{path}: {name!r} has an odd shape; build the algorithm with the same networks."
            )
        entries.setdefault(int(index), {})[key] = tensor
    optimizer.load_state_dict({"state": entries, "param_groups": optimizer.state_dict()["param_groups"]})
