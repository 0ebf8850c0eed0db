'use strict';

const field = require('./field.js');

if (Symbol.dispose === undefined) {
  Object.defineProperty(Symbol, 'dispose', { value: Symbol('Symbol.dispose') });
}

/** A chosen node, in flight until this is finished; one that is disposed of unfinished counts as cancelled. */
class Pick {
  #raw;
  #finished = false;
  #node;
  #address;

  constructor(raw, ticket, index, generation, callbackFailed, callbackError) {
    this.#raw = raw;
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
      return this.#ended(this.#raw.release(this.ticket));
    }
    return this.#ended(this.#raw.finish(this.ticket, 'success', undefined, details.latencyMs, undefined, details.nowNs));
  }

  failure(kind, details) {
    return this.#ended(
      this.#raw.finish(this.ticket, 'failure', kind, details?.latencyMs, undefined, details?.nowNs),
    );
  }

  rateLimited(details) {
    return this.#ended(
      this.#raw.finish(
        this.ticket,
        'rate_limited',
        undefined,
        details?.latencyMs,
        details?.retryAfterMs,
        details?.nowNs,
      ),
    );
  }

  cancel() {
    return this.#ended(this.#raw.finish(this.ticket, 'cancelled'));
  }

  [Symbol.dispose]() {
    if (!this.#finished) {
      this.cancel();
    }
  }

  #ended(first) {
    this.#finished = true;
    return first;
  }

  #read(number) {
    return this.#raw.read(this.index, this.generation, number);
  }
}

module.exports = { Pick };
