"""n rovers behind Gymnasium's vector interface, stepped by one kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from rover_cl_envs.batch import Batch
from rover_cl_envs.conditions import Conditions, check_conditions
from rover_cl_envs.drift import Drift
from rover_cl_envs.errors import arguments_of, unknown_name
from rover_cl_envs.mission import RUNNING, SUCCESS, TIME_LIMIT
from rover_cl_envs.portrait import NO_TRAIL, Portraits
from rover_cl_envs.randomness import seeded
from rover_cl_envs.rows import NEXT_STEP, RESTART, SAME_STEP, STAY
from rover_cl_envs.scene import Scene
from rover_cl_envs.spaces import action_space, commands, observation_space
from rover_cl_envs.terrain import TerrainBank
from rover_cl_envs.world import World

if TYPE_CHECKING:
    from rover_cl_envs.autopilot import Autopilot
    from rover_cl_envs.planner import Planner

RENDER_SIZE = (960, 720)
"""Width and height of a picture where nobody asks for another [px]."""
RENDER_FPS = 12
"""Steps that are shown in a second: a minute of driving, sixty times as fast as on Mars."""
_MODES = {
    AutoresetMode.NEXT_STEP: NEXT_STEP,
    AutoresetMode.SAME_STEP: SAME_STEP,
    AutoresetMode.DISABLED: STAY,
}


def check_size(size: tuple[int, int]) -> None:
    """Refuse a size of a picture that can't be drawn.

    Raises:
        ValueError: it isn't a pair of integers from 32 on.
    """
    if len(size) != 2 or not all(isinstance(n, int | np.integer) and n >= 32 for n in size):
        raise ValueError(f"render_size is {size}, expected (width, height), two integers >= 32 [px].")


def check_terrain(terrain: TerrainBank | None) -> None:
    """Refuse maps that are none.

    Raises:
        ValueError: as said.
    """
    if not isinstance(terrain, TerrainBank | None):
        raise ValueError(f"terrain is {terrain!r}, expected maps: Terrain.from_dem(path), or None.")


class MarsRoverVectorEnv(VectorEnv[NDArray[np.float32], NDArray[Any], NDArray[Any]]):
    """`num_envs` rovers, each on a map of its own from one bank, all in one compiled kernel.

    Rover i of a batch seeded s drives exactly as a lone rover seeded s + i, to the last bit, for any
    number of threads. What a step means is told by `MarsRoverEnv`.

    Infos: `outcome` (n,) int8, code into `mission.OUTCOMES`, `success` (n,) bool, and `reward_terms` (n, 9),
    columns in `mission.REWARD_TERMS`, of the step just taken, in every autoreset mode; where
    episodes end under SAME_STEP also `final_obs`, `final_info` and their masks, as Gymnasium defines them.

    Args:
        num_envs: number of rovers, at least 1.
        conditions: one for all, or one for each rover.
        action_type: "continuous" or "discrete".
        world: what stays.
        terrain: maps to drive on, such as `Terrain.from_dem` gives; None: procedural ones, by `map_seed`.
        autoreset_mode: NEXT_STEP (Gymnasium's default), SAME_STEP or DISABLED.
        threads: at most this many; None is all that numba has.
        render_mode: None or "rgb_array".
        render_size: width and height of each rover's picture [px].
        fields: those of `World` to be changed in `world`: `rover="mer"`, `time_limit=100`, ...

    Raises:
        ValueError: an argument out of range or of an unknown name.
    """

    def __init__(
        self,
        num_envs: int = 1,
        *,
        conditions: Conditions | Sequence[Conditions] | None = None,
        action_type: str = "continuous",
        world: World | None = None,
        terrain: TerrainBank | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        threads: int | None = None,
        render_mode: str | None = None,
        render_size: tuple[int, int] = RENDER_SIZE,
        **fields: Any,
    ) -> None:
        if num_envs < 1:
            raise ValueError(f"num_envs is {num_envs}, expected an integer >= 1.")
        if threads is not None and threads < 1:
            raise ValueError(f"threads is {threads}, expected an integer >= 1, or None for all.")
        if render_mode not in (None, "rgb_array"):
            raise ValueError(f"render_mode is {render_mode!r}, expected None or 'rgb_array'.")
        check_size(render_size)
        check_terrain(terrain)
        if autoreset_mode not in [*AutoresetMode, *(mode.value for mode in AutoresetMode)]:
            raise unknown_name("autoreset_mode", str(autoreset_mode), [mode.value for mode in AutoresetMode])
        mode = AutoresetMode(autoreset_mode)
        self.num_envs = num_envs
        self.metadata = {"autoreset_mode": mode, "render_modes": ["rgb_array"], "render_fps": RENDER_FPS}
        self.render_mode = render_mode
        world = (world or World()).with_fields(fields, beside=arguments_of(type(self)))
        self.single_observation_space = observation_space(world.systems, world.observation)
        self.single_action_space = action_space(action_type)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._mode = mode
        self._discrete = action_type == "discrete"
        self._batch = Batch(num_envs, world, terrain=terrain, mode=_MODES[mode], threads=threads)
        self._portraits = Portraits(self._batch)
        self._render_size = render_size
        self._drift: Drift | None = None
        self._everyone = np.ones(num_envs, dtype=np.bool_)  # the mask of what infos tell of all, every time
        self._everyone.flags.writeable = False
        self._steps = 0
        self._started = False
        self.set_conditions(Conditions() if conditions is None else conditions)

    def set_conditions(self, conditions: Conditions | Sequence[Conditions]) -> None:
        """Change the world at once, for all rovers or one by one; ends a drift that was followed.

        A rover that becomes another vehicle stays where it stands. Which target is rewarded, which bodies
        there are and the mission count from the next episode.

        Raises:
            ValueError: no conditions, a sequence whose length is not `num_envs`, or a mission that this world
                can't have.
        """
        if isinstance(conditions, Conditions | str) or not isinstance(conditions, Sequence):
            check_conditions(conditions)
        else:
            for each in conditions:
                check_conditions(each)
        self._batch.set_conditions(conditions)
        self._drift = None

    def follow(self, drift: Drift) -> None:
        """Let the conditions of all rovers drift with the steps taken from now on, summed over the rovers."""
        self.set_conditions(drift.at(0))
        self._steps = 0
        self._drift = None if drift.is_still else drift

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin an episode for every rover, or under DISABLED for those of `options["reset_mask"]` (n,).

        Args:
            seed: rover i gets seed + i; without one the generators go on, or are drawn the first time.
            options: "reset_mask".

        Returns:
            Observations (n, 80) and infos.
        """
        everyone = self._everyone
        mask = everyone if options is None else np.asarray(options.get("reset_mask", everyone))
        if mask.shape != (self.num_envs,) or mask.dtype != np.bool_:
            raise ValueError(
                f"options['reset_mask'] is {mask.dtype} {mask.shape}, expected bool ({self.num_envs},)."
            )
        if not self._started and not mask.all():
            raise ValueError("options['reset_mask'] leaves out rovers that never began: reset() all first.")
        if not self._started and not isinstance(seed, int):
            self._batch.seed(int(self.np_random.integers(2**31)))
        if isinstance(seed, list):
            self._seed_each(seed, mask)
        elif seed is not None:
            super().reset(seed=seed)
            self._batch.generators[mask] = seeded(seed, self.num_envs)[mask]
        self._started = True
        self._batch.start(mask)
        return self._batch.observations, self._infos()

    def step(
        self, actions: NDArray[Any]
    ) -> tuple[
        NDArray[np.float32], NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]
    ]:
        """Step every rover.

        Args:
            actions: (n, 2) drive and steer, values beyond +-1 are clipped; or (n,) discrete.

        Returns:
            Observations (n, 80), rewards (n,), terminated (n,), truncated (n,), infos.

        Raises:
            ValueError: an action of the wrong shape, NaN, or not among the nine; no rover has moved.
        """
        if not self._started:
            raise ValueError("step() before reset(): call reset() first.")
        b = self._batch
        if self._drift is not None:
            b.set_conditions(self._drift.at(self._steps))
        if self._mode is AutoresetMode.DISABLED and b.counters[:, RESTART].any():
            raise ValueError("an episode has ended: call reset(options={'reset_mask': ...}) first.")
        b.step(commands(actions, self.num_envs, discrete=self._discrete))
        self._steps += self.num_envs
        infos = self._infos()
        done, truncated = b.outcomes != RUNNING, b.outcomes == TIME_LIMIT
        if len(b.ended) and self._mode is AutoresetMode.SAME_STEP:
            self._add_final(infos, done)
        return b.observations, b.rewards, done ^ truncated, truncated, infos

    def scene(
        self,
        index: int = 0,
        *,
        trail: Sequence[tuple[float, ...]] = (),
        title: str = "",
        score: float | None = None,
    ) -> Scene:
        """A picture's worth of values of one rover.

        Args:
            index: which rover.
            trail: where it has been: the `trail_point` of each step.
            title: one line for the top of the picture.
            score: sum of rewards so far.
        """
        rows = np.array(trail, dtype=np.float32) if len(trail) else NO_TRAIL
        return self._portraits.scene(index, trail=rows, title=title, score=score)

    def trail_point(self, index: int = 0) -> tuple[float, ...]:
        """Pose and slip of one rover now, as `scene` takes them in its trail."""
        return self._portraits.trail_point(index)

    def autopilot(self) -> Autopilot:
        """A driver of these rovers that goes where they are told, heedless of the ground."""
        from rover_cl_envs.autopilot import Autopilot

        return Autopilot(self._batch)

    def planner(self) -> Planner:
        """A driver of these rovers that knows the true map."""
        from rover_cl_envs.planner import Planner  # its kernels are compiled for those who plan

        return Planner(self._batch)

    def render(self) -> tuple[NDArray[np.uint8], ...] | None:
        """A picture (height, width, 3) of every rover under render_mode="rgb_array", else None."""
        if self.render_mode is None:
            return None
        from rover_cl_envs.renderer import draw  # pygame is loaded by those who draw, not by those who train

        return tuple(draw(self.scene(i), size=self._render_size) for i in range(self.num_envs))

    def _seed_each(self, seeds: list[int | None], mask: NDArray[np.bool_]) -> None:
        """Give each rover of the mask a seed of its own; None leaves a rover's generator as it is."""
        if len(seeds) != self.num_envs:
            raise ValueError(
                f"seed has {len(seeds)} entries, expected one for each of {self.num_envs} rovers."
            )
        for i, seed in enumerate(seeds):
            if seed is not None and mask[i]:
                self._batch.generators[i] = seeded(seed, 1)[0]

    def _infos(self) -> dict[str, Any]:
        """How each rover's episode stands."""
        everyone = self._everyone
        outcomes = self._batch.outcomes
        return {
            "outcome": outcomes,
            "_outcome": everyone,
            "success": outcomes == SUCCESS,
            "_success": everyone,
            "reward_terms": self._batch.reward_terms,
            "_reward_terms": everyone,
        }

    def _add_final(self, infos: dict[str, Any], done: NDArray[np.bool_]) -> None:
        """Gymnasium's keys for episodes that ended and began anew in the same step."""
        last = np.empty(self.num_envs, dtype=object)  # of None
        for i, observation in zip(self._batch.ended.tolist(), self._batch.final_observations, strict=True):
            last[i] = observation
        final = {"outcome": infos["outcome"], "_outcome": done, "success": infos["success"], "_success": done}
        infos |= {"final_obs": last, "_final_obs": done, "final_info": final, "_final_info": done}
