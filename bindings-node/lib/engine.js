'use strict';

const { fileURLToPath } = require('node:url');
const native = require('./native.js');
const { documentOfEngine } = require('./document.js');
const { makeError, wrongArgument } = require('./errors.js');
const { handleOf, poolOf } = require('./pool.js');
const { asObject } = require('./request.js');
const { start } = require('./timer.js');

const FILE = Symbol('file');

/** All pools of one configuration, by name, replaced together while picks are under way. */
class Engine {
  #raw;
  /** Those that were asked for. */
  #pools = new Map();
  #stop = () => {};

  constructor(config, kind = undefined) {
    this.#raw = kind === FILE ? native.openEngineFile(config) : native.openEngine(config);
  }

  static open(path) {
    return new Engine(path instanceof URL ? fileURLToPath(path) : path, FILE);
  }

  static fromConfig(config) {
    return new Engine(config ?? null);
  }

  pool(name) {
    const known = this.#pools.get(name);
    if (known !== undefined && !known.closed) {
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
    return this.#open.names();
  }

  reload() {
    return this.#reloaded(this.#open.reload());
  }

  reloadFrom(config) {
    return this.#reloaded(this.#open.reload(config ?? null));
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

  /** A pool that was taken out goes on for those who have it. */
  #reloaded(reloaded) {
    reloaded.removed.forEach((name) => this.#pools.delete(name));
    return reloaded;
  }

  #handles() {
    return this.closed ? undefined : this.names().map((name) => handleOf(this.pool(name)));
  }
}

module.exports = { Engine };
