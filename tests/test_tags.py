"""The tag language: what each tag makes of its cell, which cells join which, and every tag that is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from support import notebook as as_json

from kalecompiler import notebook, placement, stepgraph, taglanguage, tags
from kalecompiler.diagnostics import Diagnostic, has_errors
from kalecompiler.model import Annotation, Cell, CellKind, Location, Notebook, Setting, StepSettings
from kalecompiler.settings import Settings
from kalecompiler.settingvalues import GRAMMAR


def book(text: str) -> Notebook:
    """A notebook in memory, from text in the format of `support`."""
    cells = as_json(text)["cells"]
    return Notebook(
        Path("n.ipynb"),
        tuple(
            Cell(number, CellKind(c["cell_type"]), "".join(c["source"]), c["id"], c["metadata"])
            for number, c in enumerate(cells, start=1)
        ),
    )


def annotate(text: str) -> tuple[tuple[Annotation, ...], list[Diagnostic]]:
    return tags.annotate(book(text), Settings())


def places(annotations: Iterable[Annotation]) -> list[str]:
    """What each code cell is: `imports`, or `step train`."""
    return [" ".join(filter(None, (a.role.value, a.step))) for a in annotations]


def codes(findings: Iterable[Diagnostic]) -> list[str]:
    return sorted(f.rule.code for f in findings)


# ---------------------------------------------------------------------------------------------------------------------
# what a cell is
# ---------------------------------------------------------------------------------------------------------------------

PLACES: dict[str, tuple[str, list[str]]] = {
    "every role": (
        "# %% imports\nimport a\n# %% functions\nf = 1\n# %% pipeline-parameters\nn = 1\n# %% step:a\nx = 1\n"
        "# %% skip\ny\n# %% pipeline-metrics\nx",
        ["imports", "functions", "pipeline-parameters", "step a", "skip", "pipeline-metrics"],
    ),
    "a handler, and an untagged cell below it": (
        "# %% handler\ndef dump_a(v: dict, f): pass\n# %%\ndef load_a(f): pass\n# %% step:a\nx = 1",
        ["handler", "handler", "step a"],
    ),
    "a step named handler": ("# %% block:handler\nx = 1\n# %% step:handler\ny", ["step handler", "step handler"]),
    "kale's older spellings": (
        "# %% block:imports\nimport a\n# %% block:functions\nf = 1\n# %% parameters\nn = 1\n# %% block:a\nx = 1\n"
        "# %% block:skip\ny\n# %% block:pipeline-metrics\nx",
        ["imports", "functions", "pipeline-parameters", "step a", "skip", "pipeline-metrics"],
    ),
    "an untagged cell joins the step above": ("# %% step:a\nx = 1\n# %%\ny = 2", ["step a", "step a"]),
    "an empty step joins the step above": ("# %% step:a\nx = 1\n# %% step:\ny = 2", ["step a", "step a"]),
    "an empty block joins the step above": ("# %% block:a\nx = 1\n# %% block:\ny = 2", ["step a", "step a"]),
    "only foreign tags join the step above": (
        "# %% step:a\nx = 1\n# %% hide_input remove-cell noqa\ny = 2",
        ["step a", "step a"],
    ),
    "an untagged cell joins the functions above": (
        "# %% functions\nf = 1\n# %%\ng = 2\n# %% step:a\nx = 1",
        ["functions", "functions", "step a"],
    ),
    "an untagged cell joins the imports above": (
        "# %% imports\nimport a\n# %%\nx = compute()\n# %% step:a\nx = 1",
        ["imports", "imports", "step a"],
    ),
    "skip is transparent": ("# %% step:a\nx = 1\n# %% skip\nx\n# %%\ny = 2", ["step a", "skip", "step a"]),
    "skip wins over a step": ("# %% step:a\nx\n# %% skip step:b prev:none limit:x\ny", ["step a", "skip"]),
    "markdown does not count": ("# %% step:a\nx = 1\n# %% [markdown]\ntext\n# %%\ny = 2", ["step a", "step a"]),
    "cells of a step need not stand together": (
        "# %% step:a\nx = 1\n# %% step:b\ny = 1\n# %% step:a\nz = 1\n# %%\nw = 1",
        ["step a", "step b", "step a", "step a"],
    ),
    "a literal below the parameters is one": (
        "# %% pipeline-parameters\nn = 1\n# %%\n# more\nm: int = -2\nr = [1, {'a': None}]\n# %% step:a\nx = 1",
        ["pipeline-parameters", "pipeline-parameters", "step a"],
    ),
    "code below the parameters joins the last step": (
        "# %% step:a\nx = 1\n# %% pipeline-parameters\nn = 1\n# %%\ny = f(n)\n# %%\nm = 1",
        ["step a", "pipeline-parameters", "step a", "step a"],
    ),
    "code below the parameters and above all steps": (
        "# %% pipeline-parameters\nn = 1\n# %%\ny = f(n)\n# %%\nm = 1\n# %% step:a\nx = 1",
        ["pipeline-parameters", "functions", "functions", "step a"],
    ),
    "names below the metrics are metrics": (
        "# %% step:a\nx = 1\n# %% pipeline-metrics\nx\n# %%\nprint(y)\nacc = good / all_\n",
        ["step a", "pipeline-metrics", "pipeline-metrics"],
    ),
    "code below the metrics joins the last step": (
        "# %% step:a\nx = 1\n# %% pipeline-metrics\nx\n# %%\nplot(x)\n# %%\nx",
        ["step a", "pipeline-metrics", "step a", "step a"],
    ),
    "imports and pip lines above everything": (
        "# %%\n!pip install pandas\n%matplotlib inline\n# %%\nimport a\n# %%\n'''Title'''\n# %% step:a\nx = 1",
        ["imports", "imports", "imports", "step a"],
    ),
    "code above everything": (
        "# %%\nx = 1\n# %%\nimport a\n# %% step:a\ny = 1",
        ["functions", "imports", "step a"],
    ),
    "a cell magic above everything is code": (
        "# %%\n%%time\nx = 1\n# %% step:a\ny = 1",
        ["functions", "step a"],
    ),
    "an empty cell above everything": ("# %%\n\n# %%\n# a comment\n# %% step:a\ny = 1", ["imports"] * 2 + ["step a"]),
    "a skip above everything changes nothing": (
        "# %% skip\nx\n# %%\nimport a\n# %% step:a\ny = 1",
        ["skip", "imports", "step a"],
    ),
    "a comment below the metrics stays there": (
        "# %% step:a\nx = 1\n# %% pipeline-metrics\nx\n# %%\n# done",
        ["step a", "pipeline-metrics", "pipeline-metrics"],
    ),
    "the same step twice on a cell is once": ("# %% step:a block:a step:a\nx = 1", ["step a"]),
    "a role and an empty step is the role": ("# %% imports step:\nimport a\n# %% step:a\nx = 1", ["imports", "step a"]),
    "the same role twice is once": (
        "# %% parameters pipeline-parameters\nn = 1\n# %% step:a\nx = 1",
        ["pipeline-parameters", "step a"],
    ),
}


@pytest.mark.parametrize(("text", "expected"), PLACES.values(), ids=PLACES)
def test_what_a_cell_is(text: str, expected: list[str]) -> None:
    annotations, findings = annotate(text)
    assert places(annotations) == expected
    assert not has_errors(findings)


WARNED = {"code above everything", "a cell magic above everything is code"}
WARNED |= {"code below the parameters and above all steps"}


@pytest.mark.parametrize("name", PLACES)
def test_only_code_that_came_to_run_in_every_step_is_warned_of(name: str) -> None:
    _, findings = annotate(PLACES[name][0])
    assert codes(findings) == (["KC120"] if name in WARNED else [])


@pytest.mark.parametrize(
    "source",
    [
        "x = 1\n!ls",
        "def f(): pass",
        "x[0] = 1",
        "a.b = 1",
        "n = f()",
        "n = m",
        "for i in []: pass",
        "n += 1",
        "n: int",
        "(",
    ],
)
def test_what_is_no_literal_does_not_join_the_parameters(source: str) -> None:
    annotations, _ = annotate(f"# %% step:a\nx = 1\n# %% pipeline-parameters\nn = 1\n# %%\n{source}")
    assert places(annotations)[-1] == "step a"


@pytest.mark.parametrize(
    "source", ["print(a, b)", "print(f(x))", "f(x)", "import a", "x.y", "x.y = 1", "if x: pass", "("]
)
def test_what_is_no_metric_does_not_join_the_metrics(source: str) -> None:
    annotations, _ = annotate(f"# %% step:a\nx = 1\n# %% pipeline-metrics\nx\n# %%\n{source}")
    assert places(annotations)[-1] == "step a"


EMPTY = {"": True, "\n\n": True, "# a": True, "  # a\n\n#b": True, "pass": False, "'''#'''": False, "%%time": False}


@pytest.mark.parametrize(("source", "expected"), EMPTY.items(), ids=map(repr, EMPTY))
def test_what_is_an_empty_cell(source: str, expected: bool) -> None:
    assert placement.is_empty(source) is expected


# ---------------------------------------------------------------------------------------------------------------------
# prev:
# ---------------------------------------------------------------------------------------------------------------------

EDGES: dict[str, tuple[str, dict[str, list[str]]]] = {
    "one": ("# %% step:a\nx\n# %% step:b prev:a\ny", {"b": ["a"]}),
    "several tags": ("# %% step:a\nx\n# %% step:b\nx\n# %% step:c prev:a prev:b\ny", {"c": ["a", "b"]}),
    "several names in a tag": ("# %% step:a\nx\n# %% step:b\nx\n# %% step:c prev:a:b\ny", {"c": ["a", "b"]}),
    "on the second cell of a step": ("# %% step:a\nx\n# %% step:b\ny\n# %% prev:a\nz", {"b": ["a"]}),
    "on a scattered cell of a step": ("# %% step:b\nx\n# %% step:a\ny\n# %% step:b prev:a\nz", {"b": ["a"]}),
    "before the step's tag": ("# %% step:a\nx\n# %% prev:a step:b\ny", {"b": ["a"]}),
    "to a step further down": ("# %% step:a prev:b\nx\n# %% step:b\ny", {"a": ["b"]}),
    "the same twice": ("# %% step:a\nx\n# %% step:b prev:a\ny\n# %% step:b prev:a prev:a:a\nz", {"b": ["a"]}),
    "with an empty step": ("# %% step:a\nx\n# %% step:b\ny\n# %% step: prev:a\nz", {"b": ["a"]}),
    "names with dashes and capitals": ("# %% step:a-B\nx\n# %% step:c prev:a-B\ny", {"c": ["a-B"]}),
}


@pytest.mark.parametrize(("text", "expected"), EDGES.values(), ids=EDGES)
def test_which_steps_come_before(text: str, expected: dict[str, list[str]]) -> None:
    annotations, findings = annotate(text)
    edges: dict[str, list[str]] = {}
    for annotation in annotations:
        for before in annotation.previous:
            known = edges.setdefault(str(annotation.step), [])
            known += [] if before.name in known else [before.name]
    assert edges == expected
    assert not has_errors(findings)


# ---------------------------------------------------------------------------------------------------------------------
# what is wrong: the codes, and a part of the first message or hint
# ---------------------------------------------------------------------------------------------------------------------

_STEPS = "# %% step:load\nx = 1\n# %% step:train"

WRONG: dict[str, tuple[str, list[str], str]] = {
    "two steps on one cell": ("# %% step:a step:b\nx", ["KC107"], "cell 1 is in 2 steps: `a`, `b`"),
    "a role and a step": ("# %% imports step:a\nx", ["KC108"], "both `imports` and `step:a`"),
    "two roles": ("# %% imports functions\nx\n# %% step:a\nx", ["KC108"], "both `imports` and `functions`"),
    "prev above all steps": ("# %% prev:a\nx\n# %% step:a\nx", ["KC111"], "a cell that is in no step"),
    "prev on an untagged cell below imports": (
        "# %% imports\nimport a\n# %% prev:a\nx\n# %% step:a\nx",
        ["KC111"],
        "a cell that is in no step",
    ),
    "prev on a role is a warning": (
        "# %% step:a\nx\n# %% functions prev:a\nf = 1",
        ["KC110"],
        "`prev:a` has no effect on a cell tagged `functions`",
    ),
    "a limit on a role is a warning": (
        "# %% imports limit:cpu:2\nimport a\n# %% step:a\nx",
        ["KC110"],
        "`limit:cpu:2` has no effect",
    ),
    "an unknown step, misspelt": (f"{_STEPS} prev:laod\nx", ["KC112"], "did you mean `prev:load`?"),
    "an unknown step, in KFP's spelling": (
        "# %% step:load_data\nx\n# %% step:train prev:Load-Data\nx",
        ["KC112"],
        "did you mean `prev:load_data`?",
    ),
    "an unknown step, like none": (f"{_STEPS} prev:zzz\nx", ["KC112"], "the other steps are `load`"),
    "an unknown step, and no other": ("# %% step:a prev:zzz\nx", ["KC112"], "there is no other step"),
    "a prev to a role": (f"{_STEPS} prev:imports\nx", ["KC112"], "`imports` cells run in every step"),
    "a prev to a step that is skipped": (
        "# %% skip step:load\nx\n# %% step:train prev:load\nx",
        ["KC112"],
        "cell 1 is tagged `skip`",
    ),
    "a prev to itself": (f"{_STEPS} prev:train\nx", ["KC113"], "`train` is to run before itself"),
    "a circle of two": (
        "# %% step:a prev:b\nx\n# %% step:b prev:a\nx",
        ["KC114"],
        "in a circle: `a` -> `b` -> `a`",
    ),
    "a circle of three, and one that only waits for it": (
        "# %% step:a prev:c\nx\n# %% step:b prev:a\nx\n# %% step:c prev:b\nx\n# %% step:d prev:c\nx",
        ["KC114"],
        "in a circle: `a` -> `b` -> `c` -> `a`",
    ),
    "two circles": (
        "# %% step:a prev:b\nx\n# %% step:b prev:a\nx\n# %% step:c prev:d\nx\n# %% step:d prev:c\nx",
        ["KC114", "KC114"],
        "in a circle",
    ),
    "a step named like a role": ("# %% step:imports\nx", ["KC115"], "no step can be named `imports`"),
    "a step named skip": ("# %% step:skip\nx", ["KC115"], "no step can be named `skip`"),
    "a step that starts with a digit": ("# %% step:1st\nx", ["KC116"], "name it `step_1st`"),
    "a step without letters": ("# %% step:_-_\nx", ["KC116"], "has no letter"),
    "a step with a space": ('# %% ["step:load data"]\nx', ["KC116"], "name it `load_data`"),
    "a step with a space before it": ('# %% ["step: load"]\nx', ["KC116"], "name it `load`"),
    "a step with a colon": ("# %% step:load:data\nx", ["KC116"], "name it `load_data`"),
    "a step with umlauts": ("# %% step:lädt\nx", ["KC116"], "name it `ladt`"),
    "a step in Japanese": ("# %% step:読込\nx", ["KC116"], "use letters, digits, `_` and `-`"),
    "a step of 64 characters": (f"# %% step:{'a' * 64}\nx", ["KC116"], f"name it `{'a' * 63}`"),
    "a step with capitals": ("# %% step:LoadData\nx", ["KC117"], "KFP will show step `LoadData` as `loaddata`"),
    "a step named like a keyword": ("# %% step:lambda\nx", ["KC118"], "a keyword of Python"),
    "names that collide": (
        "# %% step:a_b\nx\n# %% step:a-b\nx\n# %% step:a__b\nx",
        ["KC119", "KC119"],
        "steps `a_b` and `a-b` would both be the task `a-b`",
    ),
    "a step without code": ("# %% step:a\nx\n# %% step:b\n# later\n# %%\n\n", ["KC121"], "step `b` has no code"),
    "two values on two cells": (
        "# %% step:a limit:cpu:1\nx\n# %% step:b\nx\n# %% step:a limit:cpu:2\ny",
        ["KC122"],
        "has both `limit:cpu:1` (cell 1) and `limit:cpu:2` (cell 3)",
    ),
    "two values on one cell": ("# %% step:a image:x image:y\nx", ["KC122"], "both `image:x` (cell 1)"),
    "markdown with a step": (
        "# %% [markdown] step:a imports\ntext\n# %% step:a\nx",
        ["KC109"],
        "`step:a`, `imports` on cell 1 has no effect: it is a markdown cell",
    ),
    "a raw cell with prev": ("# %% [raw] prev:a\ntext\n# %% step:a\nx", ["KC109"], "it is a raw cell"),
    "no step at all": ("# %% imports\nimport a\n# %%\nx = 1", ["KC004"], "kalec init n.ipynb"),
    "no tag at all": ("# %%\nx = 1\n# %%\ny = 1", ["KC004"], "no cell is tagged as a step"),
    "nothing but markdown": ("# %% [markdown]\ntext", ["KC004"], "no cell is tagged as a step"),
    "no steps, but a reason": ("# %% Imports\nimport a", ["KC103"], "write `imports`"),
    "another notebook": ("# %% notebook:prepare\n# x\n# %% step:a\nx", ["KC106"], "refers to another notebook"),
}


@pytest.mark.parametrize(("text", "expected", "part"), WRONG.values(), ids=WRONG)
def test_what_is_wrong(text: str, expected: list[str], part: str) -> None:
    _, findings = annotate(text)
    assert codes(findings) == expected
    assert any(part in f"{f.message}; {f.hint}" for f in findings), [f"{f.message}; {f.hint}" for f in findings]


@pytest.mark.parametrize(
    "text",
    [
        "# %% skip stpe:a limit:x Step:a\nx\n# %% step:a\nx",
        "# %% [markdown] skip\ntext\n# %% step:a\nx",
        "# %% [markdown] noqa hide import\ntext\n# %% step:a\nx",
        "# %% step:a_b\nx\n# %% step:c-d prev:a_b\nx",
        "# %% step:_private\nx",
        "# %% step:a limit:cpu:1\nx\n# %% step:a limit:cpu:1 limit:memory:1Gi\ny",
        "# %% step:a changes:x changes:y\nx",
        f"# %% step:{'a' * 63}\nx",
    ],
    ids=[
        "wrong tags beside skip",
        "skip on markdown",
        "foreign tags on markdown",
        "underscores and dashes",
        "an underscore at the start",
        "the same value twice",
        "two changes",
        "63 characters",
    ],
)
def test_what_is_not_worth_a_word(text: str) -> None:
    assert codes(annotate(text)[1]) == []


def test_findings_of_a_tag_stand_at_its_cell_and_name_it() -> None:
    _, findings = annotate("# %% step:a\nx\n# %% step:b prev:c\ny")
    assert findings[0].location == Location("n.ipynb", 2, "cell-2", tag="prev:c")


def test_the_finding_about_a_name_names_the_tag_that_gave_it() -> None:
    _, findings = annotate("# %% block:Train\nx")
    assert findings[0].location.tag == "block:Train"


def test_a_notebook_without_cells() -> None:
    _, findings = tags.annotate(Notebook(Path("n.ipynb"), ()), Settings())
    assert [(f.rule.code, f.message) for f in findings] == [("KC004", "the notebook has no cells")]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, []),
        ([], []),
        ("", []),
        ({}, []),
        ("step:a", ["KC101"]),
        (["step:a", 5], ["KC101"]),
        ([None], ["KC101"]),
        ({"step": "a"}, ["KC101"]),
        (5, ["KC101"]),
    ],
    ids=[
        "null",
        "none",
        "an empty text",
        "an empty object",
        "a text",
        "a number among them",
        "null among them",
        "an object",
        "a number",
    ],
)
def test_tags_that_are_no_list_of_texts(value: object, expected: list[str]) -> None:
    cells = (
        Cell(1, CellKind.CODE, "x = 1", metadata={"tags": ["step:b"]}),
        Cell(2, CellKind.CODE, "x = 1", metadata={"tags": value}),
        Cell(3, CellKind.MARKDOWN, "text", metadata={"tags": value}),
    )
    annotations, findings = tags.annotate(Notebook(Path("n.ipynb"), cells), Settings())
    assert codes(f for f in findings if f.location.cell == 2) == expected
    assert len(annotations) == 2


# ---------------------------------------------------------------------------------------------------------------------
# one tag
# ---------------------------------------------------------------------------------------------------------------------

FOREIGN = [
    "hide_input", "remove-cell", "injected-parameters", "raises-exception", "nbval-skip", "region:a", "active-ipynb",
    "export", "test", "stage:train", "skip-execution", "Step 1 of 3",
    "solution", "image", "label", "env", "report", "cache", "title=x",
    "Step 1 of 3: load", "", " ", ":", "::", "a:b:c", "🎉", "pipeline-x", "steppe", "previous",
]  # fmt: skip


@pytest.mark.parametrize("text", FOREIGN, ids=map(repr, FOREIGN))
def test_tags_of_others_are_left_alone(text: str) -> None:
    tag = taglanguage.parse(text)
    assert not tag.ours
    assert tag.finding is None


MISSPELT = {
    "Step:train": "step:train",
    "STEP:Train": "step:Train",
    "steps:train": "step:train",
    "blocks:train": "block:train",
    "step=train": "step:train",
    "step :train": "step:train",
    " step:train": "step:train",
    "Prev:a": "prev:a",
    "prevs:a:b": "prev:a:b",
    "prev=a": "prev:a",
    "limits:cpu:2": "limit:cpu:2",
    "Image:python:3.11": "image:python:3.11",
    "node_selector:a:b": "node-selector:a:b",
    "labels:a:b": "label:a:b",
    "Imports": "imports",
    "FUNCTIONS": "functions",
    "skip ": "skip",
    "Skip": "skip",
    "Handler": "handler",
    "pipeline_parameters": "pipeline-parameters",
    "pipeline parameters": "pipeline-parameters",
    "pipeline-parameter": "pipeline-parameters",
    "pipeline-metric": "pipeline-metrics",
    "Pipeline_Metrics": "pipeline-metrics",
}


@pytest.mark.parametrize(("text", "right"), MISSPELT.items(), ids=map(repr, MISSPELT))
def test_misspelt_tags_are_errors_and_taken_for_what_they_mean(text: str, right: str) -> None:
    tag, meant = taglanguage.parse(text), taglanguage.parse(right)
    assert tag.finding is not None
    assert (tag.finding.rule.code, tag.finding.hint) == ("KC103", f"write `{right}`")
    assert (tag.role, tag.step, tag.previous, tag.setting) == (meant.role, meant.step, meant.previous, meant.setting)


SUSPICIOUS = {
    "import": "imports",
    "function": "functions",
    "parameter": "parameters",
    "metrics": "pipeline-metrics",
    "step": "step:NAME",
    "prev": "prev:NAME",
    "step train": "step:train",
    "prev train": "prev:train",
    "stpe:train": "step:train",
    "prv:train": "prev:train",
    "lable:a:b": "label:a:b",
    "imge:x": "image:x",
    "handlers": "handler",
}


@pytest.mark.parametrize(("text", "right"), SUSPICIOUS.items(), ids=map(repr, SUSPICIOUS))
def test_tags_that_may_be_ours_are_ignored_with_a_warning(text: str, right: str) -> None:
    tag = taglanguage.parse(text)
    assert not tag.ours
    assert tag.finding is not None
    assert (tag.finding.rule.code, tag.finding.hint) == ("KC104", f"did you mean `{right}`?")


MALFORMED = [
    "limit:cpu", "limit:", "limit::2", "limit:cpu:", "request:cpu", "label:team", "label:", "annotation:a", "image:",
    "cache:", "report:", "changes:", "secret:a:b", "secret:a:b:", "env:A", "retry:", "exit:", "timeout:", "volume:data",
    "node-selector:a", "prev:", "prev:a:", "prev:a::b", "prev:a,b", "prev: a", "limit: cpu:2", "together:", "metrics:",
    "max-artifact-size:", "preview:",
]  # fmt: skip


@pytest.mark.parametrize("text", MALFORMED)
def test_malformed_tags_are_errors_with_the_right_shape(text: str) -> None:
    tag = taglanguage.parse(text)
    assert tag.finding is not None
    assert tag.finding.rule.code == "KC102"
    assert str(tag.finding.hint).startswith("write ")


@pytest.mark.parametrize(
    "text",
    [
        "cache:on", "cache:Enabled", "report:yes", "limit:cpu:two", "limit:memory:4GB", "limit:memory:-1", "limit:-x:1",
        "request:cpu:1 000", "label:team:a:b", "label:team:-a", "label:a b:c", "label:/a:b", "label:a/:b",
        "label:A_/b:c",
        f"label:a:{'x' * 64}", f"annotation:{'x' * 64}:a", "image:a b", "image:a\nb", "image:größe", "changes:a.b",
        "secret:A:b:C", "secret:a:b:1C", "env:1A:b", "retry:x", "retry:-1", "timeout:soon", "timeout:0", "volume:a:b",
        "metrics:a=pie", "metrics:a-b", "snapshot:some", "node-selector:a:b c",
        "preview:-1", "preview:101", "preview:all", "preview:05", "max-artifact-size:0", "max-artifact-size:2GB",
        "max-artifact-size:500m", "max-artifact-size:8Ei", "max-artifact-size:1e999999999", "max-artifact-size:big",
    ],
)  # fmt: skip
def test_values_that_a_setting_does_not_take(text: str) -> None:
    tag = taglanguage.parse(text)
    assert tag.setting is None
    assert tag.finding is not None
    assert tag.finding.rule.code == "KC123"


SETTINGS = {
    "report:disabled": ("report", "", "disabled"),
    "metrics:accuracy": ("metrics", "", "accuracy"),
    "metrics:accuracy=max": ("metrics", "", "accuracy=max"),
    "metrics:matrix=confusion": ("metrics", "", "matrix=confusion"),
    "image:python:3.11": ("image", "", "python:3.11"),
    "image:gcr.io/a/b@sha256:0f": ("image", "", "gcr.io/a/b@sha256:0f"),
    "cache:enabled": ("cache", "", "enabled"),
    "cache:disabled": ("cache", "", "disabled"),
    "limit:cpu:2": ("limit", "cpu", "2"),
    "limit:cpu:0.5": ("limit", "cpu", "0.5"),
    "limit:cpu:500m": ("limit", "cpu", "500m"),
    "limit:memory:4Gi": ("limit", "memory", "4Gi"),
    "limit:memory:1e9": ("limit", "memory", "1e9"),
    "limit:nvidia.com/gpu:2": ("limit", "nvidia.com/gpu", "2"),
    "request:ephemeral-storage:1Gi": ("request", "ephemeral-storage", "1Gi"),
    "label:access-ml-pipeline:true": ("label", "access-ml-pipeline", "true"),
    "label:example.com/team:vision_1.0": ("label", "example.com/team", "vision_1.0"),
    "label:empty:": ("label", "empty", ""),
    "annotation:note:a: b, 'c' {d}": ("annotation", "note", "a: b, 'c' {d}"),
    "annotation:note:": ("annotation", "note", ""),
    "annotation:note:two\nlines": ("annotation", "note", "two\nlines"),
    "changes:model": ("changes", "", "model"),
    "max-artifact-size:2Gi": ("max-artifact-size", "", "2Gi"),
    "max-artifact-size:1.5e9": ("max-artifact-size", "", "1.5e9"),
    "preview:0": ("preview", "", "0"),
    "preview:100": ("preview", "", "100"),
    "secret:db:password:PASSWORD": ("secret", "db:password", "PASSWORD"),
    "env:A:b:c": ("env", "A", "b:c"),
    "env:A:": ("env", "A", ""),
    "retry:3": ("retry", "", "3"),
    "retry:3:30s:1.5:2h": ("retry", "", "3:30s:1.5:2h"),
    "timeout:30m": ("timeout", "", "30m"),
    "node-selector:disktype:ssd": ("node-selector", "disktype", "ssd"),
    "toleration:gpu:NoSchedule": ("toleration", "", "gpu:NoSchedule"),
    "toleration:*": ("toleration", "", "*"),
    "volume:data:/data": ("volume", "data", "/data"),
    "volume:data:/data:sub-path=a/b": ("volume", "data", "/data:sub-path=a/b"),
    "ignore-failure:a": ("ignore-failure", "", "a"),
    "exit": ("exit", "", ""),
}


@pytest.mark.parametrize(("text", "setting"), SETTINGS.items(), ids=map(repr, SETTINGS))
def test_settings(text: str, setting: tuple[str, str, str]) -> None:
    tag = taglanguage.parse(text)
    assert (tag.setting, tag.finding) == (setting, None)


def test_an_exit_tag_names_the_step_that_it_makes_an_exit_step() -> None:
    named, bare = taglanguage.parse("exit:bye"), taglanguage.parse("exit")
    assert (named.step, named.setting) == ("bye", ("exit", "", ""))
    assert (bare.step, bare.setting) == (None, ("exit", "", ""))
    assert annotate("# %% step:a\nx = 1\n# %% step:bye exit:bye\ny = 1")[1] == []
    assert [f.rule.code for f in annotate("# %% step:a exit:bye\nx = 1")[1]] == ["KC107"]


@pytest.mark.parametrize("kind", GRAMMAR)
def test_the_example_of_a_kind_is_right(kind: str) -> None:
    tag = taglanguage.parse(GRAMMAR[kind].example)
    assert tag.setting is not None
    assert tag.setting[0] == kind


# ---------------------------------------------------------------------------------------------------------------------
# names of tasks
# ---------------------------------------------------------------------------------------------------------------------

TASKS = {
    "train": "train",
    "load_data": "load-data",
    "load__data": "load-data",
    "_load": "load",
    "load-": "load",
    "Load": "load",
    "a1": "a1",
    "___": "",
    "ä": "",
    "a:b": "a-b",
}


@pytest.mark.parametrize(("step", "task"), TASKS.items(), ids=TASKS)
def test_the_name_of_a_task(step: str, task: str) -> None:
    assert tags.task_name(step) == task


@given(st.text(max_size=80))
def test_a_name_is_refused_exactly_where_its_task_could_not_be(name: str) -> None:
    wrong = stepgraph.wrong_name(name)
    task = tags.task_name(name)
    if wrong is None:
        assert task[0].isalpha()
        assert task.isascii()
        assert len(task) <= 63
    proposal = stepgraph.proposal(name)
    assert not proposal or stepgraph.wrong_name(proposal) is None


# ---------------------------------------------------------------------------------------------------------------------
# effective settings
# ---------------------------------------------------------------------------------------------------------------------


def _setting(kind: str, key: str, value: str) -> Setting:
    return Setting(kind, key, value, Location("pyproject.toml"))


def effective(text: str, **given_settings: Any) -> StepSettings:
    """The settings of step `a`."""
    settings = Settings(**given_settings)
    return tags.step_settings(tags.annotate(book(text), settings)[0], settings)["a"]


def test_tags_become_settings_of_the_step() -> None:
    text = '# %% ["step:a", "image:i:1", "cache:disabled", "limit:cpu:2", "annotation:n:a:b"]\nx\n'
    text += "# %% request:cpu:1 label:z:1 label:a:2\ny"
    assert effective(text) == StepSettings(
        image="i:1",
        cache=False,
        limits=(("cpu", "2"),),
        requests=(("cpu", "1"),),
        labels=(("a", "2"), ("z", "1")),
        annotations=(("n", "a:b"),),
    )


SIZES = {
    "1": 1,
    "500Mi": 500 << 20,
    "2Gi": 2 << 30,
    "2G": 2 * 10**9,
    "1.5Ki": 1536,
    "1e9": 10**9,
    "5E": 5 * 10**18,
    "5E3": 5000,
    "2500m": 2,
}


@pytest.mark.parametrize(("text", "size"), SIZES.items(), ids=SIZES)
def test_a_size_is_a_number_of_bytes(text: str, size: int) -> None:
    found = effective(f"# %% step:a max-artifact-size:{text} preview:7\nx")
    assert found == StepSettings(image="python:3.11", max_artifact_size=size, preview=7)


def test_a_step_can_do_without_the_preview_of_the_others() -> None:
    assert effective("# %% step:a\nx", defaults=(_setting("preview", "", "5"),)).preview == 5
    assert effective("# %% step:a preview:0\nx", defaults=(_setting("preview", "", "5"),)).preview == 0


def test_without_settings_a_step_has_the_image_of_the_pipeline() -> None:
    assert effective("# %% step:a\nx", image="other:1") == StepSettings(image="other:1")


def test_a_tag_wins_over_the_step_in_pyproject_which_wins_over_the_defaults() -> None:
    defaults = (_setting("limit", "cpu", "1"), _setting("limit", "memory", "1Gi"), _setting("label", "k", "low"))
    steps = {
        "a": (_setting("limit", "cpu", "2"), _setting("limit", "memory", "2Gi")),
        "b": (_setting("limit", "cpu", "9"),),
    }
    found = effective("# %% step:a limit:cpu:3\nx", defaults=defaults, steps=steps)
    assert found.limits == (("cpu", "3"), ("memory", "2Gi"))
    assert found.labels == (("k", "low"),)


def test_of_two_defaults_the_later_wins() -> None:
    defaults = (_setting("cache", "", "enabled"), _setting("cache", "", "disabled"))
    assert effective("# %% step:a\nx", defaults=defaults).cache is False


def test_a_step_of_the_notebooks_own_metadata_that_does_not_exist_is_named() -> None:
    steps = {"trian": (Setting("cache", "", "enabled", Location("n.ipynb")),)}
    _, findings = tags.annotate(book("# %% step:train\nx"), Settings(steps=steps))
    assert [(f.rule.code, f.hint) for f in findings] == [("KC131", "did you mean `train`?")]


def test_a_step_of_pyproject_that_is_almost_one_of_the_notebook_is_named() -> None:
    source = book("# %% step:train\nx = 1")
    found = tags.annotate(source, Settings(steps={"trian": (_setting("image", "", "a:1"),)}))[1]
    assert [(d.rule.code, d.message, d.hint) for d in found] == [
        ("KC131", "there is no step `trian` for `steps.trian`", "did you mean `train`?")
    ]


def test_a_step_of_pyproject_may_be_another_notebooks() -> None:
    steps = {"other": (_setting("cache", "", "enabled"),)}
    assert tags.annotate(book("# %% step:train\nx"), Settings(steps=steps))[1] == []


# ---------------------------------------------------------------------------------------------------------------------
# whatever the tags, and real notebooks
# ---------------------------------------------------------------------------------------------------------------------

WORDS = st.sampled_from(
    [*taglanguage.ROLES, *GRAMMAR, "step", "block", "prev", "notebook", "a", "b", "Ä", "", " ", ":"]
)
TAGS = st.lists(WORDS, min_size=1, max_size=4).map(":".join) | st.text(max_size=20)
SOURCES = st.sampled_from(["", "# a", "x = 1", "import a", "!ls", "x", "(", "print(x)", "%%bash\nls"])
CELLS = st.tuples(
    st.sampled_from(CellKind), SOURCES, st.lists(TAGS, max_size=4) | st.none() | st.integers() | st.lists(st.none())
)


@hypothesis_settings(max_examples=500, deadline=None)
@given(st.lists(CELLS, max_size=6))
def test_arbitrary_tags_never_raise_and_give_each_code_cell_one_place(
    rows: list[tuple[CellKind, str, object]],
) -> None:
    cells = tuple(Cell(n, kind, source, metadata={"tags": t}) for n, (kind, source, t) in enumerate(rows, start=1))
    found = tags.annotate(Notebook(Path("n.ipynb"), cells), Settings())
    assert [a.cell for a in found[0]] == [c for c in cells if c.kind is CellKind.CODE]
    assert all((a.step is not None) == (a.role.value == "step") for a in found[0])
    assert has_errors(found[1]) or any(a.step for a in found[0])
    assert found == tags.annotate(Notebook(Path("n.ipynb"), cells), Settings()), "the same input, the same findings"
    tags.step_settings(found[0], Settings())


def test_real_notebooks_have_the_steps_and_edges_of_their_manifest(shared: Path) -> None:
    rows = [
        row for row in json.loads((shared / "notebooks/manifest.json").read_text()) if isinstance(row["steps"], list)
    ]
    assert len(rows) >= 9
    for row in rows:
        annotations, findings = tags.annotate(notebook.read(shared / "notebooks" / row["file"])[0], Settings())
        steps = list(dict.fromkeys(a.step for a in annotations if a.step))
        edges = {(p.name, a.step) for a in annotations for p in a.previous}
        assert sorted(steps) == sorted(row["steps"]), row["file"]
        assert edges == {tuple(edge) for edge in row["edges"]}, row["file"]
        assert not has_errors(findings), row["file"]


def test_original_notebooks_of_kale_have_their_steps_and_no_error(shared: Path) -> None:
    rows = [
        row for row in json.loads((shared / "notebooks/manifest.json").read_text()) if isinstance(row["steps"], int)
    ]
    assert len(rows) >= 11
    for row in rows:
        annotations, findings = tags.annotate(notebook.read(shared / "notebooks" / row["file"])[0], Settings())
        assert len({a.step for a in annotations if a.step}) == row["steps"], row["file"]
        assert not has_errors(findings), row["file"]
