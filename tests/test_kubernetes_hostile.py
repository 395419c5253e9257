"""Whatever a setting holds is carried as data or refused: nothing of it is executed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support import write_notebook

from kalecompiler import commands
from kalecompiler.diagnostics import NotebookError
from kalecompiler.settingvalues import GRAMMAR, Shape

# Each would leave a file if it were run as Python, in a shell, or by Jinja.
CANARY = [
    "'); open('CANARY', 'w').close(); ('",
    "''' + str(open('CANARY', 'w')) + '''",
    '"""\nopen("CANARY", "w")\n"""',
    "\\'); open('CANARY', 'w') #",
    "{{ cycler.__init__.__globals__.os.system('touch CANARY') }}",
    "{% for x in ().__class__.__base__.__subclasses__() %}{{ x }}{% endfor %}",
    "{{$.inputs.parameters['x']}}",
    "{{workflow.name}}",
    "$(touch CANARY)",
    "`touch CANARY`; touch CANARY",
    "!!python/object/apply:os.system ['touch CANARY']",
    "a: b\n- c: [d\n# e\n---\n...",
    "*x &y !z | > %",
    "</script>\u2028\u2029\x85\x00\x1b[31m",
    "\U0001f600 größe \ufeff",
    "y",
    "null",
    "x" * 1_000_000,
]
KINDS = [kind for kind in GRAMMAR if kind != "exit"]


def compiled(folder: Path, tag: str, **metadata: object) -> str | None:
    """The text of the package of a step with that tag; None where it is refused."""
    text = "# %% step:load\nx = 1\n# %% " + json.dumps(["step:train", "prev:load", tag]) + "\ny = 1\n"
    try:
        return commands.compile_(write_notebook(folder / "n.ipynb", text, **metadata), {}, limit=False).compiled.text
    except NotebookError:
        return None


def tag_with(kind: str, value: str) -> str:
    """A tag of the kind, the last part of its example replaced by the value."""
    return f"{GRAMMAR[kind].example.rpartition(':')[0]}:{value}"


def table_with(kind: str, value: str) -> dict[str, object] | None:
    """The kind's row of a table with the value, as it is written there; None for what only a tag can say."""
    row = GRAMMAR[kind]
    whole = tag_with(kind, value).partition(":")[2]
    key, _, rest = whole.rpartition(":") if kind != "annotation" else ("note", "", value)
    shapes = {Shape.PAIRS: {key: rest}, Shape.LIST: [whole]}
    return {row.name: shapes.get(row.shape, value)} if row.name else None


def strings(value: object) -> list[str]:
    """Every text in the package, keys too."""
    if isinstance(value, dict):
        return [text for key, item in value.items() for text in (str(key), *strings(item))]
    if isinstance(value, list):
        return [text for item in value for text in strings(item)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_values_are_data_or_refused(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for value in CANARY:
        text = compiled(tmp_path, tag_with(kind, value))
        if text is not None:
            assert any(value in found for found in strings(list(yaml.safe_load_all(text)))), "it is there as it is"
            assert "{{" not in value or kind == "annotation"
    assert [path.name for path in tmp_path.iterdir()] == ["n.ipynb"], "nothing was executed"


@pytest.mark.parametrize("kind", [kind for kind in KINDS if GRAMMAR[kind].name])
def test_hostile_values_in_a_table_are_data_or_refused(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for value in CANARY[KINDS.index(kind) % 3 :: 3]:  # each value in a third of the kinds: the checks are those of tags
        text = compiled(tmp_path, "prev:load", kalecompiler={"steps": {"train": table_with(kind, value)}})
        if text is not None:
            assert any(value in found for found in strings(list(yaml.safe_load_all(text)))), "it is there as it is"
            assert "{{" not in value or kind == "annotation"
    assert [path.name for path in tmp_path.iterdir()] == ["n.ipynb"], "nothing was executed"


# Some of these are taken: a test of what is refused alone would show little.
TAKEN = {
    "env": ["'); open('CANARY', 'w').close(); ('", "a: b\n- c: [d\n# e\n---\n...", "y"],
    "annotation": ['"""\nopen("CANARY", "w")\n"""', "{% for %}", "{ {x} }", "*x &y !z | > %"],
    "cache-key": ["$(touch CANARY)", "*x &y !z | > %", "null"],
    "display-name": ["`touch CANARY`; touch CANARY", "'''", "y"],
}


@pytest.mark.parametrize(("kind", "value"), [(kind, value) for kind, values in TAKEN.items() for value in values])
def test_texts_arrive_unchanged(kind: str, value: str, tmp_path: Path) -> None:
    text = compiled(tmp_path, tag_with(kind, value))
    assert text is not None
    assert value in strings(list(yaml.safe_load_all(text)))
    assert compiled(tmp_path, tag_with(kind, value)) == text


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["env", "annotation", "label", "volume", "cache-key", "toleration"]), st.text(max_size=30))
@example("annotation", "colons: and 'quotes' and {braces}\nand lines")
@example("annotation", "{{not a name}}")
def test_arbitrary_text_is_data_or_refused(tmp_path: Path, kind: str, value: str) -> None:
    text = compiled(tmp_path, tag_with(kind, value))
    if text is not None and kind in ("env", "annotation", "cache-key") and value:  # an empty text is a default of KFP
        assert value in strings(list(yaml.safe_load_all(text)))


def test_no_option_or_metadata_is_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for value in CANARY[:-1]:
        for table in ({"description": value}, {"display-name": value}, {"pipeline-root": value}, {"workspace": value}):
            path = write_notebook(tmp_path / "n.ipynb", "# %% step:a\nx = 1", kalecompiler=table)
            try:
                text = commands.compile_(path, {}).compiled.text
            except NotebookError:
                continue
            assert value in strings(list(yaml.safe_load_all(text)))
    assert [path.name for path in tmp_path.iterdir()] == ["n.ipynb"]
