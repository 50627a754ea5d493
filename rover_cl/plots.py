"""Figures of a comparison. Each function gives a new matplotlib figure and touches no global state."""

import base64
import io
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from rover_cl.metrics import Scores, segment_matrix
from rover_cl.statistics import Estimate
from rover_cl_envs.streams import Stream

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D31")
"""Okabe and Ito (2008), told apart by colour-blind readers too; the yellow is replaced by a brown."""
MARKERS = "os^Dv<>P"
MATRIX_MAP = "cividis"


def retention_curves(stream: Stream, runs: Mapping[str, Sequence[Scores]]) -> Figure:
    """Success of every task over the stream, a panel for each task, a line for each method.

    A line is the mean over the seeds, its band the range of the seeds. Where the task itself is trained the
    panel is shaded.
    """
    columns = min(3, len(stream.tasks))
    rows = -(-len(stream.tasks) // columns)
    figure = Figure(figsize=(4.0 * columns, 2.5 * rows + 0.7), layout="constrained")
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for task, axes in enumerate(panels):
        if task >= len(stream.tasks):
            axes.set_axis_off()
            continue
        _shade_segments(axes, stream, task, runs)
        for index, (method, scores) in enumerate(runs.items()):
            _curve(axes, scores, task, method, index)
        axes.set_title(stream.tasks[task].name, fontsize=10)
        axes.set_ylim(-0.02, 1.02)
        axes.grid(alpha=0.25)
        if task % columns == 0:
            axes.set_ylabel("success [share of episodes]")
        if task + columns >= len(stream.tasks):
            axes.set_xlabel("training [million steps]")
            axes.xaxis.set_tick_params(labelbottom=True)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 5), frameon=False)
    return figure


def score_matrices(stream: Stream, runs: Mapping[str, Sequence[Scores]]) -> Figure:
    """Heat maps of R[segment, task], the success after each segment, one for each method (mean of seeds)."""
    columns = min(3, len(runs))
    rows = -(-len(runs) // columns)
    size, depth = len(stream.tasks), len(stream.segments)
    figure = Figure(
        figsize=((0.55 * size + 1.6) * columns + 1, (0.42 * depth + 1.5) * rows), layout="constrained"
    )
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    image = None
    for axes, (method, scores) in zip(panels, runs.items(), strict=False):
        matrix = np.mean([segment_matrix(run) for run in scores], axis=0)
        image = axes.imshow(matrix, cmap=MATRIX_MAP, vmin=0, vmax=1, aspect="auto")
        for (segment, task), value in np.ndenumerate(matrix):
            colour = "black" if value > 0.55 else "white"
            axes.text(task, segment, f"{value:.2f}", ha="center", va="center", fontsize=7, color=colour)
        axes.set_title(method, fontsize=10)
        axes.set_xticks(
            range(size), [task.name for task in stream.tasks], rotation=40, ha="right", fontsize=7
        )
        names = [f"{s + 1} {stream.tasks[part.task].name}" for s, part in enumerate(stream.segments)]
        axes.set_yticks(range(depth), names, fontsize=7)
        axes.set_xlabel("examined on", fontsize=8)
        axes.set_ylabel("after segment", fontsize=8)
    for axes in panels[len(runs) :]:
        axes.set_axis_off()
    if image is not None:
        figure.colorbar(image, ax=list(panels), label="success [share of episodes]", shrink=0.8)
    return figure


def measure_bars(
    estimates: Mapping[str, Estimate],
    seeds: Mapping[str, Sequence[float]],
    *,
    label: str,
    order: Sequence[str],
) -> Figure:
    """A bar for each method with its 95 % interval, and a dot for each seed.

    `order` lists all methods of the comparison, so that a method has one colour in every figure.
    """
    figure = Figure(figsize=(6.4, 0.42 * len(estimates) + 1.3), layout="constrained")
    axes = figure.subplots()
    for place, (method, estimate) in enumerate(estimates.items()):
        axes.barh(place, estimate.value, color=_colour(order, method), alpha=0.55, height=0.6)
        if estimate.has_interval:
            axes.plot([estimate.low, estimate.high], [place, place], color="black", linewidth=1.5)
        values = seeds[method]
        axes.plot(values, [place] * len(values), "o", color="black", markersize=3.5, markerfacecolor="white")
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_yticks(range(len(estimates)), list(estimates))
    axes.invert_yaxis()
    axes.set_xlabel(label)
    axes.grid(axis="x", alpha=0.25)
    return figure


def to_png(figure: Figure) -> bytes:
    """Draw a figure as PNG, without the date or version that would make two equal figures differ."""
    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()


def data_url(content: bytes, kind: str) -> str:
    """Give content as a URL that holds it; `kind` as in `image/png`."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _colour(order: Sequence[str], method: str) -> str:
    return COLOURS[list(order).index(method) % len(COLOURS)]


def _curve(axes: Axes, scores: Sequence[Scores], task: int, method: str, index: int) -> None:
    """A method's line in a task's panel; seeds are put on the times of the first one."""
    times = scores[0].steps.astype(np.float64)
    values = np.array([np.interp(times, run.steps, run.performance[:, task]) for run in scores])
    colour = COLOURS[index % len(COLOURS)]
    marker = MARKERS[index % len(MARKERS)]
    axes.plot(
        times / 1e6,
        values.mean(axis=0),
        color=colour,
        marker=marker,
        markersize=3,
        linewidth=1.3,
        label=method,
    )
    if len(scores) > 1:
        axes.fill_between(
            times / 1e6, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.15, linewidth=0
        )


def _shade_segments(axes: Axes, stream: Stream, task: int, runs: Mapping[str, Sequence[Scores]]) -> None:
    """Shade where the task is trained; the boundaries are those of the run with the most steps."""
    longest = max((run for scores in runs.values() for run in scores), key=lambda run: int(run.steps[-1]))
    ends = [longest.steps[longest.segment <= s][-1] / 1e6 for s in range(len(stream.segments))]
    for segment, (begin, end) in enumerate(zip([0.0, *ends], ends, strict=False)):
        if stream.segments[segment].task == task:
            axes.axvspan(begin, end, color="0.88", linewidth=0)
        axes.axvline(end, color="0.8", linewidth=0.6)
