"""What a package's platform document asks of Kubernetes for a task: what a local run does, and what it leaves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kalecompiler import volumes

SECRET, CONFIG_MAP = "secret", "config map"
CLAIM, NEW, EMPTY = "volume", "new volume", "empty folder"

_LEFT_OUT = {
    "nodeSelector": "node selectors",
    "nodeAffinity": "node affinity",
    "tolerations": "tolerations",
    "securityContext": "security contexts",
    "fieldPathAsEnv": "fields of the pod",
}
"""Fields that mean nothing without a cluster. What the image, its registry and a pod's labels are goes unsaid."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A variable of the environment that comes from a key of a secret or config map."""

    variable: str
    kind: str
    name: str
    key: str


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that a task finds at `path` of its container: the kind of its source, its name, a part of it."""

    kind: str
    name: str
    path: str
    part: str = ""


@dataclass(frozen=True, slots=True)
class Pod:
    """The pod of a task: its time limit in seconds, what it refers to, and in words what a local run leaves out."""

    timeout: int | None = None
    references: tuple[Reference, ...] = ()
    folders: tuple[Folder, ...] = ()
    left_out: tuple[str, ...] = ()


def configurations(platform: Mapping[str, Any] | None) -> Mapping[str, Mapping[str, Any]]:
    """The executors' configurations of a platform document, by the executor's label."""
    kubernetes = (platform or {}).get("platforms", {}).get("kubernetes", {})
    found: Mapping[str, Mapping[str, Any]] = kubernetes.get("deploymentSpec", {}).get("executors", {})
    return found


def run_timeout(platform: Mapping[str, Any] | None) -> int | None:
    """The time limit of the whole run, in seconds."""
    config = (platform or {}).get("platforms", {}).get("kubernetes", {}).get("pipelineConfig", {})
    return int(config["activeDeadlineSeconds"]) if "activeDeadlineSeconds" in config else None


def has_workspace(platform: Mapping[str, Any] | None) -> bool:
    """Whether the pipeline has a workspace."""
    return "workspace" in (platform or {}).get("platforms", {}).get("kubernetes", {}).get("pipelineConfig", {})


def read(
    config: Mapping[str, Any], container: Mapping[str, Any], claims: Mapping[str, str], workspace: bool = False
) -> Pod:
    """The pod of a task: its executor's configuration and container; `claims` names new volumes by who makes them."""
    timeout = int(config.get("activeDeadlineSeconds", 0))
    left_out = [words for key, words in _LEFT_OUT.items() if key in config]
    if container.get("resources"):
        left_out.insert(0, "limits and requests")
    folders = [*_folders(config, claims), *([Folder(NEW, "workspace", volumes.WORKSPACE)] if workspace else [])]
    return Pod(timeout or None, tuple(_references(config)), tuple(folders), tuple(left_out))


def _references(config: Mapping[str, Any]) -> Iterator[Reference]:
    for field, kind, name, key in (
        ("secretAsEnv", SECRET, "secretName", "secretKey"),
        ("configMapAsEnv", CONFIG_MAP, "configMapName", "configMapKey"),
    ):
        for entry in config.get(field, ()):
            for pair in entry.get("keyToEnv", ()):
                yield Reference(str(pair["envVar"]), kind, str(entry.get(name, "")), str(pair[key]))


def _folders(config: Mapping[str, Any], claims: Mapping[str, str]) -> Iterator[Folder]:
    for mount in config.get("pvcMount", ()):
        maker = mount.get("taskOutputParameter", {}).get("producerTask")
        kind, name = (NEW, claims.get(maker, "")) if maker else (CLAIM, mount.get("constant", ""))
        yield Folder(kind, str(name), str(mount["mountPath"]), str(mount.get("subPath", "")))
    for field in ("emptyDirMounts", "genericEphemeralVolume"):
        for mount in config.get(field, ()):
            yield Folder(EMPTY, str(mount["volumeName"]), str(mount["mountPath"]))
    for field, kind, key in (
        ("secretAsVolume", SECRET, "secretName"),
        ("configMapAsVolume", CONFIG_MAP, "configMapName"),
    ):
        for mount in config.get(field, ()):
            yield Folder(kind, str(mount.get(key, "")), str(mount["mountPath"]))
