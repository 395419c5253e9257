"""Packages that an image lacks are installed, the others left alone; pip itself is real, the index a folder."""

from __future__ import annotations

import base64
import hashlib
import os
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from runtime_steps import Done, run, step


def wheel(folder: Path, name: str, version: str, source: str, *needs: str) -> None:
    """A wheel with one module."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": source,
        f"{info}/METADATA": "".join(
            [
                f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
                *(f"Requires-Dist: {need}\n" for need in needs),
            ]
        ),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b'=').decode()},{len(text)}\n"
        for path, text in files.items()
    )
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in {**files, f"{info}/RECORD": record + f"{info}/RECORD,,\n"}.items():
            archive.writestr(path, text)


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """A folder of wheels: kalec_alpha needs kalec_beta and pytest, which is installed here."""
    folder = tmp_path / "index"
    folder.mkdir()
    wheel(folder, "kalec_alpha", "1.0", "import kalec_beta\nvalue = kalec_beta.value + 1\n", "kalec-beta", "pytest")
    wheel(folder, "kalec_alpha", "2.0", "value = 20\n")
    wheel(folder, "kalec_beta", "1.0", "value = 1\n")
    return folder


def install(tmp_path: Path, index: Path, code: str, *packages: dict[str, str], **fields: Any) -> Done:
    environment = {**os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(index), "PIP_CONFIG_FILE": os.devnull}
    return run(tmp_path, step(code, packages=list(packages), **fields), env={**environment, **fields.get("env", {})})


ALPHA = {"requirement": "kalec-alpha==1.0", "module": "kalec_alpha"}


def test_a_missing_package_comes_with_its_dependencies_but_not_with_those_that_are_here(
    tmp_path: Path, index: Path
) -> None:
    code = "import kalec_alpha, os, subprocess, sys\nfolder = os.path.dirname(kalec_alpha.__file__)\nprint(folder)\n"
    code += "print(kalec_alpha.value, sorted(n for n in os.listdir(folder) if n.endswith('.py')))\n"
    code += "subprocess.run([sys.executable, '-c', 'import kalec_alpha'], check=True);"
    done = install(tmp_path, index, code, ALPHA)
    assert (done.status, done.err) == (0, "kalec: installing kalec-alpha==1.0\n")
    folder, printed = done.out.splitlines()
    assert printed == "2 ['kalec_alpha.py', 'kalec_beta.py']"
    assert not Path(folder).exists()


@pytest.mark.parametrize(
    "package",
    [
        pytest.param({"requirement": "anything==99", "module": "json"}, id="a module that can be imported"),
        pytest.param({"requirement": "anything==99", "module": "os.path"}, id="a module in a module"),
        pytest.param({"requirement": "pytest>=1", "module": ""}, id="a distribution that is installed"),
        pytest.param({"requirement": "PyTest[extra] ; python_version > '3'", "module": ""}, id="spelled another way"),
    ],
)
def test_what_the_image_has_is_left_alone(tmp_path: Path, index: Path, package: dict[str, str]) -> None:
    done = install(tmp_path, index, "print(1)", package)
    assert (done.status, done.out, done.err) == (0, "1\n", "")


def test_a_distribution_without_a_module_is_installed(tmp_path: Path, index: Path) -> None:
    done = install(
        tmp_path, index, "import kalec_beta; print(kalec_beta.value)", {"requirement": "kalec_beta", "module": ""}
    )
    assert (done.status, done.out) == (0, "1\n")


def test_a_package_that_cannot_be_had_is_one_clear_error(tmp_path: Path, index: Path) -> None:
    other = {"requirement": "kalec-none", "module": "kalec_none.sub"}
    done = install(tmp_path, index, "print('never')", ALPHA, other)
    assert (done.status, done.out) == (1, "")
    assert done.err == (
        "kalec: installing kalec-alpha==1.0, kalec-none\n"
        "kalec: step work failed: cannot install kalec-alpha==1.0, kalec-none:\n"
        "  ERROR: Could not find a version that satisfies the requirement kalec-none (from versions: none)\n"
        "  ERROR: No matching distribution found for kalec-none\n"
        "  help: use an image that has them, or set the index "
        "(setting index_url, or KALEC_PIP_INDEX_URL in the environment)\n"
    )


@pytest.mark.parametrize(
    ("pip", "env", "options"),
    [
        pytest.param({}, {}, [], id="nothing is said"),
        pytest.param(
            {"index_url": "https://i/simple", "trusted_hosts": ["a", "b"]},
            {},
            ["--index-url", "https://i/simple", "--trusted-host", "a", "--trusted-host", "b"],
            id="by the pipeline",
        ),
        pytest.param({"index_url": None, "trusted_hosts": []}, {}, [], id="empty"),
        pytest.param(
            {"index_url": "https://i/simple"},
            {"KALEC_PIP_INDEX_URL": "https://e", "KALEC_PIP_TRUSTED_HOST": "c d"},
            ["--index-url", "https://e", "--trusted-host", "c", "--trusted-host", "d"],
            id="the environment goes first",
        ),
    ],
)
def test_the_index(
    monkeypatch: pytest.MonkeyPatch, pip: dict[str, Any], env: dict[str, str], options: list[str]
) -> None:
    from kalecompiler.runtime import install

    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert install._index(pip) == options


@pytest.mark.parametrize(
    ("item", "requirement"),
    [
        pytest.param({"download_info": {"url": "https://x/a.whl"}}, "a==1", id="from an index"),
        pytest.param(
            {"download_info": {"url": "file:///a.whl"}, "is_direct": True}, "a @ file:///a.whl", id="from a file"
        ),
        pytest.param(
            {"download_info": {"url": "https://h/r", "vcs_info": {"vcs": "git", "commit_id": "c0"}}, "is_direct": True},
            "a @ git+https://h/r@c0",
            id="from a repository",
        ),
        pytest.param(
            {
                "download_info": {
                    "url": "https://h/r",
                    "vcs_info": {"vcs": "git", "commit_id": "c0"},
                    "subdirectory": "python",
                },
                "is_direct": True,
            },
            "a @ git+https://h/r@c0#subdirectory=python",
            id="from a folder of a repository",
        ),
        pytest.param(
            {"download_info": {"url": "https://x/a.zip", "subdirectory": "b"}, "is_direct": True},
            "a @ https://x/a.zip#subdirectory=b",
            id="from a folder of an archive",
        ),
    ],
)
def test_what_the_resolver_found(item: dict[str, Any], requirement: str) -> None:
    from kalecompiler.runtime import install

    assert install._exact({"metadata": {"name": "a", "version": "1"}, **item}) == requirement


def test_an_old_pip_is_asked_in_one_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from kalecompiler.runtime import install

    script = tmp_path / "python"
    script.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n'
        'case "$*" in *--dry-run*) echo "no such option: --dry-run"; exit 2;; esac\n'
    )
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    install._pip(["a", "b"], str(tmp_path / "target"), {})
    first, second = (tmp_path / "calls").read_text().splitlines()
    assert "--dry-run" in first and second.endswith(" a b") and "--no-deps" not in second
