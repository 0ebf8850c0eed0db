'use strict';

/** All errors of loadwise. */
class LoadwiseError extends Error {
  constructor(status, code, message) {
    super(message);
    /** The stable number, the same in every language. */
    this.status = status;
    this.code = code;
  }
}

class ConfigError extends LoadwiseError {
  constructor(status, code, message, key, line) {
    super(status, code, message);
    /** The path of the key, as `nodes[2].weight`; empty for the whole document. */
    this.key = key;
    /** The line in the text, from 1; 0 if it was no text. */
    this.line = line;
  }
}

class StateError extends LoadwiseError {}
class TicketError extends LoadwiseError {}
class CallbackError extends LoadwiseError {}

class NoNodeError extends LoadwiseError {
  constructor(status, code, message, reason, retryAtNs, callbackFailed) {
    super(status, code, message);
    this.reason = reason;
    /** The earliest time at which trying again makes sense, on the clock of `process.hrtime`. */
    this.retryAtNs = retryAtNs;
    /** Whether a predicate or an own strategy threw on the way; `cause` is what it threw. */
    this.callbackFailed = callbackFailed;
    /** Of a pick that was to be explained: why there is none. */
    this.explanation = undefined;
  }
}

for (const type of [LoadwiseError, ConfigError, StateError, TicketError, CallbackError, NoNodeError]) {
  Object.defineProperty(type.prototype, 'name', { value: type.name, writable: true, configurable: true });
}

/** By the hundreds of the status. */
const FAMILIES = [LoadwiseError, ConfigError, StateError, TicketError, CallbackError, NoNodeError];

function makeError(status, ...details) {
  const Family = FAMILIES[Math.floor(status / 100)] ?? LoadwiseError;
  return new Family(status, ...details);
}

/** An argument that only JavaScript can get wrong. */
function wrongArgument(key, message) {
  return new ConfigError(100, 'ERR_LOADWISE_CONFIG', `${key}: ${message}`, key, 0);
}

module.exports = {
  LoadwiseError,
  ConfigError,
  StateError,
  TicketError,
  CallbackError,
  NoNodeError,
  makeError,
  wrongArgument,
};
