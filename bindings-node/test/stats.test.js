'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { Pool, ConfigError } = require('..');
const { thrown, takeDown } = require('./help.js');

test('a pool in figures', () => {
  const pool = new Pool({ nodes: ['a', { id: 'b', tier: 1, zone: 'z' }], stats: { latency: 'nodes' } });
  pool.pick().success({ latencyMs: 10 });
  pool.pick().failure('timeout');
  pool.pick().rateLimited();
  pool.pick().cancel();
  const held = pool.pick();
  thrown(() => pool.pick({ exclude: ['a', 'b'] }));
  const stats = pool.stats();
  assert.deepEqual(
    [stats.name, stats.strategy, stats.configVersion, stats.processes, stats.available],
    ['default', 'p2c', 1, 1, 2],
  );
  assert.deepEqual(
    [stats.selections, stats.successes, stats.failures, stats.timeouts, stats.rateLimited, stats.cancelled],
    [5, 1, 1, 1, 1, 1],
  );
  assert.deepEqual([stats.inFlight, stats.noNode.all_excluded, stats.failuresByKind.server_error], [1, 1, 0]);
  assert.equal(stats.failuresByKind.timeout, 1);
  assert.deepEqual([stats.lastFailoverNs, stats.tierShares[0]], [undefined, 1]);
  assert.equal(stats.latency.count, 3, 'of all but cancelled picks');
  const top = stats.latencyHistogram.buckets.at(-1);
  assert.ok(top.leMs >= 10_000 && top.count === stats.latencyHistogram.count);
  const [a, b] = stats.nodes;
  assert.deepEqual([a.id, a.inFlight, b.tier, b.zone, b.latency.count], ['a', 1, 1, 'z', 0]);
  assert.ok(a.latency.p99Ms > 9 && a.latency.p99Ms >= a.latency.p50Ms);
  held.success();
  const later = pool.stats({ nowNs: BigInt(Math.round(stats.nowNs)) + 5n * 60_000_000_000n });
  assert.equal(later.latency.count, 0, 'percentiles are of the last windows');
  assert.equal(later.latencyHistogram.count, 4);
});

test('what is off is undefined', () => {
  const { latency, latencyHistogram, nodes } = new Pool({ nodes: ['a'] }).stats();
  assert.deepEqual([latency, latencyHistogram], [undefined, undefined]);
  const { successRate, load, remainingRatio, latencyEwmaMs, quotas } = nodes[0];
  assert.deepEqual(
    [successRate, load, remainingRatio, latencyEwmaMs, quotas],
    [undefined, undefined, undefined, undefined, []],
  );
});

test('nodes tell of success, holds and limits', () => {
  const pool = new Pool({ nodes: ['a', 'b'] });
  pool.report('a', 'success');
  pool.report('a', 'failure');
  assert.equal(pool.nodes()[0].successRate, 0.5);
  takeDown(pool, 'a');
  const [a, b] = pool.nodes();
  assert.ok(a.holdUntilNs > Number(process.hrtime.bigint()) && !a.available);
  assert.deepEqual([b.successRate, b.holdUntilNs, b.available], [undefined, undefined, true]);
});

test('texts for Prometheus, in both formats', () => {
  const pool = new Pool({ nodes: [{ id: 'a"b\\c' }, 'é'], stats: { latency: 'pool' } });
  pool.pick().success();
  const text = pool.metrics();
  assert.equal(text, pool.metrics({ format: 'prometheus' }));
  assert.match(text, /^loadwise_node_in_flight\{pool="default",node="é"\} 0$/m);
  assert.ok(text.includes('node="a\\"b\\\\c"'), 'as the format escapes them');
  for (const line of text.trimEnd().split('\n')) {
    assert.match(line, /^(# (HELP|TYPE) \w+ .+|\w+(\{.*\})? [0-9.e+-]+|\w+\{.*\} \+?Inf)$/, line);
  }
  const open = pool.metrics({ format: 'openmetrics' });
  assert.ok(open.endsWith('# EOF\n'));
  assert.notEqual(open, text);
});

test('bad input', () => {
  const pool = new Pool({ nodes: ['a'] });
  const refused = (call, key) => {
    const error = thrown(call);
    assert.ok(error instanceof ConfigError, `${error.stack}`);
    assert.equal(error.key, key);
  };
  for (const format of ['xml', '', 5, null]) {
    refused(() => pool.metrics({ format }), 'format');
  }
  refused(() => pool.metrics('prometheus'), 'options');
  refused(() => pool.stats({ nowNs: 'now' }), 'nowNs');
  refused(() => pool.stats(5), 'options');
  refused(() => pool.nodes({ nowNs: -1 }), 'nowNs');
  refused(() => new Pool({ stats: { latency: 'all' } }), 'stats.latency');
  refused(() => new Pool({ stats: { window_ms: 0 } }), 'stats.window_ms');
});
