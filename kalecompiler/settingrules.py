"""What values Kubernetes and KFP take, one function a kind of value: key and value -> what is wrong, or None.

The KFP server accepts almost anything and fails in the cluster, so the fields' own rules are applied here.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation

Check = Callable[[str, str], "str | None"]

ACCESS_MODES = ("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod")
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")
MEDIA = ("Memory", "HugePages")
METRIC_KINDS = ("max", "min", "confusion", "roc", "report", "markdown", "html")
IDENTITIES = ("run-as-user", "run-as-group", "run-as-non-root")
LONGEST_VALUE = 100_000
"""Linux takes 128 KiB for a variable, Kubernetes 256 KiB for all annotations: a longer text is a mistake."""

_QUANTITY = re.compile(r"\+?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+|[numkMGTPE]|[KMGTPE]i)?", re.ASCII)
_RESOURCE = re.compile(r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_PREFIX = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_DATA_KEY = re.compile(r"[-._A-Za-z0-9]{1,253}")
_ENVIRONMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DURATION = re.compile(r"([1-9][0-9]{0,8})(s|m|h|d)?")
_REPOSITORY = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*"
_REGISTRY = r"([A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?(:[0-9]+)?/)?"
_VERSION = r"(:[A-Za-z0-9_][-A-Za-z0-9_.]{0,127})?(@[A-Za-z0-9_+.-]+:[0-9a-fA-F]+)?"
_IMAGE = re.compile(f"{_REGISTRY}{_REPOSITORY}(/{_REPOSITORY})*{_VERSION}")
_FIELDS = re.compile(
    r"metadata\.(name|namespace|uid)|metadata\.(labels|annotations)\['[^'\s]+'\]"
    r"|spec\.(nodeName|serviceAccountName)|status\.(podIP|podIPs|hostIP|hostIPs)"
)
_ROOT = re.compile(r"(gs|s3|minio|oci)://[^\s{}]+")
_UNITS = {unit: Decimal(1000) ** power for power, unit in enumerate(("n", "u", "m", "", *"kMGTPE"), -3)}
_UNITS |= {unit + "i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", 1)}
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def shown(value: str) -> str:
    """A value as a message shows it: on one line, and not all of a long one."""
    text = value if value.isprintable() else ascii(value)[1:-1]
    return text if len(text) <= 60 else f"{text[:57]}..."


def matches(pattern: re.Pattern[str], what: str) -> Check:
    """The value must match as a whole."""
    return lambda _key, value: None if pattern.fullmatch(value) else f"`{shown(value)}` is no {what}"


def one_of(*values: str) -> Check:
    """The value must be one of these."""
    return lambda _key, value: None if value in values else f"`{shown(value)}` is none of {', '.join(values)}"


def seconds_of(duration: str) -> int:
    """The seconds that `90`, `90s`, `30m`, `2h` or `1d` mean; 0 for no duration."""
    match = _DURATION.fullmatch(duration)
    seconds = int(match[1]) * _SECONDS[match[2] or "s"] if match else 0
    return seconds if seconds < 1 << 31 else 0


def amount_of(quantity: str) -> Decimal:
    """The number that a quantity means (`2Gi`, `1e9`, `500m`: Kubernetes' spelling); 0 for no quantity."""
    match = _QUANTITY.fullmatch(quantity)
    number, unit = (match[1], match[3] or "") if match else ("0", "")
    try:
        return Decimal(number) * _UNITS[unit] if unit in _UNITS else Decimal(number + unit)
    except InvalidOperation:  # an exponent beyond all bounds
        return Decimal(0)


def bytes_of(quantity: str) -> int:
    """The bytes that a size means, rounded down; 0 for no size. A size is from one byte to less than 8Ei."""
    size = amount_of(quantity)
    return int(size) if size < 1 << 63 else 0


def is_label(text: str) -> bool:
    """Whether a text is a DNS label of RFC 1123, as names of volumes are."""
    return bool(_LABEL.fullmatch(text))


def image(_key: str, value: str) -> str | None:
    """A reference to an image: registry/repository:tag@digest."""
    if _IMAGE.fullmatch(value) and len(value) <= 500:
        return None
    return f"`{shown(value)}` is no name of an image"


def duration(_key: str, value: str) -> str | None:
    """A length of time."""
    return None if seconds_of(value) else f"`{shown(value)}` is no duration like 90s, 30m or 2h"


def size(_key: str, value: str) -> str | None:
    """A size in bytes."""
    return None if bytes_of(value) else f"`{shown(value)}` is no size like 500Mi or 2Gi"


def resource(key: str, value: str) -> str | None:
    """A resource of a container, and how much of it."""
    if not _RESOURCE.fullmatch(key):
        return f"`{shown(key)}` is no resource like cpu, memory or nvidia.com/gpu"
    if not _QUANTITY.fullmatch(value):
        return f"`{shown(value)}` is no quantity like 2, 500m or 4Gi"
    return None


def qualified(key: str, _value: str = "") -> str | None:
    """The key of a label or annotation: [domain/]name."""
    prefix, slash, name = key.rpartition("/")
    if slash and not (_PREFIX.fullmatch(prefix) and len(prefix) <= 253):
        return f"`{shown(prefix)}` is no domain name, as before the slash of a key"
    if not _NAME.fullmatch(name) or len(name) > 63:
        return f"`{shown(name)}` is no key: letters, digits, `-`, `_` and `.`, at most 63"
    return None


def label(key: str, value: str) -> str | None:
    """A label: its key, and its value."""
    if value and (not _NAME.fullmatch(value) or len(value) > 63):
        return f"`{shown(value)}` is no label value: letters, digits, `-`, `_` and `.`, at most 63"
    return qualified(key)


def annotation(key: str, value: str) -> str | None:
    """An annotation: its key, and any text."""
    return _too_long(value) or qualified(key)


def variable(_key: str, value: str) -> str | None:
    """The name of an environment variable."""
    return None if _ENVIRONMENT.fullmatch(value) else f"`{shown(value)}` is no name of an environment variable"


def environment(key: str, value: str) -> str | None:
    """An environment variable: its name, and its value."""
    return variable("", key) or text("", value)


def text(_key: str, value: str) -> str | None:
    """A text that Argo, which runs KFP's pipelines, hands on as it is: it replaces what stands in double braces."""
    if "\0" in value:
        return "it holds a zero character"
    if "{{" in value or "}}" in value:
        return "it holds `{{` or `}}`, which KFP's engine would replace"
    return _too_long(value)


def line(key: str, value: str) -> str | None:
    """A text on one line, at most 128 characters long."""
    if not value.isprintable() or not value.strip():
        return f"`{shown(value)}` is no text on one line"
    return text(key, value) or ("it is longer than 128 characters" if len(value) > 128 else None)


def filled(_key: str, value: str) -> str | None:
    """Any text but none."""
    return None if value.strip() else "its value is missing"


def named(_key: str, value: str) -> str | None:
    """A name on one line."""
    return None if value.strip() and value.isprintable() else f"`{shown(value)}` is no name on one line"


def without_password(_key: str, value: str) -> str | None:
    """A text that goes into the package, where everybody could read the password of an address."""
    if not re.search(r"https?://[^/\s@]+@", value, re.IGNORECASE):
        return None
    return "it holds an address with a user or password, which would stand in the package"


def anything(_key: str, _value: str) -> str | None:
    """Any text."""
    return None


def identifier(_key: str, value: str) -> str | None:
    """The name of a variable of the notebook."""
    return None if value.isidentifier() else f"`{shown(value)}` is no name of a variable"


def variables(_key: str, value: str) -> str | None:
    """The names of at least two variables of the notebook, divided by commas."""
    found = value.split(",")
    if len(set(found)) < max(2, len(found)):
        return f"`{shown(value)}` does not name two different variables, divided by a comma"
    return next((wrong for name in found if (wrong := identifier("", name))), None)


def metric(_key: str, value: str) -> str | None:
    """A variable of the notebook, and what kind of metric it is."""
    name, equals, shape = value.partition("=")
    if equals and shape not in METRIC_KINDS:
        near = "".join(f"; did you mean `{kind}`?" for kind in difflib.get_close_matches(shape, METRIC_KINDS, n=1))
        return f"`{shown(shape)}` is none of {', '.join(METRIC_KINDS)}{near}"
    return identifier("", name)


def object_name(what: str) -> Check:
    """The name of an object in the cluster: a DNS name of at most 253 characters."""
    return lambda _key, name: None if _is_object(name) else f"`{shown(name)}` is no name of {what}"


def keyed(what: str) -> Check:
    """`NAME:KEY` of a secret or config map, and the environment variable that gets it."""

    def check(key: str, value: str) -> str | None:
        name, _, data = key.partition(":")
        if not _is_object(name):
            return f"`{shown(name)}` is no name of {what}"
        if not _DATA_KEY.fullmatch(data):
            return f"`{shown(data)}` is no key in {what}: letters, digits, `-`, `_` and `.`"
        return variable("", value)

    return check


def mounted(what: str) -> Check:
    """The name of a secret or config map that becomes a volume, and where."""

    def check(key: str, value: str) -> str | None:
        # KFP names the pod's volume like the object, and a volume's name is a label
        return None if is_label(key) and _is_object(key) else f"`{shown(key)}` is no name of {what} for a volume"

    return lambda key, value: check(key, value) or path("", value)


def path(_key: str, value: str) -> str | None:
    """An absolute path in a container."""
    parts = value.split("/")
    if not value.startswith("/") or value == "/" or ":" in value or not value.isprintable() or ".." in parts:
        return f"`{shown(value)}` is no absolute path"
    return text("", value) or ("its path is longer than 1024 characters" if len(value) > 1024 else None)


def field_path(key: str, value: str) -> str | None:
    """An environment variable, and the field of the pod that it gets."""
    if not _FIELDS.fullmatch(value):
        return f"`{shown(value)}` is no field that a pod hands out, like metadata.name or status.podIP"
    if "'" in value and (wrong := qualified(value.split("'")[1])):
        return wrong
    return variable("", key)


def security(key: str, value: str) -> str | None:
    """A field of the security context, and its value."""
    if key not in IDENTITIES:
        return f"`{shown(key)}` is none of {', '.join(IDENTITIES)}"
    if key == "run-as-non-root":
        return one_of("true", "false")("", value)
    if not re.fullmatch(r"0|[1-9][0-9]{0,9}", value) or int(value) >= 1 << 31:
        return f"`{shown(value)}` is no number of a user or group"
    return None


def retry(_key: str, value: str) -> str | None:
    """COUNT[:WAIT[:FACTOR[:LONGEST]]]."""
    count, *rest = value.split(":")
    if not re.fullmatch(r"[1-9][0-9]{0,3}", count):
        return f"`{shown(count)}` is no number of retries from 1 to 9999"
    if len(rest) > 3:
        return "it has more parts than count, wait, factor and longest wait"
    if len(rest) > 1 and not (re.fullmatch(r"[1-9][0-9]?(\.[0-9]{1,3})?", rest[1])):
        return f"`{shown(rest[1])}` is no factor from 1 to 99"
    return next((wrong for part in rest[::2] if (wrong := duration("", part))), None)


def toleration(_key: str, value: str) -> str | None:
    """KEY[=VALUE][:EFFECT[:SECONDS]], where the key may be `*`."""
    taint, *rest = value.split(":")
    key, equals, taken = taint.partition("=")
    if len(rest) > 2:
        return "it has more parts than taint, effect and seconds"
    wrong = None if key == "*" and not equals else label(key, taken)
    if wrong:
        return wrong
    if rest and rest[0] not in EFFECTS:
        return f"`{shown(rest[0])}` is none of {', '.join(EFFECTS)}"
    if len(rest) > 1 and (rest[0] != "NoExecute" or not re.fullmatch(r"[0-9]{1,9}", rest[1])):
        return f"`{shown(rest[1])}` is no number of seconds, which NoExecute alone takes"
    return None


def affinity(_key: str, value: str) -> str | None:
    """KEY:OPERATOR[:VALUES[:WEIGHT]], the values divided by commas."""
    key, *rest = value.split(":")
    operator, values, weight = [*rest, "", "", ""][:3]
    if wrong := qualified(key):
        return wrong
    if operator not in OPERATORS:
        return f"`{shown(operator)}` is none of {', '.join(OPERATORS)}"
    if len(rest) > 3 or (weight and not re.fullmatch(r"[1-9][0-9]?|100", weight)):
        return f"`{shown(':'.join(rest[2:]))}` is no weight from 1 to 100"
    listed = values.split(",") if values else []
    if bool(listed) == (operator in ("Exists", "DoesNotExist")):
        return f"{operator} takes {'no values' if listed else 'values'}"
    if operator in ("Gt", "Lt") and not (len(listed) == 1 and re.fullmatch(r"-?[0-9]+", listed[0])):
        return f"{operator} takes one whole number"
    return next((wrong for item in listed if (wrong := label("key", item) if item else "a value is empty")), None)


def pipeline_root(_key: str, value: str) -> str | None:
    """Where a run's artifacts are kept."""
    return None if _ROOT.fullmatch(value) else f"`{shown(value)}` is no address like gs://bucket/folder"


def _is_object(name: str) -> bool:
    return bool(_PREFIX.fullmatch(name)) and len(name) <= 253


def _too_long(value: str) -> str | None:
    if len(value.encode("utf-8", "replace")) > LONGEST_VALUE:
        return f"its value is longer than {LONGEST_VALUE:,} bytes"
    return None
