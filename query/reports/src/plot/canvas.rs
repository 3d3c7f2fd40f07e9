//! Elements of SVG, and how much room texts take.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr as _;

/// The room around everything.
pub(super) const MARGIN: f64 = 32.0;
/// The width of a picture that needs no more.
pub(super) const WIDTH: f64 = 920.0;
const FONT: &str = "Inter, 'Segoe UI', Roboto, 'Helvetica Neue', 'DejaVu Sans', Arial, sans-serif";
/// An average letter's width for each unit of its size, on the safe side for the fonts above.
const LETTER: f64 = 0.58;
pub(super) const INK: &str = "#1f2933";
pub(super) const GREY: &str = "#5f6c7b";
pub(super) const GRID: &str = "#e4e8ed";

/// Where a text's position is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A picture that grows downwards.
pub(super) struct Canvas {
    pub(super) width: f64,
    /// Where the next part begins.
    pub(super) top: f64,
    title: String,
    description: String,
    body: String,
}

impl Canvas {
    /// A picture with a heading.
    pub(super) fn new(title: &str, description: &str, setting: &str) -> Self {
        let mut canvas = Self {
            width: WIDTH,
            top: MARGIN + 14.0,
            title: escape(title),
            description: escape(description),
            body: String::new(),
        };
        canvas.text(MARGIN, canvas.top, Anchor::Start, 20.0, INK, true, title);
        canvas.top += 24.0;
        let room = ((WIDTH - 2.0 * MARGIN) / (12.0 * LETTER * 0.9)) as usize;
        let lines = wrap(description, room).into_iter().chain(wrap(setting, room));
        for line in lines {
            canvas.text(MARGIN, canvas.top, Anchor::Start, 12.0, GREY, false, &line);
            canvas.top += 17.0;
        }
        canvas.top += 12.0;
        canvas
    }

    #[expect(clippy::too_many_arguments, reason = "where, how and what: each call names them all")]
    pub(super) fn text(&mut self, x: f64, y: f64, anchor: Anchor, size: f64, colour: &str, bold: bool, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let weight = if bold { " font-weight=\"600\"" } else { "" };
        let _ = writeln!(
            self.body,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\" text-anchor=\"{anchor}\" fill=\"{colour}\"{weight}>{}</text>",
            escape(text)
        );
    }

    /// A text that is cut where its room ends; the whole of it is shown when it is pointed at.
    pub(super) fn label(&mut self, x: f64, y: f64, size: f64, room: f64, text: &str) {
        let short = shorten(text, size, room);
        if short == text {
            return self.text(x, y, Anchor::End, size, INK, false, text);
        }
        let _ = writeln!(self.body, "<g><title>{}</title>", escape(text));
        self.text(x, y, Anchor::End, size, INK, false, &short);
        self.body.push_str("</g>\n");
    }

    /// A filled rectangle that says what it is when it is pointed at.
    pub(super) fn rect(&mut self, place: [f64; 4], colour: &str, says: &str) {
        let [x, y, width, height] = place;
        let _ = writeln!(
            self.body,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{height:.1}\" fill=\"{colour}\"><title>{}</title></rect>",
            width.max(0.0),
            escape(says)
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

    pub(super) fn dot(&mut self, x: f64, y: f64, colour: &str, says: &str) {
        let _ = writeln!(
            self.body,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{colour}\" stroke=\"#fff\"><title>{}</title></circle>",
            escape(says)
        );
    }

    /// Colours and what they stand for, in lines as wide as the picture.
    pub(super) fn legend(&mut self, entries: &[(&str, String)]) {
        let mut x = MARGIN;
        for (colour, words) in entries {
            let width = 18.0 + width(words, 12.0) + 20.0;
            if x > MARGIN && x + width > self.width - MARGIN {
                x = MARGIN;
                self.top += 20.0;
            }
            self.rect([x, self.top - 9.0, 12.0, 12.0], colour, words);
            self.text(x + 18.0, self.top + 1.0, Anchor::Start, 12.0, INK, false, words);
            x += width;
        }
        self.top += 22.0;
    }

    /// A remark below everything.
    pub(super) fn remark(&mut self, text: &str) {
        self.top += 8.0;
        self.text(MARGIN, self.top, Anchor::Start, 12.0, GREY, false, text);
        self.top += 16.0;
    }

    /// Says that there is nothing to draw.
    pub(super) fn nothing(&mut self) {
        let place = [MARGIN, self.top, self.width - 2.0 * MARGIN, 140.0];
        self.rect(place, "#f4f6f8", "nothing to show");
        let middle = (self.width / 2.0, self.top + 66.0);
        self.text(middle.0, middle.1, Anchor::Middle, 15.0, INK, true, "Nothing to show");
        let words = "No row of the archive is in the period and the selection that were asked for.";
        self.text(middle.0, middle.1 + 22.0, Anchor::Middle, 12.0, GREY, false, words);
        self.top += 140.0;
    }

    /// The document.
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

/// How wide a text is at this size, about.
pub(super) fn width(text: &str, size: f64) -> f64 {
    text.width() as f64 * size * LETTER
}

/// A text that is no wider than its room.
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

/// A text between tags or in an attribute. What XML cannot hold becomes a replacement character.
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
