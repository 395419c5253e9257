"""`kalec report`: the executed notebook and the HTML page of a local run."""

from __future__ import annotations

import json
import re
import shutil
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import nbformat
import pytest
from support import write_notebook

from kalecompiler.cli import main

SCRIPT = "<script>alert('x')</script>"
NOTEBOOK = f"""
# %% [markdown]
A *note* <script>alert("markdown")</script>
# %% [raw]
<script>alert("raw")</script>
# %% imports
import pandas
# %% pipeline-parameters
rows = 3
label = "</code><script>alert('parameter')</script>"
# %% step:load
frame = pandas.DataFrame({{"text": ["{SCRIPT}"] * rows}})
frame
# %% step:load
print("{SCRIPT}")
len(frame)
# %% step:train
import time
time.sleep(0.2)
score = 1.0 / len(frame)
frame.shape[0] / rows
# %% step:train
class Odd:
    def _repr_mimebundle_(self, include=None, exclude=None):
        evil = '"><script>alert("mime")</script>'
        return {{"image/png": evil, "text/latex": evil, "text/plain": evil}}
Odd()
# %% step:train
class Latex:
    def _repr_latex_(self):
        return "<script>alert('latex')</script>"
Latex()
# %% step:train
class Vector:
    def _repr_svg_(self):
        return "<svg xmlns='http://www.w3.org/2000/svg'><script>alert('svg')</script></svg>"
Vector()
# %% step:train
class Code:
    def _repr_javascript_(self):
        return "alert('js')"
    def _repr_html_(self):
        return "</div></div><b onclick='alert(1)'>bold</b><script>alert('html')</script><!--"
Code()
# %% pipeline-metrics
print(score)
"""


class Page(HTMLParser):
    """What a browser would make of a page: its tags, and its text outside of styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.style = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.style = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self.style = self.style and tag != "style"

    def handle_data(self, data: str) -> None:
        self.text += "" if self.style else data

    def count(self, tag: str, part: str = "") -> int:
        return sum(t == tag and part in (a.get("class") or "").split() + [""] for t, a in self.tags)


def run(path: Path, *options: str, status: int = 0) -> Path:
    """Run a notebook by the command line; the run's folder."""
    before = set((path.parent / ".kalec" / "runs").glob("*-*"))
    assert main(["run", str(path), *options]) == status
    (made,) = set((path.parent / ".kalec" / "runs").glob("*-*")) - before
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run with its report."""
    place = tmp_path_factory.mktemp("report")
    folder = run(write_notebook(place / "tables.ipynb", NOTEBOOK))
    assert main(["report", str(folder)]) == 0
    return folder


def page(folder: Path) -> Page:
    return Page((folder / "report.html").read_text("utf-8"))


def cells(folder: Path) -> list[Any]:
    book = nbformat.read(folder / "executed.ipynb", as_version=4)
    nbformat.validate(book)
    return list(book.cells)


def test_the_executed_notebook_has_what_the_cells_displayed(folder: Path) -> None:
    found = cells(folder)[1:]
    assert [cell.source.split("\n")[0] for cell in found][1:3] == ["import pandas", "rows = 3"]
    assert found[3].outputs[0].output_type == "execute_result"
    assert set(found[3].outputs[0].data) >= {"text/plain", "text/html"}
    assert [output.output_type for output in found[4].outputs] == ["stream", "execute_result"]
    assert found[4].outputs[0].text == SCRIPT + "\n"
    assert found[4].outputs[1].data["text/plain"] == "3"
    assert found[5].outputs[0].data["text/plain"] == "1.0"


def test_each_cell_knows_its_steps_and_their_times(folder: Path) -> None:
    found = cells(folder)[1:]
    steps = [[step["name"] for step in cell.metadata.get("kalec", {}).get("steps", [])] for cell in found]
    assert steps[:6] == [[], ["load"], [], ["load"], ["load"], ["train"]]
    assert found[3].metadata.kalec.steps[0].status == "succeeded"
    assert found[5].metadata.kalec.steps[0].seconds >= 0.2
    assert found[4].metadata.kalec.steps[0].seconds < found[5].metadata.kalec.steps[0].seconds
    times = found[3].metadata.execution
    assert (
        times["shell.execute_reply.started"]
        < times["shell.execute_reply"]
        <= found[5].metadata.execution["shell.execute_reply"]
    )
    counts = [cell.execution_count for cell in found if cell.get("execution_count")]
    assert counts == sorted(counts)
    assert found[5].outputs[0].execution_count == found[5].execution_count


def test_outputs_from_before_the_run_are_not_taken_for_its_own(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "old.ipynb", "# %% step:a\nx = 1\n# %% skip\nx = 2")
    document = json.loads(path.read_text("utf-8"))
    for cell in document["cells"]:
        cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "stale"}]
        cell["execution_count"] = 77
    path.write_text(json.dumps(document), "utf-8")
    made = run(path)
    path.write_text("{}", "utf-8")  # the report tells of the notebook that ran
    assert main(["report", str(made), "--format", "ipynb"]) == 0
    assert "stale" not in (made / "executed.ipynb").read_text("utf-8")
    assert [cell.execution_count for cell in cells(made)] == [1, None]
    assert not (made / "report.html").exists()


def test_the_page_shows_graph_parameters_metrics_logs_and_lineage(folder: Path) -> None:
    shown = page(folder)
    assert shown.count("svg", "graph") == 1
    assert shown.count("rect", "succeeded") >= 2
    ids = [a.get("id") for _, a in shown.tags if a.get("id")]
    assert {
        "graph",
        "parameters",
        "metrics",
        "steps",
        "lineage",
        "notebook",
        "provenance",
        "step-load",
        "step-train",
    } <= set(ids)
    links = {a["href"] for tag, a in shown.tags if tag == "a" and (a.get("href") or "").startswith("#step-")}
    assert links == {"#step-load", "#step-train"}
    assert "0.333333" in shown.text
    assert "pandas.DataFrame" in shown.text
    assert shown.count("pre", "log") >= 2


def test_what_is_text_stays_text_wherever_it_stands(folder: Path) -> None:
    shown = page(folder)
    assert shown.count("script") == 0
    assert shown.text.count(SCRIPT) >= 3 + 1 + 1  # rows of the table, the log, the output of print
    assert "alert('parameter')" in shown.text
    assert not [name for _, attributes in shown.tags for name in attributes if name.startswith("on")]


def test_the_page_names_no_address_but_that_of_svg(folder: Path) -> None:
    text = (folder / "report.html").read_text("utf-8")
    assert set(re.findall(r"https?://[^\"'<> )]+", text)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    (policy,) = [
        a["content"] for tag, a in page(folder).tags if (a.get("http-equiv") or "") == "Content-Security-Policy"
    ]
    assert policy is not None
    assert policy.startswith("default-src 'none'")


def test_a_failed_run_is_reported_as_far_as_it_came(tmp_path: Path) -> None:
    text = "# %% step:a\nx = 1\nprint('so far')\n# %% step:b\ny = 1 / (x - 1)\n# %% step:b\nw = 2\n# %% step:c\nz = y"
    made = run(write_notebook(tmp_path / "bad.ipynb", text), status=1)
    assert main(["report", str(made)]) == 0
    first, second, after, third = cells(made)
    assert (after.outputs, after.execution_count) == ([], None)  # of the step that failed, below the failure
    assert "seconds" not in after.metadata.kalec.steps[0]
    assert first.outputs[0].text == "so far\n"
    assert second.outputs[-1].ename == "ZeroDivisionError"
    assert (third.outputs, third.execution_count) == ([], None)
    assert third.metadata.kalec.steps[0].status == "skipped"
    shown = page(made)
    assert (shown.count("rect", "failed"), shown.count("rect", "skipped")) >= (1, 1)
    assert "ZeroDivisionError: division by zero" in shown.text


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing", "there is no run `nothing`"),
        ("latest~9", "there is no run `latest~9`: "),
        ("many-2", "`many-2` is the beginning of 2 runs"),
    ],
)
def test_runs_that_are_not_there(tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str, message: str) -> None:
    for number in (1, 2):
        own = tmp_path / "deep" / ".kalec" / "runs" / f"many-20261121-00000{number}-abcd"
        own.mkdir(parents=True)
        (own / "run.json").write_text("{}", "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        assert main(["report", name]) == 2
    assert message in capfd.readouterr().err


def test_a_run_is_found_by_id_prefix_age_and_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from kalecompiler.reporting.find import find

    root = tmp_path / "books" / ".kalec" / "runs"
    names = ["b-20261121-120000-aaaa", "a-20261121-130000-bbbb"]
    for name in names:
        (root / name).mkdir(parents=True)
        (root / name / "run.json").write_text("{}", "utf-8")
    (root / "latest").symlink_to(names[1])
    monkeypatch.chdir(tmp_path)
    wanted = {"latest": 1, "latest~0": 1, "latest~1": 0, names[0]: 0, "b-": 0, str(root / names[1]): 1}
    assert {name: find(name).name for name in wanted} == {name: names[number] for name, number in wanted.items()}
    assert find("latest", root).name == names[1]


def test_a_file_can_be_named_and_its_end_says_the_format(folder: Path, tmp_path: Path) -> None:
    for name in ("one.html", "two.ipynb"):
        assert main(["report", str(folder), "-o", str(tmp_path / name)]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.html", "two.ipynb"]
    assert main(["report", str(folder), "-o", str(tmp_path / "three.txt")]) == 2


def test_a_run_folder_can_be_moved_and_still_be_reported_on(folder: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(folder, tmp_path / "elsewhere")
    for name in ("report.html", "executed.ipynb"):
        (moved / name).unlink()
    assert main(["report", str(moved)]) == 0
    assert "load" in page(moved).text
    text = (moved / "report.html").read_text("utf-8")
    rows = re.findall(r"<tr><td>frame</td>.*?</tr>", text, re.DOTALL)
    assert len(rows) == 1
    assert "<td>train</td>" in rows[0]


def test_steps_that_were_not_wanted_are_shown_as_such(tmp_path: Path) -> None:
    text = "# %% step:a\nx = 1\nx\n# %% step:b\ny = x"
    made = run(write_notebook(tmp_path / "part.ipynb", text), "--until", "a")
    assert main(["report", str(made)]) == 0
    assert [cell.execution_count for cell in cells(made)] == [1, None]
    assert page(made).count("rect", "not-run") == 1


REUSED = """
# %% step:a metrics:matrix=confusion
matrix = [[1, 2], [3, 4]]
print("shown by a")
x = 5
# %% step:b prev:a
y = x + 1
y
# %% pipeline-metrics
x
"""


def test_what_reused_steps_displayed_is_reported_from_the_run_that_they_are_of(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "again.ipynb", REUSED)
    first = run(path)
    run(path, "--cache")
    made = run(path, "--cache")  # what it reuses may itself have been reused
    assert {one["status"] for one in json.loads((made / "run.json").read_text("utf-8"))["steps"]} == {"reused"}
    assert main(["report", str(made)]) == main(["report", str(first)]) == 0
    assert [cell.outputs for cell in cells(made)] == [cell.outputs for cell in cells(first)]
    about = cells(made)[0].metadata
    assert (about.kalec.steps, "execution" in about) == ([{"name": "a", "task": "a", "status": "reused"}], False)
    assert page(made).count("table", "confusion") == page(first).count("table", "confusion") == 1
    shutil.rmtree(first)
    assert main(["report", str(made)]) == 0
    assert [cell.outputs for cell in cells(made)] == [[], [], []]


def test_a_run_that_was_killed_is_reported_on_as_far_as_its_folder_tells(folder: Path, tmp_path: Path) -> None:
    killed = shutil.copytree(folder, tmp_path / "killed")
    record = json.loads((killed / "run.json").read_text("utf-8"))
    early = record | {"status": "running", "steps": [], "ended": None}
    (killed / "run.json").write_text(json.dumps(early), "utf-8")
    (killed / "train" / "executor_output.json").write_text("{ half", "utf-8")
    assert main(["report", str(killed)]) == 0
    assert cells(killed)[4].outputs[0].output_type == "execute_result"
    assert "running" in page(killed).text


def test_a_file_that_was_too_large_for_a_digest_is_listed_without_one(folder: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(folder, tmp_path / "moved")
    record = json.loads((moved / "run.json").read_text("utf-8"))
    record["provenance"]["files"] = [{"path": "large.bin", "size": 300 << 20, "modified": 1.0}]
    (moved / "run.json").write_text(json.dumps(record), "utf-8")
    assert main(["report", str(moved)]) == 0
    assert "large.bin, 3" in page(moved).text


@pytest.mark.parametrize(
    "text",
    [
        "[1]",
        '{"artifacts": 3}',
        '{"artifacts": {"frame": 3}}',
        '{"artifacts": {"frame": {"artifacts": [5]}}}',
        '{"artifacts": {"frame": {"artifacts": [{"metadata": 5}]}}}',
    ],
)
def test_what_a_step_put_out_in_another_shape_counts_as_not_there(tmp_path: Path, text: str) -> None:
    from kalecompiler.reporting.record import made_by

    (tmp_path / "executor_output.json").write_text(text, "utf-8")
    (tmp_path / "executor_input.json").write_text(text, "utf-8")
    assert [made.metadata for made in made_by(tmp_path)] in ([], [{}])


def test_a_record_without_provenance_is_reported_on(folder: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(folder, tmp_path / "moved")
    record = json.loads((moved / "run.json").read_text("utf-8"))
    del record["provenance"]
    (moved / "run.json").write_text(json.dumps(record), "utf-8")
    assert main(["report", str(moved)]) == 0
    assert "provenance" not in {a.get("id") for _, a in page(moved).tags}


def test_a_damaged_run_is_no_bug_of_ours(folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    moved = shutil.copytree(folder, tmp_path / "moved")
    good = json.loads((moved / "run.json").read_text("utf-8"))
    damage: dict[str, list[Any]] = {
        "graph": [3, {}, {"steps": 3}],
        "steps": [3, [3], [{"name": "a"}]],
        "tasks": [{}, 3],
        "ran": [{}],
        "cells": [[]],
    }
    for key, values in damage.items():
        for value in values:
            (moved / "run.json").write_text(json.dumps(good | {key: value}), "utf-8")
            assert main(["report", str(moved)]) == 2, (key, value)
            assert "run.json is damaged, or of another version of kalecompiler" in capfd.readouterr().err
    (moved / "run.json").write_text(json.dumps(good), "utf-8")
    for text in ("{}", "[]", "{"):
        (moved / "notebook.ipynb").write_text(text, "utf-8")
        assert main(["report", str(moved)]) == 2
        assert "notebook.ipynb cannot be read: " in capfd.readouterr().err


def test_a_page_of_somebody_elses_run_shows_no_file_of_ours(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "private.txt").write_text("PRIVATE")
    moved = shutil.copytree(folder, tmp_path / "moved")
    artifact = {"artifacts": [{"name": "x", "type": {"schemaTitle": "system.HTML"}, "uri": "", "metadata": {}}]}
    ports = {"../../private.txt": artifact, "linked": artifact}
    (moved / "load" / "linked").symlink_to(tmp_path / "private.txt")
    (moved / "load" / "log.txt").unlink()
    (moved / "load" / "log.txt").symlink_to(tmp_path / "private.txt")
    for name, document in (("input", {"outputs": {"artifacts": ports}}), ("output", {"artifacts": ports})):
        (moved / "load" / f"executor_{name}.json").write_text(json.dumps(document), "utf-8")
    record = json.loads((moved / "run.json").read_text("utf-8"))
    shutil.copytree(moved / "load", tmp_path / "outside")
    (tmp_path / "outside" / "log.txt").unlink()
    (tmp_path / "outside" / "log.txt").write_text("PRIVATE", "utf-8")
    record["steps"].append(record["steps"][0] | {"task": "../outside"})
    (moved / "run.json").write_text(json.dumps(record), "utf-8")
    assert main(["report", str(moved)]) == 0
    assert "PRIVATE" not in (moved / "report.html").read_text("utf-8")
    assert "a link, which may lead anywhere" in (moved / "report.html").read_text("utf-8")


def test_of_a_very_long_log_the_middle_is_left_out_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from kalecompiler.reporting import record

    monkeypatch.setattr(record, "LONGEST_LOG", 10)
    path = tmp_path / "log.txt"
    path.write_text("0123456789", "utf-8")
    assert record.log(path) == "0123456789"
    path.write_text("é" + "x" * 500 + "é", "utf-8")
    monkeypatch.setattr(Path, "read_text", None)  # it may be larger than memory
    monkeypatch.setattr(Path, "read_bytes", None)
    assert record.log(path) == f"éxxx\n[... 494 bytes left out: {path} ...]\nxxxé"


def test_without_nbconvert_the_notebook_is_written_and_the_page_says_what_it_needs(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = shutil.copytree(folder, tmp_path / "moved", ignore=shutil.ignore_patterns("report.html", "executed.ipynb"))
    monkeypatch.setitem(sys.modules, "nbconvert.exporters", None)
    assert main(["report", str(moved)]) == 2
    assert "pip install 'kalecompiler[report]'" in capfd.readouterr().err
    assert (moved / "executed.ipynb").exists()
    assert not (moved / "report.html").exists()
    assert main(["report", str(moved), "--format", "ipynb"]) == 0


def test_html_that_is_too_large_gives_way_to_plain_text(monkeypatch: pytest.MonkeyPatch) -> None:
    from kalecompiler.reporting import cellhtml

    output = nbformat.v4.new_output("display_data", {"text/html": "<b>rich</b>", "text/plain": "plain"})
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x", outputs=[output])])
    assert "<b>rich</b>" in cellhtml.cells(book)[0]
    monkeypatch.setattr(cellhtml, "LARGEST_HTML", 5)
    body, _ = cellhtml.cells(book)
    assert "rich" not in body
    assert "plain" in body


@pytest.mark.parametrize(
    ("html", "tamed"),
    [
        ("<p>a<b>b", "<p>a<b>b</b></p>"),
        ("</div></div>x", "x"),
        ("x<!-- c -->", "x"),
        ("<script>1</script><i onclick='x'>y</i>", "<i>y</i>"),
        ("<a href='javascript:alert(1)'>z</a>", "<a>z</a>"),
        ("<a href='\x01java\tscript:alert(1)'>z</a>", "<a>z</a>"),
        ("<![CDATA[><img src=x onerror=alert(1)>]]>x", "x"),
        ("<?php ?>x", "x"),
        ("<table border='1'><tr><td>&lt;script&gt;</td></tr></table>", None),
    ],
    ids=[
        "unclosed",
        "closed too often",
        "comment",
        "active",
        "address that runs",
        "hidden address",
        "cdata",
        "instruction",
        "table",
    ],
)
def test_html_of_outputs_is_tamed(html: str, tamed: str | None) -> None:
    from kalecompiler.reporting.cellhtml import tame

    assert "<!--" not in tame("x<!-- never closed")
    assert tame(html).replace('"', "'").rstrip() == (tamed or html)


@pytest.mark.parametrize(
    ("html", "result"),
    [
        ("<b class='x'>1</b>", "<b class='x'>1</b>"),
        ("<p style='position:fixed'>1</p>", "<div class='boxed'><p style='position:fixed'>1</p></div>"),
        ("<style scoped>.dataframe a {x: 1}\n .dataframe b {y: 2}</style>1", "1"),
        ("<svg><style>a{}</style></svg>", "<svg></svg>"),
        ("<style>.dataframe b, body {}</style>1", "SHEET"),
        ("<style>td{}</template></style>1</template></div>", "SHEET"),
        ("<html style='x'><body style='y'>1", "<div class='boxed'><div style='x'><div style='y'>1</div></div></div>"),
        ("<plaintext>1<button popover=auto>2</button>", ""),
    ],
)
def test_styles_of_outputs_stay_with_them(html: str, result: str) -> None:
    from kalecompiler.reporting.cellhtml import boxed

    found = boxed(html).replace('"', "'")
    if result != "SHEET":
        assert found == result
    else:
        assert re.fullmatch(r"<div class='boxed'><div><template shadowrootmode='open'>.*</template></div></div>", found)


def test_long_names_of_steps_are_not_cut_off_in_the_timeline() -> None:
    from kalecompiler.reporting import drawing
    from kalecompiler.reporting.record import Ran, Run

    times = ("2030-01-01T00:00:00.000+00:00", "2030-01-01T00:00:02.000+00:00")
    steps = [Ran(name, "task", "succeeded", 2.0, *times) for name in ("load", "train-" + "x" * 57)]
    text = drawing.timeline(Run(Path(), {}, tuple(steps)))
    ends = [float(x) for x in re.findall(r'<text x="([^"]+)"[^>]*text-anchor="end"', text)]
    assert min(ends) > 63 * 7  # an average letter of 12 pixels is that wide
    (width,) = re.findall(r'<svg [^>]*width="(\d+)"', text)
    assert float(width) > max(ends) + drawing.WIDTH + 60


def test_charts_of_metrics_are_drawn_from_kfps_metadata() -> None:
    from kalecompiler.reporting import drawing

    specs = [{"displayName": "<a>"}, {"displayName": "b"}]
    table = drawing.confusion({"annotationSpecs": specs, "rows": [{"row": [1234567, 1.0]}, {"row": [0, 0.25]}]})
    assert re.findall(r"<td style[^>]*>([^<]+)</td>", table) == ["1234567", "1", "0", "0.25"]
    assert "<th>&lt;a&gt;</th>" in table
    points = [(1, 0, 0), (0.5, 0, 1), (0, 1, 1)]
    keys = ("confidenceThreshold", "falsePositiveRate", "recall")
    assert "area 1.0000" in drawing.roc([dict(zip(keys, point, strict=True)) for point in points])
    assert [drawing.duration(s) for s in (0.071, 12.34, 245, 7400)] == ["0.07 s", "12.3 s", "4 min 5 s", "2 h 3 min"]
