"""The contents of specs as frozen values: :class:`Operation`, :class:`Event`, and the :class:`Schema` of their fields.

A section (``body``, ``query`` …) is a :class:`Schema` of type ``object`` whose ``properties`` are the fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from attrs import field, frozen

from .memo import Memo

__all__ = ["ABSENT", "SECTIONS", "SOURCES", "VERBS", "Checked", "Event", "Operation", "Schema"]

#: The HTTP methods that a spec may declare, in lower case.
VERBS: Final = ("get", "post", "put", "patch", "delete")
#: The sections of a request that have fields.
SECTIONS: Final = ("path", "query", "header", "body", "form")
#: What facts were compared with: the API's official pages, two independent public SDKs, or descriptions by users.
SOURCES: Final = ("official", "sdk", "community")


class _Absent:
    """The type of :data:`ABSENT`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "ABSENT"

    def __bool__(self) -> bool:
        return False


#: Stands for a missing example or default, since ``None`` is a valid one.
ABSENT: Final = _Absent()

_NOTHING: Mapping[str, Any] = MappingProxyType({})


@frozen
class Checked:
    """What the fields of an operation or event were compared with, and when."""

    #: One of :data:`SOURCES`.
    source: str
    #: The day of the comparison: ``2026-08-08``.
    date: str


@frozen(eq=False)
class Schema:
    """The type and constraints of one value: JSON Schema's keywords, and a few more."""

    #: ``string``, ``integer``, ``number``, ``boolean``, ``object``, ``array``, or ``any``.
    type: str = "string"
    #: The official name, in the API's own language.
    title: str = ""
    description: str = ""
    #: ``date``, ``date-time``, ``uri``, ``binary``, ``int32`` …: documentation, not enforced.
    format: str = ""
    enum: tuple[Any, ...] = ()
    example: Any = ABSENT
    default: Any = ABSENT
    #: A regular expression, searched for as in JSON Schema; anchor it to match the whole value.
    pattern: str = ""
    min_length: int | None = None
    max_length: int | None = None
    minimum: float | None = None
    maximum: float | None = None
    min_items: int | None = None
    max_items: int | None = None
    nullable: bool = False
    deprecated: bool = False
    #: ``application/json``: a string that holds JSON.
    media_type: str = ""
    #: ``base64``: how bytes are encoded in the string.
    encoding: str = ""
    #: Encrypted: in requests with the service's public key, in responses with the caller's.
    encrypted: bool = False
    #: ``id`` or ``url``: the value refers to an uploaded file.
    media: str = ""
    #: A path parameter whose value is percent-encoded already, and sent unchanged.
    encoded: bool = False
    #: Of a field: the roles that have it; empty if every role of the operation has it.
    roles: tuple[str, ...] = ()
    #: Of an optional field: the roles that must give it.
    required_by: tuple[str, ...] = ()
    #: Of a field: why its facts are uncertain (one weak source); they never make a request be refused.
    doubt: str = ""
    #: Of an object: its fields, in the order of the spec.
    properties: Mapping[str, Schema] = field(default=_NOTHING, repr=False)
    #: Of an object: the fields that every role must give; ``required_by`` of a field names those of some roles.
    required: frozenset[str] = frozenset()
    #: Of an object: the schema of fields beyond ``properties``; None if there may be none.
    additional: Schema | None = None
    #: Of an array: the schema of its items.
    items: Schema | None = field(default=None, repr=False)
    #: The definition it was taken from, as written: ``../common.yaml#/AppId``.
    ref: str = ""
    #: The cache of :func:`.memo.memo`.
    memo: Memo | None = field(default=None, init=False, repr=False)

    def required_of(self, role: str) -> frozenset[str]:
        """The names of the fields that ``role`` must give."""
        return self.required.union(name for name, below in self.properties.items() if role in below.required_by)


@frozen(eq=False)
class Operation:
    """One verb on one path: all that is needed to call, document and mock it."""

    verb: str
    #: The URL's path with its templates: ``/v3/edu-papay/contracts/{contract_id}``.
    path: str
    #: The name of the :class:`~wxpay_dsl.core.dialect.Dialect` that encodes, signs and verifies it.
    dialect: str
    #: The chain's segments; they differ from the path's where the dialect has a prefix.
    chain: tuple[str, ...]
    summary: str = ""
    description: str = ""
    docs: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    deprecated: bool = False
    #: What its facts were compared with; None if with nothing.
    checked: Checked | None = None
    #: The origin that serves it (``https://…``); empty for the client's.
    host: str = ""
    mutual_tls: bool = False
    verify: bool = True
    #: The response header with the SHA-1 of the body, if that is signed in place of the body (``verify`` is False).
    digest_header: str = ""
    sign: bool = True
    #: False if the dialect's nonce field must not be added.
    nonce: bool = True
    #: False if the service does not accept the dialect's field for the type of signature; it is not sent then.
    sign_type: bool = True
    #: Whether sending it twice has the effect of sending it once; None: as HTTP defines the verb.
    idempotent: bool | None = None
    #: ``query`` if no error response is final: after any response but a success the outcome is unknown until it is
    #: queried. Empty: status and signature decide.
    outcome: str = ""
    #: The date of the official page that it follows, and the version on that page.
    updated: str = ""
    version: str = ""
    #: The HTTP status of a success.
    status: int = 200
    #: The media type of the response, if it is not the dialect's.
    produces: str = ""
    parameters: Schema = field(factory=lambda: Schema(type="object"), repr=False)
    query: Schema | None = field(default=None, repr=False)
    header: Schema | None = field(default=None, repr=False)
    body: Schema | None = field(default=None, repr=False)
    form: Schema | None = field(default=None, repr=False)
    returns: Schema | None = field(default=None, repr=False)
    #: The spec file that declares it, and the title of that spec.
    file: str = field(default="", repr=False)
    product: str = field(default="", repr=False)
    #: The cache of :func:`.memo.memo`.
    memo: Memo | None = field(default=None, init=False, repr=False)

    @property
    def name(self) -> str:
        """``POST /v3/edu-papay/contracts/presign``, as in errors, logs and documentation."""
        return f"{self.verb.upper()} {self.path}"

    @property
    def safe_to_repeat(self) -> bool:
        """Whether it can be sent again without taking effect twice."""
        return self.verb in ("get", "put", "delete") if self.idempotent is None else self.idempotent

    def section(self, name: str) -> Schema | None:
        """The schema of one of :data:`SECTIONS`; None if the operation has no such section."""
        if name == "path":
            return self.parameters
        found: Schema | None = getattr(self, name)
        return found


@frozen(eq=False)
class Event:
    """One kind of notification that the service sends (a webhook)."""

    name: str
    dialect: str
    summary: str = ""
    description: str = ""
    docs: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    deprecated: bool = False
    checked: Checked | None = None
    #: The algorithm that encrypts the resource; empty if it is not encrypted.
    algorithm: str = ""
    #: The notification as it is received.
    body: Schema | None = field(default=None, repr=False)
    #: The decrypted resource inside it.
    resource: Schema | None = field(default=None, repr=False)
    #: What the receiver answers, where the service wants data and not a mere acknowledgement.
    returns: Schema | None = field(default=None, repr=False)
    file: str = field(default="", repr=False)
    product: str = field(default="", repr=False)
