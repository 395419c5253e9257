"""Fuzzing `kalec check`: random bytes, mutated notebooks and mutated tags never give a traceback, in any format.

`python benchmarks/fuzz_check.py --minutes 10`. Every input is checked as from stdin, its findings are placed in the
file and written in every format; JSON formats are read again. A failure prints the seed and leaves the input in a file.
Mutations are made here rather than by hypothesis, which stops at the first failure and shrinks it: a fuzzer goes on.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import random
import re
import sys
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

sys.path.insert(0, str(Path(__file__).parent.parent))

from common import ROOT

from kalecompiler import baseline, checkcache, checking, report
from kalecompiler.diagnostics import RULES, UsageError
from kalecompiler.formats.context import Context
from kalecompiler.tagged import is_tagged

TAGS = (
    "step:a step:b block:a block: prev:a prev:a:b prev: imports functions skip pipeline-parameters pipeline-metrics "
    "handler noqa noqa:KC3 exit image:x cache:enabled limit:cpu:1 request:memory:1Gi label:a:b annotation:a:b "
    "secret:a:b:C env:A:b retry:3 timeout:30m node-selector:a:b changes:x metrics:x snapshot:all together:a,b"
).split()
PIECES = [
    "%%time\n",
    "!ls $x\n",
    "%pip install a==1\n",
    "await x\n",
    "\x0c",
    "\ufeff",
    "\u2028",
    "'''",
    '"""',
    "\\\n",
    "\t",
    "lambda: 0",
    "x = 1\n",
    "def f(): return x\n",
    "class A:\n  __x = 1\n",
    "f'{x!r:>{y}}'",
    "global x\n",
    "del x\n",
    "import a.b as c\n",
    "from . import y\n",
    "exec('x')\n",
    "# noqa: KC201, KC9",
    "🎉",
    "match x:\n  case {**y}: pass\n",
    "password = 'hunter2hunter2'\n",
    "(x := 3)\n",
    "try:\n  x\nexcept* E: pass\n",
    "type X = int\n",
    "@x\n",
    "x[1:2, ...] += 3\n",
    "\r\n",
    "\r",
    "0" * 50,
    "(" * 120,
]
VALUES: list[Any] = [
    None,
    True,
    0,
    -1,
    1e308,
    "",
    "x",
    [],
    {},
    [1],
    {"a": 1},
    "🎉",
    [[]],
    "step:a",
    ["step:a", 3],
    10**30,
]
FORMATS = [name for name in report.FORMATS if name != "text"]
EVERYTHING = frozenset(RULES)


def seeds() -> list[bytes]:
    """The examples, the notebooks of ../shared and the examples on the pages of the rules."""
    shared = Path(os.environ.get("KALEC_SHARED") or ROOT.parent / "shared") / "notebooks"
    found = [path.read_bytes() for folder in (ROOT / "notebooks", shared) for path in sorted(folder.rglob("*.ipynb"))]
    pages = (ROOT / "kalecompiler" / "rules").glob("*.md")
    texts = [text for page in pages for text in re.findall(r"```notebook\n(.*?)```", page.read_text(), re.DOTALL)]
    return found + [json.dumps(_document(text), indent=1).encode() for text in texts]


def _document(text: str) -> dict[str, Any]:
    cells = []
    for tags, source in re.findall(r"^# %%(.*)\n((?:(?!# %%).*\n?)*)", text, re.MULTILINE):
        cell = {"cell_type": "code", "metadata": {"tags": tags.split()}, "source": source, "outputs": []}
        cells.append(cell)
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}


def mutated(draw: random.Random, pool: list[bytes]) -> tuple[str, bytes]:
    """An input, and how it was made."""
    kind = draw.choice(["bytes", "damage", "json", "cells", "cells", "tags", "tags", "code", "code"])
    if kind == "bytes":
        return kind, draw.randbytes(draw.randrange(200))
    data = draw.choice(pool)
    if kind == "damage":
        return kind, _damaged(draw, data)
    document = json.loads(data)
    for _ in range(draw.randrange(1, 5)):
        {"json": _json, "cells": _cells, "tags": _tags, "code": _code}[kind](draw, document)
    indent = draw.choice([None, 1, "\t"])
    text = json.dumps(document, indent=indent, ensure_ascii=draw.random() < 0.5)
    return kind, text.encode(draw.choice(["utf-8", "utf-8", "utf-8-sig", "utf-16"]), "surrogatepass")


def _damaged(draw: random.Random, data: bytes) -> bytes:
    """Some bytes lost, doubled or changed."""
    for _ in range(draw.randrange(1, 6)):
        at = draw.randrange(len(data) + 1)
        length = draw.choice([1, 2, 10, 1000])
        insert = draw.choice(
            [b"", draw.randbytes(2), data[at : at + length], b"<<<<<<< HEAD\n", b'"', b"\\u", b"{", b"]"]
        )
        data = data[:at] + insert + data[at + draw.choice([0, length]) :]
    return data


def _json(draw: random.Random, node: Any, depth: int = 0) -> None:
    """Another value somewhere in the document."""
    keys = list(node) if isinstance(node, dict) else list(range(len(node))) if isinstance(node, list) else []
    if not keys:
        return
    key = draw.choice(keys)
    if depth < 6 and isinstance(node[key], dict | list) and draw.random() < 0.8:
        _json(draw, node[key], depth + 1)
    elif draw.random() < 0.3 and isinstance(node, dict):
        del node[key]
    else:
        node[key] = copy.deepcopy(draw.choice(VALUES))


def _some(draw: random.Random, document: Any) -> dict[str, Any]:
    """A cell, if the document still has one."""
    cells = document.get("cells") if isinstance(document, dict) else None
    found = [c for c in cells if isinstance(c, dict)] if isinstance(cells, list) else []
    return draw.choice(found) if found else {}


def _cells(draw: random.Random, document: Any) -> None:
    cells = document.get("cells")
    if isinstance(cells, list) and cells:
        one, other = draw.randrange(len(cells)), draw.randrange(len(cells))
        how = draw.random()
        if how < 0.3:
            cells[one], cells[other] = cells[other], cells[one]
        elif how < 0.6:
            cells.insert(one, cells[other])
        else:
            del cells[one]


def _tags(draw: random.Random, document: Any) -> None:
    cell = _some(draw, document)
    metadata = cell.setdefault("metadata", {}) if cell else {}
    if not isinstance(metadata, dict):
        return
    tags = metadata.get("tags")
    tags = [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []
    tag = draw.choice(TAGS + tags)
    for _ in range(draw.randrange(3)):
        at = draw.randrange(len(tag) + 1)
        tag = (
            tag[:at]
            + draw.choice(["", ":", ",", " ", "=", "é", "🎉", "\n", "A", "-", "_", tag])
            + tag[at + draw.randrange(2) :]
        )
    metadata["tags"] = draw.choice([[*tags, tag], [tag], tag, [tag, tag]])


def _code(draw: random.Random, document: Any) -> None:
    cell = _some(draw, document)
    source = cell.get("source")
    text = "".join(part for part in source if isinstance(part, str)) if isinstance(source, list | str) else ""
    at = draw.randrange(len(text) + 1)
    text = text[:at] + draw.choice(PIECES) + text[at + draw.choice([0, 0, 1, 5]) :]
    if cell:
        cell["source"] = draw.choice([text, text.splitlines(keepends=True)])


def check(data: bytes, folder: Path) -> str:
    """Check one input in every way; what came of it. Raises whatever goes wrong."""
    path = folder / "fuzzed.ipynb"
    tagged = is_tagged(data)
    try:
        found, _ = checking.examine(path, data, {}, EVERYTHING)
    except UsageError:
        return "unreadable"
    for finding in found:
        assert checkcache.from_data(json.loads(json.dumps(checkcache.as_data(finding)))) == finding
    for name in FORMATS:
        text = report.render(found, name, context=Context(folder, (str(path),)))
        if name in ("json", "gitlab", "sarif"):
            json.loads(text)
        elif name == "junit":
            ElementTree.fromstring(text)
        text.encode()
    known = folder / "known.json"
    baseline.update(found, [str(path)], known)
    assert not baseline.compare(found, [str(path)], known).new
    return ("tagged" if tagged else "untagged") + (", findings" if found else "")


def main() -> int:
    """Fuzz for a while; the status is 1 if anything failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--keep", type=Path, default=Path("fuzzed"), help="where failing inputs are kept")
    options = parser.parse_args()
    os.environ["KALEC_DEBUG"] = "1"
    pool, counts, failures = seeds(), Counter[str](), Counter[str]()
    end, seed = time.monotonic() + 60 * options.minutes, options.seed
    options.keep.mkdir(parents=True, exist_ok=True)
    while time.monotonic() < end:
        seed += 1
        kind, data = mutated(random.Random(seed), pool)
        start = time.monotonic()
        try:
            counts[f"{kind}: {check(data, options.keep)}"] += 1
        except Exception as error:  # noqa: BLE001 - what this program is looking for
            where = traceback.extract_tb(error.__traceback__)[-1]
            what = f"{type(error).__name__} in {Path(where.filename).name}:{where.lineno}"
            failures[what] += 1
            if failures[what] == 1:
                (options.keep / f"{seed}.ipynb").write_bytes(data)
                print(f"seed {seed} ({kind}): {what}: {error}", flush=True)
                traceback.print_exc(limit=-6)
        if time.monotonic() - start > 20:
            print(f"seed {seed} ({kind}) took {time.monotonic() - start:.0f} s", flush=True)
            (options.keep / f"slow{seed}.ipynb").write_bytes(data)
    print(f"{sum(counts.values())} inputs without a traceback, {sum(failures.values())} with one")
    for what, count in sorted(counts.items()) + failures.most_common():
        print(f"{count:7}  {what}")
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
