"""Examinations that explain why something does not work, each a sequence of :class:`~wxpay_dsl.diagnosis.check.Check`.

``doctor`` examines settings, hosts and the service (``wxpay doctor``); ``request`` the signature of a request
(``wxpay explain``), with the wrongly built messages of ``message_variants``; ``notification`` a received notification
(``wxpay notify verify``). Read ``check`` first. Imports core, wechat, settings, wiring, the client and notify.
"""
