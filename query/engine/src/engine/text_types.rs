//! Types whose values are texts here: `uuid`, `json` and `jsonb`. A parameter can have one, and the client that binds it decides
//! whether its text is one. Casts of other values would have to, so they are refused: see [`super::parameters`].

use arrow_schema::{DataType, Field, FieldRef};
use datafusion::common::Result;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::planner::TypePlanner;
use datafusion::sql::sqlparser::ast::DataType as SqlType;
use holdfast_dialect::TYPE_KEY;
use std::sync::Arc;

/// Adds the types. To be called after the extensions, whose types are kept.
pub(super) fn install(mut builder: SessionStateBuilder) -> SessionStateBuilder {
    let others = builder.type_planner().take();
    builder.with_type_planner(Arc::new(TextTypes { others }))
}

/// PostgreSQL's name of a type whose values are texts here.
pub(super) fn name(sql_type: &SqlType) -> Option<&'static str> {
    match sql_type {
        SqlType::Uuid => Some("uuid"),
        SqlType::JSON => Some("json"),
        SqlType::JSONB => Some("jsonb"),
        _ => None,
    }
}

/// The type of that name.
pub(super) fn sql_type(name: &str) -> Option<SqlType> {
    match name {
        "uuid" => Some(SqlType::Uuid),
        "json" => Some(SqlType::JSON),
        "jsonb" => Some(SqlType::JSONB),
        _ => None,
    }
}

#[derive(Debug)]
struct TextTypes {
    others: Option<Arc<dyn TypePlanner>>,
}

impl TypePlanner for TextTypes {
    fn plan_type_field(&self, sql_type: &SqlType) -> Result<Option<FieldRef>> {
        if let Some(others) = &self.others
            && let Some(field) = others.plan_type_field(sql_type)?
        {
            return Ok(Some(field));
        }
        let field = name(sql_type).map(|name| {
            let field = Field::new("", DataType::Utf8View, true);
            Arc::new(field.with_metadata([(TYPE_KEY.to_owned(), name.to_owned())].into()))
        });
        Ok(field)
    }
}
