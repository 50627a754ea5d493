"""Which methods don't go together, and why: said before anything is trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import permutations

from rover_cl_agents.importance.holder import MeasuredHolder
from rover_cl_agents.method import Method
from rover_cl_agents.methods.agem import AGEM
from rover_cl_agents.methods.clear import CLEAR
from rover_cl_agents.methods.der import DER
from rover_cl_agents.methods.distill import Distillation
from rover_cl_agents.methods.freeze import Freeze
from rover_cl_agents.methods.generative import Generative
from rover_cl_agents.methods.gpm import GPM
from rover_cl_agents.methods.headbank import HeadBank
from rover_cl_agents.methods.layer_norm import LayerNorm
from rover_cl_agents.methods.lora import LoRA
from rover_cl_agents.methods.ogd import OGD
from rover_cl_agents.methods.packnet import PackNet
from rover_cl_agents.methods.progressive import Progressive
from rover_cl_agents.methods.replay import Replay
from rover_cl_agents.methods.sharpen import Sharpen
from rover_cl_agents.methods.shrink_perturb import ShrinkPerturb
from rover_cl_agents.methods.slow_layers import SlowLayers
from rover_cl_agents.policies.isolation import Isolation
from rover_cl_agents.units.renewal import UnitRenewal

Is = Callable[[Method], bool]


def _any(*kinds: type[Method]) -> Is:
    """Ask whether a method is of one of these kinds."""
    return lambda method: isinstance(method, kinds)


def _remembers(method: Method) -> bool:
    """Say whether a method asks about states of old tasks."""
    if isinstance(method, Distillation):
        return method.config.states == "stored"
    return isinstance(method, (Replay, DER, CLEAR, AGEM, Generative))


def _mixes(method: Method) -> bool:
    return isinstance(method, ShrinkPerturb) and method.config.variant == "switch"


def _slows(method: Method) -> bool:
    return isinstance(method, SlowLayers) and method.config.layers > 0


def _widens(method: Method) -> bool:
    return isinstance(method, Sharpen) and method.config.variant == "fta"


DIVIDING = _any(Progressive, PackNet, LoRA)
EXCHANGING = _any(PackNet, LoRA)
BY_LAYER = _any(MeasuredHolder, OGD, GPM)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A reason why two methods don't go together."""

    one: Is
    other: Is
    why: str
    """In words, with {one} and {other} for the methods' names."""
    ordered: bool = False
    """Only where `one` comes before `other`."""


RULES = (
    Rule(
        one=_any(Isolation),
        other=_any(Isolation),
        why="both divide the acting network among the tasks; expected one of the two.",
    ),
    Rule(
        one=DIVIDING,
        other=_remembers,
        why="{one} keeps old tasks' answers by itself, so that {other} has nothing to hold; expected {one} "
        "alone, or {other} alone.",
    ),
    Rule(
        one=_any(HeadBank),
        other=_any(Generative),
        why="{other} doesn't know which task a generated state is of, and so which head answers it; expected "
        "replay or distill in the place of {other}.",
    ),
    Rule(
        one=EXCHANGING,
        other=BY_LAYER,
        why="{other} looks at linear layers, in whose place {one} puts others, and {one} keeps old answers "
        "by itself; expected {one} alone, or {other} alone.",
    ),
    Rule(
        one=DIVIDING,
        other=_any(Freeze),
        why="{one} freezes what old tasks need by itself; expected {one} alone, or freeze with headbank.",
    ),
    Rule(
        one=DIVIDING,
        other=_slows,
        why="{one} divides the layers that {other} slows down; expected {one} alone, or slow-layers:layers=0,"
        " which slows the whole acting network.",
    ),
    Rule(
        one=DIVIDING,
        other=_any(UnitRenewal),
        why="{one} keeps the hidden units that old tasks need, where {other} gives units a fresh start; "
        "expected {one} alone, or {other} alone.",
    ),
    Rule(
        one=_any(Progressive),
        other=_any(LayerNorm),
        why="{one} puts the units of several columns side by side, where {other} knows one network's; "
        "expected {one} alone, or {other} alone.",
    ),
    Rule(
        one=DIVIDING,
        other=_any(LayerNorm, Sharpen),
        why="{one} divides the layers around the activations that {other} exchanges; expected {other} before "
        "{one}.",
        ordered=True,
    ),
    Rule(
        one=_any(HeadBank),
        other=_widens,
        why="{other} builds the layer anew that {one} has divided; expected {other} before {one}.",
        ordered=True,
    ),
    Rule(
        one=_mixes,
        other=_any(Isolation, Freeze),
        why="at a task's start {one} mixes fresh weights into those that {other} is about to keep; expected "
        "{one} behind {other}.",
        ordered=True,
    ),
)
"""The first that fits is the reason."""


def refuse(methods: Sequence[Method]) -> None:
    """Refuse methods that don't go together.

    Raises:
        ValueError: naming two of them, the reason, and what goes.
    """
    for (place, first), (other_place, second) in permutations(enumerate(methods), 2):
        for rule in RULES:
            if rule.one(first) and rule.other(second) and (place < other_place or not rule.ordered):
                names = f"{methods[min(place, other_place)].name}, {methods[max(place, other_place)].name}"
                why = rule.why.format(one=first.name, other=second.name)
                raise ValueError(f"methods holds {names}: {why}")
