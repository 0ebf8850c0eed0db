"""Both metrics texts, read by the parsers of prometheus_client, say what the stats say.

    python tests/metrics/check.py          needs the package prometheus_client

Prints a line a check: `ok NAME` or `FAIL NAME: why`.
"""

import json
import math
import os
import subprocess
import sys
from collections import Counter

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_prometheus

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
HEALTH = ["healthy", "degraded", "unhealthy", "recovering"]
BREAKER = {"closed": 0, "open": 1, "half_open": 2}
# Loads that JSON cannot say; see the example.
LOADS = {0: math.nan, 1: math.inf, 2: -math.inf}


def example(form):
    command = ["cargo", "run", "-q", "--locked", "-p", "loadwise", "--example", "metrics", "--", form]
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout.decode()


def series(families):
    """{(sample name, labels): value}; raises if one stands twice."""
    found = [((s.name, frozenset(s.labels.items())), s.value) for family in families for s in family.samples]
    twice = [key for key, count in Counter(key for key, _ in found).items() if count > 1]
    if twice:
        raise ValueError(f"series that stand twice: {twice[:3]}")
    return dict(found)


def expected(pools):
    """The same from the stats as data."""
    out = {}

    def put(sample, value, /, **labels):
        if value is not None:
            out[(sample, frozenset(labels.items()))] = value

    def seconds(ms):
        return None if ms is None else ms / 1e3

    def latencies(prefix, latency, labels):
        if latency and latency["count"]:
            for quantile, key in (("0.5", "p50_ms"), ("0.95", "p95_ms"), ("0.99", "p99_ms")):
                put(f"{prefix}_latency_seconds", seconds(latency[key]), quantile=quantile, **labels)
            put(f"{prefix}_latency_mean_seconds", seconds(latency["mean_ms"]), **labels)

    for pool in pools:
        labels = {"pool": pool["name"]}
        p = "loadwise_pool"
        put(f"{p}_info", 1, strategy=pool["strategy"], **labels)
        put(f"{p}_nodes", len(pool["nodes"]), **labels)
        put(f"{p}_available_nodes", pool["available"], **labels)
        put(f"{p}_in_flight_limit", pool["max_in_flight"] or None, **labels)
        for key in ("config_version", "processes", "panic", "in_flight", "waiting", "tier", "affinity_entries"):
            put(f"{p}_{key}", pool[key], **labels)
        for key in (
            "selections", "successes", "rate_limited", "cancelled", "leases_expired", "wait_timeouts",
            "queue_refusals", "retries", "retries_denied", "failovers", "probes", "probe_timeouts",
        ):
            put(f"{p}_{key}_total", pool[key], **labels)
        for kind, count in pool["failures_by_kind"].items():
            put(f"{p}_failures_total", count, kind=kind, **labels)
        for reason, count in pool["no_node"].items():
            put(f"{p}_no_node_total", count, reason=reason, **labels)
        for tier, share in enumerate(pool["tier_shares"]):
            put(f"{p}_tier_share_ratio", share, tier=str(tier), **labels)
        if pool["last_failover_ns"] is not None:
            age = (pool["now_ns"] - pool["last_failover_ns"]) / 1e9
            put(f"{p}_last_failover_age_seconds", age, **labels)
        latencies(p, pool["latency"], labels)
        if histogram := pool["latency_histogram"]:
            h = f"{p}_request_duration_seconds"
            for bucket in histogram["buckets"]:
                put(f"{h}_bucket", bucket["count"], le=str(seconds(bucket["le_ms"])), **labels)
            put(f"{h}_bucket", histogram["count"], le="+Inf", **labels)
            put(f"{h}_count", histogram["count"], **labels)
            put(f"{h}_sum", seconds(histogram["sum_ms"]), **labels)

        for i, node in enumerate(pool["nodes"]):
            labels = {"pool": pool["name"], "node": node["id"]}
            n = "loadwise_node"
            put(f"{n}_info", 1, address=node["address"], name=node["name"], zone=node["zone"], **labels)
            for state in HEALTH:
                put(f"{n}_health", node["health"] == state, state=state, **labels)
            put(f"{n}_breaker_state", BREAKER[node["breaker"]], **labels)
            put(f"{n}_success_ratio", node["success_rate"], **labels)
            put(f"{n}_warmup_ratio", node["warming"], **labels)
            put(f"{n}_in_flight_limit", node["max_in_flight"] or None, **labels)
            put(f"{n}_latency_average_seconds", seconds(node["latency_ewma_ms"]), **labels)
            put(f"{n}_load", LOADS.get(i, node["load"]), **labels)
            for key in ("weight", "tier", "available", "ejected", "draining", "in_flight", "remaining_ratio"):
                put(f"{n}_{key}", node[key], **labels)
            for key in (
                "health_transitions", "breaker_opens", "ejections", "selections", "successes", "rate_limited",
                "cancelled", "probes",
            ):
                put(f"{n}_{key}_total", node[key], **labels)
            for kind, count in node["failures_by_kind"].items():
                put(f"{n}_failures_total", count, kind=kind, **labels)
            for result in ("ok", "failed"):
                put(f"{n}_checks_total", node[f"checks_{result}"], result=result, **labels)
            for quota in node["quotas"]:
                of = {"dimension": quota["dimension"], **labels}
                put(f"{n}_quota_used", quota["used"], **of)
                put(f"{n}_quota_limit", quota["limit"], **of)
                put(f"{n}_quota_used_ratio", quota["used"] / quota["limit"], **of)
            latencies(n, node["latency"], labels)
    return out


def same(a, b):
    return a == b or (math.isnan(a) and math.isnan(b))


def check_values(text, parse, pools):
    got, want = series(parse(text)), expected(pools)
    missing, unexpected = want.keys() - got.keys(), got.keys() - want.keys()
    assert not missing, f"{len(missing)} series are missing, as {next(iter(missing))}"
    assert not unexpected, f"{len(unexpected)} series are not in the stats, as {next(iter(unexpected))}"
    wrong = {key: (got[key], want[key]) for key in want if not same(got[key], want[key])}
    assert not wrong, f"{len(wrong)} values differ, as {next(iter(wrong.items()))}"
    assert len(want) > 600, f"only {len(want)} series: what was there to check?"


def check_types(prometheus, openmetrics):
    """prometheus_client strips `_total` in both; what Prometheus calls a gauge `x_info` is an info `x` in OpenMetrics."""
    old = {f.name: (f.type, f.documentation) for f in parse_prometheus(prometheus)}
    new = {}
    for f in parse_openmetrics(openmetrics):
        name, kind = (f"{f.name}_info", "gauge") if f.type == "info" else (f.name, f.type)
        new[name] = (kind, f.documentation)
        for unit in ("seconds", "ratio"):
            assert (f.unit == unit) == f.name.endswith(f"_{unit}"), f"{f.name} has the unit {f.unit!r}"
    assert old == new, f"the texts describe other families: {old.items() ^ new.items()}"
    assert {kind for kind, _ in old.values()} == {"counter", "gauge", "histogram", "summary"}, "a kind is missing"


def main():
    prometheus, openmetrics, pools = example("prometheus"), example("openmetrics"), json.loads(example("json"))
    checks = {
        "prometheus text": lambda: check_values(prometheus, parse_prometheus, pools),
        "openmetrics text": lambda: check_values(openmetrics, parse_openmetrics, pools),
        "families": lambda: check_types(prometheus, openmetrics),
    }
    failed = 0
    for name, check in checks.items():
        try:
            check()
            print("ok", name)
        except Exception as e:
            failed += 1
            print(f"FAIL {name}: {type(e).__name__}: {e}")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
