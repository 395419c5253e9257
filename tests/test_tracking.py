"""Trackers: what they are told, and that nothing of theirs reaches the run."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from support import write_notebook

from kalecompiler import alive
from kalecompiler.cli import main
from kalecompiler.diagnostics import UsageError
from kalecompiler.tracking import later, registry, sender, wandbruns
from kalecompiler.tracking.backlog import Backlog, Call, unsent
from kalecompiler.tracking.calls import tell
from kalecompiler.tracking.tracker import Moment, Run, Step, Tracker, numbers

NOTEBOOK = """
# %% pipeline-parameters
rate = 0.5
# %% step:load
values = [1, 2, 3]
# %% step:score
score = rate * sum(values)
name = "best"
# %% pipeline-metrics
print(score)
print(name)
"""
DOCS = Path(__file__).parent.parent / "docs" / "tracking.md"


class Told(Tracker):
    """Keeps what it is told; fails while `down`."""

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        super().__init__(options or {})
        self.calls: list[tuple[Any, ...]] = []
        self.down = False

    def _keep(self, *call: Any) -> None:
        if self.down:
            raise ConnectionError("refused")
        self.calls.append(call)

    def run_started(self, run: Run, moment: Moment) -> None:
        self._keep("run_started", run.id, dict(run.parameters), moment.number)

    def step_finished(self, run: Run, step: Step, moment: Moment) -> None:
        self._keep("step_finished", step.name, step.status, moment.number)

    def metrics(self, run: Run, step: str, values: Mapping[str, Any], moment: Moment) -> None:
        self._keep("metrics", step, dict(values), moment.number)

    def artifacts(self, run: Run, step: str, files: Sequence[Path], moment: Moment) -> None:
        self._keep("artifacts", step, [file.name for file in files], moment.number)

    def close(self, run: Run, status: str, moment: Moment) -> None:
        self._keep("close", status, moment.number)


def project(folder: Path, *names: str, text: str = NOTEBOOK, **options: Mapping[str, Any]) -> Path:
    """A notebook in a project that wants these trackers."""
    lines = ["[tool.kalecompiler]", f"track = {json.dumps(names)}"]
    for name, table in options.items():
        lines += [f"[tool.kalecompiler.trackers.{name}]", *(f"{k} = {json.dumps(v)}" for k, v in table.items())]
    (folder / "pyproject.toml").write_text("\n".join(lines) + "\n", "utf-8")
    return write_notebook(folder / "small.ipynb", text)


def queue(folder: Path, count: int = 3, *, complete: bool = True, run: str = "run-1", **head: Any) -> Backlog:
    """A queue with that many calls of metrics."""
    made = Backlog(folder / run / "tracking.d" / "told.queue")
    made.path.parent.parent.mkdir(parents=True)
    about = {"id": run, "pipeline": "p", "started": 1.0, "parameters": {"a": 1}, "provenance": {}}
    made.begin({"options": {}, "run": about, "pid": os.getpid(), **head})
    for number in range(count):
        made.add(Call(number, 1.0, "metrics", {"step": "s", "values": {"x": number}}))
    if complete:
        made.add(Call(count, 2.0, "close", {"status": "succeeded"}))
    return made


def told(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def made_run(folder: Path) -> Path:
    """The folder of the only run."""
    (found,) = folder.glob(".kalec/runs/*-*")
    return found


def gone() -> int:
    """The id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_run_is_told_from_its_start_to_its_end(tmp_path: Path) -> None:
    assert main(["run", str(project(tmp_path, "jsonl")), "-p", "rate=2.0"]) == 0
    lines = told(tmp_path / ".kalec" / "runs.jsonl")
    assert lines[0]["event"] == "run_started"
    assert lines[-1]["event"] == "run_finished"
    assert [line["number"] for line in lines] == list(range(len(lines)))
    assert lines[0]["parameters"] == {"rate": 2.0}
    assert lines[0]["provenance"]["notebook"]["path"] == str(tmp_path / "small.ipynb")
    assert {line["step"]: line["status"] for line in lines if line["event"] == "step_finished"} == {
        "load": "succeeded",
        "score": "succeeded",
    }
    assert [line["values"] for line in lines if line["event"] == "metrics"] == [{"score": 12.0, "name": "best"}]
    (last,) = [line["files"] for line in lines if line["event"] == "artifacts" and not line["step"]]
    assert [Path(name).name for name in last] == ["executed.ipynb", "run.json"]
    assert lines[-1]["status"] == "succeeded"


def test_modules_beside_the_notebook_do_not_disturb_the_telling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("kalecompiler", "dataclasses"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('not this one')")
    path = project(tmp_path, "jsonl")
    monkeypatch.chdir(tmp_path)
    assert main(["run", path.name]) == 0
    assert told(tmp_path / ".kalec" / "runs.jsonl")[-1]["status"] == "succeeded"


def test_a_failed_step_is_told_with_its_reason(tmp_path: Path) -> None:
    path = project(tmp_path, "jsonl", text="# %% step:a\n1 / 0\n# %% step:b prev:a\nx = 1")
    assert main(["run", str(path)]) == 1
    lines = told(tmp_path / ".kalec" / "runs.jsonl")
    steps = {line["step"]: (line["status"], line["failure"]) for line in lines if line["event"] == "step_finished"}
    assert steps == {"a": ("failed", "exited with status 1"), "b": ("skipped", None)}
    assert lines[-1]["status"] == "failed"


def test_calls_come_once_and_in_order_though_the_tracker_fails_in_between(tmp_path: Path) -> None:
    made, tracker = queue(tmp_path), Told()
    (first, *_), tracker.down = made.calls(), False
    tell(tracker, Run("run-1", "p", tmp_path, 1.0), Moment(first.number, first.time), first.method, first.arguments)
    made.made_another()
    tracker.down = True
    with pytest.raises(ConnectionError):
        sender.deliver(made, tracker)
    tracker.down = False
    assert sender.deliver(made, tracker)
    assert [call[2] for call in tracker.calls[:3]] == [{"x": 0}, {"x": 1}, {"x": 2}]
    assert tracker.calls[3:] == [("close", "succeeded", 3)]
    assert made.made() == len(made.calls())


@pytest.mark.parametrize("mode", ["online", "offline"])
def test_what_a_killed_process_told_weights_and_biases_stays(
    mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run of a known id begins anew there, unless it is resumed; offline each delivery has a folder of its own."""
    server: dict[str, list[dict[str, Any]]] = {}
    resumed: list[str | None] = []

    def init(*, id: str, resume: str | None = None, **_: Any) -> types.SimpleNamespace:
        resumed.append(resume)
        known = server[id] = server.get(id, []) if resume else []
        return types.SimpleNamespace(
            log=lambda values, step: known.append({"step": step, **values}), summary={}, finish=lambda exit_code: None
        )

    fake = types.ModuleType("wandb")
    fake.init = init  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "wandb", fake)
    made = queue(tmp_path)
    first, tracker = made.calls()[0], wandbruns.WandB({"mode": mode})
    tell(tracker, Run("run-1", "p", tmp_path, 1.0), Moment(first.number, first.time), first.method, first.arguments)
    made.made_another()
    assert sender.deliver(made, wandbruns.WandB({"mode": mode}))
    assert resumed == [None, "allow" if mode == "online" else None]
    assert [point["step"] for point in server["run-1"]] == ([0, 1, 2] if mode == "online" else [1, 2])


def test_a_call_that_is_only_half_written_is_not_there_yet(tmp_path: Path) -> None:
    made, tracker = queue(tmp_path, 1, complete=False), Told()
    with made.path.open("a") as file:
        file.write('[1, 1.0, "metr')
    assert not sender.deliver(made, tracker)
    assert len(tracker.calls) == 1
    with made.path.open("a") as file:
        file.write('ics", {"step": "s", "values": {"x": 1}}]\n')
    assert not sender.deliver(made, tracker)
    assert len(tracker.calls) == 2


def test_a_run_whose_process_died_is_told_to_have_stopped(tmp_path: Path) -> None:
    made, tracker = queue(tmp_path, 1, complete=False, pid=gone()), Told()
    assert sender.deliver(made, tracker)
    assert tracker.calls[-1] == ("close", "stopped", 1)


def test_a_run_that_was_told_to_its_end_did_not_stop_though_its_queue_is_still_there(tmp_path: Path) -> None:
    made, tracker = queue(tmp_path, 1, pid=gone()), Told()
    for _ in range(2):  # the sender died between the last call and putting the queue aside
        assert sender.deliver(made, tracker)
    assert [call[0] for call in tracker.calls] == ["metrics", "close"]


def test_a_run_whose_process_id_is_anothers_by_now_is_told_to_have_stopped(tmp_path: Path) -> None:
    made, tracker = queue(tmp_path, 1, complete=False, began="1"), Told()
    assert sender.deliver(made, tracker)
    assert tracker.calls[-1] == ("close", "stopped", 1)
    other, tracker = queue(tmp_path, 1, complete=False, run="run-2", **alive.own()), Told()
    assert not sender.deliver(other, tracker)


def test_two_senders_do_not_send_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, tracker = queue(tmp_path), Told()
    monkeypatch.setattr(sender, "make", lambda name, options: tracker)
    with made.locked() as ours:
        assert ours
        assert sender.send(made) == ""
    assert tracker.calls == []
    assert sender.send(made) == ""
    assert len(tracker.calls) == 4
    assert unsent(tmp_path) == []
    assert made.path.with_suffix(".sent").is_file()


def test_each_queue_is_sent_though_the_tracker_of_another_ends_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Unspeakable(Exception):
        def __str__(self) -> str:
            raise ValueError

    trouble: list[BaseException] = [SystemExit(5), ValueError("caf\udce9"), Unspeakable()]
    tracker = Told()
    for number in range(4):
        queue(tmp_path / ".kalec" / "runs", run=f"run-{number}")

    def make(name: str, options: Mapping[str, Any]) -> Tracker:
        if trouble:
            raise trouble.pop(0)
        return tracker

    monkeypatch.setattr(sender, "make", make)
    monkeypatch.chdir(tmp_path)
    assert main(["track"]) == 3
    assert [line.partition(": ")[2] for line in capsys.readouterr().out.splitlines()] == [
        "told was not told: SystemExit: 5",
        "told was not told: ValueError: caf?",
        "told was not told: Unspeakable",
        "told was told",
    ]
    assert len(tracker.calls) == 4


PLUG_IN = """
import json, os
from kalecompiler.tracking.tracker import Tracker
class Far(Tracker):
    def metrics(self, run, step, values, moment):
        if not os.path.exists(self.options["server"]):
            raise ConnectionError("nobody is there")
        if self.options.get("how") == "exit":
            os._exit(4)
        with open(self.options["server"], "a") as file:
            print(json.dumps([run.id, moment.number]), file=file)
    def close(self, run, status, moment):
        with open(self.options["server"], "a") as file:
            print(json.dumps([run.id, status]), file=file)
"""


@pytest.fixture
def plug_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An installed package that brings a tracker; its name."""
    site = tmp_path / "site"
    about = site / "far-1.0.dist-info"
    about.mkdir(parents=True)
    (site / "far.py").write_text(PLUG_IN, "utf-8")
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: far\nVersion: 1.0\n", "utf-8")
    (about / "entry_points.txt").write_text("[kalecompiler.trackers]\nfar = far:Far\n", "utf-8")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")])))
    return "far"


def test_a_tracker_that_is_down_costs_the_run_nothing_and_is_told_later_once(
    tmp_path: Path, plug_in: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = tmp_path / "server"
    path = project(tmp_path, plug_in, far={"server": str(server), "wait": 20})
    assert main(["run", str(path)]) == 0
    message = capfd.readouterr().err
    assert "warning: the tracker far was not told all of the run: ConnectionError: nobody is there" in message
    monkeypatch.chdir(tmp_path)
    assert main(["track"]) == 3
    assert "far was not told: ConnectionError: nobody is there" in capfd.readouterr().out
    server.touch()
    assert main(["track"]) == 0
    assert capfd.readouterr().out.strip().endswith("far was told")
    lines = told(server)
    assert [type(line[1]) for line in lines] == [int, str]
    assert main(["track"]) == 0
    assert capfd.readouterr().out.strip() == "nothing waits"
    assert told(server) == lines


def test_a_tracker_that_ends_its_process_is_not_called_slow(
    tmp_path: Path, plug_in: str, capfd: pytest.CaptureFixture[str]
) -> None:
    server = tmp_path / "server"
    server.touch()
    path = project(tmp_path, plug_in, far={"server": str(server), "wait": 20, "how": "exit"})
    assert main(["run", str(path)]) == 0
    assert "was not told all of the run: it ended the sender (status 4)" in capfd.readouterr().err


def test_what_an_earlier_run_left_goes_with_the_next(tmp_path: Path, plug_in: str) -> None:
    server = tmp_path / "server"
    path = project(tmp_path, plug_in, far={"server": str(server), "wait": 20})
    assert main(["run", str(path)]) == 0
    server.touch()
    assert main(["run", str(path)]) == 0
    runs = [line[0] for line in told(server)]
    assert len(runs) == 4
    assert len(set(runs)) == 2


def test_a_run_that_is_killed_is_told_to_the_end(tmp_path: Path) -> None:
    path = project(tmp_path, "jsonl", text="# %% step:a\nx = 1\n# %% step:b prev:a\nimport time; time.sleep(60)")
    process = subprocess.Popen([sys.executable, "-m", "kalecompiler", "run", str(path)], stderr=subprocess.DEVNULL)
    file = tmp_path / ".kalec" / "runs.jsonl"
    wait_for(lambda: file.exists() and "step_finished" in file.read_text("utf-8"))
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_for(lambda: told(file)[-1]["event"] == "run_finished")
    assert told(file)[-1]["status"] == "stopped"


def wait_for(condition: Any, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.05)


def test_each_queue_is_sent_once_wherever_one_looks_from(tmp_path: Path) -> None:
    root = tmp_path / ".kalec" / "runs"
    made = queue(root)
    made.path.rename(made.path.with_name("jsonl.queue"))
    gone_meanwhile = root / "run-2" / "tracking.d" / "jsonl.queue"
    gone_meanwhile.parent.mkdir(parents=True)
    gone_meanwhile.symlink_to("nowhere")
    assert later.send_all(root) == (["run-1: jsonl was told"], 0)


def test_a_disk_that_is_full_leaves_no_half_line(tmp_path: Path) -> None:
    import resource

    tracker, run, file = registry.make("jsonl", {"folder": str(tmp_path)}), Run("r", "p", tmp_path, 1.0), "runs.jsonl"
    tracker.metrics(run, "s", {"x": 1}, Moment(1, 2.0))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / file).stat().st_size + 100, before[1]))
    try:
        with pytest.raises(OSError, match="No space left"):
            tracker.metrics(run, "s", {"x": "y" * 200}, Moment(2, 2.0))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    with (tmp_path / file).open("a") as opened:  # half a line of another writer
        opened.write('{"run": "r", "number": 3')
    for number in (2, 3):
        tracker.metrics(run, "s", {"x": 1}, Moment(number, 2.0))
    lines = (tmp_path / file).read_text("utf-8").splitlines()
    assert lines.pop(1) == '{"run": "r", "number": 3'
    assert [json.loads(line)["number"] for line in lines] == [1, 2, 3]


def test_a_line_that_is_there_is_not_written_again(tmp_path: Path) -> None:
    tracker = registry.make("jsonl", {"folder": str(tmp_path)})
    run = Run("run-1", "p", tmp_path, 1.0)
    for _ in range(2):
        tracker.metrics(run, "s", {"x": 1}, Moment(4, 2.0))
        tracker.metrics(run, "s", {"x": 1}, Moment(5, 2.0))
    assert [line["number"] for line in told(tmp_path / "runs.jsonl")] == [4, 5]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('track = ["mlfow"]', "there is no tracker `mlfow`: did you mean `mlflow`?"),
        ('track = "mlflow"', "`track` must be a list of names"),
        ("[tool.kalecompiler.trackers.nobody]\na = 1", "there is no tracker `nobody`: known are jsonl"),
        ('track = ["jsonl"]\ntrackers.jsonl.wait = "long"', "`wait` of the tracker jsonl must be a number"),
        ("trackers = 3", "`trackers` must hold tables"),
        ('trackers.jsonl.foldr = "x"', "the tracker jsonl has no option `foldr`: did you mean `folder`?"),
        ('trackers.jsonl.uri = "x"', "the tracker jsonl has no option `uri`: known are folder, wait"),
    ],
    ids=["misspelt", "no list", "unknown table", "bad wait", "no tables", "misspelt option", "another's option"],
)
def test_a_setting_that_is_wrong_is_said_before_anything_runs(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[tool.kalecompiler]\n{text}\n", "utf-8")
    with pytest.raises(UsageError, match=re.escape(message)):
        registry.wanted(tmp_path)
    path = write_notebook(tmp_path / "small.ipynb", NOTEBOOK)
    assert main(["run", str(path)]) == 2
    assert not list(tmp_path.glob(".kalec/runs/*/run.json"))


def test_a_secret_of_a_plug_in_stays_out_of_the_package_however_deep_it_lies(tmp_path: Path, plug_in: str) -> None:
    lines = ["[tool.kalecompiler]", f'track = ["{plug_in}"]', f"[tool.kalecompiler.trackers.{plug_in}]", "retries = 3"]
    lines += ['login = {user = "me", password = "canary"}', 'mirrors = ["http://me:canary@host"]', 'sort = {by = "x"}']
    (tmp_path / "pyproject.toml").write_text("\n".join(lines), "utf-8")
    (use,), said = registry.for_steps(tmp_path)
    assert use.options == {"retries": 3, "sort": {"by": "x"}}
    assert [line.split("`")[1] for line in said] == ["login", "mirrors"]


def test_only_numbers_are_numbers() -> None:
    assert numbers({"a": 1, "b": 0.5, "c": True, "d": "x", "e": None}) == {"a": 1.0, "b": 0.5}


def test_the_example_of_the_docs_works_with_a_client_like_aims(tmp_path: Path) -> None:
    (text,) = re.findall(r"```python\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    stored: dict[str, dict[str, Any]] = {}

    class Client:
        def __init__(self, run_hash: str, repo: str | None, experiment: str) -> None:
            self.own = stored.setdefault(run_hash, {"experiment": experiment, "repo": repo, "points": []})

        def __setitem__(self, key: str, value: Any) -> None:
            self.own[key] = value

        def track(self, value: float, *, name: str, step: int, context: Mapping[str, str]) -> None:
            self.own["points"].append((name, value, step, context["step"]))

    fake = types.ModuleType("aim")
    fake.Run = Client  # type: ignore[attr-defined]
    namespace: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "aim", fake)
        exec(text, namespace)
    made = queue(tmp_path, 2)
    assert sender.deliver(made, namespace["Aim"]({"repo": "here"}))
    assert stored == {
        "run-1": {
            "experiment": "p",
            "repo": "here",
            "points": [("x", 0.0, 0, "s"), ("x", 1.0, 1, "s")],
            "status": "succeeded",
        }
    }
