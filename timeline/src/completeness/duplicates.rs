//! Each event once, and how often it was delivered again.

use std::collections::{BTreeMap, BTreeSet};

use super::delivery::Delivery;

/// The events of a session, each once.
#[derive(Debug)]
pub(super) struct Deduplicated<'d> {
    /// The first delivery of each event, ordered by time and then by position.
    pub(super) events: Vec<&'d Delivery>,
    pub(super) duplicates: Duplicates<'d>,
}

/// Deliveries beyond the first, by event.
#[derive(Debug, Default)]
pub(super) struct Duplicates<'d>(BTreeMap<(&'d str, &'d str), u64>);

impl<'d> Deduplicated<'d> {
    pub(super) fn new(deliveries: &'d [Delivery]) -> Self {
        let mut ordered: Vec<&Delivery> = deliveries.iter().collect();
        ordered.sort();
        let mut known = BTreeSet::new();
        let mut duplicates = Duplicates::default();
        let mut events = Vec::new();
        for delivery in ordered {
            if known.insert(delivery.event()) {
                events.push(delivery);
            } else {
                *duplicates.0.entry(delivery.event()).or_default() += 1;
            }
        }
        Self { events, duplicates }
    }
}

impl Duplicates<'_> {
    /// How often an event was delivered beyond the first time.
    pub(super) fn of(&self, event: &Delivery) -> u64 {
        self.0.get(&event.event()).copied().unwrap_or(0)
    }

    pub(super) fn total(&self) -> u64 {
        self.0.values().sum()
    }
}
