//! The configuration in force, as a commented file: the text of the defaults with the values replaced. It can be loaded
//! again.

use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, Value};

use super::known::join;
use super::origin::Origin;
use super::sections::{Config, DEFAULT_TOML};
use super::settings::Settings;

/// The configuration in force, with the documentation of each setting, and with the origin of each value that is not
/// the default. Secrets are not part of it; the names of secrets in the environment are.
pub(crate) fn to_annotated_toml(settings: &Settings) -> String {
    let mut document: DocumentMut = DEFAULT_TOML.parse().expect("the compiled-in defaults are TOML");
    let effective = as_table(&settings.config);
    fill(document.as_table_mut(), &effective, "", settings);
    let mut text = document.to_string();
    let secrets: Vec<String> =
        settings.secrets.names().map(|(key, variable)| format!("# {key} is set by {variable}\n")).collect();
    if !secrets.is_empty() {
        text.push_str("\n# Secrets from the environment:\n");
        text.extend(secrets);
    }
    text
}

fn as_table(config: &Config) -> toml::Table {
    toml::Table::try_from(config).expect("a configuration that was read can be written")
}

fn fill(table: &mut Table, effective: &toml::Table, prefix: &str, settings: &Settings) {
    for (key, value) in effective {
        let path = join(prefix, key);
        match (table.get_mut(key), value) {
            (Some(Item::Table(inner)), toml::Value::Table(values)) => fill(inner, values, &path, settings),
            (_, toml::Value::Array(elements)) if elements.iter().any(toml::Value::is_table) => {
                // [[keys.holders]] replaces `holders = []` and keeps its comment.
                let comment = table.key(key).map(|name| name.leaf_decor().clone());
                let mut tables = array_of_tables(elements);
                let comment = comment.as_ref().and_then(toml_edit::Decor::prefix);
                if let (Some(first), Some(comment)) = (tables.get_mut(0), comment) {
                    first.decor_mut().set_prefix(comment.clone());
                }
                table.remove(key);
                table.insert(key, Item::ArrayOfTables(tables));
            }
            (existing, _) => {
                let mut next = scalar(value);
                if let Some(Item::Value(present)) = existing {
                    *next.decor_mut() = present.decor().clone();
                    if same(present, &next) && !settings.origins.contains_key(&path) {
                        continue;
                    }
                }
                if let Some(origin) = settings.origins.get(&path) {
                    next.decor_mut().set_suffix(format!("  # {}", place(origin, settings)));
                }
                match table.get_mut(key) {
                    Some(item) => *item = Item::Value(next),
                    None => {
                        table.insert(key, Item::Value(next));
                    }
                }
            }
        }
    }
}

fn place(origin: &Origin, settings: &Settings) -> String {
    match (origin, &settings.file) {
        (Origin::File { line }, Some(file)) => format!("{}, line {line}", file.display()),
        (Origin::File { line }, None) => format!("line {line}"),
        (Origin::Environment { variable }, _) => variable.clone(),
    }
}

fn same(left: &Value, right: &Value) -> bool {
    let text = |value: &Value| value.clone().decorated("", "").to_string();
    text(left) == text(right)
}

fn array_of_tables(elements: &[toml::Value]) -> ArrayOfTables {
    let mut tables = ArrayOfTables::new();
    for element in elements.iter().filter_map(toml::Value::as_table) {
        let mut table = Table::new();
        for (key, value) in element {
            table.insert(key, Item::Value(scalar(value)));
        }
        tables.push(table);
    }
    tables
}

fn scalar(value: &toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.as_str().into(),
        toml::Value::Integer(number) => (*number).into(),
        toml::Value::Float(number) => (*number).into(),
        toml::Value::Boolean(flag) => (*flag).into(),
        toml::Value::Array(elements) => Value::Array(elements.iter().map(scalar).collect::<Array>()),
        toml::Value::Datetime(moment) => moment.to_string().into(),
        toml::Value::Table(entries) => {
            Value::InlineTable(entries.iter().map(|(key, value)| (key.as_str(), scalar(value))).collect())
        }
    }
}
