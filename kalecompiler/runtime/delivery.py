"""Runs in a process of its own, which `telling` starts at the end of a step: makes the calls of one tracker.

It prints an empty line for each call that was made, and at the end why there are no more.
"""

from __future__ import annotations

import importlib
import os
import pathlib
import sys
import time
import types

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

PACKAGE = "kalecompiler.tracking"
GROUP = "kalecompiler.trackers"
PAUSE = 2.0


def main(given: Mapping[str, Any]) -> None:
    """Make the calls; one that fails is tried once more, after a pause."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    calls: Any = sys.modules[PACKAGE + ".calls"]
    run = calls.Run(**{**given["run"], "folder": pathlib.Path(given["folder"])})
    calls.be_impatient()
    left = list(given["calls"])
    problem = ""
    for pause in (0, PAUSE):
        time.sleep(pause)
        try:
            tracker = make(given)
            while left:
                number, when, method, arguments = left[0]
                calls.tell(tracker, run, calls.Moment(number, when), method, arguments)
                del left[0]
                print(file=out, flush=True)
            return
        except Exception as error:  # any library's, any network's
            problem = calls.words(error)
            if isinstance(error, ImportError):
                break
    print(problem, end="", file=out, flush=True)


def make(given: Mapping[str, Any]) -> Any:
    """The tracker: one that this step carries, else a plug-in. Raises whatever its making raises."""
    module, _, name = given.get("class", "").partition(":")
    if module:
        return getattr(sys.modules[module], name)(given["options"])
    for name in ("kalecompiler", PACKAGE):  # a plug-in imports its base class, also where kalecompiler is not installed
        try:
            importlib.import_module(name)
        except ImportError:
            sys.modules[name] = types.ModuleType(name)
            sys.modules[name].__path__ = []
    setattr(sys.modules["kalecompiler"], "tracking", sys.modules[PACKAGE])  # noqa: B010
    setattr(sys.modules[PACKAGE], "tracker", sys.modules[PACKAGE + ".tracker"])  # noqa: B010
    from importlib import metadata

    found: Any = metadata.entry_points()
    points = found.select(group=GROUP) if hasattr(found, "select") else found.get(GROUP, ())  # Python 3.9 has a dict
    for point in points:
        if point.name == given["name"]:
            return point.load()(given["options"])
    raise ModuleNotFoundError("", name=f"the package of the tracker {given['name']}")
