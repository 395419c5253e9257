"""A Jupyter kernel that starts in the state of a moment of a run."""

from __future__ import annotations

import json
import re
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from kalecompiler.diagnostics import UsageError
from kalecompiler.snapshots.state import State
from kalecompiler.wording import cause


def install(at: State, scope: str, trust: bool, force: bool) -> str:
    """Install the kernel for this user, and give its name. Raises UsageError where Jupyter's parts are missing."""
    for module, package in (("ipykernel", "ipykernel"), ("jupyter_client", "jupyter-client")):
        if find_spec(module) is None:
            raise UsageError(f"--kernel needs {package} beside kalecompiler: {sys.executable} -m pip install {package}")
    from jupyter_client.kernelspec import KernelSpecManager

    name = re.sub(r"[^a-z0-9._-]", "-", f"kalec-{at.record.run}-{at.moment.when}-{at.moment.step.task}".lower())
    with tempfile.TemporaryDirectory() as folder:
        text = json.dumps(spec(at, scope, trust, force), indent=1) + "\n"
        (Path(folder) / "kernel.json").write_text(text, encoding="utf-8")
        try:
            KernelSpecManager().install_kernel_spec(folder, name, user=True)
        except OSError as error:
            reason = cause(error)
            raise UsageError(f"the kernel {name} cannot be installed: {error.filename}: {reason}") from None
    return name


def spec(at: State, scope: str, trust: bool, force: bool) -> dict[str, object]:
    """What `kernel.json` says."""
    moment = at.moment
    where = (str(at.store.path), at.record.run, moment.step.name, moment.when, scope)
    call = f"restore({', '.join(map(repr, where))}, trust={trust}, force={force}, quiet=True)"
    lines = ["from kalecompiler.snapshots.restore import restore", call]
    return {
        "argv": [
            sys.executable,
            "-m",
            "ipykernel_launcher",
            "-f",
            "{connection_file}",
            *(f"--IPKernelApp.exec_lines={line}" for line in lines),
        ],
        "display_name": f"kalec: {moment.when} {moment.step.name}",
        "language": "python",
        "metadata": {"debugger": True},
    }
