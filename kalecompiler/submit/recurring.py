"""Recurring runs: one for each pipeline and name, created, changed or left as it is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from kalecompiler.diagnostics import UsageError
from kalecompiler.submit.connection import Connection
from kalecompiler.submit.faults import ServerError
from kalecompiler.submit.submission import Request, ensure_experiment, run_fields
from kalecompiler.submit.versions import Version

_FIELDS = (
    ("seconds", 0, 59),
    ("minutes", 0, 59),
    ("hours", 0, 23),
    ("days", 1, 31),
    ("months", 1, 12),
    ("weekdays", 0, 6),
)
_NAMES = {
    "months": dict(zip("jan feb mar apr may jun jul aug sep oct nov dec".split(), range(1, 13), strict=True)),
    "weekdays": dict(zip("sun mon tue wed thu fri sat".split(), range(7), strict=True)),
}
_WORDS = {"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"}


@dataclass(frozen=True, slots=True)
class Recurring:
    """A recurring run on the server; `change` is `created`, `updated` or `unchanged`."""

    id: str
    name: str
    cron: str
    change: str


def cron_of(text: str) -> str:
    """A cron expression as KFP takes it: with seconds in front. Raises UsageError for what is none.

    KFP would read five fields as seconds to months.
    """
    text = " ".join(text.split())
    if text.lower() in _WORDS:
        return text.lower()
    fields = text.split(" ")
    if len(fields) not in {5, 6}:
        raise UsageError(
            f"--cron `{text}` must have five fields (minutes hours days months weekdays), as in '0 6 * * *'"
        )
    fields = ["0", *fields] if len(fields) == 5 else fields
    for field, (name, low, high) in zip(fields, _FIELDS, strict=True):
        if not all(_valid(part, name, low, high) for part in field.split(",")):
            raise UsageError(f"--cron `{text}`: `{field}` is not valid for {name}, which go from {low} to {high}")
    return " ".join(fields)


def ensure(connection: Connection, request: Request, version: Version, cron: str) -> Recurring:
    """The one recurring run of that pipeline and name, of this version at these times.

    There is no call that changes one: the old is switched off, the new one made, the old removed. Should this be cut
    off, the same again repairs it, and at no time do two of them start runs.
    """
    name = request.run_name or request.pipeline
    wanted = _body(connection, request, version, cron, ensure_experiment(connection, request.experiment), name)
    client = connection.client
    named = connection.named(client.list_recurring_runs, "recurring_runs", name, namespace=connection.namespace)
    there = [one for one in named if _pipeline(one) == version.pipeline_id]  # of others it is none of our business
    same = [one for one in there if _same(one, wanted)]
    others = [one for one in there if one not in same[:1]]
    for one in others:
        if one.status != "DISABLED":
            connection.call(client.disable_recurring_run, recurring_run_id=one.recurring_run_id)
    made = same[0] if same else _create(connection, wanted, others)
    for one in others:
        connection.call(client.delete_recurring_run, recurring_run_id=one.recurring_run_id)
    change = ("updated" if others else "unchanged") if same else ("updated" if there else "created")
    return Recurring(made.recurring_run_id, name, cron, change)


def _create(connection: Connection, wanted: Any, others: list[Any]) -> Any:
    """Make it; where the server refuses, those that were on are switched on again."""
    client = connection.client
    try:
        return connection.call(client.recurring_runs.recurring_run_service_create_recurring_run, recurring_run=wanted)
    except ServerError as error:
        if error.refused:
            for one in others:
                if one.status != "DISABLED":
                    connection.call(client.enable_recurring_run, recurring_run_id=one.recurring_run_id)
        raise


def _body(connection: Connection, request: Request, version: Version, cron: str, experiment: str, name: str) -> Any:
    models, fields = connection.client.api_models, run_fields(request)
    return models.V2beta1RecurringRun(
        display_name=name,
        experiment_id=experiment,
        pipeline_version_reference=models.V2beta1PipelineVersionReference(
            pipeline_id=version.pipeline_id, pipeline_version_id=version.id
        ),
        runtime_config=models.V2beta1RuntimeConfig(
            parameters=fields.get("params", {}), pipeline_root=fields.get("pipeline_root")
        ),
        service_account=fields.get("service_account"),
        max_concurrency="1",
        no_catchup=True,
        mode="ENABLE",
        trigger=models.V2beta1Trigger(cron_schedule=models.V2beta1CronSchedule(cron=cron)),
    )


def _pipeline(one: Any) -> str | None:
    """The id of the pipeline that a recurring run of the server is of; None where it has a package of its own."""
    reference = one.pipeline_version_reference
    return reference.pipeline_id if reference else None


def _same(one: Any, wanted: Any) -> bool:
    """Whether a recurring run of the server does what is wanted, and is on."""

    def facts(run: Any) -> tuple[Any, ...]:
        reference, config, trigger = run.pipeline_version_reference, run.runtime_config, run.trigger
        schedule = trigger.cron_schedule if trigger else None
        return (
            run.experiment_id,
            reference.pipeline_version_id if reference else None,
            (config.parameters if config else None) or {},
            (config.pipeline_root if config else None) or None,
            schedule.cron if schedule else None,
        )

    account = wanted.service_account in {None, one.service_account}
    return one.status == "ENABLED" and facts(one) == facts(wanted) and account


def _valid(part: str, name: str, low: int, high: int) -> bool:
    """Whether one item of a field is `*`, `?`, a number, a name or a range, maybe with a step."""
    match = re.fullmatch(r"(\*|\?|[0-9a-z]+)(?:-([0-9a-z]+))?(?:/([1-9][0-9]*))?", part.lower())
    if not match:
        return False
    if match[1] in {"*", "?"}:
        return match[2] is None
    ends = [
        _NAMES.get(name, {}).get(text, int(text) if text.isdecimal() else -1) for text in match.groups()[:2] if text
    ]
    return all(low <= end <= high for end in ends) and ends == sorted(ends)
