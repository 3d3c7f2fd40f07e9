//! Logins that succeed, and the errors of those that do not.

use crate::fixture::{PASSWORD, Server};
use holdfast_postgres::{PostgresError, PostgresSettings, serve};

async fn refused(server: &Server, options: &str) -> (String, String) {
    let error = server.connect_with(options).await.map(drop).expect_err(options);
    let error = error.as_db_error().unwrap_or_else(|| panic!("{options}: {error}"));
    (error.code().code().to_owned(), error.message().to_owned())
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_user_have_the_same_error() {
    let server = Server::start().await;
    let wrong = refused(&server, "user=manager password=wrong").await;
    let unknown = refused(&server, "user=nobody password=wrong").await;
    assert_eq!(wrong, unknown);
    assert_eq!(wrong.0, "28P01");
    let failed = server.audit_trail.failed_logins.lock().unwrap();
    let local = Some("127.0.0.1".to_owned());
    let wrong = holdfast_query::ScramFailure::WrongProof;
    assert_eq!(*failed, [("manager".to_owned(), local.clone(), wrong), ("nobody".to_owned(), local, wrong)]);
}

#[tokio::test]
async fn a_user_without_access_to_the_interface_is_refused_after_the_proof() {
    let server = Server::start().await;
    let options = format!("user=locked password='{PASSWORD}'");
    assert_eq!(
        refused(&server, &options).await,
        ("28000".to_owned(), "this user may not use this interface".to_owned())
    );
}

#[tokio::test]
async fn a_try_that_the_authenticator_refuses_is_not_recorded_a_second_time() {
    let server = Server::start().await;
    let (code, message) = refused(&server, "user=throttled password=wrong").await;
    assert_eq!(code, "28000");
    assert!(message.contains("too many failed logins"), "{message}");
    assert!(server.audit_trail.failed_logins.lock().unwrap().is_empty());
}

#[tokio::test]
async fn there_is_one_database() {
    let server = Server::start().await;
    let options = format!("user=manager password='{PASSWORD}' dbname=postgres");
    assert_eq!(refused(&server, &options).await.0, "3D000");
}

#[tokio::test]
async fn variables_with_unsupported_values_are_refused_at_the_start() {
    let server = Server::start().await;
    let options = format!("user=manager password='{PASSWORD}' options='-c standard_conforming_strings=off'");
    assert_eq!(refused(&server, &options).await.0, "22023");
}

#[tokio::test]
async fn a_server_without_a_certificate_does_not_listen_on_the_network() {
    struct NoUsers;
    #[async_trait::async_trait]
    impl holdfast_query::Authenticator for NoUsers {
        async fn by_password(
            &self,
            _: &str,
            _: &str,
            _: holdfast_query::Interface,
            _: Option<String>,
        ) -> Result<holdfast_query::Reader, holdfast_query::AuthenticationError> {
            Err(holdfast_query::AuthenticationError::Unavailable(String::new()))
        }
        async fn by_token(
            &self,
            _: &str,
            _: holdfast_query::Interface,
            _: Option<String>,
        ) -> Result<holdfast_query::Reader, holdfast_query::AuthenticationError> {
            Err(holdfast_query::AuthenticationError::Unavailable(String::new()))
        }
        async fn begin_scram(
            &self,
            _: &str,
            _: Option<String>,
        ) -> Result<holdfast_query::ScramAttempt, holdfast_query::AuthenticationError> {
            Err(holdfast_query::AuthenticationError::Unavailable(String::new()))
        }
        async fn by_scram(
            &self,
            _: &holdfast_query::ScramAttempt,
        ) -> Result<holdfast_query::Reader, holdfast_query::AuthenticationError> {
            Err(holdfast_query::AuthenticationError::Unavailable(String::new()))
        }
        async fn scram_failed(&self, _: &holdfast_query::ScramAttempt, _: holdfast_query::ScramFailure) {}
    }
    let listener = tokio::net::TcpListener::bind("0.0.0.0:0").await.unwrap();
    let stop = tokio_util::sync::CancellationToken::new();
    let served = serve(listener, std::sync::Arc::new(NoUsers), PostgresSettings::default(), stop).await;
    assert!(matches!(served, Err(PostgresError::TlsNeeded(_))), "{served:?}");
}
