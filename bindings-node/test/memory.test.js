'use strict';

// What is forgotten is given back, and nothing grows. Needs --expose-gc.

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const { join } = require('node:path');
const { test } = require('node:test');
const { setImmediate: tick } = require('node:timers/promises');
const { Engine, Pool } = require('..');
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

test('listeners and timers keep no pool, and nothing keeps an engine but its pools', async () => {
  const gone = new Set();
  const registry = new FinalizationRegistry((name) => gone.add(name));
  const heard = [];
  const kept = (() => {
    const pool = new Pool({ nodes: ['a'], checks: { interval_ms: 10 } });
    pool.onEvent((event) => heard.push([pool.name, event]), { selections: true });
    pool.pick().success();
    pool.start({ intervalMs: 5 });
    registry.register(pool, 'pool');
    const engine = Engine.fromConfig({ pools: { api: { nodes: ['a'] }, other: { nodes: ['b'] } } });
    engine.start({ intervalMs: 5 });
    registry.register(engine, 'engine');
    return engine.pool('api');
  })();
  assert.ok(await collected(() => gone.has('pool')));
  assert.equal(heard.length, 1);
  assert.equal(gone.has('engine'), false, 'a pool of it is left');
  assert.equal(kept.pick().node, 'a');
});

test('a listener lives as long as its pool, also through its functions alone', async () => {
  let heard = 0;
  const { acquire } = (() => {
    const pool = new Pool({ nodes: ['a'] });
    pool.onEvent(() => (heard += 1), { selections: true });
    return pool;
  })();
  assert.ok(await everythingCollected());
  acquire();
  assert.equal(heard, 1);
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

test('a million picks, errors and callbacks leave no memory behind', () => {
  // V8 takes more for its young objects as it likes, unless it is told.
  const argv = ['--expose-gc', '--max-semi-space-size=1', join(__dirname, 'leak.js')];
  const mebibytes = Number(execFileSync(process.execPath, argv, { encoding: 'utf8' }));
  // What is lost in each round, of 100 bytes, would be 100.
  assert.ok(mebibytes < 20, `${mebibytes.toFixed(1)} MiB`);
});
