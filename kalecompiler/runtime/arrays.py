"""Arrays of numpy, where its own pickling copies them or leaves something out."""

from __future__ import annotations

import pickle
import sys

from . import bundle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def reduce(value: Any, spans: Mapping[int, Any]) -> Any:
    """The recipe of an array, by names that every numpy has; NotImplemented for its own way, and for all else.

    `spans` are arrays that share memory, as `bonds.survey` gives them.
    """
    numpy = sys.modules.get("numpy")
    if numpy and isinstance(value, numpy.dtype) and value.kind in "biufcSUmM" and not value.metadata:
        return numpy.dtype, (value.str,)  # numpy's own way sets a state, which untrusted values may not do
    if numpy is None or not isinstance(value, numpy.ndarray):
        return NotImplemented
    kind = type(value)
    if kind is numpy.ndarray:
        return _plain(value, spans.get(id(value)))
    if getattr(value, "hardmask", False):
        soft = value.view()
        soft.soften_mask()
        return numpy.ma.MaskedArray.harden_mask, (soft,)
    own = kind.__reduce__ is not numpy.ndarray.__reduce__ or kind.__reduce_ex__ is not numpy.ndarray.__reduce_ex__
    if own or kind.__module__.partition(".")[0] == "numpy" or not getattr(value, "__dict__", None):
        return NotImplemented
    return numpy.ndarray.view, (value.view(numpy.ndarray), kind), vars(value), None, None, bundle.update


def flat(value: Any) -> Any:
    """The bytes of an array that lies in one piece, as an array over the same memory."""
    return (value if value.flags.c_contiguous else value.T).reshape(-1).view("u1")


def _plain(value: Any, span: Any) -> Any:
    if span is not None:
        memory, offset = span
        return type(value), (value.shape, value.dtype, memory, offset, value.strides)
    writable = value.flags.writeable
    kind = type(value)
    if not value.size and value.dtype.itemsize:  # numpy's own way forgets the order of bytes of a date
        shape = value.shape, value.dtype
        return (kind, shape) if writable else (kind, shape, False, None, None, kind.setflags)
    if value.dtype.hasobject or not value.nbytes:  # its own way, which forgets that nobody may write to it
        recipe = sys.modules["numpy"].asarray, (value.copy("K"),), False, None, None, kind.setflags
        return NotImplemented if writable else recipe
    for order in "KC":  # in the order of its memory if possible, else in C's
        if not (value.flags.c_contiguous or value.flags.f_contiguous):
            value = value.copy(order)
            value.flags.writeable = writable
    order = "C" if value.flags.c_contiguous else "F"
    return kind, (value.shape, value.dtype, pickle.PickleBuffer(flat(value)), 0, None, order)
