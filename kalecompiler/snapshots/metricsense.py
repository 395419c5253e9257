"""Which of some metrics is the best: as its author says, else by its name, as far as that tells."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

_LESS = frozenset(
    "loss error err rmse mse mae mape smape msle rmsle logloss perplexity deviance distance divergence brier ece wer "
    "cer fpr fnr bias seconds time duration latency aic bic".split()
)
_MORE = frozenset(
    "accuracy acc score auc auroc auprc roc f1 fbeta precision recall sensitivity specificity r2 tpr tnr ap map ndcg "
    "mrr iou dice kappa mcc bleu rouge silhouette lift gain profit revenue balanced likelihood".split()
)


def direction(name: str) -> int:
    """1 where more is better, -1 where less is, 0 where the name does not tell."""
    words = [word for word in re.split(r"[^a-z0-9]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()) if word]
    if _LESS.intersection(words):
        return -1
    return int(bool(_MORE.intersection(words)))


def best(name: str, values: Sequence[Any], better: str | None = None) -> frozenset[int]:
    """The places of the best values; none where they are all the same, where two are not numbers, or none knows.

    `better` is `max` or `min` where the author says which (`metrics:NAME=max`); else the name is asked.
    """
    sign = {"max": 1, "min": -1}.get(better or "") or direction(name)
    numbers = {at: sign * float(value) for at, value in enumerate(values) if _is_number(value)}
    if not sign or len(numbers) < 2 or len(set(numbers.values())) < 2:
        return frozenset()
    top = max(numbers.values())
    return frozenset(at for at, number in numbers.items() if number == top)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
