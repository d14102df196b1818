"""Measures startup: the import, the first use of a product, preloading all products, and checking specs and types.

``import_own_ms`` is the import after all dependencies were imported, ``import_total_ms`` the import including them.
Memory figures are the growth of the process. ``first_touch_ms`` is over all spec files, in processes that have loaded
another file before, since the very first one also loads the reader. ``mypy_s`` and ``pyright_s`` are the times to check
a small program without a cache.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

from bench._probe import medians, run_python
from bench._typing import seconds as typing_seconds

_DEPENDENCIES = """
import aiohttp, attrs, yaml, yarl
import cryptography.hazmat.primitives.asymmetric.rsa, cryptography.hazmat.primitives.ciphers.aead
import cryptography.hazmat.primitives.serialization.pkcs12, cryptography.x509
"""

_CLOCK = "import time\nbegun = time.perf_counter()\n{what}\nprint((time.perf_counter() - begun) * 1000)\n"

#: Resident memory of this process in MB; Linux only, as the figures are.
_MEMORY = """
import gc, os
def resident():
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
before = resident()
{what}
print(resident() - before)
"""

_TOUCH = """
import json, time
from wxpay_dsl.client import tree
files = tree().files
files[0].product()
times = []
for file in files[1:]:
    begun = time.perf_counter()
    file.product()
    times.append((time.perf_counter() - begun) * 1000)
print(json.dumps(times))
"""

_CHECK = """
import time
begun = time.perf_counter()
from wxpay_dsl.cli.program import run
code = run(["spec", "check"])
assert code in (0, 1), code
print(time.perf_counter() - begun)
"""

_LOADED = "from wxpay_dsl import wxpay\nfrom wxpay_dsl.core.specs import loader\n"


def run(quick: bool) -> dict[str, Any]:  # noqa: FBT001 (every measure's signature)
    """Figures in the unit that ends their name (ms, mb, s): medians over processes that run alternately."""
    run_python("import wxpay_dsl; print(0)")  # builds the index if necessary
    rounds = 5 if quick else 15
    found = medians(
        {
            "import_own_ms": _DEPENDENCIES + _CLOCK.format(what="import wxpay_dsl"),
            "import_total_ms": _CLOCK.format(what="import wxpay_dsl"),
            "import_rss_mb": _DEPENDENCIES + _MEMORY.format(what="import wxpay_dsl"),
        },
        rounds,
    )
    found |= medians(
        {
            "preload_ms": _LOADED + _CLOCK.format(what="wxpay.preload()"),
            "preload_rss_mb": _LOADED + _MEMORY.format(what="wxpay.preload()"),
            "check_s": _CHECK,
        },
        3 if quick else 5,
    )
    touches = [run_python(_TOUCH) for _ in range(3 if quick else 7)]
    by_file = [statistics.median(times) for times in zip(*touches, strict=True)]
    found |= typing_seconds(1 if quick else 3)
    return {
        **{name: round(value, 3) for name, value in found.items()},
        "first_touch_ms": {"median": round(statistics.median(by_file), 3), "worst": round(max(by_file), 3)},
        "measured": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
