'use strict';

// Packs the npm tarballs into a folder: `loadwise`, and the addon of this platform as a package of its own, which npm
// installs where it fits. Prints `ok FILE` for each.

const { execFileSync } = require('node:child_process');
const { copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join, resolve } = require('node:path');
const { platform, addonFile } = require('./platform.js');

const folder = join(__dirname, '..');
const dist = resolve(process.argv[2] ?? join(folder, '..', 'dist'));
const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
const { os, cpu, libc, triple } = platform();
const LICENCES = ['LICENSE-MIT', 'LICENSE-APACHE'];
const addonPackage = `${manifest.name}-${triple}`;

function main() {
  mkdirSync(dist, { recursive: true });
  const stage = mkdtempSync(join(tmpdir(), 'loadwise-pack-'));
  try {
    pack(stageAddon(join(stage, 'addon')));
    pack(stageMain(join(stage, 'main')));
  } finally {
    rmSync(stage, { recursive: true });
  }
}

function stageAddon(to) {
  const { version, license } = manifest;
  const description = `The addon of ${manifest.name} for ${triple}`;
  const fits = libc === undefined ? { os: [os], cpu: [cpu] } : { os: [os], cpu: [cpu], libc: [libc] };
  const engines = manifest.engines;
  const files = [addonFile(), ...LICENCES];
  stage(to, { name: addonPackage, version, description, license, main: addonFile(), files, ...fits, engines });
  copyFileSync(join(folder, addonFile()), join(to, addonFile()));
  if (os !== 'win32') {
    // What a debugger wants is five times as large as the rest.
    execFileSync('strip', ['-S', join(to, addonFile())]);
  }
  writeFileSync(
    join(to, 'README.md'),
    `# ${addonPackage}\n\n${description}. Install \`${manifest.name}\`, which brings it.\n`,
  );
  return to;
}

function stageMain(to) {
  // What builds and tests from source has no place in what is installed.
  const { scripts, devDependencies, ...rest } = manifest;
  stage(to, { ...rest, optionalDependencies: { [addonPackage]: manifest.version } });
  for (const name of manifest.files.filter((file) => !LICENCES.includes(file))) {
    cpSync(join(folder, name), join(to, name), { recursive: true });
  }
  return to;
}

function stage(to, contents) {
  mkdirSync(to);
  writeFileSync(join(to, 'package.json'), `${JSON.stringify(contents, null, 2)}\n`);
  for (const name of LICENCES) {
    copyFileSync(join(folder, '..', name), join(to, name));
  }
}

function pack(from) {
  const argv = ['pack', '--json', '--ignore-scripts', '--pack-destination', dist];
  const [{ filename }] = JSON.parse(
    execFileSync('npm', argv, { cwd: from, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }),
  );
  console.log(`ok ${filename}`);
}

main();
