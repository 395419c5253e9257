"""The command `kalec check`: its options, what it prints where, and its exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from kalecompiler import commands, console
from kalecompiler.diagnostics import Diagnostic, UsageError
from kalecompiler.files import write_atomic
from kalecompiler.options import COLOR, IMAGE, STRICT, examples
from kalecompiler.wording import cause, counted

if TYPE_CHECKING:
    from kalecompiler.checking import Report, Request
    from kalecompiler.fixing import Fixed

Function = TypeVar("Function", bound=Callable[..., Any])
FORMATS = ("full", "concise", "json", "github", "gitlab", "sarif", "junit", "text")
# What is for people says more on stderr than what is for programs.
_FOR_PEOPLE = ("full", "text", "concise", "github")


@dataclass(frozen=True, slots=True)
class Shown:
    """How findings are shown: what `kalec check` was told about that."""

    format: str
    output: Path | None
    strict: bool
    quiet: bool
    statistics: bool
    exit_zero: bool


def _codes(_: click.Context, __: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...] | None:
    """Codes from one option or several, each a list with commas; None where none was given."""
    return tuple(code for text in value for code in text.split(",")) if value else None


def _per_file(
    _: click.Context, __: click.Parameter, value: tuple[str, ...]
) -> tuple[tuple[str, tuple[str, ...]], ...] | None:
    """`PATTERN:CODES` of each option."""
    found = []
    for text in value:
        pattern, colon, codes = text.rpartition(":")
        if not colon:
            raise click.BadParameter(f"{text!r} is not a pattern and codes: write 'legacy/*.ipynb:KC3,KC604'")
        found.append((pattern, tuple(codes.split(","))))
    return tuple(found) or None


def _options(function: Function) -> Function:
    """The options that say which notebooks and rules count; they arrive as one argument each."""
    codes: dict[str, Any] = {"multiple": True, "metavar": "CODES", "callback": _codes}
    names: dict[str, Any] = {"multiple": True, "metavar": "PATTERN", "callback": _codes}
    options = [
        click.option("--select", help="Rules that count, as in KC2,KC302 or ALL.", **codes),
        click.option("--extend-select", help="Rules that count beside those that do anyway.", **codes),
        click.option("--ignore", help="Rules that do not count.", **codes),
        click.option(
            "--per-file-ignores",
            multiple=True,
            metavar="PATTERN:CODES",
            callback=_per_file,
            help="Rules that do not count in some files.",
        ),
        click.option("--exclude", help="Files and folders to leave out, in place of the usual ones.", **names),
        click.option("--extend-exclude", help="Files and folders to leave out too.", **names),
        click.option("--force-exclude", is_flag=True, help="Leave out excluded files even where they are named."),
        click.option("--skip-untagged", is_flag=True, help="Pass over a notebook without tags even if named alone."),
    ]
    for option in reversed(options):
        function = option(function)
    return function


@click.command(
    epilog=examples(
        "kalec check",
        "kalec check churn.ipynb",
        "kalec check notebooks --select KC2 --format concise",
        "kalec check --format sarif -o kalec.sarif",
        "kalec check --baseline known.json --update-baseline",
        "kalec check - --stdin-filename churn.ipynb < churn.ipynb",
    )
)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path, allow_dash=True), metavar="[PATHS]...")
@click.option(
    "--format",
    "--output-format",  # ruff's spelling
    "format_",
    type=click.Choice(FORMATS),
    help="Format of the findings; in GitHub's and GitLab's CI theirs, else full.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write the findings to a file.")
@_options
@click.option("--stdin-filename", type=click.Path(path_type=Path), metavar="FILE", help="What - is called.")
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="Processes; as many as there are cores.")
@click.option("--no-cache", is_flag=True, help="Use no results of earlier runs, and keep none.")
@click.option("--fix", is_flag=True, help="Mend what has one right answer: misspelt and old tags, missing `prev:`.")
@click.option("--diff", is_flag=True, help="Show what --fix would change, and write nothing; 1 if there is anything.")
@click.option("--baseline", type=click.Path(path_type=Path), metavar="FILE", help="Findings that are known.")
@click.option("--update-baseline", is_flag=True, help="Take the findings of this run for known ones.")
@click.option("--statistics", is_flag=True, help="Show how often each rule was broken.")
@click.option("--exit-zero", is_flag=True, help="Exit with 0 even where there are findings.")
@click.option("-q", "--quiet", is_flag=True, help="Print findings, and nothing else.")
@IMAGE
@STRICT
@COLOR
def check(
    paths: tuple[Path, ...],
    format_: str | None,
    output: Path | None,
    baseline: Path | None,
    update_baseline: bool,
    image: str | None,
    **given: Any,
) -> int:
    """Tell whether notebooks compile, and what else is doubtful in them.

    PATHS are notebooks, folders with all below them, and patterns; - is stdin. Without any it is what the
    configuration names, else the current folder. Notebooks without tags are passed over.
    Every problem is shown at once, each on its cell and line.
    """
    shown = Shown(
        format_ or _usual_format(),
        output,
        *(given.pop(name) for name in ("strict", "quiet", "statistics", "exit_zero")),
    )
    request = _request(paths, given)
    if given["diff"]:
        return _show_fixes(paths, {"image": image}, request)
    if given["fix"]:
        _fix(paths, {"image": image}, request)
    report = commands.check(paths, {"image": image}, request)
    for message in report.unreadable:
        console.error(message)
    findings = list(report.diagnostics)
    known, count = _baseline_file(baseline, request), 0
    if update_baseline:
        return _update(report, known)
    if known is not None:
        findings, count = _new(report, known, shown)
    _show(findings, report, shown)
    if not shown.quiet and shown.format in _FOR_PEOPLE:
        _say(report, count)
    return _status(findings, report, shown)


def _usual_format() -> str:
    """The format that fits where one is."""
    if os.environ.get("GITHUB_ACTIONS") == "true":
        return "github"
    return "gitlab" if os.environ.get("GITLAB_CI") == "true" else "full"


def _request(paths: tuple[Path, ...], given: dict[str, Any]) -> Request:
    """What the options ask for. Raises UsageError where they do not fit together."""
    from kalecompiler.checking import Request
    from kalecompiler.checksettings import Overrides

    names = ("select", "ignore", "per_file_ignores", "exclude")
    overrides = Overrides(
        **{name: given[name] for name in names},
        extend_select=given["extend_select"] or (),
        extend_exclude=given["extend_exclude"] or (),
    )
    reads = any(str(path) == "-" for path in paths)
    name = given["stdin_filename"]
    if name is not None and not reads:
        raise UsageError("`--stdin-filename` says what `-` is called, and `-` is not among the paths")
    return Request(
        overrides=overrides,
        jobs=given["jobs"],
        cache=not given["no_cache"] and not reads,
        force_exclude=given["force_exclude"],
        skip_untagged=given["skip_untagged"],
        data=_stdin() if reads else None,
        name=name,
    )


def _stdin() -> bytes:
    if sys.stdin is None:  # closed by the caller, as in `kalec check - <&-`
        raise UsageError("there is no stdin to read: name the notebook")
    return sys.stdin.buffer.read()


def _fixes(
    paths: tuple[Path, ...], options: dict[str, Any], request: Request
) -> tuple[list[Fixed], list[str], tuple[str, ...]]:
    """What can be mended, why other things cannot, and why files could not be read.

    Rules that are off but for this are looked for too.
    """
    from kalecompiler import fixing
    from kalecompiler.checking import configuration
    from kalecompiler.diagnostics import OLD_TAG

    if request.data is not None:
        raise UsageError("what comes from stdin cannot be mended: name the file")
    if configuration(request, Path()).selection.select is None:  # else it is said which rules count
        more = (*request.overrides.extend_select, OLD_TAG.code)
        request = replace(request, overrides=replace(request.overrides, extend_select=more))
    report = commands.check(paths, options, request)
    fixed, problems = fixing.fix_all(report.files, options)
    return fixed, problems, report.unreadable


def _show_fixes(paths: tuple[Path, ...], options: dict[str, Any], request: Request) -> int:
    fixed, problems, unreadable = _fixes(paths, options, request)
    for file in fixed:
        click.echo(file.diff(), nl=False)
    for problem in (*problems, *unreadable):
        console.error(problem)
    console.note(f"would mend {counted(len(fixed), 'notebook')}")
    return UsageError.status if unreadable else int(bool(fixed))


def _fix(paths: tuple[Path, ...], options: dict[str, Any], request: Request) -> None:
    """Mend what can be, and say what was done."""
    from kalecompiler import fixing

    fixed, problems, _ = _fixes(paths, options, request)
    for file in fixed:
        fixing.write(file)
        for repair in file.repairs:
            console.note(f"{file.path}:cell {repair.edit.cell}: {repair.text} [{repair.rule.code}]")
    for problem in problems:
        console.error(problem)


def _baseline_file(option: Path | None, request: Request) -> Path | None:
    from kalecompiler.checking import configuration

    return option or configuration(request, Path()).baseline


def _update(report: Report, file: Path | None) -> int:
    from kalecompiler import baseline

    if file is None:
        raise UsageError("`--update-baseline` needs a file: name it with `--baseline`, or in pyproject.toml")
    if report.unreadable or report.count("failed"):
        console.error(f"{file} was not written, as not all notebooks could be checked")
        return _status([], report, None)
    baseline.update(report.diagnostics, {str(f.path): f.codes for f in report.files}, file)
    console.note(f"wrote {file}: {counted(len(report.diagnostics), 'known finding')}")
    return 0


def _new(report: Report, file: Path, shown: Shown) -> tuple[list[Diagnostic], int]:
    """The findings that the baseline does not know, and how many it does."""
    from kalecompiler import baseline

    compared = baseline.compare(report.diagnostics, {str(f.path): f.codes for f in report.files}, file)
    if compared.gone and not shown.quiet:
        console.note(f"{counted(compared.gone, 'finding')} of {file} are gone; `--update-baseline` forgets them")
    return list(compared.new), compared.known


def _show(findings: list[Diagnostic], report: Report, shown: Shown) -> None:
    """Write the findings where they are wanted; those in a file are said to people too."""
    from kalecompiler import report as reports
    from kalecompiler.formats.context import Context, repository

    notebooks = tuple(str(file.path) for file in report.files if file.state == "checked")
    context = Context(repository(), notebooks, shown.strict)
    if shown.statistics:
        text = reports.statistics(findings, shown.format)
    else:
        color = shown.output is None and console.colored(sys.stdout)
        text = reports.render(findings, shown.format, color, context)
    if shown.output is not None and str(shown.output) != "-":
        _write(shown.output, text)
        if not shown.quiet:
            click.echo(reports.render(findings, "concise"), nl=False, err=True)
    elif text.strip():
        click.echo(text.rstrip("\n"), color=console.colored(sys.stdout))
    if shown.format == "github":
        _summarise(findings, context)


def _write(path: Path, text: str) -> None:
    try:
        write_atomic(path, text)
    except OSError as failure:
        raise UsageError(f"{path} cannot be written: {cause(failure)}") from None


def _summarise(findings: list[Diagnostic], context: Any) -> None:
    """Add what GitHub does not show on lines to the summary of the job, which other programs write to as well."""
    from kalecompiler.formats import github

    file, text = os.environ.get("GITHUB_STEP_SUMMARY"), github.summary(findings, context)
    if file and text:
        try:
            with Path(file).open("a", encoding="utf-8") as stream:
                stream.write(text)
        except OSError as failure:
            console.error(f"{file} cannot be written: {cause(failure)}")


def _say(report: Report, known: int) -> None:
    """What was done, on stderr."""
    passed, hidden = report.count("untagged"), report.hidden_errors
    words = [f"checked {counted(report.notebooks, 'notebook')}"]
    words += [f"passed over {passed} without tags"] if passed else []
    words += [f"{counted(known, 'finding')} known from the baseline"] if known else []
    console.note(", ".join(words))
    if hidden:
        console.note(f"{counted(hidden, 'error')} hidden by `noqa` or the selection of rules: `compile` still refuses")


def _status(findings: list[Diagnostic], report: Report, shown: Shown | None) -> int:
    for file in report.files:
        if file.state == "failed":
            console.error(f"{file.path}: {commands.bug(file.problem)}")
    if report.count("failed"):
        return commands.BUG
    if report.unreadable:
        return UsageError.status
    if shown is None or shown.exit_zero:
        return 0
    return commands.status(findings, shown.strict)


COMMANDS = (check,)
