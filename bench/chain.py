"""Measures the attribute chain: names that were used before, new names, and a new undeclared path.

``attribute_ns`` is one step of ``wxpay.v3.eduPapay…`` that was used before, ``first_attribute_us`` a new one;
``aim_us`` is resolving a chain to its operation, which happens once; ``undeclared_us`` is a new chain of four names
that no spec declares, including its resolution.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from wxpay_dsl import Wechatpay
from wxpay_dsl.core.chain.node import Node, Target, node_target


def run(quick: bool) -> dict[str, Any]:  # noqa: FBT001 (every measure's signature)
    """``{"attribute_ns", "first_attribute_us", "aim_us", "undeclared_us", "operations"}``"""
    rounds = 20 if quick else 100
    known = Wechatpay.from_environment()
    known.preload()
    node = known["v3"].eduPapay

    def walked() -> None:
        for _ in range(1000):
            _ = node.contracts.presign.post

    steps = [_seconds(walked) / 3000 for _ in range(rounds)]
    first, aims, undeclared = [], [], []
    operations = [operation for file in known.tree.files for operation in file.product().operations.values()]
    for number in range(rounds):
        operation = operations[number * 37 % len(operations)]
        chain = Wechatpay.from_environment()["v3"] if operation.chain[0] != "v2" else Wechatpay.from_environment()["v2"]
        names = operation.chain[1:]
        begun = time.perf_counter()
        for name in names:
            chain = getattr(chain, name) if name.isidentifier() else chain[name]
        first.append((time.perf_counter() - begun) / len(names))
        aims.append(_seconds(partial(node_target, getattr(chain, operation.verb))))
        undeclared.append(_seconds(partial(_undeclared, Wechatpay.from_environment()["v3"])))
    return {
        "attribute_ns": round(statistics.median(steps) * 1e9),
        "first_attribute_us": round(statistics.median(first) * 1e6, 2),
        "aim_us": round(statistics.median(aims) * 1e6, 2),
        "undeclared_us": round(statistics.median(undeclared) * 1e6, 2),
        "operations": len(operations),
    }


def _undeclared(start: Node) -> Target:
    return node_target(start.nobody.declared.this.post)


def _seconds(step: Callable[[], object]) -> float:
    begun = time.perf_counter()
    step()
    return time.perf_counter() - begun
