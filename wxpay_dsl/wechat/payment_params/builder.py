"""Payment parameters for the front end (调起支付), made from the response of an order, signed by the client's signer.

A response holds the request of its order, so that appid and merchant id need not be given again.

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

#: The response of an order, its data, or only the prepay id or URL in it.
Order = Response[Any] | Mapping[str, Any] | str


@frozen
class PaymentParams:
    """``wxpay.payment_params``: parameters for each way to pay. Orders of APIv2 get parameters of APIv2."""

    mchid: str
    signer: Signer = field(repr=False)
    #: APIv2密钥, for orders of APIv2.
    apiv2_key: str | None = field(default=None, repr=False)

    async def jsapi(self, order: Order, appid: str | None = None) -> dict[str, str]:
        """For ``WeixinJSBridge`` (JSAPI调起支付): ``appId timeStamp nonceStr package signType paySign``.

        ``order`` is the response with the ``prepay_id``, or that id; ``appid`` the one that the order was placed with,
        by default taken from the response's request. Raises ValidationError if there is no ``prepay_id`` or appid,
        ConfigurationError if the client lacks the key to sign with, SignerError.
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

        ``partnerid`` is the merchant id of the payee: by default the order's sub-merchant, or its merchant. Raises
        what :meth:`jsapi` raises.
        """
        placed = _Placed.of(order)
        appid = appid or placed.appid("payment_params.app")
        partnerid = partnerid or placed.partnerid() or self.mchid
        prepay_id = placed.value("payment_params.app", "prepay_id")
        if placed.v2:
            return payment_params.app_v2(prepay_id, appid, partnerid, self._key(), placed.sign_type)
        return await self._signed(payment_params.prepare_app(prepay_id, appid, partnerid))

    def h5(self, order: Order, redirect_url: str | None = None) -> str:
        """The URL of the page that opens WeChat from a browser (H5支付). The user returns to ``redirect_url``.

        Raises ValidationError if the order has no ``h5_url`` (``mweb_url`` in APIv2).
        """
        return payment_params.h5_url(_Placed.of(order).value("payment_params.h5", "h5_url", "mweb_url"), redirect_url)

    def native(self, order: Order) -> str:
        """The ``code_url`` to show as a QR code (Native支付); :mod:`wxpay_dsl.wechat.payment_params.qr` draws it.

        Raises ValidationError if the order has none.
        """
        return _Placed.of(order).value("payment_params.native", "code_url")

    async def _signed(self, unsigned: Unsigned) -> dict[str, str]:
        if self.signer.scheme != authorization.RSA_SCHEME:
            raise ConfigurationError(
                f"payment parameters need an RSA signature; this client signs with {self.signer.scheme}"
            )
        return unsigned.signed(await self.signer.sign(unsigned.message))

    def _key(self) -> Secret:
        if self.apiv2_key is None:
            raise ConfigurationError("orders of APIv2 are signed with `apiv2_key` (APIv2密钥): this client has none")
        return Secret.of(self.apiv2_key)


@frozen
class _Placed:
    """An order that was placed."""

    #: The data of its response.
    returned: Mapping[str, Any]
    #: The prepay id or URL, if the order was given as that alone.
    bare: str = ""
    #: The body of its request; empty if unknown.
    sent: Mapping[str, Any] = field(factory=dict)
    v2: bool = False

    @classmethod
    def of(cls, order: Order) -> _Placed:
        if isinstance(order, str):
            return cls({}, order)
        if isinstance(order, Mapping):
            return cls(order)
        request = order.exchange.request
        sent = request.sections.get("body")
        returned = order.data if isinstance(order.data, Mapping) else {}
        return cls(returned, "", sent if isinstance(sent, Mapping) else {}, request.dialect == "v2")

    def value(self, operation: str, *names: str) -> str:
        """The first of ``names`` in the response. Raises ValidationError if it has none."""
        value = self.bare or next((str(self.returned[name]) for name in names if self.returned.get(name)), "")
        if not value:
            message = "missing in the response: was the order placed for this way to pay?"
            raise ValidationError(operation, (FieldError(names[0], message),))
        return value

    def appid(self, operation: str) -> str:
        """The appid that the payer's openid belongs to: the sub-merchant's if the order gives a ``sub_openid``."""
        sent = self.sent
        payer = sent.get("payer") or sent.get("combine_payer_info")
        known_by_sub = not isinstance(payer, Mapping) or "sub_openid" in payer
        names = ("sub_appid",) if known_by_sub else ()
        appid = next((sent[name] for name in (*names, "appid", "sp_appid", "combine_appid") if sent.get(name)), None)
        if not appid:
            raise ValidationError(operation, (FieldError("appid", "give the one that the order was placed with"),))
        return str(appid)

    def partnerid(self) -> str:
        names = ("sub_mchid", "sub_mch_id", "mchid", "mch_id", "sp_mchid", "combine_mchid")
        return next((str(self.sent[name]) for name in names if self.sent.get(name)), "")

    @property
    def sign_type(self) -> str:
        """The ``sign_type`` of an order of APIv2; the payment parameters must use the same."""
        return str(self.sent.get("sign_type") or "MD5")
