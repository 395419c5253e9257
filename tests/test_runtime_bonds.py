"""What variables share where they are made, they share in a step that takes several of them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from runtime_steps import Done, command, output, piece, run, step, take

CLASS = "class Box:\n    def __init__(self, part): self.part = part"


def taken(tmp_path: Path, code: str, check: str, *names: str, **fields: Any) -> tuple[Done, Done]:
    """(the step that made the variables, the one that took them all and ran the check)."""
    functions = piece(CLASS, "functions", "nb.ipynb f")
    made = run(tmp_path, step(functions, code, name="make", outputs=[output(name) for name in names]))
    assert (made.status, made.err) == (0, "")
    inputs = [take(name, "make") for name in names]
    return made, run(tmp_path, step(functions, check, name="next", inputs=inputs, **fields), {"make": made})


ARRAY = "import numpy as np\nx = np.arange(12.)\n"
LARGE = "import numpy as np\nx = np.arange(1_000_000.)\n"


@pytest.mark.parametrize(
    ("code", "check"),
    [
        pytest.param("a = [1]\nb = a", "a is b", id="two names of one list"),
        pytest.param("a = {}\nb = {'x': a}", "a is b['x']", id="a dict inside a dict"),
        pytest.param("b = [1]\na = [b, [2], b]", "a[0] is b and a[2] is b", id="the second within the first"),
        pytest.param("c = [1]\na, b = Box(c), (c, 1)", "a.part is b[0]", id="a part of both"),
        pytest.param("a = Box(1)\nb = Box(a)", "b.part is a", id="instances"),
        pytest.param("a = []\nb = [a]\na.append(b)", "a[0] is b and b[0] is a", id="a circle"),
        pytest.param(ARRAY + "a, b = x, x", "a is b", id="an array"),
        pytest.param(ARRAY + "a, b = x, x[2:5]", "_set(b, a, 2)", id="a view"),
        pytest.param(LARGE + "a, b = x, x[200_000:]", "_set(b, a, 200_000)", id="a view of a large array"),
        pytest.param(ARRAY + "a, b = x[2:8:2], x[4:]", "_set(b, a, 1)", id="views of what is handed on by nobody"),
        pytest.param(ARRAY + "a = x.reshape(3, 4)\nb = a.T[::-1]", "a.base is b.base and b[3, 0] == 0", id="turned"),
        pytest.param(
            ARRAY + "a = np.asfortranarray(x.reshape(3, 4))\nb = a[1]",
            "a.flags.f_contiguous and np.shares_memory(a, b)",
            id="in Fortran's order",
        ),
        pytest.param(ARRAY + "a, b = {'x': x}, [x[:1]]", "_set(b[0], a['x'], 0)", id="views inside containers"),
        pytest.param(
            "import numpy as np\na = np.random.default_rng(0)\nb = [a]", "a is b[0]", id="a generator of numbers"
        ),
        pytest.param("import pandas as pd\na = pd.DataFrame({'x': [1, 2]})\nb = [a]", "a is b[0]", id="a frame"),
    ],
)
def test_what_is_shared_stays_shared(tmp_path: Path, code: str, check: str) -> None:
    if "import" in code:
        pytest.importorskip("numpy")
    put = "def _set(view, base, at):\n    view[0] = 77\n    return base[at] == 77\n"
    numbers = "import numpy as np\n" if "np" in code else ""
    made, done = taken(tmp_path, code, f"{numbers}{put}print({check})", "a", "b")
    assert (done.status, done.out, done.err) == (0, "True\n", "")
    assert made.artifacts["a"]["metadata"]["group"] == ["a", "b"] == made.artifacts["b"]["metadata"]["group"]


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("a = 'text'\nb = [a]", id="text"),
        pytest.param("a = (1, 2)\nb = [a]", id="a tuple of numbers"),
        pytest.param("import enum\nclass C(enum.Enum): RED = 1\na, b = [C.RED], [C.RED]", id="members of an Enum"),
        pytest.param("import logging\na = logging.getLogger('x')\nb = [a]", id="a logger"),
        pytest.param("import numpy as np\na = np.zeros(4)\nb = np.zeros(4)", id="two arrays"),
        pytest.param("import numpy as np\nx = np.zeros(4)\na, b = x[:2], x[2:]", id="views that do not overlap"),
        pytest.param("import math\na, b = [math, len, int], [math, len, int]", id="modules, functions, classes"),
        pytest.param("import numpy as np\na, b = np.dtype('f8'), [np.dtype('f8')]", id="a dtype"),
    ],
)
def test_what_cannot_be_changed_is_no_bond(tmp_path: Path, code: str) -> None:
    made = run(tmp_path, step(code, name="make", outputs=[output("a"), output("b")]))
    assert (made.status, made.err) == (0, "")
    assert "group" not in made.artifacts["a"]["metadata"]


def test_a_bond_of_early_and_late_inputs(tmp_path: Path) -> None:
    """`a` is loaded before the definitions run, `b` after them, and they are still one object."""
    made = run(tmp_path, step("a = []\nb = [a]", name="make", outputs=[output("a"), output("b")]))
    definition = piece("size = len(a)\nassert 'b' not in globals()", "definition", "nb.ipynb d")
    inputs = [take("a", "make", early=True), take("b", "make")]
    done = run(tmp_path, step(definition, "print(b[0] is a, size)", inputs=inputs), {"make": made})
    assert (done.out, done.err) == ("True 0\n", "")


def test_a_variable_early_from_one_step_and_late_from_another(tmp_path: Path) -> None:
    made = {n: run(tmp_path / n, step(f"k = '{n}'", name=n, outputs=[output("k")])) for n in ("one", "two")}
    definition = piece("def f(x=k): return x + k", "definition", "nb.ipynb d")
    inputs = [take("k", "one", early=True), {**take("k", "two"), "port": "k_2"}]
    content = step(definition, "print(f())", inputs=inputs)
    artifacts = {port: made[n].output["artifacts"]["k"] for port, n in (("k", "one"), ("k_2", "two"))}
    outputs = {"outputFile": str(tmp_path / "executor_output.json")}
    given = json.dumps({"inputs": {"artifacts": artifacts}, "outputs": outputs})
    done = subprocess.run(command(content, given), capture_output=True, encoding="utf-8", check=False)
    assert (done.stdout, done.stderr) == ("onetwo\n", "")


def test_what_definitions_change_on_their_way_is_loaded_again(tmp_path: Path) -> None:
    outputs = [output("a"), output("b"), output("c")]
    made = run(tmp_path / "made", step("b = []\na, c = [b], [b]", name="make", outputs=outputs))
    inputs = [take("a", "make"), take("b", "make", early=None), take("c", "make")]
    code = [piece("b.append(1)", "definition"), piece("print(a, b, c, a[0] is b is c[0])")]
    done = run(tmp_path / "done", step(*code, inputs=inputs), {"make": made})
    assert (done.status, done.out, done.err) == (0, "[[]] [] [[]] True\n", "")


def test_a_bond_that_early_inputs_cannot_keep_is_said(tmp_path: Path) -> None:
    """`b` holds an instance of a class that is defined only when `a` is there."""
    made = run(tmp_path, step("class P: pass\na = []\nb = [a, P()]", name="make", outputs=[output("a"), output("b")]))
    definition = piece("class P: size = len(a)", "definition", "nb.ipynb d")
    inputs = [take("a", "make", early=True), take("b", "make")]
    done = run(tmp_path, step(definition, "print(b[0] is a, type(b[1]) is P)", inputs=inputs), {"make": made})
    assert done.out == "False True\n"
    assert "kalec: warning: a, b lose what they share: cannot load 'a'" in done.err


COUNTER = """
def make():
    n = 0
    def hit():
        nonlocal n
        n += 1
    def get():
        return n, hit
    return hit, get
"""


@pytest.mark.parametrize(
    ("bind", "names"),
    [
        pytest.param("c = dict(zip(['hit', 'get'], make()))\nd = 1", ("c", "d"), id="one value"),
        pytest.param("hit, get = make()", ("hit", "get"), id="two variables"),
    ],
)
def test_closures_share_what_they_close_over(tmp_path: Path, bind: str, names: tuple[str, str]) -> None:
    pytest.importorskip("cloudpickle")
    use = "hit, get = (c['hit'], c['get']) if 'c' in globals() else (hit, get)\n"
    _, done = taken(tmp_path, COUNTER + bind, use + "hit()\nhit()\nprint(get()[0], get()[1] is hit)", *names)
    assert (done.out, done.err) == ("2 True\n", "")


def test_overlapping_views_inside_one_variable(tmp_path: Path) -> None:
    pytest.importorskip("numpy")
    code = "import numpy as np\nx = np.arange(9.)\na = {'all': x, 'part': x[3:]}\nb = 1"
    _, done = taken(tmp_path, code, "a['part'][0] = 5\nprint(a['all'][3])", "a", "b")
    assert (done.out, done.err) == ("5.0\n", "")


def test_each_file_holds_what_its_consumers_need(tmp_path: Path) -> None:
    """`b` is taken alone by one step, and with `a` by another, which reads both from `a`."""
    outputs = [output("a", "both"), output("b", "both", "one"), output("c", "one")]
    made = run(tmp_path, step("a = []\nb = [a]\nc = [a]", name="make", outputs=outputs))
    holds = {name: header(made.folder / "artifacts" / name).get("members") for name in "abc"}
    assert holds == {"a": ["a", "b"], "b": ["b", "c"], "c": ["c"]}
    done = run(tmp_path, step("print(b)", name="one", inputs=[take("b", "make")]), {"make": made})
    assert (done.out, done.err) == ("[[]]\n", "")
    (made.folder / "artifacts" / "b").unlink()
    both = step("print(a is b[0])", name="both", inputs=[take("b", "make"), take("a", "make")])
    assert run(tmp_path, both, {"make": made}).err == "", "it needs the first one's file only"


def test_a_member_that_cannot_be_loaded_does_not_stop_the_other(tmp_path: Path) -> None:
    functions = piece(CLASS, "functions", "nb.ipynb f")
    code = step(functions, "a = []\nb = Box(a)", name="make", outputs=[output("a"), output("b")])
    made = run(tmp_path, code)
    done = run(tmp_path, step("print(a)", name="next", inputs=[take("a", "make")]), {"make": made})
    assert (done.status, done.out, done.err) == (0, "[]\n", "")
    late = step("print(a)", name="next", inputs=[take("a", "make"), take("b", "make")])
    done = run(tmp_path, late, {"make": made})
    assert done.status == 1 and "the notebook's 'Box' is not defined here" in done.err


def header(path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    length = int.from_bytes(data[-16:-8], "little")
    found: dict[str, Any] = json.loads(data[-16 - length : -16])
    return found
