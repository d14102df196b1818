"""``--json``: every command prints exactly one JSON document on stdout, on success and on error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.shell import PRESIGN, Ran, Serve, Wxpay
from tests.cli.test_commands import leaves

pytestmark = pytest.mark.slow  # a process, a browser or a server for each test

OPENAPI = '{"openapi": "3.0.3", "info": {"title": "x", "version": "1"}, "paths": {"/v3/shop/a": {"get": {}}}}'
OWN = "path: /v3/my\noperations:\n  /thing: {post: {summary: 事}}\n"


def document(ran: Ran) -> Any:
    """The JSON document on stdout, which must be one line."""
    assert ran.out.endswith("\n")
    assert ran.out.count("\n") == 1
    return json.loads(ran.out)


@pytest.mark.parametrize("words", [*leaves()], ids=" ".join)
def test_every_command_says_in_json_what_is_wrong(wxpay: Wxpay, words: tuple[str, ...]) -> None:
    ran = wxpay(*words, "--json", "--no-such-option")
    error = document(ran)["error"]
    assert (ran.code, error["exit"], error["type"]) == (2, 2, "NoSuchOption")
    assert "--no-such-option" in error["text"]
    assert ran.err == ""


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("demo", {"request", "signed_message", "authorization", "response", "data", "verified"}),
        ("call v3.eduPapay.contracts.presign.post -d @presign.json", {"presign_token"}),
        ("call v3.eduPapay.contracts.presign.post -d @presign.json --out response.json", {"out", "bytes"}),
        ("qr weixin://wxpay/bizpayurl?pr=1", {"code_url", "svg"}),
        ("qr weixin://wxpay/bizpayurl?pr=1 --out pay.png", {"code_url", "out", "bytes"}),
        ("certs", {"id", "kind", "not_before", "not_after", "valid"}),
        ("doctor", {"good", "checks"}),
        ("spec list 预签约 教育续费通", {"chain", "verb", "path", "summary"}),
        ("spec list --count", {"paths", "operations"}),
        ("spec show v3.eduPapay.contracts.presign", {"chain", "path", "fields", "status"}),
        ("spec check own", {"files", "errors", "findings"}),
        ("spec import openapi.json --into imported", {"into", "files", "lost"}),
        ("spec export --openapi all.json", {"out", "paths", "events"}),
        ("stubs --specs own --out shop_pay", {"out", "import"}),
        (
            "init own.toml --from home --public-key-id PUB_KEY_ID_1 --no-check",
            {"profile", "written"},
        ),
    ],
)
def test_a_result_is_json(words: str, names: set[str], wxpay: Wxpay, home: Path, tmp_path: Path) -> None:
    (tmp_path / "presign.json").write_text(PRESIGN)
    (tmp_path / "openapi.json").write_text(OPENAPI)
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "my.yaml").write_text(OWN)
    (tmp_path / "home").symlink_to(home)
    env = {"WXPAY_PROFILE": str(home / "wxpay.toml"), "WXPAY_APIV3_KEY": "k" * 32 if words.startswith("init") else ""}
    ran = wxpay(*words.split(), "--json", env=env)
    assert ran.code == 0, ran
    told = document(ran)
    assert names <= (told[0] if isinstance(told, list) else told).keys()


def test_an_endpoint_is_told_with_its_fields(wxpay: Wxpay) -> None:
    (presign,) = document(wxpay("spec", "show", "v3.eduPapay.contracts.presign", "--json"))
    fields = {field["name"]: field for field in presign["fields"] if field["in"] == "body"}
    assert fields["trade_scene"]["enum"] == ["EDUCATION_PERIOD"]
    assert (fields["plan_id"]["required"], fields["sub_mchid"]["required"]) == (True, False)
    (native,) = document(wxpay("spec", "show", "v3.pay.transactions.native", "--json"))
    names = [field["name"] for field in native["fields"]]
    assert {"amount.total", "detail.goods_detail", "detail.goods_detail[].unit_price"} <= {*names}


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        (["call", "v3.pay.transactions.native.post", "-d", "{}"], 4, {"type": "ValidationError"}),
        (["call", "v3.noSuchThing.post", "-d", "{}"], 7, {"status": 404, "code": "RESOURCE_NOT_EXISTS"}),
        (["cal"], 2, {"type": "UsageError"}),
        (["stubs", "--specs", ".", "--out", "file/x"], 1, {"type": "NotADirectoryError"}),
        (["bill", "trade", "2020-01-01"], 7, {"code": "NO_STATEMENT_EXIST"}),
        (["bill", "trade", "--format", "csv"], 2, {"type": "UsageError"}),
    ],
)
def test_an_error_has_the_fields_of_its_kind(
    words: list[str], code: int, expected: dict[str, Any], wxpay: Wxpay, profile: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    ran = wxpay(*words, "--json", env={"WXPAY_PROFILE": str(profile)})
    error = document(ran)["error"]
    assert (ran.code, error["exit"]) == (code, code)
    assert {**error, **expected} == error
    assert ran.err == "", "a failed call is reported once"


def test_all_errors_of_a_request_are_listed(wxpay: Wxpay, profile: Path) -> None:
    ran = wxpay("call", "v3.pay.transactions.native.post", "-d", "{}", "--json", "--profile", str(profile))
    errors = document(ran)["error"]["errors"]
    assert {"path": "body.out_trade_no", "message": "missing (商户订单号)"} in errors


def test_a_sandbox_says_in_json_where_it_serves(wxpay: Wxpay, serve: Serve, tmp_path: Path) -> None:
    with serve("--home", "home", "--json", ready=b'{"ready": "http://127.0.0.1:') as process:
        assert process.poll() is None
        ran = wxpay("sandbox", "pay", "nothing", "--json", "--profile", "home/wxpay.toml")
    assert document(ran)["error"]["exit"] == ran.code != 0


def test_without_it_an_error_leaves_stdout_empty(wxpay: Wxpay, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ran = wxpay("stubs", "--specs", ".", "--out", "file/x")
    assert (ran.code, ran.out) == (1, "")
    assert "NotADirectoryError · exit 1" in ran.err
