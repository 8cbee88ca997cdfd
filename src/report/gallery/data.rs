//! What the page knows, as its script reads it. Names are short where there is one for every shot.
//!
//! In: [`RunReport`]. Out: [`Page`], serialised shot by shot. Amounts are whole millionths: a browser's numbers hold them exactly.
//! Never: a clock, an absolute path; a character that hides or turns others, but in `raw`, which names a shot to programs.

use std::borrow::Cow;
use std::collections::HashMap;

use indexmap::IndexSet;
use serde::{Serialize, Serializer};

use super::super::run_report::{RunReport, Shot};
use super::super::spending::{refunded, released};
use super::super::text::{money, number, sum_words};
use super::super::told::counted_tries;
use super::super::{Reject, ReportError, ReportRow, rejects};
use super::said::Said;
use super::thumbnails::thumbnail_path;
use crate::ledger::{AttemptStatus, JobState};
use crate::plan::{JobIx, Plan, PlannedStep};
use crate::pricing::JobQuote;
use crate::types::{Currency, Fields, Finding, JobKey, Micros, Operation, Settings, visible};

/// Everything.
#[derive(Serialize)]
pub struct Page<'a> {
    /// Form of this; the script reads this one.
    version: u32,
    campaign: Cow<'a, str>,
    /// The campaign as programs know it.
    name: &'a str,
    rehearsal: bool,
    /// Price book, and the day its prices are of.
    book: (Cow<'a, str>, Option<String>),
    /// Currencies, the book's own first; amounts name them by place.
    currencies: Vec<Currency>,
    /// What the head of the page tells: words and figure.
    facts: Vec<(&'static str, String)>,
    /// Tries for pictures that the plan no longer has: how many, and what they cost by currency.
    gone: (usize, Vec<(usize, i64)>),
    axes: Vec<Axis<'a>>,
    steps: Vec<Step<'a>>,
    runs: Vec<Cow<'a, str>>,
    prompts: Vec<String>,
    settings: Vec<Vec<(String, String)>>,
    /// Cells of `pick` steps with the shots that are chosen among.
    picks: Vec<Cell>,
    /// What was chosen and turned down when the page was made.
    saved: Said,
    shots: Shots<'a>,
}

#[derive(Serialize)]
struct Cell {
    cell: u32,
    of: Vec<u32>,
}

#[derive(Serialize)]
struct Axis<'a> {
    name: Cow<'a, str>,
    take: bool,
    keys: Vec<Cow<'a, str>>,
}

#[derive(Serialize)]
struct Step<'a> {
    name: Cow<'a, str>,
    kind: &'a str,
    model: Option<Cow<'a, str>>,
    baseline: Option<Cow<'a, str>>,
    /// Places of its axes.
    axes: &'a [usize],
    paid: bool,
    /// Whether its pictures are finals.
    ends: bool,
}

/// One shot.
#[derive(Serialize)]
struct ShotEntry<'a> {
    /// Address.
    id: String,
    /// The address as programs know it, where that differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<String>,
    /// Its step.
    s: u32,
    /// Its value on each axis of the step.
    c: &'a [u32],
    /// Where it stands.
    st: &'static str,
    /// The shot that it waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<u32>,
    /// The shot that has the same key: one picture, paid once.
    #[serde(skip_serializing_if = "Option::is_none")]
    tw: Option<u32>,
    /// Width and height.
    w: u32,
    h: u32,
    /// The file, below the page's folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    f: Option<Cow<'a, str>>,
    /// Its thumbnail; absent when the file is small itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    t: Option<String>,
    /// Digest of the picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    d: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    o: Option<usize>,
    /// Pictures that it takes: whose, and as what.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    i: Vec<(u32, String)>,
    /// What the plan says of one try; absent for local work, `null` without a price.
    #[serde(skip_serializing_if = "Option::is_none")]
    q: Option<Option<i64>>,
    /// Paid tries, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    a: Vec<Try<'a>>,
    /// What the provider, or we, said of the last failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// What its checks measured of the picture in use.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    m: Vec<(String, bool)>,
    /// Pictures that were turned down.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rj: Vec<Down<'a>>,
}

/// One paid try.
#[derive(Serialize)]
struct Try<'a> {
    n: u32,
    st: &'static str,
    /// Class and code of the failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    e: Option<Cow<'a, str>>,
    /// Currency.
    c: usize,
    /// Quoted, charged, refunded, released.
    q: Option<i64>,
    ch: Option<i64>,
    rf: i64,
    rl: i64,
    /// When it began, in milliseconds since 1970, and how many it took.
    at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ms: Option<i64>,
    run: usize,
    /// Whether another campaign paid for it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    other: bool,
    /// Whether its picture is the one that stands.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    used: bool,
    /// Thumbnail of a picture that something else has replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    t: Option<String>,
    by: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<Cow<'a, str>>,
}

/// One picture that was turned down, by a check or by a person.
#[derive(Serialize)]
struct Down<'a> {
    /// The try that brought it.
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<u32>,
    f: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    t: Option<String>,
    why: String,
    m: Vec<(String, bool)>,
}

/// The shots, each made when its turn comes.
struct Shots<'a> {
    report: &'a RunReport<'a>,
    rows: HashMap<JobKey, Vec<&'a ReportRow<'a>>>,
    currencies: Vec<Currency>,
    runs: IndexSet<&'a str>,
    /// Pictures that were turned down, by shot.
    rejects: HashMap<JobIx, Vec<Reject>>,
    /// Place of the prompt of each shot.
    prompts: HashMap<&'a str, usize>,
    /// Place of the settings of each step.
    settings: Vec<Option<usize>>,
}

impl<'a> Page<'a> {
    /// Collects what all shots share; the shots themselves are made while they are written.
    ///
    /// # Errors
    /// A sum that does not fit.
    pub fn new(report: &'a RunReport<'a>) -> Result<Self, ReportError> {
        let plan = report.plan;
        let book = report.quotes.book();
        let mut currencies = IndexSet::from([book.currency.clone()]);
        currencies.extend(report.rows.iter().map(|row| row.attempt.quoted.currency.clone()));
        let currencies: Vec<Currency> = currencies.into_iter().collect();
        let runs: IndexSet<&str> = report.rows.iter().map(|row| row.attempt.run.as_str()).collect();
        let mut prompts: IndexSet<&str> = IndexSet::new();
        prompts.extend(plan.jobs.iter().filter(|job| !job.prompt.is_empty()).map(|job| &*job.prompt));
        let mut settings: IndexSet<Vec<(String, String)>> = IndexSet::new();
        let of_step = plan.steps.iter().map(|step| Some(settings.insert_full(step_settings(plan, step)?).0)).collect();
        let mut rows: HashMap<JobKey, Vec<&ReportRow<'_>>> = HashMap::new();
        for row in report.rows.iter().filter(|row| row.job.is_some()) {
            rows.entry(row.attempt.key).or_default().push(row);
        }
        let mut turned_down: HashMap<JobIx, Vec<Reject>> = HashMap::new();
        for reject in rejects(report) {
            turned_down.entry(reject.job).or_default().push(reject);
        }
        let gone = gone(report, &currencies)?;
        Ok(Self {
            version: 1,
            campaign: visible(&plan.campaign),
            name: &plan.campaign,
            rehearsal: report.is_rehearsal,
            book: (visible(&book.name), book.as_of.map(|day| day.to_string())),
            facts: facts(report)?,
            gone,
            axes: plan.axes.iter().map(axis).collect(),
            steps: plan.steps.iter().map(step).collect(),
            runs: runs.iter().map(|run| visible(run)).collect(),
            prompts: prompts.iter().map(|prompt| told(prompt)).collect(),
            settings: settings.into_iter().collect(),
            picks: cells(plan).into_iter().map(|(cell, of)| Cell { cell: cell.0, of: of.iter().map(|ix| ix.0).collect() }).collect(),
            saved: Said::of(plan),
            shots: Shots {
                report,
                rows,
                currencies: currencies.clone(),
                runs,
                rejects: turned_down,
                prompts: prompts.iter().enumerate().map(|(place, prompt)| (*prompt, place)).collect(),
                settings: of_step,
            },
            currencies,
        })
    }
}

/// Returns the cells in which one of several shots is to be chosen.
pub fn cells(plan: &Plan) -> Vec<(JobIx, Vec<JobIx>)> {
    plan.picks.iter().map(|(ix, cell)| (*ix, cell.candidates.clone())).collect()
}

fn axis(axis: &crate::plan::PlannedAxis) -> Axis<'_> {
    Axis { name: visible(&axis.name), take: axis.is_take, keys: axis.keys.iter().map(|key| visible(key)).collect() }
}

fn step(step: &PlannedStep) -> Step<'_> {
    Step {
        name: visible(&step.name),
        kind: step.kind,
        model: step.model.as_deref().map(visible),
        baseline: step.baseline.as_deref().map(visible),
        axes: &step.axes,
        paid: step.action.is_some(),
        ends: step.is_final,
    }
}

/// Returns how the shots of a step are asked for; they share it.
fn step_settings(plan: &Plan, step: &PlannedStep) -> Option<Vec<(String, String)>> {
    struct List(Vec<(String, String)>);
    impl Fields for List {
        fn field(&mut self, name: &str, value: &[u8]) {
            self.0.push((name.to_owned(), visible(&String::from_utf8_lossy(value)).into_owned()));
        }
    }
    let Operation::Paid(paid) = &plan.job(JobIx(step.jobs.clone().next()?)).operation else { return None };
    let mut list = List(vec![("provider".to_owned(), visible(&paid.provider).into_owned()), ("operation".to_owned(), paid.action.to_string())]);
    Settings::describe(&paid.settings, &mut list);
    Some(list.0)
}

/// Returns a text of several lines without what cannot be seen.
fn told(text: &str) -> String {
    text.lines().map(visible).collect::<Vec<_>>().join("\n")
}

/// Returns what was paid for pictures that the plan no longer has.
fn gone(report: &RunReport<'_>, currencies: &[Currency]) -> Result<(usize, Vec<(usize, i64)>), ReportError> {
    let mut tries = 0;
    let mut sums = vec![Micros::ZERO; currencies.len()];
    for row in report.rows.iter().filter(|row| row.job.is_none() && row.is_ours) {
        tries += 1;
        let place = place_of(currencies, &row.attempt.quoted.currency);
        sums[place] = sums[place].checked_add(row.attempt.known_charge().unwrap_or_default())?;
    }
    Ok((tries, sums.iter().enumerate().filter(|(_, sum)| **sum > Micros::ZERO).map(|(place, sum)| (place, sum.get())).collect()))
}

fn place_of(currencies: &[Currency], currency: &Currency) -> usize {
    currencies.iter().position(|known| known == currency).unwrap_or_default()
}

/// Returns what the head of the page tells of the money.
fn facts(report: &RunReport<'_>) -> Result<Vec<(&'static str, String)>, ReportError> {
    let mut facts = Vec::new();
    for spent in report.spending.iter().filter(|spent| spent.attempts > 0) {
        let what = if report.is_rehearsal { "a real run would have cost" } else { "spent so far" };
        facts.push((what, money(&spent.currency, spent.charged)));
        if spent.in_doubt > Micros::ZERO {
            facts.push(("in doubt", money(&spent.currency, spent.in_doubt)));
        }
    }
    let unpriced: usize = report.spending.iter().map(|spent| spent.unpriced).sum();
    if unpriced > 0 {
        facts.push(("without a price, in no total", counted_tries(unpriced, "")));
    }
    // The page shows the campaign, not a run: what an earlier run paid is spent, not saved.
    let never_paid = report.reused.never_paid()?;
    if never_paid.pictures > 0 {
        facts.push(("saved by reuse", sum_words(&report.quotes.book().currency, never_paid.saved)));
    }
    if let Some(each) = report.per_final {
        let what = if report.is_rehearsal { "per final, as if paid" } else { "per final" };
        facts.push((what, money(&report.quotes.book().currency, each)));
    }
    if let Some(factor) = report.factor_seen {
        facts.push((if factor == Micros::units(1) { "paid try per picture" } else { "paid tries per picture" }, number(factor)));
    }
    Ok(facts)
}

impl Serialize for Shots<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.report.plan.indices().map(|ix| self.shot(ix)))
    }
}

impl Shots<'_> {
    fn shot(&self, ix: JobIx) -> ShotEntry<'_> {
        let (report, plan) = (self.report, self.report.plan);
        let job = plan.job(ix);
        let address = plan.id(ix);
        let id = visible(address.as_str()).into_owned();
        let artifact = report.history.artifact(&job.key);
        let size = artifact.map_or(job.size, |artifact| artifact.info.size);
        let (st, by) = status(report.shot(ix));
        let rows = self.rows.get(&job.key).map_or(&[][..], Vec::as_slice);
        let failure = match report.history.state(&job.key) {
            JobState::Failed { failure, .. } | JobState::InDoubt { failure, .. } => Some(told(&failure.message)),
            _ => None,
        };
        ShotEntry {
            raw: (id != address.as_str()).then(|| address.as_str().to_owned()),
            id,
            s: job.step,
            c: &job.cell,
            st,
            by,
            tw: plan.twins.get(&ix).map(|first| first.0),
            w: size.width,
            h: size.height,
            // A path is escaped by the script, as an address: it must be the file's own.
            f: artifact.map(|_| Cow::Borrowed(&*job.path)),
            t: artifact.and_then(thumbnail_path),
            d: artifact.map(|artifact| artifact.blob.digest.to_string()),
            p: self.prompts.get(&*job.prompt).copied(),
            o: self.settings.get(job.step as usize).copied().flatten(),
            i: plan.inputs(ix).into_iter().map(|input| (input.from.0, input.role.label())).collect(),
            q: report.quotes.of(ix).map(|quote| match quote {
                JobQuote::Priced(quote) => Some(quote.amount.micros.get()),
                JobQuote::Unpriced(_) => None,
            }),
            a: rows.iter().map(|row| self.paid_try(row)).collect(),
            why: failure.filter(|message| !message.is_empty()),
            m: artifact.map_or_else(Vec::new, |artifact| {
                let known = report.history.judged(&job.key).iter().find(|known| known.artifact == *artifact);
                known.map_or_else(Vec::new, |known| measured(&plan.bar(ix).findings(artifact, &known.findings)))
            }),
            rj: self.rejects.get(&ix).map_or(&[][..], Vec::as_slice).iter().map(down).collect(),
        }
    }

    fn paid_try<'r>(&self, row: &'r ReportRow<'r>) -> Try<'r> {
        let attempt = row.attempt;
        let began = attempt.started_at.millis();
        let picture = attempt.artifact.as_ref().filter(|_| !row.in_use);
        Try {
            n: attempt.attempt.0,
            st: attempt.status.as_str(),
            e: attempt.error_code.as_deref().map(visible),
            c: place_of(&self.currencies, &attempt.quoted.currency),
            q: attempt.known_quote().map(Micros::get),
            ch: attempt.known_charge().filter(|_| attempt.status != AttemptStatus::InDoubt).map(Micros::get),
            rf: refunded(attempt).get(),
            rl: released(attempt).get(),
            at: began,
            ms: attempt.finished_at.map(|ended| ended.millis() - began),
            run: self.runs.get_index_of(attempt.run.as_str()).unwrap_or_default(),
            other: !row.is_ours,
            used: row.in_use,
            t: picture.and_then(thumbnail_path),
            by: visible(&attempt.card.provider),
            task: attempt.task.as_ref().map(|task| visible(task.as_str())),
        }
    }
}

fn down(reject: &Reject) -> Down<'_> {
    let artifact = &reject.artifact;
    Down { n: reject.of.map(|of| of.0), f: &reject.path, t: thumbnail_path(artifact), why: told(&reject.why), m: measured(&reject.findings) }
}

/// Returns figures in words, and whether each was good enough.
fn measured(findings: &[Finding]) -> Vec<(String, bool)> {
    findings.iter().map(|finding| (visible(&finding.to_string()).into_owned(), finding.passed)).collect()
}

/// Returns the word for where a shot stands, and whom it waits for.
fn status(shot: Shot) -> (&'static str, Option<u32>) {
    match shot {
        Shot::Done => ("done", None),
        Shot::Failed => ("failed", None),
        Shot::Rejected => ("rejected", None),
        Shot::ToPick => ("waiting", None),
        Shot::InDoubt => ("in doubt", None),
        Shot::UnderWay => ("under way", None),
        Shot::Blocked(cause) => ("blocked", Some(cause.0)),
        Shot::ToDo => ("to do", None),
        Shot::LeftOut => ("left out", None),
    }
}
