"""The adapter for WSGI servers: an application to mount beside Flask's or Django's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any

from wxpay_dsl.notify.acknowledgements import Acknowledgement, failure
from wxpay_dsl.notify.notification import LIMIT
from wxpay_dsl.notify.receiver import Receiver

from . import merchant_in

__all__ = ["WsgiApp"]

_PREFIX = "HTTP_"


class WsgiApp:
    """A WSGI application for POST requests. A path may end with the merchant id: ``/wxpay/notify/1900000109``."""

    def __init__(self, notifications: Receiver) -> None:
        self._notifications = notifications

    def __call__(self, environ: Mapping[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Handles a request."""
        acknowledgement = self._handle(environ)
        headers = [*acknowledgement.headers.items()]
        if acknowledgement.status != 204:
            headers.append(("Content-Length", str(len(acknowledgement.body))))
        start_response(f"{acknowledgement.status} {HTTPStatus(acknowledgement.status).phrase}", headers)
        return [acknowledgement.body]

    def _handle(self, environ: Mapping[str, Any]) -> Acknowledgement:
        if environ["REQUEST_METHOD"] != "POST":
            return failure("v3", 405, "notifications are sent by POST")
        length = environ.get("CONTENT_LENGTH", "")
        if length.isascii() and length.isdigit():
            if len(length) > 10 or int(length) > LIMIT:
                return failure("v3", 413, "too large")
            body = environ["wsgi.input"].read(int(length))
        elif environ.get("wsgi.input_terminated"):
            # A chunked body, whose end the server determines.
            body = environ["wsgi.input"].read(LIMIT + 1)
        else:
            return failure("v3", 411, "Content-Length is missing")
        names = {name: value for name, value in environ.items() if name.startswith(_PREFIX)}
        headers = {name.removeprefix(_PREFIX).replace("_", "-").title(): value for name, value in names.items()}
        return self._notifications.handle_sync(headers, body, merchant_in(environ.get("PATH_INFO", "")))
