"""One signed and verified call, beside the peers: CPU, rate, and how late other tasks of the loop become.

Each contestant is a process of its own and so is the server, which costs next to nothing; they take turns, many short
ones, so that the machine's moods strike all alike. Medians, and ratios to the floor, a call written by hand.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bench.contestants.server import PUBLIC_KEY_ID

_HERE: Final = Path(__file__).parent
_PACKAGES: Final = _HERE.parent / "tests" / "interop"
_DATA: Final = {
    "appid": "wx8888888888888888",
    "openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o",
    "plan_id": "12535",
    "user_id": "20190011",
    "period_start_date": "2026-03-19",
    "trade_scene": "EDUCATION_PERIOD",
}
_PYTHON: Final = ("floor", "ours", "wechatpayv3_async")
_IN_FLIGHT: Final = (1, 10, 100)


def run(*, quick: bool) -> dict[str, Any]:
    """``{"cores", "python", contestants: {name: {in flight: figures}}, "ratios": …}``"""
    rounds, calls = (5, 300) if quick else (15, 1000)
    figures: dict[str, dict[int, list[Mapping[str, float]]]] = {}
    with ExitStack() as stack:
        told = stack.enter_context(_server())
        contestants = {name: stack.enter_context(_contestant(_command(name), told)) for name in _PYTHON}
        contestants["original"] = stack.enter_context(_contestant(_node(), told, str(_PACKAGES)))
        for ask in contestants.values():
            ask({"in_flight": 10, "calls": 200})  # connections, caches, the compiler of the original
        for in_flight in _IN_FLIGHT:
            for _ in range(rounds):
                for name, ask in contestants.items():
                    # Peers are slower: fewer of their calls say as much.
                    number = calls if name in ("floor", "ours") else calls // 3
                    order = {"in_flight": in_flight, "calls": number, "observe": name == "ours"}
                    result = {**ask(order), "calls": number}
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


def _command(name: str) -> list[str]:
    return [sys.executable, "-m", f"bench.contestants.{name}"]


def _node() -> list[str]:
    if not (_PACKAGES / "node_modules").is_dir():
        raise SystemExit(f"the original is missing: npm ci --prefix {_PACKAGES}")
    return ["node", str(_HERE / "contestants" / "original.mjs")]


@contextmanager
def _server() -> Iterator[dict[str, Any]]:
    key = rsa.generate_private_key(65537, 2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    command = [sys.executable, "-m", "bench.contestants.server"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        served = json.loads(server.stdout.readline())
        try:
            yield {
                "base_url": f"http://127.0.0.1:{served['port']}",
                "public_key": served["public_key"],
                "public_key_id": PUBLIC_KEY_ID,
                "mchid": "1900000109",
                "serial": "408B07E79B8269FEC3D5D3E6AB8ED163A6A380DB",
                "private_key": private.decode(),
                "data": _DATA,
            }
        finally:
            server.kill()


@contextmanager
def _contestant(command: list[str], told: Mapping[str, Any], *arguments: str) -> Iterator[Any]:
    whole = [*command, json.dumps(told), *arguments]
    with subprocess.Popen(whole, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:

        def ask(order: Mapping[str, Any]) -> dict[str, float]:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(order) + "\n")
            process.stdin.flush()
            answer = process.stdout.readline()
            if not answer:
                raise SystemExit(f"{command[-1]} ended: {process.wait()}")
            result: dict[str, float] = json.loads(answer)
            return result

        try:
            yield ask
        finally:
            process.kill()
