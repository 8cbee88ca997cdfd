//! What a run may do and under which conditions: the plain values that the machine decides by.
//!
//! In: a provider's manifest, the author's `run:` settings, the command line. Out: values.
//! Never: a decision.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::ledger::{AccountLimits, Cap, RateWindow};
use crate::provider::manifest::{ChargePolicy, ChargedOn, Known, Manifest, PollCurve, PollStep, Span};
use crate::types::{Amount, Currency, Micros, Rates};

/// What one paid try of a job costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobPrice {
    /// What the plan says it costs; charged when the provider gives no figure of its own.
    pub quoted: Amount,
    /// What is held back from the caps: the highest price that the book allows. Same currency as `quoted`.
    pub reserved: Amount,
    /// Whether the book has no price and the user let it pass: both amounts are 0 and stand for nothing, no cap guards the try, and
    /// only the provider's own figure tells what it cost.
    pub unpriced: bool,
}

/// What the provider's account allows and charges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderTerms {
    /// Rate windows and places of the account.
    pub limits: AccountLimits,
    /// What is charged, and when.
    pub charge: ChargePolicy,
    /// When a task is asked after; absent: the answer to a submit is the picture.
    pub poll: Option<PollCurve>,
    /// How long the answer to a submit may take. An exchange is given up after half of it.
    pub patience: Duration,
    /// Whether a repeated submit with the same idempotency key is charged once, for [`KEY_LIVES`].
    pub idempotent: bool,
    /// How long a finished picture can be fetched again, from its acceptance; absent: nobody says.
    pub keeps: Option<Duration>,
}

/// How long the answer to a submit may take unless somebody says otherwise, 20 minutes: an exchange is given up after 10, as clients of
/// providers that answer with the picture itself do.
pub const PATIENCE: Duration = Duration::from_secs(1200);

/// How long a provider is trusted to know an idempotency key, 23 hours: those who say it keep them for a day, and an exchange takes its time.
/// After that the same request under the same key may be charged again.
pub const KEY_LIVES: Duration = Duration::from_secs(23 * 3600);

/// How long a batch may take to be gathered, handed over and asked for, twice, and a file of answers to come: 2 hours for 200 MB and more.
pub const BATCH_PATIENCE: Duration = Duration::from_secs(2 * 3600);

/// What a run over several providers needs besides the terms of the campaign's own.
#[derive(Debug, Clone, Default)]
pub struct Further {
    /// Terms of the further providers, by name.
    pub terms: BTreeMap<Arc<str>, ProviderTerms>,
    /// What the sums of the run are counted in, and by which rates, where prices are in different currencies.
    pub counted_in: Option<(Currency, Rates)>,
    /// Caps on what single providers are paid, by name.
    pub caps: BTreeMap<Arc<str>, Cap>,
}

impl Further {
    /// Returns an amount in the currency of the sums; what no rate compares counts as it stands, and the caps refuse it.
    pub fn weighed(&self, amount: &Amount) -> Micros {
        let weighed = self.counted_in.as_ref().and_then(|(currency, rates)| rates.convert(amount, currency));
        weighed.unwrap_or(amount.micros)
    }
}

impl ProviderTerms {
    /// Reads the terms of a manifest; `account` names provider and key variable, never the key.
    pub fn of(manifest: &Manifest, account: String) -> Self {
        let windows = manifest.limits.windows.iter().map(|window| RateWindow { count: window.count, span: window.span.0 }).collect();
        Self {
            limits: AccountLimits { account, windows, places: manifest.limits.places },
            charge: manifest.charge,
            poll: manifest.curve(),
            patience: PATIENCE,
            idempotent: manifest.idempotency,
            keeps: manifest.result_ttl.map(|span| span.0),
        }
    }

    /// Returns the same terms for a run that has batches under way, and asks after them as `curve` says.
    ///
    /// Whoever `sends` together has no rate to keep: what waits in a batch is counted apart.
    #[must_use]
    pub fn with_batches(mut self, curve: PollCurve, sends: bool) -> Self {
        if sends {
            self.limits = AccountLimits { account: format!("{}/batch", self.limits.account), windows: Vec::new(), places: None };
        }
        self.poll = Some(curve);
        self.patience = BATCH_PATIENCE;
        self
    }

    /// Returns the same terms for a rehearsal whose tasks take about `latency`.
    ///
    /// Charges and patience stay, unless `refunds` says that what fails is not given back. Tasks are asked after at the pace of the rehearsal; one without latency is not held up by the
    /// rates and places of an account that it does not use.
    #[must_use]
    pub fn rehearsed(mut self, latency: Duration, refunds: bool) -> Self {
        if !refunds {
            self.charge.on = ChargedOn::Submit;
            self.charge.refund_on_failure = Known::No;
        }
        if latency.is_zero() {
            self.limits.windows.clear();
            self.limits.places = None;
        }
        let every = Span((latency / 8).clamp(Duration::from_millis(5), Duration::from_secs(5)));
        let deadline = self.poll.as_ref().map_or(PATIENCE, |curve| curve.deadline.0).max(latency.saturating_mul(10));
        let steps = vec![PollStep { from: Span(Duration::ZERO), every }];
        let unseen = self.poll.as_ref().map_or(PollCurve::UNSEEN, |curve| curve.unseen);
        self.poll = Some(PollCurve { start: Span(latency / 4), steps, deadline: Span(deadline), unseen });
        self
    }
}

/// What to do with a try whose outcome nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnDoubt {
    /// Hold it: counted as spent, shown by name, never resent.
    #[default]
    Hold,
    /// Count it as spent and buy again, within the attempts limit.
    Resend,
}

/// The rules of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRules {
    /// Most paid tries of one job in this run. A try that was not accepted (throttled, connection refused) does not count.
    pub attempts: u32,
    /// What happens to doubt.
    pub on_doubt: OnDoubt,
    /// Whether no other process can be sending for this workspace, because this one holds its lock: an intent that it finds without an
    /// answer is then nobody's any more, and is not waited for until its deadline.
    pub alone: bool,
    /// How long a job puts up with throttling, broken connections and maintenance before it fails.
    pub outage_patience: Duration,
    /// How often a finished picture that does not arrive whole is fetched, at most.
    pub fetches: u32,
    /// Decides every jitter of the run.
    pub seed: u64,
    /// Whether new tries go in batches.
    pub batch: bool,
}

impl Default for RunRules {
    /// One try, doubt held, others may be at work, 15 minutes of outage, 5 fetches, no batches.
    fn default() -> Self {
        Self { attempts: 1, on_doubt: OnDoubt::Hold, alone: false, outage_patience: Duration::from_secs(900), fetches: 5, seed: 0, batch: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::manifest::builtin;

    #[test]
    fn a_rehearsal_without_refunds_keeps_what_was_accepted_whatever_the_provider_says() {
        for name in ["kie", "openai"] {
            let manifest = builtin(name).expect("a built-in manifest");
            let terms = ProviderTerms::of(&manifest, name.to_owned());
            let (kept, given_back) = (terms.clone().rehearsed(Duration::ZERO, false), terms.clone().rehearsed(Duration::ZERO, true));
            assert_eq!((kept.charge.on, kept.charge.refund_on_failure), (ChargedOn::Submit, Known::No), "{name}");
            assert_eq!(given_back.charge, terms.charge, "{name}: the provider's own terms stay");
        }
    }
}
