"""`kalec graph`: the JSON contract, and pictures that say the same."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import write_notebook

from kalecompiler import graph, picture
from kalecompiler.cli import main
from kalecompiler.layout import Size, layout
from kalecompiler.model import Artifact, Output, Parameter, Pipeline, Step

SVG = "{http://www.w3.org/2000/svg}"

NOTEBOOK = """
# %% imports
import math
# %% pipeline-parameters
size = 3
name = "é"
# %% functions
def area(r):
    return math.pi * r * r
# %% step:make
radii = list(range(size))
def spread(values):
    return max(values) - min(values)
# %% step:measure prev:make
areas = [area(r) for r in radii]
assert spread(areas) >= 0
# %%
largest = max(areas)
# %% step:migrate prev:make
print(name)
# %% step:Report prev:measure prev:migrate
print(largest, len(radii), name)
"""

STEPS = [
    {
        "name": "make",
        "after": [],
        "inputs": [],
        "definitions": [],
        "outputs": ["radii"],
        "parameters": ["size"],
        "packages": [],
        "cells": [4],
    },
    {
        "name": "measure",
        "after": ["make"],
        "inputs": [{"variable": "radii", "producer": "make"}],
        "definitions": ["spread"],
        "outputs": ["largest"],
        "parameters": [],
        "packages": [],
        "cells": [5, 6],
    },
    {
        "name": "migrate",
        "after": ["make"],
        "inputs": [],
        "definitions": [],
        "outputs": [],
        "parameters": ["name"],
        "packages": [],
        "cells": [7],
    },
    {
        "name": "Report",
        "after": ["measure", "migrate"],
        "inputs": [{"variable": "largest", "producer": "measure"}, {"variable": "radii", "producer": "make"}],
        "definitions": [],
        "outputs": [],
        "parameters": ["name"],
        "packages": [],
        "cells": [8],
    },
]


def graph_json(path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    """The exit status of `kalec graph --format json`, and what it printed."""
    status = main(["graph", str(path), "--format", "json"])
    printed: dict[str, Any] = json.loads(capsys.readouterr().out)
    return status, printed


def test_json_is_the_contract(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, printed = graph_json(write_notebook(tmp_path / "Circle.ipynb", NOTEBOOK), capsys)
    assert status == 0
    assert list(printed) == ["pipeline", "parameters", "steps", "diagnostics"]
    assert printed["pipeline"] == "circle"
    assert printed["parameters"] == [
        {"name": "size", "type": "int", "default": 3},
        {"name": "name", "type": "str", "default": "é"},
    ]
    assert printed["steps"] == STEPS
    assert [finding["code"] for finding in printed["diagnostics"]] == ["KC117"]  # the capital of Report


def test_errors_exit_1_and_the_steps_are_there_as_far_as_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "# %% step:load\nx = 1\n# %% step:show prev:load\nprint(x, lost)\n# %% step:end prev:nowhere\nprint(x)"
    status, printed = graph_json(write_notebook(tmp_path / "n.ipynb", text), capsys)
    assert status == 1
    assert [step["name"] for step in printed["steps"]] == ["load", "show", "end"]
    assert {"variable": "x", "producer": "load"} in printed["steps"][1]["inputs"]
    assert "KC112" in {finding["code"] for finding in printed["diagnostics"]}


def test_a_cycle_is_drawn_with_its_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_notebook(tmp_path / "n.ipynb", "# %% step:a prev:b\nx = 1\n# %% step:b prev:a\nprint(x)")
    for format_ in ("json", "svg", "mermaid", "dot", "text"):
        assert main(["graph", str(path), "--format", format_]) == 1
    assert "circle" in capsys.readouterr().err


def test_what_is_no_notebook_still_gives_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "n.ipynb"
    path.write_text('{"cells": [')
    status, printed = graph_json(path, capsys)
    assert status == 1
    assert (printed["steps"], [finding["code"] for finding in printed["diagnostics"]]) == ([], ["KC001"])


def sample() -> Pipeline:
    """A fan-out, an order without data, and names that every format has to escape."""
    hostile = 'a"<b>&\\{{#\n%%'
    return Pipeline(
        name="sample",
        notebook="sample.ipynb",
        parameters=(Parameter("rate", "float", 0.5),),
        steps=(
            Step("load", "load", outputs=(Output("X", "X"),)),
            Step("left", "left", ("load",), (Artifact("X", "load", "X", "X"), Artifact("b", "load", "b", "b"))),
            Step("clean up", "clean-up", ("load",)),
            Step(
                hostile, "h", ("clean up", "left"), (Artifact("X", "load", "X", "X"), Artifact("m", "left", "m", "m"))
            ),
        ),
    )


def test_text() -> None:
    pipeline = sample()
    shown = graph.to_text(Pipeline("sample", "sample.ipynb", pipeline.steps[:3], pipeline.parameters))
    assert shown.splitlines() == [
        "sample: 3 steps",
        "  rate: float = 0.5",
        "  1  load",
        "  2  left      <- load (X, b)",
        "  2  clean up  <- load",
    ]


def test_mermaid() -> None:
    assert graph.to_mermaid(sample()).splitlines() == [
        "---",
        'title: "sample"',
        "---",
        "flowchart TD",
        '    s1["load"]',
        '    s2["left"]',
        '    s3["clean up"]',
        '    s4["a#34;#60;b#62;#38;#92;#123;#123;#35;#10;#37;#37;"]',
        '    s1 -->|"X, b"| s2',
        "    s1 -.-> s3",
        '    s1 -->|"X"| s4',
        '    s2 -->|"m"| s4',
        "    s3 -.-> s4",
    ]


def test_dot() -> None:
    lines = graph.to_dot(sample()).splitlines()
    assert lines[0] == 'digraph "sample" {'
    assert '    "load" -> "left" [label="X, b"];' in lines
    assert '    "load" -> "clean up" [style=dashed];' in lines
    assert r'    "a\"<b>&\\{{#' in lines  # a newline in a quoted string of dot is just that
    assert lines[-1] == "}"


def test_svg_has_every_step_edge_and_variable_and_nothing_from_outside() -> None:
    text = picture.to_svg(sample())
    root = ElementTree.fromstring(text)
    written = ["".join(element.itertext()) for element in root.iter(f"{SVG}text")]
    edges = [element for element in root.iter(f"{SVG}path") if "edge" in element.get("class", "")]
    assert root.find(f"{SVG}title").text == "sample"  # type: ignore[union-attr]
    assert [name for name in written if name in {"load", "left", "clean up"}] == ["load", "left", "clean up"]
    assert len(edges) == 5
    assert sum("order" in edge.get("class", "") for edge in edges) == 2
    assert sorted(name for name in written if name in {"X, b", "X", "m"}) == ["X", "X, b", "m"]
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)


def test_svg_counts_the_variables_that_it_has_no_room_for() -> None:
    many = tuple(Artifact(f"a_variable_{n:02}", "a", "p", "p") for n in range(12))
    text = picture.to_svg(Pipeline("p", "n", (Step("a", "a"), Step("b", "b", ("a",), many))))
    assert "and 9 more" in text
    assert "a_variable_11" in text  # in the tooltip


@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11), st.integers(5, 200)), max_size=30))
def test_nothing_overlaps_and_every_edge_goes_down(arrows: list[tuple[int, int, int]]) -> None:
    edges = [(min(a, b), max(a, b), Size(float(width), 20.0)) for a, b, width in arrows if a != b]
    ranks = dict.fromkeys(range(12), 0)
    for upper, lower, _ in sorted(edges, key=lambda edge: edge[:2]):
        ranks[lower] = max(ranks[lower], ranks[upper] + 1)
    plan = layout({key: Size(40.0 + 9 * key, 30.0) for key in range(12)}, ranks, edges)
    places = [*plan.boxes.values(), *(place for route in plan.routes for place in route[1:-1])]
    for index, one in enumerate(places):
        for other in places[index + 1 :]:
            apart = abs(one.x - other.x) >= (one.width + other.width) / 2 - 0.01
            assert apart or one.y + one.height <= other.y or other.y + other.height <= one.y
    for route in plan.routes:
        assert all(upper.y + upper.height < lower.y for upper, lower in pairwise(route))
    assert all(place.x - place.width / 2 >= -0.01 for place in places)


def test_a_graph_written_to_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_notebook(tmp_path / "n.ipynb", NOTEBOOK.replace("Report", "report"))
    target = tmp_path / "n.svg"
    assert main(["graph", str(path), "--format", "svg", "-o", str(target)]) == 0
    assert capsys.readouterr().out == ""
    assert ElementTree.parse(target).getroot().tag == f"{SVG}svg"
