"""A minimal DER reader, for SM2 keys and certificates, whose curve cryptography does not support."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["BIT_STRING", "INTEGER", "OCTET_STRING", "SEQUENCE", "children", "element"]

INTEGER, BIT_STRING, OCTET_STRING, SEQUENCE = 0x02, 0x03, 0x04, 0x30


def element(data: bytes) -> tuple[int, bytes, bytes]:
    """``(tag, content, rest)`` of the first element. Raises ValueError for malformed or truncated DER."""
    if len(data) < 2:
        raise ValueError("DER ends early")
    tag, length, start = data[0], data[1], 2
    if length & 0x80:
        count = length & 0x7F
        if not 1 <= count <= 3 or len(data) < 2 + count:
            raise ValueError("a length in DER is malformed")
        length, start = int.from_bytes(data[2 : 2 + count], "big"), 2 + count
        if length < 0x80:
            raise ValueError("a length in DER is not in its shortest form")
    if len(data) < start + length:
        raise ValueError("DER ends early")
    return tag, data[start : start + length], data[start + length :]


def children(data: bytes, tag: int = SEQUENCE) -> Iterator[tuple[int, bytes]]:
    """``(tag, content)`` of each child of the single element in ``data``. Raises ValueError."""
    outer, content, rest = element(data)
    if outer != tag or rest:
        raise ValueError(f"expected one element {tag:#x} in DER, got {outer:#x}")
    while content:
        inner, value, content = element(content)
        yield inner, value
