"""The declaration of a table: its name in the file, the class of its records, its key and its indexes."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any, Generic, Protocol, TypeVar, overload

import attrs

from .store import Store, Table

__all__ = ["TableField"]

T = TypeVar("T", bound=attrs.AttrsInstance)

_DOMAIN = "wxpay_dsl.sandbox.domain"


class _HasStore(Protocol):
    store: Store


class TableField(Generic[T]):
    """Declares a table as an attribute of a class that has a ``store``.

    The table is made, and the module of its records imported, when the attribute is first read; so a sandbox starts
    without importing all of them. ``record`` is the module in ``domain`` and the class, such as ``refunds.Refund``;
    ``key`` and ``indexes`` are names of fields of that class.
    """

    def __init__(self, name: str, record: str, *, key: Sequence[str], indexes: Sequence[str] = ()) -> None:
        self.name = name
        self.record = record
        self.key = tuple(key)
        self.indexes = tuple(indexes)
        self._attribute = name

    def __set_name__(self, owner: type[Any], name: str) -> None:
        self._attribute = name

    @overload
    def __get__(self, instance: None, owner: type[Any]) -> TableField[T]: ...
    @overload
    def __get__(self, instance: _HasStore, owner: type[Any]) -> Table[T]: ...
    def __get__(self, instance: _HasStore | None, owner: type[Any]) -> TableField[T] | Table[T]:
        if instance is None:
            return self
        module, _, name = self.record.rpartition(".")
        record: type[T] = getattr(import_module(f"{_DOMAIN}.{module}"), name)
        table = instance.store.table(self.name, record, key=self.key, indexes=self.indexes)
        # Python finds the table in the instance's dictionary from now on, without this method.
        vars(instance)[self._attribute] = table
        return table
