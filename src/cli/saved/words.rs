//! What has moved, as people read it.
//!
//! In: [`Moves`] and both plans. Out: lines on stderr. Never: a character of a file that a terminal would obey.

use std::collections::HashSet;
use std::path::Path;

use crate::catalog::Certainty;
use crate::cli::console;
use crate::cli::context::Opened;
use crate::cli::words::{self, shell_word, typed};
use crate::ledger::{AttemptRow, PlanRecord};
use crate::plan::saved::{Count, InputKind, Moved, Moves, SavedCap, SavedJob, SavedPlan, SavedPrice, SavedStage, SavedSum, SavedWork};
use crate::plan::{Difference, Side};
use crate::types::diagnostic::{counted, listed};
use crate::types::{Amount, Micros, visible};

/// Says everything that has moved, one fact a line.
pub fn tell(opened: &Opened, was: &SavedPlan, is: &SavedPlan, moves: &Moves, bought_by: Option<&str>) {
    for line in lines(opened, was, is, moves, bought_by) {
        console::talk(&visible(&line));
    }
}

fn lines(opened: &Opened, was: &SavedPlan, is: &SavedPlan, moves: &Moves, bought_by: Option<&str>) -> Vec<String> {
    let mut lines = Lines::default();
    for (kind, name, how) in &moves.inputs {
        let how = match how {
            Moved::Changed => "has changed",
            Moved::Added => "is new",
            Moved::Gone => "is no longer used",
        };
        lines.say(kind.as_str(), format!("{}`{name}` {how}", dated(was, is, *kind)));
    }
    if moves.edited {
        lines.say("file", "nothing that it was made from has moved, yet it says something else: edited, or saved by another callsheet".to_owned());
    }
    if let Some((count, field)) = &moves.changed {
        let why = field.as_ref().map(|(field, was, is)| difference(opened, count, field, was.clone(), is.clone()));
        lines.say("shots", format!("{} changed, {}", count.count, first(count)));
        lines.more(why);
    }
    for (count, what) in [(&moves.added, "new"), (&moves.gone, "gone"), (&moves.renamed, "with another file name")] {
        if let Some(count) = count {
            lines.say("shots", format!("{} {what}, {}", count.count, first(count)));
        }
    }
    for (then, now, count) in &moves.repriced {
        lines.say("prices", format!("{}: {} -> {}, {}", counted(count.count, "shot"), price(was, *then), price(is, *now), first(count)));
    }
    if moves.has_shots() || !moves.totals.is_empty() {
        let all = |plan: &SavedPlan| plan.jobs.iter().map(|job| micros(job.price)).try_fold(Micros::ZERO, |sum, one| sum.checked_add(one).ok());
        if let (Some(then), Some(now)) = (all(was), all(is)).filter_different() {
            lines.say("money", format!("all shots once: {} -> {}", amount(was, then), amount(is, now)));
        }
    }
    for (name, then, now) in &moves.totals {
        lines.say("money", format!("{name}: {} -> {}", sum(was, *then), sum(is, *now)));
    }
    for (then, now) in &moves.caps {
        lines.say("caps", caps(was, then.as_ref(), now.as_ref()));
    }
    for (then, now, count) in &moves.work {
        let by = bought_by.filter(|_| *now == SavedWork::Reused).map_or_else(String::new, |by| format!(", {by}"));
        let noun = if count.count == 1 { "shot was" } else { "shots were" };
        lines.say("history", format!("{} {noun} {}, now {}{by}, {}", count.count, then.as_str(), now.as_str(), first(count)));
    }
    if moves.history && moves.work.is_empty() && !moves.has_shots() {
        lines.say("history", "its shots have been tried again meanwhile".to_owned());
    }
    lines.0
}

/// Lines with the subject in front, once.
#[derive(Default)]
struct Lines(Vec<String>);

impl Lines {
    fn say(&mut self, subject: &str, fact: String) {
        self.0.push(format!("{subject:<10} {fact}"));
    }

    fn more(&mut self, fact: Option<String>) {
        self.0.extend(fact.map(|fact| format!("{:<10} {fact}", "")));
    }
}

/// Two values, if they differ.
trait FilterDifferent {
    fn filter_different(self) -> Self;
}

impl<T: PartialEq> FilterDifferent for (Option<T>, Option<T>) {
    fn filter_different(self) -> Self {
        if self.0 == self.1 { (None, None) } else { self }
    }
}

fn first(count: &Count) -> String {
    if count.count == 1 { format!("`{}`", count.first) } else { format!("first `{}`", count.first) }
}

/// Returns the days of the book, if they differ.
fn dated(was: &SavedPlan, is: &SavedPlan, kind: InputKind) -> String {
    let day = |plan: &SavedPlan| plan.inputs.iter().find(|input| input.kind == kind)?.as_of.clone();
    match (day(was), day(is)) {
        (Some(then), Some(now)) if then != now => format!("of {then}, now of {now}: "),
        _ => String::new(),
    }
}

fn difference(opened: &Opened, count: &Count, field: &str, was: Option<String>, is: Option<String>) -> String {
    let plan = &opened.plan;
    let inputs = plan.find(count.first.as_str()).map(|ix| plan.inputs(ix)).unwrap_or_default();
    let input = inputs.iter().find(|input| input.role.label() == field).map(|input| input.from);
    words::difference(plan, &Difference { field: field.to_owned(), was, is, input })
}

fn caps(plan: &SavedPlan, was: Option<&SavedCap>, is: Option<&SavedCap>) -> String {
    match (was, is) {
        (Some(then), Some(now)) if then.limit != now.limit => {
            format!("{}: {} -> {}", then.of, amount(plan, then.limit), amount(plan, now.limit))
        }
        (Some(then), Some(now)) => format!("{}: committed {} -> {}", then.of, amount(plan, then.committed), amount(plan, now.committed)),
        (Some(then), None) => format!("{} of {} is gone", then.of, amount(plan, then.limit)),
        (None, Some(now)) => format!("{} of {} is new", now.of, amount(plan, now.limit)),
        (None, None) => String::new(),
    }
}

fn amount(plan: &SavedPlan, micros: Micros) -> String {
    Amount::new(plan.currency().clone(), micros).to_string()
}

fn price(plan: &SavedPlan, price: SavedPrice) -> String {
    match price {
        SavedPrice::Exactly(micros) => amount(plan, micros),
        SavedPrice::AtLeast(micros) => format!("at least {}", amount(plan, micros)),
        SavedPrice::Free | SavedPrice::Unpriced => price.to_string(),
    }
}

fn micros(price: SavedPrice) -> Micros {
    match price {
        SavedPrice::Exactly(micros) | SavedPrice::AtLeast(micros) => micros,
        SavedPrice::Free | SavedPrice::Unpriced => Micros::ZERO,
    }
}

/// Returns a sum with how sure it is.
pub fn sum(plan: &SavedPlan, sum: SavedSum) -> String {
    let known = amount(plan, sum.amount);
    match sum.certainty {
        Certainty::Exact => known,
        Certainty::LowerBound => format!("at least {known}"),
        Certainty::Unknown => format!("{known} and what has no price"),
    }
}

/// Returns what has moved in one breath.
pub fn summary(moves: &Moves) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let mut add = |part: &'static str| {
        if !parts.contains(&part) {
            parts.push(part);
        }
    };
    for (kind, ..) in &moves.inputs {
        add(kind.as_str());
    }
    if moves.history || !moves.work.is_empty() {
        add("history");
    }
    if moves.edited {
        return "it was edited, or saved by another callsheet".to_owned();
    }
    if parts.is_empty() {
        parts.push("caps");
    }
    match parts.as_slice() {
        [one] => format!("{one} moved"),
        several => format!("{} moved", listed(several, 8).replace('`', "")),
    }
}

/// Returns by which run the shots that the plan was going to make were bought last.
pub fn bought_by(was: &SavedPlan, is: &SavedPlan, attempts: &[AttemptRow]) -> Option<String> {
    let done = |job: &&SavedJob| job.work == SavedWork::Reused;
    let now: HashSet<_> = is.jobs.iter().filter(done).map(|job| job.key).collect();
    let bought: HashSet<_> = was.jobs.iter().filter(|job| job.work.is_to_do() && now.contains(&job.key)).map(|job| job.key).collect();
    let last = attempts.iter().rfind(|attempt| bought.contains(&attempt.key))?;
    Some(format!("by run {} at {}", last.run, last.finished_at.unwrap_or(last.started_at)))
}

/// Says that a run of the plan is taken up.
pub fn taken_up(record: &PlanRecord) {
    console::talk(&visible(&format!("taken up: run {} began this plan at {} and did not come to its end", record.begun_by, record.begun_at)));
}

/// Returns the command that saves such a plan again.
pub fn plan_again(plan: &SavedPlan, out: &Path) -> String {
    let folder = out.parent().unwrap_or(Path::new(""));
    let file = |name: &String| if super::paths::is_path(name) { super::paths::found(folder, name).display().to_string() } else { name.clone() };
    let mut words = format!("callsheet plan {}", typed(&super::paths::found(folder, &plan.file)));
    let asked = &plan.asked;
    let values = [
        ("--profile", asked.profile.clone()),
        ("--provider", asked.provider.as_ref().map(file)),
        ("--prices", asked.prices.as_ref().map(file)),
        ("--cap", asked.cap.clone()),
    ];
    let lists = asked.only.iter().map(|only| ("--only", only)).chain(asked.until.iter().map(|until| ("--until", until)));
    let singles = values.iter().filter_map(|(flag, value)| Some((*flag, value.as_ref()?)));
    for (flag, value) in singles.chain(lists) {
        words.push_str(&format!(" {flag} {}", shell_word(value)));
    }
    if asked.on_doubt == crate::plan::saved::SavedDoubt::Resend {
        words.push_str(" --on-doubt resend");
    }
    if plan.stage == SavedStage::Rehearsal {
        words.push_str(" --rehearse");
    }
    format!("{words} --out {}", typed(out))
}
