"""What the benchmarks share: notebooks of a given size, timing of whole processes, and the table that is printed.

Every ratio comes from one run on one machine, the contestants taking turns, each at its best of a few tries: the
machine's own noise hits all alike.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
KALEC = [sys.executable, "-m", "kalecompiler"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
ENVIRONMENT.pop("PYTHONDONTWRITEBYTECODE", None)  # what kalec is compared with has its byte code, from its installation


def write_notebook(path: Path, cells: Sequence[tuple[str, str]]) -> Path:
    """Write a notebook of (tags, source) cells, and return its path."""
    records = [
        {
            "cell_type": "code",
            "execution_count": None,
            "id": f"cell-{number}",
            "metadata": {"tags": tags.split()},
            "outputs": [],
            "source": source.splitlines(keepends=True),
        }
        for number, (tags, source) in enumerate(cells)
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    document = {"cells": records, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return path


def chain(count: int) -> list[tuple[str, str]]:
    """Steps in a row, each with a small cell that reads the one above."""
    cells = [("step:s0", "v0 = 1")]
    for n in range(1, count):
        source = f"parts = [v{n - 1} + i for i in range(10)]\nif parts:\n    v{n} = max(parts)\nelse:\n    v{n} = 0"
        cells.append((f"step:s{n} prev:s{n - 1}", source))
    return cells


def fan_out(count: int) -> list[tuple[str, str]]:
    """One step, `count` - 2 that read it and can run side by side, and one that reads them all."""
    middle = range(1, count - 1)
    cells = [("step:s0", "v0 = 1"), *((f"step:s{n} prev:s0", f"v{n} = v0 + {n}") for n in middle)]
    return [*cells, (" ".join(["step:end", *(f"prev:s{n}" for n in middle)]), " + ".join(f"v{n}" for n in middle))]


def seconds(command: Sequence[str], folder: Path) -> float:
    """How long a command takes, which must succeed."""
    start = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    taken = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return taken


def race(commands: Mapping[str, Sequence[str]], folder: Path, tries: int = 3) -> dict[str, float]:
    """The best time of each command, by name; they take turns."""
    best: dict[str, float] = {}
    for _ in range(tries):
        for name, command in commands.items():
            best[name] = min(best.get(name, float("inf")), seconds(command, folder))
    return best


def show(title: str, times: Mapping[str, float]) -> None:
    """Print the times, and each one's ratio to the first."""
    first = next(iter(times.values()))
    print(title)
    for name, taken in times.items():
        print(f"  {name:<36} {taken:8.3f} s   x {taken / first:.2f}")
