'use strict';

/** The numbers of `src/data.rs`. */
module.exports = {
  ID: 0,
  ADDRESS: 1,
  NAME: 2,
  USER_DATA: 3,
  WEIGHT: 4,
  HEALTH: 5,
  IN_FLIGHT: 6,
  LOAD: 7,
  REMAINING_RATIO: 8,
};
