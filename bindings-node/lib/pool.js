'use strict';

const { fileURLToPath } = require('node:url');
const native = require('./native.js');
const field = require('./field.js');
const { Candidate } = require('./candidate.js');
const { Pick } = require('./pick.js');
const { wrongArgument } = require('./errors.js');

const FILE = Symbol('file');

/** Nodes under one policy: pick, use, finish. */
class Pool {
  #handle;

  constructor(config = {}, kind = undefined) {
    const handle = new Handle(kind === FILE ? native.openFile(config) : native.open(config));
    this.#handle = handle;
    // Own functions, so that they may be taken off the pool.
    this.acquire = (request) => acquire(handle, request);
    this.release = (ticket, outcome, details) => release(handle.raw, ticket, outcome, details);
  }

  static fromConfig(config) {
    // Not the default of the constructor: a text that is missing is no empty pool.
    return new Pool(config ?? null);
  }

  static fromFile(path) {
    return new Pool(path instanceof URL ? fileURLToPath(path) : path, FILE);
  }

  pick(request) {
    const { raw } = this.#handle;
    if (isPlain(this.#handle, request)) {
      const ticket = raw.acquire();
      return new Pick(raw, ticket, raw.chosen[0], raw.chosen[1], false, undefined);
    }
    const failure = { error: undefined };
    const ticket = ask(this.#handle, request, failure);
    const [index, generation, callbackFailed] = raw.chosen;
    return new Pick(raw, ticket, index, generation, callbackFailed !== 0, failure.error);
  }

  nodeOf(ticket) {
    return this.#handle.raw.ticketText(ticket, field.ID);
  }

  addressOf(ticket) {
    return this.#handle.raw.ticketText(ticket, field.ADDRESS);
  }

  report(id, outcome, details) {
    return this.#handle.raw.report(id, outcome, ...outcomeDetails(details));
  }

  reportLoad(id, load) {
    const { load: value, remainingRatio } = asObject(load, 'load');
    this.#handle.raw.reportLoad(id, value, remainingRatio);
  }

  setNodes(nodes) {
    this.#handle.raw.setNodes(nodes);
  }

  register(node) {
    this.#handle.raw.register(node);
  }

  registerBatch(nodes) {
    this.#handle.raw.registerBatch(nodes);
  }

  deregister(id) {
    this.#handle.raw.deregister(id);
  }

  drain(id, on = true) {
    this.#handle.raw.drain(id, on);
  }

  setWeight(id, weight) {
    this.#handle.raw.setWeight(id, weight);
  }

  get strategy() {
    return this.#handle.raw.strategy();
  }

  setStrategy(strategy) {
    this.#handle.raw.setStrategy(strategy);
    this.#handle.own = undefined;
  }

  setOwnStrategy(choose, fallback) {
    if (typeof choose !== 'function') {
      throw wrongArgument('choose', `must be a function, not ${typeof choose}`);
    }
    this.#handle.raw.setOwnStrategy(fallback);
    this.#handle.own = choose;
  }

  nodes() {
    return this.#handle.raw.nodes();
  }

  get length() {
    return this.#handle.raw.length();
  }

  maintain(nowNs) {
    return this.#handle.raw.maintain(nowNs);
  }

  get closed() {
    return this.#handle.raw.closed();
  }

  close() {
    this.#handle.raw.close();
    this.#handle.own = undefined;
  }

  [Symbol.dispose]() {
    this.close();
  }
}

/** The functions of the addon for one pool, and the own strategy that they are to be given. */
class Handle {
  constructor(raw) {
    this.raw = raw;
    this.own = undefined;
  }
}

function isPlain(handle, request) {
  return request === undefined && handle.own === undefined;
}

function acquire(handle, request) {
  return isPlain(handle, request) ? handle.raw.acquire() : ask(handle, request, { error: undefined });
}

/** Asks with conditions or callbacks; `failure` gets what a callback threw first. */
function ask({ raw, own }, request = {}, failure) {
  const { key, exclude, require: labels, health, predicate, nowNs } = asObject(request, 'request');
  const excluded = asList(exclude);
  if (predicate === undefined && own === undefined) {
    return raw.ask(key, excluded, labels, health, undefined, nowNs);
  }
  const accepts = contained(predicate, failure, (index, generation) =>
    Boolean(predicate(new Candidate(raw, index, generation))),
  );
  const choose = contained(own, failure, (table, asked) => own(candidates(raw, table), asked) ?? null);
  try {
    return raw.ask(key, excluded, labels, health, accepts, nowNs, choose);
  } catch (error) {
    if (error.callbackFailed && failure.error !== undefined) {
      error.cause = failure.error;
    }
    throw error;
  }
}

/** `call`, which tells the addon of an exception by returning undefined; what is no function stays for it to refuse. */
function contained(callback, failure, call) {
  if (typeof callback !== 'function') {
    return callback;
  }
  return (first, second) => {
    try {
      return call(first, second);
    } catch (error) {
      failure.error ??= error;
      return undefined;
    }
  };
}

function candidates(raw, table) {
  return Array.from({ length: table.length / 2 }, (_, i) => new Candidate(raw, table[2 * i], table[2 * i + 1]));
}

function release(raw, ticket, outcome, details) {
  if (details === undefined) {
    return outcome === undefined ? raw.release(ticket) : raw.finish(ticket, outcome);
  }
  return raw.finish(ticket, outcome, ...outcomeDetails(details));
}

function outcomeDetails(details) {
  if (details === undefined) {
    return [];
  }
  const { kind, latencyMs, retryAfterMs, nowNs } = asObject(details, 'details');
  return [kind, latencyMs, retryAfterMs, nowNs];
}

function asObject(value, name) {
  if (typeof value !== 'object' || value === null) {
    throw wrongArgument(name, `must be an object, not ${value === null ? 'null' : typeof value}`);
  }
  return value;
}

/** Sets and other collections as the list that the addon takes. */
function asList(values) {
  return typeof values === 'object' && values !== null && !Array.isArray(values) && values[Symbol.iterator]
    ? Array.from(values)
    : values;
}

module.exports = { Pool, Pick, Candidate };
