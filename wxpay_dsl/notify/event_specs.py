"""The notifications that the specs declare: their types, and the schemas of their resources."""

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

__all__ = ["EventSpecs"]

_log = logging.getLogger("wxpay_dsl.notify")
#: The most differences from the specs that a process logs, each once.
_MOST_LOGGED: Final = 1000


class EventSpecs:
    """The declared notifications. The specs are loaded at first use."""

    def __init__(
        self,
        folders: Sequence[str],
        tree: Tree | None,
        clients: Sequence[object] = (),
        reporter: Reporter | None = None,
    ) -> None:
        """``folders``: folders with further specs, added to the package's; ``tree``: used if there are none.

        Differences from the specs are reported to ``reporter``, or else to the reporter of the first client that has
        one.
        """
        self._clients = clients
        self._reporter = reporter
        self._folders = tuple(folders)
        self._tree = None if folders else tree
        self._schemas: dict[str, Schema | None] = {}
        #: ``{(type, path)}`` of the differences that were logged.
        self._logged: set[tuple[str, str]] = set()

    @property
    def tree(self) -> Tree:
        """The specs. Raises FileNotFoundError for a folder that does not exist."""
        if self._tree is None:
            from wxpay_dsl.client import tree

            self._tree = tree(self._folders)
        return self._tree

    def warn_of_unknown(self, kind: str, *, depth: int) -> None:
        """Warns, ``depth`` calls above, of a type that no spec declares: the handler of a misspelt type never runs."""
        names = self.tree.event_names()
        if kind not in names:
            message = f"no spec declares a notification {kind!r}{nearest(kind, names)}"
            warnings.warn(message, SpecWarning, stacklevel=depth + 1)

    def schema(self, kind: str) -> Schema | None:
        """The schema of the resource, or None if no valid spec declares the type."""
        if kind not in self._schemas:
            try:
                event = self.tree.event(kind)
            except SpecError as error:
                _log.error("%s", error)
                event = None
            if event is None:
                return None  # not cached: the sender chooses the name
            self._schemas[kind] = event.resource or event.body
        return self._schemas[kind]

    def compare(self, notification: Notification[Any]) -> None:
        """Logs and reports where the resource differs from its spec. New fields are not logged, and nothing is refused:
        the notification is verified, and published facts become outdated.
        """
        schema = self.schema(notification.type)
        if schema is None:
            return
        reporters = (getattr(client, "drift", None) for client in self._clients)
        reporter = self._reporter or next(filter(None, reporters), None)
        if reporter is not None:
            self._report(reporter, notification)
        for path, message, kind in check(schema, notification.resource, "resource"):
            difference = notification.type, path
            new = difference not in self._logged and len(self._logged) < _MOST_LOGGED
            if new and kind in SHAPES - {Kind.UNKNOWN}:
                self._logged.add(difference)
                _log.warning("%s: differs from its spec: %s", notification.type, FieldError(path, message))

    def _report(self, reporter: Reporter, notification: Notification[Any]) -> None:
        event = self.tree.event(notification.type)
        compared = comparable_notification(event, notification.resource) if event is not None else None
        if compared is not None:
            reporter.compare(notification.type, *compared, "resource")
