"""nginx with loadwise beside nginx with its own methods, in one run: `make bench-nginx` writes RESULTS.md.

What a decision costs is measured on one worker that has a processor for itself, before servers that answer at once: a figure
is the median of rounds in each of which every method had its turn. What a decision is worth is measured before servers of
which one is slow and one fails."""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1] / "tests" / part) for part in ("nginx", "sockets")]

from proxy import Nginx  # noqa: E402
from servers import until  # noqa: E402

# By the name of the location: what stands in the upstream.
OWN = {"round_robin": "", "least_conn": "least_conn;", "random_two": "random two least_conn;"}
LOADWISE = {"round_robin": "weighted_round_robin", "least_conn": "least_request", "random_two": "p2c"}
UNEVEN_LOADWISE = {"p2c": "p2c", "least_request": "least_request", "peak_ewma": "peak_ewma"}
WORDS = {"round_robin": "weighted round robin", "least_conn": "`least_conn`", "random_two": "`random two least_conn`"}
PROXY = """proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering on; access_log off;
keepalive_requests 1000000000; proxy_next_upstream error timeout http_500;"""
PORT = 18080


def wrk(nginx, path, connections, seconds, cpu):
    pinned = ["taskset", "-c", str(cpu)] if cpu is not None else []
    command = [*pinned, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(HERE / "report.lua")]
    out = subprocess.run([*command, f"http://127.0.0.1:{nginx.port}{path}"], capture_output=True, text=True, check=True).stdout
    return json.loads(out.strip().splitlines()[-1])


def cpu_ns(pids):
    """Time that processes have had on a processor."""
    return sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for pid in pids)


def upstreams(servers, methods):
    """An upstream and a location for each method."""
    lines = "\n".join(f"server {server};" for server in servers)
    http = "\n".join(f"upstream {name} {{\n{text}\n{lines}\nkeepalive {max(64, len(servers))};\n}}" for name, text in methods.items())
    server = PROXY + "\n".join(f"location = {path(methods, name)} {{ proxy_pass http://{name}; }}" for name in methods)
    return http, server


def path(methods, name):
    """As long for one method as for the other: nginx reads and sends it."""
    return f"/{list(methods).index(name):02}"


class Backend:
    def __init__(self, binary, *groups, cpu=None):
        pinned = ["taskset", "-c", str(cpu)] if cpu is not None else []
        self.process = subprocess.Popen([*pinned, binary, *map(str, sum(groups, ()))], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def run(folder, http, server, workers, main=""):
    folder.mkdir()
    main += "worker_rlimit_nofile 65536;"
    proxy = Nginx(folder, http, server, workers=workers, main=main, listen="reuseport", share=False)
    config = (folder / "nginx.conf").read_text()
    (folder / "nginx.conf").write_text(config.replace("worker_connections 1024", "worker_connections 32768").replace(" info;", " error;"))
    return proxy.start()


def cost(binary, folder, count, rounds, seconds):
    """Requests a second, p99 and time of the worker, of each method before `count` servers."""
    servers = [f"127.0.{1 + i // 250}.{1 + i % 250}:{PORT}" for i in range(count)]
    methods = dict(OWN)
    methods |= {f"{name}_zone": f"{text}\nzone {name} 4m;" for name, text in OWN.items()}
    methods |= {f"{name}_loadwise": f"loadwise strategy={strategy};" for name, strategy in LOADWISE.items()}
    methods |= {f"{name}_shared": f"loadwise strategy={strategy} shared=STATE;" for name, strategy in LOADWISE.items()}
    one, other = (0, 1) if os.cpu_count() > 1 else (None, None)
    groups = [(f"127.0.{1 + at}.1", min(250, count - 250 * at), PORT, 0, 200) for at in range((count + 249) // 250)]
    measured = {name: [] for name in methods}
    with Backend(binary, *groups, cpu=other):
        proxy = run(folder, *upstreams(servers, methods), workers=1, main="worker_cpu_affinity 01;" if one is not None else "")
        try:
            pids = proxy.worker_pids()
            for turn in range(rounds + 1):
                for name in methods:
                    before = cpu_ns(pids)
                    figures = wrk(proxy, path(methods, name), 16, seconds, other)
                    assert figures["failed"] == figures["broken"] == 0, figures
                    figures["cpu_ns"] = (cpu_ns(pids) - before) / figures["requests"]
                    figures["per_s"] = figures["requests"] * 1e6 / figures["duration_us"]
                    if turn > 0:
                        measured[name].append(figures)
        finally:
            proxy.quit()
            proxy.state.unlink(missing_ok=True)
    return measured


def uneven(binary, folder, workers, rounds, seconds):
    """Latencies before five servers: three answer in 5 ms, one in 50 ms, one fails within 1 ms. Eight connections are what
    the fast ones can take while a slow one would answer: with more, asking the slow one, too, is right."""
    config = folder.with_suffix(".yaml")
    # As nginx has it, max_fails=1.
    config.write_text("health: {failure_threshold: 1}")
    loadwise = f"\nloadwise_config {config};"
    groups = [("127.0.1.1", 3, PORT, 5000, 200), ("127.0.1.4", 1, PORT, 50000, 200), ("127.0.1.5", 1, PORT, 1000, 500)]
    servers = [f"127.0.1.{i}:{PORT}" for i in range(1, 6)]
    methods = {name: f"{text}\nzone {name} 1m;" for name, text in OWN.items()}
    methods |= {f"{name}_private": f"loadwise strategy={strategy};{loadwise}" for name, strategy in UNEVEN_LOADWISE.items()}
    methods |= {f"{name}_shared": f"loadwise strategy={strategy} shared=STATE;{loadwise}" for name, strategy in UNEVEN_LOADWISE.items()}
    measured = {name: [] for name in methods}
    with Backend(binary, *groups):
        proxy = run(folder, *upstreams(servers, methods), workers=workers)
        try:
            for turn in range(rounds + 1):
                for name in methods:
                    figures = wrk(proxy, path(methods, name), 8, seconds, None)
                    figures["per_s"] = figures["requests"] * 1e6 / figures["duration_us"]
                    if turn > 0:
                        measured[name].append(figures)
        finally:
            proxy.quit()
            proxy.state.unlink(missing_ok=True)
    return measured


def median(figures, key):
    return statistics.median(one[key] for one in figures)


def ratio(figures, others, key):
    """The median of what it is in each round."""
    return statistics.median(one[key] / other[key] for one, other in zip(figures, others))


def cost_table(measured):
    yield "| method | requests/s | p99, ms | worker, µs a request | requests/s, of nginx's | worker time, of nginx's |"
    yield "|---|---|---|---|---|---|"
    for name in OWN:
        for suffix, words in [("", "nginx"), ("_loadwise", "loadwise"), ("_zone", "nginx, `zone`"), ("_shared", "loadwise, `shared`")]:
            figures, peer = measured[name + suffix], measured[name + {"_loadwise": "", "_shared": "_zone"}.get(suffix, suffix)]
            row = f"| {WORDS[name]}: {words} | {median(figures, 'per_s'):,.0f} | {median(figures, 'p99_us') / 1000:.2f} | {median(figures, 'cpu_ns') / 1000:.1f} |"
            own = suffix in ("", "_zone")
            yield row + (" | |" if own else f" {ratio(figures, peer, 'per_s'):.2f} | {ratio(figures, peer, 'cpu_ns'):.2f} |")


def uneven_table(measured):
    best = min((median(measured[name], "p99_us"), name) for name in OWN)[1]
    yield "| method | requests/s | failed | p50, ms | p99, ms | p99, of nginx's best |"
    yield "|---|---|---|---|---|---|"
    for name, figures in measured.items():
        strategy, _, where = name.rpartition("_")
        words = f"{WORDS[name]}, `zone`" if name in OWN else f"loadwise `{strategy}`" + (", `shared`" if where == "shared" else "")
        share = f"{ratio(figures, measured[best], 'p99_us'):.2f}"
        failed = sum(one["failed"] + one["broken"] for one in figures) / sum(one["requests"] for one in figures)
        yield f"| {words} | {median(figures, 'per_s'):,.0f} | {failed:.2%} | {median(figures, 'p50_us') / 1000:.1f} | {median(figures, 'p99_us') / 1000:.1f} | {share} |"


def bounds(costs, worths):
    """What DESIGN asks for, and whether it is reached."""
    three, many = costs[3], costs[1000]
    yield "random two, 3 servers: requests/s", ratio(three["random_two_loadwise"], three["random_two"], "per_s"), 0.98, True
    yield "random two, 3 servers, shared: requests/s", ratio(three["random_two_shared"], three["random_two_zone"], "per_s"), 0.98, True
    for name in ("least_conn", "round_robin"):
        for suffix, peer in (("_loadwise", ""), ("_shared", "_zone")):
            what = f"{WORDS[name]}, 1000 servers{', shared' if suffix == '_shared' else ''}: requests/s"
            yield what, ratio(many[name + suffix], many[name + peer], "per_s"), 1.3, True
    for workers, measured in worths.items():
        best = min((median(measured[name], "p99_us"), name) for name in OWN)[1]
        yield f"uneven servers, {workers} worker{'s' if workers > 1 else ''}, peak_ewma, shared: p99", ratio(measured["peak_ewma_shared"], measured[best], "p99_us"), 0.5, False


def report(costs, worths, rounds, seconds):
    yield "# nginx with loadwise beside nginx alone\n"
    yield f"Written by `make bench-nginx`, in one run of {rounds} rounds in each of which every method had {seconds} s. Ratios are"
    yield "those within a round, and their median. Connections to servers are kept.\n"
    version = subprocess.run([shutil.which("nginx") or "nginx", "-v"], capture_output=True, text=True).stderr.strip()
    yield f"{os.cpu_count()} processors, {platform.system()} {platform.release()}, {version.removeprefix('nginx version: ')}.\n"
    yield "## Bounds\n"
    yield "| what | is | bound | |"
    yield "|---|---|---|---|"
    for what, value, bound, at_least in bounds(costs, worths):
        reached = value >= bound if at_least else value <= bound
        yield f"| {what} | {value:.2f}× | {'≥' if at_least else '≤'} {bound}× | {'reached' if reached else 'missed'} |"
    yield ""
    search = (median(costs[1000]["random_two"], "cpu_ns") - median(costs[3]["random_two"], "cpu_ns")) / 1000
    yield f"Whatever chooses, nginx then looks for a kept connection to the server in one list of all: at 1000 servers {search:.1f} µs a"
    yield "request more than at 3, by its own `random two`. That is in all figures of 1000 servers, and bounds what a choice can gain.\n"
    for count, measured in costs.items():
        yield f"## What it costs: {count} servers that answer at once, one worker\n"
        yield "With a processor for the worker, and one for servers and clients, who keep 16 connections busy.\n"
        yield from cost_table(measured)
        yield ""
    for workers, measured in worths.items():
        yield f"## What it is worth: uneven servers, {workers} worker{'s' if workers > 1 else ''}\n"
        yield "Three servers answer in 5 ms, one in 50 ms, one fails within 1 ms (± 20 %); `proxy_next_upstream` has `http_500`."
        yield "A first failure counts, in all of them. Clients keep 8 connections busy.\n"
        yield from uneven_table(measured)
        yield ""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--out", type=Path, default=HERE / "RESULTS.md")
    args = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("SKIP wrk is missing: apt-get install wrk")
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        folder.chmod(0o755)
        binary = folder / "backend"
        subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-o", binary, HERE / "backend.c"], check=True)
        costs = {count: cost(binary, folder / f"cost-{count}", count, args.rounds, args.seconds) for count in (3, 1000)}
        worths = {workers: uneven(binary, folder / f"uneven-{workers}", workers, args.rounds, args.seconds) for workers in (1, 2, 4)}
    text = "\n".join(report(costs, worths, args.rounds, args.seconds))
    args.out.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
