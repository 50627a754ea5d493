"""What a comparison says: tables in the terminal, table.csv, table.json, and one self-contained page."""

import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.markup import escape
from rich.table import Table

from rover_cl import metrics, plots
from rover_cl.comparison import Comparison, Row
from rover_cl.statistics import Estimate

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1100px; margin: 2em auto; padding: 0 1em; color:
#222; } h1 { font-size: 1.5em } h2 { font-size: 1.15em; margin-top: 2em } img { max-width: 100%; }
table { border-collapse: collapse; font-size: 13px; display: block; overflow-x: auto; }
th, td { padding: 4px 10px; border-bottom: 1px solid #ddd; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left } thead th { border-bottom: 2px solid #888 }
code, pre { background: #f4f1ee; padding: 2px 5px; border-radius: 3px } pre { padding: 10px; overflow-x: auto
} .note { color: #555; font-size: 13px } .problem { color: #a00 }
"""

NOTES = (
    "Success of the deterministic policy on unseen maps. Values are interquartile means over the seeds with "
    "95 % bootstrap intervals (whole seeds drawn; n=1 has none). Forgetting leaves out the task trained "
    "last; a negative value is an improvement. Difference: performance minus that row's, paired by seed; p "
    "of the sign-flip test, which cannot fall below 2/2^n, after Holm's correction over the remedies; that "
    "of reference rows (finetune, scratch, frozen, joint, random) is not corrected. Forward transfer needs "
    "the scratch runs."
)


def table_columns(row: Row, stream_tasks: Sequence[str], baseline: str) -> dict[str, str]:
    """Text of a row, column by column; `baseline` is the row that its difference is to."""
    return {
        "method": row.method,
        "seeds": str(len(row.seeds)),
        "performance": str(row.performance),
        "forgetting": _text(row.forgetting),
        "backward transfer": _text(row.backward_transfer),
        "forward transfer": _text(row.forward_transfer),
        "AUC gain": _text(row.auc_gain),
        "zero-shot": _text(row.zero_shot),
        "plasticity": _text(row.plasticity),
        f"minus {baseline}": _difference(row),
        "p": "-" if row.difference is None or not row.difference.estimate.has_interval else _p(row),
        "wall [s]": f"{row.cost.wall_s:.0f}",
        "evaluating": f"{row.cost.evaluation_s / row.cost.wall_s:.0%}" if row.cost.wall_s else "-",
        "memory": format_bytes(row.cost.method_bytes),
        "parameters": f"{row.cost.parameters:,}",
        "steps": f"{row.cost.env_steps:,}",
        **{f"final {name}": f"{e.value:.2f}" for name, e in zip(stream_tasks, row.final, strict=True)},
    }


def terminal_tables(comparison: Comparison) -> list[Table]:
    """Give the tables for the terminal: measures, and the final success of each task."""
    names = [task.name for task in comparison.stream.tasks]
    texts = [table_columns(row, names, comparison.baseline) for row in comparison.rows]
    measures = [
        "method",
        "performance",
        "forgetting",
        "forward transfer",
        f"minus {comparison.baseline}",
        "p",
    ]
    measures += ["wall [s]", "memory"]
    first = _rich(f"{comparison.stream.name}: final performance and forgetting", measures, texts)
    finals = ["method", *(f"final {name}" for name in names)]
    second = _rich("final success of each task", finals, texts)
    return [first, second]


def row_values(row: Row, stream_tasks: Sequence[str], baseline: str) -> dict[str, Any]:
    """Give numbers of a row for machines, its difference to `baseline`; an undefined measure is None."""
    values: dict[str, Any] = {"method": row.method, "seeds": list(row.seeds)}
    measures = ("performance", "forgetting", "backward_transfer", "forward_transfer", "auc_gain", "zero_shot")
    for name in (*measures, "plasticity"):
        values |= _estimate_values(name, getattr(row, name))
    if row.difference:
        values |= {"difference_to": baseline}
        values |= _estimate_values("difference", row.difference.estimate)
        values |= {"difference_p": row.difference.p, "difference_p_holm": row.difference.p_holm}
    values |= {f"final_{name}": e.value for name, e in zip(stream_tasks, row.final, strict=True)}
    values |= {"wall_s": row.cost.wall_s, **vars(row.cost)}
    return {
        key: None if isinstance(value, float) and value != value else value for key, value in values.items()
    }


def write_report(comparison: Comparison, out: Path, *, command: str = "", gif: Path | None = None) -> Path:
    """Write report.html, table.csv and table.json into `out`; give the page's path."""
    names = [task.name for task in comparison.stream.tasks]
    rows = [row_values(row, names, comparison.baseline) for row in comparison.rows]
    (out / "table.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    pd.DataFrame(rows).to_csv(out / "table.csv", index=False)
    page = out / "report.html"
    page.write_text(_page(comparison, command, gif), encoding="utf-8")
    return page


def format_bytes(size: int) -> str:
    """Give a size for people: 0 B, 28 kB, 1.4 MB."""
    value = float(size)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 10 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def _page(comparison: Comparison, command: str, gif: Path | None) -> str:
    names = [task.name for task in comparison.stream.tasks]
    texts = [table_columns(row, names, comparison.baseline) for row in comparison.rows]
    title = f"{comparison.stream.name}: what was forgotten"
    parts = [
        f"<h1>{html.escape(title)}</h1><p>{html.escape(comparison.stream.description)}</p>",
        f"<p>Made by <code>{html.escape(command)}</code></p>" if command else "",
        *(f'<p class="problem">{html.escape(problem)}</p>' for problem in comparison.problems),
        f'<h2>Measures</h2>{_html_table(texts)}<p class="note">{html.escape(NOTES)}</p>',
    ]
    for heading, picture in _figures(comparison):
        url = plots.data_url(picture, "image/png")
        parts.append(f'<h2>{html.escape(heading)}</h2><img alt="{html.escape(heading)}" src="{url}">')
    if gif is not None and gif.exists():
        url = plots.data_url(gif.read_bytes(), "image/gif")
        text = "The same episode before and after the drift"
        parts.append(
            f'<h2>{text}</h2><img alt="{text}" src="{url}"><p class="note">{html.escape(gif.stem)}</p>'
        )
    configs = [result.config for results in comparison.results.values() for result in results]
    if configs:
        settings = json.dumps(configs[0].settings(), indent=1)
        parts.append(f"<h2>Settings of the first run</h2><pre>{html.escape(settings)}</pre>")
    body = "\n".join(part for part in parts if part)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{STYLE}</style></head><body>\n{body}\n</body></html>\n"
    )


def _figures(comparison: Comparison) -> list[tuple[str, bytes]]:
    if not comparison.rows:
        return []
    runs = {m: [result.finished.scores for result in results] for m, results in comparison.results.items()}
    order = list(runs)
    performance = {row.method: row.performance for row in comparison.rows}
    forgetting = {row.method: row.forgetting for row in comparison.rows if row.forgetting}
    figures = []
    # Seeds that train in different orders have no time axis in common.
    if len({tuple(run.task_of_segment) for scores in runs.values() for run in scores}) == 1:
        figures += [
            ("Success of each task over the stream", plots.retention_curves(comparison.stream, runs)),
            ("Success after each segment", plots.score_matrices(comparison.stream, runs)),
        ]
    bars = plots.measure_bars(
        performance,
        {m: [metrics.average_performance(run) for run in runs[m]] for m in performance},
        label="final average performance [success, 0 to 1]",
        order=order,
    )
    figures.append(("Final performance", bars))
    if forgetting:
        seeds = {
            m: [value for run in runs[m] if (value := metrics.forgetting(run)) is not None]
            for m in forgetting
        }
        bars = plots.measure_bars(
            forgetting, seeds, label="forgetting [loss of success, last task left out]", order=order
        )
        figures.append(("Forgetting", bars))
    return [(heading, plots.to_png(figure)) for heading, figure in figures]


def _html_table(texts: Sequence[dict[str, str]]) -> str:
    if not texts:
        return '<p class="problem">No complete row.</p>'
    columns = [name for name in texts[0] if any(text[name] != "-" for text in texts)]
    head = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
    cells = ("".join(f"<td>{html.escape(text[name])}</td>" for name in columns) for text in texts)
    body = "".join(f"<tr>{row}</tr>" for row in cells)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _rich(title: str, columns: Sequence[str], texts: Sequence[dict[str, str]]) -> Table:
    table = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for name in columns:
        if name == "method" or any(text[name] != "-" for text in texts):
            left = name == "method"
            table.add_column(
                escape(name.removeprefix("final ")), justify="left" if left else "right", no_wrap=left
            )
    for text in texts:
        shown = [name for name in columns if name == "method" or any(other[name] != "-" for other in texts)]
        table.add_row(*(escape(text[name]) for name in shown))
    return table


def _text(estimate: Estimate | None) -> str:
    return "-" if estimate is None else str(estimate)


def _difference(row: Row) -> str:
    if row.difference is None:
        return "-"
    e = row.difference.estimate
    if not e.has_interval:
        return f"{e.value:+.2f} (n={e.n})"
    return f"{e.value:+.2f} [{e.low:+.2f}, {e.high:+.2f}]"


def _p(row: Row) -> str:
    return f"{row.difference.p_holm:.3f}" if row.difference else "-"


def _estimate_values(name: str, estimate: Estimate | None) -> dict[str, float | None]:
    if estimate is None:
        return {name: None}
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
