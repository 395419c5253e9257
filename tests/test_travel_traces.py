"""What a step opened, reached and removed in ways that are easily missed: one run of many steps, judged afterwards."""

from __future__ import annotations

import json
import os
import py_compile
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest
import travelling
from support import write_notebook

from kalecompiler import cli
from kalecompiler.local import tracestart
from kalecompiler.local.traces import Traces, content_digest
from kalecompiler.snapshots import compare, traced
from kalecompiler.snapshots.manifest import Manifest

DATA = {"path": "data.txt", "mode": "read", "digest": "sha256:0"}
Plan = dict[str, tuple[str, str]]


class Row(NamedTuple):
    """A step that works in the folder of its name; `why` it runs again after the change, empty where it does not."""

    name: str
    code: str
    change: Callable[[], object] = lambda: None
    why: str = ""
    before: str = ""


def write(name: str, text: str = "other") -> Callable[[], object]:
    return lambda: Path(name).write_text(text)


def table(name: str, number: int = 2) -> Callable[[], object]:
    return lambda: pd.DataFrame({"a": [number]}).to_parquet(name)


OPENED: list[sqlite3.Connection] = []


def insert(name: str, keep: bool = False) -> None:
    connection = sqlite3.connect(name)
    with connection:
        connection.execute("insert into t values (9)")
    if keep:
        OPENED.append(connection)
    else:
        connection.close()


def relink(name: str) -> None:
    Path(name).unlink()
    Path(name).symlink_to("other")


def compiled(folder: str, value: int) -> None:
    source = Path(folder, "source.py")
    source.write_text(f"V = {value}\n")
    py_compile.compile(str(source), f"{folder}/bare.pyc")
    source.unlink()


OPEN = "with open('{}', 'w') as f:\n    f.write('1')\n"
SQL = "import sqlite3\nc = sqlite3.connect('{}')\nx = c.execute('select * from t').fetchall()\nc.close()\ndel c"
TRY = "try:\n    x = open('{0}/extra.txt').read()\nexcept OSError:\n    x = ''"
NEAR = "import os; d = os.open('{}', os.O_RDONLY)\n"
FIND = "import importlib.util as u, sys; sys.path.insert(0, '{}')\n"
PQ = "import pyarrow.parquet as pq\n"
ROWS = [
    # a temporary name, then the final one
    Row("atomic", OPEN.format("atomic/t.tmp") + "import os; os.replace('atomic/t.tmp', 'atomic/t.txt')",
        lambda: Path("atomic/t.txt").unlink(), "it wrote atomic/t.txt, which is not there any more"),
    Row("moved", OPEN.format("moved/t.tmp") + "import shutil; shutil.move('moved/t.tmp', 'moved/t.txt')",
        lambda: Path("moved/t.txt").unlink(), "it wrote moved/t.txt, which is not there any more"),
    Row("wholefolder", "import os; os.mkdir('wholefolder/tmp')\n" + OPEN.format("wholefolder/tmp/t.txt")
        + "os.rename('wholefolder/tmp', 'wholefolder/end')",
        lambda: Path("wholefolder/end/t.txt").unlink(), "it wrote wholefolder/end/t.txt, which is not"),
    Row("linked", "import os; os.symlink('one.txt', 'linked/two.txt')",
        lambda: Path("linked/two.txt").unlink(), "it wrote linked/two.txt, which is not there any more"),
    Row("hard", "import os; os.link('hard/one.txt', 'hard/two.txt')",
        lambda: Path("hard/two.txt").unlink(), "it wrote hard/two.txt, which is not there any more"),
    Row("consumes", "import os; os.remove('consumes/one.txt')",
        write("consumes/one.txt"), "it removed consumes/one.txt, which is there again"),
    Row("scratch", OPEN.format("scratch/t.tmp") + "import os; os.remove('scratch/t.tmp')"),
    # databases
    Row("database", SQL.format("database/d.db"), lambda: insert("database/d.db"), "it read database/d.db, which has"),
    Row("uri", SQL.format("file:uri/d.db?mode=ro").replace("ro')", "ro', uri=True)"), lambda: insert("uri/d.db"),
        "it read uri/d.db, which has changed"),
    Row("memory", "import sqlite3; sqlite3.connect(':memory:').close()"),
    Row("fills", SQL.format("fills/d.db").replace("select * from t", "insert into t values (3)")
        .replace("c.close", "c.commit(); c.close"),
        why="it read fills/d.db and changed it then"),
    Row("wal", SQL.format("wal/d.db"), lambda: insert("wal/d.db", keep=True), "it looked for wal/d.db-wal"),
    Row("walquiet", SQL.format("walquiet/d.db")),
    Row("attach", SQL.format(":memory:").replace("x =", "c.execute('attach \"attach/d.db\" as o'); x =")
        .replace("from t", "from o.t"), lambda: insert("attach/d.db"), "it read attach/d.db, which has changed"),
    Row("bound", SQL.format(":memory:").replace("x =", "c.execute('attach ? as o', ('bound/d.db',)); x =")
        .replace("from t", "from o.t"), why="SQLite may have read files that cannot be seen"),
    # names that are relative to an open folder, or lead elsewhere
    Row("near", NEAR.format("near") + "f = os.open('one.txt', 0, dir_fd=d); x = os.read(f, 9); os.close(f)",
        write("near/one.txt"), "it read near/one.txt, which has changed"),
    Row("number", NEAR.format("number") + "x = sorted(os.listdir(d)); os.close(d)",
        write("number/two.txt"), "it listed number"),
    Row("fwalk", "import os; x = [found[:3] for found in os.fwalk('fwalk')]", write("fwalk/sub/two.txt"),
        "it listed fwalk/sub"),
    Row("own", "import os; os.symlink('one.txt', 'own/l.txt'); x = open('own/l.txt').read(); os.remove('own/l.txt')",
        write("own/one.txt"), "it read own/one.txt, which has changed"),
    Row("ownfolder", "import os; n = 'ownfolder/l'; os.symlink('sub', n); x = os.listdir(n); os.remove(n)",
        write("ownfolder/sub/two.txt"), "it listed ownfolder/sub"),
    Row("cleans", "import os, shutil, tempfile\nwith tempfile.TemporaryDirectory() as t:\n    os.mkdir(t + '/sub')\n"
        "    x = os.listdir(t)\nshutil.rmtree('cleans/sub'); os.mkdir('cleans/sub')\n" + OPEN.format("cleans/sub/a")),
    Row("leads", "import os; x = os.readlink('leads/link')", lambda: relink("leads/link"),
        "it followed leads/link, which leads elsewhere now"),
    Row("real", "from pathlib import Path\nx = str(Path('real/link/a').resolve())", lambda: relink("real/link"),
        "it followed real/link, which leads elsewhere now"),
    Row("still", "import os; x = os.path.realpath('still/link/one.txt')"),
    # modules, and what is installed
    Row("asked", FIND.format("asked") + "x = u.find_spec('extra_asked') is None", write("asked/extra_asked.py"),
        "it looked for asked/extra_asked.py, which was not there then"),
    Row("tried", FIND.format("tried") + "try:\n    __import__('extra_' + 'tried')\nexcept ImportError:\n    x = 1",
        write("tried/extra_tried.py"), "it looked for tried/extra_tried.py, which was not there then"),
    Row("known", FIND.format("known") + "x = u.find_spec('sub.inner') is not None",
        lambda: Path("known/sub/inner.py").unlink(), "it read known/sub/inner.py, which is not there any more"),
    Row("stale", FIND.format("stale") + "x = __import__('sub.' + 'inner').inner.V",
        write("stale/sub/inner.py", "V = 2"), "it read stale/sub/inner.py, which has changed"),
    Row("compiled", FIND.format("compiled") + "x = __import__('bare').V", lambda: compiled("compiled", 22),
        "it read compiled/bare.pyc, which has changed"),
    Row("installed", "import importlib.metadata as m, sys; sys.path.append('installed')\n"
        "x = len(list(m.distributions(path=['installed'])))",
        lambda: Path("installed/a-1.dist-info").mkdir(), "it listed installed"),
    # processes
    Row("pool", "import multiprocessing, subprocess; subprocess.run(['nproc'])\n"
        "with multiprocessing.get_context('spawn').Pool(1) as p:\n    x = p.map(abs, [-1])\ndel p",
        why="it ran other programs"),
    Row("shares", "from multiprocessing.shared_memory import SharedMemory\nm = SharedMemory(create=True, size=9)\n"
        "m.close(); m.unlink()\ndel m"),
    # what was not there
    Row("optional", TRY.format("optional"), write("optional/extra.txt"),
        "it looked for optional/extra.txt, which was not there then"),
    Row("absent", TRY.format("absent")),
    Row("makes", TRY.format("makes") + "\n" + OPEN.format("makes/extra.txt")),
    # programs that are asked about the machine, and one that reads a file
    Row("asks", "import subprocess; subprocess.run(['lscpu'], capture_output=True)"),
    Row("looks", "import subprocess\ntry:\n    subprocess.run(['file', 'looks/one.txt'], capture_output=True)\n"
        "except OSError:\n    pass", why="it ran other programs (file)"),
    # files that compiled code opens
    Row("parquet", "import pandas as pd; x = pd.read_parquet('parquet/one.parquet')", table("parquet/one.parquet"),
        "it read parquet/one.parquet, which has changed"),
    Row("quiet", "import pandas as pd; x = pd.read_parquet('quiet/one.parquet')"),
    Row("out", "import pandas as pd; pd.DataFrame({'a': [1]}).to_parquet('out/o.parquet')",
        lambda: Path("out/o.parquet").unlink(), "it wrote out/o.parquet, which is not there any more"),
    Row("parts", "import pandas as pd; pd.DataFrame({'a': [1, 2]}).to_parquet('parts/o', partition_cols=['a'])",
        lambda: shutil.rmtree("parts/o/a=1"), "it wrote parts/o/a=1/"),
    Row("pieces", PQ + "x = pq.read_table('pieces').num_rows", table("pieces/two.parquet"), "it listed pieces"),
    Row("dataset", "import pyarrow.dataset as d; x = d.dataset(['dataset/one.parquet']).to_table().num_rows",
        table("dataset/one.parquet"), "it read dataset/one.parquet, which has changed"),
    Row("head", PQ + "x = pq.ParquetFile('head/one.parquet').metadata.num_rows", table("head/one.parquet"),
        "it read head/one.parquet"),
    Row("schema", PQ + "x = str(pq.read_schema('schema/one.parquet'))", table("schema/one.parquet"),
        "it read schema/one.parquet"),
    Row("arrowcsv", "import pyarrow.csv as c; x = c.read_csv('arrowcsv/one.txt').num_rows", write("arrowcsv/one.txt"),
        "it read arrowcsv/one.txt"),
    Row("mapped", "import pyarrow as pa\nwith pa.memory_map('mapped/one.txt') as f:\n    x = bytes(f.read())\ndel f",
        write("mapped/one.txt"), "it read mapped/one.txt"),
    Row("native", "import pyarrow as pa\nwith pa.OSFile('native/one.txt') as f:\n    x = f.read()\ndel f",
        write("native/one.txt"), "it read native/one.txt"),
    Row("local", "from pyarrow import fs\nx = fs.LocalFileSystem().open_input_file('local/one.txt').read()",
        why="pyarrow may have read files that cannot be seen: `cache:enabled` takes it all the same"),
    Row("copied", "from pyarrow import fs\nfs.copy_files('copied/one.txt', 'copied/two.txt')",
        why="pyarrow may have read files that cannot be seen"),
    Row("bucket", "from pyarrow import fs\nf = fs.S3FileSystem(anonymous=True, region='us-east-1')\ndel f",
        why="it used the network"),
    Row("hidden", "import sys\nsys.path.insert(0, 'hidden')\nimport h5py",
        why="h5py may have read files that cannot be seen"),
    Row("draws", "import matplotlib\nmatplotlib.use('Agg')\nimport matplotlib.pyplot as plt\n"
        "plt.plot([1]); plt.savefig('draws/o.png'); plt.close()"),
    Row("library", "import ctypes.util; x = ctypes.util.find_library('c')"),
]  # fmt: skip
NOTEBOOK = "# %% step:root\nroot = 1\n" + "".join(f"# %% step:{row.name} prev:root\n{row.code}\n" for row in ROWS)


@pytest.fixture(scope="module")
def plans(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Plan, Plan]]:
    """What `kalec resume latest --plan` says after a run of all steps: before the changes, and after them."""
    folder = tmp_path_factory.mktemp("traces")
    with pytest.MonkeyPatch.context() as patch:
        travelling.own_key(patch, folder / "key")
        patch.setenv("MPLCONFIGDIR", str(folder / "mpl"))
        patch.setattr("tempfile.tempdir", str(folder / "elsewhere"))  # files there come and go
        patch.chdir(folder)
        for row in ROWS:
            folder_of(Path(row.name))
        write_notebook(Path("n.ipynb"), NOTEBOOK)
        assert cli.main(["run", "n.ipynb"]) == 0
        first = plan()
        for row in ROWS:
            row.change()
        yield first, plan()


def folder_of(path: Path) -> None:
    path.mkdir()
    if path.name in ("parquet", "quiet", "pieces", "dataset", "head", "schema"):
        table(str(path / "one.parquet"), 1)()
    elif path.name in ("database", "uri", "fills", "wal", "walquiet", "attach", "bound"):
        connection = sqlite3.connect(path / "d.db")
        if path.name.startswith("wal"):
            connection.execute("pragma journal_mode=wal")
        with connection:
            connection.execute("create table t (a)")
        connection.close()
    elif path.name in ("fwalk", "ownfolder", "cleans", "known", "stale"):
        (path / "sub").mkdir()
        (path / "one.txt").write_text("a\n1\n")
        (path / "sub/inner.py").write_text("V = 1")
        if path.name == "stale":
            py_compile.compile(str(path / "sub/inner.py"))
    elif path.name in ("leads", "real", "still"):
        (path / "link").symlink_to("one")
    elif path.name == "compiled":
        compiled(str(path), 1)
    elif path.name == "hidden":
        (path / "h5py.py").write_text("")
    else:
        (path / "one.txt").write_text("a\n1\n")


def report(traces: Traces, target: Path) -> None:
    names = dict(vars(sys.modules[Traces.__module__]))  # they are one program in a step's process
    exec(compile(Path(tracestart.__file__).read_text(), tracestart.__file__, "exec"), names)
    names["report"](traces, str(target))


def plan() -> Plan:
    import contextlib
    import io

    found = io.StringIO()
    with contextlib.redirect_stdout(found):
        assert cli.main(["resume", "latest", "--plan", "--format", "json"]) == 0
    rows: list[dict[str, Any]] = json.loads(found.getvalue())
    return {row["step"]: (row["outcome"], row["why"]) for row in rows}


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_what_a_step_opened(row: Row, plans: tuple[Plan, Plan]) -> None:
    never = row.why and row.change is Row._field_defaults["change"]
    first, then = (found[row.name] for found in plans)
    assert first[0] == ("runs" if never else "reused"), first[1]
    assert then[0] == ("runs" if row.why else "reused"), then[1]
    assert not row.why or row.why in then[1]


def test_what_is_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment in the project's own folder takes only its own folders away; of /dev only shared memory counts."""
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    traces = Traces([str(tmp_path / "run")])
    names = ["data.csv", "lib/python3/x.py", "bin/x", "pyvenv.cfg", "run/step/x", "notes/a.txt"]
    for path in [*(tmp_path / name for name in names), Path("/dev/urandom"), Path("/dev/shm/x")]:
        traces.hook("open", (str(path), "w", os.O_WRONLY | os.O_CREAT))
    assert list(traces.written) == [str(tmp_path / "data.csv"), str(tmp_path / "notes/a.txt"), "/dev/shm/x"]


def test_a_digest_is_that_of_what_was_opened(tmp_path: Path) -> None:
    """Large files are hashed at the end, if they are still the same; a file that is changed, before that."""
    names = ["kept", "replaced", "changed", "large", "larger"]
    one, two, three, four, five = (tmp_path / name for name in names)
    for path in (one, two, three):
        path.write_text("1")
    for path in (four, five):
        path.write_bytes(bytes(2 << 20))
    was, big = content_digest(str(one)), content_digest(str(four))
    traces = Traces([])
    for path in (one, two, three, four, five):
        traces.hook("open", (str(path), "r", os.O_RDONLY))
    for path, text in ((two, b"2"), (five, bytes(2 << 20))):  # of the same size and of an older time
        path.with_suffix(".new").write_bytes(text)
        os.utime(path.with_suffix(".new"), (1, 1))
        os.replace(path.with_suffix(".new"), path)
    traces.hook("open", (str(three), "w", os.O_WRONLY | os.O_TRUNC))
    three.write_text("3")
    report(traces, tmp_path / "report")
    files = json.loads((tmp_path / "report").read_text())["files"]
    found = {(Path(file["path"]).name, file["mode"]): file["digest"] for file in files}
    assert found.pop(("changed", "write")) == content_digest(str(three)) != was
    assert found == dict(zip([(name, "read") for name in names], [was, None, was, big, None], strict=True))
    assert all(file["absolute"] for file in files)


def test_a_program_that_is_asked_about_the_machine(tmp_path: Path) -> None:
    (tmp_path / "a.c").write_text("")
    for words, harmless in [
        (["lscpu"], True),
        (["/usr/bin/lscpu", "-J"], True),
        (["./lscpu"], False),
        (["gcc", "-Wl,-t", "-o", "/dev/null", "-lc"], True),
        (["gcc", str(tmp_path / "a.c")], False),
        (["objdump", "-p", "/usr/lib/libc.so.6"], True),
        (["file", "-b", sys.executable], True),
    ]:
        traces = Traces([])
        traces.hook("subprocess.Popen", (words[0], words, None, None))
        assert (not traces.programs) == harmless, words
    for event, arguments in [
        ("subprocess.Popen", ("./other", ["lscpu"], None, None)),
        ("os.posix_spawn", ("/usr/bin/file", ["file", str(tmp_path / "a.c")], None)),
    ]:
        traces = Traces([])
        traces.hook(event, arguments)
        assert traces.programs, event
    traces = Traces([])
    traces.hook("os.system", (b"gcc a.c; curl --user me:password",))
    traces.hook("os.system", (b"",))
    assert list(traces.programs) == ["gcc", "?"]  # of what a shell is told only the first word is noted


def test_threads_that_list_folders_at_the_same_time(tmp_path: Path) -> None:
    folders = [tmp_path / str(number) for number in range(100)]
    for folder in folders:
        folder.mkdir()
        (folder / "one.txt").touch()
    code = (
        "import sys, os\nfrom concurrent.futures import ThreadPoolExecutor\n"
        "from kalecompiler.local.traces import Traces\ntraces = Traces([])\nsys.addaudithook(traces.hook)\n"
        "with ThreadPoolExecutor(8) as pool:\n    list(pool.map(os.listdir, sys.argv[1:]))\n"
        "print(len([name for name in sys.argv[1:] if name in traces.listed]))"
    )
    done = subprocess.run([sys.executable, "-c", code, *folders], capture_output=True, text=True, check=True)
    assert done.stdout == "100\n"


def test_names_that_are_relative_to_an_open_folder(tmp_path: Path) -> None:
    traces = Traces([])
    place = os.open(tmp_path, os.O_RDONLY)
    (tmp_path / "a").write_text("")
    traces.hook("open", (str(tmp_path / "a"), "w", os.O_WRONLY | os.O_CREAT))
    traces.hook("os.rename", ("a", "b", place, place))
    os.close(place)
    assert (traces.written, traces.removed) == ({str(tmp_path / "b"): "write"}, {})


def test_where_files_are_looked_for_in_a_project_that_was_moved(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for path in (one / "both", two / "both", two / "new", tmp_path / "data"):
        path.parent.mkdir(exist_ok=True)
        path.write_text("")

    def places(path: str, absolute: bool = True, folder: str = str(one)) -> list[str]:
        file = {"path": str(tmp_path / path), "mode": "read", **({"absolute": True} if absolute else {})}
        manifest = Manifest("run", "a", "after", files=(file,), extra={"folder": folder} if folder else {})
        found = traced.moved(manifest, str(one), str(two)).files
        return [str(Path(one["path"]).relative_to(tmp_path)) for one in found]

    assert places("one/both", absolute=False) == ["two/both"]
    assert places("one/both") == ["two/both", "one/both"]
    assert places("one/both", absolute=False, folder="") == ["two/both", "one/both"], "an old record does not tell"
    assert places("one/new") == places("one/new", folder="") == ["two/new"]
    assert places("data") == ["data"]
    assert places("one", absolute=True) == ["two", "one"]
    assert places("one/both", folder=str(two)) == ["one/both"]


@pytest.mark.parametrize(
    ("modes", "reasons"), [(["append"], []), (["read", "append"], ["file log.txt"]), (["write"], ["file log.txt"])]
)
def test_a_log_that_is_appended_to_is_no_difference_of_a_step(modes: list[str], reasons: list[str]) -> None:
    one, other = (
        Manifest("run", "a", "after", files=(DATA, *({"path": "log.txt", "mode": mode, "digest": d} for mode in modes)))
        for d in ("sha256:1", "sha256:2")
    )
    assert compare._reasons(one, other, code=False) == reasons
