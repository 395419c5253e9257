"""Runs a step as a container does: `python -u -c PROGRAM STEP EXECUTOR_INPUT` in a folder of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kalecompiler.runtime import extras, program


@dataclass(frozen=True)
class Done:
    """What a step left behind."""

    status: int
    out: str
    err: str
    folder: Path

    @property
    def output(self) -> dict[str, Any]:
        """The executor output, strictly read."""
        text = (self.folder / "executor_output.json").read_text()
        found: dict[str, Any] = json.loads(text, parse_constant=lambda name: pytest_fail(name))
        return found

    @property
    def artifacts(self) -> dict[str, Any]:
        """Port -> artifact that it published."""
        return {port: item["artifacts"][0] for port, item in self.output["artifacts"].items()}

    @property
    def display(self) -> list[dict[str, Any]]:
        """What its cells displayed: those that did."""
        found: list[dict[str, Any]] = json.loads((self.folder / "display.json").read_text())
        return [{name: piece[name] for name in ("cell", "id", "outputs")} for piece in found if piece["outputs"]]


def pytest_fail(name: str) -> None:
    """NaN and Infinity are no JSON."""
    raise AssertionError(f"{name} in the executor output")


def piece(source: str, kind: str = "cell", name: str = "nb.ipynb work[1]") -> dict[str, Any]:
    """A piece of code of a step."""
    return {"name": name, "kind": kind, "id": "id-1", "source": source.split("\n")}


def step(*code: str | Mapping[str, Any], name: str = "work", **fields: Any) -> dict[str, Any]:
    """A step whose cells are `code`: strings, or pieces made by `piece`."""
    pieces = [
        piece(item, name=f"nb.ipynb {name}[{number}]") if isinstance(item, str) else dict(item)
        for number, item in enumerate(code, 1)
    ]
    return {"format": 1, "step": name, "notebook": "nb.ipynb", **fields, "code": pieces}


def output(variable: str, *consumers: str, **fields: Any) -> dict[str, Any]:
    """An output whose port has the variable's name."""
    return {"variable": variable, "port": variable, "for": list(consumers or ["next"]), **fields}


def take(variable: str, maker: str = "work", **fields: Any) -> dict[str, Any]:
    """An input whose port has the variable's name."""
    return {"variable": variable, "port": variable, "from": maker, **fields}


def executor_input(content: Mapping[str, Any], folder: Path, **inputs: Any) -> str:
    """The JSON that the launcher puts in the place of `{{$}}`; artifacts of inputs are given by `artifacts`."""
    ports = [item["port"] for item in content.get("outputs", ())]
    shown = content.get("metrics", {})
    ports += [entry["port"] for entry in (shown, *shown.get("charts", ())) if "port" in entry]
    ports += [content["report"]] if "report" in content else []
    ports += [content["snapshot"]["port"]] if "snapshot" in content else []
    artifacts = {
        port: {"artifacts": [{"name": f"{port}-name", "uri": str(folder / "artifacts" / port), "metadata": {}}]}
        for port in ports
    }
    outputs = {"outputFile": str(folder / "executor_output.json"), "artifacts": artifacts}
    return json.dumps({"inputs": inputs, "outputs": outputs})


def command(content: Mapping[str, Any], given: str, python: Sequence[str] = (sys.executable, "-u")) -> list[str]:
    """The command of a step's container."""
    return [*python, "-c", program(content.get("parts", ()), extras(content)), json.dumps(content), given]


def run(
    folder: Path,
    content: Mapping[str, Any],
    sources: Mapping[str, Done] | None = None,
    python: Sequence[str] = (sys.executable, "-u"),
    parameters: Mapping[str, Any] | None = None,
    **options: Any,
) -> Done:
    """Run a step in `folder`; `sources` are the finished steps that its inputs come from, by name."""
    place = folder / content["step"]
    place.mkdir(parents=True, exist_ok=True)
    artifacts = {
        item["port"]: {"artifacts": [(sources or {})[item["from"]].artifacts[item["port"]]]}
        for item in content.get("inputs", ())
    }
    given = executor_input(content, place, parameterValues=parameters or {}, artifacts=artifacts)
    options = {"cwd": place, "timeout": 120, **options}
    done = subprocess.run(command(content, given, python), capture_output=True, encoding="utf-8", **options)
    return Done(done.returncode, done.stdout, done.stderr, place)
