"""The settings of a step, one row each: how it is written, which values it takes, and what becomes of it.

`limit:cpu:2` is kind `limit`, key `cpu`, value `2`. The same kinds, keys and values come from tags, pyproject.toml and
the notebook's metadata. The grammar of the tags, the tables that are read, docs/settings.md and the JSON schema are
all made from these rows.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

from kalecompiler import settingrules as rule
from kalecompiler import volumes
from kalecompiler.settingrules import Check, bytes_of, seconds_of

__all__ = ["GRAMMAR", "Kind", "ParsedSetting", "SettingError", "Shape", "bytes_of", "check_setting", "parse_setting"]
__all__ += ["seconds_of"]

OLDEST = "2.15"
"""The oldest KFP whose package we use: what it has needs no other."""


class SettingError(Exception):
    """A setting is malformed (its shape is wrong), or has a value that it does not take; the text is a predicate."""

    def __init__(self, message: str, hint: str, malformed: bool = False) -> None:
        super().__init__(message)
        self.hint = hint
        self.malformed = malformed


@dataclass(frozen=True, slots=True)
class ParsedSetting:
    """One setting, checked."""

    kind: str
    key: str
    value: str


class Shape(enum.Enum):
    """How a setting is written in a table."""

    TEXT = "text"
    NUMBER = "a number or a text"
    SWITCH = "true or false"
    PAIRS = "a table of names and values"
    LIST = "a list of texts, each as after the tag's first colon"
    TAG = ""  # it is a tag, and nothing else


@dataclass(frozen=True, slots=True)
class Kind:
    """A row: `example` is a whole tag, `keys` the number of parts that stand before the value and make the key.

    `check` says what is wrong with a key and value, or None. `name` is the key in tables, `shape` how it is written
    there and `table` an example; `kale` how Kale's metadata calls it. `becomes` is the place in the package (in the
    documents of its YAML), `since` the KFP version that has it, `local` what a local run makes of it. `by_value`:
    settings of this kind are told apart by their value and not by their key. `shared`: it may be a default of all
    steps.
    """

    example: str
    keys: int
    check: Check
    name: str = ""
    shape: Shape = Shape.TAG
    table: str = ""
    becomes: str = ""
    kale: str = ""
    since: str = OLDEST
    local: str = ""
    by_value: bool = False
    shared: bool = True
    may_be_empty: bool = False


def parse_setting(kind: str, rest: str) -> ParsedSetting:
    """The setting `kind:rest`, as in a tag. Raises SettingError."""
    grammar = GRAMMAR[kind]
    *keys, value = rest.split(":", grammar.keys)
    whole = len(keys) == grammar.keys and all(key and key == key.strip() for key in keys)
    if not whole or (not value and not grammar.may_be_empty):
        raise SettingError("is malformed", f"write it as in `{grammar.example}`", malformed=True)
    return check_setting(kind, ":".join(keys), value)


def check_setting(kind: str, key: str, value: str) -> ParsedSetting:
    """The setting of that kind, key and value. Raises SettingError."""
    grammar = GRAMMAR[kind]
    wrong = grammar.check(key, value)
    if wrong:
        raise SettingError(f"is wrong: {wrong}", f"write it as in `{grammar.example}`")
    return ParsedSetting(kind, key, value)


def identity(kind: str, key: str, value: str) -> tuple[str, str]:
    """What tells settings of a step apart: of two with the same identity the more specific one counts."""
    if kind == "metrics":
        return kind, value.partition("=")[0]
    return kind, value if GRAMMAR[kind].by_value else key


_EXECUTOR = "executors.*"
_CONTAINER = f"{_EXECUTOR}.container"
_TASK = "tasks.*"
_RUNS = "honoured"
_FOLDER = f"the folder of `--volume NAME=DIR`, as `${volumes.VARIABLE}NAME`"
_OWN_FOLDER = f"a folder of the run, as `${volumes.VARIABLE}NAME`"
_ROWS = re.compile(r"0|[1-9]\d?|100", re.ASCII)

GRAMMAR: dict[str, Kind] = {
    "image": Kind(
        "image:python:3.11", 0, rule.image, "image", Shape.TEXT, 'image = "python:3.11"', f"{_CONTAINER}.image",
        kale="`base_image`, `docker_image`",
    ),
    "image-pull-policy": Kind(
        "image-pull-policy:Always", 0, rule.one_of("Always", "IfNotPresent", "Never"), "image-pull-policy", Shape.TEXT,
        'image-pull-policy = "Always"', f"{_EXECUTOR}.imagePullPolicy",
    ),
    "image-pull-secret": Kind(
        "image-pull-secret:registry", 0, rule.object_name("a secret"), "image-pull-secrets", Shape.LIST,
        'image-pull-secrets = ["registry"]', f"{_EXECUTOR}.imagePullSecret", by_value=True,
    ),
    "cache": Kind(
        "cache:enabled", 0, rule.one_of("enabled", "disabled"), "cache", Shape.SWITCH, "cache = false",
        f"{_TASK}.cachingOptions.enableCache", kale="`enable_caching`",
    ),
    "cache-key": Kind(
        "cache-key:v2", 0, rule.line, "cache-key", Shape.TEXT, 'cache-key = "v2"', f"{_TASK}.cachingOptions.cacheKey",
    ),
    "retry": Kind(
        "retry:3:30s:2:10m", 0, rule.retry, "retry", Shape.NUMBER, 'retry = "3:30s:2:10m"', f"{_TASK}.retryPolicy",
        kale="`retry_count`, `retry_interval`, `retry_factor`, `retry_max_interval`", local=_RUNS,
    ),
    "timeout": Kind(
        "timeout:30m", 0, rule.duration, "timeout", Shape.NUMBER, 'timeout = "30m"',
        f"{_EXECUTOR}.activeDeadlineSeconds", kale="`timeout` in `steps_defaults`", local=_RUNS,
    ),
    "env": Kind(
        "env:LOG_LEVEL:debug", 1, rule.environment, "env", Shape.PAIRS, 'env = {LOG_LEVEL = "debug"}',
        f"{_CONTAINER}.env", local=_RUNS, may_be_empty=True,
    ),
    "limit": Kind(
        "limit:memory:4Gi", 1, rule.resource, "limits", Shape.PAIRS, 'limits = {memory = "4Gi"}',
        f"{_CONTAINER}.resources", kale="`limits`",
    ),
    "request": Kind(
        "request:cpu:500m", 1, rule.resource, "requests", Shape.PAIRS, 'requests = {cpu = "500m"}',
        f"{_CONTAINER}.resources",
    ),
    "secret": Kind(
        "secret:database:password:DB_PASSWORD", 2, rule.keyed("a secret"), "secrets", Shape.LIST,
        'secrets = ["database:password:DB_PASSWORD"]', f"{_EXECUTOR}.secretAsEnv", kale="`secrets`",
        local="from `--secret NAME=FILE\\|env`", by_value=True,
    ),
    "secret-volume": Kind(
        "secret-volume:certificates:/etc/certificates", 1, rule.mounted("a secret"), "secret-volumes", Shape.LIST,
        'secret-volumes = ["certificates:/etc/certificates"]', f"{_EXECUTOR}.secretAsVolume",
        local="the folder of `--secret NAME=DIR`, as `$KALE_VOLUME_NAME`",
    ),
    "config-map": Kind(
        "config-map:service:url:SERVICE_URL", 2, rule.keyed("a config map"), "config-maps", Shape.LIST,
        'config-maps = ["service:url:SERVICE_URL"]', f"{_EXECUTOR}.configMapAsEnv",
        local="from `--config-map NAME=FILE\\|env`", by_value=True,
    ),
    "config-map-volume": Kind(
        "config-map-volume:service:/etc/service", 1, rule.mounted("a config map"), "config-map-volumes", Shape.LIST,
        'config-map-volumes = ["service:/etc/service"]', f"{_EXECUTOR}.configMapAsVolume",
        local="the folder of `--config-map NAME=DIR`, as `$KALE_VOLUME_NAME`",
    ),
    "field-path": Kind(
        "field-path:POD_NAME:metadata.name", 1, rule.field_path, "field-paths", Shape.PAIRS,
        'field-paths = {POD_NAME = "metadata.name"}', f"{_EXECUTOR}.fieldPathAsEnv",
    ),
    "volume": Kind(
        "volume:data:/data:sub-path=raw", 1, volumes.checker("volume"), "volumes", Shape.LIST,
        'volumes = ["data:/data:sub-path=raw"]', f"{_EXECUTOR}.pvcMount", kale="`volumes` of type `pvc`", local=_FOLDER,
    ),
    "new-volume": Kind(
        "new-volume:scratch:/scratch:size=10Gi,class=standard", 1, volumes.checker("new-volume"), "new-volumes",
        Shape.LIST, 'new-volumes = ["scratch:/scratch:size=10Gi,class=standard"]',
        f"tasks `createpvc` and `deletepvc`, and {_EXECUTOR}.pvcMount", kale="`volumes` of type `new_pvc`",
        local=_OWN_FOLDER,
    ),
    "empty-dir": Kind(
        "empty-dir:shm:/dev/shm:size=2Gi,medium=Memory", 1, volumes.checker("empty-dir"), "empty-dirs", Shape.LIST,
        'empty-dirs = ["shm:/dev/shm:size=2Gi,medium=Memory"]', f"{_EXECUTOR}.emptyDirMounts", local=_OWN_FOLDER,
    ),
    "ephemeral-volume": Kind(
        "ephemeral-volume:work:/work:size=50Gi,class=fast", 1, volumes.checker("ephemeral-volume"),
        "ephemeral-volumes", Shape.LIST, 'ephemeral-volumes = ["work:/work:size=50Gi,class=fast"]',
        f"{_EXECUTOR}.genericEphemeralVolume", local=_OWN_FOLDER,
    ),
    "node-selector": Kind(
        "node-selector:disktype:ssd", 1, rule.label, "node-selectors", Shape.PAIRS,
        'node-selectors = {disktype = "ssd"}', f"{_EXECUTOR}.nodeSelector.labels", may_be_empty=True,
    ),
    "toleration": Kind(
        "toleration:nvidia.com/gpu=present:NoSchedule", 0, rule.toleration, "tolerations", Shape.LIST,
        'tolerations = ["nvidia.com/gpu=present:NoSchedule"]', f"{_EXECUTOR}.tolerations", by_value=True,
    ),
    "node-affinity": Kind(
        "node-affinity:topology.kubernetes.io/zone:In:a,b", 0, rule.affinity, "node-affinity", Shape.LIST,
        'node-affinity = ["topology.kubernetes.io/zone:In:a,b", "disktype:In:ssd:50"]', f"{_EXECUTOR}.nodeAffinity",
        by_value=True,
    ),
    "label": Kind(
        "label:team:vision", 1, rule.label, "labels", Shape.PAIRS, 'labels = {team = "vision"}',
        f"{_EXECUTOR}.podMetadata.labels", kale="`labels`", may_be_empty=True,
    ),
    "annotation": Kind(
        "annotation:example.com/note:any text", 1, rule.annotation, "annotations", Shape.PAIRS,
        'annotations = {"example.com/note" = "any text"}', f"{_EXECUTOR}.podMetadata.annotations",
        kale="`annotations`", may_be_empty=True,
    ),
    "security-context": Kind(
        "security-context:run-as-user:1000", 1, rule.security, "security-context", Shape.PAIRS,
        "security-context = {run-as-user = 1000, run-as-non-root = true}", f"{_EXECUTOR}.securityContext",
        kale="`security_context`", since="2.16",
    ),
    "display-name": Kind(
        "display-name:Train the model", 0, rule.line, "display-name", Shape.TEXT, 'display-name = "Train the model"',
        f"{_TASK}.taskInfo.name", local=_RUNS, shared=False,
    ),
    "exit": Kind(
        "exit", 0, rule.one_of(""), becomes=f"{_TASK}.triggerPolicy, and all others in `exit-handler-1`",
        local=_RUNS, shared=False, may_be_empty=True,
    ),
    "ignore-failure": Kind(
        "ignore-failure:load", 0, rule.filled, "ignore-failure", Shape.LIST, 'ignore-failure = ["load"]',
        f"{_TASK}.triggerPolicy.strategy", local=_RUNS, by_value=True, shared=False,
    ),
    "max-artifact-size": Kind(
        "max-artifact-size:2Gi", 0, rule.size, "max-artifact-size", Shape.NUMBER, 'max-artifact-size = "2Gi"',
        "the step's JSON in `args`", local=_RUNS,
    ),
    "preview": Kind(
        "preview:5", 0, rule.matches(_ROWS, "number of rows from 0 to 100"), "preview", Shape.NUMBER, "preview = 5",
        "the step's JSON in `args`", local=_RUNS,
    ),
    "snapshot": Kind(
        "snapshot:all", 0, rule.one_of("passed", "all", "off"), "snapshot", Shape.TEXT, 'snapshot = "all"',
        "an output `snapshot` of the step, and the step's JSON in `args`", local=_RUNS,
    ),
    "changes": Kind(
        "changes:model", 0, rule.identifier, becomes="the edges of the graph, and the outputs of the step", local=_RUNS,
        by_value=True, shared=False,
    ),
    "report": Kind(
        "report:disabled", 0, rule.one_of("enabled", "disabled"), "report", Shape.SWITCH, "report = false",
        "the output `report` of the step, a `system.HTML`", local=_RUNS,
    ),
    "together": Kind(
        "together:model,weights", 0, rule.variables, "together", Shape.LIST, 'together = ["model,weights"]',
        "the inputs and outputs of the steps: who takes one of the variables takes all", local=_RUNS, by_value=True,
        shared=False,
    ),
    "metrics": Kind(
        "metrics:matrix=confusion", 0, rule.metric, "metrics", Shape.LIST, 'metrics = ["matrix=confusion"]',
        "an output of the step: `system.Metrics`, `system.ClassificationMetrics`, `system.Markdown` or `system.HTML`",
        local=_RUNS, by_value=True, shared=False,
    ),
}  # fmt: skip
"""The rows by the first word of their tags."""
