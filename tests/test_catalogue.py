"""The packaged specs: complete, readable, and without findings of the linter."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from unicodedata import east_asian_width

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.core.openapi.test_export import loaded, said, unpacked
from wxpay_dsl.core.chain.tree import Tree
from wxpay_dsl.core.lint.lint import lint
from wxpay_dsl.core.openapi import read_document, write_document
from wxpay_dsl.core.specs import yaml12
from wxpay_dsl.core.specs.model import Event, Operation, Schema
from wxpay_dsl.core.specs.writer import WIDTH
from wxpay_dsl.wechat.roles import ROLES, plays

SPECS = Path(__file__).parents[1] / "specs"
CHAINS = {"v3": (), "v2": ("v2",), "brand": ()}
FILES = sorted(path.relative_to(SPECS).as_posix() for path in SPECS.rglob("*.yaml"))
PRODUCTS = [file for file in FILES if file != "common.yaml" and not file.startswith("notifications/")]

#: Calls that may be repeated because their pages say so: 幂等, 重入.
STATED = {
    "POST /v3/apply4subject/applyment",
    "POST /v3/marketing/favor/callbacks",
    "POST /v3/marketing/favor/stocks/{stock_id}/pause",
    "POST /v3/marketing/favor/stocks/{stock_id}/restart",
    "POST /v3/marketing/favor/stocks/{stock_id}/start",
    "POST /v3/marketing/partnerships/build",
    "POST /v3/merchant-service/complaints-v2/{complaint_id}/response-immediate-service",
    "POST /v3/new-tax-control-fapiao/fapiao-applications/{fapiao_apply_id}/insert-cards",
}

PRESIGN = """\
# yaml-language-server: $schema=../spec.schema.json
title: 教育续费通
path: /v3/edu-papay
operations:
  /contracts/presign:
    post:
      summary: 预签约
      description: >-
        商户为一次签约取得预签约号（presign_token）；用户从商户小程序跳转到微信的签约小程序时，带上它。
        One token stands for one user's signing: it goes along to the signing mini program.
      docs:
        - https://pay.weixin.qq.com/docs/merchant/apis/education-fee-payment/contracts/pre-sign.html
        - https://pay.weixin.qq.com/docs/partner/apis/education-fee-payment/contracts/pre-sign.html
      roles: [merchant, partner]
      body:
        appid: {$ref: ../common.yaml#/AppId}
        sub_mchid?: {title: 子商户号, example: '1900000109'}
        sub_appid?: 子商户APPID
        openid: 用户标识
        sub_openid?: 子商户用户标识
        plan_id: 签约模板号
        user_id: 用户账号
        period_start_date: {title: 首次扣款日期, format: date, example: 2020-03-19}
        trade_scene: {title: 场景信息, enum: [EDUCATION_PERIOD]}
      returns:
        presign_token: 预签约号
"""


@cache
def everything() -> tuple[dict[Any, Operation], dict[str, Event]]:
    return loaded(SPECS, CHAINS, "v3")


def text(file: str) -> str:
    return (SPECS / file).read_text("utf-8")


def fields(schema: Schema | None, way: str = "") -> Iterator[tuple[str, Schema]]:
    if schema is not None:
        yield way, schema
        for name, inner in schema.properties.items():
            yield from fields(inner, f"{way}.{name}")
        yield from fields(schema.items, f"{way}[]")
        yield from fields(schema.additional, f"{way}{{}}")


def test_all_of_it_is_there() -> None:
    operations, events = everything()
    assert len({path for path, _ in operations}) == 1_127
    assert len(operations) == 1_222
    # 114 that the service names, 4 of brands; of APIv2 its contracts and failed payments, which it does not name.
    assert len(events) == 114 + 4 + 3
    sections = ("path", "query", "header", "body", "form")
    schemas = [operation.section(name) for operation in operations.values() for name in sections]
    schemas += [operation.returns for operation in operations.values()]
    assert sum(1 for schema in schemas for way, _ in fields(schema) if way) > 24_700


def test_nothing_is_wrong_with_it() -> None:
    assert [str(finding) for finding in lint(Tree([str(SPECS)], CHAINS, "v3"))] == []


def test_the_first_entry_is_the_one_of_the_documentation() -> None:
    assert text("v3/edu-papay.yaml").startswith(PRESIGN)
    assert len(everything()[0]) > len([path for path, _ in everything()[0] if path.startswith("/v3/edu-papay/")]) == 8


@pytest.mark.parametrize("file", FILES)
def test_a_file_reads_well(file: str) -> None:
    lines = text(file).splitlines()
    schema = posixpath.relpath("spec.schema.json", posixpath.dirname(file) or ".")
    assert lines[0] == f"# yaml-language-server: $schema={schema}"
    assert len(lines) <= 1_500
    for number, line in enumerate(lines, 1):
        columns = sum(2 if east_asian_width(character) in "WF" else 1 for character in line)
        # What is longer is a single text without a place to break: a link, an example.
        assert columns <= WIDTH or re.match(r" *(?:- |example: |title: )\S", line), f"{file}:{number}"
        assert line == line.rstrip()
        assert "\t" not in line


@pytest.mark.parametrize("file", PRODUCTS)
def test_the_folder_is_the_url(file: str) -> None:
    spec = yaml12.read(text(file), file)
    dialect = spec.get("dialect", "v3")
    assert f"/{file.removesuffix('.yaml')}" == ("/v2" if dialect == "v2" else "") + spec["path"]
    assert re.search("[\u4e00-\u9fff]", spec["title"]), "a title in Chinese"


@pytest.mark.parametrize("file", [file for file in FILES if file.startswith("notifications/")])
def test_events_have_a_folder(file: str) -> None:
    spec = yaml12.read(text(file), file)
    assert "operations" not in spec
    dialect = file.removeprefix("notifications/").removesuffix(".yaml")
    assert spec.get("dialect", "v3") == (dialect if dialect in ("v2", "brand") else "v3")
    assert all(name.startswith("v2/") == (spec.get("dialect") == "v2") for name in spec["events"])


def _code(file: str) -> str:
    return re.sub(r"^#.*", "", text(file), flags=re.MULTILINE)


def test_no_definition_is_without_use() -> None:
    used = {file: set(re.findall(r"\$ref: '?([^#\s]*)#/(?:definitions/)?(\w+)", _code(file))) for file in FILES}
    for file in FILES:
        spec = yaml12.read(text(file), file)
        own = set(spec.get("definitions", {}))
        assert own == {name for target, name in used[file] if not target}, file
    shared = {name for refs in used.values() for target, name in refs if target}
    assert shared == set(yaml12.read(text("common.yaml")))


def test_roles_are_words_of_the_table() -> None:
    operations, events = everything()
    said_roles = {role for item in (*operations.values(), *events.values()) for role in item.roles}
    assert said_roles == set(ROLES)
    assert len(set(ROLES.values())) == len(ROLES)


@pytest.mark.parametrize(
    ("role", "asked", "answer"),
    [
        ("partner", "partner", True),
        ("partner", "服务商", True),
        ("ordinary_merchant", "merchant", True),
        ("ordinary_merchant", "直连商户", True),
        ("merchant", "ordinary_merchant", False),
        ("partner", "merchant", False),
        ("acquiring_bank", "acquirer", True),
        ("of one's own", "partner", False),
    ],
)
def test_who_asks_for_a_role_means_its_kinds_too(role: str, asked: str, answer: bool) -> None:
    assert plays(role, asked) is answer


def test_the_roles_of_a_field_are_roles_of_its_operation() -> None:
    operations, _ = everything()
    for operation in operations.values():
        sections = ("path", "query", "header", "body", "form")
        for schema in (*(operation.section(name) for name in sections), operation.returns):
            for way, field in fields(schema):
                assert {*field.roles, *field.required_by} <= set(operation.roles), f"{operation.name} {way}"


def test_links_are_official_pages() -> None:
    operations, events = everything()
    links = [link for item in (*operations.values(), *events.values()) for link in item.docs]
    assert len(links) > 1_000
    assert [link for link in links if not link.startswith("https://pay.weixin.qq.com/")] == []


def test_answers_without_a_signature_are_said_to_have_none() -> None:
    operations, _ = everything()
    unsigned = {
        path for (path, _), operation in operations.items() if not operation.verify and operation.dialect == "v3"
    }
    assert unsigned == {
        "/hk/v3/statements",
        "/invoicing/fapiao/fapiao-file",
        "/v3/billdownload/file",
        "/v3/global/merchant-service/images/{media_id}",
        "/v3/global/statements",
        "/v3/merchant-service/images/{media_id}",
        "/v3/transferdownload/elecvoucherfile",
        "/v3/transferdownload/signfile",
    }


def test_overseas_paths_have_their_own_host() -> None:
    operations, _ = everything()
    for (path, _), operation in operations.items():
        overseas = path.startswith(("/v3/global/", "/hk/", "/global/", "/v3/payscore/oversea/"))
        assert (operation.host == "https://apihk.mch.weixin.qq.com") == overseas, path


def test_a_post_that_may_be_repeated_names_a_number_or_only_reads() -> None:
    number = re.compile(r"(?:^|_)(?:no|billno|number)$|^transaction_id$")
    reads = re.compile(
        r"quer(?:y|i)|/get_?|/download|check|info$|exposure$|shorturl$|authcodetoopenid$|parking-fee$|getcertficates$"
    )
    for operation in everything()[0].values():
        if operation.verb == "post" and operation.idempotent and operation.name not in STATED:
            names = [name for schema in (operation.parameters, operation.body) if schema for name in schema.properties]
            assert any(map(number.search, names)) or reads.search(operation.path), operation.name


@pytest.mark.slow
def test_the_whole_api_goes_to_openapi_and_back(tmp_path: Path) -> None:
    operations, events = everything()
    media_types = {"v2": "application/xml"}
    info = {"title": "WeChat Pay", "version": "1"}
    host = "https://api.mch.weixin.qq.com"
    document = write_document(operations.values(), events.values(), info, host=host, media_types=media_types)
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []
    read = read_document(json.loads(json.dumps(document)), dialect="v3", host=host, media_types=media_types)
    assert [lost.place for lost in read.lost] == ["#/info/version"]
    back, back_events = loaded(unpacked(read.files, tmp_path), CHAINS, "v3")
    assert back.keys() == operations.keys()
    assert [key for key in operations if said(back[key]) != said(operations[key])] == []
    assert [name for name in events if said(back_events[name]) != said(events[name])] == []
