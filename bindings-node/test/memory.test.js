'use strict';

// What is forgotten is given back, and nothing grows. Needs --expose-gc.

const assert = require('node:assert/strict');
const { setImmediate: tick } = require('node:timers/promises');
const { test } = require('node:test');
const { Pool, HealthTracker, Strategy } = require('..');
const { inFlight } = require('./help.js');

/** Collects until `done`: Node runs finalizers some turns later. */
async function collected(done) {
  for (let i = 0; i < 100 && !done(); i++) {
    global.gc();
    await tick();
  }
  return done();
}

/** Whether an object that nobody has was collected, and with it all others. */
async function everythingCollected() {
  let gone = false;
  const registry = new FinalizationRegistry(() => (gone = true));
  registry.register({}, undefined);
  const done = await collected(() => gone);
  return done && registry !== undefined;
}

test('--expose-gc is given', () => {
  assert.equal(typeof global.gc, 'function', 'run: node --expose-gc --test');
});

test('pools that are forgotten are freed, closed or not: there may be 4096 at one time', async () => {
  for (let i = 0; i < 6000; i++) {
    const pool = new Pool({ nodes: ['a'], limits: { max_nodes: 1, max_picks: 64 } });
    pool.setOwnStrategy(() => pool.length - 1);
    assert.equal(pool.pick({ predicate: () => pool.length === 1 }).node, 'a');
    if (i % 1000 === 999) {
      global.gc();
      await tick();
      await tick();
    }
  }
});

test('a closed pool is freed at once', () => {
  for (let i = 0; i < 10_000; i++) {
    const pool = new Pool({ nodes: ['a'], limits: { max_nodes: 1, max_picks: 64 } });
    pool.pick();
    pool.close();
  }
});

test('a pool lives as long as a function of it', async () => {
  const { acquire, release } = new Pool({ nodes: ['a', 'b'] });
  assert.ok(await everythingCollected());
  assert.equal(release(acquire({ key: 'k' })), true);
});

test('a pick lives without its pool', async () => {
  const pick = (() => new Pool({ nodes: ['a'] }).pick())();
  assert.ok(await everythingCollected());
  assert.equal(pick.node, 'a');
  assert.equal(pick.success(), true);
});

test('an own strategy lives as long as its pool, also through its functions alone', async () => {
  const { acquire } = (() => {
    const pool = new Pool({ nodes: ['a', 'b'] });
    pool.setOwnStrategy((candidates) => candidates.length - 1);
    return pool;
  })();
  assert.ok(await everythingCollected());
  assert.ok(acquire() > 0);
});

test('a forgotten pick stays in flight until lease_timeout_ms', async () => {
  const pool = new Pool({ nodes: ['a'], lease_timeout_ms: 1000 });
  const now = process.hrtime.bigint();
  (() => pool.pick({ nowNs: now }))();
  assert.ok(await everythingCollected());
  assert.deepEqual(inFlight(pool), [1]);
  assert.equal(pool.maintain(now + 1_000_000_000n).leasesExpired, 1);
  assert.deepEqual(inFlight(pool), [0]);
});

test('a million picks, errors and callbacks leave no memory behind', async () => {
  const pool = new Pool({ nodes: ['a', 'b', 'c'], strategy: 'rendezvous' });
  const tracker = new HealthTracker();
  const strategy = new Strategy('ring_hash');
  const long = 'k'.repeat(1000);
  const round = async (times) => {
    for (let i = 0; i < times; i++) {
      pool.pick().success();
      pool.release(pool.acquire({ key: long }), 'success', { latencyMs: 1 });
      if (i % 10 === 0) {
        pool.pick({ exclude: ['a'], require: {}, predicate: (candidate) => candidate.id !== 'b' }).cancel();
        assert.throws(() => pool.pick({ exclude: ['a', 'b', 'c'] }));
        assert.throws(() => pool.report('nobody', 'success'));
        assert.throws(() => new Pool({ nodes: [5] }));
        tracker.reportFailure('a');
        strategy.select(['a', 'b'], { key: long });
      }
      if (i % 1000 === 0) {
        pool.nodes();
        pool.setNodes(['a', 'b', { id: 'c', labels: { i: String(i) } }]);
        pool.maintain();
      }
      if (i % 10_000 === 0) {
        await tick();
      }
    }
    await collected(() => false);
    return process.memoryUsage().rss;
  };
  await round(100_000);
  const before = await round(100_000);
  const after = await round(800_000);
  const growth = (after - before) / 2 ** 20;
  // One leaked handle or string of 1000 bytes a call would be 80 MB and more.
  assert.ok(growth < 30, `${growth.toFixed(1)} MiB`);
  assert.deepEqual(inFlight(pool), [0, 0, 0]);
});
