//! SIGTERM: the stop is prompt, and everything acknowledged is archived.

use std::time::Duration;

use holdfast_testkit::Signal;
use tokio_util::sync::CancellationToken;

use crate::installation::{Installation, stop};
use crate::sender::{Sender, Sent, chat};

/// Events are acknowledged a moment before the signal, long before the flush is due.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_archives_all_acknowledged_events() {
    let installation = Installation::new().await;
    let server = installation.serve().await;
    let sender = Sender::new(&installation);
    let ids: Vec<String> = (0..600).map(|number| format!("stop-{number}")).collect();
    for (number, ids) in ids.chunks(60).enumerate() {
        let events: Vec<_> =
            ids.iter().map(|id| chat(id, &format!("s-{number}"), number, "before the signal")).collect();
        sender.batch(&events).await;
    }
    let took = stop(server).await;
    assert!(took < Duration::from_secs(10), "the stop took {took:?}");
    let sent = Sent { acknowledged: ids, ..Sent::default() };
    sent.check(&installation).await;
}

/// A signal while clients send: acknowledged events are archived when the process has ended, without another start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_under_load_is_prompt_and_loses_nothing() {
    let installation = Installation::new().await;
    let mut sent = Sent::default();
    for (round, signal) in [Signal::Terminate, Signal::Interrupt].into_iter().enumerate() {
        let mut server = installation.serve().await;
        let stopping = CancellationToken::new();
        let sending = tokio::spawn(Sender::new(&installation).send_until(format!("load-{round}"), stopping.clone()));
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        let begun = std::time::Instant::now();
        server.signal(signal);
        let status = server.wait(Duration::from_secs(30)).await.expect("the server stops in time");
        let took = begun.elapsed();
        assert_eq!(status.code(), Some(0), "{signal:?}: {}", server.stderr());
        assert!(took < Duration::from_secs(10), "{signal:?} took {took:?}");
        stopping.cancel();
        sent.add(sending.await.unwrap());
        assert!(sent.acknowledged.len() > 20);
        sent.check(&installation).await;
    }
}
