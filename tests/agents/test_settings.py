from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from rover_cl_agents import DER, EWC, L2, Detected, EchoReplay, Periodic, Replay, ReplayConfig
from rover_cl_agents.boundaries.finders import BOUNDARIES
from rover_cl_agents.methods import METHODS

ALL: dict[str, tuple[Any, Any]] = {**METHODS, **BOUNDARIES}
WHOLE = [
    (name, field.name, field.default)
    for name, (config, _) in ALL.items()
    for field in dataclasses.fields(config)
    if field.type == "int"
]


@pytest.mark.parametrize(("name", "field", "default"), WHOLE)
def test_a_count_is_a_whole_number(name: str, field: str, default: Any) -> None:
    config, build = ALL[name]
    with pytest.raises(ValueError, match=f"{field} is .*; expected a whole number: write {field}={default}"):
        build(**{field: float(default)})
    with pytest.raises(ValueError, match=f"{field} is .*; expected a whole number"):
        build(dataclasses.replace(config(), **{field: float(default)}))
    assert type(getattr(build(**{field: np.int64(default)}).config, field)) is int


@pytest.mark.parametrize("name", ALL)
def test_a_config_is_of_the_methods_own_kind(name: str) -> None:
    config, build = ALL[name]
    wrong: Any = 0.1
    with pytest.raises(
        ValueError, match=rf"config is 0\.1; expected {config.__name__}\(\.\.\.\), or settings"
    ):
        build(wrong)
    if dataclasses.fields(config):
        first = dataclasses.fields(config)[0].name
        with pytest.raises(ValueError, match="not both"):
            build(config(), **{first: getattr(config(), first)})


def test_natural_mistakes_are_told_what_is_meant() -> None:
    bare: Any = EWC
    for wrong in (lambda: bare(1000), lambda: EWC(weight="3")):
        with pytest.raises(ValueError, match=r"weight=1000|weight is '3'; expected a number"):
            wrong()
    with pytest.raises(ValueError, match=r"'wieght' is no setting of EWC; .* did you mean 'weight'\?"):
        EWC(wieght=1.0)
    with pytest.raises(ValueError, match=r"'lam' is no setting of L2; expected one of weight"):
        L2(lam=1)
    with pytest.raises(ValueError, match=r"batch_size is 10\.5; expected a whole number"):
        DER(batch_size=10.5)
    kept = EchoReplay(batch_size=8)
    assert Replay(kept.config).config is kept.config, "a config of a narrower kind will do"
    assert Replay(ReplayConfig(weight=1)).config.weight == 1
    assert (Periodic(rollouts=3).config.rollouts, Detected(ring=2).ring) == (3, 2)
