"""Kale's notebook metadata, `kubeflow_notebook`, in the keys of all its versions -> a table like `[tool.kalecompiler]`.

What works is translated; what has no effect is named, once a key, if it is set to something that means anything;
unknown keys are named too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kalecompiler.diagnostics import INVALID_METADATA, METADATA_WITHOUT_EFFECT, UNKNOWN_METADATA_KEY
from kalecompiler.settingtable import Problem
from kalecompiler.suggest import did_you_mean

# Keys that have an effect.
_WORKING = {
    "pipeline_name",
    "pipeline_description",
    "experiment",
    "experiment_name",
    "docker_image",
    "base_image",
    "enable_caching",
    "steps_defaults",
}
# Keys without effect, and what to do instead.
_WITHOUT_EFFECT = {
    "volumes": "the steps run without them; what they hand on travels as artifacts",
    "katib_run": "set parameters with `-p name=value`, one run a trial",
    "security_context": "the steps run with the security context of the cluster",
    "timeout": "the steps run without a time limit",
    "kfp_host": "name the endpoint when you submit",
    "abs_working_dir": "a step runs in its image's working directory, and a local run in the notebook's folder",
    "output_path": "name the file with `--output`",
}
# Keys that refine volumes or Katib runs: without those they mean nothing, and with them the warning is given there.
_SECONDARY = {
    "autosnapshot",
    "snapshot_volumes",
    "volume_access_mode",
    "storage_class_name",
    "katib_metadata",
    "marshal_path",
    "notebook_path",
}
# The keys of `steps_defaults` as an object.
_DEFAULTS = {
    "labels": "labels",
    "annotations": "annotations",
    "limits": "limits",
    "base_image": "image",
    "enable_caching": "cache",
}
_DEFAULTS_WITHOUT_EFFECT = {
    "secrets",
    "generate_html_report",
    "retry_count",
    "retry_interval",
    "retry_factor",
    "retry_max_interval",
    "timeout",
}


def translate(metadata: Any) -> tuple[dict[str, Any] | None, list[Problem]]:
    """The table that Kale's metadata amounts to (None where there is no metadata), and what it says in vain."""
    if metadata is None:
        return None, []
    if not isinstance(metadata, Mapping):
        return None, [Problem(INVALID_METADATA, "metadata `kubeflow_notebook` is not an object")]
    return _table(metadata), list(_problems(metadata))


def _table(metadata: Mapping[str, Any]) -> dict[str, Any]:
    experiment = metadata.get("experiment")
    if isinstance(experiment, Mapping):
        experiment = experiment.get("name")
    table = {
        "pipeline_name": metadata.get("pipeline_name"),
        "description": metadata.get("pipeline_description"),
        "experiment": metadata.get("experiment_name") or experiment,
        "image": metadata.get("base_image") or metadata.get("docker_image"),
        "cache": metadata.get("enable_caching"),
    }
    # an empty text is what Kale's panel writes for a field that nobody filled in
    return {key: value for key, value in table.items() if value not in (None, "")} | _defaults(metadata)


def _defaults(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What `steps_defaults` says: a list of tags, or an object."""
    defaults = metadata.get("steps_defaults")
    if not isinstance(defaults, Mapping):
        return {"tags": defaults} if defaults else {}
    return {_DEFAULTS[key]: value for key, value in defaults.items() if key in _DEFAULTS and value not in (None, "")}


def _problems(metadata: Mapping[str, Any]) -> Iterator[Problem]:
    for key, value in metadata.items():
        if key in _WITHOUT_EFFECT:
            if _means_something(value):
                message = f"metadata `kubeflow_notebook`: `{key}` has no effect"
                yield Problem(METADATA_WITHOUT_EFFECT, message, _WITHOUT_EFFECT[key])
        elif key not in _WORKING and key not in _SECONDARY:
            hint = did_you_mean(key, _WORKING | set(_WITHOUT_EFFECT) | _SECONDARY)
            yield Problem(UNKNOWN_METADATA_KEY, f"metadata `kubeflow_notebook`: the key `{key}` is unknown", hint)
    defaults = metadata.get("steps_defaults")
    yield from _default_problems(defaults) if isinstance(defaults, Mapping) else ()


def _default_problems(defaults: Mapping[str, Any]) -> Iterator[Problem]:
    for key, value in defaults.items():
        where = "metadata `kubeflow_notebook`: `steps_defaults`"
        if key in _DEFAULTS_WITHOUT_EFFECT:
            if _means_something(value):
                yield Problem(METADATA_WITHOUT_EFFECT, f"{where}: `{key}` has no effect", "the steps run without it")
        elif key not in _DEFAULTS:
            hint = did_you_mean(key, {*_DEFAULTS, *_DEFAULTS_WITHOUT_EFFECT})
            yield Problem(UNKNOWN_METADATA_KEY, f"{where}: the key `{key}` is unknown", hint)


def _means_something(value: Any) -> bool:
    """Whether a value asks for anything; `enabled: false` switches a whole object off."""
    return bool(value) and not (isinstance(value, Mapping) and value.get("enabled") is False)
