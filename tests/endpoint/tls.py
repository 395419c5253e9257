"""Certificates for tests: made anew each time, by the `openssl` that is at hand."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

_SUBJECT = "subjectAltName=DNS:localhost,DNS:kfp.test,IP:127.0.0.1"


@dataclass(frozen=True)
class Authority:
    """A certificate authority that nobody knows. `file` is its certificate, `server` what serves under it."""

    file: Path
    server: ssl.SSLContext


def make_authority(folder: Path) -> Authority:
    """An authority, and a certificate of it for localhost and kfp.test; the test is skipped without openssl."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl here")
    _openssl(folder, "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=kalec-test-ca")
    _openssl(
        folder, f"req -newkey rsa:2048 -nodes -keyout key.pem -out request.pem -subj /CN=localhost -addext {_SUBJECT}"
    )
    signed = "x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -copy_extensions copyall"
    _openssl(folder, f"{signed} -out cert.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return Authority(folder / "ca.pem", context)


def _openssl(folder: Path, command: str) -> None:
    subprocess.run(["openssl", *command.split()], cwd=folder, check=True, capture_output=True)
