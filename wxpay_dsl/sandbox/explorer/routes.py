"""What the explorer's page and its scripts ask for, over HTTP: loopback only, from no page but its own.

========================================  ======================================================================
``GET /``                                 the page
``GET /sandbox/explorer/NAME``            its script, style and library
``GET /sandbox/explorer/operations``      every operation: verb, path, title, chain, product
``GET /sandbox/explorer/operation?chain`` one with its fields, limits and an example
``POST /sandbox/explorer/send``           ``{"chain", "fields", "files"?, "check"?, "fault"?}``: sent, and told what
                                          went and came
``POST /sandbox/explorer/code``           ``{"chain", "fields", "fault"?}``: the same in curl, Python and JavaScript
========================================  ======================================================================
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

from wxpay_dsl.sandbox.control import access as guard
from wxpay_dsl.sandbox.protocol.messages import Call, RawResponse, Refusal

if TYPE_CHECKING:
    from wxpay_dsl.core.chain.tree import Declared, Tree

    from .served import ServedSandbox

__all__ = ["PREFIX", "SERVED", "Explorer"]

PREFIX: Final = "/sandbox/explorer/"
_SCRIPT: Final = "text/javascript; charset=utf-8"
#: What a browser may load, and what it is. What is in ``vendor`` is as its makers publish it.
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
#: What answers everything that is not the explorer's.
Respond = Callable[[Call, str | None], RawResponse]


class Explorer:
    """The routes of one sandbox's explorer."""

    def __init__(self, sandbox: ServedSandbox, tree: Tree, otherwise: Respond) -> None:
        """``otherwise`` answers what is not the explorer's."""
        self._sandbox = sandbox
        self._tree = tree
        self._otherwise = otherwise
        self._declared: dict[str, Declared] | None = None

    def respond(self, call: Call, peer: str | None) -> RawResponse | Awaitable[RawResponse]:
        """The answer to a call; one to be awaited where the explorer itself has to call the sandbox."""
        if not call.path.startswith(PREFIX) and (call.method, call.path) != ("GET", "/"):
            return self._otherwise(call, peer)
        try:
            guard.admit(call, peer)
            return self._answer(call)
        except Refusal as refusal:
            return _refused(refusal)

    def _answer(self, call: Call) -> RawResponse | Awaitable[RawResponse]:
        name = call.path.removeprefix(PREFIX)
        if call.method == "GET":
            if call.path == "/":
                return _asset("index.html", _HTML)
            if name in SERVED:
                return _asset(name, SERVED[name])
            if name == "operations":
                from .listing import listed

                return _json(listed(self._chains()))
            if name == "operation":
                from .description import described

                chain = parse_qs(call.query).get("chain", [""])[0]
                return _json(described(self._found(chain).operation(), self._sandbox.merchant.mchid))
        elif call.method == "POST" and name in ("send", "code"):
            return self._act(name, _object(call))
        raise Refusal(404, "RESOURCE_NOT_EXISTS", f"{call.method} {call.path[:200]}", signed=False)

    async def _act(self, name: str, asked: Mapping[str, Any]) -> RawResponse:
        try:
            declared = self._found(str(asked.get("chain", "")))
            fields = asked.get("fields")
            if not isinstance(fields, dict):
                raise Refusal(400, "PARAM_ERROR", "`fields` is a JSON object", signed=False)
            fault = str(asked.get("fault", ""))
            if name == "send":
                from .sending import sent

                given = asked.get("files")
                return _json(
                    await sent(
                        self._sandbox,
                        declared,
                        fields,
                        given if isinstance(given, dict) else {},
                        check=asked.get("check") is not False,
                        fault=fault,
                    )
                )
            from .code import written

            return _json(await written(self._sandbox, declared, fields, fault))
        except Refusal as refusal:
            return _refused(refusal)

    def _chains(self) -> Mapping[str, Declared]:
        """Every operation by its chain."""
        if self._declared is None:
            from .listing import chains

            self._declared = chains(self._tree)
        return self._declared

    def _found(self, chain: str) -> Declared:
        found = self._chains().get(chain)
        if found is None:
            raise Refusal(404, "RESOURCE_NOT_EXISTS", f"no operation {chain[:200]}", signed=False)
        return found


def _object(call: Call) -> Mapping[str, Any]:
    try:
        found = json.loads(call.body)
        json.dumps(found, ensure_ascii=False).encode()  # half a character: no answer could repeat it
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Refusal(400, "PARAM_ERROR", "the body is no JSON object", signed=False)
    return found


def _asset(name: str, content_type: str) -> RawResponse:
    body = files(__name__.rpartition(".")[0]).joinpath("assets", *name.split("/")).read_bytes()
    return RawResponse(200, {**_HEADERS, "Content-Type": content_type}, body)


def _json(data: Any, status: int = 200) -> RawResponse:
    # Half a character, which JSON can escape and UTF-8 cannot say, may stand in what a user has typed.
    body = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return RawResponse(status, {**_HEADERS, "Content-Type": "application/json; charset=utf-8"}, body)


def _refused(refusal: Refusal) -> RawResponse:
    return _json({"code": refusal.code, "message": refusal.message}, refusal.status)
