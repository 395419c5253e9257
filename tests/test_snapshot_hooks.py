"""Hooks: what they return is kept, what they do wrong is a warning, and a run fails by one only if it is required."""

from __future__ import annotations

import http.server
import json
import re
import sys
import threading
import time
import types
import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from snapshotting import notebook, run

from kalecompiler import commands, configuration
from kalecompiler.diagnostics import UsageError
from kalecompiler.local import Status
from kalecompiler.snapshots import hooks, openlineage, restore, signing, state, volumes
from kalecompiler.snapshots.manifest import Manifest
from kalecompiler.snapshots.store import Store

CELLS = (("step:one", "a = [1]"), ("step:two prev:one", "b = a\nassert not b, 'wrong'"))


@pytest.fixture(autouse=True)
def _key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(signing.FILE, str(tmp_path / "key"))
    signing.forget()


def install(monkeypatch: pytest.MonkeyPatch, **named: Any) -> None:
    monkeypatch.setattr(hooks, "installed", lambda: named)


class Good:
    def __init__(self) -> None:
        self.called: list[tuple[str, str, str | None]] = []

    def before(self, ctx: Manifest) -> dict[str, int]:
        self.called.append(("before", ctx.step, None))
        return {"seen": len(ctx.variables)}

    def after(self, ctx: Manifest) -> None:
        self.called.append(("after", ctx.step, None))

    def failed(self, ctx: Manifest, error: str | None) -> None:
        self.called.append(("failed", ctx.step, error))

    def restore(self, ctx: Manifest, data: Any) -> None:
        self.called.append(("restore", ctx.step, json.dumps(data)))


def test_hooks_are_called_at_every_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = Good()
    install(monkeypatch, good=good)
    store, result, warned = run(tmp_path / "n", CELLS)
    assert (result.status, warned) == (Status.FAILED, [])
    error = "AssertionError: wrong"
    assert good.called == [
        ("before", "one", None),
        ("after", "one", None),
        ("before", "two", None),
        ("failed", "two", error),
    ]
    before = store.manifests(result.run)["two", "before"]
    assert before.hooks == {"good": {"result": {"seen": 1}}}
    del good.called[:]
    monkeypatch.chdir(tmp_path)  # it changes the folder, and the path
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys.modules["__main__"], "a", None, raising=False)
    restore.bring(state.find(store, store.run(result.run), "two"), tell=lambda text: None)
    assert good.called == [("restore", "two", '{"seen": 1}')]
    del good.called[:]
    monkeypatch.setenv(signing.FILE, str(tmp_path / "another"))
    signing.forget()
    restore.bring(state.find(store, store.run(result.run), "two"), tell=lambda text: None)
    assert good.called == [], "nobody vouches for what it would be given"


class Bad:
    timeout = 0.05

    def __init__(self, required: bool) -> None:
        self.required = required

    def before(self, ctx: Manifest) -> None:
        raise OSError("no network")

    def after(self, ctx: Manifest) -> object:
        return object()

    def failed(self, ctx: Manifest, error: str) -> None:
        time.sleep(5)


def test_a_hook_that_fails_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, bad=Bad(False), unloadable=ImportError("no module"))
    store, result, warned = run(tmp_path / "n", CELLS)
    assert result.run in store.run_names()
    found = store.manifests(result.run)
    assert found["one", "before"].hooks["bad"] == {"error": "OSError: no network"}
    assert "not JSON serializable" in found["one", "after"].hooks["bad"]["error"]
    assert found["two", "failed"].hooks["bad"] == {"error": "it took longer than 0.05 s"}
    assert any("no module" in text for text in warned)


def test_a_run_fails_by_a_hook_that_is_required(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, bad=Bad(True))
    with pytest.raises(hooks.HookProblem, match="bad, which is required, failed: OSError: no network"):
        run(tmp_path / "n", CELLS[:1])
    (record,) = Store.open(tmp_path / "n" / ".kalec" / "store").runs()
    assert record.status == "failed"


class Leaving(Exception):
    def __str__(self) -> str:
        raise KeyboardInterrupt


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), Leaving()])
def test_whatever_a_required_hook_raises_fails_the_run(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    def leave(ctx: Manifest) -> None:
        raise error

    install(monkeypatch, bad=types.SimpleNamespace(required=True, before=leave))
    with pytest.raises(hooks.HookProblem, match=f"bad, which is required, failed: {type(error).__name__}"):
        hooks.call(Manifest("r", "t", "before"), lambda text: None)


@pytest.fixture
def server() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A lineage server: its address, and the events that it got."""
    events: list[dict[str, Any]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            events.append({"path": self.path, **json.loads(self.rfile.read(int(self.headers["Content-Length"])))})
            self.send_response(201)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{made.server_port}", events
        made.shutdown()


def test_a_lineage_server_hears_of_every_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: tuple[str, list[dict[str, Any]]]
) -> None:
    address, events = server
    monkeypatch.setenv(openlineage.ADDRESS, address)
    install(monkeypatch, lineage=openlineage.Hook())
    _, _, warned = run(tmp_path / "n", CELLS)
    assert warned == []
    assert [(e["eventType"], e["job"]["name"]) for e in events] == [
        ("START", "nb.one"), ("COMPLETE", "nb.one"), ("START", "nb.two"), ("FAIL", "nb.two")
    ]  # fmt: skip
    assert events[0]["path"] == "/api/v1/lineage"
    assert events[0]["run"]["runId"] == events[1]["run"]["runId"] != events[2]["run"]["runId"]
    assert events[1]["outputs"] == events[2]["inputs"] != []
    assert events[3]["run"]["facets"]["errorMessage"]["message"] == "AssertionError: wrong"
    for one in events:  # what the standard's schema asks for
        assert {"run", "job", "eventTime", "producer", "schemaURL"} <= set(one)
        assert datetime.fromisoformat(one["eventTime"]).tzinfo is not None
        assert str(uuid.UUID(one["run"]["runId"])) == one["run"]["runId"]
        facets = [one["run"]["facets"], *(item["facets"] for item in (*one["inputs"], *one["outputs"]))]
        told = [facet for owner in facets for facet in owner.values()]
        addresses = [one["producer"], one["schemaURL"], *(f[k] for f in told for k in ("_producer", "_schemaURL"))]
        assert all(re.fullmatch(r"(https|pkg):\S+", address) for address in addresses)
        kinds = {facet["_schemaURL"].rpartition("/")[2] for facet in told}
        assert kinds <= {"DatasetVersionDatasetFacet", "ErrorMessageRunFacet"}


def test_without_an_address_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(openlineage.ADDRESS, raising=False)
    monkeypatch.setattr("urllib.request.urlopen", lambda *a, **k: pytest.fail("it was sent"))
    openlineage.Hook().after(Manifest("r", "t", "after"))
    assert volumes.Hook().before(Manifest("r", "t", "before")) is None


def test_volumes_are_snapshotted_before_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    client = types.SimpleNamespace(
        CustomObjectsApi=lambda: types.SimpleNamespace(create_namespaced_custom_object=lambda *a: made.append(a))
    )
    config = types.SimpleNamespace(load_incluster_config=lambda: None, ConfigException=OSError)
    monkeypatch.setitem(sys.modules, "kubernetes", types.SimpleNamespace(client=client, config=config))
    monkeypatch.setenv(volumes.CLAIMS, "data, models")
    found = volumes.Hook().before(Manifest("r", "t", "before", step="train"))
    assert found is not None
    assert list(found["snapshots"]) == ["data", "models"]
    group, version, namespace, plural, body = made[0]
    assert (group, version, namespace, plural) == ("snapshot.storage.k8s.io", "v1", "default", "volumesnapshots")
    assert body["spec"] == {"source": {"persistentVolumeClaimName": "data"}}
    assert body["metadata"]["name"] == found["snapshots"]["data"] != found["snapshots"]["models"]


HOOK = """
class Hook:
    def compile(self, task):
        assert task.pipeline == "n"
        if task.step == "two":
            return None
        return {"env": {"MODE": "kept", "OWN": "lost"}, "labels": {"team": "x"}, "image": "python:3.13", **EXTRA}
"""


def package(folder: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> str:
    """A package that registers a hook; the name of its module."""
    module = f"own_hooks_{folder.name}"
    info = folder / f"{module}-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[kalecompiler.snapshot_hooks]\nours = {module}:Hook\n")
    (folder / f"{module}.py").write_text(source)
    monkeypatch.syspath_prepend(str(folder))
    return module


def test_a_hook_adds_settings_to_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package(tmp_path / "good", monkeypatch, HOOK.replace("EXTRA", "{}"))
    (tmp_path / "n").mkdir()
    path = notebook(tmp_path / "n" / "n.ipynb", (("step:one env:OWN:mine", "a = 1"), ("step:two", "b = a")))
    one, two = commands.compile_(path, {}).pipeline.steps
    assert one.settings.of("env") == [("MODE", "kept"), ("OWN", "mine")]
    assert (one.settings.image, one.settings.labels) == ("python:3.13", (("team", "x"),))
    assert (two.settings.of("env"), two.settings.image) == ([], "python:3.11")
    found = {row.key: row.origin for row in configuration.rows(path, {})[0]}
    assert found["steps.one.env.MODE"] == "the hook ours"
    assert found["steps.one.env.OWN"].endswith("tag env:OWN:mine")
    assert commands.compile_(path, {"image": "python:3.12"}).pipeline.steps[0].settings.image == "python:3.12"


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        ('{"what": 1}', "`what`"),
        ('{"env": {"9": "x"}}', "env"),
        ("1 / 0", "failed: ZeroDivisionError: division by zero"),
    ],
)
def test_settings_of_a_hook_are_checked_as_the_users_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, extra: str, reason: str
) -> None:
    package(tmp_path / f"bad{abs(hash(extra))}", monkeypatch, HOOK.replace("**EXTRA", f"**({extra})"))
    with pytest.raises(UsageError, match="the hook ours, asked for settings of step one") as caught:
        commands.compile_(notebook(tmp_path / "n.ipynb", (("step:one", "a = 1"),)), {})
    assert reason in str(caught.value)
