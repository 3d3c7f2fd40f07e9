//! Results and errors of callers with different keys.

use crate::fixture::{Fixture, JUNE, MAY, error, event, rows, rows_and_notices};
use holdfast_events::Tier;
use holdfast_query::QueryError;
use serde_json::json;

async fn archive() -> Fixture {
    let mut fixture = Fixture::empty();
    let survey = |id: &str, rating: i32, time: &str| {
        event(
            "survey.submitted",
            id,
            "S-1",
            time,
            json!({"rating": rating, "feedback": format!("said {id}"), "customer_name": "Ada"}),
        )
    };
    fixture.write(MAY, &[survey("may", 2, "2026-05-10T08:00:00Z")]).await;
    fixture.write(JUNE, &[survey("june", 5, "2026-06-10T08:00:00Z")]).await;
    fixture
}

#[tokio::test]
async fn a_withheld_column_is_null_and_named() {
    let session = archive().await.as_manager();
    let (rows, notices) = rows_and_notices(&session, "select id, rating, data as d from events order by id").await;
    assert_eq!(rows, ["june|5|", "may|2|"]);
    assert_eq!(notices, ["column `d` is withheld: your keys do not open its tier, content"]);
    let (rows, notices) = rows_and_notices(&session, "select id, rating from events where rating > 3").await;
    assert_eq!((rows, notices), (vec!["june|5".to_owned()], vec![]));
    let (_, notices) = rows_and_notices(&session, "select * from events").await;
    assert_eq!(notices.len(), 4, "{notices:?}");
    let (rows, notices) = rows_and_notices(&session, "select count(*), avg(rating) from events").await;
    assert_eq!((rows, notices), (vec!["2|3.5".to_owned()], vec![]));
}

#[tokio::test]
async fn computing_with_a_withheld_column_is_refused_by_its_name() {
    let session = archive().await.as_manager();
    for (sql, name, of) in [
        ("select id from events where data like '%said%'", "data", Tier::Content),
        ("select count(personal) from events", "personal", Tier::Personal),
        ("select data ->> 'feedback' from events", "data", Tier::Content),
        ("select * from surveys where feedback is null", "feedback", Tier::Content),
        ("select customer_name, count(*) from surveys group by customer_name", "customer_name", Tier::Personal),
        ("select session from surveys order by feedback", "feedback", Tier::Content),
        ("select upper(text) from chat_lines", "text", Tier::Content),
        ("select a.id from events a join events b on a.data = b.data", "data", Tier::Content),
        ("select distinct data from events", "data", Tier::Content),
        ("explain select id from events where data = 'x'", "data", Tier::Content),
        // A recursive query with the name of the view that it reads.
        (
            "with recursive surveys(a, b, c, d, e, f, g, h, i, j, k) as (
                 select 0, 0 as b, 0 as c, 0 as d, 0 as e, 0 as f, 0 as g, 0 as h, 0 as i, 0 as j, 0 as k
                 union all
                 select w.a + 1, 0 as b, 0 as c, 0 as d, 0 as e, 0 as f, 0 as g, 0 as h, 0 as i, 0 as j, 0 as k
                 from surveys w cross join archive.surveys s where w.a < 1 and s.feedback is null
             )
             select count(*) - 1 from surveys",
            "feedback",
            Tier::Content,
        ),
    ] {
        let error = error(&session, sql).await;
        assert!(
            matches!(&error, QueryError::Withheld { column, tier } if column == name && *tier == of),
            "{sql}: {error:?}"
        );
    }
}

#[tokio::test]
async fn views_show_what_is_withheld_as_null() {
    let session = archive().await.as_manager();
    let sql = "select session, rating, feedback, customer_name from surveys order by rating";
    let (rows, notices) = rows_and_notices(&session, sql).await;
    assert_eq!(rows, ["S-1|2||", "S-1|5||"]);
    assert_eq!(notices.len(), 2);
    assert!(notices[0].contains("`feedback`") && notices[0].contains("content"), "{notices:?}");
    assert!(notices[1].contains("`customer_name`") && notices[1].contains("personal"), "{notices:?}");
}

#[tokio::test]
async fn a_caller_with_all_keys_sees_everything() {
    let session = archive().await.as_officer();
    let sql = "select rating, feedback, customer_name from surveys where feedback like 'said%' order by rating";
    let (rows, notices) = rows_and_notices(&session, sql).await;
    assert_eq!((rows, notices), (vec!["2|said may|Ada".to_owned(), "5|said june|Ada".to_owned()], vec![]));
}

#[tokio::test]
async fn a_caller_without_a_key_gets_the_name_of_the_missing_key() {
    let session = archive().await.session(&[]);
    for sql in ["select count(*) from events", "select id from events", "select * from sessions"] {
        let error = error(&session, sql).await;
        assert!(matches!(error, QueryError::NoKey { .. }), "{sql}: {error:?}");
    }
    let error = error(&session, "select id from events where date = '2026-06-10'").await;
    assert!(
        matches!(&error, QueryError::NoKey { class, month } if class == "general" && month == "2026-06"),
        "{error}"
    );
    assert_eq!(rows(&session, "select count(*) from events where date = '2027-01-01'").await, ["0"]);
}

#[tokio::test]
async fn keys_of_some_months_open_those_months() {
    let session = archive().await.as_newcomer();
    let (shown, notices) = rows_and_notices(&session, "select id, data from events order by id").await;
    assert!(shown[0].starts_with("june|{") && shown[1] == "may|", "{shown:?}");
    assert_eq!(notices.len(), 1);
    assert!(notices[0].contains("in 1 of 2 files"), "{notices:?}");

    // Computing is allowed where every file that is read can be opened, and only there.
    let refused = error(&session, "select id from events where data like '%said%'").await;
    assert!(matches!(&refused, QueryError::Withheld { column, .. } if column == "data"), "{refused:?}");
    let june = "select id from events where data like '%said%' and date >= '2026-06-01'";
    assert_eq!(rows(&session, june).await, ["june"]);
    let (shown, notices) = rows_and_notices(&session, "select data from events where date < '2026-06-01'").await;
    assert_eq!((shown, notices.len()), (vec![String::new()], 1));
    let view = "select feedback from surveys order by rating";
    assert_eq!(rows(&session, view).await, ["", "said june"]);
    let union =
        "select data from events where date < '2026-06-01' union all select data from events where date > '2026-06-01'";
    assert_eq!(rows(&session, union).await.len(), 2);
}
