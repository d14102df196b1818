"""One operation as the explorer shows it: its texts, the fields of request and response, and example fields."""

from __future__ import annotations

from typing import Any, Final

from attrs import evolve

from wxpay_dsl.core.chain.describe import certainty, dotted, fields, remarks, sections, web_links
from wxpay_dsl.core.request.forms import file_fields
from wxpay_dsl.core.specs.model import SECTIONS, Operation
from wxpay_dsl.core.specs.transform import fields_of, names_of
from wxpay_dsl.sandbox.protocol import examples
from wxpay_dsl.wechat.chains import AUTO_FIELDS
from wxpay_dsl.wechat.roles import ROLES
from wxpay_dsl.wechat.terms import TERMS

__all__ = ["describe", "keyword_of"]

#: The field of APIv2 that names a platform key: no published example is a key of this sandbox.
_KEY_NAME: Final = "cert_serial_number"


def describe(operation: Operation, mchid: str) -> dict[str, Any]:
    """What the page shows of ``operation``, as JSON; its examples have the merchant id ``mchid``."""
    return {
        "chain": dotted(operation),
        "verb": operation.verb.upper(),
        "path": operation.path,
        "title": operation.summary,
        "description": operation.description,
        "product": operation.product,
        "dialect": operation.dialect,
        "docs": web_links(operation.docs),
        "roles": [[role, ROLES.get(role, role)] for role in operation.roles],
        "checked": certainty(operation.checked, TERMS),
        "remarks": remarks(evolve(operation, roles=()), TERMS),
        "sections": [
            {"name": name, "fields": [entry._asdict() for entry in fields(schema, TERMS)]}
            for name, schema in sections(operation)
        ],
        "produces": operation.produces,
        "files": list(file_fields(operation)),
        "required": _example(operation, mchid, whole=False),
        "all": _example(operation, mchid, whole=True),
    }


def keyword_of(section: str, name: str) -> str:
    """The keyword argument for a field: of a header in lower case and with underscores."""
    return name.lower().replace("-", "_") if section == "header" else name


def _example(operation: Operation, mchid: str, *, whole: bool) -> dict[str, Any]:
    """Example fields of a call as keyword arguments of the chain, without those that the client fills in."""
    role = operation.roles[0] if operation.roles else ""
    auto_fields, given = AUTO_FIELDS[operation.dialect] | {_KEY_NAME}, {}
    for section in SECTIONS:
        schema = operation.section(section)
        for name in names_of(schema, role, whole=whole) if schema is not None else ():
            below = schema.properties[name]  # type: ignore[union-attr] # there is one, if it has a name
            if name.lower() in auto_fields or (section == "form" and below.format == "binary"):
                continue
            value = fields_of(below, examples.example(below, name), role, whole=whole)
            given[keyword_of(section, name)] = _of_merchant(name, value, mchid)
    return given


def _of_merchant(name: str, value: Any, mchid: str) -> Any:
    """Replace the merchant id of a published example."""
    return mchid if name in ("mchid", "sp_mchid") and isinstance(value, str) else value
