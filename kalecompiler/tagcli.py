"""The commands of the command line that write into notebooks and projects: init, tag, untag."""

from __future__ import annotations

from pathlib import Path

import click

from kalecompiler import commands
from kalecompiler.diagnostics import UsageError
from kalecompiler.options import COLOR, NOTEBOOK, examples

_CELL = click.argument("cell")


@click.command(epilog=examples("kalec init churn.ipynb", "kalec init churn.ipynb --write", "kalec init --ci github"))
@click.argument("notebook", required=False, type=click.Path(path_type=Path))
@click.option("--write", is_flag=True, help="Write the tags into the notebook.")
@click.option(
    "--ci",
    type=click.Choice(["github", "gitlab", "pre-commit"]),
    multiple=True,
    help="Without a notebook: what is to run the checks; else what the project seems to use.",
)
@COLOR
def init(notebook: Path | None, write: bool, ci: tuple[str, ...]) -> int:
    """Propose tags for a notebook without any, or set up a project.

    With a notebook: a step for each section, and tags for imports, functions and parameters. No edges: they come from
    the data. Without: the table [tool.kalecompiler] and a workflow that runs the checks, in the current folder; a file
    that is there already stays as it is, and a table is added to a pyproject.toml that has none.
    """
    if notebook is None:
        if write:
            raise UsageError("--write needs a notebook, as in `kalec init churn.ipynb --write`")
        click.echo(commands.init_project(Path(), ci))
    elif ci:
        raise UsageError("--ci sets up a project, and takes no notebook")
    else:
        click.echo(commands.init(notebook, write=write))
    return 0


@click.command(epilog=examples("kalec tag churn.ipynb 9 step:train prev:split", "kalec tag churn.ipynb 2 imports"))
@NOTEBOOK
@_CELL
@click.argument("tags", nargs=-1, required=True, metavar="TAG...")
@COLOR
def tag(notebook: Path, cell: str, tags: tuple[str, ...]) -> int:
    """Give a cell tags.

    CELL is its number, as findings show it, or its id. A cell is in one step, and a setting has one value: a tag takes
    the place of one that says otherwise. Nothing else of the file changes.
    """
    click.echo(commands.tag(notebook, cell, tags))
    return 0


@click.command(epilog=examples("kalec untag churn.ipynb 9 prev:split", "kalec untag churn.ipynb 9"))
@NOTEBOOK
@_CELL
@click.argument("tags", nargs=-1, metavar="[TAG]...")
@COLOR
def untag(notebook: Path, cell: str, tags: tuple[str, ...]) -> int:
    """Take tags from a cell; all of kalecompiler's, if none is named."""
    click.echo(commands.untag(notebook, cell, tags))
    return 0


COMMANDS: tuple[click.Command, ...] = (init, tag, untag)
