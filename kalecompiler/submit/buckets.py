"""The files of artifacts: through the server of KFP's UI, or from the bucket itself, by fsspec."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from kalecompiler.diagnostics import UsageError
from kalecompiler.submit.connection import Connection
from kalecompiler.submit.faults import ServerError

_PROVIDERS = {"minio": "minio", "s3": "s3", "gs": "gcs", "http": "http", "https": "https"}
_AS = {"minio": "s3"}
"""What fsspec calls the scheme of a bucket that KFP calls otherwise."""
_FIRST = 1 << 20


class Reader(Protocol):
    """Reads artifacts by their URI."""

    def read(self, uri: str) -> bytes:
        """A whole file. Raises ServerError or UsageError, saying which."""

    def first_line(self, uri: str) -> bytes:
        """The file up to its first line's end, or more of it."""


@dataclass(frozen=True, slots=True)
class Server:
    """Artifacts as the UI's server gives them out, with the client's own login."""

    connection: Connection

    def read(self, uri: str) -> bytes:
        """See Reader."""
        return self._get(uri, {})

    def first_line(self, uri: str) -> bytes:
        """See Reader."""
        found = self._get(uri, {"peek": str(_FIRST)})
        return found if b"\n" in found or len(found) < _FIRST else self._get(uri, {})

    def _get(self, uri: str, query: dict[str, str]) -> bytes:
        scheme, _, rest = uri.partition("://")
        bucket, _, key = rest.partition("/")
        if scheme not in _PROVIDERS or not key:
            raise UsageError(f"the server of the UI does not give out {uri}: name its bucket with --pipeline-root")
        if namespace := self.connection.namespace:
            query = {**query, "namespace": namespace}
        try:
            return self.connection.data(f"/artifacts/{_PROVIDERS[scheme]}/{bucket}/{quote(key)}", query)
        except ServerError as error:
            if error.code is None or error.code in (401, 403):
                raise
            ui = self.connection.endpoint.ui
            raise ServerError(
                f"{ui} does not give out the artifact {uri} ({error.code}): it may be deleted; where the address of "
                "the UI is another one than the API's, name it as `ui`; or name the bucket with --pipeline-root",
                error.code,
            ) from None


@dataclass(frozen=True, slots=True)
class Bucket:
    """A pipeline root that fsspec opens: `s3://bucket/v2/artifacts`, `gs://...`, `file:///...`, `memory://...`."""

    root: str
    system: Any

    def read(self, uri: str) -> bytes:
        """See Reader."""
        data: bytes = self._try(lambda: bytes(self.system.cat_file(self._path(uri))), uri)
        return data

    def first_line(self, uri: str) -> bytes:
        """See Reader."""
        path = self._path(uri)

        def read() -> bytes:
            with self.system.open(path, "rb") as file:
                found = bytearray()
                while b"\n" not in found and (more := file.read(_FIRST)):
                    found += more
                return bytes(found)

        data: bytes = self._try(read, uri)
        return data

    def below(self, *names: str) -> list[str]:
        """The URIs of all files below a folder of the root; none where there is no such folder."""
        folder = "/".join((self.root.rstrip("/"), *names))
        found = self._try(lambda: list(self.system.find(self.system._strip_protocol(folder))), folder)  # noqa: SLF001
        return [self.system.unstrip_protocol(path) for path in sorted(found)]

    def _path(self, uri: str) -> str:
        """Where a file lies here, which the run may know by the scheme of KFP's own store."""
        scheme, _, rest = uri.partition("://")
        own = self.root.partition("://")[0]
        if scheme != own and (scheme in _PROVIDERS or scheme in _AS):
            tail = rest.split("/")[1:]
            inner = self.root.partition("://")[2].rstrip("/").split("/")[1:]
            if tail[: len(inner)] == inner:
                uri = "/".join((self.root.rstrip("/"), *tail[len(inner) :]))
        return str(self.system._strip_protocol(uri))  # noqa: SLF001 - fsspec's own name of it

    def _try(self, work: Callable[[], Any], uri: str) -> Any:
        try:
            return work()
        except FileNotFoundError:
            raise ServerError(f"there is no artifact {uri}: it may be deleted", 404) from None
        except PermissionError as error:
            raise ServerError(f"{uri} may not be read: {error or 'access is denied'}", 403) from None
        except Exception as error:  # noqa: BLE001 - every store has errors of its own
            raise ServerError(f"{uri} cannot be read: {type(error).__name__}: {error}") from None


@dataclass(frozen=True, slots=True)
class Both:
    """A bucket, and the server for what is not in it: a second place has the snapshots alone."""

    bucket: Bucket
    server: Server

    def read(self, uri: str) -> bytes:
        """See Reader."""
        return self._first(lambda reader: reader.read(uri))

    def first_line(self, uri: str) -> bytes:
        """See Reader."""
        return self._first(lambda reader: reader.first_line(uri))

    def _first(self, ask: Callable[[Reader], bytes]) -> bytes:
        try:
            return ask(self.bucket)
        except ServerError as missing:
            if missing.code != 404:
                raise
            try:
                return ask(self.server)
            except (ServerError, UsageError):
                raise missing from None


def bucket(root: str) -> Bucket:
    """The pipeline root of that URL, or in that folder. Raises UsageError where nothing here can open it."""
    scheme, separator, rest = root.partition("://")
    if not separator:
        root = Path(root).absolute().as_uri()
    elif scheme in _AS:
        root = f"{_AS[scheme]}://{rest}"
    try:
        import fsspec
    except ImportError:
        raise UsageError("reading a bucket needs fsspec: pip install fsspec, and s3fs, gcsfs or adlfs") from None
    try:
        system, _ = fsspec.core.url_to_fs(root)
    except ImportError as error:
        raise UsageError(f"{root} needs a package that is not installed here: {error}") from None
    except ValueError as error:
        raise UsageError(f"{root} is no address of a bucket: {error}") from None
    return Bucket(root, system)
