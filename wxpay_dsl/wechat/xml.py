"""APIv2's XML: one level of named texts below ``<xml>``, and nothing else.

What comes in is untrusted until its signature is checked, and that needs the values as they were written. So
documents with anything that could grow, fetch or mislead are refused, and values are neither trimmed nor
converted.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from xml.sax import SAXParseException
from xml.sax.handler import ContentHandler

from attrs import field, frozen

# defusedxml rather than lxml: it is 25 KB of Python around the interpreter's own expat, which is updated with
# Python, and it refuses a DTD at its first character. lxml brings 5 MB of libxml2 for which the same bolts
# have to be set by hand.
from defusedxml.common import DefusedXmlException
from defusedxml.expatreader import DefusedExpatParser

from wxpay_dsl.core.errors import SdkError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from xml.sax.xmlreader import AttributesImpl

__all__ = ["ELEMENT_LIMIT", "LIMIT", "XmlError", "dumps", "loads", "parse"]

#: The largest document read unless told otherwise, in bytes; the largest real ones, refund queries, are some
#: 100 KB.
LIMIT: Final = 1 << 20
#: The most elements read in one document unless told otherwise.
ELEMENT_LIMIT: Final = 10_000

_ROOT = "xml"
#: How much of a name an error shows: names too come from outside.
_SHOWN = 80
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
#: Text that means itself in XML: no markup, nothing invisible, nothing that a parser would normalise.
_PLAIN = re.compile(r"[ !-%'-;=?-~]*")
#: What XML 1.0 cannot carry, not even as a character reference.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_DECLARED = re.compile(r"\s*<\?xml\b[^>]*?\bencoding\s*=\s*[\"']([^\"']*)[\"']")


def _shown(name: str) -> str:
    return name[:_SHOWN]


@frozen(str=False)
class XmlError(SdkError, ValueError):
    """XML that is not read, or a field that cannot be written; ``element`` names it, where it is known.

    Shows names and positions, never values.
    """

    message: str
    element: str = field(default="", converter=_shown)

    def __str__(self) -> str:
        return f"XML: <{self.element}>: {self.message}" if self.element else f"XML: {self.message}"


def dumps(fields: Mapping[str, str | int]) -> bytes:
    """``fields`` as ``<xml>…</xml>`` in UTF-8, in their order; in CDATA what is not plain ASCII.

    ``loads(dumps(fields)) == fields`` for all texts. Raises :class:`XmlError` for a name that is no XML name
    and for a value that XML cannot carry (control characters, lone surrogates) or that is neither text nor
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

    ``root`` is the outermost element: ``root`` in what ``req_info`` of a refund notification decrypts to.

    Raises :class:`XmlError` for more than ``limit`` bytes or ``element_limit`` elements, for an encoding
    other than UTF-8, for a DTD, an entity, a processing instruction, an attribute, an element below another
    or there twice, for text between elements, and for what is not XML at all or ends too early.
    """
    handler = _Fields(root, element_limit)
    parse(data, handler, limit)
    return handler.fields


def parse(data: bytes | str, handler: ContentHandler, limit: int = LIMIT) -> None:
    """Gives a document's elements to ``handler``, none of which comes from a DTD or an entity.

    Raises :class:`XmlError` for more than ``limit`` bytes, another encoding than UTF-8, and what is no XML.
    """
    text = _decoded(data, limit)
    parser = DefusedExpatParser(forbid_dtd=True, forbid_entities=True, forbid_external=True)
    parser.setContentHandler(handler)
    try:
        # In one piece: expat up to 2.5 scans an unfinished token again with every further piece.
        parser.feed(text)
        parser.close()
    except DefusedXmlException as error:
        raise XmlError("it has a DTD or an entity, which WeChat Pay never sends") from error
    except SAXParseException as error:
        where = f"line {error.getLineNumber()}, column {error.getColumnNumber()}"
        raise XmlError(f"not well-formed, or cut off, at {where}: {error.getMessage()}") from error


class _Fields(ContentHandler):
    """Collects the one level of elements, and refuses all that is more."""

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
            raise XmlError(f"it holds another element, <{_shown(name)}>", self._name)
        elif name in self.fields:
            raise XmlError("it is there twice", name)
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


def _decoded(data: bytes | str, limit: int) -> str:
    # The length of a text is never more than that of its bytes: enough to refuse a huge one before it is
    # copied.
    if len(data) > limit:
        raise XmlError(f"{len(data)} bytes, more than the {limit} that are read")
    try:
        encoded = data.encode() if isinstance(data, str) else data
        text = encoded.decode("utf-8-sig")
    except UnicodeError as error:
        position = getattr(error, "start", 0)
        raise XmlError(f"not UTF-8, from position {position} on") from None
    if len(encoded) > limit:
        raise XmlError(f"{len(encoded)} bytes, more than the {limit} that are read")
    if "\0" in text:
        raise XmlError("it has null characters: UTF-16, or no XML at all")
    declared = _DECLARED.match(text)
    if declared and declared[1].lower() not in ("utf-8", "utf8"):
        raise XmlError(f"the encoding is declared as {declared[1][:40]!r}; WeChat Pay uses UTF-8")
    return text


def _name(name: object) -> str:
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        raise XmlError("not a name for an element", str(name))
    return name


def _content(name: str, value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return int.__repr__(value)
    if not isinstance(value, str):
        raise XmlError(f"a value is text or an integer, not {type(value).__name__}", name)
    value = str.__str__(value)  # of an enumeration's member its value, where f"{member}" would name the member
    if _PLAIN.fullmatch(value):
        return value
    forbidden = _FORBIDDEN.search(value)
    if forbidden:
        raise XmlError(f"XML cannot carry the character U+{ord(forbidden[0]):04X}", name)
    # A CDATA section ends at the first ]]>, so that is split over two; and parsers turn a bare CR into LF, so
    # it is written as a reference, between two sections.
    inner = value.replace("]]>", "]]]]><![CDATA[>").replace("\r", "]]>&#13;<![CDATA[")
    return f"<![CDATA[{inner}]]>"
