//! The promise as a value: every message that Kafka acknowledged is an event or a dead letter, once, and nothing else is.

use std::collections::BTreeMap;

use crate::readback::{Contents, EventRow, Place};
use crate::sent::{Fate, Sent};

/// What was acknowledged so far.
#[derive(Debug, Default)]
pub(crate) struct Expectation {
    /// With the place; `None` where the broker recognised a repetition and did not say where the first one stands.
    acknowledged: Vec<(Option<Place>, Sent)>,
}

impl Expectation {
    pub(crate) fn add(&mut self, place: Option<Place>, sent: Sent) {
        self.acknowledged.push((place, sent));
    }

    /// By partition, the offset behind the last acknowledged message.
    pub(crate) fn targets(&self) -> BTreeMap<(String, i32), i64> {
        let mut targets: BTreeMap<(String, i32), i64> = BTreeMap::new();
        for (topic, partition, offset) in self.acknowledged.iter().filter_map(|(place, _)| place.as_ref()) {
            let target = targets.entry((topic.clone(), *partition)).or_default();
            *target = (*target).max(offset + 1);
        }
        targets
    }

    /// Whether the places of all messages are known.
    pub(crate) fn places_are_known(&self) -> bool {
        self.acknowledged.iter().all(|(place, _)| place.is_some())
    }

    pub(crate) fn messages(&self) -> impl Iterator<Item = &Sent> {
        self.acknowledged.iter().map(|(_, sent)| sent)
    }

    /// The bytes of every acknowledged chunk, with the row that describes it.
    pub(crate) fn chunks<'c>(&self, contents: &'c Contents) -> Vec<(Vec<u8>, &'c EventRow)> {
        let mut rows: BTreeMap<&str, Vec<&EventRow>> = BTreeMap::new();
        for row in &contents.events {
            rows.entry(&row.id).or_default().push(row);
        }
        let chunks = self.acknowledged.iter().filter(|(_, sent)| sent.is_chunk());
        chunks
            .filter_map(|(place, sent)| {
                let Fate::Archived { id, .. } = &sent.fate else { return None };
                let here = |row: &&&EventRow| place.as_ref().is_none_or(|place| row.place == *place);
                let row = rows.get(id.as_str())?.iter().find(here)?;
                Some((sent.value.clone().unwrap_or_default(), *row))
            })
            .collect()
    }

    /// Everything that is lost, doubled, changed, or there without having been sent.
    pub(crate) fn compare(&self, contents: &Contents) -> Vec<String> {
        let mut wrong = Vec::new();
        // What stands at each place: events by their identity, dead letters by their reason.
        let mut found: BTreeMap<&Place, Vec<String>> = BTreeMap::new();
        let mut canonical: BTreeMap<&Place, &[u8]> = BTreeMap::new();
        let mut by_name: BTreeMap<String, Vec<&Place>> = BTreeMap::new();
        for row in &contents.events {
            let name = format!("event {} of {}", row.id, row.source);
            found.entry(&row.place).or_default().push(name.clone());
            canonical.insert(&row.place, &row.canonical);
            by_name.entry(name).or_default().push(&row.place);
        }
        for row in &contents.dead {
            found.entry(&row.place).or_default().push(format!("dead letter: {}", row.reason));
        }
        wrong.extend(
            found
                .iter()
                .filter(|(_, names)| names.len() > 1)
                .map(|(place, names)| format!("doubled {place:?}: {names:?}")),
        );
        let mut unplaced = Vec::new();
        for (place, sent) in &self.acknowledged {
            let name = match &sent.fate {
                Fate::Archived { source, id } => format!("event {id} of {source}"),
                Fate::Dead { reason } => format!("dead letter: {reason}"),
            };
            let Some(place) = place else {
                unplaced.push((name, sent));
                continue;
            };
            match found.remove(place) {
                None => wrong.push(format!("lost {place:?}: {name}")),
                Some(names) if names[0] != name => {
                    wrong.push(format!("at {place:?} stands {:?} in place of {name:?}", names[0]));
                }
                Some(_) => {
                    if matches!(sent.fate, Fate::Archived { .. }) && canonical[place] != sent.canonical() {
                        wrong.push(format!("changed {place:?}: {name}"));
                    }
                }
            }
        }
        for (name, sent) in unplaced {
            let place = by_name.get(&name).into_iter().flatten().copied().find(|place| found.contains_key(*place));
            match place {
                None => wrong.push(format!("lost: {name}, whose place is not known")),
                Some(place) => {
                    found.remove(place);
                    if canonical[place] != sent.canonical() {
                        wrong.push(format!("changed {place:?}: {name}"));
                    }
                }
            }
        }
        wrong.extend(found.iter().map(|(place, names)| format!("never sent {place:?}: {names:?}")));
        wrong
    }
}
