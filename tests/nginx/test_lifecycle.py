"""Reloads, binaries that are replaced, ends and crashes, under load."""

import os
import re
import signal
import threading

from conftest import served, upstream
from load import Load
from proxy import AGREEING, WORKERS
from servers import until


def test_a_reload_changes_servers_and_loses_nothing(servers, nginx):
    made = servers("a", "b", "c", "d")
    proxy = nginx(upstream(made[:2]))
    with Load(proxy) as load:
        load.goes_on()
        for chosen in (made[1:3], made[2:], made, made[3:]):
            proxy.write(upstream(chosen, "loadwise strategy=p2c;"), "location / { proxy_pass http://api; }")
            proxy.reload()
            load.goes_on()
            assert proxy.nodes().keys() == {server.address for server in chosen}
        before = served(made[0])
        load.goes_on()
        assert served(made[0]) == before, "what is gone gets nothing"
    assert load.failed == [] and load.broken == 0


def test_a_reload_that_cannot_be_changes_nothing(servers, nginx):
    made = servers("a", "b")
    proxy = nginx(upstream(made))
    before = proxy.worker_pids()
    proxy.expected = re.compile("unknown strategy")
    with Load(proxy) as load:
        proxy.write(upstream(made, "loadwise strategy=zip;"), "location / { proxy_pass http://api; }")
        proxy.send(signal.SIGHUP)
        until(lambda: 'unknown strategy "zip"' in proxy.log(), "the log says why")
        load.goes_on()
        assert proxy.worker_pids() == before
    assert load.failed == [] and load.broken == 0


def test_requests_under_way_end_before_a_worker_does(servers, nginx):
    made = servers("a", "b", median_ms=300)
    proxy = nginx(upstream(made), workers=AGREEING)
    statuses = []
    threads = [threading.Thread(target=lambda: statuses.append(proxy.get().status)) for _ in range(12)]
    for thread in threads:
        thread.start()
    # All at their servers, and none has been answered.
    until(lambda: proxy.pool()["in_flight"] == 12 or statuses, "all are under way")
    assert proxy.quit() == 0
    for thread in threads:
        thread.join()
    assert statuses == [200] * 12
    # `end` finds no alert: the worker has found no pick that was never finished.


def test_a_new_binary_takes_over(servers, nginx):
    made = servers("a", "b")
    proxy = nginx(upstream(made), directives="")
    old = proxy.pid
    with Load(proxy) as load:
        load.goes_on()
        os.kill(old, signal.SIGUSR2)
        until(lambda: proxy.pid_in_file() not in (0, old), "a second master")
        proxy.pid = proxy.pid_in_file()
        until(lambda: len(proxy.worker_pids()) == WORKERS, "and workers")
        os.kill(old, signal.SIGQUIT)
        until(lambda: not os.path.exists(f"/proc/{old}"), "the first is gone")
        load.goes_on()
    assert load.failed == [] and load.broken == 0
    assert proxy.try_get() in "ab"


def test_a_worker_that_was_killed_is_replaced(servers, nginx):
    made = servers("a", "b")
    proxy = nginx(upstream(made))
    proxy.expected = re.compile("exited on signal 9")
    for _ in range(3):
        killed = proxy.worker_pids()
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        until(lambda: len(proxy.worker_pids()) == WORKERS and not set(killed) & set(proxy.worker_pids()), "there are others")
        assert {proxy.try_get() for _ in range(8 * WORKERS)} == {"a", "b"}
        assert proxy.pool()["in_flight"] == 0
