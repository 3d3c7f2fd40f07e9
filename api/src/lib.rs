//! The archive over HTTP: SQL, reports, and the document that describes both.
