//! The gateway reports success only after the acknowledgement, and an error without one.

use super::*;

#[tokio::test(start_paused = true)]
async fn success_is_reported_only_after_the_acknowledgement() {
    let fixture = fixture(Behaviour::AcknowledgeAfter(Duration::from_secs(7)));
    let started = tokio::time::Instant::now();
    let response = fixture.post(STRUCTURED, event("1"));
    tokio::pin!(response);
    assert!(tokio::time::timeout(Duration::from_millis(6_900), &mut response).await.is_err());
    assert_eq!(fixture.sent().len(), 1);
    let response = response.await;
    assert_eq!(response.status, StatusCode::ACCEPTED);
    assert!(started.elapsed() >= Duration::from_secs(7));
    assert!(fixture.metrics().contains("gateway_kafka_acknowledgement_seconds_count 1"));
    fixture.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn one_event_that_is_not_acknowledged_fails_the_batch() {
    let error = PublishError::Unavailable { reason: "kafka_too_few_replicas" };
    let fixture = fixture(Behaviour::FailAt(7, error));
    let response = fixture.post(BATCH, batch((0..20).map(|id| id.to_string()))).await;
    assert_eq!((response.status, response.reason()), (StatusCode::SERVICE_UNAVAILABLE, "kafka_too_few_replicas"));
    assert_eq!(response.header("retry-after"), Some("1"));
    assert!(!fixture.metrics().contains("gateway_accepted_events_total{"));
    fixture.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn a_missing_acknowledgement_is_unavailable_and_never_success() {
    let fixture = fixture(Behaviour::Hang);
    let started = tokio::time::Instant::now();
    let response = fixture.post(STRUCTURED, event("1")).await;
    assert_eq!((response.status, response.reason()), (StatusCode::SERVICE_UNAVAILABLE, "kafka_timeout"));
    assert_eq!(response.header("retry-after"), Some("1"));
    assert!(response.detail().contains("same ids"));
    assert!(started.elapsed() >= Duration::from_secs(35));
    fixture.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn errors_of_kafka_have_their_own_responses() {
    for (behaviour, status, reason) in [
        (Behaviour::Reject(PublishError::Busy), StatusCode::TOO_MANY_REQUESTS, "queue_full"),
        (Behaviour::Reject(PublishError::TooLarge), StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
        (Behaviour::Fail(PublishError::TooLarge), StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
        (
            Behaviour::Fail(PublishError::Unavailable { reason: "kafka_timeout" }),
            StatusCode::SERVICE_UNAVAILABLE,
            "kafka_timeout",
        ),
        (
            Behaviour::Reject(PublishError::Unavailable { reason: "kafka_fatal" }),
            StatusCode::SERVICE_UNAVAILABLE,
            "kafka_fatal",
        ),
    ] {
        let fixture = fixture(behaviour);
        let response = fixture.post(STRUCTURED, event("1")).await;
        assert_eq!((response.status, response.reason()), (status, reason), "{behaviour:?}");
        assert_eq!(response.header("retry-after").is_some(), status != StatusCode::PAYLOAD_TOO_LARGE);
        // The gateway works again as soon as Kafka does.
        fixture.behave(Behaviour::Acknowledge);
        assert_eq!(fixture.post(STRUCTURED, event("1")).await.status, StatusCode::ACCEPTED);
        fixture.assert_idle();
    }
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_fills_up_within_a_batch_is_waited_for() {
    let fixture = fixture(Behaviour::BusyAfter(5, Duration::from_secs(3)));
    let response = fixture.post(BATCH, batch((0..20).map(|id| id.to_string()))).await;
    assert_eq!((response.status, &response.body["accepted"]), (StatusCode::ACCEPTED, &20.into()));
    // Nothing was sent twice for it.
    assert_eq!(fixture.sent().len(), 20);
}

#[tokio::test(start_paused = true)]
async fn requests_beyond_the_budget_are_rejected_until_it_is_released() {
    let fixture = fixture(Behaviour::AcknowledgeAfter(Duration::from_secs(5)));
    let first = fixture.post(BATCH, batch((0..60).map(|id| id.to_string())));
    let second = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        fixture.post(BATCH, batch((60..120).map(|id| id.to_string()))).await
    };
    let small = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        fixture.post(STRUCTURED, event("small")).await
    };
    let (first, second, small) = tokio::join!(first, second, small);
    assert_eq!(first.status, StatusCode::ACCEPTED);
    assert_eq!(small.status, StatusCode::ACCEPTED);
    assert_eq!((second.status, second.reason()), (StatusCode::TOO_MANY_REQUESTS, "in_flight_events"));
    assert_eq!(second.header("retry-after"), Some("1"));
    let again = fixture.post(BATCH, batch((60..120).map(|id| id.to_string()))).await;
    assert_eq!(again.status, StatusCode::ACCEPTED);
    assert_eq!(fixture.sent().len(), 121);
    fixture.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn bytes_are_bounded_over_all_requests() {
    let fixture = fixture(Behaviour::AcknowledgeAfter(Duration::from_secs(5)));
    let chunk = |seq: usize| {
        let request = chunk_request(&format!("s/r/chunks/{seq}?first_ms=0&last_ms=1"));
        fixture.send(request.body(vec![7u8; 280_000].into()).unwrap())
    };
    let late = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        chunk(3).await
    };
    let (a, b, c, late) = tokio::join!(chunk(0), chunk(1), chunk(2), late);
    assert_eq!([a.status, b.status, c.status], [StatusCode::ACCEPTED; 3]);
    assert_eq!((late.status, late.reason()), (StatusCode::TOO_MANY_REQUESTS, "in_flight_bytes"));
    assert_eq!(chunk(3).await.status, StatusCode::ACCEPTED);
    fixture.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn a_closed_connection_releases_its_reservation() {
    let fixture = fixture(Behaviour::Hang);
    let closed = tokio::time::timeout(Duration::from_secs(1), fixture.post(STRUCTURED, event("1"))).await;
    assert!(closed.is_err());
    fixture.assert_idle();
}
