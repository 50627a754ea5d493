from __future__ import annotations

import pytest
import torch

from rover_cl_agents.experience.vtrace import vtrace


def column(*values: float) -> torch.Tensor:
    return torch.tensor(values)[:, None]


def test_golden_values() -> None:
    found = vtrace(column(0.5, 2).log(), column(1, 2), column(0.9, 0.9), column(0.5, 1), torch.tensor([3.0]))
    assert found.values.flatten().tolist() == pytest.approx([2.865, 4.70])
    assert found.advantages.flatten().tolist() == pytest.approx([2.365, 3.70])


def test_on_policy_it_is_the_discounted_return() -> None:
    found = vtrace(
        torch.zeros(3, 1), column(1, 2, 3), column(0.5, 0.5, 0.5), column(7, -8, 9), torch.tensor([4.0])
    )
    assert found.values.flatten().tolist() == pytest.approx([3.25, 4.5, 5.0])


def test_nothing_passes_the_end_of_an_episode() -> None:
    values = [
        vtrace(torch.zeros(2, 1), column(1, r), column(0, 0.9), column(0.3, 0.4), torch.tensor([b])).values[0]
        for r, b in ((5.0, 6.0), (-50.0, 60.0))
    ]
    assert values[0].item() == values[1].item() == pytest.approx(1)


def test_the_ratios_are_cut() -> None:
    values = column(0.5, 1).requires_grad_()
    given = (column(1, 2), column(0.9, 0.9), values, torch.tensor([3.0]))
    far, one = vtrace(column(5, 9), *given), vtrace(column(0, 0), *given)
    assert torch.equal(far.values, one.values)
    assert not far.values.requires_grad
    # ρ̄ = 2 doubles the temporal differences, c̄ = 1 carries them back as before.
    wide = vtrace(column(5, 9), *given, rho_limit=2.0)
    assert wide.values[1].item() == pytest.approx(1 + 2 * 3.7)
