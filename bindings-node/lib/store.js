'use strict';

// Where what was learned of nodes is kept: a file, a Map, or any object with `put` and `list`.

const { fileURLToPath } = require('node:url');
const native = require('./native.js');
const { wrongArgument } = require('./errors.js');

/** Keeps a text for each node; of how many. */
async function save(handle, store) {
  const path = pathOf(store);
  if (path !== undefined) {
    return native.saveFile(handle.number, path);
  }
  const put = store instanceof Map ? (id, text) => store.set(id, text) : methodOf(store, 'put');
  const pairs = native.save(handle.number);
  await Promise.all(pairs.map(([id, text]) => put(id, text)));
  return pairs.length;
}

/** Takes up what is kept of the pool's nodes; of how many. */
async function restore(handle, store) {
  const path = pathOf(store);
  if (path !== undefined) {
    return native.restoreFile(handle.number, path);
  }
  const list = store instanceof Map ? () => store : methodOf(store, 'list');
  const pairs = listed(await list());
  return native.restore(
    handle.number,
    pairs.map(([id]) => id),
    pairs.map(([, text]) => text),
  );
}

function pathOf(store) {
  return store instanceof URL ? fileURLToPath(store) : typeof store === 'string' ? store : undefined;
}

function methodOf(store, name) {
  if (typeof store?.[name] !== 'function') {
    throw wrongArgument('store', `must be a path, a Map or an object with put and list; it has no ${name}`);
  }
  return store[name].bind(store);
}

function listed(pairs) {
  const list = pairs?.[Symbol.iterator] === undefined || typeof pairs === 'string' ? [pairs] : Array.from(pairs);
  if (!list.every(Array.isArray)) {
    throw wrongArgument('store', 'its list must give pairs of an id and a text');
  }
  return list;
}

module.exports = { save, restore };
