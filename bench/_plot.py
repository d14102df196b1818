"""Draws the results for the documentation: rate and CPU cost compared with other clients, and several processes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt

__all__ = ["plot"]

_NAMES: Final = {
    "floor": "aiohttp + cryptography",
    "ours": "wxpay_dsl",
    "wechatpayv3_async": "wechatpayv3",
    "original": "wechatpay-axios-plugin",
}
_COLOURS: Final = {"floor": "#9aa5b1", "ours": "#07c160", "wechatpayv3_async": "#d08770", "original": "#e0b64c"}


def plot(report: Mapping[str, Any], file: Path) -> None:
    """Writes the SVG. Raises KeyError for a report that lacks a benchmark."""
    table = report["measures"]["calls"]["contestants"]
    scaling = report["measures"]["processes"]["processes"]
    # A fixed salt makes the SVG reproducible.
    mpl.rcParams.update({"svg.hashsalt": "wxpay_dsl", "font.size": 9})
    figure, (rate, cost, processes) = plt.subplots(1, 3, figsize=(12, 3.8), layout="constrained")
    loads = list(table["ours"])
    for place, (name, title) in enumerate(_NAMES.items()):
        at = [index + (place - 1.5) * 0.2 for index in range(len(loads))]
        rate.bar(at, [table[name][load]["calls_per_s"] for load in loads], 0.18, label=title, color=_COLOURS[name])
        cost.bar(at, [table[name][load]["cpu_us"] for load in loads], 0.18, color=_COLOURS[name])
    for axes, title in ((rate, "calls per second"), (cost, "CPU per call, µs")):
        axes.set_title(title)
        axes.set_xticks(range(len(loads)), [f"{load} in flight" for load in loads])
        axes.spines[["top", "right"]].set_visible(False)
    figure.legend(*rate.get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    numbers = [int(number) for number in scaling]
    processes.plot(numbers, [each["calls_per_s"] for each in scaling.values()], "o-", color=_COLOURS["ours"])
    processes.set_title(f"calls per second by processes, {report['machine']['cores']} cores")
    processes.set_xticks(numbers)
    processes.set_ylim(0)
    processes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)
