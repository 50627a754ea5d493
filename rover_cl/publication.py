"""A folder of runs made public: its tables on the terminal, its page and files on disk."""

import json
from pathlib import Path

import typer
from rich.console import Console

from rover_cl.comparison import BASELINE, Comparison, load_comparison
from rover_cl.plan import command_of, find_configs
from rover_cl.records import folder_name
from rover_cl.report import row_values, terminal_tables, write_report
from rover_cl.watch import film_baseline


def publish(folder: Path, as_json: bool, against: str = BASELINE) -> None:
    """Print the comparisons in a folder, as tables or as JSON, and write their reports.

    Differences are to the row `against`.

    Raises:
        ValueError: a run is missing, unfinished or damaged; the complete rows are published all the same.
    """
    # A table is wider than 80 columns; where nobody watches it need not be folded.
    console = Console() if Console().is_terminal else Console(width=160)
    problems: list[str] = []
    values = []
    groups = find_configs(folder)
    for configs in groups:
        comparison = load_comparison(configs, folder, against)
        target = folder if len(groups) == 1 else folder / folder_name(configs[0].stream)
        gif = _film(comparison, target)
        page = write_report(comparison, target, command=command_of(folder), gif=gif)
        problems += comparison.problems
        names = [task.name for task in comparison.stream.tasks]
        values += [row_values(row, names, against) for row in comparison.rows]
        if not as_json and comparison.rows:
            for table in terminal_tables(comparison):
                console.print(table)
            typer.echo(f"\n{page}")
    if as_json:
        typer.echo(json.dumps(values, indent=1))
    if problems:
        raise ValueError("; ".join(problems))


def _film(comparison: Comparison, folder: Path) -> Path | None:
    """Film the baseline; scores are worth a report without it, as where the agents were not kept."""
    try:
        return film_baseline(comparison, folder)
    except ValueError as error:
        typer.echo(f"rover-cl: no film of the baseline: {' '.join(str(error).split())}", err=True)
        return None
