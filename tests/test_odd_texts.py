"""Half of a surrogate pair in what a step shows, as names of odd files have it: reports and trackers live with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support import write_notebook
from test_tracking import Told, made_run, project, queue, told

from kalecompiler import encodable
from kalecompiler.cli import main
from kalecompiler.local.results import RunEnded
from kalecompiler.reporting import record, writing
from kalecompiler.tracking import sender
from kalecompiler.tracking.backlog import Call
from kalecompiler.tracking.telling import Teller

ODD = r"""
# %% step:a metrics:matrix=confusion
class R:
    def _repr_html_(self): return "caf\udce9"
    def __repr__(self): return "plain\ud800"
R()
# %% step:a
matrix, matrix_labels = [[1, 2], [3, 4]], ["caf\udce9", "b"]
print("printed\udce9")
# %% step:b prev:a
raise ValueError("caf\udce9")
"""


@pytest.mark.parametrize("tail", ["", "raise ValueError"], ids=["succeeds", "fails"])
def test_a_run_with_a_tracker_ends_as_it_did_and_can_be_reported(
    tmp_path: Path, tail: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = ODD if tail else ODD.replace('raise ValueError("caf\\udce9")', "x = 1")
    assert main(["run", str(project(tmp_path, "jsonl", text=text))]) == (1 if tail else 0)
    assert "bug" not in capfd.readouterr().err
    assert told(tmp_path / ".kalec" / "runs.jsonl")[-1]["status"] == ("failed" if tail else "succeeded")
    monkeypatch.chdir(tmp_path)
    assert main(["report", "latest"]) == 0
    folder = made_run(tmp_path)
    assert "caf?" in (folder / "report.html").read_text("utf-8")
    book = json.loads((folder / "executed.ipynb").read_text("utf-8"))
    assert book["cells"][0]["outputs"][0]["data"] == {"text/html": ["caf?"], "text/plain": ["plain?"]}


def test_only_halves_of_pairs_are_replaced() -> None:
    value = {"a\ud800": ["b\udce9", 1, None], "c": "\u00e9\U0001f600\\ud800"}
    assert encodable.loads(json.dumps(value)) == {"a?": ["b?", 1, None], "c": "\u00e9\U0001f600\\ud800"}
    assert encodable.plain("caf\udce9") == "caf?"


def test_calls_reach_a_tracker_as_texts_that_can_be_written(tmp_path: Path) -> None:
    made, tracker = queue(tmp_path, 0, complete=False), Told()
    made.add(Call(0, 1.0, "metrics", {"step": "s", "values": {"x": "caf\udce9"}}))
    made.report("caf\udce9")
    sender.deliver(made, tracker)
    assert tracker.calls == [("metrics", "s", {"x": "caf?"}, 0)]
    assert made.problem() == "caf?"


def test_nothing_that_goes_wrong_in_telling_reaches_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notes: list[str] = []
    teller = Teller([], notes.append)
    monkeypatch.setattr(Teller, "_take", lambda self, event: 1 / 0)
    teller.take(RunEnded(None))  # type: ignore[arg-type]
    assert notes == ["warning: trackers are not told all of the run: ZeroDivisionError: division by zero"]


def test_an_executed_notebook_that_cannot_be_made_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(writing.executed, "text", lambda run: 1 / 0)
    assert main(["run", str(project(tmp_path, "jsonl", text="# %% step:a\nx = 1"))]) == 0
    assert "warning: trackers do not get the executed notebook: ZeroDivisionError" in capfd.readouterr().err
    assert told(tmp_path / ".kalec" / "runs.jsonl")[-1]["status"] == "succeeded"


def test_what_cells_displayed_may_be_damaged(tmp_path: Path) -> None:
    assert main(["run", str(write_notebook(tmp_path / "n.ipynb", "# %% step:a\n'shown'"))]) == 0
    folder = made_run(tmp_path)
    whole = {"kind": "stream", "name": "stdout", "text": "kept"}
    for damaged in (
        [{"cell": 5}, {"cell": {}, "outputs": [whole]}],
        [{"outputs": [5, {}, {"kind": "result"}, {"kind": "stream", "name": "x"}, {"kind": "error"}, whole]}],
        [{"cell": "x", "outputs": 3}, 3, None, {"started": "x", "seconds": [], "outputs": [whole]}],
    ):
        (folder / "a" / "display.json").write_text(json.dumps(damaged))
        assert main(["report", str(folder)]) == 0
        outputs = [one for step in record.read(folder).steps for entry in step.displays for one in entry["outputs"]]
        assert outputs == [whole]
        assert "kept" in (folder / "report.html").read_text("utf-8")
    for other in ({"a": 1}, 3, "x", None):
        (folder / "a" / "display.json").write_text(json.dumps(other))
        assert main(["report", str(folder)]) == 0
