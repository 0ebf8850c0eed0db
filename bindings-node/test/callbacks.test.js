'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Pool, Candidate, ConfigError, NoNodeError } = require('..');
const { thrown, inFlight, shares, takeDown } = require('./help.js');

test('a predicate sees candidates and has the last word', () => {
  const pool = new Pool({
    nodes: ['a', { id: 'b', address: 'x:1', name: 'second', weight: 3, labels: { region: 'eu' }, user_data: 9 }],
  });
  pool.reportLoad('b', { load: 2.5, remainingRatio: 0.25 });
  pool.pick({ exclude: ['a'] });
  let seen;
  const pick = pool.pick({
    predicate: (candidate) => {
      assert.ok(candidate instanceof Candidate);
      if (candidate.id !== 'b') {
        return false;
      }
      seen = candidate;
      assert.deepEqual(
        [candidate.address, candidate.name, candidate.weight, candidate.health, candidate.inFlight, candidate.userData],
        ['x:1', 'second', 3, 'healthy', 1, 9],
      );
      assert.deepEqual([candidate.load, candidate.remainingRatio], [2.5, 0.25]);
      assert.deepEqual([candidate.hasLabel('region', 'eu'), candidate.hasLabel('region', 'us')], [true, false]);
      return true;
    },
  });
  assert.deepEqual([pick.node, pick.callbackFailed], ['b', false]);
  assert.deepEqual([pick.index, pick.generation], [seen.index, seen.generation]);
  assert.equal(seen.inFlight, 2, 'read at the moment that it is asked');
  pool.deregister('b');
  for (const look of [() => seen.id, () => seen.weight, () => seen.hasLabel('region', 'eu')]) {
    assert.equal(thrown(look).code, 'ERR_LOADWISE_UNKNOWN_NODE');
  }
});

test('a predicate answers by truth as JavaScript knows it', () => {
  const pool = new Pool({ nodes: ['a'] });
  assert.equal(pool.pick({ predicate: () => 'yes' }).node, 'a');
  assert.equal(thrown(() => pool.pick({ predicate: () => 0 })).reason, 'no_match');
  assert.equal(thrown(() => pool.pick({ predicate: () => undefined })).callbackFailed, false);
});

test('a candidate whose predicate throws is out, and the pick tells', () => {
  const pool = new Pool({ nodes: ['a', 'b'] });
  const bad = new TypeError('bad');
  const predicate = (candidate) => {
    if (candidate.id === 'a') {
      throw bad;
    }
    return true;
  };
  for (let i = 0; i < 50; i++) {
    const pick = pool.pick({ predicate });
    assert.equal(pick.node, 'b');
    assert.equal(pick.callbackError, pick.callbackFailed ? bad : undefined);
    pick.success();
  }
  const error = thrown(() => pool.pick({ predicate, exclude: ['b'] }));
  assert.ok(error instanceof NoNodeError);
  assert.equal(error.callbackFailed, true);
  assert.equal(error.cause, bad);
  assert.equal(pool.pick().callbackFailed, false, 'it is forgotten');
  assert.equal(pool.pick({ exclude: ['b'] }).callbackFailed, false);
});

test('a predicate may use the pool that asks it', () => {
  const pool = new Pool({ nodes: ['a', 'b'] });
  const inner = [];
  const pick = pool.pick({
    predicate: (candidate) => {
      inner.push(pool.pick({ predicate: () => true }));
      pool.report('b', 'success');
      if (pool.length === 2) {
        pool.register('c');
      }
      return candidate.id !== 'b';
    },
  });
  assert.equal(pool.length, 3);
  assert.notEqual(pick.node, 'b');
  assert.ok(pick.success());
  assert.ok(inner.every((one) => one.success()));
});

test('a predicate may even close the pool', () => {
  const pool = new Pool({ nodes: ['a', 'b'] });
  let pick;
  try {
    pick = pool.pick({
      predicate: () => {
        pool.close();
        return true;
      },
    });
  } catch (error) {
    assert.fail(error);
  }
  assert.equal(pool.closed, true);
  assert.equal(pick.success(), false);
});

test('keys stay what they were while callbacks run', () => {
  const pool = new Pool({ nodes: ['a', 'b', 'c'], strategy: 'rendezvous' });
  const owner = pool.pick({ key: 'k' }).node;
  const key = new Uint8Array(Buffer.from('k'));
  const pick = pool.pick({
    key,
    predicate: () => {
      if (key.length > 0) {
        structuredClone(key, { transfer: [key.buffer] });
      }
      return true;
    },
  });
  assert.equal(key.length, 0, 'detached');
  assert.equal(pick.node, owner);
});

test('an own strategy chooses among those that may be chosen', () => {
  const pool = new Pool({ nodes: ['a', 'b', 'c', { id: 'd', labels: { region: 'eu' } }] });
  const asked = [];
  pool.setOwnStrategy((candidates, key) => {
    asked.push([candidates.map(({ id }) => id), key]);
    return candidates.length - 1;
  }, 'random');
  assert.equal(pool.strategy, 'custom');
  takeDown(pool, 'c');
  assert.equal(pool.pick().node, 'd');
  const bytes = new Uint8Array([1, 2]);
  assert.equal(pool.pick({ key: bytes, exclude: ['d'] }).node, 'b');
  assert.equal(pool.nodeOf(pool.acquire({ key: 'k', require: { region: 'eu' } })), 'd');
  assert.deepEqual(asked, [
    [['a', 'b', 'd'], undefined],
    [['a', 'b'], bytes],
    [['d'], 'k'],
  ]);
});

test('an own strategy sees what candidates are', () => {
  const pool = new Pool({ nodes: ['a', 'b', 'c'] });
  pool.setOwnStrategy((candidates) => {
    const least = Math.min(...candidates.map(({ inFlight: n }) => n));
    return candidates.findIndex(({ inFlight: n }) => n === least);
  });
  const picks = Array.from({ length: 6 }, () => pool.pick());
  assert.deepEqual(inFlight(pool), [2, 2, 2]);
  picks.forEach((pick) => pick.success());
});

test('one that finds nobody gives way to its fallback', () => {
  const pool = new Pool({ nodes: ['a', 'b'] });
  for (const nobody of [null, undefined]) {
    pool.setOwnStrategy(() => nobody, ['least_request']);
    assert.equal(pool.pick().callbackFailed, false);
    pool.setOwnStrategy(() => nobody);
    const error = thrown(() => pool.pick());
    assert.ok(error instanceof NoNodeError);
    assert.equal(error.callbackFailed, false);
  }
});

test('one that throws, or answers what cannot be, is contained', () => {
  const pool = new Pool({ nodes: ['a', 'b'] });
  const bad = new Error('bad');
  const answers = [
    () => {
      throw bad;
    },
    () => 2,
    () => -1,
    () => 0.5,
    () => NaN,
    () => 'a',
    () => 2 ** 40,
    () => ({}),
  ];
  for (const answer of answers) {
    pool.setOwnStrategy(answer, 'random');
    const pick = pool.pick();
    assert.equal(pick.callbackFailed, true, `${answer}`);
    assert.equal(pick.callbackError, answer === answers[0] ? bad : undefined);
    pool.setOwnStrategy(answer);
    const error = thrown(() => pool.pick());
    assert.ok(error instanceof NoNodeError);
    assert.equal(error.callbackFailed, true);
    assert.equal(error.cause, answer === answers[0] ? bad : undefined);
    pick.success();
  }
});

test('own strategies may pick, and change themselves', () => {
  const [pool, other] = [new Pool({ nodes: ['a', 'b'] }), new Pool({ nodes: ['x', 'y'] })];
  other.setOwnStrategy(() => 1);
  pool.setOwnStrategy((candidates) => {
    assert.equal(other.pick({ predicate: () => true }).node, 'y');
    pool.setStrategy('round_robin');
    return candidates.findIndex(({ id }) => id === 'b');
  });
  pool.pick();
  assert.equal(pool.strategy, 'round_robin');
  assert.equal(shares(pool, 10).a, 5);
});

test('another strategy takes over from an own one', () => {
  const pool = new Pool({ nodes: ['a', 'b'] });
  pool.setOwnStrategy(() => assert.fail('asked'), 'random');
  pool.setStrategy('round_robin');
  assert.deepEqual(shares(pool, 4), { a: 2, b: 2 });
  assert.ok(thrown(() => pool.setStrategy('custom')) instanceof ConfigError);
});

test('what is no function is refused', () => {
  const pool = new Pool({ nodes: ['a'] });
  for (const wrong of [null, 7, 'f', {}]) {
    assert.equal(thrown(() => pool.pick({ predicate: wrong })).key, 'predicate');
    assert.equal(thrown(() => pool.setOwnStrategy(wrong)).key, 'choose');
  }
  assert.ok(thrown(() => pool.setOwnStrategy(() => 0, 'nonesuch')) instanceof ConfigError);
  assert.equal(pool.strategy, 'p2c');
  assert.equal(pool.pick().node, 'a');
});
