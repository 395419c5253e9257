"""Pipeline packages as the API server reads them: strictly, and with the same complaints about a run's parameters."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from endpoint.messages import INVALID, ApiError

_UNKNOWN = "unknown template format"

# What the API server says of a value of the wrong type (backend/src/v2/compiler, template/v2_template.go).
_WANTED: dict[str, tuple[tuple[type, ...], str, str]] = {
    "NUMBER_INTEGER": ((int, float), "double or integer", "number"),
    "NUMBER_DOUBLE": ((int, float), "double or integer", "number"),
    "STRING": ((str,), "string", "string"),
    "BOOLEAN": ((bool,), "bool", "bool"),
    "LIST": ((list,), "list", "list"),
    "STRUCT": ((dict,), "struct", "struct"),
}


class NotAPackage(Exception):
    """The text is no pipeline package; `str()` is what the server says."""


@dataclass(frozen=True)
class Package:
    """A PipelineSpec, the PlatformSpec beside it (None without one), as JSON values that were read strictly."""

    spec: Mapping[str, Any]
    platform: Mapping[str, Any] | None = None

    @property
    def api(self) -> dict[str, Any]:
        """The `pipeline_spec` of the API: of a package of two documents it holds both, by name."""
        if self.platform is None:
            return dict(self.spec)
        return {"pipeline_spec": dict(self.spec), "platform_spec": dict(self.platform)}


def read_file(name: str, data: bytes) -> Package:
    """The package in an uploaded file: YAML, or an archive of it. Raises NotAPackage."""
    try:
        return read_text(_unpacked(name, data).decode())
    except (UnicodeDecodeError, tarfile.TarError, zipfile.BadZipFile, KeyError, StopIteration):
        raise NotAPackage(_UNKNOWN) from None


def read_text(text: str) -> Package:
    """The package in the text of one or two YAML documents. Raises NotAPackage."""
    try:
        documents = [document for document in yaml.safe_load_all(text) if document is not None]
    except yaml.YAMLError:
        raise NotAPackage(_UNKNOWN) from None
    if not documents or len(documents) > 2:
        raise NotAPackage(_UNKNOWN)
    return read(*documents)


def read_api(value: Mapping[str, Any]) -> Package:
    """The package in a run's inline `pipeline_spec`. Raises NotAPackage."""
    if "pipeline_spec" in value:
        return read(value["pipeline_spec"], value.get("platform_spec"))
    return read(value)


def read(spec: Any, platform: Any = None) -> Package:
    """Check the documents against KFP's own messages; no unknown field is let through. Raises NotAPackage."""
    if not isinstance(spec, dict) or not {"schemaVersion", "schema_version"} & set(spec):
        raise NotAPackage(_UNKNOWN)
    try:
        first = _strict(spec, pipeline_spec_pb2.PipelineSpec())
        second = _strict(platform, pipeline_spec_pb2.PlatformSpec()) if platform else None
    except json_format.ParseError as error:
        raise NotAPackage(f"invalid v2 pipeline spec: {error}") from None
    if not first.get("root", {}).get("dag", {}).get("tasks"):
        raise NotAPackage("invalid v2 pipeline spec: root component is empty")
    return Package(first, second)


def check_parameters(package: Package, given: Mapping[str, Any]) -> None:
    """Refuse a run's parameters where the server does: unknown, of another type, missing."""
    declared = package.spec["root"].get("inputDefinitions", {}).get("parameters", {})
    for name, definition in declared.items():
        if given.get(name) is not None:
            _check_type(name, given[name], str(definition.get("parameterType")))
        elif "defaultValue" not in definition and not definition.get("isOptional"):
            raise _bad_inputs(
                f"parameter {name} is not optional, yet has neither default value nor user provided value"
            )
    if extra := sorted(set(given) - set(declared)):
        raise _bad_inputs(f"parameter(s) provided are not required by pipeline: {', '.join(extra)}")


def _check_type(name: str, value: Any, kind: str) -> None:
    if kind not in _WANTED:
        return
    types, wanted, got = _WANTED[kind]
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        raise _bad_inputs(
            f"input parameter {name} requires type {wanted}, but the parameter value is not of {got} value type"
        )


def _bad_inputs(detail: str) -> ApiError:
    outside = "Failed to create a new run: Failed to generate the ExecutionSpec: invalid pipeline job inputs"
    return ApiError(INVALID, f"{outside}: Invalid input error: {detail}", detail)


def _strict(value: Any, message: Any) -> dict[str, Any]:
    parsed = json_format.ParseDict(value, message, ignore_unknown_fields=False)
    found: dict[str, Any] = json_format.MessageToDict(parsed)
    return found


def _unpacked(name: str, data: bytes) -> bytes:
    if name.endswith((".tar.gz", ".tgz")):
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            member = next(m for m in archive.getmembers() if m.name.endswith(".yaml"))
            file = archive.extractfile(member)
            return file.read() if file else b""
    if name.endswith(".zip"):
        with zipfile.ZipFile(io.BytesIO(data)) as zipped:
            return zipped.read(next(entry for entry in zipped.namelist() if entry.endswith(".yaml")))
    return data
