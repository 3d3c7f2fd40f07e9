//! What may stand at the cursor: keywords, schemas, relations, columns, and commands of the shell.
//!
//! ```text
//! text, cursor ─▶ the statement around the cursor ─▶ relations that it names, with their aliases
//!                       └─▶ the word before the cursor, and what is before that ─▶ candidates of the catalog
//! ```

use std::ops::Range;

use super::catalog::{Catalog, Relation};
use super::command::{NAMES, Variable};
use super::lexer::{Kind, elements, ends_in_code, is_word};
use super::words::{KEYWORDS, NO_ALIAS, quoted};

/// What completes the text before the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Completion {
    /// Any of these replaces the text from `start` to the cursor.
    Words { start: usize, candidates: Vec<String> },
    /// The name of a file, from `start` on.
    File { start: usize },
}

impl Completion {
    fn none(start: usize) -> Self {
        Self::Words { start, candidates: Vec::new() }
    }
}

/// A word, a sign or a quoted name of the statement.
#[derive(Debug, Clone)]
struct Token<'text> {
    text: &'text str,
    place: Range<usize>,
    is_quoted: bool,
}

impl Token<'_> {
    fn is(&self, word: &str) -> bool {
        !self.is_quoted && self.text.eq_ignore_ascii_case(word)
    }

    fn is_any(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.is(word))
    }

    fn is_name(&self) -> bool {
        self.is_quoted || self.text.starts_with(|first: char| first == '_' || first.is_alphabetic())
    }

    /// The name in the catalog.
    fn name(&self) -> String {
        if self.is_quoted { self.text.to_owned() } else { self.text.to_ascii_lowercase() }
    }
}

/// A relation that the statement names.
#[derive(Debug, PartialEq, Eq)]
struct Named {
    schema: Option<String>,
    name: String,
    alias: Option<String>,
}

/// What completes `text` at `cursor`, a place between two letters.
pub(super) fn complete(text: &str, cursor: usize, catalog: &Catalog) -> Completion {
    let Some(before) = text.get(..cursor) else { return Completion::none(cursor) };
    let elements = elements(text);
    // A backslash outside of quotes begins a command, which takes the rest of its line.
    let line = before.rfind('\n').map_or(0, |at| at + 1);
    let is_backslash = |(place, kind): &&(Range<usize>, Kind)| {
        *kind == Kind::Sign && place.start >= line && place.start < cursor && text[place.clone()] == *"\\"
    };
    if let Some((place, _)) = elements.iter().find(is_backslash) {
        return command(before, place.end, catalog);
    }
    if !ends_in_code(before) {
        return Completion::none(cursor);
    }
    let tokens = tokens(text, cursor, &elements);
    let is_at_cursor = |token: &Token<'_>| {
        token.place.start < cursor && cursor <= token.place.end && (token.is_quoted || token.text.starts_with(is_word))
    };
    let (start, before) = match tokens.iter().position(is_at_cursor) {
        Some(index) if tokens[index].is_name() && !tokens[index].is_quoted => (tokens[index].place.start, index),
        // Numbers and names in quotes are not completed.
        Some(_) => return Completion::none(cursor),
        None => (cursor, tokens.iter().take_while(|token| token.place.end <= cursor).count()),
    };
    let prefix = &text[start..cursor];
    let candidates = candidates(&tokens, before, prefix, catalog);
    Completion::Words { start, candidates }
}

/// The tokens of the statement around the cursor.
fn tokens<'text>(text: &'text str, cursor: usize, elements: &[(Range<usize>, Kind)]) -> Vec<Token<'text>> {
    let mut tokens = Vec::new();
    let mut depth = 0_u32;
    for (place, kind) in elements {
        let element = &text[place.clone()];
        match (kind, element) {
            (Kind::Sign, "\"") => {}
            (Kind::Sign, ";") if depth == 0 && place.end <= cursor => tokens.clear(),
            (Kind::Sign, ";") if depth == 0 => break,
            (Kind::Sign | Kind::Word, _) => {
                depth = match element {
                    "(" => depth + 1,
                    ")" => depth.saturating_sub(1),
                    _ => depth,
                };
                tokens.push(Token { text: element, place: place.clone(), is_quoted: false });
            }
            (Kind::QuotedName, _) => {
                let text = element.strip_suffix('"').unwrap_or(element);
                tokens.push(Token { text, place: place.clone(), is_quoted: true });
            }
            (Kind::Space | Kind::Comment | Kind::Text, _) => {}
        }
    }
    tokens
}

/// The candidates for a word that begins with `prefix` after the first `before` tokens.
fn candidates(tokens: &[Token<'_>], before: usize, prefix: &str, catalog: &Catalog) -> Vec<String> {
    let previous = |back: usize| before.checked_sub(back).map(|index| &tokens[index]);
    let begins = |name: &str| name.to_lowercase().starts_with(&prefix.to_lowercase());
    let named = named(tokens);
    let mut found: Vec<String> = Vec::new();
    if let (Some(dot), Some(qualifier)) = (previous(1), previous(2))
        && dot.is(".")
        && qualifier.is_name()
    {
        let qualifier = qualifier.name();
        let relations = named.iter().filter(|named| named.alias.as_ref().unwrap_or(&named.name) == &qualifier);
        let columns = relations.flat_map(|named| columns(catalog, named));
        found.extend(columns.filter(|column| begins(column)).map(quoted));
        let in_schema = catalog.relations.iter().filter(|relation| relation.schema == qualifier);
        found.extend(in_schema.filter(|relation| begins(&relation.name)).map(|relation| quoted(&relation.name)));
    } else if expects_relation(tokens, before) {
        let visible = catalog.relations.iter().filter(|relation| relation.schema == DEFAULT_SCHEMA);
        found.extend(visible.filter(|relation| begins(&relation.name)).map(|relation| quoted(&relation.name)));
        let schemas = catalog.schemas().into_iter().filter(|schema| begins(schema));
        found.extend(schemas.map(|schema| format!("{}.", quoted(schema))));
    } else {
        let columns = named.iter().flat_map(|named| columns(catalog, named)).filter(|column| begins(column));
        found.extend(columns.map(quoted));
        let aliases = named.iter().map(|named| named.alias.as_ref().unwrap_or(&named.name)).filter(|name| begins(name));
        found.extend(aliases.map(|name| format!("{}.", quoted(name))));
        let is_small = prefix.starts_with(|first: char| first.is_lowercase());
        let keywords = KEYWORDS.into_iter().filter(|word| begins(word));
        found.extend(keywords.map(|word| if is_small { word.to_lowercase() } else { word.to_owned() }));
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// The schema of names without one.
const DEFAULT_SCHEMA: &str = "archive";

/// Whether a relation is named after the first `before` tokens.
fn expects_relation(tokens: &[Token<'_>], before: usize) -> bool {
    let Some(last) = before.checked_sub(1).map(|index| &tokens[index]) else { return false };
    if last.is_any(&["FROM", "JOIN", "DESCRIBE"]) {
        return true;
    }
    if !last.is(",") {
        return false;
    }
    // The list that the comma is in: what began it, outside of parentheses that are closed again.
    let mut depth = 0_i32;
    for token in tokens[..before].iter().rev() {
        match token.text {
            ")" => depth += 1,
            "(" if depth == 0 => return false,
            "(" => depth -= 1,
            _ if depth > 0 => {}
            _ if token.is("FROM") => return true,
            _ if token.is_any(&["SELECT", "BY", "WHERE", "ON", "HAVING", "VALUES", "IN"]) => return false,
            _ => {}
        }
    }
    false
}

/// The relations that the statement names after `FROM` and `JOIN`.
fn named(tokens: &[Token<'_>]) -> Vec<Named> {
    let mut all = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let begins = tokens[at].is_any(&["FROM", "JOIN"]);
        at += 1;
        if !begins {
            continue;
        }
        while let Some((named, taken)) = one_named(&tokens[at..]) {
            all.push(named);
            at += taken;
            if !tokens.get(at).is_some_and(|token| token.is(",")) {
                break;
            }
            at += 1;
        }
    }
    all
}

/// The relation that `tokens` begin with, and how many of them it takes.
fn one_named(tokens: &[Token<'_>]) -> Option<(Named, usize)> {
    let is_name = |token: &&Token<'_>| token.is_name() && !token.is_any(&NO_ALIAS);
    let mut names = vec![tokens.first().filter(is_name)?.name()];
    let mut at = 1;
    while tokens.get(at).is_some_and(|token| token.is(".")) {
        at += 1;
        let Some(part) = tokens.get(at).filter(|token| token.is_name()) else { break };
        names.push(part.name());
        at += 1;
    }
    if tokens.get(at).is_some_and(|token| token.is("AS")) {
        at += 1;
    }
    let alias = tokens.get(at).filter(is_name).map(Token::name);
    at += usize::from(alias.is_some());
    let name = names.pop()?;
    Some((Named { schema: names.pop(), name, alias }, at))
}

/// The columns of a relation that the statement names.
fn columns<'catalog>(catalog: &'catalog Catalog, named: &Named) -> impl Iterator<Item = &'catalog str> {
    let schema = named.schema.as_deref().unwrap_or(DEFAULT_SCHEMA);
    let is_named = |relation: &&Relation| relation.schema == schema && relation.name == named.name;
    let relation = catalog.relations.iter().find(is_named);
    relation.into_iter().flat_map(|relation| relation.columns.iter().map(String::as_str))
}

/// What completes a command whose name begins at `name`.
fn command(before: &str, name: usize, catalog: &Catalog) -> Completion {
    let text = &before[name..];
    let words = |start: usize, prefix: &str, all: &mut dyn Iterator<Item = String>| {
        let begins = |word: &String| word.to_lowercase().starts_with(&prefix.to_lowercase());
        Completion::Words { start, candidates: all.filter(begins).collect() }
    };
    let Some(end) = text.find(char::is_whitespace) else {
        return words(name, text, &mut NAMES.into_iter().map(str::to_owned));
    };
    let start =
        name + text.rfind(char::is_whitespace).map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8));
    let prefix = &before[start..];
    match &text[..end] {
        "i" | "include" | "o" | "g" | "gx" => Completion::File { start },
        "timing" => words(start, prefix, &mut ["on", "off"].into_iter().map(str::to_owned)),
        "x" => words(start, prefix, &mut ["on", "off", "auto"].into_iter().map(str::to_owned)),
        "set" => words(start, prefix, &mut Variable::ALL.into_iter().map(|variable| variable.name().to_owned())),
        "dn" => words(start, prefix, &mut catalog.schemas().into_iter().map(str::to_owned)),
        "d" | "d+" | "dt" | "dv" => {
            let of_schema = prefix.split_once('.').map(|(schema, _)| schema.to_lowercase());
            let relations = catalog.relations.iter().filter(|relation| match &of_schema {
                Some(schema) => relation.schema == *schema,
                None => relation.schema == DEFAULT_SCHEMA,
            });
            let names = relations.map(|relation| match of_schema {
                Some(_) => format!("{}.{}", relation.schema, relation.name),
                None => relation.name.clone(),
            });
            let schemas = catalog.schemas().into_iter().filter(|_| of_schema.is_none()).map(|name| format!("{name}."));
            words(start, prefix, &mut names.chain(schemas))
        }
        _ => Completion::none(before.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::catalog::tests::catalog;
    use super::*;

    /// The candidates at the `|`.
    fn at(text: &str) -> Vec<String> {
        let cursor = text.find('|').unwrap();
        match complete(&text.replace('|', ""), cursor, &catalog()) {
            Completion::Words { candidates, .. } => candidates,
            Completion::File { .. } => vec!["a file".to_owned()],
        }
    }

    #[test]
    fn relations_and_schemas_follow_from_and_join() {
        for text in [
            "select * from ev|",
            "SELECT * FROM archive.ev|",
            "select 1; select * from sessions, EV|",
            "select * from sessions s join ev|",
            "select (select count(*) from ev|",
            "describe ev|",
            "select ';' from -- a\n ev|",
            "select * from ev| where id = 1; select 2",
        ] {
            assert_eq!(at(text), ["events"], "{text}");
        }
        assert_eq!(
            at("select * from |"),
            ["access_log", "archive.", "crm.", "events", "information_schema.", "sessions"]
        );
        assert_eq!(at("select * from crm.|"), ["tickets"]);
        assert_eq!(at("select * from c|"), ["crm."]);
    }

    #[test]
    fn columns_are_those_of_the_relations_that_the_statement_names() {
        assert_eq!(at("select started| from sessions"), ["started_at"]);
        assert_eq!(at("select * from sessions s where s.|"), ["agent", "session", "started_at"]);
        assert_eq!(at("select * from archive.sessions AS s where s.st|"), ["started_at"]);
        assert_eq!(at("select sessions.a| from sessions"), ["agent"]);
        assert_eq!(at("select s.| from events e, sessions s"), ["agent", "session", "started_at"]);
        assert_eq!(at("select * from crm.tickets t where t.t|"), ["\"Title\""]);
        assert_eq!(at("select us| from access_log"), ["\"user\"", "using"]);
        assert_eq!(at("select ses| from sessions"), ["session", "sessions."]);
        assert_eq!(at("select x.| from sessions s"), Vec::<String>::new());
        assert_eq!(at("select started| from events"), Vec::<String>::new());
        assert_eq!(at("select started| from events; select * from sessions"), Vec::<String>::new());
    }

    #[test]
    fn keywords_have_the_case_of_what_was_typed() {
        assert_eq!(at("sel|"), ["select"]);
        assert_eq!(at("sel|ec"), ["select"]);
        assert_eq!(at("SEL|"), ["SELECT"]);
        assert_eq!(at("select 1 wh|"), ["when", "where"]);
        assert!(at("|").contains(&"SELECT".to_owned()));
    }

    #[test]
    fn nothing_is_completed_inside_of_quotes_and_comments() {
        for text in [
            "select 'sel|",
            "select 'sel|'",
            "select 'a sel|",
            "select \"ev|",
            "-- sel|",
            "/* sel|",
            "select $$ sel|",
            "select '|",
            "select 1|",
        ] {
            assert_eq!(at(text), Vec::<String>::new(), "{text}");
        }
        assert_eq!(at("select 'a' from ev|"), ["events"]);
        assert_eq!(at("select $$a$$ from ev|"), ["events"]);
        assert_eq!(at("/* a */ sel|"), ["select"]);
    }

    #[test]
    fn commands_and_their_arguments_are_completed() {
        assert_eq!(at("\\ti|"), ["timing"]);
        assert_eq!(at("select 1 \\g|"), ["g", "gx"]);
        assert_eq!(at("\\timing o|"), ["on", "off"]);
        assert_eq!(at("\\x a|"), ["auto"]);
        assert_eq!(at("\\set p|"), ["PURPOSE"]);
        assert_eq!(at("\\d ev|"), ["events"]);
        assert_eq!(at("\\d crm.|"), ["crm.tickets"]);
        assert_eq!(at("\\dn c|"), ["crm"]);
        assert_eq!(at("\\i fi|"), ["a file"]);
        assert_eq!(at("\\q |"), Vec::<String>::new());
    }

    proptest::proptest! {
        #[test]
        fn any_text_and_cursor_are_completed(text: String, cursor: proptest::sample::Index) {
            let places: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
            let cursor = places[cursor.index(places.len())];
            if let Completion::Words { start, .. } = complete(&text, cursor, &catalog()) {
                proptest::prop_assert!(start <= cursor && text.is_char_boundary(start));
            }
        }
    }
}
