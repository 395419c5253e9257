"""What the tests of submitting share: notebooks to submit, and the command called as a user does."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support import write_notebook

from kalecompiler.cli import main

ROOT = Path(__file__).parent.parent

NOTEBOOK = """
# %% pipeline-parameters
n = 3
word = "a"
# %% step:make
numbers = list(range(n))
# %% step:total prev:make
total = sum(numbers)
print(word, total)
# %% pipeline-metrics
total
"""
EDITED = NOTEBOOK.replace("sum(numbers)", "sum(numbers) + 1")
FAILING = """
# %% step:make
x = 1
# %% step:train prev:make
print("nearly there", x)
raise ValueError("no luck today")
# %% step:report prev:train
print("never")
"""
SLOW = "# %% step:wait\nimport time\ntime.sleep(60)"


@dataclass(frozen=True)
class Result:
    """How a command ended, and what it wrote."""

    status: int
    out: str
    err: str


class Here:
    """A folder with a notebook `n.ipynb`, in which the command is called."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys

    def write(self, text: str, name: str = "n.ipynb", **metadata: Any) -> None:
        """Put a notebook here."""
        write_notebook(self.folder / name, text, **metadata)

    def config(self, text: str) -> None:
        """Put a pyproject.toml here, with one endpoint called `e`."""
        (self.folder / "pyproject.toml").write_text(f"[tool.kalecompiler.endpoint.e]\n{text}\n", encoding="utf-8")

    def kalec(self, *arguments: str) -> Result:
        """Call the command in this process."""
        self._capsys.readouterr()
        status = main([*arguments])
        captured = self._capsys.readouterr()
        return Result(status, captured.out, captured.err)

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Call it in a process of its own, which the test may kill."""
        command = [sys.executable, "-m", "kalecompiler", *arguments]
        every = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
        return subprocess.Popen(
            command, cwd=self.folder, env=every, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    @property
    def intents(self) -> list[Path]:
        """The intents that are open."""
        return sorted((self.folder / ".kalec" / "intents").glob("*.json"))


def clean_surroundings(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No configuration of the machine's user, and no proxy, has a say."""
    for name in [*os.environ]:
        proxy = name.lower() in {"http_proxy", "https_proxy", "all_proxy", "no_proxy"}
        if proxy or name.startswith("KF_PIPELINES_") or name in {"REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"}:
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.chdir(folder)
