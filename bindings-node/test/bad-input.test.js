'use strict';

// What cannot be: a typed error that names it, and the pool stays as it was.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Pool, ConfigError, StateError, NoNodeError, HealthTracker, Strategy, select } = require('..');
const { thrown, inFlight } = require('./help.js');

function refused(call, key, pattern = /./) {
  const error = thrown(call);
  assert.ok(error instanceof ConfigError, `${error.stack}`);
  if (key !== undefined) {
    assert.equal(error.key, key, error.message);
  }
  assert.match(error.message, pattern);
  return error;
}

test('pools without nodes', () => {
  for (const pool of [new Pool(), new Pool({}), new Pool({ nodes: [] }), Pool.fromConfig('{}')]) {
    assert.equal(pool.length, 0);
    assert.deepEqual(pool.nodes(), []);
    const error = thrown(() => pool.pick({ key: 'k' }));
    assert.ok(error instanceof NoNodeError);
    assert.equal(error.reason, 'empty');
    assert.equal(thrown(() => pool.acquire()).reason, 'empty');
    pool.register('a');
    assert.equal(pool.pick().node, 'a');
    pool.setNodes([]);
    assert.equal(thrown(() => pool.pick()).reason, 'empty');
  }
});

test('ids: duplicate, empty, over-long, with control characters', () => {
  refused(() => new Pool({ nodes: ['a', 'b', 'a'] }), 'nodes[2].id', /"a"/);
  refused(() => new Pool({ nodes: [''] }), 'nodes[0]');
  refused(() => new Pool({ nodes: ['x'.repeat(256)] }), 'nodes[0]', /255/);
  refused(() => new Pool({ nodes: ['é'.repeat(128)] }), 'nodes[0]', /255/);
  refused(() => new Pool({ nodes: ['a\0b'] }), 'nodes[0]');
  assert.equal(new Pool({ nodes: ['x'.repeat(255)] }).pick().node.length, 255);
  const pool = new Pool({ nodes: ['a'] });
  refused(() => pool.setNodes(['b', 'b']));
  refused(() => pool.register('x'.repeat(256)));
  assert.deepEqual(
    pool.nodes().map(({ id }) => id),
    ['a'],
  );
});

test('weights: too large a sum, all 0, no integers', () => {
  const huge = 2 ** 32 - 1;
  const overflow = {
    nodes: [
      { id: 'a', weight: huge },
      { id: 'b', weight: 1 },
    ],
  };
  assert.equal(refused(() => new Pool(overflow), 'nodes[1].weight').code, 'ERR_LOADWISE_LIMIT');
  const pool = new Pool({ nodes: [{ id: 'a', weight: huge }] });
  assert.ok(thrown(() => pool.register('b')) instanceof ConfigError);
  pool.setNodes([
    { id: 'a', weight: 0 },
    { id: 'b', weight: 0 },
  ]);
  for (const strategy of [
    'p2c',
    'round_robin',
    'weighted_round_robin',
    'random',
    'maglev',
    'ring_hash',
    'least_load',
  ]) {
    pool.setStrategy(strategy);
    assert.equal(thrown(() => pool.pick({ key: 'k' })).reason, 'draining', strategy);
  }
  for (const weight of [-1, 0.5, NaN, Infinity, 2 ** 32, '1', null, true, 2n ** 64n, [], {}]) {
    refused(() => new Pool({ nodes: [{ id: 'a', weight }] }), 'nodes[0].weight');
  }
  for (const weight of [-1, 0.5, NaN, 2 ** 32, '1', undefined, null]) {
    refused(() => pool.setWeight('a', weight), 'weight');
  }
});

test('user data', () => {
  const pool = new Pool({ nodes: ['a'] });
  for (const userData of [-1, 0.5, NaN, 2 ** 53, -1n, 2n ** 64n, '5', null, undefined]) {
    refused(() => pool.setNodeUserData('a', userData), 'userData');
  }
  assert.equal(pool.nodes()[0].userData, 0);
});

test('loads and ratios', () => {
  const pool = new Pool({ nodes: ['a', 'b'], strategy: 'least_load' });
  for (const load of [NaN, Infinity, -Infinity, -0]) {
    pool.reportLoad('a', { load });
    assert.ok(pool.pick().success());
  }
  for (const remainingRatio of [NaN, -0.1, 1.1, Infinity]) {
    refused(() => pool.reportLoad('a', { remainingRatio }));
  }
  refused(() => pool.reportLoad('a', { load: '1' }), 'load', /a number/);
  refused(() => pool.reportLoad('a', { remainingRatio: null }), 'remainingRatio');
  refused(() => pool.reportLoad('a'), 'load');
});

test('unknown strategies and keys', () => {
  assert.match(refused(() => new Pool({ strategy: 'p3c' }), 'strategy').message, /did you mean "p2c"/);
  refused(() => new Pool({ strategy: { name: 'p2c', epsilon: 1 } }), 'strategy.epsilon');
  refused(() => new Pool({ strategy: { name: 'maglev', table_size: 65536 } }), 'strategy.table_size', /prime/);
  refused(() => new Pool({ strategy: [] }), 'strategy');
  refused(() => new Pool({ strategy: null }), 'strategy');
  refused(() => new Pool({ leaseTimeoutMs: 5 }), 'leaseTimeoutMs', /lease_timeout_ms/);
  refused(() => new Pool({ health: { failure_threshold: 0 } }), 'health.failure_threshold');
  refused(() => new Pool({ seed: -1 }), 'seed');
  refused(() => new Pool({ seed: 2n ** 64n }), 'seed');
  const pool = new Pool({ nodes: ['a'] });
  refused(() => pool.setStrategy('nonesuch'));
  refused(() => pool.setStrategy(undefined), 'strategy');
  refused(() => pool.setStrategy({ name: 'maglev', table_size: 131101 }));
  assert.equal(pool.strategy, 'p2c');
});

test('what is no configuration', () => {
  for (const wrong of [null, 5, true, () => 1, Symbol('s'), 5n]) {
    refused(() => new Pool(wrong), '');
    refused(() => Pool.fromConfig(wrong), '');
  }
  refused(() => Pool.fromConfig(undefined), '');
  refused(() => Pool.fromConfig('nodes: ['));
  refused(() => Pool.fromConfig('\uD800'), '', /surrogate/);
  refused(() => Pool.fromFile('/does/not/exist.yaml'), '', /exist\.yaml/);
  refused(() => Pool.fromFile(5), 'path');
  refused(() => new Pool({ nodes: new Set(['a']) }), 'nodes', /plain object/);
  refused(() => new Pool({ nodes: [{ id: 'a', labels: new Map([['region', 'eu']]) }] }), 'nodes[0].labels', /class/);
  refused(() => new Pool({ nodes: 'a' }), 'nodes');
  refused(() => new Pool({ nodes: [, 'a'] }), 'nodes[0]');
  refused(() => new Pool({ nodes: [8080] }), 'nodes[0]');
  const cycle = {};
  cycle.nodes = [cycle];
  refused(() => new Pool(cycle), undefined, /nested/);
  const sparse = [];
  sparse.length = 2 ** 32 - 1;
  refused(() => new Pool({ nodes: sparse }), undefined, /more than/);
});

test('an object of another realm is as good', () => {
  const config = require('node:vm').runInNewContext("({ nodes: ['a', { id: 'b', labels: { x: 'y' } }] })");
  assert.equal(new Pool(config).length, 2);
  assert.equal(new Pool(Object.assign(Object.create(null), { nodes: ['a'] })).length, 1);
});

test('everything excluded', () => {
  const pool = new Pool({ nodes: ['a', 'b'] });
  for (const strategy of [
    'p2c',
    'round_robin',
    'weighted_round_robin',
    'random',
    'maglev',
    'rendezvous',
    'least_load',
  ]) {
    pool.setStrategy(strategy);
    assert.equal(thrown(() => pool.pick({ exclude: ['b', 'a', 'b'], key: 'k' })).reason, 'all_excluded', strategy);
  }
  assert.deepEqual(inFlight(pool), [0, 0]);
});

test('keys', () => {
  const pool = new Pool({ nodes: ['a', 'b'], strategy: 'maglev' });
  for (const key of ['', new Uint8Array(0), 'x'.repeat(1 << 20), new Uint8Array(1 << 20)]) {
    assert.ok(pool.pick({ key }).success());
  }
  for (const key of [
    5,
    5n,
    null,
    true,
    {},
    [],
    new Uint16Array(2),
    new ArrayBuffer(2),
    new DataView(new ArrayBuffer(2)),
  ]) {
    refused(() => pool.pick({ key }), 'key', /string or a Uint8Array/);
    refused(() => pool.acquire({ key }), 'key');
  }
  for (const key of ['\uD800', 'a\uDC00b', `${'x'.repeat(300)}\uD83D`, '\uFFFD\uD800']) {
    refused(() => pool.pick({ key }), 'key', /lone surrogate/);
  }
  assert.deepEqual(inFlight(pool), [0, 0]);
});

test('lone surrogates anywhere', () => {
  const pool = new Pool({ nodes: ['a'] });
  const lone = 'a\uD800';
  refused(() => new Pool({ nodes: [lone] }), 'nodes[0]', /lone surrogate/);
  refused(() => new Pool({ nodes: [{ id: 'a', labels: { x: lone } }] }), 'nodes[0].labels.x', /lone surrogate/);
  refused(() => new Pool({ [lone]: 1 }), undefined, /lone surrogate/);
  refused(() => pool.pick({ exclude: [lone] }), 'exclude[0]');
  refused(() => pool.pick({ require: { x: lone } }), 'require.x');
  refused(() => pool.pick({ require: { [lone]: 'x' } }), 'require');
  refused(() => pool.deregister(lone), 'id');
  refused(() => new HealthTracker().reportFailure(lone), 'id');
});

test('requests', () => {
  const pool = new Pool({ nodes: ['a'] });
  for (const request of ['user-17', 5, null, true, () => 1]) {
    refused(() => pool.pick(request), 'request');
    refused(() => pool.acquire(request), 'request');
  }
  for (const exclude of ['a', 5, {}, null, true]) {
    refused(() => pool.pick({ exclude }), 'exclude');
  }
  for (const item of [5, null, undefined, {}, ['a']]) {
    refused(() => pool.pick({ exclude: ['b', item] }), 'exclude[1]');
  }
  for (const require of ['eu', 5, null, ['eu'], new Map()]) {
    refused(() => pool.pick({ require }), 'require');
  }
  for (const value of [5, null, true]) {
    refused(() => pool.pick({ require: { region: value } }), 'require.region');
  }
  for (const health of [0, 16, -1, 0.5, NaN, 'healthy', [], {}, null]) {
    refused(() => pool.pick({ health }), 'health');
  }
  refused(() => pool.pick({ health: ['healthy', 'ill'] }), 'health[1]', /recovering/);
  for (const nowNs of [-1, NaN, Infinity, '5', -1n, 2n ** 64n, null]) {
    refused(() => pool.pick({ nowNs }), 'nowNs');
    refused(() => pool.maintain(nowNs), 'nowNs');
  }
  assert.deepEqual(inFlight(pool), [0]);
});

test('outcomes', () => {
  const pool = new Pool({ nodes: ['a'] });
  const pick = pool.pick();
  for (const wrong of [-1, NaN, Infinity, '5', 5n, null]) {
    refused(() => pick.success({ latencyMs: wrong }), 'latencyMs');
    refused(() => pick.rateLimited({ retryAfterMs: wrong }), 'retryAfterMs');
  }
  for (const kind of ['bad', 5, null, '']) {
    refused(() => pick.failure(kind), 'kind');
    refused(() => pool.report('a', 'failure', { kind }), 'kind');
  }
  for (const outcome of ['ok', 5, null, '']) {
    refused(() => pool.report('a', outcome), 'outcome');
  }
  refused(() => pool.report('a', 'success', { kind: 'timeout' }), 'kind');
  refused(() => pool.report('a', 'failure', { retryAfterMs: 5 }), 'retryAfterMs');
  refused(() => pool.release(pick.ticket, 'success', 5), 'details');
  refused(() => pool.report(5, 'success'), 'id');
  refused(() => pool.drain('a', 'yes'), 'on');
  assert.deepEqual(inFlight(pool), [1], 'still open');
  assert.equal(pick.success({ latencyMs: 1e300 }), true);
});

test('10 000 nodes, and more than there can be', () => {
  const nodes = (count) => Array.from({ length: count }, (_, i) => `10.0.${i >> 8}.${i & 255}:80`);
  const error = refused(() => new Pool({ nodes: nodes(10_000) }), undefined, /limits\.max_nodes/);
  assert.equal(error.code, 'ERR_LOADWISE_LIMIT');
  const pool = new Pool({ nodes: nodes(10_000), limits: { max_nodes: 10_000 } });
  assert.equal(pool.length, 10_000);
  assert.equal(new Set(Array.from({ length: 100 }, () => pool.pick().node)).size > 50, true);
  assert.equal(pool.nodes().length, 10_000);
  assert.equal(pool.pick({ exclude: nodes(9_999) }).node, nodes(10_000).at(-1));
  refused(() => pool.register('one more'), 'limits.max_nodes');
  assert.equal(new Pool({ nodes: nodes(65_535), limits: { max_nodes: 65_535 } }).length, 65_535);
  refused(() => new Pool({ nodes: nodes(65_536), limits: { max_nodes: 65_535 } }), undefined, /65535/);
  refused(() => new Pool({ limits: { max_nodes: 65_536 } }), 'limits.max_nodes');
});

test('labels', () => {
  const labels = Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`l${i}`, 'x']));
  refused(() => new Pool({ nodes: [{ id: 'a', labels }] }), 'nodes[0].labels', /limits\.max_labels/);
  refused(() => new Pool({ nodes: [{ id: 'a', labels: { '': 'x' } }] }));
  refused(() => new Pool({ nodes: [{ id: 'a', labels: { x: null } }] }), 'nodes[0].labels.x');
  const pool = new Pool({ nodes: [{ id: 'a', labels }], limits: { max_labels: 17 } });
  assert.equal(pool.pick({ require: labels }).node, 'a');
});

test('a hundred pools, and methods of something else', () => {
  const pools = Array.from({ length: 100 }, (_, i) => new Pool({ nodes: [`n${i}`] }));
  pools.forEach((pool, i) => assert.equal(pool.pick().node, `n${i}`));
  pools.forEach((pool) => pool.close());
  assert.throws(() => Pool.prototype.pick.call({}), TypeError);
  assert.throws(() => Pool({ nodes: ['a'] }), TypeError);
  assert.ok(thrown(() => pools[0].pick()) instanceof StateError);
});

test('without a pool', () => {
  refused(() => select(['a'], 'maglev'), 'strategy', /needs a Pool/);
  refused(() => select(['a'], { name: 'ring_hash', bounded_load: true }), 'strategy.bounded_load');
  refused(() => new Strategy('nonesuch'), 'strategy');
  refused(() => new Strategy(), 'strategy');
  refused(() => select('a'), 'nodes');
  refused(() => select([5]), 'nodes[0]');
  refused(() => select([{ weight: 1 }]), 'nodes[0].id');
  refused(() => select([{ id: 'a', weight: -1 }]), 'nodes[0].weight');
  refused(() => select([{ id: 'a', weight: '1' }]), 'nodes[0].weight');
  refused(() => select([{ id: 'a', remainingRatio: 2 }]), 'nodes[0].remainingRatio');
  refused(() => select(['a'], 'random', { exclude: [-1] }), 'exclude');
  refused(() => select(['a'], 'random', { exclude: 0 }), 'exclude');
  refused(() => select(['a'], 'ring_hash', { key: 5 }), 'key');
  assert.equal(select([]), null);
  for (const wrong of [-1, 0.5, '3']) {
    refused(() => new HealthTracker({ failureThreshold: wrong }), 'failureThreshold');
  }
  refused(() => new HealthTracker({ probeIntervalMs: -1 }), 'probeIntervalMs');
  refused(() => new HealthTracker().status(5), 'id');
});
