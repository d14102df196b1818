"""The hosts of WeChat Pay itself, which alone are sent a merchant's signature unasked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from wxpay_dsl.core.origins import Origins

__all__ = ["DOMAINS", "SERVICE", "service_and"]

#: The domains of WeChat Pay's own hosts: its APIs (``api.mch.weixin.qq.com``, ``apihk.mch.weixin.qq.com``,
#: ``api2.wechatpay.cn`` …) and the hosts of the files that signed answers name.
DOMAINS: Final = (".mch.weixin.qq.com", ".wechatpay.cn")
#: WeChat Pay's own hosts, and no other.
SERVICE: Final = Origins.of((), DOMAINS)


def service_and(urls: Iterable[str]) -> Origins:
    """WeChat Pay's own hosts, and the origins of absolute ``urls`` that the settings name."""
    return Origins.of(urls, DOMAINS)
