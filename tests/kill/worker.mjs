// A worker that is always in the midst of picking or finishing: `node worker.mjs PATH POOL` attaches to the state at PATH
// and goes round on the pool of that name, eight picks open at a time at most. It writes `ready` first.
//
//   pause   stops; one line {"held": open picks, "picks": all that found a node, "errors": picks and finishes that failed,
//           "repeats": picks that needed more than one try}; then waits for
//   go      goes on
//   quit    finishes all, and ends; so does the end of its input

import { createInterface } from 'node:readline';
import { Engine } from '../../bindings-node/index.mjs';

const HELD = 8;
/** Picks between two looks at the input. */
const LOOK_EVERY = 256;

const [path, name] = process.argv.slice(2);
const engine = Engine.attach(path);
const pool = engine.pool(name);
const { acquire, release } = pool;
const held = [];
let [picks, errors, finished] = [0, 0, 0];
/** The next burst; there is none while it is stopped. */
let next;

function pickOne() {
  try {
    held.push(acquire());
    picks++;
  } catch {
    errors++;
  }
}

function finishOldest() {
  finished++;
  const outcome = finished % 13 === 0 ? 'cancelled' : finished % 7 === 0 ? 'failure' : undefined;
  if (!release(held.shift(), outcome)) {
    errors++;
  }
}

function work() {
  for (let i = 0; i < LOOK_EVERY; i++) {
    if (held.length === HELD) {
      finishOldest();
    }
    pickOne();
  }
  next = setImmediate(work);
}

function stop() {
  clearImmediate(next);
  next = undefined;
}

const input = createInterface({ input: process.stdin });

const orders = {
  pause() {
    stop();
    const { repeats } = pool.processes().find(({ isOwn }) => isOwn);
    console.log(JSON.stringify({ held: held.length, picks, errors, repeats }));
  },
  go() {
    next ??= setImmediate(work);
  },
  quit: () => input.close(),
};

input.on('line', (line) => orders[line]());
input.once('close', () => {
  stop();
  while (held.length > 0) {
    finishOldest();
  }
  engine.close();
  process.stdin.destroy();
});

console.log('ready');
orders.go();
