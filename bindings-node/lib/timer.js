'use strict';

// What time asks for, done from timers that keep no process alive.

const native = require('./native.js');
const { asFunction, asMilliseconds, asObject } = require('./request.js');
const { StateError } = require('./errors.js');

const INTERVAL_MS = 1000;
/** Not more often, whatever is due. */
const INTERVAL_MIN_MS = 5;

/** Maintains the pools of `handles()`, and has `check` look at the nodes whose checks are due; the function that ends it.
 * `handles` returns undefined once nobody has them any more. */
function start(handles, options = {}) {
  const { check, intervalMs = INTERVAL_MS } = asObject(options, 'options');
  if (check !== undefined) {
    asFunction(check, 'check');
  }
  asMilliseconds(intervalMs, 'intervalMs', INTERVAL_MIN_MS);
  let timer;
  let stopped = false;
  const run = () => {
    const waits = handles()?.map((handle) => ignoringGone(() => work(handle, check)) ?? Infinity);
    if (waits !== undefined && !stopped) {
      timer = setTimeout(run, Math.max(Math.min(intervalMs, ...waits), INTERVAL_MIN_MS)).unref();
    }
  };
  timer = setTimeout(run).unref();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}

/** Does what is due; after how many milliseconds something else is. */
function work(handle, check) {
  native.maintain(handle.number);
  if (check === undefined) {
    return Infinity;
  }
  const pool = native.name(handle.number);
  for (const due of native.checksDue(handle.number)) {
    made(handle, check, { ...due, pool });
  }
  return inMs(native.nextCheck(handle.number) ?? Infinity);
}

/** Makes a check and reports it. */
async function made(handle, check, due) {
  const start = performance.now();
  const signal = AbortSignal.timeout(Math.max(Math.ceil(inMs(due.deadlineNs)), 0));
  let ok = false;
  try {
    const late = new Promise((resolve) => signal.addEventListener('abort', () => resolve(false)));
    ok = Boolean(await Promise.race([check(due, { signal }), late]));
  } catch {
    // The node is not well, or the check is not: either way it cannot be relied on.
  }
  ignoringGone(() => native.reportCheck(handle.number, due.id, ok, performance.now() - start));
}

/** What `work` returns, unless its pool was closed meanwhile, or its node is gone. */
function ignoringGone(work) {
  try {
    return work();
  } catch (error) {
    if (error instanceof StateError) {
      return undefined;
    }
    throw error;
  }
}

const inMs = (ns) => (ns - Number(process.hrtime.bigint())) / 1e6;

module.exports = { start };
