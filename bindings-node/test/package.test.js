'use strict';

// The tarballs, installed into an empty project: no registry, and no Rust to build with.

const assert = require('node:assert/strict');
const { execFileSync, spawnSync } = require('node:child_process');
const {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} = require('node:fs');
const { tmpdir } = require('node:os');
const { delimiter, dirname, join } = require('node:path');
const { after, before, test } = require('node:test');
const { platform } = require('../scripts/platform.js');

const folder = dirname(__dirname);
const { version } = require('../package.json');
const { triple } = platform();
const main = `loadwise-${version}.tgz`;
const addon = `loadwise-${triple}-${version}.tgz`;
let stage;
let env;

before(() => {
  stage = mkdtempSync(join(tmpdir(), 'loadwise-package-'));
  execFileSync(process.execPath, [join(folder, 'scripts', 'pack.js'), stage], { stdio: 'pipe' });
  // Programs by name: Node and npm, a shell, and nothing that compiles.
  const programs = join(stage, 'bin');
  mkdirSync(programs);
  for (const name of ['node', 'npm', 'sh', 'env']) {
    symlinkSync(found(name), join(programs, name));
  }
  env = { ...process.env, PATH: programs, npm_config_cache: join(stage, 'cache') };
  assert.equal(spawnSync('cargo', ['--version'], { env }).error?.code, 'ENOENT');
});

after(() => rmSync(stage, { recursive: true }));

function found(name) {
  const folders = process.env.PATH.split(delimiter);
  const path =
    name === 'node'
      ? process.execPath
      : folders.map((at) => join(at, name)).find((at) => spawnSync('test', ['-x', at]).status === 0);
  return realpathSync(path);
}

function project(name, tarballs) {
  const at = join(stage, name);
  mkdirSync(at);
  writeFileSync(join(at, 'package.json'), '{"private": true}');
  const files = tarballs.map((file) => join(stage, file));
  execFileSync('npm', ['install', '--offline', '--no-audit', '--no-fund', ...files], { cwd: at, env, stdio: 'pipe' });
  return at;
}

test('two tarballs are made, with licences, and without what builds them', () => {
  assert.deepEqual(
    readdirSync(stage)
      .filter((name) => name.endsWith('.tgz'))
      .sort(),
    [main, addon].sort(),
  );
  const list = (file) =>
    execFileSync('tar', ['-tzf', join(stage, file)], { encoding: 'utf8' })
      .trim()
      .split('\n')
      .sort();
  const own = ['lib', 'types'].flatMap((at) => readdirSync(join(folder, at)).map((name) => `${at}/${name}`));
  const common = ['LICENSE-APACHE', 'LICENSE-MIT', 'README.md', 'package.json'];
  const expected = [...common, ...own, 'index.js', 'index.mjs', 'index.d.ts', 'index.d.mts'];
  assert.deepEqual(list(main), expected.map((name) => `package/${name}`).sort());
  assert.deepEqual(list(addon), [...common, `loadwise.${triple}.node`].map((name) => `package/${name}`).sort());
});

test('installed, they run: CommonJS and ES modules', () => {
  const at = project('both', [main, addon]);
  const use =
    "const pool = new Pool({ nodes: ['a'] }); const pick = pool.pick(); console.log(pick.node, pick.success())";
  const node = (...argv) => execFileSync('node', argv, { cwd: at, env, encoding: 'utf8' }).trim();
  assert.equal(node('-e', `const { Pool } = require('loadwise'); ${use}`), 'a true');
  assert.equal(node('--input-type=module', '-e', `import { Pool } from 'loadwise'; ${use}`), 'a true');
  const manifest = JSON.parse(readFileSync(join(at, 'node_modules', 'loadwise', 'package.json'), 'utf8'));
  assert.deepEqual(manifest.optionalDependencies, { [`loadwise-${triple}`]: version });
  assert.equal(manifest.license, 'MIT OR Apache-2.0');
  assert.deepEqual([manifest.scripts, manifest.devDependencies], [undefined, undefined], 'nothing runs on install');
});

test('without the addon it says what to install', () => {
  const at = join(stage, 'without');
  mkdirSync(join(at, 'node_modules', 'loadwise'), { recursive: true });
  execFileSync('tar', ['-xzf', join(stage, main), '-C', join(at, 'node_modules', 'loadwise'), '--strip-components=1']);
  const failed = spawnSync('node', ['-e', "require('loadwise')"], { cwd: at, env, encoding: 'utf8' });
  assert.notEqual(failed.status, 0);
  assert.match(failed.stderr, new RegExp(`loadwise has no addon for .*: install loadwise-${triple}`));
});
