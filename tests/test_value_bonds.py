"""Variables that share an object keep sharing it in the next step; those that do not, do not begin to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import forked
import pytest
import valuecheck
from support import write_notebook

from kalecompiler import local
from kalecompiler.compile import compile_package
from kalecompiler.plan import plan


@dataclass(frozen=True)
class Bond:
    """Statements that bind A, B ... to values, and what must hold of them in the step that takes them all."""

    name: str
    make: str
    holds: str
    needs: str = ""


CLASSES = """
import collections
import copy
import enum
import types

class Node:
    def __init__(self, value=None):
        self.value = value
        self.links = []

class Hue(enum.Enum):
    RED = 1
"""

BONDS = (
    Bond("two names", "A = [1]\nB = A", "A is B"),
    Bond("an item of a dict", "A = [1]\nB = {'x': A}", "A is B['x']"),
    Bond("an item of a dict, made the other way round", "B = {'x': [1]}\nA = B['x']", "A is B['x']"),
    Bond("an item deep inside", "A = {'k': 1}\nB = [0, ({'deep': [A]},)]", "A is B[1][0]['deep'][0]"),
    Bond("an attribute", "A = [1]\nB = Node(A)", "A is B.value"),
    Bond("an instance in two containers", "N = Node(5)\nA = [N]\nB = {'n': N}", "A[0] is B['n']"),
    Bond(
        "an instance that holds the other",
        "A = Node()\nB = Node(A)\nA.links.append(B)",
        "A.links[0] is B and B.value is A",
    ),
    Bond(
        "two instances of one configuration",
        "A = Node(types.SimpleNamespace(lr=1))\nB = Node(A.value)",
        "A.value is B.value",
    ),
    Bond("three members", "A = [1]\nB = {'a': A}\nC = (A, B)", "B['a'] is A and C[0] is A and C[1] is B"),
    Bond("three in a row", "A = [1]\nB = [A, []]\nC = [B[1]]", "B[0] is A and C[0] is B[1]"),
    Bond("four, two and two", "A = [1]\nB = [A]\nC = [2]\nD = [C]", "B[0] is A and D[0] is C and A is not C"),
    Bond("a change shows through the other name", "A = [1]\nB = {'x': A}", "A.append(2) is None and B['x'] == [1, 2]"),
    Bond("a set in a list", "A = {1}\nB = [A]", "B[0] is A"),
    Bond("a bytearray", "A = bytearray(2_000_000)\nB = [A]", "B[0] is A"),
    Bond("deques", "A = collections.deque([1])\nB = [A]", "B[0] is A"),
    Bond("a bound method and its object", "A = Node(3)\nB = A.links.append", "B(5) is None and A.links == [5]"),
    Bond("itself and another", "A = [1]\nA.append(A)\nB = [A]", "A[1] is A and B[0] is A"),
    Bond("an array in a dict", "A = np.arange(5.0)\nB = {'x': A}", "A is B['x']", "numpy"),
    Bond("a large array in a dict", "A = np.arange(300_000.0)\nB = {'x': A}", "A is B['x']", "numpy"),
    Bond(
        "a view of an array",
        "A = np.arange(10.0)\nB = A[2:5]",
        "np.shares_memory(A, B) and B.tolist() == [2, 3, 4]",
        "numpy",
    ),
    Bond(
        "a view of a large array",
        "A = np.arange(300_000.0)\nB = A[1000:2000]",
        "np.shares_memory(A, B) and (B.__setitem__(0, -1.0) or A[1000] == -1)",
        "numpy",
    ),
    Bond(
        "a view with steps",
        "A = np.arange(12).reshape(3, 4)\nB = A[::2, 1:3]",
        "(A.__setitem__((0, 1), 77) or B[0, 0] == 77) and B.shape == (2, 2)",
        "numpy",
    ),
    Bond(
        "a transposed view",
        "A = np.arange(6).reshape(2, 3)\nB = A.T",
        "np.shares_memory(A, B) and B.shape == (3, 2)",
        "numpy",
    ),
    Bond(
        "a view of another type",
        "A = np.zeros(4, 'f8')\nB = A.view('i8')",
        "np.shares_memory(A, B) and B.dtype == 'i8'",
        "numpy",
    ),
    Bond(
        "a field of records",
        "A = np.zeros(3, [('a', 'i4'), ('b', 'f8')])\nB = A['b']",
        "B.__setitem__(0, 5) or A[0]['b'] == 5",
        "numpy",
    ),
    Bond(
        "a view inside a dict",
        "A = np.arange(9.0)\nB = {'part': [A[:3]]}",
        "np.shares_memory(A, B['part'][0])",
        "numpy",
    ),
    Bond(
        "two views whose array does not go on",
        "X = np.arange(20.0)\nA = X[:15]\nB = X[5:]\ndel X",
        "np.shares_memory(A, B) and (A.__setitem__(5, -1) or B[0] == -1)",
        "numpy",
    ),
    Bond(
        "three views",
        "A = np.arange(8)\nB = A[::-1]\nC = A[2:4]",
        "np.shares_memory(A, B) and np.shares_memory(A, C) and B[0] == 7",
        "numpy",
    ),
    Bond("arrays in a list of objects", "A = np.arange(3)\nB = np.empty(2, object)\nB[0] = A", "B[0] is A", "numpy"),
    Bond("a generator of numbers", "A = np.random.default_rng(1)\nB = Node(A)", "B.value is A", "numpy"),
    Bond("a frame by two names", "A = pd.DataFrame({'x': [1, 2]})\nB = A", "A is B", "pandas"),
    Bond(
        "a large frame in a dict",
        "A = pd.DataFrame({'x': np.arange(200_000.0)})\nB = {'df': A}",
        "B['df'] is A",
        "pandas",
    ),
    Bond("a series in a list", "A = pd.Series([1.5])\nB = [A]", "B[0] is A", "pandas"),
    Bond(
        "an estimator in a pipeline",
        "A = sklearn.preprocessing.StandardScaler()\nB = sklearn.pipeline.make_pipeline(A, sklearn.svm.SVC())",
        "B.steps[0][1] is A",
        "sklearn",
    ),
    # -- what was not shared
    Bond("not: equal lists", "A = [1]\nB = [1]", "A is not B and A == B"),
    Bond("not: equal lists in containers", "A = {'x': [1]}\nB = {'x': [1]}", "A['x'] is not B['x']"),
    Bond("not: a copy", "A = {'x': [1]}\nB = copy.deepcopy(A)", "A['x'] is not B['x'] and A == B"),
    Bond("not: equal bytearrays", "A = bytearray(2_000_000)\nB = bytearray(2_000_000)", "A is not B and A == B"),
    Bond("not: equal instances", "A = Node([1])\nB = Node([1])", "A.value is not B.value"),
    Bond("not: equal arrays", "A = np.zeros(5)\nB = np.zeros(5)", "not np.shares_memory(A, B)", "numpy"),
    Bond(
        "not: equal large arrays",
        "A = np.zeros(300_000)\nB = np.zeros(300_000)",
        "not np.shares_memory(A, B) and (A.__setitem__(0, 1.0) or B[0] == 0)",
        "numpy",
    ),
    Bond("not: a copy of a view", "A = np.arange(10)\nB = A[2:5].copy()", "not np.shares_memory(A, B)", "numpy"),
    Bond(
        "not: equal frames",
        "A = pd.DataFrame({'x': [1.0]})\nB = A.copy()",
        "(A.__setitem__('x', 9.0) or True) and B['x'][0] == 1",
        "pandas",
    ),
    Bond(
        "not: parts of one array that do not meet",
        "X = np.arange(10)\nA = X[:5]\nB = X[5:]\ndel X",
        "not np.shares_memory(A, B) and A.tolist() == [0, 1, 2, 3, 4] and B.tolist() == [5, 6, 7, 8, 9]",
        "numpy",
    ),
    Bond("members of an Enum", "A = [Hue.RED]\nB = [Hue.RED]", "A[0] is B[0] and A[0] is Hue.RED"),
)


def missing(bond: Bond) -> str:
    """What the bond needs and is not here."""
    import importlib.util

    return "" if not bond.needs or importlib.util.find_spec(bond.needs) else bond.needs


def names(text: str, number: int) -> str:
    """The source with names of its own in place of A, B, C, D, N and X."""
    return re.sub(r"\b([ABCDNX])\b(?!')", lambda found: f"{found[1].lower()}{number}_", text)


def notebook() -> str:
    """All bonds in one notebook of two steps."""
    rows = [(number, bond) for number, bond in enumerate(BONDS) if not missing(bond)]
    libraries = [f"import {name}" for name in ("sklearn.pipeline", "sklearn.preprocessing", "sklearn.svm")]
    imports = ["import numpy as np", "import pandas as pd", *libraries] if not missing(BONDS[-12]) else []
    cells = ["# %% imports", "from valuecheck import tell", *imports, "# %% functions", CLASSES, "# %% step:make"]
    cells += ["\n# %%\n".join(names(bond.make, number) for number, bond in rows), "# %% step:take prev:make"]
    cells += ["\n# %%\n".join(f"tell({n}, bool({names(bond.holds, n)}), True)" for n, bond in rows)]
    return "\n".join(cells)


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Engine -> what the steps said."""
    pytest.importorskip("kfp")
    folder = tmp_path_factory.mktemp("bonds")
    for name in ("valuecheck.py", "equality.py"):
        (folder / name).write_text((Path(__file__).parent / name).read_text(encoding="utf-8"), encoding="utf-8")
    planned = plan(write_notebook(folder / "nb.ipynb", notebook()), {})
    assert planned.pipeline is not None, planned.diagnostics
    package = compile_package(planned.pipeline)
    (folder / "nb.yaml").write_text(package.text, encoding="utf-8")
    result = local.run(package.spec, arguments={}, folder=folder / "runs", workdir=folder)
    ours = "\n".join(step.log.read_text(encoding="utf-8") for step in result.steps if step.log)
    return {"kalec": ours, "kfp": forked.run_by_kfp(folder / "kfp", folder / "nb.yaml", cwd=folder).stdout}


@pytest.mark.parametrize("engine", ["kalec", "kfp"])
@pytest.mark.parametrize("number", range(len(BONDS)), ids=[bond.name for bond in BONDS])
def test_a_bond(number: int, engine: str, logs: dict[str, str]) -> None:
    if missing(BONDS[number]):
        pytest.skip(f"{missing(BONDS[number])} is not installed")
    told = valuecheck.verdicts(logs[engine])
    assert number in told, logs[engine][-3000:]
    assert told[number] is None


def test_bonds_that_hold_are_not_warned_of(logs: dict[str, str]) -> None:
    assert "kalec: warning" not in logs["kalec"]


def test_the_bonds_have_names_of_their_own() -> None:
    assert len({bond.name for bond in BONDS}) == len(BONDS) >= 40
    assert names("A = {'A': B}\nX.A", 3) == "a3_ = {'A': b3_}\nx3_.a3_"
