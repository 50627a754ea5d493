"""Attention over a window."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecFrameStack

from rover_cl_agents import AttentionWindow, VecHistory
from rover_cl_agents.context.history import History
from rover_cl_agents.vec_env import as_vec_env


def window_of(size: int, steps: int, width: int) -> AttentionWindow:
    return AttentionWindow(History(1, spaces.Box(-5, 5, (size,)), steps, mask=True).space, steps, width)


def set_to(window: AttentionWindow, **values: Any) -> None:
    named = dict(window.named_parameters())
    with torch.no_grad():
        for parameter in named.values():
            parameter.zero_()
        for name, value in values.items():
            named[name.replace("_", ".")].copy_(torch.tensor(value))


def test_without_a_query_it_averages_what_was_seen() -> None:
    window = window_of(1, 3, 1)
    set_to(window, embed_weight=[[1.0]])
    rows = torch.tensor([[0.0, 0, 0.5, 1, 2, 1], [1.0, 1, 0.5, 1, 2, 1], [7.0, 0, 7, 0, 2, 1]])
    tokens = [math.tanh(0.5), math.tanh(2.0), math.tanh(1.0)]
    expected = [[2.0, (tokens[0] + tokens[1]) / 2], [2.0, sum(tokens) / 3], [2.0, tokens[1]]]
    torch.testing.assert_close(window(rows), torch.tensor(expected))


def test_the_weights_are_those_of_scaled_dot_products() -> None:
    window = window_of(1, 2, 4)
    # Tokens tanh(o) in the first coordinate; the query is 3 times the latest token plus 1.
    weight = np.zeros((4, 4))
    weight[0, 0] = 3.0
    position = np.zeros((2, 4))
    position[0, 0] = 0.25
    set_to(
        window,
        embed_weight=[[1.0], [0], [0], [0]],
        query_weight=weight,
        query_bias=[1.0, 0, 0, 0],
        position=position,
    )
    old, new = math.tanh(-0.3), math.tanh(0.8)
    question = (3 * new + 1) / 2  # √4
    a, b = math.exp((old + 0.25) * question), math.exp(new * question)
    features = window(torch.tensor([[-0.3, 1, 0.8, 1]]))
    torch.testing.assert_close(features, torch.tensor([[0.8, (a * old + b * new) / (a + b), 0, 0, 0]]))


def test_what_the_mask_hides_changes_nothing_to_the_bit() -> None:
    torch.manual_seed(0)
    window = window_of(3, 5, 8)
    torch.nn.init.normal_(window.position)
    rows = torch.randn(6, 5, 4)
    rows[..., -1] = (torch.arange(5) >= torch.arange(6)[:, None].clamp(max=4)).float()
    hidden = rows[..., -1] == 0
    first = window(rows.flatten(1))
    for other in (1e9, math.nan, -math.inf):
        rows[..., :3][hidden] = other
        assert torch.equal(window(rows.flatten(1)), first)
    rows[0, 0, 0] += 1.0
    assert not torch.equal(window(rows.flatten(1))[0], first[0]), "what is seen counts"


def test_the_latest_observation_is_always_seen() -> None:
    window = window_of(2, 3, 4)
    assert torch.isfinite(window(torch.zeros(2, 9))).all()


def test_the_order_of_observations_counts_once_positions_are_learned() -> None:
    window = window_of(1, 3, 2)
    torch.nn.init.normal_(window.query.bias)
    rows, turned = torch.tensor([[1.0, 1, 2, 1, 3, 1]]), torch.tensor([[2.0, 1, 1, 1, 3, 1]])
    torch.testing.assert_close(window(rows), window(turned))
    with torch.no_grad():
        window.position[0] += 1.0
    assert (window(rows) - window(turned)).abs().max() > 1e-3


def test_a_space_without_a_mask_is_refused(bandit: Any) -> None:
    masked = VecHistory(bandit(0, 2), 4, mask=True).observation_space
    assert AttentionWindow(masked, 4).features_dim == 4 + 32
    wrong = (
        VecHistory(bandit(0, 2), 4).observation_space,
        VecFrameStack(as_vec_env(bandit(0, 2)), 5).observation_space,
    )
    for space, steps in ((wrong[0], 4), (wrong[1], 5), (masked, 5), (masked, 10)):
        with pytest.raises(
            ValueError, match=rf"expected the windows of VecHistory\(env, {steps}, mask=True\)"
        ):
            AttentionWindow(space, steps)
    with pytest.raises(ValueError, match="width is 0; expected at least 1"):
        AttentionWindow(masked, 4, 0)
