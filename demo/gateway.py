"""An HTTP gateway: an ASGI app in which loadwise chooses the server and httpx connects.

    POOL=pool.json uvicorn gateway:app

with {"strategy": "p2c", "checks": true, "nodes": ["127.0.0.1:8001", "127.0.0.1:8002"]} in pool.json.

A server is held until its answer has been passed on to the last byte, failed or was given up. What fails before its
first byte is tried on another server, if repeating it is safe. On SIGHUP, the configuration is read again, and requests
under way are not disturbed. With "shared": "/dev/shm/NAME" in it, all processes that have it balance as one.
"""

import asyncio
import collections
import functools
import json
import os
import signal
import time

import anyio
import httpx
import loadwise

ATTEMPTS = 3
BODY_BYTES_MAX = 1 << 20
CHECK_INTERVAL_S = 0.25
TIMEOUT = {"timeout": httpx.Timeout(30, connect=3).as_dict()}
CHECK_TIMEOUT = {"timeout": httpx.Timeout(2).as_dict()}
IDEMPOTENT = {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"}
HOP_BY_HOP = set(
    b"connection expect host keep-alive proxy-authorization proxy-connection te trailer "
    b"transfer-encoding upgrade".split()
)


def read_config():
    with open(os.environ["POOL"], encoding="utf-8") as file:
        return json.load(file)


pool = loadwise.Pool.from_config(read_config())

# The transports below httpx.AsyncClient, one a server: a gateway must not follow redirects, nor keep one user's cookies
# for the next.
transports = collections.defaultdict(
    functools.partial(
        httpx.AsyncHTTPTransport,
        verify=httpx.create_ssl_context(),
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=32, keepalive_expiry=30),
    )
)


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
    else:
        body = await body_of(receive)
        if body is None:
            await answer(send, 413, "the body is too large\n")
            return
        async with anyio.create_task_group() as group:
            group.start_soon(give_up_when_client_leaves, receive, group.cancel_scope)
            await forward(scope, body, send)
            group.cancel_scope.cancel()


async def forward(scope, body, send):
    tried = []
    while True:
        try:
            pick = pool.pick(exclude=tried)
        except loadwise.NoNode as error:
            await answer(send, 503, f"{error}\n")
            return
        # Leaving the block by an exception is a failure, by cancellation is none.
        with pick:
            start = time.monotonic()
            try:
                response = await transports[pick.address].handle_async_request(request_to(pick.address, scope, body))
            except httpx.TransportError as error:
                kind = kind_of(error)
                pick.failure(kind)
                tried.append(pick)
                if len(tried) < ATTEMPTS and repeatable(scope["method"], kind):
                    continue
                await answer(send, 504 if kind == "timeout" else 502, f"{error}\n")
                return
            latency = time.monotonic() - start
            try:
                await relay(response, len(tried) + 1, send)
            finally:
                await response.aclose()
            if response.status_code < 500:
                pick.success(latency)
            else:
                pick.failure("server_error", latency)
            return


def request_to(address, scope, body):
    target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
    return httpx.Request(
        scope["method"],
        httpx.URL(f"http://{address}", raw_path=target),
        headers=end_to_end(scope["headers"]),
        content=body,
        extensions=TIMEOUT,
    )


async def relay(response, attempts, send):
    headers = end_to_end(response.headers.raw) + [(b"x-attempts", b"%d" % attempts)]
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    async for chunk in response.aiter_raw():
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body"})


def end_to_end(headers):
    return [(name.lower(), value) for name, value in headers if name.lower() not in HOP_BY_HOP]


def kind_of(error):
    if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout)):
        return "connect"
    if isinstance(error, httpx.TimeoutException):
        return "timeout"
    if isinstance(error, (httpx.NetworkError, httpx.RemoteProtocolError)):
        return "reset"
    return "other"


def repeatable(method, kind):
    """Without a connection nothing was done, whatever was asked for; a broken one may have done it."""
    return kind == "connect" or (kind == "reset" and method in IDEMPOTENT)


async def body_of(receive):
    """The whole body, so that it can be sent again; None if it is too large."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > BODY_BYTES_MAX:
            return None
        if not message.get("more_body"):
            return bytes(body)


async def give_up_when_client_leaves(receive, scope):
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


async def answer(send, status, text, content_type=b"text/plain"):
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", content_type)]})
    await send({"type": "http.response.body", "body": text.encode()})


async def lifespan(receive, send):
    await receive()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload)
    checks = asyncio.create_task(check_servers())
    await send({"type": "lifespan.startup.complete"})
    await receive()
    checks.cancel()
    for transport in transports.values():
        await transport.aclose()
    await send({"type": "lifespan.shutdown.complete"})


def reload():
    pool.reload(read_config(), if_new=True)


async def check_servers():
    """The engine does no I/O: checking is up to the host. With a shared state, one of all processes is asked to."""
    while True:
        pool.maintain()
        await asyncio.gather(*map(check, pool.checks_due()))
        await asyncio.sleep(CHECK_INTERVAL_S)


async def check(due):
    ok = await is_well(due.address)
    try:
        pool.report_check(due.id, ok)
    except loadwise.StateError:
        pass  # The node was taken out meanwhile.


async def is_well(address):
    try:
        request = httpx.Request("GET", f"http://{address}/health", extensions=CHECK_TIMEOUT)
        response = await transports[address].handle_async_request(request)
        await response.aread()
        await response.aclose()
        return response.status_code == 200
    except httpx.TransportError:
        return False
