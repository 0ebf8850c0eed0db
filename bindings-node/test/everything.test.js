'use strict';

// Everything is on, and anything may come next: what is wrong is a typed error, and in the end nothing is held.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Pool, LoadwiseError, NoNodeError } = require('..');

const CONFIG = {
  strategy: 'p2c',
  max_in_flight: 50,
  acquire_queue: 20,
  drain_timeout_ms: 1000,
  checks: { interval_ms: 100 },
  breaker: { consecutive_failures: 3, open_ms: 50 },
  outlier: { sweep_interval_ms: 100 },
  panic: { mode: 'spread' },
  zones: { zone: 'x' },
  slow_start: { duration_ms: 200 },
  affinity: { entries: 64, rebalance: 'gradual', rebalance_ms: 500 },
  adaptive_limit: true,
  quotas: [{ dimension: 'rpm', limit: 500, window_ms: 1000 }],
  retry: { base_delay_ms: 1 },
  stats: { latency: 'nodes' },
  limits: { max_nodes: 16, max_groups: 16 },
};
const IDS = Array.from({ length: 12 }, (_, i) => `n${i}`);
const STRATEGIES = ['round_robin', 'weighted_round_robin', 'random', 'least_request', 'maglev', 'adaptive', 'fastest'];

/** Numbers that a seed repeats (a linear congruence of 32 bits). */
function draws(seed) {
  let state = seed;
  const below = (bound) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
  return { below, one: (list) => list[below(list.length)] };
}

const nodeOf = ({ one, below }, id) => ({
  id,
  weight: below(4),
  tier: below(2),
  zone: one(['x', 'y']),
  max_in_flight: below(10),
  labels: { version: one(['v1', 'v2']) },
});

function operations(pool, draw, held, clock) {
  const { below, one } = draw;
  const now = () => clock.ns;
  const request = () => ({
    key: below(2) ? `key-${below(50)}` : undefined,
    session: below(2) ? `user-${below(50)}` : undefined,
    zone: one(['x', 'y', 'z', undefined]),
    cost: below(2) ? { rpm: below(5), unknown: below(5) } : undefined,
    exclude: below(3) ? undefined : [one(IDS), ...held.slice(0, 2)],
    require: below(4) ? undefined : { version: 'v1' },
    health: below(4) ? undefined : 15,
    predicate: below(5) ? undefined : ({ id }) => id !== 'n3',
    nowNs: now(),
  });
  const outcome = (pick) => {
    const details = { latencyMs: below(100), usage: below(2) ? { rpm: below(5) } : undefined, nowNs: now() };
    const ways = [
      () => pick.success(details),
      () => pick.failure(one(['connect', 'timeout', 'reset']), details),
      () => pick.rateLimited({ retryAfterMs: below(50), ...details }),
      () => pick.cancel(),
    ];
    assert.equal(one(ways)(), true);
  };
  const pick = () => held.push(below(10) ? pool.pick(request()) : pool.pickExplained(request()).pick);
  const finish = () => held.length > 0 && outcome(held.splice(below(held.length), 1)[0]);
  return [
    ...Array(10).fill(pick),
    ...Array(10).fill(finish),
    () => (clock.ns += below(50) * 1e6),
    () => pool.maintain(now()),
    () => pool.register(nodeOf(draw, one(IDS))),
    () => pool.deregister(one(IDS)),
    () => pool.setNodes(IDS.filter(() => below(3)).map((id) => nodeOf(draw, id))),
    () => pool.setWeight(one(IDS), below(5)),
    () => pool.drain(one(IDS), below(2) === 0, { nowNs: now() }),
    () => pool.setStrategy(one(STRATEGIES)),
    () => pool.report(one(IDS), one(['success', 'failure']), { nowNs: now() }),
    () =>
      pool.reportLoad(one(IDS), { load: below(9), requestsPerS: below(9), utilization: below(9) / 8, nowNs: now() }),
    () => pool.setAffinity(`user-${below(50)}`, one(IDS), { nowNs: now() }),
    () => pool.clearAffinity(`user-${below(50)}`),
    () => pool.rebalance({ nowNs: now() }),
    () => pool.failover(one(IDS)),
    () => pool.resetFailover(),
    () => pool.checksDue(now()).forEach(({ id }) => pool.reportCheck(id, below(3) > 0, { nowNs: now() })),
    () => pool.retry({ attempt: 1 + below(3), kind: 'connect', nowNs: now() }),
    () => pool.pickAgain(request(), { attempt: 1 + below(3), kind: 'connect', nowNs: now() }).pick?.cancel({ nowNs: now() }),
    () => pool.explain(request()),
    () => pool.plan(request()),
    () => pool.stats({ nowNs: now() }),
    () => pool.find({ version: 'v2' }, { nowNs: now() }),
    () => pool.learnFrom(pool.learned({ nowNs: now() }), { nowNs: now() }),
    () => pool.reload({ ...pool.config, max_in_flight: 20 + below(40) }, { nowNs: now() }),
  ];
}

for (const seed of [1, 2, 3, 4]) {
  test(`3000 operations, seed ${seed}`, () => {
    const draw = draws(seed);
    const pool = new Pool({ ...CONFIG, seed, nodes: IDS.slice(0, 6).map((id) => nodeOf(draw, id)) });
    const [held, clock] = [[], { ns: Number(process.hrtime.bigint()) }];
    let heard = 0;
    pool.onEvent(() => (heard += 1), { selections: true });
    const all = operations(pool, draw, held, clock);
    const seen = new Set();
    for (let i = 0; i < 3000; i++) {
      try {
        draw.one(all)();
      } catch (error) {
        assert.ok(error instanceof LoadwiseError && error.status < 600, `operation ${i}: ${error.stack}`);
        seen.add(error instanceof NoNodeError ? error.reason : error.code);
      }
    }
    held.forEach((pick) => pick.success({ nowNs: clock.ns }));
    const { inFlight, selections, successes, failures, rateLimited, cancelled } = pool.stats({ nowNs: clock.ns });
    assert.equal(inFlight, 0);
    assert.equal(selections, successes + failures + rateLimited + cancelled);
    assert.ok(heard >= selections && selections > 500, `${heard} events of ${selections} picks`);
    assert.ok(seen.has('ERR_LOADWISE_UNKNOWN_NODE') && seen.size > 2, [...seen].join(' '));
  });
}
