'use strict';

// What was learned of nodes outlives a pool: in a file, a Map, a store of one's own, or as data.

const assert = require('node:assert/strict');
const { mkdtempSync, readFileSync, rmSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { pathToFileURL } = require('node:url');
const { after, test } = require('node:test');
const { setImmediate: tick } = require('node:timers/promises');
const { Pool, ConfigError, StateError } = require('..');
const { thrown, takeDown } = require('./help.js');

const folder = mkdtempSync(join(tmpdir(), 'loadwise-'));
after(() => rmSync(folder, { recursive: true }));

function experienced() {
  const pool = new Pool({ nodes: ['a', 'b'], strategy: 'peak_ewma' });
  takeDown(pool, 'a');
  pool.pick({ exclude: ['a'] }).success({ latencyMs: 40 });
  return pool;
}

const fresh = () => new Pool({ nodes: ['b', 'a', 'c'], strategy: 'peak_ewma' });

function knows(pool) {
  const [b, a, c] = pool.nodes();
  assert.deepEqual([a.health, b.health, c.health], ['unhealthy', 'healthy', 'healthy']);
  assert.ok(Math.abs(b.latencyMs - 40) < 1, `${b.latencyMs}`);
  assert.ok(a.holdUntilNs > 0);
}

/** A store as one over a network would be. */
class Remote {
  kept = new Map();

  async put(id, text) {
    await tick();
    assert.equal(typeof text, 'string');
    this.kept.set(id, text);
  }

  async list() {
    await tick();
    return this.kept.entries();
  }
}

test('kept in a file, a Map or a store, and taken up again', async () => {
  const path = join(folder, 'learned.json');
  for (const store of [path, pathToFileURL(`${path}2`), new Map(), new Remote()]) {
    assert.equal(await experienced().save(store), 2);
    const pool = fresh();
    assert.equal(await pool.restore(store), 2);
    knows(pool);
  }
  assert.ok(JSON.parse(readFileSync(path, 'utf8')).a);
});

test('as data, which other languages read, too', () => {
  const learned = experienced().learned();
  const pool = fresh();
  assert.equal(pool.learnFrom(learned), 2);
  knows(pool);
  const other = fresh();
  assert.equal(other.learnFrom(JSON.stringify(learned)), 2);
  knows(other);
});

test('times are relative to those that are given', () => {
  const [pool, then, later] = [fresh(), 1e12, 5e12];
  for (let i = 0; i < 3; i++) {
    pool.report('a', 'failure', { nowNs: then });
  }
  const held = (of, nowNs) => of.nodeStatus('a', { nowNs }).holdUntilNs - nowNs;
  const other = fresh();
  assert.equal(other.learnFrom(pool.learned({ nowNs: then }), { nowNs: later }), 3);
  assert.ok(held(pool, then) > 0);
  assert.equal(held(other, later), held(pool, then));
  assert.equal(thrown(() => pool.learned({ nowNs: -1 })).key, 'nowNs');
  assert.equal(thrown(() => pool.learnFrom({ format: 1, nodes: {} }, { nowNs: 'now' })).key, 'nowNs');
});

test('what is of nobody here is left alone', async () => {
  const store = new Map();
  await experienced().save(store);
  store.set('somebody else', 'no state at all');
  const pool = new Pool({ nodes: ['b'] });
  assert.equal(await pool.restore(store), 1);
  await pool.save(store);
  assert.equal(store.get('somebody else'), 'no state at all');
  assert.equal(await new Pool({ nodes: ['b'] }).restore(join(folder, 'nothing yet.json')), 0);
});

test('what is damaged is told, and changes nothing', async () => {
  const path = join(folder, 'damaged.json');
  writeFileSync(path, '{"a": ');
  await assert.rejects(fresh().restore(path), StateError);
  await assert.rejects(experienced().save(path), StateError);
  await assert.rejects(experienced().save(join(folder, 'no', 'such', 'folder.json')), { code: 'ERR_LOADWISE_STORE' });
  const pool = fresh();
  await assert.rejects(pool.restore(new Map([['a', '{"format": 1, "health": "dead"}']])), (error) => {
    return error instanceof ConfigError && error.key === 'nodes.a.health';
  });
  for (const wrong of [undefined, null, 5, 'nodes: {}', { format: 1, nodes: { a: { format: 1, hold_ns: -1 } } }]) {
    assert.ok(thrown(() => pool.learnFrom(wrong)) instanceof ConfigError, `${wrong}`);
  }
  assert.ok(pool.nodes().every(({ health }) => health === 'healthy'));
});

test('a store that fails is told as it says', async () => {
  const down = new Error('connection refused');
  const store = { put: () => Promise.reject(down), list: () => Promise.reject(down) };
  await assert.rejects(experienced().save(store), (error) => error === down);
  await assert.rejects(fresh().restore(store), (error) => error === down);
});

test('bad input', async () => {
  const refused = (key) => (error) => error instanceof ConfigError && error.key === key;
  for (const wrong of [undefined, null, 5, {}, [], { put: 5, list: 5 }]) {
    await assert.rejects(experienced().save(wrong), refused('store'));
    await assert.rejects(fresh().restore(wrong), refused('store'));
  }
  for (const wrong of [undefined, 5, 'ab', ['ab'], { a: 'text' }]) {
    await assert.rejects(fresh().restore({ list: () => wrong }), refused('store'));
  }
  await assert.rejects(fresh().restore({ list: () => [['a', 5]] }), refused('store.a'));
  await assert.rejects(fresh().restore(new Map([[5, 'text']])), refused('store[0].id'));
});

test('nodes are found by their labels', () => {
  const labels = { region: 'eu', version: 'v1' };
  const pool = new Pool({ nodes: [{ id: 'a', labels }, { id: 'b', labels: { region: 'eu' } }, 'c'] });
  const found = (wanted) => pool.find(wanted).map(({ id }) => id);
  assert.deepEqual(found({ region: 'eu' }), ['a', 'b']);
  assert.deepEqual(found(labels), ['a']);
  assert.deepEqual(found({ region: 'us' }), []);
  assert.deepEqual(found({}), ['a', 'b', 'c']);
  for (const wrong of [undefined, null, 'eu', [], new Map()]) {
    assert.equal(thrown(() => pool.find(wrong)).key, 'labels');
  }
  assert.equal(thrown(() => pool.find({ region: 5 })).key, 'labels.region');
});
