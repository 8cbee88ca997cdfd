//! The last look before money is spent: the gate's word, and the user's.
//!
//! In: where the campaign stands. Out: a yes, or why nothing is sent.
//! Never: a yes taken for more than was shown when it was said.

use crate::cli::console;
use crate::cli::error::{CliError, Outcome};
use crate::cli::standing::Standing;
use crate::cli::workspace::Stage;
use crate::pricing::without_price;
use crate::types::Micros;

/// Asks whether the money may be spent.
///
/// # Errors
/// When nobody is there to be asked: money is not spent because a script has no terminal.
pub(super) fn agreed(standing: &Standing) -> Outcome<bool> {
    let estimate = &standing.estimate;
    let beyond = if estimate.unpriced.is_empty() { String::new() } else { format!("; {}", without_price(estimate.unpriced_jobs())) };
    let most = format!("spend up to {}{beyond}", estimate.book.amount(estimate.totals.ceiling.micros));
    if !console::can_ask() {
        let fact = format!("nothing was sent: this would {most}, and there is no terminal to ask on");
        return Err(CliError::usage(fact, "say `--yes` to spend it".to_owned()));
    }
    Ok(console::agrees(&format!("{most}; go on?")))
}

/// Returns what a run may spend at most, and how many shots without a price it would send besides: what a yes is said to.
pub(super) fn at_most(standing: &Standing) -> (Micros, usize) {
    (standing.estimate.totals.ceiling.micros, standing.estimate.unpriced_jobs())
}

/// Returns whether more is asked for than was shown, of either.
pub(super) fn is_more(asked: (Micros, usize), shown: (Micros, usize)) -> bool {
    asked.0 > shown.0 || asked.1 > shown.1
}

/// Refuses what the gate refuses.
///
/// # Errors
/// Every reason, with nothing sent.
pub(super) fn gates(standing: &Standing, stage: Stage) -> Outcome<()> {
    if standing.verdict.is_open() { Ok(()) } else { Err(CliError::Refused(standing.verdict.refusals.clone(), stage)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_yes_holds_for_as_much_as_was_shown_and_for_no_shot_without_a_price_more() {
        let shown = (Micros::units(60), 1);
        for (asked, is_asked_anew) in [((60, 1), false), ((12, 0), false), ((61, 0), true), ((12, 2), true)] {
            assert_eq!(is_more((Micros::units(asked.0), asked.1), shown), is_asked_anew, "{asked:?}");
        }
    }
}
