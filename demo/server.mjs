// A server of the demo: answers GET after a random time around its median, `slots` requests at once; the others wait.
//
//     node server.mjs NAME PORT MEDIAN_MS SLOTS
//
// POST /mode with {"mode": ...} makes it misbehave: fail (500 at once), half (every second request), slow (10 times its
// median), stall (no answer), reset (the connection breaks), limit (429, or another status, with Retry-After: retryAfterS);
// ok ends that.
// GET /counts tells how many requests came, and how many were answered at once at most.

import http from 'node:http';

const [name, port, medianMs, slots] = process.argv.slice(2).map((text, i) => (i === 0 ? text : Number(text)));

const waiting = new Set();
let busy = 0;
let mode = { mode: 'ok' };
const counts = { requests: 0, peak: 0 };

/** Log-normal: most answers take about the median, a few three times as long. */
function workMs() {
  const normal = Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
  return (mode.mode === 'slow' ? 10 : 1) * medianMs * Math.exp(0.4 * normal);
}

function work(res) {
  busy++;
  counts.peak = Math.max(counts.peak, busy);
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

function answer(res, status = 200, headers = {}) {
  const body = `served by ${name}\n`;
  res.writeHead(status, { 'content-type': 'text/plain', 'content-length': body.length, 'x-node': name, ...headers });
  res.end(body);
}

/** Whether the request has been dealt with by misbehaving. */
function misbehaves(res) {
  switch (mode.mode) {
    case 'fail':
      answer(res, 500);
      return true;
    case 'half':
      if (counts.requests % 2 === 0) answer(res, 500);
      return counts.requests % 2 === 0;
    case 'limit':
      answer(res, mode.status ?? 429, { 'retry-after': String(mode.retryAfterS) });
      return true;
    case 'reset':
      res.destroy();
      return true;
    case 'stall':
      return true;
    default:
      return false;
  }
}

function control(req, res) {
  let text = '';
  req.on('data', (chunk) => (text += chunk));
  req.on('end', () => {
    mode = JSON.parse(text);
    answer(res);
  });
}

const server = http.createServer({ keepAliveTimeout: 60_000 }, (req, res) => {
  if (req.url === '/mode') return control(req, res);
  if (req.url === '/counts') return res.end(JSON.stringify(counts));
  if (req.url === '/health') return answer(res, ['ok', 'slow'].includes(mode.mode) ? 200 : 503);
  counts.requests++;
  if (misbehaves(res)) return;
  if (busy < slots) {
    work(res);
  } else {
    waiting.add(res);
    res.once('close', () => waiting.delete(res));
  }
});
server.listen(port, '127.0.0.1', 1024);
