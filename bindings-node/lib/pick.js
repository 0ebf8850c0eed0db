'use strict';

const { described, finish } = require('./native.js');
const { release } = require('./registers.js');
const field = require('./field.js');

if (Symbol.dispose === undefined) {
  Object.defineProperty(Symbol, 'dispose', { value: Symbol('Symbol.dispose') });
}

/** A chosen node, in flight until this is finished; one that is disposed of unfinished counts as cancelled. */
class Pick {
  #handle;
  #finished = false;
  #node;
  #address;

  constructor(handle, ticket, index, generation, callbackFailed, callbackError) {
    this.#handle = handle;
    this.ticket = ticket;
    this.index = index;
    this.generation = generation;
    this.callbackFailed = callbackFailed;
    this.callbackError = callbackError;
  }

  get node() {
    return (this.#node ??= this.#read(field.ID));
  }

  get address() {
    return (this.#address ??= this.#read(field.ADDRESS));
  }

  get name() {
    return this.#read(field.NAME);
  }

  get userData() {
    return this.#read(field.USER_DATA);
  }

  success(details) {
    if (details === undefined) {
      return this.#ended(release(this.#handle.number, this.ticket));
    }
    return this.#finish(undefined, undefined, details);
  }

  failure(kind, details) {
    return this.#finish('failure', kind, details);
  }

  rateLimited(details) {
    return this.#finish('rate_limited', undefined, details, details?.retryAfterMs);
  }

  cancel() {
    return this.#finish('cancelled');
  }

  [Symbol.dispose]() {
    if (!this.#finished) {
      this.cancel();
    }
  }

  #finish(outcome, kind, details, retryAfterMs) {
    const { number } = this.#handle;
    return this.#ended(finish(number, this.ticket, outcome, kind, details?.latencyMs, retryAfterMs, details?.nowNs));
  }

  #ended(first) {
    this.#finished = true;
    return first;
  }

  #read(number) {
    return described(this.#handle.number, this.index, this.generation, number);
  }
}

module.exports = { Pick };
