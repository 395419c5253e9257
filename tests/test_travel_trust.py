"""Nothing of a run that nobody vouches for is executed: no definition, no pickle; plain data is restored."""

from __future__ import annotations

import json
import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import travelling
from support import write_notebook

from kalecompiler import cli
from kalecompiler.runtime import values
from kalecompiler.snapshots import find, place, signing
from kalecompiler.snapshots.store import Store

TEXT = """
# %% functions
open("executed.txt", "a").write("x")
class Point:
    def __init__(self, x):
        self.x = x
# %% step:make
number = 41
point = Point(number)
# %% step:use prev:make
print(number, point.x)
"""


@pytest.fixture(autouse=True)
def _kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A run, kept and signed."""
    travelling.own_key(monkeypatch, tmp_path / "key")
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    write_notebook(Path("n.ipynb"), TEXT)
    assert cli.main(["run", "n.ipynb"]) == 0
    Path("executed.txt").unlink()
    yield
    signing.forget()


def restore(*options: str) -> tuple[str, dict[str, object]]:
    """Restore before `use` in a process of its own: what it said, and the variables."""
    store = str(Path(".kalec/store").absolute())
    run = find.find("latest", Path.cwd()).record.run
    words = "".join(f", {option}=True" for option in options)
    code = (
        "import json\nfrom kalecompiler.snapshots.restore import restore\n"
        f"restore({store!r}, {run!r}, 'use', 'before'{words})\n"
        "print(json.dumps({n: repr(v) if n == 'number' else getattr(v, 'x', None) for n, v in globals().items() "
        "if n in ('number', 'point', 'Point')}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    said, _, last = done.stdout.rstrip().rpartition("\n")
    return said, json.loads(last)


def test_a_run_of_ones_own_is_restored_whole() -> None:
    said, found = restore()
    assert found == {"number": "41", "point": 41, "Point": None}
    assert "not restored" not in said
    assert Path("executed.txt").exists()


def by_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    travelling.own_key(monkeypatch, tmp_path / "other")


def unsigned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in Path(".kalec/store/runs").rglob("*.json"):
        text = json.loads(path.read_text())
        del text["signature"]
        path.write_text(json.dumps(text))


def changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in Path(".kalec/store/runs").rglob("*.json"):
        path.write_text(json.dumps({**json.loads(path.read_text()), "pipeline": "other"}))


@pytest.mark.parametrize("spoil", [by_another, unsigned, changed])
def test_what_nobody_vouches_for_is_not_executed(
    spoil: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert callable(spoil)
    spoil(tmp_path, monkeypatch)
    assert cli.main(["checkout", "latest", "--step", "use"]) == 0
    assert "nothing says that this run is yours: only plain data is restored without --trust" in capsys.readouterr().out
    said, found = restore()
    assert found == {"number": "41"}
    assert "point" in said.partition("not restored:")[2]
    assert "--trust" in said
    assert not Path("executed.txt").exists()
    _, found = restore("trust")
    assert found == {"number": "41", "point": 41, "Point": None}
    assert Path("executed.txt").exists()


class Plant:
    """Pickled, it writes a file when it is loaded."""

    def __reduce__(self) -> object:
        return Path.write_text, (Path("planted.txt"), "x")


def test_a_planted_pickle_is_not_loaded_whatever_the_manifest_calls_it(tmp_path: Path) -> None:
    store = Store.open(Path(".kalec/store"))
    record = find.find("latest", Path.cwd()).record
    manifest = store.manifest(record.run, "make", "after")
    plant = tmp_path / "plant"
    metadata = values.save(str(plant), Plant(), "number")
    assert b"write_text" in plant.read_bytes()
    assert pickle.HIGHEST_PROTOCOL >= 5
    ref = store.put_file(plant, str(metadata["digest"]))
    number = replace(manifest.variables["number"], file=ref, digest=ref.digest, tier="data")
    store.write_manifest(replace(manifest, variables={**manifest.variables, "number": number}))
    said, found = restore()
    assert not Path("planted.txt").exists()
    assert "number" not in found
    assert "number" in said.partition("not restored:")[2]


def test_another_python_is_said_and_its_code_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store.open(Path(".kalec/store"))
    record = find.find("latest", Path.cwd()).record
    manifest = store.manifest(record.run, "make", "after")
    other = {**manifest.environment, "python": "3.9.1"}
    for one in (manifest, store.manifest(record.run, "use", "after")):
        store.write_manifest(signing.sign(replace(one, environment=other)))
    said, found = restore()
    assert "the run's Python is 3.9.1" in said
    assert found == {"number": "41", "Point": None}
    _, found = restore("force")
    assert found == {"number": "41", "point": 41, "Point": None}


def test_a_project_is_moved_and_copied_with_its_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(Path.cwd(), tmp_path / "copied")
    Path.cwd().rename(tmp_path / "moved")
    for name in ("copied", "moved"):
        folder = tmp_path / name
        monkeypatch.chdir(folder)
        capsys.readouterr()
        assert cli.main(["resume", "latest", "--plan"]) == 0
        assert f"notebook {folder / 'n.ipynb'}" in capsys.readouterr().err
        assert cli.main(["checkout", "latest", "--step", "use"]) == 0
        assert (folder / "n.before-use.ipynb").is_file()
    (folder / "n.ipynb").rename(folder / "other.ipynb")
    assert cli.main(["resume", "latest", "--plan"]) == 2
    assert "name it with --notebook" in capsys.readouterr().err
    assert cli.main(["resume", "latest", "--plan", "--notebook", "other.ipynb"]) == 0


def test_a_record_of_somebody_else_does_not_choose_the_notebook(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = tmp_path / "evil"
    evil.mkdir()
    write_notebook(evil / "n.ipynb", "# %% step:make\nopen('executed.txt', 'w').write('x')")
    Path("n.ipynb").unlink()
    store = Store.open(Path(".kalec/store"))
    record = find.find("latest", Path.cwd()).record
    for name in ("n.ipynb", "../evil/n.ipynb", str(evil / "n.ipynb")):
        store.write_run(replace(record, workdir=str(evil), notebook_name=name))
        assert cli.main(["resume", "latest"]) == 2
        assert "is not there" in capsys.readouterr().err
        assert cli.main(["checkout", "latest", "--step", "use", "--trust"]) == 0
    assert not (evil / "executed.txt").exists()
    assert [path.name for path in evil.iterdir()] == ["n.ipynb"]


@pytest.mark.parametrize("key", ["theirs", "key"])
def test_nothing_goes_to_the_folder_of_whoever_sent_a_run(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An imported run works where it was imported, trusted or one's own though it is, and its folder is there."""
    sender = Path.cwd()
    assert cli.main(["export", "latest", str(tmp_path / "run.tar")]) == 0
    assert cli.main(["import", str(tmp_path / "run.tar"), "--trust"]) == 0  # what is here already stays one's own
    assert not find.find("latest", sender).record.extra.get(place.IMPORTED)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    travelling.own_key(monkeypatch, tmp_path / key)
    if key == "theirs":
        assert cli.main(["import", str(tmp_path / "run.tar")]) == 0
    assert cli.main(["import", str(tmp_path / "run.tar"), "--trust"]) == 0
    before = sorted(sender.iterdir())
    assert cli.main(["checkout", "latest", "--step", "use"]) == 0
    assert [path.name for path in Path.cwd().glob("*.ipynb")] == ["n.before-use.ipynb"]
    restore()
    assert Path("executed.txt").is_file()  # the definitions ran here
    assert sorted(sender.iterdir()) == before
    capsys.readouterr()
    assert cli.main(["resume", "latest", "--plan"]) == 2
    assert f"is not there: {Path.cwd() / 'n.ipynb'}; name it with --notebook" in capsys.readouterr().err
    shutil.copy(sender / "n.ipynb", "n.ipynb")
    assert cli.main(["resume", "latest", "--plan"]) == 0
