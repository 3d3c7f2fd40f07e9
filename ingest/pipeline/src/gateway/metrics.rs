//! The gateway's metrics. Label values are constants of this program; so their number is bounded, and who reads the
//! metrics learns no name of a sender.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Seconds: from a broker on the same machine to a delivery timeout.
const ACKNOWLEDGEMENT_BUCKETS: [f64; 12] = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RequestLabels {
    pub(super) route: &'static str,
    pub(super) status: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RouteLabels {
    pub(super) route: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SenderLabels {
    /// What the sender is known by: `certificate` or `token`.
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RejectionLabels {
    pub(super) route: &'static str,
    pub(super) reason: &'static str,
}

#[derive(Clone)]
pub(super) struct Metrics {
    pub(super) requests: Family<RequestLabels, Counter>,
    pub(super) rejected_requests: Family<RejectionLabels, Counter>,
    pub(super) body_bytes: Family<RouteLabels, Counter>,
    pub(super) accepted_events: Family<RouteLabels, Counter>,
    events_of_senders: Family<SenderLabels, Counter>,
    pub(super) in_flight_bytes: Gauge,
    pub(super) in_flight_events: Gauge,
    pub(super) acknowledgement_seconds: Histogram,
}

impl Metrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            requests: Family::default(),
            rejected_requests: Family::default(),
            body_bytes: Family::default(),
            accepted_events: Family::default(),
            events_of_senders: Family::default(),
            in_flight_bytes: Gauge::default(),
            in_flight_events: Gauge::default(),
            acknowledgement_seconds: Histogram::new(ACKNOWLEDGEMENT_BUCKETS),
        };
        let registry = registry.sub_registry_with_prefix("gateway");
        registry.register("requests", "Requests by route and status", metrics.requests.clone());
        registry.register(
            "rejected_requests",
            "Requests that were not accepted, by reason",
            metrics.rejected_requests.clone(),
        );
        registry.register_with_unit(
            "body",
            "Bytes of accepted bodies, after decompression",
            Unit::Bytes,
            metrics.body_bytes.clone(),
        );
        registry.register("accepted_events", "Events that Kafka acknowledged", metrics.accepted_events.clone());
        registry.register(
            "sender_events",
            "Events that Kafka acknowledged, by what the sender is known by",
            metrics.events_of_senders.clone(),
        );
        registry.register_with_unit(
            "in_flight",
            "Bytes of bodies that wait for the acknowledgement of Kafka",
            Unit::Bytes,
            metrics.in_flight_bytes.clone(),
        );
        registry.register(
            "in_flight_events",
            "Events that wait for the acknowledgement of Kafka",
            metrics.in_flight_events.clone(),
        );
        registry.register_with_unit(
            "kafka_acknowledgement",
            "Time from queueing the first event of a request to the acknowledgement of its last event",
            Unit::Seconds,
            metrics.acknowledgement_seconds.clone(),
        );
        metrics
    }

    /// Counts accepted events of a sender that is known by a certificate, or else by a token.
    pub(super) fn count_events_of(&self, is_certified: bool, events: u64) {
        let kind = if is_certified { "certificate" } else { "token" };
        self.events_of_senders.get_or_create(&SenderLabels { kind }).inc_by(events);
    }
}
