"""The long campaign: runs programs that are killed repeatedly, and compares the records of both sides.

    nice python -m tests.faults [ROUND …] [--rounds 20] [--kills 12] [--seed N]

``ROUND`` is one of ``payments notifications-sqlite notifications-redis bulk bulk-once downloads``, all of them where
none is given. Prints what was killed, done and wrong. A round can be had again by its seed, though not
to the instant. Ends with 1 where any books did not agree.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter

from tests.faults.killing import ROUNDS


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Kills what it runs, at random points, and compares the books.")
    parser.add_argument("round", nargs="*", choices=[*ROUNDS, []], help="what to run; all of them where none is named")
    parser.add_argument("--rounds", type=int, default=20, help="how often each is run")
    parser.add_argument("--kills", type=int, default=12, help="how often something is killed in each")
    parser.add_argument(
        "--seed", type=int, default=None, help="of the first round; the next ones have the next numbers"
    )
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10**6)
    kills: Counter[str] = Counter()
    done: Counter[str] = Counter()
    wrong = 0
    for number in range(options.rounds):
        for name in options.round or ROUNDS:
            begun = time.monotonic()
            outcome = ROUNDS[name](random.Random(seed + number), options.kills)  # noqa: S311 (nothing secret)
            kills.update({f"{name}: {victim}": times for victim, times in outcome.kills.items()})
            done.update({f"{name}: {what}": times for what, times in outcome.done.items()})
            wrong += len(outcome.wrong)
            told = {"round": name, "seed": seed + number, "kills": outcome.kills, "done": outcome.done}
            told |= {"wrong": outcome.wrong, "seconds": round(time.monotonic() - begun, 1)}
            sys.stdout.write(f"{json.dumps(told, ensure_ascii=False)}\n")
            sys.stdout.flush()
    total = {"kills": kills.total(), "wrong": wrong, "by kill": kills, "by kind": done}
    sys.stdout.write(f"{json.dumps(total, ensure_ascii=False, indent=1)}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
