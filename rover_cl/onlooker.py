"""Who looks on while a run learns, and changes nothing of it."""

from collections.abc import Sequence

from stable_baselines3.common.logger import KVWriter

from rover_cl.metrics import Scores
from rover_cl_agents import ContinualLearner


class Onlooker:
    """Is told what happens in a run. Override what you need; never draw from a global generator."""

    def outputs(self, begin: int) -> Sequence[KVWriter]:
        """Give where Stable-Baselines3's logger shall write to as well.

        Args:
            begin: environment steps before those that the logger counts.
        """
        return ()

    def at_rollout(self, learner: ContinualLearner, place: int) -> None:
        """Hear that a rollout begins.

        Args:
            learner: as it is now.
            place: steps of the stream that have passed.
        """

    def at_examination(self, learner: ContinualLearner, scores: Scores) -> None:
        """Hear how the learner has just done on all tasks.

        Args:
            learner: as it was examined.
            scores: all examinations so far; the last one is new.
        """

    def close(self) -> None:
        """Put away what is held; the run is over, or has failed."""
