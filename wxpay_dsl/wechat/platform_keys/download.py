"""Downloads the platform certificates (平台证书) with one request, sent through its own chain of middlewares.

The chain of ordinary calls cannot be used: its verification would start another download.

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
from wxpay_dsl.wechat.crypto.platform_key import PlatformKey
from wxpay_dsl.wechat.crypto.signer import Credential
from wxpay_dsl.wechat.v3.errors import explain_refusal, refusal_v3
from wxpay_dsl.wechat.v3.middleware import sign_request
from wxpay_dsl.wechat.v3.verification import check_clock, check_signature, read_headers, unknown_serial

from .certificates import CertificateDecryptor
from .keyring import utc_now
from .keys import PlatformKeys
from .refreshing import Download, Downloaded

__all__ = ["PATH", "certificate_download", "certificate_request"]

PATH: Final = "/v3/certificates"


def certificate_download(
    transport: Transport,
    credential: Credential,
    decrypt_certificates: CertificateDecryptor,
    url: str,
    *,
    timeout: float,
    policy: RetryPolicy,
    hosts: FailoverHosts | None = None,
    clock: Callable[[], float] = time.time,
) -> Download:
    """The function that downloads from ``url``, signed with ``credential``, within ``timeout`` seconds.

    The response's signature is verified: with a loaded key if it names one; otherwise with the certificate in the
    response, after GCM has authenticated that the sender has the APIv3 key. The function raises ServiceError,
    TransportError, VerificationError or PlatformCertificatesError.
    """

    async def download(loaded: PlatformKeys, awaited: bool) -> Downloaded:  # noqa: FBT001 (the signature of Download)
        exchange = Exchange(certificate_request(url))
        retries = retry(exchange, _retry_policy(policy, loaded, awaited=awaited), hosts)
        sign = _sign(exchange, credential, loaded, clock)
        await transport.send(exchange, (sign,) if retries is None else (retries, sign), timeout)
        response = exchange.received
        if response.status != 200:
            raise explain_refusal(exchange, refusal_v3(None, response))
        signed = read_headers(response.headers, response.name)
        check_clock(signed, clock(), response.name)
        trusted = _valid_key(loaded, signed.serial)
        if trusted is not None:
            check_signature(signed, response.body, trusted, response.name, headers=response.headers)
        keys = decrypt_certificates(response.body)
        if trusted is None:
            own = _valid_key(PlatformKeys(keys), signed.serial)
            if own is None:
                raise unknown_serial(signed, [key.id for key in (*loaded, *keys)], response.name)
            check_signature(signed, response.body, own, response.name, headers=response.headers)
        return Downloaded(keys, response.body)

    return download


def _retry_policy(policy: RetryPolicy, loaded: PlatformKeys, *, awaited: bool) -> RetryPolicy:
    """One attempt for a scheduled download, which is repeated later anyway; retries if calls wait for it."""
    if not awaited:
        return evolve(policy, attempts=1)
    # If keys are loaded, a 500 may mean that this merchant has no certificates; a retry would get the same response.
    return evolve(policy, statuses=policy.statuses - {500}) if len(loaded) else policy


def certificate_request(url: str) -> Request:
    """The request that downloads the certificates from ``url``."""
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


def _valid_key(keys: PlatformKeys, serial: str) -> PlatformKey | None:
    key = keys.get(serial)
    return key if key is not None and key.valid_at(utc_now()) else None


def _sign(exchange: Exchange, credential: Credential, loaded: PlatformKeys, clock: Callable[[], float]) -> Middleware:
    try:
        serial = loaded.for_encryption(utc_now()).id
    except SdkError:
        serial = ""  # The first download: there is no key to name yet.

    async def middleware(wire: aiohttp.ClientRequest, handler: Handler) -> aiohttp.ClientResponse:
        if serial:
            wire.headers["Wechatpay-Serial"] = serial
        await sign_request(exchange, wire, credential, clock)
        return await handler(wire)

    return middleware
