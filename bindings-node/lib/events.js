'use strict';

const native = require('./native.js');
const { asFunction, asObject } = require('./request.js');

/** Has `listener` called with what happens in a pool; the observer's number. What it throws becomes a warning. */
function observe(handle, listener, options = {}) {
  asFunction(listener, 'listener');
  const { selections } = asObject(options, 'options');
  const tell = (event) => {
    try {
      listener(event)?.then?.(undefined, warn);
    } catch (error) {
      warn(error);
    }
  };
  const id = native.observe(handle.number, tell, selections);
  // The addon does not keep it.
  handle.observers.set(id, tell);
  return id;
}

function stopObserving(handle, id) {
  handle.observers.delete(id);
  return native.stopObserving(handle.number, id);
}

function warn(error) {
  process.emitWarning(error instanceof Error ? error : `a listener of a loadwise pool threw ${String(error)}`);
}

module.exports = { observe, stopObserving };
