//! Bars on a terminal: one line for each step, one for the whole run.
//!
//! ```text
//! hero      ████████████████░░░░  19/24  5 under way
//! surface   ████░░░░░░░░░░░░░░░░  14/72  11 under way, 1 failed
//! 33/156 done; 41 a minute, about 3m 00s left; 396 credits spent + 192 held of 2000
//! ```
//!
//! In: events, and how many shots each step has. Out: lines that are drawn anew; failures and limits stand above them for good.
//! Never: a word that only a colour tells; more lines than a screen holds.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::plain::{Detail, Pauses, money, sentence, span};
use super::{Line, ReportError, Reporter};
use crate::event::{Event, EventKind, RunStats};
use crate::types::width;
use crate::types::{JobId, Micros};

/// More steps than this are drawn only while they are under way.
const MOST_LINES: usize = 12;

/// The stretch over which the pace is taken.
const STRETCH: Duration = Duration::from_secs(60);

/// Pictures below which no pace is told: it would jump.
const FEWEST: usize = 4;

/// How many shots a step has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepShots {
    /// The step.
    pub name: String,
    /// Its shots in this run, those that are there already included.
    pub shots: usize,
    /// Those that are there already.
    pub there: usize,
}

/// The reporter for people at a terminal.
pub struct Bars {
    screen: MultiProgress,
    foot: ProgressBar,
    steps: Vec<Step>,
    by_name: HashMap<String, usize>,
    is_long: bool,
    /// When the last pictures came, by time since the start.
    came: VecDeque<Duration>,
    /// Until when the provider asked to wait.
    slow_until: Option<Duration>,
    pauses: Pauses,
}

struct Step {
    bar: ProgressBar,
    shots: usize,
    there: usize,
    done: usize,
    begun: usize,
    failed: usize,
    rejected: usize,
    kept: usize,
    in_doubt: usize,
    skipped: usize,
    is_drawn: bool,
}

impl Step {
    fn settled(&self) -> usize {
        self.done + self.failed + self.rejected + self.kept + self.in_doubt + self.skipped
    }

    fn words(&self) -> String {
        let mut words = Vec::new();
        // What was skipped, or shares the picture of another, was never begun.
        let under_way = self.begun.saturating_sub(self.settled() - self.there);
        let counts = [
            (under_way, "under way"),
            (self.failed, "failed"),
            (self.rejected, "rejected"),
            (self.kept, "left to fetch"),
            (self.in_doubt, "in doubt"),
            (self.skipped, "skipped"),
        ];
        for (count, word) in counts {
            if count > 0 {
                words.push(format!("{count} {word}"));
            }
        }
        words.join(", ")
    }
}

impl Bars {
    /// Draws on `target`, a terminal of so many columns.
    pub fn new(target: ProgressDrawTarget, columns: usize, steps: &[StepShots]) -> Self {
        let screen = MultiProgress::with_draw_target(target);
        let longest = steps.iter().map(|step| width::columns(&Line(&step.name).to_string())).max().unwrap_or(0).clamp(4, 24);
        let digits = steps.iter().map(|step| step.shots.to_string().len()).max().unwrap_or(1);
        let width = columns.saturating_sub(longest + 2 * digits + 32).clamp(6, 30);
        let template = format!("{{prefix:{longest}!}}  {{bar:{width}}}  {{pos:>{digits}}}/{{len:{digits}}}  {{wide_msg}}");
        let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("█▌░");
        let is_long = steps.len() > MOST_LINES;
        let foot = screen.add(ProgressBar::new(0));
        foot.set_style(ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_bar()));
        let step = |step: &StepShots| {
            let bar = ProgressBar::hidden().with_style(style.clone()).with_prefix(Line(&step.name).to_string());
            bar.set_length(step.shots as u64);
            bar.set_position(step.there as u64);
            let (shots, there) = (step.shots, step.there);
            Step { bar, shots, there, done: there, begun: 0, failed: 0, rejected: 0, kept: 0, in_doubt: 0, skipped: 0, is_drawn: false }
        };
        let mut bars = Self {
            foot,
            steps: steps.iter().map(step).collect(),
            by_name: steps.iter().enumerate().map(|(place, step)| (step.name.clone(), place)).collect(),
            is_long,
            came: VecDeque::new(),
            slow_until: None,
            pauses: Pauses::default(),
            screen,
        };
        if !is_long {
            (0..bars.steps.len()).for_each(|place| bars.show(place));
        }
        bars
    }

    /// Puts a step's line in its place among those that are drawn.
    fn show(&mut self, place: usize) {
        if std::mem::replace(&mut self.steps[place].is_drawn, true) {
            return;
        }
        let before = self.steps[..place].iter().rev().find(|step| step.is_drawn && !step.bar.is_finished());
        let bar = self.steps[place].bar.clone();
        self.steps[place].bar = match before {
            Some(before) => self.screen.insert_after(&before.bar, bar),
            None => self.screen.insert(0, bar),
        };
        self.steps[place].bar.tick();
    }

    fn count(&mut self, kind: &EventKind) {
        let (job, counts): (&JobId, fn(&mut Step)) = match kind {
            EventKind::JobStarted { job, .. } => (job, |step| step.begun += 1),
            EventKind::JobDone { job, .. } => (job, |step| step.done += 1),
            EventKind::JobFailed { job, .. } => (job, |step| step.failed += 1),
            EventKind::JobRejected { job, .. } => (job, |step| step.rejected += 1),
            EventKind::PictureKept { job, .. } => (job, |step| step.kept += 1),
            EventKind::JobInDoubt { job, .. } => (job, |step| step.in_doubt += 1),
            EventKind::JobSkipped { job, .. } => (job, |step| step.skipped += 1),
            _ => return,
        };
        let name = job.as_str().split('[').next().unwrap_or_default();
        let Some(place) = self.by_name.get(name).copied() else { return };
        self.show(place);
        let step = &mut self.steps[place];
        counts(step);
        step.bar.set_position(step.done as u64);
        step.bar.set_message(step.words());
        if self.is_long && step.settled() >= step.shots {
            step.bar.finish_and_clear();
        }
    }

    /// Returns how many pictures a minute came of late, if that says something.
    fn pace(&mut self, now: Duration) -> Option<f64> {
        while self.came.front().is_some_and(|at| now.saturating_sub(*at) > STRETCH) {
            self.came.pop_front();
        }
        let stretch = now.min(STRETCH).as_secs_f64();
        (self.came.len() >= FEWEST && stretch >= 1.0).then(|| self.came.len() as f64 * 60.0 / stretch)
    }

    /// Draws the line of the whole run.
    pub(super) fn foot_again(&mut self, event: &Event) {
        let text = self.foot_words(event);
        self.foot.set_message(text);
    }

    fn foot_words(&mut self, event: &Event) -> String {
        let stats = &event.stats;
        let mut words = vec![format!("{}/{} done", stats.done + stats.reused, stats.total)];
        // Whoever is held up has no pace that says anything.
        if let Some(until) = self.slow_until.filter(|until| *until > event.elapsed) {
            words.push(format!("the provider asks to slow down: {} more", span(until.saturating_sub(event.elapsed))));
        } else if let Some(pace) = self.pace(event.elapsed) {
            let left = (stats.running + stats.waiting) as f64 / pace * 60.0;
            words.push(format!("{pace:.0} a minute, about {} left", span(Duration::from_secs(left.ceil().clamp(0.0, 1e9) as u64))));
        }
        words.extend(spent(stats));
        words.join("; ")
    }
}

/// Returns what is spent and held, of what.
fn spent(stats: &RunStats) -> Option<String> {
    stats.currency.as_ref()?;
    let held = if stats.reserved > Micros::ZERO { format!(" + {} held", stats.reserved) } else { String::new() };
    let cap = stats.cap.map_or(String::new(), |cap| format!(" of {cap}"));
    let before = if stats.spent_before > Micros::ZERO { format!(", {} before", stats.spent_before) } else { String::new() };
    Some(format!("{} spent{held}{cap}{before}", money(stats.spent, stats)))
}

impl Reporter for Bars {
    fn report(&mut self, event: &Event) -> Result<(), ReportError> {
        match &event.kind {
            EventKind::JobDone { .. } => self.came.push_back(event.elapsed),
            EventKind::Throttled { delay, .. } => self.slow_until = Some(event.elapsed + *delay),
            EventKind::RunFinished => {
                self.steps.iter().for_each(|step| step.bar.finish_and_clear());
                self.foot.finish_and_clear();
            }
            _ => {}
        }
        self.count(&event.kind);
        // The line at the foot says that already.
        let is_shown = matches!(event.kind, EventKind::Throttled { .. });
        if let Some(text) = sentence(event, Detail::Normal).filter(|_| !is_shown) {
            self.screen.println(text)?;
        }
        if let Some(text) = self.pauses.trouble(event) {
            self.screen.println(text)?;
        }
        if event.kind != EventKind::RunFinished {
            self.foot_again(event);
        }
        Ok(())
    }
}
