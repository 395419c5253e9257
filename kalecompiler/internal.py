"""Variables that no cell names, and the code that a step runs for them: random states, the defaults of functions, the
value that a variable had where a class was defined.

They travel like others, but are no part of the notebook: pictures and the graph's JSON leave them out.
"""

from __future__ import annotations

import ast

from kalecompiler.draws import VARIABLES
from kalecompiler.facts import Definition

_DEFAULTS = "_defaults_of_"
_SEEN = "_seen_by_"


def is_internal(variable: str) -> bool:
    """Whether a variable is one that kalecompiler made."""
    return variable in VARIABLES or variable.startswith((_DEFAULTS, _SEEN))


def defaults_variable(function: str) -> str:
    """The variable for the defaults that a function was made with."""
    return _DEFAULTS + function


def value_seen(name: str, definition: str) -> str:
    """The variable for the value that a name had where a definition stands."""
    return f"{_SEEN}{definition}_{name}"


def restore(variable: str) -> str:
    """The code that puts a variable's value where it belongs, at the start of a step; empty where others do it."""
    if variable.startswith(_SEEN):
        return ""
    if variable in VARIABLES:
        return VARIABLES[variable].restore
    function = variable.removeprefix(_DEFAULTS)
    return f"{function}.__defaults__, {function}.__kwdefaults__ = {variable}"


def keep(variable: str) -> str:
    """The code that gives a variable its value, at the end of a step; empty where it has it by then."""
    if variable.startswith(_SEEN):
        return ""
    if variable in VARIABLES:
        return VARIABLES[variable].keep
    function = variable.removeprefix(_DEFAULTS)
    return f"{variable} = {function}.__defaults__, {function}.__kwdefaults__"


def defaults_can_travel(definition: Definition) -> bool:
    """Whether the source of a function may run again with other defaults, as these are replaced afterwards."""
    if isinstance(definition.node, ast.Lambda):
        return True
    return isinstance(definition.node, ast.FunctionDef | ast.AsyncFunctionDef) and not definition.node.decorator_list
