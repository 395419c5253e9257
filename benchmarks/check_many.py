"""`kalec check` on a repository: 300 notebooks without tags and 60 with, beside reading and parsing the same files.

The notebooks are those of the examples, of ../shared where it is present and of whatever packages are installed, each
in variations: other names, shuffled markdown, outputs as Jupyter leaves them. Printed: notebooks a second, the ratio to
`nbformat.read` and `ast.parse`, of a warm run to a cold one, and of two processes to one.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import random
import shutil
import site
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from common import KALEC, ROOT, seconds

BASELINE = """
import ast, sys
from pathlib import Path
import nbformat
for path in sorted(Path().rglob("*.ipynb")):
    for cell in nbformat.read(path, 4).cells:
        if cell.cell_type == "code":
            try:
                ast.parse(cell.source)
            except SyntaxError:
                pass  # a magic
"""
PACKAGE = '[tool.kalecompiler]\nexclude = ["skipped"]\n'


def originals() -> list[dict[str, Any]]:
    """Notebooks as people wrote them, from the examples, from ../shared and from installed packages."""
    shared = Path(os.environ.get("KALEC_SHARED") or ROOT.parent / "shared") / "notebooks"
    folders = [ROOT / "notebooks", shared, *map(Path, site.getsitepackages())]
    found = []
    for path in (path for folder in folders for path in sorted(folder.rglob("*.ipynb"))):
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            continue
        if document.get("nbformat") == 4:
            found.append(document)
    return found


def tagged(document: dict[str, Any]) -> bool:
    """Whether a step is tagged in a notebook."""
    tags = [tag for cell in document["cells"] for tag in cell["metadata"].get("tags", [])]
    return any(tag.startswith(("step:", "block:")) and not tag.endswith(":") for tag in tags)


def varied(document: dict[str, Any], number: int, *, tags: bool) -> dict[str, Any]:
    """The notebook with a heading of its own, renamed comments and outputs; without tags as any other tool has it."""
    draw = random.Random(number)
    new: dict[str, Any] = json.loads(json.dumps(document))
    heading = {"cell_type": "markdown", "metadata": {}, "source": [f"# Variation {number}\n", "\n", "of a notebook"]}
    new["cells"] = [heading, *new["cells"]]
    for cell in new["cells"]:
        cell.pop("id", None)
        if cell["cell_type"] == "code":
            cell["source"] = "".join(cell["source"]) + f"\n# variation {number}"
            cell["outputs"] = list(_outputs(draw))
        if not tags:
            cell["metadata"].pop("tags", None)
    if not tags:
        new["metadata"] = {
            key: value for key, value in new["metadata"].items() if key in ("kernelspec", "language_info")
        }
    return new | {"nbformat_minor": 4}


def _outputs(draw: random.Random) -> Iterator[dict[str, Any]]:
    """Some text, and now and then an image."""
    if draw.random() < 0.5:
        lines = [f"epoch {n}: loss {draw.random():.4f}\n" for n in range(draw.randrange(40))]
        yield {"output_type": "stream", "name": "stdout", "text": lines}
    if draw.random() < 0.15:
        image = base64.b64encode(draw.randbytes(draw.randrange(4_000, 60_000))).decode()
        yield {"output_type": "display_data", "metadata": {}, "data": {"image/png": image, "text/plain": ["<Figure>"]}}


def write(folder: Path, untagged: int, with_tags: int) -> tuple[int, int]:
    """Write the repository; how many notebooks, and how many bytes they have."""
    sources = originals()
    ours = [document for document in sources if tagged(document)]
    size = 0
    for number in range(untagged + with_tags):
        tags = number >= untagged
        pool = ours if tags else sources
        document = varied(pool[number % len(pool)], number, tags=tags)
        path = folder / f"team{number % 12}" / f"{'pipeline' if tags else 'notebook'}{number}.ipynb"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        size += path.stat().st_size
    (folder / "pyproject.toml").write_text(PACKAGE, encoding="utf-8")
    return untagged + with_tags, size


def main() -> None:
    """Write the repository, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--untagged", type=int, default=300)
    parser.add_argument("--tagged", type=int, default=60)
    parser.add_argument("--tries", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        count, size = write(folder, options.untagged, options.tagged)
        print(f"{count} notebooks, {options.tagged} of them tagged, {size / 1e6:.1f} MB")
        check = [*KALEC, "check", "--exit-zero", "--quiet", "--format", "concise"]
        best: dict[str, float] = {}
        for _ in range(options.tries):
            for title, command, cold in (
                ("nbformat.read and ast.parse", [sys.executable, "-c", BASELINE], False),
                ("kalec check, cold, two processes", [*check, "--jobs", "2"], True),
                ("kalec check, warm", check, False),
                ("kalec check, no cache, two processes", [*check, "--jobs", "2", "--no-cache"], False),
                ("kalec check, no cache, one process", [*check, "--jobs", "1", "--no-cache"], False),
            ):
                if cold:
                    shutil.rmtree(folder / ".kalec_cache", ignore_errors=True)
                best[title] = min(best.get(title, float("inf")), seconds(command, folder))
        for title, taken in best.items():
            print(f"  {title:<38} {taken:7.3f} s  {count / taken:7.0f} notebooks a second")
        baseline, cold_, warm, two, one = best.values()
        print(f"cold to nbformat and ast: {cold_ / baseline:.2f} (goal: under 2.5)")
        print(f"the same in one process:  {one / baseline:.2f}")
        print(f"warm to cold:             {warm / cold_:.2f} (goal: under 0.2)")
        print(f"two processes to one:     {one / two:.2f} times as fast, for the tagged ones")


if __name__ == "__main__":
    main()
