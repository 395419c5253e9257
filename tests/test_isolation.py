"""A component as a pod may run it: `python3 -I`, another user, no network, no home, nothing of ours importable."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import forked
import pytest

from kalecompiler import commands, local
from kalecompiler.local.executor import Produced, executor_input, read_output, substitute
from kalecompiler.local.tasks import in_order, read_package

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
NOBODY = "65534"
# What the examples compute with; nothing else of this environment is to be seen.
LIBRARIES = (
    "cloudpickle", "dateutil", "joblib", "narwhals", "numpy", "pandas", "pytz", "scipy", "six", "sklearn",
    "threadpoolctl",
)  # fmt: skip
OURS = ("kalecompiler", "kfp", "IPython", "nbformat", "click", "yaml", "pip")


@dataclass(frozen=True)
class Pod:
    """An environment with a Python and nothing of ours; only the folder `data` can be written, and /tmp."""

    root: Path

    @property
    def data(self) -> Path:
        return self.root / "data"

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the environment's Python, with -I, as nobody, without a network."""
        command = ["unshare", "-n", "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--"]
        command += [str(self.root / "venv/bin/python3"), "-I", *arguments]
        home = self.root / "home"
        variables = {"PATH": "/usr/bin:/bin", "HOME": str(home), "LANG": "C.UTF-8"}
        return subprocess.run(command, cwd=home, env=variables, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def pod() -> Iterator[Pod]:
    """A pod outside of pytest's folders, which are root's alone; the test is skipped where there can be none."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    if not (shutil.which("unshare") and shutil.which("setpriv")):
        pytest.skip("there is no unshare or setpriv here")
    if subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False).returncode:
        pytest.skip("unshare -n is not allowed here")
    with tempfile.TemporaryDirectory() as folder:
        made = Pod(Path(folder))
        made.root.chmod(0o755)
        _environment(made.root / "venv")
        (made.root / "home").mkdir(mode=0o555)
        made.data.mkdir()
        started = made.run("-c", "")
        if started.returncode:
            pytest.skip(f"nobody cannot start this Python: {started.stderr.strip()[-200:]}")
        yield made


def _environment(folder: Path) -> None:
    """A virtual environment with links to the libraries of this one."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (target,) = folder.glob("lib/python*/site-packages")
    (source,) = Path(sys.prefix).glob("lib/python*/site-packages")
    for name in LIBRARIES:
        for entry in (*source.glob(name), *source.glob(f"{name}.py"), *source.glob(f"{name}.libs")):
            (target / entry.name).symlink_to(entry)


def test_the_pod_has_no_network_no_home_and_nothing_of_ours(pod: Pod) -> None:
    names = f"[n for n in {OURS!r} if importlib.util.find_spec(n)]"
    seen = pod.run("-c", f"import importlib.util, os; print(os.getuid(), {names}, os.access('.', os.W_OK))")
    assert seen.stdout.split(" ", 1) == [NOBODY, "[] False\n"], seen.stderr
    reached = pod.run("-c", "import socket; socket.create_connection(('127.0.0.1', 80), timeout=5)")
    assert "unreachable" in reached.stderr


@pytest.mark.parametrize(("name", "last"), [("words", "report"), ("classifiers", "logistic")])
def test_a_notebook_computes_the_same_in_pods(pod: Pod, name: str, last: str, tmp_path: Path) -> None:
    package = commands.compile_(NOTEBOOKS / f"{name}.ipynb", {})
    spec = package.compiled.spec
    here = forked.run(spec, arguments={}, folder=tmp_path, workdir=tmp_path, isolate=True, until=last)
    assert here.status is local.Status.SUCCEEDED
    logs = {step.name: step.log.read_text("utf-8") for step in here.steps if step.log}
    assert len(logs) >= 3
    read = read_package(spec)
    produced: dict[str, Produced] = {}
    for task in (read.tasks[key] for key in in_order(read.tasks) if read.tasks[key].name in logs):
        folder = pod.data / name / task.key
        folder.mkdir(parents=True)
        os.chown(folder, int(NOBODY), int(NOBODY))
        given = executor_input(task, read.defaults, produced, folder)
        python, *arguments = substitute(task.command, given)
        assert python == "python3"
        done = pod.run(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        produced[task.key] = read_output(given)
        assert done.stdout == logs.pop(task.name)
    assert not logs
