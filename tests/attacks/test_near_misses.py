"""A call to a misspelt path sends no sensitive field in the clear, and logs none."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from operator import attrgetter
from typing import Any

import pytest

from tests.core.raw_server import RawServer, json_answer
from tests.wechat.platform_server import MCHID, PUB_KEY_ID, SERIAL, keys
from wxpay_dsl import ConfigurationError, ServiceError, UndeclaredPathError, ValidationError, Wechatpay

IDENTITY = "110101199003070011"


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    async with RawServer() as server:
        server.script = [json_answer(b'{"code":"NO","echo":"%s"}' % IDENTITY.encode(), "400 No")] * 3
        yield server


def client(server: RawServer, **settings: Any) -> Wechatpay:
    given: dict[str, Any] = {"mchid": MCHID, "serial": SERIAL, "private_key": keys()[0], "base_url": server.url}
    given |= {
        "platform_keys": {PUB_KEY_ID: keys()[1].public_key()},
        "apiv2_key": "s" * 32,
        "timeout": 30.0,
        "retries": 0,
    }
    return Wechatpay(**{**given, **settings})


#: A chain, and the declared one that it is meant for.
MISSES = {
    "v3.applyment4sub.aplyment.post": "v3.applyment4sub.applyment._empty_.post",
    "v3.aplyment4sub.applyment.post": "v3.applyment4sub.applyment._empty_.post",
    "v3.applyment4sub.applyment.put": "v3.applyment4sub.applyment._empty_.post",
    "v3.applyment4sub.applyment.submit.post": "v3.applyment4sub.applyment._empty_.post",
    "v3.ecommerce.applyment.post": "v3.ecommerce.applyments._empty_.post",
    "v3.profitsharing.receiver.add": "v3.profitsharing.receivers.add.post",
    "v3.profitsharing.receivers.ad.post": "v3.profitsharing.receivers.add.post",
    "v3.profitSharing.receivers.add.post": "v3.profitsharing.receivers.add.post",
    "v3.profitsharing.add.post": "v3.profitsharing.orders.post",
    "v3.profitsharing.receivers.add.now.post": "v3.profitsharing.receivers.add.post",
}


@pytest.mark.parametrize("chain", ["v3.applyment4sub.applyment.post", "v3.applyment4sub.applyment"])
async def test_a_path_that_ends_in_a_slash_is_reached_without_it(chain: str, server: RawServer) -> None:
    async with client(server) as wxpay:
        node = attrgetter(chain)(wxpay)
        assert "/v3/applyment4sub/applyment/" in repr(node)
        with pytest.raises(ValidationError, match=r"POST /v3/applyment4sub/applyment/: .*missing"):
            await node({"id_card_number": IDENTITY}, validate="strict")
        with pytest.raises(ServiceError):
            await node(validate=False, contact_info={"contact_name": "张三丰", "contact_id_number": IDENTITY})
    (request,) = server.requests
    assert request.startswith(b"POST /v3/applyment4sub/applyment/ ")
    assert IDENTITY.encode() not in request
    assert b"Wechatpay-Serial: PUB_KEY_ID" in request


@pytest.mark.parametrize(("chain", "declared"), MISSES.items())
async def test_a_slip_beside_an_operation_that_encrypts_is_refused(
    chain: str, declared: str, server: RawServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with client(server) as wxpay:
        node = attrgetter(chain)(wxpay)
        for call in (lambda: node({"id_card_number": IDENTITY}), lambda: node(id_card_number=IDENTITY, validate=False)):
            with pytest.raises(UndeclaredPathError) as raised:
                await call()
    assert raised.value.chain == declared
    assert f"call {declared}, or pass undeclared=True" in str(raised.value)
    assert IDENTITY not in str(raised.value)
    assert IDENTITY not in caplog.text
    assert server.connections == 0


@pytest.mark.parametrize("how", ["the call's", "the client's"])
async def test_whoever_means_it_sends_it_and_no_value_is_logged(
    how: str, server: RawServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with client(server, undeclared=how == "the client's") as wxpay:
        options = {"undeclared": True} if how == "the call's" else {}
        with pytest.raises(ServiceError):
            await wxpay.v3.profitsharing.receiver.add({"name": IDENTITY, "list": [{"number": 1100}]}, **options)
        with pytest.raises(ServiceError):
            await wxpay.v3.profitsharing.receiver.add.get(name=IDENTITY, **options)
    assert IDENTITY.encode() in server.requests[0]
    assert b"undeclared" not in server.requests[0]
    assert "POST" in caplog.text
    assert '{"name":"***","list":[{"number":"***"}]}' in caplog.text
    assert "?name=***" in caplog.text
    calls = [record.getMessage() for record in caplog.records if record.name.startswith("wxpay_dsl")]
    assert not [line for line in calls if IDENTITY in line]


async def test_paths_that_are_far_from_those_and_calls_without_fields_are_sent(server: RawServer) -> None:
    async with client(server) as wxpay:
        for call in (
            lambda: wxpay.v3.my.own.path.post({"a": 1}),
            wxpay.v3.profitsharing.receiver.add.post,
            lambda: wxpay.v3.profitsharing.receiver.get(a=1),
        ):
            with pytest.raises(ServiceError):
                await call()
    assert server.connections >= 1


@pytest.mark.parametrize("value", [1, "yes", None])
async def test_undeclared_is_true_or_false(value: Any, server: RawServer) -> None:
    async with client(server) as wxpay:
        with pytest.raises(ValidationError, match="undeclared: expected True or False"):
            await wxpay.v3.my.own.path.post({"a": 1}, undeclared=value)


def test_a_client_is_not_strict_and_careless_at_once(server: RawServer) -> None:
    with pytest.raises(ConfigurationError, match="`strict` and `undeclared`"):
        client(server, strict=True, undeclared=True)
