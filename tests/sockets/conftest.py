"""Real servers on loopback, which can be told to misbehave, and a client that tells a pool how its requests ended."""

import http.client
import threading

import pytest

from servers import Server, until  # noqa: F401: until is for the tests


class ServerFailed(Exception):
    pass


def request(pick, timeout=0.3):
    """One request to a picked node; the pick is told how it ended, and so is the caller."""
    host, port = pick.address.rsplit(":", 1)
    connection = http.client.HTTPConnection(host, int(port), timeout=timeout)
    try:
        connection.request("GET", "/")
        response = connection.getresponse()
        response.read()
    except ConnectionRefusedError:
        pick.failure("connect")
        raise
    except TimeoutError:
        pick.failure("timeout")
        raise
    except OSError:
        pick.failure("reset")
        raise
    except http.client.HTTPException:
        pick.failure("reset")
        raise ServerFailed("the connection broke") from None
    finally:
        connection.close()
    if response.status == 429:
        pick.rate_limited(retry_after=float(response.headers["retry-after"]))
        raise ServerFailed("429")
    if response.status >= 500:
        pick.failure("server_error")
        raise ServerFailed(str(response.status))
    pick.success()
    return pick.node


def try_request(pool, timeout=0.3, **ask):
    """The node that answered, or None."""
    try:
        return request(pool.pick(**ask), timeout)
    except (OSError, ServerFailed):
        return None


def in_threads(count, work):
    """Runs `work(i)` in so many threads at once; their results."""
    results = [None] * count

    def run(i):
        results[i] = work(i)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.fixture
def servers():
    """Makes servers by name; they end with the test."""
    started = []

    def make(*names, median_ms=2, slots=64):
        made = [Server(name, median_ms, slots) for name in names]
        started.extend(made)
        return made

    yield make
    for server in started:
        server.process.kill()
        server.process.wait()


def nodes(servers, **more):
    return [{"id": s.name, "address": s.address, **more} for s in servers]
