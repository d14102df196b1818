"""The local signer: it implements the protocol, does not block the event loop, and shows no secret."""

from __future__ import annotations

import asyncio
import pickle
import threading
from collections.abc import Coroutine
from typing import TYPE_CHECKING, cast

import pytest

from tests.wechat.platform_server import keys
from wxpay_dsl import Signer
from wxpay_dsl.wechat.crypto.signer import Credential, SignerError
from wxpay_dsl.wechat.signers.local import FEW, LONG_SLICE, SLICE, LocalSigner
from wxpay_dsl.wechat.v3 import signing as signing_v3
from wxpay_dsl.wechat.v3.authorization import RSA_SCHEME

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

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


class TimedKey:
    """Stands in for a private key: a signature takes ``seconds`` by a clock that nothing else moves."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.now = 0.0
        self.signed = 0

    def sign(self, *_: object) -> bytes:
        self.now += self.seconds
        self.signed += 1
        return b"signature"

    def signer(self, monkeypatch: pytest.MonkeyPatch) -> LocalSigner:
        """A signer that measures time with this key's clock."""
        monkeypatch.setattr("wxpay_dsl.wechat.signers.local.perf_counter", lambda: self.now)
        return LocalSigner(cast("RSAPrivateKey", self))


async def signed_a_turn(key: TimedKey, work: Coroutine[object, object, object]) -> list[int]:
    """The number of signatures in each turn of the loop, while another task runs in every turn."""
    task = asyncio.create_task(work)
    turns = []
    while not task.done():
        before = key.signed
        await asyncio.sleep(0)
        turns.append(key.signed - before)
    await task
    return [turn for turn in turns if turn]


async def test_a_hundred_at_once() -> None:
    signer = LocalSigner(KEY)
    signatures = await asyncio.gather(*(signer.sign(b"%d" % n) for n in range(100)))
    assert all(signing_v3.verify(b"%d" % n, one, KEY.public_key()) for n, one in enumerate(signatures))


@pytest.mark.parametrize(("seconds", "first", "a_turn"), [(0.00021, 7, 2), (0.00007, 10, 6), (0.001, 5, 1)])
async def test_a_turn_of_the_loop_holds_a_slice_of_signing(
    seconds: float, first: int, a_turn: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = TimedKey(seconds)
    signer = key.signer(monkeypatch)

    async def many(signer: LocalSigner) -> None:
        await asyncio.gather(*(signer.sign(b"%d" % n) for n in range(400)))

    assert SLICE == 0.0004
    turns = await signed_a_turn(key, many(signer))
    # The cost of a signature is half a slice at first, then the measured one.
    assert turns[0] == first
    assert set(turns[len(turns) // 2 : -1]) == {a_turn}
    assert sum(turns) == 400


async def test_where_few_sign_at_a_time_the_slice_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    key = TimedKey(0.00021)
    signer = key.signer(monkeypatch)

    async def few() -> None:
        for _ in range(20):
            await asyncio.gather(*(signer.sign(b"%d" % n) for n in range(FEW)))

    assert LONG_SLICE == 0.0014
    turns = await signed_a_turn(key, few())
    assert max(turns[len(turns) // 2 :]) == 7


async def test_a_crowd_is_remembered_for_a_while_and_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    key = TimedKey(0.00021)
    signer = key.signer(monkeypatch)

    async def at_once(number: int) -> None:
        await asyncio.gather(*(signer.sign(b"%d" % n) for n in range(number)))

    await at_once(200)
    assert set((await signed_a_turn(key, at_once(FEW)))[1:-1]) == {2}
    for _ in range(100):
        await at_once(FEW)
    assert max(await signed_a_turn(key, at_once(FEW))) == 7


async def test_one_after_the_other_let_others_have_their_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    key = TimedKey(0.00021)
    signer = key.signer(monkeypatch)

    async def sign() -> None:
        for _ in range(70):
            await signer.sign(b"x")

    turns = await signed_a_turn(key, sign())
    assert set(turns[len(turns) // 2 : -1]) == {7}


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
        thread.join(60)
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


def test_one_that_could_not_sign_says_that_nothing_was_sent() -> None:
    assert str(SignerError("the token is locked")) == "the token is locked; nothing was sent"


def test_signers_of_one_key_are_equal() -> None:
    assert LocalSigner(KEY) == LocalSigner(KEY) != LocalSigner(keys()[1])
    assert repr(LocalSigner(KEY)) == "LocalSigner()"
