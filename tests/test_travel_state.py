"""After a checkout every variable is what it is in the notebook executed to that point: for every example and step."""

from __future__ import annotations

from pathlib import Path

import oracle
import pytest
import travelling
from conftest import ROOT

from kalecompiler import commands
from kalecompiler.steprules import FINAL_STATUS

EXAMPLES = sorted((ROOT / "notebooks").glob("*.ipynb"))
# What comes out otherwise whenever it is computed.
UNSTABLE: set[str] = set()


@pytest.fixture(autouse=True, scope="module")
def _warm() -> None:
    oracle.warm()


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    travelling.own_key(monkeypatch, tmp_path / "key")
    monkeypatch.setenv("REGISTRY_TOKEN", "canary-token-1")
    monkeypatch.setenv("KALE_VOLUME_READINGS", "/readings")


@pytest.mark.parametrize("level", ["passed", "all"])
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example(path: Path, level: str, tmp_path: Path) -> None:
    _, found, result = travelling.keep(path, tmp_path / "book", f'[tool.kalecompiler]\nsnapshot = "{level}"\n')
    assert result.status.value == "succeeded"
    manifests = found.store.manifests(found.record.run)
    # A cell of metrics is executed with the step that it measures, and stands below it.
    shown = {m.variable for step in commands.compile_(path, {}).pipeline.steps for m in step.metrics}
    seen = 0
    for record in found.record.steps:
        for when in ("before", "after"):
            work = tmp_path / f"{record.key}-{when}"
            differences, compared, missing = travelling.unlike(found, record.name, when, work)
            assert differences == [], (record.name, when)
            seen += len(compared)
            if when == "after":
                left = {n for n, v in manifests[record.key, "after"].variables.items() if v.file and n[0] != "_"}
                assert left <= compared | {*found.record.parameters, FINAL_STATUS} | shown, record.name
            if level == "all":
                assert missing <= UNSTABLE, (record.name, when)
    assert seen > len(found.record.steps)
