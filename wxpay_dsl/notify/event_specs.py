"""What the specs say of notifications: their names, and the shape of what they carry."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from wxpay_dsl.core.errors import FieldError, SpecError
from wxpay_dsl.core.request.build import SpecWarning
from wxpay_dsl.core.request.mismatch import SHAPES, Kind
from wxpay_dsl.core.request.validate import check
from wxpay_dsl.core.specs.grammar import nearest
from wxpay_dsl.core.specs.model import Schema
from wxpay_dsl.wechat.v2.schemas import comparable_notification

from .notification import Notification

if TYPE_CHECKING:
    from wxpay_dsl.core.chain.tree import Tree
    from wxpay_dsl.core.observe.drift import Reporter

__all__ = ["Declared"]

_log = logging.getLogger("wxpay_dsl.notify")
#: Differences from the specs that are told of, each once a process.
_TOLD: Final = 1000


class Declared:
    """The declared notifications. The specs are loaded when first asked for."""

    def __init__(
        self,
        folders: Sequence[str],
        tree: Tree | None,
        clients: Sequence[object] = (),
        reporter: Reporter | None = None,
    ) -> None:
        """``folders``: specs of one's own, on top of the package's; where there are none ``tree``, if that is known.

        Differences from the specs go to ``reporter``; without one to the first of ``clients`` that has one.
        """
        self._clients = clients
        self._reporter = reporter
        self._folders = tuple(folders)
        self._tree = None if folders else tree
        self._schemas: dict[str, Schema | None] = {}
        self._told: set[tuple[str, str]] = set()

    @property
    def tree(self) -> Tree:
        """The specs. Raises FileNotFoundError for a folder that is not there."""
        if self._tree is None:
            from wxpay_dsl.client import tree

            self._tree = tree(self._folders)
        return self._tree

    def warn_of_unknown(self, kind: str, *, depth: int) -> None:
        """Warns, ``depth`` calls above, of a type that no spec declares: misspelt, its handler would never run."""
        names = self.tree.event_names()
        if kind not in names:
            message = f"no spec declares a notification {kind!r}{nearest(kind, names)}"
            warnings.warn(message, SpecWarning, stacklevel=depth + 1)

    def schema(self, kind: str) -> Schema | None:
        """The shape of the resource, or None where no spec that can be read declares it."""
        if kind not in self._schemas:
            try:
                event = self.tree.event(kind)
            except SpecError as error:
                _log.error("%s", error)
                event = None
            if event is None:
                return None  # not remembered: anybody may send any name
            self._schemas[kind] = event.resource or event.body
        return self._schemas[kind]

    def compare(self, notification: Notification[Any]) -> None:
        """Tells the log where the resource differs from its spec. New fields are no difference, and nothing is
        refused: it is signed, and published facts age.
        """
        schema = self.schema(notification.type)
        if schema is None:
            return
        reporter = self._reporter or next(filter(None, (getattr(one, "drift", None) for one in self._clients)), None)
        if reporter is not None:
            self._report(reporter, notification)
        for path, message, kind in check(schema, notification.resource, "resource"):
            told = notification.type, path
            if kind in SHAPES - {Kind.UNKNOWN} and told not in self._told and len(self._told) < _TOLD:
                self._told.add(told)
                _log.warning("%s: not as its spec says: %s", notification.type, FieldError(path, message))

    def _report(self, reporter: Reporter, notification: Notification[Any]) -> None:
        event = self.tree.event(notification.type)
        found = comparable_notification(event, notification.resource) if event is not None else None
        if found is not None:
            reporter.compare(notification.type, *found, "resource")
