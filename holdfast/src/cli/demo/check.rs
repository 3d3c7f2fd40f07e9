//! Checks that SQL counts what was generated: the counts before and after, by type and by rating.

use std::collections::BTreeMap;

use anyhow::bail;
use holdfast_demo::{SOURCE, Summary};
use holdfast_query::Session;
use serde_json::Value;

use crate::render::answer;
use crate::wiring::query::literal;

/// The demo's events as SQL counts them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Counts {
    by_type: BTreeMap<String, i64>,
    by_rating: BTreeMap<i64, i64>,
}

/// Queries the counts.
pub(super) async fn count(caller: &Session) -> anyhow::Result<Counts> {
    let source = literal(SOURCE);
    let by_type =
        format!("SELECT type AS name, count(*) AS events FROM archive.events WHERE source = {source} GROUP BY type");
    let by_rating = format!(
        "SELECT rating, count(*) AS events FROM archive.events \
         WHERE source = {source} AND type = 'survey.submitted' GROUP BY rating"
    );
    let mut counts = Counts::default();
    for row in answer::objects(caller.sql(&by_type).await?).await? {
        if let (Some(Value::String(name)), Some(events)) = (row.get("name"), row.get("events").and_then(Value::as_i64))
        {
            counts.by_type.insert(name.clone(), events);
        }
    }
    for row in answer::objects(caller.sql(&by_rating).await?).await? {
        if let (Some(rating), Some(events)) =
            (row.get("rating").and_then(Value::as_i64), row.get("events").and_then(Value::as_i64))
        {
            counts.by_rating.insert(rating, events);
        }
    }
    Ok(counts)
}

/// Fails when the counts of SQL did not grow by exactly what was generated between `before` and `after`. Pure.
pub(super) fn compare(summary: &Summary, before: &Counts, after: &Counts) -> anyhow::Result<()> {
    let mut differences = Vec::new();
    let mut check = |what: String, generated: i64, counted: i64| {
        if generated != counted {
            differences.push(format!("{what}: {generated} generated, {counted} in SQL"));
        }
    };
    let names: std::collections::BTreeSet<&String> =
        summary.by_type.keys().chain(before.by_type.keys()).chain(after.by_type.keys()).collect();
    for name in names {
        let generated = summary.by_type.get(name).map_or(0, |events| i64::try_from(*events).unwrap_or(i64::MAX));
        let of = |counts: &Counts| counts.by_type.get(name).copied().unwrap_or(0);
        check(name.clone(), generated, of(after) - of(before));
    }
    for (rating, generated) in (1..).zip(summary.ratings) {
        let of = |counts: &Counts| counts.by_rating.get(&rating).copied().unwrap_or(0);
        check(format!("rating {rating}"), i64::try_from(generated).unwrap_or(i64::MAX), of(after) - of(before));
    }
    if differences.is_empty() {
        return Ok(());
    }
    bail!("SQL does not count what was generated; {}; did another demo run at the same time?", differences.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(types: &[(&str, i64)], ratings: &[(i64, i64)]) -> Counts {
        Counts {
            by_type: types.iter().map(|(name, events)| ((*name).to_owned(), *events)).collect(),
            by_rating: ratings.iter().copied().collect(),
        }
    }

    #[test]
    fn every_difference_is_named() {
        let mut summary = Summary::default();
        summary.by_type.insert("chat.line".to_owned(), 3);
        summary.ratings = [0, 0, 0, 1, 0];
        let before = counts(&[("chat.line", 5)], &[(4, 1)]);
        compare(&summary, &before, &counts(&[("chat.line", 8)], &[(4, 2)])).unwrap();
        let wrong = compare(&summary, &before, &counts(&[("chat.line", 7), ("other", 1)], &[(4, 1)]));
        let wrong = wrong.unwrap_err().to_string();
        for expected in
            ["chat.line: 3 generated, 2 in SQL", "other: 0 generated, 1 in SQL", "rating 4: 1 generated, 0 in SQL"]
        {
            assert!(wrong.contains(expected), "{wrong}");
        }
    }
}
