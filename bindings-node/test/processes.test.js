'use strict';

// Each worker and each process has its own pools.

const assert = require('node:assert/strict');
const cluster = require('node:cluster');
const { fork } = require('node:child_process');
const { once } = require('node:events');
const { test } = require('node:test');
const { Worker } = require('node:worker_threads');
const { Pool } = require('..');
const { inFlight } = require('./help.js');

const entry = JSON.stringify(require.resolve('..'));
const childFile = require.resolve('./child.js');

/** Runs `script` in a worker that has `loadwise`, `parentPort` and `workerData`; its first message. */
async function inWorker(script, workerData) {
  const prologue = `const { parentPort, workerData } = require('node:worker_threads'); const loadwise = require(${entry});`;
  const worker = new Worker(`${prologue} ${script}`, { eval: true, workerData });
  const [[message], [code]] = await Promise.all([once(worker, 'message'), once(worker, 'exit')]);
  assert.equal(code, 0);
  return message;
}

test('every worker loads the addon and has pools of its own', async () => {
  const script = `
    const pool = new loadwise.Pool({ nodes: ['a', 'b'], strategy: 'round_robin' });
    const picks = Array.from({ length: 100 }, () => pool.pick());
    const counts = pool.nodes().map(({ inFlight }) => inFlight);
    parentPort.postMessage([counts, picks.every((pick) => pick.success())]);`;
  const pool = new Pool({ nodes: ['a', 'b'] });
  const held = pool.pick();
  const results = await Promise.all(Array.from({ length: 8 }, () => inWorker(script)));
  for (const result of results) {
    assert.deepEqual(result, [[50, 50], true]);
  }
  assert.equal(inFlight(pool)[0] + inFlight(pool)[1], 1);
  assert.ok(held.success());
});

test('errors in a worker are of its own classes', async () => {
  const script = `
    try { new loadwise.Pool().pick(); } catch (error) {
      parentPort.postMessage([error instanceof loadwise.NoNodeError, error.reason]);
    }`;
  assert.deepEqual(await inWorker(script), [true, 'empty']);
});

test('a ticket is of its own pool: a worker has no use for it', async () => {
  const pool = new Pool({ nodes: ['a'] });
  const ticket = pool.acquire();
  const script = `
    const pool = new loadwise.Pool({ nodes: ['a'] });
    parentPort.postMessage(pool.release(workerData));`;
  assert.equal(await inWorker(script, ticket), false);
  assert.equal(pool.release(ticket), true);
});

test('a worker that is terminated in the middle of its work takes nothing with it', async () => {
  const script = `
    const pool = new loadwise.Pool({ nodes: ['a', 'b', 'c'] });
    pool.setOwnStrategy(() => 0, 'random');
    parentPort.postMessage('running');
    for (;;) pool.pick({ key: 'k', predicate: (candidate) => candidate.id !== 'a' }).success();`;
  for (let i = 0; i < 5; i++) {
    const worker = new Worker(
      `const { parentPort } = require('node:worker_threads'); const loadwise = require(${entry}); ${script}`,
      {
        eval: true,
      },
    );
    await once(worker, 'message');
    await worker.terminate();
  }
  assert.equal(new Pool({ nodes: ['a'] }).pick().node, 'a');
});

test('nor does one whose picks wait and whose listeners hear', async () => {
  const script = `
    const pool = new loadwise.Pool({ nodes: [{ id: 'a', max_in_flight: 1 }], checks: { interval_ms: 1 } });
    pool.onEvent(({ node }) => node.length, { selections: true });
    pool.start({ check: () => new Promise(() => {}), intervalMs: 5 });
    const held = pool.pick();
    for (let i = 0; i < 10; i++) pool.pickWithin({ timeoutMs: 60_000 });
    parentPort.postMessage('running');
    setImmediate(() => { held.success(); for (;;) pool.pick({ health: 15, predicate: () => true }).success(); });`;
  for (let i = 0; i < 5; i++) {
    const worker = new Worker(
      `const { parentPort } = require('node:worker_threads'); const loadwise = require(${entry}); ${script}`,
      { eval: true },
    );
    await once(worker, 'message');
    await worker.terminate();
  }
  assert.equal(new Pool({ nodes: ['a'] }).pick().node, 'a');
});

test('a child process has pools of its own, and the tickets of its parent are void there', async () => {
  const pool = new Pool({ nodes: ['a', 'b'], lease_timeout_ms: 60_000 });
  const ticket = pool.acquire();
  const child = fork(childFile, { stdio: 'inherit' });
  child.send(ticket);
  const exit = once(child, 'exit');
  const [answer] = await once(child, 'message');
  assert.deepEqual(answer, { released: false, inFlight: [0, 0], picked: true });
  assert.equal((await exit)[0], 0);
  assert.equal(pool.release(ticket), true);
});

test('every worker of a cluster has its own', async () => {
  cluster.setupPrimary({ exec: childFile });
  const workers = [cluster.fork(), cluster.fork()];
  for (const worker of workers) {
    worker.send(2 ** 21);
  }
  const exits = workers.map((worker) => once(worker, 'exit'));
  const answers = await Promise.all(workers.map((worker) => once(worker, 'message')));
  for (const [answer] of answers) {
    assert.deepEqual([answer.inFlight, answer.picked], [[0, 0], true]);
  }
  await Promise.all(exits);
});
