"""Keeps downloaded platform certificates (平台证书) for the next start and for other processes: in a file, or in Redis.

What is kept is the service's own answer, still encrypted and authenticated under the APIv3 key: whoever can write to
the store cannot put a key of his own into it.
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
from wxpay_dsl.core.file_names import is_file_name, shown_file
from wxpay_dsl.core.redaction import redact_text

if TYPE_CHECKING:
    from redis.asyncio import Redis

__all__ = ["FileKeyStore", "KeyStore", "KeyStoreError", "RedisKeyStore", "StoredCertificates", "key_store"]

#: Bytes of an entry that are read; one with two certificates has 7,000.
_LIMIT: Final = 1024 * 1024
_NAME: Final = re.compile(r"[0-9A-Za-z_-]{1,64}\Z")
#: Seconds for Redis to answer; a slow store must not hold up a payment.
_REDIS_TIMEOUT: Final = 3.0


@frozen(str=False)
class KeyStoreError(SdkError):
    """A store that cannot be read or written. Calls go on without it; it is logged."""

    message: str

    def __str__(self) -> str:
        return self.message


@frozen
class StoredCertificates:
    """An answer of ``GET /v3/certificates`` as it came, and when that was (Unix time in seconds)."""

    answer: bytes = field(repr=False)
    fetched_at: float

    def dumps(self) -> bytes:
        """As it is kept."""
        return json.dumps({"fetched_at": self.fetched_at, "answer": self.answer.decode()}).encode()

    @classmethod
    def loads(cls, data: bytes) -> StoredCertificates:
        """Raises KeyStoreError for something else than :meth:`dumps` gave."""
        try:
            document = json.loads(data)
            answer, fetched_at = document["answer"].encode(), float(document["fetched_at"])
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
            raise KeyStoreError("the stored platform certificates are damaged") from None
        return cls(answer, fetched_at)


@runtime_checkable
class KeyStore(Protocol):
    """Where certificates are kept, one entry a merchant. ``name`` is letters, digits, ``_`` and ``-``."""

    async def load(self, name: str) -> bytes | None:
        """The entry, or None where there is none. Raises KeyStoreError."""

    async def save(self, name: str, data: bytes) -> None:
        """Replaces the entry in one step. Raises KeyStoreError."""


@frozen
class FileKeyStore:
    """A file a merchant in ``folder``, readable by its owner only, and never seen half-written."""

    folder: Path = field(converter=Path)

    async def load(self, name: str) -> bytes | None:
        """Reads ``folder/name.json``, off the event loop."""
        return await asyncio.to_thread(self._read, self._path(name))

    async def save(self, name: str, data: bytes) -> None:
        """Writes ``folder/name.json``, off the event loop; the folder is made where it is missing."""
        await asyncio.to_thread(self._write, self._path(name), data)

    def _path(self, name: str) -> Path:
        if not _NAME.match(name):
            raise KeyStoreError(f"{name[:80]!r} cannot be the name of an entry")
        return self.folder / f"{name}.json"

    @staticmethod
    def _read(path: Path) -> bytes | None:
        try:
            # A pipe in its place would be waited for, whoever made it.
            with open(path, "rb", opener=_open_at_once) as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise KeyStoreError(f"{path} is no regular file")
                data = file.read(_LIMIT + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise KeyStoreError(f"{path} cannot be read: {error.strerror}") from None
        if len(data) > _LIMIT:
            raise KeyStoreError(f"{path} is larger than {_LIMIT} bytes: it holds something else")
        return data

    @staticmethod
    def _write(path: Path, data: bytes) -> None:
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # mkstemp makes it 0600, whatever the umask; beside the target, so that the rename is atomic.
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


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


@frozen
class RedisKeyStore:
    """An entry a merchant in Redis, shared by all processes that are given its URL (extra ``redis``)."""

    #: ``redis://…``, ``rediss://…`` or ``unix://…``; it may hold a password.
    url: str = field(repr=False)
    prefix: str = "wxpay:platform-certificates:"

    async def load(self, name: str) -> bytes | None:
        """Gets the entry."""
        async with self._client() as client:
            found = await client.get(self.prefix + name)
        return found if isinstance(found, bytes) else None

    async def save(self, name: str, data: bytes) -> None:
        """Sets the entry; it does not expire, since certificates have an end of their own."""
        async with self._client() as client:
            await client.set(self.prefix + name, data)

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[Redis]:
        """A connection for each of the few times a day: it outlives no event loop."""
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
    """The store that a setting names: a folder, or the URL of a Redis. Raises ConfigurationError."""
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
        # What the library says may quote the password.
        message = "`certificate_store` is no URL of a Redis, such as redis://:password@127.0.0.1:6379/0"
        raise ConfigurationError(f"{message}: percent-encode what a password has beside letters and digits") from None
