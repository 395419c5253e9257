"""What one can ask of the compiler: a few lines each, calling the phases in their order.

Every function takes what the command line parsed and returns what there is to show; nothing here prints. A phase is
imported by the command that needs it, so that `kalec check` never pays for kfp.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kalecompiler.diagnostics import (
    RULES,
    Diagnostic,
    NotebookError,
    UsageError,
    has_errors,
)
from kalecompiler.model import Pipeline
from kalecompiler.suggest import did_you_mean
from kalecompiler.wording import counted

if TYPE_CHECKING:
    from kalecompiler.compile import Compiled
    from kalecompiler.local import Event, RunResult

Options = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Checked:
    """The findings of several notebooks, and about each path that could not be read, why."""

    notebooks: int
    diagnostics: tuple[Diagnostic, ...]
    unreadable: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Package:
    """A compiled notebook, with the warnings of all phases."""

    pipeline: Pipeline
    compiled: Compiled
    diagnostics: tuple[Diagnostic, ...]

    @property
    def summary(self) -> str:
        """`8 steps, a workflow of about 63 kB`."""
        size = f"{self.compiled.workflow_bytes / 1000:,.0f} kB"
        return f"{counted(len(self.pipeline.steps), 'step')}, about {size} as a workflow on the cluster"


def status(diagnostics: Sequence[Diagnostic], strict: bool = False) -> int:
    """The exit status that findings mean."""
    return int(has_errors(diagnostics) or (strict and bool(diagnostics)))


def check(paths: Iterable[Path], options: Options) -> Checked:
    """Check each notebook as far as it can be: one that cannot be read does not keep the others from it."""
    from kalecompiler import sizes
    from kalecompiler.plan import plan

    count, found, unreadable = 0, list[Diagnostic](), list[str]()
    for path in paths:
        try:
            planned = plan(path, options)
            count += 1
            found += planned.diagnostics
            if planned.pipeline is not None:
                found += sizes.check_sizes(planned.pipeline, sizes.measure(planned.pipeline))
        except NotebookError as error:
            found += error.diagnostics
            count += 1
        except UsageError as error:
            unreadable.append(str(error))
    return Checked(count, tuple(found), tuple(unreadable))


def compile_(path: Path, options: Options, *, limit: bool = True) -> Package:
    """Compile a notebook; `limit=False` lets a package pass that is too large for a cluster.

    Raises NotebookError with all findings, UsageError.
    """
    from kalecompiler.plan import plan

    planned = plan(path, options)
    if planned.pipeline is None or has_errors(planned.diagnostics):
        raise NotebookError(planned.diagnostics)
    from kalecompiler.compile import compile_package, import_kfp_without_client

    import_kfp_without_client()
    try:
        compiled = compile_package(planned.pipeline, limit=limit)
    except NotebookError as error:
        raise NotebookError([*planned.diagnostics, *error.diagnostics]) from None
    return Package(planned.pipeline, compiled, (*planned.diagnostics, *compiled.diagnostics))


@dataclass(frozen=True, slots=True)
class RunRequest:
    """How to run a package here: what `kalec run` was told."""

    parameters: tuple[str, ...] = ()
    file: Path | None = None
    jobs: int | None = None
    until: str | None = None
    isolate: bool = False
    folder: Path | None = None


def run(path: Path, package: Package, request: RunRequest, on_event: Callable[[Event], None]) -> RunResult:
    """Run the package of the notebook at `path` on this machine. Raises UsageError before anything runs."""
    from kalecompiler import local
    from kalecompiler.arguments import parse_arguments

    return local.run(
        package.compiled.spec,
        arguments=parse_arguments(request.parameters, request.file, package.pipeline.parameters),
        folder=request.folder or local.default_root(path.parent),
        workdir=path.parent,
        jobs=request.jobs,
        isolate=request.isolate,
        until=request.until,
        order=[step.name for step in package.pipeline.steps],
        on_event=on_event,
    )


def describe_run(result: RunResult, format_: str) -> str:
    """A run's result as one JSON object, or in words."""
    from kalecompiler import local, outcome

    if format_ == "json":
        return json.dumps(local.to_json(result), indent=1, ensure_ascii=False)
    return outcome.describe(result)


def graph(path: Path, format_: str, options: Options) -> tuple[str, tuple[Diagnostic, ...]]:
    """A notebook's graph in one of the formats, as far as its steps are understood, and the findings."""
    from kalecompiler import graph, picture, report
    from kalecompiler.plan import plan

    try:
        planned = plan(path, options)
        pipeline, diagnostics = planned.draft, tuple(planned.diagnostics)
    except NotebookError as error:
        pipeline, diagnostics = Pipeline(path.stem, path.name, ()), error.diagnostics
    writers: dict[str, Callable[[Pipeline], str]] = {
        "json": lambda known: graph.to_json(known, [report.as_json(finding) for finding in diagnostics]),
        "mermaid": graph.to_mermaid,
        "dot": graph.to_dot,
        "svg": picture.to_svg,
        "text": graph.to_text,
    }
    return writers[format_](pipeline), diagnostics


def why(path: Path, variable: str) -> str:
    """Where each step that reads a variable gets it from. Raises UsageError for an unknown name."""
    from kalecompiler.plan import analyse
    from kalecompiler.why import explain

    return explain(analyse(path, {}), variable)


def rule(code: str | None) -> str:
    """The page of a rule, or without a code the list of all."""
    from kalecompiler import catalogue

    if code is None:
        return "\n".join(f"{rule.code}  {rule.severity.value:7}  {rule.name}" for rule in RULES.values())
    known = code.upper()
    if known not in RULES:
        hint = did_you_mean(known, RULES) or "`kalec rule` lists them"
        raise UsageError(f"there is no rule `{code}`: {hint}")
    return catalogue.page(known)


def init(path: Path, *, write: bool) -> str:
    """The tags proposed for a notebook without any, and what was done with them."""
    from kalecompiler import notebook, starter

    proposals = starter.propose(notebook.read(path)[0])
    if not proposals:
        raise UsageError(f"{path} has no code to make steps of")
    if write:
        starter.write(path, proposals)
    end = f"written to {path}; next: kalec check {path}" if write else "nothing written yet: --write does it"
    return f"{starter.describe(proposals)}\n{end}"


def versions() -> str:
    """kalecompiler's version, Python's and kfp's, without importing kfp."""
    import importlib.metadata
    import platform

    from kalecompiler.version import VERSION

    try:
        kfp = f"kfp {importlib.metadata.version('kfp')}"
    except importlib.metadata.PackageNotFoundError:
        kfp = "kfp is not installed"
    return f"kalecompiler {VERSION} (Python {platform.python_version()}, {kfp})"
