//! The one table that is printed: what, ours, the peer's, their ratio, what is wanted, and one word for it.

use std::fmt;

/// What came of a wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Reaches what we would like to be.
    Best,
    /// Reaches what is wanted.
    Good,
    /// Does not.
    Missed,
    /// Told for what it is: nothing is wanted of it by itself.
    Told,
    /// Not measured, and why.
    Skipped,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Best => "best",
            Self::Good => "good",
            Self::Missed => "missed",
            Self::Told => "-",
            Self::Skipped => "skipped",
        })
    }
}

/// What is wanted of a figure: at most this, or at least this.
#[derive(Debug, Clone, Copy)]
pub enum Wanted {
    /// The smaller the better: wanted, and what we would like.
    AtMost(f64, Option<f64>),
    /// The larger the better.
    AtLeast(f64),
    /// Nothing.
    Nothing,
}

impl Wanted {
    /// Judges a figure.
    pub fn verdict(self, figure: f64) -> Verdict {
        match self {
            Self::AtMost(_, Some(aim)) if figure <= aim => Verdict::Best,
            Self::AtMost(limit, _) if figure <= limit => Verdict::Good,
            Self::AtLeast(limit) if figure >= limit => Verdict::Good,
            Self::AtMost(..) | Self::AtLeast(_) => Verdict::Missed,
            Self::Nothing => Verdict::Told,
        }
    }

    /// Shows it, with the unit of the figure.
    pub fn shown(self, unit: &str) -> String {
        match self {
            Self::AtMost(limit, Some(aim)) => format!("<= {limit}{unit}, aim {aim}{unit}"),
            Self::AtMost(limit, None) => format!("<= {limit}{unit}"),
            Self::AtLeast(limit) => format!(">= {limit}{unit}"),
            Self::Nothing => "-".to_owned(),
        }
    }
}

/// One line of the table.
#[derive(Debug, Clone)]
pub struct Row {
    what: String,
    ours: String,
    peer: String,
    ratio: String,
    wanted: String,
    verdict: Verdict,
}

impl Row {
    /// A figure of ours against a fixed wish; `unit` begins with a space where one belongs.
    pub fn alone(what: impl Into<String>, ours: f64, unit: &str, wanted: Wanted) -> Self {
        let decimals = if ours < 10.0 { 2 } else { 0 };
        Self {
            what: what.into(),
            ours: format!("{ours:.decimals$}{unit}"),
            peer: String::new(),
            ratio: String::new(),
            wanted: wanted.shown(unit),
            verdict: wanted.verdict(ours),
        }
    }

    /// A figure of ours against a peer's in the same run; the wish is about their ratio.
    pub fn against(what: impl Into<String>, ours: String, peer: String, ratio: f64, wanted: Wanted) -> Self {
        Self { what: what.into(), ours, peer, ratio: format!("{ratio:.2}"), wanted: wanted.shown(" x"), verdict: wanted.verdict(ratio) }
    }

    /// Something that could not be measured here.
    pub fn skipped(what: impl Into<String>, why: &str) -> Self {
        let none = String::new;
        Self { what: what.into(), ours: none(), peer: none(), ratio: none(), wanted: why.to_owned(), verdict: Verdict::Skipped }
    }

    /// Returns what came of it.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// Prints it, under [`head`].
    pub fn print(&self) {
        line([&self.what, &self.ours, &self.peer, &self.ratio, &self.wanted], &self.verdict.to_string());
    }
}

/// Prints the names of the columns.
pub fn head() {
    line(["what", "ours", "peer", "ratio", "wanted"], "verdict");
}

fn line<T: fmt::Display>([what, ours, peer, ratio, wanted]: [T; 5], verdict: &str) {
    println!("{what:<58} {ours:>14} {peer:>16} {ratio:>6}  {wanted:<24} {verdict}");
}

/// Shows seconds of processor time.
pub fn cpu(seconds: f64) -> String {
    format!("{seconds:.3} CPU s")
}

/// Returns the figure in the middle.
///
/// # Panics
/// When there is none.
pub fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.into_iter().collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
