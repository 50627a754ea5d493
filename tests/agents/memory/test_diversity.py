from __future__ import annotations

from typing import Any

import pytest
import torch
from stable_baselines3 import A2C, DQN, PPO, SAC, TD3

from rover_cl_agents.importance.fisher import score_vectors
from rover_cl_agents.memory.diversity import gradient_kernel, observation_kernel, select
from rover_cl_agents.outputs import read
from rover_cl_agents.vec_env import as_vec_env


def clusters() -> torch.Tensor:
    """Ninety states about one centre, and five each about two others."""
    generator = torch.Generator().manual_seed(0)
    centres = torch.cat([torch.zeros(90, 2), torch.full((5, 2), 8.0), torch.tensor([[8.0, -8.0]] * 5)])
    return centres + 0.1 * torch.randn(100, 2, generator=generator)


def test_three_states_stand_for_three_clusters() -> None:
    chosen = select(observation_kernel(clusters()), 3)
    assert sorted((chosen >= 90).astype(int) + (chosen >= 95)) == [0, 1, 2]
    assert chosen[0] < 90  # the one that most of the others resemble comes first


def test_each_choice_leaves_the_least_trace() -> None:
    generator = torch.Generator().manual_seed(3)
    factors = torch.randn(12, 5, generator=generator, dtype=torch.float64)
    kernel = factors @ factors.T
    loose = 0.1 * float(kernel.diagonal().mean())

    def remaining(held: list[int]) -> float:
        block = kernel[held][:, held] + loose * torch.eye(len(held), dtype=torch.float64)
        return float((kernel - kernel[:, held] @ torch.linalg.solve(block, kernel[held])).trace())

    chosen = select(kernel, 4, ridge=0.1).tolist()
    for k in range(4):
        left = {j: remaining([*chosen[:k], j]) for j in range(12) if j not in chosen[:k]}
        assert left[chosen[k]] == pytest.approx(min(left.values()), rel=1e-9)


def test_no_state_is_chosen_twice_even_if_all_are_the_same() -> None:
    assert sorted(select(torch.ones(5, 5), 9).tolist()) == [0, 1, 2, 3, 4]
    assert observation_kernel(torch.zeros(3, 2)).tolist() == [[1.0] * 3] * 3
    assert observation_kernel(torch.zeros(1, 2)).tolist() == [[1.0]]


def size(policy: Any, states: torch.Tensor) -> torch.Tensor:
    scale = read(policy, states).log_scale
    assert scale is not None
    return scale[0, 0].exp()


@pytest.mark.parametrize(
    ("algorithm", "discrete"), [(PPO, False), (A2C, True), (SAC, False), (TD3, False), (DQN, True)]
)
def test_the_gradient_kernel_is_the_product_of_gradients(algorithm: Any, discrete: bool, bandit: Any) -> None:
    env = as_vec_env(bandit(0, 2, discrete=discrete))
    policy = algorithm("MlpPolicy", env, seed=0, device="cpu", policy_kwargs={"net_arch": [7]}).policy
    states = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    rows = []
    for state in states:
        outputs = read(policy, state[None])
        # SAC's layer of the spread isn't part of the answer that is held.
        parameters = [p for n, p in policy.named_parameters() if "log_std" not in n]
        for vector in score_vectors(outputs):
            found = torch.autograd.grad(
                outputs.location, parameters, vector, retain_graph=True, allow_unused=True
            )
            rows.append(torch.cat([g.flatten() for g in found if g is not None]))
    count = len(rows) // 3
    products = torch.stack(rows).reshape(3, count, -1)
    if algorithm is DQN:  # its scale is that of the batch
        scales = torch.stack([size(policy, state[None]) for state in states])
        products = products * (scales / size(policy, states))[:, None, None]
    expected = torch.einsum("icn,jcn->ij", products, products)
    torch.testing.assert_close(gradient_kernel(policy, states), expected, rtol=1e-4, atol=1e-5)
