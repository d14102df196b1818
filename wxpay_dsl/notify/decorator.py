"""What :meth:`Notifications.on` gives, to a type checker: a decorator for handlers of what the notification carries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar, overload

from .notification import Notification
from .stores import Claim

__all__ = ["Decorator"]

Carried = TypeVar("Carried")
Result = TypeVar("Result")


class Decorator(Protocol[Carried]):
    """Takes ``handler(notification)`` or ``handler(notification, claim)``, and gives it back."""

    @overload
    def __call__(
        self, handler: Callable[[Notification[Carried]], Result], /
    ) -> Callable[[Notification[Carried]], Result]: ...
    @overload
    def __call__(
        self, handler: Callable[[Notification[Carried], Claim], Result], /
    ) -> Callable[[Notification[Carried], Claim], Result]: ...
