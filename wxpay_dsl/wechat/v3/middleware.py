"""The signer middleware: the only place where signing meets aiohttp.

Each attempt is signed afresh over the bytes that are sent; each successful answer is verified over the bytes that
came, before anything is parsed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

import aiohttp
from attrs import evolve

from wxpay_dsl.core.http.transport import Handler, Middleware
from wxpay_dsl.core.messages import Exchange
from wxpay_dsl.wechat.crypto.platform_key import Keyring
from wxpay_dsl.wechat.crypto.shangmi import Sm2PublicKey
from wxpay_dsl.wechat.crypto.signer import Credential
from wxpay_dsl.wechat.errors import BadSignatureError, VerificationError

from . import authorization
from . import signing as signing_v3
from .statements import digest_of, signed_body
from .verification import check_clock, check_signature, read_headers, unknown_serial

__all__ = ["SERIAL", "sign_request", "sign_v3", "verify_v3"]

#: Names the platform key that the client trusts and that sensitive fields are encrypted for.
SERIAL: Final = "Wechatpay-Serial"


def sign_v3(
    exchange: Exchange, credential: Credential, keyring: Keyring, clock: Callable[[], float] = time.time
) -> Middleware:
    """Signs a request for APIv3 and verifies its answer.

    Raises VerificationError for a 2xx answer, or one of the operation's own status, that cannot be believed. An answer of
    any other status may be unsigned, and is judged by whoever reads it.
    """
    request = exchange.request
    operation = request.operation
    signs = operation is None or operation.sign
    verifies = operation is None or operation.verify or bool(operation.digest_header)
    expected = 200 if operation is None else operation.status
    # What was encrypted for one key is sent with the name of this key.
    given = request.options.headers or "header" in request.sections
    pinned = bool(given) and any(name.lower() == "wechatpay-serial" for name in request.headers)

    async def middleware(wire: aiohttp.ClientRequest, handler: Handler) -> aiohttp.ClientResponse:
        if signs:
            if not pinned:
                # The same object comes again for a second attempt: set, never add.
                wire.headers[SERIAL] = (await keyring.preferred()).id
            await sign_request(exchange, wire, credential, clock)
        response = await handler(wire)
        if verifies and (200 <= response.status < 300 or response.status == expected):
            body = None
            if operation is not None and operation.digest_header:
                body = signed_body(digest_of(operation, exchange.answer.headers))
            await verify_v3(exchange, keyring, clock, body)
        return response

    return middleware


async def sign_request(
    exchange: Exchange, wire: aiohttp.ClientRequest, credential: Credential, clock: Callable[[], float] = time.time
) -> None:
    """Sets ``Authorization``, with a nonce and a timestamp of its own each time.

    Raises ConfigurationError, and signs nothing, where the request goes to a host that the credential is not for.
    """
    credential.origins.check(wire.url, exchange.request.name)
    timestamp, nonce = int(clock()), authorization.nonce()
    body = exchange.request.signed_body
    message = signing_v3.request_message(wire.method, wire.url.raw_path_qs, timestamp, nonce, body)
    exchange.signed_message = message
    signature = await credential.signer.sign(message)
    wire.headers["Authorization"] = authorization.build(
        credential.mchid, credential.serial, timestamp, nonce, signature, scheme=credential.scheme
    )


async def verify_v3(
    exchange: Exchange, keyring: Keyring, clock: Callable[[], float] = time.time, body: bytes | None = None
) -> None:
    """Raises VerificationError unless the exchange's answer is the service's own, and fresh.

    ``body`` is what was signed, where that is not the answer's own.
    """
    answer = exchange.answer
    unknown = not answer.safe
    try:
        signed = read_headers(answer.headers, answer.name, outcome_unknown=unknown)
        check_clock(signed, clock(), answer.name, outcome_unknown=unknown)
        key = await keyring.find(signed.serial)
        if key is None:
            raise unknown_serial(signed, keyring.key_ids(), answer.name, outcome_unknown=unknown)
        given = answer.body if body is None else body
        if isinstance(key.public_key, Sm2PublicKey):
            # It takes a thousand times as long as RSA, too long for the event loop.
            await asyncio.to_thread(
                check_signature, signed, given, key, answer.name, outcome_unknown=unknown, headers=answer.headers
            )
        else:
            check_signature(signed, given, key, answer.name, outcome_unknown=unknown, headers=answer.headers)
    except VerificationError as error:
        packed = answer.headers.get("Content-Encoding", "identity").strip()[:40]
        if isinstance(error, BadSignatureError) and packed.lower() not in ("", "identity"):
            message = (
                f"the answer came packed with {packed!r}, which was not asked for, so its signature does not fit: a "
                f"proxy or gateway on the way packs answers; have it leave those of this client alone ({error.message})"
            )
            error = evolve(error, message=message)
        raise evolve(error, status=answer.status, headers=answer.headers, body=answer.body) from None
