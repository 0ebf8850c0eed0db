// Compiled by tsc and then run: the types, and `using` as TypeScript writes it for today's Node.

import assert from 'node:assert/strict';
import {
  Engine,
  Pool,
  HealthTracker,
  Strategy,
  select,
  LoadwiseError,
  ConfigError,
  NoNodeError,
  type Again,
  type Candidate,
  type Difference,
  type HealthStatus,
  type EngineConfig,
  type GiveUp,
  type NodeStatus,
  type NoNodeReason,
  type OpenPick,
  type Pick,
  type PickRequest,
  type PoolConfig,
  type PoolEvent,
  type PoolStats,
  type ProcessStatus,
  type Retry,
  type SharedConfig,
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

const safe: PoolConfig = {
  nodes: [
    { id: 'a', tier: 0, zone: 'eu-1a', max_in_flight: 5, quotas: { rpm: 10n } },
    { id: 'b', tier: 1, labels: { version: 'v2' } },
  ],
  strategy: { name: 'reported_load', blackout_ms: 0 },
  max_in_flight: 100,
  acquire_timeout_ms: 1000,
  health: { passive: true, min_success_rate: 0.5, live_probes: false },
  checks: { interval_ms: 1000 },
  breaker: true,
  outlier: { max_ejected: 0.2 },
  panic: { mode: 'spread' },
  tiers: { failback_ms: 0 },
  zones: { zone: 'eu-1a' },
  slow_start: false,
  splits: [{ labels: { version: 'v2' }, share: 0.05 }],
  affinity: { rebalance: 'gradual' },
  adaptive_limit: true,
  quotas: [{ dimension: 'rpm', limit: 60 }],
  retry: { max_attempts: 2 },
  stats: { latency: 'nodes' },
  limits: { max_groups: 4 },
};
const engineConfig: EngineConfig = { pools: { api: safe } };

{
  using engine = Engine.fromConfig(engineConfig);
  const pool: Pool = engine.pool('api');
  const events: PoolEvent[] = [];
  const listener: number = pool.onEvent((event) => {
    if (event.kind === 'health') {
      const to: HealthStatus = event.to;
      assert.equal(typeof to, 'string');
    } else if (event.kind === 'topology') {
      const ids: string[] = [...event.added, ...event.removed];
      assert.deepEqual(ids, ['c']);
    }
    events.push(event);
  });
  pool.register({ id: 'c', tier: 1 });
  assert.equal(events.length, 1);
  assert.ok(pool.offEvent(listener));

  const signal = new AbortController().signal;
  using pick = await pool.pickWithin({ timeoutMs: 10, signal, zone: 'eu-1a', session: 'user', cost: { rpm: 1 } });
  assert.equal(pool.affinity('user'), pick.node);
  pick.success({ latencyMs: 5, usage: { rpm: 2n } });
  const ticket: number = await pool.acquireWithin();
  assert.ok(pool.release(ticket, 'success', { usage: { rpm: 0 } }));
  const answer: number = await pool.call(async (p, { attempt }) => p.node.length + attempt, {
    idempotent: true,
    failureOf: (error) => (error instanceof TypeError ? 'other' : { kind: 'connect', sent: false }),
  });
  assert.equal(answer, 2);
  const retry: Retry = pool.retry({ attempt: 1, kind: 'connect' });
  const wait: number = retry.giveUp === undefined ? retry.afterMs : 0;
  assert.ok(wait >= 0);
  const again: Again = pool.pickAgain({ exclude: [] }, { attempt: 1, kind: 'connect' });
  const node: string | GiveUp = again.giveUp === undefined ? again.pick.node : again.giveUp;
  assert.ok(node.length > 0 && again.giveUp === undefined && again.pick.success() && again.afterMs >= 0);
  assert.equal(pool.setting('retry.max_attempts'), 2);
  const [first] = pool.plan({ zone: 'eu-1a' }).attempts;
  assert.equal(first?.delayMs, 0);

  pool.reportLoad('a', { requestsPerS: 10, utilization: 0.5, errorsPerS: 0, nowNs: 5n });
  const stats: PoolStats = pool.stats({ nowNs: process.hrtime.bigint() });
  const p99: number | undefined = stats.latency?.p99Ms;
  assert.equal(typeof p99, 'number');
  const refused: number = stats.noNode.rate_limited + stats.failuresByKind.server_error;
  assert.equal(refused, 0);
  assert.match(pool.metrics({ format: 'openmetrics' }), /# EOF/);
  const status: NodeStatus | undefined = pool.find({ region: undefined })[0];
  assert.equal(status?.maxInFlight, 5);

  const store = new Map<string, string>();
  assert.equal(await pool.save(store), 3);
  assert.equal(await pool.restore({ put: async () => {}, list: async () => store }), 3);
  assert.equal(pool.learnFrom(pool.learned()), 3);
  pool.start({
    check: async ({ id, pool: name, address }, { signal: ends }) => !ends.aborted && id + name + address !== '',
  });
  pool.stop();
  pool.setAffinity('user', 'a', { nowNs: 0 });
  assert.ok(pool.clearAffinity('user'));
  const configured: number = engine.config.pools['api']!.version + engine.config.version;
  assert.equal(configured, 2);
  const { changed, version }: { changed: string[]; version: number } = engine.reloadFrom({
    pools: { api: { ...safe, retry: { max_attempts: 1 } } },
  });
  assert.deepEqual([changed, version], [['api'], 2]);
  engine.start({ intervalMs: 50 });
}

const shared: SharedConfig = { path: process.argv[2]!, mode: '0660', on_bad_segment: 'recreate', max_processes: 8 };
if (process.platform === 'linux') {
  using engine = Engine.fromConfig({ shared, pools: { api: { nodes: ['a', 'b'] } } });
  using pool: Pool = engine.pool('api');
  using alike = Engine.attach(shared.path);
  using looking = Engine.view(new URL(`file://${shared.path}`));
  using pick = alike.pool('api').pick();
  const [me]: ProcessStatus[] = looking.processes();
  const alive: boolean | undefined = me?.alive && me.isOwn;
  assert.equal(alive, false);
  const [open]: OpenPick[] = pool.openPicks(5);
  const age: number | undefined = open?.ageMs;
  assert.deepEqual([open?.node, age], [pick.node, undefined]);
  pool.update({ id: 'a', weight: 2 });
  const status: NodeStatus | undefined = pool.nodeStatus('a', { nowNs: 0n });
  const changed: boolean = pool.setHealth('a', 'unhealthy');
  assert.deepEqual([status?.weight, changed], [2, true]);
  const differences: Difference[] = Engine.fromConfig({ shared: shared.path, pools: { api: {} } }).differences;
  assert.deepEqual([differences[0]?.key, differences[0]?.configured], ['nodes.a', '']);
  const reloaded: boolean = pool.reload({ nodes: ['a'] }, { ifNew: true });
  const names: string[] = engine.reloadFrom({ pools: { api: { nodes: ['a'] } } }, { ifNew: true }).changed;
  assert.deepEqual([reloaded, names], [true, []]);
  const path: string | undefined = engine.sharedPath ?? engine.privateBecause ?? pool.sharedPath;
  assert.equal(path, engine.config.shared?.path);
  const counts: Record<string, number> | undefined = pool.stats().nodes[0]?.inFlightByProcess;
  assert.equal(typeof counts, 'object');
}

const request: PickRequest = {};
// @ts-expect-error: no such key
request.keys = 'k';
// @ts-expect-error: numbers are no keys
request.key = 5;
// @ts-expect-error: no such strategy
config.strategy = 'p3c';
// @ts-expect-error: a pick that waits reads the clock
export const waits = (pool: Pool): Promise<Pick> => pool.pickWithin({ nowNs: 5 });
// @ts-expect-error: no such event
export const hears = (pool: Pool): number => pool.onEvent(({ kind }) => kind === 'nonesuch');
// @ts-expect-error: a check says whether
export const checks = (pool: Pool): void => pool.start({ check: () => 'well' });
// @ts-expect-error: no such state
export const hurts = (pool: Pool): boolean => pool.setHealth('a', 'sick');
// @ts-expect-error: no such word
shared.on_bad_segment = 'ignore';
// @ts-expect-error: an engine is opened
export const engines = (): Engine => new Engine('engine.yaml');
// @ts-expect-error: p2c has no table
config.strategy = { name: 'p2c', table_size: 7 };
export const wrong = (pick: Pick): void => {
  // @ts-expect-error: no such kind
  pick.failure('bad');
};
