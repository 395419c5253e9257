"""Checking one notebook of 60 cells and 100 notebooks, beside reading them with nbformat and parsing them with ast."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from common import KALEC, race, show, write_notebook

BASELINE = """
import ast, sys
import nbformat
for path in sys.argv[1:]:
    for cell in nbformat.read(path, 4).cells:
        ast.parse(cell.source)
"""


def cells(count: int) -> list[tuple[str, str]]:
    """A notebook as people write them: imports, parameters, functions, and steps of three cells."""
    head = [
        ("imports", "import math\nimport json"),
        ("pipeline-parameters", "rate = 0.1\nrounds = 5"),
        ("functions", "def scaled(values, by=1.0):\n    return [math.sqrt(v * by) for v in values]"),
    ]
    body = []
    for n in range(count - len(head)):
        step = n // 3
        tags = f"step:s{step}" + (f" prev:s{step - 1}" if step else "")
        before = f"values{step - 1}" if step else "range(100)"
        source = (
            f"values{step} = scaled({before}, by=rate)\nfor i in range(rounds):\n    values{step} += [i]",
            f"table{step} = {{str(n): v for n, v in enumerate(values{step})}}\ntext{step} = json.dumps(table{step})",
            f"print(len(text{step}), max(values{step}))",
        )[n % 3]
        body.append((tags, source))
    return head + body


def main() -> None:
    """Print the two tables, and notebooks a second."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        large = write_notebook(folder / "large.ipynb", cells(60)).name
        many = [write_notebook(folder / f"n{n}.ipynb", cells(24)).name for n in range(100)]
        baseline = [sys.executable, "-c", BASELINE]
        for title, paths in (("check a notebook of 60 cells", [large]), ("check 100 notebooks", many)):
            commands = {"nbformat.read and ast.parse": [*baseline, *paths], "kalec check": [*KALEC, "check", *paths]}
            times = race(commands, folder, tries=5)
            show(title, times)
            print(f"  {len(paths) / times['kalec check']:.1f} notebooks a second")


if __name__ == "__main__":
    main()
