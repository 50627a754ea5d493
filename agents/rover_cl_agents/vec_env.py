"""Any Gymnasium vector environment as a Stable-Baselines3 one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper, unwrap_vec_normalize
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices, VecEnvStepReturn

Env = gymnasium.Env[Any, Any] | VectorEnv[Any, Any, Any] | VecEnv
"""What a learner can learn in."""

REMEDY = (
    "Build it with autoreset_mode=AutoresetMode.SAME_STEP, or, if it takes none, by "
    'gymnasium.make_vec(..., vectorization_mode="sync").'
)


class VecEnvAdapter(VecEnv):
    """A `gymnasium.vector.VectorEnv` with array observations, as Stable-Baselines3 expects one.

    Stable-Baselines3 wants the first observation of the next episode at once when an episode ends. SAME_STEP
    environments give it. NEXT_STEP ones would waste a step on it, with an action that changes nothing, and
    the learner would take that for experience; so the ended ones, in NEXT_STEP and DISABLED mode alike, are
    reset at once by `reset(options={"reset_mask": ...})`, as Gymnasium's own vector environments support.

    Infos are made for ended episodes only, empty dicts otherwise: `terminal_observation`,
    `TimeLimit.truncated`, `episode` (`r` return, `l` length, `t` seconds), `is_success` where the
    environment gives `success`, and the environment's own per-rover entries of that step.

    Args:
        vector_env: The environment to adapt.

    Raises:
        ValueError: if it doesn't say how it resets itself.
    """

    def __init__(self, vector_env: VectorEnv[Any, Any, Any]) -> None:
        mode = vector_env.metadata.get("autoreset_mode")
        if not isinstance(mode, AutoresetMode):
            raise ValueError(f"metadata['autoreset_mode'] is {mode!r}; expected an AutoresetMode. {REMEDY}")
        self.vector_env = vector_env
        self._same_step = mode == AutoresetMode.SAME_STEP
        self._actions: Any = None
        self._returns = np.zeros(vector_env.num_envs)
        self._lengths = np.zeros(vector_env.num_envs, dtype=np.int64)
        self._start = time.monotonic()
        super().__init__(
            vector_env.num_envs, vector_env.single_observation_space, vector_env.single_action_space
        )

    def reset(self) -> NDArray[Any]:
        """Begin an episode in each environment; seeds given to `seed` count once."""
        # VecEnv.seed numbers the environments upwards from the first, and so does the environment's own
        # reset.
        observations, _ = self.vector_env.reset(seed=self._seeds[0], options=self._options[0] or None)
        self._reset_seeds()
        self._reset_options()
        self._returns[:] = 0.0
        self._lengths[:] = 0
        # A copy: the algorithm keeps it over the next step, and the environment may write into its own array.
        return np.array(observations)

    def step_async(self, actions: NDArray[Any]) -> None:
        """Take the actions for `step_wait`, shape (n, *action)."""
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        """Step all environments: observations (n, *), rewards (n,), dones (n,), infos."""
        observations, rewards, terminated, truncated, arrays = self.vector_env.step(self._actions)
        observations = np.array(observations)
        self._returns += rewards
        self._lengths += 1
        dones: NDArray[np.bool_] = np.logical_or(terminated, truncated)
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        if dones.any():
            ended = np.flatnonzero(dones)
            finals = arrays["final_obs"] if self._same_step else observations
            details = {**arrays, **arrays.get("final_info", {})}
            for i in ended.tolist():
                infos[i] = self._ending(i, details, finals[i], bool(truncated[i] and not terminated[i]))
            self._returns[ended] = 0.0
            self._lengths[ended] = 0
            if not self._same_step:
                observations = self._restart(observations, dones)
        return observations, np.asarray(rewards, dtype=np.float32), dones, infos

    def _ending(self, i: int, arrays: dict[str, Any], final: Any, cut: bool) -> dict[str, Any]:
        """Describe the episode that has ended in environment `i`."""
        info = {
            name: value[i]
            for name, value in arrays.items()
            if isinstance(value, np.ndarray)
            and len(value) == self.num_envs
            and not name.startswith("_")
            and name not in ("final_obs", "final_info")
        }
        if "success" in info:
            info["is_success"] = bool(info["success"])
        seconds = time.monotonic() - self._start
        info["episode"] = {"r": float(self._returns[i]), "l": int(self._lengths[i]), "t": round(seconds, 6)}
        info["terminal_observation"] = np.array(final)
        info["TimeLimit.truncated"] = cut
        return info

    def _restart(self, observations: NDArray[Any], dones: NDArray[np.bool_]) -> NDArray[Any]:
        """Reset the ended environments alone."""
        started, _ = self.vector_env.reset(options={"reset_mask": dones})
        started = np.array(started)
        if not np.array_equal(started[~dones], observations[~dones], equal_nan=True):
            raise ValueError(
                f"{type(self.vector_env).__name__} ignores options['reset_mask'], so its episodes "
                f"can't be restarted in time. {REMEDY}"
            )
        return started

    def close(self) -> None:
        """Close the environment."""
        self.vector_env.close()

    def get_images(self) -> Sequence[NDArray[Any] | None]:
        """Render each environment."""
        frames: Any = self.vector_env.render()
        return [None] * self.num_envs if frames is None else list(frames)

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """Read an attribute of the environments: theirs where each has one, else the vector environment's."""
        chosen = list(self._get_indices(indices))
        if attr_name != "render_mode" and hasattr(self.vector_env, "get_attr"):
            values = self.vector_env.get_attr(attr_name)
            return [values[i] for i in chosen]
        return [getattr(self.vector_env, attr_name)] * len(chosen)

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Set an attribute of all environments.

        Raises:
            ValueError: if only some are meant.
        """
        if len(list(self._get_indices(indices))) != self.num_envs:
            raise ValueError(
                f"indices is {indices!r}; expected None: a vector environment is set as a whole."
            )
        if hasattr(self.vector_env, "set_attr"):
            self.vector_env.set_attr(attr_name, value)
        else:
            setattr(self.vector_env, attr_name, value)

    def env_method(
        self, method_name: str, *method_args: Any, indices: VecEnvIndices = None, **method_kwargs: Any
    ) -> list[Any]:
        """Call a method: of each environment where `call` reaches them, else of the vector environment,
        once.
        """
        chosen = list(self._get_indices(indices))
        if hasattr(self.vector_env, "call"):
            results = self.vector_env.call(method_name, *method_args, **method_kwargs)
            return [results[i] for i in chosen]
        return [getattr(self.vector_env, method_name)(*method_args, **method_kwargs)] * len(chosen)

    def env_is_wrapped(
        self, wrapper_class: type[gymnasium.Wrapper[Any, Any, Any, Any]], indices: VecEnvIndices = None
    ) -> list[bool]:
        """Say that `Monitor` is there, since episodes are reported as by it, and no other wrapper."""
        return [issubclass(wrapper_class, Monitor)] * len(list(self._get_indices(indices)))


def as_vec_env(env: Env) -> VecEnv:
    """Give `env` as a Stable-Baselines3 environment, with episodes reported.

    Raises:
        ValueError: if it is no environment.
    """
    if isinstance(env, VecEnv):
        return env
    if isinstance(env, VectorEnv):
        return VecEnvAdapter(env)
    if isinstance(env, gymnasium.Env):
        return BaseAlgorithm._wrap_env(env)
    raise ValueError(
        f"env is {type(env).__name__}; expected a gymnasium.Env, gymnasium.vector.VectorEnv or an SB3 VecEnv."
    )


def holds(vec_env: VecEnv | None, env: Env) -> bool:
    """Say whether `vec_env` is `env`, or stands on it and nothing else: with whatever wrappers around it."""
    while vec_env is not None:
        if vec_env is env or getattr(vec_env, "vector_env", None) is env:
            return True
        if not isinstance(vec_env, VecEnvWrapper):
            break
        vec_env = vec_env.venv
    inner: Any = getattr(vec_env, "envs", ())
    return len(inner) == 1 and (inner[0] is env or (isinstance(inner[0], Monitor) and inner[0].env is env))


def enter(algorithm: BaseAlgorithm, env: Env) -> None:
    """Set the algorithm's environment, unless it is this one already.

    Raises:
        ValueError: if the number of environments or a space isn't the algorithm's, or if one of them
            normalises what the policy sees and the other doesn't.
    """
    if holds(algorithm.env, env):
        return
    vec_env = as_vec_env(env)
    if vec_env.num_envs != algorithm.n_envs:
        raise ValueError(
            f"env has num_envs {vec_env.num_envs}; expected {algorithm.n_envs}, the algorithm's."
        )
    # As `set_env` will: where images have their channels last, so that the spaces are compared as they count.
    vec_env = BaseAlgorithm._wrap_env(vec_env)
    for name in ("observation_space", "action_space"):
        given, expected = getattr(vec_env, name), getattr(algorithm, name)
        if given != expected:
            raise ValueError(f"env has {name} {given}; expected {expected}, the algorithm's.")
    _compare_normalisation(algorithm, vec_env)
    algorithm.set_env(vec_env)


def normalises(vec_env: VecEnv | None) -> bool:
    """Say whether a `VecNormalize` is in `vec_env`."""
    return vec_env is not None and unwrap_vec_normalize(vec_env) is not None


def _compare_normalisation(algorithm: BaseAlgorithm, vec_env: VecEnv) -> None:
    """Refuse to change in silence what scale a policy's observations have."""
    if algorithm.env is None:  # read from a file: who knows what it has learned in
        return
    if normalises(algorithm.env) and not normalises(vec_env):
        raise ValueError(
            "env has no VecNormalize, but the algorithm's has: its policy would see another scale. Wrap it, "
            "new = VecNormalize(env), and hand on the statistics, new.obs_rms, new.ret_rms = old.obs_rms, "
            "old.ret_rms."
        )
    if algorithm.num_timesteps and normalises(vec_env) and not normalises(algorithm.env):
        raise ValueError(
            "env has a VecNormalize, but the algorithm has learned without one: its policy would see another "
            "scale. Give env without it, or build the algorithm on a VecNormalize from the start."
        )
