'use strict';

// Replays tests/vectors: see the README.md there.

const assert = require('node:assert/strict');
const { readdirSync, readFileSync } = require('node:fs');
const { join } = require('node:path');
const { test } = require('node:test');
const { Pool, HealthTracker, Strategy, NoNodeError } = require('..');

const folder = join(__dirname, '..', '..', 'tests', 'vectors');

for (const file of readdirSync(folder).filter((name) => name.endsWith('.json'))) {
  const { scenarios } = JSON.parse(readFileSync(join(folder, file), 'utf8'));
  assert.ok(scenarios.length > 0);
  for (const scenario of scenarios) {
    const replay = scenario.pool ? replayPool : scenario.tracker ? replayTracker : replaySelect;
    test(`${file}: ${scenario.name}`, () => replay(scenario));
  }
}

function replayPool({ pool: config, calls }) {
  const pool = new Pool(config);
  const picks = new Map();
  assert.ok(calls.length > 0);
  calls.forEach((call, i) => {
    const result = run(pool, picks, call);
    if (call.expect !== undefined) {
      assert.deepEqual(result, call.expect, `call ${i}: ${JSON.stringify(call)}`);
    }
  });
}

function run(pool, picks, call) {
  switch (call.op) {
    case 'pick':
      return pick(pool, picks, call);
    case 'retry':
      return retried(pool.retry(ended(call)));
    case 'pick_again':
      return pickAgain(pool, picks, call);
    case 'setting':
      return pool.setting(call.key);
    case 'finish':
      return finish(picks.get(call.pick), call.outcome);
    case 'first_token':
      return picks.get(call.pick)?.firstToken(call.now_ns) ?? false;
    case 'report':
      return pool.report(call.node, call.outcome.kind, details(call.outcome));
    case 'report_load':
      return pool.reportLoad(call.node, load(call));
    case 'set_nodes':
      return pool.setNodes(call.nodes);
    case 'register_batch':
      return pool.registerBatch(call.nodes);
    case 'register':
      return pool.register(call.node);
    case 'deregister':
      return pool.deregister(call.node);
    case 'set_weight':
      return pool.setWeight(call.node, call.weight);
    case 'drain':
      return pool.drain(call.node, call.on, { nowNs: call.now_ns });
    case 'set_strategy':
      return pool.setStrategy(call.strategy);
    case 'affinity':
      return { node: pool.affinity(call.session, { nowNs: call.now_ns }) ?? null };
    case 'set_affinity':
      return pool.setAffinity(call.session, call.node, { nowNs: call.now_ns });
    case 'clear_affinity':
      return pool.clearAffinity(call.session);
    case 'rebalance':
      return pool.rebalance({ nowNs: call.now_ns });
    case 'failover':
      return pool.failover(call.node);
    case 'reset_failover':
      return pool.resetFailover();
    case 'stats':
      return stats(pool, call);
    case 'maintain': {
      const { rebuilt, leasesExpired } = pool.maintain(call.now_ns);
      return { rebuilt, leases_expired: leasesExpired };
    }
    case 'nodes':
      return pool.nodes({ nowNs: call.now_ns }).map(({ id, weight, health, draining, inFlight }) => {
        return { id, weight, health, draining, in_flight: inFlight };
      });
    default:
      return assert.fail(`unknown op ${call.op}`);
  }
}

function pick(pool, picks, call) {
  try {
    return taken(pool.pick(asked(call)), picks, call);
  } catch (error) {
    return refused(error, call);
  }
}

function pickAgain(pool, picks, call) {
  try {
    const { pick: made, ...retry } = pool.pickAgain(asked(call), ended(call));
    return made === undefined ? retried(retry) : { ...taken(made, picks, call), ...retried(retry) };
  } catch (error) {
    return refused(error, call);
  }
}

function asked(call) {
  return {
    key: call.key_hex === undefined ? call.key : Buffer.from(call.key_hex, 'hex'),
    exclude: call.exclude,
    require: call.require,
    health: call.health_mask,
    zone: call.zone,
    session: call.session,
    cost: call.cost,
    nowNs: call.now_ns,
  };
}

function taken(made, picks, call) {
  if (call.as === undefined) {
    made.cancel();
  } else {
    picks.set(call.as, made);
  }
  return { node: made.node };
}

function refused(error, call) {
  if (!(error instanceof NoNodeError)) {
    throw error;
  }
  return call.times ? { no_node: error.reason, retry_at_ns: error.retryAtNs ?? null } : { no_node: error.reason };
}

function ended({ outcome, attempt, idempotent, sent }) {
  const { kind, retryAfterMs, nowNs } = details(outcome);
  return { outcome: outcome.kind, kind, retryAfterMs, nowNs, attempt, idempotent, sent };
}

function retried({ afterMs, giveUp }) {
  return afterMs === undefined ? { give_up: giveUp } : { after_ns: Math.round(afterMs * 1e6) };
}

function finish(made, outcome) {
  if (made === undefined) {
    return false;
  }
  const { kind, retryAfterMs, ...told } = details(outcome);
  switch (outcome.kind) {
    case 'success':
      return made.success(told);
    case 'failure':
      return made.failure(kind, told);
    case 'rate_limited':
      return made.rateLimited({ retryAfterMs, ...told });
    default:
      return made.cancel(told);
  }
}

function details({ failure, latency_ns: latency, retry_after_ns: retryAfter, usage, now_ns: nowNs }) {
  const ms = (ns) => (ns === undefined ? undefined : ns / 1e6);
  return { kind: failure, latencyMs: ms(latency), retryAfterMs: ms(retryAfter), usage, nowNs };
}

function load(call) {
  const names = ['load', 'remaining_ratio', 'requests_per_s', 'utilization', 'errors_per_s', 'now_ns'];
  return Object.fromEntries(names.map((name) => [camel(name), call[name]]));
}

function stats(pool, { now_ns: nowNs, figures = [], node_figures: nodeFigures }) {
  const all = pool.stats({ nowNs });
  const figure = (from, name) => {
    assert.ok(camel(name) in from, `there is a figure ${name}`);
    return [name, from[camel(name)] ?? null];
  };
  const some = (from, names) => Object.fromEntries(names.map((name) => figure(from, name)));
  const result = some(all, figures);
  if (nodeFigures !== undefined) {
    result.nodes = all.nodes.map((node) => some(node, ['id', ...nodeFigures]));
  }
  return result;
}

const camel = (name) => name.replace(/_(\w)/g, (_, letter) => letter.toUpperCase());

function replayTracker({ tracker, events }) {
  const made = new HealthTracker({
    failureThreshold: tracker.failure_threshold,
    recoverySuccesses: tracker.recovery_successes,
  });
  const tell = { success: 'reportSuccess', failure: 'reportFailure', rate_limited: 'reportRateLimited' };
  assert.ok(events.length > 0);
  events.forEach(({ id, event, expect }, i) => {
    made[tell[event]](id);
    assert.equal(made.status(id), expect, `event ${i}`);
  });
}

function replaySelect({ select, nodes: first, calls }) {
  const strategy = new Strategy(select);
  const plain = (nodes) => nodes.map(({ remaining_ratio: remainingRatio, ...node }) => ({ ...node, remainingRatio }));
  let nodes = plain(first);
  assert.ok(calls.length > 0);
  calls.forEach((call, i) => {
    nodes = call.nodes === undefined ? nodes : plain(call.nodes);
    const chosen = strategy.select(nodes, {
      key: call.key === undefined ? undefined : eight(call.key),
      exclude: call.exclude,
    });
    assert.equal(chosen, call.expect, `call ${i}: ${JSON.stringify(call)}`);
  });
}

function eight(number) {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(number));
  return bytes;
}
