//! The PostgreSQL driver for Java.
