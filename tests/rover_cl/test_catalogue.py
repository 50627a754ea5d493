from dataclasses import dataclass

import pytest

from rover_cl.catalogue import ALGORITHMS, find_stream, parse_algorithm, parse_method
from rover_cl.configuration import checked_config
from rover_cl.options import build_config, split_list, split_spec
from rover_cl.remedies import METHODS
from rover_cl_agents import EWC, ContextConfig, Detected, Periodic, Replay
from rover_cl_envs.streams import lookalike

STREAM = lookalike()


def test_every_name_builds() -> None:
    for name in METHODS:
        spec = parse_method(name)
        assert len(spec.build()) == (METHODS[name].classes is not None)
    for name in ALGORITHMS:
        assert parse_algorithm(name)[1]() is not None


def test_methods_compose_with_options() -> None:
    replay, ewc = parse_method("replay:weight=0.1,capacity=100+ewc:weight=2").build()
    assert isinstance(replay, Replay) and isinstance(ewc, EWC)
    assert (replay.config.weight, replay.config.capacity, ewc.config.weight) == (0.1, 100, 2.0)


def test_context_composes_though_it_is_no_method() -> None:
    spec = parse_method("replay+context:kind=attention,steps=16")
    assert [method.name for method in spec.build()] == ["replay"]
    assert spec.context() == ContextConfig(kind="attention", steps=16)
    assert parse_method("replay").context() is None
    assert parse_method("context").protocol == "sequential"


def test_a_method_may_find_the_boundaries_by_itself() -> None:
    spec = parse_method("replay:weight=0.1+ewc@detected:ring=4,novelty=false")
    assert [method.name for method in spec.build()] == ["replay", "ewc"]
    found = spec.build_boundaries()
    assert isinstance(found, Detected) and (found.config.ring, found.config.novelty) == (4, False)
    assert isinstance(parse_method("finetune@periodic").build_boundaries(), Periodic)
    assert parse_method("replay").build_boundaries() is None
    with pytest.raises(ValueError, match=r"unknown option of @detected 'rings'.*ring"):
        parse_method("replay@detected:rings=4").build_boundaries()
    assert split_list("finetune,replay@detected:ring=4,delta=1,ewc@periodic") == [
        "finetune",
        "replay@detected:ring=4,delta=1",
        "ewc@periodic",
    ]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("replya", "unknown method 'replya'.*replay"),
        ("finetune+replay", "does not compose"),
        ("joint:weight=1", "takes no options"),
        ("replay+replay", "twice"),
        ("replay+", "empty part"),
        ("replay:weight", "name=value"),
        ("replay:weight=1,weight=2", "given twice"),
        ("replay@detect", "unknown boundaries 'detect'.*detected"),
        ("replay@", "empty part"),
        ("replay@periodic+ewc", "expected one of periodic, detected"),
        ("scratch@detected", "scratch has no boundaries to find"),
        ("frozen@periodic", "frozen has no boundaries to find"),
        ("joint@periodic", "joint has no boundaries to find"),
        ("random@periodic", "random has no boundaries to find"),
    ],
)
def test_a_bad_method_is_refused_when_it_is_read(spec: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_method(spec)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("replay:wieght=1", r"unknown option of replay 'wieght'.*weight"),
        ("replay:capacity=ten", "replay: capacity=ten .*integer"),
        ("replay:capacity=0", "replay: capacity is 0.*at least 1"),
        ("context:step=4", r"unknown option of context 'step'.*steps"),
        ("context:kind=lstm", "context: kind is 'lstm'; expected one of stack, attention"),
    ],
)
def test_a_bad_option_is_refused_when_it_is_built(spec: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        checked_config(stream="lookalike", method=spec)


def test_algorithms_take_options() -> None:
    entry, build = parse_algorithm("ppo:learning_rate=1e-3,n_steps=8")
    assert entry.action_type == "continuous"
    assert (build().learning_rate, build().n_steps) == (1e-3, 8)
    with pytest.raises(ValueError, match=r"unknown algorithm 'pppo'.*ppo"):
        parse_algorithm("pppo")
    with pytest.raises(ValueError, match="names 2"):
        parse_algorithm("ppo+sac")


def test_streams_are_found_by_name_or_by_import() -> None:
    assert find_stream("lookalike") == STREAM
    assert find_stream("rover_cl_envs.streams:lookalike") == STREAM
    seen = find_stream("lookalike@pixels")
    assert (seen.name, seen.world.observation, seen.tasks) == ("lookalike@pixels", "pixels", STREAM.tasks)
    for name, message in (
        ("lokalike", "lookalike"),
        ("lokalike@pixels", "lookalike"),
        ("lookalike@pixel", "unknown observation 'pixel'.*pixels"),
        ("no.such.module:x", "cannot be imported"),
        ("rover_cl_envs.streams:NOMINAL", "expected a rover_cl_envs.Stream"),
    ):
        with pytest.raises(ValueError, match=message):
            find_stream(name)


def test_a_list_of_specs_splits_at_the_commas_between_them() -> None:
    assert split_list("finetune,replay:weight=0.1,capacity=9,ewc+replay") == [
        "finetune",
        "replay:weight=0.1,capacity=9",
        "ewc+replay",
    ]
    assert split_list("replay:weight=0.1,capacity=9+ewc:samples=5,ewc:samples=6") == [
        "replay:weight=0.1,capacity=9+ewc:samples=5",
        "ewc:samples=6",
    ]
    assert split_spec("a:x=1,y=2+b") == [("a", {"x": "1", "y": "2"}), ("b", {})]


def test_the_plus_of_a_number_joins_nothing() -> None:
    assert split_spec("a:x=1e+3,y=+2+b:z=2E+1") == [("a", {"x": "1e+3", "y": "+2"}), ("b", {"z": "2E+1"})]
    assert [name for name, _ in split_spec("replay+ewc")] == ["replay", "ewc"]  # an e, but after a letter


def test_text_becomes_the_type_of_the_field() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Config:
        count: int = 1
        share: float = 0.5
        on: bool = False

    assert build_config(Config, "x", {"count": "3", "share": "1e-2", "on": "true"}) == Config(
        count=3, share=0.01, on=True
    )
