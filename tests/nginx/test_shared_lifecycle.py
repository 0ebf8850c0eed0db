"""What becomes of a shared state: workers that crash, configurations and binaries that are replaced, files that are none."""

import os
import re
import signal
import threading

import loadwise
import pytest

from conftest import served, upstream
from load import Load
from servers import until
from test_shared import SHARED, Requests

WORKERS = 4
ALL = "location / { proxy_pass http://api; }"


@pytest.fixture
def start(nginx):
    return lambda *args, workers=WORKERS, **more: nginx(*args, workers=workers, **more)


def kill(proxy, pids):
    proxy.expected = re.compile("exited on signal 9")
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    until(lambda: len(proxy.worker_pids()) == WORKERS and not set(pids) & set(proxy.worker_pids()), "there are others")


def test_a_worker_that_is_killed_takes_nothing_with_it(servers, start):
    made = servers("a", "b")
    proxy = start(upstream(made, SHARED))
    clients = 4
    with Load(proxy, clients) as load:
        for _ in range(5):
            load.goes_on()
            kill(proxy, proxy.worker_pids()[:1])
    assert load.failed == [], "nothing that was at another worker"
    assert load.broken <= 5 * clients, "what was at the worker itself"
    until(lambda: proxy.pool()["in_flight"] == 0, "what it had in flight is given back")
    assert all(node["in_flight"] == 0 for node in proxy.nodes().values())


def test_a_whole_nginx_that_is_killed_takes_nothing_with_it(servers, start):
    made = servers("a", "b")
    made[0].mode("stall")
    made[1].mode("stall")
    proxy = start(upstream(made, SHARED))
    workers = proxy.worker_pids()

    def ask():
        try:
            proxy.get()
        except OSError:
            pass

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    until(lambda: proxy.pool()["in_flight"] == 6, "under way")
    assert proxy.change(node=made[0].address, weight=3).status == 200
    for pid in [proxy.pid, *workers]:
        os.kill(pid, signal.SIGKILL)
    for thread in threads:
        thread.join()
    proxy.process.wait()
    assert proxy.state.exists()
    for server in made:
        server.mode("ok")
    proxy.start()
    until(lambda: proxy.pool()["in_flight"] == 0, "what was in flight is given back")
    assert proxy.try_get() and proxy.nodes()[made[0].address]["weight"] == 3, "what was known is known"


def test_what_was_changed_by_hand_lasts_until_the_configuration_is_another(servers, start):
    made = servers("a", "b", "c")
    a, b, c = (server.address for server in made)
    proxy = start(upstream(made, SHARED, keys=["", "", "down"]))
    weights = lambda: [proxy.nodes()[id]["weight"] for id in (a, b, c)]  # noqa: E731
    draining = lambda: [proxy.nodes()[id]["draining"] for id in (a, b, c)]  # noqa: E731
    assert weights() == [1, 1, 1] and draining() == [False, False, True]
    assert {proxy.try_get() for _ in range(20)} == {"a", "b"}
    assert proxy.change(node=b, weight=5).status == 200
    assert proxy.change(node=c, state="active").status == 200
    kill(proxy, proxy.worker_pids())
    assert weights() == [1, 5, 1] and draining() == [False] * 3
    proxy.reload()
    assert weights() == [1, 5, 1] and draining() == [False] * 3, "the same configuration again"
    proxy.write(upstream(made, SHARED, keys=["weight=2", "down", ""]), ALL)
    proxy.reload()
    assert weights() == [2, 1, 1] and draining() == [False, True, False]
    assert {proxy.try_get() for _ in range(20)} == {"a", "c"}
    proxy.write(upstream(made, SHARED, keys=["weight=2", "", ""]), ALL)
    proxy.reload()
    assert draining() == [False] * 3
    assert proxy.log().count('the configuration of "api" is in force') == 3, "by one worker each time"


def test_a_reload_with_other_servers_under_load(servers, start):
    made = servers("a", "b", "c", "d")
    proxy = start(upstream(made[:2], SHARED))
    with Load(proxy, clients=6) as load:
        for chosen in (made[1:3], made[2:], made[:1], made):
            proxy.write(upstream(chosen, SHARED), ALL)
            proxy.reload()
            load.goes_on()
            assert proxy.nodes().keys() == {server.address for server in chosen}
    assert load.failed == [] and load.broken == 0
    until(lambda: proxy.pool()["in_flight"] == 0, "all have ended")


def test_an_upstream_that_is_no_more_leaves_the_state_and_no_other_pool_does(servers, start):
    made = servers("a", "b")
    both = upstream(made[:1], SHARED) + upstream(made[1:], SHARED, name="mail")
    proxy = start(both, ALL + "location /mail { proxy_pass http://mail; }")
    engine = loadwise.Engine.attach(proxy.state)
    text = {"shared": str(proxy.state), "pools": {"own": {"nodes": ["x"]}}}
    engine.reload({**text, "pools": {**{name: engine.config["pools"][name] for name in engine.names()}, **text["pools"]}}, if_new=True)
    assert engine.names() == ["api", "mail", "own"] and proxy.try_get("/mail") == "b"
    with Load(proxy, clients=4) as load:
        proxy.write(upstream(made[:1], SHARED), ALL)
        proxy.reload()
        load.goes_on()
        assert engine.names() == ["api", "own"], "what others have put there stays"
        proxy.write(both, ALL + "location /mail { proxy_pass http://mail; }")
        proxy.reload()
        load.goes_on()
    assert load.failed == [] and load.broken == 0
    assert sorted(engine.names()) == ["api", "mail", "own"] and proxy.try_get("/mail") == "b"
    assert proxy.log().count('"mail" is taken out of') == 1, "by one worker"


def test_an_old_worker_finds_the_servers_of_a_newer_configuration(servers, start):
    made = servers("a", "b", "c")
    made[0].mode("stall")
    made[1].mode("stall")
    patient = "location / { proxy_pass http://api; proxy_read_timeout 3s; proxy_next_upstream timeout; }"
    proxy = start(upstream(made[:2], SHARED), patient)
    old = proxy.worker_pids()
    requests = Requests(proxy, 3)
    until(lambda: proxy.pool()["in_flight"] == 3, "they wait")
    proxy.write(upstream(made[2:], SHARED), patient)
    proxy.send(signal.SIGHUP)
    until(lambda: proxy.nodes().keys() == {made[2].address}, "others are in force")
    requests.join()
    assert [answer.node for answer in requests.answers] == ["c"] * 3
    until(lambda: not set(old) & set(proxy.worker_pids()), "the old ones end")


def test_a_new_binary_shares_the_state_of_the_old_one(servers, start):
    made = servers("a", "b")
    proxy = start(upstream(made, SHARED), directives="")
    old = proxy.pid
    assert proxy.change(node=made[0].address, weight=4).status == 200
    with Load(proxy) as load:
        load.goes_on()
        os.kill(old, signal.SIGUSR2)
        until(lambda: proxy.pid_in_file() not in (0, old), "a second master")
        proxy.pid = proxy.pid_in_file()
        until(lambda: len(proxy.worker_pids()) == WORKERS, "and workers")
        until(lambda: len(proxy.get("/status").json["shared"][0]["processes"]) == 2 * WORKERS, "all share one state")
        os.kill(old, signal.SIGQUIT)
        until(lambda: not os.path.exists(f"/proc/{old}"), "the first is gone")
        load.goes_on()
    assert load.failed == [] and load.broken == 0
    until(lambda: proxy.pool()["in_flight"] == 0, "all have ended")
    assert proxy.nodes()[made[0].address]["weight"] == 4, "the same configuration changes nothing"


def test_who_only_reads_the_configuration_opens_nothing(servers, start):
    made = servers("a")
    proxy = start(upstream(made, SHARED))
    maps = lambda pid: str(proxy.state) in open(f"/proc/{pid}/maps").read()  # noqa: E731
    assert not maps(proxy.pid) and all(maps(pid) for pid in proxy.worker_pids())
    assert proxy.quit() == 0
    assert proxy.state.exists()
    proxy.state.unlink()
    assert proxy.check()[0] and not proxy.state.exists()


def test_limits_that_are_fixed_do_not_stop_it(servers, start, tmp_path):
    made = servers("a", "b")
    proxy = start(upstream(made[:1], SHARED))
    (tmp_path / "pool.yaml").write_text("limits: {max_nodes: 100}\n")
    proxy.write(upstream(made, f"{SHARED}\nloadwise_config {tmp_path}/pool.yaml;"), ALL)
    proxy.reload()
    assert [proxy.try_get() for _ in range(8)] == ["a"] * 8, "what is in force"
    line = next(line for line in proxy.log().splitlines() if "goes on with the configuration that is in force: " in line)
    assert "limits.max_nodes" in line
    proxy.write(upstream(made, SHARED.replace(";", " max_processes=9;")), ALL)
    proxy.reload()
    assert {proxy.try_get() for _ in range(8)} == {"a", "b"}
    told = [line for line in proxy.log().splitlines() if "is taken as it is: " in line]
    assert "limits.max_nodes" in told[0] and "shared.max_processes" in told[-1]


BAD = {
    "foreign": (b"a file of somebody else's" * 400, "it is no shared state"),
    "empty": (b"", "it is no shared state"),
}


@pytest.fixture(params=[*BAD, "cut off"])
def bad(request):
    """Makes a file bad, and says what is told of it."""

    def spoil(path):
        if request.param != "cut off":
            path.write_bytes(BAD[request.param][0])
            return BAD[request.param][1]
        engine = loadwise.Engine.from_config({"shared": str(path), "pools": {"x": {}}})
        del engine
        os.truncate(path, 8192)
        return "it was cut off"

    return spoil


def test_a_bad_file_fails_its_upstreams_and_nothing_else(servers, start, bad):
    made = servers("a", "b")
    proxy = start("", "")
    proxy.expected = re.compile("the engine cannot be opened")
    reason = bad(proxy.state)
    proxy.write(upstream(made, SHARED) + upstream(made, "loadwise;", name="alone"), ALL + "location /alone { proxy_pass http://alone; }")
    proxy.share = False
    proxy.reload()
    workers = proxy.worker_pids()
    assert proxy.get().status == 502
    assert proxy.try_get("/alone"), "another upstream"
    line = next(line for line in proxy.log().splitlines() if "cannot be opened" in line)
    assert str(proxy.state) in line and reason in line, line
    shared = proxy.get("/status").json["shared"][0]
    assert reason in shared["error"] and shared["processes"] == []
    answer = proxy.change(node=made[0].address, weight=2)
    assert answer.status == 503 and reason in answer.json["error"]
    assert proxy.get("/status?format=prometheus").status == 200
    until(lambda: ("502", "-", "error", "0") in [s for s in proxy.states()] or not proxy.get(), "the log has it")
    proxy.state.unlink()
    until(lambda: all(proxy.try_get() for _ in range(8)), "once it can be opened, it is")
    assert proxy.worker_pids() == workers, "none has ended"


@pytest.mark.parametrize("how", ["recreate", "private"])
def test_a_bad_file_may_be_replaced_or_done_without(servers, start, bad, how):
    made = servers("a", "b")
    proxy = start("", "")
    reason = bad(proxy.state)
    proxy.write(upstream(made, f"loadwise shared=STATE on_bad_segment={how};"), ALL)
    proxy.reload()
    assert {proxy.try_get() for _ in range(20)} == {"a", "b"}
    shared = proxy.get("/status").json["shared"][0]
    change = proxy.change(node=made[0].address, weight=2)
    if how == "recreate":
        assert len(shared["processes"]) == WORKERS and shared["error"] is None and change.status == 200
    else:
        assert shared["processes"] == [] and reason in shared["error"] and change.status == 409
        assert f'goes on alone, without "{proxy.state}": ' in proxy.log()


def test_a_folder_that_is_not_there(servers, start):
    made = servers("a")
    proxy = start(upstream(made, "loadwise shared=/dev/shm/no/such/folder;"))
    proxy.expected = re.compile("the engine cannot be opened")
    assert proxy.get().status == 502 and served(made[0]) == 0
    assert "/dev/shm/no/such/folder" in proxy.log()
