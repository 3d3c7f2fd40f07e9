//! Where a statement ends, as psql decides it: at a `;` outside of quotes, comments and parentheses.
//!
//! ```text
//! text ─▶ element ─▶ element ─▶ ... ─▶ Stop: a semicolon, a backslash, or the end of the text
//!           what is open (a quote, a comment, a parenthesis) is kept from one line to the next
//! ```
//!
//! Every byte belongs to exactly one element or is the sign that stops. A text is given in whole lines, because what
//! opens and closes quotes and comments never extends over two lines.

use std::ops::Range;

/// What the position is inside of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Inside {
    /// Keywords, names, numbers and signs.
    #[default]
    Code,
    /// `'...'`, and `E'...'`, in which a backslash escapes.
    Text { escapes: bool },
    /// `"..."`
    QuotedName,
    /// `/* ... */`, one inside another.
    Comment { depth: u32 },
    /// `$tag$ ... $tag$`
    Dollar { tag: String },
}

/// What is open where the text ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Open {
    Text,
    QuotedName,
    Comment,
    Dollar,
    Parenthesis,
}

/// Why [`Lexer::scan`] stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// At a `;` that ends the statement.
    Semicolon,
    /// At a backslash, where a command of the shell begins.
    Backslash,
    /// At the end of the text.
    End,
}

/// The kind of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name, a keyword or a number.
    Word,
    /// A name in double quotes, or what there is of it. With its closing quote, without the opening one.
    QuotedName,
    /// One sign.
    Sign,
    /// White space.
    Space,
    /// A comment.
    Comment,
    /// A text in single quotes, or a part of one.
    Text,
}

/// Reads a text, and knows what is open at its end.
#[derive(Debug, Clone, Default)]
pub(super) struct Lexer {
    inside: Inside,
    parentheses: u32,
}

impl Lexer {
    /// What is open; `None` outside of everything.
    pub(super) fn open(&self) -> Option<Open> {
        match self.inside {
            Inside::Code if self.parentheses > 0 => Some(Open::Parenthesis),
            Inside::Code => None,
            Inside::Text { .. } => Some(Open::Text),
            Inside::QuotedName => Some(Open::QuotedName),
            Inside::Comment { .. } => Some(Open::Comment),
            Inside::Dollar { .. } => Some(Open::Dollar),
        }
    }

    /// Reads until something stops. Returns how many bytes are before it.
    pub(super) fn scan(&mut self, text: &str) -> (usize, Stop) {
        let mut at = 0;
        while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
            if let Some(stop) = self.stop(rest) {
                return (at, stop);
            }
            at += self.element(rest).0;
        }
        (at, Stop::End)
    }

    /// Whether a statement ends, or a command begins, at the first sign of `rest`.
    fn stop(&self, rest: &str) -> Option<Stop> {
        match (&self.inside, rest.as_bytes().first()) {
            (Inside::Code, Some(b';')) if self.parentheses == 0 => Some(Stop::Semicolon),
            (Inside::Code, Some(b'\\')) => Some(Stop::Backslash),
            _ => None,
        }
    }

    /// The first element of `rest`, which is not empty: its bytes, at least one, and its kind.
    fn element(&mut self, rest: &str) -> (usize, Kind) {
        match &mut self.inside {
            Inside::Code => self.code(rest),
            Inside::Text { escapes } => {
                let (bytes, is_closed) = within_text(rest, *escapes);
                if is_closed {
                    self.inside = Inside::Code;
                }
                (bytes, Kind::Text)
            }
            Inside::QuotedName => {
                // Two quotes are a quote in the name: the first one closes, the second one opens again.
                let closed = rest.find('"');
                if closed.is_some() {
                    self.inside = Inside::Code;
                }
                (closed.map_or(rest.len(), |at| at + 1), Kind::QuotedName)
            }
            Inside::Comment { depth } => {
                let (bytes, change) = within_comment(rest);
                *depth = depth.saturating_add_signed(change);
                if *depth == 0 {
                    self.inside = Inside::Code;
                }
                (bytes, Kind::Comment)
            }
            Inside::Dollar { tag } => {
                let closed = rest.find(tag.as_str()).map(|at| at + tag.len());
                if closed.is_some() {
                    self.inside = Inside::Code;
                }
                (closed.unwrap_or(rest.len()), Kind::Text)
            }
        }
    }

    fn code(&mut self, rest: &str) -> (usize, Kind) {
        let mut letters = rest.chars();
        let (first, second) = (letters.next().unwrap_or_default(), letters.next());
        let (inside, bytes, kind) = match (first, second) {
            ('\'', _) => (Inside::Text { escapes: false }, 1, Kind::Text),
            ('"', _) => (Inside::QuotedName, 1, Kind::Sign),
            ('-', Some('-')) => (Inside::Code, rest.find('\n').unwrap_or(rest.len()), Kind::Comment),
            ('/', Some('*')) => (Inside::Comment { depth: 1 }, 2, Kind::Comment),
            ('$', _) => match dollar_tag(rest) {
                Some(tag) => (Inside::Dollar { tag: tag.to_owned() }, tag.len(), Kind::Text),
                None => (Inside::Code, 1, Kind::Sign),
            },
            ('(' | ')', _) => {
                self.parentheses = self.parentheses.saturating_add_signed(if first == '(' { 1 } else { -1 });
                (Inside::Code, 1, Kind::Sign)
            }
            _ if is_word(first) => {
                // A name may have a `$` in it, and a number may not.
                let may_have_dollar = !first.is_ascii_digit();
                let goes_on = |letter| is_word(letter) || (letter == '$' && may_have_dollar);
                let bytes = rest.find(|letter| !goes_on(letter)).unwrap_or(rest.len());
                let is_escaped = rest[..bytes].eq_ignore_ascii_case("e") && rest[bytes..].starts_with('\'');
                if is_escaped {
                    (Inside::Text { escapes: true }, bytes + 1, Kind::Text)
                } else {
                    (Inside::Code, bytes, Kind::Word)
                }
            }
            _ if first.is_whitespace() => (Inside::Code, first.len_utf8(), Kind::Space),
            _ => (Inside::Code, first.len_utf8(), Kind::Sign),
        };
        self.inside = inside;
        (bytes, kind)
    }
}

/// The elements of a text from its beginning, with their places. A `;` and a backslash are signs here.
pub(super) fn elements(text: &str) -> Vec<(Range<usize>, Kind)> {
    let mut lexer = Lexer::default();
    let mut elements = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let (bytes, kind) = lexer.element(rest);
        elements.push((at..at + bytes, kind));
        at += bytes;
    }
    elements
}

/// Whether the end of a text is outside of quotes and comments.
pub(super) fn ends_in_code(text: &str) -> bool {
    let mut lexer = Lexer::default();
    let mut last = (0..0, Kind::Space);
    while let Some(rest) = text.get(last.0.end..).filter(|rest| !rest.is_empty()) {
        let (bytes, kind) = lexer.element(rest);
        last = (last.0.end..last.0.end + bytes, kind);
    }
    // A comment up to the end of the line is not open where the line ends.
    lexer.inside == Inside::Code && !(last.1 == Kind::Comment && text[last.0].starts_with("--"))
}

/// Whether a text has nothing but white space and comments.
pub(super) fn is_blank(text: &str) -> bool {
    elements(text).iter().all(|(_, kind)| matches!(kind, Kind::Space | Kind::Comment))
}

/// Where the first element that is neither white space nor a comment begins; the end, if there is none.
pub(super) fn first_element(text: &str) -> usize {
    let is_content = |kind: &Kind| !matches!(kind, Kind::Space | Kind::Comment);
    elements(text).iter().find(|(_, kind)| is_content(kind)).map_or(text.len(), |(place, _)| place.start)
}

/// A letter of a name or of a number.
pub(super) fn is_word(letter: char) -> bool {
    letter == '_' || letter.is_ascii_alphanumeric() || (!letter.is_ascii() && !letter.is_whitespace())
}

/// The bytes of a text in single quotes up to and with its closing quote, and whether it is closed.
fn within_text(rest: &str, escapes: bool) -> (usize, bool) {
    let mut letters = rest.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' if escapes => {
                letters.next();
            }
            // Two quotes are a quote in the text.
            '\'' if letters.peek().is_some_and(|(_, next)| *next == '\'') => {
                letters.next();
            }
            '\'' => return (at + 1, true),
            _ => {}
        }
    }
    (rest.len(), false)
}

/// The bytes of a comment until it opens or closes one more, and the change of the depth.
fn within_comment(rest: &str) -> (usize, i32) {
    let opens = rest.find("/*");
    let closes = rest.find("*/");
    match (opens, closes) {
        (Some(opens), closes) if closes.is_none_or(|closes| opens < closes) => (opens + 2, 1),
        (_, Some(closes)) => (closes + 2, -1),
        _ => (rest.len(), 0),
    }
}

/// `$$` or `$tag$` at the beginning of `rest`. A tag does not begin with a digit: `$1` is a parameter.
fn dollar_tag(rest: &str) -> Option<&str> {
    let tag = &rest[1..1 + rest[1..].find('$')?];
    let is_name = !tag.starts_with(|first: char| first.is_ascii_digit()) && tag.chars().all(is_word);
    is_name.then(|| &rest[..tag.len() + 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The statements of a text, and what is open at its end.
    fn split(text: &str) -> (Vec<&str>, Option<Open>) {
        let mut lexer = Lexer::default();
        let (mut statements, mut begin, mut at) = (Vec::new(), 0, 0);
        loop {
            let (bytes, stop) = lexer.scan(&text[at..]);
            at += bytes;
            if stop == Stop::End {
                statements.extend((begin < at).then(|| &text[begin..at]));
                return (statements, lexer.open());
            }
            statements.push(&text[begin..at]);
            at += 1;
            begin = at;
        }
    }

    #[test]
    fn a_semicolon_ends_a_statement_outside_of_everything() {
        for (text, expected) in [
            ("select 1; select 2", vec!["select 1", " select 2"]),
            ("select ';'; x", vec!["select ';'", " x"]),
            ("select 'it''s;'; x", vec!["select 'it''s;'", " x"]),
            (r"select '\'; x", vec![r"select '\'", " x"]),
            (r"select E'\';'; x", vec![r"select E'\';'", " x"]),
            (r"select e'a'';\\'; x", vec![r"select e'a'';\\'", " x"]),
            (r"select re'\'; x", vec![r"select re'\'", " x"]),
            ("select \";\"\";\"; x", vec!["select \";\"\";\"", " x"]),
            ("select $$;$$; x", vec!["select $$;$$", " x"]),
            ("select $a$;$b$;$$;$a$; x", vec!["select $a$;$b$;$$;$a$", " x"]),
            ("select $1; x", vec!["select $1", " x"]),
            ("select $1$2; x", vec!["select $1$2", " x"]),
            ("select a$b$; x", vec!["select a$b$", " x"]),
            ("select 1$b$;$b$; x", vec!["select 1$b$;$b$", " x"]),
            ("select $1$$;$$; x", vec!["select $1$$;$$", " x"]),
            ("select 1 -- ; '\n; x", vec!["select 1 -- ; '\n", " x"]),
            ("select 1 /* ; /* ; */ ; ' */; x", vec!["select 1 /* ; /* ; */ ; ' */", " x"]),
            ("select (1; 2); x", vec!["select (1; 2)", " x"]),
            ("select ')'; x", vec!["select ')'", " x"]),
            ("select ); x", vec!["select )", " x"]),
            ("select 'é;', $ü$;$ü$; é", vec!["select 'é;', $ü$;$ü$", " é"]),
            (";;", vec!["", ""]),
            ("", vec![]),
        ] {
            let (statements, open) = split(text);
            assert_eq!((statements, open), (expected, None), "{text}");
        }
    }

    #[test]
    fn what_is_open_is_known() {
        for (text, expected) in [
            ("select 'a", Open::Text),
            ("select E'a\\'", Open::Text),
            ("select \"a", Open::QuotedName),
            ("select /* a /* b */", Open::Comment),
            ("select $a$ $b$", Open::Dollar),
            ("select (a, (b)", Open::Parenthesis),
            ("select (')'", Open::Parenthesis),
        ] {
            assert_eq!(split(text).1, Some(expected), "{text}");
        }
        for text in ["select", "select 1 -- '", "select \"a\" 'b' $$c$$ /* d */ (e)"] {
            assert_eq!(split(text).1, None, "{text}");
        }
    }

    #[test]
    fn a_backslash_is_a_command_outside_of_quotes_only() {
        let stop = |text: &str| Lexer::default().scan(text);
        assert_eq!(stop("select 1 \\g"), (9, Stop::Backslash));
        assert_eq!(stop("select (\\g"), (8, Stop::Backslash));
        for text in ["'\\g'", "\"\\g\"", "$$\\g$$", "/* \\g */", "-- \\g"] {
            assert_eq!(stop(text), (text.len(), Stop::End), "{text}");
        }
    }

    #[test]
    fn white_space_and_comments_are_no_statement() {
        for text in ["", " \n\t", "-- a", "/* a /* b */ */ -- c\n"] {
            assert!(is_blank(text), "{text}");
        }
        for text in ["x", "/* a */ 1", "''", "\"\""] {
            assert!(!is_blank(text), "{text}");
        }
        assert_eq!(first_element("-- a\n /* b */ select"), 14);
    }

    mod properties {
        use proptest::prelude::*;

        use super::super::*;

        /// Texts of the signs that decide, and of others.
        fn text() -> impl Strategy<Value = String> {
            let parts = prop_oneof![
                Just("'"),
                Just("\""),
                Just("$"),
                Just("$a$"),
                Just("$$"),
                Just("("),
                Just(")"),
                Just(";"),
                Just("\\"),
                Just("--"),
                Just("/*"),
                Just("*/"),
                Just("\n"),
                Just(" "),
                Just("E"),
                Just("select"),
                Just("é"),
                Just("\u{2003}"),
                Just("1"),
                Just("."),
                Just("-"),
                Just("/"),
            ];
            proptest::collection::vec(parts, 0..40).prop_map(|parts| parts.concat())
        }

        /// The parts of a text, each with what stopped before the next.
        fn parts(text: &str) -> Vec<String> {
            let mut lexer = Lexer::default();
            let mut parts = Vec::new();
            let mut at = 0;
            loop {
                let (bytes, stop) = lexer.scan(&text[at..]);
                parts.push(text[at..at + bytes].to_owned());
                at += bytes;
                match stop {
                    Stop::End => return parts,
                    Stop::Semicolon => parts.push(";".to_owned()),
                    Stop::Backslash => parts.push("\\".to_owned()),
                }
                at += 1;
            }
        }

        proptest! {
            #[test]
            fn splitting_loses_no_byte(text in prop_oneof![text(), any::<String>()]) {
                prop_assert_eq!(parts(&text).concat(), text.clone());
                let mut end = 0;
                for (place, _) in elements(&text) {
                    prop_assert_eq!(place.start, end);
                    prop_assert!(place.end > place.start);
                    end = place.end;
                }
                prop_assert_eq!(end, text.len());
            }

            #[test]
            fn lines_are_split_as_their_whole_is(text in text()) {
                let whole = { let mut lexer = Lexer::default(); let stops = stops(&mut lexer, [text.as_str()]); (stops, lexer.open()) };
                let lines = { let mut lexer = Lexer::default(); let stops = stops(&mut lexer, text.split_inclusive('\n')); (stops, lexer.open()) };
                prop_assert_eq!(whole, lines);
            }
        }

        /// The places of what stops.
        fn stops<'text>(lexer: &mut Lexer, texts: impl IntoIterator<Item = &'text str>) -> Vec<usize> {
            let (mut stops, mut before) = (Vec::new(), 0);
            for text in texts {
                let mut at = 0;
                loop {
                    let (bytes, stop) = lexer.scan(&text[at..]);
                    at += bytes;
                    if stop == Stop::End {
                        break;
                    }
                    stops.push(before + at);
                    at += 1;
                }
                before += text.len();
            }
            stops
        }
    }
}
