"""Writes operations and events as an OpenAPI 3.1 document, with vendor keywords for what OpenAPI cannot express."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from attrs import asdict

from wxpay_dsl.core.specs.model import Event, Operation, Schema

from .components import SchemaWriter
from .words import EVENT_VENDOR, OPERATION_VENDOR, SPREAD

__all__ = ["write_document"]

_FORM: Final = "multipart/form-data"
#: Defaults, which are not written.
_DEFAULTS: Final[Mapping[str, Any]] = {
    "mutual_tls": False,
    "verify": True,
    "sign": True,
    "nonce": True,
    "sign_type": True,
}


def write_document(
    operations: Iterable[Operation],
    events: Iterable[Event],
    info: Mapping[str, Any],
    *,
    host: str = "",
    media_types: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """An OpenAPI 3.1 document of these operations and events.

    ``info`` is the document's (``title`` and ``version`` at least), ``host`` the origin of operations that name none,
    ``media_types`` the media type of each dialect (default: JSON).
    """
    all_operations, all_events = list(operations), list(events)
    schemas = SchemaWriter(_schemas(all_operations, all_events))
    writer = _Writer(schemas, media_types or {})
    paths: dict[str, dict[str, Any]] = {}
    for operation in all_operations:
        paths.setdefault(operation.path, {})[operation.verb] = writer.operation(operation)
    document: dict[str, Any] = {"openapi": "3.1.0", "info": dict(info)}
    if host:
        document["servers"] = [{"url": host}]
    tags = dict.fromkeys(tag for items in (all_operations, all_events) for item in items for tag in _tags(item))
    document["tags"] = [{"name": tag} for tag in tags]
    document["paths"] = paths
    if all_events:
        document["webhooks"] = {event.name: {"post": writer.event(event)} for event in all_events}
    if schemas.components:
        document["components"] = {"schemas": schemas.components}
    return document


def _schemas(operations: Iterable[Operation], events: Iterable[Event]) -> Iterable[tuple[str, Schema]]:
    for operation in operations:
        for schema in (operation.body, operation.form, operation.returns):
            if schema is not None:
                yield operation.file, schema
        for section in (operation.parameters, operation.query, operation.header):
            if section is not None:
                yield from ((operation.file, inner) for inner in section.properties.values())
                if section.additional is not None:
                    yield operation.file, section.additional
    for event in events:
        for schema in (event.body, event.resource, event.returns):
            if schema is not None:
                yield event.file, schema


def _tags(item: Operation | Event) -> tuple[str, ...]:
    return item.tags or ((item.product,) if item.product else ())


class _Writer:
    def __init__(self, schemas: SchemaWriter, media_types: Mapping[str, str]) -> None:
        self._schemas = schemas
        self._media_types = media_types
        self._names: dict[str, int] = {}

    def operation(self, operation: Operation) -> dict[str, Any]:
        media_type = self._media_types.get(operation.dialect, "application/json")
        words = self._metadata(operation, OPERATION_VENDOR)
        words["operationId"] = self._name(operation)
        if operation.host:
            words["servers"] = [{"url": operation.host}]
        parameters = self._parameters(operation)
        if parameters:
            words["parameters"] = parameters
        for kind, section in ((media_type, operation.body), (_FORM, operation.form)):
            if section is not None:
                schema = self._schemas.write(operation.file, section)
                words["requestBody"] = {"required": True, "content": {kind: {"schema": schema}}}
        response: dict[str, Any] = {"description": operation.summary or "OK"}
        if operation.returns is not None or operation.produces:
            returns = operation.returns
            content = {} if returns is None else {"schema": self._schemas.write(operation.file, returns)}
            response["content"] = {operation.produces or media_type: content}
        words["responses"] = {str(operation.status): response}
        return words

    def event(self, event: Event) -> dict[str, Any]:
        words = self._metadata(event, EVENT_VENDOR)
        if event.body is not None:
            kind = self._media_types.get(event.dialect, "application/json")
            schema = self._schemas.write(event.file, event.body)
            words["requestBody"] = {"required": True, "content": {kind: {"schema": schema}}}
        if event.resource is not None:
            words[EVENT_VENDOR["resource"]] = self._schemas.write(event.file, event.resource)
        answer: dict[str, Any] = {"description": "OK"}
        if event.returns is not None:
            kind = self._media_types.get(event.dialect, "application/json")
            answer["content"] = {kind: {"schema": self._schemas.write(event.file, event.returns)}}
        words["responses"] = {"200": answer}
        return words

    def _metadata(self, item: Operation | Event, vendor: Mapping[str, str]) -> dict[str, Any]:
        words: dict[str, Any] = {"summary": item.summary}
        if item.description:
            words["description"] = item.description
        tags = _tags(item)
        if tags:
            words["tags"] = list(tags)
        if item.deprecated:
            words["deprecated"] = True
        for word, name in vendor.items():
            value = getattr(item, word)
            # Defaults are not written.
            if not isinstance(value, Schema) and value not in ((), "", None, _DEFAULTS.get(word)):
                words[name] = list(value) if isinstance(value, tuple) else value
        if item.checked is not None:
            words[vendor["checked"]] = asdict(item.checked)
        return words

    def _parameters(self, operation: Operation) -> list[dict[str, Any]]:
        written: list[dict[str, Any]] = []
        for place in ("path", "query", "header"):
            section = operation.section(place)
            if section is None:
                continue
            for name, field in section.properties.items():
                parameter: dict[str, Any] = {"name": name, "in": place}
                if name in section.required:
                    parameter["required"] = True
                if place == "query" and field.type == "object":
                    parameter[SPREAD] = False
                written.append({**parameter, "schema": self._schemas.write(operation.file, field)})
            if section.additional is not None or (not section.properties and place != "path"):
                free = Schema(type="object", additional=section.additional)
                schema = self._schemas.write(operation.file, free)
                written.append({"name": "*", "in": place, SPREAD: True, "schema": schema})
        return written

    def _name(self, operation: Operation) -> str:
        """``v3_edu-papay_contracts_presign_post``: the chain as a unique name."""
        name = "_".join((*operation.chain, operation.verb)).replace("{", "").replace("}", "")
        count = self._names[name] = self._names.get(name, 0) + 1
        return name if count == 1 else f"{name}_{count}"
