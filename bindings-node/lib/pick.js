'use strict';

const { described, finish, firstToken } = require('./native.js');
const { release } = require('./registers.js');
const field = require('./field.js');

if (Symbol.dispose === undefined) {
  Object.defineProperty(Symbol, 'dispose', { value: Symbol('Symbol.dispose') });
}

const SUCCESS = { outcome: 'success' };

/** How a pick was finished; undefined while it is not. */
let endingOf;

/** A chosen node, in flight until this is finished; one that is disposed of unfinished counts as cancelled. */
class Pick {
  #handle;
  #ending = undefined;
  #node;
  #address;

  static {
    endingOf = (pick) => pick.#ending;
  }

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

  firstToken(nowNs) {
    return firstToken(this.#handle.number, this.ticket, nowNs);
  }

  success(details) {
    if (details === undefined) {
      const first = release(this.#handle.number, this.ticket);
      this.#ending ??= SUCCESS;
      return first;
    }
    return this.#finish(undefined, undefined, undefined, details);
  }

  failure(kind, details) {
    return this.#finish('failure', kind, undefined, details);
  }

  rateLimited(details) {
    return this.#finish('rate_limited', undefined, details?.retryAfterMs, details);
  }

  cancel(details) {
    return this.#finish('cancelled', undefined, undefined, details);
  }

  [Symbol.dispose]() {
    if (this.#ending === undefined) {
      this.cancel();
    }
  }

  #finish(outcome, kind, retryAfterMs, details) {
    const { number } = this.#handle;
    const latencyMs = details?.latencyMs;
    const nowNs = details?.nowNs;
    const usage = details?.usage;
    // What is passed is looked at, be it undefined.
    const first =
      usage === undefined
        ? finish(number, this.ticket, outcome, kind, latencyMs, retryAfterMs, nowNs)
        : finish(number, this.ticket, outcome, kind, latencyMs, retryAfterMs, nowNs, usage);
    this.#ending ??= outcome === undefined ? SUCCESS : { outcome, kind, retryAfterMs };
    return first;
  }

  #read(number) {
    return described(this.#handle.number, this.index, this.generation, number);
  }
}

module.exports = { Pick, endingOf };
