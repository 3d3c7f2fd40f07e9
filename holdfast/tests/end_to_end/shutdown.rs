//! SIGTERM: prompt, and nothing is left behind.

use std::time::Duration;

use holdfast_testkit::Signal;
use tokio_util::sync::CancellationToken;

use crate::place::{Place, stop};
use crate::sender::{Sender, Sent, chat};

/// Events are acknowledged a moment before the signal, long before the flush is due.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_archives_what_was_acknowledged() {
    let place = Place::new().await;
    let server = place.serve().await;
    let sender = Sender::new(&place);
    let ids: Vec<String> = (0..600).map(|number| format!("stop-{number}")).collect();
    for (number, ids) in ids.chunks(60).enumerate() {
        let events: Vec<_> =
            ids.iter().map(|id| chat(id, &format!("s-{number}"), number, "before the signal")).collect();
        sender.batch(&events).await;
    }
    let took = stop(server).await;
    assert!(took < Duration::from_secs(10), "the stop took {took:?}");
    let sent = Sent { acknowledged: ids, ..Sent::default() };
    sent.check(&place).await;
}

/// A signal while clients are posting: what was acknowledged is archived at the end of the process, without another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_under_load_is_prompt_and_loses_nothing() {
    let place = Place::new().await;
    let mut sent = Sent::default();
    for (round, signal) in [Signal::Terminate, Signal::Interrupt].into_iter().enumerate() {
        let mut server = place.serve().await;
        let stopping = CancellationToken::new();
        let pouring = tokio::spawn(Sender::new(&place).pour(format!("load-{round}"), stopping.clone()));
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        let begun = std::time::Instant::now();
        server.signal(signal);
        let status = server.wait(Duration::from_secs(30)).await.expect("the server stops in time");
        let took = begun.elapsed();
        assert_eq!(status.code(), Some(0), "{signal:?}: {}", server.stderr());
        assert!(took < Duration::from_secs(10), "{signal:?} took {took:?}");
        stopping.cancel();
        sent.add(pouring.await.unwrap());
        assert!(sent.acknowledged.len() > 20);
        sent.check(&place).await;
    }
}
