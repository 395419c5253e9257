"""`kalec config`: each effective value and where it came from; and the JSON schema of the table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support import write_notebook

from kalecompiler import settingschema
from kalecompiler.cli import main
from kalecompiler.settingtable import VALUES
from kalecompiler.settingvalues import GRAMMAR

TEXT = "# %% step:load\nx = 1\n# %% step:train limit:cpu:2 secret:db:password:PW\nprint(x)"
TABLE = """[tool.kalecompiler]
description = "who leaves"
cache = false
[tool.kalecompiler.steps.train]
labels = {"example.com/team" = "vision"}
limits = {cpu = 1, memory = "4Gi"}
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KALEC_IMAGE", raising=False)


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    assert main(["config", "n.ipynb", *arguments]) == 0
    return capsys.readouterr().out.splitlines()


def test_each_value_and_where_it_came_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_notebook(tmp_path / "n.ipynb", TEXT, kubeflow_notebook={"pipeline_name": "churn"})
    (tmp_path / "pyproject.toml").write_text(TABLE)
    monkeypatch.setenv("KALEC_EXPERIMENT", "mine")
    lines = shown(capsys, "--show-origin", "--image", "python:3.12")
    found = {line.partition("  # ")[0].rstrip(): line.partition("  # ")[2] for line in lines}
    table = str(tmp_path / "pyproject.toml")
    assert found == {
        'pipeline-name = "churn"': "n.ipynb, metadata.kubeflow_notebook",
        'image = "python:3.12"': "the option --image",
        'description = "who leaves"': table,
        'experiment = "mine"': "$KALEC_EXPERIMENT",
        'steps.load.image = "python:3.12"': "the option --image",
        "steps.load.cache = false": table,
        'steps.train.image = "python:3.12"': "the option --image",
        "steps.train.cache = false": table,
        'steps.train.labels."example.com/team" = "vision"': table,
        'steps.train.limits.cpu = "2"': "n.ipynb, cell 2, tag limit:cpu:2",
        'steps.train.limits.memory = "4Gi"': table,
        'steps.train.secrets = ["db:password:PW"]': "n.ipynb, cell 2, tag secret:db:password:PW",
    }


def test_every_setting_is_shown_with_its_origin_from_each_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tomllib = pytest.importorskip("tomllib")
    steps = {f"s{number}": kind for number, kind in enumerate(GRAMMAR)}
    tagged = [f"# %% {json.dumps([f'step:{name}', GRAMMAR[kind].example])}\nx = 1" for name, kind in steps.items()]
    bare = [f"# %% step:{name}\nx = 1" for name in steps]
    tables = {name: GRAMMAR[kind].table for name, kind in steps.items() if GRAMMAR[kind].table}

    def origins(text: list[str], **metadata: object) -> dict[str, set[str]]:
        write_notebook(tmp_path / "n.ipynb", "\n".join(text), **metadata)
        main(["config", "n.ipynb", "--show-origin", "--format", "json"])
        rows = json.loads(capsys.readouterr().out)
        found: dict[str, set[str]] = {}
        for row in rows:
            if row["key"].startswith("steps."):
                found.setdefault(row["key"].split(".")[1], set()).add(row["origin"])
        return found

    found = origins(tagged)
    for number, (name, kind) in enumerate(steps.items(), 1):
        assert f"n.ipynb, cell {number}, tag {GRAMMAR[kind].example}" in found[name]
    values = {name: tomllib.loads(text) for name, text in tables.items()}
    found = origins(bare, kalecompiler={"steps": values})
    assert all("n.ipynb, metadata.kalecompiler" in found[name] for name in values)
    (tmp_path / "pyproject.toml").write_text(
        "\n".join(f"[tool.kalecompiler.steps.{name}]\n{text}" for name, text in tables.items()), encoding="utf-8"
    )
    found = origins(bare)
    assert all(str(tmp_path / "pyproject.toml") in found[name] for name in values)


@pytest.mark.parametrize("place", ["pyproject", "metadata"])
def test_every_value_of_the_pipeline_is_shown_with_its_origin(
    place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "requirements.txt").write_text("six\n", encoding="utf-8")
    rows = "\n".join(value.table for value in VALUES.values() if value.table)
    here = place == "metadata"
    (tmp_path / "pyproject.toml").write_text("" if here else f"[tool.kalecompiler]\n{rows}\n", encoding="utf-8")
    write_notebook(tmp_path / "n.ipynb", TEXT, **({"kalecompiler": table(rows)} if here else {}))
    main(["config", "n.ipynb", "--show-origin", "--format", "json"])
    found = {row["key"]: row["origin"] for row in json.loads(capsys.readouterr().out)}
    origin = "n.ipynb, metadata.kalecompiler" if here else str(tmp_path / "pyproject.toml")
    assert {found[key] for key, value in VALUES.items() if value.table} == {origin}


def test_without_origins_and_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_notebook(tmp_path / "n.ipynb", "# %% step:a\nx = 1")
    assert shown(capsys) == ['pipeline-name = "n"', 'image = "python:3.11"', 'steps.a.image = "python:3.11"']
    rows = json.loads("\n".join(shown(capsys, "--format", "json")))
    assert rows[0] == {"key": "pipeline-name", "value": "n", "origin": "the name of the notebook"}


def test_what_is_wrong_is_shown_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_notebook(tmp_path / "n.ipynb", "# %% step:a limit:memory:4GB\nx = 1")
    assert main(["config", "n.ipynb"]) == 1
    assert "error[KC123]" in capsys.readouterr().err
    assert main(["config"]) == 2
    assert "name a notebook" in capsys.readouterr().err


def test_the_schema_is_shipped_and_current(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "--schema"]) == 0
    assert capsys.readouterr().out == settingschema.text() == settingschema.FILE.read_text(encoding="utf-8")


def test_the_schema_has_every_key_and_takes_every_example() -> None:
    schema = settingschema.schema()
    assert set(VALUES) <= set(schema["properties"])
    for row in GRAMMAR.values():
        if row.name:
            own = schema["properties"]["steps"]["additionalProperties"]["properties"]
            assert row.name in own
            assert (row.name in schema["properties"]) == (row.shared or row.name in VALUES)
    jsonschema = pytest.importorskip("jsonschema")
    check = jsonschema.Draft7Validator(schema)
    for row in GRAMMAR.values():
        if row.name:
            assert not list(check.iter_errors({"steps": {"train": table(row.table)}})), row.table
    for key, value in VALUES.items():
        if value.table:
            assert not list(check.iter_errors(table(value.table))), key
    for wrong in ({"limit": {}}, {"cache": "maybe"}, {"steps": {"a": {"limits": 2}}}, {"parallelism": 2}):
        assert list(check.iter_errors(wrong)), wrong


def table(text: str) -> object:
    tomllib = pytest.importorskip("tomllib")
    return tomllib.loads(text)
