//! The state that all requests share, and the checks before a statement runs.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderName, StatusCode};
use holdfast_query::{AuthenticationError, Authenticator, Reader};

use crate::authenticate;
use crate::error_mapping::{authentication_problem, forbidden, query_problem};
use crate::headers;
use crate::problem::Problem;
use crate::report::ReportSource;
use crate::running::{LimitReached, Registration, Registry};
use crate::settings::ApiSettings;

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The state that all requests share.
pub(super) struct ApiState {
    pub(super) authenticator: Arc<dyn Authenticator>,
    pub(super) reports: Arc<dyn ReportSource>,
    pub(super) settings: ApiSettings,
    pub(super) running: Arc<Registry>,
    /// The OpenAPI document.
    pub(super) document: Bytes,
}

/// The extractor of the state.
pub(super) type Shared = State<Arc<ApiState>>;

impl ApiState {
    /// The reader of the user who sent a request.
    pub(super) async fn authenticate(&self, parts: &Parts) -> Result<Reader, Problem> {
        // A browser that has stored the password must not send it on behalf of another origin: of another site, or of a
        // sibling in the same domain. `none` is a user who typed the address; programs send no such header.
        if headers::single(&parts.headers, &FETCH_SITE)?.is_some_and(|site| site != "same-origin" && site != "none") {
            let detail = "the page of another origin sent this; send it from a page of this archive or from a program";
            return Err(Problem::new(StatusCode::FORBIDDEN, "cross_site", "Another site sent this", detail));
        }
        authenticate::authenticate(self.authenticator.as_ref(), parts, self.settings.retry_after_seconds()).await
    }

    /// Refuses and records a request for `what` unless the user has the permission.
    pub(super) async fn require(&self, reader: &Reader, is_permitted: bool, what: &str) -> Result<(), Problem> {
        if is_permitted {
            return Ok(());
        }
        let recorded = reader.denied("no_permission").await;
        recorded.map_err(|error| query_problem(&error, self.settings.retry_after_seconds()))?;
        Err(forbidden(format!("the role {} may not read {what}", reader.user().role)))
    }

    /// Registers a statement of the user as running. Refuses and records it if the user's account changed since the user
    /// was authenticated: the body of a request may arrive much later than its headers.
    pub(super) async fn register(&self, reader: &Reader, text: &str) -> Result<Registration, Problem> {
        let ApiSettings { max_statements_per_user, max_statements, .. } = self.settings;
        let wait = self.settings.retry_after_seconds();
        if let Err(changed) = reader.check_account() {
            let recorded = reader.denied(&changed.reason).await;
            recorded.map_err(|error| query_problem(&error, wait))?;
            return Err(authentication_problem(&AuthenticationError::Credentials(changed.to_string()), wait));
        }
        let registered = self.running.register(&reader.user().name, text);
        let registration = registered.map_err(|limit| match limit {
            LimitReached::User => {
                let what = format!(
                    "{max_statements_per_user} of your statements are running; wait for one to end, or cancel one at \
                     /v1/statements"
                );
                Problem::too_many_statements("user_statements", what, wait)
            }
            LimitReached::Total => {
                let what = format!("{max_statements} statements are running; send it again after Retry-After");
                Problem::too_many_statements("all_statements", what, wait)
            }
        })?;
        registration.watch_account(reader.clone());
        Ok(registration)
    }
}
