"""OpenAPI 3 documents to spec files, and operations to an OpenAPI 3.1 document.

:func:`parse` reads a document's text (JSON or YAML), :func:`read_document` makes spec files of a document, and
:func:`write_document` makes a document of operations; the last two are pure. Read :mod:`.files` first for imports,
:mod:`.write` for exports. The folder imports :mod:`wxpay_dsl.core.specs` and :mod:`wxpay_dsl.core.errors`.
"""

from .document import parse
from .files import Imported, read_document
from .words import GENERIC, Lost, Vocabulary
from .write import write_document

__all__ = ["GENERIC", "Imported", "Lost", "Vocabulary", "parse", "read_document", "write_document"]
