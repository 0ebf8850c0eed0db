'use strict';

// One state of several engines: what is configured, told and refused.

const assert = require('node:assert/strict');
const { mkdtempSync, rmSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { test } = require('node:test');
const { pathToFileURL } = require('node:url');
const { ConfigError, Engine, Pool, StateError } = require('..');
const { inFlight, shares, thrown } = require('./help.js');
const { skip, statePath } = require('./shared/state.js');
const { forked } = require('./shared/told.js');

const refusal = (call) => {
  const error = thrown(call);
  assert.ok(error instanceof StateError, error.stack);
  return error.code;
};

test('a pool is shared by whatever configures it so', { skip }, (t) => {
  const path = statePath(t);
  const folder = mkdtempSync(join(tmpdir(), 'loadwise-shared-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'pool.yaml');
  writeFileSync(file, `shared: ${path}\nnodes: [a, b]\n`);
  const pools = [
    new Pool({ shared: path, nodes: ['a', 'b'] }),
    new Pool({ shared: { path, mode: '0600', on_bad_segment: 'fail', max_processes: 64 }, nodes: ['a', 'b'] }),
    Pool.fromConfig(`shared: ${path}\nnodes: [a, b]`),
    Pool.fromConfig({ shared: { path }, nodes: ['a', 'b'] }),
    Pool.fromFile(file),
    Engine.open(file).pool('default'),
    Engine.fromConfig(`shared: {path: ${path}}\npools: {default: {nodes: [a, b]}}`).pool('default'),
    Engine.fromConfig({ shared: path, pools: { default: { nodes: ['a', 'b'] } } }).pool('default'),
    Engine.attach(path).pool('default'),
    Engine.attach(pathToFileURL(path)).pool('default'),
  ];
  const picks = pools.map((pool) => pool.pick());
  for (const pool of pools) {
    assert.deepEqual([pool.sharedPath, pool.differences, pool.processes().length], [path, [], 1]);
    assert.equal(pool.stats().inFlight, pools.length);
  }
  picks.forEach((pick) => pick.success());
  assert.deepEqual(inFlight(pools[0]), [0, 0]);
});

test('a pool of its own shares nothing', () => {
  const engine = Engine.fromConfig({ nodes: ['a'] });
  const pool = engine.pool('default');
  pool.acquire();
  assert.deepEqual([engine.sharedPath, engine.privateBecause, pool.sharedPath], [undefined, undefined, undefined]);
  assert.deepEqual([engine.processes(), engine.differences, pool.processes(), pool.differences], [[], [], [], []]);
  assert.deepEqual(pool.stats().nodes[0].inFlightByProcess, {});
  const [{ node, pid, startedNs, ageMs }, ...others] = pool.openPicks();
  assert.deepEqual([node, pid, startedNs, ageMs, others.length], ['a', process.pid, undefined, undefined, 0]);
});

test('attaching changes nothing, and tells what differs', { skip }, (t) => {
  const shared = statePath(t);
  const first = Engine.fromConfig({ shared, pools: { api: { strategy: 'maglev', nodes: ['a', 'b'] } } });
  first.pool('api').setWeight('a', 5);
  const config = { shared, pools: { api: { strategy: 'maglev', nodes: ['a', 'b'], max_in_flight: 7 } } };
  const second = Engine.fromConfig(config);
  const expected = [
    { pool: 'api', key: 'nodes.a.weight', configured: '1', inForce: '5' },
    { pool: 'api', key: 'max_in_flight', configured: '7', inForce: '0' },
  ];
  assert.deepEqual(second.differences, expected);
  assert.deepEqual(second.pool('api').differences, expected);
  assert.deepEqual(first.differences, []);
  assert.equal(first.config.pools.api.max_in_flight, 0);
  second.reloadFrom(config);
  assert.equal(first.config.pools.api.max_in_flight, 7);
  assert.deepEqual(first.config.shared, { path: shared, mode: '0600', on_bad_segment: 'fail', max_processes: 64 });
  assert.deepEqual(first.reloadFrom(first.config).changed, [], 'what is in force can be put in force');
});

test('a pool is taken out for all, and goes on for who holds it', { skip }, (t) => {
  const config = { shared: statePath(t), pools: { api: { nodes: ['a'] }, mail: { nodes: ['b'] } } };
  const [one, other] = [Engine.fromConfig(config), Engine.fromConfig(config)];
  const mail = other.pool('mail');
  const pick = mail.pick();
  assert.deepEqual([one.remove('nobody'), one.version], [false, 1]);
  assert.deepEqual([one.remove('mail'), one.version, other.version], [true, 2, 2]);
  assert.deepEqual([other.names(), other.remove('mail')], [['api'], false]);
  assert.throws(() => one.pool('mail'), ConfigError);
  assert.ok(pick.success() && mail.pick().success());
  assert.deepEqual(one.reloadFrom(config).added, ['mail']);
  assert.notEqual(other.pool('mail'), mail);
  assert.throws(() => one.remove(7), ConfigError);
});

test('workers that read the same configuration reload once', { skip }, (t) => {
  const shared = statePath(t);
  const folder = mkdtempSync(join(tmpdir(), 'loadwise-shared-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'engine.yaml');
  const write = (nodes) => writeFileSync(file, `shared: ${shared}\npools: {api: {nodes: ${nodes}}}\n`);
  write('[a, b]');
  const workers = [Engine.open(file), Engine.open(file), Engine.open(file)];
  write('[a, b, c]');
  const changed = workers.map((engine) => engine.reload({ ifNew: true }).changed);
  assert.deepEqual(changed, [['api'], [], []]);
  const pool = workers[1].pool('api');
  pool.setWeight('c', 5);
  const again = Engine.open(file);
  assert.deepEqual(again.reload({ ifNew: true }).changed, []);
  assert.deepEqual(again.reloadFrom({ pools: { api: { nodes: ['a', 'b', 'c'] } } }, { ifNew: true }).changed, []);
  assert.deepEqual(again.reloadFrom('pools: {api: {nodes: [a, b, c]}}', { ifNew: true }).changed, []);
  const nodes = { nodes: ['a', 'b', 'c'] };
  for (const same of [nodes, 'nodes: [a, b, c]']) {
    assert.deepEqual([pool.reload(same, { ifNew: true }), pool.nodeStatus('c').weight], [false, 5]);
  }
  assert.deepEqual([pool.reload(nodes), pool.nodeStatus('c').weight], [true, 1]);
  assert.equal(pool.reload({ nodes: ['a'] }, { ifNew: true }), true);
  assert.equal(workers[0].pool('api').length, 1);
  for (const call of [() => pool.reload(nodes, { ifNew: 1 }), () => again.reload({ ifNew: 'yes' })]) {
    assert.equal(thrown(call).key, 'ifNew');
  }
  assert.equal(thrown(() => again.reload(5)).key, 'options');
});

test('nodes can be described anew, looked at, and taken out by hand, in a pool of any kind', { skip }, (t) => {
  for (const shared of [undefined, statePath(t)]) {
    const pool = new Pool({ shared, nodes: ['a', 'b'], strategy: 'round_robin' });
    const held = pool.pick();
    pool.update({ id: held.node, weight: 3, tier: 1, address: '127.0.0.1:1', labels: { version: 'v2' } });
    const { weight, tier, address, labels, inFlight: count } = pool.nodeStatus(held.node);
    assert.deepEqual([weight, tier, address, labels, count], [3, 1, '127.0.0.1:1', { version: 'v2' }, 1]);
    assert.equal(pool.nodeStatus('z'), undefined);
    held.success();
    pool.update(held.node);
    assert.equal(pool.nodeStatus(held.node).tier, 0);

    assert.deepEqual([pool.setHealth('a', 'unhealthy'), pool.setHealth('a', 'unhealthy')], [true, false]);
    assert.deepEqual(shares(pool, 6), { b: 6 });
    assert.equal(pool.setHealth('a', 'healthy', { nowNs: process.hrtime.bigint() }), true);
    assert.deepEqual(shares(pool, 6), { a: 3, b: 3 });

    assert.equal(
      refusal(() => pool.update({ id: 'z' })),
      'ERR_LOADWISE_UNKNOWN_NODE',
    );
    assert.equal(
      refusal(() => pool.setHealth('z', 'healthy')),
      'ERR_LOADWISE_UNKNOWN_NODE',
    );
    const key = (call) => thrown(call).key;
    assert.equal(
      key(() => pool.update({ id: 'a', weight: -1 })),
      'nodes[0].weight',
    );
    assert.equal(
      key(() => pool.setHealth('a', 'sick')),
      'status',
    );
    assert.equal(
      key(() => pool.nodeStatus(5)),
      'id',
    );
    assert.equal(
      key(() => pool.openPicks(-1)),
      'limit',
    );
    assert.equal(pool.nodeStatus('a').weight, 1);
  }
});

test('open picks are told with their age, the oldest first', { skip }, (t) => {
  const pool = new Pool({ shared: statePath(t), nodes: ['a'], lease_timeout_ms: 60_000 });
  const tickets = [pool.acquire(), pool.acquire(), pool.acquire()];
  const before = Number(process.hrtime.bigint());
  assert.deepEqual(
    pool.openPicks().map(({ ticket }) => ticket),
    tickets,
  );
  const [oldest, ...others] = pool.openPicks(1);
  assert.deepEqual([oldest.node, oldest.pid, others.length], ['a', process.pid, 0]);
  assert.ok(oldest.startedNs <= before && oldest.ageMs >= (before - oldest.startedNs) / 1e6 - 0.001);
});

test('who only looks sees all and changes nothing', { skip }, async (t) => {
  const path = statePath(t);
  const engine = Engine.fromConfig({ shared: path, pools: { api: { nodes: ['a'], strategy: 'random' } } });
  const pool = engine.pool('api');
  pool.pick();
  const looking = Engine.view(path);
  const seen = looking.pool('api');
  const [{ pid, isOwn, alive, inFlight: count, command }, ...others] = looking.processes();
  assert.deepEqual([pid, isOwn, alive, count, others.length], [process.pid, false, true, 1, 0]);
  assert.equal(typeof command, 'string');
  assert.equal(engine.processes()[0].isOwn, true);
  assert.deepEqual(seen.stats().nodes[0].inFlightByProcess, { [process.pid]: 1 });
  assert.equal(seen.explain().chosen.id, 'a');
  pool.register('b');
  assert.equal(seen.length, 2);
  const changes = [
    () => seen.register('c'),
    () => seen.setWeight('a', 2),
    () => seen.update({ id: 'a', weight: 2 }),
    () => seen.setHealth('a', 'unhealthy'),
    () => seen.setNodes([]),
    () => seen.setOwnStrategy(() => 0),
    () => seen.report('a', 'failure'),
    () => seen.reload({ nodes: [] }),
    () => looking.reloadFrom({ pools: {} }, { ifNew: true }),
    () => looking.remove('api'),
  ];
  assert.deepEqual(changes.map(refusal), Array(changes.length).fill('ERR_LOADWISE_READ_ONLY'));
  assert.equal(thrown(changes[0]).status, 207);
  assert.equal(thrown(() => seen.pick()).reason, 'saturated');
  await assert.rejects(seen.pickWithin({ timeoutMs: 20 }), { reason: 'saturated' });
  looking.start();
  looking.close();
  assert.deepEqual(inFlight(pool), [1, 0]);
});

test('what cannot be shared is an error of its own, or done without', { skip }, (t) => {
  const path = statePath(t);
  const error = thrown(() => Engine.attach(path));
  assert.deepEqual([error.code, error.status], ['ERR_LOADWISE_SHARED', 205]);
  assert.equal(error.message, `shared state ${path}: there is no such file`);
  assert.equal(
    refusal(() => Engine.view(path)),
    'ERR_LOADWISE_SHARED',
  );
  writeFileSync(path, 'something else');
  assert.equal(
    refusal(() => new Pool({ shared: path })),
    'ERR_LOADWISE_SHARED',
  );
  const alone = Engine.fromConfig({ shared: { path, on_bad_segment: 'private' }, nodes: ['a'] });
  assert.match(alone.privateBecause, /no shared state/);
  assert.deepEqual([alone.sharedPath, alone.pool('default').pick().node], [undefined, 'a']);
  const anew = Engine.fromConfig({ shared: { path, on_bad_segment: 'recreate' }, nodes: ['a'] });
  assert.deepEqual([anew.sharedPath, anew.privateBecause], [path, undefined]);
  const key = (call) => {
    const wrong = thrown(call);
    assert.ok(wrong instanceof ConfigError, wrong.stack);
    return wrong.key;
  };
  assert.equal(
    key(() => Engine.attach(5)),
    'path',
  );
  assert.equal(
    key(() => Engine.view(undefined)),
    'path',
  );
  assert.equal(
    key(() => new Pool({ shared: 5 })),
    'shared',
  );
  assert.equal(
    key(() => new Pool({ shared: { path, mode: '9' } })),
    'shared.mode',
  );
  assert.equal(
    key(() => new Pool({ shared: { path, max_processes: 1 } })),
    'shared.max_processes',
  );
  assert.equal(
    key(() => new Pool({ shared: { path, max_processes: 3 } })),
    'shared.max_processes',
  );
  assert.equal(
    key(() => Engine.fromConfig({ shared: path, pools: { api: { shared: path } } })),
    'pools.api.shared',
  );
  assert.equal(
    key(() => Engine.fromConfig({ nodes: ['a'] }).reloadFrom({ shared: path, nodes: ['a'] })),
    'shared',
  );
});

test('no more processes than there is room for', { skip }, async (t) => {
  const config = { shared: { path: statePath(t), max_processes: 2 }, nodes: ['a'] };
  const engine = Engine.fromConfig(config);
  const [second, third] = [forked(), forked()];
  const open = (member) => member.run((me, given) => me.open(given), config);
  await open(second);
  await assert.rejects(open(third), { code: 'ERR_LOADWISE_TOO_MANY_PROCESSES', status: 206 });
  await second.leave();
  await open(third);
  assert.equal(engine.processes().length, 2);
  await third.leave();
});

test('pools that others take out and put in are taken up', { skip }, async (t) => {
  const shared = statePath(t);
  const engine = Engine.fromConfig({ shared, pools: { api: { nodes: ['a'] }, old: { nodes: ['b'] } } });
  const other = Engine.attach(shared);
  const [api, old] = [other.pool('api'), other.pool('old')];
  const held = old.pick();
  engine.reloadFrom({ pools: { api: { nodes: ['a'] } } });
  assert.deepEqual(other.names(), ['api']);
  assert.match(thrown(() => other.pool('old')).message, /no pool "old"; it has api/);
  assert.equal(other.pool('api'), api);
  assert.deepEqual([held.node, held.success(), old.pick().node], ['b', true, 'b'], 'it goes on for those who have it');
  engine.reloadFrom({ pools: { api: { nodes: ['a'] }, old: { nodes: ['c'] } } });
  assert.notEqual(other.pool('old'), old);
  assert.equal(other.pool('old').pick().node, 'c');
  other.pool('old').close();
  assert.equal(other.pool('old').pick().node, 'c');
});
