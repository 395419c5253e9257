"""`kalec runs`, `show` and `diff` over runs that are kept here."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import pickle
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from keptruns import START, Made
from submitting import Here, clean_surroundings

from kalecompiler.diagnostics import UsageError
from kalecompiler.runtime import loading
from kalecompiler.snapshots import find, quantities, tiers
from kalecompiler.snapshots.manifest import BEFORE, FAILED, Manifest, StepRecord, VariableRecord

ENVIRONMENT = {"python": "3.11.7", "platform": "Linux x86_64", "packages": ["numpy-2.4.6", "pandas-3.1.1"]}
NOTEBOOK = """
# %% pipeline-parameters
rate = 2
# %% step:make
numbers = [1, 2, 3]
# %% step:scale prev:make
scaled = [rate * n for n in numbers]
# %% step:end prev:scale
total = sum(scaled)
"""
ONE, TWO = "churn-20260101-000000-aaaa", "churn-20260102-000000-bbbb"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Here:
    clean_surroundings(tmp_path, monkeypatch)
    monkeypatch.setenv("KALEC_SNAPSHOT_KEY_FILE", str(tmp_path / "key"))
    from kalecompiler.snapshots import signing

    signing.forget()
    return Here(tmp_path, capsys)


@pytest.fixture
def made(here: Here) -> Made:
    return Made(here.folder)


def package(rate: float, **more: str) -> str:
    """A pipeline package whose steps carry this code."""
    sources = {"load": "df = read(n)", "train": f"model = fit(df)\nrate = {rate}", **more}

    def step(name: str, source: str) -> str:
        cell = {"name": f"churn.ipynb {name}[1]", "kind": "cell", "id": f"id-{name}", "source": source.split("\n")}
        return json.dumps({"format": 1, "step": name, "code": [cell]})

    executors = {f"exec-{n}": {"container": {"args": [step(n, text), "{{$}}"]}} for n, text in sources.items()}
    return json.dumps(
        {
            "root": {"dag": {"tasks": {n: {"componentRef": {"name": f"comp-{n}"}} for n in sources}}},
            "components": {f"comp-{n}": {"executorLabel": f"exec-{n}"} for n in sources},
            "deploymentSpec": {"executors": executors},
        }
    )


def frame(factor: float) -> pd.DataFrame:
    return pd.DataFrame({"a": np.arange(1000), "b": np.arange(1000) * factor, "c": ["x"] * 1000})


def keep(made: Made, name: str, number: int, factor: float = 1.0, accuracy: float = 0.5, **more: Any) -> None:
    """A run of two steps; `factor` is its parameter, which the first one uses."""
    rate = more.pop("rate", 0.1)
    environment = more.pop("environment", ENVIRONMENT)
    given = {"factor": {"type": "float", "value": factor}}
    load = made.manifest(name, "load", {"df": frame(factor)}, parameters=given, environment=environment)
    inputs = {"df": {"from": "load", "digest": load.variables["df"].digest}}
    left = {"model": {"w": more.pop("weight", factor)}, "same": [1, 2]}
    train = made.manifest(
        name,
        "train",
        left,
        inputs=inputs,
        environment=environment,
        metrics={"accuracy": accuracy, "loss": 1 - accuracy},
    )
    fields = {"parameters": {"factor": factor}, "package": package(rate), "total_bytes": 2_000_000, "new_bytes": 1000}
    made.run(name, load, train, number=number, **{**fields, **more})


@pytest.fixture
def two(made: Made) -> Made:
    """Two runs that differ in one parameter."""
    keep(made, ONE, 0, 1.0, 0.8)
    keep(made, TWO, 1, 2.0, 0.9)
    return made


def lines(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


# runs


def test_runs_are_listed_newest_first(here: Here, two: Made) -> None:
    two.store.pin(ONE, True)
    result = here.kalec("runs")
    assert (result.status, result.err) == (0, "")
    header, second, first = result.out.splitlines()
    assert header.split() == ["RUN", "STATUS", "STARTED", "TOOK", "STEPS", "NEW", "TOTAL"]
    assert second.split()[:2] == [TWO, "succeeded"]
    assert first.split()[-1] == "pinned"
    assert "2 succeeded" in first and "1 kB" in first and "2 MB" in first and "10 s" in first


def test_runs_as_json_and_of_one_pipeline(here: Here, two: Made) -> None:
    two.run("other-20260101-000000-cccc", number=2, pipeline="other", status="running")
    found = json.loads(here.kalec("runs", "--format", "json").out)
    assert [run["run"] for run in found] == ["other-20260101-000000-cccc", TWO, ONE]
    assert found[1] == {
        "run": TWO,
        "pipeline": "churn",
        "status": "succeeded",
        "started": "2027-01-15T09:00:00+00:00",
        "ended": "2027-01-15T09:00:10+00:00",
        "seconds": 10.0,
        "new-bytes": 1000,
        "total-bytes": 2_000_000,
        "pinned": False,
        "parameters": {"factor": 2.0},
        "metrics": {},
        "steps": [{"name": name, "status": "succeeded", "seconds": 1.0, "source": None} for name in ("load", "train")],
    }
    assert [run["run"] for run in json.loads(here.kalec("runs", "other", "--format", "json").out)] == [found[0]["run"]]
    assert len(json.loads(here.kalec("runs", "--limit", "2", "--format", "json").out)) == 2
    unknown = here.kalec("runs", "chrun")
    assert (unknown.status, unknown.out) == (2, "")
    assert "there is no run of a pipeline `chrun`: did you mean `churn`?" in unknown.err


def test_runs_tell_their_first_metrics(here: Here, made: Made) -> None:
    steps = (
        StepRecord("a", "a", metrics={"accuracy": 0.912345678}),
        StepRecord("b", "b", metrics=dict.fromkeys("xyz", 1)),
    )
    made.run("r-1", steps=steps)
    header, row = here.kalec("runs").out.splitlines()
    assert (header.split()[-1], row.endswith("  accuracy 0.912346, x 1, y 1 ...")) == ("METRICS", True)
    (found,) = json.loads(here.kalec("runs", "--format", "json").out)
    assert found["metrics"] == {"accuracy": 0.912345678, "x": 1, "y": 1, "z": 1}


def test_runs_tell_which_step_failed(here: Here, made: Made) -> None:
    steps = (
        StepRecord("a", "a", status="succeeded"),
        StepRecord("b", "b", ("a",), "failed", error="exited with status 1"),
        StepRecord("c", "c", ("b",), "skipped"),
    )
    made.run("r-1", steps=steps, status="failed")
    assert "1 succeeded, 1 failed (b), 1 skipped" in here.kalec("runs").out
    shown = here.kalec("show", "r-1")
    assert "b failed: exited with status 1" in shown.out
    assert "nothing is kept of this step: it did not end" in here.kalec("show", "r-1", "b").out
    assert "nothing is kept of this step: it did not run" in here.kalec("show", "r-1", "c").out


def test_no_runs_are_kept(here: Here) -> None:
    result = here.kalec("runs")
    assert (result.status, result.out) == (2, "")
    assert "no runs are kept in" in result.err and "--folder" in result.err
    Made(here.folder / "inside")
    assert here.kalec("runs", "--folder", "inside").out == "no runs\n"


def test_a_newer_store_is_refused(here: Here, two: Made) -> None:
    (here.folder / ".kalec" / "store" / "format").write_text('{"format": 2}')
    for words in (("runs",), ("show", "latest"), ("diff", "latest", "latest")):
        result = here.kalec(*words)
        assert (result.status, result.out) == (2, "")
        assert "newer than this kalecompiler" in result.err


# which run is meant


@pytest.mark.parametrize(
    ("word", "name"),
    [
        (ONE, ONE),
        ("latest", TWO),
        ("latest~0", TWO),
        ("latest~1", ONE),
        ("churn-20260101", ONE),
        ("bbbb", TWO),
        (".", TWO),
        (".kalec", TWO),
        (".kalec/store", TWO),
        (f".kalec/runs/{ONE}", ONE),
    ],
)
def test_which_run_is_meant(word: str, name: str, here: Here, two: Made) -> None:
    (here.folder / ".kalec" / "runs" / ONE).mkdir(parents=True)
    assert find.find(word, here.folder).record.run == name
    inside = here.folder / "a" / "b"
    inside.mkdir(parents=True)
    if "/" not in word and "." not in word:
        assert find.find(word, inside).record.run == name, "a store is found from below"


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("churn", "`churn` is the beginning of 2 runs"),
        ("latest~2", "there is no run `latest~2`: "),
        ("churn-20260103-000000-aaaa", f"there is no run `churn-20260103-000000-aaaa`: did you mean `{ONE}`?"),
        ("latst", "did you mean `latest`?"),
        ("nothing/here", "there is no folder nothing/here"),
        ("empty", "is neither the folder of a run nor one with runs"),
        ("zzz", "`kalec runs` lists the 2 that are kept in"),
    ],
)
def test_which_run_is_not_clear(word: str, message: str, here: Here, two: Made) -> None:
    (here.folder / "empty").mkdir()
    with pytest.raises(UsageError, match=re.escape(message)):
        find.find(word, here.folder)
    result = here.kalec("show", word)
    assert (result.status, result.out) == (2, "")
    assert message in result.err


def test_runs_of_folders_below_are_found(here: Here, two: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    below = here.folder / "books"
    below.mkdir()
    (here.folder / ".kalec").rename(below / ".kalec")
    (below / "deep").mkdir()
    Made(below / "deep").run("late-20260103-000000-cccc", number=9)
    assert [run["run"] for run in json.loads(here.kalec("runs", "--format", "json").out)] == [
        "late-20260103-000000-cccc", TWO, ONE,
    ]  # fmt: skip
    assert find.find("latest", here.folder).record.run == "late-20260103-000000-cccc"
    assert find.find("latest~1", here.folder).record.run == TWO
    assert find.find("bbbb", here.folder).record.run == TWO
    refused = here.kalec("gc")
    assert (refused.status, "has 2 stores below it: name one with --folder" in refused.err) == (2, True)
    assert here.kalec("gc", "--folder", str(below)).status == 0


# show


def test_a_run_is_shown(here: Here, two: Made) -> None:
    two.change_run(
        TWO, notebook_name="churn.ipynb", notebook_digest="sha256:" + "ab" * 32,
        provenance={
            "who": {"user": "ann", "host": "box"},
            "git": {"commit": "c" * 40, "dirty": True},
            "versions": {"kfp": "2.17.0"},
        },
    )  # fmt: skip
    out = here.kalec("show", TWO).out
    table = lines(out)
    for row in (
        ["by", "ann@box"],
        ["notebook", "churn.ipynb", "(abababababab)"],
        ["commit", "cccccccccccc,", "with", "changes", "that", "are", "not", "committed"],
        ["versions", "kfp", "2.17.0"],
        ["factor", "2"],
        ["train", "accuracy", "0.9"],
        ["signature", "not", "ours,", "or", "what", "it", "signs", "was", "changed"],
    ):
        assert row in table, out
    assert "a step and its variables" not in out, "hints go into no pipe"


def test_a_step_is_shown(here: Here, two: Made) -> None:
    out = here.kalec("show", "latest", "train").out
    table = lines(out)
    digest = two.store.manifest(TWO, "load", "after").variables["df"].digest.partition(":")[2][:12]
    assert ["df", "load", digest] in table
    assert ["packages", "numpy", "2.4.6,", "pandas", "3.1.1"] in table
    assert any(row[:2] == ["model", "dict"] and row[-2] == "data" for row in table), out
    assert ["accuracy", "0.9"] in table
    assert ["signature", "ours"] in table
    plain = json.loads(here.kalec("show", "latest", "train", "--format", "json").out)
    assert plain["signed"] == "signed"
    assert set(plain["variables"]) == {"model", "same"}
    assert "file" not in plain["variables"]["model"], "the places of pieces are the store's own business"


def test_a_variable_is_shown_without_what_it_holds(here: Here, two: Made) -> None:
    result = here.kalec("show", "latest", "load", "df")
    table = lines(result.out)
    assert ["shape", "1000", "x", "3"] in table
    assert ["b", "float64"] in table
    assert "999" not in result.out.replace("1000", "")
    seen = here.kalec("show", "latest", "load", "df", "--preview", "--rows", "2").out
    assert lines(seen)[-2:] == [["0", "0", "0.0", "x"], ["1", "1", "2.0", "x"]]
    plain = json.loads(here.kalec("show", "latest", "load", "df", "--format", "json").out)
    assert (plain["shape"], plain["dtypes"]["a"]) == ([1000, 3], "int64")


def test_the_code_of_a_step_is_shown(here: Here, two: Made) -> None:
    out = here.kalec("show", "latest", "train", "--code").out
    assert out.splitlines() == ["churn.ipynb train[1] (cell)", "model = fit(df)", "rate = 0.1"]


def test_a_failed_step_shows_what_it_had(here: Here, made: Made) -> None:
    before = made.manifest("r-1", "b", {"x": 1}, when=BEFORE)
    made.manifest("r-1", "b", {"x": 2}, when=FAILED, error="ValueError: no", status="failed")
    steps = (StepRecord("b", "b", status="failed", error="ValueError: no"),)
    made.run("r-1", before, steps=steps, status="failed")
    assert lines(here.kalec("show", "r-1", "b", "x", "--preview").out)[-1] == ["2"]
    (here.folder / ".kalec/store/runs/r-1/b/failed.json").unlink()
    out = here.kalec("show", "r-1", "b").out
    assert "variables before it" in out
    assert lines(here.kalec("show", "r-1", "b", "x", "--preview").out)[-1] == ["1"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("show", "latest", "tran"), "there is no step `tran`: did you mean `train`?"),
        (("show", "latest", "train", "modl"), "there is no variable of step train `modl`: did you mean `model`?"),
        (("show", "latest", "train", "--preview"), "--preview is for a variable"),
        (("show", "latest", "--export", "x.csv"), "--export is for a variable"),
        (("show", "latest", "--code"), "--code is for a step"),
        (("show", "latest", "--wait"), "--wait and --timeout are for the runs of an endpoint"),
        (("show", "latest", "--pipeline-root", "s3://b"), "--pipeline-root is for the runs of an endpoint"),
        (("diff", "latest", "latest", "--pipeline-root", "s3://b"), "--pipeline-root is for the runs of an endpoint"),
        (
            ("checkout", "latest", "--step", "a", "--from-notebook", "n.ipynb"),
            "--from-notebook is for the runs of an endpoint",
        ),
        (
            ("show", "latest", "--folder", ".", "--host", "http://localhost:1"),
            "--folder is for runs that are kept here",
        ),
        (("show", "latest", "train", "model", "--export", "x"), "has no ending that says a format"),
        (("show", "latest", "train", "model", "--export", "x.npy"), "npy"),
        (("show", "latest", "train", "model", "--export", "no/x.json"), "no/x.json cannot be written"),
        (("diff", "latest"), "name two runs or more"),
        (("diff", "latest", "latest", "--step", "tran"), "there is no step `tran`: did you mean `train`?"),
        (("diff", "latest", "nope"), "there is no run `nope`"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_mistakes_are_told_on_one_line(words: tuple[str, ...], message: str, here: Here, two: Made) -> None:
    result = here.kalec(*words)
    assert (result.status, result.out) == (2, "")
    assert message in result.err
    assert len(result.err.strip().splitlines()) == 1


def test_control_characters_of_names_do_not_reach_a_terminal(here: Here, made: Made) -> None:
    made.manifest("r-1", "a", {"x": "\x1b]0;owned\x07"}, error="\x1b[31mred", step="a")
    made.run("r-1", made.store.manifest("r-1", "a", "after"), notebook_name="\x1b[2Jn.ipynb")
    out = "".join(here.kalec(*words).out for words in (("show", "r-1"), ("show", "r-1", "a", "x", "--preview")))
    assert "\x1b" not in out and "\x07" not in out
    assert "\\x1b[2Jn.ipynb" in out


# export


def test_exports(here: Here, made: Made) -> None:
    values = {
        "df": frame(2.0), "series": frame(2.0)["b"], "array": np.arange(6.0).reshape(2, 3), "numbers": [1, 2, 3],
        "plain": {"a": [1, None]},
    }  # fmt: skip
    made.run("r-1", made.manifest("r-1", "s", values))

    def export(name: str, file: str) -> Path:
        result = here.kalec("show", "r-1", "s", name, "--export", file)
        assert (result.status, result.out) == (0, f"wrote {file}\n"), result.err
        return here.folder / file

    pd.testing.assert_frame_equal(pd.read_parquet(export("df", "df.parquet")), frame(2.0))
    pd.testing.assert_frame_equal(pd.read_csv(export("df", "df.csv"), index_col=0), frame(2.0))
    assert json.loads(export("df", "df.json").read_text())[1] == {"a": 1, "b": 2.0, "c": "x"}
    assert pd.read_parquet(export("series", "series.parquet"))["b"].tolist() == frame(2.0)["b"].tolist()
    assert np.load(export("array", "array.npy"), allow_pickle=False).tolist() == values["array"].tolist()
    assert export("array", "array.csv").read_text() == "0.0,1.0,2.0\n3.0,4.0,5.0\n"
    assert json.loads(export("plain", "plain.json").read_text()) == values["plain"]
    assert pickle.loads(export("plain", "plain.pickle").read_bytes()) == values["plain"]
    assert np.load(export("numbers", "numbers.npy")).tolist() == [1, 2, 3]
    raw = export("plain", "plain.kalec")
    assert loading.load(str(raw), None, ["plain"], None) == {"plain": values["plain"]}


def test_an_export_that_fails_leaves_the_file_that_was_there(here: Here, two: Made) -> None:
    (here.folder / "x.npy").write_text("mine")
    assert here.kalec("show", "latest", "train", "model", "--export", "x.npy").status == 2
    assert (here.folder / "x.npy").read_text() == "mine"


def test_what_nobody_vouches_for_is_not_loaded(here: Here, two: Made) -> None:
    """A manifest that was changed by hand: plain data is shown all the same, a table only with --trust."""
    file = here.folder / ".kalec/store/runs" / TWO / "load/after.json"
    file.write_text(file.read_text().replace('"status": ""', '"status": "x"').replace("3.11.7", "3.11.8"))
    refused = here.kalec("show", "latest", "load", "df", "--preview")
    assert (refused.status, refused.out) == (2, "")
    assert "--trust" in refused.err
    assert ["signature", "not", "ours,", "or", "what", "it", "signs", "was", "changed"] in lines(
        here.kalec("show", "latest", "load", "df").out
    )
    assert here.kalec("show", "latest", "load", "df", "--export", "x.csv").status == 2
    assert not (here.folder / "x.csv").exists()
    assert here.kalec("show", "latest", "load", "df", "--preview", "--trust").status == 0


def test_a_class_of_the_notebook_is_not_there(here: Here) -> None:
    here.write(
        "# %% step:make\nclass Net:\n    pass\n\nnet = Net()\nname = 'n'\n# %% step:end prev:make\nprint(net)\nx = net"
    )
    assert here.kalec("run", "n.ipynb").status == 0
    result = here.kalec("show", "latest", "make", "net", "--preview")
    assert (result.status, result.out) == (1, "")
    assert "cannot load 'net' (__main__.Net, made by step make with Python" in result.err
    assert "the notebook's 'Net' is not defined here; `kalec checkout` makes a notebook in which it is" in result.err
    assert len(result.err.splitlines()) == 1


def test_a_damaged_object_is_told(here: Here, two: Made) -> None:
    variable = two.store.manifest(TWO, "train", "after").variables["model"]
    assert variable.file is not None
    name = variable.file.chunks[0][0]
    (here.folder / ".kalec/store/objects/sha256" / name[:2] / name[2:]).write_bytes(b"x")
    result = here.kalec("show", "latest", "train", "model", "--preview")
    assert result.status == 2
    assert "is damaged: `kalec verify`" in result.err
    assert here.kalec("diff", ONE, TWO).status == 0, "that it differs is known all the same"


def test_what_was_not_kept_is_told(here: Here, made: Made) -> None:
    made.run("r-1", made.manifest("r-1", "s", {"lock": VariableRecord(type="lock", error="it cannot be pickled")}))
    assert "not kept: it cannot be pickled" in here.kalec("show", "r-1", "s").out
    result = here.kalec("show", "r-1", "s", "lock", "--preview")
    assert result.status == 2
    assert "lock was not kept: it cannot be pickled" in result.err


# diff


@contextlib.contextmanager
def forbidding() -> Iterator[None]:
    """Whatever unpickles fails."""

    def fail(*_: Any, **__: Any) -> Any:
        raise AssertionError("something was unpickled")

    class Fails:
        def __init__(self, *_: Any, **__: Any) -> None:
            fail()

    with pytest.MonkeyPatch.context() as patch:
        for name in ("load", "loads"):
            patch.setattr(pickle, name, fail)
        for name in ("Unpickler", "_Unpickler"):
            patch.setattr(pickle, name, Fails)
        for module, name in ((tiers, "load"), (loading, "load"), (loading, "_Unpickler")):
            patch.setattr(module, name, fail)
        yield


@pytest.fixture
def no_pickles() -> Iterator[None]:
    """Whatever unpickles fails."""
    with forbidding():
        yield


@pytest.mark.usefixtures("no_pickles")
def test_one_changed_parameter_is_named_with_the_first_step_and_the_columns(here: Here, two: Made) -> None:
    result = here.kalec("diff", ONE, TWO)
    assert (result.status, result.err) == (0, "")
    assert "A and B: the first step that differs is load (parameter factor, result df)" in result.out
    table = lines(result.out)
    assert ["factor", "1", "2"] in table
    assert ["df", "changed", "columns", "changed:", "b"] in table
    assert ["accuracy", "0.8", "0.9", "*"] in table
    assert ["loss", "0.2", "0.1", "*"] in table
    assert ["train", "1.00", "s", "1.00", "s", "input", "df,", "result", "model"] in table
    assert "same" not in [row[0] for row in table if row]
    assert "packages" not in result.out and "code" not in result.out


@pytest.mark.usefixtures("no_pickles")
def test_a_diff_for_programs(here: Here, two: Made) -> None:
    found = json.loads(here.kalec("diff", ONE, TWO, "--format", "json").out)
    assert found["runs"] == [ONE, TWO]
    assert found["first"] == ["load"]
    assert found["parameters"] == [{"name": "factor", "values": [1.0, 2.0], "differs": True}]
    assert [(row["name"], row["best"]) for row in found["metrics"]] == [("accuracy", [1]), ("loss", [1])]
    load, train = found["steps"]
    (variable,) = load["against"][0]["variables"]
    assert variable["columns"] == {"changed": ["b"], "added": [], "removed": []}
    assert train["against"][0]["reasons"] == ["input df", "result model"]
    rows = list(csv.DictReader(io.StringIO(here.kalec("diff", ONE, TWO, "--format", "csv").out)))
    assert {"kind": "parameter", "name": "factor", "differs": "yes", ONE: "1", TWO: "2"} in rows


def test_values_that_differ_do_not_look_equal(here: Here, made: Made) -> None:
    for number, (name, score) in enumerate(((ONE, 0.1234567), (TWO, 0.12345671))):
        keep(made, name, number)
        *steps, last = made.store.run(name).steps
        made.change_run(name, steps=(*steps, replace(last, metrics={"score": score, "same": 0.1 + 0.2})))
    (row,) = [line.split() for line in here.kalec("diff", ONE, TWO).out.splitlines() if line.startswith("score ")]
    assert [row[1], row[2 if row[2] != "*" else 3]] == ["0.1234567", "0.12345671"]
    rows = list(csv.DictReader(io.StringIO(here.kalec("diff", ONE, TWO, "--format", "csv").out)))
    numbers = {one["name"]: (one[ONE], one[TWO]) for one in rows if one["kind"] == "metric"}
    assert numbers["score"] == ("0.1234567", "0.12345671")
    assert numbers["same"] == (str(0.1 + 0.2),) * 2
    assert quantities.values([1.0, 1.0 + 2**-52, None, "x"]) == ["1", "1.0000000000000002", "", '"x"']
    assert quantities.values([0.1, float("nan"), -float("nan")]) == ["0.1", "nan", "nan"]


def test_the_same_run_does_not_differ(here: Here, two: Made) -> None:
    result = here.kalec("diff", TWO, TWO)
    assert "A and B do not differ in any step" in result.out
    assert "parameters" not in result.out


@pytest.mark.usefixtures("no_pickles")
def test_changed_code_is_shown_as_a_patch(here: Here, made: Made) -> None:
    keep(made, ONE, 0, rate=0.1)
    keep(made, TWO, 1, rate=0.2, weight=3)
    out = here.kalec("diff", ONE, TWO).out
    assert "the first step that differs is train (code, result model)" in out
    assert out.splitlines()[-6:] == [
        "--- a/churn.ipynb train[1]",
        "+++ b/churn.ipynb train[1]",
        "@@ -1,2 +1,2 @@",
        " model = fit(df)",
        "-rate = 0.1",
        "+rate = 0.2",
    ]
    load = here.kalec("diff", ONE, TWO, "--step", "load").out
    assert "do not differ" in load and "train" not in load


def test_packages_that_differ(here: Here, made: Made) -> None:
    keep(made, ONE, 0)
    keep(made, TWO, 1, environment={**ENVIRONMENT, "packages": ["numpy-2.5.0", "pandas-3.1.1", "polars-1.0"]})
    out = here.kalec("diff", ONE, TWO).out
    assert ["numpy", "2.4.6", "2.5.0"] in lines(out)
    assert ["polars", "1.0"] in lines(out)
    assert "pandas" not in out
    assert "do not differ in any step" in out


def test_a_step_that_is_not_reproducible_is_pointed_out(here: Here, made: Made) -> None:
    keep(made, ONE, 0, weight=1)
    keep(made, TWO, 1, weight=2, accuracy=0.6)
    out = here.kalec("diff", ONE, TWO).out
    assert f"step train was given the same in {ONE} and {TWO}, and is not reproducible: does it set a seed?" in out
    keep(made, "churn-3", 2, weight=2, environment={**ENVIRONMENT, "packages": ["numpy-9"]})
    assert "may depend on the packages that differ" in here.kalec("diff", ONE, "churn-3").out


def test_three_runs_and_steps_that_only_one_has(here: Here, two: Made) -> None:
    load = two.manifest("churn-3", "load", {"df": frame(1.0).drop(columns="c").assign(d=1)}, environment=ENVIRONMENT)
    two.run("churn-3", load, two.manifest("churn-3", "extra", {}), number=2, parameters={"factor": 1.0, "new": "x"})
    found = json.loads(here.kalec("diff", ONE, TWO, "churn-3", "--format", "json").out)
    assert found["first"] == ["load", "load"]
    steps = {step["name"]: step for step in found["steps"]}
    assert list(steps) == ["load", "train", "extra"]
    (change,) = steps["load"]["against"][1]["variables"]
    assert change["columns"] == {"changed": [], "added": ["d"], "removed": ["c"]}
    assert [other["reasons"] for other in steps["train"]["against"]] == [
        ["input df", "result model"],
        [f"only in {ONE}"],
    ]
    assert [other["reasons"] for other in steps["extra"]["against"]] == [[], ["only in churn-3"]]
    assert {"name": "new", "values": [None, None, "x"], "differs": True} in found["parameters"]
    out = here.kalec("diff", ONE, TWO, "churn-3").out
    assert "A and C: the first step that differs is load (parameter factor, result df)" in out
    assert ["df", "changed", "shape", "1000", "x", "3"] in [row[:6] for row in lines(out)] or "added: d" in out


def test_columns_come_from_the_manifest_where_it_has_them(here: Here, made: Made) -> None:
    for number, name in enumerate((ONE, TWO)):
        record = VariableRecord(
            type="pandas.DataFrame", size=1 << 40, digest=f"sha256:{number}",
            extra={"columns": {"a": "1", "b": str(number)}},
        )  # fmt: skip
        made.run(name, made.manifest(name, "load", {"df": record}), number=number)
    assert ["df", "changed", "columns", "changed:", "b"] in lines(here.kalec("diff", ONE, TWO).out)


def test_how_a_step_ended_and_other_changes(here: Here, made: Made) -> None:
    one = {"x": 1, "gone": 2, "kind": [1], "array": np.zeros((2, 2)), "unbound": VariableRecord(absent=True)}
    two: dict[str, Any] = {"x": 1, "new": 2, "kind": (1,), "array": np.zeros((3, 2), "f4"), "unbound": 3}
    made.run(ONE, made.manifest(ONE, "s", one))
    steps = (StepRecord("s", "s", status="reused", source=f"{ONE}/s"),)
    made.run(TWO, made.manifest(TWO, "s", two), steps=steps, number=1)
    table = lines(here.kalec("diff", ONE, TWO).out)
    assert ["gone", "removed"] in table
    assert ["new", "added"] in table
    assert ["kind", "changed", "type", "list", "->", "tuple"] in table
    assert "array changed shape 2 x 2 -> 3 x 2; dtype float64 -> float32".split() in table
    assert "unbound changed bound in one only".split() in table
    assert "how it ended" not in here.kalec("diff", ONE, TWO).out, "reused is as good as succeeded"


def test_files_of_python_and_the_system_do_not_bury_a_parameter(here: Here, made: Made) -> None:
    fonts = [f"/usr/share/fonts/dejavu/font{number}.ttf" for number in range(150)]
    fonts += ["/opt/env/lib/python3.12/site-packages/numpy/__init__.py", "/opt/env/lib/python3.12/json/__init__.py"]
    own = ["/library/in.csv", *(f"data/{number}.csv" for number in range(9))]

    def step(run: str, name: str, bins: int, paths: list[str]) -> Manifest:
        files = tuple({"path": path, "mode": "read", "digest": f"{bins}"} for path in paths)
        return made.manifest(run, name, {}, parameters={"bins": {"type": "int", "value": bins}}, files=files)

    for number, (run, bins) in enumerate([(ONE, 5), (TWO, 6)]):
        known = {"type": "int", "value": 1}
        seen = [{"path": "same.txt", "mode": "read", "digest": "1"}]
        only = [{"path": path, "mode": "read", "digest": "1"} for path in (fonts if bins == 5 else [])]
        bare = made.manifest(run, "bare", {}, parameters={"k": known}, files=(*seen, *only))
        made.run(run, step(run, "plot", bins, [*fonts, *own]), bare, number=number)
    out = here.kalec("diff", ONE, TWO).out
    named = "parameter bins, file /library/in.csv, file data/0.csv, file data/1.csv"
    words = f"{named}, 7 more files, 152 files of Python or the system"
    assert f"the first step that differs is plot ({words})" in out
    assert words in next(line for line in out.splitlines() if line.split()[:1] == ["plot"])
    (bare_line,) = [line for line in out.splitlines() if line.split()[:1] == ["bare"]]
    assert "numpy/__init__.py, file /usr/share/fonts/dejavu/font0.ttf, 149 files of Python or the system" in bare_line
    assert len(out) < 2000
    found = json.loads(here.kalec("diff", ONE, TWO, "--format", "json").out)
    assert len(found["steps"][0]["against"][0]["reasons"]) == 163  # programs get them all


def test_the_same_content_in_other_bytes_is_no_difference(here: Here, made: Made) -> None:
    """A set of texts is pickled in another order in each process."""
    for number, (name, values) in enumerate(((ONE, [0, 8]), (TWO, [8, 0]))):
        make = made.manifest(name, "make", {"s": set(values)}, environment=ENVIRONMENT)
        inputs = {"s": {"from": "make", "digest": make.variables["s"].digest}}
        made.run(name, make, made.manifest(name, "end", {"x": 1}, inputs=inputs), number=number)
    digests = {made.store.manifest(name, "make", "after").variables["s"].digest for name in (ONE, TWO)}
    assert len(digests) == 2
    out = here.kalec("diff", ONE, TWO).out
    assert "A and B do not differ in any step" in out
    assert "s same the same content in other bytes".split() in lines(out)
    assert "reproducible" not in out


def test_how_much_of_a_large_value_differs(here: Here, made: Made) -> None:
    one = np.arange(1 << 20)
    two = one.copy()
    two[-1] = 0
    for number, (name, value) in enumerate(((ONE, one), (TWO, two))):
        made.run(name, made.manifest(name, "s", {"big": value}), number=number)
    (row,) = [row for row in lines(here.kalec("diff", ONE, TWO).out) if row[:1] == ["big"]]
    assert row == ["big", "changed", "1", "MB", "of", "8.4", "MB", "differ"]


class Page(HTMLParser):
    """Collects the tags of a page, and what it would fetch."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.fetched: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.fetched += [value or "" for name, value in attrs if name in {"src", "href", "srcset", "data"}]


def test_a_page_with_charts_that_opens_offline(here: Here, made: Made) -> None:
    keep(made, ONE, 0, 1.0, 0.8, rate=1)
    keep(made, TWO, 1, 2.0, 0.9, rate='"<script>alert(1)</script>"')
    result = here.kalec("diff", ONE, TWO, "--format", "html", "-o", "out.html")
    assert (result.status, result.out) == (0, "")
    text = (here.folder / "out.html").read_text()
    page = Page(text)
    assert "script" not in page.tags and "&lt;script&gt;" in text
    assert page.fetched == []
    assert page.tags.count("svg") == 2
    assert page.tags.count("rect") == 8
    assert "columns changed: b" in text


def test_text_into_a_file(here: Here, two: Made) -> None:
    assert here.kalec("diff", ONE, TWO, "-o", "out.txt").status == 0
    assert "the first step that differs is load" in (here.folder / "out.txt").read_text()


def test_a_real_run_is_listed_shown_and_compared(here: Here) -> None:
    here.write(NOTEBOOK)
    assert here.kalec("run", "n.ipynb").status == 0
    assert here.kalec("run", "n.ipynb", "-p", "rate=3").status == 0
    assert len(here.kalec("runs").out.splitlines()) == 3
    assert lines(here.kalec("show", "latest", "end", "total", "--preview").out)[-1] == ["18"]
    out = here.kalec("diff", "latest~1", "latest").out
    assert "the first step that differs is scale (parameter rate, result scaled)" in out
    assert ["rate", "2", "3"] in lines(out)
    assert "scaled = [rate * n for n in numbers]" in here.kalec("show", "latest", "scale", "--code").out
    edited = "scaled = [rate * n + 1 for n in numbers]"
    here.write(NOTEBOOK.replace("scaled = [rate * n for n in numbers]", edited))
    assert here.kalec("run", "n.ipynb").status == 0
    assert f"+{edited}" in here.kalec("diff", "latest~2", "latest").out.splitlines()


def test_real_runs_that_differ_in_one_parameter(here: Here) -> None:
    here.write(
        "# %% imports\nimport pandas as pd\n# %% pipeline-parameters\nrate = 2\n# %% step:make\n"
        "df = pd.DataFrame({'a': range(9), 'b': range(9), 'c': list('abcabcabc')})\n# %% step:scale prev:make\n"
        "scaled = df.assign(b=df['b'] * rate, words=[{'x', 'y', str(rate)}] * 9)\n# %% step:end prev:scale\n"
        "total = int(scaled['b'].sum())"
    )
    for words in ((), ("-p", "rate=3")):
        assert here.kalec("run", "n.ipynb", *words).status == 0
    with forbidding():
        out = here.kalec("diff", "latest~1", "latest").out
    assert "the first step that differs is scale (parameter rate, result scaled)" in out
    assert ["scaled", "changed", "columns", "changed:", "b,", "words"] in lines(out)
    assert [row[-2:] for row in lines(out) if row[:1] == ["make"]] == [["the", "same"]]


def test_times_are_those_of_the_record(made: Made) -> None:
    assert made.run("r-1", number=2).started == START + 7200
