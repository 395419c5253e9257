"""The artifact `snapshot` of a step: one file that says all, whole wherever it is read, and nothing where it is off."""

from __future__ import annotations

import json
import os
import platform
import random
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from runtime_steps import Done, output, run, step
from snapshotting import compiled, notebook

from kalecompiler import commands, payload
from kalecompiler.runtime import program, values
from kalecompiler.runtime import snapshot as step_snapshot
from kalecompiler.snapshots import artifact
from kalecompiler.snapshots.objects import StoreProblem


def snapshot(
    folder: Path, *code: str, about: Mapping[str, Any] | None = None, **fields: Any
) -> tuple[Done, dict[str, Any]]:
    """Run a step with its snapshot: how it went, and what the snapshot says."""
    done = run(folder, step(*code, snapshot={"port": "state", "level": "passed", **(about or {})}, **fields))
    data = (done.folder / "artifacts" / "state").read_bytes()
    return done, artifact.split(data)[0]


def test_a_step_says_where_it_stood(tmp_path: Path) -> None:
    done, found = snapshot(
        tmp_path, "import random\nrandom.seed(3)\nx = 1", parameters={"p": {"type": "int", "default": 7}}
    )
    metadata = done.artifacts["state"]["metadata"]
    data = (done.folder / "artifacts" / "state").read_bytes()
    assert (done.status, metadata) == (0, {"format": artifact.METADATA_FORMAT, "digest": artifact.digest(data)})
    assert (found["step"], found["when"], found["parameters"]) == ("work", "after", {"p": {"type": "int", "value": 7}})
    assert sorted(found["variables"]) == ["p", "x"]
    assert found["random"]["random"] == json.loads(json.dumps(random.Random(3).getstate()))
    assert found["environment"]["python"] == platform.python_version()
    assert not list((done.folder / "artifacts").glob("*.value"))


def test_a_step_that_hands_on_keeps_only_what_it_hands_on(tmp_path: Path) -> None:
    _, found = snapshot(tmp_path, "x = 1\ny = 2", outputs=[output("x")])
    assert list(found["variables"]) == ["x"]
    assert found["variables"]["x"]["port"] == "x"
    _, found = snapshot(tmp_path, "x = 1\ny = 2", outputs=[output("x")], about={"level": "all"})
    assert sorted(found["variables"]) == ["x", "y"]


def test_a_step_that_fails_says_so_and_fails_as_before(tmp_path: Path) -> None:
    done, found = snapshot(tmp_path, "x = 1", "y = 1 / 0", outputs=[output("x")])
    assert done.status == 1
    assert "ZeroDivisionError" in done.err
    assert (found["when"], found["error"]) == ("failed", "ZeroDivisionError: division by zero")
    assert found["cell"] == "nb.ipynb work[2]"
    assert list(found["variables"]) == ["x"]


def test_a_value_that_is_too_large_for_a_snapshot_is_said_as_such(tmp_path: Path) -> None:
    limit = {"max-artifact-size": 10**9}  # the part for that setting has been used when the snapshot is written
    code = "x = 1\nlarge = bytes(2 << 20)\ny = (n for n in [])"
    _, found = snapshot(tmp_path, code, outputs=[output("x"), output("y")], **limit)
    assert found["variables"]["large"]["error"] == "it is larger than 1 MiB; snapshot:all keeps it"


def test_a_folder_that_may_not_be_listed_has_no_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "there" / "a-1.dist-info").mkdir(parents=True)
    closed = tmp_path / "closed"
    closed.mkdir()

    def listdir(path: str, listed: Callable[[str], list[str]] = os.listdir) -> list[str]:
        if path == str(closed):
            raise PermissionError
        return listed(path)

    monkeypatch.setattr(os, "listdir", listdir)
    monkeypatch.setattr(sys, "path", ["", str(closed), str(tmp_path / "gone"), str(tmp_path / "there")])
    assert step_snapshot._packages() == ["a-1"]


def test_a_state_that_cannot_be_kept_is_a_warning_where_the_step_fails(tmp_path: Path) -> None:
    content = step("x = 1 / 0", snapshot={"port": "state", "level": "passed"})
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "artifacts").write_text("in the way")
    done = run(tmp_path, content)
    assert done.status == 1
    assert "kalec: step work failed in nb.ipynb work[1], line 1" in done.err
    assert "kalec: warning: the state of the step is not kept" in done.err


@pytest.mark.parametrize("scheme", ["", "file://"])
@pytest.mark.parametrize("source", ["x = 1", "x = 1 / 0"])
def test_a_second_place_gets_the_snapshot_too(tmp_path: Path, scheme: str, source: str) -> None:
    if scheme:
        pytest.importorskip("fsspec")
        (tmp_path / "there" / "work" / "artifacts").mkdir(parents=True)
    place = tmp_path / "there"
    done, _ = snapshot(tmp_path / "run", source, about={"to": f"{scheme}{place}"})
    (copy,) = [path for path in place.rglob("*") if path.is_file()]
    assert copy.read_bytes() == (done.folder / "artifacts" / "state").read_bytes()
    assert copy.relative_to(place).parts == ("work", "artifacts", "state")


def test_a_second_place_that_fails_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done, _ = snapshot(tmp_path / "run", "x = 1", about={"to": str(tmp_path / "file")})
    assert done.status == 0
    assert "is not copied to" in done.err


def test_the_environment_of_a_step_names_the_second_place(tmp_path: Path) -> None:
    pipeline = commands.compile_(
        notebook(tmp_path / "n.ipynb", (("step:one env:KALEC_SNAPSHOTS:/snapshots", "a = 1"), ("step:two", "b = 1"))),
        {},
    ).pipeline
    one, two = (payload.content(step, pipeline)["snapshot"] for step in pipeline.steps)
    assert one == {"port": "snapshot", "level": "passed", "to": "/snapshots"}
    assert two == {"port": "snapshot", "level": "passed"}
    assert "mirror" in payload.carried(pipeline)[pipeline.steps[0].name]
    assert "mirror" not in payload.carried(pipeline)[pipeline.steps[1].name]


def test_the_snapshot_part_is_small() -> None:
    assert len(program((), ("snapshot",))) - len(program((), ())) < 2_100


def test_a_package_has_one_more_output_a_step(tmp_path: Path) -> None:
    cells = (
        ("step:one", "a = 1"),
        ("step:two prev:one snapshot:off", "b = a"),
        ("step:three prev:one snapshot:all", "a"),
    )
    _, spec = compiled(tmp_path, cells)
    outputs = {
        name: sorted(item.get("outputDefinitions", {}).get("artifacts", {}))
        for name, item in spec["components"].items()
    }
    assert outputs == {
        "comp-one": ["a", "report", "snapshot"],
        "comp-two": ["report"],
        "comp-three": ["report", "snapshot"],
    }


def test_a_variable_of_that_name_keeps_it(tmp_path: Path) -> None:
    _, spec = compiled(tmp_path, (("step:one", "snapshot = 1"), ("step:two prev:one", "print(snapshot)")))
    ports = spec["components"]["comp-one"]["outputDefinitions"]["artifacts"]
    assert sorted(ports) == ["report", "snapshot", "snapshot_state"]


def written(folder: Path, *, damage: int | None = None) -> bytes:
    """A snapshot as `runtime.snapshot` lays it out, with one value."""
    about = values.save(str(folder / "v"), [1, 2, 3], "v")
    found = {"format": 1, "when": "after", "variables": {"v": {**about, "at": 0}}}
    line = json.dumps(found).encode()
    data = line.ljust(len(line) + -(len(line) + 1) % 64) + b"\n" + (folder / "v").read_bytes()
    return data if damage is None else data[:damage]


def test_a_snapshot_is_read_as_it_was_written(tmp_path: Path) -> None:
    data = written(tmp_path)
    found, start = artifact.split(data)
    assert start % 64 == 0
    value = artifact.value(data, start, found["variables"]["v"])
    assert value is not None
    assert bytes(value) == (tmp_path / "v").read_bytes()
    assert artifact.nature(value) == ("data", ("v",))


@pytest.mark.parametrize("damage", [0, 10, 100])
def test_a_snapshot_that_is_cut_off_is_said(tmp_path: Path, damage: int) -> None:
    with pytest.raises(StoreProblem):
        artifact.split(written(tmp_path, damage=damage))


def test_a_value_beyond_the_end_is_said(tmp_path: Path) -> None:
    data = written(tmp_path)[:-1]
    found, start = artifact.split(data)
    for about in (found["variables"]["v"], {"at": -1, "size": 5}, {"at": 0, "size": 0}, {"at": "0", "size": 1}):
        with pytest.raises(StoreProblem):
            artifact.value(data, start, about)


def test_a_newer_snapshot_is_said() -> None:
    with pytest.raises(StoreProblem, match="newer"):
        artifact.split(b'{"format": 2, "variables": {}}\n')


def test_what_holds_a_secret_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB", "s3cr3t-Ü")
    about = {"secrets": ["DB", "NOT_SET"]}
    code = "import os\nplain = 1\nurl = {'a': ['db://' + os.environ['DB']]}\nlogin_password = 'x'\nraise OSError(url)"
    done, found = snapshot(tmp_path, code, outputs=[output("plain")], about=about)
    assert found["variables"]["url"]["error"] == "it holds a secret of the step"
    assert "looks like" in found["variables"]["login_password"]["error"]
    assert sorted(name for name, item in found["variables"].items() if "at" in item) == ["plain"]
    data = (done.folder / "artifacts" / "state").read_bytes()
    assert b"s3cr3t" not in data
    assert not list((done.folder / "artifacts").glob("*.value"))
    assert "***" in found["error"]
