'use strict';

// A cluster of four workers that serve HTTP from one pool.

const assert = require('node:assert/strict');
const cluster = require('node:cluster');
const { once } = require('node:events');
const http = require('node:http');
const { after, before, test } = require('node:test');
const { Engine } = require('..');
const { inFlight } = require('./help.js');
const { skip: noSharing, statePath, until } = require('./shared/state.js');

const WORKERS = 4;
const options = { skip: noSharing, timeout: 120_000 };
const NODES = 3;
/** Servers behind the cluster, with what they were asked for and what they have not answered yet. */
const servers = [];
const asked = [];
const unanswered = [];

before(async () => {
  for (let i = 0; i < NODES; i++) {
    const server = http.createServer((req, res) => {
      asked.push(i);
      return req.url === '/later' ? unanswered.push(res) : res.end('here you are');
    });
    servers.push(server.listen(0, '127.0.0.1'));
    await once(server, 'listening');
  }
});

after(() => servers.forEach((server) => server.close() && server.closeAllConnections()));

/** Where a worker listens, if it does not end instead. */
async function listening(worker) {
  const ended = once(worker, 'exit').then(([code]) => assert.fail(`the worker ended with ${code}`));
  ended.catch(() => {});
  return (await Promise.race([once(worker, 'listening'), ended]))[0];
}

/** Workers that serve on one address, until the test `t` is over; `more` is of the pool's configuration. */
async function serving(t, more) {
  const shared = statePath(t);
  const nodes = servers.map((server, i) => ({ id: `node-${i}`, address: `127.0.0.1:${server.address().port}` }));
  const config = { shared, strategy: 'round_robin', nodes, health: { probe_interval_ms: 300_000 }, ...more };
  cluster.setupPrimary({ exec: require.resolve('./shared/http-worker.js') });
  const start = () => cluster.fork({ ENGINE: JSON.stringify(config) });
  const workers = Array.from({ length: WORKERS }, start);
  const addresses = await Promise.all(workers.map(listening));
  t.after(() =>
    Promise.all(workers.map((worker) => worker.isDead() || (worker.kill('SIGKILL'), once(worker, 'exit')))),
  );
  asked.length = unanswered.length = 0;
  return { shared, workers, start, at: `http://127.0.0.1:${addresses[0].port}` };
}

/** A request on a connection of its own, which the cluster gives to the next worker; what answered it. */
async function get(url) {
  const [answer] = await once(http.get(url, { agent: false }), 'response');
  answer.resume();
  await once(answer, 'end');
  return answer.headers['x-worker'];
}

/** How often each is in a list. */
const counts = (list) => [...new Set(list)].map((one) => list.filter((other) => other === one).length);

test('round robin over all workers is one cycle', options, async (t) => {
  const { at, shared } = await serving(t, { seed: 1 });
  const by = [];
  for (let i = 0; i < 60; i++) {
    by.push(await get(at));
  }
  assert.equal(counts(by).length, WORKERS, 'all of them served');
  asked.forEach((node, i) => assert.equal(node, (asked[0] + i) % NODES, `${asked}`));
  assert.equal(asked.length, 60);
  const looking = Engine.view(shared);
  assert.deepEqual(
    looking
      .processes()
      .map(({ pid }) => String(pid))
      .sort(),
    [...new Set(by)].sort(),
  );
  await until('nothing is in flight', () => looking.pool('default').stats().inFlight === 0);
  assert.equal(looking.pool('default').stats().successes, 60);
});

test('without a seed, workers take turns in blocks, and the shares are the same', options, async (t) => {
  const { at } = await serving(t);
  for (let i = 0; i < 120; i++) {
    await get(at);
  }
  // Each worker may have begun a block of turns, whose nodes differ by one.
  const shares = counts(asked);
  assert.ok(shares.length === NODES && Math.max(...shares) - Math.min(...shares) <= WORKERS + 1, `${shares}`);
});

test('a node that one worker finds down is chosen by none', options, async (t) => {
  const { at, workers } = await serving(t);
  workers[2].send('node-1');
  assert.deepEqual(await once(workers[2], 'message'), [{ changed: true }, undefined]);
  for (let i = 0; i < 40; i++) {
    await get(at);
  }
  assert.deepEqual([...new Set(asked)].sort(), [0, 2]);
});

test('what a killed worker held is given back by the others', options, async (t) => {
  const { at, shared, workers, start } = await serving(t);
  const pool = Engine.view(shared).pool('default');
  const requests = Array.from({ length: 40 }, () => get(`${at}/later`));
  requests.forEach((request) => request.catch(() => {}));
  await until('all of them wait for an answer', () => unanswered.length === 40);
  assert.equal(pool.stats().inFlight, 40);
  const [victim] = workers;
  const held = pool.processes().find(({ pid }) => pid === victim.process.pid).inFlight;
  assert.ok(held >= 5, `${held} of 40`);
  victim.process.kill('SIGKILL');
  await until('only what the living hold is in flight', () => pool.stats().inFlight === 40 - held);
  assert.equal(pool.stats().cancelled, held);

  const next = start();
  await listening(next);
  workers.push(next);
  assert.deepEqual(
    pool
      .processes()
      .map(({ pid }) => pid)
      .sort(),
    workers
      .slice(1)
      .map((worker) => worker.process.pid)
      .sort(),
  );
  unanswered.forEach((res) => res.end('at last'));
  const ends = await Promise.allSettled(requests);
  assert.equal(ends.filter(({ status }) => status === 'fulfilled').length, 40 - held);
  await until('nothing is in flight', () => pool.stats().inFlight === 0);
  assert.deepEqual(inFlight(pool), [0, 0, 0]);
});
