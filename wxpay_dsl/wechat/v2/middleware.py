"""Verifies APIv2's answers, whose signature is one of their fields, before anything of them is believed."""

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
from .dialect import UNDERSTOOD, is_xml
from .environments import KEY_PATHS
from .errors import MissingSignError
from .signer import EnvironmentV2, path_of

if TYPE_CHECKING:
    from wxpay_dsl.core.http.transport import Handler, Middleware
    from wxpay_dsl.core.messages import Exchange, RawResponse, Request
    from wxpay_dsl.core.specs.model import Operation

__all__ = ["check_answer", "verify_v2"]


def verify_v2(exchange: Exchange, environment: EnvironmentV2) -> Middleware:
    """Verifies the answer of an exchange, unless its spec says that such answers are not signed.

    Raises VerificationError or ResponseDecodeError for a 2xx answer that cannot be believed; an answer of any other status
    is judged by whoever reads it.
    """
    request = exchange.request
    verifies = request.operation is None or _is_signed(request.operation)
    sent = _sign_of(request)

    async def middleware(wire: aiohttp.ClientRequest, handler: Handler) -> aiohttp.ClientResponse:
        response = await handler(wire)
        if verifies and 200 <= response.status < 300:
            check_answer(exchange.answer, await environment.secret(path_of(request)), sent)
        return response

    return middleware


def _is_signed(operation: Operation) -> bool:
    # The answer that brings a sandbox environment's key is vouched for by TLS alone, whichever of the two it is.
    return operation.verify and not operation.produces and operation.path not in KEY_PATHS.values()


def _sign_of(request: Request) -> str:
    """The signature of a request, wherever it travels."""
    sections = (request.sections.get(name) for name in ("body", "query", "form"))
    return next((str(fields["sign"]) for fields in sections if isinstance(fields, Mapping) and fields.get("sign")), "")


def check_answer(answer: RawResponse, secret: str | Secret, sent: str = "") -> None:
    """Raises unless ``apiv2_key`` signed the answer, over its values exactly as they came.

    The same key signs requests: ``sent`` is the signature of this one, which is none of its answer.
    An answer with ``return_code`` FAIL has no signature, and is good for nothing but an error. Raises
    MissingSignError, BadSignatureError, or ResponseDecodeError for what is not the service's XML.
    """
    secret = Secret.of(secret)  # masked before anything raises: error trackers send the variables of each frame
    unknown = not answer.safe
    if not is_xml(answer.body):
        what = "the answer is not XML" if answer.body else "an empty body where XML was expected"
        raise ResponseDecodeError(answer.name, what, unknown, answer.status, answer.headers, answer.body)
    try:
        fields = xml.loads(answer.body)
    except xml.XmlError as error:
        raise ResponseDecodeError(
            answer.name, str(error), unknown, answer.status, answer.headers, answer.body
        ) from None
    if not fields.get("sign") and fields.get("return_code", "") not in UNDERSTOOD:
        return
    if not fields.get("sign"):
        message = (
            f"the answer has no `sign`, so nobody vouches for it{_told(fields)}: was it WeChat Pay that answered? "
            f"(an operation whose answers are never signed says `verify: false` in its spec)"
        )
        raise MissingSignError(answer.name, message, unknown, answer.status, answer.headers, answer.body)
    if hmac.compare_digest(fields["sign"].encode(), sent.encode()):
        message = "the answer has the `sign` of the request: whoever answered sent back what was sent"
        raise BadSignatureError(answer.name, message, unknown, answer.status, answer.headers, answer.body)
    if not signing_v2.verify(fields, secret):
        message = (
            f"`sign` is not that of the APIv2 key (APIv2密钥) over these {len(fields)} fields{_told(fields)}: compare "
            f"`apiv2_key` with the merchant platform's"
        )
        raise BadSignatureError(answer.name, message, unknown, answer.status, answer.headers, answer.body)


def _told(fields: dict[str, str]) -> str:
    """What the answer says of itself, for whoever looks into it."""
    code = fields.get("err_code") or fields.get("error_code")
    return f" (it says {code[:40]!r}, unverified)" if code else ""
