'use strict';

// What keeps traffic safe, as a user of a pool meets it, and what of it cannot be.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Pool, ConfigError } = require('..');
const { thrown, node, shares, takeDown } = require('./help.js');

const START = 1_000_000_000_000;
const MS = 1_000_000;

function refused(call, key) {
  const error = thrown(call);
  assert.ok(error instanceof ConfigError, `${error.stack}`);
  assert.equal(error.key, key, error.message);
}

test('backups take over when the primaries are down, by themselves and by hand', () => {
  const pool = new Pool({ nodes: ['a', 'b', { id: 'spare', tier: 1 }], seed: 1 });
  assert.deepEqual(Object.keys(shares(pool, 100)).toSorted(), ['a', 'b']);
  takeDown(pool, 'a');
  takeDown(pool, 'b');
  assert.deepEqual(shares(pool, 20), { spare: 20 });
  assert.equal(pool.stats().tier, 1);
  const other = new Pool({ nodes: ['a', { id: 'spare', tier: 1 }] });
  other.failover('spare');
  assert.deepEqual(shares(other, 20), { spare: 20 });
  assert.equal(other.resetFailover(), true);
  assert.equal(other.resetFailover(), false);
  assert.deepEqual(shares(other, 20), { a: 20 });
  assert.equal(thrown(() => other.failover('x')).code, 'ERR_LOADWISE_UNKNOWN_NODE');
  refused(() => other.failover(1), 'id');
});

test('a tier that has a hole below it is fine, one beyond the last is not', () => {
  assert.equal(new Pool({ nodes: [{ id: 'a', tier: 5 }] }).pick().node, 'a');
  for (const tier of [8, -1, 0.5, '1']) {
    refused(() => new Pool({ nodes: [{ id: 'a', tier }] }), 'nodes[0].tier');
  }
  refused(() => new Pool({ tiers: { overprovisioning: 0.5 } }), 'tiers.overprovisioning');
  refused(() => new Pool({ tiers: { overprovisioning: NaN } }), 'tiers.overprovisioning');
});

test("requests stay in their caller's zone", () => {
  const zone = (name) => ['1', '2', '3', '4'].map((i) => ({ id: `${name}${i}`, zone: name }));
  const pool = new Pool({ nodes: [...zone('x'), ...zone('y')], zones: { zone: 'y' }, seed: 1 });
  const of = (counts) => [...new Set(Object.keys(counts).map((id) => id[0]))];
  assert.deepEqual(of(shares(pool, 200, { zone: 'x' })), ['x']);
  assert.deepEqual(of(shares(pool, 200)), ['y'], "the pool's own, where none is named");
  assert.deepEqual(of(shares(pool, 200, { zone: 'nowhere' })).toSorted(), ['x', 'y']);
  ['x1', 'x2', 'x3', 'x4'].forEach((id) => takeDown(pool, id));
  assert.deepEqual(of(shares(pool, 50, { zone: 'x' })), ['y']);
  for (const wrong of [5, null, {}]) {
    refused(() => pool.pick({ zone: wrong }), 'zone');
  }
  refused(() => new Pool({ nodes: [{ id: 'a', zone: 'z'.repeat(64) }] }), 'nodes[0].zone');
});

test('a canary takes its share', () => {
  const nodes = ['a', 'b', { id: 'new', labels: { version: 'v2' } }];
  const pool = new Pool({ nodes, splits: [{ labels: { version: 'v2' }, share: 0.1 }], seed: 1 });
  const counts = shares(pool, 2000);
  // Of 2000 coins of 0.1, 5 standard deviations are 67.
  assert.ok(Math.abs(counts.new - 200) < 67, `${counts.new}`);
  for (const share of [-0.1, 1.1, NaN, '0.1']) {
    refused(() => new Pool({ splits: [{ labels: { version: 'v2' }, share }] }), 'splits[0].share');
  }
  const half = { labels: { version: 'v2' }, share: 0.6 };
  assert.ok(thrown(() => new Pool({ splits: [half, { ...half, labels: { version: 'v3' } }] })) instanceof ConfigError);
});

test('a node takes no more than its limit, and a pool no more than its own', () => {
  const pool = new Pool({
    nodes: [
      { id: 'a', max_in_flight: 2 },
      { id: 'b', max_in_flight: 1 },
    ],
    max_in_flight: 3,
  });
  const picks = [pool.pick(), pool.pick(), pool.pick()];
  assert.deepEqual(
    pool.nodes().map(({ inFlight }) => inFlight),
    [2, 1],
  );
  assert.equal(thrown(() => pool.pick()).reason, 'saturated');
  picks[0].success();
  assert.equal(pool.pick().node, picks[0].node);
  const small = new Pool({ nodes: ['a', 'b'], max_in_flight: 1 });
  small.pick();
  assert.equal(thrown(() => small.pick()).reason, 'saturated');
  assert.equal(small.stats().noNode.saturated, 1);
});

test('an adaptive limit is told', () => {
  const pool = new Pool({ nodes: ['a'], adaptive_limit: { initial: 30, min: 20, max: 40 } });
  assert.equal(pool.stats().nodes[0].maxInFlight, 30);
  refused(() => new Pool({ adaptive_limit: { min: 0 } }), 'adaptive_limit.min');
});

test('quotas: reserved by a pick, settled by its end', () => {
  const quotas = [{ dimension: 'tokens_used', limit: 100, default_cost: 10 }];
  const pool = new Pool({ nodes: ['a', { id: 'b', quotas: { tokens_used: 50 } }], quotas });
  const used = (id) => pool.stats().nodes.find((n) => n.id === id).quotas[0];
  const take = (id, request) => pool.pick({ exclude: id === 'a' ? ['b'] : ['a'], ...request });
  const pick = take('a', { cost: { tokens_used: 60 } });
  assert.deepEqual(used('a'), { dimension: 'tokens_used', used: 60, limit: 100 });
  assert.equal(thrown(() => take('a', { cost: { tokens_used: 60 } })).reason, 'rate_limited');
  pick.success({ usage: { tokens_used: 25 } });
  assert.equal(used('a').used, 25, 'what was used');
  take('a').success();
  assert.equal(used('a').used, 35, 'a default cost');
  take('a', { cost: { tokens_used: 20n, unknown: 5 } }).cancel();
  assert.equal(used('a').used, 35, 'cancelled: given back');
  const ticket = pool.acquire({ exclude: ['b'], cost: { tokens_used: 5 } });
  pool.release(ticket, 'failure', { usage: { tokens_used: 1 } });
  assert.equal(used('a').used, 36);
  assert.equal(used('b').limit, 50);
  const none = thrown(() => take('b', { cost: { tokens_used: 51 } }));
  assert.equal(none.reason, 'rate_limited', 'a cost above the limit');
});

test('a pick that is cancelled gives back what it reserved, but for what was used', () => {
  const pool = new Pool({ nodes: ['a'], quotas: [{ dimension: 'tpm', limit: 100 }] });
  const used = () => pool.stats({ nowNs: START }).nodes[0].quotas[0].used;
  const reserve = () => pool.pick({ cost: { tpm: 50 }, nowNs: START });
  assert.ok(reserve().cancel({ nowNs: START }));
  assert.equal(used(), 0);
  assert.ok(reserve().cancel({ usage: { tpm: 20n }, nowNs: START }));
  assert.equal(used(), 20);
  refused(() => pool.pick().cancel({ usage: { tpm: -1 } }), 'usage.tpm');
});

test('quotas: what cannot be', () => {
  const pool = new Pool({ nodes: ['a'], quotas: [{ dimension: 'rpm', limit: 10 }] });
  for (const rpm of [-1, 0.5, NaN, Infinity, '5', null, 2n ** 64n, [], {}]) {
    refused(() => pool.pick({ cost: { rpm } }), 'cost.rpm');
    const pick = pool.pick();
    refused(() => pick.success({ usage: { rpm } }), 'usage.rpm');
    assert.ok(pick.cancel());
  }
  for (const wrong of [5, 'rpm', [], null]) {
    refused(() => pool.pick({ cost: wrong }), 'cost');
    refused(() => pool.report('a', 'success', { usage: wrong }), 'usage');
  }
  assert.ok(pool.pick({ cost: { rpm: undefined, nonesuch: 1e9 } }).success({ usage: { nonesuch: 5 } }));
  refused(() => new Pool({ quotas: [{ dimension: 'rpm', limit: 10, window_ms: 0 }] }), 'quotas[0].window_ms');
  refused(() => new Pool({ nodes: [{ id: 'a', quotas: { nonesuch: 5 } }] }), 'nodes[0].quotas.nonesuch');
});

test('a server that asks for a pause has it, up to five minutes', () => {
  const pool = new Pool({ nodes: ['a', 'b'] });
  pool.pick({ exclude: ['b'], nowNs: START }).rateLimited({ retryAfterMs: 1000, nowNs: START });
  const at = (ms) => thrown(() => pool.pick({ exclude: ['b'], nowNs: START + ms * MS }));
  assert.equal(at(999).reason, 'rate_limited');
  assert.equal(at(0).retryAtNs, START + 1000 * MS);
  assert.equal(pool.pick({ exclude: ['b'], nowNs: START + 1000 * MS }).node, 'a');
  const year = new Pool({ nodes: ['a'] });
  year.pick({ nowNs: START }).rateLimited({ retryAfterMs: 365 * 86_400_000, nowNs: START });
  assert.ok(thrown(() => year.pick({ nowNs: START })).retryAtNs <= START + 300_000 * MS);
  const pick = year.pick({ nowNs: START + 400_000 * MS });
  refused(() => pick.rateLimited({ retryAfterMs: -1 }), 'retryAfterMs');
  refused(() => pick.rateLimited({ retryAfterMs: NaN }), 'retryAfterMs');
});

test('a breaker opens, and lets one probe through when its time is over', () => {
  const breaker = { consecutive_failures: 2, half_open_successes: 1, open_ms: 1000 };
  const pool = new Pool({ nodes: ['a', 'b'], breaker, health: { failure_threshold: 100, min_success_rate: 0 } });
  const fail = () => pool.pick({ exclude: ['b'], nowNs: START }).failure('timeout', { nowNs: START });
  fail();
  fail();
  const [{ breaker: state, available }] = pool.nodes({ nowNs: START });
  assert.deepEqual([state, available], ['open', false]);
  assert.deepEqual(shares(pool, 20, { nowNs: START }), { b: 20 });
  const none = thrown(() => pool.pick({ exclude: ['b'], nowNs: START }));
  assert.equal(none.reason, 'unhealthy');
  assert.ok(none.retryAtNs > START, `${none.retryAtNs}`);
  const later = START + 10_000 * MS;
  const probe = pool.pick({ exclude: ['b'], nowNs: later });
  assert.equal(thrown(() => pool.pick({ exclude: ['b'], nowNs: later })).reason, 'unhealthy', 'one at a time');
  probe.success({ nowNs: later });
  assert.equal(node(pool, 'a').breaker, 'closed');
  refused(() => new Pool({ breaker: { consecutive_failures: 0 } }), 'breaker.consecutive_failures');
  refused(() => new Pool({ breaker: { failure_rate: NaN } }), 'breaker.failure_rate');
});

test('a success rate that is too low is unhealthy, whatever the order', () => {
  const pool = new Pool({ nodes: ['a', 'b'], health: { failure_threshold: 255, min_requests: 10 } });
  let changed = false;
  for (let i = 0; i < 20 && !changed; i++) {
    changed = pool.report('a', i % 2 === 0 ? 'success' : 'failure', { nowNs: START + i });
  }
  assert.equal(node(pool, 'a').health, 'unhealthy');
  for (const rate of [NaN, -0.1, 1.1]) {
    refused(() => new Pool({ health: { min_success_rate: rate } }), 'health.min_success_rate');
  }
  refused(() => new Pool({ health: { window_ms: 0 } }), 'health.window_ms');
});

test('an outcome from before the last transition, or of a node that is gone, changes no health', () => {
  const pool = new Pool({ nodes: ['a', 'b'], health: { failure_threshold: 1 } });
  const [old, gone] = [pool.pick({ exclude: ['b'] }), pool.pick({ exclude: ['a'] })];
  pool.report('a', 'failure');
  assert.ok(old.success());
  assert.equal(node(pool, 'a').health, 'unhealthy');
  pool.setNodes(['a', 'c']);
  assert.ok(gone.failure());
  assert.ok(pool.nodes().every(({ id, health }) => id === 'a' || health === 'healthy'));
});

test('panic: all take traffic when too few are left, if so configured', () => {
  const [fail, spread] = ['fail', 'spread'].map((mode) => new Pool({ nodes: ['a', 'b'], panic: { mode } }));
  for (const pool of [fail, spread]) {
    takeDown(pool, 'a');
    takeDown(pool, 'b');
  }
  assert.equal(thrown(() => fail.pick()).reason, 'unhealthy');
  const picks = Array.from({ length: 100 }, () => spread.pick());
  assert.equal(new Set(picks.map((pick) => pick.node)).size, 2);
  assert.equal(spread.stats().panic, true);
  refused(() => new Pool({ panic: { threshold: 1.5 } }), 'panic.threshold');
  refused(() => new Pool({ panic: { mode: 'flee' } }), 'panic.mode');
});

test('a node that comes later starts slowly', () => {
  const pool = new Pool({ nodes: ['a'], slow_start: true, seed: 1 });
  pool.register('b');
  assert.ok(node(pool, 'b').warming < 1);
  assert.equal(node(pool, 'a').warming, 1);
  const counts = shares(pool, 1000);
  assert.ok(counts.b > 0 && counts.b < 200, `${counts.b}`);
  refused(() => new Pool({ slow_start: { duration_ms: 0 } }), 'slow_start.duration_ms');
});

test('a draining node lets go when its time is over', () => {
  const pool = new Pool({ nodes: ['a', 'b'], drain_timeout_ms: 1000 });
  const pick = pool.pick({ exclude: ['b'] });
  pool.drain('a', true, { nowNs: START });
  const drained = (ms) => pool.nodes({ nowNs: START + ms * MS })[0].drained;
  assert.deepEqual([drained(0), drained(1000)], [false, true]);
  pick.success();
  assert.equal(drained(0), true, 'nothing is in flight');
  pool.drain('a', false);
  assert.equal(node(pool, 'a').draining, false);
  refused(() => pool.drain('a', true, 5), 'options');
});

test('servers that tell what they bear take as much', () => {
  const strategy = { name: 'reported_load', blackout_ms: 0 };
  const pool = new Pool({ nodes: ['a', 'b'], strategy, seed: 1 });
  pool.reportLoad('a', { requestsPerS: 300, utilization: 0.5, nowNs: START });
  pool.reportLoad('b', { requestsPerS: 100, utilization: 0.5, errorsPerS: 0, nowNs: START });
  pool.maintain(START + 2000 * MS);
  const counts = shares(pool, 400, { nowNs: START + 2000 * MS });
  assert.equal(counts.a, 300);
  for (const wrong of [NaN, -1, Infinity]) {
    refused(() => pool.reportLoad('a', { requestsPerS: wrong, utilization: 0.5 }), 'requests_per_s');
  }
  refused(() => pool.reportLoad('a', { utilization: '0.5' }), 'utilization');
  refused(() => new Pool({ strategy: { name: 'reported_load', error_penalty: NaN } }), 'strategy.error_penalty');
});

test('the other strategies by what they have learned', () => {
  for (const strategy of ['adaptive', 'fastest']) {
    const pool = new Pool({ nodes: ['a', 'b'], strategy, seed: 1 });
    for (let i = 0; i < 20; i++) {
      pool.pick({ exclude: ['b'] }).success({ latencyMs: 500 });
      pool.pick({ exclude: ['a'] }).success({ latencyMs: 1 });
    }
    pool.maintain();
    const picks = Array.from({ length: 4 }, () => pool.pick());
    assert.equal(picks[0].node, 'b', strategy);
  }
});
