'use strict';

const field = require('./field.js');

/** One node of a pool, read at the moment that it is asked; undefined once the node is gone. */
class Candidate {
  #raw;

  constructor(raw, index, generation) {
    this.#raw = raw;
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
    return this.#raw.hasLabel(this.index, this.generation, name, value);
  }

  #read(number) {
    return this.#raw.read(this.index, this.generation, number);
  }
}

module.exports = { Candidate };
