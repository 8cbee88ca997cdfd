//! What was left on an account at the start of each run, and what that proves about tries in doubt.
//!
//! ```text
//! balance then - balance now - what is known to have been charged since = unexplained
//! 0: none of the doubts was charged · their sum: all were · k times their common price: k of them · else: nothing is proven
//! ```
//!
//! In: noted balances, records, the balance of this moment. Out: [`Evidence`].
//! Never: proof where something else may have moved the balance: a task under way, a failure of unknown price, another currency.

use std::collections::BTreeMap;

use futures_util::future::BoxFuture;

use super::LedgerError;
use super::record::{Entry, Record};
use crate::types::{Amount, AttemptNo, Billed, JobId, JobKey, Micros, RunId, Timestamp};

/// What was left on an account at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BalanceNote {
    /// The account, as in [`AccountLimits`](super::AccountLimits); never a key.
    pub account: String,
    /// The run that asked.
    pub run: RunId,
    /// When it was noted, by the ledger's clock.
    pub at: Timestamp,
    /// The last record of the ledger at that moment.
    pub after: u64,
    /// What was left.
    pub amount: Amount,
}

/// Keeps balances. Beside [`Ledger`](super::Ledger): nothing that a run decides rests on them.
pub trait Balances: Send + Sync {
    /// Notes what is left on `account`, durably.
    fn note_balance(&self, account: &str, run: RunId, amount: Amount) -> BoxFuture<'_, Result<BalanceNote, LedgerError>>;

    /// Returns every balance that was noted for `account`, the oldest first.
    fn balances(&self, account: &str) -> Result<Vec<BalanceNote>, LedgerError>;
}

/// A try whose outcome nobody knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// The job.
    pub key: JobKey,
    /// Which try.
    pub attempt: AttemptNo,
    /// Campaign that pays.
    pub campaign: String,
    /// Address of the shot.
    pub job: JobId,
    /// What it costs if it was charged.
    pub price: Micros,
}

/// The figures, and what they prove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The balance before the oldest doubt.
    pub then: BalanceNote,
    /// The balance now.
    pub now: Amount,
    /// What the ledger knows to have been charged in between, by all campaigns.
    pub known: Micros,
    /// What is left over: `then - now - known`. Negative when somebody paid in, or a charge was given back.
    pub unexplained: Micros,
    /// The tries of the account that are in doubt, of all campaigns, in ledger order.
    pub doubts: Vec<Doubt>,
    /// What follows.
    pub proof: Proof,
}

/// What balances prove, if nobody else spends on the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// Every doubt was charged.
    All,
    /// None was.
    None,
    /// So many were; which ones cannot be known.
    Some(usize),
    /// The figures fit nothing.
    Nothing,
}

/// Why balances prove nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoEvidence {
    /// Nothing to be proven.
    #[error("nothing is in doubt on this account")]
    NoDoubt,
    /// No balance was noted at a moment from which on all is known.
    #[error("no balance is noted from before the oldest doubt at a moment when nothing else was under way or in doubt")]
    NoBalance,
    /// Tasks may be charged or given back at any moment.
    #[error("{0} of the account's tasks are still under way: let a run finish them first")]
    UnderWay(usize),
    /// Failures whose price is only assumed.
    #[error("{0} failed tries since then may or may not have been charged: the provider has not said")]
    OpenPrice(usize),
    /// Money of several currencies.
    #[error("the balances and the charges since then are not in one currency")]
    Currencies,
    /// A sum that cannot be counted.
    #[error("the sums do not fit")]
    Sums,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stands {
    Doubt,
    UnderWay,
    Closed { at: u64, charged: Micros, is_sure: bool },
}

struct Try {
    opened: u64,
    campaign: String,
    job: JobId,
    quoted: Amount,
    stands: Stands,
}

/// Weighs the balance of this moment against the one before the oldest doubt; `entries` are all records, in order.
///
/// # Errors
/// [`NoEvidence`], when balances cannot prove anything whatever they are.
pub fn evidence(entries: &[Entry], notes: &[BalanceNote], account: &str, now: Amount) -> Result<Evidence, NoEvidence> {
    let tries = tries(entries, account);
    let is_doubt = |one: &Try| one.stands == Stands::Doubt;
    let oldest = tries.values().filter(|one| is_doubt(one)).map(|one| one.opened).min().ok_or(NoEvidence::NoDoubt)?;
    // Whatever was open at that moment may have been charged before it or after it.
    let open_at = |after: u64, one: &Try| one.opened <= after && !matches!(one.stands, Stands::Closed { at, .. } if at <= after);
    let usable = |note: &&BalanceNote| note.after < oldest && !tries.values().any(|one| open_at(note.after, one));
    let then = notes.iter().rev().find(usable).cloned().ok_or(NoEvidence::NoBalance)?;

    let since: Vec<(&(JobKey, AttemptNo), &Try)> = tries.iter().filter(|(_, one)| one.opened > then.after).collect();
    let under_way = since.iter().filter(|(_, one)| one.stands == Stands::UnderWay).count();
    if under_way > 0 {
        return Err(NoEvidence::UnderWay(under_way));
    }
    let open_price = since.iter().filter(|(_, one)| matches!(one.stands, Stands::Closed { is_sure: false, .. })).count();
    if open_price > 0 {
        return Err(NoEvidence::OpenPrice(open_price));
    }
    if then.amount.currency != now.currency || since.iter().any(|(_, one)| one.quoted.currency != now.currency) {
        return Err(NoEvidence::Currencies);
    }
    let charges = since.iter().filter_map(|(_, one)| match one.stands {
        Stands::Closed { charged, .. } => Some(charged),
        Stands::Doubt | Stands::UnderWay => None,
    });
    let known = sum(charges)?;
    let unexplained = then.amount.micros.checked_sub(now.micros).and_then(|gone| gone.checked_sub(known)).map_err(|_| NoEvidence::Sums)?;
    let mut in_doubt: Vec<_> = since.into_iter().filter(|(_, one)| is_doubt(one)).collect();
    in_doubt.sort_by_key(|(_, one)| one.opened);
    let doubt = |(key, one): (&(JobKey, AttemptNo), &Try)| Doubt {
        key: key.0,
        attempt: key.1,
        campaign: one.campaign.clone(),
        job: one.job.clone(),
        price: one.quoted.micros,
    };
    let doubts: Vec<Doubt> = in_doubt.into_iter().map(doubt).collect();
    let prices: Vec<Micros> = doubts.iter().map(|doubt| doubt.price).collect();
    let proof = proof(&prices, unexplained)?;
    Ok(Evidence { then, now, known, unexplained, doubts, proof })
}

/// Returns what an unexplained sum proves about tries of these prices.
///
/// # Errors
/// [`NoEvidence::Sums`].
pub fn proof(prices: &[Micros], unexplained: Micros) -> Result<Proof, NoEvidence> {
    let all = sum(prices.iter().copied())?;
    let Some(price) = prices.first().copied() else { return Ok(Proof::Nothing) };
    // A try without a price leaves no trace in a balance that could be told from nothing.
    if prices.iter().any(|price| *price <= Micros::ZERO) {
        return Ok(Proof::Nothing);
    }
    if unexplained == Micros::ZERO {
        return Ok(Proof::None);
    }
    if unexplained == all {
        return Ok(Proof::All);
    }
    let is_common = prices.iter().all(|other| *other == price);
    let (parts, rest) = (unexplained.get() / price.get(), unexplained.get() % price.get());
    match usize::try_from(parts) {
        Ok(count) if is_common && rest == 0 && (1..prices.len()).contains(&count) => Ok(Proof::Some(count)),
        _ => Ok(Proof::Nothing),
    }
}

fn sum(parts: impl Iterator<Item = Micros>) -> Result<Micros, NoEvidence> {
    let mut sum = Micros::ZERO;
    for part in parts {
        sum = sum.checked_add(part).map_err(|_| NoEvidence::Sums)?;
    }
    Ok(sum)
}

/// Folds the records of one account's tries.
fn tries(entries: &[Entry], account: &str) -> BTreeMap<(JobKey, AttemptNo), Try> {
    let mut tries: BTreeMap<(JobKey, AttemptNo), Try> = BTreeMap::new();
    for entry in entries {
        let Some(attempt) = entry.record.attempt() else { continue };
        if let Record::Intent { card, quoted, .. } = &entry.record {
            if entry.terms.as_ref().is_some_and(|terms| terms.account == account) {
                // Without an answer it is in doubt: who asks holds the workspace, so nobody waits for one any more.
                let opened =
                    Try { opened: entry.seq, campaign: card.campaign.clone(), job: card.job.clone(), quoted: quoted.clone(), stands: Stands::Doubt };
                tries.insert((entry.key, attempt), opened);
            }
            continue;
        }
        let Some(one) = tries.get_mut(&(entry.key, attempt)) else { continue };
        let closed = |charged: Micros, is_sure| Stands::Closed { at: entry.seq, charged, is_sure };
        one.stands = match &entry.record {
            Record::Accepted { .. } => Stands::UnderWay,
            Record::InDoubt { .. } => Stands::Doubt,
            Record::Done { charged, .. } => closed(charged.micros, true),
            Record::Failed { failure, charged, .. } => closed(*charged, failure.billed != Billed::Maybe),
            Record::Settled { charged, .. } => match one.stands {
                Stands::Closed { at, .. } => Stands::Closed { at, charged: *charged, is_sure: true },
                Stands::Doubt | Stands::UnderWay => closed(*charged, true),
            },
            Record::Intent { .. } | Record::Made { .. } | Record::Judged { .. } => one.stands,
        };
    }
    tries
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::contract::stage::{Stage, accepted, credits, done, doubt, failed, intent, run, settled};
    use super::*;
    use crate::ledger::MemoryLedger;
    use crate::types::ManualClock;
    use proptest::prelude::*;

    const ACCOUNT: &str = "kie:KIE_API_KEY";

    /// A ledger with a balance of 100, `sure` pictures of 4 after it, and `doubts` of 4.
    async fn told(sure: usize, doubts: usize) -> Stage {
        let stage = Stage::in_memory();
        stage.granted(intent("before", 1)).await;
        stage.take("before", [accepted(1, "t"), done(1, 4)]).await;
        stage.ledger.note_balance(ACCOUNT, run("r1"), credits(100)).await.expect("noted");
        for n in 0..sure {
            let job = format!("sure{n}");
            stage.granted(intent(&job, 1)).await;
            stage.take(&job, [accepted(1, &job), done(1, 4)]).await;
        }
        for n in 0..doubts {
            let job = format!("doubt{n}");
            stage.granted(intent(&job, 1)).await;
            stage.take(&job, [doubt(1)]).await;
        }
        stage
    }

    fn weigh(stage: &Stage, now: i64) -> Result<Evidence, NoEvidence> {
        evidence(&stage.ledger.entries(), &stage.ledger.balances(ACCOUNT).expect("balances can be read"), ACCOUNT, credits(now))
    }

    #[tokio::test]
    async fn balances_tell_none_some_or_all_of_the_doubts() {
        let stage = told(2, 3).await;
        for (now, wanted) in [
            (92, Proof::None),
            (88, Proof::Some(1)),
            (84, Proof::Some(2)),
            (80, Proof::All),
            (76, Proof::Nothing),
            (90, Proof::Nothing),
            (96, Proof::Nothing),
        ] {
            let found = weigh(&stage, now).expect("there is evidence");
            assert_eq!((found.proof, found.known), (wanted, Micros::units(8)), "{now} left");
            assert_eq!(found.unexplained, Micros::units(92 - now));
            assert_eq!(found.doubts.iter().map(|doubt| doubt.job.as_str()).collect::<Vec<_>>(), ["doubt0", "doubt1", "doubt2"]);
        }
    }

    #[tokio::test]
    async fn a_balance_in_the_middle_of_open_tries_is_passed_over() {
        let stage = told(0, 1).await;
        stage.ledger.note_balance(ACCOUNT, run("r2"), credits(96)).await.expect("noted");
        stage.granted(intent("later", 1)).await;
        stage.take("later", [doubt(1)]).await;
        let found = weigh(&stage, 92).expect("there is evidence");
        assert_eq!((found.then.amount.clone(), found.proof), (credits(100), Proof::All), "from the balance before the first doubt");
        assert_eq!(found.doubts.len(), 2);
        stage.take("doubt0", [settled(1, 0, 4)]).await;
        stage.take("later", [settled(1, 0, 4)]).await;
        assert_eq!(weigh(&stage, 92), Err(NoEvidence::NoDoubt));
    }

    #[tokio::test]
    async fn what_else_may_have_moved_the_balance_leaves_no_evidence() {
        let stage = told(1, 1).await;
        stage.granted(intent("running", 1)).await;
        stage.take("running", [accepted(1, "r")]).await;
        assert_eq!(weigh(&stage, 92), Err(NoEvidence::UnderWay(1)));
        stage.take("running", [failed(1, 0, 4)]).await;
        assert_eq!(weigh(&stage, 92).map(|found| found.proof), Ok(Proof::All));
        let usd = Amount::new(crate::types::Currency::Usd, Micros::units(92));
        let notes = stage.ledger.balances(ACCOUNT).expect("balances can be read");
        assert_eq!(evidence(&stage.ledger.entries(), &notes, ACCOUNT, usd), Err(NoEvidence::Currencies));
        assert_eq!(evidence(&stage.ledger.entries(), &[], ACCOUNT, credits(92)), Err(NoEvidence::NoBalance));
        assert_eq!(evidence(&stage.ledger.entries(), &notes, "another", credits(92)), Err(NoEvidence::NoDoubt));
    }

    #[test]
    fn a_balance_names_the_last_record_of_its_moment() {
        let ledger = MemoryLedger::new(Arc::new(ManualClock::new(Timestamp::from_millis(5))));
        let noted = futures_util::FutureExt::now_or_never(ledger.note_balance(ACCOUNT, run("r1"), credits(1))).expect("at once").expect("noted");
        assert_eq!((noted.after, noted.at), (0, Timestamp::from_millis(5)));
    }

    proptest! {
        /// Whatever really happened, balances never prove something else; with one price they always prove the number.
        #[test]
        fn balances_never_prove_a_wrong_number(prices in prop::collection::vec(1_i64..50, 1..8), charged in prop::collection::vec(any::<bool>(), 8)) {
            let prices: Vec<Micros> = prices.into_iter().map(Micros::units).collect();
            let really = prices.iter().zip(&charged).filter(|(_, charged)| **charged);
            let count = really.clone().count();
            let unexplained = sum(really.map(|(price, _)| *price)).expect("small sums");
            let found = proof(&prices, unexplained).expect("small sums");
            prop_assert_eq!(found == Proof::None, count == 0);
            prop_assert_eq!(found == Proof::All, count == prices.len());
            if let Proof::Some(told) = found {
                prop_assert_eq!(told, count);
            }
            if prices.iter().all(|price| *price == prices[0]) {
                prop_assert_ne!(found, Proof::Nothing);
            }
        }

        #[test]
        fn a_sum_that_is_no_number_of_pictures_proves_nothing(price in 2_i64..50, count in 1_usize..8, off in 1_i64..1_000_000) {
            let prices = vec![Micros::units(price); count];
            prop_assert_eq!(proof(&prices, Micros::new(off)).expect("small sums"), Proof::Nothing);
            prop_assert_eq!(proof(&prices, Micros::new(-off)).expect("small sums"), Proof::Nothing);
        }
    }
}
