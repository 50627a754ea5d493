"""Many runs in local processes, one thread each; every run resumes by itself, so a sweep does too."""

import multiprocessing
import os
import queue
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rover_cl.audience import onlookers
from rover_cl.configuration import RunConfig
from rover_cl.experiment import Listener, Progress, run

SINGLE_THREAD = {"NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""Processes share the cores; threads inside them would only fight."""

_events: Any = None
"""Queue of this worker process to its sweep."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """A run and where it goes."""

    config: RunConfig
    """what to run"""
    path: Path
    """the run's folder"""
    board: Path | None = None
    """folder for TensorBoard; None: none"""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A run that failed."""

    job: Job
    """the run"""
    reason: str
    """one line"""


def sweep(jobs: Sequence[Job], *, processes: int | None = None, listen: Listener) -> list[Failure]:
    """Run all jobs and give those that failed; one failure does not stop the others.

    Ctrl-C ends the workers at once; the folders keep their finished segments, and the same call resumes.

    Args:
        jobs: what to run, longest first is quickest.
        processes: at once, >= 1; None: one for each core.
        listen: is told of the progress, in this process.

    Raises:
        ValueError: `processes` is below 1.
    """
    count = processes if processes is not None else (os.cpu_count() or 1)
    if count < 1:
        raise ValueError(f"jobs is {count}, expected an integer >= 1")
    if count == 1:
        outcomes = [_attempt(partial(_run, job, listen), job) for job in jobs]
        return [failure for failure in outcomes if failure]
    context = multiprocessing.get_context("spawn")
    before = {child.pid for child in multiprocessing.active_children()}
    with _environment(SINGLE_THREAD):
        events = context.Queue()
        executor = ProcessPoolExecutor(min(count, max(len(jobs), 1)), context, _start_worker, (events,))
        try:
            futures = {executor.submit(_work, job): job for job in jobs}
            _follow(set(futures), events, listen)
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            for child in multiprocessing.active_children():
                if child.pid not in before:
                    child.terminate()
            raise
        executor.shutdown()
    return [failure for future, job in futures.items() if (failure := _attempt(future.result, job))]


def _attempt(action: Callable[[], Any], job: Job) -> Failure | None:
    try:
        action()
    except Exception as error:  # any failure of a run is reported beside the others' results
        return Failure(job=job, reason=f"{type(error).__name__}: {' '.join(str(error).split())}")
    return None


def _follow(pending: "set[Future[None]]", events: Any, listen: Listener) -> None:
    """Pass the workers' events on until all are done."""
    while pending:
        pending = wait(pending, timeout=0.2).not_done
        while True:
            try:
                listen(events.get_nowait())
            except queue.Empty:
                break


def _start_worker(events: Any) -> None:
    global _events
    _events = events
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the sweep ends its workers itself
    import torch

    torch.set_num_threads(1)


def _work(job: Job) -> None:
    def listen(progress: Progress) -> None:
        sweeping = multiprocessing.parent_process()
        if sweeping is not None and not sweeping.is_alive():
            os._exit(1)  # killed without a chance to end its workers; what is finished lies in the folder
        _events.put(progress)

    _run(job, listen)


def _run(job: Job, listen: Listener) -> None:
    with onlookers(job.config, job.board) as looking:
        run(job.config, job.path, listen, looking)


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Set environment variables for the processes that are started inside."""
    old = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in old.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
