"""Values for pipeline parameters, as a user writes them (`-p name=value`, `-f params.yaml`), typed as declared."""

from __future__ import annotations

import ast
import contextlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kalecompiler.diagnostics import UsageError
from kalecompiler.limits import why_not_carried
from kalecompiler.model import Parameter
from kalecompiler.suggest import closest
from kalecompiler.wording import listed

_TRUE = frozenset({"true", "1", "yes"})
_FALSE = frozenset({"false", "0", "no"})
_NONE = frozenset({"", "none", "null"})
_EXAMPLES = {"int": "5", "float": "0.1", "str": "text", "bool": "true", "list": "[1, 2]", "dict": '{"key": 1}'}
_NOUNS = {"int": "an integer", "float": "a number", "str": "text", "bool": "true or false", "list": "a list"}


def parse_arguments(specs: Sequence[str], file: Path | None, parameters: Sequence[Parameter]) -> dict[str, object]:
    """The values by parameter name, from a YAML or JSON file and from `name=value` texts, which win.

    None for an optional parameter means that it is left out, as if nothing were given. Raises UsageError for a name
    that is no parameter, a value that is not of its type, and a file that cannot be read.
    """
    known = {parameter.name: parameter for parameter in parameters}
    given: dict[str, object] = {}
    for name, value in (_read_file(file) if file else {}).items():
        given[name] = _checked(_lookup(name, known), value, _from_file)
    for spec in specs:
        name, equals, text = spec.partition("=")
        if not equals:
            raise UsageError(f"`-p {spec}` has no value: write `-p {spec}=VALUE`")
        parameter = _lookup(name.strip(), known)
        given[parameter.name] = _checked(parameter, text, _from_text)
    return {name: value for name, value in given.items() if value is not None}


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """The error for a name that is not among those known, with the one that was probably meant."""
    names = sorted(known)
    if meant := closest(name, names):
        return UsageError(f"there is no {kind} `{name}`: did you mean `{meant}`?")
    return UsageError(f"there is no {kind} `{name}`: " + (f"there are {listed(names)}" if names else "there is none"))


def _lookup(name: str, known: Mapping[str, Parameter]) -> Parameter:
    if name not in known:
        raise unknown_name("parameter", name, known)
    return known[name]


def _checked(parameter: Parameter, value: Any, convert: Callable[[Parameter, Any], object]) -> object:
    try:
        return convert(parameter, value)
    except (ValueError, OverflowError, RecursionError) as error:  # OverflowError: an integer that is no float
        shown = value if isinstance(value, str) else repr(value)
        shown = (shown if len(shown) <= 60 else shown[:60] + "...").encode("utf-8", "backslashreplace").decode()
        wanted = _NOUNS.get(parameter.type, "a mapping")
        why = f": {error}" if isinstance(error, _NotCarriedError) else ""
        raise UsageError(
            f"the parameter `{parameter.name}` is {wanted} ({parameter.type}), which `{shown}` is not{why}; "
            f"write for example `{parameter.name}={_EXAMPLES[parameter.type]}`"
        ) from None


class _NotCarriedError(ValueError):
    """A value of the right kind that KFP cannot carry; the text says why."""


def _from_text(parameter: Parameter, text: str) -> object:
    """A value as typed on the command line."""
    if parameter.type == "str":
        return _carriable(text)
    text = text.strip()
    if parameter.optional and text.lower() in _NONE:
        return None
    if parameter.type == "bool":
        return _bool(text)
    if parameter.type == "int":
        return _int(text)
    if parameter.type == "float":
        return _carriable(float(text))
    return _collection(parameter.type, _literal(text))


def _from_file(parameter: Parameter, value: Any) -> object:
    """A value as parsed from YAML or JSON: typed already, except that YAML takes `1e-3` for text."""
    if value is None and parameter.optional:
        return None
    if isinstance(value, str) and parameter.type in {"int", "float"}:
        return _from_text(parameter, value)
    if parameter.type == "str" and isinstance(value, str):
        return _carriable(value)
    if parameter.type == "bool" and isinstance(value, bool):
        return value
    if parameter.type in {"int", "float"} and isinstance(value, (int, float)) and not isinstance(value, bool):
        return _int(value) if parameter.type == "int" else _carriable(float(value))
    if parameter.type == "str" and value is not None and not isinstance(value, (list, dict)):
        raise _NotCarriedError("quote it in the file")
    return _collection(parameter.type, value)


def _bool(text: str) -> bool:
    if text.lower() in _TRUE | _FALSE:
        return text.lower() in _TRUE
    raise ValueError(text)


def _int(value: str | float) -> int:
    """An integer from a number or its text; `5.0` and `1e3` are integers too."""
    try:
        number = int(value) if isinstance(value, (str, int)) else None
    except ValueError:
        number = None
    if number is None:
        as_float = float(value)
        if not as_float.is_integer():  # neither are nan and infinity
            raise ValueError(value)
        number = int(as_float)
    return int(_carriable(number))


def _literal(text: str) -> Any:
    """A list or mapping written as JSON, as a Python literal or in YAML's short form."""
    with contextlib.suppress(ValueError):
        return json.loads(text)
    with contextlib.suppress(ValueError, TypeError, SyntaxError, MemoryError):  # TypeError: `{[]: 1}`
        return ast.literal_eval(text)
    return _yaml(text)


def _yaml(text: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None


def _collection(kind: str, value: Any) -> object:
    if not isinstance(value, {"list": list, "dict": dict}.get(kind, ())):
        raise ValueError(value)
    return _carriable(value)


def _carriable(value: Any) -> Any:
    """The value, if KFP can carry it as it is; else _NotCarriedError."""
    if reason := why_not_carried(value):
        raise _NotCarriedError(f"KFP cannot carry {reason}")
    return value


def _read_file(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        value = json.loads(text) if path.suffix.lower() == ".json" else _yaml(text)
    except OSError as error:
        raise UsageError(f"the parameter file {path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the parameter file {path} is not valid: {error}") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UsageError(f"the parameter file {path} is a {type(value).__name__}: it must map names to values")
    return {str(name): item for name, item in value.items()}
