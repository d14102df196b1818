"""Cancels a coroutine at its n-th suspension, as ``Task.cancel`` would."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from functools import partial
from types import coroutine
from typing import Any

__all__ = ["Cancelled", "cancelled_at"]


class Cancelled:
    """The number of suspensions of the coroutine, and whether it was cancelled."""

    def __init__(self) -> None:
        self.suspended = 0
        self.asked = False


async def cancelled_at(call: Awaitable[Any], place: int, told: Cancelled) -> Any:
    """The call's result, where it has fewer than ``place`` suspensions; else whatever the cancellation makes of it."""
    return await _driven(call, place, told)


@coroutine
def _driven(call: Awaitable[Any], place: int, told: Cancelled) -> Generator[Any, Any, Any]:
    steps = call.__await__()
    step: Callable[[], Any] = partial(next, steps)
    while True:
        try:
            waited = step()
        except StopIteration as end:
            return end.value
        told.suspended += 1
        if told.suspended == place:
            told.asked = True
            task = asyncio.current_task()
            assert task is not None
            task.cancel()  # it takes effect where it is suspended next: here
        try:
            yield waited
        except BaseException as error:  # noqa: BLE001 (it is the coroutine's to handle)
            step = partial(steps.throw, error)
        else:
            step = partial(next, steps)
