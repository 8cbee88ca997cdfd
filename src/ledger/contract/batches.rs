//! Batches: which tries are in which, and what the provider calls it.

use super::*;
use crate::types::{Clock, TaskId};

pub(super) async fn a_batch_is_noted_before_it_is_asked_for_and_its_id_holds_for_all_its_shots(stage: Stage) {
    let of = |job: &str, attempt| stage.ledger.batch_of(key(job), AttemptNo(attempt)).expect("batches can be read");
    assert_eq!(of("hero", 1), None);
    let batch = |name: &str, shots: &[(&str, u32)]| NewBatch {
        name: name.to_owned(),
        run: run("r1"),
        shots: shots.iter().map(|(job, attempt)| (key(job), AttemptNo(*attempt))).collect(),
    };
    stage.ledger.note_sending(batch("r1.1", &[("hero", 1), ("side", 1)])).await.expect("noted");
    let noted = BatchNote { name: "r1.1".to_owned(), run: run("r1"), at: stage.clock.now(), batch: None };
    assert_eq!([of("hero", 1), of("side", 1), of("hero", 2)], [Some(noted.clone()), Some(noted.clone()), None]);

    stage.clock.advance(Duration::from_secs(60));
    stage.ledger.note_sending(batch("r1.1", &[("hero", 1)])).await.expect("the same again is harmless");
    stage.ledger.note_sending(batch("r1.2", &[("hero", 2)])).await.expect("noted");
    stage.ledger.note_batch("r1.1", TaskId::new("batch_a")).await.expect("noted");
    stage.ledger.note_batch("r1.1", TaskId::new("batch_b")).await.expect("the first word stands");
    stage.ledger.note_batch("nobody", TaskId::new("batch_c")).await.expect("a name that is not there has no shots");
    let made = Some(BatchNote { batch: Some(TaskId::new("batch_a")), ..noted });
    assert_eq!([of("hero", 1), of("side", 1)], [made.clone(), made]);
    assert_eq!(of("hero", 2).map(|note| (note.name, note.batch)), Some(("r1.2".to_owned(), None)), "another try, another batch");
    assert_eq!(stage.ledger.last_seq().expect("the ledger can be read"), 0, "it is no record about a shot");
}
