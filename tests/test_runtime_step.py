"""A step from beginning to end, run as its container runs it."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from runtime_steps import command, executor_input, output, piece, run, step, take

from kalecompiler.runtime import program


@pytest.mark.parametrize(
    ("code", "printed"),
    [
        pytest.param(["print('hello')"], "hello\n", id="print"),
        pytest.param(["x = 1", "print(x)"], "1\n", id="a later cell sees an earlier one's names"),
        pytest.param(["print(__name__)"], "__main__\n", id="the module is main"),
        pytest.param(
            ["print(sorted(n for n in globals() if not n.startswith('__')))"], "[]\n", id="no name of the runtime's"
        ),
        pytest.param(["import sys; print(sys.modules['__main__'].__dict__ is globals())"], "True\n", id="a real main"),
        pytest.param(["import sys; print(sys.argv)"], "['nb.ipynb']\n", id="arguments are the notebook's name"),
        pytest.param(["print('\u00e9\u4e2d\\ud800')"], "\u00e9\u4e2d\\ud800\n", id="any text can be printed"),
        pytest.param(
            ["from __future__ import annotations", "def f(x: Missing): pass\nprint(f.__annotations__)"],
            "{'x': 'Missing'}\n",
            id="a future import holds for the cells after it",
        ),
        pytest.param(
            ["def f(x: int): pass\nprint(f.__annotations__)"], "{'x': <class 'int'>}\n", id="no future leaks in"
        ),
        pytest.param(
            ["import asyncio\nasync def f():\n    await asyncio.sleep(0)\n    return 7", "print(await f())"],
            "7\n",
            id="await at the top level",
        ),
        pytest.param(
            [
                "import asyncio\nq = asyncio.Queue()\nt = asyncio.ensure_future(q.get())\nawait q.put(5)",
                "print(await t)",
            ],
            "5\n",
            id="one event loop for all cells",
        ),
        pytest.param(
            ["import asyncio\nasync def f(): return 8\nt = asyncio.create_task(f())", "print(await t)"],
            "8\n",
            id="the loop runs around a cell that does not await",
        ),
        pytest.param(["import asyncio\nasync with asyncio.Lock() as l: print(l)"], "None\n", id="async with"),
        pytest.param(
            [
                "import dataclasses, typing\n@dataclasses.dataclass\nclass P:\n    x: 'P'",
                "print(typing.get_type_hints(P))",
            ],
            "{'x': <class '__main__.P'>}\n",
            id="dataclass and type hints",
        ),
        pytest.param(
            ["import inspect\ndef f():\n    return 1  # why", "print(inspect.getsource(f))"],
            "def f():\n    return 1  # why\n\n",
            id="inspect finds the source of a function",
        ),
        pytest.param(
            ["import pickle\nclass A: pass\nprint(type(pickle.loads(pickle.dumps(A()))) is A)"], "True\n", id="pickle"
        ),
        pytest.param(
            [
                "import multiprocessing as m\ndef f(x): return x * 2",
                "p = m.get_context('fork').Pool(2)\nprint(p.map(f, [1, 2]))\np.close()\np.join()",  # `with` may hang
            ],
            "[2, 4]\n",
            id="multiprocessing by fork",
        ),
        pytest.param(["1 + 1\nprint(3)\n2 + 2"], "3\n4\n", id="the last expression alone is echoed"),
        pytest.param([""], "", id="an empty cell"),
        pytest.param(["# only a comment"], "", id="a comment"),
        pytest.param([piece("print(1)", "metrics"), "print(2)"], "2\n1\n", id="metrics cells run last"),
        pytest.param(
            [piece("print('d')", "definition"), piece("print('i')", "imports"), piece("print('f')", "functions")],
            "i\nf\nd\n",
            id="imports, functions, definitions",
        ),
    ],
)
def test_cells_run_as_in_a_notebook(tmp_path: Path, code: list[Any], printed: str) -> None:
    done = run(tmp_path, step(*code))
    assert (done.status, done.out, done.err) == (0, printed, "")


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        pytest.param(
            ["def f(x):\n    return 1 / x", "y = 1\nf(0)"],
            1,
            'Traceback (most recent call last):\n  File "nb.ipynb work[2]", line 2, in <module>\n    f(0)\n'
            '  File "nb.ipynb work[1]", line 2, in f\n    return 1 / x\n'
            "ZeroDivisionError: division by zero\nkalec: step work failed in nb.ipynb work[1], line 2\n",
            id="an error in a function of another cell",
        ),
        pytest.param(
            ["x = 1\ny = (\n"],
            1,
            "  File \"nb.ipynb work[1]\", line 2\n    y = (\n        ^\nSyntaxError: '(' was never closed\n"
            "kalec: step work failed in nb.ipynb work[1], line 2\n",
            id="a syntax error",
        ),
        pytest.param(
            ["try:\n    {}['k']\nexcept KeyError as e:\n    raise ValueError('v') from e"],
            1,
            "Traceback (most recent call last):\n  File \"nb.ipynb work[1]\", line 2, in <module>\n    {}['k']\n"
            "KeyError: 'k'\n\nThe above exception was the direct cause of the following exception:\n\n"
            'Traceback (most recent call last):\n  File "nb.ipynb work[1]", line 4, in <module>\n'
            "    raise ValueError('v') from e\nValueError: v\nkalec: step work failed in nb.ipynb work[1], line 4\n",
            id="a chain of errors",
        ),
        pytest.param(
            ["import asyncio\nawait asyncio.sleep(0)\nraise OSError('late')"],
            1,
            'Traceback (most recent call last):\n  File "nb.ipynb work[1]", line 3, in <module>\n'
            "    raise OSError('late')\nOSError: late\nkalec: step work failed in nb.ipynb work[1], line 3\n",
            id="after an await, without the event loop's frames",
        ),
        pytest.param(
            ["name = input('who?')"],
            1,
            'Traceback (most recent call last):\n  File "nb.ipynb work[1]", line 1, in <module>\n'
            "    name = input('who?')\n"
            "RuntimeError: input() has nobody to ask in a pipeline step; make the answer a pipeline parameter\n"
            "kalec: step work failed in nb.ipynb work[1], line 1\n",
            id="input",
        ),
        pytest.param(
            ["x = 1\nimport sys\nsys.exit(0)"],
            1,
            "kalec: step work failed in nb.ipynb work[1], line 3: sys.exit(0) was called\n"
            "  help: this stops a notebook before the cells below; let the cell end in another way\n",
            id="sys.exit is a failure, as in a notebook",
        ),
        pytest.param(
            ["raise SystemExit(7)"],
            7,
            "kalec: step work failed in nb.ipynb work[1], line 1: sys.exit(7) was called\n"
            "  help: this stops a notebook before the cells below; let the cell end in another way\n",
            id="sys.exit keeps its status",
        ),
        pytest.param(
            ["raise KeyboardInterrupt"],
            130,
            "kalec: step work was interrupted in nb.ipynb work[1]\n",
            id="interrupted",
        ),
        pytest.param(
            ["class Odd(BaseException): pass\nraise Odd('x')"],
            1,
            'Traceback (most recent call last):\n  File "nb.ipynb work[1]", line 2, in <module>\n'
            "    raise Odd('x')\nOdd: x\nkalec: step work failed in nb.ipynb work[1], line 2\n",
            id="an exception of the notebook's own",
        ),
    ],
)
def test_a_failure_shows_the_cell(tmp_path: Path, code: list[str], status: int, error: str) -> None:
    done = run(tmp_path, step(*code, "print('never')"))
    marks = re.sub(r"(?m)^ +[~^]+\n", "", done.err) if "SyntaxError" not in error else done.err
    assert (done.status, done.out, marks) == (status, "", error.replace("__main__.", ""))
    assert not (done.folder / "executor_output.json").exists()


def test_an_error_in_a_library_keeps_its_frames(tmp_path: Path) -> None:
    done = run(tmp_path, step("import json\njson.loads('{')"))
    assert re.search(r'File "nb.ipynb work\[1\]", line 2.*File ".*json/decoder.py"', done.err, re.DOTALL)
    assert "kalec_runtime" not in done.err and "<string>" not in done.err
    assert done.err.endswith("kalec: step work failed in nb.ipynb work[1], line 2\n")


def test_output_comes_as_it_is_printed(tmp_path: Path) -> None:
    content = step("import time\nprint('.', end='')\ntime.sleep(30)")
    process = subprocess.Popen(command(content, executor_input(content, tmp_path)), stdout=subprocess.PIPE)
    assert process.stdout is not None
    began = time.monotonic()
    assert process.stdout.read(1) == b"." and time.monotonic() - began < 20
    process.terminate()
    assert process.wait(20) == 143


def test_sigterm_unwinds_the_cell(tmp_path: Path) -> None:
    source = "import time\ntry:\n    print('up', flush=True)\n    time.sleep(30)\nfinally:\n    print('swept')"
    content = step(source)
    process = subprocess.Popen(
        command(content, executor_input(content, tmp_path)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "up\n"
    process.send_signal(signal.SIGTERM)
    rest, errors = process.communicate(timeout=20)
    assert (process.returncode, rest) == (143, "swept\n")
    assert errors == "kalec: step work was terminated in nb.ipynb work[1]\n"
    assert json.loads((tmp_path / "display.json").read_text())[0]["outputs"][-1]["ename"] == "Terminated"


LARGE = 2**53


@pytest.mark.parametrize(
    ("kind", "default", "sent", "bound"),
    [
        pytest.param("int", 3, 5.0, "5", id="an integer comes as a double"),
        pytest.param("int", 3, 3.0, "3", id="the default comes as a double"),
        pytest.param("int", None, 4, "4", id="an optional integer"),
        pytest.param("int", None, None, "None", id="an optional integer left out"),
        pytest.param("int", 1, float(LARGE), str(LARGE), id="the largest exact integer"),
        pytest.param("int", 1, "7", "7", id="an integer as text"),
        pytest.param("float", 1.0, 2, "2.0", id="a float comes without a fraction"),
        pytest.param("float", -0.0, 0, "-0.0", id="negative zero"),
        pytest.param("float", 0.1, 0.1, "0.1", id="a float as it is"),
        pytest.param("bool", False, True, "True", id="true"),
        pytest.param("bool", True, "False", "False", id="false as text"),
        pytest.param("str", "", "5", "'5'", id="text that looks like a number"),
        pytest.param("str", "a", "\u00e9 {{$}} '\"\\\n", r"""'\xe9 {{$}} \'"\\\n'""", id="text with everything in it"),
        pytest.param("list", [], [1, 2.5, "x", None], "[1, 2.5, 'x', None]", id="a list without a model"),
        pytest.param("list", [1, 2.0, True], [1, 2, True], "[1, 2.0, True]", id="the default list, as doubles"),
        pytest.param("list", [0.5], [1, 2, 3], "[1.0, 2.0, 3.0]", id="a longer list of floats"),
        pytest.param("list", [1], [1.0, 2.0, 2.5], "[1, 2, 2.5]", id="a longer list of integers"),
        pytest.param("list", [[1], [1.0]], [[2.0], [2]], "[[2], [2.0]]", id="lists in a list"),
        pytest.param("dict", {"a": 1, "b": 1.0}, {"a": 2.0, "b": 2}, "{'a': 2, 'b': 2.0}", id="by key"),
        pytest.param("dict", {"a": 1.0}, {"a": 1, "new": 2}, "{'a': 1.0, 'new': 2.0}", id="a new key like the others"),
        pytest.param("dict", {"a": {"b": [1.5]}}, {"a": {"b": [2]}}, "{'a': {'b': [2.0]}}", id="deep inside"),
        pytest.param("dict", {"a": True}, {"a": 1}, "{'a': 1}", id="one is not True"),
        pytest.param("dict", {}, '{"k": [1]}', "{'k': [1]}", id="an object as text"),
        pytest.param("list", [1, 2], None, "[1, 2]", id="a default left out"),
    ],
)
def test_parameters_keep_their_type(tmp_path: Path, kind: str, default: Any, sent: Any, bound: str) -> None:
    declared = {"p": {"type": kind, "default": default}}
    sent_values = {} if sent is None else {"p": sent}
    done = run(tmp_path, step("print(ascii(p))", parameters=declared), parameters=sent_values)
    assert (done.out, done.err) == (bound + "\n", "")


def test_parameters_are_bound_before_imports_and_inputs_after_functions(tmp_path: Path) -> None:
    made = run(tmp_path, step("early, late = 'e', 'l'", name="make", outputs=[output("early"), output("late")]))
    content = step(
        piece("print('imports', p)", "imports"),
        piece("print('functions', 'early' in globals())", "functions"),
        piece("print('definition', early, 'late' in globals())", "definition"),
        "print('cell', late)",
        parameters={"p": {"type": "int", "default": 1}},
        inputs=[take("early", "make", early=True), take("late", "make")],
    )
    done = run(tmp_path, content, {"make": made})
    assert done.out == "imports 1\nfunctions False\ndefinition e False\ncell l\n"


def test_a_value_goes_from_step_to_step(tmp_path: Path) -> None:
    shape = piece("class Point:\n    def __init__(self, x):\n        self.x = x", "functions", "nb.ipynb functions")
    made = run(tmp_path, step(shape, "p = Point(3)", name="make", outputs=[output("p", "show")]))
    assert (made.status, made.err) == (0, "")
    metadata = made.artifacts["p"]["metadata"]
    assert re.fullmatch("sha256:[0-9a-f]{64}", metadata.pop("digest"))
    size = (made.folder / "artifacts" / "p").stat().st_size
    assert metadata == {
        "format": "kalec-1",
        "kind": "Artifact",
        "type": "__main__.Point",
        "variable": "p",
        "size": size,
    }
    content = step(shape, "print(p.x, isinstance(p, Point))", name="show", inputs=[take("p", "make")])
    assert run(tmp_path, content, {"make": made}).out == "3 True\n"


def test_a_class_that_the_consumer_lacks_is_named(tmp_path: Path) -> None:
    made = run(tmp_path, step("class Point: pass\np = Point()", name="make", outputs=[output("p")]))
    done = run(tmp_path, step("pass", inputs=[take("p", "make")]), {"make": made})
    assert done.status == 1
    assert done.err == (
        f"kalec: step work failed: cannot load 'p' (__main__.Point, made by step make with Python "
        f"{sys.version_info[0]}.{sys.version_info[1]}) from {made.folder}/artifacts/p: the notebook's 'Point' is not "
        "defined here\n  help: define 'Point' in a cell tagged functions, or name it in this step\n"
    )


def test_an_absent_variable_stays_absent(tmp_path: Path) -> None:
    made = run(tmp_path, step("pass", name="make", outputs=[output("maybe", absent=True)]))
    assert made.artifacts["maybe"]["metadata"]["absent"] is True
    done = run(tmp_path, step("print('maybe' in globals())", inputs=[take("maybe", "make")]), {"make": made})
    assert done.out == "False\n"


def test_an_unbound_output_fails_the_step(tmp_path: Path) -> None:
    done = run(tmp_path, step("x = 1\ndel x", outputs=[output("x", "a", "b", cell="nb.ipynb work[1]")]))
    assert done.status == 1
    assert done.err == (
        "kalec: step work failed: cannot hand 'x' (nb.ipynb work[1]) on to a, b: "
        "it is not bound at the end of the step\n"
        "  help: bind it on every way through the step\n"
    )


@pytest.mark.parametrize(
    ("artifact", "path"),
    [
        pytest.param({"uri": "gs://b/x"}, "/gcs/b/x", id="google"),
        pytest.param({"uri": "minio://b/x"}, "/minio/b/x", id="minio"),
        pytest.param({"uri": "s3://b/x"}, "/s3/b/x", id="amazon"),
        pytest.param({"uri": "oci://b/x"}, "/oci/b/x", id="oci"),
        pytest.param({"uri": "/here/x"}, "/here/x", id="local"),
        pytest.param({"uri": "s3://b/x", "customPath": "/tmp/c"}, "/tmp/c", id="a custom path goes first"),
    ],
)
def test_artifacts_lie_where_the_launcher_mounts_them(artifact: dict[str, str], path: str) -> None:
    from kalecompiler.runtime.contract import local_path

    assert local_path(artifact) == path


METRICS = """
import decimal, fractions
a, b, c, d, e = 1, 0.5, True, 'good', decimal.Decimal('2.5')
nan, inf, many, nothing, big, z = float('nan'), float('-inf'), [1, 2], None, 10 ** 400, 1j
frac = fractions.Fraction(1, 4)
"""


def test_metrics_are_plain_json_and_never_fail(tmp_path: Path) -> None:
    names = ["a", "b", "c", "d", "e", "frac", "nan", "inf", "many", "nothing", "big", "z", "unbound"]
    wanted = {"port": "metrics", "values": [{"name": name, "variable": name} for name in names]}
    done = run(tmp_path, step(METRICS, metrics=wanted))
    assert done.status == 0
    assert done.artifacts["metrics"]["metadata"] == {"a": 1, "b": 0.5, "c": True, "d": "good", "e": 2.5, "frac": 0.25}
    warned = re.findall(r"kalec: warning: metric '(\w+)' is left out: (.*)", done.err)
    assert warned == [
        ("nan", "nan is no finite scalar"),
        ("inf", "-inf is no finite scalar"),
        ("many", "a list is no finite scalar"),
        ("nothing", "a NoneType is no finite scalar"),
        ("big", "1000000000000000000000000000000000000000 is no finite scalar"),
        ("z", "a complex is no finite scalar"),
        ("unbound", "it is not bound"),
    ]


def test_scalars_of_numpy_are_metrics(tmp_path: Path) -> None:
    pytest.importorskip("numpy")
    source = (
        "import numpy as np\na, b, c, d = np.float32(.5), np.int64(3), np.bool_(True), np.array(1.5)\ne = np.ones(1)"
    )
    wanted = {"port": "metrics", "values": [{"name": name, "variable": name} for name in "abcde"]}
    done = run(tmp_path, step(source, metrics=wanted))
    assert done.artifacts["metrics"]["metadata"] == {"a": 0.5, "b": 3, "c": True, "d": 1.5}
    assert "metric 'e' is left out: a ndarray is no finite scalar" in done.err


def test_files_beside_the_notebook_are_importable_and_swept_up(tmp_path: Path) -> None:
    files = {"helpers.py": ["def twice(x):", "    return 2 * x"], "kit/__init__.py": ["", "name = 'k\u00e9'"]}
    source = "import helpers, kit, os\nprint(helpers.twice(4), kit.name)\nprint(os.path.dirname(helpers.__file__))"
    done = run(tmp_path, step(source, files=files))
    printed, folder = done.out.splitlines()
    assert printed == "8 k\u00e9"
    assert not Path(folder).exists()


def _interpreters() -> list[Any]:
    found = [shutil.which(f"python3.{minor}") for minor in range(9, 15)]
    pyenv = Path("/root/.pyenv/versions")
    found += [str(path) for path in sorted(pyenv.glob("3.*/bin/python3"))] if pyenv.is_dir() else []
    works = {}
    for path in filter(None, found):
        told = "import sys; print(sys.version_info[:2] if sys.prefix == sys.base_prefix else ())"  # not the tests' own
        asked = subprocess.run([path, "-c", told], capture_output=True, text=True)
        version = ast.literal_eval(asked.stdout) if asked.returncode == 0 else (0, 0)
        if version >= (3, 9):
            works.setdefault(version, path)
    return [pytest.param(path, id=f"Python {version[0]}.{version[1]}") for version, path in sorted(works.items())]


@pytest.mark.parametrize("python", _interpreters())
def test_a_bare_interpreter_runs_a_step(tmp_path: Path, python: str) -> None:
    """Isolated, with a read-only home, where neither kfp nor kalecompiler can be imported."""
    home = tmp_path / "home"
    home.mkdir(mode=0o500)
    content = step(
        "import importlib.util as u\nprint([m for m in ('kfp', 'kalecompiler') if u.find_spec(m)])",
        "import asyncio\nx = {'n': [n, await asyncio.sleep(0, 2)]}\nx",
        name="make",
        parts=["shell"],
        parameters={"n": {"type": "int", "default": 1}},
        outputs=[output("x")],
        metrics={"port": "metrics", "values": [{"name": "n", "variable": "n"}]},
        files={"helpers.py": ["y = 1"]},
    )
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "LC_ALL": "C"}
    isolated = [python, "-I", "-u"]
    made = run(tmp_path, content, python=isolated, env=environment)
    assert (made.status, made.out, made.err) == (0, "[]\n{'n': [1, 2]}\n", "")
    content = step("print('\u00e9', x)\n1 / 0", inputs=[take("x", "make")], guards=["x"])
    done = run(tmp_path, content, {"make": made}, python=isolated, env=environment)
    assert (done.status, done.out) == (1, "\u00e9 {'n': [1, 2]}\n")
    assert done.err.endswith(
        "ZeroDivisionError: division by zero\nkalec: step work failed in nb.ipynb work[1], line 2\n"
    )


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root and unshare")
def test_another_user_without_network_runs_a_step(tmp_path: Path) -> None:
    python = shutil.which("python3", path="/usr/bin:/bin")
    if python is None:
        pytest.skip("needs a Python that every user may run")
    content = step("import os\nprint(os.geteuid())\nx = [1]", outputs=[output("x")])
    place = tmp_path / "work"
    place.mkdir()
    for folder in (place, *place.parents):
        if folder.stat().st_uid == os.geteuid() and "pytest-of-" in str(folder):
            folder.chmod(0o777)
    python_as_nobody = [
        "unshare",
        "-n",
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        python,
        "-I",
        "-u",
    ]
    done = run(tmp_path, content, python=python_as_nobody, env={"HOME": "/"})
    assert (done.status, done.out, done.err) == (0, "65534\n[1]\n"[:6], "")
    assert "x" in done.artifacts


def test_the_start_imports_nothing_heavy(tmp_path: Path) -> None:
    heavy = {"asyncio", "tempfile", "subprocess", "typing", "dataclasses", "inspect", "traceback", "hashlib", "pickle"}
    done = run(tmp_path, step("import sys; print(*sys.modules)"))
    assert "json" in done.out.split() and heavy.isdisjoint(done.out.split())


def test_the_program_has_nothing_that_others_replace() -> None:
    text = program(("shell",))
    assert text.startswith("# ") and "kfp.dsl.executor_main" in text.splitlines()[0]
    for sign in ("{{", "}}", "python3", "$", "'''"):
        assert sign not in text
    assert text.isascii()
