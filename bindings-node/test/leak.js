'use strict';

// Prints by how many MiB the process grows over a million rounds of everything. Needs --expose-gc.

const assert = require('node:assert/strict');
const { setImmediate: tick } = require('node:timers/promises');
const { Pool, HealthTracker, Strategy } = require('..');
const { inFlight } = require('./help.js');

const pool = new Pool({ nodes: ['a', 'b', 'c'], strategy: 'rendezvous' });
const tracker = new HealthTracker();
const strategy = new Strategy('ring_hash');
const key = 'k'.repeat(1000);

/** The memory that is held after so many rounds. */
async function after(rounds) {
  for (let i = 0; i < rounds; i++) {
    pool.pick().success();
    pool.release(pool.acquire({ key }), 'success', { latencyMs: 1 });
    if (i % 10 === 0) {
      pool.pick({ exclude: ['a'], require: {}, predicate: (candidate) => candidate.id !== 'b' }).cancel();
      assert.throws(() => pool.pick({ exclude: ['a', 'b', 'c'] }));
      assert.throws(() => pool.report('nobody', 'success'));
      assert.throws(() => new Pool({ nodes: [5] }));
      tracker.reportFailure('a');
      strategy.select(['a', 'b'], { key });
    }
    if (i % 1000 === 0) {
      pool.nodes();
      pool.setNodes(['a', 'b', { id: 'c', labels: { i: String(i) } }]);
      pool.maintain();
      new Pool({ nodes: ['x'], limits: { max_nodes: 1, max_picks: 64 } }).pick();
    }
    if (i % 10_000 === 0) {
      await tick();
    }
  }
  for (let i = 0; i < 5; i++) {
    global.gc();
    await tick();
  }
  assert.deepEqual(inFlight(pool), [0, 0, 0]);
  return process.memoryUsage().rss;
}

async function main() {
  await after(200_000);
  const before = await after(200_000);
  console.log(((await after(1_000_000)) - before) / 2 ** 20);
}

main();
