"""`wxpay sandbox pay` acts as the payer; a sandbox keeps its state in its home."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.shell import Serve, Wxpay

pytestmark = pytest.mark.slow  # a process, a browser or a server for each test

ORDER = {
    "appid": "wx8888888888888888",
    "mchid": "1900000109",
    "description": "茶",
    "notify_url": "http://127.0.0.1:1/notify",
    "amount": {"total": 100},
}


def place(wxpay: Wxpay, profile: Path, number: str) -> str:
    """The ``code_url`` of a new order."""
    order = json.dumps({**ORDER, "out_trade_no": number})
    ran = wxpay("call", "v3.pay.transactions.native.post", "-d", order, "--profile", str(profile))
    assert ran.code == 0, ran.err
    code_url: str = json.loads(ran.out)["code_url"]
    return code_url


def state(wxpay: Wxpay, profile: Path, number: str) -> str:
    chain = f'v3.pay.transactions.outTradeNo["{number}"].get'
    ran = wxpay("call", chain, "-p", "mchid=1900000109", "--profile", str(profile))
    trade_state: str = json.loads(ran.out)["trade_state"]
    return trade_state


def test_an_order_is_paid_by_its_code(wxpay: Wxpay, profile: Path) -> None:
    code_url = place(wxpay, profile, "Cli-1")
    ran = wxpay("sandbox", "pay", code_url, "--profile", str(profile), "--openid", "oSomebody")
    assert (ran.code, json.loads(ran.out)["openid"]) == (0, "oSomebody")
    assert state(wxpay, profile, "Cli-1") == "SUCCESS"
    again = wxpay("sandbox", "pay", code_url, "--profile", str(profile))
    assert (again.code, again.out) == (7, "")
    assert "ORDERPAID" in again.err


def test_a_payer_who_gives_up_leaves_it_open(wxpay: Wxpay, profile: Path) -> None:
    place(wxpay, profile, "Cli-2")
    assert wxpay("sandbox", "pay", "Cli-2", "--decline", "--profile", str(profile)).code == 0
    assert state(wxpay, profile, "Cli-2") == "NOTPAY"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--url", "https://api.mch.weixin.qq.com"), 3, "only loopback"),
        (("--url", "http://127.0.0.1:9"), 3, "no sandbox responds"),
        ((), 2, "which sandbox"),
    ],
)
def test_nothing_but_a_sandbox_is_told_to_pay(wxpay: Wxpay, arguments: tuple[str, ...], code: int, said: str) -> None:
    ran = wxpay("sandbox", "pay", "order", *arguments)
    assert ran.code == code
    assert said in " ".join(ran.err.split())


def test_a_home_remembers(wxpay: Wxpay, serve: Serve, tmp_path: Path) -> None:
    profile = tmp_path / "home" / "wxpay.toml"
    with serve("--home", "home"):
        code_url = place(wxpay, profile, "Cli-3")
        place(wxpay, profile, "Cli-4")
    with serve("--home", "home"):
        assert wxpay("sandbox", "pay", code_url, "--profile", str(profile)).code == 0
        assert [state(wxpay, profile, number) for number in ("Cli-3", "Cli-4")] == ["SUCCESS", "NOTPAY"]


def test_faults_for_a_share_of_the_calls(wxpay: Wxpay, serve: Serve, tmp_path: Path) -> None:
    with serve("--home", "home", "--fault", "bad-signature"):
        ran = wxpay(
            *("call", "v3.pay.transactions.native.post", "-d", json.dumps({**ORDER, "out_trade_no": "Cli-5"})),
            *("--profile", str(tmp_path / "home" / "wxpay.toml")),
        )
    assert ran.code == 6


def test_a_fault_that_is_none(wxpay: Wxpay) -> None:
    ran = wxpay("sandbox", "--fault", "no-such-fault=0.5")
    assert ran.code == 2
    assert "bad-signature" in ran.err
