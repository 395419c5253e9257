"""What tests of time travel share: runs that are kept, and the state of a notebook executed up to a step."""

from __future__ import annotations

import functools
import json
import os
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any
from unittest import mock

import forked
import oracle  # first: it says how many threads numpy may have
from equality import compare

from kalecompiler import commands, ipython
from kalecompiler.local import RunResult
from kalecompiler.model import CodeKind, Role
from kalecompiler.runtime import display, loop, shell, values
from kalecompiler.runtime import step as runtime_step
from kalecompiler.snapshots import find, moment, restore, state
from kalecompiler.snapshots.find import Found

SEEDED = {"random": "random", "numpy": "numpy"}


def keep(notebook: Path, folder: Path, pyproject: str = "") -> tuple[Path, Found, RunResult]:
    """Copy a notebook with what lies beside it into a folder, and run it there; the copy, and the kept run.

    The steps are forked from a process that has imported the large libraries.
    """
    return oracle.apart(_keep, notebook, folder, pyproject)


def _keep(notebook: Path, folder: Path, pyproject: str) -> tuple[Path, Found, RunResult]:
    folder.mkdir(parents=True, exist_ok=True)
    for path in notebook.parent.iterdir():
        if path.is_file() and path.suffix != ".ipynb":
            shutil.copy(path, folder)
    copy = Path(shutil.copy(notebook, folder))
    if pyproject:
        (folder / "pyproject.toml").write_text(pyproject, encoding="utf-8")
    with forked.steps():
        result = run(copy)
    return copy, find.find("latest", folder), result


def run(notebook: Path, **request: Any) -> RunResult:
    """Run a notebook as `kalec run` does."""
    package = commands.compile_(notebook, {})
    return commands.run(notebook, package, commands.RunRequest(**request), lambda event: None)


@dataclass(frozen=True)
class Unlike:
    """How a restored state differs from the notebook executed to that point.

    `compared` are the variables that were, `missing` those that the notebook has and the state has not.
    """

    differences: list[str]
    compared: set[str]
    missing: set[str]


def unlike(moments: Sequence[tuple[Found, str, str]], work: Path) -> list[Unlike]:
    """How the restored state of each moment (a run, a step, before or after) differs from the executed notebook."""
    return oracle.apart(_unlike, moments, work)


def _unlike(moments: Sequence[tuple[Found, str, str]], work: Path) -> list[Unlike]:
    with mock.patch.object(moment, "read", functools.cache(moment.read)):  # for all moments of a run it is the same
        return _compare(moments, work)


def _compare(moments: Sequence[tuple[Found, str, str]], work: Path) -> list[Unlike]:
    at = [state.find(found.store, found.record, step, when) for found, step, when in moments]
    places = [work / str(number) for number in range(len(at))]
    answers = []
    for one, place in zip(at, places, strict=True):
        place.mkdir(parents=True)
        told = oracle.in_child(functools.partial(_restored, one, place), _folder(one), place / "restored.log")
        assert told, (place / "restored.log").read_text()
        answers.append(json.loads(told))
    alike: dict[str, list[int]] = {}  # states behind the same cells: one execution serves all
    for number, one in enumerate(at):
        alike.setdefault(repr((cells_above(one), dict(one.record.parameters))), []).append(number)
    unequal: dict[int, Unlike] = {}
    for numbers in alike.values():
        group = [(at[number], places[number], answers[number]) for number in numbers]
        log = group[0][1] / "executed.log"
        said = oracle.in_child(functools.partial(_executed, group), _folder(group[0][0]), log)
        assert said, log.read_text()
        for number, (differences, compared, missing) in zip(numbers, json.loads(said), strict=True):
            unequal[number] = Unlike(differences, set(compared), set(missing))
    return [unequal[number] for number in range(len(at))]


def _folder(at: state.State) -> Path:
    return Path(at.record.workdir)


def _restored(at: state.State, work: Path) -> str:
    """In a fork: restore, and keep what is then in `__main__`."""
    lost = restore.bring(at)
    namespace = vars(sys.modules["__main__"])
    kept = []
    for item in at.items:
        if item.variable in namespace and not item.variable.startswith("_"):
            values.save(str(work / item.variable), namespace[item.variable], item.variable)
            kept.append(item.variable)
    return json.dumps({"kept": kept, "lost": [str(one) for one in lost], "draws": _draws(at)})


def _executed(group: Sequence[tuple[state.State, Path, Mapping[str, Any]]]) -> str:
    """In a fork: execute the notebook's cells up to the moment, and compare."""
    namespace = vars(sys.modules["__main__"])
    at = group[0][0]
    execute(at, cells_above(at), namespace)
    draws = _draws(at)
    return json.dumps([_compared(one, work, answer, namespace, draws) for one, work, answer in group])


def _compared(
    at: state.State, work: Path, answer: Mapping[str, Any], namespace: Mapping[str, Any], draws: Mapping[str, Any]
) -> Any:
    differences = []
    for name in answer["kept"]:
        if name not in namespace:
            differences.append(f"{name} is restored, and the notebook does not have it")
            continue
        ours = values.load(str(work / name), None, name)
        found = compare(*(str(v) if isinstance(v, PurePath) else v for v in (namespace[name], ours)))  # it caches
        if found.difference:
            differences.append(f"{name}: {found.difference}")
    differences += [
        f"the draws of {n}: {draws[n]}, not {answer['draws'].get(n)}"
        for n in draws
        if draws[n] != answer["draws"].get(n)
    ]
    kept = {*answer["kept"], *(p.name for p in at.moment.pipeline.parameters)}
    missing = [n for n, value in namespace.items() if not n.startswith("_") and n not in kept and _is_value(value)]
    return [differences, answer["kept"], missing]


def _is_value(value: Any) -> bool:
    return not isinstance(value, (type, type(sys), type(_is_value))) and not callable(value)


def _draws(at: state.State) -> dict[str, list[float]]:
    """Numbers from the generators that the notebook seeds."""
    found: dict[str, list[float]] = {}
    if "_random_state" in at.moment.states:
        import random

        found["random"] = [random.random() for _ in range(3)]
    if "_numpy_random_state" in at.moment.states:
        import numpy

        found["numpy"] = numpy.random.rand(3).tolist()
    return found


def cells_above(at: state.State) -> list[tuple[int, Role, str]]:
    """The cells that the moment has behind it, in the order of the notebook, as Python."""
    data = state.notebook_of(at.store, at.record)
    path = Path(at.record.workdir) / at.record.notebook_name
    annotations = moment.read(path, data).annotations
    steps = at.moment.pipeline.steps
    owner = {number: step.name for step in steps for number in step.cells}
    chosen = at.moment.step
    end = chosen.cells[0] if at.moment.when == "before" else chosen.cells[-1] + 1
    shared = (Role.IMPORTS, Role.FUNCTIONS, Role.PARAMETERS)
    return [
        (a.cell.number, a.role, ipython.translate(a.cell.source).source)
        for a in annotations
        if (a.role in shared and a.cell.number < end) or owner.get(a.cell.number) in at.ran
    ]


def execute(at: state.State, cells: Iterable[tuple[int, Role, str]], namespace: dict[str, Any]) -> None:
    """Execute cells as a notebook does, with the run's parameters."""
    kernel = runtime_step.cells.Kernel(namespace, display.Recorder(os.devnull))
    kernel.loop = loop.Loop()
    if any("get_ipython" in source for _, _, source in cells):
        shell.install(namespace)
    for number, role, source in cells:
        kernel.run(
            {"name": f"cell {number}", "kind": "cell", "source": source.split("\n"), "kept": _kept(at.moment, number)}
        )
        if role is Role.PARAMETERS:
            restore._parameters(at, namespace)


def _kept(at: moment.Moment, cell: int) -> tuple[tuple[int, str], ...]:
    codes = [c for s in at.pipeline.steps for c in s.code if c.origin is not None and c.origin.cell == cell]
    return next((c.kept for c in codes if c.kept and c.kind is CodeKind.CELL), ())


def own_key(monkeypatch: Any, path: Path) -> None:
    """Sign with a key of the test's own."""
    from kalecompiler.snapshots import signing

    monkeypatch.setenv(signing.FILE, str(path))
    signing.forget()
