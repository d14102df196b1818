"""Takes a step in a sandbox that serves in another process, over its control API (see :mod:`.control_api`)."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from wxpay_dsl.core.errors import ConfigurationError, ServiceError

from .guard import PREFIX, is_loopback

__all__ = ["step"]

_TIMEOUT: Final = 10.0


def step(base_url: str, name: str, fields: Mapping[str, Any], ca: str | None = None) -> Any:
    """``POST {base_url}/sandbox/{name}`` with ``fields``; gives the record that it changed.

    ``ca``: the file of the authority of a sandbox that serves https. Raises ServiceError with the service's own code
    where the step cannot be taken, ConfigurationError for an address beyond loopback or where no sandbox serves.
    """
    if not is_loopback(urlsplit(base_url).hostname or ""):
        raise ConfigurationError(f"{base_url!r:.80} is no sandbox: only loopback is ever told to pay")
    url = f"{base_url.rstrip('/')}{PREFIX}/{name}"
    request = urllib.request.Request(  # noqa: S310 - an address on loopback, looked at above
        url, json.dumps(dict(fields)).encode(), {"Content-Type": "application/json"}, method="POST"
    )
    # Whatever proxy the environment names, this goes to this machine.
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if base_url.startswith("https:"):
        handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca)))
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=_TIMEOUT) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            body = error.read()
        raise _refused(name, error.code, body) from None
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigurationError(
            f"no sandbox answers at {base_url} ({error}): start one with `wxpay sandbox`"
        ) from None


def _refused(name: str, status: int, body: bytes) -> ServiceError:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        told = {}
    code, message = str(told.get("code", "")), str(told.get("message", ""))
    return ServiceError(f"POST {PREFIX}/{name}", status, code, message, body=body)
