'use strict';

/** A configuration in force, which can be read as one: its `version` is there to be looked at and no part of it. */
function documentOf({ version, ...document }) {
  return Object.defineProperty(document, 'version', { value: version });
}

/** The same of an engine, whose pools have versions of their own. */
function documentOfEngine({ pools, ...rest }) {
  const documents = Object.entries(pools).map(([name, config]) => [name, documentOf(config)]);
  return documentOf({ pools: Object.fromEntries(documents), ...rest });
}

module.exports = { documentOf, documentOfEngine };
