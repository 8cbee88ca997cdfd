//! What a seed makes up: the campaign, the provider's terms, and everything that goes wrong.

use std::fmt;
use std::time::Duration;

use callsheet::engine::{JobPrice, OnDoubt, ProviderTerms, RunRules};
use callsheet::ledger::{AccountLimits, AttemptCard, Cap, RateWindow, Scope};
use callsheet::provider::manifest::{ChargePolicy, ChargedOn, Known, PollCurve, PollStep, Span};
use callsheet::types::{Amount, Currency, Digest, JobId, JobKey, Micros};

use super::dice::{Dice, mix};
use super::looks::Standards;

/// Name of every campaign here.
pub const CAMPAIGN: &str = "simulated";

/// One shot of the campaign.
#[derive(Debug, Clone)]
pub struct Shot {
    /// Address.
    pub id: JobId,
    /// Identity; another one once the author has changed the shot.
    pub key: JobKey,
    /// Its step.
    pub step: usize,
    /// Shots whose pictures it takes.
    pub inputs: Vec<usize>,
    /// Shots that take its picture, once for each time.
    pub dependents: Vec<usize>,
    /// Price; absent: local work.
    pub price: Option<JobPrice>,
    /// What the provider really takes for one try.
    pub taken: Micros,
    /// Whether the provider's moderation refuses its prompt, always.
    pub refused: bool,
    /// For reports.
    pub card: AttemptCard,
}

/// How often what goes wrong, in a thousand.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// The connection for a submit is refused.
    pub refuse_connection: u32,
    /// A submit vanishes on its way, and nobody says so.
    pub lose_request: u32,
    /// The answer to a submit vanishes.
    pub lose_answer: u32,
    /// The answer to a submit cannot be read.
    pub garble: u32,
    /// The connection breaks while the answer is on its way.
    pub reset: u32,
    /// The answer comes a second time.
    pub duplicate: u32,
    /// Too many requests.
    pub throttle: u32,
    /// The account is refused.
    pub account: u32,
    /// A submit is taken and failed in one answer.
    pub fail_at_once: u32,
    /// A task fails.
    pub fail_task: u32,
    /// A task does not end before the faults do.
    pub forever: u32,
    /// A question after a task is not answered properly.
    pub break_poll: u32,
    /// A finished picture cannot be found for the first seconds.
    pub late_picture: u32,
    /// A finished picture is gone when somebody comes for it.
    pub expire: u32,
    /// A picture arrives cut off.
    pub truncate: u32,
    /// A write of the ledger fails.
    pub ledger: u32,
    /// A write of the store fails.
    pub store: u32,
    /// The process dies at the end of an event, in a hundred thousand.
    pub crash: u32,
    /// The process dies right before or right after a write of the ledger.
    pub crash_at_write: u32,
    /// A request falls into an outage of up to ten minutes.
    pub outage: u32,
    /// Somebody deletes a picture between two runs.
    pub lose_picture: u32,
    /// The author changes a shot between two runs.
    pub change_shot: u32,
    /// The machine's clock jumps between two runs.
    pub clock: u32,
    /// The user presses Ctrl-C in a run.
    pub signal: u32,
    /// A picture cannot be read when it is looked at.
    pub unreadable: u32,
    /// The author changes what a step asks of its pictures between two runs.
    pub change_checks: u32,
}

impl Faults {
    fn of(dice: &mut Dice) -> Self {
        let mut some = |rates: &[u32]| if dice.strikes(400) { dice.pick(rates) } else { 0 };
        Self {
            refuse_connection: some(&[20, 100, 300]),
            lose_request: some(&[10, 50, 150]),
            lose_answer: some(&[10, 50, 150]),
            garble: some(&[10, 50]),
            reset: some(&[10, 50]),
            duplicate: some(&[50, 300]),
            throttle: some(&[20, 100, 300]),
            account: some(&[0, 0, 10]),
            fail_at_once: some(&[10, 100]),
            fail_task: some(&[20, 100, 300]),
            forever: some(&[10, 50]),
            break_poll: some(&[50, 300]),
            late_picture: some(&[50, 300]),
            expire: some(&[10, 50]),
            truncate: some(&[50, 300]),
            ledger: some(&[2, 10, 40]),
            store: some(&[2, 10, 40]),
            crash: some(&[50, 300, 1500]),
            crash_at_write: some(&[2, 10, 30]),
            outage: some(&[500]),
            lose_picture: some(&[50, 200]),
            change_shot: some(&[50, 200]),
            clock: some(&[500]),
            signal: some(&[500]),
            unreadable: some(&[10, 100]),
            change_checks: some(&[100, 400]),
        }
    }
}

/// One made-up campaign and the world it meets.
#[derive(Debug)]
pub struct Campaign {
    /// Shots; inputs stand before those who take them.
    pub shots: Vec<Shot>,
    /// How many paid steps stand on the way to each step.
    pub depths: Vec<u32>,
    /// What the pictures of each step must be like.
    pub standards: Vec<Standards>,
    /// Whether the provider makes the same picture of one shot whenever it is asked.
    pub repeats: bool,
    /// The campaign's cap.
    pub cap: Cap,
    /// Caps of single steps.
    pub step_caps: Vec<Option<Cap>>,
    /// The provider's terms as we know them.
    pub terms: ProviderTerms,
    /// The run's rules.
    pub rules: RunRules,
    /// Most paid shots under way.
    pub concurrency: usize,
    /// No new submits after so many failures.
    pub stop_after_failures: Option<usize>,
    /// Whether the answer to a submit is the picture.
    pub synchronous: bool,
    /// Whether the provider names what it takes.
    pub tells_figures: bool,
    /// Whether the provider gives back what fails, whatever it says about that.
    pub refunds: bool,
    /// Whether the provider keeps the price of what moderation refuses, whatever it says about that.
    pub keeps_refused: bool,
    /// Whether an answer of the provider during an outage leaves open what happened.
    pub outages_are_ambiguous: bool,
    /// Whether two processes work at once, in spite of the workspace's lock.
    pub doubled: bool,
    /// Runs with faults, before those without.
    pub disturbed_runs: u32,
    /// What goes wrong.
    pub faults: Faults,
}

impl fmt::Display for Campaign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { terms, rules, faults, cap, .. } = self;
        writeln!(f, "{} shots, {} steps, {} at once, cap {:?}", self.shots.len(), self.depths.len(), self.concurrency, cap.limit)?;
        writeln!(f, "  answer is the picture: {}, tells figures: {}, two processes: {}", self.synchronous, self.tells_figures, self.doubled)?;
        writeln!(f, "  the same picture whenever it is asked: {}, of each step: {:?}", self.repeats, self.standards)?;
        writeln!(f, "  {terms:?}\n  {rules:?}\n  {} disturbed runs, in a thousand: {faults:?}", self.disturbed_runs)?;
        for shot in &self.shots {
            let price = shot.price.as_ref().map_or(Micros::ZERO, |price| price.reserved.micros);
            writeln!(f, "  {} takes {:?}, holds {price}, costs {}{}", shot.id, shot.inputs, shot.taken, if shot.refused { ", refused" } else { "" })?;
        }
        Ok(())
    }
}

impl Campaign {
    /// Makes up the campaign of a seed.
    pub fn of(dice: &mut Dice) -> Self {
        let currency = Currency::credits("simulated");
        let tells_figures = dice.strikes(600);
        let moderated = dice.strikes(300);
        let (mut shots, depths): (Vec<Shot>, Vec<u32>) = structure(dice);
        let step_prices: Vec<(i64, i64)> = depths.iter().map(|_| prices(dice)).collect();
        let is_local: Vec<bool> = depths.iter().enumerate().map(|(step, _)| step > 0 && dice.strikes(200)).collect();
        for shot in &mut shots {
            let (quoted, reserved) = step_prices[shot.step];
            let amount = |micros| Amount::new(currency.clone(), Micros::new(micros));
            let taken = if tells_figures { reserved - (dice.roll() % 3) as i64 * reserved / 4 } else { quoted };
            if !is_local[shot.step] {
                shot.price = Some(JobPrice { quoted: amount(quoted), reserved: amount(reserved), unpriced: false });
                shot.taken = Micros::new(taken);
                shot.refused = moderated && dice.strikes(100);
            }
        }
        let depths = paid_depths(&shots, depths.len());
        let most: i64 = shots.iter().filter_map(|shot| shot.price.as_ref()).map(|price| price.reserved.micros.get()).sum();
        let (cap, step_caps) = caps(dice, &currency, most, &step_prices, &is_local);
        let synchronous = dice.strikes(300);
        let doubled = dice.strikes(50);
        let faults = if dice.strikes(50) { Faults::default() } else { Faults::of(dice) };
        let faults = if doubled { Faults { clock: 0, lose_picture: 0, ..faults } } else { faults };
        let terms = terms(dice, synchronous);
        let known = |known: Known, truth: bool| if known == Known::Unknown { truth } else { known == Known::Yes };
        let (refunds, keeps_refused) = (dice.strikes(500), dice.strikes(500));
        let looked_at = dice.pick(&[0, 0, 300, 800]);
        let standards = depths.iter().map(|_| if dice.strikes(looked_at) { Standards::of(dice) } else { Standards::default() }).collect();
        let repeats = dice.strikes(150);
        Self {
            refunds: known(terms.charge.refund_on_failure, refunds),
            keeps_refused: known(terms.charge.moderation_charged, keeps_refused),
            shots,
            depths,
            standards,
            repeats,
            cap,
            step_caps,
            rules: RunRules {
                attempts: dice.pick(&[1, 1, 2, 3]),
                on_doubt: if dice.strikes(300) { OnDoubt::Resend } else { OnDoubt::Hold },
                alone: !doubled,
                outage_patience: Duration::from_secs(900),
                fetches: dice.pick(&[1, 3, 5]),
                seed: dice.roll(),
                batch: false,
            },
            terms,
            concurrency: dice.within(1..17) as usize,
            stop_after_failures: dice.strikes(150).then(|| dice.within(1..5) as usize),
            synchronous,
            tells_figures,
            outages_are_ambiguous: dice.strikes(200),
            doubled,
            disturbed_runs: dice.within(1..6) as u32,
            faults,
        }
    }

    /// Gives a shot and everything that rests on it new keys, as a changed prompt would.
    pub fn change(&mut self, at: usize, dice: &mut Dice) {
        let mut changed = vec![at];
        while let Some(at) = changed.pop() {
            self.shots[at].key = key(dice.roll());
            changed.extend(self.shots[at].dependents.iter().filter(|dependent| !changed.contains(dependent)).collect::<Vec<_>>());
        }
    }
}

/// Chains, fans out and fans in: each step takes the pictures of one earlier step, shot by shot, several for one, or one for several.
fn structure(dice: &mut Dice) -> (Vec<Shot>, Vec<u32>) {
    let size = match dice.within(0..3) {
        0 => dice.within(2..8),
        1 => dice.within(8..25),
        _ => dice.within(25..51),
    } as usize;
    let mut shots: Vec<Shot> = Vec::with_capacity(size);
    let mut steps: Vec<std::ops::Range<usize>> = Vec::new();
    while shots.len() < size {
        let step = steps.len();
        let first = shots.len();
        let source = (step > 0).then(|| steps[dice.within(0..step as u64) as usize].clone());
        let shape = dice.within(0..4);
        let count = match (&source, shape) {
            (None, _) => dice.within(1..1 + size as u64),
            (Some(source), 0 | 1) => source.len() as u64,
            (Some(source), 2) => source.len() as u64 * dice.within(2..4),
            (Some(_), _) => 1,
        };
        for place in 0..(count as usize).min(size - first).max(1) {
            let inputs: Vec<usize> = match (&source, shape) {
                (None, _) => Vec::new(),
                (Some(source), 0..=2) => vec![source.start + place % source.len()],
                (Some(source), _) => source.clone().collect(),
            };
            for input in &inputs {
                let taker = shots.len();
                shots[*input].dependents.push(taker);
            }
            let id = format!("step{step}[row={place}]");
            let card = AttemptCard {
                campaign: CAMPAIGN.to_owned(),
                job: JobId::new(&id),
                step: format!("step{step}"),
                axes: Vec::new(),
                take: None,
                provider: "simulated".to_owned(),
                model: "simulated".to_owned(),
                operation: "edit".to_owned(),
                aspect: None,
                resolution: None,
                quality: None,
                unpriced: false,
                batch: false,
            };
            let key = key(dice.roll());
            let id = card.job.clone();
            shots.push(Shot { id, key, step, inputs, dependents: Vec::new(), price: None, taken: Micros::ZERO, refused: false, card });
        }
        steps.push(first..shots.len());
    }
    let count = steps.len();
    (shots, vec![0; count])
}

fn paid_depths(shots: &[Shot], steps: usize) -> Vec<u32> {
    let mut depths = vec![0; steps];
    for shot in shots {
        let deepest = shot.inputs.iter().map(|input| depths[shots[*input].step]).max().unwrap_or(0);
        depths[shot.step] = deepest + u32::from(shot.price.is_some());
    }
    depths
}

/// Returns what the book quotes and what it allows at most, in millionths.
fn prices(dice: &mut Dice) -> (i64, i64) {
    let quoted = dice.within(1..40) as i64 * 250_000;
    (quoted, quoted + dice.pick(&[0, 0, 1, 4]) * 250_000)
}

fn caps(dice: &mut Dice, currency: &Currency, most: i64, prices: &[(i64, i64)], is_local: &[bool]) -> (Cap, Vec<Option<Cap>>) {
    let part = |dice: &mut Dice, of: i64| {
        let micros = (of as i128 * i128::from(dice.within(200..1100)) / 1000) as i64;
        Amount::new(currency.clone(), Micros::new(micros))
    };
    let limit = dice.strikes(400).then(|| part(dice, most));
    let cap = Cap::new(Scope(format!("campaign:{CAMPAIGN}")), limit);
    let steps = prices.iter().zip(is_local).enumerate().map(|(step, ((_, reserved), is_local))| {
        let capped = !is_local && dice.strikes(150);
        capped.then(|| Cap::new(Scope(format!("campaign:{CAMPAIGN}/step:step{step}")), Some(part(dice, reserved * 12))))
    });
    (cap, steps.collect())
}

fn terms(dice: &mut Dice, synchronous: bool) -> ProviderTerms {
    let known = |dice: &mut Dice| dice.pick(&[Known::Yes, Known::Yes, Known::No, Known::Unknown]);
    let span = |seconds: u64| Span(Duration::from_secs(seconds));
    let window = RateWindow { count: dice.within(2..12) as u32, span: Duration::from_secs(dice.within(1..30)) };
    let steps =
        vec![PollStep { from: span(0), every: span(2) }, PollStep { from: span(30), every: span(8) }, PollStep { from: span(120), every: span(20) }];
    let poll = PollCurve { start: span(3), steps, deadline: span(dice.pick(&[120, 300, 900])), unseen: PollCurve::UNSEEN };
    ProviderTerms {
        limits: AccountLimits {
            account: "simulated:KEY".to_owned(),
            windows: if dice.strikes(400) { vec![window] } else { Vec::new() },
            places: dice.strikes(300).then(|| dice.within(2..12) as u32),
        },
        charge: ChargePolicy {
            on: if dice.strikes(600) { ChargedOn::Submit } else { ChargedOn::Success },
            refund_on_failure: known(dice),
            moderation_charged: known(dice),
            ambiguous_on_timeout: true,
        },
        poll: (!synchronous).then_some(poll),
        patience: Duration::from_secs(dice.pick(&[60, 300, 600])),
        idempotent: dice.strikes(300),
        keeps: None,
    }
}

fn key(number: u64) -> JobKey {
    let mut bytes = [0; 32];
    for (place, part) in bytes.chunks_mut(8).enumerate() {
        part.copy_from_slice(&mix(number.wrapping_add(place as u64 + 1)).to_le_bytes());
    }
    JobKey(Digest::from_bytes(bytes))
}
