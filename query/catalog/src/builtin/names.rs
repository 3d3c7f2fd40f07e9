//! Names of objects and their OIDs: `regclass`, `regtype`, `regproc` and the like.

use super::function::{Builtin, Context};
use crate::error::{CatalogError, Result};
use crate::format::{parts_of_name, quoted};
use crate::tables::{Catalog, role_oid};
use crate::types::{
    self, Oid, REGCLASS, REGNAMESPACE, REGOPER, REGOPERATOR, REGPROC, REGPROCEDURE, REGROLE, REGTYPE, TEXT,
};
use crate::value::Datum;

pub(super) const FUNCTIONS: &[Builtin] = &[
    Builtin::new("to_regclass", &[TEXT], REGCLASS, |c, a, _| known(c, a, REGCLASS)),
    Builtin::new("to_regtype", &[TEXT], REGTYPE, |c, a, _| known(c, a, REGTYPE)),
    Builtin::new("to_regproc", &[TEXT], REGPROC, |c, a, _| known(c, a, REGPROC)),
    Builtin::new("to_regprocedure", &[TEXT], REGPROCEDURE, |c, a, _| known(c, a, REGPROCEDURE)),
    Builtin::new("to_regnamespace", &[TEXT], REGNAMESPACE, |c, a, _| known(c, a, REGNAMESPACE)),
    Builtin::new("to_regrole", &[TEXT], REGROLE, |c, a, _| known(c, a, REGROLE)),
];

/// The OID of a name, or NULL if there is no such object.
fn known(context: &Context<'_>, arguments: &[Datum], oid: Oid) -> Result<Datum> {
    Ok(reg_oid(context.catalog, arguments[0].as_text(), oid).map_or(Datum::Null, |oid| Datum::Int(i64::from(oid))))
}

/// The OID of the object with this name.
pub(crate) fn reg_oid(catalog: &Catalog, text: &str, oid: Oid) -> Result<Oid> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let invalid = || CatalogError::new("22003", format!("value \"{text}\" is out of range for type oid"));
        return text.parse().map_err(|_| invalid());
    }
    if text == "-" {
        return Ok(0);
    }
    let invalid_name = || CatalogError::new("42602", format!("invalid name syntax: \"{text}\""));
    match oid {
        REGCLASS => {
            let mut parts = parts_of_name(text).ok_or_else(invalid_name)?;
            let name = parts.pop().unwrap_or_default();
            let place = catalog.find(parts.pop().as_deref(), &name);
            let missing = || CatalogError::new("42P01", format!("relation \"{text}\" does not exist"));
            place.map(|place| catalog.entries[place].oid).ok_or_else(missing)
        }
        REGTYPE => {
            type_oid(catalog, text).ok_or_else(|| CatalogError::new("42704", format!("type \"{text}\" does not exist")))
        }
        REGPROC | REGPROCEDURE => function_oid(catalog, text, oid == REGPROCEDURE),
        REGNAMESPACE => {
            let name = parts_of_name(text).and_then(|mut parts| parts.pop()).ok_or_else(invalid_name)?;
            let missing = || CatalogError::new("3F000", format!("schema \"{name}\" does not exist"));
            catalog.schema_oid(&name).ok_or_else(missing)
        }
        REGROLE => {
            let name = parts_of_name(text).and_then(|mut parts| parts.pop()).ok_or_else(invalid_name)?;
            let found = catalog.roles.iter().find(|(_, known)| **known == *name).map(|(oid, _)| *oid);
            found.ok_or_else(|| CatalogError::new("42704", format!("role \"{name}\" does not exist")))
        }
        _ => Err(CatalogError::unsupported(format!("a name as {}", types::type_name(oid).unwrap_or_default()))),
    }
}

/// The type that a text names, as SQL writes it or as `pg_type` has it.
fn type_oid(catalog: &Catalog, text: &str) -> Option<Oid> {
    if let Some(element) = text.strip_suffix("[]") {
        return types::array_of(type_oid(catalog, element.trim())?);
    }
    // A length does not change the type.
    let text = match (text.find('('), text.find(')')) {
        (Some(start), Some(end)) if start < end => format!("{}{}", text[..start].trim(), &text[end + 1..]),
        _ => text.to_owned(),
    };
    let lower = text.to_lowercase();
    let by_sql = match lower.trim() {
        "boolean" => Some(types::BOOL),
        "smallint" => Some(types::INT2),
        "int" | "integer" => Some(types::INT4),
        "bigint" => Some(types::INT8),
        "real" => Some(types::FLOAT4),
        "double precision" | "float" => Some(types::FLOAT8),
        "decimal" | "dec" => Some(types::NUMERIC),
        "character varying" => Some(types::VARCHAR),
        "char" | "character" => Some(types::BPCHAR),
        "timestamp without time zone" => Some(types::TIMESTAMP),
        "timestamp with time zone" => Some(types::TIMESTAMPTZ),
        "time without time zone" => Some(1083),
        "time with time zone" => Some(1266),
        "bit varying" => Some(1562),
        _ => None,
    };
    by_sql.or_else(|| {
        let mut parts = parts_of_name(&text)?;
        let name = parts.pop()?;
        match parts.pop() {
            None => catalog.type_by_name(&name),
            Some(schema) => {
                let oid = catalog.type_by_name(&name)?;
                let own = match (types::facts(oid), catalog.row_type(oid)) {
                    (Some(facts), _) => catalog.schema_name(facts.namespace).is_some_and(|known| **known == *schema),
                    (None, Some((known, _))) => **known == *schema,
                    (None, None) => false,
                };
                own.then_some(oid)
            }
        }
    })
}

/// The place of columns in `pg_proc`.
pub(super) const PRONAME: usize = 1;
pub(super) const PRONAMESPACE: usize = 2;
pub(super) const PROVARIADIC: usize = 7;
pub(super) const PRORETSET: usize = 13;
pub(super) const PRORETTYPE: usize = 18;
pub(super) const PROARGTYPES: usize = 19;
pub(super) const PROALLARGTYPES: usize = 20;
pub(super) const PROARGMODES: usize = 21;
pub(super) const PROARGNAMES: usize = 22;

fn function_oid(catalog: &Catalog, text: &str, has_arguments: bool) -> Result<Oid> {
    let missing = || CatalogError::new("42883", format!("function \"{text}\" does not exist"));
    let (name, arguments) = match text.split_once('(') {
        Some((name, rest)) if has_arguments => (name, Some(rest.trim_end().strip_suffix(')').ok_or_else(missing)?)),
        None if has_arguments => {
            return Err(CatalogError::new("22P02", "expected a left parenthesis"));
        }
        _ => (text, None),
    };
    let name = parts_of_name(name).and_then(|mut parts| parts.pop()).ok_or_else(missing)?;
    let functions = catalog.functions()?;
    let index = functions.index(&[PRONAME]);
    let named = index.get(&Datum::text(&name).key()).map_or(&[][..], Vec::as_slice);
    let rows = named.iter().filter_map(|place| functions.all.get(*place as usize));
    let Some(arguments) = arguments else {
        let found: Vec<_> = rows.collect();
        return match found.as_slice() {
            [row] => Ok(row[0].as_oid()),
            [] => Err(missing()),
            _ => Err(CatalogError::new("42725", format!("more than one function named \"{name}\""))),
        };
    };
    let wanted = arguments.split(',').map(str::trim).filter(|argument| !argument.is_empty());
    let wanted: Option<Vec<i64>> = wanted.map(|argument| type_oid(catalog, argument).map(i64::from)).collect();
    let wanted: Vec<Datum> = wanted.ok_or_else(missing)?.into_iter().map(Datum::Int).collect();
    let mut rows = rows.filter(|row| row[PROARGTYPES].items() == wanted.as_slice());
    rows.next().map(|row| row[0].as_oid()).ok_or_else(missing)
}

/// The text of an object's OID.
pub(crate) fn reg_text(catalog: &Catalog, oid: Oid, ty: Oid) -> String {
    if oid == 0 {
        return "-".to_owned();
    }
    let found = match ty {
        REGCLASS => catalog.relation(oid).map(|entry| {
            let name = quoted(&entry.name);
            if catalog.is_on_path(&entry.schema) { name } else { format!("{}.{name}", quoted(&entry.schema)) }
        }),
        REGTYPE => catalog.type_sql_name(oid, None),
        REGPROC | REGPROCEDURE => function_text(catalog, oid, ty == REGPROCEDURE),
        REGNAMESPACE => catalog.schema_name(oid).map(|name| quoted(name)),
        REGROLE => catalog.roles.iter().find(|(known, _)| *known == oid).map(|(_, name)| quoted(name)),
        REGOPER | REGOPERATOR => None,
        _ => None,
    };
    found.unwrap_or_else(|| oid.to_string())
}

fn function_text(catalog: &Catalog, oid: Oid, has_arguments: bool) -> Option<String> {
    let functions = catalog.functions().ok()?;
    let index = functions.index(&[0]);
    let place = index.get(&Datum::Int(i64::from(oid)).key())?.first()?;
    let row = functions.all.get(*place as usize)?;
    let name = quoted(row[PRONAME].as_text());
    let in_other_schema = row[PRONAMESPACE].as_oid() != crate::tables::PG_CATALOG;
    if has_arguments {
        let types = row[PROARGTYPES].items().iter().map(|ty| catalog.type_sql_name(ty.as_oid(), None));
        let types: Vec<String> = types.map(Option::unwrap_or_default).collect();
        return Some(format!("{name}({})", types.join(",")));
    }
    // A name that several functions have is told with its schema.
    let is_shared = functions.index(&[PRONAME]).get(&row[PRONAME].key()).is_some_and(|places| places.len() > 1);
    let schema = if in_other_schema { "information_schema" } else { "pg_catalog" };
    Some(if is_shared || in_other_schema { format!("{schema}.{name}") } else { name })
}

/// The name of a role.
pub(super) fn role_name(context: &Context<'_>, oid: Oid) -> String {
    let known = context.catalog.roles.iter().find(|(known, _)| *known == oid).map(|(_, name)| name.to_string());
    let own = (role_oid(&context.session.user) == oid).then(|| context.session.user.clone());
    known.or(own).unwrap_or_else(|| format!("unknown (OID={oid})"))
}
