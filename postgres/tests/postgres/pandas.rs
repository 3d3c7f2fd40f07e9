//! pandas over SQLAlchemy and psycopg.
