"""Cached values: one fetch at a time, kept until they expire; errors are not cached."""

from __future__ import annotations

import asyncio
import pickle

import pytest

from wxpay_dsl.wechat.v2.cached_value import CachedValue


class Source:
    def __init__(self) -> None:
        self.fetched = 0
        self.fails = False

    async def __call__(self) -> int:
        self.fetched += 1
        await asyncio.sleep(0)
        if self.fails:
            raise RuntimeError("no")
        return self.fetched


async def test_however_many_ask_one_fetches() -> None:
    source = Source()
    cached = CachedValue(source, 60)
    assert await asyncio.gather(*(cached.get() for _ in range(20))) == [1] * 20
    assert await cached.get() == 1


async def test_it_is_fetched_again_when_it_has_aged() -> None:
    source, now = Source(), 0.0
    cached = CachedValue(source, 60, lambda: now)
    assert await cached.get() == 1
    now = 59.9
    assert await cached.get() == 1
    now = 60.0
    assert await cached.get() == 2


async def test_an_error_is_kept_for_nobody() -> None:
    source = Source()
    source.fails = True
    cached = CachedValue(source, 60)
    with pytest.raises(RuntimeError):
        await cached.get()
    source.fails = False
    assert await cached.get() == 2


async def test_a_cancelled_fetch_leaves_the_others_theirs() -> None:
    source = Source()
    cached = CachedValue(source, 60)
    first = asyncio.create_task(cached.get())
    second = asyncio.create_task(cached.get())
    await asyncio.sleep(0)
    first.cancel()
    assert await second == 2


def test_each_event_loop_may_ask() -> None:
    cached = CachedValue(Source(), 60, lambda: 0.0)
    assert [asyncio.run(cached.get()) for _ in range(3)] == [1, 1, 1]


def test_it_is_never_pickled() -> None:
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(CachedValue(Source(), 60))
