import numpy as np
import pytest

from rover_cl.feature_costs import EVERYTHING, FEATURES, bytes_per_rover, feature_ratios
from rover_cl_envs.sensors import BLOCKS


def test_everything_is_all_features_and_all_systems() -> None:
    systems = {name for names, _ in FEATURES.values() for name in names}
    assert set(EVERYTHING[0]) == systems == set(BLOCKS)
    assert EVERYTHING[1] == {
        name: value for _, numbers in FEATURES.values() for name, value in numbers.items()
    }


def test_each_feature_has_its_ratio() -> None:
    ratios = feature_ratios(1e-9, count=2)
    assert set(ratios) == {*FEATURES, "everything"}
    assert all(np.isfinite(ratio) and ratio > 0 for ratio in ratios.values())


def test_memory_counts_each_row_once() -> None:
    sizes = bytes_per_rover()
    blocks = sum(BLOCKS.values())
    # An observation of 80 float32 and the blocks, nine terms, a reward, an outcome.
    assert sizes["results, default"] == 4 * 80 + 9 * 4 + 8 + 1
    assert sizes["results, everything on"] == pytest.approx(sizes["results, default"] + 4 * blocks)
    assert sizes["state, everything on"] + sizes["results, everything on"] <= 1024
    assert (sizes["broken crust, default"], sizes["broken crust, everything on"]) == (0, 8192)
