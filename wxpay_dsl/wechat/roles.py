"""Who may call an operation: the words that specs use, and what the official pages call them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["ROLES", "plays"]

#: Each role of a spec, and its official name. The pages have changed their terms over the years, and say 普通商户 now
#: where they said 直连商户; a spec keeps the word of the page that it follows.
ROLES: Final[Mapping[str, str]] = {
    "merchant": "直连商户",
    "ordinary_merchant": "普通商户",
    "wechatpay_merchant": "微信支付商户",
    "direct": "直连模式",
    "sub_merchant": "特约商户（直连模式）",
    "wechat_platform_merchant": "微信平台商户",
    "partner": "服务商",
    "ordinary_partner": "普通服务商",
    "channel_partner": "渠道服务商",
    "channel": "渠道商",
    "platform": "电商平台",
    "platform_merchant": "平台商户",
    "institution": "机构模式",
    "acquirer": "从业机构",
    "acquiring_bank": "从业机构（银行）",
    "payment_institution": "从业机构（支付机构）",
    "brand": "品牌方",
}

#: The role that another is a kind of: who asks for the wider one means the narrower too.
_KIND_OF: Final[Mapping[str, str]] = {
    "ordinary_merchant": "merchant",
    "wechatpay_merchant": "merchant",
    "direct": "merchant",
    "sub_merchant": "merchant",
    "wechat_platform_merchant": "merchant",
    "ordinary_partner": "partner",
    "channel_partner": "partner",
    "platform_merchant": "platform",
    "acquiring_bank": "acquirer",
    "payment_institution": "acquirer",
}


def plays(role: str, asked: str) -> bool:
    """Whether an operation for ``role`` is one for ``asked``: a word of :data:`ROLES`, or its official name."""
    return asked in (role, ROLES.get(role)) or (role in _KIND_OF and plays(_KIND_OF[role], asked))
