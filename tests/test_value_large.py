"""Large variables, through `kalec run`: bounded memory, and a limit that refuses early.

4 GB need room on the disk and a minute: only with KALEC_LARGE=1. Without it the same is done with 256 MB.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support import write_notebook

MIB = 1 << 20
LARGE = os.environ.get("KALEC_LARGE") == "1"
# What a step may take beside the object.
SPARE = 64 * MIB
TIMES: dict[str, int] = {}

NOTEBOOK = """
# %% imports
import numpy as np
# %% functions
def report(name):
    import atexit, re

    def write():
        text = open("/proc/self/status").read()
        with open(name, "w") as file:
            file.write(re.search(r"VmHWM:\\s+(\\d+) kB", text)[1])

    atexit.register(write)
# %% pipeline-parameters
mib = 256
# %% step:make
report("make.txt")
{make}
# %% step:take prev:make
report("take.txt")
{take}
"""

KINDS = {
    # Pages of zeros are not there until they are written: what the maker takes is what saving takes.
    "sparse array": (
        "a = np.zeros(mib << 17)\na[::mib << 12] = 1.0",
        "print(a.shape, a[0], float(a[5]), a.flags.writeable)",
    ),
    "one buffer many times": (
        "part = bytes(range(256)) * 4096\na = [part] * 3 + [np.broadcast_to(np.arange(131072.0), (mib, 131072))]",
        "print(a[3].shape, a[0] is a[2], float(a[3][-1, 7]))",
    ),
    "bytes": ("a = bytes(mib << 20)", "print(len(a), a[-1])"),
}


def kalec(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kalecompiler", *arguments]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    return subprocess.run(command, capture_output=True, encoding="utf-8", cwd=folder, check=False, env=env)


def written(folder: Path, make: str, take: str, tags: str = "") -> Path:
    text = NOTEBOOK.replace("{make}", make).replace("{take}", take).replace("step:make\n", f"step:make{tags}\n")
    return write_notebook(folder / "nb.ipynb", text)


def peak(folder: Path, step: str) -> int:
    """The most memory that a step has had, in bytes."""
    return int((folder / f"{step}.txt").read_text(encoding="utf-8")) * 1024


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is read from /proc")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [256, pytest.param(4096, marks=pytest.mark.slow)], ids=["256 MB", "4 GB"])
def test_a_large_variable_passes_in_bounded_memory(tmp_path: Path, kind: str, size: int) -> None:
    pytest.importorskip("numpy")
    if size > 1000 and not LARGE:
        pytest.skip("set KALEC_LARGE=1")
    if shutil.disk_usage(tmp_path).free < 3 * size * MIB:
        pytest.skip("there is no room on the disk")
    written(tmp_path, *KINDS[kind])
    bare = write_notebook(tmp_path / "bare.ipynb", NOTEBOOK.replace("{make}", "a = [np]").replace("{take}", "print(a)"))
    assert kalec(tmp_path, "run", bare.name, "-p", f"mib={size}").returncode == 0
    base = {step: peak(tmp_path, step) for step in ("make", "take")}
    done = kalec(tmp_path, "run", "nb.ipynb", "-p", f"mib={size}")
    assert done.returncode == 0, done.stdout + done.stderr
    made, taken = (peak(tmp_path, step) - base[step] for step in ("make", "take"))
    print(f"{kind}, {size} MiB: make {made / MIB:.0f} MiB, take {taken / MIB:.0f} MiB")
    shutil.rmtree(tmp_path / ".kalec")
    assert made < size * MIB + SPARE
    assert taken < TIMES.get(kind, 1) * size * MIB + SPARE


@pytest.mark.parametrize("how", ["tag", "pyproject"])
def test_a_limit_refuses_early_with_both_sizes(tmp_path: Path, how: str) -> None:
    pytest.importorskip("numpy")
    make, take = KINDS["sparse array"]
    written(tmp_path, make, take, " max-artifact-size:1Mi" if how == "tag" else "")
    if how == "pyproject":
        (tmp_path / "pyproject.toml").write_text('[tool.kalecompiler]\nmax-artifact-size = "1Mi"\n', encoding="utf-8")
    done = kalec(tmp_path, "run", "nb.ipynb")
    told = done.stdout + done.stderr
    assert done.returncode == 1, told
    assert re.search(r"cannot hand 'a' \(numpy\.ndarray, from nb\.ipynb make\[1\]\) on to take: ", told), told
    sizes = r": it takes 268 MB or more, and the setting max-artifact-size allows 1\.05 MB\n.*help: "
    assert re.search(sizes, told), told
    assert peak(tmp_path, "make") < 200 * MIB
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size > MIB] == []


def test_a_limit_that_is_kept_changes_nothing(tmp_path: Path) -> None:
    written(tmp_path, "a = list(range(1000))", "print(sum(a))", " max-artifact-size:1Mi")
    done = kalec(tmp_path, "run", "nb.ipynb")
    assert done.returncode == 0, done.stdout + done.stderr
