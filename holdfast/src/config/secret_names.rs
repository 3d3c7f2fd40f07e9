//! Which keys of the configuration hold a secret.

/// Secrets with a key of their own. The same key with `_file` names their file.
const SECRET_KEYS: [&str; 6] =
    ["gateway.token", "broker.key", "crm.connection_string", "crm.password", "kafka.oauth_token", "proof.signing_key"];

/// Whether a dotted key holds a secret. For settings of librdkafka and the object store, the words in their names
/// decide.
pub(super) fn is_secret(key: &str) -> bool {
    if SECRET_KEYS.contains(&key) {
        return true;
    }
    ["kafka.settings.", "archive.options.", "proof.mirror_options."]
        .iter()
        .any(|table| key.strip_prefix(table).is_some_and(is_secret_name))
}

/// Whether a setting of librdkafka or the object store is a secret, which must not be in a configuration file.
pub(super) fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('_', ".");
    let is_path = name.ends_with(".location") || name.ends_with(".file") || name.ends_with(".path");
    // A public identifier of a key or client, which is of no use without the secret.
    let is_identifier = name.ends_with("access.key.id") || name.ends_with("client.id");
    let has_word = [
        "password",
        "secret",
        "token",
        "ssl.key.pem",
        "access.key",
        "account.key",
        "sas.key",
        "service.account.key",
        "sasl.jaas.config",
    ]
    .iter()
    .any(|word| name.contains(word));
    let is_endpoint = name.ends_with(".url") || name.ends_with(".uri") || name.ends_with("endpoint");
    has_word && !is_path && !is_identifier && !is_endpoint
}
