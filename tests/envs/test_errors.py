from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rover_cl_envs.drift_env import MarsDriftEnv
from rover_cl_envs.errors import arguments_of, is_integer, unknown_name


def test_the_nearest_name_is_guessed_in_one_line() -> None:
    said = str(unknown_name("soil", "snad", ["sand", "drift"]))
    assert said == "unknown soil 'snad'. Did you mean 'sand'? Valid: drift, sand."
    assert str(unknown_name("soil", "lava", ["sand"])) == "unknown soil 'lava'. Valid: sand."


@pytest.mark.parametrize("given", [None, 3, ("sand",)])
def test_what_is_no_name_is_refused_like_one(given: Any) -> None:
    assert str(unknown_name("soil", given, ["sand"])) == f"unknown soil {given!r}. Valid: sand."


def test_integers() -> None:
    assert is_integer(3, 3) and is_integer(np.int64(4), 3)
    assert not any(is_integer(value, 1) for value in (0, 2.0, True, "2", None, float("nan")))


def test_arguments_of_parents_count() -> None:
    assert {"stream", "notify", "render_size", "conditions"} <= arguments_of(MarsDriftEnv)
    assert not {"self", "kwargs", "fields"} & arguments_of(MarsDriftEnv)
