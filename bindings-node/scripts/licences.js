'use strict';

// Lends the repository's licences to the package while npm packs it: npm takes files of its own folder only.

const { copyFileSync, rmSync } = require('node:fs');
const { join } = require('node:path');

for (const name of ['LICENSE-MIT', 'LICENSE-APACHE']) {
  const lent = join(__dirname, '..', name);
  if (process.argv[2] === '--remove') {
    rmSync(lent);
  } else {
    copyFileSync(join(__dirname, '..', '..', name), lent);
  }
}
