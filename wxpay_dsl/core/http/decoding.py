"""From the bytes of a download to those of the file: decrypted, unpacked and hashed piece by piece, within bounds."""

from __future__ import annotations

import hmac
import re
import zlib
from collections.abc import Iterator
from typing import Any, Final, Protocol

from attrs import frozen

from wxpay_dsl.core.request.files import new_hash

__all__ = ["Digest", "StreamCipher", "FileDecodeError", "FileDecoder"]

#: Bytes given at once: what handles a piece holds up the event loop for no more than a millisecond or two.
PIECE: Final = 64 * 1024
_GZIP: Final = b"\x1f\x8b"
_HEXADECIMAL: Final = re.compile(r"[0-9A-Fa-f]+\Z")


class FileDecodeError(Exception):
    """Why the bytes that came are not the file."""


@frozen
class Digest:
    """What a file must hash to. Raises ValueError for an unknown algorithm, and for what is no hash of it."""

    #: ``SHA1``, ``SHA256``, ``SM3``, ``MD5``.
    algorithm: str
    #: Hexadecimal, in either case.
    value: str

    def __attrs_post_init__(self) -> None:
        size = new_hash(self.algorithm).digest_size  # 0 where it has no size of its own, as SHAKE's
        if not size or not _HEXADECIMAL.match(self.value) or len(self.value) != 2 * size:
            raise ValueError(f"no {self.algorithm[:20]} in hexadecimal")


class StreamCipher(Protocol):
    """Decrypts a file from its beginning to its end."""

    def update(self, data: bytes) -> bytes:
        """The plaintext of the next bytes, or of as many of them as can be given yet."""

    def finalize(self) -> bytes:
        """The rest. Raises FileDecodeError for what was changed on its way."""


class FileDecoder:
    """Bytes as they come go in, bytes of the file come out.

    A gzip file is known by its first two bytes, which no bill and no document has, and may be of several members.
    What comes out has not been checked until :meth:`finish` has returned.
    """

    def __init__(self, digest: Digest | None, limit: int, cipher: StreamCipher | None = None) -> None:
        """``limit``: bytes that may come out, so that a small bomb fills no disk."""
        self._digest = digest
        self._hash: Any = new_hash(digest.algorithm) if digest is not None else None
        self._limit = limit
        self._cipher = cipher
        self._head: bytes | None = b""
        self._gzip: Any = None
        #: Bytes that came out so far.
        self.size = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The next bytes of the file, in pieces. Raises FileDecodeError."""
        if self._cipher is not None:
            data = self._cipher.update(data)
        if self._head is not None:
            data = self._head + data
            if len(data) < len(_GZIP):
                self._head = data
                return
            self._head = None
            if data.startswith(_GZIP):
                self._gzip = _gunzip()
        yield from self._through(data)

    def finish(self) -> Iterator[bytes]:
        """The last bytes of the file. Raises FileDecodeError unless it is whole and has the hash it must have."""
        rest = self._cipher.finalize() if self._cipher is not None else b""
        if self._head is not None:
            rest, self._head = self._head + rest, None
        yield from self._through(rest)
        if self._gzip is not None and not self._gzip.eof:
            # The end of a match may be waiting for room though all input is taken.
            yield from self._counted(self._gzip.flush())
        if self._gzip is not None and not self._gzip.eof:
            raise FileDecodeError(f"the gzip file ended early, after {self.size} bytes unpacked")
        if self._digest is not None:
            actual = self._hash.hexdigest()
            if not hmac.compare_digest(actual, self._digest.value.lower()):
                raise FileDecodeError(
                    f"the {self._digest.algorithm} of the {self.size} bytes that came is {actual}, "
                    f"not {self._digest.value.lower()}: the file was changed or cut on its way"
                )

    def _through(self, data: bytes) -> Iterator[bytes]:
        pieces = _split(data) if self._gzip is None else self._inflate(data)
        for piece in pieces:
            yield from self._counted(piece)

    def _counted(self, piece: bytes) -> Iterator[bytes]:
        self.size += len(piece)
        if self.size > self._limit:
            raise FileDecodeError(f"the file is larger than {self._limit} bytes unpacked")
        if self._hash is not None:
            self._hash.update(piece)
        if piece:
            yield piece

    def _inflate(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._gzip.eof:
                # Another member, or the zeros that tapes end in.
                data = data.lstrip(b"\0")
                if not data:
                    return
                self._gzip = _gunzip()
            try:
                piece = self._gzip.decompress(data, PIECE)
            except zlib.error as error:
                raise FileDecodeError(f"the gzip file is damaged: {error}") from None
            data = self._gzip.unused_data if self._gzip.eof else self._gzip.unconsumed_tail
            yield piece


def _split(data: bytes) -> Iterator[bytes]:
    for start in range(0, len(data), PIECE):
        yield data[start : start + PIECE] if len(data) > PIECE else data


def _gunzip() -> Any:
    return zlib.decompressobj(zlib.MAX_WBITS | 16)
