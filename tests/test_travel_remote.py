"""A run of an endpoint, opened here in the state before the step that failed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from endpoint import Endpoint
from submitting import ROOT, Here, clean_surroundings
from support import write_notebook
from test_travel import execute, said

from kalecompiler.submit import runs

pytest_plugins = ["endpoint.plugin"]
pytestmark = pytest.mark.usefixtures("kfp_home")

NOTEBOOK = """
# %% imports
import random
from pathlib import Path
# %% pipeline-parameters
rate = 2
# %% functions
class Point:
    def __init__(self, x):
        self.x = x
# %% step:make env:KALEC_SNAPSHOTS:PLACE
random.seed(4)
class Local(Point):
    pass
points = [Local(n) for n in range(5)]
# %% step:scale prev:make env:KALEC_SNAPSHOTS:PLACE
scaled = [p.x * rate for p in points]
draw = random.random()
# %% step:end prev:scale env:KALEC_SNAPSHOTS:PLACE
half = [value / 2 for value in scaled]
total = sum(scaled) / (rate - 3)
print(total, draw, random.random(), points[1].x)
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Endpoint, str, Path]]:
    """An endpoint, and a run that failed there; the step that did has a second place for its snapshots."""
    folder = tmp_path_factory.mktemp("ran")
    write_notebook(folder / "n.ipynb", NOTEBOOK.replace("PLACE", str(folder / "place")))
    environment = {**os.environ, "HOME": str(folder), "PYTHONPATH": str(ROOT)}
    with Endpoint(execute=True) as endpoint:
        command = [sys.executable, "-m", "kalecompiler", "submit", "n.ipynb", "--host", endpoint.url, "-p", "rate=3"]
        done = subprocess.run(
            [*command, "--format", "json"], cwd=folder, env=environment, capture_output=True, check=True
        )
        run = str(json.loads(done.stdout)["run"]["id"])
        endpoint.wait(lambda: {one["state"] for one in endpoint.state.runs.values()} == {"FAILED"}, 60)
        endpoint.lineage = "api"
        # The endpoint's artifacts have plain paths; under KFP the second place has the folders of KFP's own root.
        for snapshot in [*(folder / "place").rglob("snapshot")]:
            proper = folder / "place" / "n" / run / snapshot.parent.name / "00000000-0000-4000-8000-000000000001"
            proper.mkdir(parents=True)
            snapshot.rename(proper / "snapshot")
        yield endpoint, run, folder / "place"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Here:
    clean_surroundings(tmp_path, monkeypatch)
    monkeypatch.setenv("KALEC_SNAPSHOT_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    from kalecompiler.snapshots import signing

    signing.forget()
    return Here(tmp_path, capsys)


def test_the_failure_is_reproduced_from_the_code_that_the_steps_carry(
    ran: tuple[Endpoint, str, Path], here: Here
) -> None:
    endpoint, run, _ = ran
    out = here.kalec("checkout", run, "--step", "end", "--host", endpoint.url)
    assert (out.status, out.err) == (0, "")
    path = Path("n.before-end.ipynb")
    book, error = execute(path)
    assert error == "ZeroDivisionError: division by zero"
    assert "not restored" not in said(book)
    book = nbformat.read(path, 4)
    code = [cell for cell in book.cells if "step:end" in cell.metadata.get("tags", ())]
    code[0].source = code[0].source.replace("(rate - 3)", "1")
    nbformat.write(book, path)
    book, error = execute(path)
    assert error == ""
    import random

    random.seed(4)
    assert said(book).splitlines()[-1] == f"30.0 {random.random()} {random.random()} 1"


@pytest.mark.parametrize("lineage", ["api", None])
def test_where_a_step_failed_is_found_in_the_second_place(
    ran: tuple[Endpoint, str, Path], here: Here, monkeypatch: pytest.MonkeyPatch, lineage: str | None
) -> None:
    """KFP uploads nothing of it. What the steps above handed on comes through the server, or it is said."""
    pytest.importorskip("fsspec")
    endpoint, run, place = ran
    monkeypatch.setattr(endpoint, "lineage", lineage)
    at = (run, "--step", "end", "--host", endpoint.url)
    bare = here.kalec("checkout", *at, "--after")
    assert bare.status == 2, bare.out
    root = ("--pipeline-root", str(place))
    shown = here.kalec("show", run, "end", "half", "--preview", *at[3:], *root)
    assert "[0.0, 1.5, 3.0, 4.5, 6.0]" in shown.out, shown.err
    out = here.kalec("checkout", *at, *root, "--after", "--notebook", "after.ipynb")
    assert (out.status, out.err) == (0, ""), out.err
    book = nbformat.read("after.ipynb", 4)
    book.cells.append(nbformat.v4.new_code_cell("print(half)"))
    nbformat.write(book, "after.ipynb")
    book, error = execute(Path("after.ipynb"))
    assert error == ""
    assert "[0.0, 1.5, 3.0, 4.5, 6.0]" in said(book)
    assert ("there is no artifact" in out.out) == (lineage is None), out.out


def test_a_bucket_that_fails_at_any_call_leaves_nothing_half(ran: tuple[Endpoint, str, Path], here: Here) -> None:
    """For every n: an error on a line and no notebook, or the checkout with what could be had; later all is well."""
    pytest.importorskip("fsspec")
    import faulty

    endpoint, run, place = ran
    words = ("checkout", run, "--step", "end", "--after", "--host", endpoint.url, "--pipeline-root", "faulty://root")
    out = Path("out.ipynb")
    with faulty.bucket() as system:
        for file in (place / "n").rglob("snapshot"):
            system().pipe_file(f"/root/{file.relative_to(place)}", file.read_bytes())

        def work() -> bool:
            result = here.kalec(*words, "--notebook", str(out))
            if result.status:
                assert (result.status, result.out, out.exists()) == (3, "", False), result
                assert result.err.startswith("error: ")
                assert result.err.count("\n") == 1
                assert "cannot be read: OSError: the bucket is on fire" in result.err
                return False
            nbformat.validate(nbformat.read(out, 4))
            out.unlink()
            return "half    list   from end" in result.out

        assert len(list(faulty.every_failure(work))) > 5
        assert here.kalec("verify").status == 0


def test_a_run_that_begins_meanwhile_is_not_mixed_in(
    ran: tuple[Endpoint, str, Path], here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint, run, _ = ran
    meant = iter([run])  # what `latest` means a moment later is another run
    monkeypatch.setattr(runs, "resolve", lambda _, word: next(meant) if word == "latest" else word)
    assert here.kalec("checkout", "latest", "--step", "end", "--host", endpoint.url).status == 0


def test_the_notebook_itself_may_be_given(ran: tuple[Endpoint, str, Path], here: Here) -> None:
    endpoint, run, _ = ran
    write_notebook(Path("n.ipynb"), "# %% [markdown]\nHello\n" + NOTEBOOK)
    at = ("--step", "end", "--host", endpoint.url, "--from-notebook", "n.ipynb")
    assert here.kalec("checkout", run, *at).status == 0
    assert "Hello" in Path("n.before-end.ipynb").read_text()
    resumed = here.kalec("resume", run)
    assert (resumed.status, resumed.out) == (2, "")
    assert f"{run} ran at an endpoint" in resumed.err
    assert "`kalec submit`" in resumed.err
    write_notebook(Path("n.ipynb"), NOTEBOOK.replace("range(5)", "range(6)"))
    out = here.kalec("checkout", run, *at)
    assert out.status == 2
    assert "n.ipynb is not the notebook of the run: `n.ipynb make[1]` was another" in out.err
