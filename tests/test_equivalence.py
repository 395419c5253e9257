"""The promise, held by the oracle: what the pipeline computes is what the notebook computes, or it says why not."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cases
import pytest
from cases.case import LOUD, REFUSED, RIGHT, WARNED, Case
from equality import compare, difference
from oracle import Verdict, judge_apart
from support import write_notebook

from kalecompiler.internal import is_internal
from kalecompiler.model import Pipeline
from kalecompiler.plan import plan

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "notebooks").glob("*.ipynb"))
RUNNABLE = ("r06", "r10", "r11", "r12", "r13", "r14", "r23", "r26", "r31")
TABLE = cases.load()


# -- the hard cases ----------------------------------------------------------------------------------------------------


def rows() -> list[Any]:
    return [
        pytest.param(
            case, id=f"{family}: {case.name}", marks=[pytest.mark.xfail(reason=case.xfail)] if case.xfail else []
        )
        for family, case in TABLE
    ]


@pytest.mark.parametrize("case", rows())
def test_hard_case(case: Case, tmp_path: Path) -> None:
    folder, work = tmp_path / "notebook", tmp_path / "work"
    work.mkdir()
    for name, text in case.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    folder.mkdir(exist_ok=True)
    path = write_notebook(folder / "nb.ipynb", case.text, **case.metadata)
    verdict = judge_apart(path, work, arguments=case.arguments, ignore=case.ignore, prints=case.prints)
    outcome = outcome_of(verdict)
    told = f"{outcome}: {verdict.details}\n{verdict.text}\n({case.why})"
    assert outcome & {case.expect, *case.also}, told
    if not outcome & {RIGHT}:
        missing = [word for word in case.mentions if word.lower() not in verdict.text.lower()]
        assert not missing, told
    if verdict.outcome in ("equal", "different"):
        assert plan_otherwise(case, verdict) == []


def outcome_of(verdict: Verdict) -> set[str]:
    """What came of a notebook in the words of the rows; a silent difference is none of them."""
    if verdict.outcome == "refused":
        return {REFUSED}
    if verdict.outcome == "failed":
        return {LOUD}
    if verdict.outcome == "broken":
        return set()
    warned = {WARNED} if verdict.warnings else set()
    if verdict.outcome == "equal":
        return {RIGHT} | warned
    return warned if not verdict.unsaid(along_order=True) else set()


def plan_otherwise(case: Case, verdict: Verdict) -> list[str]:
    """Where the plan is not as the row demands."""
    assert verdict.planned is not None
    pipeline = verdict.planned.draft
    steps = {s.name: s for s in pipeline.steps}
    actual: dict[str, Mapping[str, Any]] = {
        "inputs": {n: {i.variable: i.producer for i in s.inputs} for n, s in steps.items()},
        "after": {n: sorted(s.after) for n, s in steps.items()},
        "packages": {n: sorted(p.requirement for p in s.packages) for n, s in steps.items()},
    }
    wrong = [
        f"{what} of {name}: {table.get(name)}, not {wanted}"
        for what, table in actual.items()
        for name, wanted in getattr(case, what).items()
        if public(table.get(name)) != wanted
    ]
    defaults = {p.name: p.default for p in pipeline.parameters}
    if case.defaults and difference(dict(case.defaults), defaults):
        wrong.append(f"defaults: {defaults}")
    wrong += [f"{a} and {b} are ordered" for a, b in case.parallel if ordered(pipeline, a, b)]
    wrong += [f"warning: {w}" for w in verdict.warnings if case.quiet]
    return wrong + metrics_otherwise(case, verdict)


def public(value: Any) -> Any:
    """Inputs without the state of random generators, which no cell names."""
    return {k: v for k, v in value.items() if not is_internal(k)} if isinstance(value, dict) else value


def ordered(pipeline: Pipeline, one: str, other: str) -> bool:
    """Whether one of two steps runs after the other."""
    above: dict[str, set[str]] = {}
    for _ in pipeline.steps:
        for step in pipeline.steps:
            direct = {*step.after, *(i.producer for i in step.inputs)}
            above[step.name] = direct.union(*(above.get(name, set()) for name in direct))
    return one in above[other] or other in above[one]


def metrics_otherwise(case: Case, verdict: Verdict) -> list[str]:
    wrong = []
    for step, wanted in case.metrics.items():
        published = verdict.metrics.get(step, {})
        for name, value in wanted.items():
            if name not in published or (value is not ... and not math.isclose(published[name], value)):
                wrong.append(f"metric {name} of {step}: {published.get(name)!r}, not {value!r}")
    return wrong


def test_the_rows_are_many_and_have_names_of_their_own() -> None:
    names = [case.name for _, case in TABLE]
    assert len(names) > 500
    assert len(set(names)) == len(names)


# -- notebooks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example(path: Path, tmp_path: Path) -> None:
    assert_equal(path, tmp_path)


def assert_equal(path: Path, work: Path) -> None:
    """The notebook's variables and prints are its pipeline's, and there are some."""
    verdict = judge_apart(path, work)
    assert verdict.outcome == "equal", verdict.text
    assert verdict.planned is not None
    crossing = sum(len(s.outputs) for s in verdict.planned.draft.steps)
    assert crossing > 0
    assert verdict.compared >= crossing - len(verdict.unstable) > 0, verdict.unstable
    assert verdict.incomparable == []


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 5


def manifest(shared: Path) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads((shared / "notebooks" / "manifest.json").read_text(encoding="utf-8"))
    return entries


@pytest.mark.parametrize("prefix", RUNNABLE)
def test_real_notebook(shared: Path, prefix: str, tmp_path: Path) -> None:
    entry = next(e for e in manifest(shared) if Path(e["file"]).name.startswith(prefix))
    path = shared / "notebooks" / entry["file"]
    if not entry["compiles"]:
        assert judge_apart(path, tmp_path).outcome == "refused"
    else:
        assert_equal(path, tmp_path)


@pytest.mark.parametrize("prefix", RUNNABLE)
def test_real_notebook_gets_exactly_what_it_needs(shared: Path, prefix: str) -> None:
    entry = next(e for e in manifest(shared) if Path(e["file"]).name.startswith(prefix))
    pipeline = plan(shared / "notebooks" / entry["file"], {}).draft
    if not entry["compiles"]:
        pytest.skip("it is refused, and so has no truth")
    assert {s.name for s in pipeline.steps} == entry["truth"].keys()
    for step in pipeline.steps:
        truth = entry["truth"][step.name]
        optional = set(truth["optional"])
        ours = public({i.variable: i.producer for i in step.inputs})
        assert {*ours, *step.definitions} - optional == truth["inputs"].keys() - optional, step.name
        assert {v: truth["inputs"][v] for v in ours if v not in optional} == {
            v: p for v, p in ours.items() if v not in optional
        }
        assert sorted(step.parameters) == sorted(truth["parameters"])


def test_every_runnable_notebook_is_tried(shared: Path) -> None:
    runnable = [Path(e["file"]).name[:3] for e in manifest(shared) if e["file"].startswith("runnable/")]
    assert sorted(runnable) == sorted(RUNNABLE)


# -- the comparator ----------------------------------------------------------------------------------------------------


class Point:
    def __init__(self, x: Any) -> None:
        self.x = x


def unlike() -> list[tuple[str, Any, Any]]:
    import numpy as np
    import pandas as pd

    return [
        ("numbers", 1, 2),
        ("an int and a float", 1, 1.0),
        ("a bool and an int", True, 1),
        ("signs of zero", 0.0, -0.0),
        ("order of keys", {"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ("a value deep inside", {"a": [1, (2, {"b": 3})]}, {"a": [1, (2, {"b": 4})]}),
        ("sets deep inside", [{1, 2}], [{1, 3}]),
        ("state of instances", Point(1), Point(2)),
        ("instances in sets", {Point(1)}, {Point(2)}),
        ("constants of lambdas", lambda: 1, lambda: 2),
        ("defaults of lambdas", lambda x=1: x, lambda x=2: x),
        ("places of iterators", iter([1, 2]), iter([2])),
        ("types of arrays", np.zeros(2), np.zeros(2, "float32")),
        ("values of arrays", np.zeros(2), np.ones(2)),
        ("objects in arrays", np.array([Point(1)]), np.array([Point(2)])),
        ("generators of numbers", np.random.default_rng(0), np.random.default_rng(1)),
        ("types of columns", pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [1.0]})),
        ("names of an index", pd.Series([1], name="a"), pd.Series([1], name="b")),
        ("labels of an index", pd.Series([1], [0]), pd.Series([1], [1])),
        ("objects in frames", pd.DataFrame({"a": [Point(1)]}), pd.DataFrame({"a": [Point(2)]})),
    ]


@pytest.mark.parametrize("number", range(20), ids=[name for name, _, _ in unlike()])
def test_unlike_values_are_told_apart(number: int) -> None:
    _, one, other = unlike()[number]
    assert difference(one, other) is not None
    again = unlike()[number][1]
    comparison = compare(one, again)
    assert (comparison.difference, comparison.incomparable) == (None, [])
    assert comparison.compared > 0


def test_what_cannot_be_compared_is_listed() -> None:
    comparison = compare([(i for i in "a")], [(i for i in "b")])
    assert comparison.difference is None
    assert comparison.incomparable == ["builtins.generator"]


def test_a_structure_that_holds_itself_is_compared() -> None:
    one: list[Any] = [1]
    other: list[Any] = [1]
    one.append(one)
    other.append(other)
    assert compare(one, other).difference is None
    other[0] = 2
    assert compare(one, other).difference is not None
