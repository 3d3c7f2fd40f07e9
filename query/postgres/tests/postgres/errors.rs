//! Errors over the protocol: their place in the text that the client sent, their detail and their hint.

use crate::fixture::Server;
use tokio_postgres::error::{DbError, ErrorPosition};

fn position(error: &DbError) -> Option<usize> {
    match error.position()? {
        ErrorPosition::Original(position) => Some(*position as usize),
        ErrorPosition::Internal { .. } => None,
    }
}

/// The place of `word` in a text, in characters from 1.
fn place(text: &str, word: &str) -> usize {
    text[..text.find(word).unwrap()].chars().count() + 1
}

#[tokio::test]
async fn an_error_points_into_the_text_that_was_sent() {
    let server = Server::start().await;
    let client = server.connect("manager").await;
    for (text, word, state) in [
        ("  selct 1", "selct", "42601"),
        ("\n\tselect 'ä', agnt from events", "agnt", "42703"),
        ("select 1; select 'agent' as \"ö\"; select agnt from events", "agnt", "42703"),
        ("select 1; selct 2", "selct", "42601"),
        // These are rewritten for the engine.
        ("select  pg_catalog.upper(agnt) from events", "agnt", "42703"),
        ("select id from events where current_user = agnt", "agnt", "42703"),
        ("select *  from evnts", "evnts", "42P01"),
        ("select  1 as a, nothing(1)", "nothing", "42883"),
        ("begin; declare c cursor for  select agnt from events", "agnt", "42703"),
    ] {
        let error = client.simple_query(text).await.expect_err(text);
        let error = error.as_db_error().unwrap_or_else(|| panic!("{text}: {error}"));
        assert_eq!(error.code().code(), state, "{text}: {error:?}");
        assert_eq!(position(error), Some(place(text, word)), "{text}: {error:?}");
    }
}

#[tokio::test]
async fn an_error_has_its_hint_when_it_is_prepared_and_its_place_when_it_runs() {
    let server = Server::start().await;
    let client = server.connect("manager").await;
    let text = " select agnt from events where id = $1";
    let error = client.prepare(text).await.map(drop).unwrap_err();
    let error = error.as_db_error().unwrap();
    assert_eq!(error.message(), "column \"agnt\" does not exist");
    assert_eq!(position(error), Some(place(text, "agnt")));
    assert_eq!(error.hint(), Some("Perhaps you meant to reference the column \"events.agent\"."));
    let text = "  select cast(subject as int) from events where id <> $1";
    let error = client.query(text, &[&"x"]).await.map(drop).unwrap_err();
    let error = error.as_db_error().unwrap();
    assert_eq!(error.code().code(), "22P02");
    assert!(error.message().starts_with("invalid input syntax for type integer: \"S-"), "{error:?}");
}
