'use strict';

// Pick, run, finish, and again elsewhere if that is to be: whether, and after how long, the core says.

const native = require('./native.js');
const { endingOf } = require('./pick.js');
const { endingOfError } = require('./failure.js');
const { asFunction, asList, asObject, asSignal } = require('./request.js');
const { NoNodeError } = require('./errors.js');

/** Runs `attempt(pick, {attempt, signal})`; `pickWithin` is the pool's. */
async function call(handle, pickWithin, attempt, options = {}) {
  asFunction(attempt, 'attempt');
  const { idempotent, failureOf, timeoutMs = 0, signal, ...request } = asObject(options, 'options');
  asSignal(signal);
  if (failureOf !== undefined) {
    asFunction(failureOf, 'failureOf');
  }
  const tried = [];
  for (let last; ;) {
    const exclude = tried.length === 0 ? request.exclude : [...(asList(request.exclude) ?? []), ...tried];
    let pick;
    try {
      pick = await pickWithin({ ...request, exclude, timeoutMs, signal });
    } catch (error) {
      throw last !== undefined && error instanceof NoNodeError ? last.error : error;
    }
    tried.push(pick);
    try {
      const answer = await attempt(pick, { attempt: tried.length, signal });
      if (endingOf(pick) === undefined) {
        pick.success();
      }
      return answer;
    } catch (error) {
      last = { error, ...ended(pick, error, failureOf, signal) };
    } finally {
      // Only if even what it failed of cannot be.
      pick[Symbol.dispose]();
    }
    const { outcome, kind, retryAfterMs, sent } = last;
    const wait = native.retry(handle.number, outcome, kind, retryAfterMs, tried.length, idempotent, sent);
    if (typeof wait === 'string') {
      throw last.error;
    }
    await sleep(wait, signal);
  }
}

/** How the attempt ended: as it has said of its pick itself, or as its error says. */
function ended(pick, error, failureOf, signal) {
  const told = endingOf(pick);
  if (told !== undefined) {
    return told;
  }
  const ending = signal?.aborted ? { outcome: 'cancelled' } : (ownEnding(failureOf?.(error)) ?? endingOfError(error));
  switch (ending.outcome) {
    case 'success':
      pick.success();
      break;
    case 'rate_limited':
      pick.rateLimited({ retryAfterMs: ending.retryAfterMs });
      break;
    case 'cancelled':
      pick.cancel();
      break;
    default:
      pick.failure(ending.kind);
  }
  return ending;
}

/** What a user's `failureOf` says; a kind alone is a failure of that kind. */
function ownEnding(said) {
  if (said === undefined || said === null) {
    return undefined;
  }
  return typeof said === 'object' ? { outcome: 'failure', ...said } : { outcome: 'failure', kind: said };
}

function sleep(ms, signal) {
  return new Promise((resolve, reject) => {
    const aborted = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', aborted);
      resolve();
    }, ms);
    signal?.addEventListener('abort', aborted, { once: true });
    if (signal?.aborted) {
      aborted();
    }
  });
}

module.exports = { call };
