// A server of the demo: answers GET after a random time around its median, `slots` requests at once; the others wait.
//
//     node server.mjs NAME PORT MEDIAN_MS SLOTS

import http from 'node:http';

const [name, port, medianMs, slots] = process.argv.slice(2).map((text, i) => (i === 0 ? text : Number(text)));

const waiting = new Set();
let busy = 0;

/** Log-normal: most answers take about the median, a few three times as long. */
function workMs() {
  const normal = Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
  return medianMs * Math.exp(0.4 * normal);
}

function work(res) {
  busy++;
  setTimeout(() => {
    busy--;
    answer(res);
    const [next] = waiting;
    if (next !== undefined) {
      waiting.delete(next);
      work(next);
    }
  }, workMs());
}

function answer(res) {
  const body = `served by ${name}\n`;
  res.writeHead(200, { 'content-type': 'text/plain', 'content-length': body.length, 'x-node': name });
  res.end(body);
}

const server = http.createServer({ keepAliveTimeout: 60_000 }, (req, res) => {
  if (req.url === '/health') {
    answer(res);
  } else if (busy < slots) {
    work(res);
  } else {
    waiting.add(res);
    res.once('close', () => waiting.delete(res));
  }
});
server.listen(port, '127.0.0.1', 1024);
