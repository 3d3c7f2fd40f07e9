//! The statements that every kind of CRM must answer equally.

use crate::fixture::{query, sent};
use datafusion::prelude::SessionContext;

/// Statements and their results.
const ANSWERS: &[(&str, &[&str])] = &[
    ("SELECT count(*) FROM crm.tickets", &["5"]),
    (
        "SELECT ticket, opened_at, closed_at, issue_type, priority, status, owner, customer \
         FROM crm.tickets WHERE ticket = 'T-1'",
        &["T-1|2024-01-02T10:00:00Z|2024-01-02T12:30:00.250Z|printer||closed|Zoë|1"],
    ),
    ("SELECT ticket FROM crm.tickets WHERE owner = '李雷'", &["T-2"]),
    ("SELECT ticket FROM crm.tickets WHERE owner = 'O''Brien'", &["T-3"]),
    (r"SELECT ticket FROM crm.tickets WHERE owner = 'back\slash'", &["T-5"]),
    (r"SELECT ticket FROM crm.tickets WHERE owner = '\'' OR 1=1 -- '", &[]),
    ("SELECT ticket FROM crm.tickets WHERE owner IS NULL", &["T-4"]),
    ("SELECT ticket FROM crm.tickets WHERE issue_type IN ('network', 'x') ORDER BY ticket DESC", &["T-5", "T-3"]),
    ("SELECT ticket FROM crm.tickets WHERE opened_at >= '2024-04-05T07:00:00Z' ORDER BY ticket", &["T-4", "T-5"]),
    ("SELECT ticket FROM crm.tickets WHERE customer = '2' ORDER BY ticket LIMIT 1", &["T-2"]),
    ("SELECT status, count(*) FROM crm.tickets GROUP BY status ORDER BY status", &["closed|2", "open|3"]),
    (
        "SELECT issue_type FROM crm.tickets GROUP BY issue_type ORDER BY issue_type NULLS FIRST",
        &["", "network", "printer"],
    ),
    ("SELECT ticket FROM crm.tickets WHERE lower(status) LIKE 'cl%' ORDER BY opened_at DESC", &["T-3", "T-1"]),
    (
        "SELECT s.session, t.owner FROM sessions s LEFT JOIN crm.tickets t ON s.ticket = t.ticket \
         ORDER BY s.session",
        &["s1|Zoë", r"s2|back\slash", "s3|"],
    ),
    ("WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT count(*) FROM n", &["3"]),
    ("SELECT session FROM sessions WHERE ticket IN (SELECT ticket FROM crm.tickets WHERE status = 'open')", &["s2"]),
];

/// Nested parts that must stay separate when they are written as one statement.
const NESTED: &[(&str, &[&str])] = &[
    ("SELECT ticket FROM crm.tickets ORDER BY opened_at LIMIT 2", &["T-1", "T-2"]),
    ("SELECT ticket FROM crm.tickets ORDER BY opened_at LIMIT 2 OFFSET 1", &["T-2", "T-3"]),
    (
        "SELECT ticket FROM (SELECT ticket, status FROM crm.tickets ORDER BY opened_at LIMIT 3) x \
         WHERE status = 'open'",
        &["T-2"],
    ),
    (
        "SELECT ticket FROM (SELECT ticket, opened_at FROM crm.tickets ORDER BY opened_at LIMIT 3) x \
         ORDER BY opened_at DESC LIMIT 1",
        &["T-3"],
    ),
    ("SELECT count(*) FROM (SELECT ticket FROM crm.tickets LIMIT 3) x", &["3"]),
    ("SELECT count(*) FROM (SELECT ticket FROM crm.tickets ORDER BY opened_at LIMIT 3) x", &["3"]),
    (
        "SELECT status, count(*) FROM (SELECT status FROM crm.tickets ORDER BY opened_at LIMIT 3) x \
         GROUP BY status ORDER BY status",
        &["closed|2", "open|1"],
    ),
    ("SELECT count(*) FROM (SELECT status FROM crm.tickets GROUP BY status LIMIT 1) x", &["1"]),
    ("SELECT count(*) FROM (SELECT ticket FROM (SELECT ticket FROM crm.tickets LIMIT 2) x LIMIT 4) y", &["2"]),
    ("SELECT status FROM crm.tickets GROUP BY status HAVING count(*) > 2", &["open"]),
    ("SELECT DISTINCT status FROM crm.tickets ORDER BY status", &["closed", "open"]),
    ("SELECT count(DISTINCT status), count(DISTINCT customer), count(customer) FROM crm.tickets", &["2|2|4"]),
    (
        "SELECT s, n FROM (SELECT status AS s, count(*) AS n FROM crm.tickets GROUP BY status) x WHERE n > 2",
        &["open|3"],
    ),
    ("SELECT max(n) FROM (SELECT status, count(*) AS n FROM crm.tickets GROUP BY status) x", &["3"]),
    ("SELECT coalesce(issue_type, 'none') AS kind FROM crm.tickets WHERE coalesce(owner, '-') = '-'", &["none"]),
    (
        "SELECT status FROM crm.tickets WHERE ticket = 'T-1' UNION ALL \
         SELECT kind FROM (SELECT issue_type AS kind FROM crm.tickets WHERE ticket = 'T-3') x ORDER BY 1",
        &["closed", "network"],
    ),
    (
        "SELECT count(coalesce(owner, 'a name that is longer than a database may have, by far, and ends in 1')), \
         count(coalesce(owner, 'a name that is longer than a database may have, by far, and ends in 2')) \
         FROM crm.tickets",
        &["5|5"],
    ),
];

/// Statements on other tables besides `tickets`.
const MORE: &[(&str, &[&str])] = &[
    (
        "SELECT t.ticket, c.company FROM crm.tickets t JOIN crm.contacts c ON t.customer = CAST(c.id AS VARCHAR) \
         WHERE t.status = 'open' ORDER BY t.ticket",
        &["T-2|Über GmbH", "T-5|Über GmbH"],
    ),
    (
        "SELECT s.session, x.company FROM sessions s JOIN (SELECT t.ticket, c.company FROM crm.tickets t \
         JOIN crm.contacts c ON t.customer = CAST(c.id AS VARCHAR)) x ON s.ticket = x.ticket ORDER BY s.session",
        &["s1|Acme", "s2|Über GmbH"],
    ),
    // SQLite keeps decimals as floats.
    ("SELECT CAST(sum(hours) AS DOUBLE PRECISION) FROM crm.work", &["14.5"]),
    ("SELECT max(id) FROM crm.contacts", &["2"]),
    (
        "SELECT a.ticket, b.ticket FROM crm.tickets a JOIN crm.tickets b \
         ON a.customer = b.customer AND a.ticket <> b.ticket ORDER BY a.ticket",
        &["T-1|T-3", "T-2|T-5", "T-3|T-1", "T-5|T-2"],
    ),
    ("SELECT count(*) FROM crm.tickets t JOIN crm.work w ON t.ticket = w.ticket", &["5"]),
    (
        "SELECT t.ticket FROM crm.tickets t LEFT JOIN crm.contacts c ON t.customer = CAST(c.id AS VARCHAR) \
         WHERE c.id IS NULL",
        &["T-4"],
    ),
    (
        "SELECT t.ticket, w.ticket FROM crm.tickets t LEFT JOIN crm.work w ON t.ticket = w.ticket AND w.hours > 2 \
         ORDER BY t.ticket",
        &["T-1|T-1", "T-2|", "T-3|T-3", "T-4|", "T-5|"],
    ),
    ("SELECT count(*) FROM (SELECT ticket FROM crm.tickets LIMIT 2) x JOIN crm.work w ON x.ticket = w.ticket", &["2"]),
    (
        "SELECT x.ticket, w.ticket FROM (SELECT ticket FROM crm.tickets ORDER BY opened_at LIMIT 2) x \
         FULL JOIN (SELECT ticket FROM crm.work WHERE hours > 2) w ON x.ticket = w.ticket ORDER BY 1, 2",
        &["T-1|T-1", "T-2|", "|T-3"],
    ),
];

pub(crate) async fn check_answers(context: &SessionContext, more: bool) {
    let more = if more { MORE } else { &[] };
    for (sql, rows) in ANSWERS.iter().chain(NESTED).chain(more) {
        let answer = query(context, sql).await.unwrap_or_else(|error| panic!("{sql}\n{error}"));
        assert_eq!(answer, *rows, "{sql}\nsent: {:?}", sent(context, sql).await);
    }
}
