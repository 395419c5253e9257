"""What a local run makes of settings: retries, time limits, exit steps, volumes, secrets, and what it cannot."""

from __future__ import annotations

import io
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from support import write_notebook

from kalecompiler import commands, local, progress
from kalecompiler.diagnostics import UsageError
from kalecompiler.local import Event, Failure, RunResult, StepEnded, StepResult, StepRetrying

SECRET = "canary-s3cr3t/Ü"


class Run:
    """A notebook run in a folder: its result, the events, and the notes."""

    def __init__(self, folder: Path, text: str, config: str = "", **request: Any) -> None:
        (folder / "pyproject.toml").write_text(f"[tool.kalecompiler]\n{config}\n", encoding="utf-8")
        path = write_notebook(folder / "n.ipynb", text)
        self.events: list[Event] = []
        self.notes: list[str] = []
        package = commands.compile_(path, {})
        asked = commands.RunRequest(**{"jobs": 2, **request})
        self.result: RunResult = commands.run(path, package, asked, self.events.append, self.notes.append)

    def step(self, name: str) -> StepResult:
        return next(step for step in self.result.steps if step.name == name)

    def log(self, name: str) -> str:
        log = self.step(name).log
        assert log is not None
        return log.read_text(encoding="utf-8")

    @property
    def statuses(self) -> dict[str, str]:
        return {step.name: step.status.value for step in self.result.steps}


TRIES = """
from pathlib import Path
tries = Path("tries")
tries.write_text((tries.read_text() if tries.exists() else "") + "x")
print("try", len(tries.read_text()))
assert len(tries.read_text()) > {failures}
"""


def test_a_step_is_tried_again_and_each_log_is_kept(tmp_path: Path) -> None:
    run = Run(tmp_path, "# %% step:a retry:3:1s\n" + TRIES.format(failures=1))
    assert run.statuses == {"a": "succeeded"}
    assert run.log("a") == "try 2\n"
    assert (run.result.folder / "a" / "log.1.txt").read_text().startswith("try 1\nTraceback")
    (again,) = [event for event in run.events if isinstance(event, StepRetrying)]
    assert (again.name, again.attempt, again.attempts, again.seconds) == ("a", 2, 4, 1.0)


def test_a_retry_is_shown_on_one_line() -> None:
    stream = io.StringIO()
    progress.Plain(stream, lambda place: None).take(StepRetrying("a", Failure("exited with status 1"), 2, 4, 1.5))
    assert stream.getvalue() == "a  exited with status 1: attempt 2 of 4 in 1.5 s\n"


def test_a_step_that_never_succeeds_fails_after_its_last_try(tmp_path: Path) -> None:
    run = Run(tmp_path, "# %% step:a retry:1\n" + TRIES.format(failures=9) + "\n# %% step:b prev:a\nprint(1)")
    assert run.statuses == {"a": "failed", "b": "skipped"}
    assert (tmp_path / "tries").read_text() == "xx"


def test_a_step_that_takes_too_long_is_ended_and_says_so(tmp_path: Path) -> None:
    started = time.monotonic()
    run = Run(tmp_path, "# %% step:a timeout:1s\nimport time\ntime.sleep(60)\n# %% step:b\nprint(1)")
    assert time.monotonic() - started < 30
    assert run.statuses == {"a": "failed", "b": "succeeded"}
    failure = run.step("a").failure
    assert failure is not None
    assert failure.message == "took longer than its time limit of 1 s"


def test_each_try_has_the_time_limit_anew(tmp_path: Path) -> None:
    text = "import time\nfrom pathlib import Path\nif not Path('been').exists():\n    Path('been').touch()\n    "
    run = Run(tmp_path, f"# %% step:a timeout:2s retry:1\n{text}time.sleep(60)\n")
    assert run.statuses == {"a": "succeeded"}


def test_the_runs_time_limit_fails_what_is_left_and_the_exit_step_runs(tmp_path: Path) -> None:
    text = "# %% step:a\nimport time\ntime.sleep(60)\n# %% step:b prev:a\nprint(1)\n# %% exit:c\nprint(final_status)"
    run = Run(tmp_path, text, 'run-timeout = "2s"')
    assert run.statuses == {"a": "failed", "b": "failed", "c": "succeeded"}
    assert "'state': 'FAILED'" in run.log("c")
    assert "the run took longer than its time limit of 2 s" in str(run.step("a").failure)


EXIT = "# %% pipeline-parameters\nwho = 'me'\n# %% step:a\nassert {fine}\n# %% exit:bye\nprint(who, final_status)"


@pytest.mark.parametrize(("fine", "state"), [("True", "SUCCEEDED"), ("False", "FAILED")])
def test_an_exit_step_runs_at_the_end_with_the_final_status(fine: str, state: str, tmp_path: Path) -> None:
    run = Run(tmp_path, EXIT.format(fine=fine))
    assert run.result.status.value == ("succeeded" if state == "SUCCEEDED" else "failed")
    assert f"me {{'state': '{state}'" in run.log("bye")
    assert [type(e).__name__ for e in run.events if getattr(e, "name", "") == "bye"] == ["StepStarted"]


def test_the_exit_step_can_be_a_setting(tmp_path: Path) -> None:
    run = Run(tmp_path, EXIT.format(fine="False").replace("exit:bye", "step:bye"), 'exit = "bye"')
    assert run.statuses == {"a": "failed", "bye": "succeeded"}


def test_until_leaves_the_exit_step_out(tmp_path: Path) -> None:
    assert Run(tmp_path, EXIT.format(fine="True"), until="a").statuses == {"a": "succeeded", "bye": "not-run"}


def test_a_failure_can_be_ignored(tmp_path: Path) -> None:
    text = "# %% step:a\n1 / 0\n# %% step:b prev:a ignore-failure:a\nprint('on')\n# %% step:c prev:a\nprint('no')"
    run = Run(tmp_path, text)
    assert run.statuses == {"a": "failed", "b": "succeeded", "c": "skipped"}
    assert run.result.status is local.Status.FAILED


def test_variables_reach_the_step_that_asks_for_them_alone(tmp_path: Path) -> None:
    show = "import os\nprint(os.environ.get('COLOR'))"
    run = Run(tmp_path, f"# %% step:a env:COLOR:blue:ish\n{show}\n# %% step:b\n{show}")
    assert (run.log("a"), run.log("b")) == ("blue:ish\n", "None\n")


WRITE = "import os\nfrom pathlib import Path\nPath(os.environ['KALE_VOLUME_DATA'], 'out').write_text('1')"


def test_a_folder_takes_the_place_of_a_volume(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    run = Run(tmp_path, f"# %% step:a volume:data:/data\n{WRITE}", volumes=(f"data={tmp_path / 'mine'}",))
    assert run.statuses == {"a": "succeeded"}
    assert (tmp_path / "mine" / "out").read_text() == "1"
    assert run.notes == []


def test_new_and_empty_volumes_are_folders_of_the_run(tmp_path: Path) -> None:
    new = "new-volume:data:/data:size=1Gi,class=c"
    read = WRITE.replace("write_text('1')", "read_text()")
    text = f"# %% step:a {new}\n{WRITE}\n# %% step:b prev:a {new}\nprint({read.splitlines()[-1]})"
    text = text.replace("print(", "import os\nfrom pathlib import Path\nprint(")
    text += f"\n# %% step:c empty-dir:data:/data\n{WRITE}"
    run = Run(tmp_path, text, 'workspace = "1Gi"')
    assert run.log("b") == "1\n"
    found = run.result.folder / "volumes.d"
    assert sorted(path.name for path in found.iterdir()) == ["c.data", "data", "workspace"]


def test_what_cannot_be_honoured_is_said_once_in_one_line(tmp_path: Path) -> None:
    tags = "limit:cpu:2 node-selector:a:b volume:data:/data"
    run = Run(tmp_path, f"# %% step:a {tags}\nprint(1)\n# %% step:b {tags}\nprint(2)")
    (note,) = run.notes
    assert "\n" not in note
    assert note == (
        "not honoured in a local run: limits and requests of a, b; node selectors of a, b; "
        "volume data (give it a folder: --volume data=DIR) of a, b"
    )


USE = "# %% step:a secret:db:password:DB_PASSWORD\nimport os\np = os.environ['DB_PASSWORD']\nprint(len(p), p)"


@pytest.mark.parametrize("kind", ["file", "folder", "env"])
def test_a_secret_reaches_the_step_and_stays_nowhere(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = tmp_path / "secrets"
    outside.mkdir()
    (outside / "password").write_text(SECRET, encoding="utf-8")
    (outside / "store.jks").write_bytes(b"\xfe\xed\xff")  # what no step asks for may be no text
    (tmp_path / "secret.env").write_text(f"# mine\nexport password='{SECRET}'\n", encoding="utf-8")
    monkeypatch.delenv("DB_PASSWORD", raising=False)
    if kind == "env":
        monkeypatch.setenv("DB_PASSWORD", SECRET)
    source = {"file": tmp_path / "secret.env", "folder": outside, "env": "env"}[kind]
    work = tmp_path / "work"
    work.mkdir()
    run = Run(work, USE, secrets=(f"db={source}",))
    assert run.log("a") == f"{len(SECRET)} ***\n"
    for path in work.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert SECRET.encode() not in data, path
            assert json.dumps(SECRET)[1:-1].encode() not in data, path


def test_a_failing_step_does_not_tell_its_secret_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", SECRET)
    run = Run(tmp_path, USE + "\nraise ValueError(p)")
    assert SECRET not in str(run.step("a").failure)
    assert "ValueError: ***" in run.log("a")


def test_a_run_that_is_given_up_does_not_tell_it_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", SECRET)
    (tmp_path / "pyproject.toml").touch()
    text = USE + "\nopen('said', 'w').close()\nimport time\ntime.sleep(60)\n# %% step:b\nimport os, time\n"
    text += "while not os.path.exists('said'):\n    time.sleep(0.01)"
    path = write_notebook(tmp_path / "n.ipynb", text)

    def broken(event: Event) -> None:
        if isinstance(event, StepEnded):
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        commands.run(path, commands.compile_(path, {}), commands.RunRequest(jobs=2), broken)
    (log,) = tmp_path.glob(".kalec/runs/n-*/a/log.txt")
    assert log.read_text("utf-8") == f"{len(SECRET)} ***\n"


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({}, r"step a needs password of the secret db: give it as `--secret db=FILE` with a line password=..., or set"),
        ({"secrets": ("db",)}, "--secret ...: write it as in NAME=FILE, NAME=DIR or NAME=env"),
        ({"secrets": ("db=no.env",)}, "--secret db: what is given for it is no file and no folder"),
        ({"secrets": ("other=env",)}, "there is no secret `other`: there are `db`"),
        ({"volumes": ("data=/",)}, "there is no volume `data`"),
        ({"volumes": ("data=nowhere",)}, "--volume data: the folder nowhere does not exist"),
        ({"secrets": ("db={file}",)}, "has no password, which step a needs of the secret"),
        ({"secrets": ("db={broken}",)}, "line 1: write KEY=VALUE"),
    ],
    ids=["none", "no source", "no file", "an unknown one", "an unknown volume", "no folder", "no such key", "no pair"],
)
def test_what_is_wrong_with_what_is_given(
    request_: dict[str, tuple[str]], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DB_PASSWORD", raising=False)
    (tmp_path / "file.env").write_text("other=1\n")
    (tmp_path / "broken.env").write_text(f"{SECRET}\n")
    places = {"file": tmp_path / "file.env", "broken": tmp_path / "broken.env"}
    filled = {key: tuple(text.format(**places) for text in texts) for key, texts in request_.items()}
    with pytest.raises(UsageError) as caught:
        Run(tmp_path, USE, **filled)
    assert message in str(caught.value)
    assert SECRET not in str(caught.value)
    assert not (tmp_path / ".kalec" / "runs" / "latest").exists()


def test_a_config_map_is_given_like_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("URL", raising=False)
    (tmp_path / "service.env").write_text("url=http://here\n")
    text = "# %% step:a config-map:service:url:URL\nimport os\nprint(os.environ['URL'])"
    assert Run(tmp_path, text, config_maps=(f"service={tmp_path / 'service.env'}",)).log("a") == "http://here\n"


def test_a_stop_ends_a_wait_too(tmp_path: Path) -> None:
    import signal
    import threading

    threading.Timer(3.0, lambda: os.kill(os.getpid(), signal.SIGTERM)).start()
    started = time.monotonic()
    run = Run(tmp_path, "# %% step:a retry:3:1h\n1 / 0\n# %% step:b\nimport time\ntime.sleep(60)")
    assert time.monotonic() - started < 40
    assert run.statuses == {"a": "not-run", "b": "stopped"}
