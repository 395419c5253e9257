"""Kale's notebook metadata, `kubeflow_notebook`, in the keys of all its versions -> a table like `[tool.kalecompiler]`.

What works is translated; what has no effect is named, once a key, if it is set to something that means anything, with
what to do instead; unknown keys are named too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kalecompiler import kalevolumes
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
    "volumes",
    "storage_class_name",
    "volume_access_mode",
    "security_context",
    "timeout",
}
# What our key is called in Kale's metadata.
SPELLINGS = {
    "cache": ("enable_caching",),
    "description": ("pipeline_description",),
    "image": ("base_image", "docker_image"),
    "new-volumes": ("volumes",),
    "run-timeout": ("timeout",),
    "tags": ("steps_defaults",),
}
# Keys without effect, and what to do instead.
_WITHOUT_EFFECT = {
    "katib_run": "set parameters with `-p name=value`, one run a trial",
    "kfp_host": "name the endpoint when you submit",
    "abs_working_dir": "a step runs in its image's working directory, and a local run in the notebook's folder",
    "output_path": "name the file with `--output`",
}
# Keys that refine Katib runs or snapshots: without those they mean nothing, and with them the warning is given there.
_SECONDARY = {"autosnapshot", "snapshot_volumes", "katib_metadata", "marshal_path", "notebook_path"}
# The keys of `steps_defaults` as an object.
_DEFAULTS = {
    "labels": "labels",
    "annotations": "annotations",
    "limits": "limits",
    "base_image": "image",
    "enable_caching": "cache",
}
_RETRIES = ("retry_count", "retry_interval", "retry_factor", "retry_max_interval")
_TRANSLATED = {*_DEFAULTS, *_RETRIES, "secrets", "timeout"}
_DEFAULTS_WITHOUT_EFFECT = {"generate_html_report": "the steps run without reports"}
# What Kale takes for a security context that is there and does not say.
_IDENTITY = {"run_as_user": 65534, "run_as_group": 0, "run_as_non_root": True}


def translate(metadata: Any) -> tuple[dict[str, Any] | None, list[Problem]]:
    """The table that Kale's metadata amounts to (None where there is no metadata), and what it says in vain."""
    if metadata is None:
        return None, []
    if not isinstance(metadata, Mapping):
        return None, [Problem(INVALID_METADATA, "metadata `kubeflow_notebook` is not an object")]
    volumes, problems = kalevolumes.translate(metadata)
    return _table(metadata) | volumes, [*_problems(metadata), *problems]


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
        "run_timeout": metadata.get("timeout") or None,
        "security_context": _security(metadata.get("security_context")),
    }
    # an empty text is what Kale's panel writes for a field that nobody filled in
    return {key: value for key, value in table.items() if value not in (None, "")} | _defaults(metadata)


def _security(context: Any) -> Any:
    if not isinstance(context, Mapping):
        return context
    if not context or context.get("enabled") is False:
        return None
    return {**_IDENTITY, **{key: value for key, value in context.items() if key != "enabled" and value is not None}}


def _defaults(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What `steps_defaults` says: a list of tags, or an object."""
    defaults = metadata.get("steps_defaults")
    if not isinstance(defaults, Mapping):
        return {"tags": defaults} if defaults else {}
    plain = {_DEFAULTS[key]: value for key, value in defaults.items() if key in _DEFAULTS and value not in (None, "")}
    others = {
        "retry": _retry(defaults),
        "timeout": defaults.get("timeout") or None,
        "secrets": _secrets(defaults.get("secrets")),
    }
    return plain | {key: value for key, value in others.items() if value is not None}


def _retry(defaults: Mapping[str, Any]) -> str | None:
    """`COUNT:WAIT:FACTOR:LONGEST`, as far as Kale's four keys say; what they leave out is kfp's default."""
    count, *rest = (defaults.get(key) for key in _RETRIES)
    if not count:
        return None
    while rest and not rest[-1]:
        rest.pop()
    filled = [part or default for part, default in zip(rest, ("0s", 2, "1h"), strict=False)]
    if filled and filled[0] == "0s":
        filled[0] = "1s"  # the shortest wait that can be written
    return ":".join(str(part) for part in (count, *filled))


def _secrets(secrets: Any) -> Any:
    """Kale has an object for each variable; anything else is what it is, for the table's reader to refuse."""
    if not isinstance(secrets, Mapping):
        return secrets or None
    found = []
    for variable, secret in secrets.items():
        parts = secret if isinstance(secret, Mapping) else {}
        found.append(f"{parts.get('secret_name', '')}:{parts.get('secret_key', '')}:{variable}")
    return found or None


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
    where = "metadata `kubeflow_notebook`: `steps_defaults`"
    for key, value in defaults.items():
        if key in _DEFAULTS_WITHOUT_EFFECT:
            if _means_something(value):
                instead = _DEFAULTS_WITHOUT_EFFECT[key]
                yield Problem(METADATA_WITHOUT_EFFECT, f"{where}: `{key}` has no effect", instead)
        elif key not in _TRANSLATED:
            hint = did_you_mean(key, {*_TRANSLATED, *_DEFAULTS_WITHOUT_EFFECT})
            yield Problem(UNKNOWN_METADATA_KEY, f"{where}: the key `{key}` is unknown", hint)


def _means_something(value: Any) -> bool:
    """Whether a value asks for anything; `enabled: false` switches a whole object off."""
    return bool(value) and not (isinstance(value, Mapping) and value.get("enabled") is False)
