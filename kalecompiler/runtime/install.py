"""What a step brings along: packages that the image lacks, and modules that lie beside the notebook."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys

from . import failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any


def start(step: Mapping[str, Any], task: Any, kernel: Any) -> None:
    """Install what the step brings along."""
    packages(step.get("packages", ()), step.get("pip", {}))
    files(step.get("files", {}))


def folder() -> str:
    """A new temporary folder, on sys.path for this process and for those it starts, removed at its end."""
    import atexit
    import shutil
    import tempfile

    path = tempfile.mkdtemp(prefix="kalec-")
    atexit.register(shutil.rmtree, path, True)
    sys.path.insert(0, path)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (path, os.environ.get("PYTHONPATH"))))
    return path


def files(texts: Mapping[str, Sequence[str]]) -> None:
    """Write modules (relative path -> lines) where they can be imported."""
    if not texts:
        return
    root = folder()
    for name, lines in texts.items():
        path = os.path.join(root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8", newline="") as file:
            file.write("\n".join(lines))
    importlib.invalidate_caches()


def packages(wanted: Sequence[Mapping[str, str]], pip: Mapping[str, Any]) -> None:
    """Install the packages that are missing; what the image has is left alone. StepFailed if pip fails."""
    missing = [package["requirement"] for package in wanted if not _present(package)]
    if not missing:
        return
    target = folder()
    print("kalec: installing " + ", ".join(missing), file=sys.stderr)
    _pip(missing, target, pip)
    importlib.invalidate_caches()


def _present(package: Mapping[str, str]) -> bool:
    module = package.get("module")
    if module:
        try:
            return importlib.util.find_spec(module) is not None
        except (ImportError, ValueError):  # the parent of a dotted name is missing; a module without a spec
            return module in sys.modules
    from importlib import metadata

    try:
        metadata.distribution(_distribution(package["requirement"]))
    except metadata.PackageNotFoundError:
        return False
    return True


def _distribution(requirement: str) -> str:
    """The distribution's name at the start of a requirement."""
    length = next((i for i, c in enumerate(requirement) if not (c.isalnum() or c in "-_.")), len(requirement))
    return requirement[:length]


def _pip(requirements: Sequence[str], target: str, settings: Mapping[str, Any]) -> None:
    """Put what is missing into `target`: pip's resolver says what the image lacks, dependencies included.

    (`pip install --target` alone would install every dependency again, those of the image too.)
    """
    import json

    report = os.path.join(target, ".report.json")
    options = ["--cache-dir", os.path.join(target, ".cache"), *_index(settings)]
    if _call(["--dry-run", "--report", report, *options, *requirements], requirements):
        with open(report, encoding="utf-8") as file:
            requirements = [_exact(item) for item in json.load(file)["install"]]
        options.append("--no-deps")
    _call(["--target", target, *options, *requirements], requirements)


def _exact(item: Mapping[str, Any]) -> str:
    """The requirement that leads to what the resolver found."""
    name, source = item["metadata"]["name"], item["download_info"]
    if not item.get("is_direct"):
        return f"{name}=={item['metadata']['version']}"
    vcs, folder = source.get("vcs_info"), source.get("subdirectory")
    url = f"{vcs['vcs']}+{source['url']}@{vcs['commit_id']}" if vcs else source["url"]
    return f"{name} @ {url}" + (f"#subdirectory={folder}" if folder else "")


def _index(settings: Mapping[str, Any]) -> list[str]:
    """pip's options for the index: the environment goes before the pipeline's own; pip reads PIP_* by itself."""
    index = os.environ.get("KALEC_PIP_INDEX_URL") or settings.get("index_url")
    hosts = os.environ.get("KALEC_PIP_TRUSTED_HOST", "").split() or settings.get("trusted_hosts") or []
    options = ["--index-url", index] if index else []
    for host in hosts:
        options += ["--trusted-host", host]
    return options


def _call(arguments: Sequence[str], requirements: Sequence[str]) -> bool:
    """Whether pip did it; False if this pip is too old for `--dry-run`, StepFailed on any other failure."""
    import subprocess

    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]
    environment = {**os.environ, "PIP_ROOT_USER_ACTION": "ignore", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [*command, *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if done.returncode == 0:
        return True
    if "no such option" in done.stdout and "--dry-run" in arguments:
        return False
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    reasons = [line for line in lines if line.startswith("ERROR:")] or lines
    text = "\n  ".join([f"cannot install {', '.join(requirements)}:", *reasons[-3:]])
    cure = "use an image that has them, or set the index (setting index_url, or KALEC_PIP_INDEX_URL in the environment)"
    raise failure.StepFailed(f"{text}\n  help: {cure}")
