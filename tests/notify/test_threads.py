"""The threads of sync handlers, and which functions are handlers at all."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from tests.notify.conftest import Sender
from wxpay_dsl import ConfigurationError
from wxpay_dsl.notify import Notification, Notifications
from wxpay_dsl.notify.handlers import Threads, prepare


async def test_calls_share_a_few_threads_however_many_there_are() -> None:
    threads = Threads()
    # A thread counts as free a moment after its result is there, so that one call after the other may need two.
    names = {await threads.run(lambda: threading.current_thread().name) for _ in range(200)}
    assert len(names) <= 32
    assert all(name.startswith("wxpay-notify") for name in names)
    threads.close()
    threads.close()
    assert (await threads.run(lambda: 1)) == 1  # whoever goes on gets new ones
    threads.close()


async def test_what_has_begun_is_waited_for_though_the_waiting_is_cancelled() -> None:
    threads, begun, end = Threads(), threading.Event(), threading.Event()

    def work() -> str:
        begun.set()
        assert end.wait(60)
        return "done"

    task = asyncio.ensure_future(threads.run(work))
    await asyncio.to_thread(begun.wait, 60)
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
    assert not task.done()
    threads.close()  # which does not wait for it either
    end.set()
    assert await task == "done"


async def test_what_has_not_begun_is_cancelled() -> None:
    threads, end = Threads(), threading.Event()
    busy = [asyncio.ensure_future(threads.run(lambda: end.wait(60))) for _ in range(32)]
    await asyncio.sleep(0)
    waiting = asyncio.ensure_future(threads.run(lambda: pytest.fail("it was cancelled before it began")))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    end.set()
    assert await asyncio.gather(*busy) == [True] * 32
    threads.close()


class TestFunctions:
    def test_that_take_whatever_comes_or_do_not_say(self) -> None:
        for function in (lambda *all_of_it: None, lambda event: None, lambda event, more=1: None, dict):
            handler = prepare(function)
            assert (handler.is_async, handler.wants_claim) == (False, False)
        assert prepare(lambda event, claim: None).wants_claim

    def test_that_cannot_be_called_with_a_notification(self) -> None:
        def by_name_only(*, event: Any = None) -> None: ...

        for function in (lambda: None, by_name_only, lambda one, two, three: None, lambda event, *, must: None):
            with pytest.raises(ConfigurationError, match="cannot be called"):
                prepare(function)


async def test_chinese_is_answered_as_it_is_written(sender: Sender) -> None:
    notifications = Notifications(sender.merchant_keys, store="memory", ack_timeout=100, lease=1000)

    @notifications.fallback
    def handler(event: Notification[Any]) -> dict[str, str]:
        return {"message": "成功"}

    wire = sender.event()
    answer = await notifications.handle(wire.headers, wire.body)
    assert answer.body == '{"message": "成功"}'.encode()
    await notifications.close()
