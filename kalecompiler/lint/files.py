"""KC605: data files that a step reads from the notebook's own folder, which its pod does not have."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping

from kalecompiler.diagnostics import LOCAL_FILE, Diagnostic
from kalecompiler.hiddentable import FILE_READS, FILE_WRITES, WRITE_METHODS
from kalecompiler.lint.subject import Call, Subject
from kalecompiler.model import Role

#: Functions that read a file: the position of its path. Asking whether one is there is no reading.
_READS = {
    **{path: at for path, at in FILE_READS.items() if not path.startswith(("os.", "shutil."))},
    **dict.fromkeys(
        ("cv2.imread", "PIL.Image.open", "matplotlib.pyplot.imread", "imageio.imread", "skimage.io.imread"), 0
    ),
    **dict.fromkeys(("pandas.ExcelFile", "geopandas.read_file", "polars.read_csv", "polars.read_parquet"), 0),
}
_ADDED = {"numpy.save": ".npy", "numpy.savez": ".npz", "numpy.savez_compressed": ".npz"}
_METHODS = frozenset({"read_text", "read_bytes"})
#: What may bring files to where the step runs, or says what to do without them.
_MAKERS = frozenset(
    "system getoutput run_cell_magic urlretrieve download download_and_unzip download_url snapshot_download "
    "hf_hub_download extractall unpack_archive Popen check_call check_output run_line_magic fget_object "
    "download_file download_fileobj download_to_filename dataset_download_files copytree clone_from chdir".split()
)
_ASKING = frozenset("exists is_file isfile is_dir isdir glob iglob listdir".split())
_LOCAL = re.compile(r"(?!/|\w+://|\w:[\\/]|\w+:)(?:~/|\.{0,2}/)?[\w .%~/+@=,()\\-]*\.\w{1,8}(?:\.\w{1,4})?\Z")


def find(subject: Subject) -> Iterator[Diagnostic]:
    """A finding for each file, on the first read of it, where no step has made it or may have."""
    texts = _texts(subject)
    made = {path for part in subject.reading.parts for path, _ in part.translation.writes}
    makers = [c for c in subject.calls if c.last in _MAKERS or c.path.startswith("subprocess.")]
    open_ended = {call.part.annotation.step for call in makers}
    asked = {t for c in subject.calls if c.last in _ASKING for t in [_argument(c, 0, texts), _owner(c, texts)]}
    for call in subject.calls:
        made.add(_written(call, texts))
        path = _read(call, texts)
        step = call.part.annotation.step
        if not path or path in made or path in asked or not _LOCAL.match(path):
            continue
        if call.part.annotation.role is not Role.STEP or {step, None} & open_ended or subject.mounts(step):
            continue
        made.add(path)  # said once
        message = f"step `{step}` reads the file `{path}`, and its pod does not have the notebook's folder"
        hint = "read it from a bucket or an address that pods reach, or build it into the step's image"
        yield Diagnostic(LOCAL_FILE, message, subject.at(call.part, call.node), hint)


def _texts(subject: Subject) -> dict[str, str]:
    """Variables that are given a text once in the whole notebook; parameters are given others."""
    found: dict[str, ast.expr] = {}
    stores: list[str] = []
    for item in subject.nodes:
        node = item.node
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            found.setdefault(node.targets[0].id, node.value)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            stores.append(node.id)
    count = Counter(stores)
    texts: dict[str, str] = {}
    for name, value in found.items():
        text = _text(value, texts) if count[name] == 1 and name not in subject.reading.parameter_names else ""
        if text:
            texts[name] = text
    return texts


def _text(expr: ast.expr | None, texts: Mapping[str, str]) -> str:
    """A path as text, as far as it is written out; empty where it is not."""
    if isinstance(expr, ast.Constant):
        return expr.value.removeprefix("./") if isinstance(expr.value, str) else ""
    if isinstance(expr, ast.Name):
        return texts.get(expr.id, "")
    if isinstance(expr, ast.BinOp) and isinstance(expr.op, ast.Add | ast.Div):
        parts, glue = [expr.left, expr.right], "" if isinstance(expr.op, ast.Add) else "/"
    elif isinstance(expr, ast.Call) and ast.unparse(expr.func) in ("Path", "pathlib.Path", "os.path.join"):
        parts, glue = list(expr.args), "/"
    elif isinstance(expr, ast.JoinedStr):
        parts, glue = [v.value if isinstance(v, ast.FormattedValue) else v for v in expr.values], ""
    else:
        return ""
    found = [_text(part, texts) for part in parts]
    return re.sub("/+", "/", glue.join(found)) if found and all(found) and "://" not in found[0] else ""


def _read(call: Call, texts: Mapping[str, str]) -> str:
    if call.path == "open" or call.path == "builtins.open":
        return "" if _writes(call) else _argument(call, 0, texts)
    if call.path in _READS:
        return _argument(call, _READS[call.path], texts)
    if call.last == "open" and not call.path and not _writes(call, 0):
        return _owner(call, texts)
    return _owner(call, texts) if call.last in _METHODS else ""


def _written(call: Call, texts: Mapping[str, str]) -> str:
    if call.path == "open":
        return _argument(call, 0, texts) if _writes(call) else ""
    if call.path in FILE_WRITES:
        path = _argument(call, FILE_WRITES[call.path], texts)
        suffix = _ADDED.get(call.path, "")  # numpy adds one to a name without
        return path if not path or path.endswith(suffix) else path + suffix
    if call.last in WRITE_METHODS or call.last in ("savefig", "save", "save_model"):
        return _argument(call, 0, texts) if call.last.startswith(("to_", "save")) else _owner(call, texts)
    return _owner(call, texts) if call.last == "open" and _writes(call, 0) else ""


def _writes(call: Call, position: int = 1) -> bool:
    """Whether `open` is told to write; a mode that is not written out may be one to write."""
    arguments = call.node.args
    mode = arguments[position] if len(arguments) > position else call.keyword("mode")
    if mode is None:
        return False
    return not isinstance(mode, ast.Constant) or any(letter in str(mode.value) for letter in "wax+")


def _argument(call: Call, position: int, texts: Mapping[str, str]) -> str:
    return _text(call.node.args[position], texts) if position < len(call.node.args) else ""


def _owner(call: Call, texts: Mapping[str, str]) -> str:
    function = call.node.func
    return _text(function.value, texts) if isinstance(function, ast.Attribute) else ""
