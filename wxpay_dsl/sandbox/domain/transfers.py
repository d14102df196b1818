"""A transfer to a user (商家转账): accepted, confirmed by the user, arrived, or cancelled before that.

https://pay.weixin.qq.com/doc/v3/merchant/4012711988
"""

from __future__ import annotations

from typing import Final

from attrs import evolve, frozen

from wxpay_dsl.sandbox.protocol.messages import Refusal

from . import numbers

__all__ = ["Transfer", "begin", "cancel", "confirm", "current", "fail"]

#: A user who does not confirm within a day gets nothing.
_LIFETIME: Final = 86400.0


@frozen
class Transfer:
    """A transfer bill (转账单). The amount is fen, times are Unix time."""

    mchid: str
    out_bill_no: str
    appid: str
    openid: str
    amount: int
    remark: str
    scene_id: str
    created: float
    bill_no: str = ""
    user_name: str = ""
    notify_url: str = ""
    #: ``WAIT_USER_CONFIRM SUCCESS FAIL CANCELLED``
    state: str = "WAIT_USER_CONFIRM"
    fail_reason: str = ""
    package: str = ""
    updated: float = 0.0


def begin(wanted: Transfer, known: Transfer | None, balance: int, now: float) -> Transfer:
    """A new transfer, or the ``known`` one under its number where both want the same.

    Raises Refusal: INVALID_REQUEST, ALREADY_EXISTS, NOT_ENOUGH, PARAM_ERROR.
    """
    if known is not None:
        if (known.openid, known.amount, known.appid) != (wanted.openid, wanted.amount, wanted.appid):
            raise Refusal(400, "ALREADY_EXISTS", "商户单号已存在，且请求参数与之前不一致")
        return known
    if wanted.amount < 10:
        raise Refusal(400, "PARAM_ERROR", "转账金额不能低于0.1元")
    if wanted.amount >= 200_000 and not wanted.user_name:
        raise Refusal(400, "PARAM_ERROR", "转账金额大于等于2000元时，收款用户姓名必填")
    if balance < wanted.amount:
        raise Refusal(403, "NOT_ENOUGH", "商户运营账户资金不足")
    return evolve(wanted, bill_no=numbers.bill_no(now), package=numbers.token(), created=now, updated=now)


def current(transfer: Transfer, now: float) -> Transfer:
    """The transfer as it is at ``now``: one that was not confirmed in time has failed."""
    if transfer.state == "WAIT_USER_CONFIRM" and now > transfer.created + _LIFETIME:
        return fail(transfer, "OVERDUE_CLOSE", transfer.created + _LIFETIME)
    return transfer


def confirm(transfer: Transfer, now: float) -> Transfer:
    """The user takes the money. Raises Refusal INVALID_REQUEST."""
    transfer = current(transfer, now)
    if transfer.state != "WAIT_USER_CONFIRM":
        raise Refusal(400, "INVALID_REQUEST", f"转账单状态为{transfer.state}，不能确认收款")
    return evolve(transfer, state="SUCCESS", updated=now)


def cancel(transfer: Transfer, now: float) -> Transfer:
    """The merchant takes it back before the user confirmed. Raises Refusal INVALID_REQUEST."""
    transfer = current(transfer, now)
    if transfer.state == "CANCELLED":
        return transfer
    if transfer.state != "WAIT_USER_CONFIRM":
        raise Refusal(400, "INVALID_REQUEST", f"转账单状态为{transfer.state}，不能撤销")
    return evolve(transfer, state="CANCELLED", updated=now)


def fail(transfer: Transfer, reason: str, now: float) -> Transfer:
    """It did not arrive; ``reason`` is the service's word for why."""
    return evolve(transfer, state="FAIL", fail_reason=reason, updated=now)
