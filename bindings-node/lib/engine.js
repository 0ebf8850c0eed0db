'use strict';

const { fileURLToPath } = require('node:url');
const native = require('./native.js');
const { documentOfEngine } = require('./document.js');
const { makeError, wrongArgument } = require('./errors.js');
const { handleOf, poolOf } = require('./pool.js');
const { asObject } = require('./request.js');
const { start } = require('./timer.js');

const FILE = Symbol('file');
const ATTACHED = Symbol('attached');
const VIEWED = Symbol('viewed');
const OPENERS = { [FILE]: native.openEngineFile, [ATTACHED]: native.attachEngine, [VIEWED]: native.viewEngine };

/** All pools of one configuration, by name, replaced together while picks are under way. */
class Engine {
  #raw;
  /** Those that were asked for. */
  #pools = new Map();
  #stop = () => {};

  constructor(config, kind = undefined) {
    this.#raw = (OPENERS[kind] ?? native.openEngine)(config);
  }

  static open(path) {
    return new Engine(asPath(path), FILE);
  }

  static attach(path) {
    return new Engine(asPath(path), ATTACHED);
  }

  static view(path) {
    return new Engine(asPath(path), VIEWED);
  }

  static fromConfig(config) {
    return new Engine(config ?? null);
  }

  pool(name) {
    const known = this.#pools.get(name);
    // Others may have taken it out, and put another one of its name in its place.
    if (known !== undefined && this.#open.has(name, handleOf(known).number)) {
      return known;
    }
    const opened = this.#open.pool(name);
    if (opened === undefined) {
      const names = this.names().join(', ');
      throw wrongArgument('name', `the engine has no pool ${JSON.stringify(name)}; it has ${names || 'none'}`);
    }
    const pool = poolOf(this, opened);
    this.#pools.set(name, pool);
    return pool;
  }

  names() {
    const names = this.#open.names();
    // A pool that was taken out goes on for those who have it, who are not this.
    for (const name of this.#pools.keys()) {
      if (!names.includes(name)) {
        this.#pools.delete(name);
      }
    }
    return names;
  }

  pools() {
    return this.names().map((name) => this.pool(name));
  }

  reload(options = {}) {
    return this.#reloaded(this.#open.reload(undefined, asObject(options, 'options').ifNew));
  }

  reloadFrom(config, options = {}) {
    return this.#reloaded(this.#open.reload(config ?? null, asObject(options, 'options').ifNew));
  }

  remove(name) {
    const removed = this.#open.remove(name);
    this.#pools.delete(name);
    return removed;
  }

  get differences() {
    return this.#open.differences();
  }

  get sharedPath() {
    return this.#open.sharedPath();
  }

  get privateBecause() {
    return this.#open.privateBecause();
  }

  processes() {
    return this.#open.processes();
  }

  get config() {
    return documentOfEngine(this.#open.config());
  }

  get version() {
    return this.#open.version();
  }

  maintain(nowNs) {
    return this.#open.maintain(nowNs);
  }

  stats(options = {}) {
    return this.#open.stats(asObject(options, 'options').nowNs);
  }

  metrics(options = {}) {
    return this.#open.metrics(asObject(options, 'options').format);
  }

  start(options) {
    this.maintain();
    // An engine that is forgotten, with its pools, is freed, started or not.
    const weak = new WeakRef(this);
    const stop = start(() => weak.deref()?.#handles(), options);
    this.#stop();
    this.#stop = stop;
  }

  stop() {
    this.#stop();
  }

  get closed() {
    return this.#raw === undefined;
  }

  close() {
    this.stop();
    this.#pools.forEach((pool) => pool.close());
    this.#pools.clear();
    this.#raw?.close();
    this.#raw = undefined;
  }

  [Symbol.dispose]() {
    this.close();
  }

  get #open() {
    if (this.#raw === undefined) {
      throw makeError(203, 'ERR_LOADWISE_CLOSED', 'the engine is closed');
    }
    return this.#raw;
  }

  #reloaded(reloaded) {
    this.names();
    return reloaded;
  }

  #handles() {
    return this.closed ? undefined : this.pools().map(handleOf);
  }
}

const asPath = (path) => (path instanceof URL ? fileURLToPath(path) : path);

module.exports = { Engine };
