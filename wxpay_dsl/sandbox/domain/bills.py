"""Renders the bills of a day: trade (交易账单), fund flow (资金账单) and profit sharing (分账账单).

https://pay.weixin.qq.com/doc/v3/merchant/4013071246
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import Final

from attrs import frozen

from .accounts import FEE_RATE, LedgerEntry, fee
from .refunds import Refund
from .sharing import ProfitSharingOrder, ProfitSharingReturn
from .times import day_bounds, plain
from .transactions import Transaction

__all__ = ["KINDS", "Bill", "fund_flow_bill", "profit_sharing_bill", "trade_bill"]

#: The types (账单类型) of the trade bill.
KINDS: Final = ("ALL", "SUCCESS", "REFUND")

_TRADE: Final = (
    *("交易时间", "公众账号ID", "商户号", "特约商户号", "设备号", "微信订单号", "商户订单号", "用户标识"),
    *("交易类型", "交易状态", "付款银行", "货币种类", "应结订单金额", "代金券金额"),
)
_REFUND: Final = ("微信退款单号", "商户退款单号", "退款金额", "充值券退款金额", "退款类型", "退款状态")
_TAIL: Final = ("商品名称", "商户数据包", "手续费", "费率", "订单金额")
_TRADE_HEADERS: Final = {
    "ALL": (*_TRADE, *_REFUND, *_TAIL, "申请退款金额", "费率备注"),
    "SUCCESS": (*_TRADE, *_TAIL, "费率备注"),
    "REFUND": (*_TRADE, "退款申请时间", "退款成功时间", *_REFUND, *_TAIL, "申请退款金额", "费率备注"),
}
_TRADE_SUMS: Final = (
    *("总交易单数", "应结订单总金额", "退款总金额", "充值券退款总金额", "手续费总金额", "订单总金额"),
    "申请退款总金额",
)
_FLOW_HEADER: Final = (
    *("记账时间", "微信支付业务单号", "资金流水单号", "业务名称", "业务类型", "收支类型", "收支金额(元)"),
    *("账户结余(元)", "资金变更提交申请人", "备注", "业务凭证号"),
)
_FLOW_SUMS: Final = ("资金流水总笔数", "收入笔数", "收入金额", "支出笔数", "支出金额")
_SHARING_HEADER: Final = (
    *("分账时间", "分账发起方", "分账方", "微信订单号", "微信分账/回退单号", "分账明细单号"),
    *("商户分账/回退单号", "订单金额", "分账接收方", "分账金额", "业务类型", "处理状态", "分账描述", "备注"),
)
_SHARING_SUMS: Final = ("总条数", "分账总金额", "回退总金额")


@frozen
class Bill:
    """A requested bill; it is rendered again when it is downloaded with its token."""

    token: str
    mchid: str
    #: ``trade``, ``fund-flow`` or ``share``.
    kind: str
    #: The day, as an ISO date.
    day: str
    #: The type (账单类型) of a trade bill, one of :data:`KINDS`; empty for other bills.
    option: str = ""
    gzip: bool = False


def trade_bill(
    transactions: Iterable[Transaction], refunds: Iterable[Refund], day: date, kind: str = "ALL"
) -> bytes | None:
    """Renders the trade bill of one merchant and day in UTF-8, or None if it has no lines.

    ``kind`` is one of :data:`KINDS`.
    """
    within = _within(day)
    paid = {one.transaction_id: one for one in transactions if one.paid_at}
    lines: list[tuple[float, list[str]]] = []
    total = settled = refunded = fees = 0
    if kind != "REFUND":
        for one in paid.values():
            if within(one.paid_at):
                cost = fee(one.total)
                total, settled, fees = total + one.total, settled + one.total, fees + cost
                lines.append((one.paid_at, _payment(one, kind, cost)))
    if kind != "SUCCESS":
        for back in refunds:
            payment = paid.get(back.transaction_id)
            if payment is not None and within(back.created) and back.status != "CLOSED":
                cost = fee(back.amount)
                refunded, fees = refunded + back.amount, fees - cost
                lines.append((back.created, _refund(back, payment, kind, cost)))
    if not lines:
        return None
    ordered = [fields for _, fields in sorted(lines, key=lambda line: line[0])]
    sums = [str(len(lines)), *(_yuan(fen) for fen in (settled, refunded, 0, fees, total, refunded))]
    return _render(_TRADE_HEADERS[kind], ordered, _TRADE_SUMS, sums)


def fund_flow_bill(entries: Iterable[LedgerEntry], day: date) -> bytes | None:
    """Renders the fund-flow bill of one merchant and day in UTF-8, or None if it has no lines."""
    within = _within(day)
    selected = [entry for entry in entries if within(entry.at)]
    if not selected:
        return None
    lines = [
        [
            plain(one.at),
            one.voucher,
            one.flow_no,
            one.kind,
            one.kind,
            "收入" if one.amount > 0 else "支出",
            _yuan(abs(one.amount)),
            _yuan(one.balance),
            one.mchid,
            "",
            one.voucher,
        ]
        for one in selected
    ]
    income = [entry.amount for entry in selected if entry.amount > 0]
    expenses = [-entry.amount for entry in selected if entry.amount <= 0]
    sums = [
        *(str(len(selected)), str(len(income)), _yuan(sum(income))),
        *(str(len(expenses)), _yuan(sum(expenses))),
    ]
    return _render(_FLOW_HEADER, lines, _FLOW_SUMS, sums)


def profit_sharing_bill(
    orders: Iterable[ProfitSharingOrder],
    returns: Iterable[ProfitSharingReturn],
    total_of: Callable[[str], int],
    day: date,
) -> bytes | None:
    """Renders the profit sharing bill of one merchant and day in UTF-8, or None if it has no lines.

    ``total_of`` returns the amount of a payment, in fen, by its transaction id.
    """
    within = _within(day)
    lines: list[list[str]] = []
    shared = returned = 0
    for order in orders:
        for one in order.receivers if within(order.created) else ():
            shared += one["amount"]
            lines.append(
                [
                    plain(order.created),
                    order.caller,
                    order.mchid,
                    order.transaction_id,
                    order.order_id,
                    one["detail_id"],
                    order.out_order_no,
                    _yuan(total_of(order.transaction_id)),
                    one["account"],
                    _yuan(one["amount"]),
                    "分账",
                    "分账成功" if one["result"] == "SUCCESS" else "处理中",
                    one["description"],
                    "",
                ]
            )
    for back in returns:
        if within(back.created):
            returned += back.amount
            parties = [plain(back.created), back.mchid, back.mchid, ""]
            ids = [back.return_id, back.return_id, back.out_return_no, "", back.return_mchid]
            lines.append([*parties, *ids, _yuan(back.amount), "分账回退", "回退成功", back.description, ""])
    if not lines:
        return None
    sums = [str(len(lines)), _yuan(shared), _yuan(returned)]
    return _render(_SHARING_HEADER, lines, _SHARING_SUMS, sums)


def _payment(one: Transaction, kind: str, cost: int) -> list[str]:
    refund = ["0", "0", "0.00", "0.00", "", ""] if kind == "ALL" else []
    tail = ["0.00"] if kind == "ALL" else []
    return [
        *_order_fields(one, one.paid_at, "SUCCESS", _yuan(one.total)),
        *refund,
        one.description,
        one.attach,
        _yuan5(cost),
        FEE_RATE,
        _yuan(one.total),
        *tail,
        "",
    ]


def _refund(back: Refund, one: Transaction, kind: str, cost: int) -> list[str]:
    times = [plain(back.created), plain(back.finished) if back.finished else ""] if kind == "REFUND" else []
    state = "REVOKED" if one.state == "REVOKED" else "REFUND"
    return [
        *_order_fields(one, back.created, state, "0.00"),
        *times,
        back.refund_id,
        back.out_refund_no,
        _yuan(back.amount),
        "0.00",
        back.channel,
        back.status,
        one.description,
        one.attach,
        _yuan5(-cost),
        FEE_RATE,
        "0.00",
        _yuan(back.amount),
        "",
    ]


def _order_fields(one: Transaction, at: float, state: str, settled: str) -> list[str]:
    mchid, sub_mchid = (one.caller, one.mchid) if one.partner else (one.mchid, "0")
    ids = [plain(at), one.appid, mchid, sub_mchid, "", one.transaction_id, one.out_trade_no, one.openid]
    return [*ids, one.trade_type, state, one.bank_type, one.currency, settled, "0.00"]


def _within(day: date) -> Callable[[float], bool]:
    start, end = day_bounds(day)
    return lambda moment: start <= moment < end


def _render(
    header: Sequence[str], lines: Sequence[Sequence[str]], sums_header: Sequence[str], sums: Sequence[str]
) -> bytes:
    """Renders the CSV dialect of bills: each value follows a backtick, so that spreadsheets keep long ids as text."""
    text = [",".join(header), *(_line(fields) for fields in lines), ",".join(sums_header), _line(sums)]
    # The service begins each bill with a byte-order mark.
    return ("\ufeff" + "\r\n".join(text) + "\r\n").encode()


def _line(fields: Sequence[str]) -> str:
    # The dialect has no quoting: commas and line breaks in values become spaces.
    return ",".join("`" + field.replace(",", " ").replace("\r", " ").replace("\n", " ") for field in fields)


def _yuan(fen: int) -> str:
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100}.{abs(fen) % 100:02d}"


def _yuan5(fen: int) -> str:
    """Formats a fee, which has five decimal places."""
    return f"{_yuan(fen)}000"
