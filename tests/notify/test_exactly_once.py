"""Exactly once: duplicates at once, crashes, handlers that take long, stores that are gone. Each with each store."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.leap import leap
from tests.notify.conftest import Sender, Wire, make_sender
from tests.notify.redis_server import RedisServer, own_redis
from tests.patience import until
from wxpay_dsl import Notification, Notifications
from wxpay_dsl.notify import Claim, Store, StoreUnavailableError
from wxpay_dsl.notify.exactly_once import Failed
from wxpay_dsl.notify.stores import Finished
from wxpay_dsl.notify.stores.memory import MemoryStore
from wxpay_dsl.notify.stores.redis import RedisStore
from wxpay_dsl.notify.stores.sqlite import SqliteStore

#: Seconds: no machine is so slow that a lease runs out, or that an answer is not there, unless a test has time pass.
PATIENT: dict[str, Any] = {"lease": 120.0, "ack_timeout": 100.0}


class Machine:
    """One of several that share a store: notifications, and the effects of their handler."""

    def __init__(self, sender: Sender, store: Store, effects: list[str], **options: Any) -> None:
        self.notifications = Notifications(sender.merchant_keys, store=store, **{**PATIENT, **options})
        self.effects = effects
        self.may_end = asyncio.Event()
        self.may_end.set()
        self.begun = asyncio.Event()

        @self.notifications.fallback
        async def handler(notification: Notification[Any]) -> None:
            self.begun.set()
            await self.may_end.wait()
            self.effects.append(notification.id)

    async def deliver(self, wire: Wire) -> int:
        return (await self.notifications.handle(wire.headers, wire.body)).status

    async def deliver_until_accepted(self, wire: Wire) -> list[int]:
        """As the service does, but for its patience; all the statuses."""
        statuses = [await self.deliver(wire)]
        ends = time.monotonic() + 100
        while statuses[-1] != 204 and time.monotonic() < ends:
            await asyncio.sleep(0.02)
            statuses.append(await self.deliver(wire))
        assert statuses[-1] == 204
        return statuses


class Watched:
    """A store that counts the renewals that it was asked for and has made."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.renewed = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def renew(self, claim: Claim, lease: float) -> bool:
        held = await self._store.renew(claim, lease)
        self.renewed += held
        return held


MakeMachine = Callable[..., Machine]


@pytest.fixture
async def machine(sender: Sender, open_store: Callable[[], Store]) -> AsyncIterator[MakeMachine]:
    """Makes machines with one store, and a list of effects, between them."""
    effects: list[str] = []
    made: list[Machine] = []

    def make(**options: Any) -> Machine:
        made.append(Machine(sender, open_store(), effects, **options))
        return made[-1]

    yield make
    for one in made:
        one.may_end.set()
        await one.notifications.close()


async def test_fifty_deliveries_at_once_on_two_machines_have_one_effect(machine: MakeMachine, sender: Sender) -> None:
    first, second = machine(), machine()
    wire = sender.event()
    statuses = await asyncio.gather(*(one.deliver(wire) for one in (first, second) * 25))
    assert len(first.effects) == 1
    assert set(statuses) <= {204, 503}
    assert 204 in statuses
    assert await first.deliver(wire) == await second.deliver(wire) == 204
    assert len(first.effects) == 1


async def test_another_notification_of_the_same_order_is_another(machine: MakeMachine, sender: Sender) -> None:
    one = machine()
    for _ in range(3):
        await one.deliver(sender.event())
    assert len(set(one.effects)) == 3


async def test_two_merchants_may_use_one_id(store_url: str, sender: Sender, open_store: Callable[[], Store]) -> None:
    other = make_sender("1900000110")
    notifications, seen = Notifications(sender.merchant_keys, other.merchant_keys, store=open_store(), **PATIENT), []
    notifications.fallback(lambda notification: seen.append(notification.key))
    for one in (sender, other):
        wire = one.sealed('{"a": 1}')
        assert (await notifications.handle(wire.headers, wire.body)).accepted
    assert seen == ["1900000109/EV-1", "1900000110/EV-1"]
    await notifications.close()


async def test_while_it_is_handled_a_duplicate_is_told_later_not_yes(machine: MakeMachine, sender: Sender) -> None:
    first, second = machine(), machine()
    wire = sender.event()
    first.may_end.clear()
    running = asyncio.create_task(first.deliver(wire))
    await first.begun.wait()
    assert await first.deliver(wire) == await second.deliver(wire) == 503
    assert not second.begun.is_set()
    first.may_end.set()
    assert await running == 204
    assert await second.deliver(wire) == 204
    assert len(first.effects) == 1


async def test_a_handler_that_outlasts_its_lease_keeps_it(
    sender: Sender, open_store: Callable[[], Store], store_url: str
) -> None:
    """The loop's time passes, and with it that of the stores that have no clock of their own."""
    ahead = 0.0
    if store_url == "memory":
        store = Watched(MemoryStore(clock=lambda: time.monotonic() + ahead))
        other: Any = store
    elif store_url.startswith("redis"):
        store, other = Watched(open_store()), open_store()
    else:
        stores = [SqliteStore(store_url, timeout=60, clock=lambda: time.time() + ahead) for _ in range(2)]
        store, other = Watched(stores[0]), stores[1]
    effects: list[str] = []
    first, second = (Machine(sender, one, effects, lease=120.0, handler_timeout=10_000) for one in (store, other))
    wire = sender.event()
    first.may_end.clear()
    delivery = asyncio.create_task(first.deliver(wire))
    await first.begun.wait()
    for number in range(1, 7):
        leap(60)
        ahead += 60
        await until(lambda number=number: store.renewed >= number)
        assert await second.deliver(wire) == 503
    assert await delivery == 503
    first.may_end.set()
    await second.deliver_until_accepted(wire)
    assert len(effects) == 1
    for one in (first, second):
        await one.notifications.close()


async def test_a_handler_that_hangs_is_cancelled_and_run_again(machine: MakeMachine, sender: Sender) -> None:
    one = machine(handler_timeout=0.2)
    wire = sender.event()
    one.may_end.clear()
    assert await one.deliver(wire) == 500
    assert one.effects == []
    one.may_end.set()
    await one.deliver_until_accepted(wire)
    assert len(one.effects) == 1


async def test_what_a_sync_handler_began_is_never_run_beside_itself(
    sender: Sender, open_store: Callable[[], Store]
) -> None:
    """It cannot be cancelled: whatever the limit, nobody else gets the claim until it ends."""
    notifications = Notifications(
        sender.merchant_keys, store=open_store(), ack_timeout=0.2, lease=0.8, handler_timeout=0.1
    )
    may_end, runs = threading.Event(), []

    @notifications.fallback
    def handler(notification: Notification[Any]) -> None:
        runs.append(notification)
        may_end.wait(100)

    wire = sender.event()
    for _ in range(6):
        assert (await notifications.handle(wire.headers, wire.body)).status == 503
        await asyncio.sleep(0.3)
    may_end.set()
    async with asyncio.timeout(100):
        while not (await notifications.handle(wire.headers, wire.body)).accepted:  # noqa: ASYNC110 (nothing tells)
            await asyncio.sleep(0.02)
    assert len(runs) == 1
    await notifications.close()


async def test_a_client_that_hangs_up_does_not_stop_the_handler(machine: MakeMachine, sender: Sender) -> None:
    one = machine()
    wire = sender.event()
    one.may_end.clear()
    delivery = asyncio.create_task(one.deliver(wire))
    await one.begun.wait()
    delivery.cancel()
    await asyncio.gather(delivery, return_exceptions=True)
    one.may_end.set()
    await one.deliver_until_accepted(wire)
    assert len(one.effects) == 1


async def test_closing_waits_for_handlers_and_gives_back_those_that_do_not_end(
    sender: Sender, open_store: Callable[[], Store]
) -> None:
    effects: list[str] = []
    ends, hangs = Machine(sender, open_store(), effects), Machine(sender, open_store(), effects)
    first, second = sender.event(), sender.event()
    for one, wire in ((ends, first), (hangs, second)):
        one.may_end.clear()
        task = asyncio.create_task(one.deliver(wire))
        await one.begun.wait()
        task.cancel()
    asyncio.get_running_loop().call_later(0.1, ends.may_end.set)
    await ends.notifications.close(grace=100)
    assert len(effects) == 1
    await hangs.notifications.close(grace=0.05)
    assert len(effects) == 1
    after = Machine(sender, open_store(), effects)
    assert await after.deliver(first) == await after.deliver(second) == 204
    assert len(effects) == 2
    await after.notifications.close()


def test_an_end_without_grace_waits_for_a_sync_handler_and_marks_it(
    sender: Sender, open_store: Callable[[], Store]
) -> None:
    runs: list[str] = []
    begun = threading.Event()

    def handler(notification: Notification[Any]) -> None:
        begun.set()
        time.sleep(1)
        runs.append(notification.id)

    wire = sender.event()

    async def once(*, to_its_end: bool) -> int:
        notifications = Notifications(sender.merchant_keys, store=open_store(), **PATIENT)
        notifications.fallback(handler)
        delivery = asyncio.create_task(notifications.handle(wire.headers, wire.body))
        if not to_its_end:
            assert await asyncio.to_thread(begun.wait, 100)
            await notifications.close(grace=0)
        status = (await delivery).status
        await notifications.close(grace=0)
        return status

    asyncio.run(once(to_its_end=False))
    assert len(runs) == 1
    assert asyncio.run(once(to_its_end=True)) == 204
    assert len(runs) == 1


def _handle_and_hang(store: Store, wire: Wire, begun: Any) -> None:
    async def main() -> None:
        sender = make_sender()
        notifications = Notifications(sender.merchant_keys, store=store, **PATIENT)

        @notifications.fallback
        async def handler(notification: Notification[Any], claim: Claim) -> None:
            begun.send((claim.key, claim.token))
            await asyncio.sleep(3600)

        await notifications.handle(wire.headers, wire.body)

    asyncio.run(main())


async def test_a_process_that_is_killed_in_mid_handler_loses_nothing(
    sender: Sender, open_store: Callable[[], Store], store_url: str
) -> None:
    if store_url == "memory":
        return  # it dies with its process; nobody else can see it
    context = multiprocessing.get_context("fork")  # the child inherits this process's keys
    (begun, begin), wire, effects = context.Pipe(duplex=False), sender.event(), []
    process = context.Process(target=_handle_and_hang, args=(open_store(), wire, begin), daemon=True)
    process.start()
    assert await asyncio.to_thread(begun.poll, 100)
    claim = Claim(*begun.recv())
    store = open_store()
    one = Machine(sender, store, effects)
    assert await one.deliver(wire) == 503
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    # Until the lease of the dead has run out, which it does at once here, nobody handles it.
    assert await one.deliver(wire) == 503
    assert await store.renew(claim, 0.01)
    await one.deliver_until_accepted(wire)
    assert len(effects) == 1
    await one.notifications.close()


class _Flaky(MemoryStore):
    """A store that is gone when it is told to be."""

    def __init__(self) -> None:
        super().__init__()
        self.gone: set[str] = set()
        self.calls: list[str] = []

    async def claim(self, claim: Claim, lease: float) -> Finished | bool:
        self._ask("claim")
        return await super().claim(claim, lease)

    async def renew(self, claim: Claim, lease: float) -> bool:
        self._ask("renew")
        return await super().renew(claim, lease)

    async def done(self, claim: Claim, answer: bytes) -> bool:
        self._ask("done")
        return await super().done(claim, answer)

    async def release(self, claim: Claim) -> None:
        self._ask("release")
        await super().release(claim)

    def _ask(self, what: str) -> None:
        self.calls.append(what)
        if what in self.gone:
            raise StoreUnavailableError("gone")


class TestFaults:
    async def test_a_store_that_is_gone_is_later_and_nothing_is_handled(self, sender: Sender) -> None:
        store, effects = _Flaky(), []
        one = Machine(sender, store, effects)
        wire = sender.event()
        store.gone.add("claim")
        assert await one.deliver(wire) == 503
        assert effects == []
        store.gone.clear()
        assert await one.deliver(wire) == 204
        assert len(effects) == 1

    async def test_what_was_handled_while_the_store_went_is_yes_and_marked_when_it_is_back(
        self, sender: Sender
    ) -> None:
        store, effects = _Flaky(), []
        one = Machine(sender, store, effects)
        wire = sender.event()
        store.gone |= {"done"}
        assert await one.deliver(wire) == 204
        store.gone |= {"claim"}
        assert await one.deliver(wire) == 204
        leap(40)
        await until(lambda: store.calls.count("done") == 2)
        store.gone.clear()
        leap(40)
        await until(lambda: store.calls.count("done") == 3)
        assert await Machine(sender, store, effects).deliver(wire) == 204
        assert len(effects) == 1
        await one.notifications.close()

    async def test_what_was_not_marked_yet_is_marked_when_the_process_stops(self, sender: Sender) -> None:
        store, effects = _Flaky(), []
        one = Machine(sender, store, effects)
        wire = sender.event()
        store.gone |= {"done"}
        assert await one.deliver(wire) == 204
        await asyncio.sleep(0)  # the next try has begun to wait
        store.gone.clear()
        await one.notifications.close()
        assert await Machine(sender, store, effects).deliver(wire) == 204
        assert len(effects) == 1

    async def test_and_the_stop_is_not_held_up_by_a_store_that_is_still_gone(
        self, sender: Sender, caplog: pytest.LogCaptureFixture
    ) -> None:
        store = _Flaky()
        one = Machine(sender, store, [])
        store.gone |= {"done"}
        assert await one.deliver(sender.event()) == 204
        await asyncio.sleep(0)
        await one.notifications.close()
        assert store.calls.count("done") == 2
        assert "never marked" in caplog.text

    async def test_a_delivery_that_is_cancelled_while_it_claims_gives_the_claim_back(self, sender: Sender) -> None:
        class Slow(_Flaky):
            def __init__(self) -> None:
                super().__init__()
                self.taken, self.may_answer = asyncio.Event(), asyncio.Event()

            async def claim(self, claim: Claim, lease: float) -> Finished | bool:
                answer = await super().claim(claim, lease)
                self.taken.set()
                await self.may_answer.wait()
                return answer

        store, effects = Slow(), []
        one = Machine(sender, store, effects)
        wire = sender.event()
        delivery = asyncio.create_task(one.deliver(wire))
        await store.taken.wait()
        delivery.cancel()
        await asyncio.wait((delivery,))
        assert delivery.cancelled()
        store.may_answer.set()
        await until(lambda: "release" in store.calls)
        assert await one.deliver(wire) == 204
        assert len(effects) == 1

    async def test_renewals_that_fail_do_not_stop_a_handler(self, sender: Sender) -> None:
        store, effects = _Flaky(), []
        one = Machine(sender, store, effects)
        wire = sender.event()
        store.gone.add("renew")
        one.may_end.clear()
        delivery = asyncio.create_task(one.deliver(wire))
        await one.begun.wait()
        for times in (1, 2):
            leap(40)
            await until(lambda times=times: store.calls.count("renew") == times)
        one.may_end.set()
        assert await delivery == 204
        assert len(effects) == 1

    async def test_a_handler_whose_claim_was_lost_is_cancelled(
        self, sender: Sender, caplog: pytest.LogCaptureFixture
    ) -> None:
        """As when the machine slept for longer than the lease: the other one does it."""
        store, effects = _Flaky(), []
        slept, other = Machine(sender, store, effects), Machine(sender, store, effects)
        wire = sender.event()
        slept.may_end.clear()
        delivery = asyncio.create_task(slept.notifications.handle(wire.headers, wire.body))
        await slept.begun.wait()
        ((key, _),) = store._claims.items()
        store._claims[key] = ("somebody else's", time.monotonic() + 1)
        leap(40)
        await until(lambda: "another delivery has it" in caplog.text)
        slept.may_end.set()
        refused = await delivery
        assert (refused.status, refused.reason) == (503, "another delivery of it is being handled")
        await asyncio.sleep(0.1)
        assert effects == []
        await other.deliver_until_accepted(wire)
        assert len(effects) == 1

    async def test_a_handler_that_is_cancelled_is_not_told_as_another_delivery(self, sender: Sender) -> None:
        one = Machine(sender, _Flaky(), [])
        one.may_end.clear()
        wire = sender.event()
        delivery = asyncio.create_task(one.notifications.handle(wire.headers, wire.body))
        await one.begun.wait()
        await one.notifications.close(grace=0)
        refused = await delivery
        assert (refused.status, refused.reason) == (503, "it is still being handled")

    async def test_it_is_renewed_three_times_in_a_lease_and_no_more_once_it_ended(self, sender: Sender) -> None:
        """Of 12,000 seconds: nobody is so slow that it matters here."""
        store = _Flaky()
        one = Machine(sender, store, [], lease=12_000.0, ack_timeout=11_000.0, handler_timeout=100_000)
        one.may_end.clear()
        wire = sender.event()
        delivery = asyncio.create_task(one.deliver(wire))
        await one.begun.wait()
        for times in (0, 1):
            leap(3100)
            await asyncio.sleep(0.05)
            assert store.calls.count("renew") == times
            leap(1000)
            await until(lambda times=times: store.calls.count("renew") == times + 1)
        one.may_end.set()
        assert await delivery == 204
        leap(5000)
        await asyncio.sleep(0.05)
        assert store.calls == ["claim", "renew", "renew", "done"]
        await one.notifications.close()

    async def test_a_short_lease_is_not_renewed_all_the_time(self, sender: Sender) -> None:
        """A third of two seconds is no whole number of them."""
        store, loop = _Flaky(), asyncio.get_running_loop()
        store.gone.add("done")
        one = Machine(sender, store, [], lease=2.0, ack_timeout=1.5)
        one.may_end.clear()
        begun = loop.time()
        delivery = asyncio.create_task(one.deliver(sender.event()))
        await one.begun.wait()
        for moment in (0.0, 0.7):
            leap(moment)
            await asyncio.sleep(0.1)
            assert store.calls.count("renew") <= (loop.time() - begun) / (2 / 3)
        one.may_end.set()
        await until(lambda: "done" in store.calls)
        await asyncio.sleep(0.1)
        assert store.calls.count("done") <= 1 + (loop.time() - begun) / (2 / 3)
        await delivery
        await one.notifications.close()

    async def test_a_mark_is_tried_again_three_times_in_a_lease(self, sender: Sender) -> None:
        store = _Flaky()
        one = Machine(sender, store, [], lease=12_000.0)
        store.gone.add("done")
        assert await one.deliver(sender.event()) == 204
        await asyncio.sleep(0)  # the next try has begun to wait
        for times in (1, 2):
            leap(3100)
            await asyncio.sleep(0.05)
            assert store.calls.count("done") == times
            leap(1000)
            await until(lambda times=times: store.calls.count("done") == times + 1)
        store.gone.clear()
        await one.notifications.close()

    async def test_a_store_that_does_not_answer_in_time_gets_the_claim_back(self, sender: Sender) -> None:
        class Hanging(_Flaky):
            hangs = True

            async def claim(self, claim: Claim, lease: float) -> Finished | bool:
                taken = await super().claim(claim, lease)
                if self.hangs:
                    await asyncio.sleep(3600)
                return taken

        store, effects = Hanging(), []
        one = Machine(sender, store, effects, ack_timeout=0.1)
        wire = sender.event()
        refused = await one.notifications.handle(wire.headers, wire.body)
        assert (refused.status, refused.reason) == (503, "the store is unavailable")
        await until(lambda: "release" in store.calls)
        store.hangs = False
        patient = Machine(sender, store, effects)
        assert await patient.deliver(wire) == 204
        assert len(effects) == 1

    async def test_what_the_store_takes_is_part_of_the_time_for_the_answer(self, sender: Sender) -> None:
        class Slow(_Flaky):
            async def claim(self, claim: Claim, lease: float) -> Finished | bool:
                leap(99.5)
                return await super().claim(claim, lease)

        one = Machine(sender, Slow(), [])
        one.may_end.clear()
        delivery = asyncio.create_task(one.deliver(sender.event()))
        await one.begun.wait()
        leap(0.6)
        for _ in range(50):  # turns of the loop, which take no time
            await asyncio.sleep(0)
        assert delivery.done()
        assert await delivery == 503
        one.may_end.set()
        await one.notifications.close()

    async def test_a_lease_that_ran_out_here_does_not_run_it_twice_here(self, sender: Sender) -> None:
        """Two deliveries get the claim, because the lease of the first had expired when the second asked."""

        class Generous(_Flaky):
            async def claim(self, claim: Claim, lease: float) -> Finished | bool:
                self._ask("claim")
                await asyncio.sleep(0)
                return True

        store, effects = Generous(), []
        one = Machine(sender, store, effects)
        one.may_end.clear()
        wire = sender.event()
        deliveries = [asyncio.create_task(one.deliver(wire)) for _ in range(2)]
        await one.begun.wait()
        await until(lambda: "release" in store.calls)
        one.may_end.set()
        assert sorted(await asyncio.gather(*deliveries)) == [204, 503]
        assert len(effects) == 1
        assert store.calls.count("release") == 1
        await one.notifications.close()

    async def test_a_claim_that_cannot_be_given_back_is_told(
        self, sender: Sender, caplog: pytest.LogCaptureFixture
    ) -> None:
        store = _Flaky()
        notifications = Notifications(sender.merchant_keys, store=store, **PATIENT)

        @notifications.fallback
        async def handler(notification: Notification[Any]) -> None:
            raise LookupError("no such order")

        store.gone.add("release")
        wire = sender.event()
        assert (await notifications.handle(wire.headers, wire.body)).status == 500
        assert "not released" in caplog.text
        assert (await notifications.handle(wire.headers, wire.body)).status == 503
        await notifications.close()

    @pytest.mark.parametrize("lost", [False, True])
    async def test_a_mark_that_came_too_late_is_told(
        self, lost: bool, sender: Sender, caplog: pytest.LogCaptureFixture
    ) -> None:
        store = _Flaky()
        one = Machine(sender, store, [])
        one.may_end.clear()
        wire = sender.event()
        delivery = asyncio.create_task(one.deliver(wire))
        await one.begun.wait()
        if lost:
            ((key, _),) = store._claims.items()
            store._claims[key] = ("somebody else's", time.monotonic() + 3600)
        one.may_end.set()
        assert await delivery == 204
        assert ("its lease had expired" in caplog.text) is lost

    async def test_a_mark_that_a_stop_interrupts_is_made_all_the_same(self, sender: Sender) -> None:
        class Slow(_Flaky):
            def __init__(self) -> None:
                super().__init__()
                self.marking = asyncio.Event()

            async def done(self, claim: Claim, answer: bytes) -> bool:
                if not self.marking.is_set():
                    self.marking.set()
                    await asyncio.sleep(3600)
                return await super().done(claim, answer)

        store, effects = Slow(), []
        one = Machine(sender, store, effects)
        wire = sender.event()
        delivery = asyncio.create_task(one.deliver(wire))
        await store.marking.wait()
        await one.notifications.close(grace=0)
        assert await delivery == 204
        assert await Machine(sender, store, effects).deliver(wire) == 204
        assert len(effects) == 1

    def test_a_loop_that_is_closed_in_mid_handler_holds_nothing_up(self, sender: Sender) -> None:
        """As by a server that makes a loop for each request and does not wait for what is left in it."""
        store, effects = _Flaky(), []
        notifications = Notifications(sender.merchant_keys, store=store, ack_timeout=0.1, lease=120.0)
        hangs = True

        @notifications.fallback
        async def handler(notification: Notification[Any]) -> None:
            if hangs:
                await asyncio.sleep(3600)
            effects.append(notification.id)

        wire = sender.event()
        loop = asyncio.new_event_loop()
        assert loop.run_until_complete(notifications.handle(wire.headers, wire.body)).status == 503
        left = asyncio.all_tasks(loop)
        loop.close()
        ((key, held),) = store._claims.items()

        async def again() -> int:
            return (await notifications.handle(wire.headers, wire.body)).status

        hangs = False
        assert asyncio.run(again()) == 503, "its lease has not expired yet"
        store._claims[key] = (held[0], 0.0)
        assert asyncio.run(again()) == 204
        assert len(effects) == 1
        for task in left:
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # it is meant to be lost
        left.clear()
        gc.collect()


@pytest.fixture
def redis_of_ones_own() -> Iterator[RedisServer]:
    with own_redis() as server:
        yield server


class TestRedis:
    async def test_gone_and_back_loses_nothing(self, sender: Sender, redis_of_ones_own: RedisServer) -> None:
        server, effects = redis_of_ones_own, []
        one = Machine(sender, RedisStore(server.url, timeout=20), effects)
        before, meanwhile = sender.event(), sender.event()
        assert await one.deliver(before) == 204
        server.stop()
        assert await one.deliver(before) == 503
        assert await one.deliver(meanwhile) == 503
        server.start()
        assert await one.deliver(before) == 204
        assert await one.deliver(meanwhile) == 204
        assert len(effects) == 2
        await one.notifications.close()

    async def test_gone_while_a_handler_runs(self, sender: Sender, redis_of_ones_own: RedisServer) -> None:
        server, effects = redis_of_ones_own, []
        one = Machine(sender, RedisStore(server.url, timeout=20), effects)
        wire = sender.event()
        one.may_end.clear()
        delivery = asyncio.create_task(one.deliver(wire))
        await one.begun.wait()
        server.stop()
        one.may_end.set()
        assert await delivery in (204, 503)
        assert len(effects) == 1
        await asyncio.to_thread(server.start)
        leap(40)  # after which it is told that it was handled
        other = Machine(sender, RedisStore(server.url, timeout=20), effects)
        await other.deliver_until_accepted(wire)
        assert len(effects) == 1
        for machine in (one, other):
            await machine.notifications.close()

    async def test_slow_is_later(self, sender: Sender, redis_of_ones_own: RedisServer) -> None:
        server, effects = redis_of_ones_own, []
        one, hasty = (Machine(sender, RedisStore(server.url, timeout=each), effects) for each in (20, 0.5))
        wire = sender.event()
        assert await one.deliver(wire) == 204
        server.suspend()
        try:
            # Though the answer itself could be waited for much longer.
            assert await asyncio.wait_for(hasty.deliver(sender.event()), 60) == 503
        finally:
            server.resume()
        assert len(effects) == 1
        for machine in (one, hasty):
            await machine.notifications.close()

    async def test_a_password_is_in_no_message(self, sender: Sender) -> None:
        store = RedisStore("redis://user:geheim@127.0.0.1:1/0", timeout=0.2)
        with pytest.raises(StoreUnavailableError) as caught:
            await store.claim(Claim("1"), 60)
        assert "geheim" not in str(caught.value)
        assert "geheim" not in repr(store)


async def test_sqlite_in_ones_own_database_makes_effect_and_mark_one(sender: Sender, tmp_path: Path) -> None:
    """The crash between effect and mark cannot happen where they are one transaction."""
    import sqlite3

    store = SqliteStore(tmp_path / "shop.db")
    notifications = Notifications(sender.merchant_keys, store=store, **PATIENT)
    with sqlite3.connect(tmp_path / "shop.db") as shop:
        shop.execute("CREATE TABLE payments (transaction_id TEXT)")
    shop.close()

    @notifications.on("TRANSACTION.SUCCESS")
    def book(event: Notification[Any], claim: Claim) -> None:
        shop = sqlite3.connect(tmp_path / "shop.db")
        with shop:
            shop.execute("INSERT INTO payments VALUES (?)", (event.resource["transaction_id"],))
            store.mark_done(claim, shop)
        shop.close()
        raise SystemError("the machine loses power right after the commit")

    wire = sender.event()
    assert (await notifications.handle(wire.headers, wire.body)).status == 500
    assert (await notifications.handle(wire.headers, wire.body)).status == 204
    shop = sqlite3.connect(tmp_path / "shop.db")
    assert len(shop.execute("SELECT * FROM payments").fetchall()) == 1
    shop.close()
    await notifications.close()


def test_the_error_of_a_handler_is_not_in_the_repr_of_the_outcome() -> None:
    """It may contain data of a payer."""
    assert "openid" not in repr(Failed(ValueError("openid")))
