"""The commands that keep house in the store of runs: `verify`, `gc`, `pin`, `unpin`, `export`, `import`."""

from __future__ import annotations

from pathlib import Path

import click

from kalecompiler.options import COLOR, FOLDER, examples, formats


@click.command(epilog=examples("kalec verify", "kalec verify latest"))
@click.argument("run", required=False)
@FOLDER
@formats("text", "json")
@COLOR
def verify(run: str | None, folder: Path | None, format_: str) -> int:
    """Read all that is kept, or what a run has, and compare it with its digests."""
    from kalecompiler import keephouse

    text, fine = keephouse.verify(run, folder or Path.cwd(), format_)
    click.echo(text)
    return 0 if fine else 1


@click.command(epilog=examples("kalec gc --dry-run --last 10", "kalec gc --last 10 --days 30"))
@click.option("--last", type=click.IntRange(min=0), metavar="N", help="Keep the last N runs of each pipeline.")
@click.option("--days", type=click.FloatRange(min=0), metavar="N", help="Keep the runs of the last N days.")
@click.option(
    "--grace",
    type=click.FloatRange(min=0),
    default=3600,
    show_default=True,
    metavar="SECONDS",
    help="Leave alone what was written or used within this time.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and remove nothing.")
@FOLDER
@formats("text", "json")
@COLOR
def gc(last: int | None, days: float | None, grace: float, dry_run: bool, folder: Path | None, format_: str) -> int:
    """Remove old runs, and what no run needs.

    A run stays that --last or --days keeps, that is pinned, or that is under way; without both options all runs stay.
    Copies of values in the folders of earlier runs go as well: the store has them.
    """
    from kalecompiler import keephouse

    click.echo(keephouse.gc(folder or Path.cwd(), last, days, grace, dry_run, format_))
    return 0


@click.command(epilog=examples("kalec pin latest"))
@click.argument("run")
@FOLDER
@COLOR
def pin(run: str, folder: Path | None) -> int:
    """Keep a run for good: gc leaves it alone."""
    from kalecompiler import keephouse

    click.echo(keephouse.pin(run, folder or Path.cwd(), True))
    return 0


@click.command(epilog=examples("kalec unpin latest"))
@click.argument("run")
@FOLDER
@COLOR
def unpin(run: str, folder: Path | None) -> int:
    """Take the pin off a run."""
    from kalecompiler import keephouse

    click.echo(keephouse.pin(run, folder or Path.cwd(), False))
    return 0


@click.command(epilog=examples("kalec export latest run.tar"))
@click.argument("run")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--force", is_flag=True, help="Replace the file.")
@FOLDER
@COLOR
def export(run: str, file: Path, force: bool, folder: Path | None) -> int:
    """Write a run, with its values, to a tar file, to hand it to somebody."""
    from kalecompiler import keephouse

    click.echo(keephouse.export(run, file, folder or Path.cwd(), force))
    return 0


@click.command(name="import", epilog=examples("kalec import run.tar", "kalec import run.tar --trust"))
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--trust", is_flag=True, help="Sign the run as ours: its values may then run code when they are loaded.")
@FOLDER
@COLOR
def import_(file: Path, trust: bool, folder: Path | None) -> int:
    """Take a run from a tar file that `kalec export` wrote."""
    from kalecompiler import keephouse

    click.echo(keephouse.import_(file, folder, trust))
    return 0


COMMANDS = (verify, gc, pin, unpin, export, import_)
