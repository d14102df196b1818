"""Responds to one call of APIv3: from the request's bytes to those of its signed response, without I/O.

The steps, in the service's order: routing, authentication, validation, the operation, encryption, signature.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from attrs import evolve

from wxpay_dsl.core.errors import SdkError, SpecError
from wxpay_dsl.core.specs.memo import memo
from wxpay_dsl.core.specs.model import Operation, Schema
from wxpay_dsl.core.specs.transform import any_field, rewrite
from wxpay_dsl.sandbox.keys.identity import BRAND_ID, Merchant, throwaway_merchant
from wxpay_dsl.sandbox.keys.platform import Platform
from wxpay_dsl.wechat.crypto import ciphers
from wxpay_dsl.wechat.v3.authorization import BRAND_SCHEME
from wxpay_dsl.wechat.v3.sensitive import padding

from . import examples, multipart, routing, validation
from .authentication import authenticate
from .certificates import certificates_document
from .faults import Fault, Faults, apply_faults, response_instead
from .messages import Call, RawResponse, Refusal, Response
from .request import Handler, Request, needed

if TYPE_CHECKING:
    from wxpay_dsl.core.chain.tree import Tree

__all__ = ["Handler", "Request", "Service"]


class Service:
    """Responds to calls. An operation that has a handler is stateful; all others respond with their spec's example."""

    def __init__(
        self,
        tree: Tree,
        platform: Platform,
        merchants: Mapping[str, Merchant],
        clock: Callable[[], float],
        handlers: Callable[[], Mapping[str, Handler]],
        *,
        respond_v2: Callable[[Call, Operation], Response],
        faults: Faults,
        strict: bool = False,
    ) -> None:
        """``merchants``: by merchant id. ``clock`` gives the Unix time in seconds for signatures, always the machine's.

        ``handlers`` returns the handlers by ``VERB /path``, and is called when the first call needs one.
        ``respond_v2`` responds to calls of APIv2. ``strict`` refuses whatever differs from a spec.
        """
        self._tree = tree
        self._respond_v2 = respond_v2
        self._faults = faults
        self._platform = platform
        self._merchants = merchants
        self._clock = clock
        self._make_handlers = handlers
        self._strict = strict

    def respond(self, call: Call) -> RawResponse:
        """The signed response to a call. Raises nothing, whatever a client sends."""
        drawn: list[Fault] = []
        try:
            drawn = self._faults.draw(call)
            response = response_instead(drawn) or self._response(call)
        except Refusal as refusal:
            response = refusal.response()
        except SpecError as error:
            response = Refusal(500, "SYSTEM_ERROR", str(error), signed=False).response()
        if any(fault.kind == "rotate-key" for fault in drawn):
            self._platform.rotate_certificate()
        raw = self.serialize(response, call.headers.get("Wechatpay-Serial"), call.path)
        return apply_faults(raw, drawn, self._platform)

    def _response(self, call: Call) -> Response:
        """The response to a call that is processed. Raises Refusal."""
        route = routing.find(self._tree, call.method, call.path)
        operation = route.operation
        if operation.dialect == "v2":
            return self._respond_v2(call, operation)
        parts = multipart.parse(call) if operation.form is not None else {}
        signed_body = parts["meta"].content if "meta" in parts else call.body
        merchant = self._merchant(call, operation, signed_body)
        body = {"meta": validation.read_json(signed_body), **_files(parts)} if parts else None
        if body is None and (operation.body is not None or operation.verb not in ("get", "delete")):
            body = validation.read_json(call.body)
        handler = self._handlers.get(operation.name)
        typed = handler is not None
        fields = validation.read_fields(call, operation, route.parameters, body, typed=typed, strict=self._strict)
        fields["body"] = self._decrypted(call, operation, fields["body"])
        request = Request(merchant, operation, needed(fields) if typed else fields, call, parts)
        response = (handler or _from_spec)(request)
        if response.signed and not operation.verify:
            response = evolve(response, signed=bool(operation.digest_header), digest_header=operation.digest_header)
        if operation.returns is not None and response.status < 300:
            response = _encrypted(response, operation, merchant)
        return response

    def _merchant(self, call: Call, operation: Operation, signed_body: bytes) -> Merchant:
        """The merchant that signed; for an operation without signature, the first merchant. Raises Refusal 401."""
        if not operation.sign:
            return next(iter(self._merchants.values()))
        if operation.dialect == "brand":
            brand = throwaway_merchant(BRAND_ID)
            return authenticate(call, signed_body, {BRAND_ID: brand}, self._clock(), BRAND_SCHEME)
        return authenticate(call, signed_body, self._merchants, self._clock())

    def _decrypted(self, call: Call, operation: Operation, body: Any) -> Any:
        """The body with its sensitive fields decrypted. Raises Refusal 400 for one that cannot be."""
        schema = operation.body
        if schema is None or not _is_sensitive(schema):
            return body

        def decrypt(schema: Schema, value: Any, path: str) -> Any:
            if value is None:
                return None
            key_id = call.headers.get("Wechatpay-Serial")
            if not key_id:
                raise Refusal(400, "PARAM_ERROR", "HTTP header缺少微信支付平台证书序列号(Wechatpay-Serial)")
            pair = self._platform.find(key_id)
            if pair is None:
                raise Refusal(400, "PARAM_ERROR", "平台证书序列号Wechatpay-Serial错误")
            decrypt_text = ciphers.pkcs1_decrypt if padding(operation) == "pkcs1" else ciphers.oaep_decrypt
            try:
                return decrypt_text(value, pair.private_key)
            except SdkError:
                pointer = path.replace(".", "/").replace("[", "/").replace("]", "")
                detail = {"field": pointer, "value": "", "issue": "cannot be decrypted", "location": "body"}
                raise Refusal(400, "PARAM_ERROR", f"敏感信息解密失败: {schema.title}", detail) from None

        return rewrite(schema, body, _is_encrypted, decrypt, "")

    @cached_property
    def _handlers(self) -> Mapping[str, Handler]:
        return {"GET /v3/certificates": self._certificates, **self._make_handlers()}

    def _certificates(self, request: Request) -> Response:
        return Response(data=certificates_document(self._platform, request.merchant))

    def serialize(self, response: Response, wanted: str | None, path: str = "") -> RawResponse:
        """Serialise and sign the response to ``path``. ``wanted``: the request's ``Wechatpay-Serial``."""
        data = response.data
        if data is None:
            body = b""
        elif isinstance(data, bytes):
            body = data
        else:
            body = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
        headers = {"Server": "nginx", "Request-ID": f"{secrets.token_hex(15).upper()}-0", **response.headers}
        if body:
            headers["Content-Type"] = response.content_type
        if response.signed:
            signed_body = body
            if response.digest_header:
                headers[response.digest_header] = hashlib.sha1(body, usedforsecurity=False).hexdigest()
                signed_body = f'{{"sha1":"{headers[response.digest_header]}"}}'.encode()
            # Brands have no platform certificates, whatever the mode.
            brand = path.startswith("/brand/")
            pair = self._platform.public_key if brand else self._platform.signing_pair(wanted)
            headers |= self._platform.sign(pair, signed_body, int(self._clock()))
            if brand:
                headers["Wechatpay-Signature-Type"] = BRAND_SCHEME
        return RawResponse(response.status, headers, body)


def _from_spec(request: Request) -> Response:
    """The spec's example, with the request's fields of the same name."""
    operation = request.operation
    schema = operation.returns
    if schema is None:
        # A spec without a response schema: an empty object, or no body with status 204.
        return Response(operation.status, None if operation.status == 204 else {})
    if operation.produces:
        return Response(operation.status, b"wxpay-dsl sandbox\n", content_type=operation.produces)
    mchid = request.merchant.mchid
    given = {"mchid": mchid, "sp_mchid": mchid, **request.query, **_mapping(request.body), **request.path}
    return Response(operation.status, examples.example_response(schema, given))


def _encrypted(response: Response, operation: Operation, merchant: Merchant) -> Response:
    """The response with its sensitive fields encrypted for the merchant's certificate."""
    schema = operation.returns
    if schema is None or isinstance(response.data, bytes) or not _is_sensitive(schema):
        return response
    key = merchant.private_key.public_key()
    encrypt_text = ciphers.pkcs1_encrypt if padding(operation) == "pkcs1" else ciphers.oaep_encrypt

    def encrypt(field: Schema, value: Any, path: str) -> Any:
        return encrypt_text(value, key) if isinstance(value, str) else value

    return evolve(response, data=rewrite(schema, response.data, _is_encrypted, encrypt, ""))


@memo
def _is_sensitive(schema: Schema) -> bool:
    return any_field(schema, _is_encrypted)


def _is_encrypted(schema: Schema) -> bool:
    return schema.encrypted


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _files(parts: Mapping[str, multipart.Part]) -> dict[str, Any]:
    return {name: part.text() for name, part in parts.items() if name != "meta"}
