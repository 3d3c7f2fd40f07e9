//! The templates of expressions: `templates.txt`, read once.

use crate::differential::kind::Kind;
use std::collections::BTreeMap;

const TEXT: &str = include_str!("../templates.txt");

/// A part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    /// An expression of a type.
    Of(Kind),
    /// An expression of any type.
    Any,
    /// The column that distinguishes rows.
    Id,
    /// One of a class.
    Class(String),
}

/// A template, and the type of what it makes.
#[derive(Debug, Clone)]
pub(super) struct Template {
    pub(super) kind: Kind,
    pub(super) parts: Vec<Part>,
}

/// All templates.
#[derive(Debug)]
pub(super) struct Templates {
    pub(super) scalar: BTreeMap<Kind, Vec<Template>>,
    pub(super) aggregate: Vec<Template>,
    pub(super) window: Vec<Template>,
    pub(super) classes: BTreeMap<String, Vec<String>>,
}

impl Templates {
    /// Reads `templates.txt`. The error names the line.
    pub(super) fn read() -> Result<Self, String> {
        let mut all =
            Self { scalar: BTreeMap::new(), aggregate: Vec::new(), window: Vec::new(), classes: BTreeMap::new() };
        let mut section = "";
        for (number, line) in TEXT.lines().enumerate() {
            let line = line.trim();
            let wrong = |why: &str| format!("templates.txt:{}: {why}", number + 1);
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(name) = line.strip_prefix("== ") {
                section = name;
            } else if section == "classes" {
                let (name, values) = line.split_once(": ").ok_or_else(|| wrong("a class without values"))?;
                all.classes.insert(name.to_owned(), values.split(" ;; ").map(str::to_owned).collect());
            } else {
                let templates = templates(line).map_err(|why| wrong(&why))?;
                match section {
                    "scalar" => {
                        for template in templates {
                            all.scalar.entry(template.kind).or_default().push(template);
                        }
                    }
                    "aggregate" => all.aggregate.extend(templates),
                    "window" => all.window.extend(templates),
                    _ => return Err(wrong("no section begins before it")),
                }
            }
        }
        all.check()
    }

    fn check(self) -> Result<Self, String> {
        let all = self.scalar.values().flatten().chain(&self.aggregate).chain(&self.window);
        for part in all.flat_map(|template| &template.parts) {
            if let Part::Class(class) = part
                && !self.classes.contains_key(class)
            {
                return Err(format!("templates.txt: there is no type or class {class}"));
            }
        }
        Ok(self)
    }
}

/// The templates of a line: one, or one for each of the types before it.
fn templates(line: &str) -> Result<Vec<Template>, String> {
    let (kinds, rest) = match line.strip_prefix('[') {
        Some(rest) => {
            let (kinds, rest) = rest.split_once("] ").ok_or("the types before it have no end")?;
            let kinds = kinds.split(' ').map(|word| Kind::of_word(word).ok_or_else(|| format!("no type {word}")));
            (kinds.map(|kind| kind.map(Some)).collect::<Result<Vec<_>, _>>()?, rest)
        }
        None => (vec![None], line),
    };
    let (result, text) = rest.split_once(" = ").ok_or("it has no ` = `")?;
    let template = |variable: Option<Kind>| {
        let kind = if result == "T" { variable } else { Kind::of_word(result) };
        let kind = kind.ok_or_else(|| format!("no type {result}"))?;
        Ok(Template { kind, parts: parts(text, variable)? })
    };
    kinds.into_iter().map(template).collect()
}

fn parts(text: &str, variable: Option<Kind>) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut rest = text;
    let mut plain = String::new();
    while let Some(start) = rest.find('{') {
        let (before, after) = rest.split_at(start);
        plain.push_str(before);
        let end = after.find('}').ok_or("a hole has no end")?;
        let word = &after[1..end];
        // Braces of array literals and of patterns are no holes.
        if !word.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
            || word.is_empty()
            || is_plain(word)
        {
            plain.push('{');
            rest = &after[1..];
            continue;
        }
        if !plain.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut plain)));
        }
        parts.push(match word {
            "T" => Part::Of(variable.ok_or("T without types before the line")?),
            "any" => Part::Any,
            "id" => Part::Id,
            word => Kind::of_word(word).map_or_else(|| Part::Class(word.to_owned()), Part::Of),
        });
        rest = &after[end + 1..];
    }
    plain.push_str(rest);
    if !plain.is_empty() {
        parts.push(Part::Text(plain));
    }
    Ok(parts)
}

/// Whether what stands between braces is a literal, such as `{2}` of a pattern.
fn is_plain(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_read() {
        let all = Templates::read().unwrap();
        assert!(Kind::ALL.iter().all(|kind| all.scalar[kind].len() > 3), "each type can be made");
        assert!(all.aggregate.len() > 80 && all.window.len() > 20 && all.classes.len() > 20);
    }

    #[test]
    fn braces_of_literals_are_no_holes() {
        let found = parts("'{1,2}' ~ {T} || 'a{2}' || '{b,deep}' || {unit}", Some(Kind::Text)).unwrap();
        let text = |text: &str| Part::Text(text.to_owned());
        let expected = [
            text("'{1,2}' ~ "),
            Part::Of(Kind::Text),
            text(" || 'a{2}' || '{b,deep}' || "),
            Part::Class("unit".to_owned()),
        ];
        assert_eq!(found, expected);
    }
}
