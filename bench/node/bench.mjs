// What a pick costs from Node, beside an empty call and what people use instead. Prints JSON, nanoseconds an operation.
//
// Needs the addon and the peers: (cd bindings-node && npm install), which `make bench-node` does. QUICK=1 takes a tenth of
// the time.

import { createRequire } from 'node:module';

const require = createRequire(new URL('../../bindings-node/package.json', import.meta.url));
const { Pool } = require('./index.js');
const { empty } = require('./lib/native.js');
const HashRing = require('hashring');
const { BalancedPool } = require('undici');

const ROUNDS = process.env.QUICK ? 60 : 600;
/** How long a sample takes: much less than a process may run before another has its turn. */
const SAMPLE_NS = 300_000;
const WARM_UP_CALLS = 50_000;
/** As many as no cache of a peer holds. */
const KEYS = Array.from({ length: 16_384 }, (_, i) => ({ key: `user-${i}-session-${i * 7}`.padEnd(24, 'x') }));

/** undici's choice of an upstream for one request, without the request: a method by a symbol of its own. */
function undiciChoice(nodes) {
  const balanced = new BalancedPool(nodes.map((node) => `http://${node}`));
  for (let at = balanced; at !== null; at = Object.getPrototypeOf(at)) {
    const symbol = Object.getOwnPropertySymbols(at).find(({ description }) => description === 'get dispatcher');
    if (symbol !== undefined) {
      return () => balanced[symbol]();
    }
  }
  throw new Error('this undici has no method "get dispatcher"');
}

function figures() {
  const all = [['empty raw Node-API closure', 0, () => empty()]];
  for (const n of [3, 1000]) {
    const nodes = Array.from({ length: n }, (_, i) => `10.0.${i >> 8}.${i & 255}:8080`);
    const pool = new Pool({ nodes });
    const { acquire, release } = pool;
    const keyed = new Pool({ nodes, strategy: 'ring_hash' });
    const ring = new HashRing(nodes);
    const choice = undiciChoice(nodes);
    let turn = 0;
    const request = () => KEYS[(turn = (turn + 1) % KEYS.length)];
    all.push(
      ['acquire + release', n, () => release(acquire())],
      ['pick + success', n, () => pool.pick().success()],
      [
        'pick + success with latency, address read',
        n,
        () => {
          const pick = pool.pick();
          return pick.address.length + pick.success({ latencyMs: 1.5 });
        },
      ],
      [
        'pick + success by key, ring_hash, address read',
        n,
        () => {
          const pick = keyed.pick(request());
          return pick.address.length + pick.success();
        },
      ],
      ['Math.random', n, () => nodes[Math.floor(Math.random() * n)]],
      ['hashring get', n, () => ring.get(request().key)],
      ['undici BalancedPool, choice only', n, choice],
    );
  }
  return all;
}

/** A loop of its own for each figure, so that none is optimized for another's sake. */
function loop(call) {
  return new Function('call', 'calls', 'let last; for (let i = 0; i < calls; i++) last = call(); return last;').bind(
    null,
    call,
  );
}

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

function main() {
  const timed = figures().map(([what, n, call]) => ({ what, n, run: loop(call), samples: [] }));
  for (const each of timed) {
    each.run(WARM_UP_CALLS);
    const start = process.hrtime.bigint();
    each.run(1000);
    const ns = Number(process.hrtime.bigint() - start) / 1000;
    each.calls = Math.max(20, Math.floor(SAMPLE_NS / ns));
  }
  // Round by round, so that a noisy moment meets all alike.
  for (let round = 0; round < ROUNDS; round++) {
    for (const { run, calls, samples } of timed) {
      const start = process.hrtime.bigint();
      run(calls);
      samples.push(Number(process.hrtime.bigint() - start) / calls);
    }
  }
  const results = timed.map(({ what, n, samples }) => {
    const ns = median(samples);
    const spread = median(samples.map((sample) => Math.abs(sample - ns)));
    return { what, n, ns: Number(ns.toFixed(1)), spread: Number(spread.toFixed(1)) };
  });
  console.log(JSON.stringify({ node: process.version, results }, null, 1));
}

main();
