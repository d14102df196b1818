"""The event loop of servers that have none."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from contextvars import ContextVar
from pathlib import Path

import pytest

from wxpay_dsl.notify.loop_thread import LoopThread

ROOT = Path(__file__).parents[2]
REQUEST: ContextVar[str] = ContextVar("REQUEST")


async def nothing() -> None: ...


async def thread() -> tuple[int, str]:
    await asyncio.sleep(0)
    return threading.get_ident(), threading.current_thread().name


def test_all_callers_share_one_loop_in_one_thread() -> None:
    loops = LoopThread(nothing)
    ((ident, name),) = {loops.run(thread()) for _ in range(20)}
    assert name == "wxpay-notify-loop"
    assert ident != threading.get_ident()


def test_what_is_raised_over_there_is_raised_here() -> None:
    async def fail() -> None:
        raise LookupError("over there")

    with pytest.raises(LookupError, match="over there"):
        LoopThread(nothing).run(fail())


def test_the_caller_s_context_goes_along() -> None:
    async def asked() -> str:
        return REQUEST.get()

    REQUEST.set("of this thread")
    assert LoopThread(nothing).run(asked()) == "of this thread"


PROGRAM = """
import asyncio, os, sys, threading
from wxpay_dsl.notify.loop_thread import LoopThread

async def close():
    print("closed in", "child" if os.getpid() != parent else "parent", flush=True)

async def pid():
    return os.getpid()

parent = os.getpid()
loops = LoopThread(close)
if sys.argv[1] == "used":
    assert loops.run(pid()) == parent
child = os.fork()
if child == 0:
    assert loops.run(pid()) == os.getpid()
    sys.exit()
assert os.waitpid(child, 0)[1] == 0
assert loops.run(pid()) == parent
"""


@pytest.mark.skipif(os.name != "posix", reason="only POSIX forks")
@pytest.mark.parametrize("before", ["used", "unused"])
def test_each_process_has_its_own_and_closes_it_at_its_end(before: str) -> None:
    ran = subprocess.run(
        # Python warns of a fork in a process with threads: that is what is tried here.
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", PROGRAM, before],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == ["closed in child", "closed in parent"]


def test_greenlets_of_gevent_go_on_and_have_loops_of_their_own() -> None:
    """A worker of gunicorn's that gevent has patched: each request is a greenlet, all in one thread."""
    program = """
from gevent import monkey
monkey.patch_all()
import asyncio
import gevent
from wxpay_dsl.notify.loop_thread import LoopThread

async def close():
    print("closed")

async def work(number):
    await asyncio.sleep(0)
    if number == 7:
        raise LookupError(number)
    return number

threads = LoopThread(close)
print(threads.run(work(1)))
print(gevent.spawn(lambda: asyncio.run(work(2))).get(timeout=60))
many = [gevent.spawn(lambda n=number: threads.run(work(n))) for number in range(100, 400)]
gevent.joinall(many, timeout=60, raise_error=True)
print(sum(one.value for one in many))
try:
    threads.run(work(7))
except LookupError:
    print("raised")
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=100, check=False)
    assert ran.stdout.split() == ["1", "2", str(sum(range(100, 400))), "raised", "closed"], ran.stderr
