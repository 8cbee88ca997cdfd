//! Random histories: both ledgers give the same answers, and the sums are the fold of the records at every point.

use std::time::Duration;

use proptest::prelude::*;

use super::stage::{Stage, accepted, cap, done, doubt, failed, intent, judged, key, picture, run, settled};
use crate::ledger::fold::{Folded, fold};
use crate::ledger::*;

/// Something that happens to a ledger.
#[derive(Debug, Clone)]
enum Move {
    Submit { job: u8, attempt: u32, price: i64, places: Option<u32>, window: Option<u32>, run: u8 },
    Append { job: u8, records: Vec<Record> },
    Pass { millis: u64 },
}

const CAP: i64 = 20;

fn record() -> impl Strategy<Value = Record> {
    let attempt = 1..4_u32;
    prop_oneof![
        3 => (attempt.clone(), "t[12]").prop_map(|(attempt, task)| accepted(attempt, &task)),
        3 => (attempt.clone(), 0..4_i64).prop_map(|(attempt, charged)| done(attempt, charged)),
        2 => (attempt.clone(), 0..3_i64).prop_map(|(attempt, charged)| failed(attempt, charged, 1)),
        2 => attempt.clone().prop_map(doubt),
        2 => (attempt.clone(), any::<bool>()).prop_map(|(attempt, accepted)| judged(attempt, accepted)),
        2 => (attempt, 0..3_i64).prop_map(|(attempt, charged)| settled(attempt, charged, 2)),
        1 => (1..3_u32).prop_map(|n| Record::Made { job: crate::types::JobId::new("local"), artifact: picture(n) }),
    ]
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let submit = (0..5_u8, 1..4_u32, 3..7_i64, proptest::option::of(1..4_u32), proptest::option::of(1..3_u32), 0..2_u8)
        .prop_map(|(job, attempt, price, places, window, run)| Move::Submit { job, attempt, price, places, window, run });
    let append = (0..5_u8, proptest::collection::vec(record(), 0..3)).prop_map(|(job, records)| Move::Append { job, records });
    let pass = prop_oneof![1..3_000_u64, 60_000..1_000_000_u64].prop_map(|millis| Move::Pass { millis });
    proptest::collection::vec(prop_oneof![4 => submit, 4 => append, 1 => pass], 1..60)
}

/// Plays one move and tells the answer as text, so that two ledgers can be compared.
async fn play(stage: &Stage, step: &Move) -> String {
    match step.clone() {
        Move::Submit { job, attempt, price, places, window, run: of } => {
            let mut ask = intent(&job.to_string(), attempt);
            ask.run = run(if of == 0 { "r1" } else { "r2" });
            ask.reserved = super::credits(price);
            ask.limits.places = places;
            ask.limits.windows = window.map(|count| RateWindow { count, span: Duration::from_secs(1) }).into_iter().collect();
            ask.caps = vec![cap("campaign:spring", Some(CAP)), cap(&format!("step:{}", job % 2), None)];
            format!("{:?}", stage.ledger.begin_submit(ask).await)
        }
        Move::Append { job, records } => format!("{:?}", stage.ledger.append(run("r1"), key(&job.to_string()), records, None).await),
        Move::Pass { millis } => {
            stage.clock.advance(Duration::from_millis(millis));
            String::new()
        }
    }
}

/// No charge here is above a reservation (at most 3 credits of at least 3), so the cap is never passed.
fn within_cap(stage: &Stage) -> bool {
    stage.money().is_none_or(|money| money.spent.get() + money.reserved.get() + money.in_doubt.get() <= crate::types::Micros::units(CAP).get())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn two_ledgers_answer_alike_and_keep_the_sums_of_their_records(moves in moves()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime can be built");
        runtime.block_on(async {
            let (memory, disk) = (Stage::in_memory(), Stage::on_disk());
            for step in &moves {
                prop_assert_eq!(play(&memory, step).await, play(&disk, step).await, "{:?}", step);
            }
            prop_assert_eq!(memory.ledger.entries(), disk.ledger.entries());
            memory.sums_equal_the_fold();
            disk.sums_equal_the_fold();
            Ok(())
        })?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn any_prefix_folds_and_no_cap_is_passed_on_the_way(moves in moves()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime can be built");
        let stage = Stage::in_memory();
        for step in &moves {
            runtime.block_on(play(&stage, step));
            prop_assert!(within_cap(&stage), "{:?} after {:?}", stage.money(), step);
        }
        let entries = stage.ledger.entries();
        let mut grown = Folded::default();
        for (taken, entry) in entries.iter().enumerate() {
            prop_assert_eq!(&fold(&entries[..taken]).expect("a prefix is legal"), &grown);
            grown.take(entry).expect("a written record is legal");
        }
    }

    #[test]
    fn a_fold_that_refuses_an_entry_has_not_taken_it(moves in moves(), cut in any::<prop::sample::Index>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime can be built");
        let stage = Stage::in_memory();
        for step in &moves {
            runtime.block_on(play(&stage, step));
        }
        let mut entries = stage.ledger.entries();
        prop_assume!(!entries.is_empty());
        entries.remove(cut.index(entries.len()));
        let mut folded = Folded::default();
        for entry in &entries {
            let before = folded.clone();
            if folded.take(entry).is_err() {
                prop_assert_eq!(&folded, &before);
            }
        }
    }
}
