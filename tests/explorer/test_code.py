"""The explorer's code to copy makes the same call as its button."""

from __future__ import annotations

import ast
import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.requirements import require
from wxpay_dsl.sandbox import Sandbox
from wxpay_dsl.sandbox.explorer.code import code_of
from wxpay_dsl.sandbox.keys.platform import Mode

Ask = Callable[..., Awaitable[Any]]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
MODULES = ROOT / "tests" / "interop" / "node_modules"

ORDER = {
    "appid": "wx8888888888888888",
    "mchid": "1900000109",
    "description": "图书 'a' \"b\" $HOME `id` \\ 1",
    "out_trade_no": "T00000001",
    "notify_url": "https://www.example.com/notify",
    "amount": {"total": 1},
}
TRANSFER = {
    "appid": "wxf636efh567hg4356",
    "out_bill_no": "plfk2020042013",
    "openid": "o-MYE42l80oelYMDE34nYD456Xoy",
    "transfer_amount": 300000,
    "transfer_remark": "报销",
    "transfer_scene_id": "1000",
    "transfer_scene_report_infos": [{"info_type": "活动名称", "info_content": "注册会员有礼"}],
    "user_name": "张三",
}
QUERY = "v3.pay.transactions.outTradeNo._out_trade_no_.get"
#: A call, its fields, a text of its response, and whether it succeeds.
CALLS = [
    ("v3.pay.transactions.native.post", ORDER, "code_url", True),
    (QUERY, {"out_trade_no": "N/1", "mchid": "1900000109"}, "NOT_EXIST", False),
    ("v3.fundApp.mchTransfer.transferBills.post", TRANSFER, "WAIT_USER_CONFIRM", True),
    ("v3.merchant.media.upload.post", {}, "media_id", True),
    ("v2.pay.orderquery.post", {"appid": "wx8888888888888888", "out_trade_no": "N1"}, "ORDERNOTEXIST", False),
]


@pytest.fixture
def node() -> str:
    require("npm packages")
    return require("node")


def shell() -> str:
    """bash, with the programs that the scripts call."""
    require("curl")
    require("openssl")
    return require("bash")


async def ran(home: Path, command: list[str], stdin: str = "", *, succeeds: bool = True) -> str:
    """The output of a program, both streams, run in the sandbox's home."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WXPAY_")}
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=home,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**kept, "PYTHONPATH": str(ROOT), "NODE_PATH": str(MODULES)},
    )
    try:
        out, _ = await asyncio.wait_for(process.communicate(stdin.encode()), 250)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert (process.returncode == 0) is succeeds, out.decode()
    return out.decode()


@pytest.mark.parametrize(("chain", "fields", "said", "succeeds"), CALLS, ids=[call[0] for call in CALLS])
async def test_in_each_language_it_is_the_same_call(
    chain: str, fields: Mapping[str, Any], said: str, succeeds: bool, ask: Ask, tmp_path: Path, node: str
) -> None:
    home = tmp_path / "home"
    code = await ask("code", {"chain": chain, "fields": fields})
    if "upload" in chain:
        (home / "image.png").write_bytes(b"\x89PNG\r\n\x1a\n")
        assert "Python" in code["javascript"]
    else:
        assert said in await ran(home, [node], code["javascript"], succeeds=succeeds)
    assert said in await ran(home, [sys.executable, "-"], code["python"], succeeds=succeeds)
    assert said in await ran(home, [shell()], code["curl"])  # it verifies nothing


async def test_what_shall_go_wrong_goes_wrong_in_each_language(ask: Ask, tmp_path: Path, node: str) -> None:
    home, (chain, fields, *_) = tmp_path / "home", CALLS[0]
    code = await ask("code", {"chain": chain, "fields": {**fields, "out_trade_no": "T3"}, "fault": "system-error"})
    assert "SYSTEM_ERROR" in await ran(home, [node], code["javascript"], succeeds=False)
    assert "SYSTEM_ERROR" in await ran(home, [sys.executable, "-"], code["python"], succeeds=False)
    assert "SYSTEM_ERROR" in await ran(home, [shell()], code["curl"])
    chain, fields, *_ = CALLS[-1]
    code = await ask("code", {"chain": chain, "fields": fields, "fault": "system-error"})
    assert "SYSTEM" in await ran(home, [shell()], code["curl"])


async def test_over_tls_with_the_client_certificate_where_it_is_wanted(tmp_path: Path, node: str) -> None:
    home = tmp_path / "tls"
    async with Sandbox(home=home, tls=True) as sandbox:
        declared = {one.path: one for one in sandbox.client.tree.declared() if one.verb == "post"}
        for path, fields, said, succeeds in (
            ("/v3/pay/transactions/native", {**ORDER, "out_trade_no": "T4"}, "code_url", True),
            ("/secapi/pay/reverse", {"appid": "wx8888888888888888", "out_trade_no": "N1"}, "ORDERNOTEXIST", False),
        ):
            code = await code_of(sandbox, declared[path], fields)
            trusting = ["env", "NODE_EXTRA_CA_CERTS=ca.pem", node]
            assert said in await ran(home, trusting, code["javascript"], succeeds=succeeds)
            assert said in await ran(home, [sys.executable, "-"], code["python"], succeeds=succeeds)
            assert said in await ran(home, [shell()], code["curl"])


@pytest.mark.parametrize("mode", ["public-key", "certificate"])
async def test_whichever_way_the_platform_signs(mode: Mode, tmp_path: Path, node: str) -> None:
    home = tmp_path / "other"
    async with Sandbox(home=home, mode=mode) as sandbox:
        declared = next(one for one in sandbox.client.tree.declared() if one.path == "/v3/pay/transactions/native")
        code = await code_of(sandbox, declared, {**ORDER, "out_trade_no": "T2"})
        assert "code_url" in await ran(home, [node], code["javascript"])
        assert "code_url" in await ran(home, [sys.executable, "-"], code["python"])
        assert "code_url" in await ran(home, [shell()], code["curl"])


async def test_the_code_of_every_operation_is_code(ask: Ask, tmp_path: Path, node: str) -> None:
    scripts, shells = [], []
    for row in (await ask("operations"))[::5]:
        fields = (await ask(f"operation?chain={row[3]}"))["all"]
        code = await ask("code", {"chain": row[3], "fields": fields})
        ast.parse(code["python"])
        scripts.append(code["javascript"])
        shells.append(code["curl"])
    check = "const all = JSON.parse(require('fs').readFileSync(0)); all.forEach(one => new (require('vm').Script)(one))"
    assert await ran(tmp_path, [node, "-e", check], json.dumps(scripts)) == ""
    (tmp_path / "all.sh").write_text("\n".join(shells))
    assert await ran(tmp_path, [shell(), "-n", "all.sh"]) == ""


async def test_what_cannot_be_written_is_told_in_its_place(ask: Ask) -> None:
    code = await ask("code", {"chain": "v3.pay.transactions.id._transaction_id_.get", "fields": {}})
    assert code["curl"].startswith("#")
    assert "transaction_id" in code["curl"]
    odd = await ask(
        "code", {"chain": "v3.pay.transactions.native.post", "fields": {"a-b": 1, "from": "\u2028</script>"}}
    )
    ast.parse(odd["python"])
    assert "from_=" in odd["python"]
    assert '**{"a-b": 1}' in odd["python"]
    assert "\u2028" not in odd["javascript"]
