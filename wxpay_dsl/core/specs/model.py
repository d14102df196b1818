"""What a spec says, as frozen values: an :class:`Operation`, the :class:`Schema` of each place its fields travel in.

Nothing here reads files or knows the network. A field is a :class:`Schema`; so is a section (``body``, ``query`` …):
an object.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from attrs import field, frozen

from .memo import Memo

__all__ = ["ABSENT", "SECTIONS", "SOURCES", "VERBS", "Checked", "Event", "Operation", "Schema"]

#: The HTTP methods a spec may declare, as the chain spells them.
VERBS: Final = ("get", "post", "put", "patch", "delete")
#: Where the fields of a request travel.
SECTIONS: Final = ("path", "query", "header", "body", "form")
#: Where facts were compared: the API's official pages, two independent public SDKs, or a description by its users.
SOURCES: Final = ("official", "sdk", "community")


class _Absent:
    """The one value of :data:`ABSENT`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "ABSENT"

    def __bool__(self) -> bool:
        return False


#: No example or default is given; ``None`` would be one.
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
    """The shape of one value, in JSON Schema's words and a few of our own."""

    #: ``string``, ``integer``, ``number``, ``boolean``, ``object``, ``array``, or ``any``.
    type: str = "string"
    #: The official name, usually Chinese.
    title: str = ""
    description: str = ""
    #: ``date``, ``date-time``, ``uri``, ``binary``, ``int32`` …: said, not enforced.
    format: str = ""
    enum: tuple[Any, ...] = ()
    example: Any = ABSENT
    default: Any = ABSENT
    #: A regular expression that is searched for, as JSON Schema says; anchor it to match the whole.
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
    #: ``base64``: how a string's bytes are written.
    encoding: str = ""
    #: Encrypted under the platform key on the way out, under the caller's own on the way in.
    encrypted: bool = False
    #: ``id`` or ``url``: names an uploaded file.
    media: str = ""
    #: A path parameter that comes percent-encoded and is sent as it is.
    encoded: bool = False
    #: Of a field: the roles that have it, where not every role of the operation has; other roles have no such field.
    roles: tuple[str, ...] = ()
    #: Of an optional field: the roles that must give it.
    required_by: tuple[str, ...] = ()
    #: Of a field: why its facts are uncertain (one weak source). A request is never refused because of them.
    doubt: str = ""
    #: Of an object: its fields, in the order of the spec.
    properties: Mapping[str, Schema] = field(default=_NOTHING, repr=False)
    #: Of an object: the fields that every role must give; ``required_by`` of a field names those of some roles.
    required: frozenset[str] = frozenset()
    #: Of an object: what fields beyond ``properties`` hold; None where there may be none.
    additional: Schema | None = None
    #: Of an array: what each item is.
    items: Schema | None = field(default=None, repr=False)
    #: The definition it was taken from, as written: ``../common.yaml#/AppId``.
    ref: str = ""
    #: See :mod:`.memo`.
    memo: Memo | None = field(default=None, init=False, repr=False)

    def required_of(self, role: str) -> frozenset[str]:
        """The fields that a role must give."""
        return self.required.union(name for name, below in self.properties.items() if role in below.required_by)


@frozen(eq=False)
class Operation:
    """One verb on one path: all that is needed to call, document and imitate it."""

    verb: str
    #: The URL's path with its templates: ``/v3/edu-papay/contracts/{contract_id}``.
    path: str
    #: The name of the dialect that encodes, signs and verifies it.
    dialect: str
    #: The chain's segments; they differ from the path's where the dialect has a prefix.
    chain: tuple[str, ...]
    summary: str = ""
    description: str = ""
    docs: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    deprecated: bool = False
    #: None: its facts were compared with nothing.
    checked: Checked | None = None
    #: The origin that serves it (``https://…``), where that is not the client's.
    host: str = ""
    mutual_tls: bool = False
    verify: bool = True
    #: The header that holds the SHA-1 of the answer, where that is signed in the answer's place (``verify`` is False).
    digest_header: str = ""
    sign: bool = True
    #: False where the dialect's nonce field must not be added.
    nonce: bool = True
    #: False where the service does not take the dialect's field of the signature's type, so that none is sent.
    sign_type: bool = True
    #: None: as HTTP says of the verb. True where sending it twice does what sending it once does.
    idempotent: bool | None = None
    #: ``query`` where no refusal is final: after any answer that is no success the outcome is unknown until it was
    #: queried. Empty: as status and signature say.
    outcome: str = ""
    #: The day of the official page it follows, and the version it names.
    updated: str = ""
    version: str = ""
    #: The status of success, where that is not 200.
    status: int = 200
    #: The media type of the answer, where it is not the dialect's.
    produces: str = ""
    parameters: Schema = field(factory=lambda: Schema(type="object"), repr=False)
    query: Schema | None = field(default=None, repr=False)
    header: Schema | None = field(default=None, repr=False)
    body: Schema | None = field(default=None, repr=False)
    form: Schema | None = field(default=None, repr=False)
    returns: Schema | None = field(default=None, repr=False)
    #: The spec that declares it, and the title of that spec.
    file: str = field(default="", repr=False)
    product: str = field(default="", repr=False)
    #: See :mod:`.memo`.
    memo: Memo | None = field(default=None, init=False, repr=False)

    @property
    def name(self) -> str:
        """``POST /v3/edu-papay/contracts/presign``: how errors, logs and documentation call it."""
        return f"{self.verb.upper()} {self.path}"

    @property
    def safe_to_repeat(self) -> bool:
        """Whether sending it again cannot do anything twice."""
        return self.verb in ("get", "put", "delete") if self.idempotent is None else self.idempotent

    def section(self, name: str) -> Schema | None:
        """The schema of one of :data:`SECTIONS`."""
        if name == "path":
            return self.parameters
        found: Schema | None = getattr(self, name)
        return found


@frozen(eq=False)
class Event:
    """One kind of message that the service sends by itself."""

    name: str
    dialect: str
    summary: str = ""
    description: str = ""
    docs: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    deprecated: bool = False
    checked: Checked | None = None
    #: How the resource is encrypted, where it is.
    algorithm: str = ""
    #: What arrives.
    body: Schema | None = field(default=None, repr=False)
    #: What is inside, decrypted.
    resource: Schema | None = field(default=None, repr=False)
    file: str = field(default="", repr=False)
    product: str = field(default="", repr=False)
