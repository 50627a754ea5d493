from __future__ import annotations

import pytest
import torch
from torch import nn

from rover_cl_agents.units.activations import FuzzyTiling, KWinners, SoftmaxSharpening, french_target


def test_french_by_hand() -> None:
    found = french_target(torch.tensor([[0.9, 0.5, 0.1, 0.2]]), 1, 0.2)
    torch.testing.assert_close(found, torch.tensor([[0.92, 0.40, 0.08, 0.16]]))


@pytest.mark.parametrize(
    ("tiling", "value", "expected"),
    [
        (FuzzyTiling(-2, 2, 8), 0.25, [0, 0, 0, 0.75, 1, 0.75, 0, 0]),
        (FuzzyTiling(-10, 10, 10, eta=0.5), 1.1, [0, 0, 0, 0, 0, 1, 0, 0, 0, 0]),
        (FuzzyTiling(-2, 2, 4), 9.0, [0, 0, 0, 0]),
    ],
)
def test_fuzzy_tiling_by_hand(tiling: FuzzyTiling, value: float, expected: list[float]) -> None:
    torch.testing.assert_close(tiling(torch.tensor([[value]])), torch.tensor([expected]).float())


def test_fuzzy_tiling_keeps_a_units_tiles_together_and_learns() -> None:
    tiling = FuzzyTiling(-1, 1, 4)
    hidden = torch.tensor([[-0.95, 0.6]], requires_grad=True)
    tiles = tiling(hidden)
    assert tiles.shape == (1, 8)
    torch.testing.assert_close(tiles[0, :4], tiling(hidden[:, :1])[0])
    torch.testing.assert_close(tiles[0, 4:], tiling(hidden[:, 1:])[0])
    tiles[0, 7].backward()
    assert hidden.grad is not None
    assert hidden.grad.tolist() == [[0.0, 0.0]]  # 0.6 is inside the last tile: its neighbour tells the place
    assert not list(tiling.state_dict())


def test_k_winners_by_hand() -> None:
    hidden = torch.tensor([[-3.0, 1.0, 2.0, 0.5], [0.0, 0.0, 0.0, 0.0]], requires_grad=True)
    kept = KWinners(2)(hidden)
    assert kept[0].tolist() == [-3.0, 0.0, 2.0, 0.0]
    kept[0].sum().backward()
    assert hidden.grad is not None
    assert hidden.grad[0].tolist() == [1.0, 0.0, 1.0, 0.0]


def test_all_may_win() -> None:
    hidden = torch.randn(5, 7, generator=torch.Generator().manual_seed(0))
    assert torch.equal(KWinners(7)(hidden), hidden)


def test_softmax_sharpening_by_hand() -> None:
    layer = nn.Sequential(nn.Identity(), SoftmaxSharpening(5.0))
    found = layer(torch.tensor([[0.0, 0.2]]))
    torch.testing.assert_close(found, torch.tensor([[1 / (1 + torch.e), torch.e / (1 + torch.e)]]))
