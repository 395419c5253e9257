"""What `kalec show` says of a run's origin; runs that should be equal; which metric is the better one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from keptruns import Made
from submitting import Here, clean_surroundings
from test_look import ONE, TWO, keep

from kalecompiler.snapshots import manifest, metricsense, origin, packagecode, signing

KNOWN: dict[str, Any] = {
    "who": {"user": "ann", "host": "box"},
    "notebook": {"path": "/home/ann/churn.ipynb", "sha256": "ab" * 32},
    "git": {"commit": "cd" * 20, "branch": "main", "dirty": True, "notebook": True},
    "package": {"sha256": "ef" * 32},
    "versions": {"python": "3.11.7", "system": "Linux x86_64", "kalecompiler": "1.0", "kfp": "2.17.0"},
    "packages": {f"package-{number}": "1.0" for number in range(9)},
    "requirements": {"load": ["pandas>=2"], "train": []},
    "seeds": [{"where": "churn.ipynb load[1]", "code": "random.seed(7)"}],
    "files": [
        {"path": "data.csv", "size": 8, "sha256": "12" * 32},
        {"path": "big.bin", "size": 1 << 40, "modified": 1.0},
    ],
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Here:
    clean_surroundings(tmp_path, monkeypatch)
    monkeypatch.setenv("KALEC_SNAPSHOT_KEY_FILE", str(tmp_path / "key"))
    signing.forget()
    return Here(tmp_path, capsys)


def measured(made: Made, name: str, known: Any = KNOWN, **metrics: Any) -> None:
    """Give a run an origin, and its last step metrics."""
    record = made.store.run(name)
    *steps, last = record.steps
    made.change_run(name, provenance=known, steps=(*steps, replace(last, metrics=metrics)))


def test_a_run_says_where_it_comes_from(here: Here) -> None:
    made = Made(here.folder)
    keep(made, ONE, 0)
    measured(made, ONE)
    lines = [" ".join(line.split()) for line in here.kalec("show", ONE).out.splitlines()]
    for line in (
        "branch main",
        f"versions {', '.join(f'{name} {text}' for name, text in KNOWN['versions'].items())}",
        "package hash " + "ef" * 6,
        "load pandas>=2",
        "churn.ipynb load[1] random.seed(7)",
        "data.csv 8 B 121212121212",
        "big.bin 1.1 TB not read: too large",
    ):
        assert line in lines
    assert any(
        line.startswith("installed 9 packages (package-0 1.0, ") and line.endswith("and 3 more)") for line in lines
    )
    told = json.loads(here.kalec("show", ONE, "--format", "json").out)
    assert (told["provenance"], told["notes"]) == (KNOWN, [])


def test_runs_with_equal_records_and_other_metrics_are_not_reproducible(here: Here) -> None:
    made = Made(here.folder)
    for number, name in enumerate((ONE, TWO)):
        keep(made, name, number)
        measured(made, name, score=0.5 + number, same=1.0)
    note = f"not reproducible: {TWO} had the same code, parameters, packages and files, and other metrics"
    assert f"{note} (score 0.5 here, 1.5 there)" in here.kalec("show", ONE).out
    assert json.loads(here.kalec("show", ONE, "--format", "json").out)["notes"][0].startswith(note)
    assert "not reproducible" not in here.kalec("show", ONE, "train").out
    both = f"{ONE} and {TWO} had the same code, parameters, packages and files, and differ in score: not reproducible"
    assert both in here.kalec("diff", ONE, TWO).out
    for different in (
        {"provenance": {**KNOWN, "files": []}},
        {"parameters": {"factor": 2.0}},
        {"status": "failed"},
        {"provenance": {}},
    ):
        before = made.store.run(TWO)
        made.change_run(TWO, **different)
        assert "not reproducible:" not in here.kalec("show", ONE).out
        assert both not in here.kalec("diff", ONE, TWO).out
        made.store.write_run(before)
    for number in range(2, 7):
        keep(made, f"churn-2026010{number + 1}-000000-cccc", number)
        measured(made, f"churn-2026010{number + 1}-000000-cccc", score=0.5 + number)
    assert "not reproducible: 3 more runs differ from this one in the same way" in here.kalec("show", ONE).out


@pytest.mark.parametrize(
    "known",
    [{}, {"versions": 3, "git": None, "packages": [], "files": [3, {"size": "x"}], "seeds": "x"}],
    ids=["none", "of other kinds"],
)
def test_a_record_of_another_version_is_shown_as_far_as_it_goes(known: Any) -> None:
    record = replace(manifest.RunRecord("r", status="succeeded"), provenance=known)
    assert origin.facts(record) == {}
    assert len(origin.blocks(record)) in (0, 2)
    assert origin.notes(record, [record]) == ()


def test_a_record_without_the_field_is_read(here: Here) -> None:
    made = Made(here.folder)
    keep(made, ONE, 0)
    assert made.store.run(ONE).provenance == {}
    assert here.kalec("show", ONE).status == 0


def spec(better: str | None) -> dict[str, Any]:
    """A package whose step `train` measures `accuracy`, `x` and `loss`."""
    values = [{"name": "accuracy"}, {"name": "x"} | ({"better": better} if better else {}), {"name": "loss"}]
    step = {"format": 1, "step": "train", "metrics": {"values": values}, "code": []}
    return {
        "root": {"dag": {"tasks": {"train": {"componentRef": {"name": "c"}}}}},
        "components": {"c": {"executorLabel": "e"}},
        "deploymentSpec": {"executors": {"e": {"container": {"args": [json.dumps(step)]}}}},
    }


def test_the_package_says_which_metric_is_the_better_one() -> None:
    assert packagecode.better(spec("min")) == {("train", "x"): "min"}
    assert packagecode.better(spec(None)) == {}
    assert packagecode.better({"root": 3}) == {}


@pytest.mark.parametrize(
    ("name", "better", "best"),
    [
        ("x", "max", {1}),
        ("x", "min", {0}),
        ("x", None, set()),
        ("accuracy", "min", {0}),
        ("accuracy", None, {1}),
        ("loss", None, {0}),
    ],
)
def test_the_author_goes_before_the_name(name: str, better: str | None, best: set[int]) -> None:
    assert metricsense.best(name, [1.0, 2.0], better) == best


def test_diff_marks_the_best_as_the_notebook_says(here: Here) -> None:
    made = Made(here.folder)
    for number, name in enumerate((ONE, TWO)):
        keep(made, name, number)
        made.change_run(name, package=made.store.put_bytes(json.dumps(spec("min")).encode()))
        measured(made, name, x=1.0 + number, accuracy=0.5)
    found = json.loads(here.kalec("diff", ONE, TWO, "--format", "json").out)
    assert {row["name"]: row["best"] for row in found["metrics"]}["x"] == [0]
    assert "1 *" in here.kalec("diff", ONE, TWO).out
