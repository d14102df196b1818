"""A contract by which a merchant may collect without asking again (委托代扣, 教育续费通): pre-signed, signed, ended.

https://pay.weixin.qq.com/doc/v3/merchant/4012157533
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from attrs import evolve, field, frozen

from wxpay_dsl.sandbox.protocol.messages import Refusal

from . import numbers

__all__ = ["Contract", "expect_signed", "presign", "sign", "terminate"]

#: A contract that is not ended lasts ten years.
LIFETIME: Final = 10 * 365 * 86400.0


@frozen
class Contract:
    """A contract (签约协议). Times are Unix time."""

    #: ``papay`` or ``edu-papay``.
    product: str
    mchid: str
    #: 商户签约协议号; 教育续费通 has none and takes the token's place here.
    out_contract_code: str
    plan_id: str
    appid: str
    caller: str
    created: float
    openid: str = ""
    #: What came with the request and goes back with each answer.
    told: Mapping[str, Any] = field(factory=dict, repr=False)
    notify_url: str = ""
    #: 预签约ID, 预签约号
    token: str = ""
    contract_id: str = ""
    #: ``PRESIGNED SIGNED TERMINATED``
    state: str = "PRESIGNED"
    signed_at: float = 0.0
    ended_at: float = 0.0
    ended_by: str = ""
    remark: str = ""


def presign(wanted: Contract, known: Contract | None) -> Contract:
    """Ready to be signed by the user. Raises Refusal INVALID_REQUEST for one that is signed already."""
    if known is not None and known.state == "SIGNED":
        raise Refusal(400, "INVALID_REQUEST", "该签约协议号已签约，请勿重复签约")
    return evolve(wanted, token=wanted.token or numbers.token())


def sign(contract: Contract, openid: str, now: float) -> Contract:
    """The user signs. Raises Refusal INVALID_REQUEST."""
    if contract.state != "PRESIGNED":
        raise Refusal(400, "INVALID_REQUEST", f"协议状态为{contract.state}，不能签约")
    return evolve(
        contract,
        state="SIGNED",
        contract_id=numbers.contract_id(now),
        openid=contract.openid or openid,
        signed_at=now,
    )


def terminate(contract: Contract, by: str, remark: str, now: float) -> Contract:
    """Merchant (``MCH_API_TERMINATE``) or user (``USER_TERMINATE``) ends it. Raises Refusal INVALID_REQUEST."""
    expect_signed(contract)
    return evolve(contract, state="TERMINATED", ended_at=now, ended_by=by, remark=remark)


def expect_signed(contract: Contract) -> None:
    """Raises Refusal where the contract allows nothing (any longer)."""
    if contract.state != "SIGNED":
        raise Refusal(400, "INVALID_REQUEST", "协议未签约或已解约")
