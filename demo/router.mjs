// An HTTP router: loadwise chooses the server, undici connects.
//
//     POOL=pool.json PORT=8080 node router.mjs
//
// with {"strategy": "p2c", "checks": true, "nodes": ["127.0.0.1:8001", "127.0.0.1:8002"]} in pool.json.
//
// A server is held until its answer has been passed on to the last byte, failed or was given up. What fails before its
// first byte is tried on another server, if repeating it is safe. On SIGHUP, the configuration is read again, and requests
// under way are not disturbed. With "shared": "/dev/shm/NAME" in it, all processes that have it balance as one.

import { readFileSync } from 'node:fs';
import http from 'node:http';
import { pipeline } from 'node:stream/promises';
import { Agent } from 'undici';
import { NoNodeError, Pool } from 'loadwise';

const ATTEMPTS = 3;
const BODY_BYTES_MAX = 1 << 20;
const CHECK_INTERVAL_MS = 250;
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']);
const HOP_BY_HOP = new Set([
  'connection', 'expect', 'host', 'keep-alive', 'proxy-authorization', 'proxy-connection', 'te', 'trailer',
  'transfer-encoding', 'upgrade',
]);

const readConfig = () => JSON.parse(readFileSync(process.env.POOL, 'utf8'));

const pool = new Pool(readConfig());
const agent = new Agent({ connect: { timeout: 3000 }, headersTimeout: 30_000, bodyTimeout: 30_000 });

async function forward(req, res) {
  const client = new AbortController();
  res.once('close', () => client.abort());
  const body = await bodyOf(req);
  if (body === undefined) {
    return answer(res, 413, 'the body is too large\n');
  }

  const tried = [];
  for (;;) {
    const pick = pool.pick({ exclude: tried });
    try {
      const start = performance.now();
      const upstream = await agent.request({
        origin: `http://${pick.address}`,
        path: req.url,
        method: req.method,
        headers: endToEnd(req.headers),
        body,
        signal: client.signal,
      });
      const latencyMs = performance.now() - start;
      res.writeHead(upstream.statusCode, { ...endToEnd(upstream.headers), 'x-attempts': tried.length + 1 });
      await pipeline(upstream.body, res);
      if (upstream.statusCode < 500) {
        pick.success({ latencyMs });
      } else {
        pick.failure('server_error', { latencyMs });
      }
      return;
    } catch (error) {
      if (client.signal.aborted) {
        return;
      }
      const kind = kindOf(error);
      pick.failure(kind);
      tried.push(pick);
      if (res.headersSent || tried.length === ATTEMPTS || !repeatable(req.method, kind)) {
        throw error;
      }
    } finally {
      // Given up, unless it was finished above.
      pick[Symbol.dispose]();
    }
  }
}

/** The whole body, so that it can be sent again; undefined if it is too large. */
async function bodyOf(req) {
  const chunks = [];
  let bytes = 0;
  for await (const chunk of req) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) {
      return undefined;
    }
    chunks.push(chunk);
  }
  return bytes > 0 ? Buffer.concat(chunks) : null;
}

/** Without a connection nothing was done, whatever was asked for; a broken one may have done it. */
const repeatable = (method, kind) => kind === 'connect' || (kind === 'reset' && IDEMPOTENT.has(method));

function kindOf({ code }) {
  switch (code) {
    case 'ECONNREFUSED':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'UND_ERR_CONNECT_TIMEOUT':
      return 'connect';
    case 'ECONNRESET':
    case 'EPIPE':
    case 'UND_ERR_SOCKET':
      return 'reset';
    case 'UND_ERR_HEADERS_TIMEOUT':
    case 'UND_ERR_BODY_TIMEOUT':
    case DOMException.TIMEOUT_ERR:
      return 'timeout';
    default:
      return 'other';
  }
}

function statusOf(error) {
  if (error instanceof NoNodeError) {
    return 503;
  }
  return kindOf(error) === 'timeout' ? 504 : 502;
}

function endToEnd(headers) {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !HOP_BY_HOP.has(name)));
}

function answer(res, status, text) {
  if (res.headersSent) {
    res.destroy();
  } else {
    res.writeHead(status, { 'content-type': 'text/plain', connection: 'close' }).end(text);
  }
}

/** The engine does no I/O: checking is up to the host. With a shared state, one of all processes is asked to. */
async function check({ address }, { signal }) {
  const { statusCode, body } = await agent.request({ origin: `http://${address}`, path: '/health', method: 'GET', signal });
  await body.dump();
  return statusCode === 200;
}

function reload() {
  try {
    pool.reload(readConfig(), { ifNew: true });
  } catch (error) {
    console.error(`the configuration stays as it was: ${error.message}`);
  }
}

process.on('SIGHUP', reload);
pool.start({ check, intervalMs: CHECK_INTERVAL_MS });

const server = http.createServer((req, res) => {
  forward(req, res).catch((error) => {
    answer(res, statusOf(error), `${error.message}\n`);
  });
});
server.listen(Number(process.env.PORT), '127.0.0.1', 1024);
