from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from rover_cl_agents.importance.subspace import Basis, covering, orthonormal, principal, project_out, without


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def crookedness(rows: Tensor) -> float:
    """max |Q Qᵀ − 1|."""
    return float((rows @ rows.T - torch.eye(len(rows))).abs().max())


def test_numbers_by_hand() -> None:
    rows = torch.tensor([[3.0, 0.0, 0.0], [0.0, 0.0, -4.0]])
    directions, strengths = principal(rows, 2)
    torch.testing.assert_close(strengths, torch.tensor([4.0, 3.0]))
    torch.testing.assert_close(directions.abs(), torch.tensor([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]))
    assert project_out(torch.tensor([1.0, 2.0, 3.0]), directions).tolist() == [0.0, 2.0, 0.0]
    assert without(torch.tensor([[1.0, 2.0, 3.0]]), directions[:1]).tolist() == [[1.0, 2.0, 0.0]]


def test_200_vectors_of_2000_entries_are_orthonormal_in_float32() -> None:
    directions, _ = principal(noise(200, 2000), 200)
    assert directions.shape == (200, 2000)
    assert crookedness(directions) < 1e-5


def test_the_second_pass_makes_near_copies_orthogonal() -> None:
    basis, _ = principal(noise(50, 300), 50)
    hidden = noise(5, 300, seed=2)
    rows = noise(5, 50, seed=1) @ basis + 1e-4 * hidden
    rest = without(rows, basis)
    once, _ = principal(rest, 5)
    twice = orthonormal(once, basis)
    assert float((once @ basis.T).abs().max()) > 1e-5, "one pass would do: this test shows nothing"
    assert float((twice @ basis.T).abs().max()) < 1e-6
    assert crookedness(twice) < 1e-5


def test_rank_is_found_and_counts_are_kept() -> None:
    rows = noise(40, 3) @ noise(3, 30, seed=1)
    assert len(principal(rows, 40)[0]) == 3
    assert len(principal(rows, 2)[0]) == 2
    assert len(principal(rows, 40, floor=1e9)[0]) == 0
    assert len(principal(torch.zeros(4, 6), 4)[0]) == 0
    tall = principal(noise(40, 10), 40)[0]  # more rows than entries
    assert tall.shape == (10, 10)
    assert crookedness(tall) < 1e-5


def test_covering_takes_as_few_directions_as_hold_the_share() -> None:
    rows = torch.diag(torch.tensor([3.0, 2.0, 1.0])).double()  # energy 9, 4, 1 of 14
    empty = torch.zeros(0, 3).double()
    for share, count in [(0.0, 0), (0.6, 1), (9 / 14 - 1e-9, 1), (0.7, 2), (0.93, 3), (1.0, 3)]:
        assert len(covering(rows, empty, share)) == count, share
    held = torch.tensor([[0.0, 0.0, 1.0]]).double()
    assert covering(rows, held, 1 / 14 - 1e-9).equal(held)
    # 1/14 is held: the strongest of the rest brings it to 10/14.
    torch.testing.assert_close(covering(rows, held, 0.7).abs(), torch.eye(3).double()[[2, 0]])


def test_a_basis_keeps_what_it_held() -> None:
    first, second = noise(20, 100), noise(20, 100, seed=1)
    basis = Basis.empty(100).extended(first, count=20, capacity=60).extended(second, count=20, capacity=60)
    assert len(basis) == 40
    assert crookedness(basis.directions) < 1e-5
    for rows in (first, second):
        left = rows - (rows @ basis.directions.T) @ basis.directions
        assert float(left.norm() / rows.norm()) < 1e-6
    again = basis.extended(first, count=20, capacity=60)
    assert len(again) == 40


def test_the_strengths_are_those_of_the_added_second_moments() -> None:
    first, second = noise(20, 50), 3 * noise(20, 50, seed=1)
    basis = Basis.empty(50).extended(first, count=20, capacity=60).extended(second, count=20, capacity=60)
    moment = (first.T @ first + second.T @ second) / 20
    found = basis.directions.T @ (basis.strengths.square()[:, None] * basis.directions)
    torch.testing.assert_close(found, moment, atol=1e-3, rtol=1e-4)


def test_the_weakest_of_all_tasks_go_first() -> None:
    basis = Basis.empty(4).extended(torch.diag(torch.tensor([4.0, 1.0, 0.0, 0.0])), count=4, capacity=2)
    basis = basis.extended(torch.diag(torch.tensor([0.0, 0.0, 2.0, 0.5])), count=4, capacity=2)
    torch.testing.assert_close(basis.directions.abs(), torch.eye(4)[[0, 2]])
    torch.testing.assert_close(basis.strengths, torch.tensor([4.0, 2.0]) / math.sqrt(4))
    assert basis.bytes == 4 * (2 * 4 + 2)


def test_a_basis_stays_orthonormal_over_many_tasks() -> None:
    basis = Basis.empty(400)
    for task in range(20):
        basis = basis.extended(noise(30, 400, seed=task), count=30, capacity=100)
        assert len(basis) <= 100
    assert len(basis) == 100
    assert crookedness(basis.directions) < 1e-5


def test_nothing_added_changes_nothing() -> None:
    basis = Basis.empty(4).extended(noise(2, 4), count=2, capacity=4)
    assert basis.extended(torch.zeros(3, 4), count=3, capacity=4) is basis
    assert len(basis.extended(noise(4, 4, seed=1), count=4, capacity=4)) == 4
    assert len(Basis.empty(4).extended(noise(2, 4), count=0, capacity=4)) == 0


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.Adam])
@pytest.mark.parametrize("project_update", [False, True])
def test_a_projected_gradient_leaks_under_adam_and_a_projected_update_does_not(
    optimizer: type[torch.optim.Optimizer], project_update: bool
) -> None:
    protected, _ = principal(noise(200, 2000), 200)
    weights, goal = torch.nn.Parameter(noise(2000, seed=1)), noise(2000, seed=2)
    start, curvature = weights.detach().clone(), 0.1 + noise(2000, seed=3).square()
    descent = optimizer([weights], lr=1e-2)  # type: ignore[call-arg]
    for _ in range(50):
        before = weights.detach().clone()
        gradient = curvature * (before - goal)
        weights.grad = gradient if project_update else project_out(gradient, protected)
        descent.step()
        if project_update:
            with torch.no_grad():
                weights.copy_(before + project_out(weights - before, protected))
    moved = weights.detach() - start
    leak = float((protected @ moved).norm() / moved.norm())
    if optimizer is torch.optim.Adam and not project_update:
        assert leak > 0.1
    else:
        assert leak < 1e-5
