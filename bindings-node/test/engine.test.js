'use strict';

const assert = require('node:assert/strict');
const { mkdtempSync, rmSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { pathToFileURL } = require('node:url');
const { after, test } = require('node:test');
const { setTimeout: sleep } = require('node:timers/promises');
const { Engine, Pool, ConfigError, StateError } = require('..');
const { thrown, inFlight, takeDown } = require('./help.js');

const folder = mkdtempSync(join(tmpdir(), 'loadwise-'));
after(() => rmSync(folder, { recursive: true }));

const TWO = { pools: { api: { nodes: ['a', 'b'] }, 'search-v2': { nodes: ['x'], strategy: 'maglev' } } };

function file(name, text) {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

test('an engine has pools by name, from a file, a text or data', () => {
  const path = file('engine.json', JSON.stringify(TWO));
  const engines = [
    Engine.open(path),
    Engine.open(pathToFileURL(path)),
    Engine.fromConfig(JSON.stringify(TWO)),
    Engine.fromConfig(TWO),
  ];
  for (const engine of engines) {
    assert.deepEqual(engine.names(), ['api', 'search-v2']);
    const [api, search] = engine.pools();
    assert.ok(api === engine.pool('api') && search === engine.pool('search-v2'));
    const pool = engine.pool('search-v2');
    assert.ok(pool instanceof Pool);
    assert.deepEqual([pool.name, pool.strategy, pool.pick({ key: 'k' }).node], ['search-v2', 'maglev', 'x']);
    assert.equal(engine.pool('search-v2'), pool, 'the same each time');
    assert.equal(engine.version, 1);
  }
  const one = Engine.fromConfig({ nodes: ['a'] });
  assert.equal(one.pool('default').pick().node, 'a');
});

test('a file is read again, and picks under way are not disturbed', () => {
  const path = file('live.yaml', 'pools:\n  api: {nodes: [a, b]}\n  old: {nodes: [o]}\n');
  const engine = Engine.open(path);
  const [api, old] = [engine.pool('api'), engine.pool('old')];
  const [pick, gone] = [api.pick({ exclude: ['b'] }), old.pick()];
  takeDown(api, 'b');
  writeFileSync(path, 'pools:\n  api: {nodes: [b, a, c], strategy: random}\n  new: {nodes: [n]}\n');
  assert.deepEqual(engine.reload(), { added: ['new'], removed: ['old'], changed: ['api'], version: 2 });
  assert.equal(engine.version, 2);
  assert.equal(engine.pool('api'), api);
  assert.deepEqual([api.strategy, ...inFlight(api)], ['random', 0, 1, 0]);
  assert.equal(api.nodes()[0].health, 'unhealthy', 'what is known of a node stays');
  assert.ok(pick.success());
  assert.ok(gone.success(), 'a pool that was taken out goes on for those who have it');
  assert.equal(thrown(() => engine.pool('old')).key, 'name');
  assert.equal(engine.pool('new').pick().node, 'n');
  assert.deepEqual(engine.reload().changed, []);
});

test('what cannot be changes nothing, and names key, line and file', () => {
  const path = file('bad.yaml', 'pools:\n  api: {nodes: [a]}\n');
  const engine = Engine.open(path);
  writeFileSync(path, 'pools:\n  api:\n    nodes:\n      - {id: a, wieght: 5}\n  more: {nodes: [m]}\n');
  const error = thrown(() => engine.reload());
  assert.ok(error instanceof ConfigError);
  assert.deepEqual([error.key, error.line], ['pools.api.nodes[0].wieght', 4]);
  assert.ok(error.message.includes(path));
  assert.deepEqual([engine.names(), engine.version, engine.pool('api').pick().node], [['api'], 1, 'a']);
  rmSync(path);
  assert.ok(thrown(() => engine.reload()) instanceof ConfigError);
  assert.equal(engine.pool('api').pick().node, 'a');
});

test('a configuration is given in place of the file', () => {
  const engine = Engine.fromConfig(TWO);
  assert.ok(thrown(() => engine.reload()) instanceof ConfigError, 'there is no file');
  const reloaded = engine.reloadFrom('pools: {api: {nodes: [z]}}');
  assert.deepEqual([reloaded.removed, reloaded.changed], [['search-v2'], ['api']]);
  assert.equal(engine.pool('api').pick().node, 'z');
  assert.equal(engine.reloadFrom(TWO).version, 3);
});

test('the configuration in force has every default, and can be read as one', () => {
  const engine = Engine.fromConfig({
    pools: { api: { nodes: [{ id: 'a', labels: { my_label: 'x' } }], breaker: true } },
  });
  const { config } = engine;
  assert.equal(config.pools.api.breaker.open_ms, 5000);
  assert.deepEqual(config.pools.api.nodes[0].labels, { my_label: 'x' });
  assert.deepEqual(
    [config.version, config.pools.api.version, 'version' in JSON.parse(JSON.stringify(config))],
    [1, 1, false],
  );
  assert.deepEqual(engine.reloadFrom(config).changed, []);
  assert.deepEqual(Engine.fromConfig(config).config, config);
  const pool = Pool.fromConfig(config.pools.api);
  assert.deepEqual(pool.config, config.pools.api);
});

test('one setting is told as all are', () => {
  const pool = new Pool({ nodes: ['a', { id: 'b', weight: 3, labels: { my_label: 'x' } }], strategy: 'maglev' });
  const { config } = pool;
  assert.equal(pool.setting('retry.max_attempts'), 3);
  assert.equal(pool.setting('strategy[0].name'), 'maglev');
  assert.deepEqual([pool.setting('health'), pool.setting('nodes')], [config.health, config.nodes]);
  assert.equal(pool.setting('breaker'), false);
  pool.setWeight('b', 8);
  assert.equal(pool.setting('nodes[1].weight'), 8);
  pool.reload({ nodes: ['a'], breaker: { open_ms: 7 } });
  assert.equal(pool.setting('breaker.open_ms'), 7);
  for (const nothing of ['', 'retry.attempts', 'outlier.ejection_ms', 'nodes[1]']) {
    const error = thrown(() => pool.setting(nothing));
    assert.ok(error instanceof ConfigError && error.key === nothing, nothing);
  }
  assert.equal(thrown(() => pool.setting(7)).key, 'key');
  assert.equal(thrown(() => pool.reload({ nodes: ['a'] }, { nowNs: -1 })).key, 'nowNs');
  pool.close();
  assert.ok(thrown(() => pool.setting('health')) instanceof StateError);
});

test('one pool is reloaded by itself', () => {
  const pool = new Pool({ nodes: ['a', 'b'] });
  const pick = pool.pick({ exclude: ['b'] });
  pool.reload({ nodes: ['a', 'c'], strategy: 'round_robin', max_in_flight: 9 });
  assert.deepEqual([pool.strategy, pool.configVersion, pool.config.max_in_flight], ['round_robin', 2, 9]);
  assert.deepEqual(inFlight(pool), [1, 0]);
  assert.ok(pick.success());
  pool.reload('{nodes: [a], strategy: random}');
  assert.equal(pool.length, 1);
  for (const wrong of [undefined, null, 5, 'nodes: 5', { nodes: ['a', 'a'] }, { limits: { max_nodes: 7 } }]) {
    assert.ok(thrown(() => pool.reload(wrong)) instanceof ConfigError);
  }
  assert.deepEqual([pool.strategy, pool.configVersion], ['random', 3]);
});

test('an own strategy stays in charge over a reload', () => {
  const engine = Engine.fromConfig(TWO);
  const pool = engine.pool('api');
  pool.setOwnStrategy((candidates) => candidates.findIndex(({ id }) => id === 'b'), 'random');
  engine.reloadFrom({ pools: { api: { nodes: ['a', 'b', 'c'] } } });
  assert.equal(pool.strategy, 'custom');
  assert.deepEqual([pool.pick().node, pool.pick().node], ['b', 'b']);
});

test('figures of all pools', () => {
  const engine = Engine.fromConfig(TWO);
  engine.pool('api').pick().success();
  assert.deepEqual(
    engine.stats().map(({ name, successes }) => [name, successes]),
    [
      ['api', 1],
      ['search-v2', 0],
    ],
  );
  assert.match(engine.metrics(), /^loadwise_node_in_flight\{pool="search-v2",node="x"\} 0$/m);
  assert.ok(engine.metrics({ format: 'openmetrics' }).endsWith('# EOF\n'));
  assert.ok(engine.maintain(process.hrtime.bigint()).nextDueNs > 0);
  assert.equal(thrown(() => engine.metrics({ format: 'xml' })).key, 'format');
});

test('one timer serves all pools, also those that come later', { timeout: 60_000 }, async () => {
  const checks = { interval_ms: 20, timeout_ms: 5000, grace_ms: 0 };
  const engine = Engine.fromConfig({ pools: { one: { nodes: ['a'], checks } } });
  const checked = new Set();
  engine.start({ check: ({ pool, id }) => checked.add(`${pool}/${id}`) && true, intervalMs: 10 });
  engine.reloadFrom({ pools: { one: { nodes: ['a'], checks }, two: { nodes: ['b'], checks } } });
  while (checked.size < 2) {
    await sleep(5);
  }
  assert.deepEqual([...checked].toSorted(), ['one/a', 'two/b']);
  engine.stop();
  engine.start();
  engine.close();
});

test('a closed engine says so, and its pools with it', () => {
  const engine = Engine.fromConfig(TWO);
  const pool = engine.pool('api');
  const pick = pool.pick();
  assert.equal(engine.closed, false);
  engine[Symbol.dispose]();
  engine.close();
  assert.deepEqual([engine.closed, pool.closed, pick.success()], [true, true, false]);
  const calls = [
    () => engine.pool('api'),
    () => engine.names(),
    () => engine.pools(),
    () => engine.reload(),
    () => engine.reloadFrom(TWO),
    () => engine.config,
    () => engine.version,
    () => engine.maintain(),
    () => engine.stats(),
    () => engine.metrics(),
    () => engine.start(),
    () => pool.pick(),
  ];
  for (const call of calls) {
    const error = thrown(call);
    assert.ok(error instanceof StateError, `${call}`);
    assert.equal(error.code, 'ERR_LOADWISE_CLOSED');
  }
});

test('a pool of an engine that is closed alone is opened anew, and knows what it knew', () => {
  const engine = Engine.fromConfig(TWO);
  const pool = engine.pool('api');
  const heard = [];
  pool.onEvent(({ kind }) => heard.push(kind));
  pool.report('a', 'failure');
  pool.close();
  const again = engine.pool('api');
  assert.notEqual(again, pool);
  assert.equal(again.nodes()[0].consecutiveFailures, 1);
  again.register('c');
  assert.deepEqual(heard, []);
});

test('bad input', () => {
  const key = (call) => {
    const error = thrown(call);
    assert.ok(error instanceof ConfigError, `${error.stack}`);
    return error.key;
  };
  for (const wrong of [undefined, null, 5, 'pools: 5', { pools: { 'no spaces': {} } }, { pool: {} }]) {
    key(() => Engine.fromConfig(wrong));
    key(() => Engine.fromConfig(TWO).reloadFrom(wrong));
  }
  assert.equal(
    key(() => Engine.open(5)),
    'path',
  );
  key(() => Engine.open(join(folder, 'none.yaml')));
  const engine = Engine.fromConfig(TWO);
  assert.match(thrown(() => engine.pool('apl')).message, /no pool "apl"; it has api, search-v2/);
  for (const wrong of [undefined, null, 5]) {
    assert.equal(
      key(() => engine.pool(wrong)),
      'name',
    );
  }
  assert.equal(
    key(() => engine.start({ check: 5 })),
    'check',
  );
  assert.equal(
    key(() => engine.maintain('now')),
    'nowNs',
  );
  assert.equal(
    key(() => engine.stats(5)),
    'options',
  );
});
