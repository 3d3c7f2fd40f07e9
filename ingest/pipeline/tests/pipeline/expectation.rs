//! The guarantee as a value: every message that Kafka acknowledged is archived once, as an event or a dead letter, and
//! nothing else is.

use std::collections::BTreeMap;

use crate::readback::{Contents, EventRow, KafkaPosition};
use crate::sent::{Outcome, Sent};

/// What was acknowledged so far.
#[derive(Debug, Default)]
pub(crate) struct Expectation {
    /// With the position; `None` if the broker recognised a duplicate and did not report the offset of the first one.
    acknowledged: Vec<(Option<KafkaPosition>, Sent)>,
}

impl Expectation {
    pub(crate) fn add(&mut self, position: Option<KafkaPosition>, sent: Sent) {
        self.acknowledged.push((position, sent));
    }

    /// By partition, the offset behind the last acknowledged message.
    pub(crate) fn targets(&self) -> BTreeMap<(String, i32), i64> {
        let mut targets: BTreeMap<(String, i32), i64> = BTreeMap::new();
        for (topic, partition, offset) in self.acknowledged.iter().filter_map(|(position, _)| position.as_ref()) {
            let target = targets.entry((topic.clone(), *partition)).or_default();
            *target = (*target).max(offset + 1);
        }
        targets
    }

    /// Whether the positions of all messages are known.
    pub(crate) fn positions_are_known(&self) -> bool {
        self.acknowledged.iter().all(|(position, _)| position.is_some())
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
            .filter_map(|(position, sent)| {
                let Outcome::Archived { id, .. } = &sent.outcome else { return None };
                let here = |row: &&&EventRow| position.as_ref().is_none_or(|position| row.position == *position);
                let row = rows.get(id.as_str())?.iter().find(here)?;
                Some((sent.value.clone().unwrap_or_default(), *row))
            })
            .collect()
    }

    /// Everything that is lost, duplicated, changed, or archived without having been sent.
    pub(crate) fn compare(&self, contents: &Contents) -> Vec<String> {
        let mut wrong = Vec::new();
        // What is at each position: events by source and id, dead letters by reason.
        let mut found: BTreeMap<&KafkaPosition, Vec<String>> = BTreeMap::new();
        let mut canonical: BTreeMap<&KafkaPosition, &[u8]> = BTreeMap::new();
        let mut by_name: BTreeMap<String, Vec<&KafkaPosition>> = BTreeMap::new();
        for row in &contents.events {
            let name = format!("event {} of {}", row.id, row.source);
            found.entry(&row.position).or_default().push(name.clone());
            canonical.insert(&row.position, &row.canonical);
            by_name.entry(name).or_default().push(&row.position);
        }
        for row in &contents.dead {
            found.entry(&row.position).or_default().push(format!("dead letter: {}", row.reason));
        }
        wrong.extend(
            found
                .iter()
                .filter(|(_, names)| names.len() > 1)
                .map(|(position, names)| format!("duplicated {position:?}: {names:?}")),
        );
        let mut unplaced = Vec::new();
        for (position, sent) in &self.acknowledged {
            let name = match &sent.outcome {
                Outcome::Archived { source, id } => format!("event {id} of {source}"),
                Outcome::DeadLetter { reason } => format!("dead letter: {reason}"),
            };
            let Some(position) = position else {
                unplaced.push((name, sent));
                continue;
            };
            match found.remove(position) {
                None => wrong.push(format!("lost {position:?}: {name}")),
                Some(names) if names[0] != name => {
                    wrong.push(format!("at {position:?} is {:?} instead of {name:?}", names[0]));
                }
                Some(_) => {
                    if matches!(sent.outcome, Outcome::Archived { .. }) && canonical[position] != sent.canonical() {
                        wrong.push(format!("changed {position:?}: {name}"));
                    }
                }
            }
        }
        for (name, sent) in unplaced {
            let position =
                by_name.get(&name).into_iter().flatten().copied().find(|position| found.contains_key(*position));
            match position {
                None => wrong.push(format!("lost: {name}, whose position is unknown")),
                Some(position) => {
                    found.remove(position);
                    if canonical[position] != sent.canonical() {
                        wrong.push(format!("changed {position:?}: {name}"));
                    }
                }
            }
        }
        wrong.extend(found.iter().map(|(position, names)| format!("never sent {position:?}: {names:?}")));
        wrong
    }
}
