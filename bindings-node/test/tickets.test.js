'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Pool, TicketError } = require('..');
const { thrown, node, inFlight, takeDown } = require('./help.js');

test('tickets are numbers, and acquire and release may be taken off their pool', () => {
  const pool = new Pool({ nodes: [{ id: 'a', address: '10.0.0.1:80' }] });
  const { acquire, release } = pool;
  const ticket = acquire();
  assert.ok(Number.isSafeInteger(ticket));
  assert.deepEqual([pool.nodeOf(ticket), pool.addressOf(ticket)], ['a', '10.0.0.1:80']);
  assert.deepEqual(inFlight(pool), [1]);
  assert.equal(release(ticket), true);
  assert.equal(release(ticket), false, 'finished before');
  assert.deepEqual(inFlight(pool), [0]);
});

test('they take what picks take', () => {
  const pool = new Pool({ nodes: ['a', { id: 'b', labels: { region: 'eu' } }] });
  const { acquire, release } = pool;
  const requests = [
    { exclude: ['a'] },
    { require: { region: 'eu' } },
    { predicate: (candidate) => candidate.id === 'b' },
    { exclude: new Set(['a']), key: 'k', nowNs: 5 },
  ];
  for (const request of requests) {
    const ticket = acquire(request);
    assert.equal(pool.nodeOf(ticket), 'b');
    assert.ok(release(ticket));
  }
  assert.equal(thrown(() => acquire({ exclude: ['a', 'b'] })).reason, 'all_excluded');
});

test('they are released with any outcome', () => {
  const pool = new Pool({ nodes: ['a'] });
  const { acquire, release } = pool;
  assert.ok(release(acquire(), 'success', { latencyMs: 3 }));
  assert.ok(release(acquire(), 'failure'));
  assert.ok(release(acquire(), 'rate_limited', { retryAfterMs: 0 }));
  assert.ok(release(acquire(), 'cancelled'));
  assert.equal(node(pool, 'a').consecutiveFailures, 1);
  assert.ok(release(acquire(), undefined, { latencyMs: 3 }), 'success, if nothing is said');
  assert.equal(node(pool, 'a').consecutiveFailures, 0);
  assert.ok(release(acquire(), 'failure', { kind: 'server_error', latencyMs: 3, nowNs: 17n }));
  assert.equal(node(pool, 'a').consecutiveFailures, 1);
});

test('the first token of an answer is its latency', () => {
  const pool = new Pool({ nodes: ['a'], strategy: 'peak_ewma' });
  const ms = 1e6;
  const latencyMs = () => Math.round(pool.stats().nodes[0].latencyEwmaMs);
  const pick = pool.pick({ nowNs: 5000 * ms });
  assert.equal(pick.firstToken(5040 * ms), true);
  assert.equal(latencyMs(), 40, 'it counts at once');
  assert.equal(pick.firstToken(BigInt(5900 * ms)), false);
  assert.equal(pick.success({ latencyMs: 9000, nowNs: 14000 * ms }), true);
  assert.equal(latencyMs(), 40);
  assert.equal(pick.firstToken(), false, 'finished before');
  const { acquire, firstToken, release } = pool;
  const ticket = acquire({ nowNs: 5000 * ms });
  assert.deepEqual([firstToken(ticket, 5080 * ms), firstToken(ticket)], [true, false]);
  assert.equal(latencyMs(), 80);
  assert.deepEqual([release(ticket), firstToken(ticket)], [true, false]);
  assert.throws(() => firstToken(0), TicketError);
  assert.equal(thrown(() => firstToken(acquire(), -1)).code, 'ERR_LOADWISE_CONFIG');
  const open = pool.pick();
  pool.close();
  assert.deepEqual([open.firstToken(), firstToken(open.ticket)], [false, false]);
});

test('a pick and its ticket are one', () => {
  const pool = new Pool({ nodes: ['a'] });
  const pick = pool.pick();
  assert.equal(pool.release(pick.ticket), true);
  assert.equal(pick.failure(), false);
  assert.equal(node(pool, 'a').consecutiveFailures, 0);
});

test('a ticket whose node is gone is released all the same', () => {
  const pool = new Pool({ nodes: ['a', 'b'] });
  const ticket = pool.acquire({ exclude: ['b'] });
  pool.deregister('a');
  assert.equal(pool.nodeOf(ticket), 'a', 'as long as it is open');
  assert.equal(pool.release(ticket, 'failure'), true);
  assert.equal(pool.release(ticket, 'failure'), false);
});

test('what is no ticket is refused', () => {
  const pool = new Pool({ nodes: ['a'] });
  const wrong = [
    0,
    -1,
    0.5,
    NaN,
    Infinity,
    2 ** 53,
    1e300,
    1,
    2 ** 21 - 1,
    '7',
    null,
    undefined,
    {},
    7n,
    true,
    Symbol('t'),
  ];
  for (const ticket of wrong) {
    for (const call of [() => pool.release(ticket), () => pool.release(ticket, 'failure'), () => pool.nodeOf(ticket)]) {
      const error = thrown(call);
      assert.ok(error instanceof TicketError, String(ticket));
      assert.deepEqual([error.code, error.status], ['ERR_LOADWISE_INVALID_TICKET', 301]);
    }
  }
});

test('a stale ticket has no node', () => {
  const pool = new Pool({ nodes: ['a'] });
  const ticket = pool.acquire();
  pool.release(ticket);
  const error = thrown(() => pool.addressOf(ticket));
  assert.ok(error instanceof TicketError);
  assert.deepEqual([error.code, error.status], ['ERR_LOADWISE_STALE_TICKET', 300]);
});

test('an outcome that cannot be leaves the ticket open', () => {
  const pool = new Pool({ nodes: ['a'] });
  const ticket = pool.acquire();
  assert.equal(thrown(() => pool.release(ticket, 'fine')).key, 'outcome');
  assert.equal(thrown(() => pool.release(ticket, 'failure', { kind: 'bad' })).key, 'kind');
  assert.equal(thrown(() => pool.release(ticket, 'success', { latencyMs: NaN })).key, 'latencyMs');
  assert.deepEqual(inFlight(pool), [1]);
  assert.equal(pool.release(ticket), true);
});

test('a hundred thousand are open at once', () => {
  const pool = new Pool({ nodes: ['a', 'b'] });
  const tickets = Array.from({ length: 100_000 }, () => pool.acquire());
  assert.equal(new Set(tickets).size, tickets.length);
  assert.equal(inFlight(pool)[0] + inFlight(pool)[1], tickets.length);
  assert.ok(tickets.every((ticket) => pool.release(ticket)));
  assert.deepEqual(inFlight(pool), [0, 0]);
});

test('an unhealthy node is left out of tickets, too', () => {
  const pool = new Pool({ nodes: ['a', 'b'] });
  takeDown(pool, 'a');
  for (let i = 0; i < 50; i++) {
    const ticket = pool.acquire();
    assert.equal(pool.nodeOf(ticket), 'b');
    pool.release(ticket);
  }
});
