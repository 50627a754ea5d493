from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rover_cl_envs.air import HAZE
from rover_cl_envs.conditions import RANGES, Conditions
from rover_cl_envs.dynamics import STUCK_SLIP
from rover_cl_envs.fuzz import missions_of, reward_bounds
from rover_cl_envs.mission import Mission
from rover_cl_envs.ring import BEARINGS, LIMIT, RING, ring_points
from rover_cl_envs.ring import RANGES as DISTANCES
from rover_cl_envs.rovers import MER
from rover_cl_envs.scene import Scene
from rover_cl_envs.sensors import BLOCKS, CUES, MARS_GRAVITY, SIZE
from rover_cl_envs.spaces import observation_space
from rover_cl_envs.vector_env import MarsRoverVectorEnv
from rover_cl_envs.world import World

ROVERS = 64
AHEAD = np.tile(np.array([1.0, 0.0], dtype=np.float32), (ROVERS, 1))
HEIGHTS = range(RING, SIZE, 2)
ALBEDO = range(RING + 1, SIZE, 2)
RING_FAR = range(RING + 4, RING + 6)
COMMANDS = ((1.0, 0.0), (0.6, -0.7), (-1.0, 0.3), (0.0, 1.0), (0.0, 0.0))

# What tells a rover of each drift: the indices that must differ from an unchanged world.
TRACES: dict[str, tuple[dict[str, Any], range]] = {
    "gravity": ({"gravity": 9.81}, range(29, 30)),
    "ground_fluffiness": ({"ground_fluffiness": 0.6}, range(8, 10)),
    "patch_fluffiness": ({"patch_fluffiness": 0.5}, range(8, 10)),
    "patch_cover": ({"patch_cover": 0.4}, ALBEDO),
    "outcrop_cover": ({"outcrop_cover": 0.0}, ALBEDO),
    "albedo_contrast": ({"albedo_contrast": -1.0}, ALBEDO),
    "relief": ({"relief": 0.1}, HEIGHTS),
    "slope_east": ({"slope_east": 0.1}, range(12, 14)),
    "slope_north": ({"slope_north": 0.1}, HEIGHTS),
    "rock_abundance": ({"rock_abundance": 0.1}, HEIGHTS),
    "motor_gain": ({"motor_gain": 0.5}, range(14, 15)),
    "steering_bias": ({"steering_bias": 0.3}, range(15, 16)),
    "wheel_drag": ({"wheel_drag": 0.0}, range(8, 10)),
    "bearing_bias": ({"bearing_bias": 0.1}, range(1, 3)),
    "bearing_noise": ({"bearing_noise": 0.1}, range(5, 7)),
    "height_bias": ({"height_bias": 0.1}, HEIGHTS),
    "height_noise": ({"height_noise": 0.1}, HEIGHTS),
    "odometry_gain": ({"odometry_gain": 0.8}, range(14, 15)),
    "dark_bearings": ({"dark_bearings": 3.0}, ALBEDO),
    "optical_depth": ({"optical_depth": 5.0}, RING_FAR),
    "crater_freshness": ({"crater_freshness": 0.5}, HEIGHTS),
    "ripple_height": ({"ripple_height": 0.1}, HEIGHTS),
    "tar_height": ({"tar_height": 0.5}, HEIGHTS),
    "ripple_softness": ({"ripple_softness": 1.0}, range(8, 10)),
    "crust_cover": ({"crust_cover": 0.5, "crust_contrast": 1.0}, ALBEDO),
    "crust_strength": ({"crust_strength": 20.0}, range(8, 10)),
    "crust_contrast": ({"crust_contrast": -1.0}, ALBEDO),
    "wheel_health": ({"wheel_health": (1.0, 1.0, 1.0, 0.0, 1.0, 1.0)}, range(24, 25)),
    "rover": ({"rover": "msl"}, range(14, 15)),
}
# Which target is rewarded shows in a cue; bodies show in a block of their own.
ELSEWHERE = {"target_b", "devil_rate", "devil_speed", "martian", "martian_speed", "martian_sight"}

# The same for the system "power", indices in its block, in a world where a step takes half an hour.
HALF_HOURS: dict[str, Any] = {"clock_rate": 360.0, "cleaning": 0.0}
POWER_TRACES: dict[str, tuple[dict[str, Any], range]] = {
    "optical_depth": ({"optical_depth": 0.6}, range(2, 3)),
    "season": ({"season": 250.0}, range(4, 5)),
    "latitude": ({"latitude": 40.0}, range(4, 5)),
    "time_of_sol": ({"time_of_sol": 0.45}, range(7, 9)),
    "dust_factor": ({"dust_factor": 0.6}, range(3, 4)),
    "dust_fall": ({"dust_fall": 0.05}, range(3, 4)),
    "cleaning": ({"cleaning": 1.0}, range(3, 4)),
    "battery_health": ({"battery_health": 0.7}, range(0, 1)),
    "cold": ({"cold": 20.0}, range(9, 10)),
    "initial_charge": ({"initial_charge": 0.5}, range(0, 1)),
    "clock_rate": ({"clock_rate": 100.0}, range(7, 9)),
}
SLOW = ("patch_fluffiness", "crater_freshness", "crust_strength", "dust_fall", "cleaning")

# Drifts that need something else to act on.
GIVEN: dict[str, dict[str, Any]] = {
    "ripple_softness": {"ripple_height": 0.2},
    "crust_strength": {"crust_cover": 0.8},
    "crust_contrast": {"crust_cover": 0.5, "crust_strength": 20.0},
}


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "landforms"])
def looks(request: pytest.FixtureRequest) -> list[tuple[NDArray[np.float32], Scene, tuple[float, float]]]:
    """Observations of rovers that were driven about, with the scene and the last command."""
    world = Conditions(
        relief=0.06, rock_abundance=0.05, gravity=5.0, slope_east=0.05, wheel_health=(1, 0.5, 1, 0, 1, 1)
    )
    if request.param:
        world = replace(world, ripple_height=0.2, tar_height=0.6, crater_freshness=0.3)
        world = replace(world, crust_cover=0.4, crust_strength=30.0, crust_contrast=-0.7)
    envs = MarsRoverVectorEnv(8, num_maps=2, conditions=world, time_limit=100)
    observations = envs.reset(seed=0)[0]
    out = []
    for command in COMMANDS:
        for _ in range(4):
            actions = np.tile(np.array(command, dtype=np.float32), (8, 1))
            observations = envs.step(actions)[0]
        scenes = [envs.scene(i) for i in range(8)]
        out += [(o, s, command) for o, s in zip(observations, scenes, strict=True) if s.step > 1]
    return out


def test_targets(looks: list[tuple[NDArray[np.float32], Scene, tuple[float, float]]]) -> None:
    for observation, scene, _ in looks:
        x, y, yaw = scene.pose
        for at, (tx, ty) in zip((0, 4), scene.targets, strict=True):
            far, bearing = math.dist((x, y), (tx, ty)), math.atan2(ty - y, tx - x) - yaw
            expected = [far / 20, math.cos(bearing), math.sin(bearing), math.exp(-far / 2)]
            np.testing.assert_allclose(observation[at : at + 4], expected, atol=1e-4)


def test_state_of_the_rover(looks: list[tuple[NDArray[np.float32], Scene, tuple[float, float]]]) -> None:
    for observation, scene, command in looks:
        np.testing.assert_allclose(observation[8:10], scene.slip, atol=1e-6)
        np.testing.assert_allclose(
            observation[10:12], np.array(scene.sinkage) / (MER.wheel_radius / 2), rtol=1e-4
        )
        expected = [2 * math.tan(scene.pitch), 2 * math.tan(scene.roll)]
        np.testing.assert_allclose(observation[12:14], expected, atol=1e-4)
        np.testing.assert_allclose(observation[18:20], command, atol=1e-6)
        np.testing.assert_allclose(observation[21:27], 2 * np.array(scene.wheel_health) - 1, atol=1e-6)
        assert observation[29] == pytest.approx(5.0 / MARS_GRAVITY - 1, abs=1e-5)
        assert observation[31] == 1 - 2 * scene.rewarded


def test_wheels_follow_the_command(
    looks: list[tuple[NDArray[np.float32], Scene, tuple[float, float]]],
) -> None:
    for observation, _, (ahead, steer) in looks:
        left, right = observation[16:18]
        assert (left < right) == (steer > 0) or steer == 0
        assert np.sign(left + right) == np.sign(ahead) or ahead == 0
        assert (observation[27:29] >= 0).all() and observation[27:29].any() == bool(ahead or steer)


def test_motion_is_what_was_driven() -> None:
    envs = MarsRoverVectorEnv(4, num_maps=1, conditions=Conditions(relief=0.0))
    envs.reset(seed=0)
    for command in COMMANDS:
        before = [envs.scene(i).pose for i in range(4)]
        observations = envs.step(np.tile(np.array(command, dtype=np.float32), (4, 1)))[0]
        for i, (x, y, yaw) in enumerate(before):
            now = envs.scene(i).pose
            turned = (now[2] - yaw + math.pi) % (2 * math.pi) - math.pi
            middle = yaw + turned / 2
            covered = (now[0] - x) * math.cos(middle) + (now[1] - y) * math.sin(middle)
            if envs.scene(i).outcome == "running":
                np.testing.assert_allclose(observations[i][14:16], [covered / 0.25, turned / 0.4], atol=2e-3)


def test_spinning_is_counted() -> None:
    world = Conditions(ground_fluffiness=1.0, outcrop_cover=0.0, relief=0.0)
    envs = MarsRoverVectorEnv(1, num_maps=1, conditions=world)
    observation = envs.reset(seed=0)[0][0]
    assert observation[20] == 0
    observation = envs.step(AHEAD[:1])[0][0]
    assert observation[20] == 0.5 and observation[8:10].mean() > STUCK_SLIP


def test_ring_points_go_round() -> None:
    points = ring_points().T.reshape(BEARINGS, len(DISTANCES), 2)
    np.testing.assert_allclose(np.hypot(points[..., 0], points[..., 1]), [DISTANCES] * BEARINGS, rtol=1e-6)
    np.testing.assert_allclose(points[0, :, 1], 0, atol=1e-6)
    assert (points[0, :, 0] > 0).all() and (points[BEARINGS // 4, :, 1] > 0).all()


def test_ring_shows_heights_and_albedo(
    looks: list[tuple[NDArray[np.float32], Scene, tuple[float, float]]],
) -> None:
    slope = 0.05
    for observation, scene, _ in looks:
        x, y, yaw = scene.pose
        side = len(scene.ground.heights)
        here = scene.ground.heights[int(y // scene.ground.cell) % side, int(x // scene.ground.cell) % side]
        for p, (ahead, left) in enumerate(ring_points().T):
            east = math.cos(yaw) * ahead - math.sin(yaw) * left
            north = math.sin(yaw) * ahead + math.cos(yaw) * left
            at = int((y + north) // scene.ground.cell) % side, int((x + east) // scene.ground.cell) % side
            height = scene.ground.heights[at] + scene.ground.rocks[at] + slope * east - here
            assert observation[RING + 2 * p] == pytest.approx(2 * height, abs=1e-3)
            assert observation[RING + 2 * p + 1] == pytest.approx(scene.ground.albedo[at], abs=1e-3)


@pytest.mark.parametrize(
    ("name", "system"), [*((name, "") for name in TRACES), *((name, "power") for name in POWER_TRACES)]
)
def test_every_drift_leaves_a_trace(name: str, system: str) -> None:
    changes, trace = (POWER_TRACES if system else TRACES)[name]
    # Wheels drag only where one is ill.
    ill: dict[str, Any] = {"wheel_health": (1.0, 1.0, 1.0, 0.5, 1.0, 1.0)} if name == "wheel_drag" else {}
    world: dict[str, Any] = HALF_HOURS if system else ill | GIVEN.get(name, {})
    if system:
        trace = range(SIZE + trace.start, SIZE + trace.stop)
    systems = (system,) if system else ()
    base, moved = (
        MarsRoverVectorEnv(ROVERS, num_maps=2, systems=systems, conditions=Conditions(**world))
        for _ in range(2)
    )
    base.reset(seed=0)
    if name == "initial_charge":  # counts from the next episode
        moved.set_conditions(Conditions(**{**world, **changes}))
    moved.reset(seed=0)
    moved.set_conditions(Conditions(**{**world, **changes}))
    # Patches, craters, dust and gusts are met after some steps; the rest shows at once, or when it stands.
    steps = 40 if name in SLOW else 2
    for _ in range(steps):
        plain, other = base.step(AHEAD)[0], moved.step(AHEAD)[0]
        differ = (np.abs(plain - other)[:, trace] > 0.005).any(axis=1)
        if differ.mean() > 0.5 or (steps > 2 and differ.any()):
            return
    pytest.fail(f"{name} shows in no rover's {trace}")


def test_no_drift_is_forgotten() -> None:
    assert set(TRACES) | set(POWER_TRACES) == {*RANGES, "wheel_health", "rover"} - ELSEWHERE


def test_order_and_site_are_shown_as_cues() -> None:
    for target_b, contrast in ((0.0, 1.0), (1.0, -1.0), (0.0, 0.25)):
        world = Conditions(target_b=target_b, albedo_contrast=contrast)
        for cues in (True, False):
            observation = MarsRoverVectorEnv(1, num_maps=1, conditions=world, cues=cues).reset(seed=0)[0][0]
            shown = observation[list(CUES)]
            np.testing.assert_allclose(shown, [contrast, 1 - 2 * target_b] if cues else [0, 0])


def test_bright_ground_is_soft_where_the_cue_says_so() -> None:
    for contrast in (1.0, -1.0):
        envs = MarsRoverVectorEnv(1, num_maps=1, conditions=Conditions(albedo_contrast=contrast))
        envs.reset(seed=0)
        scene = envs.scene()
        assert contrast * scene.ground.albedo[scene.ground.sand > 0.9].mean() > 0.8
        assert (
            abs(
                scene.ground.albedo[scene.ground.sand > 0.9].mean()
                - scene.ground.albedo[scene.ground.sand == 0].mean()
            )
            > 0.8
        )


SYSTEMS = tuple(BLOCKS)
FUZZED_WORLD = World(num_maps=2, time_limit=6, systems=SYSTEMS)
FUZZED = MarsRoverVectorEnv(4, world=FUZZED_WORLD)


def test_dust_hides_what_is_far_and_nothing_under_a_clear_sky() -> None:
    def ring(depth: float) -> NDArray[np.float32]:
        world = Conditions(optical_depth=depth, relief=0.1)
        seen = MarsRoverVectorEnv(ROVERS, num_maps=2, conditions=world).reset(seed=0)[0]
        return seen[:, RING:].reshape(ROVERS, BEARINGS, len(DISTANCES), 2)

    clear = ring(0.5)
    np.testing.assert_array_equal(ring(0.3), clear)
    np.testing.assert_array_equal(ring(HAZE), clear)
    for depth, shares in ((4.0, (1, 1, 0)), (6.0, (1, 0.5, 0)), (11.0, (0.625, 0, 0))):
        np.testing.assert_allclose(ring(depth), clear * np.array(shares)[:, None], atol=1e-5)


@given(
    scalars=st.fixed_dictionaries({name: st.floats(*bounds) for name, bounds in RANGES.items()}),
    health=st.tuples(*[st.floats(0, 1)] * 6),
    actions=st.lists(st.tuples(*[st.floats(-1, 1, width=32)] * 2), min_size=1, max_size=12),
    rover=st.sampled_from((None, "sojourner", "msl", "m2020")),
    mission=st.sampled_from((None, *missions_of(FUZZED_WORLD))),
    seed=st.integers(0, 2**31),
)
@settings(deadline=None, max_examples=80)
def test_observations_keep_to_their_space_and_rewards_to_their_bounds_in_any_world(
    scalars: dict[str, Any],
    health: tuple[float, ...],
    actions: list[tuple[float, float]],
    rover: str | None,
    mission: Mission | None,
    seed: int,
) -> None:
    FUZZED.set_conditions(Conditions(wheel_health=health, rover=rover, mission=mission, **scalars))
    space = observation_space(SYSTEMS)
    low, high = reward_bounds(mission or FUZZED_WORLD.mission)
    told = [FUZZED.reset(seed=seed)[0]]
    for action in actions:
        observations, rewards, *_ = FUZZED.step(np.tile(np.array(action, dtype=np.float32), (4, 1)))
        assert ((rewards >= low) & (rewards <= high)).all()
        told.append(observations)
    for observation in np.concatenate(told):
        assert observation in space
    assert np.abs(told).max() <= LIMIT
