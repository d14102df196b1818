"""Completes and signs requests of APIv2, whose signature is one of their fields.

This is done once a call, before anything is sent. A retry sends the same bytes with the same nonce, which APIv2 treats
as the same request.

https://pay.weixin.qq.com/doc/v2/merchant/4011985891
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import parse_qsl, quote, urlsplit

from attrs import evolve

from wxpay_dsl.core.errors import ConfigurationError, FieldError, ValidationError
from wxpay_dsl.core.secrets import Secret
from wxpay_dsl.core.specs.model import ABSENT, Operation, Schema
from wxpay_dsl.wechat.v3 import authorization

from . import fields as fields_v2
from . import signing as signing_v2
from . import xml
from .dialect import MERCHANT_FIELDS

if TYPE_CHECKING:
    from wxpay_dsl.core.dialect import SignFields
    from wxpay_dsl.core.messages import Request

__all__ = ["EnvironmentV2", "complete", "path_of", "refuse_hidden_codes", "sign_fields_v2", "sign_type_of"]

_SIGN_TYPES: Final = (signing_v2.MD5, signing_v2.HMAC_SHA256)


class EnvironmentV2(Protocol):
    """An environment of APIv2, and its key."""

    def relocate(self, request: Request) -> Request:
        """The request with this environment's path. Raises ConfigurationError for a path that it does not serve."""

    async def secret(self, path: str) -> Secret:
        """The APIv2 key for requests to ``path`` and their responses. Raises ConfigurationError without one."""


def sign_fields_v2(mchid: str, environment: EnvironmentV2, wecom_secret: str | Secret | None = None) -> SignFields:
    """The function that completes a request: merchant id, nonce, signature type and signature.

    ``wecom_secret`` is the secret of the WeCom app (企业微信应用的secret), for ``workwx_sign``. The function raises
    ValidationError for another merchant's id and for a field that cannot be signed, and ConfigurationError without an
    APIv2 key, or without ``wecom_secret`` if the operation needs it.
    """
    # Masked, because the variables of the enclosing function are visible in the frames of the nested one.
    wecom = None if not wecom_secret else Secret.of(wecom_secret)

    async def sign_fields(request: Request) -> Request:
        request = environment.relocate(request)
        operation = request.operation
        if request.form is not None or (operation is not None and not operation.sign):
            # An upload form is signed by `prepare_files`, before it is encoded.
            return request
        secret = await environment.secret(path_of(request))
        if request.method in ("GET", "DELETE"):
            return _signed_query(request, mchid, secret)
        given = request.sections.get("body", {})
        if not isinstance(given, Mapping):
            raise ValidationError(request.name, (FieldError("body", "expected an object of fields"),))
        schema = operation.body if operation is not None else None
        texts = fields_v2.written(given)
        refuse_hidden_codes(texts, request.name)
        fields = complete(texts, schema, mchid, request.name, nonce=_nonce(operation))
        if fields.get("sign_type") and operation is not None and not operation.sign_type:
            message = "the service does not include it in this signature, which is MD5: leave it out"
            raise ValidationError(request.name, (FieldError("sign_type", message),))
        if schema is not None and "workwx_sign" in schema.properties:
            _sign_for_wecom(fields, schema, wecom, request.name)
        fields["sign"] = signing_v2.sign(fields, secret, fields.get("sign_type") or signing_v2.MD5)
        headers = {"Content-Type": "text/xml; charset=utf-8", **request.headers}
        sections = {**request.sections, "body": fields}
        return evolve(request, body=xml.dumps(fields), headers=headers, sections=sections)

    return sign_fields


def complete(fields: Mapping[str, str], schema: Schema | None, mchid: str, name: str, *, nonce: bool) -> dict[str, str]:
    """A copy of ``fields`` with the merchant's id, ``sign_type`` and, if ``nonce``, ``nonce_str`` added if missing.

    Only an id and a signature type that ``schema`` declares are added; without declared fields, ``mch_id`` is. ``name``
    is the operation's, for errors. Raises ValidationError for another merchant's id or an unknown ``sign_type``.
    """
    completed = dict(fields)
    # A signature given by the caller does not cover the fields that are added.
    completed.pop("sign", None)
    _fill_merchant(completed, schema, mchid, name)
    if nonce and not completed.get("nonce_str"):
        completed["nonce_str"] = authorization.nonce()
    declared = schema.properties.get("sign_type") if schema is not None else None
    if not completed.get("sign_type") and declared is not None:
        completed["sign_type"] = sign_type_of(declared, required="sign_type" in schema.required if schema else False)
    if completed.get("sign_type", signing_v2.MD5) not in _SIGN_TYPES:
        message = f"expected {' or '.join(_SIGN_TYPES)}, got {completed['sign_type'][:40]!r}"
        raise ValidationError(name, (FieldError("sign_type", message),))
    return completed


def refuse_hidden_codes(fields: Mapping[str, str], name: str, section: str = "") -> None:
    """Rejects values that contain fields of responses and notifications, such as ``&return_code=…``.

    The signed message does not delimit fields, and the same key signs responses and notifications. The signature over
    such a value, which may be user input, would be valid for a forged one. Raises ValidationError.
    """
    field_errors = [
        FieldError(
            f"{section}{field}",
            f"it contains &{hidden}=, so its signature would also be valid for a forged response",
        )
        for field, value in fields.items()
        for hidden in signing_v2.hidden_names(value)
        if hidden in signing_v2.ANSWERING
    ]
    if field_errors:
        raise ValidationError(name, tuple(field_errors))


def sign_type_of(declared: Schema, *, required: bool) -> str:
    """The signature type if the caller gives none: the declared default, the only declared value, or the example.

    The example counts if the field is required or has no declared values. Otherwise MD5, the service's default.
    """
    if declared.default in _SIGN_TYPES:
        return str(declared.default)
    if len(declared.enum) == 1 and declared.enum[0] in _SIGN_TYPES:
        return str(declared.enum[0])
    if declared.example is not ABSENT and (required or not declared.enum) and declared.example in _SIGN_TYPES:
        return str(declared.example)
    return signing_v2.MD5


def _nonce(operation: Operation | None) -> bool:
    return operation is None or operation.nonce


def path_of(request: Request) -> str:
    """The path in a request's URL."""
    return urlsplit(request.url).path


def _fill_merchant(fields: dict[str, str], schema: Schema | None, mchid: str, name: str) -> None:
    for field in MERCHANT_FIELDS:
        given = fields.get(field)
        if given and given != mchid:
            message = f"{given[:40]!r} is not this client's merchant {mchid}, whose key signs the request"
            raise ValidationError(name, (FieldError(field, message),))
    properties: Mapping[str, Any] = schema.properties if schema is not None else {}
    names = [field for field in MERCHANT_FIELDS if field in properties]
    if not properties and not any(fields.get(field) for field in MERCHANT_FIELDS):
        names = ["mch_id"]
    for field in names:
        fields[field] = mchid


def _sign_for_wecom(fields: dict[str, str], schema: Schema, wecom_secret: Secret | None, name: str) -> None:
    """Adds ``workwx_sign`` of a red packet or a transfer, whichever the schema declares, unless the caller gave it.

    Raises ConfigurationError without the WeCom secret: the service would reject the request, or pay without WeCom's
    signature.
    """
    if fields.get("workwx_sign"):
        return
    if wecom_secret is None:
        raise ConfigurationError(
            f"{name}: it also needs WeCom's signature (workwx_sign): give `wecom_secret` "
            f"(企业微信管理后台-应用管理-企业支付的Secret) as an argument, in the "
            f"profile, or as WXPAY_WECOM_SECRET in the environment"
        )
    for names in (signing_v2.WORKWX_RED_PACKET, signing_v2.WORKWX_TRANSFER):
        if schema.properties.keys() >= set(names):
            fields["workwx_sign"] = signing_v2.workwx_sign(fields, names, wecom_secret)
            return


def _signed_query(request: Request, mchid: str, secret: Secret) -> Request:
    operation = request.operation
    base, _, query = request.url.partition("?")
    pairs = parse_qsl(query, keep_blank_values=True)
    given = dict(pairs)
    if len(given) < len(pairs):
        raise ValidationError(request.name, (FieldError("query", "a name occurs twice, which cannot be signed"),))
    refuse_hidden_codes(given, request.name, "query.")
    schema = operation.query if operation is not None else None
    fields = complete(given, schema, mchid, request.name, nonce=_nonce(operation))
    fields["sign"] = signing_v2.sign(fields, secret, fields.get("sign_type") or signing_v2.MD5)
    query = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in fields.items())
    return evolve(request, url=f"{base}?{query}", sections={**request.sections, "query": fields})
