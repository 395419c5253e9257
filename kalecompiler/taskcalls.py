"""Settings of a step as lines of the rendered module: kfp's own calls, and those of kfp-kubernetes.

A value enters a line as `repr` of it and in no other way, so that none can become code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from kalecompiler import limits, settingrules, volumes
from kalecompiler.model import Pipeline, Step, StepSettings
from kalecompiler.steprules import MOUNTS

KUBERNETES = "_kubernetes"
"""The name by which the rendered module knows kfp.kubernetes."""

_KFPS_OWN = ("cache-key", "retry", "env", "display-name", "exit", "ignore-failure")

Claims = Mapping[str, str]
"""The variable of the task that makes a new volume, by the volume's name."""


def uses_kubernetes(settings: StepSettings) -> bool:
    """Whether a step has settings that are Kubernetes' own."""
    others = any(kind not in _KFPS_OWN for kind, _, _ in settings.others)
    return bool(settings.labels or settings.annotations or others)


def calls(step: Step, pipeline: Pipeline, task: str, claims: Claims) -> Iterator[str]:
    """The calls that give the task, a variable, the settings of its step."""
    settings = step.settings
    name = settings.one("display-name") or step.name
    if name != step.task:
        yield f"{task}.set_display_name({name!r})"
    yield f"{task}.set_caching_options({_caching(step)})"
    if step.settings.of("ignore-failure"):
        yield f"{task}.ignore_upstream_failure()"
    if (retry := settings.one("retry")) is not None:
        yield f"{task}.set_retry({_retry(retry)})"
    for variable, value in environment(step, pipeline).items():
        yield f"{task}.set_env_variable(name={variable!r}, value={value!r})"
    for verb, pairs in (("request", settings.requests), ("limit", settings.limits)):
        for resource, quantity in pairs:
            yield from _resource(task, verb, resource, quantity)
    for key, value in settings.labels:
        yield _call("add_pod_label", task, label_key=key, label_value=value)
    for key, value in settings.annotations:
        yield _call("add_pod_annotation", task, annotation_key=key, annotation_value=value)
    for kind, key, value in settings.others:
        if kind in _CALLS:
            yield _CALLS[kind](task, key, value)
    yield from _together(settings, task)
    for name, value in settings.of("new-volume"):
        mount = volumes.read(name, value)
        yield _mount_claim(task, f"{claims[name]}.outputs['name']", mount)


def environment(step: Step, pipeline: Pipeline) -> dict[str, str]:
    """The variables that a step gets as text: those that were set, and the folder of each of its volumes."""
    found = dict(step.settings.of("env"))
    for kind, key, value in step.settings.others:
        if kind in MOUNTS:
            found[volumes.variable(key)] = value.partition(":")[0]
    if pipeline.whole.workspace is not None:
        found[volumes.variable("workspace")] = volumes.WORKSPACE
    return found


def create_claim(variable: str, mount: volumes.Mount) -> Iterator[str]:
    """The calls that make a new volume; a claim must be made anew in each run, so it is never taken from the cache."""
    access = mount.access or settingrules.ACCESS_MODES[0]
    yield (
        f"{variable} = {KUBERNETES}.CreatePVC(pvc_name_suffix={'-' + mount.name!r}, access_modes={[access]!r}, "
        f"size={mount.options['size']!r}, storage_class_name={mount.options['class']!r})"
    )
    yield f"{variable}.set_caching_options(enable_caching=False)"


def delete_claim(variable: str, claim: str, users: list[str]) -> Iterator[str]:
    """The calls that delete a new volume after the tasks that use it."""
    yield f"{variable} = {KUBERNETES}.DeletePVC(pvc_name={claim}.outputs['name']).after({', '.join(users)})"
    yield f"{variable}.set_caching_options(enable_caching=False)"


def _caching(step: Step) -> str:
    """Caching is always said, as an environment variable is kfp's default. An exit step must run each time."""
    enabled = not step.exits if step.settings.cache is None else step.settings.cache
    key = step.settings.one("cache-key")
    return f"enable_caching={enabled}" + (f", cache_key={key!r}" if key is not None else "")


def _retry(value: str) -> str:
    """The arguments of `set_retry`; waits in seconds, as kfp reads units in its own way."""
    count, *rest = value.split(":")
    names = ("backoff_duration", "backoff_factor", "backoff_max_duration")
    shown = [f"num_retries={int(count)}"]
    for name, part in zip(names, rest, strict=False):
        content = float(part) if name == "backoff_factor" else f"{settingrules.seconds_of(part)}s"
        shown.append(f"{name}={content!r}")
    return ", ".join(shown)


def _resource(task: str, verb: str, resource: str, quantity: str) -> Iterator[str]:
    """cpu and memory have methods of their own; anything else is an accelerator, which has limits only."""
    if resource in limits.QUANTITIES:
        yield f"{task}.set_{resource}_{verb}({quantity!r})"
    else:
        yield f"{task}.set_accelerator_type({resource!r})"
        yield f"{task}.set_accelerator_limit({quantity!r})"


def _together(settings: StepSettings, task: str) -> Iterator[str]:
    """Settings of several rows that become one call."""
    identity: dict[str, int | bool] = {
        key.replace("-", "_"): value == "true" if value in ("true", "false") else int(value)
        for key, value in settings.of("security-context")
    }
    if identity:
        yield _call("set_security_context", task, **identity)
    if secrets := [value for _, value in settings.of("image-pull-secret")]:
        yield _call("set_image_pull_secrets", task, secret_names=secrets)
    terms = [_term(value) for _, value in settings.of("node-affinity")]
    required = [term for term, weight in terms if weight is None]
    if required:  # KFP takes one of several calls to be enough: all that must hold stands in one
        yield _call("add_node_affinity", task, match_expressions=required)
    for term, weight in terms:
        if weight is not None:
            yield _call("add_node_affinity", task, match_expressions=[term], weight=weight)


def _term(value: str) -> tuple[dict[str, object], int | None]:
    key, operator, values, weight = [*value.split(":"), "", ""][:4]
    term: dict[str, object] = {"key": key, "operator": operator}
    return term | ({"values": values.split(",")} if values else {}), int(weight) if weight else None


def _call(function: str, task: str, **arguments: object) -> str:
    shown = "".join(f", {name}={value!r}" for name, value in arguments.items())
    return f"{KUBERNETES}.{function}({task}{shown})"


def _secret(task: str, key: str, value: str) -> str:
    name, _, data = key.partition(":")
    return _call("use_secret_as_env", task, secret_name=name, secret_key_to_env={data: value})


def _config_map(task: str, key: str, value: str) -> str:
    name, _, data = key.partition(":")
    return _call("use_config_map_as_env", task, config_map_name=name, config_map_key_to_env={data: value})


def _mount_claim(task: str, claim: str, mount: volumes.Mount) -> str:
    sub = mount.options.get("sub-path")
    shown = f", sub_path={sub!r}" if sub else ""
    return f"{KUBERNETES}.mount_pvc({task}, pvc_name={claim}, mount_path={mount.path!r}{shown})"


def _empty_dir(task: str, key: str, value: str) -> str:
    mount = volumes.read(key, value)
    given = {"size_limit": mount.options.get("size"), "medium": mount.options.get("medium")}
    present = {name: content for name, content in given.items() if content}
    return _call("empty_dir_mount", task, volume_name=mount.name, mount_path=mount.path, **present)


def _ephemeral(task: str, key: str, value: str) -> str:
    mount = volumes.read(key, value)
    access = mount.access or settingrules.ACCESS_MODES[0]
    given = {"access_modes": [access], "size": mount.options["size"]}
    given |= {"storage_class_name": mount.options["class"]} if "class" in mount.options else {}
    return _call("add_ephemeral_volume", task, volume_name=mount.name, mount_path=mount.path, **given)


def _toleration(task: str, _key: str, value: str) -> str:
    taint, effect, seconds = [*value.split(":"), "", ""][:3]
    key, equals, taken = taint.partition("=")
    given: dict[str, object] = {} if key == "*" else {"key": key}
    given |= {"operator": "Equal", "value": taken} if equals else {"operator": "Exists"}
    given |= {"effect": effect} if effect else {}
    return _call("add_toleration", task, **given, **({"toleration_seconds": int(seconds)} if seconds else {}))


_CALLS: Mapping[str, Callable[[str, str, str], str]] = {
    "image-pull-policy": lambda task, _, value: _call("set_image_pull_policy", task, policy=value),
    "timeout": lambda task, _, value: _call("set_timeout", task, seconds=settingrules.seconds_of(value)),
    "secret": _secret,
    "secret-volume": lambda task, key, value: _call("use_secret_as_volume", task, secret_name=key, mount_path=value),
    "config-map": _config_map,
    "config-map-volume": lambda task, key, value: _call(
        "use_config_map_as_volume", task, config_map_name=key, mount_path=value
    ),
    "field-path": lambda task, key, value: _call("use_field_path_as_env", task, env_name=key, field_path=value),
    "volume": lambda task, key, value: _mount_claim(task, repr(key), volumes.read(key, value)),
    "empty-dir": _empty_dir,
    "ephemeral-volume": _ephemeral,
    "node-selector": lambda task, key, value: _call("add_node_selector", task, label_key=key, label_value=value),
    "toleration": _toleration,
}
"""What each row of its own becomes: the task's variable, the key and the value -> a line."""
