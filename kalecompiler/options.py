"""Arguments and options that several commands of the command line share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])


def examples(*lines: str) -> str:
    r"""Examples for the end of a help text; `\b` keeps click from wrapping them."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def _set_color(ctx: click.Context, _: click.Parameter, value: str) -> None:
    ctx.color = {"always": True, "never": False}.get(value)


NOTEBOOK = click.argument("notebook", type=click.Path(path_type=Path))
OUTPUT = click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="FILE",
    help="Where to write; - is stdout.",
)
FOLDER = click.option(
    "--folder",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where the runs are kept; else in the current folder, above it or below it.",
)
IMAGE = click.option("--image", metavar="REF", help="Image of every step that names none of its own.")
STRICT = click.option("--strict", is_flag=True, help="Take warnings for errors.")
PARAMETER = click.option(
    "-p", "--parameter", "parameters", multiple=True, metavar="NAME=VALUE", help="Set a pipeline parameter."
)
PARAMETER_FILE = click.option(
    "-f", "--file", type=click.Path(path_type=Path), metavar="FILE", help="Parameters from YAML or JSON; -p wins."
)
VOLUMES = click.option(
    "--volume", "volumes", multiple=True, metavar="NAME=DIR", help="Take a folder for a volume of the cluster."
)
SECRETS = click.option(
    "--secret",
    "secrets",
    multiple=True,
    metavar="NAME=FILE|env",
    help="Take a secret from a file of KEY=VALUE lines, a folder with a file for each key, or the environment.",
)
CONFIG_MAPS = click.option(
    "--config-map", "config_maps", multiple=True, metavar="NAME=FILE|env", help="The same for a config map."
)
COLOR = click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    expose_value=False,
    is_eager=True,
    callback=_set_color,
    help="When to use colours; NO_COLOR is respected.",
)


def formats(*names: str, spellings: tuple[str, ...] = ("--format",)) -> Callable[[Function], Function]:
    """The option --format; the first name is the default."""
    kind = click.Choice(names)
    return click.option(
        *spellings, "format_", type=kind, default=names[0], show_default=True, help="Format of the output."
    )


class Seconds(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """A length of time: `90`, `90s`, `30m`, `2h`."""

    name = "time"
    _units = {"s": 1, "m": 60, "h": 3600, "d": 86400}  # noqa: RUF012 - never changed

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The time in seconds; a click error where it is none."""
        if isinstance(value, (int, float)):
            return float(value)
        text, unit = (value[:-1], self._units[value[-1]]) if value[-1:] in self._units else (value, 1)
        try:
            seconds = float(text) * unit
        except ValueError:
            seconds = -1.0
        if not 0 <= seconds < float("inf"):
            self.fail(f"{value!r} is no time: write 90, 90s, 30m or 2h", param, ctx)
        return seconds
