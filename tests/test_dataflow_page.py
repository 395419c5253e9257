"""docs/dataflow.md says what is so: its examples are compiled, its tables compared with the data."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from support import write_notebook

from kalecompiler import graph, library
from kalecompiler.plan import plan

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "dataflow.md"
_EXAMPLE = re.compile(r"^```notebook\n(.*?)^```\n\n```(json|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXAMPLES = _EXAMPLE.findall(PAGE.read_text(encoding="utf-8"))


@pytest.mark.parametrize(("text", "kind", "expected"), EXAMPLES)
def test_page(text: str, kind: str, expected: str, tmp_path: Path) -> None:
    """An example gives the parts of `kalec graph --format json` that the page shows, or the findings that it names."""
    found = plan(write_notebook(tmp_path / "nb.ipynb", text), {})
    findings = [f"{d.rule.code} {d.rule.name}: {d.message}" for d in found.diagnostics if d.rule.code.startswith("KC2")]
    if kind == "text":
        assert findings == expected.splitlines()
        return
    assert findings == []
    steps = {s["name"]: s for s in json.loads(graph.to_json(found.draft, []))["steps"]}
    for name, wanted in json.loads(expected).items():
        ours = {key: steps[name][key] for key in wanted}
        if "inputs" in ours:
            ours["inputs"] = {i["variable"]: i["producer"] for i in ours["inputs"]}
        assert ours == wanted, name


def test_the_page_has_examples_and_each_is_tested() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert len(EXAMPLES) == page.count("```notebook") >= 15


def test_the_page_tells_what_is_known_of_libraries() -> None:
    page = PAGE.read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| (\w+) \| ([\w ]+) \|$", page, re.MULTILINE))
    told = {kind: set(methods.split()) for kind, methods in rows.items() if kind != "type"}
    assert told == {kind: set(methods) for kind, methods in library.MUTATORS.items() if methods}
    assert set(re.findall(r"^- `([\w.]+)`$", page, re.MULTILINE)) == library.CHANGES.keys()
    lists = [set(re.findall(r"`(\w+)`", text)) for text in re.findall(r"^(`\w+`(?: `\w+`)+)$", page, re.MULTILINE)]
    assert lists == [set(library.PURE_MODULES), set(library.ESTIMATOR_MODULES)]
