// The same as contract.py, for programs in JavaScript.
const [host, port, user, password, certificate] = process.argv.slice(2);
const subjects = ['S-001', 'S-002', 'nobody'];

const page = "SELECT subject FROM archive.events WHERE type = 'session.started' ORDER BY subject LIMIT $1 OFFSET $2";
const any = 'SELECT count(*) AS count FROM archive.events WHERE subject = ANY($1)';
const notAll = "SELECT count(*) AS count FROM archive.events WHERE type = 'session.started' AND subject <> ALL($1)";
const since = 'SELECT count(*) AS count FROM archive.events WHERE time >= $1';
const reads = `SELECT time, time - timestamptz '2026-05-08 04:03:02+00' AS since, rating::numeric(10,2) AS rating,
  ARRAY['a b', NULL, 'c"d,{}'] AS texts, ARRAY[1::int4, NULL, 3::int4] AS numbers
  FROM archive.events WHERE id = 'S-003-50'`;
const unknown = 'SELECT nothing FROM archive.events';
const endless = 'SELECT count(*) AS count FROM generate_series(1, 1000000000000) AS a(value) WHERE a.value % 7 = 9';

const values = {
  bool: true, int2: -1234, int4: 123456789, int8: '9007199254740993', float4: 1.5, float8: 0.1,
  'numeric(20,9)': '1234567890.123456789', text: 'grüße \'q\' "d" \\', date: '2026-11-20',
  timestamp: '2026-11-20T05:06:07.123456', timestamptz: '2026-11-20T05:06:07.123456Z', interval: '3 days 04:05:06.789',
  uuid: 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', bytea: Buffer.from([0, 255, 65]), 'int4[]': [1, null, 3],
  'text[]': ['a b', null, 'c"d,{}'], json: '{"a": [1, 2]}',
};

// One instant in the forms that PostgreSQL reads; from then on there are the events of ten sessions, and two of another one.
const forms = ['2026-05-10 08:29:30', '2026-05-10T08:29:30Z', '2026-05-10T10:29:30+02:00', '2026-05-10 10:29:30+02',
  '2026-05-10 08:29:30 UTC', '20260510T082930', 'May 10 2026 08:29:30', '5/10/2026 08:29:30', '2026-05-10 8:29:30 AM',
  '2026-05-10 04:29:30 America/New_York'];

const tell = (check, got) => console.log(JSON.stringify({ check, got }));

// A time as it is written on the wire, in the form of contract.py.
const time = text => text.replace(' ', 'T').replace(/\+00$/, 'Z');

// An interval as it is written on the wire, in microseconds.
function interval(text) {
  const [, days, hours, minutes, seconds, fraction = ''] = /^(?:(-?\d+) days? ?)?(?:(\d+):(\d+):(\d+)(?:\.(\d+))?)?$/.exec(text);
  return (Number(days || 0) * 86400 + Number(hours || 0) * 3600 + Number(minutes || 0) * 60 + Number(seconds || 0)) * 1e6 +
    Number(fraction.padEnd(6, '0'));
}

const plain = value => Buffer.isBuffer(value) ? value.toString('hex') : value;

async function pages(one) {
  const got = [];
  for (let offset = 0; offset < 48; offset += 8) got.push(...await one(8, offset));
  return got;
}

module.exports = { host, port: Number(port), user, password, certificate, subjects, page, any, notAll, since, reads, unknown,
  endless, values, forms, tell, time, interval, plain, pages };
