"""The whole examination: the settings by themselves, then each host, then what the service makes of a signed call."""

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
    """Each step as it is taken. One signed call is made for each platform key, ``GET /v3/certificates``, which changes
    nothing. Raises nothing for what is wrong: that is in the steps.
    """
    try:
        merged = merge({}, environment, profile)
    except ConfigurationError as error:
        yield Check("profile", good=False, text=str(error))
        return
    wrong = False
    for step in examine_credentials(merged, profile):
        wrong = wrong or step.good is False
        yield step
    settings = _load(environment, profile)
    if isinstance(settings, str):
        if not wrong:
            yield Check("settings", good=False, text=settings)
        return
    async for step in _examine_service(settings, merged):
        yield step


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
        yield Check("proxy", good=None, text="calls go through a proxy; names are looked up and reached by it")
    else:
        backup = settings.connections.backup_url
        reached = True
        for origin in dict.fromkeys(filter(None, (settings.base_url, backup))):
            async for step in examine_host(origin, tls, spare=origin == backup):
                reached = reached and step.good is not False
                yield step
        if not reached:
            return
    unsigned = merged.get("private_key") is None and merged.get("p12") is None
    if unsigned or (apiv2_alone(merged) and not settings.keys and settings.apiv3_key is None):
        text = "APIv2 alone is set up; nothing is called, since each of its calls needs an appid"
        yield Check("service", good=None, text=text)
        return
    async for step in examine_service(settings, tree(settings.specs)):
        yield step
