"""What the front end needs to open the cashier (调起支付), from the response of an order, signed by its own signer.

The response knows the order that it answers, so the appid and the merchant id need not be said again.

https://pay.weixin.qq.com/doc/v3/merchant/4012791870
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from wxpay_dsl.core.errors import ConfigurationError, FieldError, ValidationError
from wxpay_dsl.core.response import Response
from wxpay_dsl.core.secrets import Secret
from wxpay_dsl.wechat.v3 import authorization

from . import signing as payment_params

if TYPE_CHECKING:
    from wxpay_dsl.wechat.crypto.signer import Signer

    from .signing import Unsigned

__all__ = ["PaymentParams"]

#: The response of an order, its data, or what of it is needed: the prepay id, the URL.
Order = Response[Any] | Mapping[str, Any] | str


@frozen
class PaymentParams:
    """``wxpay.payment_params``: the parameters of each way to pay, of APIv3 and of APIv2 by the order's own kind."""

    mchid: str
    signer: Signer = field(repr=False)
    #: APIv2密钥, for orders of APIv2.
    apiv2_key: str | None = field(default=None, repr=False)

    async def jsapi(self, order: Order, appid: str | None = None) -> dict[str, str]:
        """For ``WeixinJSBridge`` (JSAPI调起支付): ``appId timeStamp nonceStr package signType paySign``.

        ``order`` is the response with the ``prepay_id``, or that id; ``appid`` the one the order was placed with, which a
        response knows. Raises ValidationError for what has no ``prepay_id``, and what the signer raises.
        """
        placed = _Placed.of(order)
        appid = appid or placed.appid("payment_params.jsapi")
        prepay_id = placed.value("payment_params.jsapi", "prepay_id")
        if placed.v2:
            return payment_params.jsapi_v2(prepay_id, appid, self._key(), placed.sign_type)
        return await self._signed(payment_params.prepare_jsapi(prepay_id, appid))

    async def mini_program(self, order: Order, appid: str | None = None) -> dict[str, str]:
        """For ``wx.requestPayment`` (小程序调起支付): as :meth:`jsapi`."""
        return await self.jsapi(order, appid)

    async def app(self, order: Order, appid: str | None = None, partnerid: str | None = None) -> dict[str, str]:
        """For the app SDK (APP调起支付): ``appid partnerid prepayid package noncestr timestamp sign``.

        ``partnerid`` is the merchant that is paid: the order's sub-merchant, or its merchant. Raises as
        :meth:`jsapi`.
        """
        placed = _Placed.of(order)
        appid = appid or placed.appid("payment_params.app")
        partnerid = partnerid or placed.partnerid() or self.mchid
        prepay_id = placed.value("payment_params.app", "prepay_id")
        if placed.v2:
            return payment_params.app_v2(prepay_id, appid, partnerid, self._key(), placed.sign_type)
        return await self._signed(payment_params.prepare_app(prepay_id, appid, partnerid))

    def h5(self, order: Order, redirect_url: str | None = None) -> str:
        """The page that opens WeChat from a browser (H5支付); ``redirect_url`` is where the user comes back to.

        Raises ValidationError for what has no ``h5_url`` (``mweb_url`` in APIv2).
        """
        return payment_params.h5_url(_Placed.of(order).value("payment_params.h5", "h5_url", "mweb_url"), redirect_url)

    def native(self, order: Order) -> str:
        """The ``code_url`` to show as a QR code (Native支付); :mod:`wxpay_dsl.wechat.payment_params.qr` draws it."""
        return _Placed.of(order).value("payment_params.native", "code_url")

    async def _signed(self, unsigned: Unsigned) -> dict[str, str]:
        if self.signer.scheme != authorization.RSA_SCHEME:
            raise ConfigurationError(f"the cashier takes RSA signatures; this client's are {self.signer.scheme}")
        return unsigned.signed(await self.signer.sign(unsigned.message))

    def _key(self) -> Secret:
        if self.apiv2_key is None:
            raise ConfigurationError(
                "orders of APIv2 are signed with `apiv2_key` (APIv2密钥), which this client has not"
            )
        return Secret.of(self.apiv2_key)


@frozen
class _Placed:
    """An order that was placed: what was answered, and what was asked, where that is known."""

    answered: Mapping[str, Any]
    #: The bare id or URL, where that is all there is.
    bare: str = ""
    asked: Mapping[str, Any] = field(factory=dict)
    v2: bool = False

    @classmethod
    def of(cls, order: Order) -> _Placed:
        if isinstance(order, str):
            return cls({}, order)
        if isinstance(order, Mapping):
            return cls(order)
        request = order.exchange.request
        asked = request.sections.get("body")
        answered = order.data if isinstance(order.data, Mapping) else {}
        return cls(answered, "", asked if isinstance(asked, Mapping) else {}, request.dialect == "v2")

    def value(self, operation: str, *names: str) -> str:
        found = self.bare or next((str(self.answered[name]) for name in names if self.answered.get(name)), "")
        if not found:
            raise ValidationError(
                operation, (FieldError(names[0], "the response has none: was the order of this kind?"),)
            )
        return found

    def appid(self, operation: str) -> str:
        """The appid of the account or app that pays: a sub-merchant's own, where the payer is known by that."""
        asked = self.asked
        payer = asked.get("payer") or asked.get("combine_payer_info")
        known_by_sub = not isinstance(payer, Mapping) or "sub_openid" in payer
        names = ("sub_appid",) if known_by_sub else ()
        found = next((asked[name] for name in (*names, "appid", "sp_appid", "combine_appid") if asked.get(name)), None)
        if not found:
            raise ValidationError(operation, (FieldError("appid", "give the one that the order was placed with"),))
        return str(found)

    def partnerid(self) -> str:
        names = ("sub_mchid", "sub_mch_id", "mchid", "mch_id", "sp_mchid", "combine_mchid")
        return next((str(self.asked[name]) for name in names if self.asked.get(name)), "")

    @property
    def sign_type(self) -> str:
        """Of an order of APIv2; the cashier's must be the same."""
        return str(self.asked.get("sign_type") or "MD5")
