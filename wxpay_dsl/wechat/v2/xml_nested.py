"""XML with more than one level: the few APIv2 answers that hold lists, none of which is signed.

``/mmpaymkttransfers/gethbinfo`` (``hblist``) and ``/secapi/mch/submchmanage`` (``mchinfo``) answer so. What is
refused in :mod:`wxpay_dsl.wechat.v2.xml` is refused here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias
from xml.sax.handler import ContentHandler

from .xml import ELEMENT_LIMIT, LIMIT, XmlError, parse

if TYPE_CHECKING:
    from xml.sax.xmlreader import AttributesImpl

__all__ = ["DEPTH_LIMIT", "Element", "loads"]

#: What an element holds: text, the elements below it by name, or a list of both for several of one name.
Element: TypeAlias = "str | dict[str, Element] | list[Element]"

#: The most levels read below the outermost element; real answers have three.
DEPTH_LIMIT: Final = 4

_ROOT: Final = "xml"
_SPACE: Final = " \t\r\n"


def loads(data: bytes | str, *, limit: int = LIMIT, element_limit: int = ELEMENT_LIMIT) -> dict[str, Element]:
    """The elements of a document, their texts exactly as written.

    One element of a name is never a list here, since only a spec knows that there could be more. Raises
    :class:`XmlError` for more than ``limit`` bytes, ``element_limit`` elements or :data:`DEPTH_LIMIT` levels, for
    text beside elements, and for all else that :func:`wxpay_dsl.wechat.v2.xml.loads` refuses.
    """
    handler = _Elements(element_limit)
    parse(data, handler, limit)
    return handler.elements


class _Elements(ContentHandler):
    """Collects elements and what is below them."""

    def __init__(self, element_limit: int) -> None:
        super().__init__()
        self.elements: dict[str, Element] = {}
        self._remaining = element_limit
        #: The elements below, and the text, of each element that is open, the outermost first.
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
        below, pieces = self._open.pop()
        text = "".join(pieces)
        if (below or not self._open) and text.strip(_SPACE):
            raise XmlError("there is text beside the elements", name)
        if not self._open:
            self.elements = below
            return
        value: Element = below or text
        beside = self._open[-1][0]
        known = beside.get(name)
        if known is None:
            beside[name] = value
        elif isinstance(known, list):
            known.append(value)
        else:
            beside[name] = [known, value]

    def characters(self, content: str) -> None:
        self._open[-1][1].append(content)

    def processingInstruction(self, target: str, data: str) -> None:  # noqa: N802 - SAX names it
        raise XmlError("it has a processing instruction")
