//! What a campaign's policy lines say to a plan, alone or beside another.
//!
//! In: the lines, what the whole plan costs, what it has grown by. Out: one [`PolicyVerdict`] a line.
//! Never: a line that could not be judged told as kept.

use std::fmt;

use super::delta::Delta;
use super::sum::Sum;
use super::whole::Whole;
use crate::campaign::{Figure, PolicyAction, PolicyLimit, PolicyLine};
use crate::catalog::Certainty;
use crate::types::{Amount, Currency, Micros};

/// What came of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judged {
    /// The plan keeps it; the text is what it has been measured at.
    Kept(String),
    /// The plan breaks it.
    Broken(String),
    /// It could not be judged, and why.
    Open(String),
}

/// A line and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyVerdict {
    /// The line.
    pub line: PolicyLine,
    /// Its limit in words: `total above 1500 credits`.
    pub limit: String,
    /// What came of it.
    pub judged: Judged,
}

impl PolicyVerdict {
    /// Returns whether the plan breaks a line that forbids.
    pub fn denies(&self) -> bool {
        self.line.action == PolicyAction::Deny && matches!(self.judged, Judged::Broken(_))
    }

    /// Returns whether the plan breaks a line that only warns.
    pub fn warns(&self) -> bool {
        self.line.action == PolicyAction::Warn && matches!(self.judged, Judged::Broken(_))
    }
}

impl fmt::Display for PolicyVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let because = self.line.because.as_ref().map_or(String::new(), |because| format!(" ({because})"));
        match &self.judged {
            Judged::Kept(measured) => write!(f, "{measured}, not {}", self.limit),
            Judged::Broken(measured) => write!(f, "{measured}: {}{because}", self.limit),
            Judged::Open(why) => write!(f, "{}: not judged, {why}", self.limit),
        }
    }
}

/// Judges a plan; `delta` is what it has grown by, if it is compared with another.
pub fn judge(lines: &[PolicyLine], whole: &Whole, delta: Option<&Delta>, currency: &Currency) -> Vec<PolicyVerdict> {
    let verdict = |line: &PolicyLine| {
        let (limit, judged) = match line.limit {
            PolicyLimit::Total { figure, most } => total(figure, most, whole, currency),
            PolicyLimit::Delta(most) => grown(most, delta, currency),
            PolicyLimit::Percent(share) => share_grown(share, delta),
        };
        PolicyVerdict { line: line.clone(), limit, judged }
    };
    lines.iter().map(verdict).collect()
}

fn total(figure: Figure, most: Micros, whole: &Whole, currency: &Currency) -> (String, Judged) {
    let (sum, name) = match figure {
        Figure::Floor => (whole.floor, "total"),
        Figure::Expected => (whole.expected, "expected total"),
        Figure::Ceiling => (whole.ceiling, "total at all tries"),
    };
    let limit = format!("above {}", amount(currency, most));
    let measured = format!("the {name} is {}", words(currency, sum));
    (limit, judged(sum.micros > most, sum.certainty, measured))
}

/// Judges a limit; what has no price may well be what would break it.
fn judged(is_broken: bool, certainty: Certainty, measured: String) -> Judged {
    match certainty {
        _ if is_broken => Judged::Broken(measured),
        Certainty::Unknown => Judged::Open(format!("{measured}: shots without a price may take it above")),
        Certainty::Exact | Certainty::LowerBound => Judged::Kept(measured),
    }
}

const NO_BASE: &str = "it is about what a plan grows by: `plan --base REV`";

fn grown(most: Micros, delta: Option<&Delta>, currency: &Currency) -> (String, Judged) {
    let limit = format!("above +{}", amount(currency, most));
    let Some(delta) = delta else { return (limit, Judged::Open(NO_BASE.to_owned())) };
    let judged = match delta.grown() {
        Ok(Some(sum)) => judged(sum.micros > most, sum.certainty, format!("the total changes by {}", signed(currency, sum))),
        Ok(None) => Judged::Open("the two plans are priced in different currencies".to_owned()),
        Err(error) => Judged::Open(error.to_string()),
    };
    (limit, judged)
}

fn share_grown(share: u32, delta: Option<&Delta>) -> (String, Judged) {
    let limit = format!("above +{}", percent(i128::from(share)));
    let Some(delta) = delta else { return (limit, Judged::Open(NO_BASE.to_owned())) };
    let sums = if delta.has_one_currency() { Some(delta.total) } else { delta.usd() };
    let Some(sums) = sums else {
        return (limit, Judged::Open("the two plans are priced in different currencies".to_owned()));
    };
    let (before, after) = (i128::from(sums.before.micros.get()), i128::from(sums.after.micros.get()));
    if before <= 0 {
        return (limit, Judged::Open("nothing was paid before, so there is nothing to take a share of".to_owned()));
    }
    let is_broken = (after - before) * 10_000 > before * i128::from(share);
    let certainty = sums.before.certainty.max(sums.after.certainty);
    let hundredths = (after - before) * 10_000 / before;
    let sign = if after > before { "+" } else { "" };
    (limit, judged(is_broken, certainty, format!("the total changes by {sign}{}", percent(hundredths))))
}

/// Returns hundredths of a per cent as a person writes them: `12.5%`.
pub fn percent(hundredths: i128) -> String {
    let sign = if hundredths < 0 { "-" } else { "" };
    let (whole, rest) = (hundredths.abs() / 100, hundredths.abs() % 100);
    match rest {
        0 => format!("{sign}{whole}%"),
        rest if rest % 10 == 0 => format!("{sign}{whole}.{}%", rest / 10),
        rest => format!("{sign}{whole}.{rest:02}%"),
    }
}

fn amount(currency: &Currency, micros: Micros) -> Amount {
    Amount::new(currency.clone(), micros)
}

fn words(currency: &Currency, sum: Sum) -> String {
    let known = amount(currency, sum.micros);
    match sum.certainty {
        Certainty::Exact => known.to_string(),
        Certainty::LowerBound => format!("at least {known}"),
        Certainty::Unknown => format!("{known} and what has no price"),
    }
}

fn signed(currency: &Currency, sum: Sum) -> String {
    let sign = if sum.micros > Micros::ZERO { "+" } else { "" };
    let about = if sum.is_exact() { "" } else { "about " };
    format!("{about}{sign}{}", amount(currency, sum.micros))
}

#[cfg(test)]
mod tests;
