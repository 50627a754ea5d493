"""One rover behind Gymnasium's interface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from rover_cl_envs.batch import Batch
from rover_cl_envs.conditions import Conditions, check_conditions
from rover_cl_envs.errors import arguments_of
from rover_cl_envs.mission import OUTCOMES, REWARD_TERMS, RUNNING, SUCCESS, TIME_LIMIT
from rover_cl_envs.portrait import NO_TRAIL, Portraits
from rover_cl_envs.rows import RESTART
from rover_cl_envs.scene import Scene, between
from rover_cl_envs.spaces import DISCRETE_ACTIONS, action_space, observation_space
from rover_cl_envs.terrain import TerrainBank
from rover_cl_envs.vector_env import RENDER_FPS, RENDER_SIZE, check_size, check_terrain
from rover_cl_envs.world import World

if TYPE_CHECKING:  # pygame is loaded by those who draw, not by those who train
    from rover_cl_envs.renderer import Renderer
    from rover_cl_envs.window import Window

_ALL = np.ones(1, dtype=np.bool_)


class MarsRoverEnv(gym.Env[NDArray[np.float32], Any]):
    """Drive a Mars rover to a target across ground that may trap it.

    ## Description
    A six-wheeled rover stands on a procedural map of 64 m x 64 m that repeats at its edges. Soft patches
    embed it, outcrops of rock carry it well, and only their brightness tells them apart from afar. Two
    targets lie 6 to 14 m away; one is rewarded. A step is 5 s, 0.25 m of travel at MER's full drive. The
    physics is quasi-static (dynamics.py, soil.py); the world is set by `Conditions`.

    ## Action space
    `Box(2)`: drive and steer from -1 to 1; values beyond are clipped, NaN is refused. With
    `action_type="discrete"`, `Discrete(9)`: forward, in place, backward (rows of three) x steer left,
    straight, right; so 1 is straight ahead, 4 is stop.

    ## Observation space
    `Box(80)` float32 from -5 to 5, laid out in sensors.py, scaled by fixed physical ranges. With
    `observation="pixels"`, `Box(0, 255, (3, 64, 64), uint8)`, a picture from above, laid out in camera.py.

    ## Rewards
    The sum of named terms (`reward_terms`): progress 0.1 per step of full drive, MER's 0.25 m, gained
    on the rewarded target; time -0.02; slip -0.05 per unit above 0.4; reverse -0.02 at full drive backward;
    end +5 target reached, -4 embedded, -5 tipped, -3 rock hit, -0.5 wrong target touched.

    ## Starting state
    A random map and place clear of patches and rocks, random heading, at rest.

    ## Episode end
    Terminated: the rewarded target within 1 m (success), the other one within 1 m, embedded (mean slip above
    0.6 over two steps), tilted beyond 45 degrees, a wheel against a rock higher than it climbs, or,
    with the system "power", an empty battery.
    Truncated: after 200 steps. `info["outcome"]` is the code into `mission.OUTCOMES`, `info["success"]`
    whether the target was reached, `info["reward_terms"]` the terms of the step's reward by name.
    All this is for the mission "navigate"; `Mission` has the others.

    Args:
        conditions: what may drift.
        action_type: "continuous" or "discrete".
        world: what stays.
        terrain: maps to drive on, such as `Terrain.from_dem` gives; None: procedural ones, by `map_seed`.
        fields: those of `World` to be changed in `world`: `rover="mer"`, `time_limit=100`, ...
        render_mode: None; "rgb_array": `render` gives a picture; or "human": every step is shown in a window
            as five pictures, at 60 a second, so that a step takes 1/12 s. If the window is closed, the
            environment goes on unseen.
        render_size: width and height of the picture [px]; smaller ones are made faster. The panel of
            instruments needs 640 x 400, and 220 px more in width than in height.

    Raises:
        ValueError: an argument out of range or of an unknown name.
        RuntimeError: at the first picture under "human", where there is no display.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012  Gymnasium declares it so
        "render_modes": ["human", "rgb_array"],
        "render_fps": RENDER_FPS,
    }

    def __init__(
        self,
        *,
        conditions: Conditions | None = None,
        action_type: str = "continuous",
        world: World | None = None,
        terrain: TerrainBank | None = None,
        render_mode: str | None = None,
        render_size: tuple[int, int] = RENDER_SIZE,
        **fields: Any,
    ) -> None:
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ValueError(f"render_mode is {render_mode!r}, expected None, 'rgb_array' or 'human'.")
        check_size(render_size)
        check_terrain(terrain)
        world = (world or World()).with_fields(fields, beside=arguments_of(type(self)))
        self.observation_space: spaces.Space[Any] = observation_space(world.systems, world.observation)
        self.action_space: spaces.Space[Any] = action_space(action_type)
        self.render_mode = render_mode
        self._discrete = action_type == "discrete"
        self._batch = Batch(1, world, terrain=terrain, threads=1)
        self._command = np.zeros((1, 2), dtype=np.float32)
        self._started = False
        self._portraits = Portraits(self._batch)
        self._trail: list[tuple[float, ...]] = []
        self._score = 0.0
        self._render_size = render_size
        self._renderer: Renderer | None = None
        self._window: Window | None = None
        self._shown: Scene | None = None
        self.set_conditions(conditions or Conditions())

    def set_conditions(self, conditions: Conditions) -> None:
        """Change the world at once; `target_b`, bodies and mission count from the next episode.

        Raises:
            ValueError: no conditions, or a mission that this world can't have.
        """
        check_conditions(conditions)
        self._batch.set_conditions(conditions)
        self.conditions = conditions

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin an episode.

        Args:
            seed: of the rover's generator; without one it goes on, or is drawn the first time.
            options: unused.

        Returns:
            Observation (80,) and info.
        """
        super().reset(seed=seed)
        if seed is not None or not self._started:
            self._batch.seed(int(self.np_random.integers(2**31)) if seed is None else seed)
        self._started = True
        self._batch.start(_ALL)
        self._trail = [self._portraits.trail_point(0)]
        self._score = 0.0
        if self.render_mode == "human":
            self._show()
        return self._batch.observations[0], {"outcome": RUNNING, "success": False}

    def step(self, action: Any) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Drive for one step of 5 s.

        Args:
            action: drive and steer (2,), or an integer from 0 to 8.

        Returns:
            Observation (80,), reward, terminated, truncated, info.

        Raises:
            ValueError: an action of the wrong shape, NaN, or not among the nine, or the episode has ended;
                the rover has not moved.
        """
        if not self._started:
            raise ValueError("step() before reset(): call reset() first.")
        if self._batch.counters[0, RESTART]:  # going on would pay the end's reward again and again
            raise ValueError("the episode has ended: call reset() first.")
        self._read(action)
        b = self._batch
        b.step(self._command)
        code = int(b.outcomes[0])
        if self.render_mode is not None:
            self._trail.append(self._portraits.trail_point(0))
            self._score += float(b.rewards[0])
        if self.render_mode == "human":
            self._show()
        info = {"outcome": code, "success": code == SUCCESS, "reward_terms": self.reward_terms()}
        truncated = code == TIME_LIMIT
        return b.observations[0], float(b.rewards[0]), code != RUNNING and not truncated, truncated, info

    def reward_terms(self) -> dict[str, float]:
        """The terms of the last step's reward by name; they add up to it."""
        return dict(zip(REWARD_TERMS, self._batch.reward_terms[0].tolist(), strict=True))

    @property
    def outcome(self) -> str:
        """How the episode stands, in words."""
        return OUTCOMES[self._batch.outcomes[0]]

    def scene(self, title: str = "") -> Scene:
        """A picture's worth of values; trail and score are kept under a render mode only."""
        trail = np.array(self._trail, dtype=np.float32) if self._trail else NO_TRAIL
        score = None if self.render_mode is None else self._score
        return self._portraits.scene(0, trail=trail, title=title or self.title, score=score)

    @property
    def title(self) -> str:
        """One line for the top of the picture."""
        return "Mars rover"

    def render(self) -> NDArray[np.uint8] | None:
        """A top-down picture (height, width, 3) of `render_size` under render_mode="rgb_array", else None."""
        if self.render_mode != "rgb_array":
            return None
        return self._drawn().picture(self.scene())

    def close(self) -> None:
        """Close the window, if there is one."""
        if self._window is not None:
            self._window.close()

    def _drawn(self) -> Renderer:
        from rover_cl_envs.renderer import Renderer

        if self._renderer is None:
            self._renderer = Renderer(self._render_size)
        return self._renderer

    def _show(self) -> None:
        """Move the picture in the window on to where the rover is now."""
        from rover_cl_envs.window import SMOOTH, Window

        if self._window is None:
            self._window = Window(self._render_size, "rover_cl", unseen=True)
        before, self._shown = self._shown, self.scene()
        frames = SMOOTH // RENDER_FPS if before is not None and self._shown.step else 1
        for k in range(1, frames + 1):
            self._window.events()
            if self._window.closed:
                return
            moment = self._shown if before is None else between(before, self._shown, k / frames)
            self._window.show(self._drawn().draw(moment))

    def _read(self, action: Any) -> None:
        """Write the action into the command row."""
        if not self._discrete:
            shape = np.shape(action)
            if shape != (2,):
                raise ValueError(f"action has shape {shape}, expected (2,): drive and steer.")
            self._command[0] = action
            return
        scalar = action[()] if isinstance(action, np.ndarray) and action.shape == () else action
        if not isinstance(scalar, int | np.integer) or not 0 <= scalar < len(DISCRETE_ACTIONS):
            raise ValueError(f"action is {action!r}, expected an integer from 0 to 8.")
        self._command[0] = DISCRETE_ACTIONS[scalar]
