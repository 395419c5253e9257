"""The table of values: each goes from one step to the next as it was, by both local engines, or is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import forked
import pytest
import valuecheck
import valuetable
from support import write_notebook
from valuetable import Family, Row

from kalecompiler import local
from kalecompiler.compile import Compiled, compile_package
from kalecompiler.plan import plan

Steps = dict[str, tuple[local.StepResult, str]]
ENGINES = ("kalec", "kfp")

TABLE = [(family, number, row) for family in valuetable.families() for number, row in enumerate(family.rows)]
TOGETHER = [(family, number, row) for family, number, row in TABLE if not row.alone]
ALONE = [(family, number, row) for family, number, row in TABLE if row.alone]


@dataclass
class Told:
    """What the steps of both engines said: (family, engine) -> row -> verdict, and the logs."""

    verdicts: dict[tuple[str, str], dict[int, str | None]] = field(default_factory=dict)
    logs: dict[tuple[str, str], str] = field(default_factory=dict)


def compiled(folder: Path, text: str) -> Compiled:
    """The package of a notebook, written in `folder`."""
    folder.mkdir(parents=True)
    valuetable.write_helpers(folder)
    planned = plan(write_notebook(folder / "nb.ipynb", text), {})
    assert planned.pipeline is not None, planned.diagnostics
    return compile_package(planned.pipeline)


def run_here(package: Compiled, folder: Path, run: Callable[..., local.RunResult] = local.run) -> Steps:
    """Each step's result and log, of a run by our engine."""
    result = run(package.spec, arguments={}, folder=folder / "runs", workdir=folder, jobs=1)
    return {step.name: (step, step.log.read_text(encoding="utf-8") if step.log else "") for step in result.steps}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Every family's notebook, run by both engines, side by side."""
    root, found = tmp_path_factory.mktemp("table"), Told()
    packages: dict[str, Path] = {}
    with ThreadPoolExecutor(2) as pool:
        runs = {}
        for family in valuetable.families():
            rows = [(number, row) for number, row in enumerate(family.rows) if not row.alone and not row.missing]
            if not rows:
                continue
            folder = root / family.name
            package = compiled(folder, valuetable.notebook_text(family, rows))
            packages[family.name] = folder / "nb.yaml"
            packages[family.name].write_text(package.text, encoding="utf-8")
            runs[family.name] = pool.submit(run_here, package, folder)
        theirs = pool.submit(run_by_kfp, root, packages)
        for name, run in runs.items():
            found.logs[name, "kalec"] = "\n".join(log for _, log in run.result().values())
        for name, log in theirs.result().items():
            found.logs[name, "kfp"] = log
    found.verdicts = {key: valuecheck.verdicts(log) for key, log in found.logs.items()}
    return found


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Steps]:
    """Family -> step -> result and log, for the rows of which a step fails: each has steps of its own."""
    root, found = tmp_path_factory.mktemp("alone"), {}
    for family in valuetable.families():
        rows = [(number, row) for number, row in enumerate(family.rows) if row.alone and not row.missing]
        if rows:
            package = compiled(root / family.name, valuetable.parallel_text(family, rows))
            found[family.name] = run_here(package, root / family.name, forked.run)
    return found


def run_by_kfp(root: Path, packages: dict[str, Path]) -> dict[str, str]:
    """The logs of the same packages, run by kfp.local one after the other in one process."""
    pytest.importorskip("kfp")
    done = forked.run_by_kfp(root / "kfp", *packages.values(), cwd=root)
    _, *parts = done.stdout.split("\n@@@")
    assert len(parts) == len(packages), done.stdout[-2000:]
    return dict(zip(packages, parts, strict=True))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("family", "number", "row"), TOGETHER, ids=[f"{family.name}: {row.name}" for family, _, row in TOGETHER]
)
def test_a_value_comes_to_the_next_step(family: Family, number: int, row: Row, engine: str, told: Told) -> None:
    if row.missing:
        pytest.skip(f"{row.missing} is not installed")
    verdicts = told.verdicts[family.name, engine]
    assert number in verdicts, told.logs[family.name, engine][-3000:]
    assert verdicts[number] is None


@pytest.mark.parametrize(("family", "number", "row"), ALONE, ids=[f"{f.name}: {row.name}" for f, _, row in ALONE])
def test_a_value_is_refused(family: Family, number: int, row: Row, alone: dict[str, Steps]) -> None:
    if row.missing:
        pytest.skip(f"{row.missing} is not installed")
    step, log = alone[family.name][f"{'make' if row.refused else 'take'}{number}"]
    assert step.status is local.Status.FAILED, log
    assert "Traceback" not in log
    start = log.index(f"kalec: step {step.name} failed: ")
    first, cure = log[start:].splitlines()[:2]
    assert cure.startswith("  help: ")
    assert (row.refused or row.unloadable) in f"{first}\n{cure}"
    if row.refused:
        assert re.match(
            rf"kalec: step \S+ failed: cannot hand 'v0' \(.+, from nb.ipynb make{number}\[\d\]\) on to", first
        )


def test_the_table_is_large_and_its_rows_have_names_of_their_own() -> None:
    names = [(family.name, row.name) for family, _, row in TABLE]
    assert len(TABLE) >= 160
    assert len(set(names)) == len(names)
    assert sum(1 for _, _, row in ALONE if row.refused) >= 20
    assert len([row for _, _, row in TOGETHER if not row.missing]) >= 160


# -- the comparator ----------------------------------------------------------------------------------------------------


def unlike() -> list[tuple[str, Any, Any]]:
    import numpy as np
    import pandas as pd

    plain = pd.DataFrame({"a": [1, 2]})
    fixed = np.arange(3)
    fixed.flags.writeable = False
    return [
        ("types", [1], (1,)),
        ("orders of an array", np.zeros((2, 2)), np.zeros((2, 2), order="F")),
        ("byte orders", np.zeros(2, ">f8"), np.zeros(2, "<f8")),
        ("signs of zero", np.array([0.0]), np.array([-0.0])),
        ("may be written", np.arange(3), fixed),
        ("a scalar and no dimensions", np.float64(1), np.array(1.0)),
        ("fill values", np.ma.array([1], fill_value=1), np.ma.array([1], fill_value=2)),
        ("a hard mask", np.ma.array([1], hard_mask=True), np.ma.array([1])),
        ("attrs", plain, plain.copy().assign().__finalize__(_with_attrs(plain))),
        ("flags", plain, plain.set_flags(allows_duplicate_labels=False)),
        ("kinds of index", plain, plain.set_axis(pd.Index([0, 1]), axis=0)),
        (
            "frequencies",
            pd.date_range("2024", periods=2),
            pd.DatetimeIndex(pd.date_range("2024", periods=2), freq=None),
        ),
        ("orders of categories", pd.Categorical(["a"], ["a", "b"]), pd.Categorical(["a"], ["b", "a"])),
        ("types of text", pd.Series(["a"], dtype=object), pd.Series(["a"], dtype="str")),
        ("kinds of nothing", pd.Series([None], dtype=object), pd.Series([np.nan], dtype=object)),
        ("units of time", pd.Timestamp(0).as_unit("s"), pd.Timestamp(0).as_unit("ms")),
        ("names", pd.Series([1], name="a"), pd.Series([1])),
        ("levels", pd.MultiIndex.from_product([[1], [2]])[:1], pd.MultiIndex.from_product([[1], [2, 3]])[:1]),
    ]


def _with_attrs(frame: Any) -> Any:
    other = frame.copy()
    other.attrs["k"] = 1
    return other


def test_unlike_values_are_told_apart() -> None:
    pytest.importorskip("pandas")
    missed = [name for name, one, other in unlike() if valuecheck.verdict(one, other) is None]
    wrong = [
        name
        for (name, one, _), (_, again, _) in zip(unlike(), unlike(), strict=True)
        if valuecheck.verdict(one, again) is not None
    ]
    assert (missed, wrong) == ([], [])


def test_what_must_hold_is_asked_and_an_error_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert valuecheck.verdict([1], [1], lambda it, twin: it is twin) == "what must hold does not"
    assert valuecheck.verdict(1, 2, lambda it, twin: True, loose=True) is None
    assert "ZeroDivisionError" in str(valuecheck.verdict(1, 1, lambda it, twin: 1 / 0))
    assert "cannot compare" in str(valuecheck.verdict((i for i in "a"), (i for i in "a")))
    valuecheck.tell(3, 1, 2)
    valuecheck.tell(4, 1, 1)
    assert valuecheck.verdicts(capsys.readouterr().out) == {3: "1, not 2", 4: None}
