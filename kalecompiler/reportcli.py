"""The commands of the command line that show and tell what a run did."""

from __future__ import annotations

from pathlib import Path

import click

from kalecompiler import commands
from kalecompiler.options import FOLDER, examples, formats


@click.command(
    epilog=examples(
        "kalec report latest",
        "kalec report latest~1 --format html -o report.html",
        "kalec report churn-20261121-165647-b828",
    )
)
@click.argument("run")
@FOLDER
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Where to write: .html or .ipynb."
)
@formats("all", "html", "ipynb")
def report(run: str, folder: Path | None, output: Path | None, format_: str) -> int:
    """Write a local run's report.

    The executed notebook with its outputs, and one HTML page: graph, metrics, plots, logs, where it all comes from.
    RUN is an id, a prefix, `latest`, `latest~1`, or a folder. Both files go into the run's folder, unless --output says
    else; their paths are printed.
    """
    for path in commands.report_run(run, folder, output, format_):
        click.echo(path)
    return 0


@click.command(epilog=examples("kalec track"))
@FOLDER
def track(folder: Path | None) -> int:
    """Send to the trackers what they missed.

    A tracker that is down during a run does not disturb it: what it was not told waits in the run's folder, and goes
    with the next run, or now.
    """
    lines, failed = commands.track(folder)
    for line in lines:
        click.echo(line)
    return 3 if failed else 0


COMMANDS = (report, track)
