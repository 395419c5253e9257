"""Tells the trackers of a step on KFP, at its end, whether it succeeded or not.

Each tracker is told by a process of its own, which gets `wait` seconds: a client may hang, crash or print what it
likes. The trackers of a run by `kalec run` are told by that, which leaves its mark in the steps' environment.
What was not told waits in the place of the snapshots, if that is a folder (KALEC_SNAPSHOTS); `kalec track` sends it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from . import contract, parts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from .cells import Kernel

MARK = "KALEC_RUNS"
PLACE = "KALEC_SNAPSHOTS"
ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
NOT_IN_NAMES = r"[^\w.-]"
WAIT = 30
HASTE = 5  # seconds of a step that is to stop
FILES = {"html": "html", "markdown": "md"}
BASE = ["kalecompiler.files", "kalecompiler.tracking.tracker", "kalecompiler.tracking.calls"]
CHILD = """
import json, sys, types
sys.path[:] = filter(None, sys.path)
given = json.load(sys.stdin)
for name, source in given["sources"]:
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(source, name, "exec", dont_inherit=True), module.__dict__)
module.main(given)
"""


def start(step: Mapping[str, Any], task: contract.Task, kernel: Kernel) -> None:
    """See to it that the trackers are told when the step has ended."""
    if "tracking" in step and MARK not in os.environ:
        Telling(step, task, kernel)


class Telling:
    """Attends to a step: hears of its failure, and of its end when everything else is written."""

    def __init__(self, step: Mapping[str, Any], task: contract.Task, kernel: Kernel) -> None:
        self.step, self.task = step, task
        self.started = time.time()
        self.status = "succeeded"
        self.failure: str | None = None
        secrets = step["tracking"].get("secrets")
        self.secrets: Any = secrets and parts.find("withheld").Secrets(secrets)
        self.others = kernel.recorder.fail, kernel.recorder.close
        kernel.recorder.fail = self.fail  # type: ignore[assignment,method-assign]
        kernel.recorder.close = self.close  # type: ignore[method-assign]

    def fail(self, error: BaseException, *told: Any) -> None:
        """The step failed, or is to stop."""
        self.status = "failed" if isinstance(error, (Exception, SystemExit)) else "stopped"
        text = f"{type(error).__name__}: {error}"
        self.failure = (self.secrets.masked(text) if self.secrets else text)[:2000]
        self.others[0](error, *told)

    def close(self) -> None:
        """The step ended, and wrote all that it writes."""
        self.others[1]()
        folder = ""
        try:
            folder = tempfile.mkdtemp(prefix="kalec-tracking-")
            self.tell(folder)
        except Exception as error:  # whatever it is, the step has ended as it has
            warn(f"the trackers are not told of this step: {error}")
        finally:
            shutil.rmtree(folder, True)

    def tell(self, folder: str) -> None:
        """Tell all trackers at once, and wait for them. Raises OSError."""
        run, teller = identity(self.task.outputs)
        if not run:
            warn("no tracker is told of this step: it has no artifact, which would say what run it belongs to")
            return
        tracking = self.step["tracking"]
        about = {
            "id": run,
            "pipeline": tracking["pipeline"],
            "started": self.started,
            "parameters": {
                name: as_declared(self.task.parameters.get(name, item["default"]), item["type"])
                for name, item in self.step.get("parameters", {}).items()
                if item["type"] != "dict" or name != "final_status"  # that of an exit step
            },
            "provenance": {"notebook": {"path": self.step["notebook"]}},
            "teller": teller,
        }
        told = {"run": about, "calls": self.calls(folder), "folder": folder}
        under_way = []
        began = time.monotonic()
        try:
            for tracker in tracking["trackers"]:
                place = tracker["options"].get("folder")
                if place and not os.path.isdir(place):
                    say(f"the tracker {tracker['name']} is not told of this step: its container has no folder {place}")
                else:
                    under_way.append((tracker, Child({**told, **tracker, "sources": sources(tracker)})))
            for tracker, child in under_way:
                wait = tracker["options"].get("wait", WAIT)
                child.wait(began + (min(wait, HASTE) if self.status == "stopped" else wait))
                self.report(tracker, child, told, wait)
        finally:
            for _, child in under_way:
                child.end()

    def calls(self, folder: str) -> list[Any]:
        """What there is to tell: (number, time, method, arguments); files are put into `folder`."""
        name, now = self.step["step"], time.time()
        seconds = round(now - self.started, 3)
        found: list[tuple[str, Any]] = [("run_started", {})]
        ended = {"name": name, "status": self.status, "seconds": seconds, "failure": self.failure}
        found.append(("step_finished", ended))
        shown = self.step.get("metrics", {})
        written = self.task.written.get(shown.get("port"))
        if written and written["artifacts"][0]["metadata"]:
            found.append(("metrics", {"step": name, "values": written["artifacts"][0]["metadata"]}))
        ports = {"report": (self.step.get("report"), "html")}
        for chart in shown.get("charts", ()):
            if chart["kind"] in FILES:
                ports[chart["variable"]] = chart["port"], FILES[chart["kind"]]
        files = []
        for title, (port, ending) in ports.items():
            if port and port in self.task.written:
                file = f"{name}/{title}.{ending}"
                source = self.task.new_output(port)
                if os.path.isfile(source):
                    contract.make_folder(os.path.join(folder, file))
                    shutil.copyfile(source, os.path.join(folder, file))
                    files.append(file)
        if files:
            found.append(("artifacts", {"step": name, "files": files}))
        if self.status != "succeeded" or self.step["tracking"].get("last"):
            final = self.task.parameters.get("final_status")  # an exit step knows how the others ended
            failed = isinstance(final, dict) and final.get("state") == "FAILED"
            found.append(("close", {"status": "failed" if failed else self.status}))
        return [[number, self.started if number == 0 else now, *call] for number, call in enumerate(found)]

    def report(self, tracker: Mapping[str, Any], child: Child, told: Mapping[str, Any], wait: float) -> None:
        """Say what a tracker did not take, and keep it where that can be."""
        made, problem = child.result()
        if made == len(told["calls"]):
            return
        if problem.endswith(" is not installed"):
            say(f"the tracker {tracker['name']} is not told of this step: {problem} in its container")
            return
        place = os.environ.get(PLACE, "")
        rest = "what it missed is lost"
        if place and "://" not in place:
            runs = os.path.join(place, told["run"]["pipeline"])
            try:
                keep(os.path.join(runs, told["run"]["id"]), tracker, told, made)
                rest = f"the rest waits there: kalec track --folder {runs}"
            except OSError as error:
                rest += f": {error}"
        problem = problem or f"it did not take all within {wait:g} s"
        warn(f"the tracker {tracker['name']} was not told all of this step: {problem}; {rest}")


class Child:
    """A process that tells one tracker."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        path = os.path.join(given["folder"], given["name"])
        with open(path + ".in", "w", encoding="utf-8") as file:
            json.dump(given, file, default=str)
        self.path = path + ".out"
        with open(path + ".in") as source, open(self.path, "w") as target:
            self.process = subprocess.Popen(
                [sys.executable, "-c", CHILD],
                stdin=source,
                stdout=target,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )

    def wait(self, end: float) -> None:
        """Wait for it until then."""
        try:
            self.process.wait(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.end()

    def end(self) -> None:
        """Kill it, and all that it started."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def result(self) -> tuple[int, str]:
        """How many calls were made, and why no more were, if that is known."""
        with open(self.path, encoding="utf-8") as file:
            lines = file.read().split("\n")
        status = self.process.returncode
        return len(lines) - 1, lines[-1] or (f"its client ended with {status}" if status > 0 else "")


def as_declared(value: Any, kind: str) -> Any:
    """A parameter's value; KFP knows one kind of number, and sends 1 for 1.0."""
    return float(value) if kind == "float" and type(value) is int else value


def identity(outputs: Mapping[str, Any]) -> tuple[str, str]:
    """(run, which execution of which of its tasks), as the URI of any output artifact says them; empty without one.

    KFP: ROOT/PIPELINE/RUN/TASK/EXECUTION/PORT, kfp.local: ROOT/RUN/TASK/PORT. (KFP would tell them in parameters of the
    task too, but no two executions would then have equal ones, and its cache would never hit.)
    """
    for item in (outputs.get("artifacts") or {}).values():
        for artifact in item.get("artifacts") or ():
            names = artifact.get("uri", "").split("/")
            if len(names) > 4:
                far = ID.fullmatch(names[-4]) or ("://" in artifact["uri"] and not ID.fullmatch(names[-3]))
                at = -4 if far else -3
                return names[at], re.sub(NOT_IN_NAMES, "_", ".".join(names[at + 1 : -1]))
    return "", ""


def sources(tracker: Mapping[str, Any]) -> list[Any]:
    """The modules that tell this tracker, in the order in which they need each other."""
    spec: Any = sys.modules[__package__].__spec__
    carried = spec.loader.sources
    names = [*BASE, tracker.get("class", "").partition(":")[0], "delivery"]
    return [(name, carried[f"{__package__}.{name}"]) for name in names if f"{__package__}.{name}" in carried]


def keep(run: str, tracker: Mapping[str, Any], told: Mapping[str, Any], made: int) -> None:
    """Write what a tracker was not told into a queue in the folder of the run. Raises OSError."""
    folder, own = "tracking.d", told["run"]["teller"]
    calls: list[Any] = []
    for number, when, method, given in told["calls"][made:]:
        if method == "artifacts":
            for name in given["files"]:
                target = os.path.join(run, folder, own, name)
                contract.make_folder(target)
                shutil.copyfile(os.path.join(told["folder"], name), target)
            given = {**given, "files": [f"{folder}/{own}/{name}" for name in given["files"]]}
        calls.append([number, when, method, given])
    head = {"options": tracker["options"], "run": told["run"], "pid": None}
    path = os.path.join(run, folder, f"{own}={tracker['name']}.queue")
    contract.write_text(path, "".join(json.dumps(line, default=str) + "\n" for line in (head, *calls)))


def say(text: str) -> None:
    """A line for the step's log."""
    print("kalec:", text, file=sys.stderr, flush=True)


def warn(text: str) -> None:
    """A warning for it."""
    say("warning: " + text)
