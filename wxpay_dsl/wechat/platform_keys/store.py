"""Stores downloaded platform certificates (平台证书) for the next start and for other processes: in a file or in Redis.

An entry is the body of the service's response, still encrypted and authenticated with the APIv3 key, so write access
to the store is not enough to add a forged key.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import stat
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from attrs import field, frozen

from wxpay_dsl.core.errors import ConfigurationError, SdkError
from wxpay_dsl.core.files.names import is_file_name, shown_file
from wxpay_dsl.core.redaction import redact_text

if TYPE_CHECKING:
    from redis.asyncio import Redis

__all__ = ["FileKeyStore", "KeyStore", "KeyStoreError", "RedisKeyStore", "StoredCertificates", "key_store"]

#: The largest entry, in bytes; one with two certificates has about 7,000.
_LIMIT: Final = 1024 * 1024
_NAME: Final = re.compile(r"[0-9A-Za-z_-]{1,64}\Z")
#: Timeout of Redis in seconds, short because a slow store must not delay a payment.
_REDIS_TIMEOUT: Final = 3.0


@frozen(str=False)
class KeyStoreError(SdkError):
    """A store cannot be read or written. It is logged, and calls continue without the store."""

    message: str

    def __str__(self) -> str:
        return self.message


@frozen
class StoredCertificates:
    """The body of a response of ``GET /v3/certificates``, and when it came (Unix time in seconds)."""

    response: bytes = field(repr=False)
    fetched_at: float

    def dumps(self) -> bytes:
        """The entry as JSON."""
        return json.dumps({"fetched_at": self.fetched_at, "response": self.response.decode()}).encode()

    @classmethod
    def loads(cls, data: bytes) -> StoredCertificates:
        """The entry that :meth:`dumps` wrote. Raises KeyStoreError for any other data."""
        try:
            document = json.loads(data)
            response, fetched_at = document["response"].encode(), float(document["fetched_at"])
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
            raise KeyStoreError("the stored platform certificates are damaged") from None
        return cls(response, fetched_at)


@runtime_checkable
class KeyStore(Protocol):
    """A store of certificates, with one entry a merchant. ``name`` is letters, digits, ``_`` and ``-``."""

    async def load(self, name: str) -> bytes | None:
        """The entry, or None if there is none. Raises KeyStoreError."""

    async def save(self, name: str, data: bytes) -> None:
        """Replaces the entry atomically. Raises KeyStoreError."""


@frozen
class FileKeyStore:
    """One file a merchant in ``folder``, readable by its owner only and replaced atomically."""

    folder: Path = field(converter=Path)

    async def load(self, name: str) -> bytes | None:
        """Reads ``folder/name.json`` in a thread."""
        return await asyncio.to_thread(self._read, self._path(name))

    async def save(self, name: str, data: bytes) -> None:
        """Writes ``folder/name.json`` in a thread; a missing folder is created."""
        await asyncio.to_thread(self._write, self._path(name), data)

    def _path(self, name: str) -> Path:
        if not _NAME.match(name):
            raise KeyStoreError(f"{name[:80]!r} cannot be the name of an entry")
        return self.folder / f"{name}.json"

    @staticmethod
    def _read(path: Path) -> bytes | None:
        try:
            # Opened without blocking: a named pipe in its place would block until it had a writer.
            with open(path, "rb", opener=_open_nonblocking) as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise KeyStoreError(f"{path} is no regular file")
                data = file.read(_LIMIT + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise KeyStoreError(f"{path} cannot be read: {error.strerror}") from None
        if len(data) > _LIMIT:
            raise KeyStoreError(f"{path} is larger than {_LIMIT} bytes: it is not an entry of this store")
        return data

    @staticmethod
    def _write(path: Path, data: bytes) -> None:
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # mkstemp creates it with mode 0600 under any umask; in the same folder, so that the rename is atomic.
            handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                Path(temporary).replace(path)
            except BaseException:
                with suppress(OSError):
                    Path(temporary).unlink()
                raise
        except OSError as error:
            raise KeyStoreError(f"{path} cannot be written: {error.strerror}") from None


def _open_nonblocking(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


@frozen
class RedisKeyStore:
    """One entry a merchant in Redis, shared by all processes that use its URL (extra ``redis``)."""

    #: ``redis://…``, ``rediss://…`` or ``unix://…``; it may hold a password.
    url: str = field(repr=False)
    prefix: str = "wxpay:platform-certificates:"

    async def load(self, name: str) -> bytes | None:
        """Reads the entry."""
        async with self._client() as client:
            data = await client.get(self.prefix + name)
        return data if isinstance(data, bytes) else None

    async def save(self, name: str, data: bytes) -> None:
        """Writes the entry, without expiry: certificates carry their own."""
        async with self._client() as client:
            await client.set(self.prefix + name, data)

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[Redis]:
        """A new connection for each use, a few a day, so that none outlives its event loop."""
        from redis.asyncio import Redis
        from redis.exceptions import RedisError

        try:
            async with Redis.from_url(
                self.url, socket_timeout=_REDIS_TIMEOUT, socket_connect_timeout=_REDIS_TIMEOUT
            ) as client:
                yield client
        except (RedisError, OSError, TimeoutError) as error:
            raise KeyStoreError(f"Redis: {type(error).__name__}: {redact_text(str(error))}") from None


def key_store(setting: str | os.PathLike[str] | KeyStore) -> KeyStore:
    """The store for the setting `certificate_store`: a folder, the URL of a Redis, or a KeyStore.

    Raises ConfigurationError for anything else.
    """
    if isinstance(setting, (str, os.PathLike)):
        text = os.fspath(setting)
        if re.match(r"(rediss?|unix)://", text):
            _check_redis(text)
            return RedisKeyStore(text)
        if "://" in text and not text.startswith("file://"):
            scheme = text.partition("://")[0]
            raise ConfigurationError(f"`certificate_store` is a folder or a redis:// URL, not {scheme[:20]}://…")
        if not is_file_name(text):
            raise ConfigurationError(f"`certificate_store` is a folder or a redis:// URL, not {shown_file(text)}")
        return FileKeyStore(Path(text.removeprefix("file://")).expanduser())
    if isinstance(setting, KeyStore):
        return setting
    raise ConfigurationError(
        f"`certificate_store` is a folder, a redis:// URL or a KeyStore, not {type(setting).__name__}"
    )


def _check_redis(url: str) -> None:
    try:
        from redis.asyncio import Redis
    except ImportError:
        raise ConfigurationError("`certificate_store` is in Redis: pip install 'wxpay-dsl[redis]'") from None
    try:
        Redis.from_url(url)
    except ValueError:
        # The library's message may quote the password.
        message = "`certificate_store` is no URL of a Redis, such as redis://:password@127.0.0.1:6379/0"
        raise ConfigurationError(
            f"{message}: percent-encode all characters of a password but letters and digits"
        ) from None
