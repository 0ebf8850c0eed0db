'use strict';

const assert = require('node:assert/strict');

/** What `call` throws. */
function thrown(call) {
  try {
    call();
  } catch (error) {
    return error;
  }
  return assert.fail('nothing was thrown');
}

/** The node with the id. */
const node = (pool, id) => pool.nodes().find((status) => status.id === id);

const inFlight = (pool) => pool.nodes().map((status) => status.inFlight);

/** Picks and finishes `times` times: how often each node was chosen. */
function shares(pool, times, request) {
  const counts = {};
  for (let i = 0; i < times; i++) {
    const pick = pool.pick(request);
    counts[pick.node] = (counts[pick.node] ?? 0) + 1;
    pick.success();
  }
  return counts;
}

/** Makes a node unhealthy. */
function takeDown(pool, id) {
  while (node(pool, id).health !== 'unhealthy') {
    pool.report(id, 'failure');
  }
}

module.exports = { thrown, node, inFlight, shares, takeDown };
