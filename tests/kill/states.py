"""What the shared state of the kill test is configured with, and what its reloads change to and fro."""

from __future__ import annotations

# Pools that hot workers go round on. No node is ever out of reach: a pick that finds none is somebody's mistake.
POOLS = ("plain", "guarded", "weighted")
PICKS_MAX = 1024

STRATEGIES = {
    "plain": ("p2c", "least_request", "random", "{name: maglev, table_size: 251}", "{name: ring_hash, points: 512}"),
    "guarded": ("least_request", "peak_ewma", "p2c"),
    "weighted": ("weighted_round_robin", "round_robin"),
}
RULES = {
    "plain": "health: {passive: false}, quotas: [{dimension: rpm, limit: 4000000000}], max_in_flight: 2000",
    # Nodes trip and come back all the time, and none is given up while all the others are.
    "guarded": "health: {failure_threshold: 2, probe_interval_ms: 5}, breaker: {consecutive_failures: 2, open_ms: 5},"
    " panic: {mode: spread}, slow_start: {duration_ms: 20}, lease_timeout_ms: 600000",
    "weighted": "health: {passive: false}, stats: {latency: nodes}, lease_timeout_ms: 600000",
}


def document(variant: int) -> str:
    """One of many documents: other nodes, weights and strategies for each number, the same pools and bounds."""
    lines = ["pools:"]
    for number, pool in enumerate(POOLS):
        strategies = STRATEGIES[pool]
        first = (variant + number) % 5
        nodes = ", ".join(f"{{id: n{i}, weight: {1 + (variant + i) % 4}}}" for i in range(first, first + 6))
        lines.append(
            f"  {pool}: {{strategy: {strategies[variant % len(strategies)]}, {RULES[pool]}, nodes: [{nodes}],"
            f" limits: {{max_nodes: 32, max_picks: {PICKS_MAX}, max_table_size: 251}}}}"
        )
    return "\n".join(lines) + "\n"


# The one that is in all documents.
ALWAYS = "n4"


def shared(path: str) -> str:
    """The first document, which makes the state at a path."""
    return f"shared: {{path: '{path}', max_processes: 32}}\n" + document(0)
