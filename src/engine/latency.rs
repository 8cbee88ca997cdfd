//! How long tasks take, as this run has seen it, and when to ask after one accordingly.
//!
//! ```text
//! nothing learned   ─▶ the manifest's curve
//! learned           ─▶ first at half the usual time, then every tenth of it, and more rarely with age;
//!                      never earlier than the curve's start, never more often than its quickest step
//! ```
//!
//! In: the ages at which tasks were found finished. Out: the usual time, the next wait.
//! Never: a clock, a question. What one task has taught holds for all of its kind.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::provider::manifest::PollCurve;
use crate::types::{Action, Paid};

/// Tasks that must have ended before what they took is believed.
const ENOUGH: usize = 5;

/// Tasks that are remembered of each kind: a service that gets slower or faster is followed.
const REMEMBERED: usize = 48;

/// A part of the usual time, or of a task's age if that is more, that lies between two questions.
const PART: u32 = 10;

/// Tasks that may take equally long: of one model and action, in one size and quality.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Kind {
    model: Arc<str>,
    action: Action,
    resolution: Option<Arc<str>>,
    quality: Option<Arc<str>>,
}

impl Kind {
    fn of(paid: &Paid) -> Self {
        let text = |text: Option<&str>| text.map(Arc::from);
        let (resolution, quality) = (text(paid.settings.resolution.as_deref()), text(paid.settings.quality.as_deref()));
        Self { model: Arc::clone(&paid.model), action: paid.action, resolution, quality }
    }
}

/// What was learned in a run.
#[derive(Debug, Default)]
pub(super) struct Latencies(HashMap<Kind, Recent>);

#[derive(Debug, Default)]
struct Recent {
    took: VecDeque<Duration>,
    usual: Option<Duration>,
}

impl Latencies {
    /// Returns half of what tasks of this kind take longer than, once enough have ended.
    pub(super) fn usual(&self, paid: &Paid) -> Option<Duration> {
        self.0.get(&Kind::of(paid)).and_then(|recent| recent.usual)
    }

    /// A task of this kind was found finished at this age.
    pub(super) fn finished(&mut self, paid: &Paid, age: Duration, curve: &PollCurve) {
        let recent = self.0.entry(Kind::of(paid)).or_default();
        // It ended between the last two questions. Before the first one anything is possible.
        let (first, step) = match recent.usual {
            Some(usual) => (first(curve, usual), step(curve, usual, age)),
            None => (curve.start.0, curve.wait(age).unwrap_or_default()),
        };
        let before = if age <= first + step / 2 { age / 4 } else { step / 2 };
        recent.took.push_back(age.saturating_sub(before));
        if recent.took.len() > REMEMBERED {
            recent.took.pop_front();
        }
        if recent.took.len() >= ENOUGH {
            let mut sorted: Vec<Duration> = recent.took.iter().copied().collect();
            sorted.sort_unstable();
            recent.usual = sorted.get(sorted.len() / 2).copied();
        }
    }
}

/// Returns how long to wait before the next question about a task of this age, of a kind that usually takes so long.
pub(super) fn wait(curve: &PollCurve, usual: Duration, age: Duration) -> Duration {
    let first = first(curve, usual);
    let wait = if age < first { first.saturating_sub(age) } else { step(curve, usual, age) };
    // Who is about to give up asks once more first.
    if age < curve.deadline.0 { wait.min(curve.deadline.0.saturating_sub(age)) } else { wait }
}

fn first(curve: &PollCurve, usual: Duration) -> Duration {
    (usual / 2).max(curve.start.0)
}

fn step(curve: &PollCurve, usual: Duration, age: Duration) -> Duration {
    let quickest = curve.steps.iter().map(|step| step.every.0).min().unwrap_or(curve.start.0);
    (usual.max(age) / PART).max(quickest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::manifest::builtin;
    use crate::types::Settings;

    fn curve() -> PollCurve {
        builtin("kie").and_then(|manifest| manifest.poll).expect("a curve in the manifest")
    }

    fn paid(resolution: &str) -> Paid {
        let settings = Settings { resolution: Some(resolution.into()), ..Settings::default() };
        Paid { provider: "kie".into(), model: "gpt-image-2".into(), action: Action::Generate, settings }
    }

    /// Asks after a task that takes so long; returns its age when it is found finished, and how often it was asked after.
    fn watched(latencies: &mut Latencies, kind: &Paid, takes: Duration) -> (Duration, usize) {
        let curve = curve();
        let next = |latencies: &Latencies, age| match latencies.usual(kind) {
            Some(usual) => wait(&curve, usual, age),
            None => curve.wait(age).expect("it is young"),
        };
        let (mut age, mut asked) = (next(latencies, Duration::ZERO), 1);
        while age < takes {
            age += next(latencies, age);
            asked += 1;
        }
        latencies.finished(kind, age, &curve);
        (age, asked)
    }

    #[test]
    fn once_learned_a_task_is_asked_after_from_half_its_usual_time_and_found_soon_after_its_end() {
        let mut latencies = Latencies::default();
        let kind = paid("1K");
        let takes = Duration::from_secs(60);
        let unlearned = watched(&mut latencies, &kind, takes);
        (0..ENOUGH).for_each(|_| {
            watched(&mut latencies, &kind, takes);
        });
        let usual = latencies.usual(&kind).expect("enough have ended");
        assert!(usual.abs_diff(takes) <= takes / PART, "{usual:?}");
        let (age, asked) = watched(&mut latencies, &kind, takes);
        assert!(asked <= 8 && asked < unlearned.1, "asked {asked} times, before {} times", unlearned.1);
        assert!(age - takes <= takes / PART, "found at {age:?}");
        assert_eq!(wait(&curve(), usual, Duration::ZERO), usual / 2);
    }

    #[test]
    fn a_service_that_gets_faster_is_followed_down_although_it_is_first_asked_late() {
        let mut latencies = Latencies::default();
        let kind = paid("1K");
        (0..100).for_each(|_| {
            watched(&mut latencies, &kind, Duration::from_secs(300));
        });
        (0..200).for_each(|_| {
            watched(&mut latencies, &kind, Duration::from_secs(20));
        });
        let usual = latencies.usual(&kind).expect("enough have ended");
        assert!(usual < Duration::from_secs(24), "{usual:?}");
    }

    #[test]
    fn the_manifest_bounds_how_early_and_how_often() {
        let curve = curve();
        let quick = Duration::from_secs(2);
        assert_eq!(wait(&curve, quick, Duration::ZERO), Duration::from_secs(3), "the curve's start");
        assert_eq!(wait(&curve, quick, Duration::from_secs(5)), Duration::from_secs(3), "the curve's quickest step");
        assert_eq!(wait(&curve, Duration::from_secs(3600), Duration::from_secs(60)), Duration::from_secs(840), "its deadline");
        let old = Duration::from_secs(600);
        assert_eq!(wait(&curve, quick, old), old / PART, "more rarely with age");
    }

    #[test]
    fn sizes_are_learned_apart_and_a_few_tasks_teach_nothing() {
        let mut latencies = Latencies::default();
        for _ in 0..ENOUGH - 1 {
            watched(&mut latencies, &paid("1K"), Duration::from_secs(9));
        }
        assert_eq!(latencies.usual(&paid("1K")), None);
        watched(&mut latencies, &paid("1K"), Duration::from_secs(9));
        assert!(latencies.usual(&paid("1K")).is_some() && latencies.usual(&paid("4K")).is_none());
    }
}
