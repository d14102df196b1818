"""The HTTP API of the explorer's page: from loopback only, and from no page of another origin.

========================================  ======================================================================
``GET /``                                 the page
``GET /sandbox/explorer/NAME``            its scripts, styles and libraries
``GET /sandbox/explorer/operations``      every operation: verb, path, title, chain, product
``GET /sandbox/explorer/operation?chain`` one with its fields, limits and an example
``POST /sandbox/explorer/send``           ``{"chain", "fields", "files"?, "check"?, "fault"?}``: sends it; request and
                                          response
``POST /sandbox/explorer/code``           ``{"chain", "fields", "fault"?}``: the call in curl, Python, JavaScript
========================================  ======================================================================
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from importlib import resources
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

from wxpay_dsl.sandbox.control import access
from wxpay_dsl.sandbox.protocol.messages import Call, RawResponse, Refusal

if TYPE_CHECKING:
    from wxpay_dsl.core.chain.tree import Declared, Tree

    from .served import ServedSandbox

__all__ = ["PREFIX", "SERVED", "Explorer"]

PREFIX: Final = "/sandbox/explorer/"
_SCRIPT: Final = "text/javascript; charset=utf-8"
#: The files that a browser may load, and their types. Those in ``vendor`` are unmodified copies.
SERVED: Final = {
    "explorer.css": "text/css; charset=utf-8",
    **{f"{name}.js": _SCRIPT for name in ("explorer", "catalogue", "fields", "result", "colours")},
    "vendor/lit-html/lit-html.js": _SCRIPT,
    **{f"vendor/highlight/{name}.min.js": _SCRIPT for name in ("core", "bash", "javascript", "json", "python")},
}
_HTML: Final = "text/html; charset=utf-8"
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
#: Responds to a call; the second argument is the client's IP address.
Respond = Callable[[Call, str | None], RawResponse]


class Explorer:
    """The routes of one sandbox's explorer."""

    def __init__(self, sandbox: ServedSandbox, tree: Tree, otherwise: Respond) -> None:
        """``otherwise`` responds to calls of other paths."""
        self._sandbox = sandbox
        self._tree = tree
        self._otherwise = otherwise
        self._declared: dict[str, Declared] | None = None

    def respond(self, call: Call, peer: str | None) -> RawResponse | Awaitable[RawResponse]:
        """The response to a call, or an awaitable of it where the explorer calls the sandbox."""
        if not call.path.startswith(PREFIX) and (call.method, call.path) != ("GET", "/"):
            return self._otherwise(call, peer)
        try:
            access.check_access(call, peer)
            return self._route(call)
        except Refusal as refusal:
            return _refused(refusal)

    def _route(self, call: Call) -> RawResponse | Awaitable[RawResponse]:
        name = call.path.removeprefix(PREFIX)
        if call.method == "GET":
            if call.path == "/":
                return _asset("index.html", _HTML)
            if name in SERVED:
                return _asset(name, SERVED[name])
            if name == "operations":
                from .listing import rows

                return _json(rows(self._chains()))
            if name == "operation":
                from .description import describe

                chain = parse_qs(call.query).get("chain", [""])[0]
                return _json(describe(self._find(chain).operation(), self._sandbox.merchant.mchid))
        elif call.method == "POST" and name in ("send", "code"):
            return self._act(name, _object(call))
        raise Refusal(404, "RESOURCE_NOT_EXISTS", f"{call.method} {call.path[:200]}", signed=False)

    async def _act(self, name: str, body: Mapping[str, Any]) -> RawResponse:
        try:
            declared = self._find(str(body.get("chain", "")))
            fields = body.get("fields")
            if not isinstance(fields, dict):
                raise Refusal(400, "PARAM_ERROR", "`fields` must be a JSON object", signed=False)
            fault = str(body.get("fault", ""))
            if name == "send":
                from .sending import send

                files = body.get("files")
                return _json(
                    await send(
                        self._sandbox,
                        declared,
                        fields,
                        files if isinstance(files, dict) else {},
                        check=body.get("check") is not False,
                        fault=fault,
                    )
                )
            from .code import code_of

            return _json(await code_of(self._sandbox, declared, fields, fault))
        except Refusal as refusal:
            return _refused(refusal)

    def _chains(self) -> Mapping[str, Declared]:
        """Every operation by its chain."""
        if self._declared is None:
            from .listing import chains

            self._declared = chains(self._tree)
        return self._declared

    def _find(self, chain: str) -> Declared:
        declared = self._chains().get(chain)
        if declared is None:
            raise Refusal(404, "RESOURCE_NOT_EXISTS", f"no operation {chain[:200]}", signed=False)
        return declared


def _object(call: Call) -> Mapping[str, Any]:
    try:
        body = json.loads(call.body)
        json.dumps(body, ensure_ascii=False).encode()  # a lone surrogate cannot be repeated in a response
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise Refusal(400, "PARAM_ERROR", "the body is not a JSON object", signed=False)
    return body


def _asset(name: str, content_type: str) -> RawResponse:
    body = resources.files(__name__.rpartition(".")[0]).joinpath("assets", *name.split("/")).read_bytes()
    return RawResponse(200, {**_HEADERS, "Content-Type": content_type}, body)


def _json(data: Any, status: int = 200) -> RawResponse:
    # What a user typed may have a lone surrogate, which JSON can escape and UTF-8 cannot encode.
    body = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return RawResponse(status, {**_HEADERS, "Content-Type": "application/json; charset=utf-8"}, body)


def _refused(refusal: Refusal) -> RawResponse:
    return _json({"code": refusal.code, "message": refusal.message}, refusal.status)
