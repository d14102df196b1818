"""Forks during an operation, and calls from both processes.

``python -m tests.faults.forking CASE`` in a folder with ``wxpay.toml`` prints what each process got: ``parent 200``,
``child 200``.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.patience import until, wait_until
from wxpay_dsl import SdkError, Wechatpay
from wxpay_dsl.wechat.signers.hsm import Pkcs11Signer
from wxpay_dsl.wechat.signers.threaded import ThreadedSigner


async def call(wxpay: Wechatpay) -> None:
    response = await wxpay.v3.pay.transactions.native.post(
        appid="wx8888888888888888",
        mchid=wxpay.settings.mchid,
        description="公仔",
        out_trade_no=f"T{os.getpid()}",
        notify_url="https://www.example.com/notify",
        amount={"total": 100},
    )
    assert response.status == 200


def child(wxpay: Wechatpay, times: int = 2) -> int:
    """Forks and returns the child's process id; the child makes a call, prints its result, and exits."""
    pid = os.fork()
    if pid == 0:
        signal.alarm(80)  # whatever becomes of it, it ends
        code = 1
        try:
            for _ in range(times):
                asyncio.run(call(wxpay))
            say("child 200")
            code = 0
        except SdkError as error:
            say(f"child {type(error).__name__} {error}")
            code = 0
        finally:
            os._exit(code)
    return pid


def say(text: str) -> None:
    os.write(1, f"{text}\n".encode())


def ended(pid: int) -> None:
    wait_until(lambda: os.waitpid(pid, os.WNOHANG)[0], "the child's end")


def unused() -> None:
    wxpay = Wechatpay(profile="wxpay.toml")
    pid = child(wxpay)
    asyncio.run(call(wxpay))
    ended(pid)


def used() -> None:
    wxpay = Wechatpay(profile="wxpay.toml")
    asyncio.run(call(wxpay))
    pid = child(wxpay)
    asyncio.run(call(wxpay))
    ended(pid)


def inside() -> None:
    """Forks in a coroutine, with connections in the pool."""

    async def main() -> None:
        async with Wechatpay(profile="wxpay.toml") as wxpay:
            await call(wxpay)
            pid = child(wxpay)
            await call(wxpay)
            await asyncio.to_thread(ended, pid)
            await call(wxpay)

    asyncio.run(main())


def downloading() -> None:
    """Forks during a download of platform certificates, whose result only the parent receives."""

    async def main() -> None:
        async with Wechatpay(profile="wxpay.toml", platform_keys={}) as wxpay:
            first = asyncio.ensure_future(call(wxpay))
            keyring: Any = wxpay.keyring
            await until(lambda: keyring._running is not None)
            pid = child(wxpay)
            await first
            await asyncio.to_thread(ended, pid)

    asyncio.run(main())


def threaded() -> None:
    """A signer in a thread, which does not exist in the child."""
    key = Path("apiclient_key.pem")
    wxpay = Wechatpay(profile="wxpay.toml", private_key=ThreadedSigner(key.read_bytes()))
    asyncio.run(call(wxpay))
    pid = child(wxpay)
    asyncio.run(call(wxpay))
    ended(pid)


def other_thread() -> None:
    """Forked by one thread while another one's event loop has the client, and rests.

    In the middle of a call is another matter: of a lock of Python's or OpenSSL's own that is held at a fork nobody lets
    go in the child.
    """
    wxpay = Wechatpay(profile="wxpay.toml")
    called, again = threading.Event(), threading.Event()

    async def work() -> None:
        for _ in range(3):
            await call(wxpay)
            called.set()
            await until(again.is_set)
            again.clear()

    thread = threading.Thread(target=lambda: asyncio.run(work()))
    thread.start()
    for _ in range(3):
        assert called.wait(80)
        called.clear()
        ended(child(wxpay))
        again.set()
    thread.join(80)


def token() -> None:
    """A signer with a PKCS#11 token that the parent has opened."""
    module, label = sys.argv[2:4]
    signer = Pkcs11Signer(module, token=label, pin="1234", label="wxpay")
    wxpay = Wechatpay(profile="wxpay.toml", private_key=signer)
    asyncio.run(call(wxpay))
    pid = child(wxpay)
    asyncio.run(call(wxpay))
    ended(pid)


CASES: dict[str, Callable[[], None]] = {
    "unused": unused,
    "used": used,
    "inside": inside,
    "downloading": downloading,
    "threaded": threaded,
    "other-thread": other_thread,
    "token": token,
}

if __name__ == "__main__":
    CASES[sys.argv[1]]()
    say("parent 200")
