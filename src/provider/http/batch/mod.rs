//! Batches: shots that can wait go to the provider together, for a share of the price.
//!
//! ```text
//! submit ─▶ one line of a file ─ gathered ─▶ upload ─▶ noted: name, shots ─▶ POST batches, once ─▶ noted: its id ─▶ task, for every shot
//! poll   ─▶ GET the batch, once for all its shots ─▶ running | its files of answers, each read once ─▶ ready | failed
//! fetch  ─▶ the shot's line of the file that was read
//! ```
//!
//! In: shots, one by one, as any provider gets them. Out: what the [`Provider`] port promises; the task of a shot is its batch.
//! Never: a batch that is asked for before its name and its shots are durable, or asked for twice; an answer matched by its place.

mod answers;
pub mod flow;
mod gather;
mod lines;
mod send;
mod watch;

use std::collections::HashMap;
use std::fs::File;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;

use self::flow::BatchFlow;
use self::gather::{Gathering, Group};
use self::watch::Watched;
use super::HttpProvider;
use crate::provider::{BatchDesk, ByteStream, Polled, Provider, ResultRef, Shot, Submitted};
use crate::types::{Amount, Failure, FailureClass, JobKey, TaskId};

pub use send::Looked;

/// Pictures that are read for a line, or taken out of one, at once: each is held as text and as bytes.
const HELD_AT_ONCE: usize = 4;

/// How shots are bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// New shots go in batches.
    Gather,
    /// New shots are asked for one by one; batches of earlier runs are asked after.
    Direct,
}

/// A provider whose manifest knows batches.
pub struct BatchProvider(Arc<Shared>);

/// What all shots share.
struct Shared {
    http: HttpProvider,
    flow: BatchFlow,
    mode: Mode,
    desk: OnceLock<BatchDesk>,
    open: Mutex<HashMap<Group, Gathering>>,
    /// How many batches this run has closed.
    closed: AtomicU32,
    known: Mutex<HashMap<TaskId, Arc<Watched>>>,
    held: Arc<Semaphore>,
}

impl BatchProvider {
    /// Prepares to buy from `http` as `mode` says; nothing is sent.
    ///
    /// # Errors
    /// The provider as it was, when its manifest knows no batches.
    pub fn new(http: HttpProvider, mode: Mode) -> Result<Self, Box<HttpProvider>> {
        let Some(flow) = http.protocol.batch.clone() else { return Err(Box::new(http)) };
        Ok(Self(Arc::new(Shared {
            http,
            flow,
            mode,
            desk: OnceLock::new(),
            open: Mutex::default(),
            closed: AtomicU32::new(0),
            known: Mutex::default(),
            held: Arc::new(Semaphore::new(HELD_AT_ONCE)),
        })))
    }
}

impl Shared {
    fn desk(&self) -> Result<&BatchDesk, Failure> {
        self.desk.get().ok_or_else(|| Failure::new(FailureClass::Local, "no-desk", "batches are bought by a run only"))
    }

    /// Makes a file that is gone when it is closed.
    fn file(&self) -> Result<File, Failure> {
        let failed = |error: std::io::Error| Failure::new(FailureClass::Local, "disk", format!("no file for the batch: {error}"));
        tempfile::tempfile_in(&self.desk()?.folder).map_err(failed)
    }

    async fn standing(&self) -> Vec<(TaskId, String)> {
        let known: Vec<(TaskId, Arc<Watched>)> = {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.iter().map(|(task, watched)| (task.clone(), Arc::clone(watched))).collect()
        };
        let mut standing = Vec::with_capacity(known.len());
        for (task, watched) in known {
            if let Some(words) = watched.words().await {
                standing.push((task, words));
            }
        }
        standing.sort();
        standing
    }

    fn watched(&self, task: &TaskId) -> Arc<Watched> {
        Arc::clone(self.known.lock().unwrap_or_else(PoisonError::into_inner).entry(task.clone()).or_default())
    }
}

/// Returns the name of a shot in its batch: a batch has each job at most once.
fn custom_id(key: &JobKey) -> String {
    key.to_string()
}

impl Provider for BatchProvider {
    fn submit<'a>(&'a self, shot: &'a Shot) -> BoxFuture<'a, Result<Submitted, Failure>> {
        match self.0.mode {
            Mode::Direct => self.0.http.submit(shot),
            Mode::Gather => Arc::clone(&self.0).join(shot).map(|joined| joined.map(Submitted::Task)).boxed(),
        }
    }

    fn poll<'a>(&'a self, shot: &'a Shot, task: &'a TaskId) -> BoxFuture<'a, Result<Polled, Failure>> {
        self.0.polled(shot, task).boxed()
    }

    fn fetch<'a>(&'a self, shot: &'a Shot, task: &'a TaskId, _: &'a ResultRef) -> BoxFuture<'a, Result<ByteStream, Failure>> {
        self.0.fetched(shot, task).boxed()
    }

    fn begin(&self, desk: BatchDesk) {
        // A provider has one run; a second desk would only rename what is under way.
        let _ = self.0.desk.set(desk);
    }

    fn batches(&self) -> BoxFuture<'_, Vec<(TaskId, String)>> {
        self.0.standing().boxed()
    }

    fn balance(&self) -> BoxFuture<'_, Result<Option<Amount>, Failure>> {
        self.0.http.balance()
    }
}
