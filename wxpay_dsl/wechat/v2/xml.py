"""Reads and writes APIv2's XML: one level of text elements below ``<xml>``.

Input is untrusted until its signature is verified, and verification needs the exact values. So documents with DTDs,
entities, attributes or nesting are rejected, and values are neither trimmed nor converted.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from xml.sax import SAXParseException
from xml.sax.handler import ContentHandler

from attrs import field, frozen

# defusedxml instead of lxml: it is 25 KB of Python around the interpreter's own expat, which is updated with Python,
# and it rejects a DTD at its first character. lxml brings 5 MB of libxml2, where the same limits must be set by hand.
from defusedxml.common import DefusedXmlException
from defusedxml.expatreader import DefusedExpatParser

from wxpay_dsl.core.errors import SdkError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from xml.sax.xmlreader import AttributesImpl

__all__ = ["ELEMENT_LIMIT", "LIMIT", "XmlError", "dumps", "loads", "parse"]

#: The default limit for documents, in bytes; the largest real ones, refund queries, have about 100 KB.
LIMIT: Final = 1 << 20
#: The default limit for elements in one document.
ELEMENT_LIMIT: Final = 10_000

_ROOT = "xml"
#: Characters of a name that an error shows: names are untrusted input as well.
_SHOWN = 80
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
#: Text that needs no escaping: no markup, no invisible characters, nothing that a parser would normalise.
_PLAIN = re.compile(r"[ !-%'-;=?-~]*")
#: Characters that XML 1.0 cannot represent, not even as a character reference.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_DECLARED = re.compile(r"\s*<\?xml\b[^>]*?\bencoding\s*=\s*[\"']([^\"']*)[\"']")


def _shown(name: str) -> str:
    return name[:_SHOWN]


@frozen(str=False)
class XmlError(SdkError, ValueError):
    """XML that is rejected, or a field that cannot be written. ``element`` is its name, if known.

    The text shows names and positions, never values.
    """

    message: str
    element: str = field(default="", converter=_shown)

    def __str__(self) -> str:
        return f"XML: <{self.element}>: {self.message}" if self.element else f"XML: {self.message}"


def dumps(fields: Mapping[str, str | int]) -> bytes:
    """``fields`` as ``<xml>…</xml>`` in UTF-8, in their order; values that are not plain ASCII are in CDATA.

    ``loads(dumps(fields)) == fields`` for all texts. Raises :class:`XmlError` for a name that is not an XML
    name and for a value that XML cannot represent (control characters, lone surrogates) or that is neither text nor
    integer.
    """
    return "".join(
        [
            "<xml>",
            *(f"<{_name(name)}>{_content(name, value)}</{name}>" for name, value in fields.items()),
            "</xml>",
        ]
    ).encode()


def loads(
    data: bytes | str, *, limit: int = LIMIT, element_limit: int = ELEMENT_LIMIT, root: str = _ROOT
) -> dict[str, str]:
    """The fields of a document, exactly as written; ``<a/>`` and ``<a></a>`` are the empty text.

    ``root`` is the name of the outermost element; in the decrypted ``req_info`` of refunds it is ``root``.

    Raises :class:`XmlError` for more than ``limit`` bytes or ``element_limit`` elements, for an encoding
    other than UTF-8, for a DTD, an entity, a processing instruction, an attribute, a nested or repeated element, for
    text between elements, and for input that is not XML or ends too early.
    """
    handler = _Fields(root, element_limit)
    parse(data, handler, limit)
    return handler.fields


def parse(data: bytes | str, handler: ContentHandler, limit: int = LIMIT) -> None:
    """Parses a document with ``handler``; DTDs and entities are rejected.

    Raises :class:`XmlError` for more than ``limit`` bytes, an encoding other than UTF-8, and input that is not XML.
    """
    text = _decode(data, limit)
    parser = DefusedExpatParser(forbid_dtd=True, forbid_entities=True, forbid_external=True)
    parser.setContentHandler(handler)
    try:
        # In one piece: expat up to 2.5 scans an incomplete token again with every further piece.
        parser.feed(text)
        parser.close()
    except DefusedXmlException as error:
        raise XmlError("it has a DTD or an entity, which WeChat Pay never sends") from error
    except SAXParseException as error:
        where = f"line {error.getLineNumber()}, column {error.getColumnNumber()}"
        raise XmlError(f"not well-formed, or cut off, at {where}: {error.getMessage()}") from error


class _Fields(ContentHandler):
    """Collects one level of elements, and rejects anything else."""

    def __init__(self, root: str, element_limit: int) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self._root = root
        self._element_limit = element_limit
        self._in_root = False
        self._name = ""
        self._pieces: list[str] = []

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: N802 - SAX names it
        if len(attrs):
            raise XmlError("it has attributes", name)
        if not self._in_root:
            if name != self._root:
                raise XmlError(f"the outermost element must be <{self._root}>", name)
            self._in_root = True
        elif self._name:
            raise XmlError(f"it contains another element, <{_shown(name)}>", self._name)
        elif name in self.fields:
            raise XmlError("it occurs twice", name)
        elif len(self.fields) >= self._element_limit:
            raise XmlError(f"more than {self._element_limit} elements")
        else:
            self._name = name

    def endElement(self, name: str) -> None:  # noqa: N802 - SAX names it
        if self._name:
            self.fields[name] = "".join(self._pieces)
            self._pieces.clear()
            self._name = ""

    def characters(self, content: str) -> None:
        if self._name:
            self._pieces.append(content)
        elif content.strip(" \t\r\n"):
            raise XmlError("there is text between the elements")

    def processingInstruction(self, target: str, data: str) -> None:  # noqa: N802 - SAX names it
        raise XmlError("it has a processing instruction")


def _decode(data: bytes | str, limit: int) -> str:
    # A text never has more characters than bytes, so a huge one is rejected before it is encoded.
    if len(data) > limit:
        raise XmlError(f"{len(data)} bytes, more than the limit of {limit}")
    try:
        encoded = data.encode() if isinstance(data, str) else data
        text = encoded.decode("utf-8-sig")
    except UnicodeError as error:
        position = getattr(error, "start", 0)
        raise XmlError(f"not UTF-8, from position {position} on") from None
    if len(encoded) > limit:
        raise XmlError(f"{len(encoded)} bytes, more than the limit of {limit}")
    if "\0" in text:
        raise XmlError("it has null characters: it is UTF-16, or not XML")
    declared = _DECLARED.match(text)
    if declared and declared[1].lower() not in ("utf-8", "utf8"):
        raise XmlError(f"the encoding is declared as {declared[1][:40]!r}; WeChat Pay uses UTF-8")
    return text


def _name(name: object) -> str:
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        raise XmlError("not a valid name for an element", str(name))
    return name


def _content(name: str, value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return int.__repr__(value)
    if not isinstance(value, str):
        raise XmlError(f"a value is text or an integer, not {type(value).__name__}", name)
    value = str.__str__(value)  # of an enum member its value, where f"{member}" would give the member's name
    if _PLAIN.fullmatch(value):
        return value
    forbidden = _FORBIDDEN.search(value)
    if forbidden:
        raise XmlError(f"XML cannot represent the character U+{ord(forbidden[0]):04X}", name)
    # A CDATA section ends at the first ]]>, so that is split over two sections. Parsers convert a bare CR to LF, so it
    # is written as a character reference between two sections.
    inner = value.replace("]]>", "]]]]><![CDATA[>").replace("\r", "]]>&#13;<![CDATA[")
    return f"<![CDATA[{inner}]]>"
