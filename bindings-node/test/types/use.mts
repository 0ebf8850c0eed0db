// Compiled by tsc and then run: the types, and `using` as TypeScript writes it for today's Node.

import assert from 'node:assert/strict';
import {
  Pool,
  HealthTracker,
  Strategy,
  select,
  LoadwiseError,
  ConfigError,
  NoNodeError,
  type Candidate,
  type HealthStatus,
  type NodeStatus,
  type NoNodeReason,
  type Pick,
  type PickRequest,
  type PoolConfig,
} from 'loadwise';

const config: PoolConfig = {
  nodes: ['a', { id: 'b', address: '10.0.0.2:80', weight: 2, labels: { region: 'eu' }, user_data: 7n }],
  strategy: [{ name: 'maglev', bounded_load: true }, 'round_robin'],
  seed: 1,
  health: { failure_threshold: 3 },
};

const inFlight = (pool: Pool): number => pool.nodes().reduce((sum: number, node: NodeStatus) => sum + node.inFlight, 0);

{
  using pool = new Pool(config);
  {
    using pick = pool.pick({ key: 'user-17', exclude: new Set(['unknown']), require: { region: 'eu' } });
    const address: string = pick.address;
    assert.equal(address, '10.0.0.2:80');
    assert.equal(inFlight(pool), 1);
  }
  assert.equal(inFlight(pool), 0, 'cancelled');
  try {
    using pick: Pick = pool.pick();
    throw new Error(`failed at ${pick.node}`);
  } catch (error) {
    assert.match((error as Error).message, /^failed at [ab]$/);
  }
  assert.equal(inFlight(pool), 0, 'also by an exception');
  {
    using pick = pool.pick({ predicate: (candidate: Candidate) => candidate.inFlight < 5 && candidate.weight > 0 });
    const first: boolean = pick.success({ latencyMs: 12.5 });
    assert.ok(first && !pick.failure('timeout') && !pick.rateLimited({ retryAfterMs: 5 }) && !pick.cancel());
  }
  const { acquire, release } = pool;
  const ticket: number = acquire({
    key: new Uint8Array([1]),
    health: ['healthy', 'degraded'],
    nowNs: process.hrtime.bigint(),
  });
  assert.ok(release(ticket, 'failure', { kind: 'connect', latencyMs: 1 }));
  pool.setOwnStrategy((candidates, key) => (key === undefined ? candidates.length - 1 : null), 'random');
  const strategy: string = pool.strategy;
  assert.equal(strategy, 'custom');
  assert.equal(pool.pick().node, 'b');
}

try {
  new Pool().pick();
} catch (error) {
  assert.ok(error instanceof NoNodeError && error instanceof LoadwiseError);
  const reason: NoNodeReason = error.reason;
  assert.equal(reason, 'empty');
}
try {
  Pool.fromConfig('nodes: 5');
} catch (error) {
  assert.ok(error instanceof ConfigError);
  const [key, line]: [string, number] = [error.key, error.line];
  assert.deepEqual([key, line], ['nodes', 1]);
}

const chosen: number | null = select(
  [
    { id: 'a', load: 2 },
    { id: 'b', load: 1 },
  ],
  'least_load',
  { exclude: [] },
);
assert.equal(chosen, 1);
assert.equal(new Strategy({ name: 'ring_hash', points: 100 }).select(['a']), 0);
assert.equal(new HealthTracker({ probeIntervalMs: 5 }).status('a') satisfies HealthStatus, 'healthy');

const request: PickRequest = {};
// @ts-expect-error: no such key
request.keys = 'k';
// @ts-expect-error: numbers are no keys
request.key = 5;
// @ts-expect-error: no such strategy
config.strategy = 'p3c';
// @ts-expect-error: p2c has no table
config.strategy = { name: 'p2c', table_size: 7 };
export const wrong = (pick: Pick): void => {
  // @ts-expect-error: no such kind
  pick.failure('bad');
};
