"""The commands that go back: `checkout` and `resume`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kalecompiler import console, lookcli, remotecli
from kalecompiler.options import (
    COLOR,
    CONFIG_MAPS,
    FOLDER,
    IMAGE,
    PARAMETER,
    PARAMETER_FILE,
    SECRETS,
    VOLUMES,
    examples,
    formats,
)


@click.command(
    epilog=examples(
        "kalec checkout latest --step train",
        "kalec checkout latest --step train --after --notebook look.ipynb",
        "kalec checkout churn-20260214 --step train --scope inputs --lab",
    )
)
@click.argument("run")
@click.option("--step", required=True, metavar="STEP", help="The step.")
@click.option("--before", "when", flag_value="before", default="before", help="The state just before it; the default.")
@click.option("--after", "when", flag_value="after", help="The state just after it, or where it failed.")
@click.option(
    "--scope",
    type=click.Choice(["ancestors", "inputs"]),
    default="ancestors",
    show_default=True,
    help="All that the cells above have made, or exactly what the step's process was given.",
)
@click.option(
    "--notebook",
    "output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="OUT.ipynb",
    help="Where to write the notebook; else beside the run's own.",
)
@click.option("--kernel", is_flag=True, help="Install a kernel for it that starts with the state loaded.")
@click.option("--lab", is_flag=True, help="Open it in JupyterLab.")
@click.option("--trust", is_flag=True, help="Restore what nobody vouches for, too: it may run code.")
@click.option("--force", is_flag=True, help="Restore code of another version of Python; replace OUT.ipynb.")
@click.option(
    "--from-notebook",
    "given",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The notebook of an endpoint's run; else it is put together from the code that its steps carry.",
)
@FOLDER
@remotecli.endpoint_options
@lookcli.ROOT
@COLOR
def checkout(
    run: str,
    folder: Path | None,
    lab: bool,
    given: Path | None,
    step: str,
    when: str,
    scope: str,
    output: Path | None,
    kernel: bool,
    trust: bool,
    force: bool,
    pipeline_root: str | None,
    **options: Any,
) -> int:
    """Open a notebook in the state before or after a step of a run.

    RUN is an id, its beginning, `latest`, `latest~1`, or a folder; with --host or --endpoint a run there. The notebook
    is the run's own, with the run's parameters; the cells above the step count as executed, and one cell restores what
    they had made.
    """
    from kalecompiler import travel

    if lab:
        travel.require_lab()
    request = travel.Request(step, when, scope, output, kernel, trust, force)
    place = folder or Path.cwd()
    if remotecli.is_named(options):
        done = travel.check_out_remote(remotecli.connect(options), run, pipeline_root, place, request, given)
    else:
        lookcli.of_endpoint("--pipeline-root is", pipeline_root)
        lookcli.of_endpoint("--from-notebook is", given)
        done = travel.check_out(run, place, request)
    click.echo(travel.describe(done))
    click.echo(f"written to {done.notebook}")
    if done.kernel:
        click.echo(f"kernel {done.kernel}")
    return travel.lab(done.notebook) if lab else 0


@click.command(
    epilog=examples(
        "kalec resume latest --plan",
        "kalec resume latest",
        "kalec resume latest --from train -p trees=200",
    )
)
@click.argument("run")
@click.option("--from", "start", metavar="STEP", help="Run this step and those below it in any case.")
@PARAMETER
@PARAMETER_FILE
@click.option("--plan", "only_plan", is_flag=True, help="Run nothing: say for each step what becomes of it, and why.")
@click.option(
    "--jobs", type=click.IntRange(min=1), metavar="N", help="Steps that run at once; as many as there are cores."
)
@click.option(
    "--notebook",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The notebook to go on with; else the one beside the run's store, or where the run had it.",
)
@click.option("--trust", is_flag=True, help="Take over what nobody vouches for, too: it may run code.")
@FOLDER
@VOLUMES
@SECRETS
@CONFIG_MAPS
@formats("text", "json")
@IMAGE
@COLOR
def resume(
    run: str,
    start: str | None,
    only_plan: bool,
    notebook: Path | None,
    folder: Path | None,
    trust: bool,
    format_: str,
    image: str | None,
    **request: Any,
) -> int:
    """Run a run's notebook as it is now, and of its steps only those that must run.

    A step runs again where its code, its parameters, its inputs or a file that it read changed, where it failed or
    never ran, where it used the network, and below such a step. The others are taken over. It is a new run.
    """
    from kalecompiler import commands, travel

    wanted = commands.RunRequest(**request)
    place = folder or Path.cwd()
    found = travel.plan(run, place, wanted, start, trust=trust, options={"image": image}, given=notebook)
    console.findings(found.package.diagnostics, err=True)
    console.note(f"notebook {found.notebook}")
    if only_plan:
        click.echo(travel.plan_text(found.decisions, format_))
        return 0
    console.note(travel.plan_text(found.decisions, "text"))
    with console.progress(found.package.pipeline) as on_event:
        result = commands.run(found.notebook, found.package, found.request, on_event, console.note)
    click.echo(commands.describe_run(result, format_))
    return commands.run_status(result)


COMMANDS: tuple[click.Command, ...] = (checkout, resume)
