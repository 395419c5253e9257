"""Which artifacts a run of an endpoint left, and where they lie: as the server tells, in one of two ways.

The artifacts API of v2beta1, where a server has it; else ML Metadata, as the UI asks it. Both tell of the artifacts of
cached steps too, which lie under the prefix of another run.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from kalecompiler.submit import protowire
from kalecompiler.submit.connection import Connection
from kalecompiler.submit.faults import API, AuthenticationError, ServerError

_METADATA = "/ml_metadata.MetadataStoreService/"
_RUN_CONTEXT = "system.PipelineRun"
_SALT = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|\d+")
"""What may stand between a task's and an output's name: the id of the execution."""


@dataclass(frozen=True, slots=True)
class Stored:
    """An artifact: the task that made it, the name of its output, its URI, and what the control plane knows of it."""

    task: str
    port: str
    uri: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    type: str = ""


def from_uri(uri: str, metadata: Mapping[str, Any] | None = None, kind: str = "") -> Stored | None:
    """The artifact at `ROOT/PIPELINE/RUN/TASK/[EXECUTION/]OUTPUT`; None where the URI is none of KFP's."""
    parts = uri.partition("?")[0].partition("://")[2].split("/")
    if len(parts) < 5:
        return None
    at = -3 if _SALT.fullmatch(parts[-2]) else -2
    return Stored(parts[at], parts[-1], uri.partition("?")[0], metadata or {}, kind)


def run_of(uri: str) -> str:
    """The id of the run under whose prefix an artifact lies."""
    parts = uri.partition("?")[0].partition("://")[2].split("/")
    at = -4 if len(parts) > 3 and _SALT.fullmatch(parts[-2]) else -3
    return parts[at] if len(parts) >= -at else ""


def known(connection: Connection, run_id: str, wanted: Collection[tuple[str, str]]) -> list[Stored] | None:
    """The artifacts of a run that are `wanted`: (task, output); None where the server tells of none in either way.

    Raises ServerError, UsageError.
    """
    for ask in (_by_api, _by_metadata):
        try:
            found = ask(connection, run_id, wanted)
        except ServerError as error:
            if error.code is None or isinstance(error, AuthenticationError):
                raise
            continue
        except protowire.WireProblem:
            continue
        if found is not None:
            return found
    return None


def _by_api(connection: Connection, run_id: str, wanted: Collection[tuple[str, str]]) -> list[Stored] | None:
    """By the artifacts API, which is asked for each that is wanted; None where this server has none."""
    try:
        links = list(_pages(connection, "/artifact_tasks", "artifact_tasks", {"run_ids": run_id, "type": "OUTPUT"}))
        found = []
        for link in links:
            task, port = str((link.get("producer") or {}).get("task_name") or ""), str(link.get("key") or "")
            if (task, port) in wanted:
                one = connection.json(f"{API}/artifacts/{link['artifact_id']}", {})
                number = {one["name"]: one["number_value"]} if "number_value" in one and one.get("name") else {}
                metadata = {**(one.get("metadata") or {}), **number}
                found.append(Stored(task, port, str(one.get("uri") or ""), metadata, str(one.get("type") or "")))
        return found
    except ServerError as error:
        if error.code in (400, 404, 405, 501):
            return None
        raise
    except (KeyError, TypeError, AttributeError):
        raise connection.strange() from None


def _pages(connection: Connection, path: str, kind: str, query: dict[str, str]) -> Iterator[dict[str, Any]]:
    token = ""
    while True:
        answer = connection.json(API + path, {**query, "page_size": "100", **({"page_token": token} if token else {})})
        yield from answer.get(kind) or ()
        token = str(answer.get("next_page_token") or "")
        if not token:
            return


def _by_metadata(connection: Connection, run_id: str, wanted: Collection[tuple[str, str]]) -> list[Stored] | None:
    """By ML Metadata, which knows the run as a context; None where it does not."""
    request = protowire.text(1, _RUN_CONTEXT) + protowire.text(2, run_id)
    answer = _ask(connection, "GetContextByTypeAndName", request)
    contexts = [value for number, value in protowire.fields(answer) if number == 1 and isinstance(value, bytes)]
    ids = [value for context in contexts for number, value in protowire.fields(context) if number == 1]
    if not ids or not isinstance(ids[0], int):
        return None
    answer = _ask(connection, "GetArtifactsByContext", protowire.integer(1, ids[0]))
    messages = [value for number, value in protowire.fields(answer) if number == 1 and isinstance(value, bytes)]
    return [found for found in map(_artifact, messages) if found is not None and (found.task, found.port) in wanted]


def _ask(connection: Connection, call: str, request: bytes) -> bytes:
    return protowire.message(connection.ask(_METADATA + call, protowire.frame(request), protowire.KIND))


def _artifact(data: bytes) -> Stored | None:
    """An artifact of ML Metadata (3 uri, 5 custom properties, 8 the name of its type)."""
    uri, kind = "", ""
    metadata: dict[str, Any] = {}
    for number, value in protowire.fields(data):
        if number == 3 and isinstance(value, bytes):
            uri = value.decode("utf-8", "replace")
        elif number == 8 and isinstance(value, bytes):
            kind = value.decode("utf-8", "replace")
        elif number == 5 and isinstance(value, bytes):
            entry = dict(protowire.fields(value))
            if isinstance(entry.get(1), bytes) and isinstance(entry.get(2), bytes):
                metadata[entry[1].decode("utf-8", "replace")] = read_value(entry[2])  # type: ignore[union-attr,arg-type]
    return from_uri(uri, metadata, kind)


def read_value(data: bytes) -> Any:
    """A value of ML Metadata that is a number, a text or a truth value; None for any other."""
    for number, value in protowire.fields(data):
        if number == 1 and isinstance(value, int):
            return value - (1 << 64) if value >> 63 else value  # a negative one is written as its complement
        if number == 2 and isinstance(value, float):
            return value
        if number == 3 and isinstance(value, bytes):
            return value.decode("utf-8", "replace")
        if number == 6:
            return bool(value)
    return None
