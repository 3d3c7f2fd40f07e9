//! Every report, over events that can be counted by hand. The table in `events` lists them.

mod events;

use crate::fixture::{Fixture, error, lines, rows, rows_and_notices};
use holdfast_events::Tier;
use holdfast_query::{QueryError, Session};
use holdfast_reports::{Arguments, all, find};

/// A report's rows with these arguments.
async fn result(session: &Session, report: &str, arguments: &[(&str, &str)]) -> Vec<String> {
    rows(session, &statement(report, arguments)).await
}

fn statement(report: &str, arguments: &[(&str, &str)]) -> String {
    let mut set = Arguments::new();
    arguments.iter().for_each(|(name, value)| set.set(*name, *value));
    find(report).unwrap().statement(&set).unwrap()
}

/// The reports about devices. They need the tier personal.
const DEVICE_REPORTS: [&str; 2] = ["changed-diagnostics", "version-spread"];

#[tokio::test]
async fn reports_on_an_empty_archive_are_empty() {
    let session = Fixture::empty().as_officer();
    for report in all() {
        assert!(result(&session, report.name, &[]).await.is_empty(), "{}", report.name);
    }
}

#[tokio::test]
async fn results_have_the_described_columns() {
    let session = events::with_accesses().await.as_officer();
    for report in all() {
        let result = session.sql(report.sql).await.unwrap();
        let returned: Vec<String> = result.schema.fields().iter().map(|field| field.name().clone()).collect();
        let described: Vec<&str> = report.columns.iter().map(|column| column.name).collect();
        assert_eq!(returned, described, "{}", report.name);
        assert!(!lines(result).await.unwrap().is_empty(), "{}: it has no rows", report.name);
    }
}

#[tokio::test]
async fn operational_keys_are_enough_for_all_but_device_reports() {
    let fixture = events::support().await;
    let (manager, officer) = (fixture.as_manager(), fixture.as_officer());
    for report in all() {
        if DEVICE_REPORTS.contains(&report.name) {
            let error = error(&manager, report.sql).await;
            let is_named = matches!(
                &error,
                QueryError::Withheld { column, tier: Tier::Personal } if column == "personal"
            );
            assert!(is_named, "{}: {error:?}", report.name);
        } else if report.name != "tickets-without-session" {
            // That report measures open tickets up to now, which differs between the two callers.
            let expected = result(&officer, report.name, &[]).await;
            assert_eq!(result(&manager, report.name, &[]).await, expected, "{}", report.name);
        }
    }
}

#[tokio::test]
async fn agent_utilisation() {
    let session = events::support().await.as_manager();
    assert_eq!(
        result(&session, "agent-utilisation", &[]).await,
        [
            "2026-05-10|ann|3.00|2.00|1.00|66.7",
            // From 20:00 to the tenth of June, which is twelve hours at most, and not on duty at all.
            "2026-05-10|bea|0.00|0.00|12.00|",
            "2026-05-11|ann|2.00|0.00|0.00|0.0",
        ]
    );
    assert_eq!(
        result(&session, "agent-utilisation", &[("longest_hours", "1.5"), ("agent", "an%")]).await,
        ["2026-05-10|ann|2.50|1.50|1.00|60.0", "2026-05-11|ann|1.50|0.00|0.00|0.0"]
    );
}

#[tokio::test]
async fn busiest_hours() {
    let session = events::support().await.as_manager();
    assert_eq!(
        result(&session, "busiest-hours", &[]).await,
        ["Wednesday|8|2|1|10.0", "Sunday|8|2|2|90.0", "Sunday|9|2|1|195.0", "Sunday|10|1|1|30.0"]
    );
    // `from` is included, `to` is not.
    let times = [("from", "2026-05-10T08:30:00Z"), ("to", "2026-05-10T11:10:00+02:00")];
    assert_eq!(result(&session, "busiest-hours", &times).await, ["Sunday|8|1|1|120.0", "Sunday|9|1|1|300.0"]);
}

#[tokio::test]
async fn changed_diagnostics() {
    let session = events::support().await.as_officer();
    let between = "D-1|S-1|2026-05-10T08:02:00Z|S-6|2026-06-10T08:01:00Z";
    let expected = [
        "application|x|changed|1.0|1.1",
        "application|y|removed|2.0|",
        "application|z|added||3.0",
        "disk|D|added||50",
        "memory||changed|8|16",
        "os_version||changed|10|11",
    ]
    .map(|row| format!("{between}|{row}"));
    assert_eq!(result(&session, "changed-diagnostics", &[]).await, expected);
    for of_nothing in [("device", "D-2"), ("session", "S-1"), ("to", "2026-06-01"), ("reports", "0")] {
        assert!(result(&session, "changed-diagnostics", &[of_nothing]).await.is_empty(), "{of_nothing:?}");
    }
}

#[tokio::test]
async fn first_session_resolution() {
    let session = events::support().await.as_manager();
    assert_eq!(
        result(&session, "first-session-resolution-by-agent", &[]).await,
        ["bea|1|1|0|0|100.0", "ann|2|0|1|1|0.0"]
    );
    assert_eq!(
        result(&session, "first-session-resolution-by-issue-type", &[]).await,
        ["(none)|1|1|0|0|100.0", "printer|2|0|1|1|0.0"]
    );
    // T-1 had another session in June, so it was not resolved in its first session in May.
    assert_eq!(
        result(&session, "first-session-resolution-by-agent", &[("to", "2026-06-01"), ("portal", "web/vip")]).await,
        ["ann|2|0|1|1|0.0"]
    );
}

#[tokio::test]
async fn handle_time() {
    let session = events::support().await.as_manager();
    // ann: 300, 600, 1,200 seconds; bea: 600, 900.
    assert_eq!(
        result(&session, "handle-time-by-agent", &[]).await,
        ["ann|3|700.0|600.0|1080.0|1140.0|1200.0", "bea|2|750.0|750.0|870.0|885.0|900.0"]
    );
    assert_eq!(
        result(&session, "handle-time-by-portal", &[]).await,
        [
            "web/vip|3|700.0|600.0|1080.0|1140.0|1200.0",
            "(none)|1|900.0|900.0|900.0|900.0|900.0",
            "web/shop|1|600.0|600.0|600.0|600.0|600.0",
        ]
    );
    assert_eq!(
        result(&session, "handle-time-by-portal", &[("agent", "bea"), ("portal", "web/%")]).await,
        ["web/shop|1|600.0|600.0|600.0|600.0|600.0"]
    );
}

#[tokio::test]
async fn wait() {
    let session = events::support().await.as_manager();
    // ann: 10, 60, 120 seconds; bea: 30, 300, and a session of unknown wait.
    let (ann, bea) = ("3|63.3|60.0|108.0|114.0|120.0", "2|165.0|165.0|273.0|286.5|300.0");
    assert_eq!(result(&session, "wait-by-agent", &[]).await, [format!("bea|{bea}"), format!("ann|{ann}")]);
    assert_eq!(result(&session, "wait-by-portal", &[]).await, [format!("web/shop|{bea}"), format!("web/vip|{ann}")]);
}

#[tokio::test]
async fn queue_abandonment() {
    let session = events::support().await.as_manager();
    assert_eq!(
        result(&session, "queue-abandonment", &[]).await,
        ["(none)|10|1|0|0.0|", "fast|8|3|0|0.0|", "slow|8|1|0|0.0|", "slow|9|2|1|50.0|90.0"]
    );
    assert_eq!(
        result(&session, "queue-abandonment-by-portal", &[]).await,
        ["web/shop|8|1|0|0.0|", "web/shop|9|2|1|50.0|90.0", "web/shop|10|1|0|0.0|", "web/vip|8|3|0|0.0|"]
    );
}

#[tokio::test]
async fn ratings() {
    let session = events::support().await.as_manager();
    assert_eq!(
        result(&session, "ratings-by-agent", &[]).await,
        [
            "2026-05-01|ann|2|2|100.0|3.50|1|1",
            "2026-05-01|bea|2|0|0.0||0|0",
            "2026-06-01|ann|1|1|100.0|4.00|0|0",
            "2026-06-01|bea|1|0|0.0||0|0",
        ]
    );
    assert_eq!(
        result(&session, "ratings-by-portal", &[]).await,
        [
            "2026-05-01|web/shop|2|0|0.0||0|0",
            "2026-05-01|web/vip|2|2|100.0|3.50|1|1",
            "2026-06-01|(none)|1|0|0.0||0|0",
            "2026-06-01|web/vip|1|1|100.0|4.00|0|0",
        ]
    );
    let of_a_year = [("period", "year"), ("portal", "web/v%")];
    assert_eq!(result(&session, "ratings-by-agent", &of_a_year).await, ["2026-01-01|ann|3|3|100.0|3.67|1|1"]);
}

/// An argument is a text to compare with, whatever it contains.
#[tokio::test]
async fn arguments_are_values() {
    let session = events::support().await.as_manager();
    for portal in ["it's", "' or '1' = '1", "%' -- ", "/* agent */ '%'", "\\", ""] {
        assert!(result(&session, "ratings-by-portal", &[("portal", portal), ("to", "2026-06-01")]).await.is_empty());
    }
}

#[tokio::test]
async fn resolution_by_issue_type() {
    let session = events::support().await.as_manager();
    assert_eq!(
        result(&session, "resolution-by-issue-type", &[]).await,
        ["printer|4|2|1|1|50.0|1|1|3.67", "(none)|1|1|0|0|100.0|0|0|"]
    );
}

#[tokio::test]
async fn session_return() {
    let session = events::support().await.as_manager();
    // Printers: 2 and 4 hours with 45 minutes of sessions, 10 hours without.
    let without = ["(none)|0|1||1.0|0.0|0.0|||", "vpn|0|1||30.0|0.0|0.0|||"];
    assert_eq!(
        result(&session, "session-return", &[]).await,
        ["printer|2|1|3.0|10.0|0.75|22.5|70.0|47.5|211.1", without[0], without[1]]
    );
    let costs = [("agent_cost_per_hour", "60"), ("open_cost_per_hour", "1.5")];
    assert_eq!(
        result(&session, "session-return", &costs).await,
        ["printer|2|1|3.0|10.0|0.75|45.0|21.0|-24.0|-53.3", without[0], without[1]]
    );
}

#[tokio::test]
async fn tickets_without_session() {
    let session = events::support().await.as_manager();
    let until = ("to", "2026-06-11");
    let urgent = "T-7|2026-06-10T08:00:00Z||printer|urgent|open|||16.0|50.0";
    let high = "T-3|2026-05-10T08:00:00Z|2026-05-10T18:00:00Z|printer|High|closed|||10.0|50.0";
    // Its one session was abandoned in the queue.
    let long = "T-4|2026-05-10T08:00:00Z|2026-05-11T14:00:00Z|vpn|P3|closed|||30.0|50.0";
    assert_eq!(
        result(&session, "tickets-without-session", &[until]).await,
        [
            format!("{long}|1|false|true|false"),
            format!("{urgent}|1|true|false|false"),
            format!("{high}|1|true|false|false"),
        ]
    );
    assert_eq!(
        result(&session, "tickets-without-session", &[until, ("usual_tickets", "4"), ("long_hours", "10")]).await,
        [
            format!("{urgent}|3|true|true|true"),
            format!("{high}|3|true|true|true"),
            format!("{long}|1|false|true|false"),
        ]
    );
    let fewest = [until, ("usual_percent", "50.5"), ("usual_tickets", "1"), ("rows", "1")];
    assert_eq!(result(&session, "tickets-without-session", &fewest).await, [format!("{long}|1|false|true|false")]);
}

#[tokio::test]
async fn version_spread() {
    let session = events::support().await.as_officer();
    let (may, june) = ("2026-05-10T09:06:00Z", "2026-06-10T08:01:00Z");
    assert_eq!(
        result(&session, "version-spread", &[]).await,
        [
            format!("w|(none)|1|100.0|{may}"),
            format!("x|1.0|1|50.0|{may}"),
            format!("x|1.1|1|50.0|{june}"),
            format!("z|3.0|1|100.0|{june}"),
        ]
    );
    // In May both devices had the same.
    let of_may = [("to", "2026-06-01"), ("application", "x")];
    assert_eq!(result(&session, "version-spread", &of_may).await, [format!("x|1.0|2|100.0|{may}")]);
}

#[tokio::test]
async fn disclosures() {
    let fixture = events::with_accesses().await;
    let acme = [("customer", "acme")];
    let expected = [
        "2026-06-10T10:00:00Z|ada|compliance|acme|S-1|queried|statement of A-1|audit|12",
        "2026-06-10T11:00:00Z|bob|compliance|acme|S-3|viewed|statement of A-2||1",
        "2026-06-10T12:00:00Z|eve|compliance|acme|S-1|exported|statement of A-3|subpoena 7|900",
        "2026-06-10T12:00:00Z|eve|compliance|acme|S-2|exported|statement of A-3|subpoena 7|900",
        "2026-06-10T12:00:00Z|eve|compliance|acme|S-3|exported|statement of A-3|subpoena 7|900",
    ];
    assert_eq!(result(&fixture.as_officer(), "disclosures", &acme).await, expected);
    let (rows, notices) = rows_and_notices(&fixture.as_manager(), &statement("disclosures", &acme)).await;
    let without_statement = expected
        .map(|row| (1..=7).fold(row.to_owned(), |row, number| row.replace(&format!("statement of A-{number}"), "")));
    assert_eq!(rows, without_statement);
    assert_eq!(notices, ["column `statement` is withheld: your keys do not open its tier, content"]);

    let of_one_hour = [("customer", "acme"), ("from", "2026-06-10T11:00:00Z"), ("to", "2026-06-10T12:00:00Z")];
    assert_eq!(result(&fixture.as_officer(), "disclosures", &of_one_hour).await, [expected[1]]);
    assert_eq!(
        result(&fixture.as_officer(), "disclosures", &[("customer", "quo'te")]).await,
        [
            "2026-06-10T12:00:00Z|eve|compliance|quo'te|S \"9\"|exported|statement of A-3|subpoena 7|900",
            "2026-06-10T16:00:00Z|bob|compliance|quo'te|S \"9\"|viewed|statement of A-7|request|1",
        ]
    );
    assert_eq!(
        result(&fixture.as_officer(), "disclosures", &[("customer", "initech")]).await,
        [
            "2026-06-10T10:00:00Z|ada|compliance|initech|T-1|queried|statement of A-1|audit|12",
            "2026-06-10T12:00:00Z|eve|compliance|initech|T-1|exported|statement of A-3|subpoena 7|900",
        ]
    );
    assert!(result(&fixture.as_officer(), "disclosures", &[("customer", "nobody")]).await.is_empty());
}

#[tokio::test]
async fn an_access_without_an_end_is_one_to_all_that_it_could_read() {
    let fixture = events::with_open_accesses().await;
    let of = async |customer: &str| {
        let rows = result(&fixture.as_officer(), "disclosures", &[("customer", customer)]).await;
        let cells = rows.iter().map(|row| row.split('|').collect::<Vec<_>>());
        cells
            .map(|cells| format!("{} {} {}", cells[6].replace("statement of ", ""), cells[4], cells[8]))
            .collect::<Vec<String>>()
    };
    let acme = of("acme").await;
    let expected = [
        "B-1 S-1 ",
        "B-2 S-1 ",
        "B-2 S-2 ",
        "B-2 S-3 ",
        "B-4 S-1 ",
        "B-4 S-2 ",
        "B-4 S-3 ",
        "B-6 S-3 1",
        "B-7 S-1 ",
        "B-7 S-2 ",
        "B-7 S-3 ",
    ];
    assert_eq!(acme, expected);
    let globex = of("globex").await;
    assert_eq!(globex, ["B-1 S-4 ", "B-3 S-4 ", "B-4 S-4 ", "B-4 S-9 ", "B-7 S-4 ", "B-7 S-9 "]);
    // It needs no other keys than the accounting of accesses with an end.
    let manager = rows_and_notices(&fixture.as_manager(), &statement("disclosures", &[("customer", "acme")])).await;
    assert_eq!((manager.0.len(), manager.1.len()), (expected.len(), 1));

    let log = "select access_id, subjects, customers, tickets, all_subjects from access_log order by time";
    assert_eq!(
        rows(&fixture.as_manager(), log).await,
        [
            r#"B-1|["S-1","S-4"]|||false"#,
            r#"B-2||["acme"]||false"#,
            r#"B-3|||["T-4"]|false"#,
            "B-4||||true",
            "B-5||||false",
            r#"B-6|["S-3"]|||false"#,
            "B-7||||true",
        ]
    );
}

#[tokio::test]
async fn the_access_log_has_one_row_for_each_access() {
    let fixture = events::with_accesses().await;
    let from = "compliance|{kind}|postgres|192.0.2.7";
    let reads = r#"["events"]|["operational"]||"#;
    let row = |time: &str, user: &str, kind: &str, rest: &str| {
        format!("2026-06-10T{time}Z|{user}|{}|{rest}", from.replace("{kind}", kind))
    };
    let expected = [
        row(
            "10:00:00",
            "ada",
            "queried",
            r#"statement of A-1|audit|complete||12|1200|0.5|["S-1","S-4","T-1"]|false|A-1|["events"]|["operational"]||"#,
        ),
        row(
            "11:00:00",
            "bob",
            "viewed",
            &format!(r#"statement of A-2||cancelled||1|100|0.5|["S-3"]|false|A-2|{reads}"#),
        ),
        row(
            "12:00:00",
            "eve",
            "exported",
            &format!("statement of A-3|subpoena 7|complete||900|90000|0.5||true|A-3|{reads}"),
        ),
        row("13:00:00", "ada", "queried", &format!("statement of A-4|totals|complete||5|500|0.5||false|A-4|{reads}")),
        row("14:00:00", "ada", "queried", &format!("statement of A-5||||||||false|A-5|{reads}")),
        "2026-06-10T15:00:00Z|mallory||denied|http|198.51.100.9|||refused|the password is wrong|||||false|A-6||||"
            .to_owned(),
        row(
            "16:00:00",
            "bob",
            "viewed",
            &format!(r#"statement of A-7|request|complete||1|100|0.5|["S \"9\""]|false|A-7|{reads}"#),
        ),
    ];
    let log = "select * from access_log order by time";
    assert_eq!(rows(&fixture.as_officer(), log).await, expected);
    let (visible, notices) = rows_and_notices(&fixture.as_manager(), log).await;
    let shown = |row: &String| {
        let mut cells: Vec<&str> = row.split('|').collect();
        // The address and the statement.
        (cells[5], cells[6]) = ("", "");
        cells.join("|")
    };
    assert_eq!(visible, expected.iter().map(shown).collect::<Vec<_>>());
    assert_eq!(
        notices,
        [
            "column `remote_ip` is withheld: your keys do not open its tier, personal",
            "column `statement` is withheld: your keys do not open its tier, content",
        ]
    );
}
