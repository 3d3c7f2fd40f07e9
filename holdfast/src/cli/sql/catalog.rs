//! The relations that a statement can name, for completion and for `\d`.
//!
//! They come from `information_schema`. A statement that reads metadata only is no access, and is not recorded.

use arrow_array::RecordBatch;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use holdfast_query::{QueryError, Reader, Request};

use super::command::RelationKind;
use crate::wiring::query::literal;

/// Schemas that describe the others.
const SYSTEM_SCHEMAS: [&str; 2] = ["information_schema", "pg_catalog"];

/// A table or a view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Relation {
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) kind: RelationKind,
    /// The names of the columns, in order.
    pub(super) columns: Vec<String>,
}

impl Relation {
    /// Whether it describes others.
    pub(super) fn is_system(&self) -> bool {
        SYSTEM_SCHEMAS.contains(&self.schema.as_str())
    }
}

/// All relations, by schema and name.
#[derive(Debug, Clone, Default)]
pub(super) struct Catalog {
    pub(super) relations: Vec<Relation>,
}

impl Catalog {
    /// Reads it.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub(super) async fn load(reader: &Reader) -> Result<Self, QueryError> {
        let tables = texts(
            reader,
            "SELECT table_schema, table_name, table_type FROM information_schema.tables \
             ORDER BY table_schema, table_name",
        )
        .await?;
        let columns = texts(
            reader,
            "SELECT table_schema, table_name, column_name FROM information_schema.columns \
             ORDER BY table_schema, table_name, ordinal_position",
        )
        .await?;
        let mut relations: Vec<Relation> = tables
            .into_iter()
            .filter_map(|row| {
                let [schema, name, kind] = <[String; 3]>::try_from(row).ok()?;
                let kind = if kind.contains("VIEW") { RelationKind::View } else { RelationKind::Table };
                Some(Relation { schema, name, kind, columns: Vec::new() })
            })
            .collect();
        for row in columns {
            let Ok([schema, table, column]) = <[String; 3]>::try_from(row) else { continue };
            let found = relations.iter_mut().find(|relation| relation.schema == schema && relation.name == table);
            if let Some(relation) = found {
                relation.columns.push(column);
            }
        }
        Ok(Self { relations })
    }

    /// The names of the schemas, in order.
    pub(super) fn schemas(&self) -> Vec<&str> {
        let mut schemas: Vec<&str> = self.relations.iter().map(|relation| relation.schema.as_str()).collect();
        schemas.sort_unstable();
        schemas.dedup();
        schemas
    }

    /// The relations that match `SCHEMA.NAME` or `NAME`, in which `*` is any text and `?` is any letter. Without a
    /// schema, those of `information_schema` and `pg_catalog` do not match.
    pub(super) fn matching(&self, pattern: &str) -> Vec<&Relation> {
        let (schema, name) = parts(pattern);
        self.relations
            .iter()
            .filter(|relation| match &schema {
                Some(schema) => matches(schema, &relation.schema),
                None => !relation.is_system(),
            })
            .filter(|relation| matches(&name, &relation.name))
            .collect()
    }

    /// The name of a relation that is most like `pattern`.
    pub(super) fn nearest(&self, pattern: &str) -> Option<&str> {
        let (_, name) = parts(pattern);
        let likeness = |known: &&str| strsim::damerau_levenshtein(known, &name);
        let names = self.relations.iter().map(|relation| relation.name.as_str());
        names.min_by_key(likeness).filter(|known| likeness(known) <= 1 + name.chars().count() / 4)
    }
}

/// The text of a view.
///
/// # Errors
/// See [`QueryError`].
pub(super) async fn view_text(reader: &Reader, view: &Relation) -> Result<Option<String>, QueryError> {
    let (schema, name) = (literal(&view.schema), literal(&view.name));
    let statement = format!(
        "SELECT definition FROM information_schema.views WHERE table_schema = {schema} AND table_name = {name}"
    );
    Ok(texts(reader, &statement).await?.into_iter().flatten().next())
}

/// The rows of a statement about metadata, as texts.
async fn texts(reader: &Reader, statement: &str) -> Result<Vec<Vec<String>>, QueryError> {
    let result = reader.query(Request { statement: statement.to_owned(), ..Request::default() }).await?;
    let mut rows = Vec::new();
    for batch in result.collect().await? {
        batch_texts(&batch, &mut rows).map_err(|error| QueryError::Internal(error.to_string()))?;
    }
    Ok(rows)
}

fn batch_texts(batch: &RecordBatch, rows: &mut Vec<Vec<String>>) -> Result<(), arrow_schema::ArrowError> {
    let options = FormatOptions::new();
    let columns = batch.columns().iter().map(|column| ArrayFormatter::try_new(column.as_ref(), &options));
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    for row in 0..batch.num_rows() {
        rows.push(columns.iter().map(|column| column.value(row).try_to_string()).collect::<Result<_, _>>()?);
    }
    Ok(())
}

/// The schema and the name of `SCHEMA.NAME`. Letters outside of double quotes are folded to small ones.
fn parts(pattern: &str) -> (Option<String>, String) {
    let mut parts = vec![String::new()];
    let mut is_quoted = false;
    for letter in pattern.chars() {
        match letter {
            '"' => is_quoted = !is_quoted,
            '.' if !is_quoted => parts.push(String::new()),
            letter => {
                if let Some(part) = parts.last_mut() {
                    part.push(if is_quoted { letter } else { letter.to_ascii_lowercase() });
                }
            }
        }
    }
    let name = parts.pop().unwrap_or_default();
    // A name of the catalog may stand before the schema.
    (parts.pop(), name)
}

/// Whether `text` matches a pattern of `*` and `?`.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut place) = (0, 0);
    // Where the last `*` stands, and the first letter after what it stands for.
    let mut star: Option<(usize, usize)> = None;
    while place < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, place));
                at += 1;
            }
            Some(letter) if *letter == '?' || *letter == text[place] => {
                at += 1;
                place += 1;
            }
            _ => match star {
                Some((star_at, end)) => {
                    star = Some((star_at, end + 1));
                    at = star_at + 1;
                    place = end + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|letter| *letter == '*')
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A table, a view, a table of another schema and one of `information_schema`.
    pub(in super::super) fn catalog() -> Catalog {
        let relation = |schema: &str, name: &str, kind, columns: &[&str]| Relation {
            schema: schema.to_owned(),
            name: name.to_owned(),
            kind,
            columns: columns.iter().map(|column| (*column).to_owned()).collect(),
        };
        let (table, view) = (RelationKind::Table, RelationKind::View);
        Catalog {
            relations: vec![
                relation("archive", "access_log", view, &["time", "user", "rows"]),
                relation("archive", "events", table, &["id", "type", "time", "subject"]),
                relation("archive", "sessions", view, &["session", "agent", "started_at"]),
                relation("crm", "tickets", table, &["id", "Title"]),
                relation("information_schema", "tables", view, &["table_schema", "table_name"]),
            ],
        }
    }

    #[test]
    fn patterns_match_names() {
        let names = |pattern: &str| {
            let catalog = catalog();
            let found = catalog.matching(pattern);
            found.into_iter().map(|relation| format!("{}.{}", relation.schema, relation.name)).collect::<Vec<_>>()
        };
        for (pattern, expected) in [
            ("events", vec!["archive.events"]),
            ("EVENTS", vec!["archive.events"]),
            ("\"EVENTS\"", vec![]),
            ("*s", vec!["archive.events", "archive.sessions", "crm.tickets"]),
            ("*e*s", vec!["archive.events", "archive.sessions", "crm.tickets"]),
            ("event?", vec!["archive.events"]),
            ("event??", vec![]),
            ("crm.*", vec!["crm.tickets"]),
            ("holdfast.archive.events", vec!["archive.events"]),
            ("tables", vec![]),
            ("information_schema.tables", vec!["information_schema.tables"]),
            ("", vec![]),
        ] {
            assert_eq!(names(pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn the_nearest_name_is_found() {
        let catalog = catalog();
        for (name, expected) in [("evnets", Some("events")), ("archive.session", Some("sessions")), ("invoice", None)] {
            assert_eq!(catalog.nearest(name), expected, "{name}");
        }
        assert_eq!(catalog.schemas(), ["archive", "crm", "information_schema"]);
    }
}
