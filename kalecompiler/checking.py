"""What `kalec check` does: find the notebooks, pass over those without tags, check the others side by side.

Each notebook is planned as for `compile`, and asked what only `check` asks (`lint`); then `noqa` and the selection of
rules take findings away, and each that is left gets its place in the file.
"""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kalecompiler import checkcache, checksettings, discovery, notebook, physical, suppression, tagged, watch
from kalecompiler.checkcache import Cache
from kalecompiler.checksettings import CheckSettings, Overrides
from kalecompiler.diagnostics import RULES, Diagnostic, NotebookError, UsageError, has_errors
from kalecompiler.model import Notebook

_WORTH_A_POOL = 8
"""Fewer notebooks than this are checked sooner than two processes are started."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to check, and how. `jobs` None is as many as there are cores; `data` is what `-` among the paths stands for.

    `cache`: use results of earlier runs. `force_exclude`: leave out excluded files even where they are named.
    `skip_untagged`: pass over a notebook without tags even where it alone is named.
    """

    paths: tuple[Path, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    overrides: Overrides = field(default_factory=Overrides)
    jobs: int | None = None
    cache: bool = False
    force_exclude: bool = False
    skip_untagged: bool = False
    data: bytes | None = None
    name: Path | None = None


@dataclass(frozen=True, slots=True)
class FileResult:
    """One notebook: `state` is `checked`, `untagged`, `unreadable` or `failed` (by a bug of ours).

    `hidden_errors` are those that `noqa` or the selection took away; `problem` says why it could not be checked;
    `codes` are those of the rules that it was asked about.
    """

    path: Path
    state: str
    diagnostics: tuple[Diagnostic, ...] = ()
    hidden_errors: int = 0
    problem: str = ""
    codes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Report:
    """All notebooks, in the order in which they were found; `problems` are paths that lead to none."""

    files: tuple[FileResult, ...]
    problems: tuple[str, ...] = ()

    def count(self, state: str) -> int:
        """How many notebooks are in that state."""
        return sum(file.state == state for file in self.files)

    @property
    def notebooks(self) -> int:
        """How many were checked."""
        return self.count("checked")

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """All findings."""
        return tuple(finding for file in self.files for finding in file.diagnostics)

    @property
    def unreadable(self) -> tuple[str, ...]:
        """Why paths could not be checked, each reason once."""
        return (*self.problems, *dict.fromkeys(file.problem for file in self.files if file.state == "unreadable"))

    @property
    def hidden_errors(self) -> int:
        """How many errors are not among the findings, as somebody chose so: `compile` would still refuse them."""
        return sum(file.hidden_errors for file in self.files)


@dataclass(frozen=True, slots=True)
class _Job:
    """One notebook to check: `key` is that of the cache in `folder`, both empty where there is none."""

    path: Path
    data: bytes
    options: Mapping[str, Any]
    codes: frozenset[str]
    key: str = ""
    folder: str = ""


def run(request: Request) -> Report:
    """Check notebooks. Raises UsageError where the configuration is wrong."""
    checksettings.forget()
    root = configuration(request, Path())
    paths = request.paths or tuple(_from(root.folder, pattern) for pattern in root.notebooks)
    found = discovery.find(
        [path for path in paths if str(path) != "-"],
        lambda folder: configuration(request, folder),
        force=request.force_exclude,
    )
    caches = checkcache.folder_for(root.folder) if request.cache else None
    results: dict[Path, FileResult] = {}
    jobs = []
    for path, data in _read(found.files, request, results):
        job = _job(path, data, request, caches, lenient=found.alone and not request.skip_untagged)
        results[path] = job if isinstance(job, FileResult) else FileResult(path, "checked")
        jobs += [job] if isinstance(job, _Job) else []
    if jobs and caches is not None:
        Cache(caches).prepare()
    results |= {result.path: result for result in _results(jobs, request.jobs)}
    return Report(tuple(results.values()), found.problems)


def _from(folder: Path, pattern: str) -> Path:
    """A path of the configuration, as one would name it from the current folder."""
    return Path(os.path.relpath(folder / pattern))


def configuration(request: Request, folder: Path) -> CheckSettings:
    """The settings that hold for what is in a folder. Raises UsageError where they are wrong."""
    return request.overrides.over(checksettings.nearest(folder))


def _read(files: Iterable[Path], request: Request, results: dict[Path, FileResult]) -> Iterable[tuple[Path, bytes]]:
    """The content of each notebook; one that cannot be read is a result, and does not keep the others from it."""
    if request.data is not None:
        yield request.name or Path("-"), request.data
    for path in files:
        try:
            yield path, notebook.read_bytes(path)
        except UsageError as error:
            results[path] = FileResult(path, "unreadable", problem=str(error))


def _job(path: Path, data: bytes, request: Request, caches: Path | None, *, lenient: bool) -> _Job | FileResult:
    """What is to be done about a notebook, or its result where that is known already."""
    if not lenient and not tagged.is_tagged(data):
        return FileResult(path, "untagged", codes=frozenset(RULES))
    settings = configuration(request, path.parent)
    codes = settings.selection.codes(discovery.relative(path, settings.folder))
    if caches is None:
        return _Job(path, data, request.options, codes)
    options = repr(sorted(request.options.items()))
    key = checkcache.key_of(str(path), str(path.absolute()), data, options, " ".join(sorted(codes)))
    known = _known(path, codes, Cache(caches).get(key))
    return known or _Job(path, data, request.options, codes, key, str(caches))


def _known(path: Path, codes: frozenset[str], content: checkcache.Content | None) -> FileResult | None:
    """The result that was kept; None where there is none, or it is damaged."""
    if content is None:
        return None
    try:
        return FileResult(
            path,
            str(content["state"]),
            tuple(checkcache.from_data(raw) for raw in content["diagnostics"]),
            int(content["hidden"]),
            str(content["problem"]),
            codes,
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _results(jobs: Sequence[_Job], count: int | None) -> Iterable[FileResult]:
    """The results of the jobs, in their order, from several processes where that is worth it."""
    processes = min(count or _cores(), len(jobs))
    if processes < 2 or len(jobs) < _WORTH_A_POOL:
        return [_work(job) for job in jobs]
    # forked processes have all modules already; elsewhere they start anew
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else None)
    if sys.platform == "linux":
        _warm_up()
    chunk = max(1, min(8, len(jobs) // (4 * processes)))
    with concurrent.futures.ProcessPoolExecutor(processes, context, _quietly) as pool:
        try:
            return list(pool.map(_work, jobs, chunksize=chunk))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _cores() -> int:
    """The cores that this process may use: in a container fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _warm_up() -> None:
    from kalecompiler import lint, plan, sizes

    _ = (lint, plan, sizes)  # imported before the processes part


def _quietly() -> None:
    """An interrupt is for the process that started the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _work(job: _Job) -> FileResult:
    """Check one notebook, and keep the result."""
    with watch.watching() as watched:
        result = _checked(job)
    if job.key and result.state == "checked":
        content = {
            "state": result.state,
            "diagnostics": [checkcache.as_data(d) for d in result.diagnostics],
            "hidden": result.hidden_errors,
            "problem": result.problem,
        }
        Cache(Path(job.folder)).put(job.key, content, watched)
    return result


def _checked(job: _Job) -> FileResult:
    try:
        kept, hidden = examine(job.path, job.data, job.options, job.codes)
    except UsageError as error:
        return FileResult(job.path, "unreadable", problem=str(error))
    except Exception as error:  # a bug of ours that one notebook meets must not hide what is found in the others
        if os.environ.get("KALEC_DEBUG"):
            raise
        return FileResult(job.path, "failed", problem=f"{type(error).__name__}: {error}")
    hidden_errors = sum(has_errors([finding]) for finding in hidden)
    return FileResult(job.path, "checked", tuple(kept), hidden_errors, codes=job.codes)


def examine(
    path: Path, data: bytes, options: Mapping[str, Any], codes: frozenset[str]
) -> tuple[list[Diagnostic], list[Diagnostic]]:
    """The findings on one notebook with their places in the file, and those that are not wanted.

    Args:
        path: what the notebook is called, and where its modules and configuration are.
        data: its content.
        options: settings of its pipeline.
        codes: the rules that count.

    Raises UsageError where its configuration is wrong.
    """
    book, found = _found(path, data, options, codes)
    parted = suppression.apply(book, found) if book else suppression.Suppressed(tuple(found), ())
    kept = [finding for finding in parted.kept if finding.rule.code in codes]
    hidden = [*parted.hidden, *(finding for finding in parted.kept if finding.rule.code not in codes)]
    return physical.place(_text(path, data), kept, str(path)) if kept else [], hidden


def _found(
    path: Path, data: bytes, options: Mapping[str, Any], codes: frozenset[str]
) -> tuple[Notebook | None, list[Diagnostic]]:
    """The notebook, if it is one, and all that is found in it."""
    from kalecompiler import lint, plan, sizes

    try:
        analysis = plan.analyse(path, options, data)
        planned = plan.complete(analysis)
    except NotebookError as error:
        return None, list(error.diagnostics)
    found = list(planned.diagnostics)
    with plan.deep_recursion():
        if planned.pipeline is not None:
            found += sizes.check_sizes(planned.pipeline, sizes.measure(planned.pipeline))
        found += lint.find(analysis, planned, codes)
    return planned.notebook, [*found, *suppression.unknown(planned.notebook)]


def _text(path: Path, data: bytes) -> str:
    try:
        return notebook.decode(path, data)
    except NotebookError:  # no text at all: its finding is on the first line
        return ""
