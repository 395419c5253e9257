"""The commands of the command line that speak to an endpoint; `cli` has the others."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from kalecompiler import commands, console
from kalecompiler.diagnostics import KalecError, UsageError
from kalecompiler.options import (
    COLOR,
    IMAGE,
    NOTEBOOK,
    PARAMETER,
    PARAMETER_FILE,
    STRICT,
    Seconds,
    examples,
    formats,
)

if TYPE_CHECKING:
    from kalecompiler.remote import Sent
    from kalecompiler.submit.connection import Connection
    from kalecompiler.submit.endpoint import Endpoint
    from kalecompiler.submit.views import RunView

Function = TypeVar("Function", bound=Callable[..., Any])

RUN = click.argument("run")
WAIT = click.option("--wait", is_flag=True, help="Follow the run to its end; the exit status says how it was.")
TIMEOUT = click.option(
    "--timeout", type=Seconds(), metavar="TIME", help="How long to wait, as in 90s, 30m or 2h; the run goes on."
)


_ENDPOINT = ("host", "endpoint", "namespace", "insecure")


def endpoint_options(function: Function) -> Function:
    """The options that say which endpoint is meant; they arrive as one argument each."""
    options = [
        click.option("--host", metavar="URL", help="The endpoint; else $KF_PIPELINES_ENDPOINT."),
        click.option("--endpoint", metavar="NAME", help="A table [tool.kalecompiler.endpoint.NAME] of pyproject.toml."),
        click.option("--namespace", metavar="NAME", help="The namespace, where the server has many users."),
        click.option("--insecure", is_flag=True, help="Do not check the server's certificate."),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def is_named(options: dict[str, Any]) -> bool:
    """Whether the options of `endpoint_options` say anything."""
    return any(options[name] for name in _ENDPOINT)


def _endpoint(folder: Path, options: dict[str, Any]) -> Endpoint:
    """The endpoint that is meant; its options are taken out of `options`."""
    from kalecompiler.submit.endpoint import Given, resolve

    given = {name: options.pop(name) for name in _ENDPOINT}
    return resolve(Given(**given), folder)


def _connect(endpoint: Endpoint) -> Connection:
    from kalecompiler import remote
    from kalecompiler.submit.connection import Connection

    connection = Connection(endpoint)
    for warning in remote.warnings_of(endpoint, connection.credentials.method):
        console.note(f"warning: {warning}")
    return connection


def _json(value: Any) -> None:
    click.echo(json.dumps(value, indent=1, ensure_ascii=False))


@click.command(
    epilog=examples(
        "kalec submit churn.ipynb --host http://localhost:8080",
        "kalec submit churn.ipynb --endpoint prod -p customers=2000 --wait --timeout 2h",
        "kalec submit churn.ipynb --endpoint prod --cron '0 6 * * *'",
    )
)
@NOTEBOOK
@endpoint_options
@PARAMETER
@PARAMETER_FILE
@click.option("--experiment", metavar="NAME", help="The experiment of the run; it is made if need be.")
@click.option("--run-name", metavar="NAME", help="The run's name; a few letters are added that make it unique.")
@click.option("--pipeline-name", metavar="NAME", help="The pipeline's name; else the settings', else the file's.")
@click.option("--no-cache", is_flag=True, help="Let no step reuse an earlier result: runs an inline copy.")
@click.option("--service-account", metavar="NAME", help="The Kubernetes service account of the run.")
@click.option("--pipeline-root", metavar="URI", help="Where the run's artifacts go.")
@click.option("--cron", metavar="CRON", help="Create or change a recurring run, as in '0 6 * * *', instead of a run.")
@click.option("--upload-only", is_flag=True, help="Upload the version, and run nothing.")
@click.option("--dry-run", is_flag=True, help="Show what would be sent, and send nothing.")
@WAIT
@TIMEOUT
@formats("text", "json")
@IMAGE
@STRICT
@COLOR
def submit(notebook: Path, format_: str, image: str | None, strict: bool, **options: Any) -> int:
    """Run a notebook on a KFP endpoint.

    Compiles it, uploads the package unless the server has the same already, and begins a run.
    """
    _check_submit(options)
    names = ("cron", "upload_only", "dry_run", "wait", "timeout", "pipeline_name")
    cron, upload_only, dry_run, wait, timeout, pipeline_name = (options.pop(name) for name in names)
    endpoint = _endpoint(notebook.absolute().parent, options)
    package = commands.compile_(notebook, {"image": image, "pipeline-name": pipeline_name}, tracked=True)
    console.findings(package.diagnostics, err=True)
    for text in package.notes:
        console.note(text)
    if commands.status(package.diagnostics, strict):
        console.error("not submitted, as --strict takes warnings for errors")
        return 1
    from kalecompiler import remote

    request = remote.request(notebook, package, remote.Asked(**options), endpoint)
    if dry_run:
        _plan(remote.plan(request, endpoint, upload_only=upload_only, cron=cron), format_)
        return 0
    connection = _connect(endpoint)
    sent = remote.send(connection, request, upload_only=upload_only, cron=cron)
    if format_ == "text":
        click.echo(remote.describe_sent(sent))
    if wait and sent.run:
        return _wait_for_sent(connection, sent, remote.steps_in_order(package), timeout, format_)
    if format_ == "json":
        _json(remote.sent_json(sent))
    return 0


def _check_submit(options: dict[str, Any]) -> None:
    """Raise UsageError for options that do not go together."""
    if options["timeout"] is not None and not options["wait"]:
        raise UsageError("--timeout says how long to wait: give --wait too")
    for one, other in (("cron", "wait"), ("cron", "upload_only"), ("cron", "no_cache"), ("upload_only", "wait")):
        if options[one] and options[other]:
            raise UsageError(f"--{one.replace('_', '-')} and --{other.replace('_', '-')} do not go together")


def _plan(found: dict[str, Any], format_: str) -> None:
    if format_ == "json":
        _json(found)
        return
    width = max(len(name) for name in found)
    for name, value in found.items():
        click.echo(f"{name.ljust(width)}  {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}")
    console.note("nothing was sent")


def _wait_for_sent(
    connection: Connection, sent: Sent, order: tuple[str, ...], timeout: float | None, format_: str
) -> int:
    from kalecompiler import remote

    assert sent.run
    try:
        run = _follow(connection, sent.run.id, order, timeout)
    except KalecError:
        if format_ == "json":  # what was sent is there, however the waiting ended
            _json(remote.sent_json(sent))
        raise
    tails = remote.failure_tails(connection, run)
    _tell_failures(run, tails)
    if format_ == "json":
        _json(remote.sent_json(sent, run, tails))
    else:
        click.echo(remote.describe_end(run))
    return remote.status(run)


def _follow(connection: Connection, run_id: str, order: tuple[str, ...], timeout: float | None) -> RunView:
    from kalecompiler import remote

    with console.remote_progress() as take:
        return remote.follow(connection, run_id, order, take, timeout)


def _tell_failures(run: RunView, tails: dict[str, list[str]]) -> None:
    for step in run.failed:
        console.note(f"step {step.name} failed" + (f": {step.error}" if step.error else ""))
        for line in tails.get(step.name, ()):
            console.note(f"  | {line}")


def is_configured(folder: Path) -> bool:
    """Whether an endpoint is meant where none is named: by the environment, or as the only one of pyproject.toml."""
    from kalecompiler.submit.endpoint import Given, NoEndpointError, resolve

    try:
        resolve(Given(), folder)
    except NoEndpointError:
        return False
    except UsageError:  # one is, and it is wrong: that is said where it is used
        return True
    return True


def list_runs(experiment: str | None, limit: int, format_: str, options: dict[str, Any]) -> int:
    """`kalec runs` of an endpoint."""
    from kalecompiler import remote
    from kalecompiler.submit import views

    found = remote.list_runs(_connect(_endpoint(Path.cwd(), options)), limit, experiment)
    if format_ == "json":
        _json([views.as_json(run) for run in found])
    else:
        click.echo(remote.runs_table(found))
    return 0


def show_run(run: str, wait: bool, timeout: float | None, format_: str, options: dict[str, Any]) -> int:
    """`kalec show RUN` of an endpoint."""
    from kalecompiler import remote

    if timeout is not None and not wait:
        raise UsageError("--timeout says how long to wait: give --wait too")
    connection = _connect(_endpoint(Path.cwd(), options))
    found, order = remote.show(connection, run)
    if wait:
        found = _follow(connection, found.id, order, timeout)
        _tell_failures(found, remote.failure_tails(connection, found))
    if format_ == "json":
        _json(remote.run_json(connection, found))
    else:
        click.echo(remote.describe_run(connection, found))
    return remote.status(found) if wait else 0


def connect(options: dict[str, Any]) -> Connection:
    """A connection to the endpoint that is meant; its options are taken out of `options`."""
    return _connect(_endpoint(Path.cwd(), options))


@click.command(epilog=examples("kalec logs latest train --endpoint prod"))
@RUN
@click.argument("step", required=False)
@endpoint_options
def logs(run: str, step: str | None, **options: Any) -> int:
    """Print the logs of a run's steps, or of one step."""
    from kalecompiler import remote

    status = 0
    for name, log in remote.run_logs(_connect(_endpoint(Path.cwd(), options)), run, step):
        if step is None:
            click.echo(f"== {name}")
        if isinstance(log, KalecError):
            console.error(str(log))
            status = log.status
        else:
            click.echo(log.rstrip("\n"))
    return status


@click.command(epilog=examples("kalec stop latest --endpoint prod"))
@RUN
@endpoint_options
def stop(run: str, **options: Any) -> int:
    """Stop a run of an endpoint."""
    from kalecompiler import remote

    click.echo(remote.stop(_connect(_endpoint(Path.cwd(), options)), run))
    return 0


@click.group(epilog=examples("kalec auth check --endpoint prod"))
def auth() -> None:
    """See how an endpoint is logged into."""


@auth.command(epilog=examples("kalec auth check --endpoint prod"))
@endpoint_options
@formats("text", "json")
def check(format_: str, **options: Any) -> int:
    """Tell how an endpoint is logged into, and whether that works.

    Shows the method, the server's version, who one is there, and the namespace; never a secret. Logins are configured
    in pyproject.toml, in [tool.kalecompiler.endpoint.NAME]: see docs/submit.md.
    """
    from kalecompiler import remote

    found = remote.check_login(_connect(_endpoint(Path.cwd(), options)))
    if format_ == "json":
        _json(found)
    else:
        click.echo(remote.describe_login(found))
    return 0


COMMANDS: tuple[click.Command, ...] = (submit, logs, stop, auth)
