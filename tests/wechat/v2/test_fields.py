"""APIv2's fields: text on the wire, typed in Python, numbered ones in lists."""

from __future__ import annotations

import json
from enum import Enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wxpay_dsl.core.request.validate import check
from wxpay_dsl.core.specs.model import Schema
from wxpay_dsl.wechat.v2 import signing as signing_v2
from wxpay_dsl.wechat.v2 import xml
from wxpay_dsl.wechat.v2.fields import collect, read, written
from wxpay_dsl.wechat.v2.schemas import decoded_schema

INTEGER, TEXT, BOOLEAN = Schema(type="integer"), Schema(), Schema(type="boolean")
JSON = Schema(media_type="application/json")


def an_object(**properties: Schema) -> Schema:
    return Schema(type="object", properties=properties)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
).filter(lambda value: isinstance(value, (dict, list)))


@given(st.integers(-(10**18), 10**18), st.text(), st.booleans(), json_values)
def test_what_is_written_is_read_again(number: int, text: str, yes: bool, value: Any) -> None:
    schema = an_object(number=INTEGER, text=TEXT, yes=BOOLEAN, value=JSON)
    fields = {"number": number, "text": text, "yes": yes, "value": value}
    texts = written(fields)
    assert all(type(each) is str for each in texts.values())
    assert read(schema, texts) == fields


def test_json_is_compact_and_readable() -> None:
    assert written({"detail": {"名": ["a", 1]}}) == {"detail": '{"名":["a",1]}'}
    assert written({"detail": '{"as": "given"}', "none": None}) == {"detail": '{"as": "given"}'}


@pytest.mark.parametrize("value", [1.0, b"x", object(), float("nan")])
def test_what_has_no_text_is_refused_by_name(value: object) -> None:
    with pytest.raises(TypeError, match=r"\Atotal_fee: "):
        written({"total_fee": value})


@pytest.mark.parametrize("value", [b"x", object(), float("nan")])
def test_what_json_cannot_say_is_refused(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        written({"detail": {"price": [value]}})


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12.5", 12.5),
        ("-3", -3.0),
        *((text, text) for text in ("1_000", "1e3", "1e999", "nan", "inf", "٣", " 1", "1.")),
    ],
)
def test_a_number_is_written_in_decimal_digits(text: str, number: float | str) -> None:
    read_number = read(an_object(number=Schema(type="number")), {"number": text})["number"]
    assert (type(read_number), read_number) == (type(number), number)


@given(st.text())
def test_no_text_is_refused_on_the_way_in(text: str) -> None:
    schema = an_object(integer=INTEGER, boolean=BOOLEAN, number=Schema(type="number"), value=JSON)
    data = read(schema, dict.fromkeys(schema.properties, text))
    assert data.keys() == schema.properties.keys()
    assert isinstance(data["integer"], int) == (text.isascii() and text.lstrip("-").isdigit() and text.count("-") < 2)


@given(st.dictionaries(st.tuples(st.integers(0, 99), st.integers(0, 9)), st.integers(), max_size=12))
def test_every_numbered_field_is_in_its_list_once(values: dict[tuple[int, int], int]) -> None:
    schema = an_object(**{"fee_$n_$m": INTEGER})
    fields = {f"fee_{n}_{m}": value for (n, m), value in values.items()}
    rows = collect(fields, schema)["fee_$n_$m"]
    order = sorted({n for n, _ in values})
    assert len(rows) == len(order)
    for n, row in zip(order, rows, strict=True):
        assert row == [values[key] for key in sorted(values) if key[0] == n]


def test_lists_of_one_answer_belong_together() -> None:
    schema = an_object(
        **{"refund_id_$n": TEXT, "coupon_id_$n_$m": TEXT, "coupon_type_$n": TEXT, "refund_count": INTEGER}
    )
    fields = {
        "refund_count": "2",
        "refund_id_0": "first",
        "refund_id_10": "second",
        "coupon_id_10_0": "c",
        "coupon_id_10_1": "d",
        "refund_id_00": "no number",
        "refund_id_x": "no number",
        "refund_id_123456": "no number of any answer",
    }
    data = read(schema, fields)
    assert data["refund_id_$n"] == ["first", "second"]
    assert data["coupon_id_$n_$m"] == [[], ["c", "d"]]
    assert data["coupon_type_$n"] == [None, None]
    assert data["refund_count"] == 2
    assert {name: data[name] for name in fields if name != "refund_count"} == {
        name: value for name, value in fields.items() if name != "refund_count"
    }


def test_where_none_came_the_lists_are_empty() -> None:
    assert read(an_object(**{"coupon_id_$n": TEXT}), {"return_code": "SUCCESS"})["coupon_id_$n"] == []


def test_many_numbers_cost_little() -> None:
    schema = an_object(**{"a_$n": INTEGER, "b_$n_$m": INTEGER})
    fields = {f"a_{n}": "1" for n in range(5_000)} | {f"b_{n}_0": "1" for n in range(5_000)}
    data = read(schema, fields)
    assert len(data["a_$n"]) == len(data["b_$n_$m"]) == 5_000
    assert json.dumps(data)


def test_the_shape_of_what_is_read_is_what_types_say() -> None:
    schema = Schema(
        type="object",
        properties={"refund_id_$n": TEXT, "fee_$n_$m": INTEGER, "detail": JSON, "count": INTEGER},
        required=frozenset({"count"}),
    )
    made = decoded_schema(schema)
    assert made.required == {"count", "refund_id_$n", "fee_$n_$m"}
    for fields in ({"count": "0"}, {"count": "1", "refund_id_1": "a", "fee_1_0": "5", "detail": '{"a":[1]}'}):
        data = read(schema, fields)
        declared = {name: value for name, value in data.items() if name in made.properties}
        assert check(made, declared, "data") == ()


class Trade(str, Enum):  # noqa: UP042 - what people still write
    NATIVE = "NATIVE"


class Fee(int, Enum):
    ONE = 1


def test_a_member_of_an_enumeration_is_its_value() -> None:
    """``f"{Trade.NATIVE}"`` is ``Trade.NATIVE``."""
    texts = written({"trade_type": Trade.NATIVE, "total_fee": Fee.ONE, "scene_info": {"type": Trade.NATIVE}})
    assert texts == {"trade_type": "NATIVE", "total_fee": "1", "scene_info": '{"type":"NATIVE"}'}
    assert [type(text) for text in texts.values()] == [str, str, str]
    members = {"trade_type": Trade.NATIVE, "total_fee": Fee.ONE}
    plain = {"trade_type": "NATIVE", "total_fee": "1"}
    assert signing_v2.sign(members, "k" * 32) == signing_v2.sign(plain, "k" * 32)
    assert xml.dumps(members) == xml.dumps(plain)
