//! The OpenAPI 3.1 document of the API: every route, every status, and the limits that are in force.
//!
//! What is sent as JSON is described by the types that are sent; routes and statuses are written down here.

use serde_json::{Map, Value, json};
use utoipa::PartialSchema;

use crate::format::{Column, Format};
use crate::parameter::TYPES;
use crate::problem::{MEDIA_TYPE, ProblemBody};
use crate::report::{ReportArgument, ReportDescription};
use crate::routes::{Reports, RunningStatements};
use crate::running::RunningStatement;
use crate::settings::ApiSettings;
use crate::statement::{LONGEST_PURPOSE, MOST_PARAMETERS};

/// Problems that any route can answer with, save the document itself.
const COMMON: [(&str, &str); 5] = [
    ("400", "The request is invalid: its path, its query, a header, or what it asks for."),
    ("401", "No credentials, or none that are valid."),
    ("403", "Not for this user, a page of another site asked, or the user's keys do not open what is asked for."),
    ("431", "The target and the headers are too large together."),
    ("503", "Nobody can be let in now, or the look cannot be recorded. Try again after Retry-After."),
];
/// Problems of routes that execute a statement.
const STATEMENT: [(&str, &str); 8] = [
    ("406", "Nothing that the header Accept names can be sent, or the answer does not fit into the format."),
    ("409", "The statement was cancelled at /v1/statements."),
    ("413", "The body is too large, or the answer has more rows than it may."),
    ("429", "Too many statements at once, or too many failed logins. Try again after Retry-After."),
    ("500", "A data file is not what it should be, or something went wrong here."),
    ("502", "The archive cannot be read."),
    ("504", "The statement took longer than it may."),
    ("507", "The statement needs more memory than it may."),
];
const TRIES: (&str, &str) = ("429", "Too many failed logins. Try again after Retry-After.");

/// The document.
pub(crate) fn openapi(settings: &ApiSettings) -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Holdfast",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "SQL over the archive of support sessions, the story of one session, and reports. \
                            Every look is recorded with its purpose before the first row is sent.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"token": []}, {"password": []}],
        "paths": paths(settings),
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "An API token, or a token of the OpenID provider."},
                "password": {"type": "http", "scheme": "basic", "description": "A user's name and password."},
            },
            "parameters": parameters(),
            "headers": headers(),
            "schemas": schemas(settings),
        },
    })
}

fn paths(settings: &ApiSettings) -> Value {
    let id = json!({"name": "id", "in": "path", "required": true, "schema": {"type": "string", "format": "uuid"}});
    let session = json!({
        "name": "id", "in": "path", "required": true, "description": "The session's id: the subject of its events.",
        "schema": {"type": "string", "minLength": 1}, "example": "session-1",
    });
    let name = json!({
        "name": "name", "in": "path", "required": true, "schema": {"type": "string", "minLength": 1},
        "example": "ratings",
    });
    let arguments = json!({
        "name": "arguments", "in": "query", "style": "form", "explode": true,
        "description": "The report's arguments, each a parameter of its own; GET /v1/reports names them.",
        "schema": {"type": "object", "additionalProperties": {"type": "string"}},
    });
    let missing = ("404", "There is none with this name, or none that the caller may see.");
    json!({
        "/v1/sql": {"post": {
            "operationId": "sql", "tags": ["sql"], "summary": "Answer a statement",
            "description": "Rows are sent while they are computed. What goes wrong later than the first 64 KiB is told at \
                            the end of the body: in JSON in `error`, in NDJSON in a last line `{\"$error\": ...}`; other \
                            formats break the connection off.",
            "parameters": [parameter("format"), parameter("purpose_header")],
            "requestBody": {"required": true, "content": {
                "application/json": {
                    "schema": reference("StatementRequest"),
                    "example": {
                        "statement": "SELECT subject, time FROM events WHERE type = $1 AND time > $2 LIMIT 10",
                        "parameters": ["session.started", {"type": "timestamp", "value": "2026-05-10T00:00:00Z"}],
                        "purpose": "monthly review", "limits": {"rows": 1000, "seconds": 30},
                    },
                },
                "application/sql": {"schema": text(settings), "example": "SELECT count(*) AS events FROM events"},
                "text/plain": {"schema": text(settings), "example": "SELECT count(*) AS events FROM events"},
            }},
            "responses": responses(answered(&Format::ROWS), &[&STATEMENT, &[
                ("408", "The body did not arrive in time."),
                ("415", "The body's content type or encoding is not supported."),
            ]]),
        }},
        "/v1/statements": {"get": {
            "operationId": "listStatements", "tags": ["sql"], "summary": "List the caller's statements that run",
            "responses": responses(json_of("RunningStatements"), &[&[TRIES]]),
        }},
        "/v1/statements/{id}": {"delete": {
            "operationId": "cancelStatement", "tags": ["sql"], "summary": "Cancel a statement of the caller",
            "parameters": [id],
            "responses": responses(json!({"204": {"description": "It ends now."}}), &[&[TRIES, missing]]),
        }},
        "/v1/sessions/{id}": {"get": {
            "operationId": "session", "tags": ["sessions"], "summary": "Tell the story of a session, in order",
            "parameters": [session, parameter("format"), parameter("purpose"), parameter("purpose_header")],
            "responses": responses(answered(&Format::ROWS), &[&STATEMENT, &[missing]]),
        }},
        "/v1/reports": {"get": {
            "operationId": "listReports", "tags": ["reports"], "summary": "List the reports",
            "responses": responses(json_of("Reports"), &[&[TRIES]]),
        }},
        "/v1/reports/{name}": {"get": {
            "operationId": "report", "tags": ["reports"], "summary": "Make a report",
            "parameters": [name, parameter("report_format"), parameter("purpose"), parameter("purpose_header"), arguments],
            "responses": responses(answered(&Format::REPORT), &[&STATEMENT, &[missing]]),
        }},
        "/v1/openapi.json": {"get": {
            "operationId": "openapi", "tags": ["document"], "summary": "This document", "security": [],
            "responses": {
                "200": {"description": "The document.", "content": {"application/json": {"schema": {"type": "object"}}}},
                "431": problem("431", COMMON[3].1),
            },
        }},
    })
}

fn parameters() -> Value {
    let format = |formats: &[Format]| {
        let names: Vec<&str> = formats.iter().map(|format| format.name()).collect();
        json!({
            "name": "format", "in": "query", "description": "What to answer with; wins over the header Accept.",
            "schema": {"type": "string", "enum": names},
        })
    };
    let purpose = json!({"type": "string", "maxLength": LONGEST_PURPOSE});
    let description = "What the look is for; it is recorded. Send it once: in the URL, in the header or in the body.";
    json!({
        "format": format(&Format::ROWS),
        "report_format": format(&Format::REPORT),
        "purpose": {"name": "purpose", "in": "query", "description": description, "schema": purpose},
        "purpose_header": {"name": "Holdfast-Purpose", "in": "header", "description": description, "schema": purpose},
    })
}

fn headers() -> Value {
    let plain = |description: &str| json!({"description": description, "schema": {"type": "string"}});
    json!({
        "Statement": {
            "description": "The statement's id, for DELETE /v1/statements/{id}.", "required": true,
            "schema": {"type": "string", "format": "uuid"},
        },
        "Notice": plain("A column that is shown as NULL because the caller's keys do not open it, percent-encoded."),
        "Trailer": plain(
            "Holdfast-Outcome and Holdfast-Rows come behind the body when the request has `TE: trailers`: `complete` or \
             the reason of the problem, and the number of rows.",
        ),
        "RetryAfter": {"description": "Seconds to wait.", "required": true, "schema": {"type": "integer", "minimum": 1}},
        "Challenge": {"description": "The ways to say who one is.", "required": true, "schema": {"type": "string"}},
    })
}

fn schemas(settings: &ApiSettings) -> Value {
    json!({
        "StatementRequest": {
            "type": "object", "required": ["statement"], "additionalProperties": false,
            "properties": {
                "statement": text(settings),
                "parameters": {
                    "type": ["array", "null"], "maxItems": MOST_PARAMETERS, "items": reference("ParameterValue"),
                    "description": "The values of $1, $2, ...; they never become part of the statement's text.",
                },
                "purpose": {"type": ["string", "null"], "maxLength": LONGEST_PURPOSE},
                "limits": {
                    "type": ["object", "null"], "additionalProperties": false,
                    "description": "Bounds below those of the archive. More rows are an error, never a silent cut.",
                    "properties": {
                        "rows": {"type": ["integer", "null"], "minimum": 1, "description": format!("At most {} in any case.", settings.most_rows)},
                        "seconds": {"type": ["number", "null"], "exclusiveMinimum": 0, "description": format!("At most {} in any case.", settings.most_time.as_secs_f64())},
                    },
                },
            },
        },
        "ParameterValue": {"oneOf": [
            {"type": ["null", "boolean", "number", "string"]},
            {
                "type": "object", "required": ["type", "value"], "additionalProperties": false,
                "properties": {
                    "type": {"type": "string", "enum": TYPES},
                    "value": {"type": ["null", "boolean", "number", "string"]},
                },
            },
        ]},
        "Answer": {
            "type": "object", "required": ["columns", "notices", "rows", "row_count"], "additionalProperties": false,
            "properties": {
                "columns": {"type": "array", "items": reference("Column")},
                "notices": {"type": "array", "items": {"type": "string"}, "description": "Columns that are withheld."},
                "rows": {"type": "array", "items": {"type": "object"}},
                "row_count": {"type": "integer", "minimum": 0},
                "error": reference("Problem"),
            },
        },
        "Column": Column::schema(),
        "Problem": ProblemBody::schema(),
        "RunningStatement": RunningStatement::schema(),
        "RunningStatements": RunningStatements::schema(),
        "ReportArgument": ReportArgument::schema(),
        "ReportDescription": ReportDescription::schema(),
        "Reports": Reports::schema(),
    })
}

fn text(settings: &ApiSettings) -> Value {
    json!({
        "type": "string", "minLength": 1, "maxLength": settings.max_body_bytes,
        "description": "One statement that only reads: SELECT, EXPLAIN, SHOW or DESCRIBE.",
    })
}

fn reference(schema: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}

fn parameter(name: &str) -> Value {
    json!({"$ref": format!("#/components/parameters/{name}")})
}

fn header(name: &str) -> Value {
    json!({"$ref": format!("#/components/headers/{name}")})
}

fn json_of(schema: &str) -> Value {
    json!({"200": {"description": "What there is.", "content": {"application/json": {"schema": reference(schema)}}}})
}

fn answered(formats: &[Format]) -> Value {
    let mut content = Map::new();
    for format in formats {
        let described = match format {
            Format::Json => json!({"schema": reference("Answer")}),
            _ => json!({}),
        };
        content.insert(format.media_types()[0].to_owned(), described);
    }
    json!({"200": {
        "description": "The rows.", "content": content,
        "headers": {
            "Holdfast-Statement": header("Statement"), "Holdfast-Notice": header("Notice"), "Trailer": header("Trailer"),
        },
    }})
}

fn responses(success: Value, problems: &[&[(&str, &str)]]) -> Value {
    let mut all = match success {
        Value::Object(all) => all,
        _ => Map::new(),
    };
    for (status, description) in COMMON.iter().chain(problems.iter().copied().flatten()) {
        all.insert((*status).to_owned(), problem(status, description));
    }
    Value::Object(all)
}

fn problem(status: &str, description: &str) -> Value {
    let mut described = json!({"description": description, "content": {MEDIA_TYPE: {"schema": reference("Problem")}}});
    match status {
        "401" => described["headers"] = json!({"WWW-Authenticate": header("Challenge")}),
        "429" | "503" => described["headers"] = json!({"Retry-After": header("RetryAfter")}),
        _ => {}
    }
    described
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls `each` with the target of every reference.
    fn references(value: &Value, each: &mut impl FnMut(&str)) {
        match value {
            Value::Object(object) => {
                for (key, value) in object {
                    match value {
                        Value::String(target) if key == "$ref" => each(target),
                        _ => references(value, each),
                    }
                }
            }
            Value::Array(values) => values.iter().for_each(|value| references(value, each)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = openapi(&ApiSettings::default());
        let mut count = 0;
        references(&document, &mut |target| {
            count += 1;
            let pointer = target.strip_prefix('#').unwrap_or_else(|| panic!("{target}"));
            assert!(document.pointer(pointer).is_some(), "{target}");
        });
        assert!(count > 50, "{count}");
    }
}
