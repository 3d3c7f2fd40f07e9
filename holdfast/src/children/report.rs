//! What a child tells its parent: one JSON object a line, on its standard output. Pure.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::health::ComponentState;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ChildReport {
    /// The states of its components.
    pub(super) components: BTreeMap<String, ComponentState>,
    pub(super) addresses: Addresses,
    /// Its metrics, in the OpenMetrics text format without the last line `# EOF`.
    pub(super) metrics: String,
}

/// Where a child listens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Addresses {
    /// SQL, reports and sessions over HTTP.
    pub(crate) http: Option<SocketAddr>,
    /// The PostgreSQL wire protocol.
    pub(crate) postgres: Option<SocketAddr>,
}

impl ChildReport {
    pub(super) fn to_line(&self) -> Vec<u8> {
        let mut line = serde_json::to_vec(self).expect("a report has no map with keys other than text");
        line.push(b'\n');
        line
    }

    pub(super) fn parse(line: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(line)
    }

    /// Why the child is not ready, for people; `None` when it is.
    pub(super) fn problem(&self) -> Option<String> {
        let problems: Vec<String> = self
            .components
            .iter()
            .filter_map(|(name, state)| match state {
                ComponentState::Ready => None,
                ComponentState::Starting => Some(format!("{name} is starting")),
                ComponentState::NotReady { reason } => Some(format!("{name}: {reason}")),
                ComponentState::Stopped => Some(format!("{name} stopped")),
            })
            .collect();
        match (self.components.is_empty(), problems.is_empty()) {
            (true, _) => Some("it is starting".to_owned()),
            (false, true) => None,
            (false, false) => Some(problems.join("; ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_one_line_and_reads_back() {
        let report = ChildReport {
            components: BTreeMap::from([
                ("postgres wire".to_owned(), ComponentState::Ready),
                ("sessions".to_owned(), ComponentState::NotReady { reason: "line\nbreak".to_owned() }),
            ]),
            addresses: Addresses { http: None, postgres: Some("127.0.0.1:8481".parse().unwrap()) },
            metrics: "# HELP a b\na 1\n".to_owned(),
        };
        let line = report.to_line();
        assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
        assert_eq!(ChildReport::parse(std::str::from_utf8(&line).unwrap()).unwrap(), report);
        assert_eq!(report.problem().as_deref(), Some("sessions: line\nbreak"));
    }

    #[test]
    fn a_child_is_ready_when_it_has_components_and_all_are() {
        let report = |components| ChildReport { components, addresses: Addresses::default(), metrics: String::new() };
        assert_eq!(report(BTreeMap::new()).problem().as_deref(), Some("it is starting"));
        let mut components = BTreeMap::from([("sealer".to_owned(), ComponentState::Ready)]);
        assert_eq!(report(components.clone()).problem(), None);
        components.insert("other".to_owned(), ComponentState::Stopped);
        assert_eq!(report(components).problem().as_deref(), Some("other stopped"));
    }
}
