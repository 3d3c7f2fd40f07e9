//! That success is told after the acknowledgement, never before, and what is told when there is none.

use super::*;

#[tokio::test(start_paused = true)]
async fn success_comes_only_after_the_acknowledgement() {
    let fixture = fixture(Behaviour::AcknowledgeAfter(Duration::from_secs(7)));
    let started = tokio::time::Instant::now();
    let answering = fixture.post(STRUCTURED, event("1"));
    tokio::pin!(answering);
    assert!(tokio::time::timeout(Duration::from_millis(6_900), &mut answering).await.is_err());
    assert_eq!(fixture.sent().len(), 1);
    let answer = answering.await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert!(started.elapsed() >= Duration::from_secs(7));
    assert!(fixture.metrics().contains("gateway_kafka_acknowledgement_seconds_count 1"));
    fixture.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn one_event_that_is_not_acknowledged_fails_the_batch() {
    let error = PublishError::Unavailable { reason: "kafka_too_few_replicas" };
    let fixture = fixture(Behaviour::FailAt(7, error));
    let answer = fixture.post(BATCH, batch((0..20).map(|id| id.to_string()))).await;
    assert_eq!((answer.status, answer.reason()), (StatusCode::SERVICE_UNAVAILABLE, "kafka_too_few_replicas"));
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert!(!fixture.metrics().contains("gateway_accepted_events_total{"));
    fixture.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn silence_of_kafka_is_unavailable_and_never_success() {
    let fixture = fixture(Behaviour::Hang);
    let started = tokio::time::Instant::now();
    let answer = fixture.post(STRUCTURED, event("1")).await;
    assert_eq!((answer.status, answer.reason()), (StatusCode::SERVICE_UNAVAILABLE, "kafka_timeout"));
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert!(answer.detail().contains("same ids"));
    assert!(started.elapsed() >= Duration::from_secs(35));
    fixture.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn errors_of_kafka_have_their_answers() {
    for (behaviour, status, reason) in [
        (Behaviour::Refuse(PublishError::Busy), StatusCode::TOO_MANY_REQUESTS, "queue_full"),
        (Behaviour::Refuse(PublishError::TooLarge), StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
        (Behaviour::Fail(PublishError::TooLarge), StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
        (
            Behaviour::Fail(PublishError::Unavailable { reason: "kafka_timeout" }),
            StatusCode::SERVICE_UNAVAILABLE,
            "kafka_timeout",
        ),
        (
            Behaviour::Refuse(PublishError::Unavailable { reason: "kafka_fatal" }),
            StatusCode::SERVICE_UNAVAILABLE,
            "kafka_fatal",
        ),
    ] {
        let fixture = fixture(behaviour);
        let answer = fixture.post(STRUCTURED, event("1")).await;
        assert_eq!((answer.status, answer.reason()), (status, reason), "{behaviour:?}");
        assert_eq!(answer.header("retry-after").is_some(), status != StatusCode::PAYLOAD_TOO_LARGE);
        // And it goes on as soon as Kafka does.
        fixture.behave(Behaviour::Acknowledge);
        assert_eq!(fixture.post(STRUCTURED, event("1")).await.status, StatusCode::ACCEPTED);
        fixture.assert_idle();
    }
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_fills_up_within_a_batch_is_waited_for() {
    let fixture = fixture(Behaviour::BusyAfter(5, Duration::from_secs(3)));
    let answer = fixture.post(BATCH, batch((0..20).map(|id| id.to_string()))).await;
    assert_eq!((answer.status, &answer.body["accepted"]), (StatusCode::ACCEPTED, &20.into()));
    // Nothing was sent twice for it.
    assert_eq!(fixture.sent().len(), 20);
}

#[tokio::test(start_paused = true)]
async fn more_than_fits_is_refused_until_there_is_room() {
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
async fn a_sender_that_hangs_up_gives_its_room_back() {
    let fixture = fixture(Behaviour::Hang);
    let hung_up = tokio::time::timeout(Duration::from_secs(1), fixture.post(STRUCTURED, event("1"))).await;
    assert!(hung_up.is_err());
    fixture.assert_idle();
}
