"""Options that several commands take."""

from pathlib import Path
from typing import Annotated

import typer

Stream = Annotated[
    str | None,
    typer.Option(help="Name from `rover-cl streams`, or a TOML file or module:attribute."),
]
Steps = Annotated[int | None, typer.Option(help="Environment steps of each segment.")]
First = Annotated[int | None, typer.Option(help="Only so many segments from the start.")]
Algorithm = Annotated[
    str,
    typer.Option("--algo", help="ppo, recurrent-ppo, a2c, sac, td3 or dqn, with options: ppo:gamma=0.99."),
]
Out = Annotated[Path, typer.Option(help="Folder of the results.")]
Jobs = Annotated[int | None, typer.Option(help="Processes at once. [default: one for each core]")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Episodes = Annotated[int | None, typer.Option(help="Episodes of each task in an examination.")]
Board = Annotated[
    Path | None, typer.Option(help="Folder for TensorBoard: scores, forgetting, losses, pictures of drives.")
]
Rovers = Annotated[int, typer.Option(help="Rovers that train side by side.")]
