//! The machine's whole table: every state takes every event, and what it decides is legal and moves the job exactly once.

use std::time::Duration;

use super::stage::{credits, terms};
use crate::engine::machine::{Effect, Effort, Ending, JobBrief, JobEvent, Trade, Turn, step};
use crate::engine::{JobPrice, OnDoubt, RunRules};
use crate::ledger::{Artifact, Grant, JobState, Record, Scope};
use crate::provider::ResultRef;
use crate::types::{
    AttemptNo, Billed, BlobRef, Digest, Failure, FailureClass, ImageFormat, ImageInfo, JobId, JobKey, Micros, PixelSize, TaskId, Timestamp,
};

const NOW: Timestamp = Timestamp::from_millis(100_000);

const CLASSES: [FailureClass; 10] = [
    FailureClass::Throttled,
    FailureClass::Transient,
    FailureClass::Ambiguous,
    FailureClass::Failed,
    FailureClass::Refused,
    FailureClass::Invalid,
    FailureClass::Account,
    FailureClass::Maintenance,
    FailureClass::BadResult,
    FailureClass::Local,
];

fn artifact() -> Artifact {
    let info = ImageInfo { format: ImageFormat::Png, size: PixelSize::new(4, 4), alpha: false };
    Artifact { blob: BlobRef { digest: Digest::of(b"picture"), len: 7 }, info }
}

fn failed(class: FailureClass) -> Failure {
    Failure { billed: Billed::Maybe, retry_after: Some(Duration::from_secs(7)), ..Failure::new(class, class.as_str(), "") }
}

fn states() -> Vec<(&'static str, JobState)> {
    let (attempt, reserved) = (AttemptNo(1), credits(12));
    let submitting = |deadline| JobState::Submitting { attempt, reserved: reserved.clone(), deadline: Timestamp::from_millis(deadline) };
    vec![
        ("untried", JobState::Untried),
        ("submitting", submitting(400_000)),
        ("past deadline", submitting(99_000)),
        ("running", JobState::Running { attempt, reserved: reserved.clone(), task: TaskId::new("t"), since: Timestamp::from_millis(97_500) }),
        ("failed", JobState::Failed { attempt, failure: failed(FailureClass::Failed) }),
        ("in doubt", JobState::InDoubt { attempt, reserved, failure: failed(FailureClass::Ambiguous) }),
        ("done", JobState::Done { attempt: Some(attempt), artifact: artifact() }),
        ("made", JobState::Done { attempt: None, artifact: artifact() }),
    ]
}

fn events() -> Vec<(String, JobEvent)> {
    let results = vec![ResultRef("r".to_owned())];
    let over = Grant::OverCap { scope: Scope("s".to_owned()), limit: Micros::units(1), committed: Micros::units(1) };
    let mut events = vec![
        ("begin".to_owned(), JobEvent::Begin),
        ("granted".to_owned(), JobEvent::Granted),
        ("wait 5 s".to_owned(), JobEvent::NotGranted(Grant::Wait { until: NOW.after(Duration::from_secs(5)) })),
        ("no place".to_owned(), JobEvent::NotGranted(Grant::Full)),
        ("over cap".to_owned(), JobEvent::NotGranted(over)),
        ("taken".to_owned(), JobEvent::NotGranted(Grant::Taken(JobState::Untried))),
        ("accepted".to_owned(), JobEvent::Accepted(TaskId::new("t"))),
        ("still running".to_owned(), JobEvent::StillRunning),
        ("ready".to_owned(), JobEvent::Ready { results, charged: None }),
        ("ready, no result".to_owned(), JobEvent::Ready { results: Vec::new(), charged: None }),
        ("fetched".to_owned(), JobEvent::Fetched { artifact: artifact(), charged: Some(Micros::units(9)) }),
        ("local made".to_owned(), JobEvent::LocalMade(artifact())),
        ("local failed".to_owned(), JobEvent::LocalFailed(failed(FailureClass::Local))),
    ];
    for class in CLASSES {
        events.push((format!("submit: {}", class.as_str()), JobEvent::SubmitFailed(failed(class))));
        events.push((format!("task: {}", class.as_str()), JobEvent::TaskFailed(failed(class))));
        events.push((format!("poll: {}", class.as_str()), JobEvent::PollFailed(failed(class))));
        events.push((format!("fetch: {}", class.as_str()), JobEvent::FetchFailed { failure: failed(class), charged: None }));
        events.push((format!("delivery: {}", class.as_str()), JobEvent::DeliveryBroke { failure: failed(class), charged: None }));
    }
    events
}

/// What may differ between two decisions about one state and event.
#[derive(Debug, Clone, Copy)]
struct Setting {
    paid: bool,
    lost: bool,
    closed: bool,
    attempts: u32,
    fetches: u32,
    on_doubt: OnDoubt,
    idempotent: bool,
    alone: bool,
    checked: bool,
}

const PLAIN: Setting = Setting {
    paid: true,
    lost: false,
    closed: false,
    attempts: 1,
    fetches: 3,
    on_doubt: OnDoubt::Hold,
    idempotent: false,
    alone: false,
    checked: false,
};

fn decide(state: &JobState, event: JobEvent, setting: Setting, effort: Effort) -> Turn {
    decide_at(state, event, setting, effort, Timestamp::from_millis(0))
}

/// Decides while the account may not submit before a moment.
fn decide_at(state: &JobState, event: JobEvent, setting: Setting, effort: Effort, not_before: Timestamp) -> Turn {
    let terms = crate::engine::ProviderTerms { idempotent: setting.idempotent, ..terms() };
    decide_with(&terms, state, event, setting, effort, not_before)
}

fn decide_under(terms: &crate::engine::ProviderTerms, state: &JobState, event: JobEvent, setting: Setting, effort: Effort) -> Turn {
    decide_with(terms, state, event, setting, effort, Timestamp::from_millis(0))
}

fn decide_with(
    terms: &crate::engine::ProviderTerms,
    state: &JobState,
    event: JobEvent,
    setting: Setting,
    effort: Effort,
    not_before: Timestamp,
) -> Turn {
    let price = JobPrice { quoted: credits(10), reserved: credits(12), unpriced: false };
    let rules =
        RunRules { attempts: setting.attempts, fetches: setting.fetches, on_doubt: setting.on_doubt, alone: setting.alone, ..RunRules::default() };
    let brief = JobBrief {
        job: &JobId::new("hero"),
        key: &JobKey(Digest::of(b"hero")),
        trade: if setting.paid { Trade::Paid(&price) } else { Trade::Local },
        terms,
        rules: &rules,
        ruling: None,
        checked: setting.checked,
        lost: setting.lost,
        key_is_old: false,
        closed: setting.closed,
        not_before,
        effort,
        usual: None,
    };
    step(state, event, &brief, NOW)
}

fn moves(effect: &Effect) -> bool {
    !matches!(effect, Effect::Tell(_) | Effect::HoldSubmits { .. } | Effect::StopCampaign(_))
}

fn words(turn: &Turn) -> String {
    let record = |record: &Record| match record {
        Record::Done { charged, settled, .. } => format!("+done {charged}{}", if *settled { " (provider's figure)" } else { "" }),
        Record::Failed { charged, refunded, .. } => format!("+failed charged {charged} back {refunded}"),
        Record::Settled { charged, refunded, .. } => format!("+settled charged {charged} back {refunded}"),
        other => format!("+{}", other.name()),
    };
    let effect = |effect: &Effect| match effect {
        Effect::Tell(_) | Effect::HoldSubmits { .. } => None,
        Effect::StopCampaign(_) => Some("stop campaign".to_owned()),
        Effect::Ask { attempt } => Some(format!("ask for attempt {attempt}")),
        Effect::Submit { attempt } => Some(format!("submit attempt {attempt}")),
        Effect::Poll { .. } => Some("poll".to_owned()),
        Effect::Fetch { .. } => Some("fetch".to_owned()),
        Effect::Judge { .. } => Some("judge".to_owned()),
        Effect::MakeLocal => Some("make".to_owned()),
        Effect::Again { after, queue } => Some(format!("again in {}ms to {queue:?}", after.as_millis())),
        Effect::Finish(ending) => Some(format!("end {}", ending_word(ending))),
    };
    turn.append.iter().map(record).chain(turn.then.iter().filter_map(effect)).collect::<Vec<_>>().join(", ")
}

fn ending_word(ending: &Ending) -> &'static str {
    match ending {
        Ending::Bought { .. } => "bought",
        Ending::Made(_) => "made",
        Ending::There(_) => "there",
        Ending::Failed { .. } => "failed",
        Ending::Rejected { .. } => "rejected",
        Ending::InDoubt(_) => "in doubt",
        Ending::StillRunning => "still running",
        Ending::Closed => "closed",
        Ending::OverCap { .. } => "over cap",
    }
}

#[test]
fn an_intent_that_a_dead_run_left_is_doubt_at_once_for_who_holds_the_workspace() {
    let (_, submitting) = states().remove(1);
    let waits = decide(&submitting, JobEvent::Begin, PLAIN, Effort::default());
    assert_eq!(words(&waits), "again in 300000ms to Answer");
    let judges = decide(&submitting, JobEvent::Begin, Setting { alone: true, ..PLAIN }, Effort::default());
    assert_eq!(words(&judges), "+in-doubt, end in doubt");
}

#[test]
fn a_picture_that_does_not_come_whole_is_not_bought_again_while_the_provider_keeps_it() {
    let running = states().into_iter().map(|(_, state)| state).find(|state| matches!(state, JobState::Running { .. })).expect("one is running");
    let JobState::Running { since, .. } = &running else { unreachable!("it was looked for") };
    let age = NOW.since(*since);
    let broke = || JobEvent::FetchFailed { failure: failed(FailureClass::BadResult), charged: None };
    let setting = Setting { attempts: 2, ..PLAIN };
    let worn_out = Effort { fetches: setting.fetches, ..Effort::default() };
    let under = |keeps| decide_under(&crate::engine::ProviderTerms { keeps, ..terms() }, &running, broke(), setting, worn_out);
    let kept = under(Some(age + Duration::from_secs(1)));
    assert_eq!(words(&kept), "end still running");
    assert!(matches!(kept.then[0], Effect::Tell(crate::engine::turn::Notice::Kept { .. })), "it is told why: {kept:?}");
    for keeps in [Some(age), None] {
        assert!(words(&under(keeps)).starts_with("+failed charged"), "{}", words(&under(keeps)));
    }
}

#[test]
fn a_request_that_is_repeated_under_its_key_waits_as_long_as_the_account_is_told_to() {
    let setting = Setting { idempotent: true, alone: true, ..PLAIN };
    for (name, state) in [states().remove(1), states().remove(5)] {
        // Told while it was repeated: everybody waits, the repeated request as well.
        let told = decide(&state, JobEvent::SubmitFailed(failed(FailureClass::Throttled)), setting, Effort { resends: 1, ..Effort::default() });
        let until = NOW.after(Duration::from_secs(7));
        assert!(told.then.contains(&Effect::HoldSubmits { until }), "{name}: {told:?}");
        let waits = decide_at(&state, JobEvent::Begin, setting, Effort::default(), until);
        assert_eq!(words(&waits), "again in 7000ms to Submit", "{name}");
        assert_eq!(words(&decide(&state, JobEvent::Begin, setting, Effort::default())), "submit attempt 1", "{name}");
    }
}

#[test]
fn a_request_that_another_process_may_still_be_sending_is_not_repeated() {
    let setting = Setting { idempotent: true, ..PLAIN };
    let told = |at: usize| words(&decide(&states().remove(at).1, JobEvent::Begin, setting, Effort::default()));
    assert_eq!(told(1), "again in 300000ms to Answer");
    assert_eq!(told(2), "submit attempt 1", "past the deadline nobody is sending");
}

#[test]
fn what_the_provider_says_about_waiting_holds_for_all_even_when_this_shot_has_waited_long_enough() {
    let (_, submitting) = states().remove(1);
    let effort = Effort { troubles: 9, trouble_since: Some(Timestamp::from_millis(-900_000)), ..Effort::default() };
    let turn = decide(&submitting, JobEvent::SubmitFailed(failed(FailureClass::Throttled)), PLAIN, effort);
    assert_eq!(words(&turn), "+failed charged 0 back 12, end failed");
    assert!(turn.then.contains(&Effect::HoldSubmits { until: NOW.after(Duration::from_secs(7)) }), "{turn:?}");
}

#[test]
fn every_state_takes_every_event_legally_and_moves_the_job_once() {
    let flags = [false, true];
    let mut decisions = 0;
    for paid in flags {
        for (lost, closed, idempotent) in [(false, false, false), (true, false, false), (false, true, false), (false, false, true)] {
            for (attempts, fetches, on_doubt) in [(1, 3, OnDoubt::Hold), (3, 1, OnDoubt::Resend)] {
                let setting = Setting { paid, lost, closed, attempts, fetches, on_doubt, idempotent, alone: false, checked: false };
                for (name, state) in states() {
                    for (event_name, event) in events() {
                        let turn = decide(&state, event, setting, Effort::default());
                        let what = format!("{name} + {event_name} under {setting:?}: {turn:?}");
                        assert_eq!(turn.then.iter().filter(|effect| moves(effect)).count(), 1, "{what}");
                        assert!(turn.then.last().is_some_and(moves), "{what}");
                        let mut after = state.clone();
                        for record in &turn.append {
                            after = after.next(record, NOW).unwrap_or_else(|error| panic!("{what}: {error}"));
                        }
                        // Nothing is ever sent from a state that may already have been charged, except under the same key.
                        let risky = matches!(after, JobState::Submitting { .. } | JobState::Running { .. } | JobState::InDoubt { .. });
                        let asks = turn.then.iter().any(|effect| matches!(effect, Effect::Ask { .. }));
                        assert!(!(risky && asks), "{what}");
                        decisions += 1;
                    }
                }
            }
        }
    }
    assert_eq!(decisions, 2 * 4 * 2 * 8 * 63);
}

#[test]
fn money_is_never_invented_by_a_decision() {
    for (name, state) in states() {
        for (event_name, event) in events() {
            let turn = decide(&state, event, PLAIN, Effort::default());
            for record in &turn.append {
                if let Record::Failed { charged, refunded, .. } = record {
                    let sum = charged.checked_add(*refunded).unwrap();
                    assert!(sum <= Micros::units(12) && *charged <= Micros::units(10), "{name} + {event_name}: {record:?}");
                }
            }
        }
    }
}

#[test]
fn what_a_failure_costs_where_it_is_not_said() {
    use crate::provider::manifest::{ChargePolicy, ChargedOn, Known};
    let said = [("maybe", Billed::Maybe), ("no", Billed::No), ("7", Billed::Yes(Micros::units(7))), ("15", Billed::Yes(Micros::units(15)))];
    let mut table = String::new();
    for (on, known) in
        [(ChargedOn::Submit, Known::Yes), (ChargedOn::Submit, Known::No), (ChargedOn::Submit, Known::Unknown), (ChargedOn::Success, Known::Unknown)]
    {
        // One word for both: refunds given means refusals not charged.
        let moderation_charged = match known {
            Known::Yes => Known::No,
            Known::No => Known::Yes,
            Known::Unknown => Known::Unknown,
        };
        let charge = ChargePolicy { on, refund_on_failure: known, moderation_charged, ambiguous_on_timeout: true };
        let terms = crate::engine::ProviderTerms { charge, ..terms() };
        table.push_str(&format!("on {on:?}, given back: {known:?}\n").to_lowercase());
        for (word, billed) in said {
            let cost = |state: usize, event: fn(Failure) -> JobEvent, class| {
                let (_, state) = states().remove(state);
                let turn = decide_under(&terms, &state, event(Failure { billed, ..failed(class) }), PLAIN, Effort::default());
                match turn.append.as_slice() {
                    [Record::Failed { charged, failure, .. }] => {
                        let open = if failure.billed == Billed::Maybe { " (open)" } else { "" };
                        format!("{charged}{open}")
                    }
                    other => panic!("{other:?}"),
                }
            };
            let never_accepted = cost(1, JobEvent::SubmitFailed, FailureClass::Invalid);
            let accepted = cost(3, JobEvent::TaskFailed, FailureClass::Failed);
            let refused = cost(1, JobEvent::SubmitFailed, FailureClass::Refused);
            table.push_str(&format!("    said {word:<5} not accepted {never_accepted}, failed {accepted}, refused {refused}\n"));
        }
    }
    insta::assert_snapshot!(table, @r"
    on submit, given back: yes
        said maybe not accepted 0, failed 0, refused 0
        said no    not accepted 0, failed 0, refused 0
        said 7     not accepted 7, failed 7, refused 7
        said 15    not accepted 15, failed 15, refused 15
    on submit, given back: no
        said maybe not accepted 0, failed 10, refused 10
        said no    not accepted 0, failed 0, refused 0
        said 7     not accepted 7, failed 7, refused 7
        said 15    not accepted 15, failed 15, refused 15
    on submit, given back: unknown
        said maybe not accepted 0, failed 10 (open), refused 10 (open)
        said no    not accepted 0, failed 0, refused 0
        said 7     not accepted 7, failed 7, refused 7
        said 15    not accepted 15, failed 15, refused 15
    on success, given back: unknown
        said maybe not accepted 0, failed 0, refused 0
        said no    not accepted 0, failed 0, refused 0
        said 7     not accepted 7, failed 7, refused 7
        said 15    not accepted 15, failed 15, refused 15
    ");
}

#[test]
fn the_table_of_a_paid_shot() {
    // Events that are decided alike in every state stand on one line, and so do states.
    let mut rows: Vec<(Vec<String>, String)> = Vec::new();
    for (event_name, event) in events() {
        let mut decided: Vec<(Vec<&str>, String)> = Vec::new();
        for (name, state) in states() {
            let text = words(&decide(&state, event.clone(), PLAIN, Effort::default()));
            match decided.iter_mut().find(|(_, known)| *known == text) {
                Some((names, _)) => names.push(name),
                None => decided.push((vec![name], text)),
            }
        }
        decided.sort_by_key(|(_, text)| text == "again in 20ms to Look");
        let body: String = decided.iter().map(|(names, text)| format!("    {}: {text}\n", names.join(", "))).collect();
        match rows.iter_mut().find(|(_, known)| *known == body) {
            Some((names, _)) => names.push(event_name),
            None => rows.push((vec![event_name], body)),
        }
    }
    let table: String = rows.iter().map(|(names, body)| format!("{}\n{body}", names.join(" | "))).collect();
    insta::assert_snapshot!(table, @r"
    begin
        untried: ask for attempt 1
        submitting: again in 300000ms to Answer
        past deadline: +in-doubt, end in doubt
        running: poll
        failed: ask for attempt 2
        in doubt: end in doubt
        done, made: end there
    granted
        submitting, past deadline: submit attempt 1
        untried, running, failed, in doubt, done, made: again in 20ms to Look
    wait 5 s
        untried, submitting, past deadline, running, failed, in doubt, done, made: again in 5000ms to Submit
    no place
        untried, submitting, past deadline, running, failed, in doubt, done, made: again in 250ms to Submit
    over cap
        untried, submitting, past deadline, running, failed, in doubt, done, made: end over cap
    taken
        untried, submitting, past deadline, running, failed, in doubt, done, made: again in 20ms to Look
    accepted
        submitting, past deadline, in doubt: +accepted, again in 1000ms to Poll
        untried, running, failed, done, made: again in 20ms to Look
    still running
        running: again in 1000ms to Poll
        untried, submitting, past deadline, failed, in doubt, done, made: again in 20ms to Look
    ready
        running: fetch
        untried, submitting, past deadline, failed, in doubt, done, made: again in 20ms to Look
    ready, no result
        running: again in 467ms to Fetch
        untried, submitting, past deadline, failed, in doubt, done, made: again in 20ms to Look
    fetched
        submitting, past deadline, running, in doubt: +done 9 credits (provider's figure), end bought
        untried, failed, done, made: again in 20ms to Look
    local made
        untried, made: +made, end made
        submitting, past deadline, running, failed, in doubt, done: end made
    local failed
        untried, submitting, past deadline, running, failed, in doubt, done, made: end failed
    submit: throttled | submit: transient | submit: maintenance
        submitting, past deadline: +failed charged 0 back 12, again in 7000ms to Retry
        in doubt: end in doubt
        untried, running, failed, done, made: again in 20ms to Look
    task: throttled | task: transient | task: ambiguous | task: failed | poll: failed | task: invalid | task: maintenance | task: bad-result | task: local
        running: +failed charged 0 back 12, end failed
        untried, submitting, past deadline, failed, in doubt, done, made: again in 20ms to Look
    poll: throttled | poll: transient | poll: ambiguous | poll: invalid | poll: maintenance | poll: bad-result | poll: local
        running: again in 7000ms to Poll
        untried, submitting, past deadline, failed, in doubt, done, made: again in 20ms to Look
    fetch: throttled | fetch: transient | fetch: ambiguous | fetch: failed | fetch: refused | fetch: invalid | fetch: account | fetch: maintenance | fetch: bad-result
        running: again in 7000ms to Fetch
        untried, submitting, past deadline, failed, in doubt, done, made: again in 20ms to Look
    delivery: throttled | delivery: transient | delivery: ambiguous | delivery: failed | delivery: refused | delivery: invalid | delivery: account | delivery: maintenance | delivery: bad-result | delivery: local
        submitting, past deadline: +failed charged 10 back 2, end failed
        untried, running, failed, in doubt, done, made: again in 20ms to Look
    submit: ambiguous | submit: bad-result
        submitting, past deadline: +in-doubt, end in doubt
        in doubt: end in doubt
        untried, running, failed, done, made: again in 20ms to Look
    submit: failed
        submitting, past deadline, in doubt: +failed charged 0 back 12, end failed
        untried, running, failed, done, made: again in 20ms to Look
    submit: refused
        submitting, past deadline, in doubt: +failed charged 10 back 2, end failed
        untried, running, failed, done, made: again in 20ms to Look
    task: refused | poll: refused
        running: +failed charged 10 back 2, end failed
        untried, submitting, past deadline, failed, in doubt, done, made: again in 20ms to Look
    submit: invalid | submit: local
        submitting, past deadline: +failed charged 0 back 12, end failed
        in doubt: end in doubt
        untried, running, failed, done, made: again in 20ms to Look
    submit: account
        submitting, past deadline: +failed charged 0 back 12, stop campaign, end failed
        in doubt: stop campaign, end in doubt
        untried, running, failed, done, made: again in 20ms to Look
    task: account
        running: +failed charged 0 back 12, stop campaign, end failed
        untried, submitting, past deadline, failed, in doubt, done, made: again in 20ms to Look
    poll: account
        running: stop campaign, end still running
        untried, submitting, past deadline, failed, in doubt, done, made: again in 20ms to Look
    fetch: local
        running: end still running
        untried, submitting, past deadline, failed, in doubt, done, made: again in 20ms to Look
    ");
}
