'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { HealthTracker, Strategy, select } = require('..');

test('a strategy over a list of one’s own keeps its turn', () => {
  const turns = new Strategy('round_robin');
  assert.deepEqual(
    Array.from({ length: 4 }, () => turns.select(['a', 'b', 'c'])),
    [0, 1, 2, 0],
  );
  const smooth = new Strategy('weighted_round_robin');
  const nodes = [{ id: 'a', weight: 5 }, { id: 'b' }, { id: 'c', weight: 1 }];
  assert.deepEqual(
    Array.from({ length: 7 }, () => smooth.select(nodes)),
    [0, 0, 1, 0, 2, 0, 0],
  );
});

test('each rule looks at its field', () => {
  const loads = [
    { id: 'a', load: 3 },
    { id: 'b', load: NaN },
    { id: 'c', load: 1 },
  ];
  assert.equal(select(loads, 'least_load'), 2);
  assert.equal(select(loads, 'least_load', { exclude: [2, 0] }), 1);
  assert.equal(select(loads.slice(0, 2), 'p2c'), 0);
  const quotas = [
    { id: 'a', remainingRatio: 0.1 },
    { id: 'b', remainingRatio: 0.9 },
  ];
  assert.equal(select(quotas, 'most_available'), 1);
  assert.equal(select([{ id: 'a', weight: 0 }, 'b'], 'weighted_random'), 1);
});

test('a key keeps to its node, whatever the order of the list', () => {
  const ring = new Strategy('ring_hash');
  const [forth, back] = [
    ['a', 'b', 'c', 'd'],
    ['d', 'c', 'b', 'a'],
  ];
  for (let i = 0; i < 50; i++) {
    const key = `user-${i}`;
    assert.equal(forth[ring.select(forth, { key })], back[ring.select(back, { key: Buffer.from(key) })]);
  }
});

test('exclusions and nobody', () => {
  assert.equal(select(['a', 'b'], 'random', { exclude: [0] }), 1);
  assert.equal(select(['a', 'b'], 'random', { exclude: [0, 1] }), null);
  assert.equal(select([{ id: 'a', weight: 0 }], ['weighted_random', 'random']), 0, 'the next of the chain');
  assert.equal(select(['a'], new Strategy('random')), 0);
});

test('a tracker goes through the states', () => {
  const tracker = new HealthTracker({ failureThreshold: 2, recoverySuccesses: 2, probeIntervalMs: 0 });
  assert.equal(tracker.status('a'), 'healthy');
  tracker.reportFailure('a');
  tracker.reportRateLimited('a');
  assert.deepEqual([tracker.status('a'), tracker.shouldProbe('a')], ['degraded', false]);
  tracker.reportFailure('a');
  assert.deepEqual([tracker.status('a'), tracker.shouldProbe('a')], ['unhealthy', true]);
  tracker.reportSuccess('a');
  assert.equal(tracker.status('a'), 'recovering');
  tracker.reportSuccess('a');
  assert.deepEqual(tracker.health('a'), { status: 'healthy', consecutiveFailures: 0, consecutiveSuccesses: 2 });
  assert.equal(tracker.status('b'), 'healthy');
  assert.deepEqual([tracker.forget('a'), tracker.forget('a')], [true, false]);
});

test('an unhealthy node rests before it is probed', () => {
  const tracker = new HealthTracker();
  for (let i = 0; i < 3; i++) {
    tracker.reportFailure('a');
  }
  assert.deepEqual([tracker.status('a'), tracker.shouldProbe('a')], ['unhealthy', false]);
});
