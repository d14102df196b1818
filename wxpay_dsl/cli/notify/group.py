"""``wxpay notify``: notifications sent to one's own server, and those explained that do not verify."""

from __future__ import annotations

from typing import Final

from wxpay_dsl.cli.lazy import LazyGroup

__all__ = ["COMMANDS", "notify"]

COMMANDS: Final = {
    "send": "notify.send:send_notification",
    "verify": "notify.verify:verify_notification",
}

notify = LazyGroup("notify", COMMANDS, help="Send notifications to your own server, explain those that fail. 回调通知")
