// node-postgres, which names no types and sends texts.
const c = require('./contract.js');
const { Client, types } = require('pg');

// The types that JavaScript has no exact values of, as they are written.
for (const [oid, read] of [[1114, c.time], [1184, c.time], [1082, String], [1186, c.interval], [114, String]]) types.setTypeParser(oid, read);

(async () => {
  const options = { host: c.host, port: c.port, user: c.user, password: c.password, database: 'holdfast' };
  const client = new Client(options);
  await client.connect();
  const run = async (text, values) => (await client.query(text, values)).rows;
  c.tell('tls', (await run('SHOW ssl'))[0].ssl);
  c.tell('pages', await c.pages(async (n, at) => (await run(c.page, [n, at])).map(row => row.subject)));
  const values = {}, nulls = {};
  for (const [kind, value] of Object.entries(c.values)) {
    values[kind] = c.plain((await run(`SELECT $1::${kind} AS v`, [value]))[0].v);
    nulls[kind] = (await run(`SELECT $1::${kind} AS v`, [null]))[0].v;
  }
  c.tell('values', values);
  c.tell('nulls', nulls);
  c.tell('reads', (await run(c.reads))[0]);
  c.tell('any', Number((await run(c.any, [c.subjects]))[0].count));
  c.tell('not all', Number((await run(c.notAll, [c.subjects]))[0].count));
  c.tell('since', Number((await run(c.since, [new Date('2026-05-10T08:30:00Z')]))[0].count));
  const counts = [];
  for (const form of c.forms) counts.push(Number((await run(c.since, [form]))[0].count));
  c.tell('forms of a time', counts);
  c.tell('infinity', await run(c.since, ['infinity']).then(() => 'no error', error => error.code));
  const fetched = await run("SELECT subject FROM archive.events WHERE type = 'session.started' ORDER BY subject OFFSET $1 ROWS FETCH FIRST $2 ROWS ONLY", [2, 3]);
  c.tell('fetch first', fetched.map(row => row.subject));
  c.tell('no limit', (await run(c.page, [null, null])).length);
  c.tell('negative limit', await run(c.page, [-1, 0]).then(() => 'no error', error => error.code));
  c.tell('negative offset', await run(c.page, [1, -1]).then(() => 'no error', error => error.code));
  c.tell('unknown column', await run(c.unknown).then(() => 'no error', error => [error.code, error.constructor.name]));
  const other = new Client(options);
  const cancelled = run(c.endless).then(() => 'no error', error => error.code);
  setTimeout(() => other.cancel(client, client.activeQuery || client._getActiveQuery()), 400);
  c.tell('cancelled', await cancelled);
  c.tell('afterwards', (await run('SELECT 7::int4 AS v'))[0].v);
  const named = { name: 'named', text: 'SELECT $1::int4 AS v' };
  c.tell('named', [(await client.query({ ...named, values: [1] })).rows[0].v, (await client.query({ ...named, values: [2] })).rows[0].v]);
  await client.end();
  const encrypted = new Client({ ...options, ssl: { ca: require('fs').readFileSync(c.certificate) } });
  await encrypted.connect();
  c.tell('tls when asked for', (await encrypted.query('SHOW ssl')).rows[0].ssl);
  await encrypted.end();
})().catch(error => { console.error(error); process.exit(1); });
