//! Reads the messages of a client and dispatches them, until the session ends.

use super::portal::end_at_deadlines;
use super::result::SessionError;
use super::state::Session;
use crate::sqlstate::Failure;
use crate::wire::{Malformed, Message, WireError};
use datafusion_postgres::pgwire::messages::PgWireBackendMessage;
use datafusion_postgres::pgwire::messages::response::{ReadyForQuery, TransactionStatus};
use datafusion_postgres::pgwire::messages::startup::{Authentication, BackendKeyData, ParameterStatus, SecretKey};
use holdfast_query::STATEMENT_BYTES;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The time in which a client must read why its session ends. Then the connection is closed without it.
const LAST_MESSAGE_TIMEOUT: Duration = Duration::from_secs(5);

impl Session {
    /// Completes the login, and serves the client until the session ends.
    pub(crate) async fn run(mut self) -> Result<(), WireError> {
        match self.serve_messages().await {
            Ok(()) => self.wire.close().await,
            Err(SessionError::Failed(failure)) => {
                // Accesses end now, however slowly the client reads.
                self.portals.clear();
                let last = self.wire.close_with(failure.info());
                return tokio::time::timeout(LAST_MESSAGE_TIMEOUT, last).await.unwrap_or(Err(WireError::Stalled));
            }
            Err(SessionError::Connection(error)) => return Err(error),
        }
        Ok(())
    }

    async fn serve_messages(&mut self) -> Result<(), SessionError> {
        self.complete_login().await?;
        loop {
            let Some(message) = self.next_message().await? else { return Ok(()) };
            match message {
                Message::Terminate => return Ok(()),
                Message::Sync => {
                    self.discards_until_sync = false;
                    self.ready().await?;
                }
                _ if self.discards_until_sync => {}
                message => self.dispatch(message).await?,
            }
        }
    }

    /// The next message of the client; `None` if it disconnected. While it is silent, the statements of its portals end at
    /// their deadlines.
    async fn next_message(&mut self) -> Result<Option<Message>, SessionError> {
        let idle_until = Instant::now() + self.settings.idle_timeout;
        loop {
            let deadline = self.next_deadline();
            let passed = async {
                match deadline {
                    Some(deadline) => tokio::time::sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Err(Failure::shutdown().into()),
                () = passed => {}
                message = tokio::time::timeout_at(idle_until, self.wire.next()) => {
                    let Ok(message) = message else {
                        let idle = "terminating connection due to idle-session timeout";
                        return Err(Failure::fatal("57P05", idle).into());
                    };
                    return message.map_err(protocol_error);
                }
            }
            let Self { wire, portals, stop, .. } = &mut *self;
            unless_ended(stop, wire.disconnected(), end_at_deadlines(portals)).await?;
        }
    }

    async fn dispatch(&mut self, message: Message) -> Result<(), SessionError> {
        self.check_account().await?;
        let is_extended = message.is_extended();
        let result = match message {
            Message::Query(text) => self.simple_query(&text).await,
            Message::SaslResponse(_) => Err(Failure::protocol("a SASL response was not expected").into()),
            // The data that a client sends after a refused COPY.
            Message::Unsupported("COPY") => return Ok(()),
            Message::Unsupported(what) => Err(Failure::unsupported(what).into()),
            extended => self.extended(extended).await,
        };
        match result {
            Err(SessionError::Failed(failure)) if failure.is_fatal => return Err(failure.into()),
            Err(SessionError::Failed(failure)) => {
                if self.transaction == TransactionStatus::Transaction {
                    self.transaction = TransactionStatus::Error;
                }
                self.discards_until_sync = is_extended;
                self.wire.error(failure.info()).await?;
                self.wire.flush().await?;
            }
            Err(error) => return Err(error),
            Ok(()) => {}
        }
        if is_extended { Ok(()) } else { self.ready().await }
    }

    async fn complete_login(&mut self) -> Result<(), SessionError> {
        self.wire.set_max_message_bytes(self.settings.max_message_bytes);
        self.wire.put(PgWireBackendMessage::Authentication(Authentication::Ok)).await?;
        for (name, value) in self.variables.reported().collect::<Vec<_>>() {
            self.wire.put(PgWireBackendMessage::ParameterStatus(ParameterStatus::new(name, value))).await?;
        }
        let key = BackendKeyData::new(self.cancel_key.process(), SecretKey::I32(self.cancel_key.secret()));
        self.wire.put(PgWireBackendMessage::BackendKeyData(key)).await?;
        self.ready().await
    }

    /// Sends ReadyForQuery. Outside of a transaction block this closes all portals but held cursors.
    async fn ready(&mut self) -> Result<(), SessionError> {
        if self.transaction == TransactionStatus::Idle {
            self.close_portals();
        }
        self.give_back();
        self.wire.put(PgWireBackendMessage::ReadyForQuery(ReadyForQuery::new(self.transaction))).await?;
        Ok(self.wire.flush().await?)
    }
}

/// Waits for `work`, unless the session ends meanwhile, because it must or because the client disconnects.
async fn unless_ended(
    stop: &CancellationToken,
    disconnected: impl Future<Output = WireError>,
    work: impl Future<Output = ()>,
) -> Result<(), SessionError> {
    tokio::select! {
        biased;
        () = stop.cancelled() => Err(Failure::shutdown().into()),
        () = work => Ok(()),
        error = disconnected => Err(error.into()),
    }
}

fn protocol_error(error: WireError) -> SessionError {
    match error {
        WireError::Malformed(too_long @ Malformed::TooLong { .. }) => {
            let hint =
                format!("a statement has at most {STATEMENT_BYTES} bytes, and its values have the rest of a message");
            Failure::fatal("54000", too_long.to_string()).hint(hint).into()
        }
        WireError::Malformed(malformed) => Failure::protocol(malformed.to_string()).into(),
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_over_the_bound_has_the_code_of_a_limit_and_names_it() {
        let too_long = Malformed::TooLong { length: 16 << 20, max: 1 << 20 };
        let SessionError::Failed(failure) = protocol_error(WireError::Malformed(too_long)) else { panic!() };
        assert_eq!((failure.code, failure.is_fatal), ("54000", true));
        assert!(failure.message.contains("1048576") && failure.hint.unwrap().contains("262144"));
        let SessionError::Failed(failure) = protocol_error(WireError::Malformed(Malformed::Kind(0))) else { panic!() };
        assert_eq!(failure.code, "08P01");
    }

    #[tokio::test]
    async fn a_statement_that_does_not_end_keeps_no_session() {
        let stop = CancellationToken::new();
        let forever = std::future::pending::<()>;
        let gone = async { WireError::Stalled };
        let ended = unless_ended(&stop, gone, forever()).await;
        assert!(matches!(ended, Err(SessionError::Connection(WireError::Stalled))), "{ended:?}");
        let done = unless_ended(&stop, std::future::pending(), async {}).await;
        assert!(done.is_ok(), "{done:?}");
        stop.cancel();
        let ended = unless_ended(&stop, std::future::pending(), forever()).await;
        assert!(matches!(ended, Err(SessionError::Failed(failure)) if failure.is_fatal));
    }
}
