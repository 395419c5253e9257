"""Looking at runs that somebody wrote: whatever JSON there is, nothing but a clear error comes of it."""

from __future__ import annotations

import copy
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from keptruns import Made
from rich.console import Console

from kalecompiler import look
from kalecompiler.diagnostics import KalecError
from kalecompiler.snapshots import blocks
from kalecompiler.snapshots.blocks import Cell, Heading, Hint, Lines, Patch, facts, table

ODD: list[Any] = [None, 1, "x\x1b[2J", [1], ["a", {}], {}, {"a": 1}, {"value": 1, "type": 2}]


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    monkeypatch.setenv("KALEC_SNAPSHOT_KEY_FILE", str(tmp_path / "key"))
    made = Made(tmp_path)
    for number, name in enumerate(("one", "two")):
        manifest = made.manifest(
            name, "load", {"x": number},
            parameters={"n": {"type": "int", "value": number}}, error="e",
            inputs={"i": {"from": "other", "digest": str(number), "uri": "u"}},
            source={"notebook": "n.ipynb", "cells": [{"name": "c", "id": "1", "digest": str(number), "kind": "cell"}]},
            environment={"python": "3.11", "packages": ["numpy-1.0"], "image": "i", "platform": "p"},
            files=({"path": "f", "mode": "read", "digest": str(number)},), metrics={"accuracy": number / 2},
            hooks={"h": "fine"}, left_out={"secret": "why"}, random={"numpy": {}},
        )  # fmt: skip
        made.run(
            name, manifest, number=number, parameters={"n": number}, package='{"root": {"dag": {"tasks": {}}}}',
            provenance={"versions": {"kfp": "2"}, "git": {"commit": "c", "dirty": True}},
        )  # fmt: skip
    return made


def look_at_all(folder: Path) -> None:
    """Everything that the commands do with two runs."""
    one, two = look.kept("one", folder), look.kept("two", folder)
    for format_ in ("text", "json"):
        look.listed(folder, None, 10, format_)
        for wanted in (look.Wanted(), look.Wanted("load"), look.Wanted("load", "x"), look.Wanted("load", code=True)):
            found = look.show(two, wanted, format_, "kalec show")
            if isinstance(found, str):
                json.loads(found)
            else:
                assert "\x1b" not in blocks.plain(found)
    for format_ in ("text", "json", "csv", "html"):
        found = look.comparison(look.diff([one, two], None), format_)
        assert "\x1b" not in (found if isinstance(found, str) else blocks.plain(found))


def refusal(folder: Path) -> str:
    """What is said where the runs cannot be looked at; empty where they can."""
    try:
        look_at_all(folder)
    except KalecError as error:
        return str(error)
    return ""


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where in a value of JSON something stands."""
    if path:
        yield path
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(item, (*path, key))


@pytest.mark.parametrize("name", ["run.json", "load/after.json"])
def test_whatever_stands_in_the_store(name: str, made: Made) -> None:
    file = made.folder / ".kalec" / "store" / "runs" / "two" / name
    good = json.loads(file.read_text())
    refused = 0
    for path in places(good):
        for odd in ODD:
            bad = copy.deepcopy(good)
            inner = bad
            for key in path[:-1]:
                inner = inner[key]
            inner[path[-1]] = odd
            file.write_text(json.dumps(bad))
            refused += len(problem := refusal(made.folder)) > 0
            assert "\n" not in problem
    assert refused > 100, "most types are checked when a record is read"


def test_text_that_is_no_record(made: Made) -> None:
    file = made.folder / ".kalec" / "store" / "runs" / "two" / "load" / "after.json"
    for text in (b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000):
        file.write_bytes(text)
        with pytest.raises(KalecError, match="two"):
            look_at_all(made.folder)


def test_blocks_for_a_terminal_and_for_a_pipe() -> None:
    found = [
        facts({"run": "r", "nothing": ""}),
        Heading("steps"),
        table(("name", "took"), [("a[bold]x", Cell("1", "best")), ("long name", "10")], right=(1,)),
        Lines(("a line", "\x1b[31m[red]another"), "red"),
        Patch("--- a\n+++ b\n@@ -1 +1 @@\n-x\n+y\n z\n"),
        Hint("what next"),
    ]
    plain = "run  r\n\nsteps\nNAME       TOOK\na[bold]x      1\nlong name    10\na line\n\\x1b[31m[red]another"
    assert blocks.plain(found) == f"{plain}\n--- a\n+++ b\n@@ -1 +1 @@\n-x\n+y\n z"
    out = io.StringIO()
    Console(file=out, width=60, color_system=None).print(blocks.rich(found))
    shown = [line.rstrip() for line in out.getvalue().splitlines()]
    assert shown[-2:] == ["", "what next"]
    assert "a[bold]x      1" in shown, "a name is no markup"
    assert "\\x1b[31m[red]another" in shown
    assert shown[-9:-2][:6] == ["\\x1b[31m[red]another", "--- a", "+++ b", "@@ -1 +1 @@", "-x", "+y"]
    colored = io.StringIO()
    Console(file=colored, width=60, force_terminal=True, color_system="standard").print(blocks.rich(found))
    assert "\x1b[32m+y" in colored.getvalue()


def test_nothing_to_show() -> None:
    assert blocks.plain([]) == ""
    assert blocks.plain([facts({}), table((), [])]) == ""


def test_what_a_step_looked_for_in_vain_is_counted_and_not_listed(made: Made) -> None:
    """Imports look for each module in each folder: dozens of names that say nothing to people."""
    found = [{"path": "data.csv", "mode": "read", "digest": "sha256:0123456789abcdef"}]
    found += [{"path": f"org{number}.py", "mode": "read", "digest": "absent"} for number in range(3)]
    made.run("three", made.manifest("three", "load", {"x": 1}, files=tuple(found)), number=3)
    shown = look.show(look.kept("three", made.folder), look.Wanted("load"), "text", "kalec show")
    text = blocks.plain(shown) if not isinstance(shown, str) else shown
    assert "data.csv  read  0123456789ab\n3 files that it looked for and did not find: --format json names them" in text
    assert "org1.py" in str(look.show(look.kept("three", made.folder), look.Wanted("load"), "json", "kalec show"))
