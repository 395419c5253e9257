"""The command line as its users meet it: what goes to stdout, what to stderr, and the exit status."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from support import write_notebook

from kalecompiler import commands
from kalecompiler.cli import main
from kalecompiler.version import VERSION

ROOT = Path(__file__).parent.parent

GOOD = """
# %% pipeline-parameters
n = 3
# %% step:make
numbers = list(range(n))
# %% step:total prev:make
print("total", sum(numbers))
# %% step:other
print("other")
"""
WARNED = "# %% step:Make\nx = 1"
BAD = "# %% step:make prev:nowhere\nx = 1\n# %% step:b\ny = ("
FAILING = (
    "# %% step:make\nx = 1\n# %% step:fail prev:make\ny = x\nraise ValueError('no luck')\n# %% step:free\nprint('free')"
)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder with a good, a doubtful and a bad notebook, and one that fails when it runs."""
    monkeypatch.chdir(tmp_path)
    for name, text in {"good": GOOD, "warned": WARNED, "bad": BAD, "failing": FAILING}.items():
        write_notebook(tmp_path / f"{name}.ipynb", text)
    return tmp_path


def kalec(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **options.pop("env", {})}
    command = [sys.executable, "-m", "kalecompiler", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, **options)


# the command, its exit status, and what stderr or stdout must say
CALLS = {
    "a good notebook": ("check good.ipynb", 0, "checked 1 notebook"),
    "a warning": ("check warned.ipynb", 0, "warning[KC117]"),
    "a warning, strictly": ("check --strict warned.ipynb", 1, "warning[KC117]"),
    "an error": ("check bad.ipynb", 1, "error[KC112]"),
    "several notebooks": ("check good.ipynb bad.ipynb warned.ipynb", 1, "checked 3 notebooks"),
    "a missing file among good ones": ("check good.ipynb lost.ipynb bad.ipynb", 2, "lost.ipynb does not exist"),
    "a folder": ("check .", 1, "checked 4 notebooks"),
    "ruff's spelling of the format": ("check --output-format json good.ipynb", 0, "[]"),
    "an unknown format": ("check --format xml good.ipynb", 2, "'xml' is not one of"),
    "no notebook": ("check", 1, "checked 4 notebooks"),
    "an unknown command": ("chekc good.ipynb", 2, "did you mean `check`?"),
    "a notebook for a command": ("good.ipynb", 2, "kalec check good.ipynb"),
    "an unknown option": ("check --strickt good.ipynb", 2, "--strict"),
    "compile a bad notebook": ("compile bad.ipynb", 1, "error[KC112]"),
    "compile with a warning, strictly": ("compile --strict warned.ipynb", 1, "not written"),
    "compile into a folder that is not there": ("compile good.ipynb -o a/b.yaml", 2, "a/b.yaml cannot be written"),
    "run a bad notebook": ("run bad.ipynb", 1, "error[KC112]"),
    "run with a warning, strictly": ("run --strict warned.ipynb", 1, "not run"),
    "an unknown parameter": ("run good.ipynb -p m=1", 2, "parameter `m`"),
    "a parameter of another type": ("run good.ipynb -p n=many", 2, "an integer"),
    "an unknown step": ("run good.ipynb --until totl", 2, "did you mean `total`?"),
    "no jobs": ("run good.ipynb --jobs 0", 2, "0 is not in the range"),
    "a rule's page": ("rule kc112", 0, "unknown-step"),
    "an unknown rule": ("rule KC12", 2, "there is no rule `KC12`"),
    "the list of rules": ("rule", 0, "KC001  error    invalid-json"),
}


@pytest.mark.parametrize(("line", "status", "said"), CALLS.values(), ids=CALLS.keys())
def test_call(here: Path, capsys: pytest.CaptureFixture[str], line: str, status: int, said: str) -> None:
    assert main(line.split()) == status
    captured = capsys.readouterr()
    assert said in captured.out + captured.err
    assert "Traceback" not in captured.err


def test_findings_of_check_are_its_result_and_go_to_stdout(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["check", "bad.ipynb"])
    captured = capsys.readouterr()
    assert "KC112" in captured.out
    assert captured.err == "checked 1 notebook\n"


def test_check_as_json(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "good.ipynb", "bad.ipynb", "--format", "json"]) == 1
    captured = capsys.readouterr()
    findings = json.loads(captured.out)
    assert {(finding["path"], finding["code"]) for finding in findings} >= {
        ("bad.ipynb", "KC112"),
        ("bad.ipynb", "KC301"),
    }
    assert captured.err == ""


def test_compile_writes_beside_you_and_says_so_on_stderr(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    elsewhere = here / "notebooks"
    elsewhere.mkdir()
    (here / "good.ipynb").rename(elsewhere / "good.ipynb")
    assert main(["compile", "notebooks/good.ipynb"]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines()[0] == "wrote good.yaml"
    assert captured.err.splitlines()[1].startswith("3 steps, about ")
    (document,) = yaml.safe_load_all((here / "good.yaml").read_text())
    assert set(document["root"]["dag"]["tasks"]) == {"make", "total", "other"}


def test_check_knows_what_compile_refuses_as_too_large(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_notebook(here / "large.ipynb", f"# %% step:a\nx = '{'a' * 200_000}'")
    assert main(["check", "large.ipynb"]) == main(["compile", "large.ipynb"]) == 1
    captured = capsys.readouterr()
    assert "error[KC501]: step `a` takes" in captured.out
    assert "error[KC501]: step `a` takes" in captured.err


@pytest.mark.parametrize("target", [".", ""], ids=["a folder", "an empty name"])
def test_output_into_what_is_no_file_is_refused(here: Path, capsys: pytest.CaptureFixture[str], target: str) -> None:
    assert main(["compile", "good.ipynb", "-o", target]) == 2
    assert capsys.readouterr().err == "error: . cannot be written: is a directory\n"


@pytest.mark.parametrize(
    ("command", "status"), [("check bad.ipynb", 1), ("compile good.ipynb -o -", 0), ("run good.ipynb", 0)]
)
def test_closed_streams_are_no_bug(here: Path, command: str, status: int) -> None:
    line = f'exec "{sys.executable}" -m kalecompiler {command} >&- 2>&-'
    done = subprocess.run(["sh", "-c", line], env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False)
    assert done.returncode == status


def test_compile_to_stdout_is_the_file(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["compile", "good.ipynb"])
    capsys.readouterr()
    main(["compile", "good.ipynb", "-o", "-"])
    assert capsys.readouterr().out == (here / "good.yaml").read_text()


def test_compile_to_python(here: Path) -> None:
    assert main(["compile", "good.ipynb", "--format", "py"]) == 0
    compile((here / "good.py").read_text(), "good.py", "exec")


def test_image_of_all_steps(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["compile", "good.ipynb", "--image", "registry.example/base:1", "-o", "-"])
    package = yaml.safe_load(capsys.readouterr().out)
    executors = package["deploymentSpec"]["executors"].values()
    assert {executor["container"]["image"] for executor in executors} == {"registry.example/base:1"}


def test_a_refused_package_leaves_the_file_that_was_there(here: Path) -> None:
    (here / "bad.yaml").write_text("the last good one")
    assert main(["compile", "bad.ipynb"]) == 1
    assert (here / "bad.yaml").read_text() == "the last good one"


def test_run_as_json_prints_one_object_and_nothing_else(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "good.ipynb", "-p", "n=5", "--format", "json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert list(result) == ["run", "status", "folder", "steps"]
    assert result["status"] == "succeeded"
    assert [list(step) for step in result["steps"]] == [["name", "status", "seconds", "log", "outputs"]] * 3
    assert [step["name"] for step in result["steps"]] == ["make", "total", "other"]
    assert Path(result["steps"][1]["log"]).read_text() == "total 10\n"
    assert all(Path(path).is_absolute() and Path(path).exists() for path in result["steps"][0]["outputs"].values())
    assert Path(result["folder"]).is_relative_to(here / ".kalec" / "runs")


def test_run_in_words(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "p.yaml").write_text("n: 4\n")
    assert main(["run", "good.ipynb", "-f", "p.yaml", "--folder", "runs", "--jobs", "1"]) == 0
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert lines[:4] == ["total:", "  | total 6", "other:", "  | other"]
    assert lines[4].endswith("succeeded: 3 of 3 steps done")
    assert str(here / "runs") in lines[5]
    assert "make  started" in captured.err


def test_run_until_a_step(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "good.ipynb", "--until", "total", "--format", "json"]) == 0
    steps = json.loads(capsys.readouterr().out)["steps"]
    assert [step["status"] for step in steps] == ["succeeded", "succeeded", "not-run"]


def test_a_failing_step_shows_its_cell_and_line_and_exits_1(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "failing.ipynb", "--format", "json"]) == 1
    captured = capsys.readouterr()
    assert "failing.ipynb, cell 2, line 2" in captured.err
    assert "ValueError: no luck" in captured.err
    steps = {step["name"]: step["status"] for step in json.loads(captured.out)["steps"]}
    assert steps == {"make": "succeeded", "fail": "failed", "free": "succeeded"}


def test_ctrl_c_stops_the_steps_and_exits_130(here: Path) -> None:
    path = write_notebook(here / "slow.ipynb", "# %% step:slow\nimport time\ntime.sleep(600)")
    command = [sys.executable, "-m", "kalecompiler", "run", str(path), "--format", "json"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stderr is not None
        while "slow  started" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert json.loads(out)["status"] == "stopped"


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"kalecompiler {VERSION} (Python {sys.version_info[0]}.{sys.version_info[1]}.")
    assert ", kfp " in printed


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert f"_KALEC_COMPLETE={shell}_complete" in capsys.readouterr().out


def test_completion_knows_the_commands() -> None:
    variables = {"_KALEC_COMPLETE": "bash_complete", "COMP_WORDS": "kalec com", "COMP_CWORD": "1"}
    assert kalec(env=variables).stdout.split() == ["plain,compile", "plain,completion"]


COLORS = {
    "a pipe": ([], {}, False),
    "always": (["--color", "always"], {}, True),
    "always beats NO_COLOR": (["--color", "always"], {"NO_COLOR": "1"}, True),
    "never": (["--color", "never"], {}, False),
}


@pytest.mark.parametrize(("options", "env", "colored"), COLORS.values(), ids=COLORS.keys())
def test_color(here: Path, options: list[str], env: dict[str, str], colored: bool) -> None:
    assert ("\x1b[" in kalec("check", "bad.ipynb", *options, cwd=here, env=env).stdout) is colored


@pytest.mark.parametrize(("env", "colored"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_color_on_a_terminal(here: Path, env: dict[str, str], colored: bool) -> None:
    import pty

    leader, follower = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", **env}
    command = [sys.executable, "-m", "kalecompiler", "check", "bad.ipynb"]
    subprocess.run(command, cwd=here, stdout=follower, env=environment, timeout=120, check=False)
    os.close(follower)
    assert (b"\x1b[" in os.read(leader, 65536)) is colored
    os.close(leader)


@pytest.mark.parametrize("arguments", [["rule"], ["--help"], ["compile", "good.ipynb", "-o", "-"]])
def test_a_closed_pipe_is_no_error(here: Path, arguments: list[str]) -> None:
    command = [sys.executable, "-m", "kalecompiler", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, cwd=here, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        said = process.stderr.read().decode()
    assert "Traceback" not in said
    assert "bug" not in said
    assert "Exception ignored" not in said


def test_our_own_bugs_are_one_line_and_how_to_report_them(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("some\nthing")

    monkeypatch.setattr(commands, "check", broken)
    assert main(["check", "good.ipynb"]) == 70
    (line,) = capsys.readouterr().err.splitlines()
    assert "KeyError" in line
    assert "KALEC_DEBUG=1" in line
    monkeypatch.setenv("KALEC_DEBUG", "1")
    with pytest.raises(KeyError):
        main(["check", "good.ipynb"])


def test_an_interrupt_anywhere_exits_130(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "check", interrupted)
    assert main(["check", "good.ipynb"]) == 130


def test_the_module_runs_as_a_program() -> None:
    assert kalec("--version").stdout.startswith(f"kalecompiler {VERSION}")
