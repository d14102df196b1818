"""Starting and stopping a sandbox: in an event loop, in a thread, from the command line."""

from __future__ import annotations

import asyncio
import signal
import threading
from pathlib import Path

import pytest

from wxpay_dsl import ConfigurationError
from wxpay_dsl.sandbox import Sandbox, serve
from wxpay_dsl.sandbox.background import BackgroundSandbox
from wxpay_dsl.sandbox.notifications.sender import DeliveryOptions


def test_attributes_set_from_another_thread_are_set() -> None:
    with BackgroundSandbox() as sandbox:
        sandbox.control.sender.delivery_options = DeliveryOptions(speed=300)
        assert sandbox.control.sender.delivery_options == DeliveryOptions(speed=300)
        assert sandbox._sandbox.sender.delivery_options == DeliveryOptions(speed=300)


def test_a_background_sandbox_that_cannot_start_or_stop_leaves_no_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def running() -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread.name == "wxpay-sandbox"]

    before = running()
    with BackgroundSandbox(home=tmp_path):
        with pytest.raises(ConfigurationError), BackgroundSandbox(home=tmp_path):
            pass
        assert len(running()) == len(before) + 1
    sandbox = BackgroundSandbox()
    sandbox.start()
    stop = sandbox._sandbox.stop

    async def fail() -> None:
        await stop()
        raise OSError("no")

    monkeypatch.setattr(sandbox._sandbox, "stop", fail)
    with pytest.raises(OSError, match="no"):
        sandbox.stop()
    assert running() == before


async def test_what_cannot_be_closed_keeps_nothing_else_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = Sandbox(home=tmp_path)
    await sandbox.start()
    port = int(sandbox.url.rpartition(":")[2])

    async def fail() -> None:
        raise OSError("no")

    closed = sandbox.client.close
    monkeypatch.setattr(sandbox.client, "close", fail)
    with pytest.raises(OSError, match="no"):
        await sandbox.stop()
    await closed()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    async with Sandbox(home=tmp_path):
        """The state file is not locked any more."""


async def test_only_one_of_two_starts_on_a_new_home_makes_keys(tmp_path: Path) -> None:
    """Two sandboxes that start at once on a new home do not both make keys for it."""
    first, second = Sandbox(home=tmp_path), Sandbox(home=tmp_path)
    outcomes = await asyncio.gather(first.start(), second.start(), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(None), ConfigurationError]
    serial = first.merchant.serial
    await first.stop()
    await second.start()
    assert second.merchant.serial == serial
    await second.stop()


async def test_signals_are_given_back() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    ready = asyncio.Event()
    serving = asyncio.create_task(serve(ready=lambda _: ready.set()))
    await ready.wait()
    assert signal.getsignal(signal.SIGTERM) != before[1]
    signal.raise_signal(signal.SIGTERM)
    await serving
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
