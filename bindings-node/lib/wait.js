'use strict';

// Waiting for room. Who waits joins the queue of the core and then looks once more; every pick that ends wakes one. Room may
// also come without that, as when a quota's window moves on: so it looks again now and then.

const native = require('./native.js');
const { asMilliseconds, asObject, asSignal } = require('./request.js');
const { NoNodeError, wrongArgument } = require('./errors.js');

const LOOK_AGAIN_MS = 50;

/** `look()`, until it throws no more that there is no room now; `lastLook()` when the time of the request is over. */
async function within(handle, request = {}, look, lastLook) {
  const { timeoutMs = native.acquireTimeout(handle.number), signal, nowNs } = asObject(request, 'request');
  const deadline = performance.now() + asMilliseconds(timeoutMs, 'timeoutMs');
  if (nowNs !== undefined) {
    throw wrongArgument('nowNs', 'is not for picks that wait: they read the clock');
  }
  asSignal(signal)?.throwIfAborted();
  let none;
  try {
    return look();
  } catch (error) {
    none = temporary(error);
  }
  while (performance.now() < deadline) {
    const waiter = join(handle, none);
    try {
      return look();
    } catch (error) {
      none = temporary(error);
      await waiter.sleep(Math.min(LOOK_AGAIN_MS, deadline - performance.now()), signal);
    } finally {
      waiter.leave();
    }
    signal?.throwIfAborted();
  }
  if (timeoutMs === 0) {
    throw none;
  }
  return lastLook();
}

/** The error, if waiting may help. */
function temporary(error) {
  if (error instanceof NoNodeError && (error.reason === 'saturated' || error.reason === 'rate_limited')) {
    return error;
  }
  throw error;
}

/** A place in the queue; the error that there is no room, if there is none in the queue either. */
function join(handle, none) {
  try {
    return new Waiter(handle);
  } catch (error) {
    throw error instanceof NoNodeError ? none : error;
  }
}

/** A place in the queue of a pool. */
class Waiter {
  #handle;
  #id;
  #woken = false;
  #resume = undefined;
  /** Called by the addon in the middle of its work. */
  #wake = () => this.wake();

  constructor(handle) {
    this.#id = native.wait(handle.number, this.#wake);
    this.#handle = handle;
    handle.waiters.add(this);
  }

  wake() {
    this.#woken = true;
    this.#resume?.();
  }

  /** Until it is woken, at most for so long. */
  sleep(ms, signal) {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, this.#woken || signal?.aborted ? 0 : ms);
      signal?.addEventListener('abort', done);
      this.#resume = done;
    });
  }

  leave() {
    this.#handle.waiters.delete(this);
    native.stopWaiting(this.#handle.number, this.#id);
  }
}

module.exports = { within };
