"""Brings the state of a moment of a run into this process: what the cell of a checked-out notebook calls.

The definitions are executed and the variables bound in `__main__`, as the cells above would have done it. What cannot
be restored is said, and does not keep the rest from it.
"""

from __future__ import annotations

import ast
import contextlib
import linecache
import os
import platform
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kalecompiler.diagnostics import KalecError
from kalecompiler.snapshots import alreadyrun, edited, hooks, loads, moment, notebookout, place, shown, signing, state
from kalecompiler.snapshots.manifest import BEFORE, CODE
from kalecompiler.snapshots.objects import StoreProblem
from kalecompiler.snapshots.state import Item, Lost, State
from kalecompiler.snapshots.store import Store
from kalecompiler.wording import listed

_UNTRUSTED = "it could run code, and nothing says that it is yours: --trust loads what you know to be"


def restore(
    folder: str,
    run: str,
    step: str,
    when: str = BEFORE,
    scope: str = moment.ANCESTORS,
    *,
    trust: bool = False,
    force: bool = False,
    quiet: bool = False,
) -> tuple[Lost, ...]:
    """Restore the state before or after a step of a run, which the store in `folder` keeps, into `__main__`.

    Without `trust` only plain data of a run that is not this user's is loaded, and none of its definitions executed;
    with `force` code of another minor version of Python is loaded too. Prints what came of it; returns what could not
    be restored. Raises UsageError where there is no such state.
    """
    store = Store.open(Path(folder))
    found = state.find(store, store.run(run), step, when, scope)
    cells = notebookout.sources(found)
    kept = edited.definitions(found.moment.content, cells)
    lost = bring(found, trust=trust, force=force, tell=(lambda text: None) if quiet else print, kept=kept)
    alreadyrun.watch(notebookout.above(found, cells), f"{when} step {found.moment.step.name}")
    return lost


def bring(
    found: State,
    *,
    trust: bool = False,
    force: bool = False,
    tell: Callable[[str], None] = print,
    kept: Collection[str] = (),
) -> tuple[Lost, ...]:
    """The same of a state that was found already; functions and classes that are `kept` stay as they are here.

    Hooks are told first; raises HookProblem where one fails that is required.
    """
    namespace = sys.modules["__main__"].__dict__
    other = other_python(found)
    if other and not force and any(item.record.tier == CODE for item in found.items):
        tell(f"kalec: {other}: objects that hold code are left out; --force loads them all the same")
    runs_code = trust or found.trusted
    lost = list(found.lost)
    _place(found)
    if found.manifest is not None and (trust or signing.trusted(found.manifest) == "signed"):
        hooks.restore(found.manifest, lambda text: tell(f"kalec: warning: {text}"))
    if changed := _parameters(found, namespace):
        tell(f"kalec: the parameters are the run's, and not what they were here: {listed(changed)}")
    if kept:
        tell(f"kalec: left as defined here, which is not as in the run: {listed(sorted(kept))}")
    content = found.moment.content
    if runs_code:
        _bring_files(content)
        lost += _execute(content, ("imports", "functions"), namespace, kept)
    else:
        lost += [Lost(piece["name"], _UNTRUSTED, piece["kind"]) for piece in content.get("code", ())]
    allowed = _allowed(trust, force, other)
    done = list(_load(found, True, allowed, namespace, lost, trust))
    if runs_code:
        lost += _execute(content, ("definition",), namespace)
    done += _load(found, False, allowed, namespace, lost, trust)
    if runs_code:
        lost += _execute(content, ("cell",), namespace)
    states = _set_random(found.random)
    tell(shown.summary(found, done, lost, states))
    return tuple(lost)


def other_python(found: State) -> str:
    """What to say where the run's Python is another minor version than this one; empty where it is not."""
    there = str(found.environment.get("python", ""))
    here = platform.python_version()
    if not there or there.split(".")[:2] == here.split(".")[:2]:
        return ""
    return f"the run's Python is {there}, this one is {here}"


def _allowed(trust: bool, force: bool, other: str) -> Callable[[Item], str]:
    """Why an item must not be loaded; empty where it may."""

    def why_not(item: Item) -> str:
        if item.record.tier != CODE:
            return ""
        if not (trust or item.trusted):
            return _UNTRUSTED
        return f"{other}: --force loads it all the same" if other and not force else ""

    return why_not


def _place(found: State) -> None:
    """The run's working directory, where there is one, and the variables of the environment that the step's tags set.

    Files that cells name are looked for there.
    """
    for name, value in found.moment.step.settings.of("env"):
        os.environ.setdefault(name, value)
    folder = place.folder(found.store, found.record)
    if folder.is_dir():
        os.chdir(folder)
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))


def _parameters(found: State, namespace: dict[str, Any]) -> list[str]:
    """Bind all parameters of the pipeline, typed as the notebook declares them; those that were something else here."""
    values = notebookout.parameters_of(found)
    scalars = {name: here for name in values if isinstance(here := namespace.get(name), str | int | float | bool)}
    namespace.update(values)
    return [
        f"{name} = {values[name]!r} ({here!r} here)"
        for name, here in scalars.items()
        if repr(here) != repr(values[name])
    ]


def _bring_files(content: Mapping[str, Any]) -> None:
    """The modules that lay beside the notebook, as they were; and its handlers."""
    from kalecompiler.runtime import handlers, install

    install.files(content.get("files", {}))
    handlers.start(content, None, None)


def _execute(
    content: Mapping[str, Any], kinds: Sequence[str], namespace: dict[str, Any], kept: Collection[str] = ()
) -> Iterator[Lost]:
    """Execute the pieces of these kinds, statement by statement, without definitions of `kept` names; what fails."""
    flags = 0
    for piece in content.get("code", ()):
        if piece["kind"] not in kinds:
            continue
        lines, name = piece["source"], piece["name"]
        linecache.cache[name] = (sum(map(len, lines)), None, [line + "\n" for line in lines], name)
        for statement in ast.parse("\n".join(lines)).body:
            if isinstance(statement, edited.Defined) and statement.name in kept:
                continue
            try:
                code = compile(ast.Module([statement], []), name, "exec", flags, dont_inherit=True)
                flags |= code.co_flags & 0x1000000  # __future__.annotations
                exec(code, namespace)  # noqa: S102 - the notebook's own definitions, which somebody vouches for
            except Exception as error:  # noqa: BLE001 - any code of the notebook's
                yield Lost(_names(statement) or name, f"{type(error).__name__}: {error}", piece["kind"], (name,))


def _names(statement: ast.stmt) -> str:
    """What a statement binds, for a message."""
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return ", ".join(alias.asname or alias.name for alias in statement.names)
    return str(getattr(statement, "name", ""))


def _load(
    found: State,
    early: bool,
    why_not: Callable[[Item], str],
    namespace: dict[str, Any],
    lost: list[Lost],
    trust: bool,
) -> Iterator[Item]:
    """Bind the variables that are wanted early, or the others; gives those that were bound."""
    for group in state.groups(found.items, early):
        reasons = [(item, reason) for item in group if (reason := why_not(item))]
        lost += [_lost(found, item, reason) for item, reason in reasons]
        items = [item for item in group if not why_not(item)]
        if not items:
            continue
        for item, value in _values(found, items, lost, trust):
            if value is loads.ABSENT:
                namespace.pop(item.variable, None)
            else:
                namespace[item.variable] = value
            yield item


def _values(found: State, items: Sequence[Item], lost: list[Lost], trust: bool) -> Iterator[tuple[Item, Any]]:
    """The values of variables that share objects, from the file of the first; those that it lacks from their own."""
    names = {item.variable: item for item in items}
    loaded: dict[str, Any] = {}
    for name, item in names.items():
        if name in loaded:
            continue
        others = [other for other in names if other != name and other not in loaded]
        for wanted in ([name, *others], [name])[0 if others else 1 :]:
            try:
                loaded |= loads.values(found.store, item.record, wanted, trust or item.trusted)
                break
            except (KalecError, loads.ValueProblem) as error:
                problem = error
        else:
            lost.append(_lost(found, item, str(problem).partition("\n")[0]))
    yield from ((names[name], value) for name, value in loaded.items())


def _lost(found: State, item: Item, reason: str) -> Lost:
    return Lost(item.variable, reason, item.record.type, found.moment.cells.get(item.variable, ()))


def _set_random(states: Mapping[str, Any]) -> list[str]:
    """Set the random states that were recorded; the names of those that were."""
    from kalecompiler.snapshots import randomstates

    done = []
    for name, value in states.items():
        with contextlib.suppress(ImportError, ValueError, TypeError):
            randomstates.put(name, value)
            done.append(name)
    return done


__all__ = ["StoreProblem", "bring", "other_python", "restore"]
