"""What one can ask of an endpoint: submit a notebook, look at runs, stop one, check the login.

Like `commands`: every function takes what the command line parsed and returns what there is to show.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kalecompiler.arguments import parse_arguments, unknown_name
from kalecompiler.commands import Package
from kalecompiler.submit import following, logs, recurring, runs, submission, views
from kalecompiler.submit.connection import Connection
from kalecompiler.submit.endpoint import Endpoint
from kalecompiler.submit.faults import ServerError
from kalecompiler.submit.recurring import Recurring
from kalecompiler.submit.submission import Begun, Request
from kalecompiler.submit.versions import Version
from kalecompiler.submit.views import RunView, StepView
from kalecompiler.wording import counted

Take = Callable[[RunView], None]


@dataclass(frozen=True, slots=True)
class Asked:
    """How to run the package: what `kalec submit` was told."""

    parameters: tuple[str, ...] = ()
    file: Path | None = None
    experiment: str | None = None
    run_name: str | None = None
    no_cache: bool = False
    service_account: str | None = None
    pipeline_root: str | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """What is on the server now."""

    endpoint: Endpoint
    request: Request
    version: Version
    run: Begun | None = None
    recurring: Recurring | None = None


def warnings_of(endpoint: Endpoint, method: str) -> list[str]:
    """What is unsafe about how the endpoint is reached."""
    host = urlsplit(endpoint.host)
    found = [f"the certificate of {endpoint.host} is not checked: anyone between can read along"] * endpoint.insecure
    name = host.hostname or ""
    near = name in {"localhost", "127.0.0.1", "::1"} or "." not in name or "svc" in name.split(".")[1:]
    if host.scheme == "http" and method != "none" and not near:
        found.append(f"the {method} goes to {endpoint.host} without encryption")
    return found


def request(notebook: Path, package: Package, asked: Asked, endpoint: Endpoint) -> Request:
    """What is to be submitted, checked as far as that goes without the server. Raises UsageError."""
    wanted = Request(
        notebook,
        package.pipeline.name,
        package.compiled,
        parse_arguments(asked.parameters, asked.file, package.pipeline.parameters),
        experiment=asked.experiment or package.experiment or endpoint.experiment or submission.EXPERIMENT,
        run_name=asked.run_name,
        cached=not asked.no_cache,
        service_account=asked.service_account,
        pipeline_root=asked.pipeline_root,
    )
    submission.check(wanted)
    return wanted


def plan(wanted: Request, endpoint: Endpoint, *, upload_only: bool, cron: str | None) -> dict[str, Any]:
    """What would be sent; nothing is, and no secret is read."""
    found = {"host": endpoint.host, "namespace": endpoint.namespace, **submission.plan(wanted)}
    if cron:
        found["recurring"] = {"name": wanted.run_name or wanted.pipeline, "cron": recurring.cron_of(cron)}
    dropped = {"experiment", "run", "cached"} if upload_only else {"run", "cached"} if cron else set()
    return {key: value for key, value in found.items() if value is not None and key not in dropped}


def send(connection: Connection, wanted: Request, *, upload_only: bool, cron: str | None) -> Sent:
    """Upload the package where the server has not got it, and begin its run, or set its recurring run."""
    schedule = recurring.cron_of(cron) if cron else None
    version = submission.upload(connection, wanted)
    sent = Sent(connection.endpoint, wanted, version)
    if upload_only:
        return sent
    if schedule:
        return replace(sent, recurring=recurring.ensure(connection, wanted, version, schedule))
    return replace(sent, run=submission.begin(connection, wanted, version))


def describe_sent(sent: Sent) -> str:
    """What is on the server now, in words."""
    version = sent.version
    lines = [
        f"pipeline   {version.pipeline} ({version.pipeline_id}{', new' if version.pipeline_created else ''})",
        f"version    {version.name} ({version.id}, {'new' if version.created else 'unchanged'})",
    ]
    if sent.recurring:
        lines.append(
            f"recurring  {sent.recurring.name} ({sent.recurring.id}, {sent.recurring.change}): {sent.recurring.cron}"
        )
    if sent.run:
        copy = "" if sent.request.cached else f", a copy of {version.name} without caching"
        lines.append(f"run        {sent.run.name} ({sent.run.id}{copy})")
        if sent.run.resumed:
            lines.append("           begun by an earlier submit that was cut off; submit again for another run")
        lines.append(f"url        {sent.endpoint.run_url(sent.run.id)}")
    return "\n".join(lines)


def sent_json(sent: Sent, run: RunView | None = None, tails: dict[str, list[str]] | None = None) -> dict[str, Any]:
    """What is on the server now, for programs; with how the run went where it was waited for."""
    version = sent.version
    found: dict[str, Any] = {
        "host": sent.endpoint.host,
        "pipeline": {"name": version.pipeline, "id": version.pipeline_id, "created": version.pipeline_created},
        "version": {"name": version.name, "id": version.id, "created": version.created},
    }
    if sent.recurring:
        found["recurring"] = asdict(sent.recurring)
    if sent.run:
        found["experiment"] = sent.request.experiment
        found["run"] = {**asdict(sent.run), "cached": sent.request.cached, "url": sent.endpoint.run_url(sent.run.id)}
    if run:
        found["run"] |= views.as_json(run)
        for step in found["run"].get("steps", ()):
            step |= {"log": tails[step["name"]]} if tails and step["name"] in tails else {}
    return found


def steps_in_order(package: Package) -> tuple[str, ...]:
    """The steps of a package in the notebook's order."""
    tasks = runs.tasks_of(package.compiled.spec)
    names = tuple(step.name for step in package.pipeline.steps if step.name in tasks)
    return names if len(names) == len(tasks) else runs.ordered(tasks)


def follow(connection: Connection, run_id: str, order: tuple[str, ...], take: Take, timeout: float | None) -> RunView:
    """Wait for the end of a run. Raises TimedOutError, InterruptedWaitError, ServerError."""
    return following.follow(connection, run_id, order, take, timeout)


def status(run: RunView) -> int:
    """The exit status that a run's end means."""
    return 0 if run.state in views.FINE else 1


def describe_end(run: RunView) -> str:
    """How a run ended, in one line."""
    good = views.FINE if run.state in views.FINE else {"SUCCEEDED"}  # skipped: cached, or never begun
    done = sum(step.state in good for step in run.steps)
    steps = f": {done} of {counted(len(run.steps), 'step')} done" if run.steps else ""
    failed = ", ".join(step.name for step in run.failed)
    why = f"; failed: {failed}" if failed else f"; {run.error}" if run.error and run.state not in views.FINE else ""
    return f"run {run.name} {run.state.lower()}{steps}{why}"


def failure_tails(connection: Connection, run: RunView) -> dict[str, list[str]]:
    """By the name of each step that failed: the end of its log, or where to look for it."""
    found = {}
    for step in run.failed:
        try:
            found[step.name] = logs.tail(logs.fetch(connection, run, step))
        except ServerError as error:
            found[step.name] = [str(error)]
    return found


def list_runs(connection: Connection, limit: int, experiment: str | None) -> list[RunView]:
    """The newest runs."""
    return runs.listed(connection, limit, experiment)


def runs_table(found: Sequence[RunView]) -> str:
    """Runs as lines of a table."""
    if not found:
        return "no runs"
    rows = [("RUN", "NAME", "STATE", "CREATED")]
    rows += [
        (run.id, run.name, run.state.lower(), f"{run.created:%Y-%m-%d %H:%M:%S}" if run.created else "")
        for run in found
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(
        "  ".join([*(c.ljust(w) for c, w in zip(row, widths, strict=False)), row[3]]).rstrip() for row in rows
    )


def show(connection: Connection, word: str) -> tuple[RunView, tuple[str, ...]]:
    """A run as it is now, and its steps in order."""
    run_id = runs.resolve(connection, word)
    order = runs.steps_of(connection, run_id)
    return runs.look(connection, run_id, order), order


def describe_run(connection: Connection, run: RunView) -> str:
    """A run in words."""
    from kalecompiler.submit.display import step_line

    lines = [f"run        {run.name} ({run.id})", f"state      {run.state.lower()}"]
    lines += [f"error      {run.error}"] if run.error else []
    lines += [f"created    {run.created:%Y-%m-%d %H:%M:%S} UTC"] if run.created else []
    lines += [f"parameter  {name} = {json.dumps(value)}" for name, value in sorted((run.parameters or {}).items())]
    lines += [f"step       {step_line(step)}" for step in run.steps]
    return "\n".join([*lines, f"url        {connection.endpoint.run_url(run.id)}"])


def run_json(connection: Connection, run: RunView) -> dict[str, Any]:
    """A run for programs."""
    return {**views.as_json(run), "url": connection.endpoint.run_url(run.id)}


def run_logs(connection: Connection, word: str, step: str | None) -> Iterator[tuple[str, str | ServerError]]:
    """By name the logs of a run's steps that have begun, or of one step; the error where a step's is not to be had.

    Raises UsageError for an unknown step, ServerError where no other log could be had either.
    """
    run, _ = show(connection, word)
    chosen: list[StepView] = [one for one in run.steps if step in {None, one.name}]
    if not chosen:
        raise unknown_name("step", str(step), (one.name for one in run.steps))
    if step is None:
        chosen = [one for one in chosen if one.pod]
    for one in chosen:
        try:
            yield one.name, logs.fetch(connection, run, one)
        except ServerError as error:  # its pod may be gone, and others not
            if error.code in (None, 401, 403):
                raise
            yield one.name, error


def stop(connection: Connection, word: str) -> str:
    """Stop a run, and say what was done."""
    run_id = runs.resolve(connection, word)
    if runs.stop(connection, run_id):
        return f"run {run_id} is asked to stop"
    return f"run {run_id} is over already"


def check_login(connection: Connection) -> dict[str, Any]:
    """How the endpoint is reached, what it is, who asks, and in which namespace. Raises ServerError, UsageError."""
    endpoint, health = connection.endpoint, connection.health
    server = str(health.get("tag_name") or "of unknown version")
    commit = str(health.get("commit_sha") or "unknown")
    client = connection.client
    connection.call(client.list_experiments, page_size=1, namespace=connection.namespace)
    return {
        "host": endpoint.host,
        "endpoint": endpoint.name,
        "method": connection.credentials.method,
        "server": server,
        "commit": commit,
        "multi_user": bool(health.get("multi_user")),
        "identity": connection.credentials.identity,
        "namespace": connection.namespace,
    }


def describe_login(found: dict[str, Any]) -> str:
    """The same in words."""
    users = "many users" if found["multi_user"] else "one user"
    lines = [
        f"endpoint   {found['host']}" + (f" ({found['endpoint']})" if found["endpoint"] else ""),
        f"method     {found['method']}",
        f"server     KFP {found['server']} (commit {found['commit']}), {users}",
        f"identity   {found['identity'] or 'the login does not tell'}",
        f"namespace  {found['namespace'] or 'none'}, experiments can be listed",
    ]
    return "\n".join(lines)
