"""A call that is understood: who asks, for which operation, with which fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from wxpay_dsl.sandbox.keys.identity import Merchant

from .messages import Call, Refusal, Response
from .multipart import Part

if TYPE_CHECKING:
    from wxpay_dsl.core.specs.model import Operation

    from .validation import Fields

__all__ = ["Handler", "MissingFieldRefusal", "Request", "needed", "require_own_mchid"]


class MissingFieldRefusal(Refusal):
    """An operation needs a field that is not there."""


class _Needed(dict[str, Any]):
    """Fields of a call: one that an operation cannot do without is refused where it asks for it."""

    def __missing__(self, name: str) -> Any:
        detail = {"field": f"/{name}", "value": "", "issue": "missing", "location": "body"}
        raise MissingFieldRefusal(400, "PARAM_ERROR", f"缺少参数{name}", detail)


def needed(value: Any) -> Any:
    """The same data; asking it for a field that is not there (``body["amount"]``) raises Refusal PARAM_ERROR.

    What refuses a call beforehand are checked facts alone, and an operation with a life of its own needs more.
    """
    if isinstance(value, dict):
        return _Needed({name: needed(item) for name, item in value.items()})
    return [needed(item) for item in value] if isinstance(value, list) else value


@frozen
class Request:
    """A call of an authenticated merchant, its fields typed by the spec and decrypted."""

    merchant: Merchant
    operation: Operation
    fields: Fields = field(repr=False)
    call: Call = field(repr=False)
    #: The parts of an upload.
    parts: Mapping[str, Part] = field(factory=dict, repr=False)

    @property
    def mchid(self) -> str:
        """Who calls."""
        return self.merchant.mchid

    @property
    def body(self) -> dict[str, Any]:
        """The body's fields."""
        return self.fields["body"]

    @property
    def query(self) -> dict[str, Any]:
        """The query's fields."""
        return self.fields["query"]

    @property
    def path(self) -> dict[str, Any]:
        """What the path's templates were filled with."""
        return self.fields["path"]

    @property
    def origin(self) -> str:
        """``http://host:port`` as the caller reached it, for the links in an answer."""
        return f"{'https' if self.call.secure else 'http'}://{self.call.headers.get('Host', '')}"


#: Answers one operation. Raises Refusal.
Handler = Callable[[Request], Response]


def require_own_mchid(request: Request, given: object) -> None:
    """Raises Refusal PARAM_ERROR where a request names another merchant than the one who signed it."""
    if given is not None and given != request.mchid:
        raise Refusal(400, "PARAM_ERROR", "http header中的mchid与post payload中的mchid不匹配")
