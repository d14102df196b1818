"""The dialects of WeChat Pay's endpoints, as the framework's vocabulary: APIv3 (JSON), APIv2 (XML), and 品牌直连."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from wxpay_dsl.core.dialect import Decrypt, Dialect, Encrypt, SignFields
    from wxpay_dsl.core.messages import RawResponse
    from wxpay_dsl.core.specs.model import Operation

__all__ = ["AUTO_FIELDS", "BASE_URL", "CHAINS", "DEFAULT", "SECRET_FIELDS", "brand", "v3"]

#: The service's primary host.
BASE_URL: Final = "https://api.mch.weixin.qq.com"
#: The dialect of a spec that names none.
DEFAULT: Final = "v3"
#: Each dialect's names in the chain that its URLs do not have: ``wxpay.v2.pay.micropay`` is ``/pay/micropay``.
CHAINS: Final[dict[str, tuple[str, ...]]] = {"v3": (), "v2": ("v2",), "brand": ()}
#: Fields and headers (in lower case) that the client fills in, so that a caller need not.
AUTO_FIELDS: Final = {
    "v3": frozenset({"wechatpay-serial", "meta"}),
    "brand": frozenset({"wechatpay-serial", "meta"}),
    "v2": frozenset({"mch_id", "mchid", "combine_mch_id", "nonce_str", "sign", "sign_type", "media_hash"}),
}

#: Fields whose values logs never show: whoever has a code can pay with it, or be paid by it.
SECRET_FIELDS: Final = ("code_url", "auth_code")


def v3(encrypt: Encrypt | None = None, decrypt: Decrypt | None = None) -> Dialect:
    """APIv3: JSON, signed in headers; ``encrypt`` and ``decrypt`` encrypt and decrypt sensitive fields (敏感信息)."""
    # Imported here, since the tree needs the names above at import and the rest only at the first call.
    from wxpay_dsl.core.dialect import Dialect, decode_json
    from wxpay_dsl.core.redaction import mask_fields

    from .v3.errors import explain_refusal, refusal_v3
    from .v3.statements import content
    from .v3.uploads import META, prepare_files

    mask_fields(SECRET_FIELDS)

    def decode(operation: Operation | None, response: RawResponse) -> Any:
        if operation is not None and operation.digest_header:
            return content(operation, response)
        return decode_json(operation, response)

    return Dialect(
        "v3",
        chain=CHAINS["v3"],
        decode=decode,
        auto_fields=AUTO_FIELDS["v3"],
        encrypt=encrypt,
        decrypt=decrypt,
        parse_error=refusal_v3,
        explain=explain_refusal,
        prepare_files=prepare_files,
        signed_field=META,
    )


def brand(
    encrypt: Encrypt | None = None, decrypt: Decrypt | None = None, sign_fields: SignFields | None = None
) -> Dialect:
    """品牌直连: as APIv3, but signed by the brand, under a scheme of its own (``/brand/…``)."""
    from attrs import evolve

    return evolve(v3(encrypt, decrypt), name="brand", auto_fields=AUTO_FIELDS["brand"], sign_fields=sign_fields)
