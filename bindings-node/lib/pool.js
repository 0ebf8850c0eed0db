'use strict';

const { fileURLToPath } = require('node:url');
const native = require('./native.js');
const field = require('./field.js');
const { Candidate } = require('./candidate.js');
const { Pick } = require('./pick.js');
const { ask, askAll, asFunction, asObject, lastPick, withCause } = require('./request.js');
const { call } = require('./call.js');
const { observe, stopObserving } = require('./events.js');
const { documentOf } = require('./document.js');
const { restore, save } = require('./store.js');
const { start } = require('./timer.js');
const { within } = require('./wait.js');
const {
  acquire: acquirePlain,
  release: releaseSuccess,
  registers,
  TICKET,
  INDEX,
  GENERATION,
} = require('./registers.js');

const FILE = Symbol('file');
const OPENED = Symbol('opened');

/** Open picks that are told of unless more are asked for. */
const OPEN_PICKS = 100;

/** What JavaScript knows of a pool. */
let handleOf;

/** Nodes under one policy: pick, use, finish. */
class Pool {
  #handle;

  static {
    handleOf = (pool) => pool.#handle;
  }

  constructor(config = {}, kind = undefined) {
    const opened = kind === OPENED ? config : kind === FILE ? native.openFile(config) : native.open(config);
    const handle = new Handle(opened);
    this.#handle = handle;
    // Own functions, so that they may be taken off the pool.
    this.acquire = (request) => acquire(handle, request);
    this.release = (ticket, outcome, details) => release(handle, ticket, outcome, details);
    this.firstToken = (ticket, nowNs) => native.firstToken(handle.number, ticket, nowNs);
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
    return pick(handle, request);
  }

  pickWithin(request) {
    const handle = this.#handle;
    const lastLook = () => {
      const failure = { error: undefined };
      askAll(native.askOnce, handle, request, failure);
      return lastPick(handle, failure);
    };
    return within(handle, request, () => pick(handle, request), lastLook);
  }

  acquireWithin(request) {
    const handle = this.#handle;
    const lastLook = () => {
      askAll(native.askOnce, handle, request);
      return registers[TICKET];
    };
    return within(handle, request, () => acquire(handle, request), lastLook);
  }

  get waiting() {
    return native.waiting(this.#handle.number);
  }

  call(attempt, options) {
    return call(this.#handle, (request) => this.pickWithin(request), attempt, options);
  }

  retry(attempt) {
    const wait = native.retry(this.#handle.number, ...endedAttempt(attempt));
    return typeof wait === 'string' ? { afterMs: undefined, giveUp: wait } : { afterMs: wait, giveUp: undefined };
  }

  pickAgain(request, attempt) {
    const [ended, failure] = [endedAttempt(attempt), { error: undefined }];
    const question = (...asked) => native.pickAgain(...asked, ...ended);
    const wait = askAll(question, this.#handle, request, failure);
    return typeof wait === 'string'
      ? { pick: undefined, afterMs: undefined, giveUp: wait }
      : { pick: lastPick(this.#handle, failure), afterMs: wait, giveUp: undefined };
  }

  explain(request) {
    return askAll(native.explain, this.#handle, request);
  }

  pickExplained(request) {
    const failure = { error: undefined };
    const explanation = acquireExplained(this.#handle, request, failure);
    return { pick: lastPick(this.#handle, failure), explanation };
  }

  acquireExplained(request) {
    const explanation = acquireExplained(this.#handle, request, { error: undefined });
    return { ticket: registers[TICKET], explanation };
  }

  plan(request) {
    return askAll(native.plan, this.#handle, request);
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
    const { load: value, remainingRatio, requestsPerS, utilization, errorsPerS, nowNs } = asObject(load, 'load');
    const { number } = this.#handle;
    native.reportLoad(number, id, value, remainingRatio, requestsPerS, utilization, errorsPerS, nowNs);
  }

  checksDue(nowNs) {
    return native.checksDue(this.#handle.number, nowNs);
  }

  get nextCheckNs() {
    return native.nextCheck(this.#handle.number);
  }

  reportCheck(id, ok, options = {}) {
    const { latencyMs, nowNs } = asObject(options, 'options');
    return native.reportCheck(this.#handle.number, id, ok, latencyMs, nowNs);
  }

  affinity(session, options = {}) {
    return native.affinity(this.#handle.number, session, asObject(options, 'options').nowNs);
  }

  setAffinity(session, id, options = {}) {
    native.setAffinity(this.#handle.number, session, id, asObject(options, 'options').nowNs);
  }

  clearAffinity(session) {
    return native.clearAffinity(this.#handle.number, session);
  }

  rebalance(options = {}) {
    return native.rebalance(this.#handle.number, asObject(options, 'options').nowNs);
  }

  failover(id) {
    native.failover(this.#handle.number, id);
  }

  resetFailover() {
    return native.resetFailover(this.#handle.number);
  }

  reload(config, options = {}) {
    const { ifNew, nowNs } = asObject(options, 'options');
    return native.reload(this.#handle.number, config ?? null, ifNew, nowNs);
  }

  get differences() {
    return native.differences(this.#handle.number);
  }

  get sharedPath() {
    return native.sharedPath(this.#handle.number);
  }

  processes() {
    return native.processes(this.#handle.number);
  }

  openPicks(limit = OPEN_PICKS) {
    return native.openPicks(this.#handle.number, limit);
  }

  get config() {
    return documentOf(native.config(this.#handle.number));
  }

  setting(key) {
    return native.setting(this.#handle.number, key);
  }

  learned(options = {}) {
    return native.learned(this.#handle.number, asObject(options, 'options').nowNs);
  }

  learnFrom(learned, options = {}) {
    return native.learnFrom(this.#handle.number, learned ?? null, asObject(options, 'options').nowNs);
  }

  save(store) {
    return save(this.#handle, store);
  }

  restore(store) {
    return restore(this.#handle, store);
  }

  find(labels, options = {}) {
    return native.find(this.#handle.number, labels, asObject(options, 'options').nowNs);
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

  update(node) {
    native.update(this.#handle.number, node);
  }

  setHealth(id, status, options = {}) {
    return native.setHealth(this.#handle.number, id, status, asObject(options, 'options').nowNs);
  }

  deregister(id) {
    native.deregister(this.#handle.number, id);
  }

  drain(id, on = true, options = {}) {
    native.drain(this.#handle.number, id, on, asObject(options, 'options').nowNs);
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
    asFunction(choose, 'choose');
    native.setOwnStrategy(this.#handle.number, fallback);
    this.#handle.own = choose;
  }

  nodes(options = {}) {
    return native.nodes(this.#handle.number, asObject(options, 'options').nowNs);
  }

  nodeStatus(id, options = {}) {
    return native.nodeStatus(this.#handle.number, id, asObject(options, 'options').nowNs);
  }

  stats(options = {}) {
    return native.stats(this.#handle.number, asObject(options, 'options').nowNs);
  }

  metrics(options = {}) {
    return native.metrics(this.#handle.number, asObject(options, 'options').format);
  }

  onEvent(listener, options) {
    return observe(this.#handle, listener, options);
  }

  offEvent(id) {
    return stopObserving(this.#handle, id);
  }

  get name() {
    return native.name(this.#handle.number);
  }

  get configVersion() {
    return native.configVersion(this.#handle.number);
  }

  get length() {
    return native.length(this.#handle.number);
  }

  maintain(nowNs) {
    return native.maintain(this.#handle.number, nowNs);
  }

  start(options) {
    const handle = this.#handle;
    native.maintain(handle.number);
    // A pool that is forgotten is freed, started or not.
    const weak = new WeakRef(handle);
    const stop = start(() => stillOpen(weak.deref()), options);
    handle.stop();
    handle.stop = stop;
  }

  stop() {
    this.#handle.stop();
  }

  get closed() {
    return native.closed(this.#handle.number);
  }

  close() {
    this.#handle.close();
  }

  [Symbol.dispose]() {
    this.close();
  }
}

/** A pool's number in the addon, what keeps it there, and what JavaScript knows of it beside. */
class Handle {
  constructor({ number, keeper }) {
    this.number = number;
    this.keeper = keeper;
    /** The own strategy that picks are to be given. */
    this.own = undefined;
    /** Picks that wait, and listeners by their numbers. */
    this.waiters = new Set();
    this.observers = new Map();
    /** Ends what `start` began. */
    this.stop = () => {};
    /** The engine whose pool it is, which lives as long. */
    this.engine = undefined;
  }

  close() {
    this.stop();
    for (const id of this.observers.keys()) {
      native.stopObserving(this.number, id);
    }
    this.observers.clear();
    native.close(this.number);
    this.own = undefined;
    for (const waiter of this.waiters) {
      waiter.wake();
    }
  }
}

const stillOpen = (handle) => (handle === undefined || native.closed(handle.number) ? undefined : [handle]);

function isPlain(handle, request) {
  return request === undefined && handle.own === undefined;
}

function acquire(handle, request) {
  return isPlain(handle, request) ? acquirePlain(handle.number) : ask(handle, request, { error: undefined });
}

function pick(handle, request) {
  const failure = { error: undefined };
  ask(handle, request, failure);
  return lastPick(handle, failure);
}

/** The reasons of the pick that it leaves in the registers. */
function acquireExplained(handle, request, failure) {
  const [explanation, error] = askAll(native.acquireExplained, handle, request, failure);
  if (error !== undefined) {
    error.explanation = explanation;
    throw withCause(error, failure);
  }
  return explanation;
}

function release({ number }, ticket, outcome, details) {
  if (details === undefined) {
    return outcome === undefined ? releaseSuccess(number, ticket) : native.finish(number, ticket, outcome);
  }
  return native.finish(number, ticket, outcome, ...outcomeDetails(details));
}

/** What the addon takes of an attempt that has ended; with a kind and no outcome it is a failure. */
function endedAttempt(ended) {
  const { outcome, kind, retryAfterMs, attempt, idempotent, sent, nowNs } = asObject(ended, 'attempt');
  const said = outcome ?? (kind === undefined ? undefined : 'failure');
  return [said, kind, retryAfterMs, attempt, idempotent, sent, nowNs];
}

function outcomeDetails(details) {
  if (details === undefined) {
    return [];
  }
  const { kind, latencyMs, retryAfterMs, nowNs, usage } = asObject(details, 'details');
  const told = [kind, latencyMs, retryAfterMs, nowNs];
  return usage === undefined ? told : [...told, usage];
}

/** A pool of an engine. */
function poolOf(engine, opened) {
  const pool = new Pool(opened, OPENED);
  handleOf(pool).engine = engine;
  return pool;
}

module.exports = { Pool, Pick, Candidate, handleOf, poolOf };
