'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Pool, ConfigError } = require('..');
const { thrown, takeDown } = require('./help.js');

const START = 1_000_000_000_000;
const nodes = ['a', 'b', 'c', 'd'];

test('a session stays on its node', () => {
  const pool = new Pool({ nodes, strategy: 'random', affinity: true });
  const first = pool.pick({ session: 'user-17' }).node;
  for (let i = 0; i < 20; i++) {
    assert.equal(pool.pick({ session: 'user-17' }).node, first);
    assert.equal(pool.pick({ session: new Uint8Array(Buffer.from('user-17')), key: `k${i}` }).node, first);
  }
  assert.equal(pool.affinity('user-17'), first);
  assert.equal(pool.affinity('user-18'), undefined);
  assert.equal(pool.stats().affinityEntries, 1);
  assert.equal(pool.nodeOf(pool.acquire({ session: 'user-17' })), first);
});

test('it moves when its node is down, and stays while that is draining', () => {
  const pool = new Pool({ nodes, strategy: 'random', affinity: true });
  const first = pool.pick({ session: 's' }).node;
  pool.drain(first);
  assert.equal(pool.pick({ session: 's' }).node, first);
  takeDown(pool, first);
  assert.notEqual(pool.pick({ session: 's' }).node, first);
});

test('sessions are set and forgotten by hand', () => {
  const pool = new Pool({ nodes, strategy: 'random', affinity: { ttl_ms: 1000 } });
  pool.setAffinity('s', 'c', { nowNs: START });
  assert.equal(pool.affinity('s', { nowNs: START + 999e6 }), 'c');
  assert.equal(pool.affinity('s', { nowNs: START + 3000e6 }), undefined, 'its time is over');
  pool.setAffinity('s', 'd');
  assert.equal(pool.pick({ session: 's' }).node, 'd');
  assert.equal(pool.clearAffinity('s'), true);
  assert.equal(pool.clearAffinity('s'), false);
  pool.setAffinity('t', 'a');
  pool.deregister('a');
  assert.equal(pool.affinity('t'), undefined);
});

test('sessions move to nodes that join, when the host says so', () => {
  const pool = new Pool({ nodes: ['a'], affinity: { rebalance: 'manual' } });
  const sessions = Array.from({ length: 1000 }, (_, i) => `user-${i}`);
  sessions.forEach((session) => pool.pick({ session }).success());
  pool.register('b');
  const on = (id) => sessions.filter((session) => pool.affinity(session) === id).length;
  assert.deepEqual([on('a'), on('b')], [1000, 0]);
  const moved = pool.rebalance();
  assert.deepEqual([on('a'), on('b')], [1000 - moved, moved]);
  // Of 1000 coins, 5 standard deviations are 79.
  assert.ok(Math.abs(moved - 500) < 79, `${moved}`);
  assert.equal(pool.rebalance({ nowNs: process.hrtime.bigint() }), 0);
});

test('bad input', () => {
  const pool = new Pool({ nodes, affinity: true });
  const refused = (call, key) => {
    const error = thrown(call);
    assert.ok(error instanceof ConfigError, `${error.stack}`);
    assert.equal(error.key, key);
  };
  for (const wrong of [5, null, {}, [], undefined]) {
    refused(() => pool.affinity(wrong), 'session');
    refused(() => pool.setAffinity(wrong, 'a'), 'session');
    refused(() => pool.clearAffinity(wrong), 'session');
    if (wrong !== undefined) {
      refused(() => pool.pick({ session: wrong }), 'session');
    }
  }
  refused(() => pool.pick({ session: '\uD800' }), 'session');
  refused(() => pool.setAffinity('s', 5), 'id');
  refused(() => pool.affinity('s', 5), 'options');
  refused(() => pool.affinity('s', { nowNs: -1 }), 'nowNs');
  assert.equal(thrown(() => pool.setAffinity('s', 'x')).code, 'ERR_LOADWISE_UNKNOWN_NODE');
  assert.ok(pool.pick({ session: '' }).success());
  const off = new Pool({ nodes });
  refused(() => off.setAffinity('s', 'a'), 'affinity');
  assert.equal(off.affinity('s'), undefined);
  assert.ok(off.pick({ session: 's' }).success(), 'without affinity a session is nothing');
  refused(() => new Pool({ affinity: { entries: 0 } }), 'affinity.entries');
  refused(() => new Pool({ affinity: { rebalance: 'never' } }), 'affinity.rebalance');
});
