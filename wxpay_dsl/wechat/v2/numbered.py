"""Numbered fields of APIv2: ``coupon_id_0``, ``coupon_id_1`` … as the list that they mean.

A spec declares such a field with the documentation's own name, ``coupon_id_$n``, or ``coupon_refund_fee_$n_$m`` for a
list of lists.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from attrs import field, frozen

from wxpay_dsl.core.specs.memo import memo
from wxpay_dsl.core.specs.model import Schema

__all__ = ["Numbered", "collect", "numbered"]

_PLACEHOLDER: Final = re.compile(r"\\\$[a-z]")
#: Numbers count from 0, without leading zeros; no answer has more than some hundreds.
_NUMBER: Final = "(0|[1-9][0-9]{0,4})"


@frozen
class Numbered:
    """A field that comes with a number, or several, at its end."""

    #: As declared: ``coupon_id_$n``.
    name: str
    schema: Schema
    pattern: re.Pattern[str] = field(repr=False)

    def position(self, name: str) -> tuple[int, ...] | None:
        """The numbers in a field's name, ``(0, 2)`` of ``coupon_refund_fee_0_2``; None where it is another field."""
        found = self.pattern.fullmatch(name)
        return tuple(map(int, found.groups())) if found else None


@memo
def numbered(schema: Schema) -> tuple[Numbered, ...]:
    """The numbered fields that an object declares."""
    return tuple(
        Numbered(name, below, re.compile(_PLACEHOLDER.sub(_NUMBER, re.escape(name))))
        for name, below in schema.properties.items()
        if "$" in name
    )


def collect(fields: Mapping[str, Any], schema: Schema) -> dict[str, list[Any]]:
    """``{"coupon_id_$n": […], …}`` of all numbered fields that ``schema`` declares, empty where there are none.

    Positions go by the numbers that occur in any of them, so that the lists of one answer are of one length and belong
    together item by item; what one of them lacks is None.
    """
    declared = numbered(schema)
    values: dict[str, dict[tuple[int, ...], Any]] = {each.name: {} for each in declared}
    for name, value in fields.items():
        for each in declared:
            position = each.position(name)
            if position is not None:
                values[each.name][position] = value
                break
    #: By the numbers before it, all that occur at a place.
    occurring: dict[tuple[int, ...], set[int]] = {}
    for found in values.values():
        for position in found:
            for depth, number in enumerate(position):
                occurring.setdefault(position[:depth], set()).add(number)

    def listed(found: Mapping[tuple[int, ...], Any], depth: int, before: tuple[int, ...] = ()) -> list[Any]:
        numbers = sorted(occurring.get(before, ()))
        if len(before) + 1 == depth:
            return [found.get((*before, number)) for number in numbers]
        return [listed(found, depth, (*before, number)) for number in numbers]

    return {each.name: listed(values[each.name], each.pattern.groups) for each in declared}
