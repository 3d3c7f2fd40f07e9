//! The keys that exist, and the nearest one to an unknown key.
//!
//! The defaults are the list of keys. Below the open tables any key is accepted, and passed to a library.

use std::collections::BTreeSet;

use toml::de::{DeTable, DeValue};

/// Tables with the keys of the object store, of librdkafka or of an OpenID provider.
const OPEN_TABLES: [&str; 7] = [
    "access.oidc_roles",
    "archive.options",
    "archive.options_files",
    "kafka.settings",
    "kafka.settings_files",
    "proof.mirror_options",
    "proof.mirror_options_files",
];

/// Keys of the elements of arrays of tables.
const ELEMENT_KEYS: [(&str, &[&str]); 3] = [
    ("crm.tables", &["name", "from", "columns"]),
    ("keys.holders", &["name", "recipient", "tiers"]),
    ("proof.witnesses", &["url", "public_key"]),
];

/// The dotted keys that exist, including tables.
#[derive(Debug)]
pub(super) struct KnownKeys {
    tables: BTreeSet<String>,
    settings: BTreeSet<String>,
}

/// What a dotted key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Table,
    /// A table that accepts any key.
    OpenTable,
    Setting,
    Unknown,
}

impl KnownKeys {
    pub(super) fn of(defaults: &DeTable<'_>) -> Self {
        let mut known = Self { tables: BTreeSet::new(), settings: BTreeSet::new() };
        known.collect(defaults, "");
        for (array, keys) in ELEMENT_KEYS {
            known.settings.extend(keys.iter().map(|key| format!("{array}.{key}")));
        }
        known
    }

    fn collect(&mut self, table: &DeTable<'_>, prefix: &str) {
        for (key, value) in table {
            let path = join(prefix, key.get_ref());
            match value.get_ref() {
                DeValue::Table(inner) => {
                    self.collect(inner, &path);
                    self.tables.insert(path);
                }
                _ => {
                    self.settings.insert(path);
                }
            }
        }
    }

    pub(super) fn kind(&self, path: &str) -> Kind {
        if OPEN_TABLES.contains(&path) {
            Kind::OpenTable
        } else if self.tables.contains(path) {
            Kind::Table
        } else if self.settings.contains(path) {
            Kind::Setting
        } else {
            Kind::Unknown
        }
    }

    /// The unknown keys of a tree, each with its byte offset, in the order of the file.
    pub(super) fn unknown_in(&self, tree: &DeTable<'_>) -> Vec<(String, usize)> {
        let mut unknown = Vec::new();
        self.visit(tree, "", &mut unknown);
        unknown.sort_by_key(|(_, offset)| *offset);
        unknown
    }

    fn visit(&self, table: &DeTable<'_>, prefix: &str, unknown: &mut Vec<(String, usize)>) {
        for (key, value) in table {
            let path = join(prefix, key.get_ref());
            match (self.kind(&path), value.get_ref()) {
                (Kind::Unknown, _) => unknown.push((path, key.span().start)),
                (Kind::Table, DeValue::Table(inner)) => self.visit(inner, &path, unknown),
                (Kind::Setting, DeValue::Array(elements)) => {
                    for element in elements.iter() {
                        if let DeValue::Table(inner) = element.get_ref() {
                            self.visit(inner, &path, unknown);
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// What to do about an unknown key: the nearest key, or the keys of the same table.
    pub(super) fn advice(&self, unknown: &str) -> String {
        if let Some(nearest) = self.nearest(unknown) {
            return format!("did you mean `{nearest}`?");
        }
        let parent = unknown.rsplit_once('.').map_or("", |(parent, _)| parent);
        let siblings: Vec<&str> = self.all().filter_map(|known| last_segment_below(known, parent)).collect();
        if siblings.is_empty() {
            "remove it; `holdfast config show` lists every key".to_owned()
        } else {
            format!("remove it, or use one of: {}", siblings.join(", "))
        }
    }

    /// The nearest known key: a sibling with a similar name, or the same name in another section.
    pub(super) fn nearest(&self, unknown: &str) -> Option<&str> {
        let (parent, name) = unknown.rsplit_once('.').unwrap_or(("", unknown));
        // Up to a third of the letters may differ; two in a short name.
        let tolerance = (name.chars().count() / 3).max(2);
        let sibling = self
            .all()
            .filter_map(|known| last_segment_below(known, parent).map(|segment| (known, segment)))
            .map(|(known, segment)| (strsim::osa_distance(name, segment), known))
            .filter(|(distance, _)| *distance <= tolerance)
            .min();
        if let Some((_, known)) = sibling {
            return Some(known);
        }
        self.all()
            .filter(|known| known.rsplit_once('.').map_or(*known, |(_, segment)| segment) == name)
            .min_by_key(|known| strsim::osa_distance(unknown, known))
    }

    fn all(&self) -> impl Iterator<Item = &str> {
        self.tables.iter().chain(&self.settings).map(String::as_str)
    }
}

/// `listen` for `gateway.listen` below `gateway`; `None` for keys in deeper tables or elsewhere.
fn last_segment_below<'a>(known: &'a str, parent: &str) -> Option<&'a str> {
    let rest = if parent.is_empty() { known } else { known.strip_prefix(parent)?.strip_prefix('.')? };
    (!rest.contains('.')).then_some(rest)
}

pub(super) fn join(prefix: &str, key: &str) -> String {
    if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") }
}
