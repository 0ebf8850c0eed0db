'use strict';

const native = require('./native.js');

/** A strategy over lists of one's own, with what it remembers: whose turn it is, and tables. */
class Strategy {
  #raw;

  constructor(strategy) {
    this.#raw = native.openStrategy(strategy);
  }

  select(nodes, { key, exclude } = {}) {
    return this.#raw.select(nodes, key, exclude);
  }
}

function select(nodes, strategy = 'p2c', request = undefined) {
  const chosen = strategy instanceof Strategy ? strategy : new Strategy(strategy);
  return chosen.select(nodes, request);
}

/** Health from outcomes in a row, for hosts that choose without a pool. */
class HealthTracker {
  #raw;

  constructor({ failureThreshold, recoverySuccesses, probeIntervalMs } = {}) {
    this.#raw = native.openTracker(failureThreshold, recoverySuccesses, probeIntervalMs);
  }

  reportSuccess(id) {
    this.#raw.reportSuccess(id);
  }

  reportFailure(id) {
    this.#raw.reportFailure(id);
  }

  reportRateLimited(id) {
    this.#raw.reportRateLimited(id);
  }

  status(id) {
    return this.#raw.status(id);
  }

  shouldProbe(id) {
    return this.#raw.shouldProbe(id);
  }

  health(id) {
    return this.#raw.health(id);
  }

  forget(id) {
    return this.#raw.forget(id);
  }
}

module.exports = { Strategy, HealthTracker, select };
