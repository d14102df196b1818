"""Parameters that a front end needs to request a payment (调起支付), signed by the server.

``builder`` (``wxpay.payment_params``) makes them from the response of an order; read it first. ``signing`` has the pure
functions below it, ``coupons`` those that hand out coupons, ``arguments`` their checks, and ``qr`` draws a ``code_url``
as a QR code. Imports core, ``wechat.v2``, ``wechat.v3`` and ``wechat.signers``.
"""
