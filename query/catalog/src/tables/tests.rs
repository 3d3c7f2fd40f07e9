use super::*;
use crate::facts::{Column, Relation};
use crate::{Bounds, plan, text};
use sqlparser::ast::Statement;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

/// A catalog with a table and a view in the schema `archive`.
pub(crate) fn example() -> Catalog {
    let column = |(name, ty): &(&str, &str)| Column {
        name: (*name).to_owned(),
        type_oid: types::oid_of_type(ty).unwrap(),
        type_modifier: -1,
        is_not_null: false,
    };
    let events = [
        ("id", "text"),
        ("rating", "int8"),
        ("time", "timestamptz"),
        ("labels", "_text"),
        ("is_last", "bool"),
        ("waited", "float8"),
        ("day", "date"),
    ];
    let relation = |name: &str, kind, columns: &[(&str, &str)], definition: Option<&str>| Relation {
        schema: "archive".to_owned(),
        name: name.to_owned(),
        kind,
        columns: columns.iter().map(column).collect(),
        definition: definition.map(str::to_owned),
    };
    Catalog::new(Facts {
        database: "holdfast".to_owned(),
        owner: "holdfast".to_owned(),
        roles: vec!["manager".to_owned()],
        search_path: vec!["archive".to_owned()],
        schemas: vec!["archive".to_owned(), "crm".to_owned()],
        relations: vec![
            relation("events", RelationKind::Table, &events, None),
            relation("surveys", RelationKind::View, &events[..2], Some(" SELECT id, rating FROM archive.events;")),
        ],
    })
}

pub(crate) fn session() -> Session {
    Session {
        user: "manager".to_owned(),
        settings: vec![("server_version_num".to_owned(), "150018".to_owned())],
        version: "PostgreSQL 15.18".to_owned(),
        ..Session::default()
    }
}

/// The rows of a statement as texts.
pub(crate) fn run(sql: &str, values: Vec<Datum>) -> Result<(Vec<(String, Oid)>, Vec<Vec<Option<String>>>)> {
    let catalog = example();
    let own = |name| catalog.find(Some("archive"), name).map(|place| catalog.entries[place].oid.to_string()).unwrap();
    let sql = &sql.replace("16412", &own("events")).replace("16417", &own("surveys"));
    let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, sql)
        .map_err(|error| CatalogError::new("42601", error.to_string()))?;
    let Some(Statement::Query(query)) = statements.pop() else { panic!("{sql}") };
    let plan = plan(&catalog, &session(), &query, &[])?;
    let rows = plan.run(&catalog, &session(), values, Bounds::default())?;
    let columns: Vec<(String, Oid)> =
        plan.columns().iter().map(|column| (column.name.clone(), column.type_oid)).collect();
    let of_row = |row: &Vec<Datum>| row.iter().zip(&columns).map(|(value, (_, ty))| text(&catalog, value, *ty)).collect();
    let rows = rows.iter().map(of_row).collect();
    Ok((columns, rows))
}

#[test]
fn scratch() {
    let Ok(folder) = std::env::var("CATALOG_SCRATCH") else { return };
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    for file in files.into_iter().filter(|file| file.extension().is_some_and(|end| end == "sql")) {
        let sql = std::fs::read_to_string(&file).unwrap();
        let begun = std::time::Instant::now();
        let written = match run(&sql, Vec::new()) {
            Ok((columns, rows)) => {
                let heads: Vec<String> = columns.iter().map(|(name, ty)| format!("{name}:{ty}")).collect();
                let mut out = heads.join("|") + "\n";
                for row in rows {
                    let texts: Vec<String> = row.into_iter().map(|text| text.unwrap_or_else(|| "~".into())).collect();
                    out += &(texts.join("|") + "\n");
                }
                out
            }
            Err(error) => format!("ERROR {} {}\n", error.code, error.message),
        };
        std::fs::write(file.with_extension("ours"), written).unwrap();
        eprintln!("{} {:?}", file.file_name().unwrap().to_string_lossy(), begun.elapsed());
    }
}
