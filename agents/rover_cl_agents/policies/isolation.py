"""What the methods that give each task a part of the acting network have in common."""

from __future__ import annotations

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from torch import Tensor, nn

from rover_cl_agents.experience.recent import RecentStates
from rover_cl_agents.method import Cost, Method
from rover_cl_agents.networks import rebuild_optimizers
from rover_cl_agents.outputs import read, to_tensor
from rover_cl_agents.policies.parted import PartedLinear
from rover_cl_agents.policies.selection import Selection, TaskGuess
from rover_cl_agents.policies.slots import Slot, acting_slots, exchange, linear_at
from rover_cl_agents.state import State

SAMPLES = 4096
"""Latest observations of a task that its mean and spread are taken from."""


class Isolation(Method):
    """A method that puts a `PartedLinear` in the place of some layers, with a part for each task.

    A new task gets the next part; one that comes back gets its own again, which goes on learning as far as
    no other part builds on it. A task that was never learned is played by the latest part, and so is an
    unknown one unless `infers`: then each observation is played by the part whose task it looks like.

    The value networks (and the on-policy spread) have no parts: they go on learning, as in finetuning.
    Target networks (DQN, TD3) are divided in the same way, and catch up whenever a part is added.
    """

    infers = False
    """Whether an unknown task is guessed from the observation."""

    def wrap(self, slot: Slot, layer: nn.Linear) -> PartedLinear | None:
        """Make what takes the place of `layer`; None leaves it."""
        raise NotImplementedError

    def bind(self, algorithm: BaseAlgorithm, seed: int) -> None:
        """Take the algorithm and divide its acting network, which answers as before."""
        super().bind(algorithm, seed)
        self.tasks: list[int] = []
        """The task of each part."""
        self.visits = 0
        """How many tasks were begun, those that came back included."""
        self.latest = 0
        """The part that learns, or learned last."""
        self.selection = Selection()
        self.selection.tasks = self.tasks
        self.guess = TaskGuess()
        self._recent = RecentStates(algorithm, SAMPLES)
        self._generator = torch.Generator().manual_seed(seed)
        self.layers: list[PartedLinear] = []
        self._twins: list[tuple[PartedLinear, PartedLinear]] = []
        self._divide()

    def _divide(self) -> None:
        """Exchange the layers."""
        policy = self.algorithm.policy
        self._plain_bytes = 0
        for slot in acting_slots(policy):
            plain = linear_at(policy, slot.name)
            layer = self.wrap(slot, plain)
            if layer is None:
                continue
            copies = 1 if slot.twin is None else 2
            self._plain_bytes += copies * sum(p.numel() * p.element_size() for p in plain.parameters())
            exchange(policy, slot.name, layer)
            self.layers.append(layer)
            if slot.twin is not None:
                twin = self.wrap(slot, linear_at(policy, slot.twin))
                assert twin is not None, "the target network is built alike"
                twin.load_state_dict(layer.state_dict())
                exchange(policy, slot.twin, twin)
                self._twins.append((layer, twin))

    def _all(self) -> list[PartedLinear]:
        return self.layers + [twin for _, twin in self._twins]

    def follow(self) -> None:
        """Let the target network's divided layers catch up."""
        for layer, twin in self._twins:
            twin.load_state_dict(layer.state_dict())

    def on_task_start(self, task: int) -> None:
        """Give the task its part and let nothing else of the divided layers learn."""
        new = task not in self.tasks
        if new:
            self.tasks.append(task)
            self._resize(len(self.tasks))
        self.latest = self.tasks.index(task)
        self.visits += 1
        self._recent.clear()
        self._open()
        self.select(task)

    def _resize(self, count: int) -> None:
        """Bring the layers to `count` parts, 1 at least."""
        changed = len(self.layers[0]) != max(count, 1)
        for layer in self._all():
            layer.shrink(min(len(layer), max(count, 1)))
            while len(layer) < count:
                layer.grow(self._generator)
        if changed:
            self.follow()

    def _open(self) -> None:
        """Let the latest part learn; the first task's optimisers stay the algorithm's own."""
        for layer in self._all():
            layer.open(self.latest, begun=self.visits > 1)
        if self.visits > 1:
            rebuild_optimizers(self.algorithm)

    def pause(self) -> State:
        """Give the latest states."""
        return self._recent.state_dict()

    def resume(self, task: int, state: State) -> None:
        """Watch on; the parts are as they were."""
        self._recent.load_state_dict(state)

    def on_rollout_end(self) -> None:
        """Watch the observations."""
        if self.infers:
            self._recent.note_rollout()

    def on_task_end(self) -> None:
        """Remember what the task's observations look like."""
        observations = self._recent.observations()[-SAMPLES:]
        if self.infers and len(observations):
            self.guess.learn(self.latest, self._features(to_tensor(self.algorithm.policy, observations)))
        self._recent.clear()

    def _features(self, observations: Tensor) -> Tensor:
        """Give what the first layer is fed with, shape (n, d)."""
        seen: list[Tensor] = []
        handle = self.layers[0].register_forward_pre_hook(lambda _layer, inputs: seen.append(inputs[0]))
        try:
            with torch.no_grad():
                read(self.algorithm.policy, observations)
        finally:
            handle.remove()
        return seen[0].detach()

    def select(self, task: int | None) -> None:
        """Turn the network to the task's part; see the class for tasks without one."""
        known = task in self.tasks
        self.selection.tell(self.tasks.index(task) if task is not None and known else self.latest)
        if self.infers and not known and len(self.guess):
            self.selection.infer(self.guess)

    def state_dict(self) -> State:
        """Give which task has which part; the parts themselves are in the policy."""
        return {
            "tasks": " ".join(map(str, self.tasks)),
            "visits": self.visits,
            "latest": self.latest,
            "generator": self._generator.get_state(),
            **{f"guess.{name}": tensor for name, tensor in self.guess.state_dict().items()},
        }

    def reshape(self, state: State) -> None:
        """Give the layers the parts that they had."""
        try:
            self.tasks[:] = [int(task) for task in str(state["tasks"]).split()]
            self.visits, self.latest = int(state["visits"]), int(state["latest"])
        except KeyError as error:
            raise ValueError(f"the state of {self.name} lacks {error}.") from error
        if len(set(self.tasks)) < len(self.tasks) or not 0 <= self.latest < max(len(self.tasks), 1):
            raise ValueError(f"the state of {self.name} has tasks {self.tasks} and latest {self.latest}.")
        self._resize(len(self.tasks))
        if self.visits:
            self._open()
        self.selection.tell(self.latest)

    def load_state_dict(self, state: State) -> None:
        """Take back what `state_dict` gave, after `reshape`."""
        generator = state.get("generator")
        if not isinstance(generator, Tensor):
            raise ValueError(f"the state of {self.name} needs its 'generator'.")
        self._generator.set_state(generator)
        moments = {
            name.removeprefix("guess."): value.to(self.algorithm.device)
            for name, value in state.items()
            if name.startswith("guess.") and isinstance(value, Tensor)
        }
        self.guess.load_state_dict(moments)

    def cost(self) -> Cost:
        """Give the bytes of all parts, beyond those of the layers that they took the place of, and of the
        task's latest states.
        """
        held = sum(layer.bytes for layer in self._all()) + self.guess.bytes + self._recent.bytes
        return Cost(bytes=held - self._plain_bytes)
