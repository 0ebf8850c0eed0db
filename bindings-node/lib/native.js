'use strict';

const { makeError } = require('./errors.js');

const PLATFORM = `${process.platform}-${process.arch}`;
/** npm installs the package of one C library only. */
const SUFFIXES = process.platform === 'linux' ? ['-gnu', '-musl'] : [''];

/** The addon: built in this folder, or of the package for this platform. */
function load() {
  const failures = [];
  for (const suffix of SUFFIXES) {
    for (const name of [`../loadwise.${PLATFORM}${suffix}.node`, `loadwise-${PLATFORM}${suffix}`]) {
      try {
        return require(name);
      } catch (error) {
        failures.push(error);
      }
    }
  }
  // The one that was there and could not be loaded says most.
  const cause = failures.find((error) => error.code !== 'MODULE_NOT_FOUND') ?? failures.at(-1);
  const wanted = `loadwise-${PLATFORM}${SUFFIXES[0]}`;
  throw new Error(`loadwise has no addon for ${PLATFORM}: install ${wanted}, without --omit=optional`, { cause });
}

module.exports = load().bind(makeError);
