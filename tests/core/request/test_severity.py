"""Which mismatches refuse a call and which are warned of, by the source of an operation's facts and by role."""

from __future__ import annotations

import contextlib
import json
import warnings
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.core.library_api import api as library_api
from tests.core.library_api.server import Library
from wxpay_dsl.core.client import Client
from wxpay_dsl.core.errors import SdkError, ServiceError, ValidationError
from wxpay_dsl.core.messages import Sections
from wxpay_dsl.core.request.build import SpecWarning
from wxpay_dsl.core.specs.model import Operation

SPEC = """
title: Orders
path: /v1
operations:
  /orders:
    post: &order
      roles: [merchant, partner, institution]
      checked: {source: SOURCE, date: 2026-08-08}
      body:
        out_trade_no: Number
        note?: {maxLength: 3}
        mchid: {roles: [merchant]}
        sp_mchid: {roles: [partner, institution]}
        sub_mchid?: {roles: [partner, institution], required_by: [partner], title: Sub-merchant}
        amount:
          properties:
            total: {type: integer}
            fee?: {roles: [institution], type: integer}
        payer?: {properties: {name: {encrypted: true}}}
        scene: {doubt: "one SDK alone requires it"}
      returns: {prepay_id: ID}
  /orders/{id}:
    get:
      checked: {source: SOURCE, date: 2026-08-08}
      query: {mchid: Merchant}
      returns: {state: State}
  /tickets:
    post:
      checked: {source: SOURCE, date: 2026-08-08}
      body: {out_trade_no: Number, amount: {properties: {total: {type: integer}}}}
      returns: {id: ID}
"""
DIRECT = {"out_trade_no": "1", "mchid": "19", "amount": {"total": 1}, "scene": "s"}
PARTNER = {"out_trade_no": "1", "sp_mchid": "19", "sub_mchid": "20", "amount": {"total": 1}, "scene": "s"}


def without(data: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name not in names}


async def seal(operation: Operation, sections: Sections) -> Sections:
    return sections


@pytest.fixture(params=["official", "sdk", "community", "none"])
def source(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def shop(tmp_path: Path, library: Library, source: str) -> AsyncIterator[Client]:
    text = SPEC.replace("&order", "").replace("SOURCE", source)
    if source == "none":
        text = "\n".join(line for line in text.splitlines() if "checked:" not in line)
    (tmp_path / "v1").mkdir()
    (tmp_path / "v1" / "orders.yaml").write_text(text, "utf-8")
    async with library_api.client(library.url, folders=(str(tmp_path),), encrypt=seal) as api:
        yield api


async def send(shop: Client, data: Any = None, **fields: Any) -> list[str]:
    """Sends an order; returns the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with contextlib.suppress(ServiceError):  # the library sells nothing
            await shop.chain.v1.orders.post(data, **fields)
    assert all(issubclass(each.category, SpecWarning) for each in caught)
    return [str(each.message).removeprefix("POST /v1/orders: ") for each in caught]


async def refused(shop: Client, data: Any, **fields: Any) -> list[str]:
    with pytest.raises(ValidationError) as raised:
        await send(shop, data, **fields)
    return [str(fault) for fault in raised.value.errors]


ROLES = {
    "a merchant": (DIRECT, []),
    "a partner": (PARTNER, []),
    "an institution, which need not name the sub-merchant": (without(PARTNER, "sub_mchid"), []),
    "an institution with its own field": (PARTNER | {"amount": {"total": 1, "fee": 1}}, []),
    "of two roles": (
        DIRECT | {"sub_mchid": "20"},
        ["body.sub_mchid: a field of partner, institution, and the rest of the request is one of merchant"],
    ),
    "of two roles, inside": (
        DIRECT | {"amount": {"total": 1, "fee": 2}},
        ["body.amount.fee: a field of institution, and the rest of the request is one of merchant"],
    ),
    "a longer note": (DIRECT | {"note": "long"}, ["body.note: expected at most 3 characters, got 'long'"]),
    "another type": (DIRECT | {"note": 7}, ["body.note: expected string, got 7"]),
    "without a doubtful field": (without(DIRECT, "scene"), ["body.scene: missing"]),
}


@pytest.mark.parametrize(("data", "says"), ROLES.values(), ids=ROLES.keys())
async def test_what_fits_one_role_is_sent(shop: Client, library: Library, data: Any, says: list[str]) -> None:
    assert await send(shop, data) == says
    assert json.loads(library.seen[0].body) == data


UNCERTAIN = {
    "a new field": (DIRECT | {"brand_new": 1}, ["body.brand_new: no such field"]),
    "a new field inside": (
        DIRECT | {"amount": {"total": 1, "totl": 1}},
        ["body.amount.totl: no such field; did you mean 'total'?"],
    ),
    "a field that every role must give": (without(DIRECT, "out_trade_no"), ["body.out_trade_no: missing (Number)"]),
    "worded for the nearest role": (
        without(PARTNER, "sp_mchid"),
        ["body.sp_mchid: missing, required for partner"],
    ),
}


@pytest.mark.parametrize(("data", "says"), UNCERTAIN.values(), ids=UNCERTAIN.keys())
async def test_only_official_facts_refuse(
    shop: Client, library: Library, source: str, data: Any, says: list[str]
) -> None:
    if source == "official":
        assert await refused(shop, data) == says
        assert library.seen == []
    else:
        assert await send(shop, data) == says
        assert json.loads(library.seen[0].body) == data
    assert await refused(shop, data, validate="strict") != []


CERTAIN = {
    "a float as money": (DIRECT | {"amount": {"total": 1.0}}, "body.amount.total: expected integer, got 1.0"),
    "a decimal as money": (DIRECT | {"amount": {"total": Decimal("1.00")}}, "body.amount.total: expected integer"),
    "what JSON cannot carry": (DIRECT | {"note": b"x"}, "body.note: expected string, got bytes"),
    "and where no field is": (DIRECT | {"brand_new": {1, 2}}, "body.brand_new"),
    "a secret of another type": (DIRECT | {"payer": {"name": 4111}}, "body.payer.name: expected string, got integer"),
    "a secret in another shape": (DIRECT | {"payer": [{"name": "Zhang"}]}, "body.payer: expected object"),
    "a secret under a misspelt name": (DIRECT | {"payer": {"nmae": "Zhang"}}, "body.payer.nmae: no such field"),
}


@pytest.mark.parametrize(("data", "says"), CERTAIN.values(), ids=CERTAIN.keys())
async def test_what_is_certain_is_refused_whatever_is_known(
    shop: Client, library: Library, data: Any, says: str
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        shown = await refused(shop, data)
    assert shown[0].startswith(says)
    assert library.seen == []


async def test_a_secret_is_never_sent_where_nothing_encrypts_it(tmp_path: Path, library: Library) -> None:
    (tmp_path / "v1").mkdir()
    (tmp_path / "v1" / "orders.yaml").write_text(SPEC.replace("&order", "").replace("SOURCE", "sdk"), "utf-8")
    async with library_api.client(library.url, folders=(str(tmp_path),)) as api:
        for validate in (True, False, "strict"):
            (line,) = await refused(api, DIRECT | {"payer": {"name": "Zhang"}}, validate=validate)
            assert line == "body.payer.name: is sensitive, and no encryption is configured for operations of 'json'"
    assert library.seen == []


async def test_each_kind_and_place_is_warned_of_once(shop: Client, library: Library, source: str) -> None:
    data = DIRECT | {"note": "long"}
    assert len(await send(shop, data)) == 1
    assert await send(shop, data | {"note": "longer"}) == []
    assert await send(shop, data | {"note": 5}) == ["body.note: expected string, got 5"]
    assert len(library.seen) == 3


async def test_a_warning_that_a_filter_raises_is_raised_again(shop: Client, library: Library) -> None:
    """With warnings turned into errors, later calls raise as well."""
    for _ in range(2):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(SpecWarning):
                await shop.chain.v1.orders.post(DIRECT, note="long")
    assert library.seen == []


KEYWORDS = {
    "a verb with a body": (
        lambda shop, **more: shop.chain.v1.tickets.post(out_trade_no="1", amount={"total": 1}, brand_new="x", **more),
        "/v1/tickets",
        {"out_trade_no": "1", "amount": {"total": 1}, "brand_new": "x"},
    ),
    "a verb without one": (
        lambda shop, **more: shop.chain.v1.orders._id_.get(id="1", mchid="2", brand_new="x", **more),
        "/v1/orders/1?mchid=2&brand_new=x",
        None,
    ),
}


@pytest.mark.parametrize(("call", "target", "body"), KEYWORDS.values(), ids=KEYWORDS.keys())
async def test_an_unknown_keyword_has_a_place(
    shop: Client, library: Library, source: str, call: Any, target: str, body: Any
) -> None:
    if source == "official":
        with pytest.raises(ValidationError, match="brand_new: no such field"):
            await call(shop)
    else:
        with pytest.warns(SpecWarning, match="brand_new: no such field"), contextlib.suppress(SdkError):
            await call(shop)
    library.seen.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error", SpecWarning)
        with contextlib.suppress(SdkError):
            await call(shop, validate=False)
    (seen,) = library.seen
    assert seen.target == target
    if body is not None:
        assert json.loads(seen.body) == body


async def test_without_validation_nothing_is_checked(shop: Client, library: Library) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", SpecWarning)
        assert await send(shop, {"amount": {"total": 1.5}}, note=5, brand_new=1, validate=False) == []
    assert json.loads(library.seen[0].body) == {"amount": {"total": 1.5}, "note": 5, "brand_new": 1}
