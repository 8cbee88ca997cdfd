//! The rehearsal's provider: draws pictures in this process, for nothing, and fails on purpose when it is told to.
//!
//! In: a [`Shot`]. Out: what a real provider would answer, decided by the job's key, the attempt and a seed.
//! Never: the network, the wall clock for a decision, a picture without its stamp.
//!
//! A task's name says when it was accepted, so a rehearsal that was killed goes on where it stood, as with a real provider.

mod options;

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream;

pub use options::{Chance, SimOptions};

use super::account::{Account, Tariff};
use super::{ByteStream, Polled, Provider, ResultRef, Shot, Submitted};
use crate::imaging::picture::texts;
use crate::imaging::rehearsal::{Cues, Input, Look, Scene, draw, look_after};
use crate::imaging::{ImagingError, Limits, Picture, decode, encode};
use crate::types::{Action, Amount, Billed, Clock, Currency, Failure, FailureClass, ImageFormat, InputRole, PixelSize, TaskId, Timestamp};

/// Name of the metadata text that says what a picture is.
const STAMP: &str = "callsheet";

/// Name of the metadata text that tells the next rehearsal what the picture shows.
const LOOK: &str = "callsheet-look";

/// Bytes of one chunk of a fetched picture, as a network would bring them.
const CHUNK: usize = 64 << 10;

/// A provider that rehearses. Holds nothing that a restart would miss.
pub struct Simulator {
    options: SimOptions,
    clock: Arc<dyn Clock>,
    /// Tasks whose first download was already cut off, by task name: the second one is whole.
    cut: Mutex<HashSet<String>>,
    /// Submits that were already told to wait.
    throttled: Mutex<HashSet<u64>>,
    /// Submits whose answer was already lost.
    lost: Mutex<HashSet<u64>>,
    account: Option<Account>,
}

impl Simulator {
    /// Starts with these options; `clock` decides when a task is ready.
    pub fn new(options: SimOptions, clock: Arc<dyn Clock>) -> Self {
        Self { options, clock, cut: Mutex::default(), throttled: Mutex::default(), lost: Mutex::default(), account: None }
    }

    /// Gives it the account that `balance` speaks of: counted in `currency`, charged by `tariff`. Without `balance` it has none.
    #[must_use]
    pub fn with_account(mut self, currency: Currency, tariff: Tariff) -> Self {
        self.account = self.options.balance.map(|balance| Account::new(Amount::new(currency, balance), tariff));
        self
    }

    /// Returns a number for one question about one attempt.
    fn number(&self, shot: &Shot, question: &str, attempt: u32) -> u64 {
        use crate::types::{Fields, digest::FieldHasher};
        let mut hasher = FieldHasher::new("callsheet rehearsal");
        hasher.field("seed", &self.options.seed.to_le_bytes());
        hasher.field("key", shot.key.0.as_bytes());
        hasher.field("attempt", &attempt.to_le_bytes());
        hasher.field("question", question.as_bytes());
        hasher.finish().seed()
    }

    /// Returns whether something with this chance happens to this attempt.
    fn happens(&self, shot: &Shot, chance: Chance, question: &str) -> bool {
        chance > Chance::NEVER && chance.strikes(self.number(shot, question, shot.attempt.0))
    }

    /// Returns how long this attempt takes: the median times a factor whose logarithm is about normal, from a quarter to four.
    fn latency(&self, shot: &Shot) -> Duration {
        if self.options.latency.is_zero() {
            return Duration::ZERO;
        }
        let dice = ["latency 1", "latency 2", "latency 3", "latency 4"];
        let sum: f64 = dice.iter().map(|question| (self.number(shot, question, shot.attempt.0) >> 11) as f64 / (1_u64 << 53) as f64).sum();
        self.options.latency.mul_f64(2.0_f64.powf(sum - 2.0))
    }

    fn submitted(&self, shot: &Shot) -> Result<Submitted, Failure> {
        // A refusal belongs to the prompt, so every attempt at it meets the same one.
        if self.options.refuse > Chance::NEVER && self.options.refuse.strikes(self.number(shot, "refuse", 0)) {
            return Err(Failure::new(FailureClass::Refused, "moderation_blocked", "the rehearsal refuses this prompt, as it was told to"));
        }
        if self.happens(shot, self.options.throttle, "throttle") && first(&self.throttled, self.number(shot, "throttle", shot.attempt.0)) {
            let wait = Duration::from_millis(200 + self.number(shot, "wait", shot.attempt.0) % 1800);
            let failure = Failure::new(FailureClass::Throttled, "429", "the rehearsal asks for patience, as it was told to");
            return Err(Failure { retry_after: Some(wait), ..failure });
        }
        let task = Task { accepted: self.clock.now(), attempt: shot.attempt.0, number: self.number(shot, "task", shot.attempt.0) };
        if self.account.as_ref().is_some_and(|account| !account.pays(shot, task.number)) {
            return Err(Failure::new(FailureClass::Account, "402", "the rehearsal's account does not hold the price of this shot"));
        }
        // Sent again, the same attempt is answered: what was accepted once is not accepted twice.
        if self.happens(shot, self.options.lose, "lose") && first(&self.lost, task.number) {
            let failure =
                Failure::new(FailureClass::Ambiguous, "lost_answer", "the rehearsal accepted the request and lost its answer, as it was told to");
            return Err(Failure { billed: Billed::Maybe, ..failure });
        }
        Ok(Submitted::Task(TaskId::new(task.to_string())))
    }

    fn polled(&self, shot: &Shot, task: &TaskId) -> Result<Polled, Failure> {
        let known = self.known(shot, task)?;
        if self.clock.now().since(known.accepted) < self.latency(shot) {
            return Ok(Polled::Running);
        }
        if self.happens(shot, self.options.fail, "fail") {
            let failure = Failure::new(FailureClass::Failed, "generation_failed", "the rehearsal failed this attempt, as it was told to");
            if let (true, Some(account)) = (self.options.refund, &self.account) {
                account.gives_back(known.number);
            }
            let billed = if self.options.refund { Billed::No } else { Billed::Maybe };
            return Ok(Polled::Failed(Failure { billed, ..failure }));
        }
        Ok(Polled::Ready { results: vec![ResultRef(format!("{task}/1"))], charged: None })
    }

    /// Reads a task's name and compares it with the shot it is said to be of.
    fn known(&self, shot: &Shot, task: &TaskId) -> Result<Task, Failure> {
        let parsed = Task::parse(task.as_str()).filter(|parsed| parsed.number == self.number(shot, "task", parsed.attempt));
        parsed.ok_or_else(|| {
            let message = format!("the rehearsal has no task `{task}` of this job; was the ledger made with another `seed`?");
            Failure::new(FailureClass::Invalid, "unknown_task", message)
        })
    }

    async fn fetched(&self, shot: &Shot, task: &TaskId) -> Result<ByteStream, Failure> {
        self.known(shot, task)?;
        let order = Order::new(self, shot).await?;
        let drawn = tokio::task::spawn_blocking(move || order.fill()).await;
        let mut bytes = drawn.map_err(|stopped| Failure::new(FailureClass::Local, "drawing_stopped", stopped.to_string()))?.map_err(unreadable)?;
        if self.happens(shot, self.options.corrupt, "corrupt") && first(&self.cut, task.to_string()) {
            bytes.truncate(bytes.len() * 2 / 3);
        }
        let mut chunks = Vec::with_capacity(bytes.len() / CHUNK + 1);
        while bytes.len() > CHUNK {
            let rest = bytes.split_off(CHUNK);
            chunks.push(Ok(std::mem::replace(&mut bytes, rest)));
        }
        chunks.push(Ok(bytes));
        Ok(Box::pin(stream::iter(chunks)))
    }
}

/// Returns whether it is the first time that `what` is seen.
fn first<T: std::hash::Hash + Eq>(seen: &Mutex<HashSet<T>>, what: T) -> bool {
    seen.lock().unwrap_or_else(PoisonError::into_inner).insert(what)
}

fn unreadable(error: ImagingError) -> Failure {
    Failure::new(FailureClass::Local, "rehearsal_picture", error.to_string())
}

impl Provider for Simulator {
    fn submit<'a>(&'a self, shot: &'a Shot) -> BoxFuture<'a, Result<Submitted, Failure>> {
        Box::pin(async move { self.submitted(shot) })
    }

    fn poll<'a>(&'a self, shot: &'a Shot, task: &'a TaskId) -> BoxFuture<'a, Result<Polled, Failure>> {
        Box::pin(async move { self.polled(shot, task) })
    }

    fn fetch<'a>(&'a self, shot: &'a Shot, task: &'a TaskId, _: &'a ResultRef) -> BoxFuture<'a, Result<ByteStream, Failure>> {
        Box::pin(self.fetched(shot, task))
    }

    fn balance(&self) -> BoxFuture<'_, Result<Option<Amount>, Failure>> {
        let left = self.account.as_ref().map(Account::balance);
        Box::pin(async move { Ok(left) })
    }
}

/// What a task's name says: `sim-<accepted, milliseconds>-<attempt>-<number of job, attempt and seed>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Task {
    accepted: Timestamp,
    attempt: u32,
    number: u64,
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sim-{}-{}-{:016x}", self.accepted.millis(), self.attempt, self.number)
    }
}

impl Task {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix("sim-")?.split('-');
        let accepted = Timestamp::from_millis(parts.next()?.parse().ok()?);
        let attempt = parts.next()?.parse().ok()?;
        let number = u64::from_str_radix(parts.next()?, 16).ok()?;
        parts.next().is_none().then_some(Self { accepted, attempt, number })
    }
}

/// Everything that drawing one picture takes; goes to a blocking thread.
struct Order {
    scene: Scene,
    cues: OwnedCues,
    input: Option<Vec<u8>>,
    mask: Option<Vec<u8>>,
    format: ImageFormat,
    is_blank: bool,
    job: String,
    prompt: String,
}

struct OwnedCues {
    subject: u64,
    subject_words: String,
    scene: u64,
    scene_words: String,
    view: Option<String>,
}

impl Order {
    async fn new(sim: &Simulator, shot: &Shot) -> Result<Self, Failure> {
        let settings = &shot.paid.settings;
        let size = sim.options.size.unwrap_or(shot.output);
        Limits::default().admit(size).map_err(unreadable)?;
        let format = settings.format.unwrap_or(ImageFormat::Png);
        let transparent = settings.background.as_deref() == Some("transparent") && format.has_alpha();
        let detail = sim.number(shot, "detail", shot.attempt.0);
        let cues = OwnedCues::of(shot, sim.options.seed);
        let slate = &shot.slate;
        let scene = Scene {
            size,
            look: Look::new(&cues.borrowed()),
            action: shot.paid.action,
            detail,
            input: None,
            mask: None,
            transparent,
            title: format!("{} · {}", slate.campaign, slate.step),
            lines: lines(shot),
            take: slate.take,
        };
        let (input, mask) = (open(shot, InputRole::Image).await?, open(shot, InputRole::Mask).await?);
        let prompt = shot.prompt.chars().take(240).collect();
        let is_blank = sim.happens(shot, sim.options.blank, "blank");
        Ok(Self { scene, cues, input, mask, format, is_blank, job: shot.key.to_string(), prompt })
    }

    /// Draws and encodes.
    fn fill(mut self) -> Result<Vec<u8>, ImagingError> {
        let limits = Limits::default();
        self.scene.input = self.input.take().map(|bytes| read_input(&bytes, &limits)).transpose()?;
        self.scene.mask = self.mask.take().map(|bytes| decode(&bytes, &limits)).transpose()?;
        let (action, input) = (self.scene.action, self.scene.input.as_ref());
        // What fills the whole picture with a photo of the author's is a photo of the author's to the next step.
        let photo = input.is_some_and(|input| input.look.is_none()) && action != Action::Edit;
        self.scene.look = look_after(action, &self.cues.borrowed(), input);
        let look = (!photo).then(|| self.scene.look.to_string());
        let mut picture = if self.is_blank { plain(self.scene.size, self.scene.detail) } else { draw(&self.scene) };
        // Decoded pictures are large, and encoding takes a while.
        (self.scene.input, self.scene.mask) = (None, None);
        if !self.format.has_alpha() && picture.is_transparent() {
            picture = Picture::Rgb(picture.flattened([0xff; 3]));
        }
        let mut text = vec![(STAMP, "rehearsal"), ("callsheet-job", self.job.as_str()), ("callsheet-prompt", self.prompt.as_str())];
        text.extend(look.as_deref().map(|look| (LOOK, look)));
        encode(&picture, self.format, None, &text)
    }
}

/// Returns a picture of one plain colour, another one for every job and attempt.
fn plain(size: PixelSize, detail: u64) -> Picture {
    let [red, green, blue, ..] = detail.to_le_bytes();
    Picture::Rgb(image::RgbImage::from_pixel(size.width, size.height, image::Rgb([red, green, blue])))
}

fn read_input(bytes: &[u8], limits: &Limits) -> Result<Input, ImagingError> {
    let look = texts(bytes).iter().find(|(name, _)| name == LOOK).and_then(|(_, text)| Look::parse(text));
    Ok(Input { picture: decode(bytes, limits)?, look })
}

async fn open(shot: &Shot, role: InputRole) -> Result<Option<Vec<u8>>, Failure> {
    match shot.inputs.iter().find(|input| input.role == role) {
        Some(input) => shot.pictures.open(input.blob).await.map(Some),
        None => Ok(None),
    }
}

/// First the subject, then the axis values, then what was done if it is no plain generation or edit.
fn lines(shot: &Shot) -> Vec<String> {
    let slate = &shot.slate;
    let values: Vec<String> = slate.axes.iter().map(|(axis, value)| format!("{axis} {value}")).collect();
    let first = if slate.subject.trim().is_empty() { slate.step.clone() } else { slate.subject.trim().to_owned() };
    let done = match (shot.paid.action, shot.paid.settings.scale) {
        (Action::Generate | Action::Edit, _) => None,
        (Action::Upscale, Some(scale)) => Some(format!("upscale {scale}x")),
        (action, _) => Some(action.to_string()),
    };
    std::iter::once(first).chain(values).chain(done).collect()
}

impl OwnedCues {
    /// Sorts the axes: one names the product, one may move the camera, the others are the surroundings.
    fn of(shot: &Shot, seed: u64) -> Self {
        let slate = &shot.slate;
        let named = |names: &[&str]| slate.axes.iter().position(|(axis, _)| names.contains(&axis.to_lowercase().as_str()));
        let product = named(&["sku", "product", "item", "row", "article", "character", "id", "name", "asset"]);
        let camera = named(&["angle", "view", "camera", "shot", "pose", "lens", "crop"]);
        let product = product.or_else(|| (0..slate.axes.len()).find(|index| Some(*index) != camera));
        let value = |index: Option<usize>| index.and_then(|index| slate.axes.get(index)).map_or("", |(_, value)| value.as_str());
        let rest = slate.axes.iter().enumerate().filter(|(index, _)| Some(*index) != product && Some(*index) != camera);
        let rest: Vec<&str> = rest.map(|(_, (_, value))| value.as_str()).collect();
        let subject = if product.is_some() { value(product) } else { slate.subject.as_str() };
        // Without an axis of its own the step's name is the surroundings: every product of one step stands in the same place.
        let place = if rest.is_empty() { slate.step.clone() } else { rest.join(" ") };
        let prompt = if slate.subject.is_empty() { shot.prompt.to_string() } else { shot.prompt.replace(slate.subject.as_str(), " ") };
        Self {
            subject: seeded(seed, &["subject", &slate.campaign, subject]),
            subject_words: format!("{} {}", slate.subject, value(product)),
            scene: seeded(seed, &["scene", &slate.campaign, &place]),
            scene_words: format!("{} {prompt}", rest.join(" ")),
            view: (camera.is_some()).then(|| value(camera).to_owned()),
        }
    }

    fn borrowed(&self) -> Cues<'_> {
        let Self { subject, subject_words, scene, scene_words, view } = self;
        Cues { subject: *subject, subject_words, scene: *scene, scene_words, view: view.as_deref() }
    }
}

fn seeded(seed: u64, parts: &[&str]) -> u64 {
    use crate::types::{Fields, digest::FieldHasher};
    let mut hasher = FieldHasher::new("callsheet rehearsal look");
    hasher.field("seed", &seed.to_le_bytes());
    parts.iter().for_each(|part| hasher.field("part", part.as_bytes()));
    hasher.finish().seed()
}

#[cfg(test)]
mod tests;
