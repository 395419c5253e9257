"""Compiling 10, 50, 90 and 500 steps in a row, beside kfp's compiler on the same module and Kale on the equal notebook.

KALE_PYTHON names a Python that has kubeflow-kale 2.3.0; without it that column is left out.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from common import KALEC, chain, race, seconds, show, write_notebook


def main() -> None:
    """Print a table for each size."""
    kale = os.environ.get("KALE_PYTHON")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for count in (10, 50, 90, 500):
            notebook = write_notebook(folder / f"chain{count}.ipynb", chain(count)).name
            module = f"chain{count}.py"
            seconds([*KALEC, "compile", notebook, "--no-limit", "--format", "py"], folder)
            kfp = [str(Path(sys.executable).parent / "kfp"), "dsl", "compile", "--py", module, "--output", "kfp.yaml"]
            commands = {
                "kalec compile": [*KALEC, "compile", notebook, "--no-limit"],
                "kfp dsl compile, same module": kfp,
            }
            if kale and count <= 90:
                commands["kubeflow-kale, equal notebook"] = [str(Path(kale).parent / "kale"), "--nb", notebook]
            show(f"compile {count} steps", race(commands, folder, tries=1 if count > 90 else 3))


if __name__ == "__main__":
    main()
