"""What a pick costs from Python, beside an empty call and what people use instead. Prints JSON, nanoseconds an operation.

loadwise must be installed with its floor: pip install ./bindings-python -C build-args="--features bench"; and uhashring.
`make bench-python-env` does both into build/python-bench. QUICK=1 takes a tenth of the time.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import sys
import timeit
from typing import Any

import loadwise
from loadwise import _loadwise

ROUNDS, CALLS = 40 if os.environ.get("QUICK") else 300, 2_000


def main() -> None:
    try:
        floor = _loadwise.Floor()
        from uhashring import HashRing
    except (AttributeError, ImportError) as e:
        sys.exit(f"{e}: see the head of {__file__}")
    figures: list[tuple[str, int, timeit.Timer]] = [("empty PyO3 method", 0, timer("floor.call()", floor=floor))]
    for n in (3, 1000):
        nodes = [f"10.0.{i // 256}.{i % 256}:8080" for i in range(n)]
        pool, keyed, ring = loadwise.Pool(nodes), loadwise.Pool(nodes, strategy="ring_hash"), HashRing(nodes)
        figures += [
            ("acquire + release", n, timer("pool.release(pool.acquire())", pool=pool)),
            ("with pick", n, timer("with pool.pick(): pass", pool=pool)),
            ("pick in a with block, address read", n, timer("with pool.pick() as p: p.address", pool=pool)),
            ("pick by key, ring_hash, address read", n, timer("pool.pick(key='user-17').address", pool=keyed)),
            ("random.choice", n, timer("choice(nodes)", choice=random.choice, nodes=nodes)),
            ("uhashring get_node", n, timer("ring.get_node('user-17')", ring=ring)),
        ]
    # Round by round and in short runs, so that a noisy moment meets all alike and spoils few.
    rounds = [[once(each) for _, _, each in figures] for _ in range(ROUNDS)]
    results = [result(what, n, column) for (what, n, _), column in zip(figures, zip(*rounds))]
    json.dump({"python": sys.version.split()[0], "results": results}, sys.stdout, indent=1)
    print()


def once(each: timeit.Timer) -> float:
    each.timeit(CALLS)  # so that the caches hold what this one needs, not what the one before needed
    return each.timeit(CALLS) / CALLS * 1e9


def timer(statement: str, **names: Any) -> timeit.Timer:
    return timeit.Timer(statement, globals=names)


def result(what: str, n: int, samples: tuple[float, ...]) -> dict[str, Any]:
    median = statistics.median(samples)
    spread = statistics.median(abs(s - median) for s in samples)
    return {"what": what, "n": n, "ns": round(median, 1), "spread": round(spread, 1)}


if __name__ == "__main__":
    main()
