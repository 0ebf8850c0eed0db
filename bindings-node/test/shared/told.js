'use strict';

// Processes and threads that do as they are told: each is sent functions, which it calls with what it has.

const cluster = require('node:cluster');
const { fork } = require('node:child_process');
const { once } = require('node:events');
const { Worker, isMainThread, parentPort } = require('node:worker_threads');

/** One of them, as those see it who tell it what to do. */
class Told {
  #asked = new Map();
  #last = 0;

  constructor(agent) {
    this.agent = agent;
    this.exit = once(agent, 'exit');
    // Who waits for it hears of an error.
    this.exit.catch(() => {});
    agent.on('message', ({ id, answer, error }) => {
      const { resolve, reject } = this.#asked.get(id);
      this.#asked.delete(id);
      return error === undefined ? resolve(answer) : reject(Object.assign(new Error(error.message), error));
    });
  }

  /** What `body(me, ...given)` returns there. It has nothing of what stands around it here. */
  run(body, ...given) {
    const id = ++this.#last;
    const answer = new Promise((resolve, reject) => this.#asked.set(id, { resolve, reject }));
    const message = { id, body: String(body), given };
    this.agent.postMessage?.(message) ?? this.agent.send?.(message);
    return answer;
  }

  get pid() {
    return this.agent.pid ?? this.agent.process?.pid;
  }

  /** Ends a process at once, whatever it is at, if it has not ended. */
  async kill() {
    (this.agent.process ?? this.agent).kill('SIGKILL');
    await this.exit;
  }

  /** Lets a process or a thread come to its end, with what it holds; its exit code. */
  async leave() {
    await this.run((me) => void setImmediate(me.leave));
    return (await this.exit)[0];
  }
}

const forked = () => new Told(fork(__filename));
const threaded = () => new Told(new Worker(__filename));

/** A worker of a cluster. */
function clustered() {
  cluster.setupPrimary({ exec: __filename });
  return new Told(cluster.fork());
}

if (require.main === module || !isMainThread) {
  const end = parentPort ?? process;
  const send = (message) => (parentPort === null ? process.send(message) : parentPort.postMessage(message));
  const me = {
    loadwise: require('../..'),
    require,
    held: [],
    /** Opens an engine and has its pool of a name. */
    open(config, name = 'default') {
      me.engine = me.loadwise.Engine.fromConfig(config);
      me.pool = me.engine.pool(name);
    },
    /** Picks and holds so many; the ids of the nodes. */
    picks(count) {
      return Array.from({ length: count }, () => {
        me.held.push(me.pool.pick());
        return me.held.at(-1).node;
      });
    },
    /** Finishes all that it holds; how many were open. */
    finish() {
      return me.held.splice(0).filter((pick) => pick.success()).length;
    },
    leave: () => (parentPort === null ? process.disconnect() : parentPort.close()),
  };
  end.on('message', async ({ id, body, given }) => {
    try {
      send({ id, answer: await (0, eval)(`(${body})`)(me, ...given) });
    } catch ({ message, code, status, reason }) {
      send({ id, error: { message, code, status, reason } });
    }
  });
}

module.exports = { clustered, forked, threaded };
