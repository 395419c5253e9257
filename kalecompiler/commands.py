"""What one can ask of the compiler: a few lines each, calling the phases in their order.

Every function takes what the command line parsed and returns what there is to show; nothing here prints. A phase is
imported by the command that needs it, so that `kalec check` never pays for kfp.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
    from kalecompiler.checking import Report, Request
    from kalecompiler.compile import Compiled
    from kalecompiler.local import Event, RunResult
    from kalecompiler.local.keeping import Keeper
    from kalecompiler.local.provided import Provided
    from kalecompiler.local.tasks import Task
    from kalecompiler.packagecheck import Compared
    from kalecompiler.snapshots.manifest import Manifest
    from kalecompiler.snapshots.reuse import Reuse

Options = Mapping[str, Any]
BUG, INTERRUPTED = 70, 130  # exit statuses


@dataclass(frozen=True, slots=True)
class Package:
    """A compiled notebook, with the warnings of all phases; `source` is what its file held."""

    pipeline: Pipeline
    compiled: Compiled
    diagnostics: tuple[Diagnostic, ...]
    source: bytes
    experiment: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """`8 steps, a workflow of about 63 kB`."""
        size = f"{self.compiled.workflow_bytes / 1000:,.0f} kB"
        return f"{counted(len(self.pipeline.steps), 'step')}, about {size} as a workflow on the cluster"


def status(diagnostics: Sequence[Diagnostic], strict: bool = False) -> int:
    """The exit status that findings mean."""
    return int(has_errors(diagnostics) or (strict and bool(diagnostics)))


def run_status(result: RunResult) -> int:
    """The exit status that the end of a run here means."""
    return {"succeeded": 0, "stopped": INTERRUPTED}.get(result.status.value, 1)


def bug(what: str) -> str:
    """What to say of an error that we did not foresee, and how to report it."""
    return (
        f"this is a bug of kalecompiler: {what}; please report it with what this command prints under KALEC_DEBUG=1, "
        "and with the notebook if you can"
    )


def check(paths: Iterable[Path], options: Options, request: Request | None = None) -> Report:
    """Check each notebook as far as it can be: one that cannot be read does not keep the others from it.

    `request` says how, beside paths and options. Raises UsageError where the configuration is wrong.
    """
    from kalecompiler import checking

    return checking.run(replace(request or checking.Request(), paths=tuple(paths), options=options))


def compile_(path: Path, options: Options, *, limit: bool = True, tracked: bool = False) -> Package:
    """Compile a notebook; `limit=False` lets a package pass that is too large for a cluster.

    `tracked`: its steps tell the trackers of themselves (those of a local run need not: the runner does).

    Raises NotebookError with all findings, UsageError.
    """
    from kalecompiler import notebook
    from kalecompiler.plan import plan

    source = notebook.read_bytes(path)
    planned = plan(path, options, source)
    if planned.pipeline is None or has_errors(planned.diagnostics):
        raise NotebookError(planned.diagnostics)
    pipeline, notes = _with_trackers(planned.pipeline, path) if tracked else (planned.pipeline, [])
    from kalecompiler.compile import compile_package, import_kfp_without_client

    import_kfp_without_client()
    try:
        compiled = compile_package(pipeline, limit=limit)
    except NotebookError as error:
        raise NotebookError([*planned.diagnostics, *error.diagnostics]) from None
    diagnostics = (*planned.diagnostics, *compiled.diagnostics)
    return Package(pipeline, compiled, diagnostics, source, planned.settings.experiment, tuple(notes))


def _with_trackers(pipeline: Pipeline, path: Path) -> tuple[Pipeline, list[str]]:
    """The pipeline with the trackers that the project wants, and what is to be said about them."""
    from kalecompiler.tracking import registry

    found, said = registry.for_steps(path.parent)
    return replace(pipeline, trackers=found), said


def package_path(path: Path, format_: str) -> Path:
    """Where the package of a notebook is written if nothing else is said.

    Raises UsageError where a file that is no compiled pipeline would be lost: `train.yaml` may hold settings.
    """
    from kalecompiler import packagecheck

    target = packagecheck.package_path(path, beside=False).with_suffix(f".{format_}")
    if packagecheck.is_foreign(target):
        raise UsageError(
            f"{target} is there, and is no compiled pipeline, which would be replaced: write over it all the same "
            f"with `-o {target}`, or name another file"
        )
    return target


def check_packages(paths: Sequence[Path], options: Options) -> Compared:
    """Compare the packages of notebooks with what they compile to; without paths those that the settings name.

    Raises UsageError where the configuration is wrong.
    """
    from kalecompiler import checksettings, discovery, packagecheck

    checksettings.forget()
    settings = checksettings.nearest(Path())
    wanted = paths or [Path(os.path.relpath(settings.folder / pattern)) for pattern in settings.notebooks]
    found = discovery.find(wanted, checksettings.nearest)
    compared = packagecheck.compare(found.files, lambda path: compile_(path, options, tracked=True).compiled.text)
    return replace(compared, problems=(*found.problems, *compared.problems))


@dataclass(frozen=True, slots=True)
class RunRequest:
    """How to run a package here: what `kalec run` was told.

    `arguments` are values that hold where nothing else is said; `reuse` tells which steps need not run.
    """

    parameters: tuple[str, ...] = ()
    file: Path | None = None
    jobs: int | None = None
    until: str | None = None
    isolate: bool = False
    folder: Path | None = None
    volumes: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    config_maps: tuple[str, ...] = ()
    arguments: Mapping[str, object] = field(default_factory=dict)
    reuse: Reuse | None = None

    def provided(self) -> Provided:
        """What was given in place of volumes, secrets and config maps. Raises UsageError for what is wrong."""
        from kalecompiler.local import provided

        return provided.parse(self.volumes, self.secrets, self.config_maps)


def run(
    path: Path,
    package: Package,
    request: RunRequest,
    on_event: Callable[[Event], None],
    note: Callable[[str], None] = lambda text: None,
) -> RunResult:
    """Run the package of the notebook at `path` on this machine; `note` is told what is not honoured here.

    Raises UsageError before anything runs.
    """
    from kalecompiler import local, provenance
    from kalecompiler.arguments import parse_arguments
    from kalecompiler.reporting import keeping
    from kalecompiler.tracking import registry, telling

    source = package.source  # and not what the file holds now: its author may have saved it since
    teller = telling.Teller(registry.wanted(path.parent), note)

    def observe(event: Event) -> None:
        if isinstance(event, local.RunStarted):
            keeping.keep(source, event.folder)
        on_event(event)
        teller.take(event)

    compiled = package.compiled
    folder = request.folder or local.default_root(path.parent)
    given = parse_arguments(request.parameters, request.file, package.pipeline.parameters)
    reuse = request.reuse
    origin = provenance.gather(path, source, package.pipeline, compiled.spec, compiled.platform)
    order = [step.settings.one("display-name") or step.name for step in package.pipeline.steps]
    return local.run(
        compiled.spec,
        arguments={**request.arguments, **given},
        folder=folder,
        workdir=path.parent,
        jobs=request.jobs,
        isolate=request.isolate,
        until=request.until,
        order=order,
        on_event=observe,
        platform=compiled.platform,
        given=request.provided(),
        note=note,
        about={**keeping.about(package.pipeline), "provenance": origin},
        keeper=_keeper(
            path, package, folder, order, note, origin, reuse.manifests if reuse else {}, told(path, request)
        ),
        taken=reuse.taken if reuse else {},
    )


def _keeper(
    path: Path,
    package: Package,
    folder: Path,
    order: Sequence[str],
    note: Callable[[str], None],
    origin: Mapping[str, Any],
    taken: Mapping[str, Manifest],
    given: Callable[[Task], Mapping[str, str]],
) -> Keeper | None:
    """Who keeps the record and the snapshots of a run whose folder is in `folder`; None where that is not possible."""
    from kalecompiler.local.folders import STORE, home_of
    from kalecompiler.snapshots.ingest import Ingest
    from kalecompiler.snapshots.store import Store, StoreProblem

    try:
        store = Store.open(home_of(folder) / STORE, create=True)
    except StoreProblem as error:
        note(f"no snapshots are kept: {error}")
        return None
    text = package.compiled.text.encode()
    return Ingest(store, path, text, tuple(order), note, taken, origin, package.source, given=given)


def told(path: Path, request: RunRequest) -> Callable[[Task], Mapping[str, str]]:
    """What a run of the notebook at `path` is told that reaches a task, for its key. Raises UsageError."""
    from kalecompiler.snapshots import keys

    sources = request.provided()
    folder = os.path.realpath(path.parent)
    return lambda task: keys.told(task, sources, request.isolate, folder)


def report_run(run: str, folder: Path | None, output: Path | None, format_: str) -> list[Path]:
    """Write the report of a local run, `all` of it or one format; the files that were written. Raises UsageError."""
    from kalecompiler.reporting import find, writing

    return writing.write(find.find(run, folder), output, format_)


def track(folder: Path | None) -> tuple[list[str], int]:
    """Send what trackers were not told of earlier runs: a line for each queue, and how many could not be sent."""
    from kalecompiler.tracking import later

    return later.send_all(folder)


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


def config(path: Path, options: Options, format_: str, *, show_origin: bool) -> tuple[str, tuple[Diagnostic, ...]]:
    """The effective settings of a notebook, and what is wrong with them."""
    from kalecompiler import configuration

    found, diagnostics = configuration.rows(path, dict(options))
    text = configuration.as_json(found) if format_ == "json" else configuration.as_text(found, show_origin)
    return text, tuple(diagnostics)


def schema() -> str:
    """The JSON schema of `[tool.kalecompiler]`."""
    from kalecompiler import settingschema

    return settingschema.text()


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


def init_project(folder: Path, ci: Sequence[str]) -> str:
    """Set up a project: its configuration, and what runs the checks; says what was done. Raises UsageError."""
    from kalecompiler import projectfiles

    return projectfiles.write(folder, ci)


def tag(path: Path, cell: str, tags: Sequence[str]) -> str:
    """Give a cell tags; says what it has then. Raises UsageError."""
    from kalecompiler import tagging

    return tagging.tag(path, cell, tags)


def untag(path: Path, cell: str, tags: Sequence[str]) -> str:
    """Take tags from a cell; says what it has then. Raises UsageError."""
    from kalecompiler import tagging

    return tagging.untag(path, cell, tags)


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
