use super::super::functions::class_of;
use super::*;
use holdfast_archive::{Archive, Location};
use object_store::memory::InMemory;
use std::collections::{BTreeMap, BTreeSet};

/// The state of an engine without extensions.
pub(super) fn state() -> SessionState {
    let url = Url::parse("memory:///").unwrap();
    let archive = Archive::new(Location { url, store: Arc::new(InMemory::new()) });
    session_state(&SessionOptions::new(archive, Vec::new())).unwrap()
}

/// The functions of a kind, and their classes.
type Classes = BTreeMap<String, &'static str>;

fn of_one_class<'a>(names: impl Iterator<Item = &'a str>, class: &'static str) -> Classes {
    names.map(|name| (name.to_owned(), class)).collect()
}

/// The functions in the table under the heading `kind` of `docs/functions.md`.
fn documented(kind: &str) -> BTreeSet<(String, String)> {
    const PAGE: &str = include_str!("../../../../../docs/functions.md");
    let section = PAGE.split_once(&format!("\n## {kind}\n")).unwrap_or_else(|| panic!("no heading {kind}")).1;
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | "));
    rows.filter(|(class, _)| *class != "class")
        .flat_map(|(class, names)| {
            names.split(", ").map(move |name| (name.trim_matches('`').to_owned(), class.to_owned()))
        })
        .collect()
}

#[test]
fn every_function_is_documented_with_its_class() {
    let state = state();
    // A function is registered by its aliases as well.
    let scalar: BTreeSet<&str> = state.scalar_functions().values().map(|function| function.name()).collect();
    let scalar: Classes =
        scalar.into_iter().map(|name| (name.to_owned(), class_of(name).unwrap_or("linear"))).collect();
    for (kind, registered) in [
        ("Scalar functions", scalar),
        (
            "Higher-order functions",
            of_one_class(state.higher_order_functions().values().map(|function| function.name()), "linear"),
        ),
        (
            "Aggregate functions",
            of_one_class(state.aggregate_functions().values().map(|function| function.name()), "accounted"),
        ),
        (
            "Window functions",
            of_one_class(state.window_functions().values().map(|function| function.name()), "accounted"),
        ),
        ("Table functions", of_one_class(state.table_functions().keys().map(String::as_str), "streamed")),
    ] {
        let registered: BTreeSet<(String, String)> =
            registered.into_iter().map(|(name, class)| (name, class.to_owned())).collect();
        let documented = documented(kind);
        let missing: Vec<_> = registered.difference(&documented).collect();
        let wrong: Vec<_> = documented.difference(&registered).collect();
        assert!(missing.is_empty() && wrong.is_empty(), "{kind}: missing {missing:?}, wrong {wrong:?}");
    }
}
