"""After a checkout every variable is what it is in the notebook executed to that point: for every example and step."""

from __future__ import annotations

from pathlib import Path

import pytest
import travelling
from conftest import ROOT
from support import write_notebook

from kalecompiler import commands
from kalecompiler.snapshots import moment, shown, state
from kalecompiler.steprules import FINAL_STATUS

EXAMPLES = sorted((ROOT / "notebooks").glob("*.ipynb"))
# What comes out otherwise whenever it is computed.
UNSTABLE: set[str] = set()


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    travelling.own_key(monkeypatch, tmp_path / "key")
    monkeypatch.setenv("REGISTRY_TOKEN", "canary-token-1")
    monkeypatch.setenv("KALE_VOLUME_READINGS", "/readings")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example(path: Path, tmp_path: Path) -> None:
    # A cell of metrics is executed with the step that it measures, and stands below it.
    shown = {m.variable for step in commands.compile_(path, {}).pipeline.steps for m in step.metrics}
    moments = []
    for level in ("passed", "all"):
        _, found, result = travelling.keep(path, tmp_path / "book", f'[tool.kalecompiler]\nsnapshot = "{level}"\n')
        assert result.status.value == "succeeded"
        manifests = found.store.manifests(found.record.run)
        moments += [
            (level, found, manifests, record, when) for record in found.record.steps for when in ("before", "after")
        ]
    unlike = travelling.unlike([(found, record.name, when) for _, found, _, record, when in moments], tmp_path / "work")
    for (level, found, manifests, record, when), one in zip(moments, unlike, strict=True):
        assert one.differences == [], (level, record.name, when)
        if when == "after":
            left = {n for n, v in manifests[record.key, "after"].variables.items() if v.file and n[0] != "_"}
            assert left <= one.compared | {*found.record.parameters, FINAL_STATUS} | shown, (level, record.name)
        if level == "all":
            assert one.missing <= UNSTABLE, (record.name, when)
    assert sum(len(one.compared) for one in unlike) > len(moments)


DRAWS = """
# %% imports
import random
import numpy as np
random.seed(1)
np.random.seed(2)
# %% step:one
rng = np.random.default_rng(5)
a = random.random() + np.random.rand() + rng.random()
# %% step:two prev:one
b = random.random() + np.random.rand() + rng.random()
# %% step:three prev:two
c = a + b + random.random() + rng.random()
# %% step:four prev:three
d = c + random.random() + np.random.rand() + rng.random()
"""


def test_draws_go_on_before_a_step_as_in_the_notebook(tmp_path: Path) -> None:
    """Seeded in a cell of imports, drawn from in every step: the global generators, and one that is a variable."""
    pytest.importorskip("numpy")
    (tmp_path / "book").mkdir()
    _, found, _ = travelling.keep(write_notebook(tmp_path / "book" / "n.ipynb", DRAWS), tmp_path / "run")
    steps = ("three", "four")
    for step in steps:
        assert sorted(state.find(found.store, found.record, step).random) == ["numpy", "random"]
    for one in travelling.unlike([(found, step, "before") for step in steps], tmp_path / "work"):
        assert one.differences == []
        assert "rng" in one.compared


BRANCHES = """
# %% imports
import random
random.seed(1)
# %% step:start
first = random.random()
# %% step:left prev:start
left = random.random()
# %% step:right prev:start
right = random.random()
# %% step:last prev:left prev:right
print(left, right)
"""


@pytest.mark.parametrize("when", ["before", "after"])
def test_what_branches_drew_is_perhaps_not_as_in_the_notebook(tmp_path: Path, when: str) -> None:
    (tmp_path / "book").mkdir()
    _, found, _ = travelling.keep(write_notebook(tmp_path / "book" / "n.ipynb", BRANCHES), tmp_path / "run")
    warnings = state.find(found.store, found.record, "last", when).moment.warnings
    assert list(warnings) == ["right"]
    assert warnings["right"].startswith("step `right` draws random numbers")


SHARED = """
# %% functions
class Node:
    def __init__(self, v):
        self.v = v
# %% step:make
root, other, plain = Node(1), Node(5), {}
keys, late, kept = {root: "r"}, {}, [other]
late[root] = 1
plain["r"] = other
pair = [plain]
longer, same = [1], [1]
first, second = [longer], [same]
# %% step:change prev:make
root.v = 22
print(len(pair), plain)
other = Node(6)
longer = longer + [2]
if root is None:
    same = []
plain["s"] = 1
pair.append(2)
# %% step:show prev:change
print([k.v for k in keys], [k.v for k in late], root.v, kept, other, plain, pair)
gone = [1]
# %% step:end prev:show
del gone
# %% step:last prev:end
print(root.v, late, longer, first, same, second)
"""


def test_what_comes_apart_is_named_and_what_is_deleted_is_not(tmp_path: Path) -> None:
    """Keys of a dict are seen in the code; what only the run could see, it has told. What is bound anew is no part."""
    (tmp_path / "book").mkdir()
    _, found, _ = travelling.keep(write_notebook(tmp_path / "book" / "n.ipynb", SHARED), tmp_path / "run")
    for step in ("change", "last"):
        at = state.find(found.store, found.record, step)
        told = shown.doubtful(at, at.items)
        assert "`keys` and `root` share an object in step `make`" in str(told)
        assert [
            line.strip()
            for line in told
            if "had ended" in line and "plain" not in line and "pair" not in line and "same" not in line
        ] == ["late and root: they shared an object when step make had ended, and are two now"]
    assert ("kept", "other", "make") not in at.parted  # the other was bound anew
    assert ("first", "longer", "make") not in at.parted  # it is a list of its own, which holds what was in the other
    assert ("same", "second", "make") in at.parted  # it was perhaps bound anew
    assert at.lost == ()
    assert "gone" not in {item.variable for item in at.items}


def test_a_file_that_pods_do_not_share_makes_no_variable_doubtful(tmp_path: Path) -> None:
    text = """
# %% step:write
name = "rows.txt"
open(name, "w").write("1")
# %% step:read
rows = open(name).read()
# %% step:end
print(rows, name)
"""
    book = write_notebook(tmp_path / "n.ipynb", text)
    assert "KC216" in {found.rule.code for found in commands.compile_(book, {}).diagnostics}
    assert moment.at(book, book.read_bytes(), "end").warnings == {}


FAILING = """
# %% step:a
x = [1, 2, 3]
# %% step:plot prev:a
head = x[:2]
raise ValueError("no")
mean = 5
# %% step:pick prev:a
best = max(x)
# %% step:end prev:plot
print(mean)
# %% step:off prev:a snapshot:off
raise ValueError("no")
late = 6
# %% step:last prev:pick
print(best)
"""


def test_what_a_failed_step_did_not_make_is_said_to_be_so(tmp_path: Path) -> None:
    (tmp_path / "book").mkdir()
    _, found, _ = travelling.keep(write_notebook(tmp_path / "book" / "n.ipynb", FAILING), tmp_path / "run")
    reason = "step plot did not end, and had no such value by then, or one that its cells make again"
    for step, when in (("plot", "after"), ("pick", "before")):
        at = state.find(found.store, found.record, step, when)
        assert {one.variable: one.reason for one in at.lost} == {"mean": reason}, step
        assert "head" in {item.variable for item in at.items}
    last = state.find(found.store, found.record, "last")
    assert {one.variable: one.reason for one in last.lost} == {"mean": reason, "late": "of step off no state was kept"}
