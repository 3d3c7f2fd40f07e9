//! SVG elements, and the estimated size of texts.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr as _;

/// The margin of the plot.
pub(super) const MARGIN: f64 = 32.0;
/// The default width of a plot.
pub(super) const WIDTH: f64 = 920.0;
const FONT: &str = "Inter, 'Segoe UI', Roboto, 'Helvetica Neue', 'DejaVu Sans', Arial, sans-serif";
/// The average width of a letter per unit of its size, with a reserve for the fonts above.
const LETTER: f64 = 0.58;
/// Okabe and Ito's colours, the darker ones first. Yellow is omitted: it is too light for a white background.
pub(super) const COLOURS: [&str; 7] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#4d4d4d"];
pub(super) const INK: &str = "#1f2933";
pub(super) const GREY: &str = "#5f6c7b";
pub(super) const GRID: &str = "#e4e8ed";

/// The point of a text that is at its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// The style of a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style<'c> {
    size: f64,
    colour: &'c str,
    is_bold: bool,
}

impl Style<'static> {
    pub(super) const TITLE: Self = Self::new(20.0, INK).bold();
    pub(super) const HEADING: Self = Self::new(12.0, INK).bold();
    pub(super) const LABEL: Self = Self::new(12.0, INK);
    pub(super) const NOTE: Self = Self::new(12.0, GREY);
    pub(super) const TICK: Self = Self::new(11.0, GREY);
}

impl<'c> Style<'c> {
    pub(super) const fn new(size: f64, colour: &'c str) -> Self {
        Self { size, colour, is_bold: false }
    }

    pub(super) const fn bold(self) -> Self {
        Self { is_bold: true, ..self }
    }
}

/// A plot that grows downwards.
pub(super) struct Canvas {
    pub(super) width: f64,
    /// The top of the next part.
    pub(super) top: f64,
    title: String,
    description: String,
    body: String,
}

impl Canvas {
    /// A plot with its title, description and arguments.
    pub(super) fn new(title: &str, description: &str, arguments: &str) -> Self {
        let mut canvas = Self {
            width: WIDTH,
            top: MARGIN + 14.0,
            title: escape(title),
            description: escape(description),
            body: String::new(),
        };
        canvas.text((MARGIN, canvas.top), Anchor::Start, Style::TITLE, title);
        canvas.top += 24.0;
        let room = ((WIDTH - 2.0 * MARGIN) / (12.0 * LETTER * 0.9)) as usize;
        let lines = wrap(description, room).into_iter().chain(wrap(arguments, room));
        for line in lines {
            canvas.text((MARGIN, canvas.top), Anchor::Start, Style::NOTE, &line);
            canvas.top += 17.0;
        }
        canvas.top += 12.0;
        canvas
    }

    pub(super) fn text(&mut self, (x, y): (f64, f64), anchor: Anchor, style: Style<'_>, text: &str) {
        let Style { size, colour, is_bold } = style;
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let weight = if is_bold { " font-weight=\"600\"" } else { "" };
        let _ = writeln!(
            self.body,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\" text-anchor=\"{anchor}\" fill=\"{colour}\"{weight}>{}</text>",
            escape(text)
        );
    }

    /// A right-aligned label that is shortened to its room. A tooltip contains the whole text.
    pub(super) fn label(&mut self, position: (f64, f64), room: f64, text: &str) {
        let short = shorten(text, Style::LABEL.size, room);
        if short == text {
            return self.text(position, Anchor::End, Style::LABEL, text);
        }
        let _ = writeln!(self.body, "<g><title>{}</title>", escape(text));
        self.text(position, Anchor::End, Style::LABEL, &short);
        self.body.push_str("</g>\n");
    }

    /// A filled rectangle `[x, y, width, height]` with a tooltip.
    pub(super) fn rect(&mut self, place: [f64; 4], colour: &str, tooltip: &str) {
        let [x, y, width, height] = place;
        let _ = writeln!(
            self.body,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{height:.1}\" fill=\"{colour}\"><title>{}</title></rect>",
            width.max(0.0),
            escape(tooltip)
        );
    }

    pub(super) fn line(&mut self, from: (f64, f64), to: (f64, f64), colour: &str) {
        let _ = writeln!(
            self.body,
            "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"{colour}\"/>",
            from.0, from.1, to.0, to.1
        );
    }

    /// A line through points.
    pub(super) fn path(&mut self, points: &[(f64, f64)], colour: &str, dashes: &str) {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(
            self.body,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" stroke-linejoin=\"round\" stroke-dasharray=\"{dashes}\"/>",
            points.join(" ")
        );
    }

    pub(super) fn dot(&mut self, (x, y): (f64, f64), colour: &str, tooltip: &str) {
        let _ = writeln!(
            self.body,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{colour}\" stroke=\"#fff\"><title>{}</title></circle>",
            escape(tooltip)
        );
    }

    /// A legend of colours, in lines as wide as the plot.
    pub(super) fn legend(&mut self, entries: &[(&str, String)]) {
        let mut x = MARGIN;
        for (colour, words) in entries {
            let width = 18.0 + width(words, 12.0) + 20.0;
            if x > MARGIN && x + width > self.width - MARGIN {
                x = MARGIN;
                self.top += 20.0;
            }
            self.rect([x, self.top - 9.0, 12.0, 12.0], colour, words);
            self.text((x + 18.0, self.top + 1.0), Anchor::Start, Style::LABEL, words);
            x += width;
        }
        self.top += 22.0;
    }

    /// A remark below the plot.
    pub(super) fn remark(&mut self, text: &str) {
        self.top += 8.0;
        self.text((MARGIN, self.top), Anchor::Start, Style::NOTE, text);
        self.top += 16.0;
    }

    /// Draws the text that there are no rows.
    pub(super) fn nothing(&mut self) {
        let place = [MARGIN, self.top, self.width - 2.0 * MARGIN, 140.0];
        self.rect(place, "#f4f6f8", "nothing to show");
        let middle = (self.width / 2.0, self.top + 66.0);
        self.text(middle, Anchor::Middle, Style::new(15.0, INK).bold(), "Nothing to show");
        let words = "The archive has no rows for these arguments.";
        self.text((middle.0, middle.1 + 22.0), Anchor::Middle, Style::NOTE, words);
        self.top += 140.0;
    }

    /// The SVG document.
    pub(super) fn finish(self) -> String {
        let (width, height) = (self.width, self.top + MARGIN - 8.0);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
             viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" font-family=\"{FONT}\">\n<title>{}</title>\n<desc>{}</desc>\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n{}</svg>\n",
            self.title, self.description, self.body
        )
    }
}

/// The estimated width of a text at this size.
pub(super) fn width(text: &str, size: f64) -> f64 {
    text.width() as f64 * size * LETTER
}

/// A text shortened to its room.
pub(super) fn shorten(text: &str, size: f64, room: f64) -> String {
    if width(text, size) <= room {
        return text.to_owned();
    }
    let mut short = String::new();
    for letter in text.chars() {
        short.push(letter);
        if width(&short, size) + size * LETTER > room {
            short.pop();
            break;
        }
    }
    format!("{}…", short.trim_end())
}

fn wrap(text: &str, room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Escapes a text for content and attributes. Characters that XML excludes become the replacement character.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' | '\r' => out.push(' '),
            letter if letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            letter => out.push(letter),
        }
    }
    out
}
