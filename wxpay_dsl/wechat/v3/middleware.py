"""The APIv3 middleware: signs aiohttp requests and verifies their responses.

Each attempt gets a new signature over the bytes that are sent. Each successful response is verified over the bytes
that were received, before it is parsed.
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

#: The header that names the platform key which the client trusts and encrypts sensitive fields with.
SERIAL: Final = "Wechatpay-Serial"


def sign_v3(
    exchange: Exchange, credential: Credential, keyring: Keyring, clock: Callable[[], float] = time.time
) -> Middleware:
    """The middleware of one call: it signs each attempt and verifies the response.

    The middleware raises VerificationError for a response with a status 2xx, or the operation's declared status, whose
    signature is missing or invalid. Responses with any other status may be unsigned: the client raises them as errors.
    """
    request = exchange.request
    operation = request.operation
    signs = operation is None or operation.sign
    verifies = operation is None or operation.verify or bool(operation.digest_header)
    expected = 200 if operation is None else operation.status
    # Sensitive fields were encrypted with the key that this header names: do not name another one.
    given = request.options.headers or "header" in request.sections
    pinned = bool(given) and any(name.lower() == "wechatpay-serial" for name in request.headers)

    async def middleware(wire: aiohttp.ClientRequest, handler: Handler) -> aiohttp.ClientResponse:
        if signs:
            if not pinned:
                # A retry reuses the request object: set the header, never add it.
                wire.headers[SERIAL] = (await keyring.preferred()).id
            await sign_request(exchange, wire, credential, clock)
        response = await handler(wire)
        if verifies and (200 <= response.status < 300 or response.status == expected):
            body = None
            if operation is not None and operation.digest_header:
                body = signed_body(digest_of(operation, exchange.received.headers))
            await verify_v3(exchange, keyring, clock, body)
        return response

    return middleware


async def sign_request(
    exchange: Exchange, wire: aiohttp.ClientRequest, credential: Credential, clock: Callable[[], float] = time.time
) -> None:
    """Sets ``Authorization``, with a new nonce and timestamp at each call.

    Raises ConfigurationError, without signing, if the credential does not permit the request's host.
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
    """Verifies the signature and the timestamp of the exchange's response. Raises VerificationError.

    ``body`` is the signed content if that is not the response's own body.
    """
    response = exchange.received
    outcome_unknown = not response.safe
    try:
        signed = read_headers(response.headers, response.name, outcome_unknown=outcome_unknown)
        check_clock(signed, clock(), response.name, outcome_unknown=outcome_unknown)
        key = await keyring.find(signed.serial)
        if key is None:
            raise unknown_serial(signed, keyring.key_ids(), response.name, outcome_unknown=outcome_unknown)
        signed_content = response.body if body is None else body
        if isinstance(key.public_key, Sm2PublicKey):
            # Verifying SM2 takes a thousand times as long as RSA: too long for the event loop.
            await asyncio.to_thread(
                check_signature,
                signed,
                signed_content,
                key,
                response.name,
                outcome_unknown=outcome_unknown,
                headers=response.headers,
            )
        else:
            check_signature(
                signed, signed_content, key, response.name, outcome_unknown=outcome_unknown, headers=response.headers
            )
    except VerificationError as error:
        encoding = response.headers.get("Content-Encoding", "identity").strip()[:40]
        if isinstance(error, BadSignatureError) and encoding.lower() not in ("", "identity"):
            message = (
                f"the response is packed with {encoding!r}, although the request asked for no encoding, so its "
                f"signature does not match: a proxy or gateway compresses responses; exclude this client from that "
                f"({error.message})"
            )
            error = evolve(error, message=message)
        raise evolve(error, status=response.status, headers=response.headers, body=response.body) from None
