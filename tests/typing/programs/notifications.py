"""A user's handlers of notifications: what is right, then what both checkers must refuse."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wxpay_dsl import Notification, Notifications, wxpay
from wxpay_dsl.notify import Claim

if TYPE_CHECKING:
    from wxpay_dsl.typed.events import RefundSuccess, TransactionSuccess, V2TransactionSuccess

notifications = Notifications(wxpay, store="notifications.db")


@notifications.on("TRANSACTION.SUCCESS")
async def paid(event: Notification[TransactionSuccess]) -> None:
    reveal_type(event.resource.get("out_trade_no", ""))
    event.resource["out_trade_number"]


@notifications.on("REFUND.SUCCESS", merchant="1900000109")
def refunded(event: Notification[RefundSuccess], claim: Claim) -> None:
    reveal_type(event.resource.get("refund_status", ""))


@notifications.on("v2/transaction-success")
def paid_v2(event: Notification[V2TransactionSuccess]) -> None:
    reveal_type(event.resource.get("total_fee", 0))


@notifications.on("REFUND.ABNORMAL", "REFUND.CLOSED")
@notifications.on(original_type="payscore")
@notifications.fallback
async def anything(event: Notification) -> None:
    reveal_type(event.id)


@notifications.on("BRAND.NEW")
async def new(event: Notification[dict[str, str]]) -> None:
    reveal_type(event.resource["anything"])


@notifications.on("REFUND.SUCCESS")
async def mistaken(event: Notification[TransactionSuccess]) -> None: ...


@notifications.on("TRANSACTION.SUCCESS")
async def no_handler() -> None: ...
