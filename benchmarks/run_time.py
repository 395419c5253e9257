"""Running a chain and a fan-out of 20 small steps here, beside kfp.local on the same package.

The time of a step is what the whole run takes beyond compiling, divided by the steps: their own work is next to
nothing.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from common import KALEC, chain, fan_out, race, show, write_notebook

STEPS = 20
KFP_LOCAL = """
import sys
from kfp import components, local
local.init(local.SubprocessRunner(use_venv=False), pipeline_root="kfp-local")
components.load_component_from_file(sys.argv[1])()
"""
KFP_LOAD = """
import sys
from kfp import components, local
components.load_component_from_file(sys.argv[1])
"""


def main() -> None:
    """Print a table for each shape, and milliseconds a step."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for shape, cells in {"chain": chain(STEPS), "fan-out": fan_out(STEPS)}.items():
            notebook = write_notebook(folder / f"{shape}.ipynb", cells).name
            package = f"{shape}.yaml"
            commands = {
                "kalec compile": [*KALEC, "compile", notebook, "-o", package],
                "kalec run": [*KALEC, "run", notebook, "--format", "json"],
                "kalec run --jobs 1": [*KALEC, "run", notebook, "--jobs", "1", "--format", "json"],
                "kfp.local, loading the package": [sys.executable, "-c", KFP_LOAD, package],
                "kfp.local": [sys.executable, "-c", KFP_LOCAL, package],
            }
            times = race(commands, folder)
            show(f"run {STEPS} steps, {shape}", times)
            for runner, base in (
                ("kalec run", "kalec compile"),
                ("kalec run --jobs 1", "kalec compile"),
                ("kfp.local", "kfp.local, loading the package"),
            ):
                print(f"  {runner:<36} {(times[runner] - times[base]) / STEPS * 1000:6.1f} ms a step")


if __name__ == "__main__":
    main()
