//! A server that plays a provider on this machine: it reads requests as the provider's documents say, keeps a ledger of charges of its own,
//! and misbehaves when it is told to.
//!
//! In: a [`LoopbackScript`]. Out: an address, and afterwards what was asked, what was wrong with it, and what it cost.
//! Never: a look at a manifest; what the program sends is judged by the documents, not by the program's own data.

pub mod batches;
pub mod bfl;
pub mod fal;
pub mod gemini;
pub mod ideogram;
pub mod imagineart;
pub mod kie;
pub mod kie_schema;
pub mod openai;
pub mod qolaba;
pub mod recraft;
pub mod replicate;
pub mod shelf;
pub mod stability;
mod wire;
pub mod xai;

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

pub use wire::{Part, Received};

/// The key that the program is given; no other is accepted.
pub const KEY: &str = "sk-canary-5f1d77";

/// What a server plays.
pub struct LoopbackScript {
    /// The provider.
    pub api: Box<dyn Api>,
    /// What goes wrong, and when.
    pub faults: Vec<Fault>,
    /// Whether equal requests get equal pictures; otherwise no two pictures are alike.
    pub steady: bool,
}

impl LoopbackScript {
    /// A provider that behaves.
    pub fn of(api: impl Api) -> Self {
        Self { api: Box::new(api), faults: Vec::new(), steady: false }
    }

    /// Draws the same picture for the same request, so that two runs can be compared.
    pub fn steady(self) -> Self {
        Self { steady: true, ..self }
    }

    /// Adds a misdeed at the `nth` request, from 1, whose path contains `path`.
    pub fn fault(mut self, path: &str, nth: usize, misdeed: Misdeed) -> Self {
        self.faults.push(Fault { path: path.to_owned(), nth: nth..=nth, misdeed });
        self
    }

    /// Adds a misdeed at these requests whose path contains `path`, counted from 1.
    pub fn faults(mut self, path: &str, nth: std::ops::RangeInclusive<usize>, misdeed: Misdeed) -> Self {
        self.faults.push(Fault { path: path.to_owned(), nth, misdeed });
        self
    }

    /// Adds a misdeed at every request whose path contains `path`.
    pub fn always(mut self, path: &str, misdeed: Misdeed) -> Self {
        self.faults.push(Fault { path: path.to_owned(), nth: 1..=usize::MAX, misdeed });
        self
    }
}

/// Something that goes wrong.
pub struct Fault {
    path: String,
    nth: std::ops::RangeInclusive<usize>,
    misdeed: Misdeed,
}

/// How it goes wrong.
#[derive(Debug, Clone)]
pub enum Misdeed {
    /// This answer instead; the provider never sees the request.
    Answer(Reply),
    /// The connection ends without an answer; the provider never sees the request.
    DropBefore,
    /// The provider accepts, and the connection ends without an answer.
    DropAfter,
    /// The provider accepts, and the answer is not readable.
    Garble,
    /// The provider accepts, and the answer breaks off after so many bytes.
    Truncate(usize),
    /// The provider accepts, and answers only after a while.
    Delay(Duration),
    /// The provider accepts, and never answers.
    Hang,
    /// This head, and then the same piece again and again, until the other side has enough; the provider never sees the request.
    Flood { head: String, piece: Vec<u8>, pause: Duration },
    /// The provider accepts, and its answer is changed.
    Rewrite(fn(&mut Reply)),
    /// The provider accepts, and the connection is reset after so many bytes of the answer's body.
    Reset(usize),
    /// The provider accepts, and the answer comes in this many pieces with a pause of this span between them.
    Drip(usize, Duration),
}

impl Misdeed {
    /// A body that never ends, as fast as it is taken.
    pub fn endless(media: &str, piece: Vec<u8>) -> Self {
        Self::Flood { head: format!("HTTP/1.1 200 x\r\ncontent-type: {media}\r\nconnection: close\r\n\r\n"), piece, pause: Duration::ZERO }
    }

    /// A body in chunks that never ends.
    pub fn chunked(media: &str, chunk: &[u8]) -> Self {
        let piece = [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat();
        let head = format!("HTTP/1.1 200 x\r\ncontent-type: {media}\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n");
        // Many small chunks in one write: what floods is the chunks, not the system calls.
        Self::Flood { head, piece: piece.repeat((64 << 10) / piece.len() + 1), pause: Duration::ZERO }
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn json(status: u16, body: &Value) -> Self {
        Self { status, headers: vec![("content-type".to_owned(), "application/json".to_owned())], body: body.to_string().into_bytes() }
    }

    pub fn bytes(media: &str, body: Vec<u8>) -> Self {
        Self { status: 200, headers: vec![("content-type".to_owned(), media.to_owned())], body }
    }

    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn redirect(to: &str) -> Self {
        Self::status(302).header("location", to)
    }
}

/// A provider.
pub trait Api: Send + 'static {
    /// Answers a request; `url` is where the server stands.
    fn answer(&mut self, request: &Received, url: &str, books: &mut Books) -> Reply;

    /// Ends what it was told to do wrong.
    fn mend(&mut self) {}
}

/// What the server writes down.
#[derive(Debug, Default, Clone)]
pub struct Books {
    /// Every charge and refund, in millionths of the provider's unit.
    pub charges: Vec<i64>,
    /// What was wrong with requests.
    pub violations: Vec<String>,
    /// Digest of each picture that was made, by its prompt, in order.
    pub pictures: BTreeMap<String, Vec<String>>,
    /// Every accepted request, in order.
    pub accepted: Vec<Accepted>,
    /// Whether equal requests get equal pictures.
    pub steady: bool,
    /// When requests were taken, where the provider has a rate.
    pub taken: Vec<Instant>,
    /// When requests were refused for their rate.
    pub refused: Vec<Instant>,
}

/// A request that was accepted and is to be paid.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// What was asked for.
    pub prompt: String,
    /// The task's id; empty where there are no tasks.
    pub task: String,
    /// Whether it brings a picture, now or later.
    pub succeeds: bool,
    /// What it costs in the end, in millionths of the provider's unit.
    pub charged: i64,
}

impl Books {
    pub fn violation(&mut self, what: impl Into<String>) {
        self.violations.push(what.into());
    }

    /// Draws the picture of a request: unlike any other's.
    pub fn draw(&mut self, prompt: &str, inputs: &[String]) -> Vec<u8> {
        let before = if self.steady { 0 } else { self.pictures.values().map(Vec::len).sum() };
        let bytes = drawn(prompt, inputs, before);
        self.pictures.entry(prompt.to_owned()).or_default().push(blake3::hash(&bytes).to_hex().to_string());
        bytes
    }
}

/// Draws a small picture whose pixels are a digest of what was asked for and of how many pictures there were before.
fn drawn(prompt: &str, inputs: &[String], before: usize) -> Vec<u8> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(json!([prompt, inputs, before]).to_string().as_bytes());
    let mut pixels = vec![0; 48 * 48 * 3];
    hasher.finalize_xof().fill(&mut pixels);
    let picture = image::RgbImage::from_raw(48, 48, pixels).expect("as many bytes as pixels");
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).expect("a small picture can be encoded");
    bytes.into_inner()
}

struct State {
    script: LoopbackScript,
    counts: Vec<usize>,
    requests: Vec<Received>,
    books: Books,
}

/// A server at work; it ends when it is dropped.
pub struct Loopback {
    /// Where it stands: `http://127.0.0.1:PORT`.
    pub url: String,
    state: Arc<Mutex<State>>,
    leaving: Arc<Leaving>,
}

/// Bytes of floods that were taken.
static FLOODED: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

/// Returns how many bytes of floods were taken so far, by everybody.
pub fn flooded() -> u64 {
    FLOODED.load(Ordering::SeqCst)
}

/// Asked for by tests only: answered once every request that was sent before is in the books, on a machine however busy.
const ALL_READ: &str = "/all-read";

/// A connection whose request is not in the books yet.
struct Unread(Arc<AtomicUsize>);

impl Unread {
    fn one_more(all: &Arc<AtomicUsize>) -> Self {
        all.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(all))
    }

    /// Waits until there is no other; each of them ends, because who has sent it has sent all of it or is gone.
    fn wait_for_others(self, leaving: &Leaving) {
        while self.0.load(Ordering::SeqCst) > 1 && !leaving.now.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[derive(Default)]
struct Leaving {
    now: AtomicBool,
    lock: Mutex<()>,
    told: Condvar,
}

impl Leaving {
    /// Waits for the end of the server, or so long.
    fn wait(&self, span: Duration) {
        let mut guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let until = std::time::Instant::now() + span;
        while !self.now.load(Ordering::SeqCst) && std::time::Instant::now() < until {
            guard = self.told.wait_timeout(guard, Duration::from_millis(50)).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Loopback {
    /// Starts a server on a free port.
    pub fn start(script: LoopbackScript) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("the listener has an address");
        let url = format!("http://{address}");
        let counts = vec![0; script.faults.len()];
        let books = Books { steady: script.steady, ..Books::default() };
        let state = Arc::new(Mutex::new(State { script, counts, requests: Vec::new(), books }));
        let leaving = Arc::new(Leaving::default());
        let (shared, quit, own) = (Arc::clone(&state), Arc::clone(&leaving), url.clone());
        thread::spawn(move || {
            let all = Arc::default();
            for stream in listener.incoming().flatten() {
                if quit.now.load(Ordering::SeqCst) {
                    return;
                }
                let (shared, quit, own, unread) = (Arc::clone(&shared), Arc::clone(&quit), own.clone(), Unread::one_more(&all));
                thread::spawn(move || serve(stream, &shared, &quit, &own, unread));
            }
        });
        Self { url, state, leaving }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns what was charged less what was given back, in millionths of the provider's unit.
    pub fn charges(&self) -> i64 {
        self.state().books.charges.iter().sum()
    }

    /// Returns every request so far.
    pub fn requests(&self) -> Vec<Received> {
        self.state().requests.clone()
    }

    /// Returns how many requests had this in their path.
    pub fn asked(&self, path: &str) -> usize {
        self.state().requests.iter().filter(|request| request.path.contains(path)).count()
    }

    /// Returns what the server wrote down.
    pub fn books(&self) -> Books {
        self.state().books.clone()
    }

    /// Waits until all that a process has sent is in the books, once the process is gone: what it sent last may still lie on the way.
    pub fn read_all(&self) {
        let asked = TcpStream::connect(self.url.trim_start_matches("http://")).and_then(|mut stream| {
            stream.write_all(format!("GET {ALL_READ} HTTP/1.1\r\nhost: here\r\ncontent-length: 0\r\n\r\n").as_bytes())?;
            stream.read_to_end(&mut Vec::new())
        });
        asked.expect("the server answers its own tests");
    }

    /// Ends everything that goes wrong; the provider keeps what it knows.
    pub fn mend(&self) {
        let mut state = self.state();
        state.script.api.mend();
        state.script.faults.clear();
        state.counts.clear();
    }
}

impl Drop for Loopback {
    fn drop(&mut self) {
        self.leaving.now.store(true, Ordering::SeqCst);
        self.leaving.told.notify_all();
        // Wakes the listener, which then sees that it is over.
        let _ = TcpStream::connect(self.url.trim_start_matches("http://"));
    }
}

/// Answers one request of one connection.
fn serve(mut stream: TcpStream, shared: &Mutex<State>, leaving: &Leaving, url: &str, unread: Unread) {
    let Some(request) = Received::read(&mut stream) else { return };
    if request.path == ALL_READ {
        unread.wait_for_others(leaving);
        return drop(stream.write_all(b"HTTP/1.1 204 x\r\nconnection: close\r\n\r\n"));
    }
    let (misdeed, reply) = {
        let mut state = shared.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *state;
        state.requests.push(request.clone());
        let mut misdeed = None;
        for (fault, count) in state.script.faults.iter().zip(&mut state.counts) {
            if request.path.contains(&fault.path) {
                *count += 1;
                if misdeed.is_none() && fault.nth.contains(count) {
                    misdeed = Some(fault.misdeed.clone());
                }
            }
        }
        let reply = match &misdeed {
            Some(Misdeed::Answer(reply)) => Some(reply.clone()),
            Some(Misdeed::DropBefore | Misdeed::Flood { .. }) => None,
            _ => Some(state.script.api.answer(&request, url, &mut state.books)),
        };
        (misdeed, reply)
    };
    drop(unread);
    if let Some(Misdeed::Flood { head, piece, pause }) = &misdeed {
        return flood(&mut stream, head, piece, *pause, leaving);
    }
    let Some(mut reply) = reply else { return hang_up(&stream) };
    let (mut length, mut end) = (None, End::Plain);
    match misdeed {
        Some(Misdeed::DropAfter) => return hang_up(&stream),
        Some(Misdeed::Hang) => return leaving.wait(Duration::from_secs(600)),
        Some(Misdeed::Delay(span)) => leaving.wait(span),
        Some(Misdeed::Rewrite(change)) => change(&mut reply),
        Some(Misdeed::Reset(at)) => {
            length = Some(reply.body.len());
            reply.body.truncate(at);
            end = End::Reset;
        }
        Some(Misdeed::Drip(pieces, pause)) => end = End::Drip(reply.body.len().div_ceil(pieces.max(1)).max(1), pause),
        Some(Misdeed::Garble) => reply.body = b"<html>{\"code\":200".to_vec(),
        Some(Misdeed::Truncate(at)) => {
            length = Some(reply.body.len());
            reply.body.truncate(at);
        }
        Some(Misdeed::Answer(_) | Misdeed::DropBefore | Misdeed::Flood { .. }) | None => {}
    }
    let mut head = format!("HTTP/1.1 {} x\r\nconnection: close\r\ncontent-length: {}\r\n", reply.status, length.unwrap_or(reply.body.len()));
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let _ = stream.write_all(format!("{head}\r\n").as_bytes());
    match end {
        End::Plain => drop(stream.write_all(&reply.body)),
        End::Reset => {
            let _ = stream.write_all(&reply.body);
            return reset(&stream);
        }
        End::Drip(piece, pause) => {
            for bytes in reply.body.chunks(piece) {
                if stream.write_all(bytes).is_err() {
                    return;
                }
                leaving.wait(pause);
            }
        }
    }
    let _ = stream.shutdown(Shutdown::Write);
}

fn flood(stream: &mut TcpStream, head: &str, piece: &[u8], pause: Duration, leaving: &Leaving) {
    let mut sent = stream.write_all(head.as_bytes());
    while sent.is_ok() && !leaving.now.load(Ordering::SeqCst) {
        sent = stream.write_all(piece);
        FLOODED.fetch_add(piece.len() as u64, Ordering::SeqCst);
        if !pause.is_zero() {
            leaving.wait(pause);
        }
    }
}

/// How an answer goes out.
enum End {
    Plain,
    Reset,
    /// Pieces of so many bytes, with a pause after each.
    Drip(usize, Duration),
}

/// Makes the end of a connection a reset, where the system can say so; elsewhere it just ends.
fn reset(stream: &TcpStream) {
    #[cfg(unix)]
    {
        let at_once = nix::libc::linger { l_onoff: 1, l_linger: 0 };
        let _ = nix::sys::socket::setsockopt(stream, nix::sys::socket::sockopt::Linger, &at_once);
    }
    #[cfg(not(unix))]
    hang_up(stream);
}

fn hang_up(stream: &TcpStream) {
    let _ = stream.shutdown(Shutdown::Both);
}
