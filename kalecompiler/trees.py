"""Looking through a syntax tree, once.

What was found is kept with the nodes, as many phases look through the same cells: only for trees that nobody changes.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Sequence
from typing import TypeVar

KEPT = "_kalec_"
"""What the names of the attributes begin with that hold what was found."""
_NODES, _CHILDREN = KEPT + "nodes", KEPT + "children"
_Node = TypeVar("_Node", bound=ast.AST)


def bare_copy(node: _Node) -> _Node:
    """A copy of a node, over the same children, that may be given others."""
    new = copy.copy(node)
    for name in [name for name in vars(new) if name.startswith(KEPT)]:
        delattr(new, name)
    return new


def walk(node: ast.AST) -> Sequence[ast.AST]:
    """The node and all below it, in the order of `ast.walk`."""
    nodes: list[ast.AST] | None = node.__dict__.get(_NODES)
    if nodes is None:
        nodes = [node]
        for one in nodes:  # it grows meanwhile
            nodes += children(one)
        node.__dict__[_NODES] = nodes
    return nodes


def children(node: ast.AST) -> Sequence[ast.AST]:
    """The nodes right below a node, in the order of `ast.iter_child_nodes`."""
    found: list[ast.AST] | None = node.__dict__.get(_CHILDREN)
    if found is None:
        found = []
        for name in node._fields:
            value = node.__dict__.get(name)
            if isinstance(value, ast.AST):
                found.append(value)
            elif isinstance(value, list):
                found += [item for item in value if isinstance(item, ast.AST)]
        node.__dict__[_CHILDREN] = found
    return found
