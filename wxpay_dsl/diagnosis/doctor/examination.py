"""The examination of ``wxpay doctor``: the settings offline, then each host, then signed calls to the service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from wxpay_dsl.client import tree
from wxpay_dsl.core.errors import ConfigurationError
from wxpay_dsl.diagnosis.check import Check
from wxpay_dsl.settings.credentials import apiv2_alone
from wxpay_dsl.settings.settings import Settings, merge
from wxpay_dsl.wechat.v2.mutual_tls import verifying_context

from .credentials import examine_credentials
from .host import examine_host
from .service import examine_service

__all__ = ["examine"]


async def examine(environment: Mapping[str, str], profile: str | Path | None) -> AsyncIterator[Check]:
    """The checks, one by one. Makes one signed call for each platform key, ``GET /v3/certificates``, which changes
    nothing. Raises nothing for wrong settings or failed calls: the checks report them.
    """
    try:
        merged = merge({}, environment, profile)
    except ConfigurationError as error:
        yield Check("profile", good=False, text=str(error))
        return
    wrong = False
    for check in examine_credentials(merged, profile):
        wrong = wrong or check.good is False
        yield check
    settings = _load(environment, profile)
    if isinstance(settings, str):
        if not wrong:
            yield Check("settings", good=False, text=settings)
        return
    async for check in _examine_service(settings, merged):
        yield check


def _load(environment: Mapping[str, str], profile: str | Path | None) -> Settings | str:
    try:
        return Settings.load({}, environment, profile)
    except ConfigurationError as error:
        return str(error)


async def _examine_service(settings: Settings, merged: Mapping[str, Any]) -> AsyncIterator[Check]:
    try:
        tls = verifying_context(settings.ca)
    except ConfigurationError as error:
        yield Check("CA", good=False, text=str(error))
        return
    if settings.proxy is not None:
        yield Check("proxy", good=None, text="calls go through a proxy, which resolves and connects to the hosts")
    else:
        backup = settings.connections.backup_url
        reached = True
        for origin in dict.fromkeys(filter(None, (settings.base_url, backup))):
            async for check in examine_host(origin, tls, spare=origin == backup):
                reached = reached and check.good is not False
                yield check
        if not reached:
            return
    unsigned = merged.get("private_key") is None and merged.get("p12") is None
    if unsigned or (apiv2_alone(merged) and not settings.keys and settings.apiv3_key is None):
        text = "only APIv2 is configured; no call was made, since each of its calls needs an appid"
        yield Check("service", good=None, text=text)
        return
    async for check in examine_service(settings, tree(settings.specs)):
        yield check
