"""Cells of bills: exactly the documented formats are accepted."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wxpay_dsl.wechat.bills.values import (
    read_count,
    read_fen,
    read_fraction,
    read_id,
    read_optional_time,
    read_rate,
    read_time,
)


def yuan(fen: int) -> str:
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100}.{abs(fen) % 100:02}"


#: What a text of random characters hardly is: a number that is nearly written as bills do.
NUMERIC = st.text(st.sampled_from("0123456789.-+_ eE,`%０٣NaInf\n\u00a0\u2212"), max_size=12)


@given(st.integers(-(10**12), 10**12))
def test_yuan_become_fen_exactly(fen: int) -> None:
    assert read_fen(yuan(fen)) == fen
    assert read_fraction(yuan(fen)) == fen


@given(st.one_of(NUMERIC, st.from_regex(r"-?[0-9]{1,18}(\.[0-9]{1,3})?", fullmatch=True), st.text(max_size=8)))
def test_an_amount_is_read_in_its_published_form_alone(text: str) -> None:
    if re.fullmatch(r"-?[0-9]{1,18}(\.[0-9]{1,2})?", text):
        assert read_fen(text) == Fraction(text) * 100
    elif text:
        with pytest.raises(ValueError, match=r"is not an amount in yuan such as|has fractions of a fen"):
            read_fen(text)


@given(
    st.one_of(NUMERIC, st.from_regex(r"-?[0-9]{1,18}(\.[0-9]{1,11})?", fullmatch=True), st.text(max_size=8)),
    st.integers(1, 40),
)
def test_a_fee_is_exact_in_every_decimal_context(text: str, precision: int) -> None:
    with localcontext(prec=precision):
        if re.fullmatch(r"-?[0-9]{1,18}(\.[0-9]{1,10})?", text):
            assert Fraction(read_fraction.__wrapped__(text)) == Fraction(text) * 100
        elif text:
            with pytest.raises(ValueError, match="is not an amount in yuan such as"):
                read_fraction.__wrapped__(text)


@given(st.one_of(NUMERIC, st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,10})?%", fullmatch=True)), st.integers(1, 40))
def test_a_rate_is_exact_and_needs_its_percent_sign(text: str, precision: int) -> None:
    with localcontext(prec=precision):
        if re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,10})?%", text):
            rate = read_rate.__wrapped__(text)
            assert rate is not None
            assert Fraction(rate) == Fraction(text[:-1]) / 100
        elif text:
            with pytest.raises(ValueError, match=r"is not a rate such as 0\.60%"):
                read_rate.__wrapped__(text)


@given(st.one_of(NUMERIC, st.from_regex(r"[0-9]{1,4}\.0{1,3}", fullmatch=True)))
def test_a_count_is_whole(text: str) -> None:
    if re.fullmatch(r"[0-9]{1,18}(\.0{1,2})?", text):
        assert read_count(text) == Fraction(text)
    else:
        with pytest.raises(ValueError, match="is not a count such as 19"):
            read_count(text)


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)))  # noqa: DTZ001 (the zone is what is tested)
def test_a_time_is_beijings(moment: datetime) -> None:
    moment = moment.replace(microsecond=0)
    read = read_time(f"{moment:%Y-%m-%d %H:%M:%S}")
    assert read == moment.replace(tzinfo=UTC) - timedelta(hours=8)
    assert (read.tzname(), read.utcoffset()) == ("Asia/Shanghai", timedelta(hours=8))


@pytest.mark.parametrize(
    "text",
    [
        *("2026-03-18", "20260318T100000", "2026-W12-3 10:00:00", "2026-03-18T10:00:00", "2026-03-18 10:00"),
        *("2026-03-18 10:00:00Z", "2026-03-18 10:00:00.5", " 2026-03-18 10:00:00", "2026-03-18 10:00:00\n", "1"),
        *("2026-02-30 10:00:00", "2026-03-18 24:00:00", "２026-03-18 10:00:00", "x" * 100_000),
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    for read in (read_time, read_optional_time):
        with pytest.raises(ValueError, match="is not a time such as 2026-03-18 10:00:00") as caught:
            read(text)
        assert len(str(caught.value)) < 120


def test_a_time_that_is_not_there_yet() -> None:
    assert read_optional_time("") is None
    assert read_optional_time("0") is None
    with pytest.raises(ValueError, match="'' is not a time"):
        read_time("")


@pytest.mark.parametrize(("text", "fen"), [("", 0), ("0", 0), ("12", 1200), ("0.1", 10), ("-0.5", -50), ("-0.00", 0)])
def test_yuan_may_be_written_short(text: str, fen: int) -> None:
    assert read_fen(text) == fen


@pytest.mark.parametrize(
    ("text", "fen"),
    [
        ("", "0"),
        ("0", "0"),
        ("3", "300"),
        ("0.1", "10"),
        ("0.07404", "7.404"),
        ("-0.00600", "-0.600"),
        ("-2.5", "-250"),
    ],
)
def test_a_fee_is_written_as_a_number(text: str, fen: str) -> None:
    """Without an exponent: that is how it comes into JSON and CSV."""
    assert str(read_fraction(text)) == fen


def test_a_rate_that_is_not_there() -> None:
    assert read_rate("") is None
    assert read_rate("0.60%") == Decimal("0.0060")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1.005", "'1.005' has fractions of a fen; this amount has at most two decimals"),
        ("1e5", "'1e5' is not an amount in yuan such as 12.34"),
        ("Infinity", "'Infinity' is not an amount"),
        ("a gift for you", "a text of 14 characters is not an amount"),
        ("0" * 33, "a text of 33 characters is not an amount"),
        ("茶", "a text of 1 characters is not an amount"),
        ("1\n2", "a text of 3 characters is not an amount"),
    ],
)
def test_an_error_repeats_numbers_and_no_texts_of_customers(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(said)}"):
        read_fen(text)


def test_ids() -> None:
    assert [read_id(text) for text in ("0", "", "00", "50000001")] == ["", "", "00", "50000001"]
