// Postgres.js, which asks for the types of a statement before it sends its values.
const c = require('./contract.js');
const postgres = require('postgres');

(async () => {
  const type = (oid, parse) => ({ to: oid, from: [oid], serialize: String, parse });
  const sql = postgres({
    host: c.host, port: c.port, user: c.user, pass: c.password, database: 'holdfast', max: 1, onnotice: () => {},
    types: { time: type(1114, c.time), instant: type(1184, c.time), day: type(1082, String), span: type(1186, c.interval), text: type(114, String) },
  });
  const run = (text, values) => sql.unsafe(text, values);
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
  c.tell('any', Number((await sql`SELECT count(*) AS count FROM archive.events WHERE subject = ANY(${c.subjects})`)[0].count));
  c.tell('in', Number((await sql`SELECT count(*) AS count FROM archive.events WHERE subject IN ${sql(c.subjects)}`)[0].count));
  c.tell('since', Number((await run(c.since, ['2026-05-10T08:30:00Z']))[0].count));
  c.tell('negative limit', await run(c.page, [-1, 0]).then(() => 'no error', error => error.code));
  c.tell('unknown column', await run(c.unknown).then(() => 'no error', error => [error.code, error.constructor.name]));
  const endless = run(c.endless);
  setTimeout(() => endless.cancel(), 400);
  c.tell('cancelled', await endless.then(() => 'no error', error => error.code));
  c.tell('afterwards', (await run('SELECT 7::int4 AS v'))[0].v);
  let rows = 0;
  await sql`SELECT id FROM archive.events ORDER BY id`.cursor(7, part => { rows += part.length; });
  c.tell('cursor', rows);
  const modes = await sql.begin('isolation level serializable read only deferrable', async inner => {
    const shown = [];
    for (const mode of ['read_only', 'isolation', 'deferrable']) shown.push(Object.values((await inner.unsafe(`SHOW transaction_${mode}`))[0])[0]);
    return shown;
  });
  c.tell('transaction', modes);
  await sql.end();
})().catch(error => { console.error(error); process.exit(1); });
