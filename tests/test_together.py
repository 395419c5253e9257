"""`together:a,b` in what is shown of a pipeline, in its package and in a run; the bulk is in `cases.together`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from oracle import judge_apart
from support import write_notebook

from kalecompiler import commands
from kalecompiler.cli import kalec
from kalecompiler.diagnostics import Diagnostic
from kalecompiler.plan import plan
from kalecompiler.runtime import reading

TEXT = """
# %% step:make {}
a = []
b = {"x": a}
# %% step:change prev:make
a.append(1)
# %% step:show prev:change
print(b)
"""
TAG = "together:a,b"


def notebook(folder: Path, tag: str = "", **metadata: object) -> Path:
    return write_notebook(folder / "n.ipynb", TEXT.replace("{}", tag, 1), **metadata)


def findings(path: Path) -> list[Diagnostic]:
    return [found for found in plan(path, {}).diagnostics if found.rule.code != "KC606"]


def test_the_finding_names_the_tag_and_the_tag_settles_it(tmp_path: Path) -> None:
    (found,) = findings(notebook(tmp_path))
    assert (found.rule.code, found.location.cell) == ("KC218", 1)
    assert "tag step `make` with `together:b,a`" in str(found.hint)
    for tag in (TAG, "together:b,a"):
        assert findings(notebook(tmp_path, tag)) == []


@pytest.mark.parametrize(
    ("again", "told"), [("a = a + [1]", []), ("if a[1:]:\n    a = []", ["KC218"])], ids=["new", "maybe"]
)
def test_one_that_is_bound_anew_is_another_object_unless_only_perhaps(
    again: str, told: list[str], tmp_path: Path
) -> None:
    steps = TEXT.replace("prev:make", "prev:again").replace(
        "# %% step:change", f"# %% step:again prev:make\n{again}\n# %% step:change"
    )
    found = findings(write_notebook(tmp_path / "n.ipynb", steps.replace("{}", "", 1)))
    assert [one.rule.code for one in found] == told


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ("x = l\n# %% step:c\nx[0] = 5\nprint(m)", ["KC218"]),
        ("x = m[0]\n# %% step:c\nx[0] = 5\nprint(l)", ["KC218"]),
        ("x = m[0]\n# %% step:c\nprint(x, l)", []),
        ("x = m[0]\nl = [1]\n# %% step:c\nx[0] = 5\nprint(l)", []),
        ("import copy\nx = copy.deepcopy(l)\n# %% step:c\nx[0] = 5\nprint(m)", []),
    ],
    ids=["the same", "a part", "nothing is changed", "the other is another one", "a copy"],
)
def test_an_object_that_came_apart_in_the_step_above(steps: str, told: list[str], tmp_path: Path) -> None:
    text = f"# %% step:a\nl = [1, 2]\nm = [l]\n# %% step:b\n{steps}\n"
    assert [found.rule.code for found in findings(write_notebook(tmp_path / "n.ipynb", text))] == told


def test_a_number_shares_no_object(tmp_path: Path) -> None:
    text = """
# %% pipeline-parameters
n = 5
# %% step:make
class Big:
    def __init__(self, n):
        self.size = n
big = Big(n)
# %% step:tweak
big.size = 100
# %% step:end
print(big.size, n)
"""
    assert findings(write_notebook(tmp_path / "n.ipynb", text)) == []
    (found,) = findings(write_notebook(tmp_path / "n.ipynb", text.replace("n = 5", "n = [5]")))
    assert found.rule.code == "KC218"


@pytest.mark.parametrize("value", [["a,b"], "a,b"], ids=["list", "text"])
def test_a_table_means_what_the_tag_means(value: object, tmp_path: Path) -> None:
    steps = plan(notebook(tmp_path, TAG), {}).draft.steps
    assert plan(notebook(tmp_path, kalecompiler={"steps": {"make": {"together": value}}}), {}).draft.steps == steps
    text = f"[tool.kalecompiler.steps.make]\ntogether = {json.dumps(value)}\n"
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    assert plan(notebook(tmp_path), {}).draft.steps == steps


def test_the_real_package_prints_what_the_notebook_prints(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    verdict = judge_apart(notebook(tmp_path, TAG), work, real=True)
    assert (verdict.outcome, verdict.warnings, verdict.details) == ("equal", [], [])
    log = next(work.rglob("show/log.txt")).read_text(encoding="utf-8")
    assert log == "{'x': [1]}\n"
    for step in ("make", "change"):  # the artifact of the first holds the other as well
        path = next(work.rglob(f"{step}/a"))
        assert reading.read(str(path), None)[0]["members"] == ["a", "b"]


def test_the_package_hands_both_to_each_taker(tmp_path: Path) -> None:
    spec = next(yaml.safe_load_all(commands.compile_(notebook(tmp_path, TAG), {}).compiled.text))
    tasks = spec["root"]["dag"]["tasks"]
    assert sorted(tasks["change"]["inputs"]["artifacts"]) == ["a_in", "b_in"]
    assert sorted(tasks["show"]["inputs"]["artifacts"]) == ["a", "b"]
    assert {i["taskOutputArtifact"]["producerTask"] for i in tasks["show"]["inputs"]["artifacts"].values()} == {
        "change"
    }
    plain = next(yaml.safe_load_all(commands.compile_(notebook(tmp_path), {}).compiled.text))["root"]["dag"]["tasks"]
    assert [*plain["change"]["inputs"]["artifacts"]] == ["a"]


def test_graph_why_and_config_tell_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    notebook(tmp_path, TAG)

    def told(*arguments: str) -> str:
        result = CliRunner().invoke(kalec, [*arguments], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    assert "change  <- make (a, b)" in told("graph", "n.ipynb", "--format", "text")
    assert "show    <- change (a, b)" in told("graph", "n.ipynb", "--format", "text")
    why = told("why", "b", "n.ipynb")
    assert "by step `change`, which hands it on, as it is kept together with what it changes, cell 2 line 1" in why
    assert "step `change` takes it, as it is kept together with what it reads, cell 2 line 1" in why
    assert "step `show` reads it, cell 3 line 1" in why
    assert 'steps.make.together = ["a,b"]' in told("config", "n.ipynb", "--show-origin")


@pytest.mark.parametrize("place", ["tag", "metadata", "pyproject"])
def test_what_is_wrong_with_its_names_is_said_where_they_stand(place: str, tmp_path: Path) -> None:
    value = "a,c"
    table = {"steps": {"make": {"together": [value]}}}
    if place == "pyproject":
        text = f'[tool.kalecompiler.steps.make]\ntogether = ["{value}"]\n'
        (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    metadata = {"kalecompiler": table} if place == "metadata" else {}
    path = notebook(tmp_path, f"together:{value}" if place == "tag" else "", **metadata)
    found = next(found for found in findings(path) if found.rule.code == "KC135")
    assert found.message.startswith("`together:a,c` names `c`, which is no variable of step `make`")
    where = found.location
    expected = {
        "tag": (str(path), 1, "together:a,c", ()),
        "metadata": (str(path), None, None, ("metadata", "kalecompiler")),
        "pyproject": (str(tmp_path / "pyproject.toml"), None, None, ()),
    }
    assert (where.path, where.cell, where.tag, where.key) == expected[place]


def test_a_tag_without_a_taker_is_said_to_have_no_effect(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "n.ipynb", "# %% step:make together:a,b\na = []\nb = [a]\nprint(b)")
    (found,) = findings(path)
    assert (found.rule.code, found.location.tag) == ("KC136", TAG)
