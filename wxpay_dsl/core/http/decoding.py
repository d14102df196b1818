"""Decodes the body of a download into the file: decrypts, decompresses and hashes it in pieces, up to a size limit."""

from __future__ import annotations

import hmac
import re
import zlib
from collections.abc import Iterator
from typing import Any, Final, Protocol

from attrs import frozen

from wxpay_dsl.core.request.files import new_hash

__all__ = ["Digest", "FileDecodeError", "FileDecoder", "StreamCipher"]

#: The most bytes of one piece, so that handling it blocks the event loop for at most a millisecond or two.
PIECE: Final = 64 * 1024
_GZIP: Final = b"\x1f\x8b"
_HEXADECIMAL: Final = re.compile(r"[0-9A-Fa-f]+\Z")


class FileDecodeError(Exception):
    """Says why the received bytes are not the promised file."""


@frozen
class Digest:
    """The digest that a file must have. Raises ValueError for an unknown algorithm or an invalid value."""

    #: ``SHA1``, ``SHA256``, ``SM3``, ``MD5``.
    algorithm: str
    #: Hexadecimal, in either case.
    value: str

    def __attrs_post_init__(self) -> None:
        size = new_hash(self.algorithm).digest_size  # 0 for an algorithm of variable size, such as SHAKE
        if not size or not _HEXADECIMAL.match(self.value) or len(self.value) != 2 * size:
            raise ValueError(f"not a {self.algorithm[:20]} in hexadecimal")


class StreamCipher(Protocol):
    """Decrypts a file as a stream."""

    def update(self, data: bytes) -> bytes:
        """Takes the next bytes, and returns the plaintext that is available so far."""

    def finalize(self) -> bytes:
        """Returns the rest of the plaintext. Raises FileDecodeError if the ciphertext was changed."""


class FileDecoder:
    """Decodes the bytes of a download into the bytes of the file.

    A gzip file is recognised by its first two bytes and may have several members. The decoded bytes are not verified
    until :meth:`finish` has returned.
    """

    def __init__(self, digest: Digest | None, limit: int, cipher: StreamCipher | None = None) -> None:
        """``limit``: the most bytes of the decoded file, which protects against decompression bombs."""
        self._digest = digest
        self._hash: Any = new_hash(digest.algorithm) if digest is not None else None
        self._limit = limit
        self._cipher = cipher
        self._head: bytes | None = b""
        self._gzip: Any = None
        #: Decoded bytes so far.
        self.size = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Decodes the next bytes, and yields the file in pieces. Raises FileDecodeError."""
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
        """Yields the rest of the file. Raises FileDecodeError unless it is complete and has the expected digest."""
        rest = self._cipher.finalize() if self._cipher is not None else b""
        if self._head is not None:
            rest, self._head = self._head + rest, None
        yield from self._through(rest)
        if self._gzip is not None and not self._gzip.eof:
            # zlib may still hold output although it has consumed all input.
            yield from self._counted(self._gzip.flush())
        if self._gzip is not None and not self._gzip.eof:
            raise FileDecodeError(f"the gzip file ended early, after {self.size} decompressed bytes")
        if self._digest is not None:
            actual = self._hash.hexdigest()
            if not hmac.compare_digest(actual, self._digest.value.lower()):
                raise FileDecodeError(
                    f"the {self._digest.algorithm} of the {self.size} bytes received is {actual}, "
                    f"not {self._digest.value.lower()}: the file was changed or truncated in transit"
                )

    def _through(self, data: bytes) -> Iterator[bytes]:
        pieces = _split(data) if self._gzip is None else self._inflate(data)
        for piece in pieces:
            yield from self._counted(piece)

    def _counted(self, piece: bytes) -> Iterator[bytes]:
        self.size += len(piece)
        if self.size > self._limit:
            raise FileDecodeError(f"the file is larger than {self._limit} decompressed bytes")
        if self._hash is not None:
            self._hash.update(piece)
        if piece:
            yield piece

    def _inflate(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._gzip.eof:
                # The next member, or trailing padding of zeros.
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
