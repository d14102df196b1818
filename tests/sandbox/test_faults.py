"""Faults on request: each kind, by header, for a share of the calls, for a number of calls; and key rotation."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import aiohttp
import pytest

from wxpay_dsl import Wechatpay
from wxpay_dsl.core.errors import SdkError
from wxpay_dsl.sandbox import Sandbox
from wxpay_dsl.sandbox.protocol.faults import KINDS, Faults
from wxpay_dsl.sandbox.protocol.messages import Call, Refusal
from wxpay_dsl.wechat.errors import (
    BadSignatureError,
    ClockSkewError,
    MissingHeaderError,
    UnknownSerialError,
    VerificationError,
)
from wxpay_dsl.wechat.platform_keys.certificates import decrypt_certificates

from .conftest import Api, Shop, order

NATIVE = "/v3/pay/transactions/native"


async def place(wxpay: Wechatpay, sandbox: Sandbox, fault: str = "", number: str = "Fault-1") -> Any:
    headers = {"Sandbox-Fault": fault} if fault else {}
    return await wxpay.v3.pay.transactions.native.post(order(sandbox, number), headers=headers)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("bad-signature", BadSignatureError),
        ("sign-test", BadSignatureError),
        ("unknown-serial", UnknownSerialError),
        ("stale-timestamp", ClockSkewError),
        ("stale-timestamp=301", ClockSkewError),
        ("no-signature", MissingHeaderError),
    ],
)
async def test_an_answer_that_must_not_be_believed(
    sandbox: Sandbox, fault: str, error: type[VerificationError]
) -> None:
    with pytest.raises(error):
        await place(sandbox.client, sandbox, fault)
    # The call was processed, and a repeated call gets a valid response.
    assert (await place(sandbox.client, sandbox)).data["code_url"]


async def test_an_answer_that_is_old_enough_to_be_good(sandbox: Sandbox) -> None:
    assert (await place(sandbox.client, sandbox, "stale-timestamp=200")).data["code_url"]


@pytest.mark.parametrize(
    ("fault", "status", "code", "done"),
    [
        ("rate-limit=7", 429, "FREQUENCY_LIMITED", False),
        ("system-error", 500, "SYSTEM_ERROR", False),
        ("response-lost", 500, "SYSTEM_ERROR", True),
        ("bad-gateway", 502, None, False),
    ],
)
async def test_an_answer_that_is_no(shop: Shop, fault: str, status: int, code: str | None, done: bool) -> None:
    body = json.dumps(order(shop.sandbox, "Fault-2")).encode()
    response, answer = await shop.send("POST", NATIVE, body, {"Sandbox-Fault": fault})
    assert response.status == status
    if code is None:
        assert answer.startswith(b"<html>")
    else:
        assert json.loads(answer)["code"] == code
    assert response.headers.get("Retry-After") == ("7" if status == 429 else None)
    assert bool(shop.sandbox.control.list("transactions")) == done


@pytest.mark.parametrize(("fault", "done"), [("drop-after", True), ("drop-before", False), ("truncated", True)])
async def test_a_connection_that_breaks(shop: Shop, fault: str, done: bool) -> None:
    body = json.dumps(order(shop.sandbox, "Fault-3")).encode()
    with pytest.raises(aiohttp.ClientError):
        await shop.send("POST", NATIVE, body, {"Sandbox-Fault": fault})
    assert bool(shop.sandbox.control.list("transactions")) == done


async def test_an_answer_that_comes_late(sandbox: Sandbox) -> None:
    with pytest.raises(SdkError):
        await sandbox.client.v3.pay.transactions.native.post(
            order(sandbox, "Fault-4"), headers={"Sandbox-Fault": "delay=5"}, timeout=0.2
        )


async def test_apiv2_s_answers_can_be_forged_too(sandbox: Sandbox) -> None:
    fields = {"appid": "wx8888888888888888", "mch_id": sandbox.merchant.mchid, "out_trade_no": "none"}
    sandbox.control.faults.add("bad-signature", times=1, path="/pay/*")
    with pytest.raises(VerificationError):
        await sandbox.client.v2.pay.orderquery.post(**fields)


async def test_a_header_that_asks_for_nothing_known(shop: Shop) -> None:
    response, answer = await shop.send("GET", "/v3/certificates", headers={"Sandbox-Fault": "no-such-fault"})
    assert response.status == 400
    assert all(kind in json.loads(answer)["message"] for kind in KINDS)


async def test_a_rule_for_so_many_calls_on_some_paths(api: Api, sandbox: Sandbox) -> None:
    sandbox.control.faults.add("system-error", times=2, path="/v3/pay/*")
    assert (await api("GET /v3/certificates"))[0] == 200
    statuses = [(await api(f"POST {NATIVE}", **order(sandbox, "Fault-7")))[0] for _ in range(3)]
    assert statuses == [500, 500, 200]


def test_a_rule_for_a_share_of_the_calls() -> None:
    def drawn(seed: int) -> list[str]:
        faults = Faults({"drop-after": 0.1, "delay": 0.5}, seed=seed)
        call = Call("GET", "/v3/certificates", {})
        return [fault.kind for _ in range(2000) for fault in faults.draw(call)]

    counted = Counter(drawn(1))
    assert 150 < counted["drop-after"] < 250
    assert 900 < counted["delay"] < 1100
    assert drawn(1) == drawn(1) != drawn(2)


@pytest.mark.parametrize(("kind", "share"), [("nothing", 0.5), ("drop-after", 1.5), ("drop-after", -0.1)])
def test_a_rule_that_makes_no_sense(kind: str, share: float) -> None:
    with pytest.raises(ValueError, match=r"fault|share"):
        Faults({kind: share})


def test_a_value_that_is_no_number() -> None:
    with pytest.raises(Refusal):
        Faults().draw(Call("GET", "/", {"Sandbox-Fault": "delay=soon"}))


async def test_the_platform_s_certificate_changes_in_mid_run() -> None:
    async with Sandbox(mode="certificate") as sandbox:
        wxpay = sandbox.client
        # The download that the first call starts in the background is finished, and so is the pause after it.
        keyring: Any = wxpay.keyring
        await keyring.refresh()
        keyring._policy = type(keyring._policy)()
        new = (await place(wxpay, sandbox, "rotate-key")).headers["Wechatpay-Serial"]
        assert new != next(iter(sandbox.credentials["platform_keys"])), "it was found by downloading"
        assert (await place(wxpay, sandbox, number="Fault-6")).headers["Wechatpay-Serial"] == new


async def test_a_new_certificate_can_be_had_before_it_signs(shop: Shop) -> None:
    control, merchant = shop.sandbox.control, shop.sandbox.merchant

    async def seen() -> tuple[str, list[str]]:
        response, body = await shop.send("GET", "/v3/certificates")
        keys = decrypt_certificates(body, merchant.apiv3_key)
        return response.headers["Wechatpay-Serial"], [key.id for key in keys]

    old, _ = await seen()
    new = control.stage_certificate()
    assert await seen() == (old, [old, new])
    assert control.rotate_certificate() == new
    assert await seen() == (new, [old, new])
    newest = control.rotate_certificate()
    assert await seen() == (newest, [new, newest]), "the oldest has ended"


async def test_a_merchant_who_migrates(sandbox: Sandbox) -> None:
    """Both keys are valid, and the request names the one that its sender knows."""
    wxpay = sandbox.client
    sandbox.control.set_mode("public-key")
    assert (await place(wxpay, sandbox)).data["code_url"]
    sandbox.control.set_mode("both")
    assert (await place(wxpay, sandbox)).data["code_url"]
    async with Wechatpay(
        **{
            **sandbox.credentials,
            "platform_keys": {pair.id: pair.certificate for pair in sandbox.platform.certificates},
        }
    ) as old:
        assert (await place(old, sandbox)).data["code_url"]
