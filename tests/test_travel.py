"""Time travel, driven as a user does: a run fails, its state is opened in a notebook, the fix is resumed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
import travelling
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from support import write_notebook

from kalecompiler import cli
from kalecompiler.snapshots import find

STORY = """
# %% imports
import json
from pathlib import Path
# %% pipeline-parameters
rows = 6
scale = 2.0
# %% functions
class Point:
    def __init__(self, x):
        self.x = x

def count(name):
    with open("counts.txt", "a") as file:
        file.write(name + "\\n")
# %% step:one
import random
random.seed(3)
count("one")
raw = [float(line) for line in Path("data.txt").read_text().split()]
# %% step:two prev:one
count("two")
table = [value * scale for value in raw[:rows]]
points = [Point(x) for x in table]
first = random.random()
# %% step:three prev:two
count("three")
total = sum(table)
same = points[0]
# %% step:four prev:three
count("four")
ratio = total / (len(points) - 6)
draw = random.random()
# %% step:five prev:four
count("five")
answer = ratio + draw + same.x + len(points)
# %% step:six prev:five
count("six")
Path("answer.txt").write_text(json.dumps(answer))
print("the answer", answer, first)
"""
FIXED = STORY.replace("- 6)", "- 5)")
Kalec = Callable[..., tuple[int, str, str]]


@pytest.fixture
def kalec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Kalec:
    """Call `kalec` in an empty folder; exit status, what it printed, what it said."""
    travelling.own_key(monkeypatch, tmp_path / "key")
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))

    def call(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        status = cli.main([*words])
        told = capsys.readouterr()
        return status, told.out, told.err

    return call


def counts() -> list[str]:
    """The steps that ran since the last time."""
    path = Path("counts.txt")
    found = path.read_text().split() if path.exists() else []
    path.unlink(missing_ok=True)
    return found


def failing(kalec: Kalec) -> None:
    Path("data.txt").write_text("\n".join(map(str, range(10))))
    write_notebook(Path("story.ipynb"), STORY)
    assert kalec("run", "story.ipynb")[0] == 1
    assert counts() == ["one", "two", "three", "four"]


def execute(path: Path, kernel: str = "python3") -> tuple[Any, str]:
    """Execute a notebook as nbclient does; the notebook, and the error that stopped it."""
    book = nbformat.read(path, 4)
    nbformat.validate(book)
    client = NotebookClient(book, timeout=120, kernel_name=kernel, resources={"metadata": {"path": str(path.parent)}})
    try:
        client.execute()
    except CellExecutionError as error:
        return book, f"{error.ename}: {error.evalue}"
    return book, ""


def said(book: Any) -> str:
    outputs = [output for cell in book.cells if cell.cell_type == "code" for output in cell.outputs]
    return "".join(output.get("text", "") for output in outputs)


def test_a_failed_run_is_opened_fixed_and_resumed(kalec: Kalec) -> None:
    failing(kalec)

    status, out, _ = kalec("checkout", "latest", "--step", "four", "--before")
    assert status == 0
    assert "total   float           from three" in out
    book, error = execute(Path("story.before-four.ipynb"))
    assert error == "ZeroDivisionError: float division by zero"
    assert counts() == ["four"]  # the cells above were not executed
    assert "before step four of story-" in said(book)
    assert "not restored" not in said(book)

    write_notebook(Path("story.ipynb"), FIXED)
    status, out, _ = kalec("resume", "latest", "--plan", "--format", "json")
    assert status == 0
    plan = {row["step"]: (row["outcome"], row["why"]) for row in json.loads(out)}
    assert [outcome for outcome, _ in plan.values()] == ["reused"] * 3 + ["runs"] * 3
    assert plan["four"][1].startswith("it failed in story-")
    assert plan["six"][1] == "`five`, above it, runs"
    assert counts() == []

    status, out, _ = kalec("resume", "latest")
    assert status == 0
    assert counts() == ["four", "five", "six"]
    assert "6 of 6 steps done, 3 of them reused" in out
    resumed = json.loads(Path("answer.txt").read_text())
    resumed_digests = digests("latest")

    assert kalec("run", "story.ipynb")[0] == 0
    assert counts() == ["one", "two", "three", "four", "five", "six"]
    assert json.loads(Path("answer.txt").read_text()) == resumed
    assert digests("latest") == resumed_digests


def digests(run: str) -> dict[str, str]:
    """The digest of every variable that a run keeps."""
    found = find.find(run, Path.cwd())
    manifests = found.store.manifests(found.record.run)
    ends = {task: m for (task, when), m in manifests.items() if when == "after"}
    return {f"{task} {n}": v.digest for task, m in ends.items() for n, v in m.variables.items()}


def test_the_notebook_goes_on_as_the_original_would(kalec: Kalec) -> None:
    Path("data.txt").write_text("\n".join(map(str, range(10))))
    write_notebook(Path("story.ipynb"), FIXED)
    assert kalec("run", "story.ipynb", "-p", "rows=7", "-p", "scale=3")[0] == 0
    answer = Path("answer.txt").read_text()
    counts()
    for when, step, ran in (
        ("before", "one", ["one", "two", "three", "four", "five", "six"]),
        ("before", "four", ["four", "five", "six"]),
        ("after", "four", ["five", "six"]),
        ("after", "two", ["three", "four", "five", "six"]),
    ):
        Path("answer.txt").unlink()
        target = f"{when}-{step}.ipynb"
        assert kalec("checkout", "latest", "--step", step, f"--{when}", "--notebook", target)[0] == 0
        _, error = execute(Path(target))
        assert error == "", (when, step)
        assert counts() == ran, (when, step)
        assert Path("answer.txt").read_text() == answer, (when, step)


def test_the_notebook_is_a_pipeline_as_before_with_the_runs_parameters(kalec: Kalec) -> None:
    Path("data.txt").write_text("\n".join(map(str, range(10))))
    write_notebook(Path("story.ipynb"), FIXED)
    assert kalec("run", "story.ipynb", "-p", "rows=7", "-p", "scale=3")[0] == 0
    answer, before = Path("answer.txt").read_text(), digests("latest")
    assert kalec("checkout", "latest", "--step", "four", "--notebook", "again.ipynb")[0] == 0
    source = "".join(nbformat.read("again.ipynb", 4).cells[2].source)
    assert source == "rows = 7\nscale = 3.0"
    counts()
    assert kalec("run", "again.ipynb")[0] == 0
    assert counts() == ["one", "two", "three", "four", "five", "six"]
    assert Path("answer.txt").read_text() == answer
    assert digests("latest") == before
    record = find.find("latest", Path.cwd()).record
    assert (record.pipeline, record.notebook_name) == ("story", "again.ipynb")


def test_run_all_passes_over_the_cells_above(kalec: Kalec) -> None:
    """Also where nobody heeds the tag: JupyterLab's "run all" does not."""
    failing(kalec)
    assert kalec("checkout", "latest", "--step", "four")[0] == 0
    path = Path("story.before-four.ipynb")
    path.write_text(path.read_text().replace('"skip-execution"', '"something-else"'))
    book, error = execute(path)
    assert error == "ZeroDivisionError: float division by zero"
    assert counts() == ["four"]
    assert said(book).count("kalec: passed over, as the state is that before step four; execute the cell again") == 3


INTERRUPTED = """
# %% step:a
x = 1
# %% step:b
import os, signal, time
small = [x, 2]
os.kill(os.getppid(), signal.SIGINT)
time.sleep(20)
late = 3
# %% step:c
print(small, late)
"""


def test_the_state_of_an_interrupted_step_is_kept(kalec: Kalec) -> None:
    write_notebook(Path("n.ipynb"), INTERRUPTED)
    command = [sys.executable, "-m", "kalecompiler", "run", "n.ipynb"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 130
    assert "stopped: 1 of 3 steps done" in done.stdout
    status, out, err = kalec("checkout", "latest", "--step", "b", "--after")
    assert status == 0, err
    assert "small  list" in out and "late" not in out.partition("not in the state")[0]
    assert kalec("show", "latest", "b")[1].count("the run was interrupted") == 1
    assert [step["status"] for step in json.loads(kalec("show", "latest", "--format", "json")[1])["steps"]] == [
        "succeeded", "stopped", "not-run",
    ]  # fmt: skip
    plan = kalec("resume", "latest", "--plan")[1].splitlines()
    assert [line.split()[:2] for line in plan] == [["a", "reused"], ["b", "runs"], ["c", "runs"]]


def test_a_kernel_starts_in_the_state(kalec: Kalec) -> None:
    failing(kalec)
    status, out, _ = kalec("checkout", "latest", "--step", "four", "--kernel")
    assert status == 0
    kernel = out.strip().splitlines()[-1].removeprefix("kernel ")
    path = Path("story.before-four.ipynb")
    book = nbformat.read(path, 4)
    assert book.metadata.kernelspec.name == kernel
    book.cells = [nbformat.v4.new_code_cell("print(total, len(points), same is points[0])\ncount('kernel')")]
    nbformat.write(book, "empty.ipynb")
    done, error = execute(Path("empty.ipynb"), kernel)
    assert error == ""
    assert said(done) == "30.0 6 True\n"
    assert counts() == ["kernel"]


def test_jupyterlab_is_asked_for_where_it_is_missing(kalec: Kalec, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(kalec)
    monkeypatch.setitem(sys.modules, "jupyterlab", None)
    status, _, err = kalec("checkout", "latest", "--step", "four", "--lab")
    assert status == 2
    assert "--lab needs JupyterLab" in err
    assert not Path("story.before-four.ipynb").exists()


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--step", "seven"], "the run has no step `seven`: it has one, two, three, four, five, six"),
        (["--step", "fuor"], "did you mean `four`"),
        (["--step", "five"], "does not exist: step four, above it, failed: look at `--step four --before`"),
        (["--step", "five", "--after"], "step five of story-"),
        (["--step", "four", "--notebook", "out.txt"], "must end in .ipynb"),
        (["--step", "four", "--notebook", "story.ipynb"], "story.ipynb exists already: --force replaces it"),
        (["--step", "four", "--notebook", "no/such/out.ipynb"], "out.ipynb cannot be written"),
    ],
)
def test_what_cannot_be_checked_out_is_said(kalec: Kalec, words: list[str], reason: str) -> None:
    failing(kalec)
    status, _, err = kalec("checkout", "latest", *words)
    assert status == 2
    assert reason in err


def test_a_state_after_a_failure_has_what_the_step_had_made_by_then(kalec: Kalec) -> None:
    Path("data.txt").write_text("1 2 3 4 5 6 7")
    text = STORY.replace("ratio =", "size = len(points)\nratio =").replace("step:four", "step:four snapshot:all")
    write_notebook(Path("story.ipynb"), text)
    assert kalec("run", "story.ipynb")[0] == 1
    status, out, _ = kalec("checkout", "latest", "--step", "four", "--after")
    assert status == 0
    assert "size    int             from four" in out
    assert "ratio" in out.partition("not in the state:")[2]


def test_a_step_whose_level_was_off_is_said_to_be_so(kalec: Kalec) -> None:
    write_notebook(Path("n.ipynb"), "# %% step:a snapshot:off\nx = 1\n# %% step:b\nprint(x)\n")
    assert kalec("run", "n.ipynb")[0] == 0
    write_notebook(Path("n.ipynb"), "# %% step:a\nx = 1\n# %% step:b\nprint(x)\n")  # not that of the run
    for words, of in (
        (["b"], "step a, above it,"),
        (["b", "--after"], "step a, above it,"),
        (["a", "--after"], "step a"),
    ):
        status, _, err = kalec("checkout", "latest", "--step", *words)
        assert status == 2
        assert err.rstrip().endswith(f"does not exist: of {of} no snapshot was kept: its level was `off`")


def test_nothing_of_the_users_is_replaced(kalec: Kalec) -> None:
    failing(kalec)
    for _ in range(2):
        _, out, _ = kalec("checkout", "latest", "--step", "four")
        assert out.rstrip().endswith("/story.before-four.ipynb")
    Path("story.before-four.ipynb").write_text("{}")
    _, out, _ = kalec("checkout", "latest", "--step", "four")
    assert out.rstrip().endswith("/story.before-four-2.ipynb")
    assert Path("story.before-four.ipynb").read_text() == "{}"
    assert kalec("checkout", "latest", "--step", "four", "--notebook", "story.before-four.ipynb", "--force")[0] == 0
    assert "force=True" not in Path("story.before-four.ipynb").read_text()  # that is for objects of another Python
