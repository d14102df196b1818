"""The group ``wxpay notify``: its commands, which send notifications and explain verification failures."""

from __future__ import annotations

from typing import Final

from wxpay_dsl.cli.lazy import LazyGroup

__all__ = ["COMMANDS", "notify"]

COMMANDS: Final = {
    "send": "notify.send:send_notification",
    "verify": "notify.verify:verify_notification",
}

notify = LazyGroup(
    "notify", COMMANDS, help="Send notifications to your own server, and explain why one does not verify. 回调通知"
)
