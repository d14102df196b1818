"""A contract for recurring deductions (委托代扣, 教育续费通): pre-signed, signed, terminated.

https://pay.weixin.qq.com/doc/v3/merchant/4012157533
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from attrs import evolve, field, frozen

from wxpay_dsl.sandbox.protocol.messages import Refusal

from . import numbers

__all__ = ["Contract", "expect_signed", "presign", "sign", "terminate"]

#: Seconds that a contract is valid for after it was signed: ten years.
LIFETIME: Final = 10 * 365 * 86400.0


@frozen
class Contract:
    """A contract (签约协议). Times are Unix time in seconds."""

    #: ``papay`` or ``edu-papay``.
    product: str
    mchid: str
    #: The merchant's contract number (商户签约协议号). 教育续费通 has none; a random token stands in for it.
    out_contract_code: str
    plan_id: str
    appid: str
    caller: str
    created: float
    openid: str = ""
    #: Fields of the request that each response repeats.
    echoed: Mapping[str, Any] = field(factory=dict, repr=False)
    notify_url: str = ""
    #: The pre-signing id (预签约ID, 预签约号).
    token: str = ""
    contract_id: str = ""
    #: ``PRESIGNED SIGNED TERMINATED``
    state: str = "PRESIGNED"
    signed_at: float = 0.0
    ended_at: float = 0.0
    ended_by: str = ""
    remark: str = ""


def presign(requested: Contract, existing: Contract | None) -> Contract:
    """Creates a contract for the user to sign. Raises Refusal INVALID_REQUEST if the existing one is signed."""
    if existing is not None and existing.state == "SIGNED":
        raise Refusal(400, "INVALID_REQUEST", "该签约协议号已签约，请勿重复签约")
    return evolve(requested, token=requested.token or numbers.token())


def sign(contract: Contract, openid: str, now: float) -> Contract:
    """Signs the contract as the user ``openid``. Raises Refusal INVALID_REQUEST unless it is pre-signed."""
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
    """Terminates a signed contract. Raises Refusal INVALID_REQUEST if it is not signed.

    ``by``: ``MCH_API_TERMINATE`` for the merchant, ``USER_TERMINATE`` for the user.
    """
    expect_signed(contract)
    return evolve(contract, state="TERMINATED", ended_at=now, ended_by=by, remark=remark)


def expect_signed(contract: Contract) -> None:
    """Raises Refusal INVALID_REQUEST unless the contract is signed and not terminated."""
    if contract.state != "SIGNED":
        raise Refusal(400, "INVALID_REQUEST", "协议未签约或已解约")
