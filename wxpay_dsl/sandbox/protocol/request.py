"""A call after authentication and validation: its merchant, its operation and its fields."""

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
    """A handler needs a field that the request does not have."""


class _Needed(dict[str, Any]):
    """Fields of a call; looking up a missing one raises MissingFieldRefusal."""

    def __missing__(self, name: str) -> Any:
        detail = {"field": f"/{name}", "value": "", "issue": "missing", "location": "body"}
        raise MissingFieldRefusal(400, "PARAM_ERROR", f"缺少参数{name}", detail)


def needed(value: Any) -> Any:
    """Copy ``value`` so that looking up a missing field (``body["amount"]``) raises Refusal PARAM_ERROR.

    Validation refuses only what is certain by the spec; a stateful operation may need further fields.
    """
    if isinstance(value, dict):
        return _Needed({name: needed(item) for name, item in value.items()})
    return [needed(item) for item in value] if isinstance(value, list) else value


@frozen
class Request:
    """A call of an authenticated merchant, its fields converted to the types of the spec and decrypted."""

    merchant: Merchant
    operation: Operation
    fields: Fields = field(repr=False)
    call: Call = field(repr=False)
    #: The parts of an upload, by name.
    parts: Mapping[str, Part] = field(factory=dict, repr=False)

    @property
    def mchid(self) -> str:
        """The id of the calling merchant."""
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
        """The path's parameters."""
        return self.fields["path"]

    @property
    def origin(self) -> str:
        """``http://host:port`` as the client addressed it, for links in the response."""
        return f"{'https' if self.call.secure else 'http'}://{self.call.headers.get('Host', '')}"


#: Executes one operation. Raises Refusal.
Handler = Callable[[Request], Response]


def require_own_mchid(request: Request, given: object) -> None:
    """Raise Refusal PARAM_ERROR if ``given`` names another merchant than the one that signed the request.

    None is accepted.
    """
    if given is not None and given != request.mchid:
        raise Refusal(400, "PARAM_ERROR", "http header中的mchid与post payload中的mchid不匹配")
