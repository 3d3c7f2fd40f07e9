//! Certificates and keys of servers, from the files that the configuration names.

use std::path::Path;

use anyhow::Context as _;
use holdfast_server::{HTTP_ALPN, Tls, TlsFiles};

use crate::config::Settings;

/// The identity of the gateway; `None` if it serves plain HTTP.
pub(crate) fn of_gateway(settings: &Settings) -> anyhow::Result<Option<Tls>> {
    let config = &settings.config.gateway;
    let files =
        files(settings, config.tls_certificate_file.get(), config.tls_key_file.get(), config.client_ca_file.get());
    open("gateway", files, HTTP_ALPN)
}

/// The identity of queries over HTTP; `None` if they are in the clear.
pub(crate) fn of_queries(settings: &Settings) -> anyhow::Result<Option<Tls>> {
    let config = &settings.config.query;
    open("query", files(settings, config.tls_certificate_file.get(), config.tls_key_file.get(), None), HTTP_ALPN)
}

/// The identity of the PostgreSQL wire protocol; `None` if it is not encrypted.
pub(crate) fn of_postgres(settings: &Settings) -> anyhow::Result<Option<Tls>> {
    let config = &settings.config.postgres;
    let files = files(settings, config.tls_certificate_file.get(), config.tls_key_file.get(), None);
    open("postgres", files, holdfast_postgres::ALPN)
}

fn files(
    settings: &Settings,
    certificate: Option<&Path>,
    key: Option<&Path>,
    client_authorities: Option<&Path>,
) -> Option<TlsFiles> {
    let (certificate, key) = (settings.resolve(certificate?), settings.resolve(key?));
    Some(TlsFiles { certificate, key, client_authorities: client_authorities.map(|path| settings.resolve(path)) })
}

fn open(section: &str, files: Option<TlsFiles>, alpn: &'static [&'static [u8]]) -> anyhow::Result<Option<Tls>> {
    let Some(files) = files else { return Ok(None) };
    let name = files.certificate.display().to_string();
    Tls::open(files, alpn).map(Some).with_context(|| format!("use `{section}.tls_certificate_file`, {name}"))
}
