"""The parts that all views share: copied fields, optional fields, times and merchant ids."""

from __future__ import annotations

from typing import Any, Protocol

from wxpay_dsl.sandbox.domain.times import rfc3339

__all__ = ["Fields", "optional", "optional_time", "pick", "sub_mchid"]

Fields = dict[str, Any]


class _Owned(Protocol):
    """A record of a merchant, created by the merchant itself or by its partner."""

    @property
    def mchid(self) -> str: ...
    @property
    def caller(self) -> str: ...


def pick(record: object, *names: str) -> Fields:
    """The fields that have the same name in the record and in the API."""
    return {name: getattr(record, name) for name in names}


def optional(**fields: Any) -> Fields:
    """The fields that have a value; empty ones (``""``, 0, None) are left out."""
    return {name: value for name, value in fields.items() if value}


def optional_time(**times: float) -> Fields:
    """Unix times in the format of APIv3; those that are 0, not reached yet, are left out."""
    return {name: rfc3339(time) for name, time in times.items() if time}


def sub_mchid(record: _Owned) -> Fields:
    """``sub_mchid`` of a record that a partner created; no field for a merchant's own record."""
    return {"sub_mchid": record.mchid} if record.caller != record.mchid else {}
