"""One call, from its bytes to the bytes of its answer: the whole of the service but its sockets.

Routing, authentication, validation, the operation itself, encryption, signature: in this order, as the service does.
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
from .faults import Fault, Faults, instead, mangled
from .messages import Call, RawResponse, Refusal, Response
from .request import Handler, Request, needed

if TYPE_CHECKING:
    from wxpay_dsl.core.chain.tree import Tree

__all__ = ["Handler", "Request", "Service"]


class Service:
    """Answers calls. ``handlers`` are operations with a life of their own, by ``VERB /path``; all others answer from
    their specs.
    """

    def __init__(
        self,
        tree: Tree,
        platform: Platform,
        merchants: Mapping[str, Merchant],
        clock: Callable[[], float],
        handlers: Callable[[], Mapping[str, Handler]],
        *,
        answer_v2: Callable[[Call, Operation], Response],
        faults: Faults,
        strict: bool = False,
    ) -> None:
        """``handlers`` gives them when the first call needs one. ``clock``: the Unix time that signatures are made at
        and checked by, always the machine's own.
        """
        self._tree = tree
        self._answer_v2 = answer_v2
        self._faults = faults
        self._platform = platform
        self._merchants = merchants
        self._clock = clock
        self._make_handlers = handlers
        self._strict = strict

    def respond(self, call: Call) -> RawResponse:
        """The answer to a call, signed. Never raises for what a caller can send."""
        drawn: list[Fault] = []
        try:
            drawn = self._faults.drawn(call)
            answer = instead(drawn) or self._answer(call)
        except Refusal as refusal:
            answer = refusal.response()
        except SpecError as error:
            answer = Refusal(500, "SYSTEM_ERROR", str(error), signed=False).response()
        if not drawn:
            return self.sealed(answer, call.headers.get("Wechatpay-Serial"), call.path)
        if any(fault.kind == "rotate-key" for fault in drawn):
            self._platform.rotate_certificate()
        return mangled(self.sealed(answer, call.headers.get("Wechatpay-Serial"), call.path), drawn, self._platform)

    def _answer(self, call: Call) -> Response:
        route = routing.find(self._tree, call.method, call.path)
        operation = route.operation
        if operation.dialect == "v2":
            return self._answer_v2(call, operation)
        parts = multipart.parse(call) if operation.form is not None else {}
        signed_body = parts["meta"].content if "meta" in parts else call.body
        merchant = self._merchant(call, operation, signed_body)
        body = {"meta": validation.read_json(signed_body), **_files(parts)} if parts else None
        if body is None and (operation.body is not None or operation.verb not in ("get", "delete")):
            body = validation.read_json(call.body)
        handler = self._handlers.get(operation.name)
        typed = handler is not None
        fields = validation.read(call, operation, route.parameters, body, typed=typed, strict=self._strict)
        fields["body"] = self._decrypted(call, operation, fields["body"])
        request = Request(merchant, operation, needed(fields) if typed else fields, call, parts)
        answer = (handler or _from_spec)(request)
        if answer.signed and not operation.verify:
            answer = evolve(answer, signed=bool(operation.digest_header), digest_header=operation.digest_header)
        if operation.returns is not None and answer.status < 300:
            answer = _encrypted(answer, operation, merchant)
        return answer

    def _merchant(self, call: Call, operation: Operation, signed_body: bytes) -> Merchant:
        """Who signed; of what is called unsigned, the merchant that was here first. Raises Refusal 401."""
        if not operation.sign:
            return next(iter(self._merchants.values()))
        if operation.dialect == "brand":
            brand = throwaway_merchant(BRAND_ID)
            return authenticate(call, signed_body, {BRAND_ID: brand}, self._clock(), BRAND_SCHEME)
        return authenticate(call, signed_body, self._merchants, self._clock())

    def _decrypted(self, call: Call, operation: Operation, body: Any) -> Any:
        """The body with its sensitive fields in clear. Raises Refusal for those not meant for the platform."""
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
            open_sealed = ciphers.pkcs1_decrypt if padding(operation) == "pkcs1" else ciphers.oaep_decrypt
            try:
                return open_sealed(value, pair.private_key)
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

    def sealed(self, answer: Response, wanted: str | None, path: str = "") -> RawResponse:
        """An answer to ``path`` serialised, and signed with the key that a request's ``Wechatpay-Serial`` asks for."""
        data = answer.data
        if data is None:
            body = b""
        elif isinstance(data, bytes):
            body = data
        else:
            body = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
        headers = {"Server": "nginx", "Request-ID": f"{secrets.token_hex(15).upper()}-0", **answer.headers}
        if body:
            headers["Content-Type"] = answer.content_type
        if answer.signed:
            vouched = body
            if answer.digest_header:
                headers[answer.digest_header] = hashlib.sha1(body, usedforsecurity=False).hexdigest()
                vouched = f'{{"sha1":"{headers[answer.digest_header]}"}}'.encode()
            # Brands have no platform certificates, whatever mode the merchant is in.
            brand = path.startswith("/brand/")
            pair = self._platform.public_key if brand else self._platform.signing(wanted)
            headers |= self._platform.sign(pair, vouched, int(self._clock()))
            if brand:
                headers["Wechatpay-Signature-Type"] = BRAND_SCHEME
        return RawResponse(answer.status, headers, body)


def _from_spec(request: Request) -> Response:
    """Stateless: the spec's own example, with what the request said in it."""
    operation = request.operation
    schema = operation.returns
    if schema is None:
        # An operation that says nothing of its answer gives an empty object, one that says 204 nothing at all.
        return Response(operation.status, None if operation.status == 204 else {})
    if operation.produces:
        return Response(operation.status, b"wxpay-dsl sandbox\n", content_type=operation.produces)
    mchid = request.merchant.mchid
    given = {"mchid": mchid, "sp_mchid": mchid, **request.query, **_mapping(request.body), **request.path}
    return Response(operation.status, examples.answer(schema, given))


def _encrypted(answer: Response, operation: Operation, merchant: Merchant) -> Response:
    """The answer with its sensitive fields under the merchant's certificate."""
    schema = operation.returns
    if schema is None or isinstance(answer.data, bytes) or not _is_sensitive(schema):
        return answer
    key = merchant.private_key.public_key()
    seal = ciphers.pkcs1_encrypt if padding(operation) == "pkcs1" else ciphers.oaep_encrypt

    def encrypt(field: Schema, value: Any, path: str) -> Any:
        return seal(value, key) if isinstance(value, str) else value

    return evolve(answer, data=rewrite(schema, answer.data, _is_encrypted, encrypt, ""))


@memo
def _is_sensitive(schema: Schema) -> bool:
    return any_field(schema, _is_encrypted)


def _is_encrypted(schema: Schema) -> bool:
    return schema.encrypted


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _files(parts: Mapping[str, multipart.Part]) -> dict[str, Any]:
    return {name: part.text() for name, part in parts.items() if name != "meta"}
