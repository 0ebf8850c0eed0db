import loadwise from './index.js';

export const {
  Pool,
  Engine,
  Pick,
  Candidate,
  Strategy,
  HealthTracker,
  select,
  LoadwiseError,
  ConfigError,
  StateError,
  TicketError,
  CallbackError,
  NoNodeError,
} = loadwise;
