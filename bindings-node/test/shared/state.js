'use strict';

const assert = require('node:assert/strict');
const { existsSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { setTimeout: after } = require('node:timers/promises');

const folder = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
let count = 0;

/** A path for a state, which is gone when the test `t` is over. */
function statePath(t) {
  const path = join(folder, `loadwise-node-${process.pid}-${++count}`);
  t.after(() => rmSync(path, { force: true }));
  return path;
}

/** What must come, however busy the machine is. */
async function until(what, isSo) {
  for (const start = Date.now(); !(await isSo()); await after(5)) {
    assert.ok(Date.now() - start < 60_000, what);
  }
}

/** Whether states can be shared here; else why tests of it are left out. */
const skip = process.platform === 'linux' ? false : 'processes share a state on Linux only';

module.exports = { skip, statePath, until };
