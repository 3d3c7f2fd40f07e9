use std::path::PathBuf;

use age::secrecy::ExposeSecret;
use toml::de::DeTable;

use super::known::KnownKeys;
use super::origin::Origin;
use super::sections::{Config, DEFAULT_TOML};
use super::*;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }
}

fn environment(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn load_text(text: &str, variables: &[(&str, &str)]) -> Result<Settings, String> {
    let folder = Folder::new();
    let path = folder.write("holdfast.toml", text);
    load(&Sources { file: Some(path), environment: environment(variables) })
        .map_err(|error| error.to_string().replace(&format!("{}/", folder.0.path().display()), ""))
}

fn refusal(text: &str, variables: &[(&str, &str)]) -> String {
    load_text(text, variables).expect_err("this configuration is wrong")
}

#[test]
fn the_defaults_are_valid_and_complete() {
    let settings = load(&Sources::default()).unwrap();
    assert_eq!(settings.config.gateway.listen.to_string(), "127.0.0.1:8480");
    assert_eq!(settings.config.archive.flush_interval_seconds, 5);
    assert!(settings.config.health.listen.is_none());
    assert!(settings.origins.is_empty());
}

#[test]
fn every_setting_of_the_defaults_is_preceded_by_a_comment() {
    let mut previous = String::new();
    let mut is_explained = false;
    for line in DEFAULT_TOML.lines() {
        if line.starts_with('#') {
            is_explained = true;
        } else if line.is_empty() {
            // A block's comment covers the settings that follow it without a blank line.
            is_explained = false;
        } else if line.starts_with('[') {
            assert!(previous.is_empty() || previous.starts_with('#'), "{line}");
        } else {
            let is_listen = line.starts_with("listen");
            assert!(is_explained || is_listen, "`{line}` has no comment");
        }
        previous = line.to_owned();
    }
}

#[test]
fn the_file_wins_over_the_defaults_and_the_environment_over_the_file() {
    let text = "[gateway]\nlisten = \"127.0.0.1:1\"\nmax_in_flight = 7\n[kafka]\ngroup = \"from the file\"\n";
    let variables = [
        ("HOLDFAST__GATEWAY__LISTEN", "127.0.0.1:2"),
        ("HOLDFAST__KAFKA__CREATE_TOPICS", "false"),
        ("HOLDFAST__GATEWAY__MAX_IN_FLIGHT", "8"),
        ("UNRELATED", "x"),
    ];
    let settings = load_text(text, &variables).unwrap();
    assert_eq!(settings.config.gateway.listen.to_string(), "127.0.0.1:2");
    assert_eq!(settings.config.gateway.max_in_flight, 8);
    assert_eq!(settings.config.kafka.group, "from the file");
    assert!(!settings.config.kafka.create_topics);
    assert_eq!(settings.config.broker.listen.to_string(), "127.0.0.1:8482");
    assert_eq!(settings.origins["kafka.group"], Origin::File { line: 5 });
    assert_eq!(
        settings.origins["gateway.listen"],
        Origin::Environment { variable: "HOLDFAST__GATEWAY__LISTEN".to_owned() }
    );
}

#[test]
fn an_unknown_key_is_refused_with_its_line_and_the_nearest_known_key() {
    assert_eq!(
        refusal("[gateway]\n\nlisten = \"127.0.0.1:1\"\nlisten_adress = 1\ntoken_fiel = \"x\"\n", &[]),
        "2 mistakes in the configuration\n  \
         unknown key `gateway.listen_adress`; holdfast.toml, line 4; remove it, or use one of: \
         client_ca_file, listen, max_batch_bytes, max_chunk_bytes, max_connections, max_event_bytes, max_in_flight, \
         max_in_flight_bytes, require_tls, retry_after_seconds, tls_certificate_file, tls_key_file, token_file\n  \
         unknown key `gateway.token_fiel`; holdfast.toml, line 5; did you mean `gateway.token_file`?"
    );
    assert_eq!(
        refusal("[gatway]\nlisten = \"127.0.0.1:1\"\n", &[]),
        "unknown key `gatway`; holdfast.toml, line 1; did you mean `gateway`?"
    );
    assert_eq!(
        refusal("[kafka]\nflush_rows = 3\n", &[]),
        "unknown key `kafka.flush_rows`; holdfast.toml, line 2; did you mean `archive.flush_rows`?"
    );
    assert_eq!(
        refusal("[[keys.holders]]\nname = \"a\"\nrecipent = \"age1\"\ntiers = []\n", &[]),
        "unknown key `keys.holders.recipent`; holdfast.toml, line 3; did you mean `keys.holders.recipient`?"
    );
}

#[test]
fn a_value_of_the_wrong_type_names_its_line_and_what_was_expected() {
    let advice = "give it the kind of value that `holdfast config show` has there";
    assert_eq!(
        refusal("[archive]\nflush_rows = \"many\"\n", &[]),
        format!("`archive.flush_rows`: invalid type: string \"many\", expected usize; holdfast.toml, line 2; {advice}")
    );
    assert_eq!(
        refusal("[gateway]\nlisten = \"localhost\"\n", &[]),
        format!(
            "`gateway.listen`: invalid value: string \"localhost\", expected an address and a port such as \
             \"127.0.0.1:8480\"; holdfast.toml, line 2; {advice}"
        )
    );
    assert_eq!(
        refusal("# a comment\ngateway = 5\n", &[]),
        format!("`gateway`: invalid type: integer `5`, expected a table of settings; holdfast.toml, line 2; {advice}")
    );
    assert_eq!(
        refusal("[log]\nformat = \"xml\"\n", &[]),
        format!("`log.format`: unknown variant `xml`, expected `text` or `json`; holdfast.toml, line 2; {advice}")
    );
    assert_eq!(
        refusal("[[keys.holders]]\nname = \"a\"\ntiers = [\"secret\"]\n", &[]),
        format!(
            "`keys.holders.tiers`: unknown variant `secret`, expected one of `operational`, `personal`, `content`; \
             holdfast.toml, line 3; {advice}"
        )
    );
    assert!(
        refusal("[[keys.holders]]\nname = \"a\"\n", &[])
            .starts_with("`keys.holders`: missing field `recipient`; holdfast.toml, line 1")
    );
    assert!(refusal("[archive\n", &[]).contains("not TOML"));
}

#[test]
fn the_environment_is_checked_like_the_file() {
    assert_eq!(
        refusal("", &[("HOLDFAST__GATEWAY__LISTN", "x")]),
        "unknown key `gateway.listn`; environment variable HOLDFAST__GATEWAY__LISTN; did you mean HOLDFAST__GATEWAY__LISTEN?"
    );
    let wrong = refusal("", &[("HOLDFAST__GATEWAY__MAX_IN_FLIGHT", "many")]);
    assert!(wrong.contains("`gateway.max_in_flight`") && wrong.contains("HOLDFAST__GATEWAY__MAX_IN_FLIGHT"), "{wrong}");
    let negative = refusal("", &[("HOLDFAST__GATEWAY__MAX_IN_FLIGHT", "-1")]);
    assert!(negative.contains("invalid value: integer `-1`"), "{negative}");
    // A section cannot be replaced as a whole.
    assert!(refusal("", &[("HOLDFAST__GATEWAY", "{}")]).contains("unknown key `gateway`"));
    let out_of_range = refusal("", &[("HOLDFAST__SHUTDOWN__LIMIT_SECONDS", "0")]);
    assert!(out_of_range.contains("environment variable HOLDFAST__SHUTDOWN__LIMIT_SECONDS"), "{out_of_range}");
}

#[test]
fn secrets_come_from_files_or_the_environment_and_are_never_shown() {
    let folder = Folder::new();
    folder.write("secrets/kafka.password", "hunter2\n");
    folder.write("secrets/ingest.token", "tok-file\n");
    let file = folder.write(
        "holdfast.toml",
        "[kafka.settings]\n\"sasl.username\" = \"me\"\n\"session.timeout.ms\" = 6000\n[kafka.settings_files]\n\"sasl.password\" = \"secrets/kafka.password\"\n",
    );
    let variables = [
        ("HOLDFAST__GATEWAY__TOKEN", "tok-env"),
        ("HOLDFAST__KAFKA__SETTINGS__SSL_KEY_PASSWORD", "env-password"),
        ("HOLDFAST__KAFKA__SETTINGS__SECURITY_PROTOCOL", "sasl_ssl"),
        ("HOLDFAST__ARCHIVE__OPTIONS__AWS_SECRET_ACCESS_KEY", "s3-secret"),
    ];
    let settings = load(&Sources { file: Some(file.clone()), environment: environment(&variables) }).unwrap();
    assert_eq!(settings.ingest_token().unwrap().expose_secret(), "tok-env");
    let kafka = settings.kafka_settings().unwrap();
    assert_eq!(kafka["sasl.password"].expose_secret(), "hunter2");
    assert_eq!(kafka["ssl.key.password"].expose_secret(), "env-password");
    assert_eq!(kafka["security.protocol"].expose_secret(), "sasl_ssl");
    assert_eq!(kafka["session.timeout.ms"].expose_secret(), "6000");
    assert_eq!(settings.archive_options().unwrap()["aws_secret_access_key"].expose_secret(), "s3-secret");

    let shown =
        [to_annotated_toml(&settings), serde_json::to_string(&settings.config).unwrap(), format!("{settings:?}")]
            .concat();
    for secret in ["hunter2", "tok-file", "tok-env", "env-password", "s3-secret"] {
        assert!(!shown.contains(secret), "{secret} is shown");
    }
    assert!(shown.contains("HOLDFAST__GATEWAY__TOKEN"));

    let from_file = load(&Sources { file: Some(file), environment: Vec::new() }).unwrap();
    assert_eq!(from_file.ingest_token().unwrap().expose_secret(), "tok-file");
    assert!(matches!(from_file.broker_key(), Err(ConfigError::SecretUnreadable { .. })));
}

#[test]
fn a_plaintext_secret_and_a_managed_setting_are_refused() {
    let refused = refusal("[kafka.settings]\n\"sasl.password\" = \"x\"\nacks = 0\n", &[]);
    assert!(
        refused.contains("`kafka.settings.sasl.password` is a secret in plain text; holdfast.toml, line 2;"),
        "{refused}"
    );
    assert!(refused.contains("[kafka.settings_files]"), "{refused}");
    assert!(refused.contains("`kafka.settings.acks` cannot be set"), "{refused}");
    assert!(refusal("[archive.options]\naws_secret_access_key = \"x\"\n", &[]).contains("secret in plain text"));
    load_text("[archive.options]\naws_access_key_id = \"AK\"\naws_region = \"eu-central-1\"\n", &[]).unwrap();
    load_text("[kafka.settings]\n\"ssl.key.location\" = \"/etc/key.pem\"\n\"sasl.oauthbearer.token.endpoint.url\" = \"https://x\"\n", &[]).unwrap();
}

#[test]
fn contradictions_are_all_reported_at_once() {
    let refused = refusal(
        "[archive]\nurl = \"ftp://x\"\n[kafka]\nbrokers = \"nohost\"\nevents_topic = \"a b\"\n[log]\nlevel = \"info,=\"\n",
        &[],
    );
    for expected in ["4 mistakes", "scheme \"ftp\"", "\"nohost\"", "\"a b\"", "`log.level`"] {
        assert!(refused.contains(expected), "{expected} is not in {refused}");
    }
}

#[test]
fn an_unusable_crm_or_provider_is_refused_with_advice() {
    for (text, expected) in [
        (
            "[crm]\nkind = \"sybase\"\n",
            &["`crm.kind`", "\"sybase\"", "postgres, mysql, sqlite, odbc, csv, parquet"][..],
        ),
        ("[crm]\nkind = \"postgres\"\n", &["`crm.tables`", "[[crm.tables]]"]),
        ("[crm]\ntls = \"maybe\"\n", &["`crm.tls`", "verify-full"]),
        ("[crm]\ntimeout_seconds = 0\n", &["`crm.timeout_seconds`", "1 to 600"]),
        ("[crm]\ndelimiter = \"\"\n", &["`crm.delimiter`", "one character"]),
        ("[access]\nusers_file = \"\"\n", &["`access.users_file`", "is empty"]),
        (
            "[access.oidc_roles]\nstaff = \"boss\"\n",
            &["access.oidc_roles.staff", "unknown role \"boss\"", "compliance"],
        ),
        (
            "[access]\noidc_issuer = \"https://idp.example\"\n",
            &["`access.oidc_audience`", "`access.oidc_jwks_url`", "`access.oidc_roles`", "every token is refused"],
        ),
        (
            "[access]\noidc_issuer = \"https://idp.example\"\noidc_jwks_url = \"http://127.0.0.1.example/keys\"\n",
            &["`access.oidc_jwks_url`", "begin it with https://"],
        ),
        ("[postgres]\ntls_certificate_file = \"x.pem\"\n", &["`postgres.tls_certificate_file`", "name both files"]),
        ("[query]\nmemory_bytes = 1\n", &["`query.memory_bytes`"]),
        ("[gateway]\ntls_key_file = \"x.pem\"\n", &["`gateway.tls_certificate_file`", "name both files"]),
        ("[query]\ntls_certificate_file = \"x.pem\"\n", &["`query.tls_certificate_file`", "name both files"]),
        ("[gateway]\nclient_ca_file = \"x.pem\"\n", &["`gateway.client_ca_file`", "no certificate"]),
        ("[gateway]\nmax_connections = 1\n", &["`gateway.max_connections`"]),
        ("[query]\nmax_connections = 0\n", &["`query.max_connections`"]),
    ] {
        let refused = refusal(text, &[]);
        for expected in expected {
            assert!(refused.contains(expected), "{expected} is not in {refused}");
        }
    }
}

#[test]
fn plain_http_is_refused_where_other_machines_reach_it_and_only_by_servers() {
    let servers = |text: &str| check_servers(&load_text(text, &[]).expect("commands that open no server use it"));
    for (section, address) in [
        ("gateway", "0.0.0.0:8480"),
        ("gateway", "[::]:8480"),
        ("query", "192.0.2.1:8483"),
        ("query", "[::ffff:10.0.0.1]:1"),
    ] {
        let listen = format!("[{section}]\nlisten = \"{address}\"\n");
        let refused = servers(&listen).expect_err("it would be in the clear").to_string();
        for expected in
            [format!("`{section}.listen`"), format!("{section}.require_tls"), "holdfast keys tls".to_owned()]
        {
            assert!(refused.contains(&expected), "{expected} is not in {refused}");
        }
        servers(&format!("{listen}require_tls = false\n")).unwrap();
        servers(&format!("{listen}tls_certificate_file = \"a\"\ntls_key_file = \"b\"\n")).unwrap();
    }
    for loopback in ["127.0.0.1:8480", "127.8.8.8:8480", "[::1]:8480", "[::ffff:127.0.0.1]:8480"] {
        servers(&format!("[gateway]\nlisten = \"{loopback}\"\n")).unwrap();
    }
}

#[test]
fn the_configuration_that_is_shown_can_be_loaded_again() {
    let holder = age::x25519::Identity::generate().to_public();
    let text = format!(
        "[archive]\nurl = \"s3://bucket/prefix\"\n[archive.options]\naws_region = \"eu-central-1\"\n[health]\nlisten = \"127.0.0.1:9\"\n\
         [kafka.settings]\n\"sasl.username\" = \"a \\\"quoted\\\" name\"\n\
         [[keys.holders]]\nname = \"one\"\nrecipient = \"{holder}\"\ntiers = [\"operational\"]\n\
         [[keys.holders]]\nname = \"two\"\nrecipient = \"{holder}\"\ntiers = [\"personal\", \"content\"]\n"
    );
    let settings = load_text(&text, &[("HOLDFAST__QUERY__THREADS", "3")]).unwrap();
    let shown = to_annotated_toml(&settings);
    let again = load_text(&shown, &[]).unwrap_or_else(|error| panic!("{error}\n{shown}"));
    assert_eq!(again.config, settings.config);
    assert!(shown.lines().all(|line| line == line.trim_end()), "{shown}");
    assert!(shown.contains("threads = 3  # HOLDFAST__QUERY__THREADS"), "{shown}");
    assert!(shown.contains("holdfast.toml, line 2"), "{shown}");

    let defaults = load(&Sources::default()).unwrap();
    assert_eq!(to_annotated_toml(&defaults), DEFAULT_TOML, "without a configuration, the defaults are shown unchanged");
    let json = serde_json::to_string(&settings.config).unwrap();
    assert_eq!(serde_json::from_str::<Config>(&json).unwrap(), settings.config);
}

#[test]
fn paths_start_from_the_folder_of_the_file() {
    let settings = load_text("", &[]).unwrap();
    assert_eq!(settings.resolve("secrets"), settings.base.join("secrets"));
    assert_eq!(settings.resolve("/etc/x"), PathBuf::from("/etc/x"));
    assert_eq!(load(&Sources::default()).unwrap().resolve("a"), PathBuf::from("./a"));
}

#[test]
fn every_known_key_is_its_own_nearest_key() {
    let defaults = DeTable::parse(DEFAULT_TOML).unwrap().into_inner();
    let known = KnownKeys::of(&defaults);
    for key in ["gateway.listen", "broker.listen", "kafka.settings", "keys.holders.tiers"] {
        assert_eq!(known.nearest(key), Some(key));
    }
    assert_eq!(known.nearest("completely.different"), None);
}
