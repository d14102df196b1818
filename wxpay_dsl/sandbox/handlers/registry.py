"""All handlers of stateful operations; each call runs as a unit of work of the state."""

from __future__ import annotations

from wxpay_dsl.sandbox.protocol.messages import Response
from wxpay_dsl.sandbox.protocol.request import Handler, Request
from wxpay_dsl.sandbox.state.state import State

from . import bill, combine, complaint, edu_papay, media, papay, pay, payscore, profitsharing, refund, transfer

__all__ = ["v2_handlers", "v3_handlers"]


def v3_handlers(state: State) -> dict[str, Handler]:
    """The handlers of APIv3, by ``VERB /path``."""
    table: dict[str, Handler] = {}
    for api in (pay, combine, refund, profitsharing, transfer, payscore, papay, edu_papay, bill, media, complaint):
        table |= api.handlers(state)
    return {name: _in_unit(state, handler) for name, handler in table.items()}


def v2_handlers(state: State) -> dict[str, Handler]:
    """The handlers of APIv2, by ``VERB /path``."""
    from . import v2

    return {name: _in_unit(state, handler) for name, handler in v2.handlers(state).items()}


def _in_unit(state: State, handler: Handler) -> Handler:
    def handle(request: Request) -> Response:
        with state.unit():
            return handler(request)

    return handle
