"""As much DER as it takes to get the key out of a document whose curve no library here knows."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["BIT_STRING", "INTEGER", "OCTET_STRING", "SEQUENCE", "children", "element"]

INTEGER, BIT_STRING, OCTET_STRING, SEQUENCE = 0x02, 0x03, 0x04, 0x30


def element(data: bytes) -> tuple[int, bytes, bytes]:
    """``(tag, content, rest)`` of the first element. Raises ValueError for what is not DER, or is cut off."""
    if len(data) < 2:
        raise ValueError("DER ends early")
    tag, length, start = data[0], data[1], 2
    if length & 0x80:
        count = length & 0x7F
        if not 1 <= count <= 3 or len(data) < 2 + count:
            raise ValueError("a length in DER is none")
        length, start = int.from_bytes(data[2 : 2 + count], "big"), 2 + count
        if length < 0x80:
            raise ValueError("a length in DER is written long")
    if len(data) < start + length:
        raise ValueError("DER ends early")
    return tag, data[start : start + length], data[start + length :]


def children(data: bytes, tag: int = SEQUENCE) -> Iterator[tuple[int, bytes]]:
    """``(tag, content)`` of each part of the one element that ``data`` is. Raises ValueError."""
    found, content, rest = element(data)
    if found != tag or rest:
        raise ValueError(f"expected one element {tag:#x} in DER, got {found:#x}")
    while content:
        inner, value, content = element(content)
        yield inner, value
