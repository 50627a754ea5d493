import dataclasses
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from rover_cl import stream_file
from rover_cl.catalogue import find_stream
from rover_cl.configuration import RunConfig, read_config
from rover_cl.listing import contents
from rover_cl.records import run_path
from rover_cl.stream_file import read_stream
from rover_cl_envs.conditions import Conditions
from rover_cl_envs.drift import Drift
from rover_cl_envs.drift_env import MarsDriftEnv
from rover_cl_envs.mission import Mission
from rover_cl_envs.power_plant import MER_PLANT
from rover_cl_envs.rovers import Rover
from rover_cl_envs.sites import get_site
from rover_cl_envs.streams import SHORT, Segment, Stream, Task
from rover_cl_envs.world import World

TEXT = """
name = "mine"
description = "a test"
conflicts = [["firm", "soft"]]

[world]
time_limit = 150
cues = false
mission = { reach = 2 }

[[tasks]]
name = "firm"

[[tasks]]
name = "soft"
conditions = { ground_fluffiness = 0.5, wheel_health = [0, 1, 1, 1, 1, 1] }

[[segments]]
task = "firm"

[[segments]]
task = "soft"
steps = 300
drift = { kind = "linear", period = 150 }

[[segments]]
task = "soft"
steps = 200
drift = { kind = "random-walk", start = "soft", end = "firm", period = 64, amplitude = 0.3, seed = 4 }
"""
FIRM = Conditions()
SOFT = Conditions(ground_fluffiness=0.5, wheel_health=(0.0, 1, 1, 1, 1, 1))


BIASED = [Conditions(steering_bias=bias) for bias in (-0.3, 0.3)]


def written(folder: Path, text: str = TEXT) -> Path:
    path = folder / "mine.toml"
    path.write_text(text)
    return path


def test_every_part_is_read(tmp_path: Path) -> None:
    assert read_stream(written(tmp_path)) == Stream(
        name="mine",
        description="a test",
        tasks=(Task(name="firm", conditions=FIRM), Task(name="soft", conditions=SOFT)),
        segments=(
            Segment(task=0, drift=Drift.none(FIRM), steps=SHORT),
            Segment(task=1, drift=Drift(kind="linear", start=FIRM, end=SOFT, period=150), steps=300),
            Segment(
                task=1,
                drift=Drift(kind="random-walk", start=SOFT, end=FIRM, period=64, amplitude=0.3, seed=4),
                steps=200,
            ),
        ),
        conflicts=((0, 1),),
        world=World(time_limit=150, cues=False, mission=Mission(reach=2)),
    )


def test_the_example_of_the_docstring_works(tmp_path: Path) -> None:
    assert stream_file.__doc__ is not None
    text = stream_file.__doc__.split("\n\n", 1)[1].rsplit("\n\n", 1)[0]
    stream = read_stream(written(tmp_path, text))
    assert [len(stream.tasks), len(stream.segments), stream.world.time_limit] == [2, 2, 150]
    sand = dataclasses.replace(get_site("gale").conditions, ground_fluffiness=0.5)
    assert [task.conditions for task in stream.tasks] == [FIRM, sand]
    swing = Drift(kind="sinusoidal", start=BIASED[0], end=BIASED[1], period=20_000)
    drift = Drift(kind="linear", start=FIRM, end=sand, period=150_000, beside=(swing,))
    assert stream.segments[1].drift == drift
    segments = contents(str(tmp_path / "mine.toml"))
    assert segments[1]["drift"] == "linear + sinusoidal"
    assert (
        segments[1]["set"].split()[0] == "ground_fluffiness=0.5" and "steering_bias=0.3" in segments[1]["set"]
    )


def test_ends_of_a_drift_are_tasks_or_conditions_over_the_usual_ones(tmp_path: Path) -> None:
    beside = '[{ kind = "recurring", period = 9, start = "firm", end = { gravity = 9 } }]'
    text = TEXT.replace("period = 150 }", f"period = 150, end = {{ relief = 0.1 }}, beside = {beside} }}")
    quake = Drift(kind="recurring", start=FIRM, end=Conditions(gravity=9.0), period=9)
    rough = dataclasses.replace(SOFT, relief=0.1)
    drift = Drift(kind="linear", start=FIRM, end=rough, period=150, beside=(quake,))
    assert read_stream(str(written(tmp_path, text))).segments[1].drift == drift
    crossing = text.replace(
        'start = "firm", end = { gravity = 9 }', "start = { latitude = 9 }, end = { season = 9 }"
    )
    quake = dataclasses.replace(quake, start=Conditions(latitude=9.0), end=Conditions(season=9.0))
    drift = dataclasses.replace(drift, beside=(quake,))
    assert read_stream(written(tmp_path, crossing)).segments[1].drift == drift


@pytest.mark.parametrize(
    ("table", "conditions"),
    [
        ('site = "gale"', get_site("gale").conditions),
        (
            'relief = 0.01, site = "viking1"',
            dataclasses.replace(get_site("viking1").conditions, relief=0.01),
        ),
    ],
)
def test_a_site_lies_below_the_conditions_of_a_task(
    tmp_path: Path, table: str, conditions: Conditions
) -> None:
    text = TEXT.replace("ground_fluffiness = 0.5, wheel_health = [0, 1, 1, 1, 1, 1]", table)
    assert read_stream(written(tmp_path, text)).tasks[1].conditions == conditions


def test_a_rover_of_ones_own_drives_from_a_file(tmp_path: Path) -> None:
    mine = Rover.fitted(
        name="mine",
        mass=60,
        wheel_radius=0.1,
        wheel_width=0.1,
        wheelbase=1.0,
        track=0.8,
        top_speed=0.08,
        obstacle=0.15,
    )
    text = TEXT.replace(
        "ground_fluffiness = 0.5, wheel_health = [0, 1, 1, 1, 1, 1]", f"rover = {table(mine)}"
    )
    stream = read_stream(written(tmp_path, text))
    assert stream.tasks[1].conditions == Conditions(rover=mine)
    env = MarsDriftEnv(stream=stream, num_maps=1)
    driven = []
    for step in (0, 100):  # it drifts from MER to mine in 150, and swaps them half-way
        env.reset(seed=0, options={"stream_step": SHORT + step})
        driven.append([env.step((1.0, 0.0))[0][14] for _ in range(2)][1])
    assert 0 < driven[0] < 1 < 1.2 < driven[1]  # in MER's 0.25 m a step: mine is faster


def table(value: object) -> str:
    """A dataclass as an inline table of TOML, without the fields that are None."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(table, value))}]"
    if not dataclasses.is_dataclass(value):
        return json.dumps(value)
    given = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    return f"{{ {', '.join(f'{k} = {table(v)}' for k, v in given.items() if v is not None)} }}"


OWN = """{ name = "mine", mass = 60, wheel_radius = 0.1, wheel_width = 0.1, wheelbase = 1.0, track = 0.8,
    top_speed = 0.08, obstacle = 0.15 }""".replace("\n   ", "")
PLANT = table(MER_PLANT)


def test_a_rover_without_soils_is_fitted(tmp_path: Path) -> None:
    values = tomllib.loads(f"rover = {OWN}")["rover"]
    with_plant = OWN.replace(" }", f", plant = {PLANT} }}")
    for own, plant in ((OWN, None), (with_plant, MER_PLANT)):
        world = f'systems = ["power"]\nrover = {own}'
        text = TEXT.replace("cues = false", world).replace("ground_fluffiness = 0.5", f"rover = {own}")
        stream = read_stream(written(tmp_path, text))
        mine = Rover.fitted(**values, plant=plant)
        assert stream.world.rover == mine and stream.tasks[1].conditions.rover == mine
        config = RunConfig(stream=str(written(tmp_path, text)), method="finetune")
        assert read_config(json.loads(json.dumps(config.describe()))).build_stream() == stream


def test_the_page_shows_one_rover_in_python_and_in_toml(tmp_path: Path) -> None:
    page = (Path(__file__).parent.parent.parent / "docs/simulator.md").read_text(encoding="utf-8")
    section = page.split("### A rover of your own")[1].split("\n## ")[0]
    script, text = (section.split(f"```{kind}\n")[1].split("```")[0] for kind in ("python", "toml"))
    names: dict[str, Any] = {}
    exec(script.split("env = ")[0], names)
    stream = read_stream(written(tmp_path, text))
    assert stream.tasks[1].conditions == Conditions(rover=names["mine"])
    assert names["mine"].plant == names["panels"]
    assert stream.world.systems == ("power",)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("mass = 60, ", "", "task 'soft': rover: mass: missing, expected one"),
        ("mass", "mas", "task 'soft': rover: unknown field 'mas'. Did you mean 'mass'"),
        ("60", '"60"', "task 'soft': rover: Rover.mass is '60', expected a number from 0.1 to"),
        ("60", "true", "task 'soft': rover: Rover.mass is True, expected a number"),
        ("60", "nan", "task 'soft': rover: Rover.mass is nan, expected a number"),
        ("60", "50000", r"task 'soft': rover: Rover.mass is 50000, expected at most \d+\.?\d* on wheels of"),
        (" }", ", ground_pressure = 9 }", "task 'soft': rover: ground_pressure without soils, expected both"),
        (" }", ", plant = 3 }", "task 'soft': rover: Rover.plant is 3, expected a PowerPlant"),
        (" }", ", plant = { area = 1 } }", "task 'soft': rover: plant: efficiency: missing, expected one"),
        (
            " }",
            f", plant = {PLANT.replace('area', 'aera')} }}",
            "rover: plant: unknown field 'aera'. Did you mean 'area'",
        ),
        (
            " }",
            f", plant = {PLANT.replace('1.33', '-1.33')} }}",
            "rover: plant: PowerPlant.area is -1.33, expected a finite number",
        ),
    ],
)
def test_a_mistake_in_a_rover_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = TEXT.replace("ground_fluffiness = 0.5", f"rover = {OWN.replace(old, new)}")
    with pytest.raises(ValueError, match=message) as caught:
        find_stream(str(written(tmp_path, text)))
    assert "\n" not in str(caught.value)


def test_a_run_records_it_and_outlives_the_file(tmp_path: Path) -> None:
    path = written(tmp_path)
    config = RunConfig(stream=str(path), method="finetune")
    description = json.loads(json.dumps(config.describe()))
    kept = config.build_stream()
    path.unlink()
    assert read_config(description).build_stream() == kept
    assert run_path(tmp_path, config.stream, "finetune", 0) == tmp_path / "mine" / "finetune" / "seed-0"
    description["config"]["stream"] = "../..toml"
    with pytest.raises(ValueError, match=r"stream '\.\./\.\.toml' is none of"):
        read_config(description)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "ground_fluffiness = 0.5",
            "ground_flufiness = 0.5",
            "task 'soft': unknown field 'ground_flufiness'.* Did you mean 'ground_fluffiness'",
        ),
        (
            "ground_fluffiness = 0.5",
            "ground_fluffiness = 5",
            "task 'soft': Conditions.ground_fluffiness is 5.0, expected a number from 0.0 to 1.0",
        ),
        (
            "ground_fluffiness = 0.5",
            'ground_fluffiness = "soft"',
            "task 'soft': ground_fluffiness: expected a number, found 'soft'",
        ),
        ("steps = 300", "steps = 0", r"segment 2: Segment.steps is 0"),
        ('task = "firm"', 'task = "film"', "segment 1: unknown task 'film'.* Did you mean 'firm'"),
        (
            'kind = "linear"',
            'kind = "liner"',
            "segment 2: drift: unknown kind 'liner'. Did you mean 'linear'. Valid: abrupt, linear",
        ),
        ('kind = "random-walk"', 'kind = "random walk"', "segment 3: drift: .*Did you mean 'random-walk'"),
        ("seed = 4", "seed = -4", "segment 3: drift: Drift.seed is -4, expected an integer >= 0"),
        ("amplitude = 0.3", "amplitude = 3", "segment 3: drift: Drift.amplitude is 3.0, expected a number"),
        ("reach = 2", 'kind = "imag"', "world: mission: unknown kind 'imag'. Did you mean 'image'"),
        ("[[segments]]", "[[segment]]", "unknown field 'segment'. Did you mean 'segments'"),
        ('task = "soft"', 'tsk = "soft"', "segment 2: unknown field 'tsk'. Did you mean 'task'"),
        ('[["firm", "soft"]]', '["firm"]', "conflict 1: expected a list, found 'firm'"),
        ('start = "soft"', 'start = "soap"', "segment 3: drift.start: unknown task 'soap'"),
        ("reach = 2", "reech = 2", "world: mission: unknown field 'reech'.* Did you mean 'reach'"),
        ("time_limit = 150", "time_limits = 150", "world: unknown field 'time_limits'"),
        ('[["firm", "soft"]]', '[["firm"]]', "conflicts holds .*'firm'.*, expected pairs"),
        (
            'description = "a test"',
            'descriptoin = "a test"',
            "unknown field 'descriptoin'. Did you mean 'description'",
        ),
        ("steps = 300", "stepps = 300", "segment 2: unknown field 'stepps'. Did you mean 'steps'"),
        ("steps = 300", "steps = 1.5", r"segment 2: steps: .*integer.*, found 1\.5"),
        ("steps = 300", 'steps = "300"', "segment 2: steps: .*integer, found '300'"),
        ('name = "soft"', 'name = "firm"', "tasks: two have the name 'firm'"),
        ('name = "soft"', "name = 3", "task 2: name: .*string, found 3"),
        ('["firm", "soft"]', '["firm", "firm"]', "conflicts holds .0, 0., expected pairs of two different"),
        (
            "ground_fluffiness = 0.5",
            "ground_fluffiness = true",
            "ground_fluffiness: expected a number, found true",
        ),
        ("ground_fluffiness = 0.5", 'steering_bias = "0.3"', "steering_bias: expected a number, found '0.3'"),
        ("ground_fluffiness = 0.5", "relief = 1979-05-27", "relief: expected a number, found '1979-05-27'"),
        ("[0, 1, 1, 1, 1, 1]", "[0, 1, 1, true, 1, 1]", "wheel_health 4: expected a number, found true"),
        ("[0, 1, 1, 1, 1, 1]", "1", "task 'soft': wheel_health: expected a list, found 1"),
        ('name = "soft"', "name = 1979-05-27", "task 2: name: expected a string, found 1979-05-27"),
        ("ground_fluffiness = 0.5", "rover = 3", "task 'soft': rover: expected a name or a table, found 3"),
        ("ground_fluffiness = 0.5", 'site = "gail"', "task 'soft': unknown site 'gail'. Did you mean 'gale'"),
        ("ground_fluffiness = 0.5", "site = [1]", "task 'soft': unknown site '.1.'"),
        ("ground_fluffiness = 0.5", 'sight = "gale"', "unknown field 'sight'. Did you mean 'site'"),
        ("conditions = {", "conditions = 3 #", "task 2: conditions: expected a table, found 3"),
        ("time_limit = 150", 'time_limit = "150"', "world: time_limit: expected an integer, found '150'"),
        ("cues = false", "cues = 1", "world: cues: expected true or false, found 1"),
        ("cues = false", 'systems = "power"', "world: systems: expected a list, found 'power'"),
        ("mission = { reach = 2 }", 'mission = "image"', "world: mission: expected a table, found 'image'"),
        ("period = 150 ", 'period = "150" ', "segment 2: drift: period: expected an integer, found '150'"),
        ('kind = "linear", ', "", "segment 2: drift: kind: missing, expected one"),
        (
            'drift = { kind = "linear", period = 150 }',
            'drift = "linear"',
            "drift: expected a table, found 'li",
        ),
        (
            'end = "firm"',
            "end = { reliev = 1 }",
            "segment 3: drift.end: unknown field 'reliev'.* 'relief'",
        ),
        ("period = 150", "beside = 3", "segment 2: drift.beside: expected a list of tables, found 3"),
        ("period = 150", 'beside = [{ kind = "abrupt" }]', "segment 2: drift.beside 1: end: missing"),
        (
            "period = 150",
            'beside = [{ kind = "abrupt", end = "soft" }]',
            "segment 2: drift: Drift.beside: ground_fluffiness is moved by 2 drifts",
        ),
        ('name = "mine"', 'name = ""', "name is '', expected one that can name a file"),
        (
            'name = "mine"',
            'name = "a/b"',
            "name is 'a/b', expected one that can name a file, without slashes",
        ),
        ('name = "soft"', 'name = " "', "task 2: name is ' ', expected one that can name a file"),
        ('name = "soft"', "name = 'a\\b'", "task 2: name is 'a.*b', expected one"),
        (
            '[[segments]]\ntask = "firm"',
            "",
            "task 'firm' is trained by no segment, expected one at least",
        ),
        (
            "ground_fluffiness = 0.5",
            "martian = 1",
            "task 'soft': Conditions.martian is 1.0, .* system 'bodies'",
        ),
        ("ground_fluffiness = 0.5", 'rover = "mars"', "task 'soft': unknown rover 'mars'"),
        (
            "ground_fluffiness = 0.5",
            'rover = { name = "x" }',
            "task 'soft': rover: mass: missing, expected one",
        ),
        (
            "ground_fluffiness = 0.5",
            'mission = { kind = "image" }',
            "task 'soft': Conditions.mission is of kind 'image' and not the world's own",
        ),
        ("cues = false", 'systems = ["power", "power"]', "World.systems is .*, expected each system once"),
        ('name = "mine"', "", "name: missing, expected one"),
        ('name = "mine"', "name = mine", "is not TOML"),
    ],
)
def test_a_mistake_is_named_with_file_and_field(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in TEXT
    path = written(tmp_path, TEXT.replace(old, new, -1 if old == "[[segments]]" else 1))
    with pytest.raises(ValueError, match=message) as caught:
        find_stream(str(path))
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"stream file .*none.toml can't be read: .*No such file"):
        find_stream(str(tmp_path / "none.toml"))
