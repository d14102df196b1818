"""Bills, from what happened: the trade bill (交易账单), the fund-flow bill (资金账单), the bill of shares (分账账单).

https://pay.weixin.qq.com/doc/v3/merchant/4013071246
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import Final

from attrs import frozen

from .accounts import FEE_RATE, Entry, fee
from .refunds import Refund
from .sharing import Share, ShareReturn
from .times import day_bounds, plain
from .transactions import Transaction

__all__ = ["KINDS", "Bill", "fund_flow_bill", "share_bill", "trade_bill"]

#: 账单类型 of the trade bill.
KINDS: Final = ("ALL", "SUCCESS", "REFUND")

_TRADE: Final = (
    *("交易时间", "公众账号ID", "商户号", "特约商户号", "设备号", "微信订单号", "商户订单号", "用户标识"),
    *("交易类型", "交易状态", "付款银行", "货币种类", "应结订单金额", "代金券金额"),
)
_REFUND: Final = ("微信退款单号", "商户退款单号", "退款金额", "充值券退款金额", "退款类型", "退款状态")
_TAIL: Final = ("商品名称", "商户数据包", "手续费", "费率", "订单金额")
_HEADS: Final = {
    "ALL": (*_TRADE, *_REFUND, *_TAIL, "申请退款金额", "费率备注"),
    "SUCCESS": (*_TRADE, *_TAIL, "费率备注"),
    "REFUND": (*_TRADE, "退款申请时间", "退款成功时间", *_REFUND, *_TAIL, "申请退款金额", "费率备注"),
}
_TRADE_SUMS: Final = (
    *("总交易单数", "应结订单总金额", "退款总金额", "充值券退款总金额", "手续费总金额", "订单总金额"),
    "申请退款总金额",
)
_FLOW_HEAD: Final = (
    *("记账时间", "微信支付业务单号", "资金流水单号", "业务名称", "业务类型", "收支类型", "收支金额(元)"),
    *("账户结余(元)", "资金变更提交申请人", "备注", "业务凭证号"),
)
_FLOW_SUMS: Final = ("资金流水总笔数", "收入笔数", "收入金额", "支出笔数", "支出金额")
_SHARE_HEAD: Final = (
    *("分账时间", "分账发起方", "分账方", "微信订单号", "微信分账/回退单号", "分账明细单号"),
    *("商户分账/回退单号", "订单金额", "分账接收方", "分账金额", "业务类型", "处理状态", "分账描述", "备注"),
)
_SHARE_SUMS: Final = ("总条数", "分账总金额", "回退总金额")


@frozen
class Bill:
    """A bill that was asked for, to be downloaded under its token."""

    token: str
    mchid: str
    #: ``trade``, ``fund-flow`` or ``share``.
    kind: str
    #: ISO date.
    day: str
    #: 账单类型, where the kind has any.
    option: str = ""
    gzip: bool = False


def trade_bill(
    transactions: Iterable[Transaction], refunds: Iterable[Refund], day: date, kind: str = "ALL"
) -> bytes | None:
    """The trade bill of one merchant's day, or None where nothing happened. ``kind`` is one of :data:`KINDS`."""
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
    return _written(_HEADS[kind], ordered, _TRADE_SUMS, sums)


def fund_flow_bill(entries: Iterable[Entry], day: date) -> bytes | None:
    """The fund-flow bill of one merchant's day, or None where nothing happened."""
    within = _within(day)
    found = [entry for entry in entries if within(entry.at)]
    if not found:
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
        for one in found
    ]
    came = [entry.amount for entry in found if entry.amount > 0]
    went = [-entry.amount for entry in found if entry.amount <= 0]
    sums = [str(len(found)), str(len(came)), _yuan(sum(came)), str(len(went)), _yuan(sum(went))]
    return _written(_FLOW_HEAD, lines, _FLOW_SUMS, sums)


def share_bill(
    shares: Iterable[Share], returns: Iterable[ShareReturn], totals: Callable[[str], int], day: date
) -> bytes | None:
    """The bill of shares of one merchant's day, or None; ``totals`` gives the fen of a payment by its id."""
    within = _within(day)
    lines: list[list[str]] = []
    shared = returned = 0
    for order in shares:
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
                    _yuan(totals(order.transaction_id)),
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
            who = [plain(back.created), back.mchid, back.mchid, ""]
            which = [back.return_id, back.return_id, back.out_return_no, "", back.return_mchid]
            lines.append([*who, *which, _yuan(back.amount), "分账回退", "回退成功", back.description, ""])
    if not lines:
        return None
    sums = [str(len(lines)), _yuan(shared), _yuan(returned)]
    return _written(_SHARE_HEAD, lines, _SHARE_SUMS, sums)


def _payment(one: Transaction, kind: str, cost: int) -> list[str]:
    refund = ["0", "0", "0.00", "0.00", "", ""] if kind == "ALL" else []
    tail = ["0.00"] if kind == "ALL" else []
    return [
        *_head(one, one.paid_at, "SUCCESS", _yuan(one.total)),
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
        *_head(one, back.created, state, "0.00"),
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


def _head(one: Transaction, at: float, state: str, settled: str) -> list[str]:
    mchid, sub_mchid = (one.caller, one.mchid) if one.partner else (one.mchid, "0")
    who = [plain(at), one.appid, mchid, sub_mchid, "", one.transaction_id, one.out_trade_no, one.openid]
    return [*who, one.trade_type, state, one.bank_type, one.currency, settled, "0.00"]


def _within(day: date) -> Callable[[float], bool]:
    start, end = day_bounds(day)
    return lambda moment: start <= moment < end


def _written(
    head: Sequence[str], lines: Sequence[Sequence[str]], sums_head: Sequence[str], sums: Sequence[str]
) -> bytes:
    """The service's own form: every value after a backtick, since spreadsheets would round the long numbers."""
    text = [",".join(head), *(_line(fields) for fields in lines), ",".join(sums_head), _line(sums)]
    # The byte-order mark is the service's.
    return ("\ufeff" + "\r\n".join(text) + "\r\n").encode()


def _line(fields: Sequence[str]) -> str:
    # A bill has no quoting: what would begin another field or line is left out.
    return ",".join("`" + field.replace(",", " ").replace("\r", " ").replace("\n", " ") for field in fields)


def _yuan(fen: int) -> str:
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100}.{abs(fen) % 100:02d}"


def _yuan5(fen: int) -> str:
    """The fee's form, five places."""
    return f"{_yuan(fen)}000"
