"""Compares a signed and verified call with other clients: CPU time, rate, and delay of other tasks in the event loop.

The server and each client run in processes of their own, and the server needs almost no CPU. The clients are measured
alternately in many short rounds, so that a slow phase of the machine affects all of them. Figures are medians, and
ratios to the "floor", which is the same call written by hand over aiohttp and cryptography.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, Final

from bench.contestants._peers import contestant, original, python, serving

_PYTHON: Final = ("floor", "ours", "wechatpayv3_async")
_IN_FLIGHT: Final = (1, 10, 100)


def run(*, quick: bool) -> dict[str, Any]:
    """``{"cores", "python", contestants: {name: {in flight: figures}}, "ratios": …}``"""
    rounds, calls = (5, 300) if quick else (15, 1000)
    figures: dict[str, dict[int, list[Mapping[str, float]]]] = {}
    with ExitStack() as stack:
        config = stack.enter_context(serving())
        contestants = {name: stack.enter_context(contestant(python(name), config)) for name in _PYTHON}
        node, packages = original()
        contestants["original"] = stack.enter_context(contestant(node, config, packages))
        for ask in contestants.values():
            ask({"in_flight": 10, "calls": 200})  # warms up connections, caches and the JIT compiler of Node.js
        for in_flight in _IN_FLIGHT:
            for _ in range(rounds):
                for name, ask in contestants.items():
                    # Other clients are slower, so fewer calls take the same time.
                    number = calls if name in ("floor", "ours") else calls // 3
                    order = {"in_flight": in_flight, "calls": number}
                    result = {**ask(order), "calls": number}
                    if name == "ours":
                        # Measured separately, since the observer wakes up the loop each millisecond.
                        observed = ask({**order, "observe": True})
                        result |= {what: seconds for what, seconds in observed.items() if what.startswith("late")}
                    figures.setdefault(name, {}).setdefault(in_flight, []).append(result)
    table = {
        name: {str(in_flight): _summary(results) for in_flight, results in by_load.items()}
        for name, by_load in figures.items()
    }
    _show(table)
    return {"contestants": table, "ratios": _ratios(table)}


def _summary(results: list[Mapping[str, float]]) -> dict[str, float]:
    summary = {
        "cpu_us": round(statistics.median(one["cpu_s"] / one["calls"] for one in results) * 1e6, 1),
        "calls_per_s": round(statistics.median(one["calls"] / one["wall_s"] for one in results), 1),
        "rss_mb": round(max(one["rss_kb"] for one in results) / 1024, 1),
    }
    for name in ("late_p50_ms", "late_p99_ms"):
        if name in results[0]:
            summary[name] = round(statistics.median(one[name] for one in results), 2)
    return summary


def _ratios(table: Mapping[str, Mapping[str, Mapping[str, float]]]) -> dict[str, dict[str, float]]:
    ratios = {}
    for in_flight, ours in table["ours"].items():
        floor = table["floor"][in_flight]
        ratios[in_flight] = {
            "cpu_to_floor": round(ours["cpu_us"] / floor["cpu_us"], 3),
            "own_us": round(ours["cpu_us"] - floor["cpu_us"], 1),
            "rate_to_floor": round(ours["calls_per_s"] / floor["calls_per_s"], 3),
            "rate_to_wechatpayv3": round(ours["calls_per_s"] / table["wechatpayv3_async"][in_flight]["calls_per_s"], 2),
            "rate_to_original": round(ours["calls_per_s"] / table["original"][in_flight]["calls_per_s"], 2),
        }
    return ratios


def _show(table: Mapping[str, Mapping[str, Mapping[str, float]]]) -> None:
    print(f"{'':20} {'in flight':>9} {'CPU µs':>8} {'calls/s':>8} {'late p99 ms':>12}")
    for name, by_load in table.items():
        for in_flight, figures in by_load.items():
            late = figures.get("late_p99_ms", "")
            print(f"{name:20} {in_flight:>9} {figures['cpu_us']:>8} {figures['calls_per_s']:>8} {late:>12}")
