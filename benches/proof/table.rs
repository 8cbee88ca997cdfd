//! The one table that is printed: what, how much was tried, what is wanted, what was found, and one word for it.

use std::fmt;

/// What came of a wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As wanted.
    Good,
    /// Not as wanted.
    Missed,
    /// Told for what it is.
    Told,
    /// Not tried here.
    Skipped,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Good => "good",
            Self::Missed => "missed",
            Self::Told => "-",
            Self::Skipped => "skipped",
        })
    }
}

/// One line of the table.
#[derive(Debug, Clone)]
pub struct Row {
    what: String,
    tried: String,
    wanted: String,
    found: String,
    verdict: Verdict,
}

impl Row {
    /// So many things must not have happened in so many tries.
    pub fn none(what: impl Into<String>, tried: usize, found: usize) -> Self {
        // Nothing is proved by no try at all.
        let verdict = if found == 0 && tried > 0 { Verdict::Good } else { Verdict::Missed };
        Self { what: what.into(), tried: thousands(tried as u64), wanted: "0".to_owned(), found: thousands(found as u64), verdict }
    }

    /// A figure that must reach another.
    pub fn at_least(what: impl Into<String>, tried: String, wanted: u64, found: u64) -> Self {
        let verdict = if found >= wanted { Verdict::Good } else { Verdict::Missed };
        Self { what: what.into(), tried, wanted: format!(">= {}", thousands(wanted)), found: thousands(found), verdict }
    }

    /// A figure of which nothing is wanted.
    pub fn told(what: impl Into<String>, tried: String, found: String) -> Self {
        Self { what: what.into(), tried, wanted: "-".to_owned(), found, verdict: Verdict::Told }
    }

    /// Something that cannot be tried here.
    pub fn skipped(what: impl Into<String>, why: &str) -> Self {
        Self { what: what.into(), tried: String::new(), wanted: why.to_owned(), found: String::new(), verdict: Verdict::Skipped }
    }

    /// Returns what came of it.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// Prints it, under [`head`].
    pub fn print(&self) {
        line([&self.what, &self.tried, &self.wanted, &self.found], &self.verdict.to_string());
    }
}

/// Prints the names of the columns.
pub fn head() {
    line(["what", "tried", "wanted", "found"], "verdict");
}

fn line<T: fmt::Display>([what, tried, wanted, found]: [T; 4], verdict: &str) {
    println!("{what:<58} {tried:>16}  {wanted:<12} {found:>12}  {verdict}");
}

/// Groups digits by three.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).expect("digits are ASCII")).collect();
    groups.join(",")
}
