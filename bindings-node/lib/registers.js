'use strict';

const native = require('./native.js');

/** Numbers that are shared with the addon: see `src/pool.rs`. */
const { registers } = native;
const POOL = 0;
const TICKET = 1;
const INDEX = 2;
const GENERATION = 3;
const FLAG = 4;

const { acquire: acquireByRegisters, release: releaseByRegisters, finish } = native;

/** A pick without conditions; its ticket. */
function acquire(number) {
  registers[POOL] = number;
  acquireByRegisters();
  return registers[TICKET];
}

/** A success of which no more is said; whether the ticket was open. */
function release(number, ticket) {
  if (typeof ticket !== 'number') {
    return finish(number, ticket);
  }
  registers[POOL] = number;
  registers[TICKET] = ticket;
  releaseByRegisters();
  return registers[FLAG] === 1;
}

module.exports = { acquire, release, registers, TICKET, INDEX, GENERATION, FLAG };
