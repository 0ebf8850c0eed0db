'use strict';

// Builds the addon of this platform into this folder, by cargo.

const { execFileSync } = require('node:child_process');
const { copyFileSync, renameSync } = require('node:fs');
const { join } = require('node:path');
const { addonFile } = require('./platform.js');

const folder = join(__dirname, '..');
const argv = ['build', '--release', '--locked', '--package', 'loadwise-node'];
const messages = execFileSync('cargo', [...argv, '--message-format', 'json-render-diagnostics'], {
  cwd: folder,
  encoding: 'utf8',
  maxBuffer: 1 << 28,
  stdio: ['ignore', 'pipe', 'inherit'],
});
const built = messages
  .split('\n')
  .filter((line) => line.startsWith('{'))
  .map((line) => JSON.parse(line))
  .find((message) => message.reason === 'compiler-artifact' && message.target.name === 'loadwise_node');
const library = built.filenames.find((name) => /\.(so|dylib|dll)$/.test(name));
const target = join(folder, addonFile());
// In two steps: a process may have the old file mapped.
copyFileSync(library, `${target}.new`);
renameSync(`${target}.new`, target);
console.log(`ok ${addonFile()}`);
