"""Tensors of torch: the memory that they lie in as a buffer, where torch itself would copy it through its own file.

A gradient goes along with its tensor, which torch's own pickling leaves behind. All else is torch's own way.
"""

from __future__ import annotations

import functools
import pickle
import sys

from . import bundle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def reduce(value: Any, spans: dict[int, Any]) -> Any:
    """The recipe of a tensor; NotImplemented for torch's own way, and for all else.

    Tensors over one memory share it again: `spans` keeps, by its address (below zero), one that is all of it.
    """
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(value, torch.Tensor):
        return NotImplemented
    if value.is_leaf and value.grad is not None:
        own = value.__reduce_ex__(5)
        return (*own[:2], {"grad": value.grad}, None, None, bundle.update) if len(own) == 2 else NotImplemented
    if type(value) is not torch.Tensor or value.requires_grad or not _is_plain(value, torch):
        return NotImplemented
    whole = value.new_empty(0).set_(value.untyped_storage())
    exact = (value.shape, value.stride()) == (whole.shape, whole.stride())
    whole = spans.setdefault(-whole.data_ptr(), value if exact else whole)
    if value is not whole:
        recipe = torch.as_strided, (whole, tuple(value.shape), value.stride(), value.storage_offset())
        return recipe if whole.dtype is value.dtype else NotImplemented
    data = value.view(torch.uint8).numpy()
    return functools.partial(torch.frombuffer, dtype=value.dtype), (pickle.PickleBuffer(data),)


def _is_plain(value: Any, torch: Any) -> bool:
    """Whether the tensor is dense, and on the processor."""
    return (
        "numpy" in sys.modules
        and value.layout is torch.strided
        and value.device.type == "cpu"
        and not (value.is_conj() or value.is_neg() or value.is_quantized or value.__dict__ or value._backward_hooks)
        and value.nbytes
    )
