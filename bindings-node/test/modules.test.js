'use strict';

// The package as CommonJS, as ES modules and as TypeScript see it, by its name.

const assert = require('node:assert/strict');
const { execFileSync, spawnSync } = require('node:child_process');
const { existsSync, mkdtempSync, readFileSync, rmSync } = require('node:fs');
const { dirname, join } = require('node:path');
const { test } = require('node:test');
const vm = require('node:vm');
const { statePath } = require('./shared/state.js');

const folder = dirname(__dirname);
const run = (...argv) => execFileSync(process.execPath, argv, { cwd: folder, encoding: 'utf8' }).trim();

test('require', () => {
  const script = "const { Pool } = require('loadwise'); console.log(new Pool({ nodes: ['a'] }).pick().node)";
  assert.equal(run('-e', script), 'a');
});

test('import', () => {
  const script = "import { Pool } from 'loadwise'; console.log(new Pool({ nodes: ['a'] }).pick().node)";
  assert.equal(run('--input-type=module', '-e', script), 'a');
});

test('nothing but the package is reached by its name', () => {
  const script = "require('loadwise/lib/native.js')";
  assert.match(
    spawnSync(process.execPath, ['-e', script], { cwd: folder, encoding: 'utf8' }).stderr,
    /ERR_PACKAGE_PATH_NOT_EXPORTED/,
  );
});

test('where Symbol.dispose is missing, it is given', () => {
  // A new context has what V8 has, and not what Node adds.
  const context = vm.createContext({ module: {}, require: () => require('../lib/field.js') });
  vm.runInContext(readFileSync(join(folder, 'lib', 'pick.js'), 'utf8'), context);
  assert.equal(vm.runInContext('typeof Symbol.dispose', context), 'symbol');
  assert.equal(vm.runInContext('typeof module.exports.Pick.prototype[Symbol.dispose]', context), 'function');
});

const tsc = join(folder, 'node_modules', 'typescript', 'bin', 'tsc');
const skip = existsSync(tsc) ? false : 'npm install (it brings TypeScript)';

test('TypeScript: the types hold, and `using` ends picks', { skip }, (t) => {
  const out = mkdtempSync(join(__dirname, 'types', '.out-'));
  try {
    const project = join(__dirname, 'types', 'tsconfig.json');
    const checked = spawnSync(process.execPath, [tsc, '--project', project, '--outDir', out], { encoding: 'utf8' });
    assert.equal(checked.status, 0, checked.stdout);
    run(join(out, 'test', 'types', 'use.mjs'), statePath(t));
    run(join(out, 'test', 'types', 'use.cjs'));
  } finally {
    rmSync(out, { recursive: true });
  }
});
