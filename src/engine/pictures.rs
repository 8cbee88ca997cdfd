//! Bytes on their way into the store and out of it; nowhere else in the engine is a picture held.
//!
//! In: streams, files, stored inputs. Out: [`Artifact`]s, only for pictures that were decoded whole.
//! Never: more than one picture (and its inputs) for one job at a time; CPU work on a runtime thread.

use std::io::BufReader;
use std::sync::{Arc, LazyLock};

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;

use super::Ports;
use crate::imaging::{self, ImagingError, Limits};
use crate::ledger::Artifact;
use crate::provider::{ByteStream, PictureSource};
use crate::store::{BlobStore, StoreError, Written};
use crate::types::{BlobRef, Credit, Digest, Failure, FailureClass, ImageInfo, InputRole, LocalAction};

/// Why no picture stands in the store.
#[derive(Debug)]
pub(super) enum NoPicture {
    /// The picture's or the provider's fault.
    Failure(Failure),
    /// Our own store's fault: the run cannot go on.
    Store(StoreError),
}

impl From<StoreError> for NoPicture {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::TooLarge { .. } => Self::Failure(Failure::new(FailureClass::BadResult, "too-large", error.to_string())),
            StoreError::Missing(_) => Self::Failure(Failure::new(FailureClass::Local, "missing-picture", error.to_string())),
            StoreError::Io { .. } => Self::Store(error),
        }
    }
}

/// Opens stored pictures for a provider.
pub(super) struct Stored(pub(super) Arc<dyn BlobStore>);

impl PictureSource for Stored {
    fn open(&self, blob: BlobRef) -> BoxFuture<'_, Result<Vec<u8>, Failure>> {
        Box::pin(async move {
            let failed = |error: StoreError| Failure::new(FailureClass::Local, "store", error.to_string());
            self.0.read(blob.digest).await.map_err(failed)
        })
    }

    fn open_mask(&self, blob: BlobRef, hole_is_white: bool) -> BoxFuture<'_, Result<Vec<u8>, Failure>> {
        Box::pin(async move {
            let bytes = self.open(blob).await?;
            let redrawn = off_thread(move || imaging::black_and_white(&bytes, hole_is_white)).await?;
            redrawn.map_err(|error| Failure::new(FailureClass::Local, "mask", error.to_string()))
        })
    }
}

/// Bytes from which on pictures are looked at one after the other, 8 MiB.
const LARGE: usize = 8 << 20;

/// The same for formats that are not read row by row, 1 MiB: their pixels are all in memory at once.
const LARGE_WHEN_WHOLE: usize = 1 << 20;

/// The turn of a large picture.
static LARGE_ONES: Semaphore = Semaphore::const_new(1);

/// The hands that look at pictures, twice as many as there are cores: what a look keeps of a picture, a megabyte or two, is kept that often only.
static HANDS: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(2 * std::thread::available_parallelism().map_or(1, std::num::NonZero::get)));

/// Bytes of a file that are read at once while it is looked at, 64 KiB.
const READ: usize = 64 << 10;

/// Writes a picture to the store as it comes, and publishes it only when it is whole.
pub(super) async fn take_in(store: &dyn BlobStore, stream: &mut ByteStream, limits: Limits) -> Result<Artifact, NoPicture> {
    let mut writer = store.begin(limits.bytes).await?;
    let mut length = 0;
    let mut is_png = false;
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(NoPicture::Failure)?;
        is_png |= length == 0 && chunk.starts_with(&imaging::PNG);
        writer.write(&chunk).await?;
        length += chunk.len();
    }
    // Large ones are looked at by turns: a hundred hostile answers at once take the memory of one.
    let _turn = match length {
        _ if length >= if is_png { LARGE } else { LARGE_WHEN_WHOLE } => Some(LARGE_ONES.acquire().await.expect("nobody closes it")),
        _ => None,
    };
    let verified = {
        let _hand = if length > SMALL { Some(HANDS.acquire().await.expect("nobody closes it")) } else { None };
        match writer.written().await? {
            Written::Bytes(bytes) if is_small(&bytes, &limits) => imaging::verify(&bytes, &limits).map(|info| (info, None)),
            Written::Bytes(bytes) => off_thread(move || imaging::verify_and_shrink(&bytes, &limits)).await.map_err(NoPicture::Failure)?,
            Written::File(file, length) => {
                let look = move || imaging::verify_file_and_shrink(BufReader::with_capacity(READ, file), length, &limits);
                off_thread(look).await.map_err(NoPicture::Failure)?
            }
        }
    };
    let (info, small) = verified.map_err(|error| NoPicture::Failure(Failure::new(FailureClass::BadResult, "not-whole", error.to_string())))?;
    if let Some(small) = small {
        writer.accompany(small);
    }
    let blob = writer.finish().await?;
    Ok(Artifact { blob, info })
}

/// Reads the rest of an answer whose picture is lost: what it cost stands at its end.
pub(super) async fn pass_by(stream: &mut ByteStream) {
    while let Some(Ok(_)) = stream.next().await {}
}

/// Bytes of a picture that may be looked at in passing, 32 KiB.
const SMALL: usize = 32 << 10;

/// Whether a picture is decoded faster than it is handed to another thread: [`SMALL`], and at most 128x128 pixels, about 0.1 ms.
fn is_small(bytes: &[u8], limits: &Limits) -> bool {
    bytes.len() <= SMALL && imaging::probe(bytes, limits).is_ok_and(|info| info.size.pixels() <= 128 * 128)
}

/// Does local work and stores what it made; a transformed picture carries `credit`.
pub(super) async fn make(
    ports: &Ports,
    local: &LocalAction,
    inputs: &[(InputRole, Artifact)],
    credit: Option<Credit>,
) -> Result<Artifact, NoPicture> {
    let (bytes, info, small) = match local {
        LocalAction::Load { path, digest, .. } => load(ports, path, *digest).await?,
        LocalAction::Transform { ops } => {
            let main = read(ports, inputs, |role| matches!(role, InputRole::Image)).await?;
            let overlays = read(ports, inputs, |role| matches!(role, InputRole::Overlay(_))).await?;
            let ops = Arc::clone(ops);
            let work = move || {
                let (bytes, info, small) = imaging::transform_and_shrink(main.first().map_or(&[], Vec::as_slice), &overlays, &ops)?;
                let bytes = credit.map_or(Ok(None), |credit| imaging::provenance::with_credit(&bytes, &credit).map(Some))?.unwrap_or(bytes);
                Ok((bytes, info, small))
            };
            worked(off_thread(work).await)?
        }
        // The chosen picture itself: nothing is made.
        LocalAction::Pick { chosen } => return picked(*chosen, inputs),
        LocalAction::Sheet { columns, cell, labels } => {
            let cells = read(ports, inputs, |role| matches!(role, InputRole::Cell(_))).await?;
            let (columns, cell, labels) = (*columns, *cell, Arc::clone(labels));
            worked(off_thread(move || imaging::sheet(&cells, &labels, columns, cell).map(|(bytes, info)| (bytes, info, None))).await)?
        }
    };
    let mut writer = ports.store.begin(u64::MAX).await?;
    writer.write(&bytes).await?;
    if let Some(small) = small {
        writer.accompany(small);
    }
    Ok(Artifact { blob: writer.finish().await?, info })
}

/// Returns what a person chose, if it is still the shot's picture.
fn picked(chosen: Option<Digest>, inputs: &[(InputRole, Artifact)]) -> Result<Artifact, NoPicture> {
    let found = inputs.iter().find(|(role, _)| matches!(role, InputRole::Image)).map(|(_, artifact)| *artifact);
    match (chosen, found) {
        (Some(chosen), Some(artifact)) if artifact.blob.digest == chosen => Ok(artifact),
        (Some(_), _) => {
            let message = "the picture that was chosen is no longer the shot's; choose again with `callsheet review`";
            Err(NoPicture::Failure(Failure::new(FailureClass::Local, "stale-pick", message)))
        }
        (None, _) => Err(NoPicture::Failure(Failure::new(FailureClass::Local, "no-pick", "nobody has chosen yet"))),
    }
}

/// Bytes of a picture, what they are, and a small copy where one came for nothing.
type Made = (Vec<u8>, ImageInfo, Option<Vec<u8>>);

async fn load(ports: &Ports, path: &str, digest: Digest) -> Result<Made, NoPicture> {
    let bytes = ports.originals.read(path).await.map_err(NoPicture::Failure)?;
    let path = path.to_owned();
    let checked = move || {
        if Digest::of(&bytes) != digest {
            let message = format!("`{path}` has changed since the plan was made; plan again");
            return Err(Failure::new(FailureClass::Local, "file-changed", message));
        }
        let (info, small) = imaging::verify_and_shrink(&bytes, &Limits::default())
            .map_err(|error| Failure::new(FailureClass::Local, "not-whole", format!("`{path}`: {error}")))?;
        Ok((bytes, info, small))
    };
    off_thread(checked).await.and_then(|checked| checked).map_err(NoPicture::Failure)
}

/// Reads the wanted inputs in the order of their roles.
async fn read(ports: &Ports, inputs: &[(InputRole, Artifact)], wanted: impl Fn(InputRole) -> bool) -> Result<Vec<Vec<u8>>, NoPicture> {
    let mut pictures = Vec::new();
    for (role, artifact) in inputs {
        if wanted(*role) {
            pictures.push(ports.store.read(artifact.blob.digest).await?);
        }
    }
    Ok(pictures)
}

fn worked(made: Result<Result<Made, ImagingError>, Failure>) -> Result<Made, NoPicture> {
    let made = made.map_err(NoPicture::Failure)?;
    made.map_err(|error| NoPicture::Failure(Failure::new(FailureClass::Local, "imaging", error.to_string())))
}

/// Runs CPU work beside the runtime; a decoder that panics on a hostile file costs that file, not the run.
pub(super) async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    let stopped =
        |error: tokio::task::JoinError| Failure::new(FailureClass::Local, "stopped", format!("the image work stopped unexpectedly: {error}"));
    tokio::task::spawn_blocking(work).await.map_err(stopped)
}
