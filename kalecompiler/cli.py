"""The command line: arguments -> one command -> exit status. What the commands do is in `commands`.

Exit status: 0 fine (warnings too, unless --strict), 1 the notebook or the run is wrong, 2 the call, the configuration
or an unreadable path, 3 the endpoint or the login there, 70 a bug of kalecompiler, 124 timed out, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from kalecompiler import (
    checkcli,
    commands,
    console,
    lookcli,
    remotecli,
    reportcli,
    snapshotcli,
    tagcli,
    travelcli,
)
from kalecompiler.diagnostics import KalecError, NotebookError, UsageError
from kalecompiler.options import (
    COLOR,
    CONFIG_MAPS,
    IMAGE,
    NOTEBOOK,
    OUTPUT,
    PARAMETER,
    PARAMETER_FILE,
    SECRETS,
    STRICT,
    VOLUMES,
    examples,
    formats,
)
from kalecompiler.suggest import did_you_mean
from kalecompiler.wording import cause, counted


class Commands(click.Group):
    """A group that says what an unknown command was probably meant to be, and never lets output get lost unseen."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            raise click.UsageError(": ".join(filter(None, [f"there is no command `{name}`", self._hint(name)])), ctx)
        return super().resolve_command(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)  # in the order in which one needs them

    def _hint(self, name: str) -> str | None:
        if name.endswith(".ipynb"):
            return f"say what to do with the notebook, as in `kalec check {name}`"
        return did_you_mean(name, self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        status = super().invoke(ctx)
        sys.stdout.flush()  # so that a closed pipe is met here, where click handles it
        return status


def _show_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        click.echo(commands.versions())
        ctx.exit()


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=examples(
        "kalec init notebook.ipynb     propose steps for a notebook without tags",
        "kalec check notebook.ipynb    does it compile?",
        "kalec compile notebook.ipynb  write the pipeline package",
        "kalec run notebook.ipynb      run it here",
        "kalec submit notebook.ipynb   run it on a KFP endpoint",
    ),
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help="Show versions."
)
def kalec() -> None:
    """Compile tagged Jupyter notebooks to Kubeflow Pipelines, and run them on this machine or on an endpoint."""


for command in tagcli.COMMANDS:
    kalec.add_command(command)


kalec.add_command(checkcli.check)


@kalec.command(
    name="compile",
    epilog=examples(
        "kalec compile churn.ipynb", "kalec compile churn.ipynb --format py -o -", "kalec compile --check notebooks"
    ),
)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="NOTEBOOK...")
@OUTPUT
@formats("yaml", "py")
@click.option("--check", "only_check", is_flag=True, help="Write nothing: are the packages that are there current?")
@click.option("--no-limit", is_flag=True, help="Write what Kubeflow would refuse as too large, for measuring.")
@IMAGE
@STRICT
@COLOR
def compile_(paths: tuple[Path, ...], only_check: bool, image: str | None, strict: bool, **request: Any) -> int:
    """Write the pipeline package of a notebook.

    Without --output it is NAME.yaml for NAME.ipynb, in the folder that `output` in [tool.kalecompiler] names, else in
    the current one; a file there that is no pipeline stays. With --check the packages of notebooks (files,
    folders, patterns; else those that the configuration names) are compared with what the notebooks compile to; they
    are looked for beside the notebooks, unless `output` says where. Differences are shown as a diff, and the exit
    status is 1.
    """
    if only_check:
        if request["output"] or request["no_limit"] or request["format_"] != "yaml":
            raise UsageError("--check writes nothing, and compares YAML: leave out --output, --format and --no-limit")
        return _check_packages(paths, {"image": image}, strict)
    if len(paths) != 1:
        raise UsageError(f"name one notebook to compile, not {len(paths)}: `kalec compile churn.ipynb`")
    return _compile(paths[0], {"image": image}, strict, **request)


def _compile(
    notebook: Path, options: dict[str, Any], strict: bool, output: Path | None, format_: str, no_limit: bool
) -> int:
    package = commands.compile_(notebook, options, limit=not no_limit, tracked=True)
    console.findings(package.diagnostics, err=True)
    for text in package.notes:
        console.note(text)
    if commands.status(package.diagnostics, strict):
        console.error("not written, as --strict takes warnings for errors")
        return 1
    target = output or commands.package_path(notebook, format_)
    console.write(target, package.compiled.module if format_ == "py" else package.compiled.text)
    console.note(package.summary)
    return 0


def _check_packages(paths: tuple[Path, ...], options: dict[str, Any], strict: bool) -> int:
    """Compare packages with their notebooks, and show what differs."""
    compared = commands.check_packages(paths, options)
    for broken in compared.broken:
        console.findings(broken.diagnostics, err=True)
    for verdict in compared.stale:
        console.write(Path("-"), verdict.diff)
        console.error(f"{verdict.package} is not what {verdict.notebook} compiles to: {verdict.reason}")
    for problem in compared.problems:
        console.error(problem)
    if compared.missing:
        names = ", ".join(str(path) for path in compared.missing)
        console.note(f"without a package: {names}")
    console.note(f"{counted(compared.current, 'package')} current, {len(compared.stale)} not")
    if compared.problems:
        return UsageError.status
    return int(bool(compared.stale or compared.broken or (strict and compared.missing)))


@kalec.command(
    epilog=examples(
        "kalec run churn.ipynb",
        "kalec run churn.ipynb -p customers=2000 -p seed=1",
        "kalec run churn.ipynb --until split --format json",
        "kalec run churn.ipynb --volume data=./data --secret database=.env",
    )
)
@NOTEBOOK
@PARAMETER
@PARAMETER_FILE
@click.option(
    "--jobs", type=click.IntRange(min=1), metavar="N", help="Steps that run at once; as many as there are cores."
)
@click.option("--until", metavar="STEP", help="Run this step and what it needs, and no more.")
@click.option("--isolate", is_flag=True, help="Start each step in an empty folder, as a pod does.")
@click.option("--cache", is_flag=True, help="Take over steps that a kept run has with the same code, inputs and files.")
@click.option("--folder", type=click.Path(path_type=Path), metavar="DIR", help="Where the run gets its folder.")
@VOLUMES
@SECRETS
@CONFIG_MAPS
@formats("text", "json")
@IMAGE
@STRICT
@COLOR
def run(notebook: Path, format_: str, image: str | None, strict: bool, cache: bool, **options: Any) -> int:
    """Compile a notebook and run the package here.

    Independent steps run side by side, each in a process of its own.
    """
    package = commands.compile_(notebook, {"image": image})
    console.findings(package.diagnostics, err=True)
    if commands.status(package.diagnostics, strict):
        console.error("not run, as --strict takes warnings for errors")
        return 1
    request = commands.RunRequest(**options)
    if cache:
        from kalecompiler import travel

        request, decisions = travel.cached(notebook, package, request)
        if decisions:
            console.note(travel.plan_text(decisions, "text"))
    with console.progress(package.pipeline) as on_event:
        result = commands.run(notebook, package, request, on_event, console.note)
    click.echo(commands.describe_run(result, format_))
    return commands.run_status(result)


for command in (
    *lookcli.COMMANDS,
    *travelcli.COMMANDS,
    *snapshotcli.COMMANDS,
    *reportcli.COMMANDS,
    *remotecli.COMMANDS,
):
    kalec.add_command(command)


@kalec.command(epilog=examples("kalec graph churn.ipynb", "kalec graph churn.ipynb --format svg -o churn.svg"))
@NOTEBOOK
@OUTPUT
@formats("text", "json", "mermaid", "dot", "svg")
@IMAGE
@COLOR
def graph(notebook: Path, output: Path | None, format_: str, image: str | None) -> int:
    """Show the steps, and what flows between them.

    A notebook with errors is shown as far as it is understood; the exit status is then 1.
    """
    text, diagnostics = commands.graph(notebook, format_, {"image": image})
    if format_ != "json":
        console.findings(diagnostics, err=True)
    console.write(output or Path("-"), text)
    return commands.status(diagnostics)


@kalec.command(epilog=examples("kalec why model churn.ipynb"))
@click.argument("variable")
@NOTEBOOK
def why(variable: str, notebook: Path) -> int:
    """Tell where a variable comes from, in each step that reads it.

    Which version, from which step and cell, why that one, and who else may change it.
    """
    click.echo(commands.why(notebook, variable), nl=False)
    return 0


@kalec.command(
    epilog=examples(
        "kalec config churn.ipynb --show-origin",
        "kalec config --schema > kalecompiler.schema.json",
    )
)
@click.argument("notebook", type=click.Path(path_type=Path), required=False)
@click.option("--show-origin", is_flag=True, help="Say where each value came from.")
@click.option("--schema", is_flag=True, help="Print the JSON schema of [tool.kalecompiler] instead.")
@formats("text", "json")
@IMAGE
@COLOR
def config(notebook: Path | None, show_origin: bool, schema: bool, format_: str, image: str | None) -> int:
    """Show the settings that hold for a notebook and its steps.

    From its tags, its metadata, pyproject.toml, the environment and options; the more specific one wins, then the
    nearer one.
    """
    if schema:
        click.echo(commands.schema(), nl=False)
        return 0
    if notebook is None:
        raise UsageError("name a notebook, as in `kalec config churn.ipynb`, or ask for the --schema")
    text, diagnostics = commands.config(notebook, {"image": image}, format_, show_origin=show_origin)
    console.findings(diagnostics, err=True)
    click.echo(text)
    return commands.status(diagnostics)


@kalec.command(epilog=examples("kalec rule KC201", "kalec rule"))
@click.argument("code", required=False)
def rule(code: str | None) -> int:
    """Explain a rule, or list all.

    What it means, why it is there, a wrong and a right example.
    """
    click.echo(commands.rule(code))
    return 0


@kalec.command(
    epilog=examples(
        'bash  eval "$(kalec completion bash)"     in ~/.bashrc',
        'zsh   eval "$(kalec completion zsh)"      in ~/.zshrc',
        "fish  kalec completion fish | source      in ~/.config/fish/config.fish",
    )
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> int:
    """Print what makes a shell complete kalec."""
    from click.shell_completion import get_completion_class

    program = ctx.find_root().info_name or "kalec"
    variable = f"_{program.replace('-', '_').replace('.', '_')}_COMPLETE".upper()
    completer = get_completion_class(shell)
    if completer is None:
        raise UsageError(f"click does not know the shell `{shell}`")
    click.echo(completer(kalec, {}, program, variable).source())
    return 0


def main(arguments: Sequence[str] | None = None, program: str = "kalec") -> int:
    """Run one command, and return its exit status. All that goes wrong becomes a message here."""
    try:
        return kalec.main(args=arguments, prog_name=program, standalone_mode=False) or 0
    except click.ClickException as error:
        error.show()
        return UsageError.status
    except NotebookError as error:
        console.findings(error.diagnostics, err=True)
        return error.status
    except KalecError as error:
        console.error(str(error))
        return error.status
    except (click.Abort, KeyboardInterrupt):
        console.error("interrupted")
        return commands.INTERRUPTED
    except OSError as error:
        console.error(f"{error.filename or 'i/o'}: {cause(error)}")
        return UsageError.status
    except Exception as error:  # the edge: a bug of ours must not look like the user's mistake
        if os.environ.get("KALEC_DEBUG"):
            raise
        console.error(commands.bug(": ".join([type(error).__name__, *str(error).strip().splitlines()[:1]])))
        return commands.BUG


def entry() -> NoReturn:
    """The console scripts `kalec` and `kalecompiler`, and `python -m kalecompiler`."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the caller, as in `kalec check n.ipynb >&-`
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - it stays open
    program = Path(sys.argv[0]).stem
    sys.exit(main(program=program if program in {"kalec", "kalecompiler"} else "kalec"))
