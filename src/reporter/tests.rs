use std::sync::{Arc, Mutex};
use std::time::Duration;

use indicatif::{InMemoryTerm, ProgressDrawTarget};

use super::{Bars, Detail, Fanout, JsonLines, Plain, ReportError, Reporter, StepShots};
use crate::event::{Event, EventKind, Picture, RunStats};
use crate::types::{
    Amount, AttemptNo, BlobRef, Currency, Digest, Failure, FailureClass, ImageFormat, ImageInfo, JobId, Micros, PixelSize, RunId, Timestamp,
};

fn event(millis: u64, done: usize, kind: EventKind) -> Event {
    let stats = RunStats {
        total: 20,
        done,
        running: 2,
        waiting: 18 - done.min(18),
        spent: Micros::units(10 * done as i64),
        reserved: Micros::units(24),
        cap: Some(Micros::units(300)),
        currency: Some(Currency::credits("kie")),
        ..RunStats::default()
    };
    Event { at: Timestamp::from_millis(1_795_340_700_000 + millis as i64), elapsed: Duration::from_millis(millis), stats, kind }
}

fn done(job: &str) -> EventKind {
    let info = ImageInfo { format: ImageFormat::Png, size: PixelSize::new(1024, 1536), alpha: false };
    let picture = Picture { blob: BlobRef { digest: Digest::of(b"picture"), len: 7 }, info };
    EventKind::JobDone { job: JobId::new(job), picture, charged: Some(Amount::new(Currency::credits("kie"), Micros::units(10))) }
}

fn failed() -> EventKind {
    let failure = Failure::new(FailureClass::Refused, "moderation_blocked", "no \u{1b}[31mbags\u{1b}[0m\nplease");
    EventKind::JobFailed { job: JobId::new("hero[sku=bag]"), attempt: Some(AttemptNo(1)), failure }
}

fn started() -> EventKind {
    EventKind::RunStarted { run: RunId::new("r1"), campaign: "spring".into() }
}

fn written(detail: Detail, events: &[Event]) -> String {
    let mut out = Vec::new();
    let mut plain = Plain::new(&mut out, detail);
    for event in events {
        plain.report(event).unwrap();
    }
    String::from_utf8(out).unwrap()
}

fn a_run() -> Vec<Event> {
    let mut events = vec![event(0, 0, started())];
    events.extend((1..=9).map(|n| event(n * 400, n as usize, done(&format!("hero[sku={n}]")))));
    events.push(event(4_000, 9, failed()));
    events.push(event(65_000, 20, EventKind::RunFinished));
    events
}

#[test]
fn a_log_gets_a_line_for_every_tenth_and_every_failure() {
    insta::assert_snapshot!(written(Detail::Normal, &a_run()), @r"
    run r1 of `spring`: 20 shots, 0 there already
    2/20 done, 2 under way; 20 credits spent, 24 credits held, cap 300 credits; 800ms
    4/20 done, 2 under way; 40 credits spent, 24 credits held, cap 300 credits; 1.6s
    6/20 done, 2 under way; 60 credits spent, 24 credits held, cap 300 credits; 2.4s
    8/20 done, 2 under way; 80 credits spent, 24 credits held, cap 300 credits; 3.2s
    failed `hero[sku=bag]` at attempt 1: refused by moderation (moderation_blocked): no \u{1b}[31mbags\u{1b}[0m\nplease; nothing charged
    20/20 done, 2 under way; 200 credits spent, 24 credits held, cap 300 credits; 1m 05s
    ");
}

/// Plays events on a terminal of this many columns and returns what stands on it before and after the last of them.
fn drawn(columns: u16, steps: &[(&str, usize, usize)], events: &[Event]) -> [String; 2] {
    let terminal = InMemoryTerm::new(20, columns);
    let steps: Vec<StepShots> =
        steps.iter().map(|(name, shots, there)| StepShots { name: (*name).to_owned(), shots: *shots, there: *there }).collect();
    let mut bars = Bars::new(ProgressDrawTarget::term_like(Box::new(terminal.clone())), usize::from(columns), &steps);
    let (last, before) = events.split_last().expect("there are events");
    for event in before {
        bars.report(event).unwrap();
    }
    // What is drawn at most 20 times a second is drawn in the end.
    std::thread::sleep(Duration::from_millis(60));
    bars.foot_again(before.last().expect("more than one"));
    let during = terminal.contents();
    bars.report(last).unwrap();
    [during, terminal.contents()]
}

fn begun(job: &str) -> EventKind {
    EventKind::JobStarted { job: JobId::new(job), paid: true }
}

fn a_run_of_two_steps() -> Vec<Event> {
    let mut events = vec![event(0, 0, started())];
    events.extend((1..=6).map(|n| event(n * 1_500, n as usize - 1, begun(&format!("hero[sku={n}]")))));
    events.extend((1..=4).map(|n| event(12_000 + n * 1_000, n as usize, done(&format!("hero[sku={n}]")))));
    events.push(event(17_000, 4, failed()));
    events.push(event(18_000, 4, EventKind::Throttled { job: JobId::new("hero"), delay: Duration::from_secs(9) }));
    events.push(event(65_000, 20, EventKind::RunFinished));
    events
}

#[test]
fn a_terminal_has_a_bar_for_each_step_and_a_line_for_the_whole_and_both_are_gone_in_the_end() {
    for columns in [80, 140] {
        let [during, after] = drawn(columns, &[("hero", 8, 1), ("surface", 12, 0)], &a_run_of_two_steps());
        insta::assert_snapshot!(format!("bars_{columns}"), format!("{during}\n--- in the end\n{after}"));
        assert!(during.lines().all(|line| line.chars().count() <= usize::from(columns)));
    }
}

#[test]
fn of_many_steps_only_those_under_way_are_drawn() {
    let names: Vec<String> = (0..30).map(|n| format!("step-{n}")).collect();
    let steps: Vec<(&str, usize, usize)> = names.iter().map(|name| (name.as_str(), 1, 0)).collect();
    let events = [
        event(0, 0, started()),
        event(10, 0, begun("step-3")),
        event(20, 0, begun("step-1")),
        event(30, 1, done("step-3")),
        event(40, 1, EventKind::RunFinished),
    ];
    let [during, _] = drawn(80, &steps, &events);
    assert!(during.contains("step-1 ") && !during.contains("step-2 ") && !during.contains("step-3 "), "{during}");
}

#[test]
fn what_was_turned_down_or_left_to_fetch_is_under_way_no_more() {
    let job = JobId::new;
    let kept =
        EventKind::PictureKept { job: job("hero[sku=2]"), attempt: AttemptNo(1), failure: Failure::new(FailureClass::Transient, "503", "gone") };
    let events = [
        event(0, 0, started()),
        event(10, 0, begun("hero[sku=1]")),
        event(10, 0, begun("hero[sku=2]")),
        event(10, 0, begun("hero[sku=3]")),
        event(20, 0, EventKind::JobRejected { job: job("hero[sku=1]"), attempt: Some(AttemptNo(1)) }),
        event(30, 0, kept),
        event(40, 0, EventKind::RunFinished),
    ];
    let [during, _] = drawn(120, &[("hero", 3, 0)], &events);
    assert!(during.contains("1 under way, 1 rejected, 1 left to fetch"), "{during}");
}

#[test]
fn quiet_tells_failures_and_the_end_and_verbose_tells_every_shot() {
    assert_eq!(written(Detail::Quiet, &a_run()).lines().count(), 2);
    assert_eq!(written(Detail::Verbose, &a_run()).lines().filter(|line| line.starts_with("done `")).count(), 9);
}

#[test]
fn a_thousand_throttled_shots_are_one_note() {
    let throttled = |n: u64| event(n, 0, EventKind::Throttled { job: JobId::new("hero"), delay: Duration::from_secs(10) });
    let text = written(Detail::Normal, &(0..1000).map(throttled).collect::<Vec<_>>());
    assert_eq!(text, "the provider asks to slow down: waiting 10.0s\n");
}

#[test]
fn json_events_are_one_versioned_object_a_line() {
    let mut out = Vec::new();
    let mut json = JsonLines::new(&mut out);
    for event in [event(0, 0, started()), event(400, 1, done("hero[sku=1]")), event(900, 1, failed())] {
        json.report(&event).unwrap();
    }
    insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r#"
    {"v":1,"at":"2026-11-22T09:45:00.000Z","elapsed_ms":0,"event":"run-started","run":"r1","campaign":"spring","stats":{"total":20,"done":0,"reused":0,"failed":0,"skipped":0,"in_doubt":0,"undone":0,"running":2,"waiting":18,"spent":"0","reserved":"24","doubted":"0","spent_before":"0","cap":"300","currency":"credits:kie"}}
    {"v":1,"at":"2026-11-22T09:45:00.400Z","elapsed_ms":400,"event":"job-done","job":"hero[sku=1]","picture":{"digest":"6ddc26847ce3ddbfd79789e13d64673369b8d82dd58e26f563537c7035ed0f4e","bytes":7,"format":"png","width":1024,"height":1536},"charged":{"currency":"credits:kie","amount":"10"},"stats":{"total":20,"done":1,"reused":0,"failed":0,"skipped":0,"in_doubt":0,"undone":0,"running":2,"waiting":17,"spent":"10","reserved":"24","doubted":"0","spent_before":"0","cap":"300","currency":"credits:kie"}}
    {"v":1,"at":"2026-11-22T09:45:00.900Z","elapsed_ms":900,"event":"job-failed","job":"hero[sku=bag]","attempt":1,"failure":{"class":"refused","code":"moderation_blocked","message":"no \u001b[31mbags\u001b[0m\nplease","billed":"no"},"stats":{"total":20,"done":1,"reused":0,"failed":0,"skipped":0,"in_doubt":0,"undone":0,"running":2,"waiting":17,"spent":"10","reserved":"24","doubted":"0","spent_before":"0","cap":"300","currency":"credits:kie"}}
    "#);
}

#[test]
fn json_on_a_terminal_cannot_drive_it_and_reads_back_equal() {
    let said = "\u{9b}31m \u{202e}live \u{e0041} 茶";
    let failure = Failure::new(FailureClass::Failed, "501", said);
    let mut out = Vec::new();
    let kind = EventKind::JobFailed { job: JobId::new("hero"), attempt: None, failure };
    JsonLines::new(&mut out).report(&event(0, 0, kind)).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(text.contains(r"\u009b31m \u202elive \udb40\udc41 茶"), "{text}");
    let read: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(read["failure"]["message"], said);
}

struct Breaks(usize);

impl Reporter for Breaks {
    fn report(&mut self, _: &Event) -> Result<(), ReportError> {
        self.0 = self.0.checked_sub(1).ok_or_else(|| std::io::Error::from(std::io::ErrorKind::BrokenPipe))?;
        Ok(())
    }
}

struct Counts(Arc<Mutex<usize>>);

impl Reporter for Counts {
    fn report(&mut self, _: &Event) -> Result<(), ReportError> {
        *self.0.lock().unwrap() += 1;
        Ok(())
    }
}

#[test]
fn a_reporter_that_fails_is_dropped_and_noted_and_the_others_go_on() {
    let count = Arc::new(Mutex::new(0));
    let mut fanout = Fanout::default().with("json", Box::new(Breaks(2))).with("count", Box::new(Counts(Arc::clone(&count))));
    for event in a_run() {
        fanout.tell(&event);
    }
    assert_eq!(*count.lock().unwrap(), 12);
    let notes: Vec<&str> = fanout.dropped().iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(notes, ["json"]);
}
