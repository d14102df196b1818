"""The application of a running sandbox: dispatches each call to the API or to the control, and runs what follows."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from .control import access
from .keys.identity import Merchant
from .keys.platform import Platform
from .notifications.sender import DeliveryOptions, NotificationSender
from .protocol.faults import Faults
from .protocol.messages import Call, RawResponse, Refusal, Response
from .protocol.service import Service
from .state.state import State

if TYPE_CHECKING:
    from wxpay_dsl.core.chain.tree import Tree
    from wxpay_dsl.core.specs.model import Operation

    from .control.control import Control
    from .protocol.request import Handler
    from .protocol.v2 import ServiceV2

__all__ = ["App"]


class App:
    """The service, the control and the notification sender of one state."""

    def __init__(
        self,
        tree: Tree,
        merchant: Merchant,
        platform: Platform,
        state: State,
        faults: Faults,
        *,
        delivery_options: DeliveryOptions | None,
        seed: int | None,
        strict: bool,
        stateful: bool,
    ) -> None:
        self.merchant = merchant
        self.platform = platform
        self.state = state
        merchants = {merchant.mchid: merchant}
        self.sender = NotificationSender(state, platform, merchants, delivery_options=delivery_options, seed=seed)
        state.listen(self.sender.enqueue)
        self._faults = faults
        self._merchants = merchants
        self._strict = strict
        self._stateful = stateful
        self._v2: ServiceV2 | None = None
        self._service = Service(
            tree,
            platform,
            merchants,
            # Signatures use the machine's time, even if the sandbox's clock was advanced.
            time.time,
            self._v3_handlers,
            respond_v2=self._respond_v2,
            faults=faults,
            strict=strict,
        )

    @cached_property
    def control(self) -> Control:
        """See :class:`~wxpay_dsl.sandbox.control.control.Control`."""
        from .control.control import Control

        return Control(self.state, self.platform, self._merchants, self._faults, self.sender)

    def respond(self, call: Call, peer: str | None) -> RawResponse:
        """The response to a call from the IP address ``peer``.

        Pending steps that the call caused are completed before this returns, unless that is switched off.
        """
        if call.path == access.PREFIX or call.path.startswith(f"{access.PREFIX}/"):
            return self._respond_control(call, peer)
        response = self._service.respond(call)
        if len(self.state.pending) and self.state.automatic:
            from .flows.pending_steps import run_pending

            run_pending(self.state)
        return response

    def _v3_handlers(self) -> Mapping[str, Handler]:
        if not self._stateful:
            return {}
        from .handlers.registry import v3_handlers

        return v3_handlers(self.state)

    def _respond_v2(self, call: Call, operation: Operation) -> Response:
        if self._v2 is None:
            # APIv2 is loaded with its first call, to keep the start short.
            from .handlers.registry import v2_handlers
            from .protocol.v2 import ServiceV2

            handlers = v2_handlers(self.state) if self._stateful else {}
            self._v2 = ServiceV2(self.platform, self._merchants, handlers, strict=self._strict)
        return self._v2.respond(call, operation)

    def _respond_control(self, call: Call, peer: str | None) -> RawResponse:
        from .control import http_api, payer_pages

        try:
            access.check_access(call, peer)
            is_page = call.path in (access.PREFIX, f"{access.PREFIX}/") or call.path.startswith(payer_pages.PREFIXES)
            response = (payer_pages if is_page else http_api).respond(self.control, call)
        except Refusal as refusal:
            response = refusal.response()
        return self._service.serialize(response, None)
