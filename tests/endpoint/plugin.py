"""Fixtures: `pytest_plugins = ["endpoint.plugin"]` in a test module brings them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from endpoint import Endpoint, Make


@pytest.fixture
def make_endpoint() -> Iterator[Make]:
    """Makes endpoints, with the arguments of Endpoint; at the end they stop, and none may have seen a bad call."""
    with contextlib.ExitStack() as stack:

        def make(**options: Any) -> Endpoint:
            return stack.enter_context(Endpoint(**options))

        yield make


@pytest.fixture
def endpoint(make_endpoint: Make) -> Endpoint:
    """An endpoint as most people have it at first: one user, no gate, and nothing is executed."""
    return make_endpoint()


@pytest.fixture
def kfp_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place of its own for kfp's `context.json`, of which kfp decides when it is imported; the file's path."""
    client = pytest.importorskip("kfp.client").Client
    place = tmp_path / "kfp" / "context.json"
    monkeypatch.setattr(client, "_LOCAL_KFP_CONTEXT", str(place))
    return place
