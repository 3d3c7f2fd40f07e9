//! Authenticates a request: the header Authorization, checked by the authenticator.

use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use axum::http::header;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use holdfast_query::{Authenticator, Interface, Reader};

use crate::error_mapping::{authentication_problem, missing_credentials};
use crate::headers::single;
use crate::problem::Problem;

/// The credentials in a request.
#[derive(PartialEq, Eq)]
enum Credentials {
    Token(String),
    Password { user: String, password: String },
}

/// The reader of the user who sent a request.
pub(crate) async fn authenticate(
    authenticator: &dyn Authenticator,
    parts: &Parts,
    retry_after_seconds: u64,
) -> Result<Reader, Problem> {
    let credentials = match single(&parts.headers, &header::AUTHORIZATION)? {
        Some(value) => credentials(value.as_bytes())?,
        None => return Err(missing_credentials(HOW)),
    };
    let remote = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip().to_string());
    let reader = match credentials {
        Credentials::Token(token) => authenticator.by_token(&token, Interface::Http, remote).await,
        Credentials::Password { user, password } => {
            authenticator.by_password(&user, &password, Interface::Http, remote).await
        }
    };
    reader.map_err(|error| authentication_problem(&error, retry_after_seconds))
}

const HOW: &str = "send the header `Authorization: Bearer TOKEN`, or `Authorization: Basic` with a user's name and \
                   password";

fn credentials(value: &[u8]) -> Result<Credentials, Problem> {
    let missing = || missing_credentials(HOW);
    let value = std::str::from_utf8(value).map_err(|_| missing())?;
    let (scheme, rest) = value.trim().split_once(' ').ok_or_else(missing)?;
    let rest = rest.trim();
    if rest.is_empty() {
        return Err(missing());
    }
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok(Credentials::Token(rest.to_owned()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(missing());
    }
    let basic = || missing_credentials("Basic credentials are the base64 of `user:password`, in UTF-8");
    let decoded = BASE64_STANDARD.decode(rest).map_err(|_| basic())?;
    let decoded = String::from_utf8(decoded).map_err(|_| basic())?;
    let (user, password) = decoded.split_once(':').filter(|(user, _)| !user.is_empty()).ok_or_else(basic)?;
    Ok(Credentials::Password { user: user.to_owned(), password: password.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(value: &str) -> Option<Credentials> {
        credentials(value.as_bytes()).ok()
    }

    #[test]
    fn both_schemes_are_accepted_in_any_case() {
        assert!(parsed("bearer  abc ") == Some(Credentials::Token("abc".to_owned())));
        let ann = Credentials::Password { user: "ann".to_owned(), password: "a:b".to_owned() };
        assert!(parsed(&format!("BASIC {}", BASE64_STANDARD.encode("ann:a:b"))) == Some(ann));
    }

    #[test]
    fn other_values_are_no_credentials() {
        let no_user = BASE64_STANDARD.encode(":secret");
        let no_colon = BASE64_STANDARD.encode("ann");
        let basic = [format!("Basic {no_user}"), format!("Basic {no_colon}"), "Basic %%%".to_owned()];
        for value in ["", "Bearer", "Bearer ", "Digest x=y", "abc"].into_iter().map(str::to_owned).chain(basic) {
            assert!(parsed(&value).is_none(), "{value}");
        }
        assert!(credentials(b"Bearer \xff").is_err());
    }
}
