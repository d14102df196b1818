"""Measures building one request before it is signed: sorting, validating and encoding the fields of presign.

``validate_encode_us`` is the mean CPU time in microseconds in the best of several runs.
"""

from __future__ import annotations

import time
from typing import Any

from bench.contestants._peers import PRESIGN


def run(quick: bool) -> dict[str, Any]:  # noqa: FBT001 (every measure's signature)
    """``{"validate_encode_us": …}``"""
    from wxpay_dsl.client import tree
    from wxpay_dsl.core.chain.node import Target
    from wxpay_dsl.core.request.build import build, collect
    from wxpay_dsl.core.request.plan import plan_of
    from wxpay_dsl.wechat.chains import BASE_URL
    from wxpay_dsl.wechat.v3.dialect import v3

    segments = ("v3", "edu-papay", "contracts", "presign")
    branch = tree().find(segments)
    if branch is None:
        raise LookupError("no spec declares presign")
    declared = branch.verbs["post"]
    target = Target("post", segments, declared, {})
    dialect = v3()
    calls = 200 if quick else 1000

    def once() -> None:
        plan = plan_of(declared.operation())
        build(target, plan, collect(target, plan, None, PRESIGN), dialect, BASE_URL, True, set())

    once()
    best = float("inf")
    for _ in range(5 if quick else 15):
        begun = time.perf_counter()
        for _ in range(calls):
            once()
        best = min(best, (time.perf_counter() - begun) / calls)
    return {"validate_encode_us": round(best * 1e6, 2)}
