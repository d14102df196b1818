"""Reads XML with nested elements: the few APIv2 responses with lists, none of which is signed.

They are those of ``/mmpaymkttransfers/gethbinfo`` (``hblist``) and ``/secapi/mch/submchmanage`` (``mchinfo``). What
:mod:`wxpay_dsl.wechat.v2.xml` rejects is rejected here too, apart from nesting and repetition.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias
from xml.sax.handler import ContentHandler

from .xml import ELEMENT_LIMIT, LIMIT, XmlError, parse

if TYPE_CHECKING:
    from xml.sax.xmlreader import AttributesImpl

__all__ = ["DEPTH_LIMIT", "Element", "loads"]

#: The content of an element: text, child elements by name, or a list of both for repeated names.
Element: TypeAlias = "str | dict[str, Element] | list[Element]"

#: The limit for levels below the outermost element; real responses have three.
DEPTH_LIMIT: Final = 4

_ROOT: Final = "xml"
_SPACE: Final = " \t\r\n"


def loads(data: bytes | str, *, limit: int = LIMIT, element_limit: int = ELEMENT_LIMIT) -> dict[str, Element]:
    """The elements of a document, with their texts exactly as written.

    Repeated elements are a list; a single one is not, even where a spec declares a list. Raises :class:`XmlError` for
    more than ``limit`` bytes, ``element_limit`` elements or :data:`DEPTH_LIMIT` levels, for text beside elements, and
    for anything else that :func:`wxpay_dsl.wechat.v2.xml.loads` rejects.
    """
    handler = _Elements(element_limit)
    parse(data, handler, limit)
    return handler.elements


class _Elements(ContentHandler):
    """Collects elements and their children."""

    def __init__(self, element_limit: int) -> None:
        super().__init__()
        self.elements: dict[str, Element] = {}
        self._remaining = element_limit
        #: The children and the pieces of text of each open element, the outermost first.
        self._open: list[tuple[dict[str, Element], list[str]]] = []

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: N802 - SAX names it
        if len(attrs):
            raise XmlError("it has attributes", name)
        if not self._open and name != _ROOT:
            raise XmlError(f"the outermost element must be <{_ROOT}>", name)
        if len(self._open) > DEPTH_LIMIT:
            raise XmlError(f"more than {DEPTH_LIMIT} levels", name)
        if self._remaining < 0:
            raise XmlError("too many elements")
        self._remaining -= 1
        self._open.append(({}, []))

    def endElement(self, name: str) -> None:  # noqa: N802 - SAX names it
        children, pieces = self._open.pop()
        text = "".join(pieces)
        if (children or not self._open) and text.strip(_SPACE):
            raise XmlError("there is text beside the elements", name)
        if not self._open:
            self.elements = children
            return
        value: Element = children or text
        siblings = self._open[-1][0]
        existing = siblings.get(name)
        if existing is None:
            siblings[name] = value
        elif isinstance(existing, list):
            existing.append(value)
        else:
            siblings[name] = [existing, value]

    def characters(self, content: str) -> None:
        self._open[-1][1].append(content)

    def processingInstruction(self, target: str, data: str) -> None:  # noqa: N802 - SAX names it
        raise XmlError("it has a processing instruction")
