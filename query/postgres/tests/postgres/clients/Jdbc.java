import java.sql.*;
import java.util.*;
import java.util.stream.Collectors;
import org.postgresql.util.PGInterval;

/** The PostgreSQL driver for Java. The same as contract.py; its statements are prepared on the server from the first. */
public class Jdbc {
    static final String PAGE = "SELECT subject FROM archive.events WHERE type = 'session.started' ORDER BY subject LIMIT ? OFFSET ?";
    static final String READS = "SELECT time, time - timestamptz '2026-05-08 04:03:02+00' AS since, rating::numeric(10,2) AS rating,"
            + " ARRAY['a b', NULL, 'c\"d,{}'] AS texts, ARRAY[1::int4, NULL, 3::int4] AS numbers FROM archive.events WHERE id = 'S-003-50'";
    static final String ENDLESS = "SELECT count(*) FROM generate_series(1, 1000000000000) AS a(value) WHERE a.value % 7 = 9";

    static String json(Object value) throws SQLException {
        if (value == null) return "null";
        if (value instanceof Object[] parts) {
            List<String> all = new ArrayList<>();
            for (Object part : parts) all.add(json(part));
            return "[" + String.join(", ", all) + "]";
        }
        if (value instanceof List<?> parts) return json(parts.toArray());
        if (value instanceof java.sql.Array array) return json(array.getArray());
        if (value instanceof Map<?, ?> map) {
            List<String> all = new ArrayList<>();
            for (var entry : map.entrySet()) all.add("\"" + entry.getKey() + "\": " + json(entry.getValue()));
            return "{" + String.join(", ", all) + "}";
        }
        if (value instanceof Boolean || value instanceof Integer || value instanceof Short || value instanceof Double || value instanceof Float) return value.toString();
        if (value instanceof Long number) return Math.abs(number) < 1L << 53 ? number.toString() : "\"" + number + "\"";
        if (value instanceof PGInterval span) {
            long days = span.getYears() * 360L + span.getMonths() * 30L + span.getDays();
            long seconds = days * 86400 + span.getHours() * 3600L + span.getMinutes() * 60L + span.getWholeSeconds();
            return String.valueOf(seconds * 1_000_000 + span.getMicroSeconds());
        }
        if (value instanceof byte[] bytes) return "\"" + HexFormat.of().formatHex(bytes) + "\"";
        String text = value.toString();
        return "\"" + text.replace("\\", "\\\\").replace("\"", "\\\"") + "\"";
    }

    static void tell(String check, Object got) throws SQLException {
        System.out.println("{\"check\": \"" + check + "\", \"got\": " + json(got) + "}");
    }

    static String code(Connection connection, String text) {
        try (Statement statement = connection.createStatement()) {
            statement.execute(text);
            return "no error";
        } catch (SQLException error) {
            return error.getSQLState();
        }
    }

    static final java.time.format.DateTimeFormatter LOCAL = java.time.format.DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ss.SSSSSS");

    /** The value of one column in Java's own type of the kind. */
    static Object read(ResultSet rows, int column, String kind) throws SQLException {
        return switch (kind) {
            case "int2" -> rows.getObject(column) == null ? null : rows.getShort(column);
            case "date" -> rows.getObject(column, java.time.LocalDate.class);
            case "timestamp" -> {
                var time = rows.getObject(column, java.time.LocalDateTime.class);
                yield time == null ? null : LOCAL.format(time);
            }
            case "timestamptz" -> {
                var time = rows.getObject(column, java.time.OffsetDateTime.class);
                yield time == null ? null : LOCAL.format(time.withOffsetSameInstant(java.time.ZoneOffset.UTC)) + "Z";
            }
            default -> rows.getObject(column);
        };
    }

    public static void main(String[] arguments) throws Exception {
        String url = "jdbc:postgresql://" + arguments[0] + ":" + arguments[1] + "/holdfast?prepareThreshold=-1";
        Properties properties = new Properties();
        properties.setProperty("user", arguments[2]);
        properties.setProperty("password", arguments[3]);
        Map<String, Object> values = new LinkedHashMap<>();
        try (Connection connection = DriverManager.getConnection(url, properties)) {
            values.put("bool", true);
            values.put("int2", (short) -1234);
            values.put("int4", 123456789);
            values.put("int8", 9007199254740993L);
            values.put("float4", 1.5f);
            values.put("float8", 0.1);
            values.put("numeric(20,9)", new java.math.BigDecimal("1234567890.123456789"));
            values.put("text", "grüße 'q' \"d\" \\");
            values.put("date", java.time.LocalDate.of(2026, 11, 20));
            values.put("timestamp", java.time.LocalDateTime.of(2026, 11, 20, 5, 6, 7, 123456000));
            values.put("timestamptz", java.time.OffsetDateTime.of(2026, 11, 20, 5, 6, 7, 123456000, java.time.ZoneOffset.UTC));
            values.put("interval", new PGInterval(0, 0, 3, 4, 5, 6.789));
            values.put("uuid", UUID.fromString("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"));
            values.put("bytea", new byte[] {0, (byte) 255, 65});
            values.put("int4[]", connection.createArrayOf("int4", new Integer[] {1, null, 3}));
            values.put("text[]", connection.createArrayOf("text", new String[] {"a b", null, "c\"d,{}"}));
            values.put("json", "{\"a\": [1, 2]}");
            try (ResultSet rows = connection.createStatement().executeQuery("SHOW ssl")) {
                rows.next();
                tell("tls", rows.getString(1));
            }
            List<String> subjects = new ArrayList<>();
            try (PreparedStatement page = connection.prepareStatement(PAGE)) {
                for (int at = 0; at < 48; at += 8) {
                    page.setInt(1, 8);
                    page.setInt(2, at);
                    try (ResultSet rows = page.executeQuery()) {
                        while (rows.next()) subjects.add(rows.getString(1));
                    }
                }
            }
            tell("pages", subjects);
            for (String name : List.of("", " (binary)")) {
                // With this threshold the driver asks for binary values at once.
                Map<String, Object> got = new LinkedHashMap<>(), nulls = new LinkedHashMap<>();
                Properties own = (Properties) properties.clone();
                if (name.isEmpty()) own.setProperty("binaryTransfer", "false");
                try (Connection second = DriverManager.getConnection(url, own)) {
                    for (var entry : values.entrySet()) {
                        String kind = entry.getKey();
                        try (PreparedStatement statement = second.prepareStatement("SELECT ?::" + kind)) {
                            statement.setObject(1, entry.getValue());
                            try (ResultSet rows = statement.executeQuery()) {
                                rows.next();
                                Object value = read(rows, 1, kind);
                                got.put(kind, value instanceof java.sql.Array array ? array.getArray() : value);
                            }
                            statement.setNull(1, Types.NULL);
                            try (ResultSet rows = statement.executeQuery()) {
                                rows.next();
                                nulls.put(kind, read(rows, 1, kind));
                            }
                        }
                    }
                }
                tell("values" + name, got);
                tell("nulls" + name, nulls);
            }
            try (ResultSet rows = connection.createStatement().executeQuery(READS)) {
                rows.next();
                Map<String, Object> got = new LinkedHashMap<>();
                got.put("time", read(rows, 1, "timestamptz"));
                got.put("since", rows.getObject(2));
                got.put("rating", rows.getBigDecimal(3));
                got.put("texts", rows.getArray(4));
                got.put("numbers", rows.getArray(5));
                tell("reads", got);
            }
            try (PreparedStatement any = connection.prepareStatement("SELECT count(*) FROM archive.events WHERE subject = ANY(?)")) {
                any.setArray(1, connection.createArrayOf("text", new String[] {"S-001", "S-002", "nobody"}));
                try (ResultSet rows = any.executeQuery()) {
                    rows.next();
                    tell("any", rows.getLong(1));
                }
            }
            try (PreparedStatement since = connection.prepareStatement("SELECT count(*) FROM archive.events WHERE time >= ?")) {
                since.setTimestamp(1, Timestamp.from(java.time.Instant.parse("2026-05-10T08:30:00Z")));
                try (ResultSet rows = since.executeQuery()) {
                    rows.next();
                    tell("since", rows.getLong(1));
                }
            }
            tell("negative limit", code(connection, "SELECT subject FROM archive.events LIMIT -1"));
            try {
                connection.createStatement().execute("SELECT nothing FROM archive.events");
            } catch (SQLException error) {
                tell("unknown column", List.of(error.getSQLState(), error.getClass().getSimpleName()));
            }
            try (Statement statement = connection.createStatement()) {
                new java.util.Timer(true).schedule(new TimerTask() {
                    @Override public void run() {
                        try {
                            statement.cancel();
                        } catch (SQLException error) {
                            error.printStackTrace();
                        }
                    }
                }, 400);
                try {
                    statement.execute(ENDLESS);
                } catch (SQLException error) {
                    tell("cancelled", error.getSQLState());
                }
                try (ResultSet rows = statement.executeQuery("SELECT 7::int4")) {
                    rows.next();
                    tell("afterwards", rows.getInt(1));
                }
            }
            connection.setReadOnly(true);
            connection.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
            connection.setAutoCommit(false);
            try (Statement statement = connection.createStatement()) {
                statement.setFetchSize(7);
                int count = 0;
                try (ResultSet rows = statement.executeQuery("SELECT id FROM archive.events ORDER BY id")) {
                    while (rows.next()) count++;
                }
                tell("cursor", count);
                tell("modes", List.of(connection.isReadOnly() ? "on" : "off", connection.getTransactionIsolation() == Connection.TRANSACTION_SERIALIZABLE ? "serializable" : "another"));
            }
            connection.commit();
        }
    }
}
