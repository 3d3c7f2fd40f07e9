//! The OpenAPI 3.1 document of the API: every route, every status, and the configured limits.
//!
//! The schemas of JSON bodies are derived from their types. The routes and statuses are listed here.

use serde_json::{Map, Value, json};
use utoipa::PartialSchema;

use crate::format::{Column, Format};
use crate::parameter::TYPES;
use crate::problem::{MEDIA_TYPE, ProblemBody};
use crate::report::{ReportArgument, ReportDescription, Reports};
use crate::running::{RunningStatement, RunningStatements};
use crate::settings::ApiSettings;
use crate::statement::{MAX_PARAMETERS, MAX_PURPOSE_CHARACTERS};

/// The problems of all routes but the document's.
const COMMON: [(&str, &str); 5] = [
    ("400", "The request is invalid: its path, its query, a header, its body or its statement."),
    ("401", "The credentials are missing or invalid."),
    (
        "403",
        "The user lacks the permission, the page of another site sent the request, or the user's keys do not open the data.",
    ),
    ("431", "The target and the headers are too large together."),
    ("503", "Authentication is unavailable, or the access cannot be recorded. Send it again after Retry-After."),
];
/// The problems of routes that run a statement.
const STATEMENT: [(&str, &str); 8] = [
    ("406", "The header Accept matches no available format, or the format cannot represent the rows."),
    ("409", "The statement was cancelled at /v1/statements."),
    ("413", "The body is too large, or the result exceeds the limit of rows."),
    ("429", "Too many concurrent statements, or too many failed logins. Send it again after Retry-After."),
    ("500", "A data file is invalid, or the server failed."),
    ("502", "The archive cannot be read."),
    ("504", "The statement exceeded its time limit."),
    ("507", "The statement exceeded its memory limit."),
];
const FAILED_LOGINS: (&str, &str) = ("429", "Too many failed logins. Send it again after Retry-After.");

/// The OpenAPI document.
pub(crate) fn openapi(settings: &ApiSettings) -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Holdfast",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "SQL over the archive of support sessions, the time line of one session, and reports. \
                            Every access is recorded with its purpose before the first row is sent.",
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
        "description": "The report's arguments, one parameter each; GET /v1/reports lists them.",
        "schema": {"type": "object", "additionalProperties": {"type": "string"}},
    });
    let missing = ("404", "Nothing with this name is visible to the caller.");
    json!({
        "/v1/sql": {"post": {
            "operationId": "runStatement", "tags": ["sql"], "summary": "Run a statement",
            "description": "Rows are sent while they are computed. An error after the first 64 KiB is reported at the end of \
                            the body: in JSON in `error`, in NDJSON in a last line `{\"$error\": ...}`. In other formats the \
                            connection is closed before the end of the body.",
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
            "responses": responses(rows_of(&Format::ROWS), &[&STATEMENT, &[
                ("408", "The body did not arrive in time."),
                ("415", "The body's content type or encoding is not supported."),
            ]]),
        }},
        "/v1/statements": {"get": {
            "operationId": "listStatements", "tags": ["sql"], "summary": "List the caller's running statements",
            "responses": responses(json_of("RunningStatements"), &[&[FAILED_LOGINS]]),
        }},
        "/v1/statements/{id}": {"delete": {
            "operationId": "cancelStatement", "tags": ["sql"], "summary": "Cancel a statement of the caller",
            "parameters": [id],
            "responses": responses(json!({"204": {"description": "The statement is cancelled."}}), &[&[FAILED_LOGINS, missing]]),
        }},
        "/v1/sessions/{id}": {"get": {
            "operationId": "sessionTimeline", "tags": ["sessions"], "summary": "Read the time line of a session",
            "parameters": [session, parameter("format"), parameter("purpose"), parameter("purpose_header")],
            "responses": responses(rows_of(&Format::ROWS), &[&STATEMENT, &[missing]]),
        }},
        "/v1/reports": {"get": {
            "operationId": "listReports", "tags": ["reports"], "summary": "List the reports",
            "responses": responses(json_of("Reports"), &[&[FAILED_LOGINS]]),
        }},
        "/v1/reports/{name}": {"get": {
            "operationId": "runReport", "tags": ["reports"], "summary": "Run a report",
            "parameters": [name, parameter("report_format"), parameter("purpose"), parameter("purpose_header"), arguments],
            "responses": responses(rows_of(&Format::REPORT), &[&STATEMENT, &[missing]]),
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
            "name": "format", "in": "query", "description": "The format of the response; overrides the header Accept.",
            "schema": {"type": "string", "enum": names},
        })
    };
    let purpose = json!({"type": "string", "maxLength": MAX_PURPOSE_CHARACTERS});
    let description =
        "The purpose of the access; it is recorded. Send it once: in the URL, in the header or in the body.";
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
            "Holdfast-Outcome and Holdfast-Rows follow the body if the request has `TE: trailers`: `complete` or the \
             reason of the problem, and the number of rows.",
        ),
        "RetryAfter": {"description": "Seconds to wait.", "required": true, "schema": {"type": "integer", "minimum": 1}},
        "Challenge": {"description": "The supported authentication schemes.", "required": true, "schema": {"type": "string"}},
    })
}

fn schemas(settings: &ApiSettings) -> Value {
    json!({
        "StatementRequest": {
            "type": "object", "required": ["statement"], "additionalProperties": false,
            "properties": {
                "statement": text(settings),
                "parameters": {
                    "type": ["array", "null"], "maxItems": MAX_PARAMETERS, "items": reference("ParameterValue"),
                    "description": "The values of $1, $2, ...; they never become part of the statement's text.",
                },
                "purpose": {"type": ["string", "null"], "maxLength": MAX_PURPOSE_CHARACTERS},
                "limits": {
                    "type": ["object", "null"], "additionalProperties": false,
                    "description": "Limits below those of the server. A result with more rows is an error; it is never truncated silently.",
                    "properties": {
                        "rows": {"type": ["integer", "null"], "minimum": 1, "description": format!("The server's limit is {}.", settings.max_rows)},
                        "seconds": {"type": ["number", "null"], "exclusiveMinimum": 0, "description": format!("The server's limit is {}.", settings.statement_timeout.as_secs_f64())},
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
        "Result": {
            "type": "object", "required": ["columns", "notices", "rows", "row_count"], "additionalProperties": false,
            "properties": {
                "columns": {"type": "array", "items": reference("Column")},
                "notices": {"type": "array", "items": {"type": "string"}, "description": "The withheld columns."},
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
    json!({"200": {"description": "The list.", "content": {"application/json": {"schema": reference(schema)}}}})
}

fn rows_of(formats: &[Format]) -> Value {
    let mut content = Map::new();
    for format in formats {
        let described = match format {
            Format::Json => json!({"schema": reference("Result")}),
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
    fn every_reference_has_a_target() {
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
