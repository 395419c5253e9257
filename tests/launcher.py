"""What stands between a package's arguments and a running step, as executable models: KFP's launcher, kfp.local."""

from __future__ import annotations

import json
import re
import sys
from typing import Any


def substitute(arguments: list[str], executor_input: dict[str, Any]) -> list[str]:
    """The arguments as the launcher hands them on. Raises ValueError where it, or Argo, would change more of them."""
    for argument in arguments:
        for found in re.findall(r"\{\{.*?(?:\}\}|$)", argument, re.DOTALL):
            if found != "{{$}}":
                raise ValueError(f"this would be replaced, or refused: {found[:80]!r}")
    return [argument.replace("{{$}}", json.dumps(executor_input)) for argument in arguments]


def substitute_locally(arguments: list[str], executor_input: dict[str, Any]) -> list[str]:
    """The same in kfp.local, which also puts its own interpreter for `python3`, wherever that text stands."""
    return [argument.replace("python3", sys.executable) for argument in substitute(arguments, executor_input)]
