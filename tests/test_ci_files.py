"""What other projects take to run the checks: hooks of pre-commit, an action, a template, `kalec init`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from support import write_notebook

from kalecompiler.cli import kalec, main
from kalecompiler.projectfiles import _SERVICES
from kalecompiler.version import VERSION

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parent.parent
GOOD = "# %% step:a\nx = 1\n# %% step:b prev:a\nprint(x)"
BAD = "# %% step:a\nprint(nowhere)"


def load(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


@pytest.fixture
def tools(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment with this tree's `kalec`, and a `python` that has it."""
    folder = tmp_path_factory.mktemp("bin")
    for name, module in (("kalec", "-m kalecompiler "), ("python", "")):
        script = folder / name
        script.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" {module}"$@"\n')
        script.chmod(0o755)
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("GITHUB_", "GITLAB_", "GIT_", "CI_", "INPUT_"))}
    return {**plain, "PATH": f"{folder}:{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(folder)}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a good notebook, its package, and one without tags."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    write_notebook(folder / "good.ipynb", GOOD)
    write_notebook(folder / "untagged.ipynb", "# %%\nprint(1)")
    assert main(["compile", "good.ipynb"]) == 0
    return folder


def run(command: list[str], folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


# pre-commit


def git(folder: Path, environment: dict[str, str], *arguments: str) -> None:
    who = ["-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *who, *arguments], cwd=folder, env=environment, check=True, capture_output=True)


@pytest.fixture
def repository(project: Path, tools: dict[str, str]) -> Path:
    """The project as a git repository with our hooks, which run this tree instead of an installed one."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    if subprocess.run([sys.executable, "-m", "pre_commit", "--version"], capture_output=True).returncode:
        pytest.skip("pre-commit is not installed")
    hooks = [{**hook, "language": "system"} for hook in load(".pre-commit-hooks.yaml")]
    (project / ".pre-commit-config.yaml").write_text(yaml.safe_dump({"repos": [{"repo": "local", "hooks": hooks}]}))
    git(project, tools, "init")
    git(project, tools, "add", ".")
    return project


def pre_commit(folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return run([sys.executable, "-m", "pre_commit", "run", "--all-files", "--verbose"], folder, environment)


def test_the_hooks_pass_where_all_is_well(repository: Path, tools: dict[str, str]) -> None:
    result = pre_commit(repository, tools)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "checked 1 notebook, passed over 1 without tags" in result.stdout
    assert "1 package current, 0 not" in result.stdout


def test_the_hooks_stop_a_notebook_that_does_not_compile(repository: Path, tools: dict[str, str]) -> None:
    write_notebook(repository / "bad.ipynb", BAD)
    git(repository, tools, "add", ".")
    result = pre_commit(repository, tools)
    assert result.returncode == 1
    assert "error[KC201]" in result.stdout


def test_the_hooks_stop_a_package_that_is_not_current(repository: Path, tools: dict[str, str]) -> None:
    write_notebook(repository / "good.ipynb", GOOD.replace("x = 1", "x = 2"))
    git(repository, tools, "add", ".")
    result = pre_commit(repository, tools)
    assert result.returncode == 1
    assert "good.yaml is not what good.ipynb compiles to" in result.stdout


def test_a_commit_of_an_untagged_notebook_alone_passes(repository: Path, tools: dict[str, str]) -> None:
    command = [sys.executable, "-m", "pre_commit", "run", "--files", "untagged.ipynb"]
    result = run(command, repository, tools)
    assert result.returncode == 0, result.stdout


def test_the_hooks_are_valid_by_pre_commits_own_schema(tools: dict[str, str]) -> None:
    command = [sys.executable, "-m", "pre_commit", "validate-manifest", str(ROOT / ".pre-commit-hooks.yaml")]
    if subprocess.run([sys.executable, "-m", "pre_commit", "--version"], capture_output=True).returncode:
        pytest.skip("pre-commit is not installed")
    result = run(command, ROOT, tools)
    assert result.returncode == 0, result.stdout


# GitHub


def action_step(name: str) -> dict[str, Any]:
    step: dict[str, Any] = next(step for step in load("action.yml")["runs"]["steps"] if step["name"] == name)
    return step


def run_action(
    folder: Path, environment: dict[str, str], **inputs: str
) -> tuple[subprocess.CompletedProcess[str], str]:
    """Run the action's script as a runner does; its result, and the summary of the job."""
    summary = folder.parent / "summary.md"
    summary.write_text("")
    declared = load("action.yml")["inputs"]
    values = {name: inputs.get(name.replace("-", "_"), declared[name]["default"]) for name in declared}
    step = action_step("Check")
    given = {key: values[text.removeprefix("${{ inputs.").removesuffix(" }}")] for key, text in step["env"].items()}
    script = folder.parent / "script.sh"
    script.write_text(step["run"])
    github = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary), "GITHUB_WORKSPACE": str(folder)}
    shell = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", str(script)]
    result = run(shell, folder / values["working-directory"], {**environment, **given, **github})
    return result, summary.read_text()


def test_the_action_passes_where_all_is_well(project: Path, tools: dict[str, str]) -> None:
    result, _ = run_action(project, tools)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "checked 1 notebook" in result.stderr
    assert "1 package current" in result.stderr


def test_the_action_annotates_the_line_of_the_file(project: Path, tools: dict[str, str]) -> None:
    path = write_notebook(project / "bad.ipynb", BAD)
    result, _ = run_action(project, tools)
    assert result.returncode == 1
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("::error")]
    assert "file=bad.ipynb" in line
    number = int(line.split("line=")[1].split(",")[0])
    assert "print(nowhere)" in path.read_text().splitlines()[number - 1]


def test_the_action_compares_packages_and_goes_on_to_them(project: Path, tools: dict[str, str]) -> None:
    write_notebook(project / "bad.ipynb", BAD)
    write_notebook(project / "good.ipynb", GOOD.replace("x = 1", "x = 2"))
    result, _ = run_action(project, tools)
    assert result.returncode == 1
    assert "good.yaml is not what good.ipynb compiles to" in result.stderr
    result, _ = run_action(project, tools, packages="false", paths="good.ipynb")
    assert result.returncode == 0
    assert "package" not in result.stderr


def test_paths_with_blanks_and_options(project: Path, tools: dict[str, str]) -> None:
    (project / "my notebooks").mkdir()
    write_notebook(project / "my notebooks" / "one.ipynb", "# %% step:One\nprint(1)")
    result, _ = run_action(project, tools, paths="my notebooks\n\ngood.ipynb\n", check_args="--strict --ignore KC6")
    assert result.returncode == 1
    assert "KC117" in result.stdout
    assert "checked 2 notebooks" in result.stderr
    result, _ = run_action(project, tools, paths="lost.ipynb")
    assert result.returncode == 2


def test_the_action_in_a_folder_of_its_own(project: Path, tools: dict[str, str]) -> None:
    (project / "sub").mkdir()
    result, _ = run_action(project, tools, working_directory="sub")
    assert "checked 0 notebooks" in result.stderr


def test_the_action_is_as_github_wants_it() -> None:
    action = load("action.yml")
    assert action["runs"]["using"] == "composite"
    assert all("shell" in step for step in action["runs"]["steps"] if "run" in step)
    assert all(spec["description"] and "default" in spec for spec in action["inputs"].values())
    assert "$GITHUB_ACTION_PATH" in action_step("Install")["run"]
    assert not [step for step in action["runs"]["steps"] if "${{" in step.get("run", "")], "inputs come by environment"
    used = {word for step in action["runs"]["steps"] for word in step.get("env", {}).values()}
    assert used <= {f"${{{{ inputs.{name} }}}}" for name in action["inputs"]}


# GitLab


def run_gitlab(folder: Path, environment: dict[str, str], **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the template's script as a runner does: its lines in one shell."""
    job = load("ci/gitlab.yml")["kalec"]
    given = {**job["variables"], **variables, "GITLAB_CI": "true", "CI_PROJECT_DIR": str(folder)}
    return run(["bash", "-e", "-o", "pipefail", "-c", "\n".join(job["script"])], folder, {**environment, **given})


def test_the_template_reports_code_quality(project: Path, tools: dict[str, str]) -> None:
    path = write_notebook(project / "bad.ipynb", BAD)
    result = run_gitlab(project, tools)
    assert result.returncode == 1
    assert "KC201" in result.stderr
    name = load("ci/gitlab.yml")["kalec"]["artifacts"]["reports"]["codequality"]
    (issue,) = [i for i in json.loads((project / name).read_text()) if i["check_name"].startswith("KC201")]
    assert issue["location"]["path"] == "bad.ipynb"
    line = issue["location"]["lines"]["begin"]
    assert "print(nowhere)" in path.read_text().splitlines()[line - 1]


def test_the_template_passes_and_compares_packages(project: Path, tools: dict[str, str]) -> None:
    result = run_gitlab(project, tools)
    assert result.returncode == 0, result.stderr
    assert json.loads((project / "gl-code-quality-report.json").read_text()) == []
    write_notebook(project / "good.ipynb", GOOD.replace("x = 1", "x = 2"))
    assert run_gitlab(project, tools, KALEC_PATHS="good.ipynb").returncode == 1


# kalec init


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and ".git/" not in str(p)}


def test_init_writes_a_configuration_that_is_valid(empty: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (empty / "notebooks").mkdir()
    assert main(["init"]) == 0
    assert files(empty) == {"pyproject.toml"}
    assert "kalec init --ci github" in capsys.readouterr().out
    assert tomllib.loads((empty / "pyproject.toml").read_text()) == {
        "tool": {"kalecompiler": {"notebooks": ["notebooks"]}}
    }
    write_notebook(empty / "notebooks" / "n.ipynb", GOOD)
    assert main(["check"]) == 0
    assert "checked 1 notebook" in capsys.readouterr().err


@pytest.mark.parametrize("service", _SERVICES)
def test_init_writes_what_runs_the_checks_and_never_over_a_file(
    empty: Path, service: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", "--ci", service]) == 0
    (name,) = files(empty) - {"pyproject.toml"}
    document = yaml.safe_load((empty / name).read_text())
    assert document
    assert VERSION in (empty / name).read_text()
    before = {file: (empty / file).read_bytes() for file in files(empty)}
    assert main(["init", "--ci", service]) == 0
    assert {file: (empty / file).read_bytes() for file in files(empty)} == before
    capsys.readouterr()
    (empty / name).write_text("mine: true\n")
    assert main(["init", "--ci", service]) == 0
    assert (empty / name).read_text() == "mine: true\n"
    assert f"kept {name}, add to it what you need of:\n    " in capsys.readouterr().out


@pytest.mark.parametrize("service", _SERVICES)
def test_every_command_of_a_workflow_exists(service: str) -> None:
    lines = [line.split("kalec ", 1)[1].split() for line in _SERVICES[service].text.splitlines() if "kalec c" in line]
    calls = [words for words in lines if words[0] in kalec.commands]
    assert {words[0] for words in calls} >= {"check", "compile"}
    for words in calls:
        known = {spelling for option in kalec.commands[words[0]].params for spelling in option.opts}
        assert {word for word in words[1:] if word.startswith("-")} <= known, words


def test_the_workflows_pass_in_a_project(project: Path, tools: dict[str, str]) -> None:
    steps = yaml.safe_load(_SERVICES["github"].text)["jobs"]["kalec"]["steps"]
    lines = [step["run"] for step in steps if "run" in step] + yaml.safe_load(_SERVICES["gitlab"].text)["kalec"][
        "script"
    ]
    ours = [line for line in lines if line.startswith("kalec ")]
    assert len(ours) == 4
    for line in ours:
        result = run(["bash", "-e", "-c", line], project, tools)
        assert result.returncode == 0, (line, result.stderr)


# what a project has, and what is set up in it
SIGNS = {
    "nothing": ({}, set()),
    "a folder of GitHub's": ({".github/CODEOWNERS": ""}, {".github/workflows/kalec.yml"}),
    "a remote at GitHub": ({".git/config": "url = git@github.com:me/x.git"}, {".github/workflows/kalec.yml"}),
    "a remote at GitLab": ({".git/config": "url = https://gitlab.example.com/me/x.git"}, {".gitlab-ci.yml"}),
    "a pre-commit configuration": ({".pre-commit-config.yaml": "repos: []\n"}, set()),
}


@pytest.mark.parametrize(("there", "expected"), SIGNS.values(), ids=SIGNS)
def test_init_sets_up_what_the_project_uses(empty: Path, there: dict[str, str], expected: set[str]) -> None:
    for name, text in there.items():
        (empty / name).parent.mkdir(exist_ok=True)
        (empty / name).write_text(text)
    before = files(empty)
    assert main(["init"]) == 0
    assert files(empty) - before == {"pyproject.toml", *expected}


@pytest.mark.parametrize("before", ["[project]\nname = 'x'\n", "[project]\r\nname = 'x'", "# ü"])
def test_a_table_is_added_to_the_end_of_a_pyproject(empty: Path, before: str) -> None:
    path = empty / "pyproject.toml"
    path.write_bytes(before.encode())
    assert main(["init"]) == 0
    after = path.read_bytes().decode()
    assert after.startswith(before)
    assert tomllib.loads(after)["tool"]["kalecompiler"] == {"notebooks": ["."]}
    assert ("\r\n" in before) == ("\r\n" in after)
    assert "\n" not in after.replace("\r\n", "") or "\r\n" not in before


def test_a_table_above_is_enough(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (empty / "pyproject.toml").write_text("[tool.kalecompiler]\n")
    (empty / "sub").mkdir()
    monkeypatch.chdir(empty / "sub")
    assert main(["init"]) == 0
    assert files(empty) == {"pyproject.toml"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["init", "--write"], "--write needs a notebook"),
        (["init", "n.ipynb", "--ci", "github"], "--ci sets up a project, and takes no notebook"),
        (["init", "--ci", "jenkins"], "jenkins"),
    ],
)
def test_calls_that_are_wrong(empty: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert said in capsys.readouterr().err
    assert files(empty) == set()


def test_a_broken_pyproject_stays(empty: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (empty / "pyproject.toml").write_text("[tool")
    assert main(["init"]) == 2
    assert "is not valid TOML" in capsys.readouterr().err
    assert (empty / "pyproject.toml").read_text() == "[tool"
