"""Options that many commands share."""

from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[
    Path | None,
    typer.Option(
        "--config", envvar="ODZEW_CONFIG", help="The configuration; odzew.toml where not given."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line, for programs.")]
