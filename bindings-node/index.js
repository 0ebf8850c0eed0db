'use strict';

const { Pool, Pick, Candidate } = require('./lib/pool.js');
const { Engine } = require('./lib/engine.js');
const { Strategy, HealthTracker, select } = require('./lib/alone.js');
const errors = require('./lib/errors.js');

module.exports = {
  Pool,
  Engine,
  Pick,
  Candidate,
  Strategy,
  HealthTracker,
  select,
  LoadwiseError: errors.LoadwiseError,
  ConfigError: errors.ConfigError,
  StateError: errors.StateError,
  TicketError: errors.TicketError,
  CallbackError: errors.CallbackError,
  NoNodeError: errors.NoNodeError,
};
