"""The APIv2 middleware: verifies responses, whose signature is one of their fields, before they are decoded."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import TYPE_CHECKING

import aiohttp

from wxpay_dsl.core.errors import ResponseDecodeError
from wxpay_dsl.core.secrets import Secret
from wxpay_dsl.wechat.errors import BadSignatureError

from . import signing as signing_v2
from . import xml
from .dialect import SUCCESSFUL, is_xml
from .environments import KEY_PATHS
from .errors import MissingSignError
from .signer import EnvironmentV2, path_of

if TYPE_CHECKING:
    from wxpay_dsl.core.http.transport import Handler, Middleware
    from wxpay_dsl.core.messages import Exchange, RawResponse, Request
    from wxpay_dsl.core.specs.model import Operation

__all__ = ["verify_response", "verify_v2"]


def verify_v2(exchange: Exchange, environment: EnvironmentV2) -> Middleware:
    """The middleware of one call: it verifies the response, unless the spec declares that it is not signed.

    The middleware raises VerificationError or ResponseDecodeError for a response with status 2xx that cannot be
    verified. Responses with any other status are not verified: the client raises them as errors.
    """
    request = exchange.request
    verifies = request.operation is None or _is_signed(request.operation)
    sent = _sign_of(request)

    async def middleware(wire: aiohttp.ClientRequest, handler: Handler) -> aiohttp.ClientResponse:
        response = await handler(wire)
        if verifies and 200 <= response.status < 300:
            verify_response(exchange.received, await environment.secret(path_of(request)), sent)
        return response

    return middleware


def _is_signed(operation: Operation) -> bool:
    # The response with a sandbox environment's key is protected by TLS only, in both environments.
    return operation.verify and not operation.produces and operation.path not in KEY_PATHS.values()


def _sign_of(request: Request) -> str:
    """The signature of a request, in whichever section it is."""
    sections = (request.sections.get(name) for name in ("body", "query", "form"))
    return next((str(fields["sign"]) for fields in sections if isinstance(fields, Mapping) and fields.get("sign")), "")


def verify_response(response: RawResponse, secret: str | Secret, sent: str = "") -> None:
    """Verifies that ``secret``, the APIv2 key, signed the response's values exactly as received.

    The same key signs requests, so the request's own signature, ``sent``, is not accepted for a response. A response
    with ``return_code`` FAIL has no signature; it passes, because it can only become an error. Raises MissingSignError,
    BadSignatureError, or ResponseDecodeError for a body that is not the service's XML.
    """
    secret = Secret.of(secret)  # masked before anything raises: error trackers send the variables of each frame
    doubt = not response.safe
    if not is_xml(response.body):
        problem = "the response is not XML" if response.body else "an empty body where XML was expected"
        raise ResponseDecodeError(response.name, problem, doubt, response.status, response.headers, response.body)
    try:
        fields = xml.loads(response.body)
    except xml.XmlError as error:
        raise ResponseDecodeError(
            response.name, str(error), doubt, response.status, response.headers, response.body
        ) from None
    if not fields.get("sign") and fields.get("return_code", "") not in SUCCESSFUL:
        return
    if not fields.get("sign"):
        message = (
            f"the response has no `sign`, so it cannot be verified{_unverified_code(fields)}: check that WeChat "
            f"Pay sent it (an operation whose responses are never signed has `verify: false` in its spec)"
        )
        raise MissingSignError(response.name, message, doubt, response.status, response.headers, response.body)
    if hmac.compare_digest(fields["sign"].encode(), sent.encode()):
        message = "the response has the `sign` of the request: the sender of the response sent back what was sent"
        raise BadSignatureError(response.name, message, doubt, response.status, response.headers, response.body)
    if not signing_v2.verify(fields, secret):
        message = (
            f"`sign` is not that of the APIv2 key (APIv2密钥) over these {len(fields)} fields"
            f"{_unverified_code(fields)}: compare `apiv2_key` with the merchant platform's"
        )
        raise BadSignatureError(response.name, message, doubt, response.status, response.headers, response.body)


def _unverified_code(fields: dict[str, str]) -> str:
    """The response's error code, marked as unverified, for an error message; empty if there is none."""
    code = fields.get("err_code") or fields.get("error_code")
    return f" (it says {code[:40]!r}, unverified)" if code else ""
