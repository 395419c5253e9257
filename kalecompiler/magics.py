"""What each magic becomes in a step; docs/ipython.md is the table for readers, and its tests hold both together.

A magic that could change a value is never dropped without a word.
"""

from __future__ import annotations

import enum
import shlex
import symtable
from dataclasses import replace

from kalecompiler.diagnostics import (
    IGNORED_MAGIC,
    MISPLACED_CELL_MAGIC,
    STEP_ONLY,
    TIMEIT_BINDS,
    UNKNOWN_MAGIC,
    UNSUPPORTED_MAGIC,
)
from kalecompiler.expansion import names_in
from kalecompiler.findings import Outcome, problem, refused
from kalecompiler.installs import conda_magic, pip_magic, shell_install
from kalecompiler.suggest import did_you_mean
from kalecompiler.wording import listed_once


class Does(enum.Enum):
    """The ways in which a magic is treated."""

    RUN = "its code is ordinary code"
    MEASURE = "its code runs once"
    SHELL = "a shell command"
    OUTPUT = "a shell command whose output is the value"
    STEP = "done by the step"
    DROP = "dropped"
    WARN = "dropped with a warning"
    REFUSE = "refused"


_LINE = {
    Does.RUN: "time prun lprun mprun",
    Does.MEASURE: "timeit memit",
    Does.SHELL: "ls ll la lf lk lx ldir cat cp mv rm rmdir mkdir man more less",
    Does.OUTPUT: "sx system",
    Does.STEP: "env set_env cd",
    Does.DROP: (
        "matplotlib autoreload aimport config precision pprint xmode colors automagic autocall autosave autoawait "
        "autoindent gui lsmagic magic quickref history hist who whos who_ls psearch pinfo pinfo2 pdoc pdef psource "
        "pfile pycat page notebook connect_info qtconsole logstart logstop logon logoff logstate doctest_mode alias "
        "unalias alias_magic tb dirs dhist killbgscripts watermark unload_ext nb_black"
    ),
    Does.WARN: "debug pdb reset reset_selective store save tensorboard reload_ext macro subshell xdel",
    Does.REFUSE: "run load loadpy recall rep rerun edit pylab pushd popd bookmark sc R sql bigquery cython",
}
_CELL = {
    Does.RUN: "time capture prun",
    Does.MEASURE: "timeit memit",
    Does.OUTPUT: "sx system !",
    Does.STEP: "bash sh script python python3 perl ruby writefile file",
    Does.REFUSE: "cython R sql bigquery cuda px julia spark debug pypy python2 cmd mprun lprun",
}
LINE_MAGICS = {name: does for does, names in _LINE.items() for name in names.split()}
CELL_MAGICS = {name: does for does, names in _CELL.items() for name in names.split()}
DISPLAYS = {
    "html": "text/html", "HTML": "text/html", "markdown": "text/markdown", "latex": "text/latex",
    "javascript": "application/javascript", "js": "application/javascript", "svg": "image/svg+xml",
    "SVG": "image/svg+xml",
}  # fmt: skip
_QUIET_EXTENSIONS = {
    "autoreload", "watermark", "nb_black", "lab_black", "jupyter_black", "line_profiler", "memory_profiler", "rich",
    "pycodestyle_magic", "tensorboard", "jupyternotify", "autotime",
}  # fmt: skip
_ALIASES = {"ll": "ls -l", "la": "ls -la", "lf": "ls -l", "lk": "ls -l", "lx": "ls -l", "ldir": "ls -l"}
_VALUED = {"prun": "lsTD", "lprun": "fmDTsu", "mprun": "fT", "timeit": "nrp", "memit": "rti", "time": ""}

_REASONS = {
    "run": ("runs another file in this namespace", "put its functions into a module beside the notebook and import it"),
    "load": ("replaces the cell by a file's text", "paste the text, or import it as a module"),
    "pylab": ("binds names that the text does not show", "import numpy and matplotlib.pyplot by name"),
    "store -r": ("binds names from another notebook", "read the value from a file, or compute it in a step"),
    "cython": ("needs a compiler in the step's image", "build an extension package and import it"),
    "sql": ("binds results by an extension that a step does not have", "use the database's Python package"),
    "bigquery": ("binds results by an extension that a step does not have", "use google.cloud.bigquery"),
    "R": ("needs an R kernel beside Python", "call Rscript by a shell line, and hand files over"),
    "pushd": ("changes the folder for cells below it", "use paths instead"),
    "debug": ("waits for a keyboard, which a step does not have", "remove the cell magic"),
}
_IGNORED = {
    "debug": "a step has no keyboard",
    "pdb": "a step has no keyboard",
    "reset": "each step starts with only what it needs",
    "reset_selective": "each step starts with only what it needs",
    "xdel": "a step ends, and its memory with it",
    "store": "a step has no IPython database",
    "save": "a step has no input history",
    "macro": "a step has no input history",
    "tensorboard": "a step has no browser",
}


def line_magic(name: str, argument: str, used: bool) -> Outcome:
    """What `%name argument` becomes; `used` says that its value is assigned, or part of an expression."""
    if name.startswith("%"):
        message = f"the cell magic `%{name}` is not on the first line of its cell"
        return refused(MISPLACED_CELL_MAGIC, message, "move it to the first line, above comments too")
    if name in ("pip", "uv"):
        return pip_magic(argument.removeprefix("pip ").strip() if name == "uv" else argument)
    if name in ("conda", "mamba", "micromamba"):
        return conda_magic(argument)
    if name == "pwd":
        return Outcome("__import__('os').getcwd()")
    if name == "load_ext":
        return _extension(argument, used)
    does = LINE_MAGICS.get(name)
    if does is None:
        return _unknown(f"%{name}", LINE_MAGICS)
    if used and does not in (Does.OUTPUT, Does.STEP) and name != "time":
        return refused(UNSUPPORTED_MAGIC, f"`%{name}` has no value in a step", "compute the value in Python")
    return _line(does, name, argument, used)


def _line(does: Does, name: str, argument: str, used: bool) -> Outcome:
    match does:
        case Does.RUN | Does.MEASURE:
            return timed(f"%{name}", does, code_of(name, argument), used)
        case Does.SHELL:
            command = f"{_ALIASES.get(name, name)} {argument}".strip()
            return Outcome(f"get_ipython().system({command!r})", soft=names_in(command))
        case Does.OUTPUT:
            return Outcome(f"get_ipython().getoutput({argument!r})", soft=names_in(argument))
        case Does.STEP:
            return _step_only(name, argument)
        case Does.DROP:
            return Outcome("pass")
        case Does.WARN if not (name == "store" and "-r" in argument.split()):
            why = _IGNORED.get(name, "it has no meaning in a step")
            return Outcome("pass", problems=(problem(IGNORED_MAGIC, f"`%{name}` is left out: {why}", "remove it"),))
        case _:
            return unsupported("%", name, "store -r" if name == "store" else name)


def timed(shown: str, does: Does, code: str, used: bool = False) -> Outcome:
    """The code that a magic measures, as ordinary code; what is bound only while measuring is refused."""
    if used and not _is_expression(code):
        return refused(UNSUPPORTED_MAGIC, f"`{shown}` of a statement has no value", "assign in the statement itself")
    names = bound_names(code) if does is Does.MEASURE else ()
    if names:
        message = f"`{shown}` binds {listed_once(names)} only while it measures, and a step would keep it"
        return refused(TIMEIT_BINDS, message, "use `%time`, which keeps it, or measure an expression")
    code = f"({code})" if used else code
    return Outcome(code or "pass", inner=True)


def shell(command: str, used: bool) -> Outcome:
    """What `!command` becomes: requirements where it installs packages, else the step's shell runs it."""
    installed = None if used else shell_install(command)
    return replace(installed or Outcome(), soft=names_in(command) if not installed or installed.code is None else ())


def unsupported(sign: str, name: str, reason: str | None = None) -> Outcome:
    """The refusal of a magic that is known not to work in a step."""
    why, cure = _REASONS.get(reason or name, ("does not work in a step", "write it in Python, or as a shell line"))
    return refused(UNSUPPORTED_MAGIC, f"`{sign}{name}` {why}", cure)


def unknown_cell_magic(name: str) -> Outcome:
    """The refusal of a cell magic that nothing is known of."""
    return _unknown(f"%%{name}", dict.fromkeys([*CELL_MAGICS, *DISPLAYS]))


def is_magic_name(name: str) -> bool:
    """Whether IPython takes a line that starts with this word as a magic, where it stands alone in its cell."""
    return name in LINE_MAGICS or name in ("pip", "conda", "mamba", "uv", "pwd", "load_ext")


def bound_names(code: str) -> tuple[str, ...]:
    """The names that a piece of code binds in its own scope, sorted; none where it is no Python."""
    try:
        symbols = symtable.symtable(code, "cell", "exec").get_symbols()
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    return tuple(sorted(s.get_name() for s in symbols if s.is_assigned() or s.is_imported()))


def _unknown(shown: str, known: dict[str, Does] | dict[str, None]) -> Outcome:
    name = shown.lstrip("%")
    sign = shown.removesuffix(name)
    hint = did_you_mean(name, known, sign + "{}") or "write it in Python; extensions are not loaded in a step"
    return refused(UNKNOWN_MAGIC, f"`{shown}` is not known, so a step cannot run it", hint)


def _extension(argument: str, used: bool) -> Outcome:
    """`%load_ext`: the extension's magics have rows of their own, the extension is not loaded."""
    if not used and argument.split(".", maxsplit=1)[0] in _QUIET_EXTENSIONS:
        return Outcome("pass")
    message = f"the extension `{argument}` is not loaded in a step"
    return Outcome("pass", problems=(problem(IGNORED_MAGIC, message, "import what it does as a Python package"),))


def _step_only(name: str, argument: str) -> Outcome:
    """`%env`, `%set_env` and `%cd` run in the step, and hold for that process only."""
    soft = names_in(argument)
    if name == "env" and "=" not in argument and len(argument.split()) < 2:
        return Outcome(soft=soft)
    what = "folder" if name == "cd" else "environment variable"
    message = f"the {what} that `%{name}` sets holds for this step only: each step is a process of its own"
    hint = "use paths instead" if name == "cd" else "repeat it in each step that needs it, or write `env:NAME:VALUE`"
    return Outcome(soft=soft, problems=(problem(STEP_ONLY, message, hint),))


def code_of(name: str, argument: str) -> str:
    """The code in a magic's arguments: what follows its options."""
    rest = argument.strip()
    while rest.startswith("-") and len(rest) > 1 and (rest[1].isalpha() or rest[1] == "-"):
        option, _, rest = rest.partition(" ")
        rest = rest.lstrip()
        if len(option) == 2 and option[1] in _VALUED.get(name, ""):
            rest = rest.partition(" ")[2].lstrip()
    return rest


def options_of(argument: str) -> list[str] | None:
    """A magic's arguments as words; None where quotes do not balance."""
    try:
        return shlex.split(argument)
    except ValueError:
        return None


def _is_expression(code: str) -> bool:
    try:
        compile(code, "magic", "eval", dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    return True
