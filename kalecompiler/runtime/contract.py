"""KFP's executor contract: what the launcher hands to a step, and what it expects back."""

from __future__ import annotations

import json
import os

from . import failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

FOLDERS = {"gs": "gcs", "minio": "minio", "s3": "s3", "oci": "oci"}


class Task:
    """One execution of a step: its parameters, its artifacts, and the output file to write at the end."""

    def __init__(self, executor_input: str) -> None:
        spec = json.loads(executor_input)
        self.inputs: dict[str, Any] = spec.get("inputs") or {}
        self.outputs: dict[str, Any] = spec.get("outputs") or {}
        self.output_file: str = self.outputs.get("outputFile") or ""
        self.written: dict[str, Any] = {}
        self.loaded: dict[tuple[str, str], Any] = {}  # by port: inputs that came with others, before it was their turn

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The parameter values that were sent; one left out has its default."""
        return self.inputs.get("parameterValues") or {}

    def input(self, port: str) -> tuple[str, dict[str, Any]]:
        """(path, metadata) of the input artifact of that port; StepFailed where the launcher sent none."""
        artifact = _artifact(self.inputs, port, "input")
        return local_path(artifact), artifact.get("metadata") or {}

    def new_output(self, port: str) -> str:
        """The path where the output artifact of that port is to be written; its folder exists."""
        path = local_path(_artifact(self.outputs, port, "output"))
        make_folder(path)
        return path

    def publish(self, port: str, metadata: Mapping[str, Any]) -> None:
        """Put an output artifact, which has been written, into the executor output."""
        artifact = _artifact(self.outputs, port, "output")
        entry = {name: artifact.get(name, "") for name in ("name", "uri")}
        entry["metadata"] = {**artifact.get("metadata", {}), **metadata}
        self.written[port] = {"artifacts": [entry]}

    def finish(self) -> None:
        """Write the executor output: strict JSON, at once or not at all."""
        if self.output_file:
            write_text(self.output_file, json.dumps({"artifacts": self.written}, allow_nan=False))


def local_path(artifact: Mapping[str, Any]) -> str:
    """Where an artifact lies for this process: its custom path, else its URI as the launcher mounts it."""
    path: str = artifact.get("customPath") or artifact.get("uri") or ""
    scheme, _, rest = path.partition("://")
    return f"/{FOLDERS[scheme]}/{rest}" if scheme in FOLDERS else path


def make_folder(path: str) -> None:
    """Make the folder of a file."""
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)


def write_text(path: str, text: str) -> None:
    """Write a text file whole: a reader sees the old one or the new one. The folder is made."""
    make_folder(path)
    draft = f"{path}.{os.getpid()}.part"
    with open(draft, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(draft, path)


def _artifact(side: Mapping[str, Any], port: str, kind: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = ((side.get("artifacts") or {}).get(port) or {}).get("artifacts") or []
    if not found:
        raise failure.StepFailed(f"the executor input has no {kind} artifact {port!r}")
    return found[0]
