'use strict';

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const { test } = require('node:test');
const { setImmediate: tick, setTimeout: sleep } = require('node:timers/promises');
const { Pool, Pick, ConfigError, NoNodeError } = require('..');
const { inFlight } = require('./help.js');

const LONG_MS = 60_000;

/** A pool with room for one pick, which is taken. */
function full(config = {}) {
  const pool = new Pool({ nodes: [{ id: 'a', max_in_flight: 1 }], ...config });
  return { pool, held: pool.pick() };
}

test('a pick waits until another ends', async () => {
  const { pool, held } = full();
  const waiting = pool.pickWithin({ timeoutMs: LONG_MS });
  assert.equal(pool.waiting, 1);
  held.success();
  const pick = await waiting;
  assert.ok(pick instanceof Pick);
  assert.deepEqual([pick.node, pool.waiting, ...inFlight(pool)], ['a', 0, 1]);
  assert.ok(pick.success());
});

test('one that finds room does not wait', async () => {
  const pool = new Pool({ nodes: ['a', 'b'] });
  const pick = await pool.pickWithin({ timeoutMs: 0, exclude: ['a'] });
  assert.equal(pick.node, 'b');
  assert.equal((await pool.pickWithin()).callbackFailed, false);
});

test('tickets wait alike', async () => {
  const { pool, held } = full();
  const waiting = pool.acquireWithin({ timeoutMs: LONG_MS });
  held.cancel();
  const ticket = await waiting;
  assert.equal(pool.nodeOf(ticket), 'a');
  assert.equal(pool.release(ticket), true);
});

test('everybody has a turn, and nobody waits in vain', async () => {
  const { pool, held } = full();
  const served = [];
  const one = async (i) => {
    const pick = await pool.pickWithin({ timeoutMs: LONG_MS });
    served.push(i);
    await tick();
    pick.success();
  };
  const all = Array.from({ length: 100 }, (_, i) => one(i));
  assert.equal(pool.waiting, 100);
  held.success();
  await Promise.all(all);
  assert.deepEqual(
    served.toSorted((a, b) => a - b),
    Array.from({ length: 100 }, (_, i) => i),
  );
  assert.deepEqual([pool.waiting, ...inFlight(pool)], [0, 0]);
});

test('the time is over: the reason is told, and it is counted', async () => {
  const { pool, held } = full({ acquire_timeout_ms: 20 });
  for (const request of [{ timeoutMs: 1 }, {}, undefined]) {
    await assert.rejects(pool.pickWithin(request), (error) => {
      return error instanceof NoNodeError && error.reason === 'saturated';
    });
  }
  await assert.rejects(pool.pickWithin({ timeoutMs: 0 }), NoNodeError);
  assert.deepEqual([pool.stats().waitTimeouts, pool.waiting], [3, 0]);
  assert.ok(held.success());
});

test('only what time may change is waited for', async () => {
  const reason = (pool, request) => pool.pickWithin({ timeoutMs: LONG_MS, ...request }).catch((error) => error.reason);
  const { pool } = full();
  assert.equal(await reason(new Pool()), 'empty');
  assert.equal(await reason(pool, { exclude: ['a'] }), 'all_excluded');
  assert.equal(await reason(pool, { require: { region: 'us' } }), 'no_match');
});

test('a quota that is used up is waited for', async () => {
  const quotas = [{ dimension: 'rpm', limit: 1, window_ms: 1000, buckets: 1 }];
  const pool = new Pool({ nodes: ['a'], quotas });
  (await pool.pickWithin()).success();
  assert.equal((await pool.pickWithin({ timeoutMs: LONG_MS })).node, 'a');
});

test('the queue is bounded: who does not fit in is refused at once', async () => {
  const { pool, held } = full({ acquire_queue: 1 });
  const first = pool.pickWithin({ timeoutMs: LONG_MS });
  await assert.rejects(pool.pickWithin({ timeoutMs: LONG_MS }), { code: 'ERR_LOADWISE_NO_NODE_SATURATED' });
  assert.equal(pool.stats().queueRefusals, 1);
  held.success();
  (await first).success();
});

test('a signal ends the wait with its reason, and the place is given up', async () => {
  const { pool, held } = full();
  const leaving = new AbortController();
  const waiting = pool.pickWithin({ timeoutMs: LONG_MS, signal: leaving.signal });
  const reason = new Error('the client left');
  leaving.abort(reason);
  await assert.rejects(waiting, (error) => error === reason);
  await assert.rejects(pool.pickWithin({ signal: leaving.signal }), (error) => error === reason);
  assert.equal(pool.waiting, 0);
  held.success();
  assert.deepEqual(inFlight(pool), [0], 'nobody took the room that the client had asked for');
  await assert.rejects(pool.pickWithin({ signal: AbortSignal.abort() }), { name: 'AbortError' });
});

test('a pool that is closed lets nobody wait', async () => {
  const { pool } = full();
  const waiting = [pool.pickWithin({ timeoutMs: LONG_MS }), pool.acquireWithin({ timeoutMs: LONG_MS })];
  pool.close();
  for (const one of waiting) {
    await assert.rejects(one, { code: 'ERR_LOADWISE_CLOSED' });
  }
  await assert.rejects(pool.pickWithin(), { code: 'ERR_LOADWISE_CLOSED' });
});

test('nodes that come are room, too', async () => {
  const { pool } = full();
  const waiting = pool.pickWithin({ timeoutMs: LONG_MS });
  pool.register('b');
  assert.equal((await waiting).node, 'b');
});

test('callbacks take part in every look', async () => {
  const { pool, held } = full();
  const bad = new Error('bad');
  const waiting = pool.pickWithin({
    timeoutMs: LONG_MS,
    predicate: () => {
      throw bad;
    },
  });
  held.success();
  await assert.rejects(waiting, (error) => error.callbackFailed && error.cause === bad);
});

test('bad input', async () => {
  const { pool } = full();
  const refused = async (request, key) => {
    await assert.rejects(pool.pickWithin(request), (error) => error instanceof ConfigError && error.key === key);
  };
  for (const timeoutMs of [-1, NaN, '5', null, 5n]) {
    await refused({ timeoutMs }, 'timeoutMs');
  }
  await refused({ signal: {} }, 'signal');
  await refused({ signal: null }, 'signal');
  await refused({ nowNs: 5 }, 'nowNs');
  await refused(5, 'request');
  await refused(null, 'request');
  await refused({ key: 5 }, 'key');
  assert.equal(pool.waiting, 0);
});

test('a process ends when nothing but the time of a pick is left, and not before', () => {
  const run = (script) =>
    execFileSync(
      process.execPath,
      [
        '-e',
        `const { Pool } = require(${JSON.stringify(require.resolve('..'))});
      const pool = new Pool({ nodes: [{ id: 'a', max_in_flight: 1 }] }); const held = pool.pick(); ${script}`,
      ],
      {
        encoding: 'utf8',
      },
    );
  assert.equal(run('pool.pickWithin({ timeoutMs: 20 }).catch((error) => console.log(error.reason))'), 'saturated\n');
  assert.equal(
    run("pool.onEvent(() => {}, { selections: true }); pool.start({ check: () => true }); console.log('end')"),
    'end\n',
  );
});

test('who waits does not look all the time', async () => {
  const { pool } = full();
  const waiting = pool.pickWithin({ timeoutMs: 400 }).catch(() => {});
  const before = pool.stats().noNode.saturated;
  await sleep(300);
  // A look each 50 ms; a machine that is slow makes them fewer, or lets all of the time go by.
  const looks = pool.stats().noNode.saturated - before;
  assert.ok(looks >= 1 && looks <= 10, `${looks} looks`);
  await waiting;
});
