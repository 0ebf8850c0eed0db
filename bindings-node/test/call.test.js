'use strict';

// Calls that are tried again, against real servers.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const http = require('node:http');
const { after, before, test } = require('node:test');
const { Pool, ConfigError, NoNodeError } = require('..');
const { thrown, node, inFlight } = require('./help.js');

const LONG_MS = 60_000;
const servers = [];
/** Where nobody listens. */
let nowhere;

before(async () => {
  for (let i = 0; i < 3; i++) {
    const server = http.createServer((req, res) => {
      if (req.url === '/reset') {
        return res.destroy();
      }
      res.statusCode = Number(req.url.slice(1)) || 200;
      return res.end(`server ${i}`);
    });
    servers.push(server.listen(0, '127.0.0.1'));
    await once(server, 'listening');
  }
  const gone = http.createServer().listen(0, '127.0.0.1');
  await once(gone, 'listening');
  nowhere = `127.0.0.1:${gone.address().port}`;
  gone.close();
  await once(gone, 'close');
});

after(() => servers.forEach((server) => server.close() && server.closeAllConnections()));

const addresses = () => servers.map((server) => `127.0.0.1:${server.address().port}`);
const fast = { base_delay_ms: 1, max_delay_ms: 2 };

/** What `fetch` gives, or throws for a status that is no success. */
const get = (path) => async (pick) => {
  const response = await fetch(`http://${pick.address}${path}`);
  const text = await response.text();
  if (!response.ok) {
    throw Object.assign(new Error(text), { status: response.status });
  }
  return text;
};

test('the answer comes back, and the pick was a success', async () => {
  const pool = new Pool({ nodes: addresses() });
  assert.match(await pool.call(get('/')), /^server \d$/);
  const { successes, inFlight: open, retries } = pool.stats();
  assert.deepEqual([successes, open, retries], [1, 0, 0]);
});

test('where nobody listens, another node is tried, whatever is asked for', async () => {
  const pool = new Pool({ nodes: [nowhere, ...addresses()], strategy: 'round_robin', seed: 1, retry: fast });
  for (let i = 0; i < 8; i++) {
    assert.match(await pool.call(get('/')), /^server \d$/);
  }
  const { retries, successes, failuresByKind } = pool.stats();
  assert.equal(successes, 8);
  assert.ok(retries > 0);
  assert.equal(failuresByKind.connect, retries);
  assert.equal(node(pool, nowhere).inFlight, 0);
});

test('what may have been carried out is repeated only if it may be', async () => {
  for (const [path, kind] of [
    ['/reset', 'reset'],
    ['/503', 'server_error'],
  ]) {
    for (const idempotent of [false, true]) {
      const pool = new Pool({ nodes: addresses(), retry: fast });
      const tried = [];
      const attempt = (pick, { attempt: count }) => {
        tried.push(pick.node);
        assert.equal(count, tried.length);
        return get(path)(pick);
      };
      await assert.rejects(pool.call(attempt, { idempotent }));
      assert.equal(tried.length, idempotent ? 3 : 1, `${path}, idempotent: ${idempotent}`);
      assert.equal(new Set(tried).size, tried.length, 'at another node each time');
      assert.equal(pool.stats().failuresByKind[kind], tried.length);
    }
  }
});

test('a wrong request is no failure of the node, and is not repeated', async () => {
  const pool = new Pool({ nodes: addresses() });
  await assert.rejects(pool.call(get('/404'), { idempotent: true }), { status: 404 });
  assert.deepEqual([pool.stats().successes, pool.stats().failures], [1, 0]);
});

test('a rate limit sends it elsewhere', async () => {
  const pool = new Pool({ nodes: addresses(), retry: fast });
  const answer = await pool.call(async (pick, { attempt }) => {
    if (attempt === 1) {
      throw Object.assign(new Error('slow down'), { status: 429 });
    }
    return get('/')(pick);
  });
  assert.match(answer, /server/);
  assert.deepEqual([pool.stats().rateLimited, pool.stats().successes], [1, 1]);
});

test('an attempt may finish its pick itself', async () => {
  const pool = new Pool({ nodes: addresses(), retry: fast });
  const answer = await pool.call(async (pick, { attempt }) => {
    if (attempt === 1) {
      pick.rateLimited({ retryAfterMs: LONG_MS });
      throw new Error('later');
    }
    pick.success({ latencyMs: 5 });
    return attempt;
  });
  assert.equal(answer, 2);
  assert.equal(pool.stats().available < 3 || pool.stats().rateLimited === 1, true);
  const given = await pool.call((pick) => {
    pick.failure('server_error');
    return 'given all the same';
  });
  assert.equal(given, 'given all the same');
  assert.equal(pool.stats().failuresByKind.server_error, 1);
});

test('what an error means can be said', async () => {
  const says = [
    ['timeout', { failuresByKind: 'timeout' }],
    [{ kind: 'reset', sent: false }, { failuresByKind: 'reset' }],
    [{ outcome: 'rate_limited', retryAfterMs: 5 }, { rateLimited: 1 }],
    [{ outcome: 'cancelled' }, { cancelled: 1 }],
    [undefined, { failuresByKind: 'other' }],
  ];
  for (const [said, expected] of says) {
    const pool = new Pool({ nodes: ['a'], retry: { max_attempts: 1 } });
    const own = new Error('own');
    const failing = pool.call(() => Promise.reject(own), {
      failureOf: (error) => {
        assert.equal(error, own);
        return said;
      },
    });
    await assert.rejects(failing, (error) => error === own);
    const stats = pool.stats();
    for (const [figure, value] of Object.entries(expected)) {
      assert.equal(figure === 'failuresByKind' ? stats[figure][value] : stats[figure], 1, JSON.stringify(said));
    }
  }
});

test('what was never sent may be repeated', async () => {
  const pool = new Pool({ nodes: ['a', 'b'], retry: fast });
  let attempts = 0;
  const attempt = () => {
    attempts += 1;
    throw new Error('before the first byte');
  };
  await assert.rejects(pool.call(attempt, { failureOf: () => ({ kind: 'reset', sent: false }) }), /first byte/);
  assert.equal(attempts, 2, 'no third node is left, so its error is told and not the lack of nodes');
  attempts = 0;
  await assert.rejects(pool.call(attempt), /first byte/);
  assert.equal(attempts, 1);
});

test('the errors of Node, fetch and undici tell their kinds', async () => {
  const kinds = [
    [Object.assign(new Error(), { code: 'ECONNREFUSED' }), 'connect'],
    [Object.assign(new Error(), { code: 'ETIMEDOUT', syscall: 'connect' }), 'connect'],
    [Object.assign(new Error(), { code: 'ETIMEDOUT', syscall: 'read' }), 'timeout'],
    [Object.assign(new Error(), { code: 'UND_ERR_HEADERS_TIMEOUT' }), 'timeout'],
    [Object.assign(new Error(), { code: 'EPIPE' }), 'reset'],
    [new DOMException('late', 'TimeoutError'), 'timeout'],
    [new TypeError('fetch failed', { cause: Object.assign(new Error(), { code: 'ECONNRESET' }) }), 'reset'],
    [Object.assign(new Error(), { statusCode: 502 }), 'server_error'],
    [new TypeError('fetch failed'), 'other'],
    ['no error at all', 'other'],
    [undefined, 'other'],
  ];
  for (const [error, kind] of kinds) {
    const pool = new Pool({ nodes: ['a'] });
    await assert.rejects(
      pool.call(() => Promise.reject(error)),
      (told) => told === error,
    );
    assert.equal(pool.stats().failuresByKind[kind], 1, `${error?.code ?? error} is ${kind}`);
  }
});

test('no node at all is told as such', async () => {
  await assert.rejects(
    new Pool().call(() => 1),
    NoNodeError,
  );
  const pool = new Pool({ nodes: [{ id: 'a', max_in_flight: 1 }] });
  const held = pool.pick();
  await assert.rejects(
    pool.call(() => 1),
    { reason: 'saturated' },
  );
  const waiting = pool.call((pick) => pick.node, { timeoutMs: LONG_MS });
  held.success();
  assert.equal(await waiting, 'a');
});

test('retries have a budget', async () => {
  const retry = { ...fast, max_attempts: 2, budget_share: 0, budget_min_per_s: 1, budget_window_ms: 10_000 };
  const pool = new Pool({ nodes: ['a', 'b'], health: { passive: false }, retry });
  let attempts = 0;
  const attempt = () => {
    attempts += 1;
    throw Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
  };
  for (let i = 0; i < 30; i++) {
    await assert.rejects(pool.call(attempt), { code: 'ECONNREFUSED' });
  }
  const { retries, retriesDenied } = pool.stats();
  assert.equal(attempts, 30 + retries);
  assert.equal(retries + retriesDenied, 30);
  assert.ok(retriesDenied >= 19, `${retriesDenied} were denied`);
});

test('a signal ends a call: its attempt counts as cancelled, and there is no other', async () => {
  const pool = new Pool({ nodes: addresses(), retry: { base_delay_ms: LONG_MS, max_delay_ms: LONG_MS } });
  const leaving = new AbortController();
  const call = pool.call(
    (pick, { signal }) => {
      assert.equal(signal, leaving.signal);
      leaving.abort(new Error('left'));
      return fetch(`http://${pick.address}/`, { signal });
    },
    { idempotent: true, signal: leaving.signal },
  );
  await assert.rejects(call, /left/);
  assert.deepEqual([pool.stats().cancelled, pool.stats().failures], [1, 0]);
  // While it waits for its next attempt.
  const later = new AbortController();
  const waiting = pool.call(
    () => {
      setImmediate(() => later.abort(new Error('left later')));
      throw Object.assign(new Error(), { code: 'ECONNREFUSED' });
    },
    { signal: later.signal },
  );
  await assert.rejects(waiting, /left later/);
  assert.deepEqual(inFlight(pool), [0, 0, 0]);
});

test('requests are asked for as in a pick', async () => {
  const nodes = [{ id: 'a', labels: { region: 'eu' } }, 'b', 'c'];
  const pool = new Pool({ nodes, retry: fast });
  assert.equal(await pool.call((pick) => pick.node, { require: { region: 'eu' } }), 'a');
  const tried = [];
  const attempt = (pick) => {
    tried.push(pick.node);
    throw Object.assign(new Error(), { code: 'ECONNREFUSED' });
  };
  await assert.rejects(pool.call(attempt, { exclude: new Set(['b']) }));
  assert.deepEqual(tried.toSorted(), ['a', 'c']);
});

test('retry says whether, and after how long', () => {
  const pool = new Pool({ nodes: ['a', 'b'], retry: { base_delay_ms: 10, max_delay_ms: 10, max_attempts: 2 } });
  const ask = (attempt) => pool.retry({ attempt: 1, ...attempt });
  const { afterMs, giveUp } = ask({ kind: 'connect' });
  assert.ok(afterMs >= 0 && afterMs <= 10 && giveUp === undefined, `${afterMs}`);
  assert.equal(ask({ outcome: 'rate_limited' }).giveUp, undefined);
  const given = [
    [{ outcome: 'success' }, 'not_failed'],
    [{ outcome: 'cancelled' }, 'not_failed'],
    [{ kind: 'timeout' }, 'unsafe'],
    [{ kind: 'server_error', sent: false }, 'unsafe'],
    [{ kind: 'connect', attempt: 2 }, 'attempts'],
  ];
  for (const [attempt, reason] of given) {
    assert.deepEqual(ask(attempt), { afterMs: undefined, giveUp: reason });
  }
  assert.equal(ask({ kind: 'timeout', sent: false }).giveUp, undefined);
  assert.equal(ask({ outcome: 'failure', idempotent: true, nowNs: process.hrtime.bigint() }).giveUp, undefined);
});

test('pickAgain is a retry and the pick of its node', () => {
  const pool = new Pool({ nodes: ['a', 'b'], retry: { base_delay_ms: 10, max_delay_ms: 10 } });
  const first = pool.pick();
  first.failure('connect');
  const { pick, afterMs, giveUp } = pool.pickAgain({ exclude: [first] }, { attempt: 1, kind: 'connect' });
  assert.deepEqual([first.node, pick.node].toSorted(), ['a', 'b']);
  assert.ok(afterMs >= 0 && afterMs <= 10 && giveUp === undefined, `${afterMs}`);
  assert.equal(pool.stats().inFlight, 1);
  assert.ok(pick.success());
  assert.equal(pool.stats().inFlight, 0);
  const given = [
    [{ outcome: 'success', attempt: 1 }, 'not_failed'],
    [{ kind: 'timeout', attempt: 1 }, 'unsafe'],
    [{ kind: 'connect', attempt: 3 }, 'attempts'],
  ];
  for (const [attempt, reason] of given) {
    assert.deepEqual(pool.pickAgain(undefined, attempt), { pick: undefined, afterMs: undefined, giveUp: reason });
  }
  assert.deepEqual([pool.stats().retries, pool.stats().inFlight], [1, 0]);
  pool.setOwnStrategy((candidates) => candidates.length - 1);
  assert.equal(pool.pickAgain(undefined, { attempt: 1, kind: 'connect' }).pick.node, 'b');
});

test('a retry that finds no node costs nothing', () => {
  const retry = { budget_share: 0, budget_min_per_s: 1, budget_window_ms: 10_000 };
  const pool = new Pool({ nodes: ['a'], retry });
  const nowNs = 1e12;
  const again = () => pool.pickAgain({ exclude: ['a'], nowNs }, { attempt: 1, kind: 'connect', nowNs });
  for (let i = 0; i < 1000; i++) {
    assert.equal(thrown(again).reason, 'all_excluded');
  }
  pool.register({ id: 'b' });
  for (let i = 0; i < 10; i++) {
    assert.equal(again().pick.node, 'b', 'one a second in ten');
  }
  assert.equal(again().giveUp, 'budget');
});

test('callbacks of pickAgain are contained', () => {
  const pool = new Pool({ nodes: ['a', 'b'] });
  const predicate = ({ id }) => {
    if (id === 'a') {
      throw new RangeError('a');
    }
    return true;
  };
  const limited = { attempt: 1, outcome: 'rate_limited', retryAfterMs: 1 };
  assert.equal(pool.pickAgain({ predicate }, limited).pick.node, 'b');
  const none = thrown(() => pool.pickAgain({ predicate, exclude: ['b'] }, limited));
  assert.ok(none.callbackFailed && none.cause instanceof RangeError);
  pool.close();
  assert.equal(thrown(() => pool.pickAgain({}, limited)).code, 'ERR_LOADWISE_CLOSED');
});

test('a plan names the nodes to try, and counts nothing', () => {
  const pool = new Pool({ nodes: ['a', 'b', 'c', 'd'], retry: { max_attempts: 3 }, stats: { latency: 'pool' } });
  pool.pick().success({ latencyMs: 20 });
  const { attempts, hedgeAfterMs } = pool.plan({ exclude: ['a'] });
  assert.deepEqual(attempts.map(({ id }) => id).toSorted(), ['b', 'c', 'd']);
  assert.equal(attempts[0].delayMs, 0);
  assert.ok(attempts.every(({ id, address, delayMs }) => address === id && delayMs <= 250));
  assert.ok(Math.abs(hedgeAfterMs - 20) < 1, `${hedgeAfterMs}`);
  assert.deepEqual(inFlight(pool), [0, 0, 0, 0]);
  assert.equal(new Pool({ nodes: ['a'] }).plan().hedgeAfterMs, undefined);
  assert.equal(thrown(() => new Pool().plan()).reason, 'empty');
  assert.equal(thrown(() => pool.plan({ predicate: () => false })).reason, 'no_match');
});

test('bad input', async () => {
  const pool = new Pool({ nodes: ['a'] });
  const refused = (key) => (error) => error instanceof ConfigError && error.key === key;
  for (const wrong of [undefined, null, 5, {}]) {
    await assert.rejects(pool.call(wrong), refused('attempt'));
  }
  await assert.rejects(
    pool.call(() => 1, 5),
    refused('options'),
  );
  await assert.rejects(
    pool.call(() => 1, { signal: 5 }),
    refused('signal'),
  );
  await assert.rejects(
    pool.call(() => 1, { failureOf: 'connect' }),
    refused('failureOf'),
  );
  await assert.rejects(
    pool.call(() => 1, { timeoutMs: -1 }),
    refused('timeoutMs'),
  );
  const failing = () => Promise.reject(new Error('own'));
  await assert.rejects(pool.call(failing, { failureOf: () => 'nonesuch' }), refused('kind'));
  await assert.rejects(pool.call(failing, { idempotent: 'yes' }), refused('idempotent'));
  const broken = () => {
    throw new RangeError('broken');
  };
  await assert.rejects(pool.call(failing, { failureOf: broken }), RangeError);
  assert.deepEqual(inFlight(pool), [0], 'whatever becomes of it');
  for (const wrong of [
    (attempt) => thrown(() => pool.retry(attempt)).key,
    (attempt) => thrown(() => pool.pickAgain(undefined, attempt)).key,
  ]) {
    assert.equal(wrong(), 'attempt');
    assert.equal(wrong({ kind: 'connect' }), 'attempt');
    assert.equal(wrong({ kind: 'connect', attempt: 0.5 }), 'attempt');
    assert.equal(wrong({ kind: 'connect', attempt: 0 }), 'attempt');
    assert.equal(wrong({ kind: 'nonesuch', attempt: 1 }), 'kind');
    assert.equal(wrong({ outcome: 'success', kind: 'connect', attempt: 1 }), 'kind');
    assert.equal(wrong({ kind: 'connect', attempt: 1, sent: 1 }), 'sent');
    assert.equal(wrong({ outcome: 'rate_limited', attempt: 1, retryAfterMs: -1 }), 'retryAfterMs');
    assert.equal(wrong({ kind: 'connect', attempt: 1, nowNs: -1 }), 'nowNs');
  }
  assert.equal(thrown(() => pool.pickAgain(null, { kind: 'connect', attempt: 1 })).key, 'request');
  assert.equal(thrown(() => pool.pickAgain({ exclude: 5 }, { kind: 'connect', attempt: 1 })).key, 'exclude');
});
