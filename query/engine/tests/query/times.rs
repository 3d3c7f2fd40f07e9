//! Times before 1678 and after 2261: no statement over the events fails because one claims such a time.

use crate::fixture::{Fixture, JUNE, MAY, event, rows};
use holdfast_query::Session;
use holdfast_testkit::postgres::Postgres;
use holdfast_testkit::require;
use serde_json::json;

/// What the events claim. The last is in the year 10000.
const CLAIMS: [&str; 6] = [
    "0001-01-01T00:00:00Z",
    "1677-09-20T00:00:00Z",
    "2026-05-10T08:00:00Z",
    "2262-04-12T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "9999-12-31T23:59:59-05:00",
];
/// The same in microseconds since 1970.
const MICROSECONDS: [i64; 6] = [
    -62_135_596_800_000_000,
    -9_223_459_200_000_000,
    1_778_400_000_000_000,
    9_223_372_800_000_000,
    253_402_300_799_000_000,
    253_402_318_799_000_000,
];

async fn archive() -> Fixture {
    let mut fixture = Fixture::empty();
    let line = |(index, claim): (usize, &&str)| {
        let data = json!({"seq": index, "sender": "agent", "text": "x", "lang": "en"});
        event("chat.line", &index.to_string(), "S-1", claim, data)
    };
    fixture.write(MAY, &CLAIMS.iter().enumerate().map(line).collect::<Vec<_>>()).await;
    fixture
}

/// A whole number for each event, in the order of their times.
async fn numbers(session: &Session, expression: &str) -> Vec<i64> {
    let is_number = ["date_part", "extract"].iter().any(|function| expression.starts_with(function));
    let number = if is_number { expression.to_owned() } else { format!("extract(epoch from {expression}) * 1000000") };
    let sql = format!("select arrow_cast({number}, 'Int64') as x from events order by time");
    rows(session, &sql).await.iter().map(|row| row.parse().unwrap_or_else(|_| panic!("{sql}: {row}"))).collect()
}

#[tokio::test]
async fn every_figure_of_odd_times_is_right() {
    const DAY: i64 = 86_400_000_000;
    let session = archive().await.as_officer();
    assert_eq!(numbers(&session, "time").await, MICROSECONDS);
    let months = [
        -62_135_596_800_000_000,
        -9_225_100_800_000_000,
        1_777_593_600_000_000,
        9_222_422_400_000_000,
        253_399_622_400_000_000,
        253_402_300_800_000_000,
    ];
    assert_eq!(numbers(&session, "date_trunc('month', time)").await, months);
    assert_eq!(numbers(&session, "date_part('year', time)").await, [1, 1677, 2026, 2262, 9999, 10000]);
    assert_eq!(numbers(&session, "extract(century from time)").await, [1, 17, 21, 23, 100, 100]);
    let days = MICROSECONDS.map(|time| time.div_euclid(DAY) * DAY);
    assert_eq!(numbers(&session, "date_bin('1 day', time, timestamptz '2001-01-01 00:00:00Z')").await, days);
    // Tokyo has had no other time since 1887.
    let tokyo = numbers(&session, "time at time zone 'Asia/Tokyo'").await;
    assert_eq!(tokyo[2..], MICROSECONDS[2..].iter().map(|time| time + 9 * DAY / 24).collect::<Vec<_>>());
    let since = MICROSECONDS.map(|time| (time - MICROSECONDS[2]) / 1_000_000);
    assert_eq!(numbers(&session, "date_part('epoch', time - timestamptz '2026-05-10 08:00:00Z')").await, since);
    assert_eq!(numbers(&session, "time + interval '1 day'").await, MICROSECONDS.map(|time| time + DAY));

    let count = async |condition: &str| {
        let sql = format!("select count(*) from events where {condition}");
        rows(&session, &sql).await[0].parse::<u32>().unwrap()
    };
    assert_eq!(count("time < now()").await, 3);
    assert_eq!(count("time between timestamptz '2026-01-01' and now() + interval '8000 years'").await, 4);
    assert_eq!(count("time >= '2026-05-10'").await, 4);
    assert_eq!(count("time < date '2026-05-10'").await, 2);
    assert_eq!(count("now() - time > interval '1 hour'").await, 3);
    let sql = "select count(*) from (select time - lag(time) over (order by time) as gap from events) where gap > interval '300 years'";
    assert_eq!(rows(&session, sql).await, ["3"]);
    assert_eq!(count("to_char(time, 'YYYY') = '0001'").await, 1);
    assert_eq!(count("cast(time as text) like '9999%'").await, 1);
    assert_eq!(count("cast(time as date) = date '2026-05-10'").await, 1);
    assert_eq!(count("least(time, now()) < timestamptz '1700-01-01'").await, 2);
    assert_eq!(count("date_trunc('day', time) in (select date_trunc('day', time) from events)").await, 6);
    // Nanoseconds are compared as microseconds.
    assert_eq!(count("arrow_cast('2026-05-10T08:00:00Z', 'Timestamp(Nanosecond, Some(\"UTC\"))') = time").await, 1);
}

#[tokio::test]
async fn a_view_shows_no_implausible_time() {
    let fixture = archive().await;
    let session = fixture.as_officer();
    let sql = "select time is null, count(*) from chat_lines group by 1 order by 1";
    assert_eq!(rows(&session, sql).await, ["false|1", "true|5"]);
    let sql = "select time from chat_lines where time >= '2000-01-01'";
    assert_eq!(rows(&session, sql).await, ["2026-05-10T08:00:00Z"]);
    assert_eq!(rows(&session, "select count(*) from chat_lines where time < '2000-01-01'").await, ["0"]);
    let sql = "select count(*) from deduplicated_events where time < '2000-01-01' and time_implausible";
    assert_eq!(rows(&session, sql).await, ["2"]);
    // The filter still selects files by their times.
    let plan = rows(&session, "explain select time from chat_lines where time >= '2000-01-01'").await.join("\n");
    assert!(plan.contains("time >= ") && !plan.contains("END >="), "{plan}");
}

#[tokio::test]
async fn a_filter_on_the_time_of_a_view_selects_files() {
    let mut fixture = Fixture::empty();
    for (month, day, seq) in [(MAY, "2026-05-10", 1), (JUNE, "2026-06-10", 2)] {
        let data = json!({"seq": seq, "sender": "agent", "text": "x", "lang": "en"});
        fixture.write(month, &[event("chat.line", &seq.to_string(), "S-1", &format!("{day}T08:00:00Z"), data)]).await;
    }
    let session = fixture.as_officer();
    let files = async |table: &str, condition: &str| {
        let plan = rows(&session, &format!("explain select time from {table} where {condition}")).await.join("\n");
        let lines = plan.lines().filter(|line| line.contains("time")).collect::<Vec<_>>();
        lines.iter().map(|line| line.matches(".parquet").count()).max().unwrap_or_default()
    };
    for table in ["events", "chat_lines"] {
        assert_eq!(files(table, "true").await, 2, "{table}");
        for condition in [
            "time >= '2026-06-01'",
            "time::date = '2026-06-10'",
            "time::date between '2026-06-09' and '2026-06-11'",
            "time between '2026-06-01' and '2026-06-15'",
            "time in ('2026-06-10T08:00:00Z', '2026-06-10T09:00:00Z')",
            "time in ('2026-06-10T08:00:00Z', '2026-06-11', '2026-06-12', '2026-06-13', '2026-06-14')",
            "(time >= '2026-06-01' and time < '2026-06-02') or time::date >= '2026-06-10'",
        ] {
            assert_eq!(files(table, condition).await, 1, "{table}: {condition}");
            let sql = format!("select count(*) from {table} where {condition}");
            assert_eq!(rows(&session, &sql).await, ["1"], "{sql}");
        }
    }
}

#[tokio::test]
async fn computed_times_are_grouped_and_united() {
    let session = archive().await.as_officer();
    for (sql, expected) in [
        ("select time::text, count(*) from events group by rollup(time::text)", 7),
        ("select id, id || 'x', count(*) from events group by cube(id, id || 'x')", 19),
        ("select archived_at - time from events union select archived_at - time from events", 6),
        ("select time::text as t from events union select id from events", 12),
        (
            "select t, count(*) from (select time - interval '1 day' as t from events union all select time from events) x group by t",
            12,
        ),
    ] {
        assert_eq!(rows(&session, sql).await.len(), expected, "{sql}");
    }
}

#[tokio::test]
async fn tickets_with_an_implausible_time_have_no_time() {
    let mut fixture = Fixture::empty();
    let ticket = |kind: &str, id: &str, subject: &str, time: &str| event(kind, id, subject, time, json!({}));
    let events = [
        ticket("ticket.opened", "1", "T-1", "2026-05-09T08:00:00Z"),
        ticket("ticket.closed", "2", "T-1", "9999-12-31T00:00:00Z"),
        ticket("ticket.opened", "3", "T-2", "0001-01-01T00:00:00Z"),
        ticket("ticket.closed", "4", "T-2", "2026-05-10T08:00:00Z"),
    ];
    fixture.write(MAY, &events).await;
    let sql = "select ticket, opened_at, closed_at, status from tickets order by ticket";
    let expected = ["T-1|2026-05-09T08:00:00Z||closed", "T-2||2026-05-10T08:00:00Z|closed"];
    assert_eq!(rows(&fixture.as_officer(), sql).await, expected);
}

/// Microseconds since 1970 within what PostgreSQL holds: 4713 BC to 294276 AD.
const TIMES: [i64; 12] = [
    -150_000_000_000_000_000,
    -65_291_270_400_000_001,
    -62_135_596_800_000_000,
    -62_135_596_800_000_001,
    -9_223_459_200_000_000,
    -1,
    0,
    1_778_400_000_123_456,
    1_782_864_000_000_000,
    253_402_318_799_000_000,
    4_102_444_800_000_000,
    9_000_000_000_000_000_000,
];

/// Whole numbers in the engine and in PostgreSQL. `t` is a time with a zone.
const NUMBERS: [&str; 14] = [
    "extract(year from t)",
    "extract(isoyear from t)",
    "extract(month from t)",
    "extract(day from t)",
    "extract(week from t)",
    "extract(quarter from t)",
    "extract(dow from t)",
    "extract(isodow from t)",
    "extract(doy from t)",
    "extract(hour from t)",
    "extract(minute from t)",
    "extract(decade from t)",
    "extract(century from t)",
    "extract(millennium from t)",
];

/// Times with a zone in both.
const INSTANTS: [&str; 19] = [
    "t",
    "date_trunc('microseconds', t)",
    "date_trunc('milliseconds', t)",
    "date_trunc('second', t)",
    "date_trunc('minute', t)",
    "date_trunc('hour', t)",
    "date_trunc('day', t)",
    "date_trunc('week', t)",
    "date_trunc('month', t)",
    "date_trunc('quarter', t)",
    "date_trunc('year', t)",
    "date_trunc('decade', t)",
    "date_trunc('century', t)",
    "date_trunc('millennium', t)",
    "date_bin('15 minutes', t, timestamptz '2001-01-01 00:07:00Z')",
    "date_bin('7 days 1 second', t, timestamptz '2001-01-01 00:00:00Z')",
    "t + interval '1 month'",
    "t - interval '1 year 1 month 1 day 1 hour 1 microsecond'",
    "(t at time zone 'UTC') at time zone '+03'",
];

#[tokio::test]
async fn answers_are_those_of_postgresql() {
    let server = require!(Postgres::start().await);
    let session = Fixture::empty().as_officer();
    let check = |checks: Vec<String>| {
        let sql = format!(
            "set timezone = 'UTC'; do $check$ declare wrong text; begin \
             select string_agg(what || ': ' || ours || ' and not ' || theirs, '; ') into wrong from ({}) checks \
             where ours is distinct from theirs; \
             if wrong is not null then raise exception '%', wrong; end if; end $check$",
            checks.join(" union all ")
        );
        server.execute(&sql).unwrap();
    };
    for time in TIMES {
        let mut checks = Vec::new();
        let numbers = NUMBERS.iter().map(|number| format!("arrow_cast({number}, 'Int64')"));
        let instants = INSTANTS.iter().map(|instant| format!("arrow_cast({instant}, 'Int64')"));
        let columns: Vec<String> = numbers.chain(instants).enumerate().map(|(n, x)| format!("{x} as c{n}")).collect();
        let sql = format!("select {} from (select to_timestamp_micros({time}) as t)", columns.join(", "));
        let ours = rows(&session, &sql).await.remove(0);
        let (days, rest) = (time.div_euclid(86_400_000_000), time.rem_euclid(86_400_000_000));
        let theirs = format!(
            "timestamptz '1970-01-01 00:00:00Z' + {days} * interval '1 day' + {rest} * interval '1 microsecond'"
        );
        let instants = INSTANTS.iter().map(|instant| format!("extract(epoch from {instant}) * 1000000"));
        let asked = NUMBERS.iter().map(|number| (*number).to_owned()).chain(instants);
        for (expression, answer) in asked.zip(ours.split('|')) {
            checks.push(format!(
                "select {} as what, {answer}::numeric as ours, ({expression})::numeric as theirs from (select {theirs} as t) x",
                quoted(&format!("{expression} of {time}"))
            ));
        }
        check(checks);
    }
    let mut checks = Vec::new();
    // A time that clocks show twice, or leave out.
    for local in ["2026-03-29 02:30:00", "2026-03-29 03:00:00", "2026-10-25 02:30:00", "2026-10-25 03:00:00"] {
        let expression = format!("timestamp '{local}' at time zone 'Europe/Berlin'");
        let answer = rows(&session, &format!("select arrow_cast({expression}, 'Int64')")).await.remove(0);
        checks.push(format!(
            "select {} as what, {answer}::numeric as ours, (extract(epoch from {expression}) * 1000000)::numeric as theirs",
            quoted(&expression)
        ));
    }
    check(checks);
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
