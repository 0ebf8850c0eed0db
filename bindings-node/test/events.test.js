'use strict';

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { test } = require('node:test');
const { setImmediate: tick } = require('node:timers/promises');
const { Pool, ConfigError } = require('..');
const { thrown, takeDown } = require('./help.js');

/** A pool and what happens in it; times are looked at and left out. */
function watched(config, options) {
  const pool = new Pool(config);
  const events = [];
  const id = pool.onEvent(({ atNs, ...event }) => {
    assert.ok(Number.isInteger(atNs) && atNs > 0);
    events.push(event);
  }, options);
  return { pool, events, id };
}

test('health, as it changes', () => {
  const { pool, events } = watched({ nodes: ['a', 'b'] });
  takeDown(pool, 'a');
  pool.report('a', 'success');
  assert.deepEqual(events, [
    { kind: 'health', node: 'a', from: 'healthy', to: 'degraded' },
    { kind: 'health', node: 'a', from: 'degraded', to: 'unhealthy' },
    { kind: 'health', node: 'a', from: 'unhealthy', to: 'recovering' },
  ]);
});

test('breakers, as they open and close', () => {
  const breaker = { consecutive_failures: 2, half_open_successes: 1, open_ms: 1000 };
  const { pool, events } = watched({ nodes: ['a', 'b'], breaker, health: { failure_threshold: 100 } });
  const fail = () => pool.pick({ exclude: ['b'] }).failure('timeout');
  fail();
  fail();
  assert.deepEqual(events, [{ kind: 'breaker', node: 'a', open: true }]);
  assert.equal(pool.nodes()[0].breaker, 'open');
  pool.report('a', 'success');
  assert.deepEqual(events.at(-1), { kind: 'breaker', node: 'a', open: false });
});

test('outliers, as they are ejected and taken back', () => {
  const outlier = { failure_min_requests: 10, failure_rate: 0.5, ejection_ms: 1000, sweep_interval_ms: 1000 };
  const nodes = ['a', 'b', 'c', 'd', 'e'];
  const { pool, events } = watched({ nodes, outlier, health: { failure_threshold: 100, min_success_rate: 0 } });
  const start = 1_000_000_000_000;
  pool.maintain(start);
  for (let i = 0; i < 20; i++) {
    for (const id of nodes) {
      pool.report(id, id === 'a' ? 'failure' : 'success', { nowNs: start + i });
    }
  }
  pool.maintain(start + 2e9);
  assert.deepEqual(events, [{ kind: 'ejection', node: 'a', ejected: true }]);
  pool.maintain(start + 60e9);
  assert.deepEqual(events.at(-1), { kind: 'ejection', node: 'a', ejected: false });
});

test('panic and tiers', () => {
  const nodes = ['a', 'b', { id: 'spare', tier: 1 }];
  const tiers = watched({ nodes });
  takeDown(tiers.pool, 'a');
  takeDown(tiers.pool, 'b');
  assert.ok(tiers.events.some(({ kind, from, to }) => kind === 'tier' && from === 0 && to === 1));
  const panic = watched({ nodes: ['a', 'b'], panic: { mode: 'spread' } });
  takeDown(panic.pool, 'a');
  takeDown(panic.pool, 'b');
  assert.ok(panic.events.some(({ kind, spread }) => kind === 'panic' && spread));
});

test('who joins and who leaves', () => {
  const { pool, events } = watched({ nodes: ['a', 'b'] });
  pool.setNodes(['b', 'c', 'd']);
  pool.register('e');
  pool.deregister('b');
  pool.setNodes(['c', 'd', 'e']);
  assert.deepEqual(events, [
    { kind: 'topology', added: ['c', 'd'], removed: ['a'] },
    { kind: 'topology', added: ['e'], removed: [] },
    { kind: 'topology', added: [], removed: ['b'] },
  ]);
});

test('selections, for those who ask', () => {
  const { pool, events, id } = watched({ nodes: ['a'], strategy: 'random' }, { selections: true });
  const quiet = [];
  pool.onEvent((event) => quiet.push(event), { selections: false });
  pool.pick().success();
  pool.release(pool.acquire({ key: 'k' }));
  const selection = { kind: 'selection', node: 'a', strategy: 'random' };
  assert.deepEqual([events, quiet], [[selection, selection], []]);
  assert.equal(pool.offEvent(id), true);
  assert.equal(pool.offEvent(id), false);
  pool.pick().success();
  assert.equal(events.length, 2);
});

test('a listener that throws is contained, and warned of', async () => {
  const pool = new Pool({ nodes: ['a'] });
  const heard = [];
  pool.onEvent(() => {
    throw new TypeError('bad listener');
  });
  pool.onEvent(async () => {
    throw new TypeError('bad promise');
  });
  pool.onEvent(({ kind }) => heard.push(kind));
  const warnings = [];
  const listen = ({ name, message }) => warnings.push([name, message]);
  process.on('warning', listen);
  pool.register('b');
  await tick();
  await tick();
  process.off('warning', listen);
  assert.deepEqual(heard, ['topology']);
  assert.deepEqual(warnings, [
    ['TypeError', 'bad listener'],
    ['TypeError', 'bad promise'],
  ]);
});

test('a listener may use the pool, stop others, and close it', () => {
  const pool = new Pool({ nodes: ['a', 'b'] });
  const heard = [];
  const second = pool.onEvent(() => heard.push('never'));
  const id = pool.onEvent(({ added }) => {
    pool.offEvent(second);
    pool.offEvent(id);
    heard.push(...added);
    pool.register('d');
    assert.ok(pool.pick().success());
  });
  pool.offEvent(second);
  pool.register('c');
  assert.deepEqual([heard, pool.length], [['c'], 4]);
  pool.onEvent(() => pool.close(), { selections: true });
  const pick = pool.pick();
  assert.equal(pool.closed, true);
  assert.equal(pick.success(), false);
});

test('nobody hears of a closed pool', () => {
  const { pool, events, id } = watched({ nodes: ['a'] });
  pool.close();
  assert.equal(pool.offEvent(id), false);
  assert.deepEqual(events, []);
  assert.equal(thrown(() => pool.onEvent(() => {})).code, 'ERR_LOADWISE_CLOSED');
});

test('a listener in a worker', async () => {
  const { Worker } = require('node:worker_threads');
  const script = `
    const { Pool } = require(${JSON.stringify(require.resolve('..'))});
    const { parentPort } = require('node:worker_threads');
    const pool = new Pool({ nodes: ['a'] });
    pool.onEvent(({ kind, added }) => parentPort.postMessage([kind, added]));
    pool.register('b');`;
  const worker = new Worker(script, { eval: true });
  const exit = once(worker, 'exit');
  assert.deepEqual((await once(worker, 'message'))[0], ['topology', ['b']]);
  assert.equal((await exit)[0], 0);
});

test('bad input', () => {
  const pool = new Pool({ nodes: ['a'] });
  for (const wrong of [undefined, null, 5, {}]) {
    const error = thrown(() => pool.onEvent(wrong));
    assert.ok(error instanceof ConfigError);
    assert.equal(error.key, 'listener');
  }
  assert.equal(thrown(() => pool.onEvent(() => {}, 5)).key, 'options');
  assert.equal(thrown(() => pool.onEvent(() => {}, { selections: 'yes' })).key, 'selections');
  for (const wrong of [undefined, null, -1, 0.5, 'id']) {
    assert.equal(thrown(() => pool.offEvent(wrong)).key, 'id');
  }
  assert.equal(pool.offEvent(17), false);
});
