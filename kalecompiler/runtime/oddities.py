"""Objects that pickle silently changes: loggers, exceptions, and parsers of arguments."""

from __future__ import annotations

import copyreg
import logging
import pickle
import sys
from types import FunctionType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def reduce(value: Any, spans: Any) -> Any:
    """The recipe of such an object; NotImplemented for all else. PicklingError where something would be lost."""
    if isinstance(value, logging.Logger):
        return _logger(value)
    if isinstance(value, BaseException):
        return _exception(value)
    if type(value).__module__ == "argparse" and any(item is _suppress() for item in vars(value).values()):
        own = value.__reduce_ex__(5)
        return (*own[:2], {name: _Suppress() if item is _suppress() else item for name, item in own[2].items()})
    return NotImplemented


def _logger(value: Any) -> Any:
    """A logger goes by name, and its level with it; what else was set up would be lost."""
    if any(not isinstance(handler, logging.NullHandler) for handler in value.handlers) or value.filters:
        raise pickle.PicklingError("its handlers would be lost; set it up in a cell tagged imports or functions")
    state = {name: getattr(value, name) for name in ("level", "propagate", "disabled")}
    return (*value.__reduce__(), state)


class _Suppress:
    """In a pickle: a text that `argparse` compares by `is`."""

    def __reduce__(self) -> Any:
        return getattr, (sys.modules["argparse"], "SUPPRESS")


def _suppress() -> Any:
    return sys.modules["argparse"].SUPPRESS


def _exception(value: BaseException) -> Any:
    """An exception, and those that led to it."""
    own = value.__reduce_ex__(5)
    if not isinstance(own, tuple) or len(own) > 3 or type(value).__setstate__ is not BaseException.__setstate__:
        return own
    make = own[:2]
    if isinstance(type(value).__init__, FunctionType) and type(value).__reduce__ is BaseException.__reduce__:
        newobj: Any = getattr(copyreg, "__newobj__")  # noqa: B009 - unknown to type checkers
        make = newobj, (type(value), *value.args)  # its own __init__ may want other arguments
    names = ("__cause__", "__context__", "__suppress_context__")
    chain = {name: getattr(value, name) for name in names if getattr(value, name)}
    return (*make, {**(own[2] if len(own) > 2 else {}), **chain} or None)
