"""The roles that may call an operation: the words that specs use, and their official names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["ROLES", "plays"]

#: Each role of a spec and its official name. The official pages have changed their terms over the years, for example
#: from 直连商户 to 普通商户; a spec uses the term of the page that it follows.
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

#: By role, the wider role that it is a kind of: a search for the wider one finds the narrower one too.
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
    """Whether an operation for ``role`` matches ``asked``, which is a word of :data:`ROLES` or an official name."""
    return asked in (role, ROLES.get(role)) or (role in _KIND_OF and plays(_KIND_OF[role], asked))
