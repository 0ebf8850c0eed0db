'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');
const loadwise = require('..');
const native = require('../lib/native.js');
const { makeError } = require('../lib/errors.js');
const { thrown } = require('./help.js');

const { Pool, LoadwiseError, ConfigError, StateError, TicketError, CallbackError, NoNodeError } = loadwise;

test('each status of the shared table has its code and its class', () => {
  const codes = Object.entries(native.codes());
  assert.ok(codes.length > 15);
  const families = { 1: ConfigError, 2: StateError, 3: TicketError, 4: CallbackError, 5: NoNodeError };
  for (const [code, status] of codes) {
    assert.match(code, /^ERR_LOADWISE_[A-Z_0-9]+$/);
    const error = makeError(status, code, 'message');
    assert.ok(error instanceof LoadwiseError && error instanceof Error);
    assert.equal(error.constructor, families[Math.floor(status / 100)] ?? LoadwiseError, code);
    assert.deepEqual([error.status, error.code, error.message], [status, code, 'message']);
  }
  assert.equal(native.codes().ERR_LOADWISE_CONFIG, 100);
  assert.equal(native.codes().ERR_LOADWISE_NO_NODE_RATE_LIMITED, 507);
});

test('an error of a configuration has its key and its line', () => {
  const error = thrown(() => Pool.fromConfig('strategy: p2c\nnodes:\n  - a\n  - {id: b, wieght: 5}\n'));
  assert.ok(error instanceof ConfigError);
  assert.deepEqual([error.name, error.code, error.status], ['ConfigError', 'ERR_LOADWISE_CONFIG', 100]);
  assert.deepEqual([error.key, error.line], ['nodes[1].wieght', 4]);
  assert.match(error.message, /^line 4: nodes\[1\]\.wieght: unknown key "wieght"; did you mean "weight"\?$/);
  assert.match(error.stack, /errors\.test\.js/);
});

test('an error of native data has its key', () => {
  const error = thrown(() => new Pool({ nodes: ['a', { id: 'b', labels: { x: () => 1 } }] }));
  assert.deepEqual([error.key, error.line], ['nodes[1].labels.x', 0]);
  assert.match(error.message, /a function/);
});

test('no node is an error with a reason, and codes to tell it by', () => {
  const error = thrown(() => new Pool({ nodes: ['a'] }).pick({ exclude: ['a'] }));
  assert.ok(error instanceof NoNodeError);
  assert.deepEqual(
    [error.name, error.code, error.status, error.reason, error.retryAtNs, error.callbackFailed],
    ['NoNodeError', 'ERR_LOADWISE_NO_NODE_ALL_EXCLUDED', 502, 'all_excluded', undefined, false],
  );
  assert.equal(error.cause, undefined);
});

test('a duplicate is an error of state, or of the configuration', () => {
  const pool = new Pool({ nodes: ['a'] });
  const error = thrown(() => pool.register('a'));
  assert.ok(error instanceof StateError);
  assert.equal(error.code, 'ERR_LOADWISE_DUPLICATE_NODE');
  assert.ok(thrown(() => pool.setNodes(['b', 'b'])) instanceof ConfigError);
  assert.ok(thrown(() => pool.release(-5)) instanceof TicketError);
});

test('what data throws on its own is passed on', () => {
  const own = new RangeError('own');
  const data = {
    get nodes() {
      throw own;
    },
  };
  assert.equal(
    thrown(() => new Pool(data)),
    own,
  );
});

test('CommonJS and ES modules have the same names', async () => {
  const module = await import('../index.mjs');
  assert.deepEqual(Object.keys(module).sort(), Object.keys(loadwise).sort());
  for (const name of Object.keys(loadwise)) {
    assert.equal(module[name], loadwise[name], name);
  }
});
