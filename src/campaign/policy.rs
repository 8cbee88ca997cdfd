//! Policy lines, in the book's own currency.

use super::limits::money;
use crate::catalog::PriceBook;
use crate::spec::{FigureSpec, PolicyLimitSpec, PolicySpec};
use crate::types::diagnostic::listed;
use crate::types::{Diagnostic, Diagnostics, FieldPath, Micros};

/// What a policy line does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PolicyAction {
    /// Says it.
    Warn,
    /// Forbids it.
    Deny,
}

impl PolicyAction {
    /// Returns the word that the author writes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warn => "warn",
            Self::Deny => "deny",
        }
    }
}

/// A figure of an estimate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Figure {
    /// Every shot once.
    Floor,
    /// The floor times the iteration factor.
    Expected,
    /// Every shot at all its tries.
    Ceiling,
}

impl Figure {
    /// Returns the word that the author writes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Expected => "expected",
            Self::Ceiling => "ceiling",
        }
    }
}

/// What must not be passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PolicyLimit {
    /// So much for the whole plan, in the book's currency.
    Total {
        /// Which figure.
        figure: Figure,
        /// The most.
        most: Micros,
    },
    /// So much on top of the plan that is compared with, in the book's currency.
    Delta(Micros),
    /// Such a share on top of the plan that is compared with, in hundredths of a per cent.
    Percent(u32),
}

/// A policy line.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PolicyLine {
    /// What it does.
    pub action: PolicyAction,
    /// When.
    pub limit: PolicyLimit,
    /// Why, in the author's words.
    pub because: Option<String>,
}

impl PolicyLine {
    /// Returns whether it can only be judged beside another plan.
    pub fn needs_a_base(&self) -> bool {
        !matches!(self.limit, PolicyLimit::Total { .. })
    }
}

/// Settles the policy lines of a campaign.
pub(super) fn lines(specs: &[PolicySpec], book: &PriceBook, found: &mut Diagnostics) -> Vec<PolicyLine> {
    let at = FieldPath::campaign().key("budget").key("policy");
    let mut lines = Vec::with_capacity(specs.len());
    for (place, spec) in specs.iter().enumerate() {
        let (action, limit) = match (&spec.warn, &spec.deny) {
            (Some(limit), _) => (PolicyAction::Warn, limit),
            (None, Some(limit)) => (PolicyAction::Deny, limit),
            // Said already: a line has one key.
            (None, None) => continue,
        };
        let at = at.index(place).key(action.as_str());
        if let Some(settled) = settled(limit, &at, book, found) {
            lines.push(PolicyLine { action, limit: settled, because: limit.because.clone() });
        }
    }
    lines
}

fn settled(spec: &PolicyLimitSpec, at: &FieldPath, book: &PriceBook, found: &mut Diagnostics) -> Option<PolicyLimit> {
    let named = [("total", spec.total.is_some()), ("delta", spec.delta.is_some()), ("percent", spec.percent.is_some())];
    let named: Vec<&str> = named.into_iter().filter_map(|(name, is_there)| is_there.then_some(name)).collect();
    match named.as_slice() {
        [_] => {}
        [] => {
            let finding = Diagnostic::error("policy-limit", at.clone().at_key(), "the policy line names no limit");
            found.push(finding.help("add one of `total: 1500`, `delta: 200` and `percent: 20%`"));
            return None;
        }
        [first, second, ..] => {
            let message = format!("a policy line has one limit, here are {}", listed(&named, 3));
            let finding = Diagnostic::error("policy-limit", at.key(second).at_key(), message).label("one too many");
            found.push(finding.related(at.key(first).at_key(), "the first").help("make one line of each"));
            return None;
        }
    }
    if let (Some(_), None) = (spec.of, &spec.total) {
        let finding = Diagnostic::error("policy-figure", at.key("of").at_key(), "`of` belongs to `total`: what a plan grows by is told of the floor");
        found.push(finding.help("remove the line"));
        return None;
    }
    if let Some(total) = &spec.total {
        let figure = match spec.of {
            None | Some(FigureSpec::Floor) => Figure::Floor,
            Some(FigureSpec::Expected) => Figure::Expected,
            Some(FigureSpec::Ceiling) => Figure::Ceiling,
        };
        return money(total, &at.key("total"), book, found).map(|most| PolicyLimit::Total { figure, most });
    }
    if let Some(delta) = &spec.delta {
        return money(delta, &at.key("delta"), book, found).map(PolicyLimit::Delta);
    }
    spec.percent.map(|share| PolicyLimit::Percent(share.0))
}
