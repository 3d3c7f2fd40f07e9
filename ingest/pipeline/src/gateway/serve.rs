//! Serves HTTP, and drains requests in progress when it stops.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Serves until `shutdown`. Then accepts no more connections, completes the requests in progress, and returns when all
/// are complete, or after `drain`.
///
/// # Errors
/// The listener failed.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: CancellationToken,
    drain: Duration,
) -> io::Result<()> {
    // The audit trail records the client's address.
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let serving = axum::serve(listener, service).with_graceful_shutdown(shutdown.clone().cancelled_owned());
    tokio::select! {
        result = serving => result,
        () = expired(shutdown, drain) => {
            tracing::warn!(seconds = drain.as_secs(), "stopped the gateway before all requests were complete");
            Ok(())
        }
    }
}

async fn expired(shutdown: CancellationToken, drain: Duration) {
    shutdown.cancelled().await;
    tokio::time::sleep(drain).await;
}
