"""The commands that look at runs, kept here or at an endpoint: `runs`, `show`, `diff`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from kalecompiler import console, remotecli
from kalecompiler.diagnostics import UsageError
from kalecompiler.options import COLOR, FOLDER, OUTPUT, examples, formats

ROOT = click.option(
    "--pipeline-root", metavar="URL", help="Read the endpoint's artifacts here, as in s3://bucket/v2/artifacts."
)
TRUST = click.option("--trust", is_flag=True, help="Load values though nobody vouches for them: they may run code.")


@click.command(epilog=examples("kalec runs", "kalec runs churn --limit 5", "kalec runs --endpoint prod --format json"))
@click.argument("pipeline", required=False)
@FOLDER
@remotecli.endpoint_options
@click.option("--experiment", metavar="NAME", help="Only the runs of this experiment of the endpoint.")
@click.option(
    "--limit", type=click.IntRange(min=1), default=20, show_default=True, metavar="N", help="At most so many."
)
@formats("text", "json")
@COLOR
def runs(
    pipeline: str | None, folder: Path | None, experiment: str | None, limit: int, format_: str, **options: Any
) -> int:
    """List runs, the newest first: those that are kept here, or with --host or --endpoint those of an endpoint."""
    from kalecompiler import look

    place = folder or Path.cwd()
    if experiment is None and not _remote(place, folder, options):
        _say(look.listed(place, pipeline, limit, format_))
        if format_ == "json" and (lost := look.damaged(place)):
            click.echo(f"warning: {lost}", err=True)
        return 0
    if pipeline is not None:
        raise UsageError("the runs of an endpoint are chosen by --experiment, not by the pipeline")
    return remotecli.list_runs(experiment, limit, format_, options)


@click.command(
    epilog=examples(
        "kalec show latest",
        "kalec show latest train",
        "kalec show latest train model --preview",
        "kalec show latest~1 load df --export df.parquet",
        "kalec show latest --endpoint prod --wait",
    )
)
@click.argument("run")
@click.argument("step", required=False)
@click.argument("variable", required=False)
@FOLDER
@click.option("--preview", is_flag=True, help="Show the first rows of the variable, or the beginning of it.")
@click.option("--rows", type=click.IntRange(min=1), default=10, show_default=True, metavar="N", help="How many.")
@click.option("--code", is_flag=True, help="Show the code that the step ran.")
@click.option(
    "--export",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the variable to a file: .parquet, .csv, .npy, .json, .pickle, or .kalec as it is kept.",
)
@TRUST
@remotecli.endpoint_options
@ROOT
@remotecli.WAIT
@remotecli.TIMEOUT
@formats("text", "json")
@COLOR
def show(
    run: str, step: str | None, variable: str | None, folder: Path | None, wait: bool, timeout: float | None,
    format_: str, **options: Any,
) -> int:  # fmt: skip
    """Show a run, a step of it, or a variable that a step left.

    RUN is an id, its beginning, `latest`, `latest~1`, or a folder; with --host or --endpoint a run there, by its id,
    the id's beginning or its name. With --wait, for a run of an endpoint, the exit status says how it ended.
    """
    from kalecompiler import look

    names = ("preview", "rows", "code", "export", "trust", "pipeline_root")
    preview, rows, code, export, trust, root = (options.pop(name) for name in names)
    _check_show(step, variable, {"--preview": preview, "--export": export}, code)
    wanted = look.Wanted(step, variable, rows if preview else None, export, trust, code)
    place = folder or Path.cwd()
    if _remote(place, folder, options, run):
        if step is None:
            return remotecli.show_run(run, wait, timeout, format_, options)
        if wait or timeout is not None:
            raise UsageError("--wait and --timeout are for a run as a whole: leave out its step")
        found = look.remote_run(remotecli.connect(options), run, root)
        _say(look.show(found, wanted, format_, f"kalec show {run}"))
        return 0
    of_endpoint("--wait and --timeout are", wait or timeout is not None)
    of_endpoint("--pipeline-root is", root)
    command = f"kalec show {run}" + (f" --folder {folder}" if folder else "")
    _say(look.show(look.kept(run, place, twins=step is None), wanted, format_, command))
    return 0


@click.command(
    epilog=examples(
        "kalec diff latest~1 latest",
        "kalec diff churn-20260101 latest --step train",
        "kalec diff latest~2 latest~1 latest --format html -o runs.html",
    )
)
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option("--step", metavar="STEP", help="Compare this step alone.")
@FOLDER
@remotecli.endpoint_options
@ROOT
@OUTPUT
@formats("text", "json", "csv", "html")
@COLOR
def diff(
    runs: tuple[str, ...], step: str | None, folder: Path | None, output: Path | None, format_: str, **options: Any
) -> int:
    """Compare runs with the first one: parameters, metrics, steps, results, packages and code.

    The first step that differs is named, with the variables and the columns of tables that do. All of that is told by
    digests: no value is loaded.
    """
    from kalecompiler import look

    if len(runs) < 2:
        raise UsageError(f"name two runs or more to compare, as in `kalec diff latest~1 {runs[0]}`")
    place, root = folder or Path.cwd(), options.pop("pipeline_root")
    if _remote(place, folder, options, "".join(runs)):
        connection = remotecli.connect(options)
        chosen = [
            look.kept(word, place) if "/" in word and Path(word).is_dir() else look.remote_run(connection, word, root)
            for word in runs
        ]
    else:
        of_endpoint("--pipeline-root is", root)
        chosen = [look.kept(word, place) for word in runs]
    found = look.comparison(look.diff(chosen, step), format_)
    if isinstance(found, str):
        console.write(output or Path("-"), found)
    elif output is not None:
        from kalecompiler.snapshots import blocks

        console.write(output, blocks.plain(found) + "\n")
    else:
        _say(found)
    return 0


def _check_show(step: str | None, variable: str | None, of_variable: dict[str, Any], code: bool) -> None:
    """Raise UsageError for options that need a step or variable that is not named."""
    for name, given in of_variable.items():
        if given and variable is None:
            raise UsageError(
                f"{name} is for a variable: name its step and it, as in `kalec show latest load df {name}`"
            )
    if code and (step is None or variable is not None):
        raise UsageError("--code is for a step: name it, as in `kalec show latest train --code`")


def of_endpoint(options: str, given: Any) -> None:
    """Raise UsageError for options that mean nothing for runs that are kept here."""
    if given:
        raise UsageError(f"{options} for the runs of an endpoint: name it with --host or --endpoint")


def _remote(place: Path, folder: Path | None, options: dict[str, Any], run: str = "") -> bool:
    """Whether an endpoint is meant: it is named, or nothing is kept here and one is configured."""
    from kalecompiler import look

    if remotecli.is_named(options):
        if folder is not None:
            raise UsageError("--folder is for runs that are kept here: leave it out, or --host and --endpoint")
        return True
    if folder is not None or "/" in run or look.has_store(place):
        return False
    return remotecli.is_configured(place)


def _say(found: Any) -> None:
    """Print text as it is, and blocks as tables: with colours on a terminal, plain in a pipe."""
    if isinstance(found, str):
        click.echo(found)
        return
    from kalecompiler.snapshots import blocks

    if sys.stdout.isatty():
        blocks.show(found, sys.stdout, color=console.colored(sys.stdout))
    else:
        click.echo(blocks.plain(found))


COMMANDS: tuple[click.Command, ...] = (runs, show, diff)
