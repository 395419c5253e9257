"""Runs whose snapshots are kept, for tests: compiled once, and run here or in a process that can be killed."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kalecompiler import commands, local
from kalecompiler.local import RunResult
from kalecompiler.snapshots.ingest import Ingest
from kalecompiler.snapshots.store import Store

FOUR = (
    ("step:one", "import random\nrandom.seed(1)\na = list(range(60_000))"),
    ("step:two prev:one", "b = [x + 1 for x in a]"),
    ("step:three prev:two", "c = bytes(len(b) % 251 for _ in range(1 << 21))"),
    ("step:four prev:three", "total = len(c) + sum(b[:10])\nleaf = {'total': total}"),
)


def notebook(path: Path, cells: tuple[tuple[str, str], ...]) -> Path:
    """A notebook of these cells: (tags, source)."""
    made = [
        {
            "cell_type": "code", "id": f"c{number}", "metadata": {"tags": tags.split()}, "source": source,
            "outputs": [], "execution_count": None,
        }
        for number, (tags, source) in enumerate(cells)
    ]  # fmt: skip
    document = {"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


@functools.cache
def compiled(folder: Path, cells: tuple[tuple[str, str], ...]) -> tuple[str, Any]:
    """The package of a notebook: its text, and parsed."""
    package = commands.compile_(notebook(folder / "nb.ipynb", cells), {})
    return package.compiled.text, package.compiled.spec


def run(
    folder: Path, cells: tuple[tuple[str, str], ...] = FOUR, arguments: Mapping[str, object] | None = None, **more: Any
) -> tuple[Store, RunResult, list[str]]:
    """Run a notebook in a folder: the store, the result, and what was warned of."""
    folder.mkdir(parents=True, exist_ok=True)
    text, spec = compiled(folder, cells)
    warned: list[str] = []
    store = Store.open(folder / ".kalec" / "store", create=True)
    path = folder / "nb.ipynb"
    keeper = Ingest(store, path, text.encode(), (), warned.append, source=path.read_bytes())
    result = local.run(
        spec, arguments=arguments or {}, folder=folder / ".kalec" / "runs", workdir=folder, keeper=keeper, **more
    )
    return store, result, warned


def run_over_and_over(text: str, spec: Any, place: Path) -> None:
    """What a process does that is to be killed: run a package, again and again, in one store."""
    while True:
        store = Store.open(place / ".kalec" / "store", create=True)
        keeper = Ingest(store, None, text.encode())
        local.run(spec, arguments={}, folder=place / ".kalec" / "runs", workdir=place, keeper=keeper)
