//! Pictures that are looked at: bought anew within the author's count and the caps, kept, and taken for nothing when a threshold changes.

use super::stage::{Stage, Step, chains, credits, outcomes};
use crate::engine::{JobOutcome, RunOutcome};
use crate::ledger::{JobState, Ledger as _};
use crate::plan::{JobIx, Plan, Work};
use crate::store::BlobStore as _;
use crate::types::{Check, CheckKind, Digest, PixelSize};

const CHAIN: [Step; 2] = [Step("hero", true, None), Step("surface", true, Some("hero"))];

/// A plan of chains whose heroes must be so sharp.
fn checked(rows: usize, least: u32, rerolls: u32) -> Plan {
    let mut plan = chains(rows, &CHAIN);
    plan.steps[0].checks = [Check::Sharpness(least)].into();
    plan.steps[0].rerolls = rerolls;
    plan
}

/// The same workspace under other thresholds.
fn under(stage: &mut Stage, least: u32, rerolls: u32) {
    stage.plan = std::sync::Arc::new(checked(stage.plan.steps[0].jobs.len(), least, rerolls));
}

/// No picture of four by four pixels is as sharp as this.
const NEVER: u32 = 10_000_000;

fn hero(stage: &Stage, outcome: &RunOutcome) -> JobOutcome {
    outcome.jobs[stage.plan.indices().next().map_or(0, JobIx::index)].clone()
}

/// What was measured of the pictures of the first hero.
fn figures(stage: &Stage) -> Vec<u32> {
    let judged = stage.ledger.judgements(stage.plan.jobs[0].key).expect("judgements can be read");
    judged.iter().flat_map(|known| &known.findings).map(|finding| finding.value as u32).collect()
}

#[tokio::test(start_paused = true)]
async fn a_picture_that_fails_is_kept_and_bought_anew_as_often_as_the_author_allows() {
    let stage = Stage::new(checked(1, NEVER, 2));
    let outcome = stage.run(|_| {}).await;
    insta::assert_snapshot!(outcomes(&stage.plan, &outcome), @"
    hero[row=0] rejected
    surface[row=0] skipped because of hero[row=0]
    ");
    assert_eq!(stage.submits().len(), 3, "one and two rerolls");
    assert_eq!(stage.money(), (30, 0, 0), "each was paid for");
    assert_eq!(figures(&stage).len(), 3);
    let attempts = stage.ledger.attempts("spring", &[]).expect("attempts can be read");
    assert!(attempts.iter().all(|attempt| attempt.artifact.is_some_and(|artifact| stage.store.contains(artifact.blob.digest))), "all are kept");
    insta::assert_snapshot!(stage.told().iter().filter(|told| !told.starts_with("started")).cloned().collect::<Vec<_>>().join("\n"), @"
    turned down hero[row=0]: sharpness 166111, wanted at least 10000000
    turned down hero[row=0]: sharpness 70459, wanted at least 10000000
    turned down hero[row=0]: sharpness 130668, wanted at least 10000000
    rejected hero[row=0]
    skipped surface[row=0] because hero[row=0]
    ");
    let again = stage.run(|_| {}).await;
    assert_eq!(stage.submits().len(), 3, "no run begins the count anew");
    assert!(matches!(hero(&stage, &again), JobOutcome::Rejected { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_threshold_that_is_lowered_takes_a_kept_picture_and_one_that_is_raised_turns_it_down_for_nothing() {
    let mut stage = Stage::new(checked(1, NEVER, 1));
    stage.run(|_| {}).await;
    let figures = figures(&stage);
    let (best, worst) = (*figures.iter().max().expect("two"), *figures.iter().min().expect("two"));
    under(&mut stage, best, 1);
    assert_eq!(stage.request().work.work(JobIx(0)), Work::Look);
    let outcome = stage.run(|_| {}).await;
    assert!(matches!(hero(&stage, &outcome), JobOutcome::Reused { .. }));
    assert_eq!((stage.submits().len(), stage.money().0), (3, 30), "only the surface was bought, from the kept hero");
    let JobState::Done { artifact, .. } = stage.ledger.load(stage.plan.jobs[0].key).expect("it can be read") else { panic!("in use") };
    let judged = stage.ledger.judgements(stage.plan.jobs[0].key).expect("judgements can be read");
    assert!(judged.iter().any(|known| known.artifact == artifact && known.accepted && known.findings[0].value as u32 == best));
    assert!(worst < best);

    under(&mut stage, best + 1, 1);
    assert_eq!(stage.request().work.work(JobIx(0)), Work::Rejected, "both rerolls were paid before");
    let outcome = stage.run(|_| {}).await;
    assert!(matches!(hero(&stage, &outcome), JobOutcome::Rejected { .. }));
    assert!(matches!(stage.ledger.load(stage.plan.jobs[0].key), Ok(JobState::Rejected { .. })));
    under(&mut stage, best + 1, 2);
    assert_eq!((stage.request().work.work(JobIx(0)), stage.request().work.pictures(JobIx(0))), (Work::Reroll, 1), "one more is allowed now");
    assert_eq!(stage.money().0, 30);
}

#[tokio::test(start_paused = true)]
async fn a_reroll_that_no_cap_pays_waits_and_is_bought_once_one_does() {
    let stage = Stage::new(checked(1, NEVER, 3));
    let capped = |limit| move |request: &mut crate::engine::RunRequest| request.caps[0].limit = Some(credits(limit));
    let outcome = stage.run(capped(25)).await;
    assert_eq!(stage.money(), (20, 0, 0), "a third would hold 12 more");
    assert!(matches!(hero(&stage, &outcome), JobOutcome::Undone(_)), "{:?}", hero(&stage, &outcome));
    assert_eq!(stage.request().work.work(JobIx(0)), Work::Reroll);
    stage.run(capped(100)).await;
    assert_eq!(stage.money(), (40, 0, 0), "one and three rerolls, over two runs");
}

#[tokio::test(start_paused = true)]
async fn a_reroll_that_passes_goes_on_and_a_failed_try_of_it_counts_as_ever() {
    let stage = Stage::new(checked(2, 1, 1));
    stage.provider.plain.lock().unwrap().insert("hero[row=0]".to_owned(), 1);
    stage.provider.will("hero[row=1]", [super::stage::Act::FailLater(super::stage::failure(crate::types::FailureClass::Failed, "501"))]);
    let outcome = stage.run(|request| request.rules.attempts = 2).await;
    insta::assert_snapshot!(outcomes(&stage.plan, &outcome), @"
    hero[row=0] bought at attempt 2 for 10 credits
    hero[row=1] bought at attempt 2 for 10 credits
    surface[row=0] bought at attempt 1 for 10 credits
    surface[row=1] bought at attempt 1 for 10 credits
    ");
    assert_eq!(stage.money().0, 50, "two chains, and one hero twice; the failed try was given back");
}

#[tokio::test(start_paused = true)]
async fn a_picture_whose_look_was_lost_with_the_process_is_looked_at_and_not_bought_anew() {
    let mut stage = Stage::new(chains(1, &CHAIN));
    stage.run(|_| {}).await;
    assert_eq!(stage.money(), (20, 0, 0));
    // As a death between the picture and its judgement leaves it: done, and nobody has measured it.
    under(&mut stage, 1, 1);
    assert_eq!(stage.request().work.work(JobIx(0)), Work::Look);
    let outcome = stage.run(|_| {}).await;
    assert!(matches!(hero(&stage, &outcome), JobOutcome::Reused { .. }), "{:?}", hero(&stage, &outcome));
    assert_eq!((stage.money(), figures(&stage).len()), ((20, 0, 0), 1));
    assert_eq!(stage.request().work.work(JobIx(0)), Work::Reused, "once is enough");
}

/// A task that is taken and then fails, for nothing.
fn fails_later() -> super::stage::Act {
    super::stage::Act::FailLater(super::stage::failure(crate::types::FailureClass::Failed, "501"))
}

#[tokio::test(start_paused = true)]
async fn a_kept_picture_that_fails_another_check_after_its_reroll_failed_is_looked_at_once() {
    let mut stage = Stage::new(checked(1, NEVER, 1));
    stage.provider.will("hero[row=0]", [super::stage::Act::Answer, fails_later()]);
    stage.run(|request| request.rules.attempts = 1).await;
    assert!(matches!(stage.ledger.load(stage.plan.jobs[0].key), Ok(JobState::Failed { .. })));
    let mut plan = Plan::clone(&stage.plan);
    plan.steps[0].checks = [Check::Transparent].into();
    stage.plan = std::sync::Arc::new(plan);
    assert_eq!(stage.request().work.work(JobIx(0)), Work::Look, "nobody has measured that");
    let outcome = tokio::time::timeout(std::time::Duration::from_secs(600), stage.run(|_| {})).await.expect("it comes to an end");
    assert!(matches!(hero(&stage, &outcome), JobOutcome::Rejected { .. }), "{:?}", hero(&stage, &outcome));
    assert_eq!(stage.submits().len(), 3, "the reroll that failed was bought again");
}

#[tokio::test(start_paused = true)]
async fn a_good_picture_that_was_lost_is_replaced_even_if_its_replacement_failed_once() {
    let mut stage = Stage::new(checked(1, 1, 0));
    stage.provider.will("hero[row=0]", [super::stage::Act::Answer, fails_later()]);
    let outcome = stage.run(|_| {}).await;
    assert!(matches!(hero(&stage, &outcome), JobOutcome::Bought { .. }), "it is good");
    stage.store = crate::store::memory::MemoryStore::new();
    assert_eq!((stage.request().work.work(JobIx(0)), stage.request().work.pictures(JobIx(0))), (Work::Lost, 1));
    let outcome = stage.run(|request| request.rules.attempts = 1).await;
    assert!(matches!(hero(&stage, &outcome), JobOutcome::Failed { .. }), "{:?}", hero(&stage, &outcome));
    assert_eq!(stage.request().work.work(JobIx(0)), Work::Again, "no picture was ever turned down");
    let outcome = stage.run(|_| {}).await;
    assert!(matches!(hero(&stage, &outcome), JobOutcome::Bought { .. }), "{:?}", hero(&stage, &outcome));
}

#[tokio::test(start_paused = true)]
async fn a_check_that_is_taken_away_after_a_reroll_failed_takes_what_is_kept() {
    let mut stage = Stage::new(checked(1, NEVER, 1));
    stage.provider.will("hero[row=0]", [super::stage::Act::Answer, fails_later()]);
    stage.run(|request| request.rules.attempts = 1).await;
    let mut plan = Plan::clone(&stage.plan);
    plan.steps[0].checks = [].into();
    stage.plan = std::sync::Arc::new(plan);
    assert_eq!(stage.request().work.work(JobIx(0)), Work::Look);
    let outcome = stage.run(|_| {}).await;
    assert!(matches!(hero(&stage, &outcome), JobOutcome::Reused { .. }), "{:?}", hero(&stage, &outcome));
    assert_eq!(stage.submits().len(), 3, "hero twice, and the surface from what was kept");
}

#[tokio::test(start_paused = true)]
async fn a_picture_that_was_made_here_is_looked_at_though_what_it_was_made_from_is_turned_down() {
    let mut plan = chains(1, &[Step("hero", true, None), Step("cut", false, Some("hero")), Step("surface", true, Some("cut"))]);
    plan.steps[2].checks = [Check::Sharpness(1)].into();
    let mut stage = Stage::new(plan);
    stage.provider.will("surface[row=0]", [fails_later()]);
    stage.run(|request| request.rules.attempts = 1).await;
    let mut plan = Plan::clone(&stage.plan);
    plan.steps[0].checks = [Check::Sharpness(NEVER)].into();
    plan.steps[1].checks = [Check::NotBlank].into();
    stage.plan = std::sync::Arc::new(plan);
    let outcome = stage.run(|_| {}).await;
    insta::assert_snapshot!(outcomes(&stage.plan, &outcome), @"
    hero[row=0] rejected
    cut[row=0] made
    surface[row=0] bought at attempt 2 for 10 credits
    ");
}

#[tokio::test(start_paused = true)]
async fn of_two_that_are_alike_exactly_one_is_turned_down() {
    // All pictures are one tone, so they are alike whatever they show.
    let mut plan = chains(4, &[Step("hero", true, None)]);
    plan.steps[0].checks = [Check::NotDuplicate(["row".into()].into())].into();
    let stage = Stage::new(plan);
    let subjects = (0..4).map(|row| (format!("hero[row={row}]"), 9));
    stage.provider.plain.lock().unwrap().extend(subjects);
    let outcome = stage.run(|request| request.concurrency = 4).await;
    let bought = outcome.jobs.iter().filter(|job| matches!(job, JobOutcome::Bought { .. })).count();
    let rejected = outcome.jobs.iter().filter(|job| matches!(job, JobOutcome::Rejected { .. })).count();
    assert_eq!((bought, rejected), (1, 3));
    let against: Vec<Option<Digest>> = stage
        .plan
        .jobs
        .iter()
        .flat_map(|job| stage.ledger.judgements(job.key).expect("judgements can be read"))
        .filter(|known| !known.accepted)
        .map(|known| known.findings[0].against)
        .collect();
    assert!(against.iter().all(|digest| digest.is_some_and(|digest| stage.store.contains(digest))), "each says which it is like");
}

#[tokio::test(start_paused = true)]
async fn what_the_file_itself_tells_needs_no_look_at_the_picture() {
    let mut plan = chains(1, &[Step("hero", true, None), Step("deliver", false, Some("hero"))]);
    plan.steps[0].checks = [Check::MinSide(8)].into();
    let mut stage = Stage::new(plan);
    let outcome = stage.run(|_| {}).await;
    insta::assert_snapshot!(outcomes(&stage.plan, &outcome), @"
    hero[row=0] rejected
    deliver[row=0] skipped because of hero[row=0]
    ");
    let judged = stage.ledger.judgements(stage.plan.jobs[0].key).expect("judgements can be read");
    assert_eq!((judged[0].findings[0].check, judged[0].findings[0].value), (CheckKind::MinSide, 4));
    assert_eq!(judged[0].artifact.info.size, PixelSize::new(4, 4));
    // A check that was not asked for then is answered from what is known of the file.
    let mut plan = Plan::clone(&stage.plan);
    plan.steps[0].checks = [Check::MinSide(4), Check::MaxBytes(1_000_000)].into();
    stage.plan = std::sync::Arc::new(plan);
    let outcome = stage.run(|_| {}).await;
    insta::assert_snapshot!(outcomes(&stage.plan, &outcome), @"
    hero[row=0] reused
    deliver[row=0] made
    ");
    assert_eq!(stage.money(), (10, 0, 0));
}
