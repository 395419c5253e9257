"""The volumes in Kale's notebook metadata -> settings of volumes, and what to do about those that KFP cannot have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kalecompiler.diagnostics import INVALID_METADATA, METADATA_WITHOUT_EFFECT
from kalecompiler.settingtable import Problem

_MODES = {"rom": "ReadOnlyMany", "rwo": "ReadWriteOnce", "rwm": "ReadWriteMany"}
_INSTEAD = {
    "clone": "make a claim from the clone or snapshot beforehand (its `dataSource`), and name it here with type `pvc`",
    "snap": "make a claim from the snapshot beforehand (its `dataSource`), and name it here with type `pvc`",
    "pv": "make a claim for the volume (its `volumeName`), and name that here with type `pvc`",
}
_TABLES = {"pvc": "volumes", "new_pvc": "new-volumes"}
_WHERE = "metadata `kubeflow_notebook`: `volumes`"


def translate(metadata: Mapping[str, Any]) -> tuple[dict[str, list[str]], list[Problem]]:
    """The tables `volumes` and `new-volumes`, and what is wrong or has no effect; a volume is left out then."""
    volumes = metadata.get("volumes")
    if not volumes:
        return {}, []
    if not isinstance(volumes, list) or not all(isinstance(volume, Mapping) for volume in volumes):
        return {}, [Problem(INVALID_METADATA, f"{_WHERE} is not a list of objects")]
    found: dict[str, list[str]] = {}
    problems: list[Problem] = []
    for volume in volumes:
        kind = str(volume.get("type"))
        if kind in _TABLES:
            found.setdefault(_TABLES[kind], []).append(_text(volume, metadata))
            problems += _in_vain(volume)
        elif kind in _INSTEAD:
            message = f"{_WHERE}: `{volume.get('name')}` of type `{kind}` has no effect"
            problems.append(Problem(METADATA_WITHOUT_EFFECT, message, _INSTEAD[kind]))
        else:
            message = f"{_WHERE}: `{volume.get('name')}` has no type of {', '.join([*_TABLES, *_INSTEAD])}"
            problems.append(Problem(INVALID_METADATA, message))
    return found, problems


def _text(volume: Mapping[str, Any], metadata: Mapping[str, Any]) -> str:
    """A volume as in the setting of its kind; the table's reader checks it."""
    options = {"access": _mode(volume.get("volume_access_mode") or metadata.get("volume_access_mode"))}
    if volume["type"] == "new_pvc":
        options |= {
            "access": options["access"] or _MODES["rwm"],  # as Kale has it
            "class": volume.get("storage_class_name") or metadata.get("storage_class_name"),
            "size": f"{volume['size']}{volume.get('size_type') or 'Gi'}" if volume.get("size") else None,
        }
    written = ",".join(f"{key}={value}" for key, value in options.items() if value)
    return ":".join(filter(None, (str(volume.get("name", "")), str(volume.get("mount_point", "")), written)))


def _mode(value: Any) -> Any:
    return _MODES.get(value, value) if isinstance(value, str) else value


def _in_vain(volume: Mapping[str, Any]) -> Iterator[Problem]:
    """What a volume asks for beyond that."""
    for key, hint in (
        ("snapshot", "each step's values are kept with the run; take snapshots of a claim where it lives"),
        ("annotations", "annotate the claim where it lives"),
    ):
        given = volume.get(key)
        if given and (not isinstance(given, list) or any(entry.get("key") for entry in given if _is_object(entry))):
            message = f"{_WHERE}: `{key}` of `{volume.get('name')}` has no effect"
            yield Problem(METADATA_WITHOUT_EFFECT, message, hint)


def _is_object(value: Any) -> bool:
    return isinstance(value, Mapping)
