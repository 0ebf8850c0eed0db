'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Pool, Pick, NoNodeError } = require('..');
const { thrown, inFlight, takeDown } = require('./help.js');

const candidate = ({ candidates }, id) => candidates.find((one) => one.id === id);

test('a dry run says what the next pick does, and advances nothing', () => {
  for (const strategy of ['round_robin', 'weighted_round_robin', 'random', 'p2c', 'least_request', 'maglev']) {
    const pool = new Pool({ nodes: ['a', 'b', 'c'], strategy, seed: 7 });
    for (let i = 0; i < 20; i++) {
      const request = { key: `user-${i}` };
      const explanation = pool.explain(request);
      assert.deepEqual(pool.explain(request).chosen, explanation.chosen);
      const before = inFlight(pool);
      const pick = pool.pick(request);
      assert.deepEqual(explanation.chosen, { id: pick.node, index: pick.index, generation: pick.generation }, strategy);
      assert.equal(explanation.strategy, strategy);
      assert.deepEqual(
        explanation.candidates.map(({ inFlight: n }) => n),
        before,
      );
      pick.success();
    }
  }
});

test('each candidate is in or out, by a filter and a score', () => {
  const pool = new Pool({
    nodes: ['a', 'b', { id: 'c', weight: 2, zone: 'z', labels: { region: 'eu' } }, { id: 'd', weight: 0 }, 'e', 'f'],
    strategy: 'least_request',
    seed: 1,
  });
  const busy = pool.pick({ require: { region: 'eu' } });
  pool.drain('e');
  takeDown(pool, 'f');
  const explanation = pool.explain({ exclude: ['b'], predicate: ({ id }) => id !== 'a' });
  const filters = Object.fromEntries(explanation.candidates.map(({ id, failedAt }) => [id, failedAt]));
  assert.deepEqual(filters, {
    a: 'no_match',
    b: 'excluded',
    c: undefined,
    d: 'zero_weight',
    e: 'draining',
    f: 'unhealthy',
  });
  const c = candidate(explanation, 'c');
  assert.deepEqual([c.eligible, c.inFlight, c.weight, c.zone, c.health, c.tier], [true, 1, 2, 'z', 'healthy', 0]);
  assert.deepEqual(c.score, { name: 'in_flight_per_weight', value: 0.5, terms: { inFlight: 1, weight: 2 } });
  assert.deepEqual([explanation.way, explanation.step, explanation.noNode], ['rule', 0, undefined]);
  busy.success();
});

test('a pick with its reasons is a pick', () => {
  const pool = new Pool({ nodes: ['a', 'b'], strategy: 'maglev' });
  const { pick, explanation } = pool.pickExplained({ key: 'user-17' });
  assert.ok(pick instanceof Pick);
  assert.deepEqual([explanation.chosen.id, explanation.key.owner, explanation.key.rehashes], [pick.node, pick.node, 0]);
  assert.equal(inFlight(pool)[0] + inFlight(pool)[1], 1);
  assert.ok(explanation.nowNs > 0);
  assert.ok(pick.success());
  const { ticket, explanation: other } = pool.acquireExplained({ key: 'user-17' });
  assert.equal(pool.nodeOf(ticket), other.chosen.id);
  assert.ok(pool.release(ticket));
});

test('why there is none', () => {
  const pool = new Pool({ nodes: ['a', { id: 'b', max_in_flight: 1 }] });
  pool.drain('a');
  pool.pick();
  const { chosen, noNode, candidates } = pool.explain();
  assert.equal(chosen, undefined);
  assert.deepEqual([noNode.reason, noNode.callbackFailed], ['saturated', false]);
  assert.deepEqual(
    candidates.map(({ failedAt }) => failedAt),
    ['draining', 'saturated'],
  );
  for (const call of [() => pool.pickExplained(), () => pool.acquireExplained({})]) {
    const error = thrown(call);
    assert.ok(error instanceof NoNodeError);
    assert.equal(error.explanation.noNode.reason, error.reason);
  }
  assert.equal(thrown(() => pool.pick()).explanation, undefined);
  const bad = new Error('bad');
  const error = thrown(() =>
    pool.pickExplained({
      predicate: () => {
        throw bad;
      },
    }),
  );
  assert.deepEqual([error.callbackFailed, error.cause], [true, bad]);
});

test('what else a pick takes', () => {
  const pool = new Pool({
    nodes: ['a'],
    affinity: true,
    quotas: [{ dimension: 'tokens_used', limit: 100 }],
    health: { failure_threshold: 1, probe_interval_ms: 1000 },
  });
  const request = { session: 's', cost: { tokens_used: 5 } };
  const { takes } = pool.explain(request);
  assert.deepEqual(takes, { probeUntilNs: undefined, quotas: { tokens_used: 5 }, session: true });
  assert.equal(pool.affinity('s'), undefined, 'nothing was taken');
  assert.equal(pool.stats().nodes[0].quotas[0].used, 0);
  pool.pick(request).success();
  assert.equal(pool.explain(request).way, 'session');
  takeDown(pool, 'a');
  const nowNs = BigInt(Math.round(pool.nodes()[0].holdUntilNs)) + 1n;
  const probe = pool.explain({ nowNs });
  assert.equal(probe.way, 'probe');
  assert.ok(probe.takes.probeUntilNs > Number(nowNs));
  assert.equal(pool.explain({ nowNs }).way, 'probe', 'it is still to be had');
});

test('an own strategy decides here, too', () => {
  const pool = new Pool({ nodes: ['a', 'b'] });
  let asked = 0;
  pool.setOwnStrategy((candidates) => {
    asked += 1;
    return candidates.findIndex(({ id }) => id === 'b');
  }, 'random');
  const { chosen, strategy } = pool.explain();
  assert.deepEqual([chosen.id, strategy, asked], ['b', 'custom', 1]);
  assert.equal(pool.pickExplained().explanation.chosen.id, 'b');
});

test('bad input', () => {
  const pool = new Pool({ nodes: ['a'] });
  for (const call of ['explain', 'pickExplained', 'acquireExplained', 'plan']) {
    assert.equal(thrown(() => pool[call](5)).key, 'request');
    assert.equal(thrown(() => pool[call]({ key: 5 })).key, 'key');
    assert.equal(thrown(() => pool[call]({ predicate: 5 })).key, 'predicate');
    assert.equal(thrown(() => pool[call]({ exclude: 5 })).key, 'exclude');
    assert.equal(thrown(() => pool[call]({ cost: { rpm: -1 } })).key, 'cost.rpm');
  }
  assert.equal(thrown(() => new Pool().pickExplained()).reason, 'empty');
  assert.equal(new Pool().explain().noNode.reason, 'empty');
  pool.close();
  assert.equal(thrown(() => pool.explain()).code, 'ERR_LOADWISE_CLOSED');
});
