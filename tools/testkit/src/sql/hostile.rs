//! Statements at the bounds and beyond them: chains and nesting, much out of little, and endless results.

use crate::choices::Choices;

/// A statement that takes as much as it can: of the stack, of memory, or of time.
pub fn hostile(choices: &mut Choices<'_>) -> String {
    // Around the documented bounds, and far beyond them.
    let size = *choices.one_of(&[10, 39, 41, 99, 101, 199, 201, 999, 1_000, 1_001, 1_664, 1_665, 3_999, 4_001, 60_000]);
    let size = size + choices.below(3);
    match choices.below(22) {
        0 => format!("SELECT 1{}", "+1".repeat(size)),
        1 => format!("SELECT id{} FROM archive.events", "||id".repeat(size)),
        2 => format!("SELECT {}1{}", "(".repeat(size), ")".repeat(size)),
        3 => format!("SELECT {}1{}", "abs(".repeat(size), ")".repeat(size)),
        4 => format!("SELECT {}1{}", "(SELECT ".repeat(size), ")".repeat(size)),
        5 => format!("SELECT {}1{}", "CASE WHEN true THEN ".repeat(size), " END".repeat(size)),
        6 => format!("SELECT 1 FROM archive.events WHERE id = ''{}", " OR id = subject".repeat(size)),
        7 => format!("SELECT 1 FROM archive.events WHERE true{}", " AND id <> subject".repeat(size)),
        8 => format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(size)),
        9 => format!("SELECT 1{}", " UNION SELECT 2".repeat(size)),
        10 => format!("SELECT 1{}", ", 1".repeat(size)),
        11 => format!("SELECT * FROM archive.events WHERE id IN ('x'{})", ", 'y'".repeat(size)),
        12 => {
            let joins: String = (0..size).map(|join| format!(" CROSS JOIN archive.events e{join}")).collect();
            format!("SELECT count(*) FROM archive.events e{joins}")
        }
        13 => {
            let tables: String =
                (1..=size).map(|table| format!(", c{table} AS (SELECT a.x FROM c{0} a, c{0} b)", table - 1)).collect();
            format!("WITH c0 AS (SELECT 1 AS x){tables} SELECT count(*) FROM c{size}")
        }
        14 => format!("SELECT '{}'", "x".repeat(size * 64)),
        15 => format!("SELECT{}1", " ".repeat(size * 64)),
        16 => format!("SELECT -{}1", "- ".repeat(size)),
        17 => format!("SELECT 1{}", "::text".repeat(size)),
        18 => format!("SELECT ARRAY[{}1]", "1,".repeat(size)),
        19 => format!("SELECT {}", choices.one_of(&ALLOCATING)),
        20 => format!("SELECT {} FROM generate_series(1, {})", choices.one_of(&ALLOCATING), size * 10),
        _ => worst(choices.below(WORST.len())),
    }
}

/// Calls whose result or whose time is much more than their arguments.
const ALLOCATING: [&str; 14] = [
    "repeat('x', 2000000000)",
    "repeat(repeat(repeat('x', 1000), 1000), 1000)",
    "lpad('x', 2000000000)",
    "rpad('x', 67108864, 'yz')",
    "levenshtein(repeat('a', 300000), repeat('b', 300000))",
    "levenshtein(repeat('a', 7000), repeat('b', 7000))",
    "cardinality(array_repeat(1, 2000000000))",
    "cardinality(range(0, 9223372036854775807))",
    "cardinality(generate_series(1, 100000000))",
    "length(array_to_string(array_repeat('xyz', 10000000), ','))",
    "regexp_replace(repeat('a', 30000), '(a*)*b', 'x', 'g')",
    "regexp_like(repeat('a', 100000), '(a?){1000}a{1000}')",
    "length(replace(repeat('a', 10000000), 'a', 'aaaaaaaaaaaaaaaa'))",
    "factorial(9223372036854775807)",
];

/// The worst that the bounds allow: each runs for minutes, or takes all the memory that it gets.
const WORST: [&str; 10] = [
    "SELECT count(*) FROM generate_series(1, 1000000000000) a WHERE a.a % 7 = 9",
    "SELECT count(*) FROM archive.events a, archive.events b, archive.events c, archive.events d \
     WHERE a.kafka_offset + b.kafka_offset + c.kafka_offset + d.kafka_offset < 0",
    "SELECT md5(n::text) AS hash FROM generate_series(1, 50000000) AS n ORDER BY hash OFFSET 49999999",
    "SELECT max(s) FROM (SELECT sum(n) OVER () AS s FROM generate_series(1, 100000000) AS n)",
    "SELECT count(DISTINCT md5(n::text)) FROM generate_series(1, 100000000) AS n",
    "SELECT length(string_agg(md5(n::text), ',')) FROM generate_series(1, 100000000) AS n",
    "SELECT sum(levenshtein(repeat('a', 60) || n::text, repeat('b', 60))) FROM generate_series(1, 100000000) AS n",
    "SELECT count(*) FROM generate_series(1, 100000000) AS n WHERE regexp_like(md5(n::text), '([a-f]+[0-9]*)+[g-z]')",
    "WITH RECURSIVE n AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n",
    "SELECT a.a, b.b FROM generate_series(1, 3000) a, generate_series(1, 3000) b ORDER BY a.a * b.b % 7919",
];

/// One of the worst statements that the bounds allow, by number.
#[must_use]
pub fn worst(number: usize) -> String {
    WORST[number % WORST.len()].to_owned()
}
