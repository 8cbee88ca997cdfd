//! Who makes the pictures: one attempt at a time, no retry, no limit, no price, no ledger.
//!
//! In: a [`Shot`]. Out: a task, a picture as bytes, or a classed [`Failure`].
//! Never: the plan, the ledger, a decision to try again.

mod account;
pub mod http;
pub mod kie;
mod lint;
pub mod manifest;
pub mod sim;

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::Stream;
use futures_util::future::BoxFuture;
use tokio::sync::oneshot;

pub use account::Tariff;

use crate::types::{
    Amount, AttemptNo, BlobRef, Failure, FailureClass, IdempotencyKey, ImageInfo, InputRole, JobKey, Micros, Paid, PixelSize, RunId, TaskId,
};

/// Bytes of a picture as they come; an error ends the stream.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Vec<u8>, Failure>> + Send>>;

/// A picture that goes along with a request.
#[derive(Debug, Clone)]
pub struct InputPicture {
    /// What it is to the request.
    pub role: InputRole,
    /// Where its bytes are.
    pub blob: BlobRef,
    /// What it is.
    pub info: ImageInfo,
}

/// Opens pictures for a provider that must send or draw them.
pub trait PictureSource: Send + Sync {
    /// Returns the bytes of a stored picture.
    fn open(&self, blob: BlobRef) -> BoxFuture<'_, Result<Vec<u8>, Failure>>;

    /// Returns a stored mask as a PNG in black and white: what was transparent is white where `hole_is_white`, else black.
    fn open_mask(&self, _: BlobRef, _: bool) -> BoxFuture<'_, Result<Vec<u8>, Failure>> {
        Box::pin(async { Err(Failure::new(FailureClass::Local, "mask", "masks cannot be redrawn here")) })
    }
}

/// What the shot is about, for a rehearsal's drawing and for traces; a real provider sends none of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slate {
    /// The campaign.
    pub campaign: String,
    /// The step.
    pub step: String,
    /// Axis names and value keys.
    pub axes: Vec<(String, String)>,
    /// Which take, if the step has takes.
    pub take: Option<u32>,
    /// First words of the prompt's subject.
    pub subject: String,
}

/// One paid try, fully determined.
#[derive(Clone)]
pub struct Shot {
    /// Identity of the job.
    pub key: JobKey,
    /// Which try.
    pub attempt: AttemptNo,
    /// Sent along where the provider honours it.
    pub idempotency_key: IdempotencyKey,
    /// Provider, model, action, settings.
    pub paid: Arc<Paid>,
    /// The rendered prompt; empty for actions without one.
    pub prompt: Arc<str>,
    /// Pictures that go along, in the order of the plan.
    pub inputs: Vec<InputPicture>,
    /// Size that the model card promises for the result.
    pub output: PixelSize,
    /// What it is about, for people.
    pub slate: Slate,
    /// Where the inputs' bytes come from.
    pub pictures: Arc<dyn PictureSource>,
}

/// What a submit brought.
pub enum Submitted {
    /// Accepted: poll this.
    Task(TaskId),
    /// The answer is the picture itself; nothing can be fetched again later.
    Picture {
        /// Its bytes.
        bytes: ByteStream,
        /// The provider's own figure, in the currency of the book.
        charged: Option<Micros>,
    },
    /// The answer holds the picture and is still on its way; nothing can be fetched again later.
    Arriving {
        /// The bytes of the picture, which end when the whole answer has ended; an error if it has not ended well.
        bytes: ByteStream,
        /// What the whole answer says, told before the end of the bytes; nothing if they were not taken to their end.
        verdict: oneshot::Receiver<Verdict>,
    },
}

/// What an answer says once all of it is there: the provider's own figure for the picture in it, in the currency of the book, or why it
/// counts for nothing.
pub type Verdict = Result<Option<Micros>, Failure>;

/// What a poll brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Polled {
    /// Not yet.
    Running,
    /// Ready to be fetched.
    Ready {
        /// Where the pictures are; usually one.
        results: Vec<ResultRef>,
        /// The provider's own figure, in the currency of the book.
        charged: Option<Micros>,
    },
    /// Ended without a picture.
    Failed(Failure),
}

/// The provider's address of a finished picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultRef(pub String);

/// Where batches are noted before and after they are asked for. Durable when a future returns `Ok`.
pub trait Logbook: Send + Sync {
    /// Notes that a batch of this name, with these tries, is about to be asked for.
    fn sending<'a>(&'a self, name: &'a str, shots: Vec<(JobKey, AttemptNo)>) -> BoxFuture<'a, Result<(), String>>;

    /// Notes what the provider calls it.
    fn made<'a>(&'a self, name: &'a str, batch: &'a TaskId) -> BoxFuture<'a, Result<(), String>>;
}

/// What a run has for providers that send shots together.
#[derive(Clone)]
pub struct BatchDesk {
    /// The run; batches are named after it.
    pub run: RunId,
    /// Where they are noted.
    pub logbook: Arc<dyn Logbook>,
    /// Where files of requests and answers are kept while they are worked on: on a disk with room for the pictures of a batch.
    pub folder: PathBuf,
}

/// The provider port. Each call is one exchange; callable from many tasks at once.
pub trait Provider: Send + Sync {
    /// Sends the paid request, once.
    fn submit<'a>(&'a self, shot: &'a Shot) -> BoxFuture<'a, Result<Submitted, Failure>>;

    /// Asks after a task; free.
    fn poll<'a>(&'a self, shot: &'a Shot, task: &'a TaskId) -> BoxFuture<'a, Result<Polled, Failure>>;

    /// Fetches a finished picture; free, and repeatable while the provider keeps it.
    fn fetch<'a>(&'a self, shot: &'a Shot, task: &'a TaskId, result: &'a ResultRef) -> BoxFuture<'a, Result<ByteStream, Failure>>;

    /// Takes what a run has for providers that send shots together; called once, before the first shot. Others need nothing of it.
    fn begin(&self, _: BatchDesk) {}

    /// Returns how each batch stood when it was last asked after: its id and the provider's words. Empty where nothing goes in batches.
    fn batches(&self) -> BoxFuture<'_, Vec<(TaskId, String)>> {
        Box::pin(async { Vec::new() })
    }

    /// Asks what is left on the account; free. `None`: the provider has no way to tell, and nobody should guess.
    ///
    /// In the currency of the provider's own price book, whatever book the campaign is planned on.
    fn balance(&self) -> BoxFuture<'_, Result<Option<Amount>, Failure>> {
        Box::pin(async { Ok(None) })
    }
}
