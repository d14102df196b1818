"""Bills parsed into rows: every kind, in pieces of any size, with every known variation of format."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncIterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from wxpay_dsl.wechat import bills

CASES = yaml.load((Path(__file__).parents[2] / "cases" / "bills.yaml").read_text("utf-8"), yaml.BaseLoader)  # noqa: S506 (it makes texts only)
FLOW = CASES[-1]["bill"].partition("\n")[0]


def written(text: str, *, bom: bool = False) -> bytes:
    return (("\ufeff" if bom else "") + text.replace("\n", "\r\n")).encode()


def cut(data: bytes, size: int) -> AsyncIterator[bytes]:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(data), size):
            yield data[start : start + size]

    return pieces()


def said(value: Any) -> Any:
    """A value as the cases write it."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, dict):
        return {name: said(item) for name, item in value.items()}
    return "null" if value is None else str(value)


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
@pytest.mark.parametrize("size", [7, 100_000], ids=["cut", "whole"])
async def test_bills_are_read_as_the_cases_say(case: dict[str, Any], size: int) -> None:
    read = bills.rows(cut(written(case["bill"], bom=size == 7), size))
    if "error" in case:
        with pytest.raises(bills.BillFormatError, match=case["error"]):
            [row async for row in read]
        return
    rows = [row async for row in read]
    assert len(rows) == len(case["rows"]) == read.count
    for row, expected in zip(rows, case["rows"], strict=True):
        assert type(row).__name__ == case["type"]
        assert {name: said(getattr(row, name)) for name in expected} == expected
    if case["summary"] == "null":
        assert read.summary is None
    else:
        assert {name: said(getattr(read.summary, name)) for name in case["summary"]} == case["summary"]


@pytest.mark.parametrize("source", ["bytes", "path", "handle", "iterator"])
async def test_a_bill_may_come_from_anywhere(source: str, tmp_path: Path) -> None:
    data = written(CASES[0]["bill"])
    file = tmp_path / "bill.csv"
    file.write_bytes(data)
    sources: dict[str, Any] = {"bytes": data, "path": file, "handle": io.BytesIO(data), "iterator": cut(data, 50)}
    assert [row.out_trade_no async for row in bills.rows(sources[source])] == ["007", "007"]


async def test_the_kind_that_is_expected_is_held() -> None:
    data = written(CASES[0]["bill"])
    assert [row.total async for row in bills.rows(data, bills.TradeRow)] == [1234, 0]
    with pytest.raises(bills.BillFormatError, match="rows of TradeRow, not FundFlowRow"):
        [row async for row in bills.rows(data, bills.FundFlowRow)]


async def test_a_row_is_a_dict_of_columns_for_data_frames() -> None:
    rows = [row.as_dict() async for row in bills.rows(written(CASES[6]["bill"]))]
    assert rows[0]["settlement_total"] == 1
    assert rows[0]["新的一列"] == "x"
    assert "extra" not in rows[0]


async def test_rows_are_frozen_and_their_repr_is_readable() -> None:
    (row, _) = [row async for row in bills.rows(written(CASES[0]["bill"]))]
    with pytest.raises(AttributeError):
        row.total = 0
    assert "out_trade_no='007'" in repr(row)


async def test_an_error_shows_nothing_of_what_customers_bought() -> None:
    line = "`2026-03-18 13:54:01,`42,`50,`交易,`交易,`收入,`0.01,`0.01,`api,`secret gift,`b,`S2026\n"
    with pytest.raises(bills.BillFormatError) as caught:
        [row async for row in bills.rows(written(f"{FLOW}\n{line}"))]
    assert "secret" not in str(caught.value)


async def test_the_text_of_a_bill_is_no_name_of_a_file() -> None:
    with pytest.raises(
        bills.BillFormatError, match=r"not the name of a file.: give the contents .* as bytes"
    ) as caught:
        [row async for row in bills.rows(CASES[0]["bill"])]
    assert len(str(caught.value)) < 200


async def test_a_line_without_end_is_given_up() -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield written(f"{FLOW}\n")
        while True:
            yield b"x" * 10_000

    with pytest.raises(bills.BillFormatError, match="longer than 65536"):
        [row async for row in bills.rows(endless())]


async def test_a_broken_character_does_not_stop_a_bill() -> None:
    """Descriptions are cut by bytes somewhere, in the middle of a character."""
    line = (
        "`2026-03-18 13:54:01,`42,`50,`交易,`交易,`收入,`0.01,`0.01,`api,`".encode() + "茶".encode()[:2] + b",`S1\r\n"
    )
    (row,) = [row async for row in bills.rows(written(FLOW + "\n") + line)]
    assert row.remark == "\ufffd"
    assert row.amount == 1


TEXT = st.text(
    st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="`\u2028\u2029\x85"), max_size=12
).filter(lambda text: not text.endswith(","))


@given(
    st.lists(st.tuples(st.integers(0, 10**11), st.integers(-(10**11), 10**11), TEXT, TEXT), max_size=8),
    st.integers(1, 300),
    st.sampled_from(["\r\n", "\n"]),
)
def test_whatever_is_written_is_read(values: list[tuple[int, int, str, str]], size: int, end: str) -> None:
    lines = [
        f"`2026-03-18 13:54:01,`42,`50,`{name},`t,`收入,`{yuan(amount)},`{yuan(balance)},`api,`{remark},`S1"
        for amount, balance, name, remark in values
    ]
    sums = ["资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额", f"`{len(lines)},`1,`0.01,`0,`0.00"]
    data = ("\ufeff" + end.join([FLOW, *lines, *sums]) + end).encode()

    async def read() -> tuple[list[Any], Any]:
        rows = bills.rows(cut(data, size))
        return [row async for row in rows], rows.summary

    rows, summary = asyncio.run(read())
    assert [(row.amount, row.balance, row.business_name, row.remark) for row in rows] == values
    assert summary.count == len(values)


def yuan(fen: int) -> str:
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100}.{abs(fen) % 100:02}"


#: Each is a number to Python, or was taken for one.
NO_NUMBERS = [
    *("12.3 ", " 12.30", "1._5", "1_000.00", "1,000.00", "+1.00", "1.", ".5", "１.00", "٣", "1e2", "9e999999", "NaN"),
    *("Infinity", "-Infinity", "0x1f", "--1.00", "1.-1", "1.2.3", "\u22121.00", "1.00\n", "9" * 5000),
]


@pytest.mark.parametrize("text", NO_NUMBERS)
@pytest.mark.parametrize("column", ["手续费", "订单金额", "费率", "应结订单金额", "退款金额"])
async def test_what_is_no_number_names_line_and_column(text: str, column: str) -> None:
    header, payment, refund, *rest = CASES[0]["bill"].split("\n")
    at = header.split(",").index(column)
    cells = refund.split(",`")
    cells[at] = text
    bill = "\n".join([header, payment, ",`".join(cells), *rest])
    with pytest.raises(bills.BillFormatError, match=f"line 3: {column}: ") as caught:
        [row async for row in bills.rows(bill.encode())]
    assert (caught.value.line, caught.value.column) == (3, column)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("text", NO_NUMBERS)
async def test_what_is_no_number_among_the_sums(text: str) -> None:
    *lines, names, sums = CASES[0]["bill"].rstrip("\n").split("\n")
    for at in range(len(names.split(","))):
        cells = sums.split(",`")
        cells[at] = f"{'`' if at == 0 else ''}{text}"
        bill = "\n".join([*lines, names, ",`".join(cells)])
        if "," not in text and "\n" not in text:
            with pytest.raises(bills.BillFormatError, match="line 5: ") as caught:
                [row async for row in bills.rows(bill.encode())]
            assert caught.value.column == names.split(",")[at]


@pytest.mark.parametrize(
    ("case", "column"),
    [(0, "应结订单金额"), (0, "交易状态"), (3, "收支金额"), (3, "账户结余"), (3, "收支类型"), (4, "分账金额")],
)
async def test_an_amount_that_a_bill_does_not_have_is_not_taken_for_0(case: int, column: str) -> None:
    bill = CASES[case]["bill"].replace(column, "另一列", 1)
    with pytest.raises(bills.BillFormatError, match=f"line 1: {column}: the header lacks this column"):
        [row async for row in bills.rows(written(bill))]


async def test_a_column_that_is_there_twice_is_neither() -> None:
    bill = CASES[0]["bill"].replace("代金券金额", "订单金额", 1)
    with pytest.raises(bills.BillFormatError, match="line 1: 订单金额: the header has this column twice"):
        [row async for row in bills.rows(written(bill))]


async def test_money_that_neither_came_nor_went_has_no_sign() -> None:
    rows = [row async for row in bills.rows(written(CASES[3]["bill"].replace("收入,`0.01", "冻结,`0.01", 1)))]
    assert rows[0].direction == "冻结"
    with pytest.raises(ValueError, match="收支类型 is '冻结', neither"):
        _ = rows[0].change


@pytest.mark.parametrize("after", [3, 0], ids=["rows follow", "the sums follow"])
async def test_a_short_row_is_told_at_its_own_line(after: int) -> None:
    row = "`2026-03-18 13:54:01,`42,`50,`交易,`交易,`收入,`0.01,`0.01,`api,`,`S2026\n"
    short = "`2026-03-18 13:54:02,`42,`50\n"
    sums = "资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额\n`6,`6,`0.06,`0,`0.00\n"
    with pytest.raises(bills.BillFormatError, match="line 4: 3 values where the header names 11 columns"):
        [each async for each in bills.rows(written(f"{FLOW}\n{row}{row}{short}{row * after}{sums}"))]


async def test_a_value_of_a_trade_bill_is_not_cut_at_its_commas() -> None:
    """Values without a backtick are in bills of shares alone; elsewhere commas belong to a customer's text."""
    line = "`2026-03-18 13:54:01,`42,`50,`交易,`交易,`收入,`0.01,`0.01,`api,`a,b\nc,`S2026\n"
    (row,) = [row async for row in bills.rows(written(f"{FLOW}\n{line}"))]
    assert (row.remark, row.voucher_id) == ("a,b\nc", "S2026")


async def test_lines_that_never_become_a_row_take_time_in_proportion() -> None:
    spent = time.thread_time()
    with pytest.raises(bills.BillFormatError, match="line 2: 1 values in lines 2 to "):
        [row async for row in bills.rows(written(f"{FLOW}\n") + b"x\n" * 100_000)]
    # Reading the open row anew with each of its lines took 5 s.
    assert time.thread_time() - spent < 2


async def test_a_source_that_gives_all_at_once_leaves_the_loop_to_others_too() -> None:
    line = "`2026-03-18 13:54:01,`42,`50,`交易,`交易,`收入,`0.01,`0.01,`api,`,`S2026\n"
    data = written(f"{FLOW}\n" + line * 20_000)
    turns = 0

    async def watch() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    watching = asyncio.create_task(watch())
    assert sum([row.amount async for row in bills.rows(cut(data, len(data)))]) == 20_000
    watching.cancel()
    assert turns > len(data) // 65536 // 2


async def test_reading_leaves_the_loop_to_others() -> None:
    """A bill in memory is parsed without ever waiting for anything."""
    line = "`2026-03-18 13:54:01,`42,`50,`交易,`交易,`收入,`0.01,`0.01,`api,`,`S2026\n"
    data = written(f"{FLOW}\n" + line * 60_000)
    turns = 0

    async def watch() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    watching = asyncio.create_task(watch())
    assert sum([row.amount async for row in bills.rows(data)]) == 60_000
    watching.cancel()
    assert turns > len(data) // 65536 // 2
