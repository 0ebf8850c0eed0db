'use strict';

const { fileURLToPath } = require('node:url');
const native = require('./native.js');
const field = require('./field.js');
const { Candidate } = require('./candidate.js');
const { Pick } = require('./pick.js');
const { NoNodeError, wrongArgument } = require('./errors.js');
const {
  acquire: acquirePlain,
  release: releaseSuccess,
  registers,
  TICKET,
  INDEX,
  GENERATION,
  FLAG,
} = require('./registers.js');

const FILE = Symbol('file');
/** Nodes under one policy: pick, use, finish. */
class Pool {
  #handle;

  constructor(config = {}, kind = undefined) {
    const handle = new Handle(kind === FILE ? native.openFile(config) : native.open(config));
    this.#handle = handle;
    // Own functions, so that they may be taken off the pool.
    this.acquire = (request) => acquire(handle, request);
    this.release = (ticket, outcome, details) => release(handle, ticket, outcome, details);
  }

  static fromConfig(config) {
    // Not the default of the constructor: a text that is missing is no empty pool.
    return new Pool(config ?? null);
  }

  static fromFile(path) {
    return new Pool(path instanceof URL ? fileURLToPath(path) : path, FILE);
  }

  pick(request) {
    const handle = this.#handle;
    if (isPlain(handle, request)) {
      const ticket = acquirePlain(handle.number);
      return new Pick(handle, ticket, registers[INDEX], registers[GENERATION], false, undefined);
    }
    const failure = { error: undefined };
    const ticket = ask(handle, request, failure);
    return new Pick(handle, ticket, registers[INDEX], registers[GENERATION], registers[FLAG] === 1, failure.error);
  }

  nodeOf(ticket) {
    return native.ticketNode(this.#handle.number, ticket, field.ID);
  }

  addressOf(ticket) {
    return native.ticketNode(this.#handle.number, ticket, field.ADDRESS);
  }

  report(id, outcome, details) {
    return native.report(this.#handle.number, id, outcome, ...outcomeDetails(details));
  }

  reportLoad(id, load) {
    const { load: value, remainingRatio } = asObject(load, 'load');
    native.reportLoad(this.#handle.number, id, value, remainingRatio);
  }

  setNodes(nodes) {
    native.setNodes(this.#handle.number, nodes);
  }

  register(node) {
    native.register(this.#handle.number, node);
  }

  registerBatch(nodes) {
    native.registerBatch(this.#handle.number, nodes);
  }

  deregister(id) {
    native.deregister(this.#handle.number, id);
  }

  drain(id, on = true) {
    native.drain(this.#handle.number, id, on);
  }

  setWeight(id, weight) {
    native.setWeight(this.#handle.number, id, weight);
  }

  setNodeUserData(id, userData) {
    native.setNodeUserData(this.#handle.number, id, userData);
  }

  get strategy() {
    return native.strategy(this.#handle.number);
  }

  setStrategy(strategy) {
    native.setStrategy(this.#handle.number, strategy);
    this.#handle.own = undefined;
  }

  setOwnStrategy(choose, fallback) {
    if (typeof choose !== 'function') {
      throw wrongArgument('choose', `must be a function, not ${typeof choose}`);
    }
    native.setOwnStrategy(this.#handle.number, fallback);
    this.#handle.own = choose;
  }

  nodes() {
    return native.nodes(this.#handle.number);
  }

  get length() {
    return native.length(this.#handle.number);
  }

  maintain(nowNs) {
    return native.maintain(this.#handle.number, nowNs);
  }

  get closed() {
    return native.closed(this.#handle.number);
  }

  close() {
    native.close(this.#handle.number);
    this.#handle.own = undefined;
  }

  [Symbol.dispose]() {
    this.close();
  }
}

/** A pool's number in the addon, what keeps it there, and the own strategy that picks are to be given. */
class Handle {
  constructor({ number, keeper }) {
    this.number = number;
    this.keeper = keeper;
    this.own = undefined;
  }
}

function isPlain(handle, request) {
  return request === undefined && handle.own === undefined;
}

function acquire(handle, request) {
  return isPlain(handle, request) ? acquirePlain(handle.number) : ask(handle, request, { error: undefined });
}

/** A pick with conditions or callbacks; its ticket. `failure` gets what a callback threw first. */
function ask(handle, request = {}, failure) {
  const { number, own } = handle;
  const { key, exclude, require: labels, health, predicate, nowNs } = asObject(request, 'request');
  const excluded = asList(exclude);
  if (predicate === undefined && own === undefined) {
    native.ask(number, key, excluded, labels, health, undefined, nowNs);
    return registers[TICKET];
  }
  const accepts = contained(predicate, failure, (index, generation) =>
    Boolean(predicate(new Candidate(handle, index, generation))),
  );
  const choose = contained(own, failure, (table, asked) => own(candidates(handle, table), asked) ?? null);
  try {
    native.ask(number, key, excluded, labels, health, accepts, nowNs, choose);
  } catch (error) {
    if (error instanceof NoNodeError && error.callbackFailed && failure.error !== undefined) {
      error.cause = failure.error;
    }
    throw error;
  }
  return registers[TICKET];
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

function candidates(handle, table) {
  return Array.from({ length: table.length / 2 }, (_, i) => new Candidate(handle, table[2 * i], table[2 * i + 1]));
}

function release({ number }, ticket, outcome, details) {
  if (details === undefined) {
    return outcome === undefined ? releaseSuccess(number, ticket) : native.finish(number, ticket, outcome);
  }
  return native.finish(number, ticket, outcome, ...outcomeDetails(details));
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
