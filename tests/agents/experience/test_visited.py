from __future__ import annotations

from typing import Any

import pytest
import torch
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.callbacks import BaseCallback

from rover_cl_agents.experience.visited import VisitedStates
from rover_cl_agents.vec_env import as_vec_env


def visited(model: Any, batch: int) -> VisitedStates:
    return VisitedStates(model, batch, torch.Generator().manual_seed(3))


@pytest.mark.parametrize("batch", [8, 1000])
def test_on_policy_states_are_those_of_the_last_rollout(bandit: Any, batch: int) -> None:
    model = PPO("MlpPolicy", as_vec_env(bandit(0, 2)), n_steps=16, batch_size=32, device="cpu")
    found = visited(model, batch)
    assert found.draw() is None

    class Note(BaseCallback):
        def _on_step(self) -> bool:
            return True

        def _on_rollout_end(self) -> None:
            found.note_rollout()
            self.states = torch.as_tensor(model.rollout_buffer.observations).reshape(-1, 4).clone()

    note = Note()
    model.learn(32, callback=note)
    held = note.states
    drawn = found.draw()
    assert drawn is not None
    assert len(drawn) == min(batch, 32)
    assert all(bool((state == held).all(dim=1).any()) for state in drawn)
    again = found.draw()
    assert again is not None
    assert torch.equal(again, drawn) == (batch == 1000)
    found.clear()
    assert found.draw() is None


def test_off_policy_states_are_the_latest(bandit: Any) -> None:
    env = as_vec_env(bandit(0, 2))
    model = SAC("MlpPolicy", env, learning_starts=100, buffer_size=100, device="cpu")
    found = visited(model, 8)
    model.learn(40)
    found.note_rollout()
    assert model.replay_buffer is not None
    drawn = found.draw()
    assert drawn is not None
    assert torch.equal(drawn, torch.as_tensor(model.replay_buffer.observations[16:20]).reshape(-1, 4))
