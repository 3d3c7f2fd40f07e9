//! Who asks: the header Authorization, to the authenticator.

use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use axum::http::header;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use holdfast_query::{Authenticator, Interface, Reader};

use crate::headers::single;
use crate::problem::Problem;
use crate::refusal;

/// What somebody shows at the interface.
#[derive(PartialEq, Eq)]
enum Credentials {
    Token(String),
    Password { user: String, password: String },
}

/// Lets in whoever sent a request, or says why not.
pub(crate) async fn authenticate(
    authenticator: &dyn Authenticator,
    parts: &Parts,
    retry_after_seconds: u64,
) -> Result<Reader, Problem> {
    let credentials = match single(&parts.headers, &header::AUTHORIZATION)? {
        Some(value) => credentials(value.as_bytes())?,
        None => return Err(refusal::unidentified(HOW)),
    };
    let remote = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip().to_string());
    let entered = match credentials {
        Credentials::Token(token) => authenticator.by_token(&token, Interface::Http, remote).await,
        Credentials::Password { user, password } => {
            authenticator.by_password(&user, &password, Interface::Http, remote).await
        }
    };
    entered.map_err(|refused| refusal::of_authentication(&refused, retry_after_seconds))
}

const HOW: &str = "send the header `Authorization: Bearer TOKEN`, or `Authorization: Basic` with a user's name and \
                   password";

fn credentials(value: &[u8]) -> Result<Credentials, Problem> {
    let unidentified = || refusal::unidentified(HOW);
    let value = std::str::from_utf8(value).map_err(|_| unidentified())?;
    let (scheme, rest) = value.trim().split_once(' ').ok_or_else(unidentified)?;
    let rest = rest.trim();
    if rest.is_empty() {
        return Err(unidentified());
    }
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok(Credentials::Token(rest.to_owned()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(unidentified());
    }
    let basic = || refusal::unidentified("Basic credentials are the base64 of `user:password`, in UTF-8");
    let decoded = BASE64_STANDARD.decode(rest).map_err(|_| basic())?;
    let decoded = String::from_utf8(decoded).map_err(|_| basic())?;
    let (user, password) = decoded.split_once(':').filter(|(user, _)| !user.is_empty()).ok_or_else(basic)?;
    Ok(Credentials::Password { user: user.to_owned(), password: password.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: &str) -> Option<Credentials> {
        credentials(value.as_bytes()).ok()
    }

    #[test]
    fn both_schemes_are_understood_in_any_case() {
        assert!(shown("bearer  abc ") == Some(Credentials::Token("abc".to_owned())));
        let ann = Credentials::Password { user: "ann".to_owned(), password: "a:b".to_owned() };
        assert!(shown(&format!("BASIC {}", BASE64_STANDARD.encode("ann:a:b"))) == Some(ann));
    }

    #[test]
    fn anything_else_is_nobody() {
        let nobody = BASE64_STANDARD.encode(":secret");
        let no_colon = BASE64_STANDARD.encode("ann");
        let basic = [format!("Basic {nobody}"), format!("Basic {no_colon}"), "Basic %%%".to_owned()];
        for value in ["", "Bearer", "Bearer ", "Digest x=y", "abc"].into_iter().map(str::to_owned).chain(basic) {
            assert!(shown(&value).is_none(), "{value}");
        }
        assert!(credentials(b"Bearer \xff").is_err());
    }
}
