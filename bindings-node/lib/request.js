'use strict';

const native = require('./native.js');
const { Candidate } = require('./candidate.js');
const { Pick } = require('./pick.js');
const { NoNodeError, wrongArgument } = require('./errors.js');
const { registers, TICKET, INDEX, GENERATION, FLAG } = require('./registers.js');

/** A pick with conditions or callbacks; its ticket. `failure` gets what a callback threw first. */
function ask(handle, request = {}, failure) {
  const { key, exclude, require: labels, health, predicate, nowNs, zone, session, cost } = asObject(request, 'request');
  if (predicate !== undefined || handle.own !== undefined) {
    askAll(native.askMore, handle, request, failure);
  } else if (zone === undefined && session === undefined && cost === undefined) {
    native.ask(handle.number, key, asList(exclude), labels, health, undefined, nowNs);
  } else {
    native.askMore(
      handle.number,
      key,
      asList(exclude),
      labels,
      health,
      undefined,
      nowNs,
      undefined,
      zone,
      session,
      cost,
    );
  }
  return registers[TICKET];
}

/** Gives `question`, a function of the addon, everything that a request may have. */
function askAll(question, handle, request = {}, failure = { error: undefined }) {
  const { number, own } = handle;
  const { key, exclude, require: labels, health, predicate, nowNs, zone, session, cost } = asObject(request, 'request');
  const accepts = contained(predicate, failure, (index, generation) =>
    Boolean(predicate(new Candidate(handle, index, generation))),
  );
  const choose = contained(own, failure, (table, asked) => own(candidates(handle, table), asked) ?? null);
  try {
    return question(number, key, asList(exclude), labels, health, accepts, nowNs, choose, zone, session, cost);
  } catch (error) {
    throw withCause(error, failure);
  }
}

/** The error with what a callback threw as its cause. */
function withCause(error, failure) {
  if (error instanceof NoNodeError && error.callbackFailed && failure.error !== undefined) {
    error.cause = failure.error;
  }
  return error;
}

/** The pick that was just made. */
function lastPick(handle, failure) {
  const [ticket, index, generation] = [registers[TICKET], registers[INDEX], registers[GENERATION]];
  return new Pick(handle, ticket, index, generation, registers[FLAG] === 1, failure.error);
}

/** `call`, which tells the addon of an exception by returning undefined; what is no function stays for it to refuse. */
function contained(callback, failure, call) {
  if (typeof callback !== 'function') {
    return callback;
  }
  return (first, second) => {
    try {
      return call(first, second);
    } catch (error) {
      failure.error ??= error;
      return undefined;
    }
  };
}

function candidates(handle, table) {
  return Array.from({ length: table.length / 2 }, (_, i) => new Candidate(handle, table[2 * i], table[2 * i + 1]));
}

function asObject(value, name) {
  if (typeof value !== 'object' || value === null) {
    throw wrongArgument(name, `must be an object, not ${value === null ? 'null' : typeof value}`);
  }
  return value;
}

function asFunction(value, name) {
  if (typeof value !== 'function') {
    throw wrongArgument(name, `must be a function, not ${value === null ? 'null' : typeof value}`);
  }
  return value;
}

/** A number of milliseconds of at least `least`. */
function asMilliseconds(value, name, least = 0) {
  if (typeof value !== 'number' || !(value >= least)) {
    throw wrongArgument(name, `must be a number of milliseconds of at least ${least}, not ${String(value)}`);
  }
  return value;
}

/** An AbortSignal, or undefined. */
function asSignal(value) {
  if (value !== undefined && !(value instanceof AbortSignal)) {
    throw wrongArgument('signal', 'must be an AbortSignal');
  }
  return value;
}

/** Sets and other collections as the list that the addon takes. */
function asList(values) {
  return typeof values === 'object' && values !== null && !Array.isArray(values) && values[Symbol.iterator]
    ? Array.from(values)
    : values;
}

module.exports = { ask, askAll, withCause, lastPick, asObject, asFunction, asMilliseconds, asSignal, asList };
