"""docs/values.md says what is so: its notebook and its handler are run, and each row of its tables is produced."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import runtime_steps
from runtime_steps import Done, output, take
from support import write_notebook

from kalecompiler import registered
from kalecompiler.settingvalues import GRAMMAR
from kalecompiler.taglanguage import parse

PAGE = (Path(__file__).parent.parent / "docs" / "values.md").read_text(encoding="utf-8")
NOTEBOOK, PRINTED = re.findall(r"^```notebook\n(.*?)^```\n\n```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[0]
MODULE, TOML = re.findall(r"^```python\n(.*?)^```\n\n```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[0]


def table(head: str) -> list[list[str]]:
    """The rows of the table whose first column has that head."""
    found = re.search(rf"^\| {head} \|.*\n\|[- |]*\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    assert found, head
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in found[1].splitlines()]


def kalec(folder: Path, **environment: str) -> str:
    """What `kalec run` of the notebook in the folder says, all in all."""
    command = [sys.executable, "-m", "kalecompiler", "run", "nb.ipynb"]
    root = str(Path(__file__).parent.parent)
    variables = {"PATH": "/usr/bin:/bin", "PYTHONPATH": root, **environment}
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr + "".join(p.read_text() for p in folder.glob(".kalec/runs/*/report/log.txt"))


def test_the_notebook_of_the_page(tmp_path: Path) -> None:
    write_notebook(tmp_path / "nb.ipynb", NOTEBOOK)
    assert PRINTED.strip() in kalec(tmp_path)


THERMO = """
import struct, threading
class Log:
    def __init__(self, readings):
        self.readings, self.lock = readings, threading.Lock()
    def to_bytes(self):
        return struct.pack(f"{len(self.readings)}d", *self.readings)
    @classmethod
    def from_bytes(cls, data):
        return cls(list(struct.unpack(f"{len(data) // 8}d", data)))
"""


def test_the_entry_point_of_the_page(tmp_path: Path) -> None:
    info = tmp_path / "site/thermo_kalec-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: thermo-kalec\nVersion: 1.0\n")
    group = re.sub(r'\[project\.entry-points\."(.*)"\]', r"[\1]", TOML).replace('"', "")
    (info / "entry_points.txt").write_text(group)
    (tmp_path / "site/thermo_kalec.py").write_text(MODULE)
    (tmp_path / "site/thermo.py").write_text(THERMO)
    text = (
        "# %% step:make\nimport thermo\nlog = thermo.Log([1.5, 2.5])\n# %% step:report prev:make\nprint(log.readings)"
    )
    write_notebook(tmp_path / "nb.ipynb", text)
    (tmp_path / "pyproject.toml").write_text("[tool.kalecompiler]\n")
    root = str(Path(__file__).parent.parent)
    assert "[1.5, 2.5]" in kalec(tmp_path, PYTHONPATH=f"{root}:{tmp_path / 'site'}")


@pytest.mark.parametrize("row", table("value"), ids=lambda row: row[0])
def test_what_is_refused(row: list[str], tmp_path: Path) -> None:
    code, message, cure = row
    step = runtime_steps.step(code.strip("`"), name="make", outputs=[output("x", "take", cell="nb.ipynb make[1]")])
    made = runtime_steps.run(tmp_path, step)
    assert made.status == 1
    said = made.err[made.err.index("cannot hand 'x'") :]
    assert message in said
    assert cure in said
    assert "from nb.ipynb make[1]" in said


@dataclass(frozen=True)
class Published(Done):
    """A step that left these artifacts behind."""

    found: dict[str, Any]

    @property
    def artifacts(self) -> dict[str, Any]:
        return self.found


def artifact(folder: Path, name: str, value: str) -> tuple[dict[str, Any], Path]:
    """(the artifact of `x` as a step published it, its file)."""
    made = runtime_steps.run(folder, runtime_steps.step(f"x = {value}", name=name, outputs=[output("x", "take")]))
    assert made.status == 0, made.err
    found = made.artifacts["x"]
    return found, Path(found["uri"])


def _flip(folder: Path, content: dict[str, Any], file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 4
    file.write_bytes(data)


def _swap(folder: Path, content: dict[str, Any], file: Path) -> None:
    file.write_bytes(artifact(folder, "other", "list(range(500))[::-1]")[1].read_bytes())


def _newer(folder: Path, content: dict[str, Any], file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[6] = 9
    file.write_bytes(data)


HAPPENED: dict[str, Callable[[Path, dict[str, Any], Path], object]] = {
    "one bit is another": _flip,
    "it is cut off": lambda folder, content, file: file.write_bytes(file.read_bytes()[:-7]),
    "it is another artifact's": _swap,
    "it is empty": lambda folder, content, file: file.write_bytes(b""),
    "it is gone": lambda folder, content, file: file.unlink(),
    "a later kalecompiler wrote it": _newer,
    "its digest was lost": lambda folder, content, file: content["metadata"].pop("digest"),
}


@pytest.mark.parametrize("row", table("what happened to the file"), ids=lambda row: row[0])
def test_what_is_not_loaded(row: list[str], tmp_path: Path) -> None:
    what, message = row
    found, file = artifact(tmp_path, "make", "list(range(500))")
    HAPPENED[what](tmp_path, found, file)
    made = Published(0, "", "", tmp_path, {"x": found})
    step = runtime_steps.step("print('loaded')", name="take", inputs=[take("x", "make")])
    taken = runtime_steps.run(tmp_path, step, {"make": made})
    assert taken.status == 1
    assert message in taken.err
    assert "'x'" in taken.err
    assert "loaded" not in taken.out


def test_the_settings_of_the_page_are_settings() -> None:
    rows = table("setting")
    assert {parse(row[1].strip("`")).setting for row in rows} == {
        ("max-artifact-size", "", "2Gi"),
        ("preview", "", "5"),
    }
    assert [row[2].strip("`").partition(" = ")[0] for row in rows] == ["max-artifact-size", "preview"]
    assert all(row[1].strip("`").partition(":")[0] in GRAMMAR for row in rows)


def test_the_largest_artifact_is_refused_with_both_sizes(tmp_path: Path) -> None:
    options = {"outputs": [output("x", "take")], "max-artifact-size": 5000}
    made = runtime_steps.run(tmp_path, runtime_steps.step("x = list(range(10**6))", name="make", **options))
    assert made.status == 1
    assert "the setting max-artifact-size allows 5 kB" in made.err


def test_rows_are_shown_only_where_they_are_asked_for(tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    code = "import pandas as pd\nx = pd.DataFrame({'name': ['Ada', 'Bob'], 'password': ['p1', 'p2']})"
    found = []
    for rows in (0, 1):
        options: dict[str, Any] = {"outputs": [output("x", "take")]} | ({"preview": rows} if rows else {})
        made = runtime_steps.run(tmp_path / str(rows), runtime_steps.step(code, name="make", **options))
        found.append(json.dumps(made.artifacts["x"]["metadata"]))
    assert ["Ada" in text for text in found] == [False, True]
    assert not any("Bob" in text or "p1" in text for text in found)


def test_the_handlers_of_the_page_are_those_that_are_shipped() -> None:
    assert [row[0].strip("`") for row in table("handler")] == [h.name for h in registered.shipped()]


def test_the_metadata_that_the_page_names(tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    code = "import pandas as pd\nx = pd.DataFrame({'a': [1, 2]})"
    made = runtime_steps.run(tmp_path, runtime_steps.step(code, name="make", outputs=[output("x", "take")]))
    metadata = made.artifacts["x"]["metadata"]
    for key in ("variable", "type", "size", "digest", "kind", "shape", "rows", "columns", "dtypes"):
        assert key in metadata, key
        assert f"`{key}`" in PAGE
