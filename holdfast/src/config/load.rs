//! Reads the layers, merges them, and deserializes the result.
//!
//! The defaults and the file are merged as trees that keep the position of each value, and deserialized after that, so
//! that a type error can name the line. Then each environment variable is merged and checked separately, so that an
//! error names the variable.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::environment_secrets::EnvironmentSecrets;
use super::known::{Kind, KnownKeys, join};
use super::origin::Origin;
use super::problem::{ConfigError, Invalid, Problem};
use super::secret_names::is_secret;
use super::sections::{Config, DEFAULT_TOML};
use super::settings::Settings;
use super::validate;

/// Name of the file in the working directory that is read by default.
pub(crate) const DEFAULT_FILE_NAME: &str = "holdfast.toml";

/// Prefix of the environment variables that override a setting.
const PREFIX: &str = "HOLDFAST__";

/// The sources of a configuration. The caller passes the environment, so that tests need none.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    /// The file; `None` for the defaults alone.
    pub(crate) file: Option<PathBuf>,
    /// Names and values of environment variables. Those without Holdfast's prefix are ignored.
    pub(crate) environment: Vec<(String, String)>,
}

/// Reads, merges and checks the configuration.
///
/// # Errors
///
/// [`ConfigError`] with all mistakes that were found.
pub(crate) fn load(sources: &Sources) -> Result<Settings, ConfigError> {
    let text = match &sources.file {
        Some(path) => {
            std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: path.clone(), source })?
        }
        None => String::new(),
    };
    let base = base_of(sources.file.as_deref());
    let invalid = |problems: Vec<Problem>| ConfigError::Invalid(Invalid { file: sources.file.clone(), problems });

    let layered = layer(&text, &sources.environment).map_err(&invalid)?;
    let problems = validate::check(&layered.config, &layered.origins);
    if !problems.is_empty() {
        return Err(invalid(problems));
    }
    Ok(Settings {
        config: layered.config,
        file: sources.file.clone(),
        base,
        origins: layered.origins,
        secrets: layered.secrets,
    })
}

/// Checks what only matters where servers are opened.
///
/// # Errors
///
/// [`ConfigError::Invalid`] if one would serve other machines in the clear, and nothing says that it may.
pub(crate) fn check_servers(settings: &Settings) -> Result<(), ConfigError> {
    let problems = validate::check_servers(&settings.config, &settings.origins);
    if problems.is_empty() {
        return Ok(());
    }
    Err(ConfigError::Invalid(Invalid { file: settings.file.clone(), problems }))
}

/// The folder of the file; for a bare file name, the working directory.
fn base_of(file: Option<&Path>) -> PathBuf {
    match file.and_then(Path::parent) {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

struct Layered {
    config: Config,
    origins: BTreeMap<String, Origin>,
    secrets: EnvironmentSecrets,
}

fn layer(text: &str, environment: &[(String, String)]) -> Result<Layered, Vec<Problem>> {
    let defaults = DeTable::parse(DEFAULT_TOML).expect("the compiled-in defaults are TOML").into_inner();
    let known = KnownKeys::of(&defaults);
    let file = parse_file(text)?;
    let mut problems: Vec<Problem> = known
        .unknown_in(file.get_ref())
        .into_iter()
        .map(|(path, offset)| Problem {
            what: format!("unknown key `{path}`"),
            origin: Some(Origin::File { line: line_of(text, offset) }),
            advice: known.advice(&path),
        })
        .collect();
    if !problems.is_empty() {
        return Err(problems);
    }

    let mut origins = BTreeMap::new();
    record_origins(file.get_ref(), "", text, &known, &mut origins);
    let mut tree = defaults;
    overlay(&mut tree, file.get_ref().clone());
    let mut config = typed(&tree).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        vec![Problem {
            what: match key_at(file.get_ref(), "", span.start) {
                Some(key) => format!("`{key}`: {}", error.message()),
                None => error.message().to_owned(),
            },
            origin: Some(Origin::File { line: line_of(text, span.start) }),
            advice: "give it the kind of value that `holdfast config show` has there".to_owned(),
        }]
    })?;

    let mut secrets = EnvironmentSecrets::default();
    for (variable, value) in environment.iter().filter(|(name, _)| name.starts_with(PREFIX)) {
        match overlay_variable(&tree, &known, variable, value) {
            Ok(Override::Secret(key)) => secrets.insert(key, variable, value),
            Ok(Override::Setting { key, tree: next, config: next_config }) => {
                tree = next;
                config = *next_config;
                origins.retain(|known_key, _| known_key != &key && !known_key.starts_with(&format!("{key}.")));
                origins.insert(key, Origin::Environment { variable: variable.clone() });
            }
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(Layered { config, origins, secrets }) } else { Err(problems) }
}

fn parse_file(text: &str) -> Result<Spanned<DeTable<'_>>, Vec<Problem>> {
    DeTable::parse(text).map_err(|error| {
        vec![Problem {
            what: format!("not TOML: {}", error.message()),
            origin: error.span().map(|span| Origin::File { line: line_of(text, span.start) }),
            advice: "correct it; https://toml.io describes the format".to_owned(),
        }]
    })
}

fn typed(tree: &DeTable<'_>) -> Result<Config, toml::de::Error> {
    Config::deserialize(toml::de::Deserializer::from(Spanned::new(0..0, tree.clone())))
}

/// Merges `over` into `base`: tables are merged, all other values are replaced.
fn overlay<'a>(base: &mut DeTable<'a>, over: DeTable<'a>) {
    for (key, value) in over {
        if let Some(existing) = base.get_mut(key.get_ref().as_ref())
            && let DeValue::Table(inner) = existing.get_mut()
        {
            let span = value.span();
            match value.into_inner() {
                DeValue::Table(table) => overlay(inner, table),
                other => *existing = Spanned::new(span, other),
            }
            continue;
        }
        // The entry is removed first, because an insert would keep the key with the position of the default.
        base.remove(key.get_ref().as_ref());
        base.insert(key, value);
    }
}

enum Override<'a> {
    Secret(String),
    Setting { key: String, tree: DeTable<'a>, config: Box<Config> },
}

/// Merges one variable into a copy of the tree and checks the result.
fn overlay_variable<'a>(
    tree: &DeTable<'a>,
    known: &KnownKeys,
    variable: &str,
    value: &'a str,
) -> Result<Override<'a>, Problem> {
    let problem = |what: String, advice: String| Problem {
        what,
        origin: Some(Origin::Environment { variable: variable.to_owned() }),
        advice,
    };
    let segments: Vec<String> = variable[PREFIX.len()..].split("__").map(str::to_ascii_lowercase).collect();
    let path = open_table_path(&segments, known).unwrap_or_else(|| segments.clone());
    let key = path.join(".");
    if is_secret(&key) {
        return Ok(Override::Secret(key));
    }
    let is_open = path.len() > 2 && known.kind(&path[..2].join(".")) == Kind::OpenTable;
    if !is_open && known.kind(&key) != Kind::Setting {
        return Err(match known.nearest(&key) {
            Some(nearest) => problem(
                format!("unknown key `{key}`"),
                format!("did you mean {PREFIX}{}?", nearest.to_ascii_uppercase().replace('.', "__")),
            ),
            None => {
                problem(format!("unknown key `{key}`"), "unset it; `holdfast config show` lists every key".to_owned())
            }
        });
    }
    let mut next = tree.clone();
    let slot = table_at(&mut next, &path[..path.len() - 1]);
    let name = path[path.len() - 1].clone();
    let is_text = is_open || matches!(slot.get(name.as_str()).map(Spanned::get_ref), Some(DeValue::String(_)));
    let parsed = if is_text {
        DeValue::String(value.into())
    } else {
        DeValue::parse(value.trim())
            .map_err(|error| {
                problem(
                    format!("`{key}`: not a value: {}", error.message()),
                    "give it a number, true, false or a TOML array".to_owned(),
                )
            })?
            .into_inner()
    };
    slot.insert(Spanned::new(0..0, name.into()), Spanned::new(0..0, parsed));
    let config = typed(&next).map_err(|error| {
        problem(
            format!("`{key}`: {}", error.message()),
            "give it the kind of value that `holdfast config show` has there".to_owned(),
        )
    })?;
    Ok(Override::Setting { key, tree: next, config: Box::new(config) })
}

/// `["kafka", "settings", "sasl_password"]` as `["kafka", "settings", "sasl.password"]`. The settings of librdkafka
/// have dots, which the name of an environment variable cannot have. The options of the object store have underscores
/// already.
fn open_table_path(segments: &[String], known: &KnownKeys) -> Option<Vec<String>> {
    let [section, table, name] = segments else { return None };
    if known.kind(&join(section, table)) != Kind::OpenTable {
        return None;
    }
    let name = if section == "kafka" { name.replace('_', ".") } else { name.clone() };
    Some(vec![section.clone(), table.clone(), name])
}

/// The table at a path. All tables on the path exist, because the defaults have them.
fn table_at<'t, 'a>(tree: &'t mut DeTable<'a>, path: &[String]) -> &'t mut DeTable<'a> {
    path.iter().fold(tree, |table, segment| match table.get_mut(segment.as_str()).map(Spanned::get_mut) {
        Some(DeValue::Table(inner)) => inner,
        _ => unreachable!("the defaults have every table of a known key"),
    })
}

fn record_origins(
    table: &DeTable<'_>,
    prefix: &str,
    text: &str,
    known: &KnownKeys,
    origins: &mut BTreeMap<String, Origin>,
) {
    for (key, value) in table {
        let path = join(prefix, key.get_ref());
        match value.get_ref() {
            DeValue::Table(inner) if known.kind(&path) == Kind::Table => {
                record_origins(inner, &path, text, known, origins)
            }
            DeValue::Table(inner) => {
                for (name, _) in inner {
                    origins
                        .insert(join(&path, name.get_ref()), Origin::File { line: line_of(text, name.span().start) });
                }
            }
            _ => {
                origins.insert(path, Origin::File { line: line_of(text, key.span().start) });
            }
        }
    }
}

/// The dotted key whose value is at a byte offset of the file.
fn key_at(table: &DeTable<'_>, prefix: &str, offset: usize) -> Option<String> {
    for (key, value) in table {
        let path = join(prefix, key.get_ref());
        let found = match value.get_ref() {
            DeValue::Table(inner) => key_at(inner, &path, offset),
            DeValue::Array(elements) => elements.iter().find_map(|element| match element.get_ref() {
                DeValue::Table(inner) => key_at(inner, &path, offset),
                _ => None,
            }),
            _ => None,
        };
        if found.is_some() {
            return found;
        }
        if key.span().contains(&offset) || value.span().contains(&offset) {
            return Some(path);
        }
    }
    None
}

/// Line, counted from 1, of a byte offset.
fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes()[..offset.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1
}
