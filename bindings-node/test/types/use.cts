// The same package by require, and its types.

import assert = require('node:assert/strict');
import loadwise = require('loadwise');

const pool: loadwise.Pool = new loadwise.Pool({ nodes: ['a'] });
const pick: loadwise.Pick = pool.pick();
assert.equal(pick.node, 'a');
assert.ok(pick.success());
pool.close();
