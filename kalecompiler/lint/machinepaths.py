"""KC604: absolute paths into a home folder, or into what Colab, Kaggle and Databricks mount."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from kalecompiler.diagnostics import MACHINE_PATH, Diagnostic
from kalecompiler.lint.subject import Subject

_FOREIGN = re.compile(
    r"""(?:file://)?(?:
    (?P<home> /home/[^/\s]+/ | /Users/[^/\s]+/ | [A-Za-z]:[\\/]Users[\\/][^\\/\s]+[\\/] )
    | (?P<mount> /content/drive/ | /content/sample_data/ | /kaggle/(?:input|working)/ | /dbfs/ )
    )[^\n]*""",
    re.VERBOSE,
)


def find(subject: Subject) -> Iterator[Diagnostic]:
    """A finding for each text that is such a path; what stands alone, as a docstring does, is none."""
    alone = {id(item.node.value) for item in subject.nodes if isinstance(item.node, ast.Expr)}
    pieces = {id(v) for item in subject.nodes if isinstance(item.node, ast.JoinedStr) for v in item.node.values[1:]}
    others = alone | pieces
    for item in subject.nodes:
        node = item.node
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or id(node) in others:
            continue
        match = _FOREIGN.fullmatch(node.value)
        if match and not _mounted(node.value, subject.mounts(item.part.annotation.step)):
            kind = "a home folder of one machine" if match["home"] else "a mount of another platform"
            message = f"the path `{node.value}` is in {kind}, which a step's pod does not have"
            hint = "read from a bucket or an address that pods reach, or make the path a pipeline parameter"
            yield Diagnostic(MACHINE_PATH, message, subject.at(item.part, node), hint)


def _mounted(path: str, mounts: list[str]) -> bool:
    """Whether a path is in one of the folders."""
    return any(path.removeprefix("file://").startswith(mount.rstrip("/") + "/") for mount in mounts)
