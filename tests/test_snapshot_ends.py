"""However a step ends, what it had is kept: its small variables if Python could still say so, what it was given always."""

from __future__ import annotations

from pathlib import Path

import pytest
import travelling
from support import write_notebook

NOTEBOOK = """
# %% step:given
a = [1]
# %% step:raises prev:given
b = a + [2]
b[9]
# %% step:exits prev:given
b = a + [2]
import sys
sys.exit(3)
# %% step:full prev:given
b = a + [2]
bytearray(1 << 62)
# %% step:interrupted prev:given
b = a + [2]
raise KeyboardInterrupt
# %% step:late prev:given timeout:1s
b = a + [2]
import time
time.sleep(30)
# %% step:aborts prev:given
b = a + [2]
import os
os.abort()
"""
ENDS = {
    "raises": "IndexError: list index out of range",
    "exits": "SystemExit: 3",
    "full": "MemoryError: ",
    "interrupted": "KeyboardInterrupt: ",
    "late": "took longer than its time limit of 1 s",
    "aborts": "was killed by SIGABRT",
}


def test_what_a_step_had_is_kept_however_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    travelling.own_key(monkeypatch, tmp_path / "key")
    (tmp_path / "n").mkdir()
    _, found, result = travelling.keep(write_notebook(tmp_path / "n" / "n.ipynb", NOTEBOOK), tmp_path / "book")
    assert {step.name for step in result.steps if step.status.value == "failed"} == set(ENDS)
    manifests = found.store.manifests(found.record.run)
    for step, error in ENDS.items():
        failed = manifests[step, "failed"]
        assert failed.error == error
        kept = {name for name, variable in failed.variables.items() if variable.file}
        assert kept == ({"a", "b"} if step != "aborts" else set()), step
        assert manifests[step, "before"].variables["a"].file == manifests["given", "after"].variables["a"].file
