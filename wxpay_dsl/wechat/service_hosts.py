"""WeChat Pay's own hosts: the only ones that signed requests are sent to unless the settings name others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from wxpay_dsl.core.origins import Origins

__all__ = ["DOMAINS", "HOSTS", "SERVICE_ORIGINS", "service_origins"]

#: The domains of WeChat Pay's own hosts: its APIs (``api.mch.weixin.qq.com``, ``apihk.mch.weixin.qq.com``,
#: ``api2.wechatpay.cn`` …) and the hosts of the files that signed responses link to.
DOMAINS: Final = (".mch.weixin.qq.com", ".wechatpay.cn")
#: Its hosts outside of these domains: face payment (刷脸支付) is served by the first.
HOSTS: Final = ("https://payapp.weixin.qq.com",)
#: The origins of WeChat Pay's own hosts only.
SERVICE_ORIGINS: Final = Origins.of(HOSTS, DOMAINS)


def service_origins(urls: Iterable[str]) -> Origins:
    """The origins of WeChat Pay's own hosts and of ``urls``, which are absolute and come from the settings."""
    return Origins.of((*HOSTS, *urls), DOMAINS)
