"""Looking through a syntax tree, once.

What was found is kept with the nodes, as many phases look through the same cells: only for trees that nobody changes.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

_NODES, _CHILDREN = "_kalec_nodes", "_kalec_children"


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
