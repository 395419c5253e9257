"""Writes the pages of docs/ that are made from the code; with `--check` it says which are not current.

The CLI's page is put together from click's own records and not from its help text, which differs between its versions.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from kalecompiler import catalogue, settingpage
from kalecompiler.cli import kalec

DOCS = Path(__file__).parent


def cli_page() -> str:
    """docs/cli.md: every command with its arguments, options and examples."""
    lines = ["# The command line", "", "<!-- made by docs/generate.py from kalecompiler/cli.py -->", ""]
    lines += [_paragraphs(kalec), ""]
    for name, command in _commands():
        lines += [f"- [`kalec {name}`](#kalec-{name.replace(' ', '-')}): {command.get_short_help_str(200)}"]
    for name, command in _commands():
        lines += ["", *_command(name, command)]
    return "\n".join([*lines, "", *_statuses()]) + "\n"


def _commands() -> Iterator[tuple[str, click.Command]]:
    """Every command by the words that call it; a group's are its own."""
    for name, command in kalec.commands.items():
        if isinstance(command, click.Group):
            yield from ((f"{name} {inner}", one) for inner, one in command.commands.items())
        else:
            yield name, command


def _command(name: str, command: click.Command) -> Iterator[str]:
    arguments = [_argument(p) for p in command.params if isinstance(p, click.Argument)]
    yield f"## kalec {name}"
    yield ""
    yield f"    {' '.join(['kalec', name, '[OPTIONS]', *arguments])}"
    yield ""
    yield _paragraphs(command)
    options = [p for p in command.params if isinstance(p, click.Option)]
    if options:
        yield from ["", "| option | |", "| --- | --- |"]
        yield from (_option(option) for option in options)
    if command.epilog:
        yield from ["", "    " + command.epilog.replace("\b\n", "").replace("\n", "\n    ")]


def _argument(argument: click.Argument) -> str:
    if argument.metavar:
        return argument.metavar
    word = "|".join(argument.type.choices) if isinstance(argument.type, click.Choice) else str(argument.name).upper()
    return word if argument.required else f"[{word}]"


def _option(option: click.Option) -> str:
    kind = option.type
    value = "\\|".join(kind.choices) if isinstance(kind, click.Choice) else option.metavar or kind.name.upper()
    spelling = ", ".join(f"`{name}`" for name in option.opts)
    default = f" Default: {option.default}." if option.show_default else ""
    return f"| {spelling}{'' if option.is_flag else f' {value}'} | {option.help}{default} |"


def _paragraphs(command: click.Command) -> str:
    return "\n".join(line.strip() for line in (command.help or "").splitlines()).strip()


def _statuses() -> list[str]:
    table = {
        0: "fine, warnings too; `--strict` makes them 1",
        1: "the notebook or the run is wrong",
        2: "the call, the configuration or an unreadable path",
        3: "the endpoint, or the login there",
        70: "a bug of kalecompiler; `KALEC_DEBUG=1` shows its traceback",
        124: "the run did not end within `--timeout`",
        130: "interrupted",
    }
    return ["## Exit status", "", "| status | |", "| --- | --- |", *(f"| {n} | {text} |" for n, text in table.items())]


PAGES = {"cli.md": cli_page, "rules.md": catalogue.document, "settings.md": settingpage.document}


def main(arguments: list[str]) -> int:
    """Write the pages, or with --check name those that are not current; the exit status is then 1."""
    stale = [name for name, page in PAGES.items() if _text(DOCS / name) != page()]
    if arguments == ["--check"]:
        for name in stale:
            print(f"docs/{name} is not current: make docs", file=sys.stderr)
        return int(bool(stale))
    for name in stale:
        (DOCS / name).write_text(PAGES[name](), encoding="utf-8")
        print(f"wrote docs/{name}")
    return 0


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
