'use strict';

// Processes that share a state, and what becomes of those that end.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Engine, Pool } = require('..');
const { inFlight } = require('./help.js');
const { skip: noSharing, statePath, until } = require('./shared/state.js');
const { clustered, forked } = require('./shared/told.js');

const options = { skip: noSharing, timeout: 120_000 };

/** So many processes that have opened one engine, until the test `t` is over; and where its state is. */
async function opened(t, count, config, make = forked) {
  const path = statePath(t);
  const members = Array.from({ length: count }, make);
  t.after(() => Promise.all(members.map((member) => member.kill())));
  await Promise.all(members.map((member) => member.run((me, given) => me.open(given), { shared: path, ...config })));
  return { path, members, pool: Engine.view(path).pool('default') };
}

test('in flight, weights and health are the same for all', options, async (t) => {
  const config = { strategy: 'least_request', nodes: ['a', 'b', 'c'], health: { probe_interval_ms: 300_000 } };
  const { members, pool } = await opened(t, 3, config);
  const picked = [];
  for (const member of members) {
    picked.push(...(await member.run((me) => me.picks(2))));
  }
  assert.deepEqual(inFlight(pool), [2, 2, 2], `${picked}`);
  const byProcess = pool.stats().nodes.map((node) => node.inFlightByProcess);
  for (const { pid } of members) {
    assert.equal(
      byProcess.reduce((sum, counts) => sum + (counts[pid] ?? 0), 0),
      2,
    );
  }
  assert.deepEqual(
    pool
      .openPicks()
      .map(({ pid }) => pid)
      .sort(),
    members.flatMap(({ pid }) => [pid, pid]).sort(),
  );
  assert.equal(pool.openPicks(4).length, 4);

  const [first, second, third] = members;
  await first.run((me) => me.pool.setHealth('b', 'unhealthy'));
  await second.run((me) => me.pool.setWeight('c', 0));
  assert.deepEqual(await third.run((me) => me.picks(5)), Array(5).fill('a'));
  assert.deepEqual(await Promise.all(members.map((member) => member.run((me) => me.finish()))), [2, 2, 7]);
  assert.deepEqual(inFlight(pool), [0, 0, 0]);
});

test('a ticket is of its process', options, async (t) => {
  const { members, pool } = await opened(t, 2, { nodes: ['a'] });
  const [one, other] = members;
  const ticket = await one.run((me) => me.pool.acquire());
  assert.equal(await other.run((me, number) => me.pool.release(number), ticket), false);
  await assert.rejects(
    other.run((me, number) => me.pool.nodeOf(number), ticket),
    { code: 'ERR_LOADWISE_STALE_TICKET' },
  );
  assert.deepEqual(inFlight(pool), [1]);
  assert.equal(await one.run((me, number) => me.pool.release(number), ticket), true);
  assert.deepEqual(inFlight(pool), [0]);
});

test('what one waits for, another makes', options, async (t) => {
  const { members } = await opened(t, 2, { nodes: [{ id: 'a', max_in_flight: 1 }] });
  const [holder, waiter] = members;
  await holder.run((me) => me.picks(1));
  const waiting = waiter.run((me) => me.pool.pickWithin({ timeoutMs: 60_000 }).then((pick) => pick.node));
  await until('it waits', () => waiter.run((me) => me.pool.waiting === 1));
  assert.equal(await holder.run((me) => me.finish()), 1);
  assert.equal(await waiting, 'a');
});

test('workers of a cluster choose independently of each other', options, async (t) => {
  const nodes = Array.from({ length: 64 }, (_, i) => `node-${i}`);
  for (const strategy of ['random', 'p2c']) {
    const { members } = await opened(t, 4, { strategy, nodes }, clustered);
    const chosen = (me) =>
      Array.from({ length: 400 }, () => {
        const pick = me.pool.pick();
        pick.success();
        return pick.node;
      });
    const sequences = await Promise.all(members.map((member) => member.run(chosen)));
    const pairs = sequences.flatMap((one, i) => sequences.slice(i + 1).map((other) => [one, other]));
    assert.equal(pairs.length, 6);
    for (const [one, other] of pairs) {
      const same = one.filter((node, i) => node === other[i]).length;
      // 400 at 1 in 64: more than 30 in less than one of 10^11 runs.
      assert.ok(same <= 30, `${strategy}: ${same} of 400 alike`);
    }
  }
});

test('killed at any instant, a process gives back what it held', options, async (t) => {
  const { path, members, pool } = await opened(t, 2, {
    strategy: 'p2c',
    nodes: ['a', 'b', 'c'],
    max_in_flight: 10_000,
  });
  const [survivor] = members;
  await survivor.run((me) => {
    me.picks(5);
    me.pool.start({ intervalMs: 50 });
  });
  for (let round = 0; round < 8; round++) {
    const victim = round === 0 ? members[1] : forked();
    await victim.run((me, at) => {
      me.open({ shared: at });
      me.picks(10);
      // It is in the midst of a pick when it is killed.
      setImmediate(() => {
        for (;;) {
          me.pool.pick().success();
        }
      });
    }, path);
    await until('it picks', () => pool.processes().length === 2 && pool.stats().inFlight >= 15);
    await new Promise((resolve) => setTimeout(resolve, 2 * round));
    await victim.kill();
    await until('only what the survivor holds is in flight', () => pool.stats().inFlight === 5);
  }
  assert.equal(pool.processes().length, 1);
  assert.equal(await survivor.run((me) => me.finish()), 5);
  assert.deepEqual(inFlight(pool), [0, 0, 0]);
});

test('a process that ends gives back what it held', options, async (t) => {
  const { members, pool } = await opened(t, 4, { nodes: ['a', 'b'] });
  const [survivor, drained, closing, exiting] = members;
  await Promise.all(members.map((member) => member.run((me) => me.picks(4))));
  assert.equal(await drained.leave(), 0);
  await closing.run((me) => me.engine.close());
  const held = () => Object.fromEntries(pool.processes().map(({ pid, inFlight: count }) => [pid, count]));
  // Nobody has maintained anything.
  assert.deepEqual(held(), { [survivor.pid]: 4, [exiting.pid]: 4 });
  await exiting.run(() => void setImmediate(() => process.exit(3)));
  assert.equal((await exiting.exit)[0], 3);
  // This ends a process in the middle of everything, as a signal does.
  await until('its place is free', async () => {
    await survivor.run((me) => me.pool.maintain());
    return pool.processes().length === 1;
  });
  assert.deepEqual([held(), pool.stats().inFlight], [{ [survivor.pid]: 4 }, 4]);
});

test('the state outlives all of its processes', options, async (t) => {
  const { path, members } = await opened(t, 2, { nodes: ['a', 'b'], health: { probe_interval_ms: 300_000 } });
  await members[0].run((me) => me.pool.setHealth('a', 'unhealthy'));
  await members[1].run((me) => me.picks(3));
  await Promise.all(members.map((member) => member.kill()));
  const pool = new Pool({ shared: path, nodes: ['a', 'b'], health: { probe_interval_ms: 300_000 } });
  assert.deepEqual([pool.nodeStatus('a').health, pool.differences], ['unhealthy', []]);
  pool.maintain();
  assert.deepEqual([inFlight(pool), pool.processes().length], [[0, 0], 1]);
});

test('listeners hear of what other processes do', options, async (t) => {
  const { path, members } = await opened(t, 1, { nodes: ['a', 'b'] });
  const pool = Engine.attach(path).pool('default');
  const heard = [];
  pool.onEvent((event) => heard.push(event), { selections: true });
  await members[0].run((me) => {
    me.pool.setHealth('a', 'unhealthy');
    me.pool.register('c');
    me.picks(1);
  });
  assert.deepEqual(heard, []);
  pool.maintain();
  assert.deepEqual(
    heard.map(({ kind, node, added, from, to }) => [kind, node, added, from, to]),
    [
      ['topology', undefined, ['c'], undefined, undefined],
      ['health', 'a', undefined, 'healthy', 'unhealthy'],
    ],
  );
  pool.pick().success();
  assert.deepEqual([heard.length, heard[2].kind], [3, 'selection']);
});
