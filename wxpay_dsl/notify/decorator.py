"""The type of the decorators that :meth:`Notifications.on` returns, by the type of the notification's resource."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar, overload

from .notification import Notification
from .stores import Claim

__all__ = ["Decorator"]

Resource = TypeVar("Resource")
Result = TypeVar("Result")


class Decorator(Protocol[Resource]):
    """Registers ``handler(notification)`` or ``handler(notification, claim)``, and returns it."""

    @overload
    def __call__(
        self, handler: Callable[[Notification[Resource]], Result], /
    ) -> Callable[[Notification[Resource]], Result]: ...
    @overload
    def __call__(
        self, handler: Callable[[Notification[Resource], Claim], Result], /
    ) -> Callable[[Notification[Resource], Claim], Result]: ...
