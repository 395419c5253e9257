"""What cells display: printed into the log as it happens, and kept for a report."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from runtime_steps import Done, output, piece, run, step


def shown(tmp_path: Path, *code: Any, **fields: Any) -> Done:
    return run(tmp_path, step(*code, **fields))


def stream(text: str, name: str = "stdout") -> dict[str, Any]:
    return {"kind": "stream", "name": name, "text": text}


def result(text: str, kind: str = "result", **data: Any) -> dict[str, Any]:
    return {"kind": kind, "data": {"text/plain": text, **data}, "metadata": {}}


RICH = """
class Rich:
    def __repr__(self): return "rich"
    def _repr_html_(self): return "<b>rich</b>"
    def _repr_png_(self): return b"\\x89PNG"
    def _repr_json_(self): return {"a": [1]}
    def _repr_latex_(self): return None
    def _repr_svg_(self): raise ValueError("no svg")
class Bundle:
    def __repr__(self): return "bundle"
    def _repr_mimebundle_(self, include, exclude): return {"text/markdown": "*b*"}, {"text/markdown": {"x": 1}}
class Broken:
    def __repr__(self): raise ValueError("no repr")
"""


@pytest.mark.parametrize(
    ("code", "log", "outputs"),
    [
        pytest.param("1 + 1", "2\n", [result("2")], id="the last expression"),
        pytest.param("1 + 1;", "", None, id="a semicolon suppresses it"),
        pytest.param("1 + 1 ;  # done", "", None, id="a semicolon before a comment"),
        pytest.param("f = ';'\nf  # a ;", "';'\n", [result("';'")], id="a semicolon in a comment"),
        pytest.param(
            "'\u00e9;'", "'\u00e9;'\n", [result("'\u00e9;'")], id="a semicolon in a string after other letters"
        ),
        pytest.param("1\n2", "2\n", [result("2")], id="only the last one"),
        pytest.param("None", "", None, id="None shows nothing"),
        pytest.param("x = 5", "", None, id="an assignment shows nothing"),
        pytest.param("import asyncio\nawait asyncio.sleep(0, 3)", "3\n", [result("3")], id="an awaited value"),
        pytest.param("'doc'", "'doc'\n", [result("'doc'")], id="a lone string"),
        pytest.param("int", "<class 'int'>\n", [result("<class 'int'>")], id="a class"),
        pytest.param("print(1)\nprint(2)", "1\n2\n", [stream("1\n2\n")], id="a stream is one output"),
        pytest.param("print(1)\n7", "1\n7\n", [stream("1\n"), result("7")], id="printed text is no part of the result"),
        pytest.param(
            "print(1)\ndisplay('a', 2)\nprint(3)",
            "1\n'a'\n2\n3\n",
            [stream("1\n"), result("'a'", "display"), result("2", "display"), stream("3\n")],
            id="display, in order",
        ),
        pytest.param(
            "display({'text/plain': 'p', 'text/html': '<p>'}, raw=True, metadata={'m': 1})",
            "p\n",
            [{"kind": "display", "data": {"text/plain": "p", "text/html": "<p>"}, "metadata": {"m": 1}}],
            id="raw data",
        ),
        pytest.param(
            "import sys\nsys.stdout.buffer.write(b'\\xc3\\xa9\\n')\nsys.stdout.write('x\\n');",
            "\u00e9\nx\n",
            [stream("\u00e9\nx\n")],
            id="written below the text layer",
        ),
        pytest.param(
            "import sys, os\nprint(sys.stdout.isatty(), sys.stdout.fileno(), sys.stdout.name, sys.stdout.encoding)",
            "False 1 <stdout> utf-8\n",
            [stream("False 1 <stdout> utf-8\n")],
            id="the stream is a usual one",
        ),
        pytest.param(
            RICH + "Bundle()",
            "bundle\n",
            [{**result("bundle", **{"text/markdown": "*b*"}), "metadata": {"text/markdown": {"x": 1}}}],
            id="a MIME bundle with metadata",
        ),
        pytest.param(
            RICH + "Rich", "<class '__main__.Rich'>\n", [result("<class '__main__.Rich'>")], id="a rich class"
        ),
        pytest.param(
            RICH + "Broken()",
            "<Broken whose repr fails: no repr>\n",
            [result("<Broken whose repr fails: no repr>")],
            id="a repr that fails",
        ),
    ],
)
def test_a_cell_displays(tmp_path: Path, code: str, log: str, outputs: list[Any] | None) -> None:
    done = shown(tmp_path, code)
    assert (done.status, done.out, done.err) == (0, log, "")
    expected = [{"cell": "nb.ipynb work[1]", "id": "id-1", "outputs": outputs}] if outputs else []
    assert done.display == expected


def test_rich_representations_are_kept_and_a_failing_one_is_said(tmp_path: Path) -> None:
    done = shown(tmp_path, RICH + "Rich()")
    png = base64.b64encode(b"\x89PNG").decode()
    data = {"text/html": "<b>rich</b>", "image/png": png, "application/json": {"a": [1]}}
    warning = "kalec: warning: _repr_svg_ of Rich: no svg\n"
    assert done.display[0]["outputs"] == [stream(warning, "stderr"), result("rich", **data)]
    assert (done.out, done.err) == ("rich\n", warning)


ODD = """
class Odd:
    def _repr_html_(self): return "no", "metadata"
    def _repr_markdown_(self): return "m", {"a": 1}
    def _repr_json_(self): return ring
    def _repr_mimebundle_(self, **options): return {("no", "text"): "x", "text/latex": "t"}
    def __repr__(self): return "odd"
ring = {}
ring["ring"] = ring
"""


def test_representations_that_make_no_sense_do_not_stop_the_step(tmp_path: Path) -> None:
    done = shown(tmp_path, ODD + "Odd()", "print('next')")
    assert (done.status, done.out) == (0, "odd\nnext\n")
    said, odd = done.display[0]["outputs"]
    assert said["text"] == done.err
    assert done.err.startswith("kalec: warning: _repr_html_ of Odd: ")
    assert done.err.endswith("kalec: warning: not kept: Circular reference detected\n")
    assert odd["data"] == {"text/plain": "odd", "text/markdown": "m", "text/latex": "t"}
    assert odd["metadata"] == {"text/markdown": {"a": 1}}


def test_a_figure_that_cannot_be_drawn_is_said_and_does_not_stop_the_step(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    draw = "import matplotlib.pyplot as plt\nplt.title('$no{$');"
    done = shown(tmp_path, draw, draw + "\nplt.show()\nprint('same')", "print('next')")
    figure = "<Figure size 640x480 with 1 Axes>\n"
    assert (done.status, done.out) == (0, f"{figure}{figure}same\nnext\n")
    assert done.err.count("kalec: warning: no figure: ") == 2


def test_only_cells_are_echoed_but_all_streams_are_kept(tmp_path: Path) -> None:
    done = shown(
        tmp_path,
        piece("print('i')\n1", "imports", "nb.ipynb imports[1]"),
        piece("2", "functions", "nb.ipynb functions[1]"),
        "3",
        piece("4", "metrics", "nb.ipynb metrics[1]"),
    )
    assert done.out == "i\n3\n4\n"
    cells = [(cell["cell"], cell["outputs"]) for cell in done.display]
    assert cells == [
        ("nb.ipynb imports[1]", [stream("i\n")]),
        ("nb.ipynb work[3]", [result("3")]),
        ("nb.ipynb metrics[1]", [result("4")]),
    ]


def test_an_error_is_kept_with_its_line(tmp_path: Path) -> None:
    done = shown(tmp_path, "print('before')\n1 / 0", "print('never')")
    trace = done.err.splitlines()[:-1]
    error = {"kind": "error", "ename": "ZeroDivisionError", "evalue": "division by zero", "traceback": trace, "line": 2}
    outputs = [stream("before\n"), error]
    assert done.display == [{"cell": "nb.ipynb work[1]", "id": "id-1", "outputs": outputs}]


def test_every_piece_that_was_begun_has_its_times(tmp_path: Path) -> None:
    done = shown(tmp_path, "import time; time.sleep(0.1)", "import os; print(1)", "1 / 0", "never = 1")
    pieces = json.loads((done.folder / "display.json").read_text())
    assert [piece["cell"] for piece in pieces] == ["nb.ipynb work[1]", "nb.ipynb work[2]", "nb.ipynb work[3]"]
    assert pieces[0]["outputs"] == []
    assert pieces[0]["seconds"] >= 0.1 > pieces[1]["seconds"]
    assert pieces[0]["started"] + pieces[0]["seconds"] <= pieces[1]["started"] <= pieces[2]["started"]


def test_an_error_that_has_no_text_is_shown_as_by_python(tmp_path: Path) -> None:
    code = "class E(Exception):\n    def __str__(self): return None\nraise E"
    done = shown(tmp_path, code, snapshot={"port": "state", "level": "passed"})
    assert (done.status, done.err.splitlines()[-2:]) == (
        1,
        ["E: <exception str() failed>", "kalec: step work failed in nb.ipynb work[1], line 3"],
    )
    assert done.display[0]["outputs"][0]["traceback"] == done.err.splitlines()[:-1]


def test_an_error_is_shown_also_where_the_cells_took_the_streams_away(tmp_path: Path) -> None:
    done = shown(tmp_path, "import sys\nprint('here')\nsys.stdout.close()\nsys.stderr = None", "1 / 0")
    assert (done.status, done.out, done.err.splitlines()[-1:]) == (
        1,
        "here\n",
        ["kalec: step work failed in nb.ipynb work[2], line 1"],
    )
    assert done.err.count("Traceback") == 1


def test_an_error_around_the_cells_is_kept(tmp_path: Path) -> None:
    done = shown(tmp_path, "print(1)", outputs=[output("gone")])
    last = done.display[-1]
    assert (last["cell"], last["id"]) == (None, None)
    assert last["outputs"][0]["evalue"].startswith("cannot hand 'gone' () on to next: it is not bound")


def test_what_is_kept_is_bounded_and_the_log_is_whole(tmp_path: Path) -> None:
    done = shown(tmp_path, "for i in range(30):\n    print('x' * 99_999)\nprint('end')", "display('y' * 200_000)\n'z'")
    assert len(done.out) == 3_000_004 + 50_004 + 4
    first, second = done.display
    text = first["outputs"][0]["text"]
    assert len(first["outputs"]) == 1 and len(text) < (1 << 20) + 100
    assert text.endswith("\n[kalec: cut here; the step's log has it all]\n")
    assert second["outputs"][1] == result("'z'")


def test_large_representations_are_left_out(tmp_path: Path) -> None:
    code = "class Big:\n    def __repr__(self): return 'big'\n    def _repr_html_(self): return 'x' * (25 << 20)\nBig()"
    done = shown(tmp_path, code)
    assert (done.folder / "display.json").stat().st_size < 10_000
    assert done.display[0]["outputs"][0]["data"] == {
        "text/plain": "big\n[kalec: cut here; the step's log has it all]\n"
    }


def test_odd_text_is_kept(tmp_path: Path) -> None:
    done = shown(tmp_path, "print('\\ud800 \u2028')\n{float('nan'): '\\ud800'}")
    assert done.status == 0
    assert done.out == "\\ud800 \u2028\n{nan: '\\ud800'}\n"
    assert done.display[0]["outputs"][0]["text"] == "\\ud800 \u2028\n"


def test_threads_and_children_print_into_the_log(tmp_path: Path) -> None:
    code = (
        "import threading, subprocess, sys, multiprocessing\n"
        "t = threading.Thread(target=print, args=('thread',))\nt.start(); t.join()\n"
        "subprocess.run([sys.executable, '-c', 'print(1)'], stdout=sys.stdout, check=True)\n"
        "p = multiprocessing.get_context('fork').Process(target=print, args=('child',))\np.start(); p.join()"
    )
    done = shown(tmp_path, code)
    assert (done.status, done.out, done.err) == (0, "thread\n1\nchild\n", "")


def test_streams_are_given_back(tmp_path: Path) -> None:
    code = "import atexit, logging, sys\nlogging.basicConfig()\natexit.register(logging.warning, 'late')\n"
    code += "kept = sys.stdout\natexit.register(lambda: print('bye', file=kept));"
    done = shown(tmp_path, code)
    assert (done.status, done.out, done.err) == (0, "bye\n", "WARNING:root:late\n")


def test_display_is_a_builtin_and_no_variable(tmp_path: Path) -> None:
    done = shown(tmp_path, "print('display' in globals())\ndef display(x): print('mine', x)\ndisplay(1)")
    assert done.out == "False\nmine 1\n"


def test_a_folder_that_cannot_be_written_is_only_warned_of(tmp_path: Path) -> None:
    (tmp_path / "work" / "display.json").mkdir(parents=True)
    done = shown(tmp_path, "1")
    assert done.status == 0 and "kalec: warning: cannot keep what the cells displayed: " in done.err


def test_figures_are_drawn_and_closed_cell_by_cell(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    done = shown(
        tmp_path,
        "import matplotlib\nimport matplotlib.pyplot as plt\nplt.plot([1, 2])\nprint(matplotlib.get_backend())",
        "print(plt.get_fignums())\nplt.plot([1])\nplt.show()\nplt.plot([2])\nplt.show()\nprint(len(plt.gcf().axes));",
        "fig, ax = plt.subplots();",
        "fig",
    )
    assert (done.status, done.err) == (0, "")
    kinds = [[item["kind"] for item in cell["outputs"]] for cell in done.display]
    assert kinds == [
        ["stream", "display"],
        ["stream", "display", "display", "stream", "display"],
        ["display"],
        ["result"],
    ]
    pngs = [item["data"]["image/png"] for cell in done.display for item in cell["outputs"] if "data" in item]
    assert all(base64.b64decode(png).startswith(b"\x89PNG\r\n") for png in pngs)
    assert done.display[0]["outputs"][0]["text"].lower() == "agg\n"
    assert done.display[1]["outputs"][0]["text"] == "[]\n"


@pytest.mark.parametrize(
    ("given", "used"),
    [
        pytest.param(None, "Agg", id="unset"),
        pytest.param("module://matplotlib_inline.backend_inline", "Agg", id="a notebook's"),
        pytest.param("svg", "svg", id="chosen"),
    ],
)
def test_the_backend_of_figures(tmp_path: Path, given: str | None, used: str) -> None:
    content = step("import os\nprint(os.environ['MPLBACKEND'])")
    environment = {"MPLBACKEND": given} if given else {}
    assert run(tmp_path, content, env=environment).out == f"{used}\n"


def test_tables_are_html_in_the_report_and_text_in_the_log(tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    done = shown(tmp_path, "import pandas\npandas.DataFrame({'a': [1]})")
    data = done.display[0]["outputs"][0]["data"]
    assert data["text/plain"] == "   a\n0  1" and done.out == "   a\n0  1\n"
    assert "<table" in data["text/html"]
    assert json.dumps(data)


SHOWS = """
import pandas as pd
frame = pd.DataFrame({"a": [1]})
class Bundle:
    def __repr__(self): return "bundle"
    def _repr_mimebundle_(self, include, exclude): return {"text/markdown": "*b*"}
class Picture:
    def __repr__(self): return "picture"
    def _repr_png_(self): return b"png"
"""


def test_what_is_shown_with_ipythons_own_functions_is_kept_as_without_their_import(tmp_path: Path) -> None:
    pytest.importorskip("IPython")
    show = "print(1)\ndisplay(frame, Bundle())\nprint(2)\ndisplay(Picture())\nframe"
    plain = shown(tmp_path / "plain", SHOWS, show).display
    for number, line in enumerate(("from IPython.display import display", "from IPython.display import *")):
        done = shown(tmp_path / str(number), SHOWS + line, show)
        assert done.status == 0, done.err
        assert [one["outputs"] for one in done.display] == [one["outputs"] for one in plain]
    qualified = show.replace("display(", "IPython.display.display(")
    done = shown(tmp_path / "qualified", SHOWS + "import IPython", qualified)
    assert [one["outputs"] for one in done.display] == [one["outputs"] for one in plain]
    assert "text/html" in plain[0]["outputs"][1]["data"]


def test_ipythons_own_objects_handles_and_raw_data(tmp_path: Path) -> None:
    pytest.importorskip("IPython")
    done = shown(
        tmp_path,
        "from IPython.display import *",
        "display(HTML('<b>1</b>'), Markdown('*2*'), Latex('$3$'))\nImage(b'\\x89PNG', format='png')",
        "display_html('<b>4</b>', raw=True)\npublish_display_data({'text/plain': '5', 'image/png': b'png'})",
        "handle = display(HTML('before'), display_id=True)\nhandle.update(HTML('after'))\n"
        "update_display(HTML('new'), display_id='other')",
        "print('gone')\ndisplay(6)\nclear_output()\ndisplay(7)",
    )
    assert done.status == 0, done.err
    kinds = [[sorted(set(one["data"]) - {"text/plain"}) for one in cell["outputs"]] for cell in done.display]
    assert kinds == [
        [["text/html"], ["text/markdown"], ["text/latex"], ["image/png"]],
        [["text/html"], ["image/png"]],
        [["text/html"], ["text/html"]],
        [[]],
    ]
    data = [[one["data"] for one in cell["outputs"]] for cell in done.display]
    assert [data[0][0]["text/html"], data[0][3]["image/png"]] == ["<b>1</b>", "iVBORw=="]
    assert [data[1][1]["image/png"], data[2][0]["text/html"], data[2][1]["text/html"]] == ["cG5n", "after", "new"]
    assert data[3][0]["text/plain"] == "7"


@pytest.mark.parametrize("line", ["import matplotlib.pyplot as plt", "from matplotlib import pyplot as plt"])
def test_each_show_of_pyplot_is_a_picture_of_its_own_in_order_with_the_text(tmp_path: Path, line: str) -> None:
    pytest.importorskip("matplotlib")
    done = shown(
        tmp_path,
        f"{line}\nprint(1)\nplt.plot([1, 2])\nplt.show()\nprint(2)\nplt.hist([1, 1, 2])\nplt.show()\n"
        "print(3)\nplt.show()\nplt.figure()\nplt.figure();",
    )
    assert done.status == 0, done.err
    kinds = [one.get("text") or sorted(one["data"]) for one in done.display[0]["outputs"]]
    picture = ["image/png", "text/plain"]
    assert kinds == ["1\n", picture, "2\n", picture, "3\n", picture, picture]
    first, second = (done.display[0]["outputs"][at]["data"]["image/png"] for at in (1, 3))
    assert first != second


def test_a_figure_that_a_failing_cell_drew_is_kept(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    done = shown(tmp_path, "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nraise ValueError('no')")
    assert done.status == 1
    picture, error = done.display[0]["outputs"]
    assert ("image/png" in picture["data"], error["evalue"]) == (True, "no")
    unfit = "fig = plt.figure()\nfig.savefig = None\nraise ValueError('no')"
    done = shown(tmp_path / "unfit", "import matplotlib.pyplot as plt", unfit)
    assert (done.status, done.display[-1]["outputs"][-1]["evalue"]) == (1, "no")
    assert "kalec: warning: no figure" in done.err
