'use strict';

// A worker of a cluster that passes requests on to the nodes of a shared pool.

const http = require('node:http');
const { Engine } = require('../..');

const engine = Engine.fromConfig(process.env.ENGINE);
const pool = engine.pool('default');
engine.start({ intervalMs: 50 });

const server = http.createServer((req, res) => {
  const pick = pool.pick();
  const upstream = http.request(`http://${pick.address}${req.url}`, { agent: false }, (answer) => {
    answer.pipe(res.setHeader('x-worker', process.pid));
    answer.once('close', () => pick[answer.complete ? 'success' : 'failure']());
  });
  upstream.once('error', () => pick.failure('connect') && res.destroy()).end();
});
server.listen(0, '127.0.0.1');
// In the middle of the others' work, somebody sees that a node is down.
process.on('message', (id) => process.send({ changed: pool.setHealth(id, 'unhealthy') }));
