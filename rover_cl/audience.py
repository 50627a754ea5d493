"""Those who look on at a run: made before it, put away after it, whatever happens."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rover_cl.configuration import RunConfig
from rover_cl.onlooker import Onlooker


@contextmanager
def onlookers(config: RunConfig, board: Path | None, *, window: bool = False) -> Iterator[list[Onlooker]]:
    """Give those who were asked for.

    Args:
        config: the run.
        board: folder for TensorBoard; None: none.
        window: show the policy in a window.

    Raises:
        RuntimeError: there is no display, or TensorBoard is not installed; the message says what to do.
        ValueError: the method has no agent to watch.
    """
    with ExitStack() as stack:
        looking: list[Onlooker] = []
        if board is not None:
            from rover_cl.tensorboard import TensorBoard

            looking.append(TensorBoard(config, board))
            stack.callback(looking[-1].close)
        if window:
            from rover_cl.live import LiveWindow

            looking.append(LiveWindow(config))
            stack.callback(looking[-1].close)
        yield looking
