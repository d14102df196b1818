"""Soak test: 20 workers call a sandbox that fails in many ways, for some minutes.

The sandbox, in a process of its own, drops 2 % of the connections, delays responses, answers with 429, 500 and the HTML
of a proxy, truncates responses, and rotates its platform certificate every few seconds; the client requests signatures
by the public key and by certificates alternately. Each worker knows what it ordered: ``wrong`` counts wrong results
(data of another order, a confirmed order that does not exist, an effect that happened twice, an error that none of
these faults explains). ``failed`` counts the calls that failed with an expected error.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import contextlib
import ctypes
import gc
import itertools
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Final

import aiohttp
from attrs import define, field

from wxpay_dsl import (
    ConnectionFailedError,
    FrequencyLimitedError,
    ResponseTruncatedError,
    ServiceError,
    ServiceSystemError,
    Wechatpay,
)

__all__ = ["arguments", "resident", "run", "slope"]

_WORKERS: Final = 20
_APPID: Final = "wx8888888888888888"
#: The least seconds, and calls, between two rotations of the platform certificate: a certificate stays valid until the
#: next rotation only, and a call in progress needs it until then.
_ROTATION: Final = 3.0
_BETWEEN: Final = 200

#: The sandbox: argument 1 is its home. It serves until its standard input ends.
_SERVER: Final = """
import asyncio, sys
from wxpay_dsl.sandbox import Sandbox

FAULTS = [
    ("drop-after", None, 0.01, "*"),
    ("drop-before", None, 0.01, "*"),
    ("delay", 0.05, 0.02, "*"),
    ("rate-limit", 1, 0.004, "*"),
    ("bad-gateway", None, 0.01, "*"),
    ("truncated", None, 0.005, "*"),
    # Not for the download of certificates, where these errors mean that the merchant has none.
    ("system-error", None, 0.01, "/v3/[!c]*"),
    ("response-lost", None, 0.005, "/v3/[!c]*"),
]

async def main():
    async with Sandbox(seed=7) as sandbox:
        sandbox.write_home(sys.argv[1])
        for kind, value, share, path in FAULTS:
            sandbox.control.faults.add(kind, value=value, share=share, path=path)
        print("ready", sandbox.url, flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""

#: The errors that are expected from these faults after all attempts have failed.
_HONEST: Final = (ConnectionFailedError, ResponseTruncatedError, FrequencyLimitedError, ServiceSystemError)


def arguments(parser: argparse.ArgumentParser) -> None:
    """``--calls``"""
    parser.add_argument("--calls", type=int, default=30_000, help="calls in all, of 20 workers")


def run(quick: bool, calls: int = 30_000) -> dict[str, Any]:  # noqa: FBT001 (every measure's signature)
    """``{"calls", "wrong", "leaked_tasks", "leaked_connections", "rss_slope_kb_per_1000", …}``"""
    total = min(calls, 3000) if quick else calls
    with _silence(), tempfile.TemporaryDirectory() as home:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("WXPAY_")}
        with subprocess.Popen(
            [sys.executable, "-c", _SERVER, home],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        ) as server:
            if server.stdout is None or server.stdin is None:
                raise RuntimeError("the sandbox has no pipes")
            try:
                url = server.stdout.readline().split()[1]
                return asyncio.run(_soak(Path(home), url, total))
            finally:
                server.stdin.close()
                server.wait(100)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Suppresses logs, since thousands of calls are expected to fail and are counted anyway."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


@define
class _Tally:
    """Counts of results so far."""

    total: int
    calls: int = 0
    presigned: int = 0
    attempts: int = 0
    wrong: list[str] = field(factory=list)
    failed: collections.Counter[str] = field(factory=collections.Counter)
    #: (calls, resident memory in kB)
    memory: list[tuple[int, int]] = field(factory=list)

    def blame(self, what: str) -> None:
        """Records a wrong result."""
        self.wrong.append(what)
        sys.stderr.write(f"wrong: {what}\n")


async def _soak(home: Path, url: str, total: int) -> dict[str, Any]:
    sockets, tasks = _sockets(), len(asyncio.all_tasks())
    tally, begun = _Tally(total), time.monotonic()
    settings: dict[str, Any] = {"public_key_ratio": 0.5, "certificates_minimum_interval": 0.5, "timeout": 100.0}
    wxpay = Wechatpay(profile=home / "wxpay.toml", **settings)
    rotation = asyncio.create_task(_rotate(url, tally))
    numbers = itertools.count(1)
    try:
        await asyncio.gather(*(_work(wxpay, tally, numbers) for _ in range(_WORKERS)))
        seconds = time.monotonic() - begun
        connector = wxpay.transport.session().connector
        # All connections must have been returned; a download of keys in the background may still use one.
        patience = time.monotonic() + 30
        while connector is not None and connector._acquired and time.monotonic() < patience:  # noqa: ASYNC110, SLF001
            await asyncio.sleep(0.05)
        held = len(connector._acquired) if connector is not None else 0  # noqa: SLF001 (aiohttp has no public attribute)
        rotations = await _stop(rotation)
        await _balance(url, tally)
    finally:
        rotation.cancel()
        await wxpay.close()
    await asyncio.sleep(0.2)
    gc.collect()
    return {
        "calls": tally.calls,
        "wrong": len(tally.wrong),
        "leaked_tasks": max(0, len(asyncio.all_tasks()) - tasks),
        "leaked_connections": held + max(0, _sockets() - sockets),
        "rss_slope_kb_per_1000": round(slope(tally.memory), 1),
        "failed": dict(tally.failed),
        "attempts": tally.attempts,
        "rotations": rotations,
        "seconds": round(seconds, 1),
        "wrong_results": tally.wrong[:20],
    }


async def _work(wxpay: Wechatpay, tally: _Tally, numbers: itertools.count[int]) -> None:
    for number in numbers:
        if tally.calls >= tally.total:
            return
        await _order(wxpay, tally, number)
        if number % 4 == 0:
            await _receiver(wxpay, tally, number)
        if number % 4 == 2:
            await _presign(wxpay, tally, number)


async def _order(wxpay: Wechatpay, tally: _Tally, number: int) -> None:
    """Places an order, and queries its state."""
    pay = wxpay.v3.pay.transactions
    out_trade_no, mchid, total = f"SOAK{number:010d}", wxpay.settings.mchid, number % 10_000 + 1
    ordered = await _call(
        tally,
        lambda: pay.native.post(
            appid=_APPID,
            mchid=mchid,
            description="soak",
            out_trade_no=out_trade_no,
            notify_url="https://shop.example/notify",
            amount={"total": total, "currency": "CNY"},
        ),
    )
    if ordered is not None and not str(ordered.get("code_url", "")).startswith("weixin://"):
        tally.blame(f"{out_trade_no}: ordered, and answered {ordered!r}")

    async def query() -> Any:
        try:
            return await pay.outTradeNo._out_trade_no_.get(out_trade_no=out_trade_no, mchid=mchid)
        except ServiceError as error:
            if error.status != 404 or ordered is not None:
                raise
            return None  # The order was not confirmed, so it need not exist.

    found = await _call(tally, query)
    if found is not None and (found["out_trade_no"], found["amount"]["total"]) != (out_trade_no, total):
        tally.blame(f"{out_trade_no} of {total} fen: the query found {found!r}")


async def _receiver(wxpay: Wechatpay, tally: _Tally, number: int) -> None:
    """Sends a name encrypted for the platform, and receives it encrypted for the merchant."""
    name = f"张{number}"
    added = await _call(
        tally,
        lambda: wxpay.v3.profitsharing.receivers.add.post(
            appid=_APPID, type="PERSONAL_OPENID", account=f"o{number}", name=name, relation_type="USER"
        ),
    )
    if added is not None and added.get("name") != name:
        tally.blame(f"{name}: the name in the response is {str(added.get('name'))!r}")


async def _presign(wxpay: Wechatpay, tally: _Tally, number: int) -> None:
    """An operation that is not declared idempotent, which must never be sent twice."""
    tally.presigned += 1
    signed = await _call(
        tally,
        lambda: wxpay.v3.eduPapay.contracts.presign.post(
            appid=_APPID,
            openid=f"o{number}",
            plan_id="12535",
            user_id=f"u{number}",
            period_start_date="2026-03-19",
            trade_scene="EDUCATION_PERIOD",
        ),
        attempts_at_most=1,
    )
    if signed is not None and not signed.get("presign_token"):
        tally.blame(f"presign {number} answered {signed!r}")


async def _call(tally: _Tally, call: Callable[[], Awaitable[Any]], attempts_at_most: int = 3) -> Any:
    """The data of one call; None if it failed with an expected error."""
    tally.calls += 1
    if tally.calls % max(1, tally.total // 60) == 0:
        tally.memory.append((tally.calls, resident()))
    try:
        response = await call()
    except _HONEST as error:
        tally.failed[type(error).__name__] += 1
        return None
    except ServiceError as error:
        if error.status == 502 and not error.code:
            tally.failed["502"] += 1
        else:
            tally.blame(f"{type(error).__name__}: {error}")
        return None
    except Exception as error:  # noqa: BLE001 (any other exception is a wrong result)
        tally.blame(f"{type(error).__name__}: {error}")
        return None
    if response is None:
        return None
    tally.attempts += response.exchange.attempts
    if response.exchange.attempts > attempts_at_most:
        tally.blame(f"{response.exchange.request.name} was sent {response.exchange.attempts} times")
    return response.data


async def _rotate(url: str, tally: _Tally) -> int:
    """Rotates the platform certificate repeatedly; returns how often."""
    rotations = 0
    async with aiohttp.ClientSession() as session:
        made = 0
        while True:
            try:
                await asyncio.sleep(_ROTATION)
                if tally.calls - made < _BETWEEN:
                    continue
                made = tally.calls
                async with session.post(f"{url}/sandbox/rotate-certificate", json={}) as response:
                    response.raise_for_status()
            except asyncio.CancelledError:
                return rotations
            rotations += 1


async def _stop(rotation: asyncio.Task[int]) -> int:
    rotation.cancel()
    return await rotation


async def _balance(url: str, tally: _Tally) -> None:
    """Compares the state of the sandbox with the results of the workers."""
    async with aiohttp.ClientSession() as session, session.get(f"{url}/sandbox/list/contracts") as response:
        contracts = json.loads(await response.text())
    made = len(contracts)
    if made > tally.presigned:
        tally.blame(f"{tally.presigned} contracts were asked for, {made} were made")


def _sockets() -> int:
    """The number of open sockets of this process."""
    count = 0
    for entry in Path("/proc/self/fd").iterdir():
        try:
            count += entry.readlink().name.startswith("socket:")
        except OSError:
            continue
    return count


def resident() -> int:
    """Resident memory in kB, without what is free and only kept for the next time.

    Untrimmed it grows by 4 MB over the first 20,000 calls, while the C library's heap finds its shape, and stays there.
    """
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # not the GNU C library
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


def slope(memory: list[tuple[int, int]]) -> float:
    """Growth in kB per 1,000 calls by least squares, without the first quarter, which fills caches and pools."""
    settled = memory[len(memory) // 4 :]
    if len(settled) < 2:
        return 0.0
    mean_x = sum(x for x, _ in settled) / len(settled)
    mean_y = sum(y for _, y in settled) / len(settled)
    spread = sum((x - mean_x) ** 2 for x, _ in settled)
    return 1000 * sum((x - mean_x) * (y - mean_y) for x, y in settled) / spread
