"""Names and constants of WeChat Pay's three dialects: APIv3 (JSON), APIv2 (XML) and 品牌直连 (brand).

Imported with the package, so this module imports nothing. How each dialect encodes, decodes and signs is in
:mod:`.v3.dialect`, :mod:`.v3.brand` and :mod:`.v2.dialect`.
"""

from __future__ import annotations

from typing import Final

__all__ = ["AUTO_FIELDS", "BASE_URL", "CHAINS", "DEFAULT", "SECRET_FIELDS"]

#: The service's primary host.
BASE_URL: Final = "https://api.mch.weixin.qq.com"
#: The dialect of a spec that names none.
DEFAULT: Final = "v3"
#: By dialect, the chain's leading names that are not part of the URL: ``wxpay.v2.pay.micropay`` is ``/pay/micropay``.
CHAINS: Final[dict[str, tuple[str, ...]]] = {"v3": (), "v2": ("v2",), "brand": ()}
#: By dialect, the fields and headers (in lower case) that the client fills in; callers may leave them out.
AUTO_FIELDS: Final = {
    "v3": frozenset({"wechatpay-serial", "meta"}),
    "brand": frozenset({"wechatpay-serial", "meta"}),
    "v2": frozenset({"mch_id", "mchid", "combine_mch_id", "nonce_str", "sign", "sign_type", "media_hash"}),
}
#: Fields whose values are masked in logs: a code can be paid, or paid with, by anyone who has it.
SECRET_FIELDS: Final = ("code_url", "auth_code")
