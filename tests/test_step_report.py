"""The report of a step: a page with what its cells displayed, safe, whole, and also written when the step fails."""

from __future__ import annotations

import base64
import html.parser
import json
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from runtime_steps import Done, command, executor_input, run, step
from support import write_notebook

from kalecompiler import local
from kalecompiler.commands import compile_
from kalecompiler.plan import plan
from kalecompiler.runtime import extras, program

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Page(html.parser.HTMLParser):
    """The tags and the text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [str(value) for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text += data


def reported(folder: Path, *pieces: str, **fields: Any) -> tuple[Done, Page]:
    """A step that makes a report, and the page."""
    done = run(folder, step(*pieces, report="report", **fields))
    return done, Page((done.folder / "artifacts" / "report").read_text("utf-8"))


def test_a_step_that_shows_nothing_writes_one_line(tmp_path: Path) -> None:
    done, page = reported(tmp_path, "x = 1")
    assert done.status == 0
    assert page.text.endswith("nothing was displayed")
    assert (done.folder / "artifacts" / "report").read_text("utf-8").count("\n") == 0
    assert done.artifacts["report"]["metadata"] == {}


def test_text_and_results_stand_under_their_cells_in_order(tmp_path: Path) -> None:
    _, page = reported(tmp_path, "print('one')\n'two'", "x = 3", "import sys\nprint('four', file=sys.stderr)")
    assert re.findall(r"nb.ipynb work\[\d\]|'?(?:one|two|four)'?", page.text) == [
        "nb.ipynb work[1]",
        "one",
        "'two'",
        "nb.ipynb work[3]",
        "four",
    ]
    assert page.tags.count("h4") == 2


SCRIPT = "<script>alert(1)</script>"
HOSTILE = {
    "a print": f"print({SCRIPT!r})",
    "a result": f"{SCRIPT!r}",
    "standard error": f"import sys\nsys.stderr.write({SCRIPT!r})",
    "a closing tag": f"print('</pre></body>' + {SCRIPT!r})",
    "markdown": f"class M:\n    def _repr_markdown_(self):\n        return {SCRIPT!r}\nM()",
    "latex": f"class M:\n    def _repr_latex_(self):\n        return {SCRIPT!r}\nM()",
    "a name of a picture": f"class M:\n    def _repr_png_(self):\n        return '\">' + {SCRIPT!r}\nM()",
    "a picture of a script": f"class M:\n    def _repr_svg_(self):\n        return '<svg>' + {SCRIPT!r}\nM()",
    "a repr": f"class M:\n    def __repr__(self):\n        return {SCRIPT!r}\nM()",
    "a raw bundle": f"display({{'text/plain': {SCRIPT!r}}}, raw=True)",
    "a number as text": f"display({{'text/plain': 7, 'text/latex': {SCRIPT!r}}}, raw=True)",
}


@pytest.mark.parametrize("source", HOSTILE.values(), ids=HOSTILE)
def test_what_is_not_meant_as_html_stays_text(source: str, tmp_path: Path) -> None:
    done, page = reported(tmp_path, source)
    assert done.status == 0, done.err
    assert "script" not in page.tags
    assert SCRIPT in page.text or any(source.startswith("data:image/") for source in page.sources)


def test_a_script_in_a_data_frame_stays_text(tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    done, page = reported(tmp_path, f"import pandas as pd\npd.DataFrame({{{SCRIPT!r}: [{SCRIPT!r}]}})")
    assert done.status == 0, done.err
    assert "table" in page.tags
    assert "script" not in page.tags
    assert page.text.count(SCRIPT) == 2


def test_text_stands_as_a_terminal_leaves_it(tmp_path: Path) -> None:
    source = r"print('\x1b[1;31mred\x1b[0m', '  0%\r 50%\r100%\nlast\r\n', sep='\n')"
    _, page = reported(tmp_path, source)
    assert page.text.endswith("red\n100%\nlast\n\n")


def test_a_long_line_takes_no_time(tmp_path: Path) -> None:
    began = time.monotonic()
    done, page = reported(tmp_path, "print('x' * 900_000)")
    assert done.status == 0
    assert len(page.text) > 900_000
    assert time.monotonic() - began < 10


def test_what_objects_show_as_json_is_strict(tmp_path: Path) -> None:
    source = "class J:\n    def _repr_json_(self):\n        return {'a': float('nan'), (1, 2): 3, 'b': {4}}\nJ()"
    done, _ = reported(
        tmp_path, source, "display({'text/plain': float('inf')}, raw=True, metadata={'x': float('nan')})"
    )
    assert done.status == 0, done.err

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    first, second = json.loads((done.folder / "display.json").read_text("utf-8"), parse_constant=refuse)
    assert first["outputs"][0]["data"]["application/json"] == {"a": "NaN", "b": "{4}"}
    assert second["outputs"][-1]["metadata"] == {"x": "NaN"}


ODD = {
    "no plain text": "display({'image/webp': 'abc'}, raw=True)",
    "a picture that is none": "display({'image/svg+xml': 5}, raw=True)",
    "half a surrogate pair": "class H:\n    def _repr_html_(self):\n        return '\\ud800'\nH()",
    "no bundle": "display({}, raw=True)",
    "a page that is none": "class H:\n    def _repr_html_(self):\n        return 5\nH()",
}


@pytest.mark.parametrize("source", ODD.values(), ids=ODD)
def test_no_step_fails_because_of_what_it_displays(source: str, tmp_path: Path) -> None:
    done, page = reported(tmp_path, source, "print('went on')")
    assert done.status == 0, done.err
    assert done.out.endswith("went on\n")
    assert "went on" in page.text or "no report: " in page.text


def test_html_that_is_meant_as_such_is_taken(tmp_path: Path) -> None:
    _, page = reported(tmp_path, "class H:\n    def _repr_html_(self):\n        return '<b>bold</b>'\nH()")
    assert "b" in page.tags
    assert "bold" in page.text


def test_figures_are_part_of_the_page(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    _, page = reported(tmp_path, "import matplotlib.pyplot as plt\nplt.plot([1, 2]);", "plt.plot([2, 1])\nplt.show()")
    pictures = [base64.b64decode(source.removeprefix("data:image/png;base64,")) for source in page.sources]
    assert [picture[:4] for picture in pictures] == [b"\x89PNG"] * 2


def test_a_drawing_is_a_picture(tmp_path: Path) -> None:
    _, page = reported(tmp_path, "class S:\n    def _repr_svg_(self):\n        return '<svg>\u00fc</svg>'\nS()")
    (source,) = page.sources
    assert base64.b64decode(source.removeprefix("data:image/svg+xml;base64,")).decode() == "<svg>\u00fc</svg>"


@pytest.mark.skipif(BROWSER is None, reason="there is no chromium here")
def test_a_browser_shows_it_and_runs_nothing(tmp_path: Path) -> None:
    bad = "<script>document.title = 'ran'</script><img src=x onerror=\"document.title = 'ran'\">"
    source = f"bad = {bad!r}\nprint(bad)\ndisplay(bad)\nclass B:\n    def __repr__(self):\n        return bad\nB()"
    done, _ = reported(tmp_path, source)
    page = tmp_path / "page.html"
    page.write_bytes((done.folder / "artifacts" / "report").read_bytes())
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'browser'}"]
    command = [str(BROWSER), *options, "--dump-dom", page.as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    assert shown.count("&lt;script&gt;document.title") == 3
    assert "<script" not in shown
    assert "<title>ran" not in shown
    assert "nb.ipynb work[1]" in shown


def test_the_page_asks_nothing_of_the_network(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    _, page = reported(tmp_path, "import matplotlib.pyplot as plt\nplt.plot([1, 2]);", "print('https://example.org')")
    assert {"script", "link", "iframe"} & set(page.tags) == set()
    assert all(source.startswith("data:") for source in page.sources)


FAILING = {
    "an error of a cell": (["print('before')", "1 / 0"], {}, "ZeroDivisionError: division by zero", 1),
    "an exit": (["import sys\nsys.exit(3)"], {}, "3", 3),
    "a syntax error": (["x = ("], {}, "SyntaxError", 1),
    "a chart of another kind": (
        ["x = 1"],
        {"metrics": {"charts": [{"variable": "x", "kind": "confusion", "port": "x"}]}},
        "takes a square matrix",
        1,
    ),
    "a package that cannot be had": (
        ["x = 1"],
        {"packages": [{"requirement": "no-such-package"}], "pip": {"index_url": "file:///nowhere"}},
        "cannot install no-such-package",
        1,
    ),
    "an error with markup": ([f"raise ValueError({SCRIPT!r})"], {}, f"ValueError: {SCRIPT}", 1),
}


@pytest.mark.parametrize(("pieces", "fields", "text", "status"), FAILING.values(), ids=FAILING)
def test_a_step_that_fails_writes_it_too(
    pieces: list[str], fields: dict[str, Any], text: str, status: int, tmp_path: Path
) -> None:
    done, page = reported(tmp_path, *pieces, **fields)
    assert done.status == status
    assert text in page.text
    assert "script" not in page.tags
    assert not (done.folder / "executor_output.json").exists()


def test_a_step_that_is_terminated_writes_it_too(tmp_path: Path) -> None:
    content = step("print('before', flush=True)\nimport time\ntime.sleep(60)", report="report")
    arguments = command(content, executor_input(content, tmp_path))
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "before\n"
        process.terminate()
        assert process.wait(60) == 143
    page = Page((tmp_path / "artifacts" / "report").read_text("utf-8"))
    assert re.search(r"nb.ipynb work\[1\]before\s*Terminated$", page.text)


def test_a_report_that_cannot_be_written_fails_no_step(tmp_path: Path) -> None:
    source = "import os, shutil\nshutil.rmtree('artifacts')\nos.symlink('/dev/null', 'artifacts')\nprint('done')"
    done = run(tmp_path, step(source, report="report"))
    assert (done.status, done.out.splitlines()[0]) == (0, "done")
    assert "kalec: warning: no report: " in done.out + done.err


def test_with_a_report_a_step_carries_at_most_900_characters_more() -> None:
    for parts in ((), ("inputs",), ("outputs",), ("inputs", "outputs")):
        assert len(program((), (*parts, "htmlreport"))) - len(program((), parts)) + len(' "report": "report",\n') < 900


def test_only_a_step_with_a_report_carries_it() -> None:
    assert extras(step("x = 1", report="report")) == ("htmlreport",)
    assert extras(step("x = 1")) == ()


NOTEBOOK = "# %% step:a {tags}\nprint('hello')\nx = 1\n# %% step:b prev:a\nprint(x)\n"

#: tags of step a, pyproject.toml -> the steps with a report
SETTINGS = {
    "by default": ("", "", ["a", "b"]),
    "a tag turns it off": ("report:disabled", "", ["b"]),
    "a setting for all": ("", "[tool.kalecompiler]\nreport = false\n", []),
    "a setting for one": ("", "[tool.kalecompiler.steps.b]\nreport = false\n", ["a"]),
    "a tag wins": ("report:enabled", "[tool.kalecompiler]\nreport = false\n", ["a"]),
}


@pytest.mark.parametrize(("tags", "table", "steps"), SETTINGS.values(), ids=SETTINGS)
def test_the_setting(tags: str, table: str, steps: list[str], tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(table)
    notebook = write_notebook(tmp_path / "nb.ipynb", NOTEBOOK.format(tags=tags))
    assert [step.name for step in plan(notebook, {}).draft.steps if step.report_port] == steps
    spec = yaml.safe_load(compile_(notebook, {}).compiled.text)
    outputs = {name: spec["components"][f"comp-{name}"].get("outputDefinitions", {}) for name in "ab"}
    assert [name for name in outputs if "report" in outputs[name].get("artifacts", {})] == steps
    result = local.run(spec, arguments={}, folder=tmp_path / "runs", workdir=tmp_path)
    assert result.status is local.Status.SUCCEEDED
    assert [name for name in "ab" if (result.folder / name / "report").exists()] == steps


def test_a_local_run_keeps_the_report_of_a_step_that_failed(tmp_path: Path) -> None:
    notebook = write_notebook(tmp_path / "nb.ipynb", "# %% step:a\nprint('before')\n1 / 0\n")
    spec = yaml.safe_load(compile_(notebook, {}).compiled.text)
    result = local.run(spec, arguments={}, folder=tmp_path / "runs", workdir=tmp_path)
    assert result.status is local.Status.FAILED
    page = Page((result.folder / "a" / "report").read_text("utf-8"))
    assert "before" in page.text
    assert "ZeroDivisionError" in page.text


def test_the_executor_input_of_these_tests_declares_the_report(tmp_path: Path) -> None:
    given = json.loads(executor_input(step("x = 1", report="report"), tmp_path))
    assert list(given["outputs"]["artifacts"]) == ["report"]
