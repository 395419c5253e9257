"""Phase 7, compile: the KFP module becomes a pipeline package, YAML with the same bytes every time."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import re
import sys
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kalecompiler import kfpversions, limits, render, sizes
from kalecompiler.diagnostics import Diagnostic, NotebookError, has_errors
from kalecompiler.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from yaml import SafeDumper, ScalarNode

    from kalecompiler.model import Pipeline

_AMBIGUOUS = re.compile(r"[0-9.+-]|[yYnN]\Z")
"""Text that some reader of YAML takes for a number or a truth value (`12e3`, `0o7`, `y`)."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """A pipeline package: its YAML text, the one or two documents in it, and the KFP module that it was made of."""

    text: str
    spec: dict[str, Any]
    platform: dict[str, Any] | None
    module: str
    workflow_bytes: int
    diagnostics: tuple[Diagnostic, ...] = ()


def check(pipeline: Pipeline) -> tuple[Diagnostic, ...]:
    """Every reason (KC5xx) why KFP or a cluster could not run the pipeline; needs no kfp."""
    findings = limits.check_expressible(pipeline)
    return findings if has_errors(findings) else (*findings, *sizes.check_sizes(pipeline, sizes.measure(pipeline)))


def compile_package(pipeline: Pipeline, *, limit: bool = True) -> Compiled:
    """Compile the pipeline; `limit=False` does so even if the package is too large to run.

    Raises NotebookError (KC5xx) where KFP or a cluster could not run it, UsageError where kfp is too old for a setting.
    """
    kfpversions.check(pipeline)
    if has_errors(refused := limits.check_expressible(pipeline)):
        raise NotebookError(refused)
    measured = sizes.measure(pipeline)
    module = render.render(pipeline, shared=measured.shared)
    findings = sizes.check_sizes(pipeline, measured) if limit else ()
    if has_errors(findings):
        raise NotebookError(findings)
    spec, platform = execute(module)
    text = dump(pipeline.name, spec, platform)
    return Compiled(text, spec, platform, module, measured.workflow, findings)


def execute(module: str) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The pipeline's and (where there is one) the platform's document of a rendered module."""
    with _silence():
        from google.protobuf import json_format

        namespace: dict[str, Any] = {"__name__": "kalecompiler_rendered_pipeline"}
        exec(compile(module, "<rendered pipeline>", "exec", dont_inherit=True), namespace)  # noqa: S102 - it is our template's
        pipeline = namespace[render.ENTRY]
        spec = json_format.MessageToDict(pipeline.pipeline_spec)
        platform = json_format.MessageToDict(pipeline.platform_spec)
    return spec, platform or None


def dump(name: str, spec: dict[str, Any], platform: dict[str, Any] | None) -> str:
    """The package as YAML; `name`, the pipeline's, goes into the comment on top. Raises ValueError if it could not."""
    import yaml

    if not re.fullmatch("[a-z0-9-]+", name):
        raise ValueError(f"not a pipeline name: {name!r}")
    documents = [spec] if platform is None else [spec, platform]
    body = yaml.dump_all(documents, Dumper=_dumper(), sort_keys=True, allow_unicode=True, width=2**31 - 1)
    return f"# Kubeflow pipeline {name}, compiled by kalecompiler {VERSION} from a notebook.\n{body}"


def import_kfp_without_client() -> None:
    """Import kfp by its own switch for a short start, which leaves out `kfp.Client`; no effect where it is imported.

    The client brings all of Kubernetes' API, and takes four times as long as what compiles. `kfp.client` can still be
    imported. For processes of ours: a library must not take `kfp.Client` from its user.
    """
    switch = "_KFP_RUNTIME"
    if "kfp" in sys.modules or switch in os.environ:
        return
    os.environ[switch] = "true"
    try:
        with _silence():
            importlib.import_module("kfp")
    finally:
        del os.environ[switch]


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keeps what kfp prints, and its warnings about its own future, off our output."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def _dumper() -> type[SafeDumper]:
    """A dumper, libyaml's where PyYAML has it, that shows text of several lines as such and quotes ambiguous text."""
    import yaml

    base: type[SafeDumper] = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

    class Dumper(base):  # type: ignore[valid-type, misc]
        pass

    def represent(dumper: SafeDumper, text: str) -> ScalarNode:
        style = "|" if "\n" in text else "'" if _AMBIGUOUS.match(text) else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)

    Dumper.add_representer(str, represent)
    return Dumper
