'use strict';

// Prints by how many MiB the process grows over a million rounds of everything. Needs --expose-gc.

const assert = require('node:assert/strict');
const { setImmediate: tick } = require('node:timers/promises');
const { Engine, Pool, HealthTracker, Strategy } = require('..');
const { inFlight } = require('./help.js');

const pool = new Pool({ nodes: ['a', 'b', 'c'], strategy: 'rendezvous' });
const tracker = new HealthTracker();
const strategy = new Strategy('ring_hash');
const key = 'k'.repeat(1000);

const small = new Pool({
  nodes: [
    { id: 'a', max_in_flight: 1 },
    { id: 'b', tier: 1, max_in_flight: 1 },
  ],
  affinity: true,
  health: { passive: false },
  quotas: [{ dimension: 'rpm', limit: 1_000_000_000 }],
  checks: { interval_ms: 1 },
});
small.onEvent(() => {}, { selections: true });

async function everythingElse(i) {
  const request = { session: `user-${i % 1000}`, zone: 'z', cost: { rpm: 2 } };
  const held = [small.pick(request), small.pick()];
  const waiting = [small.pickWithin({ timeoutMs: 60_000 }), small.acquireWithin({ timeoutMs: 60_000 })];
  assert.throws(() => small.pickExplained());
  held.forEach((pick) => pick.success({ usage: { rpm: 1 } }));
  const [pick, ticket] = await Promise.all(waiting);
  pick.cancel();
  small.release(ticket);
  small.offEvent(small.onEvent(() => {}));
  await small.call((each) => each.node, { idempotent: true });
  await assert.rejects(small.call(() => Promise.reject(new Error('own'))));
  small.explain(request);
  small.plan();
  small.stats();
  small.metrics();
  small.checksDue().forEach(({ id }) => small.reportCheck(id, true));
  small.learnFrom(small.learned());
  const engine = Engine.fromConfig({ pools: { api: { nodes: ['x'], limits: { max_nodes: 1, max_picks: 64 } } } });
  engine.pool('api').pick();
  engine.reloadFrom(engine.config);
  engine.close();
}

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
    if (i % 500 === 0) {
      await everythingElse(i);
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
    if (i % 50_000 === 0) {
      // What is garbage only for a while is no leak.
      global.gc();
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
