'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Pool, Pick } = require('..');
const { node, inFlight, shares, takeDown } = require('./help.js');

test('a pick names its node and holds it until it is finished', () => {
  const pool = new Pool({ nodes: [{ id: 'a', address: '10.0.0.1:80', name: 'first', user_data: 7 }] });
  const pick = pool.pick();
  assert.ok(pick instanceof Pick);
  assert.deepEqual(
    [pick.node, pick.address, pick.name, pick.userData, pick.index, pick.generation],
    ['a', '10.0.0.1:80', 'first', 7, 0, 1],
  );
  assert.deepEqual([pick.callbackFailed, pick.callbackError], [false, undefined]);
  assert.ok(Number.isSafeInteger(pick.ticket));
  assert.deepEqual(inFlight(pool), [1]);
  assert.equal(pick.success(), true);
  assert.deepEqual(inFlight(pool), [0]);
  assert.equal(pick.node, 'a');
});

test('each way to finish counts once, and is reported when repeated', () => {
  const ways = [
    (pick) => pick.success(),
    (pick) => pick.success({ latencyMs: 1.5, nowNs: 1n }),
    (pick) => pick.failure(),
    (pick) => pick.failure('connect', { latencyMs: 10 }),
    (pick) => pick.rateLimited(),
    (pick) => pick.rateLimited({ retryAfterMs: 30_000, latencyMs: 0 }),
    (pick) => pick.cancel(),
  ];
  for (const first of ways) {
    for (const second of ways) {
      const pool = new Pool({ nodes: ['a'] });
      const pick = pool.pick({ health: 15 });
      assert.equal(first(pick), true);
      assert.equal(second(pick), false);
      pick[Symbol.dispose]();
      assert.deepEqual(inFlight(pool), [0]);
    }
  }
});

test('a pick that is disposed of unfinished counts as cancelled', () => {
  const pool = new Pool({ nodes: ['a'] });
  const pick = pool.pick();
  pick[Symbol.dispose]();
  pick[Symbol.dispose]();
  assert.deepEqual(inFlight(pool), [0]);
  assert.equal(node(pool, 'a').consecutiveFailures, 0);
  assert.equal(pick.success(), false);
});

test('outcomes move health: failures do, rate limits and cancellations do not', () => {
  const pool = new Pool({ nodes: ['a'] });
  const health = () => node(pool, 'a').health;
  pool.pick().failure('timeout');
  assert.equal(health(), 'healthy');
  pool.pick().rateLimited();
  pool.pick().cancel();
  pool.pick().failure();
  assert.equal(health(), 'degraded');
  pool.pick().success();
  assert.equal(health(), 'healthy');
  for (const kind of ['connect', 'timeout', 'reset', 'server_error', 'other']) {
    pool.pick({ health: 15 }).failure(kind);
  }
  assert.equal(health(), 'unhealthy');
});

test('latency is learned as it is told', () => {
  const pool = new Pool({ nodes: ['a', 'b'], strategy: 'peak_ewma' });
  for (const [id, latencyMs] of [
    ['a', 100],
    ['b', 1],
  ]) {
    pool.pick({ predicate: (candidate) => candidate.id === id }).success({ latencyMs });
  }
  assert.ok(Math.abs(node(pool, 'a').latencyMs - 100) < 1, `${node(pool, 'a').latencyMs}`);
  assert.ok(Math.abs(node(pool, 'b').latencyMs - 1) < 0.1, `${node(pool, 'b').latencyMs}`);
});

test('a retry goes elsewhere: by id, by pick, by any collection of these', () => {
  const pool = new Pool({ nodes: ['a', 'b', 'c'] });
  const first = pool.pick();
  first.failure('connect');
  for (const exclude of [[first.node], [first], new Set([first]), new Set([first.node, 'unknown'])]) {
    const counts = shares(pool, 50, { exclude });
    assert.equal(counts[first.node], undefined);
    assert.equal(Object.keys(counts).length, 2);
  }
  const second = pool.pick({ exclude: [first] });
  const third = pool.pick({ exclude: [first, second.node] });
  assert.equal(new Set([first.node, second.node, third.node]).size, 3);
});

test('a pick of a node that is gone excludes nobody', () => {
  const pool = new Pool({ nodes: ['a'] });
  const old = pool.pick();
  old.success();
  pool.deregister('a');
  pool.register('b');
  assert.equal(pool.pick({ exclude: [old] }).node, 'b');
});

test('a node that leaves is known as long as it is picked', () => {
  const pool = new Pool({ nodes: [{ id: 'a', address: '10.0.0.1:80', name: 'first' }, 'b'] });
  const pick = pool.pick({ exclude: ['b'] });
  pool.deregister('a');
  assert.deepEqual([pick.node, pick.address, pick.name], ['a', '10.0.0.1:80', 'first']);
  assert.equal(pick.failure(), true);
  assert.deepEqual(inFlight(pool), [0]);
});

test('a node that is gone has no name any more', () => {
  const pool = new Pool({ nodes: ['a', 'b'], limits: { max_nodes: 2 } });
  const pick = pool.pick({ exclude: ['b'] });
  pick.success();
  pool.deregister('a');
  pool.register('c');
  assert.deepEqual([pick.node, pick.address, pick.name, pick.userData], ['', '', '', 0]);
});

test('a key keeps to its node, as text or bytes, of any length', () => {
  const pool = new Pool({ nodes: ['a', 'b', 'c', 'd'], strategy: 'rendezvous' });
  const long = 'é'.repeat(300);
  const keys = ['', 'user-17', 'ключ', '😀', long, 'x'.repeat(1 << 20), 'y'.repeat(251), 'y'.repeat(256)];
  for (const key of keys) {
    const owner = pool.pick({ key }).node;
    assert.equal(pool.pick({ key: Buffer.from(key) }).node, owner);
    assert.equal(pool.pick({ key: new Uint8Array(Buffer.from(`--${key}`)).subarray(2) }).node, owner);
    assert.deepEqual(Object.keys(shares(pool, 5, { key })), [owner]);
  }
  const owners = new Set(Array.from({ length: 100 }, (_, i) => pool.pick({ key: `user-${i}` }).node));
  assert.equal(owners.size, 4);
});

test('a key of the replacement character itself is fine', () => {
  const pool = new Pool({ nodes: ['a', 'b', 'c'], strategy: 'maglev' });
  assert.equal(pool.pick({ key: 'a\uFFFDb' }).node, pool.pick({ key: Buffer.from('a\uFFFDb') }).node);
});

test('labels are required, all of them', () => {
  const pool = new Pool({
    nodes: [
      { id: 'a', labels: { region: 'eu', version: 'v1' } },
      { id: 'b', labels: { region: 'eu', version: 'v2' } },
      { id: 'c', labels: { region: 'us', version: 'v2' } },
    ],
  });
  assert.deepEqual(shares(pool, 10, { require: { region: 'eu', version: 'v2' } }), { b: 10 });
  assert.equal(Object.keys(shares(pool, 100, { require: { region: 'eu', version: undefined } })).length, 2);
  assert.equal(Object.keys(shares(pool, 100, { require: {} })).length, 3);
});

test('health states are allowed by name or by bits', () => {
  const pool = new Pool({ nodes: ['a', 'b'] });
  takeDown(pool, 'a');
  assert.deepEqual(shares(pool, 10), { b: 10 });
  assert.deepEqual(Object.keys(shares(pool, 1, { health: ['unhealthy'] })), ['a']);
  takeDown(pool, 'a');
  assert.deepEqual(Object.keys(shares(pool, 1, { health: 4 })), ['a']);
  takeDown(pool, 'a');
  const both = new Set(Array.from({ length: 100 }, () => pool.pick({ health: ['healthy', 'unhealthy'] }).node));
  assert.equal(both.size, 2);
});

test("a node's user data has 64 bits", () => {
  const pool = new Pool({
    nodes: [
      { id: 'a', user_data: 2n ** 64n - 1n },
      { id: 'b', user_data: Number.MAX_SAFE_INTEGER },
    ],
  });
  assert.equal(pool.pick({ exclude: ['b'] }).userData, 2n ** 64n - 1n);
  assert.equal(pool.pick({ exclude: ['a'] }).userData, Number.MAX_SAFE_INTEGER);
  pool.setNodeUserData('a', 5);
  pool.setNodeUserData('b', 2n ** 53n);
  assert.deepEqual(pool.nodes().map(({ userData }) => userData), [5, 2n ** 53n]);
});
