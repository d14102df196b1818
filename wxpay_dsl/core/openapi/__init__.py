"""OpenAPI documents to spec files and back: ``parse`` reads a document's text, ``read_document`` makes spec files of
it, ``write_document`` makes a document of operations. The last two are pure.
"""

from .document import parse
from .files import Imported, read_document
from .words import GENERIC, Lost, Vocabulary
from .write import write_document

__all__ = ["GENERIC", "Imported", "Lost", "Vocabulary", "parse", "read_document", "write_document"]
