"""KC607: libraries that a step installs and imports, which takes long, and that nothing uses."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from kalecompiler.diagnostics import UNUSED_IMPORT, Diagnostic
from kalecompiler.lint.subject import Subject
from kalecompiler.model import Role
from kalecompiler.names import imported_names

#: Libraries of hundreds of megabytes, or of seconds of import.
HEAVY = frozenset(
    "torch torchvision torchaudio tensorflow keras jax transformers datasets diffusers sentence_transformers pyspark "
    "fastai pytorch_lightning lightning spacy nltk gensim xgboost lightgbm catboost cv2 ray dask h2o mxnet onnxruntime "
    "prophet statsmodels plotly bokeh shap tensorflow_hub tensorflow_datasets langchain cudf cupy".split()
)


def find(subject: Subject) -> Iterator[Diagnostic]:
    """A finding for each import in a step's cell whose names no cell mentions, nor any of its library's.

    Cells tagged `imports` are left alone: a step takes from those only what it uses.
    """
    used = {item.node.id for item in subject.nodes if isinstance(item.node, ast.Name)}
    used |= {path.partition(".")[0] for name, path in subject.paths.items() if name in used}
    for item in subject.nodes:
        node = item.node
        if item.part.annotation.role is not Role.STEP or not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        names = list(imported_names(node))
        tops = {_top(a.name if isinstance(node, ast.Import) else node.module or "") for a in node.names}
        if "*" in [a.name for a in node.names] or not tops & HEAVY or tops & used or set(names) & used:
            continue
        message = f"the step installs and imports `{min(tops & HEAVY)}`, and nothing uses it"
        hint = "remove the import, or move it to a cell tagged `imports`: a step takes from there what it uses"
        yield Diagnostic(UNUSED_IMPORT, message, subject.at(item.part, node), hint)


def _top(module: str) -> str:
    return module.partition(".")[0]
