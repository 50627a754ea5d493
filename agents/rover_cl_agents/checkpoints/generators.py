"""What Stable-Baselines3 draws from: the generators of torch, numpy, Python and the action space."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm

from rover_cl_agents.checkpoints.checkpoint import Tensors


def pack_generators(algorithm: BaseAlgorithm) -> tuple[Tensors, dict[str, Any]]:
    """Give the generators' states: the words as tensors, the rest as JSON can hold it."""
    _, words, position, has_gauss, gauss = np.random.get_state(legacy=True)
    version, python_words, python_gauss = random.getstate()
    space = algorithm.action_space.np_random.bit_generator.state
    tensors = {
        "torch": torch.get_rng_state(),
        "numpy": torch.from_numpy(np.asarray(words, dtype=np.int64)),
        "python": torch.tensor(python_words, dtype=torch.int64),
    }
    if algorithm.device.type == "cuda":
        tensors["cuda"] = torch.cuda.get_rng_state(algorithm.device)
    values = {
        "numpy": [int(position), int(has_gauss), float(gauss)],
        "python": [version, python_gauss],
        # 128 bits: more than some JSON readers keep in a number.
        "action_space": {
            **space,
            "state": {name: str(value) for name, value in space["state"].items()},
        },
    }
    return tensors, values


def unpack_generators(algorithm: BaseAlgorithm, tensors: Tensors, values: Mapping[str, Any]) -> None:
    """Put back what `pack_generators` gave.

    Raises:
        KeyError: if an entry is missing.
        RuntimeError, TypeError, ValueError: if one isn't the state of such a generator.
    """
    torch.set_rng_state(tensors["torch"])
    if algorithm.device.type == "cuda" and "cuda" in tensors:  # it was saved on a GPU and goes on on one
        torch.cuda.set_rng_state(tensors["cuda"], algorithm.device)
    position, has_gauss, gauss = values["numpy"]
    words = tensors["numpy"].numpy().astype(np.uint32)
    np.random.set_state(("MT19937", words, position, has_gauss, gauss))
    version, python_gauss = values["python"]
    random.setstate((version, tuple(tensors["python"].tolist()), python_gauss))
    space = dict(values["action_space"])
    space["state"] = {name: int(value) for name, value in space["state"].items()}
    algorithm.action_space.np_random.bit_generator.state = space
