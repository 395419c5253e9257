"""The log of a step's pod, as the server of KFP's UI gives it out."""

from __future__ import annotations

import re

from kalecompiler.submit.connection import Connection
from kalecompiler.submit.faults import ServerError
from kalecompiler.submit.views import RunView, StepView

_ROUTE = "/k8s/pod/logs"
_NODE = re.compile(r"(.+)-(\d+)")
_TEMPLATE = "system-container-impl"
"""The Argo template of KFP's executor; newer versions of Argo put it into the names of pods."""


def fetch(connection: Connection, run: RunView, step: StepView) -> str:
    """The whole log of a step. Raises ServerError where the server does not give it, saying where to look."""
    names = _pod_names(step.pod)
    if not names:
        raise ServerError(f"the server names no pod of step {step.name}: {_elsewhere(connection, run)}")
    for name in names:
        query = {"podname": name, "runid": run.id}
        query |= {"podnamespace": connection.namespace} if connection.namespace else {}
        query |= {"createdat": f"{run.created:%Y-%m-%d}"} if run.created else {}
        try:
            return connection.credentials.struck(connection.text(_ROUTE, query))
        except ServerError as error:
            last = error
    raise ServerError(
        f"{connection.endpoint.ui} does not give the log of step {step.name} "
        f"({last.code or 'no answer'}): {_elsewhere(connection, run, names[0])}",
        last.code,
    )


def tail(text: str, lines: int = 20) -> list[str]:
    """The last lines of a log, without those that are blank at its end."""
    found = text.rstrip().splitlines()
    return ["...", *found[-lines:]] if len(found) > lines else found


def _pod_names(pod: str | None) -> list[str]:
    """What the pod may be called, the likeliest first: the server knows it by the name of its node."""
    match = _NODE.fullmatch(pod or "")
    other = [f"{match[1]}-{_TEMPLATE}-{match[2]}"] if match and _TEMPLATE not in match[1] else []
    return [*other, pod] if pod else []


def _elsewhere(connection: Connection, run: RunView, pod: str | None = None) -> str:
    place = f"see {connection.endpoint.run_url(run.id)}"
    space = f" -n {connection.namespace}" if connection.namespace else ""
    return f"{place}, or `kubectl logs{space} {pod}`" if pod else place
