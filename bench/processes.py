"""Measures how the rate of calls grows with the number of client processes.

Each process makes calls, ten in flight, to a server process of its own; all start together. ``calls_per_s`` is the
total rate, ``cpu_us`` the median CPU time of a call in the clients, ``of_one`` the rate divided by that of a single
process. The servers need cores too, so the rate stops growing before there are as many clients as cores.
"""

from __future__ import annotations

import os
import statistics
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

from bench.contestants._peers import Ask, contestant, python, serving


def run(quick: bool) -> dict[str, Any]:  # noqa: FBT001 (every measure's signature)
    """``{"cores", "processes": {number: {"calls_per_s", "cpu_us", "of_one"}}}``"""
    cores = os.cpu_count() or 1
    numbers: list[int] = [1, 2] if quick else sorted({1, 2, cores, 2 * cores})
    rounds, calls = (3, 500) if quick else (9, 2000)
    results: dict[int, list[tuple[float, float]]] = {number: [] for number in numbers}
    with ExitStack() as stack, ThreadPoolExecutor(max(numbers)) as threads:
        asks: list[Ask] = []
        for _ in range(max(numbers)):
            config = stack.enter_context(serving())
            asks.append(stack.enter_context(contestant(python("ours"), config)))
            asks[-1]({"in_flight": 10, "calls": 200})
        for _ in range(rounds):
            for number in numbers:
                order = {"in_flight": 10, "calls": calls}
                told_by = list(threads.map(lambda ask, order=order: ask(order), asks[:number]))
                slowest = max(each["wall_s"] for each in told_by)
                cpu = statistics.median(each["cpu_s"] / calls for each in told_by)
                results[number].append((number * calls / slowest, cpu * 1e6))
    rates = {number: statistics.median(rate for rate, _ in found) for number, found in results.items()}
    return {
        "cores": cores,
        "processes": {
            str(number): {
                "calls_per_s": round(rates[number]),
                "cpu_us": round(statistics.median(cpu for _, cpu in found), 1),
                "of_one": round(rates[number] / rates[1], 2),
            }
            for number, found in results.items()
        },
    }
