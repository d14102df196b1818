"""The families of WeChat Pay's endpoints, as the framework's vocabulary: APIv3 (JSON), APIv2 (XML), and 品牌直连."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from wxpay_dsl.core.exchange import Response
    from wxpay_dsl.core.family import Family, Incoming, Outgoing, Seal
    from wxpay_dsl.core.model import Operation

__all__ = ["BASE_URL", "CHAINS", "DEFAULT", "SUPPLIED", "brand", "v3"]

#: The service's primary host.
BASE_URL: Final = "https://api.mch.weixin.qq.com"
#: The family of a spec that names none.
DEFAULT: Final = "v3"
#: Each family's names in the chain that its URLs do not have: ``wxpay.v2.pay.micropay`` is ``/pay/micropay``.
CHAINS: Final[dict[str, tuple[str, ...]]] = {"v3": (), "v2": ("v2",), "brand": ()}
#: Fields and headers (in lower case) that the client fills in, so that a caller need not.
SUPPLIED: Final = {
    "v3": frozenset({"wechatpay-serial", "meta"}),
    "brand": frozenset({"wechatpay-serial", "meta"}),
    "v2": frozenset({"mch_id", "mchid", "combine_mch_id", "nonce_str", "sign", "sign_type", "media_hash"}),
}


def v3(outgoing: Outgoing | None = None, incoming: Incoming | None = None) -> Family:
    """APIv3: JSON, signed in headers; ``outgoing`` and ``incoming`` encrypt and decrypt sensitive fields (敏感信息)."""
    # Imported here, since the tree needs the names above at import and the rest only at the first call.
    from wxpay_dsl.core.family import Family, decode_json

    from .service_errors import explain_refusal, refusal_v3
    from .statements import content
    from .uploads import META, attach

    def decode(operation: Operation | None, response: Response) -> Any:
        if operation is not None and operation.digest_header:
            return content(operation, response)
        return decode_json(operation, response)

    return Family(
        "v3",
        chain=CHAINS["v3"],
        decode=decode,
        supplied=SUPPLIED["v3"],
        outgoing=outgoing,
        incoming=incoming,
        refusal=refusal_v3,
        explain=explain_refusal,
        attach=attach,
        signed_field=META,
    )


def brand(outgoing: Outgoing | None = None, incoming: Incoming | None = None, seal: Seal | None = None) -> Family:
    """品牌直连: as APIv3, but signed by the brand, under a scheme of its own (``/brand/…``)."""
    from attrs import evolve

    return evolve(v3(outgoing, incoming), name="brand", supplied=SUPPLIED["brand"], seal=seal)
