"""Variables that no cell names: random states, and the defaults of functions; and the code that a step runs for them.

They travel like others, but are no part of the notebook: pictures and the graph's JSON leave them out.
"""

from __future__ import annotations

import ast

from kalecompiler.draws import VARIABLES
from kalecompiler.facts import Definition

_DEFAULTS = "_defaults_of_"


def is_internal(variable: str) -> bool:
    """Whether a variable is one that kalecompiler made."""
    return variable in VARIABLES or variable.startswith(_DEFAULTS)


def defaults_variable(function: str) -> str:
    """The variable for the defaults that a function was made with."""
    return _DEFAULTS + function


def restore(variable: str) -> str:
    """The code that puts a variable's value where it belongs, at the start of a step."""
    if variable in VARIABLES:
        return VARIABLES[variable].restore
    function = variable.removeprefix(_DEFAULTS)
    return f"{function}.__defaults__, {function}.__kwdefaults__ = {variable}"


def keep(variable: str) -> str:
    """The code that gives a variable its value, at the end of a step."""
    if variable in VARIABLES:
        return VARIABLES[variable].keep
    function = variable.removeprefix(_DEFAULTS)
    return f"{variable} = {function}.__defaults__, {function}.__kwdefaults__"


def defaults_can_travel(definition: Definition) -> bool:
    """Whether the source of a function may run again with other defaults, as these are replaced afterwards."""
    if isinstance(definition.node, ast.Lambda):
        return True
    return isinstance(definition.node, ast.FunctionDef | ast.AsyncFunctionDef) and not definition.node.decorator_list
