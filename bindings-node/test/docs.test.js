'use strict';

// Runs what docs/node.md shows, against real servers: its programs by themselves, all other blocks as one.

const assert = require('node:assert/strict');
const { execFileSync, spawn } = require('node:child_process');
const { once } = require('node:events');
const { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } = require('node:fs');
const http = require('node:http');
const { dirname, join } = require('node:path');
const { after, before, test } = require('node:test');
const { Engine } = require('..');
const { skip: noSharing, until } = require('./shared/state.js');

const folder = dirname(__dirname);
const page = readFileSync(join(folder, '..', 'docs', 'node.md'), 'utf8');
const blocks = [...page.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language, text]) => ({ language, text }));
const programs = blocks.flatMap(({ language, text }) => {
  const name = language === 'js' && /^\/\/ (\w+\.mjs)\n/.exec(text)?.[1];
  return name ? [{ name, text }] : [];
});
const installed = (name) => existsSync(join(folder, 'node_modules', name));

let stage;
const servers = [];
const ports = [];
/** What the servers are asked for with a path of /slow, /broken or /500 shows. */
const seen = [];

before(async () => {
  stage = mkdtempSync(join(__dirname, 'types', '.out-'));
  for (let i = 0; i < 3; i++) {
    const server = http.createServer((req, res) => {
      seen.push(req.url);
      if (req.url === '/slow') {
        return res.write('a byte');
      }
      if (req.url === '/broken') {
        res.write('a byte');
        return setImmediate(() => res.destroy());
      }
      res.statusCode = req.url === '/500' ? 500 : 200;
      return req.pipe(res.setHeader('x-server', i));
    });
    servers.push(server.listen(0, '127.0.0.1'));
    await once(server, 'listening');
    ports.push(server.address().port);
  }
});

after(() => {
  rmSync(stage, { recursive: true });
  ['shop', 'models', 'busy'].forEach((name) => rmSync(stateOf(name), { force: true }));
  servers.forEach((server) => server.close() && server.closeAllConnections());
});

/** The text with the addresses of our servers, and states of its own, as a file. */
function written(name, text) {
  const path = join(stage, name);
  const addressed = text.replace(/127\.0\.0\.1:800([123])/g, (_, i) => `127.0.0.1:${ports[i - 1]}`);
  writeFileSync(
    path,
    addressed.replace(/\/dev\/shm\/(\w+)/g, (_, state) => stateOf(state)),
  );
  return path;
}

const stateOf = (name) => `/dev/shm/loadwise-docs-${process.pid}-${name}`;

const program = (name) => written(name, programs.find((one) => one.name === name).text);

/** Runs a file to its end; what it printed. */
async function ran(path) {
  const child = spawn(process.execPath, [path], { stdio: ['ignore', 'pipe', 'pipe'] });
  const [out, complaints] = [[], []];
  child.stdout.on('data', (data) => out.push(data));
  child.stderr.on('data', (data) => complaints.push(data));
  const [code] = await once(child, 'close');
  assert.equal(`${complaints.join('')}${code}`, '0');
  return out.join('');
}

test('the page has its programs', () => {
  assert.deepEqual(
    programs.map(({ name }) => name),
    ['router.mjs', 'retries.mjs', 'exporter.mjs', 'workers.mjs', 'cluster.mjs', 'threads.mjs'],
  );
});

test('the blocks, in order', { skip: noSharing }, async () => {
  const own = blocks.filter(({ language, text }) => language === 'js' && !programs.some((one) => one.text === text));
  assert.equal(own.length, 20);
  const possible = own.filter(({ text }) => !noSharing || !text.includes('shared:'));
  const out = await ran(written('page.mjs', possible.map(({ text }) => text).join('\n')));
  assert.match(out, /connect to 127\.0\.0\.1:\d+/);
});

test('workers', async () => {
  assert.equal((await ran(program('workers.mjs'))).match(/picked/g).length, 2);
});

test('threads', { skip: noSharing }, async () => {
  const picked = (await ran(program('threads.mjs'))).trim().split('\n').sort();
  assert.deepEqual(picked, ['picked gpu-1 true', 'picked gpu-1 true', 'picked gpu-2 true', 'picked gpu-2 true']);
});

test('a cluster is one balancer, also when one of it is killed', { skip: noSharing, timeout: 60_000 }, async () => {
  const PORT = await freePort();
  const primary = spawn(process.execPath, [program('cluster.mjs')], {
    env: { ...process.env, PORT },
    stdio: 'inherit',
  });
  const ended = once(primary, 'exit');
  // On a connection of its own, so that each worker has its turn.
  const get = async (path) => {
    const request = http.get(`http://127.0.0.1:${PORT}${path}`, { agent: false });
    const [answer] = await once(request, 'response');
    return { request, answer };
  };
  try {
    await until('it listens', () => get('/hello').catch(() => false));
    await until('four of them do', () => Engine.view(stateOf('shop')).processes().length === 4);
    const looking = Engine.view(stateOf('shop'));
    const pool = looking.pool('shop');
    const used = new Set();
    for (let i = 0; i < 60; i++) {
      const { answer } = await get('/hello');
      used.add(answer.resume().headers['x-server']);
    }
    assert.equal(used.size, 3);
    const slow = await Promise.all(Array.from({ length: 12 }, () => get('/slow')));
    slow.forEach(({ answer }) => answer.on('error', () => {}));
    await until('only these are in flight', () => pool.stats().inFlight === 12);
    const [victim] = pool.processes().filter(({ inFlight }) => inFlight > 0);
    process.kill(victim.pid, 'SIGKILL');
    await until('what it held is given back', () => pool.stats().inFlight === 12 - victim.inFlight);
    await until('another has its place', () => {
      const pids = pool.processes().map(({ pid }) => pid);
      return pids.length === 4 && !pids.includes(victim.pid);
    });
    slow.forEach(({ request }) => request.destroy());
    await until('nothing is in flight', () => pool.stats().inFlight === 0);
  } finally {
    primary.kill();
    await ended;
  }
});

const noTypeScript = installed('typescript') ? false : 'npm install (it brings TypeScript)';

test('the block in TypeScript', { skip: noTypeScript }, async () => {
  const [{ text }] = blocks.filter(({ language }) => language === 'ts');
  const path = written('using.mts', text);
  const tsc = join(folder, 'node_modules', 'typescript', 'bin', 'tsc');
  const options = [
    '--strict',
    '--target',
    'es2022',
    '--module',
    'nodenext',
    '--lib',
    'es2022,esnext.disposable',
    '--types',
    'node',
  ];
  execFileSync(process.execPath, [tsc, ...options, '--rootDir', folder, '--outDir', stage, path], { cwd: folder });
  const made = join(stage, path.slice(folder.length).replace(/mts$/, 'mjs'));
  assert.match(await ran(made), /connect to/);
});

const noUndici = installed('undici') ? false : 'npm install (it brings undici)';

/** Starts a program that listens; itself, and where. With a look inside, for these tests. */
async function started(name) {
  const inside =
    "process.on('message', () => process.send(pool.nodes().map(({ inFlight, health }) => ({ inFlight, health }))));";
  const text = programs.find((one) => one.name === name).text;
  const port = await freePort();
  const child = spawn(
    process.execPath,
    [written(name, `${text}\nserver.on('listening', () => process.send('up'));\n${inside}`)],
    {
      env: { ...process.env, PORT: port },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    },
  );
  await once(child, 'message');
  return { child, at: `http://127.0.0.1:${port}` };
}

test('the router passes requests on, and holds nothing that is over', { skip: noUndici, timeout: 60_000 }, async () => {
  const { child: router, at } = await started('router.mjs');
  const nodes = async () => {
    router.send('nodes');
    return (await once(router, 'message'))[0];
  };
  const inFlight = async () => (await nodes()).reduce((sum, node) => sum + node.inFlight, 0);
  /** Waits until so many are in flight: what a socket does takes its time. */
  const settled = async (count) => {
    while ((await inFlight()) !== count) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  try {
    const used = new Set();
    for (let i = 0; i < 30; i++) {
      const answer = await fetch(`${at}/hello`, { method: 'POST', body: `body ${i}` });
      assert.equal(await answer.text(), `body ${i}`);
      used.add(answer.headers.get('x-server'));
    }
    assert.equal(used.size, 3);
    await settled(0);

    const client = new AbortController();
    const slow = await fetch(`${at}/slow`, { signal: client.signal });
    assert.equal(slow.status, 200);
    await settled(1);
    client.abort();
    await assert.rejects(slow.text());
    await settled(0);

    await assert.rejects(fetch(`${at}/broken`).then((answer) => answer.text()));
    await settled(0);
    assert.equal((await fetch(`${at}/500`)).status, 500);
    await settled(0);
    assert.deepEqual(
      (await nodes()).filter(({ health }) => health === 'unhealthy'),
      [],
    );

    servers[0].close();
    servers[0].closeAllConnections();
    const answers = await Promise.all(
      Array.from({ length: 60 }, () => fetch(`${at}/hello`).then(({ status }) => status)),
    );
    assert.ok(
      answers.every((status) => status === 200 || status === 502),
      `${answers}`,
    );
    const later = [];
    for (let i = 0; i < 30; i++) {
      later.push((await fetch(`${at}/hello`)).status);
    }
    assert.ok(
      later.slice(-10).every((status) => status === 200),
      'the node that is down is left out',
    );
    await settled(0);
    assert.ok(seen.includes('/slow'));
  } finally {
    router.kill();
  }
});

test('with retries, one server that is down is not noticed', { skip: noUndici, timeout: 60_000 }, async () => {
  const { child: router, at } = await started('retries.mjs');
  try {
    // The one that the test before has ended is the first of the three.
    for (let i = 0; i < 30; i++) {
      const answer = await fetch(`${at}/hello`, { method: 'POST', body: `body ${i}` });
      assert.deepEqual([answer.status, await answer.text()], [200, `body ${i}`]);
    }
    assert.equal((await fetch(`${at}/500`)).status, 500, 'from every server');
    await assert.rejects(
      fetch(`${at}/broken`).then((answer) => answer.text()),
      'after its first byte',
    );
    for (;;) {
      router.send('nodes');
      const [nodes] = await once(router, 'message');
      if (nodes.every(({ inFlight }) => inFlight === 0)) {
        break;
      }
    }
  } finally {
    router.kill();
  }
});

test("an exporter of one's own tells what the built-in one tells", { timeout: 60_000 }, async () => {
  const { child: exporter, at } = await started('exporter.mjs');
  try {
    const [own, prometheus] = await Promise.all(
      ['/', '/metrics'].map(async (path) => (await fetch(`${at}${path}`)).text()),
    );
    const successes = [...own.matchAll(/^default\.127_0_0_1_\d+\.successes:(\d+)\|g$/gm)].map(([, count]) =>
      Number(count),
    );
    assert.deepEqual([successes.length, successes[0] + successes[1]], [2, 100]);
    assert.match(own, /^default\.no_node\.rate_limited:0\|g$/m);
    assert.match(own, /\.failures\.server_error:0\|g$/m);
    const counted = [...prometheus.matchAll(/^loadwise_node_successes_total\{.*\} (\d+)$/gm)];
    assert.deepEqual(
      counted.map(([, count]) => Number(count)),
      successes,
    );
  } finally {
    exporter.kill();
  }
});

async function freePort() {
  const server = http.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  return port;
}
