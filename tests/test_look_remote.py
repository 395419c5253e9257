"""Runs of an endpoint looked at as if they were kept here: their snapshots, found in each way that there is."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from endpoint import Bearer, Endpoint, Make, answers
from endpoint.lineage import artifacts, uri
from submitting import ROOT, Here, clean_surroundings
from support import write_notebook

from kalecompiler.snapshots.manifest import FORMAT
from kalecompiler.submit import protowire, stored
from kalecompiler.submit.buckets import bucket
from kalecompiler.submit.protowire import WireProblem

pytest_plugins = ["endpoint.plugin"]
pytestmark = pytest.mark.usefixtures("kfp_home")

NOTEBOOK = """
# %% imports
import pandas as pd
# %% pipeline-parameters
rate = 2
# %% step:make
df = pd.DataFrame({"a": range(5), "b": range(5)})
# %% step:scale prev:make
scaled = df.assign(b=df["b"] * rate)
# %% step:end prev:scale
total = int(scaled["b"].sum())
note = {"total": total}
# %% pipeline-metrics
total
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Here:
    clean_surroundings(tmp_path, monkeypatch)
    monkeypatch.setenv("KALEC_SNAPSHOT_KEY_FILE", str(tmp_path / "key"))
    from kalecompiler.snapshots import signing

    signing.forget()
    made = Here(tmp_path, capsys)
    made.write(NOTEBOOK)
    return made


@dataclass(frozen=True)
class Ran:
    """An endpoint, and two runs that have ended there; the second one's rate was 3."""

    endpoint: Endpoint
    one: str
    two: str

    @property
    def at(self) -> tuple[str, str]:
        return "--host", self.endpoint.url

    def step(self, run: str, step: str) -> Path:
        """The folder of a step."""
        return self.endpoint.folder_of(run) / step


@pytest.fixture(scope="module")
def ran_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    """Two runs for all tests: each takes some seconds."""
    folder = tmp_path_factory.mktemp("ran")
    write_notebook(folder / "n.ipynb", NOTEBOOK)
    environment = {**os.environ, "HOME": str(folder), "PYTHONPATH": str(ROOT)}
    with Endpoint(execute=True) as endpoint:
        command = [
            sys.executable,
            "-m",
            "kalecompiler",
            "submit",
            "n.ipynb",
            "--host",
            endpoint.url,
            "--format",
            "json",
        ]
        ids = []
        for words in ((), ("-p", "rate=3")):
            done = subprocess.run([*command, *words], cwd=folder, env=environment, capture_output=True, check=True)
            ids.append(str(json.loads(done.stdout)["run"]["id"]))
        endpoint.wait(lambda: {run["state"] for run in endpoint.state.runs.values()} == {"SUCCEEDED"}, 60)
        yield Ran(endpoint, *ids)


@pytest.fixture(params=["api", "metadata"])
def ran(request: pytest.FixtureRequest, ran_once: Ran, tmp_path: Path) -> Iterator[Ran]:
    """The runs at an endpoint that tells where artifacts lie, in one way or the other; what a test breaks is mended."""
    ran_once.endpoint.lineage = request.param
    yield from _mended(ran_once, tmp_path)


@pytest.fixture
def silent(ran_once: Ran, tmp_path: Path) -> Iterator[Ran]:
    """The same at an endpoint that tells nothing of artifacts."""
    ran_once.endpoint.lineage = None
    yield from _mended(ran_once, tmp_path)


def _mended(ran: Ran, folder: Path) -> Iterator[Ran]:
    places = {run: ran.endpoint.folder_of(run) for run in (ran.one, ran.two)}
    for run, place in places.items():
        shutil.copytree(place, folder / run)
    yield ran
    ran.endpoint.faults.clear()
    ran.endpoint.executions.cached.clear()
    for run, place in places.items():
        shutil.rmtree(place)
        shutil.copytree(folder / run, place)


def lines(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_a_step_and_its_variables_are_shown_through_the_ui(here: Here, ran: Ran) -> None:
    run = ran.one
    out = here.kalec("show", run, "scale", *ran.at)
    assert (out.status, out.err) == (0, "")
    table = lines(out.out)
    assert ["rate", "2"] in table
    assert any(row[:5] == ["scaled", "pandas.DataFrame", "5", "x", "2"] for row in table), out.out
    assert any(row[:2] == ["df", "make"] for row in table)
    assert ["signature", "the", "endpoint", "vouches", "for", "it"] in table
    seen = here.kalec("show", run[:8], "scale", "scaled", "--preview", "--rows", "2", *ran.at)
    assert lines(seen.out)[-1] == ["1", "1", "2"], seen.err
    kept = here.kalec("show", run, "end", "note", *ran.at, "--export", "note.json")
    assert kept.status == 0, kept.err
    assert json.loads((here.folder / "note.json").read_text()) == {"total": 20}, "a value that no step takes"
    assert "scaled = df.assign" in here.kalec("show", run, "scale", "--code", *ran.at).out
    assert ["total", "20"] in lines(here.kalec("show", run, "end", *ran.at).out)


def test_two_runs_are_compared(here: Here, ran: Ran) -> None:
    one, two = ran.one, ran.two
    result = here.kalec("diff", one, two, *ran.at)
    assert (result.status, result.err) == (0, "")
    assert "the first step that differs is scale (parameter rate, result scaled)" in result.out
    table = lines(result.out)
    assert ["rate", "2", "3"] in table
    assert ["total", "20", "30"] in table
    assert ["scaled", "changed", "columns", "changed:", "b"] in table


def test_a_run_here_is_compared_with_one_of_the_endpoint(here: Here, ran: Ran) -> None:
    run = ran.one
    assert here.kalec("run", "n.ipynb", "-p", "rate=5").status == 0
    folder = next((here.folder / ".kalec" / "runs").glob("n-*"))
    out = here.kalec("diff", str(folder), run, *ran.at).out
    assert "the first step that differs is scale (parameter rate, result scaled)" in out


def test_a_cached_step_has_the_snapshot_of_another_run(here: Here, ran: Ran) -> None:
    one, two = ran.one, ran.two
    ran.endpoint.executions.cached[two, "make"] = one
    shutil.rmtree(ran.step(two, "make"))
    shown = here.kalec("show", two, "make", *ran.at)
    assert ["reused", "from", f"{one}/make"] in lines(shown.out), shown.err
    seen = here.kalec("show", two, "make", "df", "--preview", *ran.at)
    assert lines(seen.out)[-1] == ["4", "4", "4"]
    assert "first step that differs is scale" in here.kalec("diff", one, two, *ran.at).out


def test_a_value_that_is_not_what_the_step_wrote_is_refused(here: Here, ran: Ran) -> None:
    run = ran.one
    file = ran.step(run, "scale") / "scaled"
    file.write_bytes((ran.step(run, "make") / "df").read_bytes())
    result = here.kalec("show", run, "scale", "scaled", "--preview", *ran.at)
    assert (result.status, result.out) == (2, "")
    assert "the file of scaled of step scale is not the one that the step wrote" in result.err


def test_a_byte_that_was_changed_below_an_honest_header_is_seen(here: Here, ran: Ran) -> None:
    run = ran.one
    file = ran.step(run, "scale") / "scaled"
    data = bytearray(file.read_bytes())
    data[70] ^= 1
    file.write_bytes(data)
    result = here.kalec("show", run, "scale", "scaled", "--export", "x.kalec", *ran.at)
    assert (result.status, result.out) == (2, "")
    assert "the file of scaled of step scale is not the one that the step wrote" in result.err


def test_a_snapshot_that_was_changed_is_not_vouched_for(here: Here, ran: Ran) -> None:
    """Somebody who can write to the bucket replaces a value and what the snapshot says of it."""
    run = ran.one
    file = ran.step(run, "scale") / "snapshot"
    data = file.read_bytes()
    assert b'"level": "passed"' in data
    file.write_bytes(data.replace(b'"level": "passed"', b'"level": "pxssed"'))
    shown = here.kalec("show", run, "scale", *ran.at)
    assert ["signature", "none"] in lines(shown.out)
    refused = here.kalec("show", run, "scale", "scaled", "--preview", *ran.at)
    assert (refused.status, refused.out) == (2, "")
    assert "--trust" in refused.err
    assert here.kalec("show", run, "scale", "scaled", "--preview", "--trust", *ran.at).status == 0


def test_a_snapshot_that_is_gone_or_damaged_is_told(here: Here, ran: Ran) -> None:
    run = ran.one
    (ran.step(run, "scale") / "snapshot").unlink()
    (ran.step(run, "end") / "snapshot").write_bytes(b"garbage\n")
    out = here.kalec("diff", run, run, *ran.at).out
    assert "it may be deleted" in out
    assert "is damaged: its first line is no JSON object" in out
    for variables in ({}, {"variables": {"note": 5}}, {"variables": {"note": {"size": "x"}}}):
        (ran.step(run, "end") / "snapshot").write_text(json.dumps({"format": FORMAT, **variables}) + "\n")
        result = here.kalec("diff", run, run, *ran.at)
        assert (result.status, "is damaged: what it says of its variables" in result.out) == (0, True)
    shown = here.kalec("show", run, "scale", *ran.at)
    assert shown.status == 0
    assert "nothing is kept of this step" in shown.out


def test_a_server_that_does_not_tell_where_artifacts_lie(here: Here, silent: Ran) -> None:
    result = here.kalec("diff", silent.one, silent.one, *silent.at)
    assert result.status == 0
    assert "name the pipeline root, as in --pipeline-root s3://bucket/v2/artifacts" in result.out


def test_a_login_that_is_missing(here: Here, make_endpoint: Make) -> None:
    endpoint = make_endpoint(lineage="api", auth=Bearer("t"))
    result = here.kalec("show", "latest", "make", "--host", endpoint.url)
    assert (result.status, result.out) == (3, "")
    assert "needs authentication" in result.err


def test_the_login_and_the_namespace_go_to_the_ui_too(
    here: Here, make_endpoint: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = make_endpoint(execute=True, lineage="metadata", auth=Bearer("canary"), multi_user=True)
    monkeypatch.setenv("TOKEN", "canary")
    here.write("# %% step:make\nx = 1\n# %% step:end prev:make\ny = x + 1")
    here.config(f'host = "{endpoint.url}"\ntoken-env = "TOKEN"\nnamespace = "team"')
    assert here.kalec("submit", "n.ipynb", "--endpoint", "e", "--wait").status == 0
    result = here.kalec("show", "latest", "end", "--endpoint", "e")
    assert result.status == 0, result.err
    assert any(row[:2] == ["y", "int"] for row in lines(result.out)), result.out
    asked = [exchange.request for exchange in endpoint.log if exchange.request.path.startswith("/artifacts/")]
    assert asked and all(request.query["namespace"] == "team" for request in asked)
    assert "canary" not in result.out + result.err


def test_a_server_that_refuses_or_is_gone(here: Here, ran: Ran) -> None:
    ran.endpoint.faults.append(answers(401, path="/artifacts/minio"))
    result = here.kalec("show", ran.one, "scale", *ran.at)
    assert (result.status, result.out) == (3, "")
    gone = here.kalec("show", ran.one, "scale", "--host", "http://localhost:9")
    assert (gone.status, gone.out) == (3, "")


# a bucket


@pytest.fixture
def memory() -> Iterator[str]:
    """The address of a bucket in memory."""
    fsspec = pytest.importorskip("fsspec")
    name = f"memory://{uuid.uuid4().hex}"
    yield name
    with contextlib.suppress(FileNotFoundError):
        fsspec.filesystem("memory").rm(name.partition("//")[2], recursive=True)


def upload(endpoint: Endpoint, run: str, root: str, *, leave: tuple[str, ...] = ()) -> None:
    """Put a run's artifacts into a bucket, where KFP would have put them; the URIs that snapshots name are KFP's."""
    import fsspec

    found = list(artifacts(endpoint.executions, endpoint.state, run))
    files = {str(endpoint.folder_of(run) / one["task"] / one["port"]): one for one in found}
    for file, one in files.items():
        if one["task"] in leave or not Path(file).is_file():
            continue
        data = Path(file).read_bytes()
        if one["metadata"].get("format") == "kalec-snapshot-1":
            line, _, rest = data.partition(b"\n")
            told = json.loads(line)
            for item in told["inputs"].values():
                item["uri"] = files[item["uri"]]["uri"] if item["uri"] in files else item["uri"]
            data = json.dumps(told).encode() + b"\n" + rest
        with fsspec.open(f"{root}/{one['uri'].partition('/v2/artifacts/')[2]}", "wb") as target:
            target.write(data)


def test_snapshots_are_found_by_listing_a_bucket(here: Here, silent: Ran, memory: str) -> None:
    endpoint, one, two = silent.endpoint, silent.one, silent.two
    before = len(endpoint.requests)
    root = f"{memory}/v2/artifacts"
    for run in (one, two):
        upload(endpoint, run, root)
    words = (*silent.at, "--pipeline-root", root)
    shown = here.kalec("show", one, "scale", *words)
    assert any(row[:5] == ["scaled", "pandas.DataFrame", "5", "x", "2"] for row in lines(shown.out)), shown.err
    assert ["signature", "none"] in lines(shown.out), "a bucket vouches for nothing"
    assert "--trust" in here.kalec("show", one, "scale", "scaled", "--preview", *words).err
    assert lines(here.kalec("show", one, "end", "total", "--preview", *words).out)[-1] == ["20"]
    out = here.kalec("diff", one, two, *words).out
    assert "the first step that differs is scale (parameter rate, result scaled)" in out
    assert ["scaled", "changed", "columns", "changed:", "b"] in lines(out)
    assert not any("/artifacts/" in line for line in endpoint.requests[before:])


def test_cached_steps_in_a_bucket_are_the_siblings_of_what_others_took(here: Here, silent: Ran, memory: str) -> None:
    endpoint, one, two = silent.endpoint, silent.one, silent.two
    root = f"{memory}/v2/artifacts"
    upload(endpoint, one, root)
    # The step `scale` of the second run took the `df` of the first one.
    snapshot = silent.step(two, "scale") / "snapshot"
    line, _, rest = snapshot.read_bytes().partition(b"\n")
    told = json.loads(line)
    (place,) = [i["uri"] for i in artifacts(endpoint.executions, endpoint.state, one) if i["port"] == "df"]
    told["inputs"]["df"]["uri"] = place
    snapshot.write_bytes(json.dumps(told).encode() + b"\n" + rest)
    upload(endpoint, two, root, leave=("make",))
    words = (*silent.at, "--pipeline-root", root)
    shown = here.kalec("show", two, "make", *words)
    assert ["reused", "from", f"{one}/make"] in lines(shown.out), shown.out
    exported = here.kalec("show", two, "make", "df", "--trust", "--export", "df.csv", *words)
    assert exported.status == 0, exported.err
    assert "no snapshot was found" not in here.kalec("diff", one, two, *words).out


def test_a_second_place_has_the_snapshots_alone(here: Here, ran: Ran) -> None:
    """A folder; what is not there comes through the server, if that tells where it lies."""
    pytest.importorskip("fsspec")
    for step in ("make", "end"):
        folder = here.folder / "place" / "n" / ran.one / step / "00000000-0000-4000-8000-000000000001"
        folder.mkdir(parents=True)
        shutil.copy(ran.step(ran.one, step) / "snapshot", folder)
    (ran.step(ran.one, "end") / "snapshot").unlink()  # as where a step failed, of which KFP keeps nothing
    words = (*ran.at, "--pipeline-root", "place")
    assert lines(here.kalec("show", ran.one, "end", "total", "--preview", *words).out)[-1] == ["20"]
    seen = here.kalec("show", ran.one, "scale", "scaled", "--preview", *words)
    assert lines(seen.out)[-1] == ["4", "4", "8"], seen.err
    ran.endpoint.lineage = None
    assert lines(here.kalec("show", ran.one, "end", "total", "--preview", *words).out)[-1] == ["20"]
    lost = here.kalec("show", ran.one, "make", "df", "--preview", "--trust", *words)
    assert (lost.status, lost.out) == (3, "")
    assert "there is no artifact" in lost.err


def test_a_bucket_with_nothing_in_it(here: Here, silent: Ran, tmp_path: Path) -> None:
    pytest.importorskip("fsspec")
    result = here.kalec("diff", silent.one, silent.one, *silent.at, "--pipeline-root", f"file://{tmp_path}/none")
    assert result.status == 0
    assert "no snapshot was found of make, scale, end" in result.out


@pytest.mark.parametrize(
    ("root", "message"),
    [("what://bucket/x", "is no address of a bucket"), ("abfs://bucket/x", "is not installed here")],
)
def test_a_root_that_nothing_opens(here: Here, silent: Ran, root: str, message: str) -> None:
    pytest.importorskip("fsspec")
    result = here.kalec("show", silent.one, "make", *silent.at, "--pipeline-root", root)
    assert (result.status, result.out) == (2, "")
    assert message in result.err


def test_kfps_own_scheme_is_read_by_the_bucket_that_is_named(memory: str) -> None:
    import fsspec

    with fsspec.open(f"{memory}/v2/artifacts/p/run/step/port", "wb") as file:
        file.write(b"line\nrest")
    found = bucket(f"{memory}/v2/artifacts")
    assert found.read("minio://other/v2/artifacts/p/run/step/port") == b"line\nrest"
    assert found.below("p", "run") == [f"memory:///{memory[9:]}/v2/artifacts/p/run/step/port"]


# the wire


@pytest.mark.parametrize(
    ("address", "task", "run"),
    [
        ("minio://b/v2/artifacts/p/run-1/load/df", "load", "run-1"),
        ("minio://b/v2/artifacts/p/run-1/load/12/df", "load", "run-1"),
        (uri("p", "run-1", "load", 3, "df"), "load", "run-1"),
        ("s3://b/p/run-1/load/df?region=x", "load", "run-1"),
    ],
)
def test_where_an_artifact_is_from(address: str, task: str, run: str) -> None:
    found = stored.from_uri(address)
    assert found is not None
    assert (found.task, found.port, stored.run_of(address)) == (task, "df", run)


def test_what_is_no_address_of_an_artifact() -> None:
    assert stored.from_uri("s3://b/x") is None
    assert stored.from_uri("") is None


@pytest.mark.parametrize(
    "data",
    [b"\x00\x00\x00", b"\x00\x00\x00\x00\x09abc", b"\x80\x00\x00\x00\x0fgrpc-status: 5\n"],
    ids=["short", "cut off", "an error"],
)
def test_frames_that_are_wrong(data: bytes) -> None:
    with pytest.raises(WireProblem, match=r"cut off|kind|long|5"):
        protowire.message(data)


@pytest.mark.parametrize("data", [b"\x80", b"\x0a\x05a", b"\x0b", b"\x09\x00", b"\xff" * 11])
def test_messages_that_are_wrong(data: bytes) -> None:
    with pytest.raises(WireProblem, match=r"cut off|kind|long|5"):
        list(protowire.fields(data))


def test_messages_are_read_as_they_are_written() -> None:
    data = protowire.text(1, "größe") + protowire.integer(2, 300)
    assert dict(protowire.fields(data)) == {1: "größe".encode(), 2: 300}
    assert protowire.message(protowire.frame(data)) == data


@pytest.mark.parametrize("number", [0, 5, -1, -(2**63)])
def test_whole_numbers_may_be_negative(number: int) -> None:
    assert stored.read_value(protowire.integer(1, number % 2**64)) == number
