use super::*;
use crate::imaging::verify;
use crate::provider::{InputPicture, PictureSource, Slate};
use crate::types::{AttemptNo, BlobRef, Digest, IdempotencyKey, JobKey, ManualClock, Micros, Paid, Settings};
use futures_util::StreamExt;

struct Shelf(Vec<Vec<u8>>);

impl PictureSource for Shelf {
    fn open(&self, blob: BlobRef) -> BoxFuture<'_, Result<Vec<u8>, Failure>> {
        let found = self.0.iter().find(|bytes| Digest::of(bytes) == blob.digest).cloned();
        Box::pin(async move { found.ok_or_else(|| Failure::new(FailureClass::Local, "missing", "not on the shelf")) })
    }
}

fn shot(job: &str, attempt: u32) -> Shot {
    Shot {
        key: JobKey(Digest::of(job.as_bytes())),
        attempt: AttemptNo(attempt),
        idempotency_key: IdempotencyKey::new("k"),
        paid: Arc::new(Paid { provider: "kie".into(), model: "m".into(), action: Action::Generate, settings: Settings::default() }),
        prompt: "A red teapot on a pale oak tabletop".into(),
        inputs: Vec::new(),
        output: PixelSize::new(48, 60),
        slate: Slate {
            campaign: "spring-drop".to_owned(),
            step: "hero".to_owned(),
            axes: vec![("sku".to_owned(), job.to_owned())],
            take: None,
            subject: "A red teapot".to_owned(),
        },
        pictures: Arc::new(Shelf(Vec::new())),
    }
}

fn simulator(options: &str) -> (Simulator, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_000_000)));
    (Simulator::new(options.parse().expect("options"), clock.clone()), clock)
}

fn accepted(submitted: Result<Submitted, Failure>) -> TaskId {
    match submitted {
        Ok(Submitted::Task(task)) => task,
        Ok(Submitted::Picture { .. } | Submitted::Arriving { .. }) => panic!("the simulator answers with a task"),
        Err(failure) => panic!("{failure:?}"),
    }
}

async fn bytes(sim: &Simulator, shot: &Shot, task: &TaskId) -> Vec<u8> {
    let mut stream = sim.fetch(shot, task, &ResultRef(format!("{task}/1"))).await.expect("a picture");
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        bytes.extend(chunk.expect("a chunk"));
    }
    bytes
}

async fn bought(sim: &Simulator, shot: &Shot) -> Vec<u8> {
    let task = accepted(sim.submit(shot).await);
    assert!(matches!(sim.poll(shot, &task).await, Ok(Polled::Ready { charged: None, .. })));
    bytes(sim, shot, &task).await
}

#[tokio::test]
async fn the_same_job_and_attempt_give_the_same_bytes_and_another_attempt_others() {
    let picture = bought(&simulator("").0, &shot("teapot", 1)).await;
    assert_eq!(picture, bought(&simulator("").0, &shot("teapot", 1)).await);
    assert_ne!(picture, bought(&simulator("").0, &shot("teapot", 2)).await);
    assert_ne!(picture, bought(&simulator("").0, &shot("mug", 1)).await);
    assert_ne!(picture, bought(&simulator("seed=9").0, &shot("teapot", 1)).await);
}

#[tokio::test]
async fn a_picture_has_the_promised_size_and_says_that_it_is_a_rehearsal() {
    let picture = bought(&simulator("").0, &shot("teapot", 1)).await;
    let info = verify(&picture, &Limits::default()).expect("whole");
    assert_eq!((info.format, info.size, info.alpha), (ImageFormat::Png, PixelSize::new(48, 60), false));
    let told = texts(&picture);
    assert!(told.contains(&("callsheet".to_owned(), "rehearsal".to_owned())), "{told:?}");
    assert!(told.iter().any(|(name, text)| name == LOOK && text.starts_with("teapot")), "{told:?}");
}

#[tokio::test]
async fn format_background_and_size_are_honoured() {
    let with = |settings: Settings| Shot { paid: Arc::new(Paid { settings, ..(*shot("a", 1).paid).clone() }), ..shot("a", 1) };
    let (sim, _) = simulator("size=33x21");
    let jpeg = bought(&sim, &with(Settings { format: Some(ImageFormat::Jpeg), ..Settings::default() })).await;
    let info = verify(&jpeg, &Limits::default()).expect("whole");
    assert_eq!((info.format, info.size), (ImageFormat::Jpeg, PixelSize::new(33, 21)));
    let clear = bought(&sim, &with(Settings { background: Some("transparent".into()), ..Settings::default() })).await;
    assert!(decode(&clear, &Limits::default()).expect("whole").is_transparent());
}

#[tokio::test]
async fn an_edit_reads_its_input_and_keeps_its_subject() {
    let (sim, _) = simulator("");
    let first = bought(&sim, &shot("teapot", 1)).await;
    let blob = BlobRef { digest: Digest::of(&first), len: first.len() as u64 };
    let info = verify(&first, &Limits::default()).expect("whole");
    let paid = Arc::new(Paid { action: Action::Edit, ..(*shot("x", 1).paid).clone() });
    let inputs = vec![InputPicture { role: InputRole::Image, blob, info }];
    let edit = Shot { paid, inputs, prompt: "washed linen".into(), pictures: Arc::new(Shelf(vec![first])), ..shot("mug", 1) };
    let second = bought(&sim, &edit).await;
    let look = texts(&second).into_iter().find(|(name, _)| name == LOOK).expect("a look").1;
    assert!(look.starts_with("teapot") && look.contains("linen"), "{look}");
    let gone = Shot { pictures: Arc::new(Shelf(Vec::new())), ..edit };
    let task = accepted(sim.submit(&gone).await);
    assert_eq!(sim.fetch(&gone, &task, &ResultRef(String::new())).await.err().map(|failure| failure.class), Some(FailureClass::Local));
}

#[tokio::test]
async fn a_task_survives_a_restart_and_belongs_to_one_job() {
    let (before, _) = simulator("latency=10s");
    let task = accepted(before.submit(&shot("teapot", 1)).await);
    assert_eq!(before.poll(&shot("teapot", 1), &task).await, Ok(Polled::Running));
    let (after, clock) = simulator("latency=10s");
    clock.advance(Duration::from_secs(40));
    assert!(matches!(after.poll(&shot("teapot", 1), &task).await, Ok(Polled::Ready { .. })));
    for strange in [task.as_str(), "sim-1-1-00", "task-7", ""] {
        let failure = after.poll(&shot("mug", 1), &TaskId::new(strange)).await.expect_err("not a task of this job");
        assert_eq!((failure.class, failure.code.as_str()), (FailureClass::Invalid, "unknown_task"));
    }
}

#[test]
fn latency_lies_around_its_median() {
    let (sim, _) = simulator("latency=2s");
    let mut spans: Vec<Duration> = (0..400).map(|job| sim.latency(&shot(&job.to_string(), 1))).collect();
    spans.sort();
    assert!(spans[0] >= Duration::from_millis(500) && spans[399] <= Duration::from_secs(8));
    assert!((Duration::from_millis(1700)..Duration::from_millis(2300)).contains(&spans[200]), "{:?}", spans[200]);
}

#[tokio::test]
async fn failures_come_at_their_rate_and_the_same_ones_each_time() {
    let failed = async |seed: u32| -> Vec<u32> {
        let (sim, _) = simulator(&format!("fail=0.2,refund=no,seed={seed}"));
        let mut failed = Vec::new();
        for job in 0..500 {
            let shot = shot(&job.to_string(), 1);
            let task = accepted(sim.submit(&shot).await);
            if let Ok(Polled::Failed(failure)) = sim.poll(&shot, &task).await {
                assert_eq!((failure.class, failure.billed), (FailureClass::Failed, Billed::Maybe));
                failed.push(job);
            }
        }
        failed
    };
    let first = failed(1).await;
    assert!((70..130).contains(&first.len()), "{}", first.len());
    assert_eq!(first, failed(1).await);
    assert_ne!(first, failed(2).await);
}

#[tokio::test]
async fn a_throttled_submit_goes_through_when_it_is_sent_again() {
    let (sim, _) = simulator("throttle=1");
    let failure = sim.submit(&shot("teapot", 1)).await.err().expect("throttled");
    assert_eq!((failure.class, failure.billed), (FailureClass::Throttled, Billed::No));
    assert!(failure.retry_after.is_some());
    accepted(sim.submit(&shot("teapot", 1)).await);
}

#[tokio::test]
async fn a_refusal_meets_every_attempt_and_a_lost_answer_may_have_cost() {
    let (sim, _) = simulator("refuse=1");
    for attempt in 1..4 {
        assert_eq!(sim.submit(&shot("teapot", attempt)).await.err().map(|failure| failure.class), Some(FailureClass::Refused));
    }
    let (sim, _) = simulator("lose=1");
    let failure = sim.submit(&shot("teapot", 1)).await.err().expect("lost");
    assert_eq!((failure.class, failure.billed), (FailureClass::Ambiguous, Billed::Maybe));
    accepted(sim.submit(&shot("teapot", 1)).await);
}

#[tokio::test]
async fn a_corrupt_file_is_cut_off_once_and_whole_the_next_time() {
    let (sim, _) = simulator("corrupt=1");
    let task = accepted(sim.submit(&shot("teapot", 1)).await);
    assert!(verify(&bytes(&sim, &shot("teapot", 1), &task).await, &Limits::default()).is_err());
    assert!(verify(&bytes(&sim, &shot("teapot", 1), &task).await, &Limits::default()).is_ok());
}

#[tokio::test]
async fn an_account_pays_each_try_once_and_is_refused_when_it_is_empty() {
    let (sim, _) = simulator("balance=11,fail=1");
    let kie = || crate::types::Currency::credits("kie");
    let sim = sim.with_account(kie(), Arc::new(|_| Some(Micros::units(4))));
    let left = async || sim.balance().await.expect("it tells").expect("it has an account").to_string();
    assert_eq!(left().await, "11 credits");
    let task = accepted(sim.submit(&shot("teapot", 1)).await);
    assert_eq!(accepted(sim.submit(&shot("teapot", 1)).await), task, "the same try is not paid twice");
    accepted(sim.submit(&shot("mug", 1)).await);
    assert_eq!(left().await, "3 credits");
    let refused = sim.submit(&shot("vase", 1)).await.err().expect("there is not enough");
    assert_eq!((refused.class, refused.billed), (FailureClass::Account, Billed::No));
    // A failure that is given back is given back once, however often it is asked after.
    for _ in 0..3 {
        assert!(matches!(sim.poll(&shot("teapot", 1), &task).await, Ok(Polled::Failed(_))));
    }
    assert_eq!(left().await, "7 credits");
    accepted(sim.submit(&shot("vase", 1)).await);

    assert_eq!(simulator("").0.with_account(kie(), Arc::new(|_| None)).balance().await, Ok(None), "nobody was told of a balance");
}
