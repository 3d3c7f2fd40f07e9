//! The header of a report: the comment lines before its SQL, one fact per line.
//!
//! ```text
//! -- title: WORDS
//! -- description: SENTENCES
//! -- column NAME (UNIT): WORDS              one for each column of the result, in their order
//! -- parameter NAME: WORDS
//! -- parameter NAME [ONE, OTHER]: WORDS     a text that is one of these
//! -- plot: none
//! -- plot: KIND x=COLUMN y=COLUMN,...       KIND is line, bar or stacked
//!          [series=COLUMN] [within=COLUMN]  one line for each value; one heading for each value
//! -- plot: heatmap x=COLUMN y=COLUMN value=COLUMN
//! ```

use crate::error::InvalidReport;

/// The unit of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Words, names, ids.
    Text,
    /// A day.
    Date,
    /// A point in time.
    Time,
    /// An hour of the day, 0 to 23, UTC.
    Hour,
    /// Yes or no.
    YesOrNo,
    /// A plain number.
    Number,
    /// A number of sessions.
    Sessions,
    /// A number of tickets.
    Tickets,
    /// A number of devices.
    Devices,
    /// Seconds.
    Seconds,
    /// Hours.
    Hours,
    /// Percent.
    Percent,
    /// Ratings, 1 to 5.
    Stars,
    /// An amount in the currency of the cost arguments.
    Money,
}

impl Unit {
    const ALL: [(&'static str, Self); 14] = [
        ("text", Self::Text),
        ("date", Self::Date),
        ("time", Self::Time),
        ("hour", Self::Hour),
        ("yes or no", Self::YesOrNo),
        ("number", Self::Number),
        ("sessions", Self::Sessions),
        ("tickets", Self::Tickets),
        ("devices", Self::Devices),
        ("seconds", Self::Seconds),
        ("hours", Self::Hours),
        ("percent", Self::Percent),
        ("stars", Self::Stars),
        ("money", Self::Money),
    ];

    /// The unit's name in the header of a report.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, unit)| *unit == self).map_or("text", |(name, _)| name)
    }

    fn of(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, unit)| *unit)
    }
}

/// A column of a report's result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// The unit of its values.
    pub unit: Unit,
    /// Its meaning.
    pub description: &'static str,
}

/// The kind of a chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Lines over time.
    Line,
    /// Bars next to each other.
    Bar,
    /// Bars end to end.
    Stacked,
}

/// How a result is drawn. The texts are names of columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plot {
    /// No plot: the result is a list.
    None,
    /// Numbers `y` for each `x`.
    Chart {
        /// The kind of chart.
        kind: Kind,
        /// The categories or dates.
        x: &'static str,
        /// The numbers. All have the same unit.
        y: Vec<&'static str>,
        /// One line for each value.
        series: Option<&'static str>,
        /// One heading for each value.
        within: Option<&'static str>,
    },
    /// A cell for each pair of `x` and `y`.
    Heatmap {
        /// From left to right.
        x: &'static str,
        /// From top to bottom.
        y: &'static str,
        /// The number that colours the cell.
        value: &'static str,
    },
}

impl Plot {
    /// The columns that the plot uses.
    pub(crate) fn columns(&self) -> Vec<&'static str> {
        match self {
            Self::None => Vec::new(),
            Self::Chart { x, y, series, within, .. } => {
                [*x].into_iter().chain(y.iter().copied()).chain(*series).chain(*within).collect()
            }
            Self::Heatmap { x, y, value } => vec![x, y, value],
        }
    }
}

/// The content of a header.
#[derive(Debug)]
pub(crate) struct Header {
    pub(crate) title: &'static str,
    pub(crate) description: &'static str,
    pub(crate) columns: Vec<Column>,
    /// Name, choices (empty for any value of its type) and description.
    pub(crate) parameters: Vec<(&'static str, Vec<&'static str>, &'static str)>,
    pub(crate) plot: Plot,
}

/// Parses the header of a report.
pub(crate) fn parse(text: &'static str) -> Result<Header, InvalidReport> {
    let (mut title, mut description, mut plot) = (None, None, None);
    let (mut columns, mut parameters) = (Vec::new(), Vec::new());
    for line in text.lines().map_while(|line| line.strip_prefix("-- ")) {
        let invalid = |what: &str| InvalidReport(format!("{what}: {line}"));
        let (key, words) = line.split_once(": ").ok_or_else(|| invalid("a line without `: `"))?;
        match key.split_once(' ') {
            None if key == "title" => title = Some(words),
            None if key == "description" => description = Some(words),
            None if key == "plot" => plot = Some(parse_plot(words).ok_or_else(|| invalid("an unknown plot"))?),
            Some(("column", rest)) => {
                let (name, unit) = bracketed(rest, " (", ')').ok_or_else(|| invalid("a column without a unit"))?;
                let unit = Unit::of(unit).ok_or_else(|| invalid("an unknown unit"))?;
                columns.push(Column { name, unit, description: words });
            }
            Some(("parameter", rest)) => {
                let (name, choices) = match bracketed(rest, " [", ']') {
                    Some((name, choices)) => (name, choices.split(", ").collect()),
                    None => (rest, Vec::new()),
                };
                parameters.push((name, choices, words));
            }
            _ => return Err(invalid("an unknown line")),
        }
    }
    let missing = |what: &str| InvalidReport(format!("no line `-- {what}: `"));
    Ok(Header {
        title: title.ok_or_else(|| missing("title"))?,
        description: description.ok_or_else(|| missing("description"))?,
        columns,
        parameters,
        plot: plot.ok_or_else(|| missing("plot"))?,
    })
}

fn bracketed<'t>(text: &'t str, open: &str, close: char) -> Option<(&'t str, &'t str)> {
    let (name, rest) = text.split_once(open)?;
    Some((name, rest.strip_suffix(close)?))
}

fn parse_plot(words: &'static str) -> Option<Plot> {
    let (kind, rest) = words.split_once(' ').unwrap_or((words, ""));
    let pairs: Vec<(&str, &str)> = rest.split_whitespace().map(|pair| pair.split_once('=')).collect::<Option<_>>()?;
    let get = |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
    let chart = |kind| {
        let y = get("y")?.split(',').collect();
        Some(Plot::Chart { kind, x: get("x")?, y, series: get("series"), within: get("within") })
    };
    match kind {
        "none" => Some(Plot::None),
        "line" => chart(Kind::Line),
        "bar" => chart(Kind::Bar),
        "stacked" => chart(Kind::Stacked),
        "heatmap" => Some(Plot::Heatmap { x: get("x")?, y: get("y")?, value: get("value")? }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_parsed() {
        let header = parse(concat!(
            "-- title: A title\n-- description: One: two.\n-- column a (text): the a\n-- column b (yes or no): the b\n",
            "-- parameter p [x, y]: choose\n-- plot: bar x=a y=b,c within=d\nselect 1 -- title: no\n",
        ))
        .unwrap();
        assert_eq!((header.title, header.description), ("A title", "One: two."));
        assert_eq!(header.columns[1], Column { name: "b", unit: Unit::YesOrNo, description: "the b" });
        assert_eq!(header.parameters, [("p", vec!["x", "y"], "choose")]);
        assert_eq!(header.plot.columns(), ["a", "b", "c", "d"]);
    }

    #[test]
    fn an_invalid_header_is_refused_with_its_line() {
        for (text, what) in [
            ("-- title: A\n-- plot: none\n", "description"),
            ("-- title: A\n-- description: B\n", "plot"),
            ("-- title\n", "without `: `"),
            ("-- column a: b\n", "without a unit"),
            ("-- column a (miles): b\n", "unknown unit"),
            ("-- plot: pie x=a\n", "unknown plot"),
            ("-- plot: bar x=a\n", "unknown plot"),
            ("-- author: me\n", "unknown line"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(what), "{error}");
        }
    }
}
