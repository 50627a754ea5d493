from __future__ import annotations

from typing import Any

import pytest

from rover_cl_envs.world import World


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"rover": "mre"}, "unknown rover 'mre'. Did you mean 'mer'"),
        ({"systems": "power"}, r"World.systems is 'power', expected a tuple of names: \('power',\)"),
        ({"systems": ("pwer",)}, "unknown system 'pwer'. Did you mean 'power'"),
        ({"systems": ("power", "power")}, "expected each system once"),
        ({"observation": "pixel"}, "unknown observation 'pixel'. Did you mean 'pixels'"),
        ({"mission": "image"}, "mission is 'image', expected a Mission"),
        ({"time_limit": 2.5}, "time_limit is 2.5, expected an integer >= 1"),
        ({"num_maps": "8"}, "num_maps is '8', expected an integer >= 1"),
        ({"map_seed": -1}, "map_seed is -1, expected an integer >= 0"),
        ({"cues": "no"}, "World.cues is 'no', expected True or False"),
        ({"timelimit": 9}, "unknown argument 'timelimit'. Did you mean 'time_limit'"),
    ],
    ids=str,
)
def test_a_mistake_is_named_in_one_line(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named) as caught:
        World().with_fields(fields)
    assert "\n" not in str(caught.value)


def test_other_arguments_are_guessed_at_too() -> None:
    with pytest.raises(ValueError, match=r"unknown argument 'strem'\. Did you mean 'stream'"):
        World().with_fields({"strem": "gravity"}, beside=("stream",))
