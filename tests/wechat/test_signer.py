"""Who signs: a protocol to await, a key in memory that holds up nobody, and no secret that gets out."""

from __future__ import annotations

import asyncio
import pickle
import threading
import time

import pytest

from tests.wechat.platform_server import keys
from wxpay_dsl import Signer
from wxpay_dsl.wechat import signing_v3
from wxpay_dsl.wechat.authorization import RSA_SCHEME
from wxpay_dsl.wechat.signer import SLICE, Credential, LocalSigner

KEY = keys()[0]


async def test_it_signs() -> None:
    signer = LocalSigner(KEY)
    assert signer.scheme == RSA_SCHEME
    assert signing_v3.verify(b"message", await signer.sign(b"message"), KEY.public_key())


def test_the_protocol_is_looked_for_by_what_it_can_do() -> None:
    class Vault:
        scheme = RSA_SCHEME

        async def sign(self, message: bytes) -> str:
            return ""

    assert isinstance(LocalSigner(KEY), Signer)
    assert isinstance(Vault(), Signer)
    for other in (KEY, "apiclient_key.pem", b"", None, object()):
        assert not isinstance(other, Signer)


async def test_a_hundred_at_once_hold_up_nobody() -> None:
    signer = LocalSigner(KEY)
    late: list[float] = []

    async def other_work() -> None:
        while True:
            begun = time.perf_counter()
            await asyncio.sleep(0)
            late.append(time.perf_counter() - begun)

    work = asyncio.create_task(other_work())
    begun = time.perf_counter()
    signatures = await asyncio.gather(*(signer.sign(b"%d" % n) for n in range(100)))
    whole = time.perf_counter() - begun
    work.cancel()
    assert all(signing_v3.verify(b"%d" % n, one, KEY.public_key()) for n, one in enumerate(signatures))
    # A turn of the loop holds a slice of signing, not all of it: the other task had many turns.
    assert len(late) > 5
    assert max(late) < max(whole / 2, 10 * SLICE)


async def test_they_come_in_their_order() -> None:
    signer = LocalSigner(KEY)
    order: list[int] = []

    async def sign(number: int) -> None:
        await signer.sign(b"x")
        order.append(number)

    await asyncio.gather(*(sign(number) for number in range(50)))
    assert order == sorted(order)


async def test_one_that_is_cancelled_gives_up_its_turn() -> None:
    signer = LocalSigner(KEY)
    tasks = [asyncio.create_task(signer.sign(b"%d" % n)) for n in range(60)]
    await asyncio.sleep(0)
    for task in tasks[30:45]:
        task.cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(isinstance(outcome, str) for outcome in outcomes) >= 45
    assert isinstance(await signer.sign(b"after"), str)


def test_several_loops_at_once() -> None:
    signer = LocalSigner(KEY)
    signed: list[int] = []

    async def many() -> None:
        signed.append(len(await asyncio.gather(*(signer.sign(b"x") for _ in range(30)))))

    threads = [threading.Thread(target=lambda: asyncio.run(many())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert signed == [30] * 3


def test_a_loop_that_ended_in_the_middle_blocks_no_other() -> None:
    signer = LocalSigner(KEY)

    async def leave() -> None:
        for n in range(40):
            asyncio.create_task(signer.sign(b"%d" % n))  # noqa: RUF006 (left behind, which is what is tested)
        await asyncio.sleep(0)

    asyncio.run(leave())
    assert isinstance(asyncio.run(signer.sign(b"x")), str)


def test_the_key_gets_out_by_no_repr_and_no_pickle() -> None:
    for thing in (LocalSigner(KEY), Credential("1900000109", "0A" * 20, LocalSigner(KEY))):
        assert "rivate" not in repr(thing)
        assert str(KEY.private_numbers().d) not in repr(thing)
        with pytest.raises(TypeError, match="never pickled"):
            pickle.dumps(thing)
