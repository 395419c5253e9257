"""What is promised of an engine is seen in `kfp.local` too; the example with a volume, a secret and an exit step."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from support import write_notebook

from kalecompiler import commands, sizes
from kalecompiler.cli import main

ROOT = Path(__file__).parents[1]
TEXT = """
# %% step:load retry:2:1s
from pathlib import Path
tries = Path("tries")
tries.write_text((tries.read_text() if tries.exists() else "") + "x")
assert len(tries.read_text()) > 1
# %% step:bad
1 / 0
# %% step:on prev:bad ignore-failure:bad
open("went on", "w").close()
# %% step:off prev:bad
open("should not", "w").close()
# %% exit:bye
import json
with open("status", "w") as file:
    json.dump(final_status, file)
"""
SHARED = """
# %% pipeline-parameters
n = 3
# %% step:make
xs = list(range(n))
# %% step:tell
import json
with open("told", "w") as file:
    json.dump([n, sum(xs) + n], file)
"""
KFP_LOCAL = """
import sys
from kfp import components, local
local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=sys.argv[2], raise_on_error=False)
components.load_component_from_file(sys.argv[1])()
"""


@pytest.mark.parametrize("engine", ["kfp.local", "kalec run"])
@pytest.mark.parametrize("config", ["", 'workspace = "1Gi"'], ids=["plain", "with a workspace"])
def test_retries_ignored_failures_and_the_exit_step_work(
    engine: str, config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text(f"[tool.kalecompiler]\n{config}\n")
    path = write_notebook(Path("n.ipynb"), TEXT)
    if engine == "kfp.local":
        Path("n.yaml").write_text(commands.compile_(path, {}).compiled.text, encoding="utf-8")
        command = [sys.executable, "-c", KFP_LOCAL, "n.yaml", str(tmp_path / "root")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "finished with status" in done.stdout + done.stderr
    else:
        assert main(["run", "n.ipynb", "--jobs", "1"]) == 1
    assert Path("tries").read_text() == "xx"
    assert Path("went on").exists()
    assert not Path("should not").exists()
    assert json.loads(Path("status").read_text())["state"] == "FAILED"


@pytest.mark.parametrize("engine", ["kfp.local", "kalec run"])
def test_a_program_that_the_steps_share_runs(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sizes, "WORKFLOW_WARNING", 0)
    path = write_notebook(Path("n.ipynb"), SHARED)
    if engine == "kfp.local":
        text = commands.compile_(path, {}).compiled.text
        assert text.count("speaks the contract") == 1
        Path("n.yaml").write_text(text, encoding="utf-8")
        command = [sys.executable, "-c", KFP_LOCAL, "n.yaml", str(tmp_path / "root")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "finished with status" in done.stdout + done.stderr
    else:
        assert main(["run", "n.ipynb", "-p", "kalec_runtime=x"]) == 2
        assert "`kalec_runtime`" in capsys.readouterr().err
        assert main(["run", "n.ipynb"]) == 0
    assert json.loads(Path("told").read_text()) == [3, 6]


def test_the_example_with_a_volume_a_secret_and_an_exit_step_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("REGISTRY_TOKEN", raising=False)
    shutil.copy(ROOT / "notebooks" / "cluster.ipynb", tmp_path)
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    (shelf / "temperatures.json").write_text("[1.5, 2.5, 5.0]")
    (tmp_path / "token.env").write_text("token=canary-token-1\n")
    call = ["run", "cluster.ipynb", "--volume", f"readings={shelf}", "--secret", "registry=token.env"]
    assert main(call) == 0
    told = capsys.readouterr()
    assert "not honoured in a local run: limits and requests of summarize\n" in told.err
    assert "the run over 14 days has succeeded" in told.out
    report = json.loads((shelf / "report.json").read_text())
    assert report["summary"] == {"days": 3, "mean": 3.0, "warmest": 5.0}
    for path in (tmp_path / ".kalec").rglob("*"):
        assert not path.is_file() or b"canary-token-1" not in path.read_bytes(), path
    assert main(["run", "cluster.ipynb"]) == 2
    assert "needs token of the secret registry" in capsys.readouterr().err


def test_the_examples_package_has_the_volume_and_a_reference_to_the_secret(tmp_path: Path) -> None:
    text = commands.compile_(ROOT / "notebooks" / "cluster.ipynb", {}).compiled.text
    _, platform = yaml.safe_load_all(text)
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert executors["exec-load"]["pvcMount"][0]["constant"] == "readings"
    assert executors["exec-sign"]["secretAsEnv"][0]["secretName"] == "registry"
    assert json.loads((ROOT / "notebooks" / "cluster.ipynb").read_text())["cells"][4]["outputs"] == []
