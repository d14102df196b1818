"""``wxpay spec``: endpoints are found, shown, checked, imported and exported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.shell import Serve, Wxpay

pytestmark = pytest.mark.slow  # a process, a browser or a server for each test

PRESIGN = "v3.eduPapay.contracts.presign.post\tPOST /v3/edu-papay/contracts/presign\t预签约\t教育续费通"


@pytest.mark.parametrize(
    "words",
    [
        ["预签约"],
        ["PRESIGN"],
        ["contracts/presign"],
        ["eduPapay.contracts.presign"],
        ["period_start_date", "教育续费通"],
        ["首次扣款日期"],
        ["presign_token"],
    ],
)
def test_an_endpoint_is_found_by_path_title_or_field(wxpay: Wxpay, words: list[str]) -> None:
    ran = wxpay("spec", "list", *words)
    assert (ran.code, ran.err) == (0, "")
    assert PRESIGN in ran.out.splitlines()


def test_all_words_must_be_found(wxpay: Wxpay) -> None:
    ran = wxpay("spec", "list", "预签约", "no-such-word")
    assert (ran.code, ran.out) == (0, "")
    assert "nothing found" in ran.err


def test_a_role_and_a_tag_choose(wxpay: Wxpay, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        "path: /v3/my\ntags: [mine]\noperations:\n"
        "  /thing: {post: {roles: [partner]}}\n  /other: {get: {roles: [merchant]}}\n"
    )
    env = {"WXPAY_SPECS": str(tmp_path)}
    assert wxpay("spec", "list", "--tag", "MIN", "--count", env=env).out == "2 paths, 2 operations\n"
    for role in ("partner", "服务商"):
        chosen = wxpay("spec", "list", "--tag", "mine", "--role", role, env=env)
        assert chosen.out == "v3.my.thing.post\tPOST /v3/my/thing\t\t\n"
    unknown = wxpay("spec", "list", "--role", "nobody")
    assert (unknown.code, unknown.out) == (2, "")
    assert "ordinary_partner (普通服务商)" in unknown.err


def test_json_lists_what_a_script_needs(wxpay: Wxpay) -> None:
    ran = wxpay("spec", "list", "presign", "--json")
    (found,) = [entry for entry in json.loads(ran.out) if entry["path"] == "/v3/edu-papay/contracts/presign"]
    assert found["chain"] == "v3.eduPapay.contracts.presign.post"
    assert found["roles"] == ["merchant", "partner"]
    assert found["summary"] == "预签约"


def test_a_broken_file_costs_a_warning_and_not_the_others(wxpay: Wxpay, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("path: /v3/my\noperations: 5\n")
    ran = wxpay("spec", "list", "预签约", env={"WXPAY_SPECS": str(tmp_path)})
    assert ran.code == 0
    assert "mine.yaml:2:1" in ran.err
    assert PRESIGN in ran.out


@pytest.mark.parametrize(
    "chain",
    ["v3.eduPapay.contracts.presign.post", "v3.eduPapay.contracts.presign", "/v3/edu-papay/contracts/presign"],
)
def test_a_page_shows_what_an_endpoint_takes_and_gives(wxpay: Wxpay, chain: str) -> None:
    ran = wxpay("spec", "show", chain)
    assert (ran.code, ran.err) == (0, "")
    assert "预签约" in ran.out
    assert "POST /v3/edu-papay/contracts/presign" in ran.out
    assert "https://pay.weixin.qq.com/" in ran.out
    fields = {line.split()[0]: line for line in ran.out.splitlines() if line.startswith("  ")}
    assert "签约模板号" in fields["plan_id"]
    assert "子商户号" in fields["sub_mchid?"]
    assert "EDUCATION_PERIOD" in fields["trade_scene"]
    assert "预签约号" in fields["presign_token"]


def test_a_chain_on_the_way_lists_what_is_below(wxpay: Wxpay) -> None:
    ran = wxpay("spec", "show", "v3.eduPapay.contracts")
    assert "v3.eduPapay.contracts.presign.post  预签约\n" in ran.out
    assert "v3.eduPapay.contracts._contract_id_.delete  解约\n" in ran.out


@pytest.mark.parametrize("chain", ["v3.eduPapai.contracts.presign.post", "/v3/edu-papay/contracts/presing"])
def test_an_unknown_endpoint_names_the_nearest(wxpay: Wxpay, chain: str) -> None:
    ran = wxpay("spec", "show", chain)
    assert (ran.code, ran.out) == (2, "")
    assert "presign" in ran.err.replace(chain, "")


def test_the_package_s_own_specs_have_nothing_wrong(wxpay: Wxpay) -> None:
    ran = wxpay("spec", "check", "--strict")
    assert (ran.code, ran.out) == (0, "")
    assert "nothing wrong" in ran.err


def test_everything_wrong_is_said_at_once_with_its_place(wxpay: Wxpay, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "a.yaml").write_text(
        "path: /v3/a\noperations:\n  /thing:\n    post:\n      sumary: x\n      body:\n        a: {minLength: x}\n"
    )
    (folder / "b.yaml").write_text(
        "path: /v3/b\noperations:\n  /thing/{id}:\n    post:\n      summary: 事\n      query: {id: 号}\n"
    )
    ran = wxpay("spec", "check", "own")
    assert ran.code == 1
    assert "own/a.yaml:5:7: error: 'sumary' is not a keyword of an operation; did you mean 'summary'?\n" in ran.out
    assert "own/a.yaml:7:13: error: 'x' is not of type 'integer' (spec.schema.json)\n" in ran.out
    assert "own/b.yaml:6:15: error: 'id' is in the path and the query" in ran.out
    assert "2 files: 3 errors, 0 warnings" in ran.err


def test_a_warning_fails_a_strict_check_alone(wxpay: Wxpay, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "mine.yaml").write_text("path: /v3/my\noperations:\n  /thing: {post: {}}\n")
    ran = wxpay("spec", "check", "own")
    assert ran.code == 0
    assert "own/mine.yaml:3:12: warning: POST /v3/my/thing has no `summary`" in ran.out
    assert wxpay("spec", "check", "own", "--strict").code == 1


def test_editors_get_the_schema(wxpay: Wxpay) -> None:
    assert "An API as data" in json.loads(wxpay("spec", "schema").out)["title"]


OPENAPI = """
openapi: 3.0.3
info: {title: Shop, version: '1'}
servers: [{url: 'https://api.mch.weixin.qq.com'}]
paths:
  /v3/shop/orders/{id}:
    get:
      summary: 查询门店订单
      x-mystery: 5
      parameters:
        - {name: id, in: path, required: true, schema: {type: string}}
      responses:
        '200':
          description: ok
          content: {application/json: {schema: {type: object, properties: {n: {type: integer}}}}}
"""


def test_an_imported_document_is_called(wxpay: Wxpay, tmp_path: Path, serve: Serve) -> None:
    (tmp_path / "openapi.yaml").write_text(OPENAPI)
    ran = wxpay("spec", "import", "openapi.yaml", "--into", "own")
    assert ran.code == 0
    assert "x-mystery" in ran.err
    env = {"WXPAY_SPECS": str(tmp_path / "own")}
    assert wxpay("spec", "check", "own").code == 0
    with serve("--home", "home", env=env):
        called = wxpay("call", 'v3.shop.orders["1"].get', "--profile", "home/wxpay.toml", env=env)
    assert called.code == 0
    assert list(json.loads(called.out)) == ["n"]
    assert wxpay("spec", "import", "openapi.yaml", "--into", "own").code == 2
    assert wxpay("spec", "import", "openapi.yaml", "--into", "own", "--force").code == 0


def test_a_document_that_is_not_openapi_is_refused(wxpay: Wxpay, tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text('{"swagger": "2.0"}')
    ran = wxpay("spec", "import", "other.json", "--into", "own")
    assert (ran.code, ran.out) == (4, "")
    assert not (tmp_path / "own").exists()


@pytest.mark.parametrize("name", ["all.json", "all.yaml", "-"])
def test_an_export_holds_every_endpoint(wxpay: Wxpay, tmp_path: Path, name: str) -> None:
    ran = wxpay("spec", "export", "--openapi", name)
    assert ran.code == 0
    text = ran.out if name == "-" else (tmp_path / name).read_text("utf-8")
    if name.endswith(".yaml"):
        assert "\n  /v3/edu-papay/contracts/presign:\n    post:\n      summary: 预签约\n" in text
    else:
        document = json.loads(text)
        operations = sum(len(verbs) for verbs in document["paths"].values())
        counted = wxpay("spec", "list", "--count").out
        assert counted == f"{len(document['paths'])} paths, {operations} operations\n"
