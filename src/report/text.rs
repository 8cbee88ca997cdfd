//! Numbers and tables as a person reads them on a terminal.
//!
//! In: sums, cells. Out: text without trailing blanks. Never: a box around anything, a column that only colour explains.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use crate::catalog::Certainty;
use crate::pricing::{Sum, Unit};
use crate::types::width::{columns, cut, filled, filled_before};
use crate::types::{Amount, Currency, Micros, visible};

/// Returns a number for people: rounded up to 2 decimals from 10 on, to 4 below.
pub fn number(micros: Micros) -> String {
    let step = if micros.get().unsigned_abs() >= 10_000_000 { 10_000 } else { 100 };
    let rest = micros.get().rem_euclid(step);
    let rounded = if rest == 0 { micros.get() } else { micros.get().saturating_add(step - rest) };
    Micros::new(rounded).to_string()
}

/// Returns a sum's number: `48`, `≥48` when it may be more, `48 + ?` when a part has no price.
pub fn sum(sum: Sum) -> String {
    match sum.certainty {
        Certainty::Exact => number(sum.micros),
        Certainty::LowerBound => format!("≥{}", number(sum.micros)),
        Certainty::Unknown => format!("{} + ?", number(sum.micros)),
    }
}

/// Returns an amount in words: `48 credits`, `$0.0422`.
pub fn money(currency: &Currency, micros: Micros) -> String {
    let rounded = number(micros).parse().unwrap_or(micros);
    Amount::new(currency.clone(), rounded).to_string()
}

/// Returns a sum in words: `48 credits`, `at least 48 credits`, `48 credits and what has no price`.
pub fn sum_words(currency: &Currency, sum: Sum) -> String {
    let known = money(currency, sum.micros);
    match sum.certainty {
        Certainty::Exact => known,
        Certainty::LowerBound => format!("at least {known}"),
        Certainty::Unknown => format!("{known} and what has no price"),
    }
}

/// Returns the price of one try: `6`, `6-16`, `free`, `no price`.
pub fn unit(unit: Unit) -> String {
    match unit {
        Unit::Free => "free".to_owned(),
        Unit::Unpriced => "no price".to_owned(),
        Unit::Priced { low, high, certainty } => {
            // Prices that differ only past the shown digits are one figure to a reader.
            let (low, high) = (number(low), number(high));
            let figure = if low == high { low } else { format!("{low}-{high}") };
            match certainty {
                Certainty::Exact => figure,
                Certainty::LowerBound => format!("≥{figure}"),
                Certainty::Unknown => format!("{figure}, ?"),
            }
        }
    }
}

/// Returns a count, or `-` for none: what is not there should not catch the eye.
pub fn count(count: usize) -> String {
    if count == 0 { "-".to_owned() } else { count.to_string() }
}

/// Returns `text` in this style, or as it is.
pub fn styled(text: &str, style: Style, color: bool) -> String {
    if color { format!("{style}{text}{style:#}") } else { text.to_owned() }
}

/// Returns words as lines of at most `width` columns; lines after the first begin with `indent` blanks.
pub fn wrapped(text: &str, width: usize, indent: usize) -> String {
    let mut lines = String::new();
    let mut column = 0;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let length = columns(word);
        if column > indent && column + 1 + length > width {
            lines.push('\n');
            lines.extend(std::iter::repeat_n(' ', indent));
            column = indent;
        } else if column > 0 {
            lines.push(' ');
            column += 1;
        }
        lines.push_str(word);
        column += length;
    }
    lines
}

/// Which side of a column the text keeps to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// One column of a table.
#[derive(Debug, Clone)]
pub struct Column {
    /// Its heading.
    pub heading: &'static str,
    /// Which side its cells keep to.
    pub side: Side,
    /// Whether it may be narrowed, down to this many columns, when the table is too wide.
    pub at_least: Option<usize>,
}

/// A plain table: a heading, rows, and a last row of totals that stands apart.
#[derive(Debug, Clone, Default)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
    totals: Option<Vec<String>>,
}

/// Blanks between two columns.
const GAP: usize = 2;

impl Table {
    /// Returns a table without rows.
    pub fn new(columns: Vec<Column>) -> Self {
        Self { columns, ..Self::default() }
    }

    /// Adds a row; control characters are written out.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells.iter().map(|cell| visible(cell).into_owned()).collect());
    }

    /// Sets the row of totals.
    pub fn totals(&mut self, cells: Vec<String>) {
        self.totals = Some(cells);
    }

    /// Takes away the columns with this heading in which no row says anything.
    pub fn drop_if_empty(&mut self, headings: &[&str]) {
        for place in (0..self.columns.len()).rev() {
            let says = self.rows.iter().any(|row| !matches!(row[place].as_str(), "-" | ""));
            if headings.contains(&self.columns[place].heading) && !says {
                self.columns.remove(place);
                self.rows.iter_mut().chain(&mut self.totals).for_each(|row| drop(row.remove(place)));
            }
        }
    }

    /// Returns the table as text, each line with its break.
    pub fn render(&self, width: usize, color: bool) -> String {
        let widths = self.widths(width);
        let headings: Vec<String> = self.columns.iter().map(|column| column.heading.to_owned()).collect();
        let mut text = self.line(&headings, &widths, Style::new().dimmed(), color);
        for row in &self.rows {
            text.push_str(&self.line(row, &widths, Style::new(), false));
        }
        if let Some(totals) = &self.totals {
            text.push_str(&self.line(totals, &widths, Style::new().bold(), color));
        }
        text
    }

    fn widths(&self, width: usize) -> Vec<usize> {
        let cells = |place: usize| self.rows.iter().chain(&self.totals).map(move |row| columns(&row[place])).max().unwrap_or(0);
        let mut widths: Vec<usize> = self.columns.iter().enumerate().map(|(place, column)| columns(column.heading).max(cells(place))).collect();
        let mut over = (widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1)).saturating_sub(width);
        for (place, column) in self.columns.iter().enumerate().rev() {
            if let Some(at_least) = column.at_least {
                let give = over.min(widths[place].saturating_sub(at_least));
                widths[place] -= give;
                over -= give;
            }
        }
        widths
    }

    fn line(&self, cells: &[String], widths: &[usize], style: Style, color: bool) -> String {
        let mut line = String::new();
        for (place, (cell, width)) in cells.iter().zip(widths).enumerate() {
            if place > 0 {
                line.extend(std::iter::repeat_n(' ', GAP));
            }
            let cell = cut(cell, *width);
            line.push_str(&match self.columns[place].side {
                Side::Left => filled(&cell, *width),
                Side::Right => filled_before(&cell, *width),
            });
        }
        let mut line = styled(line.trim_end(), style, color);
        line.push('\n');
        line
    }
}

/// Returns a column of words.
pub fn words(heading: &'static str, at_least: Option<usize>) -> Column {
    Column { heading, side: Side::Left, at_least }
}

/// Returns a column of numbers.
pub fn numbers(heading: &'static str) -> Column {
    Column { heading, side: Side::Right, at_least: None }
}

/// Lines of a word and a sentence, wrapped so that the sentences stand below each other.
pub struct Notes {
    /// What was said so far.
    pub text: String,
    /// Columns of the terminal.
    pub width: usize,
    /// Whether the words are coloured.
    pub color: bool,
}

/// Where a sentence begins.
const INDENT: usize = 11;

impl Notes {
    /// Tells a fact.
    pub fn say(&mut self, word: &str, sentence: &str) {
        self.line(word, sentence, Style::new().dimmed());
    }

    /// Tells what should be looked at.
    pub fn warn(&mut self, word: &str, sentence: &str) {
        self.line(word, sentence, AnsiColor::Yellow.on_default());
    }

    /// Tells what stops a run.
    pub fn refuse(&mut self, word: &str, sentence: &str) {
        self.line(word, sentence, AnsiColor::Red.on_default().bold());
    }

    fn line(&mut self, word: &str, sentence: &str, style: Style) {
        let width = self.width.max(INDENT + 20).saturating_sub(INDENT);
        let sentence = wrapped(&visible(sentence), width, 0).replace('\n', &format!("\n{:INDENT$}", ""));
        let word_width = INDENT - 1;
        let word = styled(&filled(word, word_width), style, self.color);
        let _ = writeln!(self.text, "{word} {sentence}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people_are_never_below_the_truth() {
        for (exact, shown) in [
            ("48", "48"),
            ("0.042241", "0.0423"),
            ("0.04224", "0.0423"),
            ("0.0422", "0.0422"),
            ("54.166667", "54.17"),
            ("9.99999", "10"),
            ("0.000001", "0.0001"),
        ] {
            assert_eq!(number(exact.parse().expect("a number")), shown);
        }
    }

    #[test]
    fn a_table_gives_way_where_it_may_and_never_in_its_numbers() {
        let mut table = Table::new(vec![words("step", None), words("what", Some(6)), numbers("floor"), numbers("lost")]);
        table.row(vec!["hero".into(), "generate gpt-image-2".into(), "144".into(), "-".into()]);
        table.row(vec!["a\u{1b}[1m".into(), "edit".into(), "1296".into(), "-".into()]);
        table.totals(vec!["".into(), "".into(), "1440".into(), "-".into()]);
        table.drop_if_empty(&["lost"]);
        insta::assert_snapshot!(table.render(30, false), @r"
        step        what         floor
        hero        generate g…    144
        a\u{1b}[1m  edit          1296
                                  1440
        ");
    }

    #[test]
    fn columns_stand_below_each_other_whatever_the_names_are_written_in() {
        let mut table = Table::new(vec![words("step", Some(8)), words("what", Some(6)), numbers("floor")]);
        for (name, what) in
            [("hero", "teapot"), ("黒い茶碗の写真", "茶碗"), ("찻주전자", "찻잔 하나와 둘"), ("🍵🫖 tea", "☕\u{fe0f} cup"), ("cafe\u{301}", "crème")]
        {
            table.row(vec![name.into(), what.into(), "144".into()]);
        }
        table.totals(vec!["total".into(), "".into(), "1440".into()]);
        insta::assert_snapshot!(table.render(80, false), @"
        step            what            floor
        hero            teapot            144
        黒い茶碗の写真  茶碗              144
        찻주전자        찻잔 하나와 둘    144
        🍵🫖 tea        ☕️ cup            144
        café            crème             144
        total                            1440
        ");
        let narrow = table.render(24, false);
        insta::assert_snapshot!(narrow, @"
        step       what    floor
        hero       teapot    144
        黒い茶碗…  茶碗      144
        찻주전자   찻잔 …    144
        🍵🫖 tea   ☕️ cup    144
        café       crème     144
        total               1440
        ");
        assert!(narrow.lines().all(|line| columns(line) == 24), "every line ends with its number:\n{narrow}");
    }

    #[test]
    fn long_sentences_are_wrapped_between_words() {
        assert_eq!(wrapped("one two three four", 9, 2), "one two\n  three\n  four");
        assert_eq!(wrapped("黒い 茶碗 と 皿", 9, 2), "黒い 茶碗\n  と 皿", "by columns");
    }
}
