"""The parts of a sandbox that serves: from a call to its answer, and to what that sets going."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from .control import access as guard
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

__all__ = ["Running"]


class Running:
    """Service, control and sender around one state."""

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
        state.listen(self.sender.take)
        self._faults = faults
        self._merchants = merchants
        self._strict = strict
        self._stateful = stateful
        self._v2: ServiceV2 | None = None
        self._service = Service(
            tree,
            platform,
            merchants,
            # Signatures are of the machine's time, wherever the sandbox's own clock has been moved.
            time.time,
            self._v3_handlers,
            answer_v2=self._answer_v2,
            faults=faults,
            strict=strict,
        )

    @cached_property
    def control(self) -> Control:
        """The payer, the clock, the faults."""
        from .control.control import Control

        return Control(self.state, self.platform, self._merchants, self._faults, self.sender)

    def respond(self, call: Call, peer: str | None) -> RawResponse:
        """The answer to a call. What it has set going is done when it is computed, and before any other call."""
        if call.path == guard.PREFIX or call.path.startswith(f"{guard.PREFIX}/"):
            return self._controlled(call, peer)
        wire = self._service.respond(call)
        if len(self.state.pending) and self.state.automatic:
            from .flows.pending_steps import run_pending

            run_pending(self.state)
        return wire

    def _v3_handlers(self) -> Mapping[str, Handler]:
        if not self._stateful:
            return {}
        from .handlers.registry import v3_handlers

        return v3_handlers(self.state)

    def _answer_v2(self, call: Call, operation: Operation) -> Response:
        if self._v2 is None:
            # APIv2 brings its XML and its errors along: whoever does not call it does not wait for them.
            from .handlers.registry import v2_handlers
            from .protocol.v2 import ServiceV2

            handlers = v2_handlers(self.state) if self._stateful else {}
            self._v2 = ServiceV2(self.platform, self._merchants, handlers, strict=self._strict)
        return self._v2.answer(call, operation)

    def _controlled(self, call: Call, peer: str | None) -> RawResponse:
        from .control import http_api as control_api
        from .control import payer_pages as pages

        try:
            guard.admit(call, peer)
            shown = call.path in (guard.PREFIX, f"{guard.PREFIX}/") or call.path.startswith(pages.PREFIXES)
            answer = (pages if shown else control_api).answer(self.control, call)
        except Refusal as refusal:
            answer = refusal.response()
        return self._service.sealed(answer, None)
