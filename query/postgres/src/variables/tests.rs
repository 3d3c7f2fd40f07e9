use super::*;

fn variables() -> Variables {
    Variables::new("ada", Duration::from_secs(60), Duration::from_secs(300))
}

#[test]
fn a_timeout_has_units_and_a_bound() {
    let mut variables = variables();
    for (text, shown) in [("1500", "1500ms"), ("2s", "2s"), (" 1 min ", "1min"), ("0.5s", "500ms"), ("250ms", "250ms")]
    {
        assert_eq!(variables.set("statement_timeout", text).unwrap(), Change::default());
        assert_eq!(variables.show("Statement_Timeout").unwrap(), shown);
    }
    for text in ["0", "2h", "99999d"] {
        assert!(variables.set("statement_timeout", text).unwrap().warning.is_some());
        assert_eq!(variables.statement_timeout(), Duration::from_secs(300));
    }
    for text in ["soon", "-1", "1 week", "", "1e999", "..."] {
        assert_eq!(variables.set("statement_timeout", text).unwrap_err().code, "22023", "{text}");
    }
    variables.reset("statement_timeout").unwrap();
    assert_eq!(variables.statement_timeout(), Duration::from_secs(60));
}

#[test]
fn a_purpose_is_stored_and_its_length_is_limited() {
    let mut variables = variables();
    assert_eq!(variables.purpose(), None);
    variables.set("holdfast.purpose", "audit 7").unwrap();
    assert_eq!(variables.purpose().as_deref(), Some("audit 7"));
    assert!(variables.set("holdfast.purpose", &"x".repeat(1001)).is_err());
    variables.reset_all();
    assert_eq!(variables.purpose(), None);
}

#[test]
fn variables_without_effect_are_accepted_and_misleading_values_are_not() {
    let mut variables = variables();
    assert_eq!(variables.set("extra_float_digits", "3").unwrap(), Change::default());
    assert!(variables.set("timezone", "Europe/Vienna").unwrap().warning.is_some());
    assert_eq!(variables.show("TimeZone").unwrap(), "UTC");
    assert!(variables.set("no_such_thing", "1").unwrap().warning.is_some());
    assert_eq!(variables.set("client_encoding", "LATIN1").unwrap_err().code, "22023");
    assert_eq!(variables.set("standard_conforming_strings", "off").unwrap_err().code, "22023");
    assert_eq!(variables.set("is_superuser", "on").unwrap_err().code, "55P02");
    assert_eq!(variables.set("role", "admin").unwrap_err().code, "42501");
    assert_eq!(variables.show("nothing").unwrap_err().code, "42704");
}

#[test]
fn an_encoding_is_known_by_its_letters_and_digits() {
    let mut variables = variables();
    for name in ["utf8", "UTF-8", "'utf-8'", "unicode", " Utf 8 "] {
        let change = variables.set("client_encoding", name).unwrap();
        assert_eq!(change.report, Some(("client_encoding".to_owned(), "UTF8".to_owned())), "{name}");
    }
    assert_eq!(variables.set("client_encoding", "LATIN1").unwrap_err().code, "22023");
}

#[test]
fn modes_last_for_the_transaction_or_the_session_and_never_write() {
    let mut variables = variables();
    let modes = TransactionModes { isolation: Some("serializable"), ..TransactionModes::default() };
    let level = |variables: &Variables| variables.show("transaction_isolation").unwrap();
    variables.begin_transaction();
    assert!(variables.set_modes(modes, false).is_empty());
    assert_eq!(level(&variables), "serializable");
    variables.end_transaction(false);
    assert_eq!(level(&variables), "read committed");
    variables.set_modes(modes, true);
    variables.begin_transaction();
    assert_eq!(level(&variables), "serializable");
    let writes = TransactionModes { is_read_only: Some(false), ..TransactionModes::default() };
    assert!(variables.set_modes(writes, true)[0].warning.is_some());
    assert!(variables.set("default_transaction_read_only", "off").unwrap().warning.is_some());
    assert_eq!(variables.set("transaction_read_only", "perhaps").unwrap_err().code, "22023");
    for name in ["transaction_read_only", "default_transaction_read_only"] {
        assert_eq!(variables.show(name).unwrap(), "on");
    }
}

#[test]
fn what_is_set_locally_ends_with_the_transaction() {
    let mut variables = variables();
    variables.begin_transaction();
    variables.change("application_name", Some("a"), true).unwrap();
    variables.change("statement_timeout", Some("5s"), true).unwrap();
    variables.change("my.own", Some("x"), true).unwrap();
    variables.change("work_mem", Some("8MB"), false).unwrap();
    let restored = variables.end_transaction(false);
    assert!(restored.iter().any(|change| change.report == Some(("application_name".to_owned(), String::new()))));
    assert_eq!(variables.statement_timeout(), Duration::from_secs(60));
    assert_eq!(variables.show("my.own").unwrap_err().code, "42704");
    assert_eq!(variables.show("work_mem").unwrap(), "8MB");
}

#[test]
fn changes_are_reported_in_postgresqls_spelling() {
    let mut variables = variables();
    let change = variables.set("APPLICATION_NAME", "psql").unwrap();
    assert_eq!(change.report, Some(("application_name".to_owned(), "psql".to_owned())));
    let reset = variables.reset_all();
    assert_eq!(reset[0].report, Some(("application_name".to_owned(), String::new())));
    assert!(variables.reported().any(|(name, value)| name == "session_authorization" && value == "ada"));
}

#[test]
fn the_customized_options_of_a_session_are_limited() {
    let mut variables = variables();
    let codes: Vec<_> = (0..300).filter_map(|n| variables.set(&format!("my.v{n}"), "x").err()).collect();
    assert!(!codes.is_empty() && codes.iter().all(|failure| failure.code == "54000"));
}
