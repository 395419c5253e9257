"""Tensors of torch that lie in memory as they are: as buffers, where torch itself would copy them through its own file.

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


FLATS: dict[int, Any] = {}  # by address: tensors over one whole memory share it again


def reduce(value: Any, spans: Any) -> Any:
    """The recipe of a tensor; NotImplemented for torch's own way, and for all else."""
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(value, torch.Tensor):
        return NotImplemented
    if value.is_leaf and value.grad is not None:
        own = value.__reduce_ex__(5)
        return (*own[:2], {"grad": value.grad}, None, None, bundle.update) if len(own) == 2 else NotImplemented
    if type(value) is not torch.Tensor or value.requires_grad or not _is_plain(value, torch):
        return NotImplemented
    flat = FLATS.setdefault(value.data_ptr(), value if value.dim() == 1 else value.reshape(-1))
    if flat is not value:
        return (torch.reshape, (flat, tuple(value.shape))) if flat.dtype is value.dtype else NotImplemented
    data = value.view(torch.uint8).numpy()
    return functools.partial(torch.frombuffer, dtype=value.dtype), (pickle.PickleBuffer(data),)


def _is_plain(value: Any, torch: Any) -> bool:
    """Whether the tensor is dense, on the processor, and all of its memory in order."""
    return (
        "numpy" in sys.modules
        and value.layout is torch.strided
        and value.device.type == "cpu"
        and value.is_contiguous()
        and not (value.is_conj() or value.is_neg() or value.is_quantized or value.__dict__ or value._backward_hooks)
        and 0 < value.nbytes == value.untyped_storage().nbytes()
    )
