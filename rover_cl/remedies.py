"""The tables of methods: reference runs, remedies that compose, and where a task ends if nobody tells."""

from dataclasses import dataclass
from typing import Literal

Protocol = Literal["sequential", "scratch", "frozen", "joint", "random"]
"""sequential: one agent, segment after segment · scratch: a new agent for each segment · frozen: one agent
that stops learning after the first segment · joint: all tasks at once, as many steps in all · random: uniform
actions"""


@dataclass(frozen=True, kw_only=True)
class MethodEntry:
    """A name that `--method` takes."""

    description: str
    """one line"""
    cost: str
    """what it costs beside finetuning"""
    protocol: Protocol = "sequential"
    """how the stream is trained on"""
    classes: tuple[str, str] | None = None
    """names of the config and the method in `rover_cl_agents`, if it is a remedy that composes"""
    told: bool = False
    """whether it acts better when told which task it is examined on, and is"""

    config: str | None = None
    """name of the config in `rover_cl_agents` of a remedy that is no method of a learner, but decided when
    environment and algorithm are built"""

    @property
    def composes(self) -> bool:
        """Whether it is a remedy: it takes options, and stands beside others."""
        return self.classes is not None or self.config is not None


def _reference(description: str, cost: str, protocol: Protocol) -> MethodEntry:
    return MethodEntry(description=description, cost=cost, protocol=protocol)


def _remedy(name: str, description: str, cost: str, *, told: bool = False) -> MethodEntry:
    return MethodEntry(description=description, cost=cost, classes=(f"{name}Config", name), told=told)


METHODS: dict[str, MethodEntry] = {
    "finetune": _reference("train on, protect nothing: the baseline", "nothing", "sequential"),
    "scratch": _reference(
        "a new agent for each segment, each task examined with its own", "a network for each task", "scratch"
    ),
    "frozen": _reference("stop learning after the first segment", "less than nothing", "frozen"),
    "joint": _reference(
        "all tasks at once for the same total steps: what the network can hold", "all tasks at hand", "joint"
    ),
    "random": _reference("uniform actions: the floor", "nothing", "random"),
    # Rehearsal and distillation: hold the answers.
    "replay": _remedy(
        "Replay", "answer stored states of old tasks as before", "stored states; one more batch an update"
    ),
    "echo-replay": _remedy(
        "EchoReplay",
        "the same from 100 states a task, and answers at many made-up ones around them",
        "32 kB a task; two more half batches an update",
    ),
    "der": _remedy(
        "DER",
        "answer as when the state was met; needs no task boundary",
        "a reservoir of states; one more batch an update",
    ),
    "clear": _remedy(
        "CLEAR",
        "clone old actions and values from an always-on reservoir",
        "a reservoir of states; one more batch an update",
    ),
    "distill": _remedy(
        "Distillation",
        "keep to a teacher: the network as it was, or its running average",
        "a second network, stored states; one more batch an update",
    ),
    "sdft": _remedy(
        "SDFT",
        "keep to an average of oneself on the states met now",
        "a second network; one more batch an update",
    ),
    "generative": _remedy(
        "Generative",
        "distil on states drawn from a mixture fitted to each old task",
        "a mixture for each task, a second network; one more batch an update",
    ),
    # Hold the weights.
    "ewc": _remedy(
        "EWC",
        "hold the weights that old tasks depend on (Fisher information)",
        "two copies of the network a task, two more for their sums; one product an update",
    ),
    "online-ewc": _remedy(
        "OnlineEWC",
        "the same with one fading Fisher information for all the past",
        "four copies of the network; one product an update",
    ),
    "l2": _remedy("L2", "hold every weight alike", "four copies of the network; one product an update"),
    "mas": _remedy(
        "MAS",
        "hold the weights that the answers are sensitive to",
        "four copies of the network; one product an update",
    ),
    "si": _remedy(
        "SI",
        "hold the weights whose movement lowered the loss",
        "eight copies of the network; two products an update",
    ),
    # Project the update.
    "ogd": _remedy(
        "OGD",
        "take the old tasks' output gradients out of every update",
        "200 copies of the network a task; two products an update",
    ),
    "gpm": _remedy(
        "GPM",
        "keep each layer's answer to the inputs of old tasks",
        "a square matrix a layer; two products an update",
    ),
    "agem": _remedy(
        "AGEM",
        "turn updates that would change stored answers",
        "stored states; one more batch an update",
    ),
    # Divide the network.
    "sharpen": _remedy(
        "Sharpen",
        "few units speak at a time, so that tasks overlap less",
        "up to one more pass an update; `fta`'s wide layers cost several",
    ),
    "progressive": _remedy(
        "Progressive",
        "a new network for each task that reads the frozen old ones",
        "grows with the square of the number of tasks",
        told=True,
    ),
    "packnet": _remedy(
        "PackNet",
        "each task owns a share of the weights: prune, retrain, freeze",
        "five bytes a weight; the number of tasks is known",
        told=True,
    ),
    "lora": _remedy(
        "LoRA",
        "freeze after the first task, then learn a low-rank change for each",
        "rank x (in + out) weights a layer and task",
        told=True,
    ),
    "headbank": _remedy("HeadBank", "an output layer for each task", "one head a task", told=True),
    "freeze": _remedy("Freeze", "freeze the first layers after the first task", "fewer weights learn"),
    "slow-layers": _remedy("SlowLayers", "learn the first layers, or all of them, more slowly", "nothing"),
    # See more.
    "context": MethodEntry(
        description="let the policy see the last observations, so that it can tell the worlds apart",
        cost="a wider first layer, or attention over the window",
        config="ContextConfig",
    ),
    # Stay able to learn.
    "layernorm": _remedy("LayerNorm", "normalise the hidden layers", "a few weights"),
    "weight-decay": _remedy("WeightDecay", "draw all weights towards zero", "nothing"),
    "l2-init": _remedy("L2Init", "draw all weights towards where they began", "a copy of the network"),
    "shrink-perturb": _remedy(
        "ShrinkPerturb", "shrink the weights and add fresh ones at every switch", "nothing"
    ),
    "redo": _remedy("ReDo", "start dormant units anew", "a look at the units now and then"),
    "cbp": _remedy("CBP", "start the least useful units anew, a few at a time", "the utility of each unit"),
}


@dataclass(frozen=True, kw_only=True)
class BoundariesEntry:
    """A name that may follow a method, after an @: the learner isn't told where a task ends."""

    description: str
    """one line"""
    cost: str
    """what it costs beside being told"""
    classes: tuple[str, str]
    """names of the config and the policy in `rover_cl_agents`"""


BOUNDARIES: dict[str, BoundariesEntry] = {
    "periodic": BoundariesEntry(
        description="nobody tells the boundaries: consolidate every 16 rollouts",
        cost="what a task costs, every so often",
        classes=("PeriodicConfig", "Periodic"),
    ),
    "detected": BoundariesEntry(
        description="nobody tells the boundaries: Page-Hinkley tests on reward, value error, novelty",
        cost="snapshots of the latest rollouts; the rollouts before an alarm",
        classes=("DetectedConfig", "Detected"),
    ),
}
