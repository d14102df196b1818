"""Responds to calls of APIv2: XML, signed with the APIv2 key, over mutual TLS where the specs demand it.

A handler returns the response's fields, or raises Refusal, which becomes ``result_code`` FAIL with its code as
``err_code``. Operations without a handler respond with their spec's example.

https://pay.weixin.qq.com/doc/v2/merchant/4011985891
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import parse_qsl

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from wxpay_dsl.core.errors import SdkError
from wxpay_dsl.core.request.mismatch import Kind
from wxpay_dsl.core.request.plan import plan_of
from wxpay_dsl.core.request.severity import compare
from wxpay_dsl.core.specs.model import ABSENT, Operation, Schema
from wxpay_dsl.core.specs.transform import any_field, rewrite
from wxpay_dsl.sandbox.keys.identity import Merchant
from wxpay_dsl.sandbox.keys.platform import Platform
from wxpay_dsl.wechat.crypto import ciphers
from wxpay_dsl.wechat.v2 import fields as fields_v2
from wxpay_dsl.wechat.v2 import signing as signing_v2
from wxpay_dsl.wechat.v2 import xml
from wxpay_dsl.wechat.v2.dialect import MERCHANT_FIELDS
from wxpay_dsl.wechat.v2.environments import KEY_PATHS
from wxpay_dsl.wechat.v3 import authorization

from . import examples_v2, multipart
from .messages import Call, Refusal, Response
from .request import Handler, MissingFieldRefusal, Request, needed
from .validation import is_violation

__all__ = ["CommunicationError", "ServiceV2", "bank_key", "sandbox_key"]

#: The path prefixes of WeChat Pay's sandbox environments (仿真测试系统), which sign with a key of their own.
_ENVIRONMENTS: Final = ("/sandboxnew/", "/xdc/apiv2sandbox/")
_XML: Final = "text/xml; charset=utf-8"
_NO_CERTIFICATE: Final = (
    b"<html>\r\n<head><title>400 No required SSL certificate was sent</title></head>\r\n<body>\r\n"
    b"<center><h1>400 Bad Request</h1></center>\r\n<center>No required SSL certificate was sent</center>\r\n"
    b"<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)


class CommunicationError(Exception):
    """A call fails with ``return_code`` FAIL (通信标识); that response is not signed."""


class ServiceV2:
    """Responds to calls of APIv2. The sandbox environments' paths have the same handlers as the real paths."""

    def __init__(
        self,
        platform: Platform,
        merchants: Mapping[str, Merchant],
        handlers: Mapping[str, Handler],
        *,
        strict: bool = False,
    ) -> None:
        """``merchants``: by merchant id. ``handlers``: by ``VERB /path``."""
        self._platform = platform
        self._merchants = merchants
        self._handlers: dict[str, Handler] = {
            "POST /risk/getpublickey": _bank_key,
            **{f"POST {path}": _sandbox_key for path in KEY_PATHS.values()},
            **handlers,
        }
        self._strict = strict

    def respond(self, call: Call, operation: Operation) -> Response:
        """The response to a call, in its final bytes. Raises nothing, whatever a client sends."""
        if operation.mutual_tls and call.secure and call.client_serial is None:
            return Response(400, _NO_CERTIFICATE, content_type="text/html", signed=False)
        try:
            texts = _texts(call, operation)
            merchant = self._merchant(texts)
            if operation.mutual_tls and call.secure and call.client_serial != merchant.serial:
                raise CommunicationError("证书已过期或与商户号不匹配，请检查商户API证书")
            key = sandbox_key(merchant) if operation.path.startswith(_ENVIRONMENTS) else merchant.apiv2_key
            if operation.path in KEY_PATHS.values():
                key = merchant.apiv2_key
            sign_type = _check_sign(texts, operation, key)
            response = self._handle(call, operation, merchant, texts)
        except CommunicationError as error:
            return _xml(200, {"return_code": "FAIL", "return_msg": str(error)})
        if response.data is None or isinstance(response.data, bytes) or operation.produces == "application/json":
            return response
        fields = {
            "return_code": "SUCCESS",
            "return_msg": "OK",
            **examples_v2.embed_json(operation.returns, response.data),
        }
        if operation.verify:
            fields["nonce_str"] = authorization.nonce()
            fields["sign"] = signing_v2.sign(fields_v2.written(fields), key, sign_type)
        return _xml(response.status, fields)

    def _handle(self, call: Call, operation: Operation, merchant: Merchant, texts: Mapping[str, str]) -> Response:
        try:
            request = self._request(call, operation, merchant, texts)
        except Refusal as refusal:
            # In APIv2 wrong or missing parameters are reported by return_code.
            raise CommunicationError(refusal.message) from None
        handler = self._handlers.get(operation.name, examples_v2.respond)
        try:
            return handler(request)
        except MissingFieldRefusal as refusal:
            raise CommunicationError(refusal.message) from None
        except Refusal as refusal:
            owner = {name: merchant.mchid for name in MERCHANT_FIELDS if name in texts}
            appid = {"appid": texts["appid"]} if "appid" in texts else {}
            failed = {"result_code": "FAIL", "err_code": refusal.code, "err_code_des": refusal.message}
            return Response(data={**appid, **owner, **failed})

    def _merchant(self, texts: Mapping[str, str]) -> Merchant:
        mchid = next((texts[name] for name in MERCHANT_FIELDS if texts.get(name)), None)
        if mchid is None:
            raise CommunicationError("缺少参数mch_id")
        merchant = self._merchants.get(mchid)
        if merchant is None:
            raise CommunicationError("mch_id参数格式错误")
        return merchant

    def _request(self, call: Call, operation: Operation, merchant: Merchant, texts: Mapping[str, str]) -> Request:
        section = _section(operation)
        schema = operation.section(section)
        fields: dict[str, dict[str, Any]] = {"path": {}, "query": {}, "body": {}, "form": {}}
        fields[section] = fields_v2.read(schema, texts)
        parts = multipart.parse(call) if section == "form" else {}
        if schema is not None:
            given = {**fields[section], **{name: part.filename for name, part in parts.items() if part.filename}}
            typed = operation.name in self._handlers
            _check_fields(operation, section, given, typed=typed, strict=self._strict)
            fields[section] = self._decrypted(schema, fields[section])
        return Request(merchant, operation, needed(fields), call, parts)

    def _decrypted(self, schema: Schema, body: dict[str, Any]) -> dict[str, Any]:
        """The body with its sensitive fields decrypted, with the key of ``/risk/getpublickey`` or the platform key
        that ``cert_serial_number`` names. Raises Refusal 400.
        """
        if not any_field(schema, _is_encrypted):
            return body

        def key() -> rsa.RSAPrivateKey:
            if "cert_serial_number" not in schema.properties:
                return bank_key()
            pair = self._platform.find(str(body.get("cert_serial_number", "")))
            if pair is None:
                raise Refusal(400, "PARAM_ERROR", "cert_serial_number参数错误")
            return pair.private_key

        def decrypt(field: Schema, value: Any, path: str) -> Any:
            try:
                return ciphers.oaep_decrypt(str(value), key())
            except SdkError:
                raise Refusal(400, "PARAM_ERROR", f"{path.removeprefix('.')}解密失败") from None

        decrypted: dict[str, Any] = rewrite(schema, body, _is_encrypted, decrypt, "")
        return decrypted


@lru_cache(maxsize=1)
def bank_key() -> rsa.RSAPrivateKey:
    """The key that decrypts the fields of ``/mmpaysptrans/pay_bank``; generated on first use."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def sandbox_key(merchant: Merchant) -> str:
    """The APIv2 key of a merchant in WeChat Pay's sandbox environments: 32 hexadecimal digits."""
    return hashlib.md5(f"sandbox{merchant.apiv2_key}".encode(), usedforsecurity=False).hexdigest()


def _bank_key(request: Request) -> Response:
    pem = bank_key().public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1).decode()
    return Response(data={"result_code": "SUCCESS", "mch_id": request.merchant.mchid, "pub_key": pem})


def _sandbox_key(request: Request) -> Response:
    return Response(data={"mch_id": request.merchant.mchid, "sandbox_signkey": sandbox_key(request.merchant)})


def _texts(call: Call, operation: Operation) -> dict[str, str]:
    """The fields as text, as received. Raises CommunicationError."""
    if operation.verb in ("get", "delete"):
        return dict(parse_qsl(call.query, keep_blank_values=True))
    if operation.form is not None:
        try:
            return {name: part.text() for name, part in multipart.parse(call).items() if not part.filename}
        except Refusal as refusal:
            raise CommunicationError(refusal.message) from None
    try:
        return xml.loads(call.body)
    except xml.XmlError:
        raise CommunicationError("XML格式错误") from None


def _section(operation: Operation) -> str:
    if operation.verb in ("get", "delete"):
        return "query"
    return "form" if operation.form is not None else "body"


def _check_fields(operation: Operation, section: str, fields: Mapping[str, Any], *, typed: bool, strict: bool) -> None:
    """Raise Refusal 400 PARAM_ERROR for the first violation, by the rules of :mod:`.validation`."""
    for mismatch in compare(plan_of(operation), {section: fields}):
        if is_violation(operation, mismatch, typed=typed, strict=strict):
            name = mismatch.path.partition(".")[2]
            if mismatch.kind is Kind.MISSING:
                raise Refusal(400, "PARAM_ERROR", f"缺少参数{name}")
            raise Refusal(400, "PARAM_ERROR", f"{name}参数格式错误: {mismatch.message}")


def _check_sign(texts: Mapping[str, str], operation: Operation, key: str) -> str:
    """The signature type of a call that is signed with ``key``. Raises CommunicationError for a wrong signature."""
    schema = operation.section(_section(operation))
    declared = schema.properties.get("sign_type") if schema is not None else None
    default = signing_v2.MD5 if declared is None or declared.default is ABSENT else str(declared.default)
    sign_type = texts.get("sign_type") or default
    if sign_type not in (signing_v2.MD5, signing_v2.HMAC_SHA256):
        raise CommunicationError("签名类型不正确")
    given = texts.get("sign", "").encode("utf-8", "surrogatepass")
    if not hmac.compare_digest(signing_v2.sign(texts, key, sign_type).encode(), given):
        raise CommunicationError("签名错误")
    return sign_type


def _xml(status: int, fields: Mapping[str, Any]) -> Response:
    return Response(status, examples_v2.to_xml(fields), content_type=_XML, signed=False)


def _is_encrypted(schema: Schema) -> bool:
    return schema.encrypted
