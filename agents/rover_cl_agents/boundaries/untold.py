"""Learning without being told where a task ends: the clock, the watch, and the step back to the boundary."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

from rover_cl_agents.boundaries.finders import Boundaries
from rover_cl_agents.boundaries.signals import Glimpse, glimpse, pack, unpack
from rover_cl_agents.boundaries.snapshot_ring import SnapshotRing, experience_as_of, replay_position
from rover_cl_agents.experience.recent import refuse_dicts
from rover_cl_agents.experience.transitions import pack_replay, unpack_replay
from rover_cl_agents.method import Method
from rover_cl_agents.recurrent import acting_lstm
from rover_cl_agents.state import State, under


class Untold:
    """Watches a learner's rollouts and lets its tasks end where the policy of boundaries says so.

    At a rollout's end the policy of boundaries looks at it; at the start of the next one, when the updates
    are done, a boundary takes place: back to the snapshot of its date, if it has one; `end`; `begin`.

    While a learner learns, the schedules of the learning rate and of DQN's ε run on a clock of rollouts since
    the last boundary, and the warm-up of off-policy algorithms is counted from there.

    Args:
        algorithm: The learner's.
        methods: The learner's.
        boundaries: Where tasks end.
        end: Lets the methods consolidate the task at hand.
        begin: Puts back what the task left behind and starts the next one.

    Raises:
        ValueError: if observations are dictionaries, or if the policy is recurrent and the policy of
            boundaries looks at rollouts, or steps back.
    """

    def __init__(
        self,
        algorithm: BaseAlgorithm,
        methods: Sequence[Method],
        boundaries: Boundaries,
        *,
        end: Callable[[], None],
        begin: Callable[[], None],
    ) -> None:
        refuse_dicts(algorithm)
        if acting_lstm(algorithm.policy) is not None and (boundaries.looks or boundaries.ring):
            kind = type(algorithm).__name__
            raise ValueError(
                f"boundaries {boundaries.name!r} look at rollouts and go back to a snapshot, and neither "
                f"knows what the LSTM of {kind} remembers; expected Periodic(), boundaries None, or PPO with "
                "windows of observations (ContextConfig)."
            )
        self._algorithm, self._methods = algorithm, methods
        self.boundaries = boundaries
        self._end, self._begin = end, begin
        self._ring = SnapshotRing(algorithm, methods, boundaries.ring)
        self.task: int | None = None
        """Number of the task at hand; None before the first."""
        self.rollouts = 0
        """Of the task at hand, ended."""
        self.found: list[tuple[int, int]] = []
        """The boundaries so far: the algorithm's steps at each one's date, and at its declaration."""
        self._began = 0  # num_timesteps at the last boundary
        self._since = 0  # num_timesteps when the rollout at hand began
        self._seen: Glimpse | None = None  # of the rollout at hand
        self._due: int | None = None  # the boundary's date, if one was declared

    @property
    def bytes(self) -> int:
        """What the ring holds [bytes]."""
        return self._ring.bytes

    @property
    def progress(self) -> float:
        """What is left of the schedules, from 1 at a boundary to 0."""
        return max(0.0, 1.0 - self.rollouts / self.boundaries.config.horizon)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let the algorithm's schedules run on this clock."""
        algorithm: Any = self._algorithm
        names = [
            n for n in ("lr_schedule", "exploration_schedule", "learning_starts") if hasattr(algorithm, n)
        ]
        self._own = {name: getattr(algorithm, name) for name in names}
        for name in names:
            if name != "learning_starts":
                setattr(algorithm, name, self._clocked(self._own[name]))
        self._warm_up()
        try:
            yield
        finally:
            for name, value in self._own.items():
                setattr(algorithm, name, value)

    def _clocked(self, schedule: Callable[[float], float]) -> Callable[[float], float]:
        return lambda _told: schedule(self.progress)

    def _warm_up(self) -> None:
        """Count the steps of exploration before the first update from the last boundary on."""
        if "learning_starts" in self._own:
            cast(Any, self._algorithm).learning_starts = self._own["learning_starts"] + self._began

    def start(self, task: int) -> None:
        """Note that `task` begins now."""
        self.task, self.rollouts, self._due, self._seen = task, 0, None, None
        self._began = self._since = self._algorithm.num_timesteps
        self.boundaries.begin()
        self._ring.clear()

    def begin_rollout(self) -> None:
        """Let the boundary that was declared take place; take a snapshot."""
        if self._due is not None:
            self._pass_boundary(self._due)
            self._warm_up()
        if self._algorithm.num_timesteps == self._since:
            self._ring.take(self.rollouts)

    def _pass_boundary(self, date: int) -> None:
        assert self.task is not None, "a rollout has ended"
        steps, position = self._algorithm.num_timesteps, replay_position(self._algorithm)
        found = self._ring.rewind(date, self.task) if date < self.rollouts else None
        if found is not None:
            steps, position = found.steps, found.position
        self.found.append((steps, self._algorithm.num_timesteps))
        with experience_as_of(self._algorithm, position, steps, self._began):
            self._end()
        self.start(self.task + 1)
        self._begin()

    def end_rollout(self) -> None:
        """Show the rollout to the policy of boundaries, once it is long enough."""
        algorithm, steps = self._algorithm, self._algorithm.num_timesteps - self._since
        whole = steps >= self.boundaries.config.rollout_steps
        if self.boundaries.looks and (whole or isinstance(algorithm, OnPolicyAlgorithm)):
            seen = glimpse(algorithm, steps)
            self._seen = seen if self._seen is None else self._seen + seen
        if not whole:
            return
        self.rollouts += 1
        self._due = self.boundaries.note(self._seen)
        self._since, self._seen = algorithm.num_timesteps, None

    def state_dict(self) -> State:
        """Give all that the next rollout depends on, the replay buffer and what methods gathered included."""
        if self.task is None:
            return {}
        state: State = {
            "task": self.task,
            "rollouts": self.rollouts,
            "began": self._began,
            "since": self._since,
            "found": " ".join(f"{dated}:{declared}" for dated, declared in self.found),
        }
        if self._due is not None:
            state["due"] = self._due
        parts: dict[str, Mapping[str, Any]] = {
            "boundaries": self.boundaries.state_dict(),
            "ring": self._ring.state_dict(),
            "replay": pack_replay(self._algorithm),
            "seen": {} if self._seen is None else pack(self._seen),
        }
        parts |= {f"gathered.{i}": method.pause() for i, method in enumerate(self._methods)}
        for part, values in parts.items():
            state |= {f"{part}.{name}": value for name, value in values.items()}
        return state

    def load_state_dict(self, state: State) -> None:
        """Take back what `state_dict` gave, after the algorithm and the methods have taken theirs.

        Raises:
            KeyError: if an entry is missing.
            ValueError: if the replay buffer has another shape.
        """
        if not state:
            return
        self.task, self.rollouts, self._began, self._since = (
            int(cast(int, state[name])) for name in ("task", "rollouts", "began", "since")
        )
        pairs = [text.split(":") for text in str(state["found"]).split()]
        self.found = [(int(dated), int(declared)) for dated, declared in pairs]
        self._due = int(cast(int, state["due"])) if "due" in state else None
        self.boundaries.load_state_dict(under(state, "boundaries"))
        self._ring.load_state_dict(under(state, "ring"))
        seen = under(state, "seen")
        self._seen = unpack(seen) if seen else None
        unpack_replay(self._algorithm, under(state, "replay"))
        for i, method in enumerate(self._methods):
            method.resume(self.task, self._ring.sharing(under(state, f"gathered.{i}")))


class UntoldCallback(BaseCallback):
    """Tells of the rollouts' starts and ends.

    Args:
        untold: Who is told.
    """

    def __init__(self, untold: Untold) -> None:
        super().__init__()
        self._untold = untold

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        self._untold.begin_rollout()

    def _on_rollout_end(self) -> None:
        self._untold.end_rollout()
