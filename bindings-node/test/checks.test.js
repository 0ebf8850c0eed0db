'use strict';

// What time does: checks of real servers, and maintenance, from timers.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const http = require('node:http');
const { test } = require('node:test');
const { setTimeout: sleep } = require('node:timers/promises');
const { Pool, ConfigError } = require('..');
const { thrown, node, takeDown } = require('./help.js');

const CHECKS = {
  interval_ms: 20,
  jitter: 0,
  timeout_ms: 10_000,
  grace_ms: 0,
  failure_threshold: 1,
  success_threshold: 1,
};

/** Waits until it is so: in a test's time, it must become so. */
async function until(so) {
  while (!so()) {
    await sleep(5);
  }
}

async function server(answer) {
  const made = http.createServer(answer).listen(0, '127.0.0.1');
  await once(made, 'listening');
  return { address: `127.0.0.1:${made.address().port}`, end: () => made.close() && made.closeAllConnections() };
}

const fetched = async ({ address }, { signal }) => (await fetch(`http://${address}/health`, { signal })).ok;

test('servers are checked: who does not answer goes, and comes back', { timeout: 60_000 }, async () => {
  let well = false;
  const one = await server((_, res) => res.writeHead(well ? 200 : 500).end());
  const other = await server((_, res) => res.end());
  const pool = new Pool({ nodes: [one.address, other.address], checks: CHECKS, health: { recovery_successes: 1 } });
  const changes = [];
  pool.onEvent(({ kind, node: id, to }) => kind === 'health' && changes.push([id, to]));
  pool.start({ check: fetched, intervalMs: 10 });
  try {
    await until(() => node(pool, one.address).health === 'unhealthy');
    assert.equal(node(pool, other.address).health, 'healthy');
    assert.equal(pool.pick().node, other.address);
    well = true;
    await until(() => node(pool, one.address).health === 'healthy');
    const { checksOk, checksFailed } = pool.stats().nodes[0];
    assert.ok(checksOk >= 1 && checksFailed >= 1);
    assert.ok(changes.every(([id]) => id === one.address));
  } finally {
    pool.stop();
    one.end();
    other.end();
  }
  const { checksOk } = pool.stats().nodes[1];
  await sleep(100);
  assert.ok(pool.stats().nodes[1].checksOk <= checksOk + 1, 'but for one under way, there are no more');
});

test('a check that never ends has failed at its deadline, and is told to end', { timeout: 60_000 }, async () => {
  const pool = new Pool({ nodes: ['a'], checks: { ...CHECKS, timeout_ms: 30 } });
  let told = false;
  pool.start({
    check: (_, { signal }) => {
      signal.addEventListener('abort', () => (told = true));
      return new Promise(() => {});
    },
  });
  await until(() => node(pool, 'a').health === 'unhealthy' && told);
  pool.close();
});

test('a check sees the node; one that throws, or answers no, has failed', { timeout: 60_000 }, async () => {
  const answers = {
    a: () => true,
    b: () => false,
    c: () => {
      throw new Error('no');
    },
    d: () => Promise.reject(new Error('no')),
    e: async () => 'yes',
    f: () => undefined,
  };
  const nodes = Object.keys(answers).map((id) => ({ id, address: `${id}:80`, name: `node ${id}` }));
  const pool = new Pool({ nodes, checks: CHECKS });
  const start = Number(process.hrtime.bigint());
  pool.start({
    check: ({ id, address, name, deadlineNs }) => {
      assert.deepEqual([address, name], [`${id}:80`, `node ${id}`]);
      assert.ok(deadlineNs > start);
      return answers[id]();
    },
  });
  await until(() => pool.stats().nodes.every(({ checksOk, checksFailed }) => checksOk + checksFailed > 1));
  pool.stop();
  const health = Object.fromEntries(pool.nodes().map(({ id, health: status }) => [id, status]));
  const down = 'unhealthy';
  assert.deepEqual(health, { a: 'healthy', b: down, c: down, d: down, e: 'healthy', f: down });
});

test('a node that leaves while it is checked disturbs nobody', { timeout: 60_000 }, async () => {
  const pool = new Pool({ nodes: ['a', 'b'], checks: CHECKS });
  let checked = 0;
  pool.start({
    check: async ({ id }) => {
      if (id === 'a' && pool.length === 2) {
        pool.deregister('a');
      }
      await sleep(1);
      checked += 1;
      return true;
    },
  });
  await until(() => checked > 5);
  pool.close();
  await sleep(20);
});

test('maintenance alone: forgotten picks are given up', { timeout: 60_000 }, async () => {
  const pool = new Pool({ nodes: ['a'], lease_timeout_ms: 10 });
  pool.pick();
  pool.start({ intervalMs: 5 });
  // Figures maintain by themselves, so the pick is asked.
  const ticket = pool.acquire();
  await until(() => {
    try {
      return pool.nodeOf(ticket) === undefined;
    } catch (error) {
      return error.code === 'ERR_LOADWISE_STALE_TICKET';
    }
  });
  pool.stop();
  pool.stop();
});

test('started again, the later one counts', { timeout: 60_000 }, async () => {
  const pool = new Pool({ nodes: ['a'], checks: CHECKS });
  const calls = [];
  pool.start({ check: () => calls.push('first') > 0 });
  pool.start({ check: () => calls.push('second') > 0 });
  await until(() => calls.length > 3);
  pool.close();
  assert.ok(!calls.includes('first'));
});

test('a host with timers of its own', () => {
  const pool = new Pool({ nodes: ['a', 'b'], checks: { ...CHECKS, interval_ms: 1000 } });
  // What is asked without a time is asked now, and a pool has one clock.
  const now = Number(process.hrtime.bigint());
  const due = pool.checksDue(now);
  assert.deepEqual(
    due.map(({ id, deadlineNs }) => [id, deadlineNs]),
    [
      ['a', now + 10e9],
      ['b', now + 10e9],
    ],
  );
  assert.deepEqual(pool.checksDue(now), [], 'each is told of once');
  assert.equal(pool.reportCheck('a', true, { latencyMs: 3, nowNs: now }), false);
  assert.equal(pool.reportCheck('b', false, { nowNs: BigInt(now) }), true);
  assert.equal(node(pool, 'b').health, 'unhealthy');
  assert.ok(pool.nextCheckNs > now);
  assert.deepEqual(new Pool({ nodes: ['a'] }).checksDue(), []);
  assert.equal(new Pool({ nodes: ['a'] }).nextCheckNs, undefined);
});

test('a node that is down is tried by live traffic, one pick at a time', () => {
  const health = { failure_threshold: 1, recovery_successes: 1, probe_interval_ms: 1000 };
  const pool = new Pool({ nodes: ['a', 'b'], health });
  takeDown(pool, 'a');
  const later = BigInt(Math.round(node(pool, 'a').holdUntilNs)) + 1_000_000_000n;
  const picks = Array.from({ length: 10 }, () => pool.pick({ nowNs: later }));
  const probes = picks.filter(({ node: id }) => id === 'a');
  assert.equal(probes.length, 1);
  probes[0].success({ nowNs: later });
  assert.equal(node(pool, 'a').health, 'healthy');
  assert.equal(pool.stats().probes, 1);
});

test('bad input', () => {
  const pool = new Pool({ nodes: ['a'], checks: CHECKS });
  const refused = (call, key) => {
    const error = thrown(call);
    assert.ok(error instanceof ConfigError, `${error}`);
    assert.equal(error.key, key);
  };
  refused(() => pool.start({ check: 'fetch' }), 'check');
  refused(() => pool.start({ check: null }), 'check');
  refused(() => pool.start(5), 'options');
  for (const intervalMs of [0, -1, NaN, '1000', null]) {
    refused(() => pool.start({ intervalMs }), 'intervalMs');
  }
  refused(() => pool.reportCheck('a'), 'ok');
  refused(() => pool.reportCheck('a', 1), 'ok');
  refused(() => pool.reportCheck('a', true, { latencyMs: -1 }), 'latencyMs');
  refused(() => pool.reportCheck(5, true), 'id');
  assert.equal(thrown(() => pool.reportCheck('x', true)).code, 'ERR_LOADWISE_UNKNOWN_NODE');
  refused(() => pool.checksDue('now'), 'nowNs');
  refused(() => new Pool({ checks: { interval_ms: 0 } }), 'checks.interval_ms');
  refused(() => new Pool({ checks: { jitter: NaN } }), 'checks.jitter');
  pool.close();
  assert.equal(thrown(() => pool.start()).code, 'ERR_LOADWISE_CLOSED');
});
