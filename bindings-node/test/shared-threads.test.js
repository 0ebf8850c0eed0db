'use strict';

// Threads of one process that share a state: one row for all, tickets that change hands, and threads that end.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { test } = require('node:test');
const { Worker } = require('node:worker_threads');
const { Engine, Pool } = require('..');
const { inFlight } = require('./help.js');
const { skip: noSharing, statePath, until } = require('./shared/state.js');
const { forked, threaded } = require('./shared/told.js');

const options = { skip: noSharing, timeout: 120_000 };

/** So many threads that have opened one engine, until the test `t` is over; and a pool of this thread. */
async function opened(t, count, config) {
  const path = statePath(t);
  const pool = new Pool({ shared: path, ...config });
  const threads = Array.from({ length: count }, threaded);
  t.after(() => Promise.all(threads.map(({ agent }) => agent.terminate())));
  await Promise.all(threads.map((thread) => thread.run((me, given) => me.open(given), { shared: path, ...config })));
  return { path, threads, pool };
}

test('threads are one process, and see the same', options, async (t) => {
  const { threads, pool } = await opened(t, 3, { strategy: 'least_request', nodes: ['a', 'b', 'c'] });
  for (const thread of threads) {
    await thread.run((me) => me.picks(3));
  }
  assert.deepEqual(inFlight(pool), [3, 3, 3]);
  assert.deepEqual(
    pool.processes().map(({ pid, isOwn, inFlight: count }) => [pid, isOwn, count]),
    [[process.pid, true, 9]],
  );
  await threads[0].run((me) => me.pool.setWeight('a', 0));
  assert.ok(!(await threads[1].run((me) => me.picks(6))).includes('a'));
  pool.setHealth('b', 'unhealthy');
  assert.deepEqual(await threads[2].run((me) => me.picks(2)), ['c', 'c']);
  assert.deepEqual(await Promise.all(threads.map((thread) => thread.run((me) => me.finish()))), [3, 9, 5]);
  assert.deepEqual(inFlight(pool), [0, 0, 0]);
});

test('a ticket may be released by another thread', options, async (t) => {
  const { threads, pool } = await opened(t, 2, { nodes: ['a', 'b'] });
  const ticket = pool.acquire();
  const there = await threads[0].run((me, number) => [me.pool.nodeOf(number), me.pool.release(number)], ticket);
  assert.deepEqual([there[1], pool.release(ticket)], [true, false]);
  const other = await threads[0].run((me) => me.pool.acquire());
  assert.equal(await threads[1].run((me, number) => me.pool.release(number, 'failure'), other), true);
  const { inFlight: left, successes, failures } = pool.stats();
  assert.deepEqual([left, successes, failures], [0, 1, 1]);
});

test('a pool that is closed takes back what was picked through it, and nothing else', options, async (t) => {
  const { path, threads, pool } = await opened(t, 1, { nodes: ['a'] });
  const other = Engine.attach(path);
  const [mine, its] = [pool.acquire(), other.pool('default').acquire()];
  await threads[0].run((me) => me.picks(3));
  assert.deepEqual(inFlight(pool), [5]);
  other.close();
  assert.deepEqual([inFlight(pool), pool.release(its)], [[4], false]);
  await threads[0].run((me) => me.engine.close());
  assert.deepEqual([inFlight(pool), pool.stats().cancelled], [[1], 4]);
  assert.equal(pool.release(mine), true);
});

test('a thread that ends gives back what it held, however it ends', options, async (t) => {
  const { threads, pool } = await opened(t, 5, { strategy: 'round_robin', nodes: ['a', 'b'], max_in_flight: 100 });
  const [survivor, terminated, drained, exiting, failing] = threads;
  await Promise.all(threads.map((thread) => thread.run((me) => me.picks(6))));
  await terminated.run((me) => (me.tickets = [me.pool.acquire(), me.pool.acquire()]).length);
  assert.equal(pool.stats().inFlight, 32);
  await terminated.agent.terminate();
  assert.equal(pool.stats().inFlight, 24);
  assert.equal(await drained.leave(), 0);
  assert.equal(pool.stats().inFlight, 18);
  await exiting.run(() => void setImmediate(() => process.exit(3)));
  assert.equal((await exiting.exit)[0], 3);
  assert.equal(pool.stats().inFlight, 12);
  const failed = new Promise((resolve) => failing.agent.once('exit', resolve));
  await failing.run(() => {
    setImmediate(() => {
      throw new Error('it fails');
    });
  });
  await assert.rejects(failing.exit, { message: 'it fails' });
  assert.equal(await failed, 1);
  assert.deepEqual([pool.stats().inFlight, pool.stats().cancelled], [6, 26]);
  assert.equal(await survivor.run((me) => me.finish()), 6);
  assert.deepEqual(inFlight(pool), [0, 0]);
});

test('threads that are terminated in the middle of their work leave nothing', options, async (t) => {
  const { path, pool } = await opened(t, 0, { strategy: 'p2c', nodes: ['a', 'b', 'c'], breaker: true, affinity: true });
  const held = [pool.pick(), pool.pick()];
  for (let round = 0; round < 8; round++) {
    const threads = [threaded(), threaded()];
    for (const thread of threads) {
      await thread.run((me, at) => {
        me.open({ shared: at });
        me.pool.onEvent(({ node }) => node.length, { selections: true });
        me.pool.start({ intervalMs: 5 });
        me.picks(5);
        setImmediate(() => {
          for (let i = 0; ; i++) {
            const pick = me.pool.pick({ session: `user-${i % 50}`, predicate: () => true });
            me.pool.release(me.pool.acquire(), i % 7 === 0 ? 'failure' : 'success');
            pick.success();
          }
        });
      }, path);
    }
    const { selections } = pool.stats();
    await until('they work', () => pool.stats().selections > selections + 100);
    await Promise.all(threads.map(({ agent }) => agent.terminate()));
    assert.equal(pool.stats().inFlight, 2, `round ${round}`);
  }
  held.forEach((pick) => pick.success());
  const { inFlight: left, selections, successes, failures, cancelled } = pool.stats();
  assert.deepEqual([left, selections], [0, successes + failures + cancelled]);
});

test('threads choose independently of each other', options, async (t) => {
  const nodes = Array.from({ length: 64 }, (_, i) => `node-${i}`);
  const { threads } = await opened(t, 2, { strategy: 'random', nodes });
  const sequences = await Promise.all(threads.map((thread) => thread.run((me) => me.picks(400))));
  const same = sequences[0].filter((node, i) => node === sequences[1][i]).length;
  // 400 at 1 in 64: more than 30 in less than one of 10^11 runs.
  assert.ok(same <= 30, `${same} of 400 alike`);
});

test('a thread that maintains gives back what a killed process held', options, async (t) => {
  const { path, threads, pool } = await opened(t, 1, { nodes: ['a'] });
  const looking = Engine.view(path).pool('default');
  const victim = forked();
  await victim.run((me, at) => {
    me.open({ shared: at });
    me.picks(7);
  }, path);
  await threads[0].run((me) => {
    me.picks(1);
    me.engine.start({ intervalMs: 20 });
  });
  await victim.kill();
  await until('only what the thread holds is in flight', () => looking.stats().inFlight === 1);
  assert.deepEqual(
    pool.processes().map(({ pid }) => pid),
    [process.pid],
  );
});

test('who stops listening in one thread does not silence another', options, async (t) => {
  const { threads, pool } = await opened(t, 2, { nodes: ['a'] });
  for (const thread of threads) {
    await thread.run((me) => {
      me.heard = 0;
      me.listener = me.pool.onEvent(() => (me.heard += 1), { selections: true });
    });
  }
  assert.equal(await threads[0].run((me) => me.pool.offEvent(me.listener)), true);
  const heard = (me) => [me.picks(3).length, me.heard];
  assert.deepEqual(await Promise.all(threads.map((thread) => thread.run(heard))), [
    [3, 0],
    [3, 3],
  ]);
  await threads[1].agent.terminate();
  pool.pick().success();
});

test('pools of threads that end are freed with all that was picked from them', { timeout: 120_000 }, async () => {
  const script = `
    const { parentPort, workerData } = require('node:worker_threads');
    const { Pool } = require(workerData);
    const pools = Array.from({ length: 600 }, () => new Pool({ nodes: ['a'], limits: { max_nodes: 1, max_picks: 64 } }));
    const tickets = pools.map((pool) => pool.acquire());
    parentPort.postMessage(tickets.length);
    setInterval(() => {}, 60_000);`;
  // A process may have 4096 pools at one time.
  for (let round = 0; round < 8; round++) {
    const worker = new Worker(script, { eval: true, workerData: require.resolve('..') });
    assert.deepEqual(await once(worker, 'message'), [600]);
    await worker.terminate();
  }
});
