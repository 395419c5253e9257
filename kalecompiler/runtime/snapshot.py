"""What a step leaves to look at later: its artifact `snapshot`, which says where the step stood, with values.

    one line of JSON, filled up with blanks to a multiple of 64 bytes | files of values, each filled up with zeros
An output of the step is there as in its artifact; a variable that is none, with its place (`at`) among the values.
Those are kept where nothing follows the step and where it fails, if they are small; with the level "all", always.
A step that fails, or is stopped, fails as it would without this.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import time
from types import BuiltinFunctionType, FunctionType, ModuleType

from . import about, bundle, contract, failure, parts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from . import cells

SMALL = 1 << 20
SECRET = re.compile(r"(?i)(.*_)?(password|passwd|secret|token|api_?key|credentials?|private_?key)$")
DEFINED = ModuleType, type, FunctionType, BuiltinFunctionType


def start(step: Mapping[str, Any], task: contract.Task, kernel: cells.Kernel) -> None:
    """See to it that the step's snapshot is written at its end."""
    if "snapshot" in step:
        Snapshot(step, task, kernel)


class Snapshot:
    """That of a step which is about to begin."""

    def __init__(self, step: Mapping[str, Any], task: contract.Task, kernel: cells.Kernel) -> None:
        """It attends to the step: it is asked before the step's output is written, and at the end of one that failed.

        (The core of the runtime, which every step carries, knows nothing of it beyond this.)
        """
        self.step, self.task, self.kernel = step, task, kernel
        self.known = {*kernel.namespace}
        secrets = step["snapshot"].get("secrets")
        self.secrets: Any = secrets and parts.find("withheld").Secrets(secrets)
        self.found: dict[str, Any] = {"format": 1, "when": "after", "started": time.time()}
        self.error: BaseException | None = None
        self.others = task.finish, kernel.close, kernel.recorder.fail
        task.finish = self.finish  # type: ignore[method-assign]
        kernel.close = self.close  # type: ignore[method-assign]
        kernel.recorder.fail = self.fail  # type: ignore[assignment,method-assign]

    def finish(self) -> None:
        """The step did all that it does."""
        self._write()
        self.others[0]()

    def fail(self, error: BaseException, *told: Any) -> None:
        """The step failed; that is to be reported before anything else happens."""
        self.found["cell"], self.error = self.kernel.current, error
        self.others[2](error, *told)

    def close(self) -> None:
        """The step ends; where it is being stopped, what it has is written as far as the time is given."""
        if self.error:
            try:
                self._write()
            except Exception as problem:  # that of the step is what counts
                print(f"kalec: warning: the state of the step is not kept: {problem}", file=sys.stderr)
        self.others[1]()

    def _write(self) -> None:
        """Write the artifact, and publish it. Raises OSError."""
        error = self.error
        step = self.step
        wanted = step["snapshot"]
        path = self.task.new_output(wanted["port"])
        if self.secrets:
            self.secrets.tell(self.task, self._written())
        variables = {item["metadata"]["variable"]: {**item["metadata"], "port": port} for port, item in self._written()}
        values: list[str] = []
        if error:
            self.found.update(when="failed", error=f"{type(error).__name__}: {error}")
        if error or wanted["level"] == "all" or not step.get("outputs"):
            self._keep(path, variables, values)
        self.found.update(
            step=step["step"],
            ended=time.time(),
            level=wanted["level"],
            source={"notebook": step["notebook"], "cells": [_cell(piece) for piece in step.get("code", ())]},
            parameters={
                name: {"type": item["type"], "value": self.task.parameters.get(name, item["default"])}
                for name, item in step.get("parameters", {}).items()
            },
            inputs={item["variable"]: self._input(item) for item in step.get("inputs", ())},
            environment={
                "python": sys.version.split()[0],
                "platform": " ".join(os.uname()[::2]),
                "packages": _packages(),
            },
            random=_random(),
            variables=variables,
        )
        if self.secrets:
            self.found = self.secrets.masked(self.found)
        line = json.dumps(self.found, default=str).encode()
        with open(path, "wb") as file:
            file.write(line.ljust(len(line) + ~len(line) % bundle.ALIGN) + b"\n")
            for name in values:
                with open(name, "rb") as value:
                    file.writelines(iter(lambda value=value: value.read(SMALL), b""))  # type: ignore[misc]
                file.write(bytes(-file.tell() % bundle.ALIGN))
                os.unlink(name)
        digest = "sha256:" + hashlib.sha256(line).hexdigest()
        self.task.publish(wanted["port"], {"format": "kalec-snapshot-1", "digest": digest})
        if "to" in wanted:
            parts.find("mirror").copy(
                path, self.task.outputs["artifacts"][wanted["port"]]["artifacts"][0]["uri"], wanted["to"]
            )

    def _written(self) -> list[Any]:
        found = [(port, item["artifacts"][0]) for port, item in self.task.written.items()]
        return [(port, item) for port, item in found if "variable" in item["metadata"]]

    def _keep(self, path: str, variables: dict[str, Any], values: list[str]) -> None:
        """Save the other variables into files of their own, and describe them."""
        saving, outputs = parts.find("saving"), parts.find("outputs")
        if not saving:
            return
        outputs.recipes()
        vars(sys.modules[str(__package__)])["limits"] = sys.modules[__name__]  # `writing` asks its `check`
        at = 0
        # it may be anywhere in what the step made of it
        told = any(self.task.input(item["port"])[1].get("secret") for item in self.step.get("inputs", ()))
        options = {**self.step, "max-artifact-size": 0 if self.step["snapshot"]["level"] == "all" else SMALL}
        for name, value in list(self.kernel.namespace.items()):
            if name[0] == "_" or name in variables or name in self.known:
                continue
            try:
                if isinstance(value, DEFINED) and "<" not in getattr(value, "__qualname__", ""):
                    continue
                if told or SECRET.match(name):
                    reason = "an input of the step holds" if told else "its name looks like that of"
                    variables[name] = {"error": f"{reason} a secret"}
                    continue
                file = f"{path}.{len(values)}.value"
                variables[name] = {**saving.save(file, value, name, options), "at": at}
                if self.secrets and self.secrets.within(file):
                    os.unlink(file)
                    raise failure.ValueProblem("it holds a secret of the step")
                values.append(file)
                at += (os.path.getsize(file) + 63) & -64
            except Exception as error:  # saving runs methods of any class; a lost variable must not fail the step
                reason = str(error).partition("\n")[0]
                variables[name] = {**about.describe(value), "variable": name, "error": reason}

    def _input(self, item: Mapping[str, Any]) -> Any:
        artifact = self.task.inputs["artifacts"][item["port"]]["artifacts"][0]
        digest = artifact.get("metadata", {}).get("digest")
        return {"from": item["from"], "digest": digest, "uri": artifact.get("uri")}


def check(size: int, limit: int) -> None:
    """Raise ValueProblem if a file of that size is too large."""
    if size > limit:
        raise failure.ValueProblem("it is larger than 1 MiB; snapshot:all keeps it")


def _cell(piece: Mapping[str, Any]) -> Any:
    source = "\n".join(piece["source"]).encode("utf-8", "surrogatepass")
    return {
        "name": piece["name"],
        "kind": piece["kind"],
        "id": piece.get("id"),
        "digest": hashlib.sha256(source).hexdigest(),
    }


def _packages() -> list[str]:
    """The distributions on the path, as their folders are called: `name-version`."""
    found: set[str] = set()
    for folder in sys.path:
        try:
            found.update(name[:-10] for name in os.listdir(folder) if name.endswith(".dist-info"))
        except OSError:  # no folder, or one that this user may not list
            continue
    return sorted(found)


def _random() -> dict[str, Any]:
    """The global states of random numbers of the libraries that are loaded."""
    states: dict[str, Any] = {}
    modules: Any = sys.modules
    try:
        if "random" in modules:
            states["random"] = modules["random"].getstate()
        if "numpy.random" in modules:
            state = modules["numpy.random"].get_state(legacy=False)
            state["state"]["key"] = state["state"]["key"].tolist()
            states["numpy"] = state
        if "torch" in modules:
            states["torch"] = bytes(modules["torch"].get_rng_state().tolist()).hex()
    except Exception:  # a generator of another kind, a library that is half imported
        return states
    return states
