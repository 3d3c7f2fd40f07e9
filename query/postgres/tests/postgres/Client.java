import java.sql.*;
import java.util.*;

/** Typical uses of the driver. Prints "done" if all checks pass. */
public class Client {
    static void check(boolean holds, String what) {
        if (!holds) throw new IllegalStateException(what);
    }

    static String state(Statement statement, String sql) {
        try {
            statement.execute(sql);
            return "no error";
        } catch (SQLException error) {
            return error.getSQLState();
        }
    }

    public static void main(String[] arguments) throws Exception {
        String url = arguments[0];
        Properties properties = new Properties();
        properties.setProperty("user", "manager");
        properties.setProperty("password", arguments[1]);
        properties.setProperty("sslmode", "verify-full");
        properties.setProperty("sslrootcert", arguments[2]);
        try (Connection connection = DriverManager.getConnection(url, properties)) {
            prepared(connection);
            described(connection);
            cursor(connection);
            bounded(connection);
        }
        properties.setProperty("sslmode", "disable");
        properties.setProperty("readOnly", "true");
        try (Connection connection = DriverManager.getConnection(url, properties)) {
            check(connection.isValid(5), "the connection is valid");
            connection.setReadOnly(true);
            connection.setAutoCommit(false);
            prepared(connection);
            connection.commit();
        }
        System.out.println("done");
    }

    static void prepared(Connection connection) throws SQLException {
        String sql = "select subject, time, rating, kafka_offset from events where rating > ? and time > ? order by subject";
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            // After five executions the driver prepares the statement on the server and requests binary values.
            for (int time = 0; time < 8; time++) {
                statement.setInt(1, 4);
                statement.setTimestamp(2, Timestamp.from(java.time.Instant.parse("2026-05-10T08:10:00Z")));
                try (ResultSet rows = statement.executeQuery()) {
                    int count = 0;
                    while (rows.next()) {
                        if (count++ == 0) {
                            check(rows.getString("subject").equals("S-014"), "subject " + rows.getString(1));
                            check(rows.getInt("rating") == 5, "rating");
                            check(rows.getLong("kafka_offset") == 44, "offset " + rows.getLong(4));
                            java.time.Instant at = rows.getTimestamp("time").toInstant();
                            check(at.toString().equals("2026-05-10T08:14:50.123456Z"), "time " + at);
                        }
                    }
                    check(count == 6, "rows " + count);
                }
            }
        }
        try (PreparedStatement statement = connection.prepareStatement("select ?::int + 1, ?")) {
            statement.setInt(1, 41);
            statement.setString(2, null);
            try (ResultSet rows = statement.executeQuery()) {
                check(rows.next() && rows.getInt(1) == 42 && rows.getString(2) == null, "parameters");
            }
        }
    }

    static void described(Connection connection) throws SQLException {
        DatabaseMetaData data = connection.getMetaData();
        check(data.getDatabaseProductName().equals("PostgreSQL"), "product");
        Set<String> schemas = new TreeSet<>(), tables = new TreeSet<>(), columns = new TreeSet<>();
        try (ResultSet rows = data.getSchemas()) {
            while (rows.next()) schemas.add(rows.getString("TABLE_SCHEM"));
        }
        check(schemas.contains("archive"), "schemas " + schemas);
        try (ResultSet rows = data.getTables(null, "archive", "%", new String[] {"TABLE", "VIEW"})) {
            while (rows.next()) tables.add(rows.getString("TABLE_NAME") + " " + rows.getString("TABLE_TYPE"));
        }
        check(tables.contains("events TABLE") && tables.contains("sessions VIEW"), "tables " + tables);
        try (ResultSet rows = data.getColumns(null, "archive", "events", "%")) {
            while (rows.next()) columns.add(rows.getString("COLUMN_NAME") + " " + rows.getString("TYPE_NAME"));
        }
        check(columns.contains("subject text") && columns.contains("kafka_offset int8"), "columns " + columns);
        try (ResultSet rows = data.getPrimaryKeys(null, "archive", "events")) {
            check(!rows.next(), "no primary key");
        }
    }

    static void cursor(Connection connection) throws SQLException {
        connection.setAutoCommit(false);
        try (Statement statement = connection.createStatement()) {
            statement.setFetchSize(7);
            int count = 0;
            try (ResultSet rows = statement.executeQuery("select id from events order by id")) {
                while (rows.next()) count++;
            }
            check(count == 120, "rows by a cursor: " + count);
        }
        connection.commit();
        connection.setAutoCommit(true);
    }

    static void bounded(Connection connection) throws Exception {
        String endless = "select count(*) from generate_series(1, 1000000000000) a where a.a % 7 = 9";
        try (Statement statement = connection.createStatement()) {
            check(state(statement, "delete from events").equals("25006"), "read-only");
            check(state(statement, "select * from nothing").equals("42P01"), "no such table");
            Thread canceller = new Thread(() -> {
                try {
                    Thread.sleep(500);
                    statement.cancel();
                } catch (Exception error) {
                    error.printStackTrace();
                }
            });
            canceller.start();
            check(state(statement, endless).equals("57014"), "cancelled");
            canceller.join();
            statement.setQueryTimeout(1);
            check(state(statement, endless).equals("57014"), "timed out by the client");
            statement.setQueryTimeout(0);
            statement.execute("set statement_timeout = '200ms'");
            check(state(statement, endless).equals("57014"), "timed out by the server");
        }
        try (Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery("select data from events limit 1")) {
            check(rows.next() && rows.getString(1) == null, "withheld");
            check(String.valueOf(statement.getWarnings()).contains("withheld"), "warning " + statement.getWarnings());
        }
    }
}
