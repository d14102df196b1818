"""Client of the control API (:mod:`.http_api`) of a sandbox in another process."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from wxpay_dsl.core.errors import ConfigurationError, ServiceError

from .access import PREFIX, is_loopback

__all__ = ["step"]

_TIMEOUT: Final = 10.0


def step(base_url: str, name: str, fields: Mapping[str, Any], ca: str | None = None) -> Any:
    """Send ``POST {base_url}/sandbox/{name}`` with ``fields`` as JSON, and return the JSON of the response.

    ``ca``: the path of the certificate of the authority of a sandbox that serves https. Raises ServiceError with the
    service's error code if the step is not possible, ConfigurationError for an address beyond loopback or if no
    sandbox responds within 10 seconds.
    """
    if not is_loopback(urlsplit(base_url).hostname or ""):
        raise ConfigurationError(f"{base_url!r:.80} is not a sandbox: only loopback addresses are allowed")
    url = f"{base_url.rstrip('/')}{PREFIX}/{name}"
    request = urllib.request.Request(  # noqa: S310 - an address on loopback, checked above
        url, json.dumps(dict(fields)).encode(), {"Content-Type": "application/json"}, method="POST"
    )
    # Not through the proxy that the environment may name: the sandbox is on this machine.
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if base_url.startswith("https:"):
        handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca)))
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=_TIMEOUT) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            body = error.read()
        raise _service_error(name, error.code, body) from None
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigurationError(
            f"no sandbox responds at {base_url} ({error}): start one with `wxpay sandbox`"
        ) from None


def _service_error(name: str, status: int, body: bytes) -> ServiceError:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        data = {}
    code, message = str(data.get("code", "")), str(data.get("message", ""))
    return ServiceError(f"POST {PREFIX}/{name}", status, code, message, body=body)
