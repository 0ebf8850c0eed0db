'use strict';

const assert = require('node:assert/strict');
const { mkdtempSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { pathToFileURL } = require('node:url');
const { test } = require('node:test');
const { Pool, ConfigError, StateError, NoNodeError } = require('..');
const { thrown, node, shares, takeDown } = require('./help.js');

test('a pool is made of addresses and maps, with the keys of the configuration', () => {
  const pool = new Pool({
    nodes: [
      '10.0.0.1:80',
      {
        id: 'b',
        address: '10.0.0.2:80',
        name: 'second',
        weight: 3,
        labels: { region: 'eu', my_tier: 1 },
        tier: 1,
        zone: 'eu-1a',
        max_in_flight: 5,
        user_data: 7,
      },
    ],
    strategy: { name: 'maglev', bounded_load: 1.25 },
    health: { failure_threshold: 1, recovery_successes: undefined },
    lease_timeout_ms: 1000,
    seed: 2n ** 64n - 1n,
  });
  assert.equal(pool.length, 2);
  assert.equal(pool.strategy, 'maglev');
  assert.deepEqual(pool.nodes()[1], {
    id: 'b',
    name: 'second',
    address: '10.0.0.2:80',
    weight: 3,
    labels: { region: 'eu', my_tier: '1' },
    health: 'healthy',
    tier: 1,
    zone: 'eu-1a',
    maxInFlight: 5,
    available: true,
    breaker: 'closed',
    ejected: false,
    holdUntilNs: undefined,
    warming: 1,
    successRate: undefined,
    draining: false,
    drained: false,
    inFlight: 0,
    latencyMs: undefined,
    load: undefined,
    remainingRatio: undefined,
    consecutiveFailures: 0,
    userData: 7,
    index: 1,
    generation: 1,
  });
  pool.report('b', 'failure');
  assert.equal(node(pool, 'b').health, 'unhealthy', 'failure_threshold is 1');
});

test('a pool is made of YAML, JSON, an object or a file', () => {
  const text = 'strategy: round_robin\nnodes:\n  - a\n  - {id: b, weight: 2}\n';
  const json = JSON.stringify({ strategy: 'round_robin', nodes: ['a', { id: 'b', weight: 2 }] });
  const path = join(mkdtempSync(join(tmpdir(), 'loadwise-')), 'pool.yaml');
  writeFileSync(path, text);
  const pools = [
    Pool.fromConfig(text),
    Pool.fromConfig(json),
    Pool.fromConfig(JSON.parse(json)),
    Pool.fromFile(path),
    Pool.fromFile(pathToFileURL(path)),
  ];
  for (const pool of pools) {
    assert.equal(pool.strategy, 'round_robin');
    assert.deepEqual(
      pool.nodes().map(({ id, weight }) => [id, weight]),
      [
        ['a', 1],
        ['b', 2],
      ],
    );
  }
  writeFileSync(path, 'nodes:\n  - {id: a, weight: -1}\n');
  const error = thrown(() => Pool.fromFile(path));
  assert.ok(error instanceof ConfigError);
  assert.deepEqual([error.key, error.line], ['nodes[0].weight', 2]);
  assert.ok(error.message.includes(path));
});

test('a seeded pool decides alike each time', () => {
  const run = () => {
    const pool = new Pool({ nodes: ['a', 'b', 'c'], strategy: 'random', seed: 42 });
    return Array.from({ length: 50 }, () => pool.pick().node);
  };
  assert.deepEqual(run(), run());
  assert.equal(new Set(run()).size, 3);
});

test('weighted round robin is smooth', () => {
  const weights = { a: 5, b: 1, c: 1 };
  const nodes = Object.entries(weights).map(([id, weight]) => ({ id, weight }));
  const pool = new Pool({ nodes, strategy: 'weighted_round_robin', seed: 1 });
  const order = Array.from({ length: 7 }, () => pool.pick().node).join('');
  assert.ok('aabacaaaabacaa'.includes(order), order);
});

test('nodes come and go, and keep what is known of them', () => {
  const pool = new Pool({ nodes: ['a', 'b'] });
  takeDown(pool, 'a');
  pool.setNodes(['b', { id: 'a', weight: 9 }, 'c']);
  assert.deepEqual(
    pool.nodes().map(({ id, health, weight }) => [id, health, weight]),
    [
      ['b', 'healthy', 1],
      ['a', 'unhealthy', 9],
      ['c', 'healthy', 1],
    ],
  );
  pool.register('d');
  pool.registerBatch(['e', { id: 'f', address: 'x' }]);
  pool.deregister('b');
  assert.deepEqual(
    pool.nodes().map(({ id }) => id),
    ['a', 'c', 'd', 'e', 'f'],
  );
  assert.equal(pool.length, 5);
  pool.setWeight('c', 0);
  pool.drain('d');
  pool.drain('e');
  pool.drain('e', false);
  assert.deepEqual(Object.keys(shares(pool, 200)).sort(), ['e', 'f']);
  assert.equal(node(pool, 'd').draining, true);
});

test('a batch is registered all or none', () => {
  const pool = new Pool({ nodes: ['a'] });
  assert.ok(thrown(() => pool.registerBatch(['b', 'a'])) instanceof StateError);
  assert.equal(pool.length, 1);
});

test('nodes that are not there are named', () => {
  const pool = new Pool({ nodes: ['a'] });
  const calls = [
    () => pool.deregister('x'),
    () => pool.setWeight('x', 1),
    () => pool.drain('x'),
    () => pool.report('x', 'success'),
    () => pool.reportLoad('x', { load: 1 }),
  ];
  for (const call of calls) {
    const error = thrown(call);
    assert.ok(error instanceof StateError);
    assert.deepEqual([error.code, error.status], ['ERR_LOADWISE_UNKNOWN_NODE', 200]);
    assert.match(error.message, /"x"/);
  }
});

test('the strategy changes while picks are under way', () => {
  const pool = new Pool({ nodes: ['a', 'b'] });
  assert.equal(pool.strategy, 'p2c');
  const pick = pool.pick();
  pool.setStrategy(['rendezvous', { name: 'least_request', exact: true }]);
  assert.equal(pool.strategy, 'rendezvous');
  const owner = pool.pick({ key: 'k' });
  assert.equal(pool.pick({ key: 'k' }).node, owner.node);
  assert.ok(pick.success());
});

test('outcomes from outside move health, and reported loads choose', () => {
  const pool = new Pool({ nodes: ['a', 'b'], strategy: 'least_load' });
  assert.equal(pool.report('a', 'failure'), false);
  assert.equal(pool.report('a', 'failure', { kind: 'timeout', latencyMs: 5 }), true, 'degraded now');
  assert.equal(pool.report('a', 'rate_limited', { retryAfterMs: 10 }), false);
  assert.equal(pool.report('a', 'cancelled'), false);
  assert.equal(node(pool, 'a').consecutiveFailures, 2);
  assert.equal(pool.report('a', 'success'), true);
  pool.reportLoad('a', { load: 5 });
  pool.reportLoad('b', { load: 1, remainingRatio: 0.5 });
  assert.deepEqual(shares(pool, 10), { b: 10 });
  assert.deepEqual([node(pool, 'b').load, node(pool, 'b').remainingRatio], [1, 0.5]);
});

test('a load that is NaN is worst, and chosen when nothing else is left', () => {
  const pool = new Pool({ nodes: ['a', 'b'], strategy: 'least_load' });
  pool.reportLoad('a', { load: NaN });
  pool.reportLoad('b', { load: 1e300 });
  assert.deepEqual(shares(pool, 10), { b: 10 });
  assert.deepEqual(shares(pool, 10, { exclude: ['b'] }), { a: 10 });
});

test('maintenance gives up forgotten picks', () => {
  const pool = new Pool({ nodes: ['a'], lease_timeout_ms: 1000 });
  const start = 1_000_000_000_000;
  const pick = pool.pick({ nowNs: start });
  assert.equal(pool.maintain(start + 999e6).leasesExpired, 0);
  const done = pool.maintain(BigInt(start) + 1_000_000_000n);
  assert.equal(done.leasesExpired, 1);
  assert.ok(done.nextDueNs > start + 1e9);
  assert.equal(pick.success(), false, 'it was given up');
});

test('the clock is that of process.hrtime', () => {
  const pool = new Pool({ nodes: ['a'] });
  const now = Number(process.hrtime.bigint());
  const due = pool.maintain().nextDueNs;
  assert.ok(due >= now && due - now < 60e9, `${due} is soon after ${now}`);
});

test('a pool that recovers takes its node back', () => {
  const pool = new Pool({ nodes: ['a', 'b'] });
  takeDown(pool, 'a');
  pool.maintain();
  assert.deepEqual(shares(pool, 50), { b: 50 });
  pool.report('a', 'success');
  pool.report('a', 'success');
  assert.equal(node(pool, 'a').health, 'healthy');
  assert.equal(Object.keys(shares(pool, 200)).length, 2);
});

test('a closed pool says so', () => {
  const pool = new Pool({ nodes: ['a'] });
  const { acquire, release } = pool;
  const [pick, ticket] = [pool.pick(), acquire()];
  assert.equal(pool.closed, false);
  pool.close();
  pool.close();
  assert.equal(pool.closed, true);
  const calls = [
    () => pool.pick(),
    () => acquire(),
    () => acquire({ key: 'k' }),
    () => pool.nodes(),
    () => pool.length,
    () => pool.strategy,
    () => pool.register('b'),
    () => pool.setNodes([]),
    () => pool.deregister('a'),
    () => pool.drain('a'),
    () => pool.setWeight('a', 1),
    () => pool.setStrategy('random'),
    () => pool.setOwnStrategy(() => 0),
    () => pool.report('a', 'success'),
    () => pool.reportLoad('a', { load: 1 }),
    () => pool.maintain(),
    () => pool.nodeOf(ticket),
    () => pick.node,
  ];
  for (const call of calls) {
    const error = thrown(call);
    assert.ok(error instanceof StateError, `${call}`);
    assert.deepEqual([error.code, error.message], ['ERR_LOADWISE_CLOSED', 'the pool is closed']);
  }
  assert.equal(pick.success(), false, 'its tickets are void');
  assert.equal(release(ticket), false);
  assert.equal(release(ticket, 'failure', { kind: 'reset' }), false);
});

test('Symbol.dispose closes a pool', () => {
  const pool = new Pool({ nodes: ['a'] });
  pool[Symbol.dispose]();
  assert.equal(pool.closed, true);
});

test('a pick that finds none says why', () => {
  const reason = (pool, request) => {
    const error = thrown(() => pool.pick(request));
    assert.ok(error instanceof NoNodeError);
    assert.equal(error.code, `ERR_LOADWISE_NO_NODE_${error.reason.toUpperCase()}`);
    assert.equal(error.callbackFailed, false);
    return error.reason;
  };
  assert.equal(reason(new Pool()), 'empty');
  const pool = new Pool({ nodes: ['a', { id: 'b', labels: { region: 'eu' } }] });
  assert.equal(reason(pool, { exclude: ['a', 'b'] }), 'all_excluded');
  assert.equal(reason(pool, { require: { region: 'us' } }), 'no_match');
  assert.equal(reason(pool, { predicate: () => false }), 'no_match');
  takeDown(pool, 'a');
  takeDown(pool, 'b');
  assert.equal(reason(pool), 'unhealthy');
  assert.equal(pool.pick({ health: ['unhealthy'], exclude: ['a'] }).node, 'b');
  pool.drain('a');
  pool.setWeight('b', 0);
  assert.equal(reason(pool), 'draining');
  const small = new Pool({ nodes: ['a'], limits: { max_picks: 64 } });
  const picks = Array.from({ length: 64 }, () => small.pick());
  assert.equal(reason(small), 'saturated');
  picks[0].success();
  assert.equal(small.pick().node, 'a');
});
