'use strict';

// Brings the repository's licences into the package; npm takes files of its own folder only.

const { copyFileSync } = require('node:fs');
const { join } = require('node:path');

for (const name of ['LICENSE-MIT', 'LICENSE-APACHE']) {
  copyFileSync(join(__dirname, '..', '..', name), join(__dirname, '..', name));
}
