"""The rows of WeChat Pay's bills as attrs classes; each field has the name of its column in the bill.

Amounts are integers in fen, except the service fee (手续费, five decimals of a yuan), a ``Decimal`` in fen. Times are
aware, in Asia/Shanghai. An id that a bill gives as ``0``, because it does not apply, is empty; an empty amount is 0.

https://pay.weixin.qq.com/doc/v3/merchant/4013071246
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from attrs import field, fields, frozen

from .columns import column
from .values import read_count, read_fen, read_fraction, read_id, read_optional_time, read_rate, read_time

__all__ = [
    "FundFlowRow",
    "FundFlowSummary",
    "ProfitSharingRow",
    "ProfitSharingSummary",
    "RefundRow",
    "Row",
    "Summary",
    "TradeRow",
    "TradeSummary",
    "row_type",
    "summary_type",
]

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
#: 收支类型 to the sign of the change of the balance.
_SIGNS: Final = MappingProxyType({"收入": 1, "支出": -1})


@frozen
class Row:
    """One row of a bill."""

    #: Unknown columns, by their name in the bill.
    extra: Mapping[str, str] = field(default=_NOTHING, kw_only=True, repr=False)

    def as_dict(self) -> dict[str, Any]:
        """All values by attribute name, and unknown columns by their name in the bill."""
        known = {each.name: getattr(self, each.name) for each in fields(type(self)) if each.name != "extra"}
        return {**known, **self.extra}


@frozen
class TradeRow(Row):
    """交易账单: a payment, or a refund (``trade_state`` is then ``REFUND``)."""

    #: 交易时间
    time: datetime = column("交易时间", read=read_time, default=None, required=True)
    #: 公众账号ID
    appid: str = column("公众账号ID")
    #: 商户号
    mchid: str = column("商户号")
    #: 特约商户号; empty unless the merchant is a service provider.
    sub_mchid: str = column("特约商户号", "子商户号", read=read_id)
    #: 设备号
    device_info: str = column("设备号")
    #: 微信订单号
    transaction_id: str = column("微信订单号")
    #: 商户订单号
    out_trade_no: str = column("商户订单号")
    #: 用户标识
    openid: str = column("用户标识")
    #: 交易类型: JSAPI, NATIVE, APP, MICROPAY, MWEB …
    trade_type: str = column("交易类型")
    #: 交易状态: SUCCESS, REFUND, REVOKED
    trade_state: str = column("交易状态", required=True)
    #: 付款银行
    bank_type: str = column("付款银行")
    #: 货币种类
    currency: str = column("货币种类")
    #: 应结订单金额, in fen; of a refund 0.
    settlement_total: int = column("应结订单金额", "总金额", read=read_fen, default=0, required=True)
    #: 代金券金额, in fen.
    coupon: int = column("代金券金额", "代金券或立减优惠金额", "企业红包金额", read=read_fen, default=0)
    #: 商品名称
    description: str = column("商品名称")
    #: 商户数据包
    attach: str = column("商户数据包")
    #: 手续费, in fen, with fractions; of a refund negative.
    fee: Decimal = column("手续费", read=read_fraction, default=Decimal(0))
    #: 费率: 0.0060 is 0.60 %.
    rate: Decimal | None = column("费率", read=read_rate, default=None)
    #: 订单金额, in fen; of a refund 0.
    total: int = column("订单金额", read=read_fen, default=0)
    #: 费率备注
    rate_note: str = column("费率备注")
    #: 微信退款单号
    refund_id: str = column("微信退款单号", read=read_id)
    #: 商户退款单号
    out_refund_no: str = column("商户退款单号", read=read_id)
    #: 退款金额, in fen.
    refund: int = column("退款金额", read=read_fen, default=0)
    #: 充值券退款金额, in fen.
    coupon_refund: int = column(
        "充值券退款金额", "代金券或立减优惠退款金额", "企业红包退款金额", read=read_fen, default=0
    )
    #: 退款类型: ORIGINAL, BALANCE
    refund_type: str = column("退款类型")
    #: 退款状态: SUCCESS, PROCESSING, CHANGE …
    refund_state: str = column("退款状态")
    #: 申请退款金额, in fen.
    refund_requested: int = column("申请退款金额", read=read_fen, default=0)


@frozen
class RefundRow(TradeRow):
    """退款账单 (``bill_type="REFUND"``): a refund with the times of its application and success."""

    #: 退款申请时间
    applied_at: datetime | None = column("退款申请时间", read=read_optional_time, default=None)
    #: 退款成功时间; None while the refund is being processed.
    succeeded_at: datetime | None = column("退款成功时间", read=read_optional_time, default=None)


@frozen
class FundFlowRow(Row):
    """资金账单: one change of the balance of an account."""

    #: 记账时间
    time: datetime = column("记账时间", read=read_time, default=None, required=True)
    #: 微信支付业务单号
    transaction_id: str = column("微信支付业务单号")
    #: 资金流水单号
    flow_id: str = column("资金流水单号")
    #: 业务名称
    business_name: str = column("业务名称")
    #: 业务类型
    business_type: str = column("业务类型")
    #: 收支类型: 收入 (income) or 支出 (expense).
    direction: str = column("收支类型", required=True)
    #: 收支金额, in fen, never negative.
    amount: int = column("收支金额", read=read_fen, default=0, required=True)
    #: 账户结余, in fen, after the change.
    balance: int = column("账户结余", read=read_fen, default=0, required=True)
    #: 资金变更提交申请人
    applicant: str = column("资金变更提交申请人")
    #: 备注
    remark: str = column("备注")
    #: 业务凭证号
    voucher_id: str = column("业务凭证号")

    @property
    def change(self) -> int:
        """The change of the balance in fen: positive for income, negative for expense.

        Raises ValueError if ``direction`` is neither 收入 nor 支出.
        """
        if self.direction not in _SIGNS:
            raise ValueError(f"收支类型 is {self.direction!r:.40}, neither 收入 (income) nor 支出 (expense)")
        return _SIGNS[self.direction] * self.amount


@frozen
class ProfitSharingRow(Row):
    """分账账单: a share paid to a receiver, or returned."""

    #: 分账时间
    time: datetime = column("分账时间", read=read_time, default=None, required=True)
    #: 分账发起方
    initiator: str = column("分账发起方")
    #: 分账方
    sharer: str = column("分账方")
    #: 微信订单号
    transaction_id: str = column("微信订单号")
    #: 微信分账/回退单号
    order_id: str = column("微信分账/回退单号")
    #: 分账明细单号
    detail_id: str = column("分账明细单号")
    #: 商户分账/回退单号
    out_order_no: str = column("商户分账/回退单号")
    #: 订单金额, in fen.
    total: int = column("订单金额", read=read_fen, default=0)
    #: 分账接收方
    receiver: str = column("分账接收方")
    #: 分账金额, in fen.
    amount: int = column("分账金额", "金额", read=read_fen, default=0, required=True)
    #: 业务类型
    business_type: str = column("业务类型")
    #: 处理状态
    state: str = column("处理状态")
    #: 分账描述
    description: str = column("分账描述")
    #: 备注
    remark: str = column("备注")


@frozen
class Summary:
    """The last line of a bill: its totals."""

    #: Number of rows, as the bill states it.
    count: int = column("总交易单数", "资金流水总笔数", "总条数", "分账总笔数", read=read_count, default=0)
    #: Unknown columns, by their name in the bill.
    extra: Mapping[str, str] = field(default=_NOTHING, kw_only=True, repr=False)


@frozen
class TradeSummary(Summary):
    """The totals of a trade bill or a refund bill."""

    #: 应结订单总金额, in fen.
    settlement_total: int = column("应结订单总金额", "总交易额", read=read_fen, default=0)
    #: 退款总金额, in fen.
    refund: int = column("退款总金额", "总退款金额", read=read_fen, default=0)
    #: 充值券退款总金额, in fen.
    coupon_refund: int = column("充值券退款总金额", "总代金券或立减优惠退款金额", read=read_fen, default=0)
    #: 手续费总金额, in fen, with fractions.
    fee: Decimal = column("手续费总金额", read=read_fraction, default=Decimal(0))
    #: 订单总金额, in fen.
    total: int = column("订单总金额", read=read_fen, default=0)
    #: 申请退款总金额, in fen.
    refund_requested: int = column("申请退款总金额", read=read_fen, default=0)


@frozen
class FundFlowSummary(Summary):
    """The totals of a fund-flow bill."""

    #: 收入笔数
    income_count: int = column("收入笔数", read=read_count, default=0)
    #: 收入金额, in fen.
    income: int = column("收入金额", read=read_fen, default=0)
    #: 支出笔数
    expense_count: int = column("支出笔数", read=read_count, default=0)
    #: 支出金额, in fen.
    expense: int = column("支出金额", read=read_fen, default=0)


@frozen
class ProfitSharingSummary(Summary):
    """The totals of a profit-sharing bill."""

    #: 分账总金额, in fen.
    amount: int = column("分账总金额", read=read_fen, default=0)
    #: 回退总金额, in fen.
    returned: int = column("回退总金额", read=read_fen, default=0)


def row_type(columns: list[str]) -> type[Row] | None:
    """The class of the rows of a bill with these columns; None for an unknown bill."""
    first = columns[0]
    if first == "交易时间":
        return RefundRow if "退款申请时间" in columns else TradeRow
    return {"记账时间": FundFlowRow, "分账时间": ProfitSharingRow}.get(first)


def summary_type(rows: type[Row]) -> type[Summary]:
    """The class of the summary of a bill with these rows."""
    if issubclass(rows, TradeRow):
        return TradeSummary
    return FundFlowSummary if rows is FundFlowRow else ProfitSharingSummary
