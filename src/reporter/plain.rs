//! Calm lines for people, on stderr.
//!
//! On a terminal one line of progress is rewritten at most once a second; elsewhere every tenth of the work is a line.
//! Failures, doubt and limits are always told. Nothing is told by colour alone; there is none.

use std::io::Write;
use std::time::Duration;

use super::escape::Line;
use super::{ReportError, Reporter};
use crate::event::{Event, EventKind, RunStats};
use crate::types::{Amount, Billed, Failure, FailureClass, Micros};

/// How much is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// Failures and the end.
    Quiet,
    /// Progress too.
    Normal,
    /// Every shot and every retry.
    Verbose,
}

/// What is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surface {
    /// A terminal of this many columns: the line of progress is rewritten.
    Terminal {
        /// Its width in columns.
        columns: usize,
    },
    /// A file, a pipe or a CI log: lines are only added.
    Log,
}

/// The reporter for people.
pub struct Plain<W> {
    out: W,
    detail: Detail,
    surface: Surface,
    /// When the line of progress was last written.
    drawn: Option<Duration>,
    /// Whether the cursor stands at the end of a line of progress.
    open_line: bool,
    /// The last tenth told to a log.
    tenth: usize,
    throttle_told: Option<Duration>,
    trouble_told: Option<Duration>,
}

/// Least time between two lines of progress, and between two notes about throttling.
const PACE: Duration = Duration::from_secs(1);

/// Least time between two notes about a service that is not there.
const TROUBLE: Duration = Duration::from_secs(60);

impl<W: Write> Plain<W> {
    /// Writes to `out`.
    pub fn new(out: W, detail: Detail, surface: Surface) -> Self {
        Self { out, detail, surface, drawn: None, open_line: false, tenth: 0, throttle_told: None, trouble_told: None }
    }

    /// Writes a line of its own, above the line of progress.
    fn line(&mut self, text: &str) -> Result<(), ReportError> {
        if std::mem::take(&mut self.open_line) {
            self.out.write_all(b"\r\x1b[K")?;
        }
        writeln!(self.out, "{text}")?;
        Ok(())
    }

    fn progress(&mut self, event: &Event) -> Result<(), ReportError> {
        if self.detail == Detail::Quiet {
            return Ok(());
        }
        let stats = &event.stats;
        match self.surface {
            Surface::Terminal { columns } => {
                if self.drawn.is_some_and(|drawn| event.elapsed.saturating_sub(drawn) < PACE) {
                    return Ok(());
                }
                self.drawn = Some(event.elapsed);
                self.open_line = true;
                let text: String = progress_line(stats, event.elapsed).chars().take(columns.saturating_sub(1)).collect();
                write!(self.out, "\r\x1b[K{text}")?;
                self.out.flush()?;
            }
            Surface::Log => {
                let tenth = (stats.settled() * 10).checked_div(stats.total).unwrap_or(0);
                if tenth > self.tenth && tenth < 10 {
                    self.tenth = tenth;
                    self.line(&progress_line(stats, event.elapsed))?;
                }
            }
        }
        Ok(())
    }
}

impl<W: Write + Send> Reporter for Plain<W> {
    fn report(&mut self, event: &Event) -> Result<(), ReportError> {
        if let EventKind::Throttled { .. } = event.kind {
            // A thousand shots that are told to wait are one fact.
            let told = self.throttle_told.is_some_and(|told| event.elapsed.saturating_sub(told) < PACE * 10);
            if told && self.detail != Detail::Verbose {
                return Ok(());
            }
            self.throttle_told = Some(event.elapsed);
        }
        if let EventKind::AttemptFailedWillRetry { failure, .. } = &event.kind
            && self.detail == Detail::Normal
            && matches!(failure.class, FailureClass::Transient | FailureClass::Maintenance)
            && self.trouble_told.is_none_or(|told| event.elapsed.saturating_sub(told) >= TROUBLE)
        {
            // Whoever waits for a service that is down should know what for.
            self.trouble_told = Some(event.elapsed);
            self.line(&format!("waiting and trying again: {}", said(failure)))?;
            self.out.flush()?;
        }
        if let EventKind::RunStarted { .. } = event.kind {
            self.tenth = (event.stats.settled() * 10).checked_div(event.stats.total).unwrap_or(0);
        }
        if let Some(text) = sentence(event, self.detail) {
            self.line(&text)?;
            self.out.flush()?;
        }
        if event.kind == EventKind::RunFinished { Ok(()) } else { self.progress(event) }
    }
}

/// Returns what is said about an event, if anything.
fn sentence(event: &Event, detail: Detail) -> Option<String> {
    let verbose = detail == Detail::Verbose;
    let stats = &event.stats;
    match &event.kind {
        EventKind::RunStarted { run, campaign } => {
            (detail > Detail::Quiet).then(|| format!("run {run} of `{}`: {}, {} there already", Line(campaign), shots(stats.total), stats.reused))
        }
        EventKind::JobStarted { .. } => None,
        EventKind::JobDone { job, picture, charged } => verbose.then(|| {
            let unknown = if stats.unpriced > 0 { "no charge known" } else { "free" };
            let cost = charged.as_ref().map_or(unknown.to_owned(), Amount::to_string);
            format!("done `{}`: {} {}, {cost}", Line(job.as_str()), picture.info.size, picture.info.format)
        }),
        EventKind::JobFailed { job, attempt, failure } => {
            let tries = attempt.map_or(String::new(), |attempt| format!(" at attempt {attempt}"));
            Some(format!("failed `{}`{tries}: {}; {}", Line(job.as_str()), said(failure), cost_of(failure, stats)))
        }
        EventKind::AttemptFailedWillRetry { job, attempt, failure, delay } => {
            verbose.then(|| format!("attempt {attempt} of `{}`: {}; once more in {}", Line(job.as_str()), said(failure), span(*delay)))
        }
        EventKind::PictureKept { job, failure, .. } => {
            Some(format!("paid and kept `{}`: its picture did not come ({}); the next run fetches it for nothing", Line(job.as_str()), said(failure)))
        }
        EventKind::JobSkipped { job, because } => {
            verbose.then(|| format!("skipped `{}`: it needs `{}`, which has no picture", Line(job.as_str()), Line(because.as_str())))
        }
        EventKind::JobInDoubt { job, failure } => Some(format!(
            "in doubt `{}`: {}; nobody knows whether it was charged, so it counts as spent and is not sent again",
            Line(job.as_str()),
            said(failure)
        )),
        EventKind::Throttled { delay, .. } => (detail > Detail::Quiet).then(|| format!("the provider asks to slow down: waiting {}", span(*delay))),
        EventKind::CapReached { scope, limit, committed } => Some(format!(
            "the cap of {} for `{}` is reached ({} are spent, held or in doubt): no further shots that do not fit",
            money(*limit, stats),
            Line(scope),
            money(*committed, stats)
        )),
        EventKind::TooManyFailures { limit } => {
            let failures = if *limit == 1 { "1 shot has failed".to_owned() } else { format!("{limit} shots have failed") };
            Some(format!("{failures}: no new submits, what is paid is finished"))
        }
        EventKind::TooManyDoubts { rounds } => {
            Some(format!("{rounds} rounds of requests in a row got no clear answer: no new submits, what is paid is finished"))
        }
        EventKind::AccountRefused { failure } => Some(format!("the account was refused: {}; no new submits, what is paid is kept", said(failure))),
        EventKind::Cancelling => Some(
            "stopping: no new submits, what is paid is finished, for 2 minutes or as long as an answer takes; once more to leave at once".to_owned(),
        ),
        EventKind::RunFinished => Some(progress_line(stats, event.elapsed)),
    }
}

fn progress_line(stats: &RunStats, elapsed: Duration) -> String {
    let mut line = format!("{}/{} done", stats.done + stats.reused, stats.total);
    let mut tell = |count: usize, word: &str| {
        if count > 0 {
            line.push_str(&format!(", {count} {word}"));
        }
    };
    tell(stats.running, "under way");
    tell(stats.failed, "failed");
    tell(stats.in_doubt, "in doubt");
    tell(stats.skipped, "skipped");
    tell(stats.undone, "left undone");
    if stats.currency.is_some() {
        line.push_str(&format!("; {} spent", money(stats.spent, stats)));
        if stats.reserved > Micros::ZERO {
            line.push_str(&format!(", {} held", money(stats.reserved, stats)));
        }
        if let Some(cap) = stats.cap {
            line.push_str(&format!(", cap {}", money(cap, stats)));
        }
        if stats.unpriced > 0 {
            line.push_str(&format!(", {} without a price in no sum", shots(stats.unpriced)));
        }
    }
    line.push_str(&format!("; {}", span(elapsed)));
    line
}

fn shots(count: usize) -> String {
    if count == 1 { "1 shot".to_owned() } else { format!("{count} shots") }
}

fn money(micros: Micros, stats: &RunStats) -> String {
    match &stats.currency {
        Some(currency) => Amount::new(currency.clone(), micros).to_string(),
        None => micros.to_string(),
    }
}

fn said(failure: &Failure) -> String {
    format!("{} ({}): {}", class_words(failure.class), Line(&failure.code), Line(&failure.message))
}

fn cost_of(failure: &Failure, stats: &RunStats) -> String {
    match failure.billed {
        Billed::No => "nothing charged".to_owned(),
        Billed::Maybe => "it may have been charged, so it counts as spent".to_owned(),
        Billed::Yes(figure) => format!("{} charged", money(figure, stats)),
    }
}

fn class_words(class: FailureClass) -> &'static str {
    match class {
        FailureClass::Throttled => "over the rate",
        FailureClass::Transient => "broken before acceptance",
        FailureClass::Ambiguous => "no clear answer",
        FailureClass::Failed => "failed at the provider",
        FailureClass::Refused => "refused by moderation",
        FailureClass::Invalid => "refused as malformed",
        FailureClass::Account => "account refused",
        FailureClass::Maintenance => "down for maintenance",
        FailureClass::BadResult => "not a whole picture",
        FailureClass::Local => "on our side",
    }
}

/// Returns a span as people read it: `420ms`, `4.2s`, `3m 20s`, `1h 05m`.
fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0 => format!("{}ms", span.as_millis()),
        1..=59 => format!("{seconds}.{}s", span.subsec_millis() / 100),
        60..=3599 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3600, seconds / 60 % 60),
    }
}
