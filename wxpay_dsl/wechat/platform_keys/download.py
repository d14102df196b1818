"""Downloads the platform certificates (平台证书): one request through a chain of its own, which refreshes nothing.

https://pay.weixin.qq.com/doc/v3/merchant/4012551764
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import aiohttp
from attrs import evolve

from wxpay_dsl.core.errors import SdkError
from wxpay_dsl.core.http.failover import FailoverHosts
from wxpay_dsl.core.http.retry import RetryPolicy, retry
from wxpay_dsl.core.http.transport import Handler, Middleware, Transport
from wxpay_dsl.core.messages import Exchange, Options, Request
from wxpay_dsl.wechat.signers.local import Credential
from wxpay_dsl.wechat.v3.errors import explain_refusal, refusal_v3
from wxpay_dsl.wechat.v3.middleware import sign_request
from wxpay_dsl.wechat.v3.verification import check_clock, check_signature, read_headers, unknown_serial

from .keyring import utc_now
from .keys import CertificateOpener, PlatformKey, PlatformKeys
from .refreshing import Download, Downloaded

__all__ = ["PATH", "certificate_download", "certificate_request"]

PATH: Final = "/v3/certificates"


def certificate_download(
    transport: Transport,
    credential: Credential,
    open_answer: CertificateOpener,
    url: str,
    *,
    timeout: float,
    policy: RetryPolicy,
    hosts: FailoverHosts | None = None,
    clock: Callable[[], float] = time.time,
) -> Download:
    """Downloads from ``url`` as ``credential``, within ``timeout`` seconds.

    The answer's own signature is verified: by a key that is trusted already where it names one, otherwise, after GCM
    has proven that it comes from somebody who has the APIv3 key, by the certificate that it brought. Raises
    ServiceError, TransportError, VerificationError or PlatformCertificatesError.
    """

    async def download(known: PlatformKeys, awaited: bool) -> Downloaded:  # noqa: FBT001 (the shape of Download)
        exchange = Exchange(certificate_request(url))
        again = retry(exchange, _patience(policy, known, awaited=awaited), hosts)
        sign = _sign(exchange, credential, known, clock)
        await transport.send(exchange, (sign,) if again is None else (again, sign), timeout)
        answer = exchange.received
        if answer.status != 200:
            raise explain_refusal(exchange, refusal_v3(None, answer))
        signed = read_headers(answer.headers, answer.name)
        check_clock(signed, clock(), answer.name)
        trusted = _trusted(known, signed.serial)
        if trusted is not None:
            check_signature(signed, answer.body, trusted, answer.name, headers=answer.headers)
        keys = open_answer(answer.body)
        if trusted is None:
            brought = _trusted(PlatformKeys(keys), signed.serial)
            if brought is None:
                raise unknown_serial(signed, [key.id for key in (*known, *keys)], answer.name)
            check_signature(signed, answer.body, brought, answer.name, headers=answer.headers)
        return Downloaded(keys, answer.body)

    return download


def _patience(policy: RetryPolicy, known: PlatformKeys, *, awaited: bool) -> RetryPolicy:
    """A download that nobody waits for comes again on schedule; one that calls wait for is sent again at once."""
    if not awaited:
        return evolve(policy, attempts=1)
    # With keys at hand a 500 may just mean that this merchant has no certificates, and says nothing new the next time.
    return evolve(policy, statuses=policy.statuses - {500}) if len(known) else policy


def certificate_request(url: str) -> Request:
    """The request of a download from ``url``."""
    return Request(
        name=f"GET {PATH}",
        method="GET",
        url=url,
        headers={"Accept": "application/json"},
        body=b"",
        operation=None,
        dialect="v3",
        sections={},
        options=Options(),
        safe=True,
    )


def _trusted(keys: PlatformKeys, serial: str) -> PlatformKey | None:
    key = keys.get(serial)
    return key if key is not None and key.valid_at(utc_now()) else None


def _sign(exchange: Exchange, credential: Credential, known: PlatformKeys, clock: Callable[[], float]) -> Middleware:
    try:
        wanted = known.for_encryption(utc_now()).id
    except SdkError:
        wanted = ""  # The very first: there is none to name.

    async def middleware(wire: aiohttp.ClientRequest, handler: Handler) -> aiohttp.ClientResponse:
        if wanted:
            wire.headers["Wechatpay-Serial"] = wanted
        await sign_request(exchange, wire, credential, clock)
        return await handler(wire)

    return middleware
