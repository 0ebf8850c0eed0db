'use strict';

const native = require('./native.js');
const field = require('./field.js');

/** One node of a pool, read at the moment that it is asked. */
class Candidate {
  #handle;

  constructor(handle, index, generation) {
    this.#handle = handle;
    this.index = index;
    this.generation = generation;
  }

  get id() {
    return this.#read(field.ID);
  }

  get address() {
    return this.#read(field.ADDRESS);
  }

  get name() {
    return this.#read(field.NAME);
  }

  get userData() {
    return this.#read(field.USER_DATA);
  }

  get weight() {
    return this.#read(field.WEIGHT);
  }

  get health() {
    return this.#read(field.HEALTH);
  }

  get inFlight() {
    return this.#read(field.IN_FLIGHT);
  }

  get load() {
    return this.#read(field.LOAD);
  }

  get remainingRatio() {
    return this.#read(field.REMAINING_RATIO);
  }

  hasLabel(name, value) {
    return native.hasLabel(this.#handle.number, this.index, this.generation, name, value);
  }

  #read(number) {
    return native.candidate(this.#handle.number, this.index, this.generation, number);
  }
}

module.exports = { Candidate };
