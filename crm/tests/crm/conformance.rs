//! What every kind of CRM must answer, in the same words.

use crate::fixture::{ask, sent};
use datafusion::prelude::SessionContext;

/// Statements and their answers.
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

/// Those about more tables than `tickets`.
const MORE: &[(&str, &[&str])] = &[
    (
        "SELECT t.ticket, c.company FROM crm.tickets t JOIN crm.contacts c ON t.customer = CAST(c.id AS VARCHAR) \
         WHERE t.status = 'open' ORDER BY t.ticket",
        &["T-2|Über GmbH", "T-5|Über GmbH"],
    ),
    ("SELECT sum(hours) FROM crm.work", &["14.50"]),
    ("SELECT max(id) FROM crm.contacts", &["2"]),
];

pub(crate) async fn answers(context: &SessionContext, more: bool) {
    let more = if more { MORE } else { &[] };
    for (sql, rows) in ANSWERS.iter().chain(more) {
        let answer = ask(context, sql).await.unwrap_or_else(|error| panic!("{sql}\n{error}"));
        assert_eq!(answer, *rows, "{sql}\nsent: {:?}", sent(context, sql).await);
    }
}
