//! Listening, and stopping without losing what was begun.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Serves until `shutdown`, then takes no more connections, answers what was begun, and returns: when all is answered,
/// or after `drain`.
///
/// # Errors
/// The listener failed.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: CancellationToken,
    drain: Duration,
) -> io::Result<()> {
    // Who asks is on record with the address that they came from.
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let serving = axum::serve(listener, service).with_graceful_shutdown(shutdown.clone().cancelled_owned());
    tokio::select! {
        result = serving => result,
        () = expired(shutdown, drain) => {
            tracing::warn!(seconds = drain.as_secs(), "stopped the gateway with requests that were not answered");
            Ok(())
        }
    }
}

async fn expired(shutdown: CancellationToken, drain: Duration) {
    shutdown.cancelled().await;
    tokio::time::sleep(drain).await;
}
