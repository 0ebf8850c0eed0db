'use strict';

/** What became of an attempt, by the error that it ended with: as Node, undici and HTTP clients tell it. */

const KINDS = {
  ECONNREFUSED: 'connect',
  EHOSTUNREACH: 'connect',
  ENETUNREACH: 'connect',
  ENOTFOUND: 'connect',
  EAI_AGAIN: 'connect',
  UND_ERR_CONNECT_TIMEOUT: 'connect',
  ECONNRESET: 'reset',
  ECONNABORTED: 'reset',
  EPIPE: 'reset',
  UND_ERR_SOCKET: 'reset',
  ETIMEDOUT: 'timeout',
  UND_ERR_HEADERS_TIMEOUT: 'timeout',
  UND_ERR_BODY_TIMEOUT: 'timeout',
};

/** `fetch` wraps what happened, and others wrap `fetch`. */
const CAUSES_MAX = 5;

function endingOfError(error) {
  for (let at = error, i = 0; typeof at === 'object' && at !== null && i < CAUSES_MAX; at = at.cause, i++) {
    const ending = endingOfOne(at);
    if (ending !== undefined) {
      return ending;
    }
  }
  return { outcome: 'failure', kind: 'other' };
}

function endingOfOne({ code, name, syscall, status, statusCode }) {
  if (syscall === 'connect') {
    return { outcome: 'failure', kind: 'connect' };
  }
  if (Object.hasOwn(KINDS, code)) {
    return { outcome: 'failure', kind: KINDS[code] };
  }
  if (name === 'TimeoutError') {
    return { outcome: 'failure', kind: 'timeout' };
  }
  const answered = status ?? statusCode;
  if (!Number.isInteger(answered) || answered < 400 || answered > 599) {
    return undefined;
  }
  if (answered === 429) {
    return { outcome: 'rate_limited' };
  }
  // A server that refuses a wrong request is well.
  return answered < 500 ? { outcome: 'success' } : { outcome: 'failure', kind: 'server_error' };
}

module.exports = { endingOfError };
