'use strict';

// A process that is told a ticket of another one.

const { Pool } = require('..');
const { inFlight } = require('./help.js');

process.once('message', (ticket) => {
  const pool = new Pool({ nodes: ['a', 'b'] });
  const released = pool.release(ticket);
  process.send({ released, inFlight: inFlight(pool), picked: pool.pick().success() }, () => process.disconnect());
});
