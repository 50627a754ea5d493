import os

import numpy as np
import pytest
import torch

from rover_cl import bench


def test_threads_are_put_back_after_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(budget: int, goal: float) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(bench, "_training_figures", fail)
    torch.set_num_threads(2)
    try:
        with pytest.raises(RuntimeError):
            bench.training_figures()
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


def test_threads_that_are_not_there_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    monkeypatch.setattr(bench, "rover_rate", lambda count, threads, seconds: float(count))
    monkeypatch.setattr(bench, "simulator_figures", lambda seconds, most: [("threads", float(most), "")])
    monkeypatch.setattr(bench, "single_rate", lambda name, seconds: 1.0)
    monkeypatch.setattr(bench, "_peers", lambda seconds, batch, single: [("peer", 2.0, batch)])
    figures = {figure.name: figure.value for figure in bench.bench(train=False)}
    assert np.isnan(figures["1024 rovers, 2 threads (nan: only 1 to be had)"])
    assert figures["rover_cl over peer"] == 512
    assert figures["threads"] == 1
