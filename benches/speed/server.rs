//! A provider on this machine that answers at once, as a process of its own: what it costs is nobody's.
//!
//! ```text
//! POST /api/v1/jobs/createTask ─▶ a task      GET /api/v1/jobs/recordInfo ─▶ finished      GET /result/N.png ─▶ a picture
//! POST /v1/images/generations  ─▶ the picture itself, in base64
//! GET  /submits                ─▶ when each submit was taken, in ms, and how many were refused for their rate
//! ```
//!
//! In: requests on connections that are kept. Out: answers; no two pictures are alike, or a store would keep only one of them.
//! Never: a look at what is asked for. That requests are as the documents say is tried elsewhere (`tests/it/loopback`).

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdin, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use callsheet::imaging::{Picture, encode};
use callsheet::types::ImageFormat;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Barrier;

/// First argument of the server.
pub const SERVER: &str = "--serve";

/// The key that goes along with requests; the server does not read it.
pub const KEY: &str = "sk-of-the-bench";

/// How long results wait for each other at most.
const TOGETHER: Duration = Duration::from_secs(20);

/// What the server plays.
#[derive(Debug, Clone, Copy)]
pub struct Play {
    /// About how many bytes a picture has.
    pub bytes: usize,
    /// So many results leave at once, none before all are asked for; 1: each as it is asked for.
    pub together: usize,
    /// How many submits it takes in 10 s; 0: all.
    pub rate: usize,
}

/// The rate's span.
pub const SPAN: Duration = Duration::from_secs(10);

/// A server at work; it ends with this value.
pub struct Server {
    /// Where it stands.
    pub url: String,
    child: Child,
    /// The server reads it, and ends with it.
    _lifeline: ChildStdin,
}

impl Server {
    /// Starts one on a free port.
    pub fn start(play: Play) -> Self {
        let own = std::env::current_exe().expect("the bench knows where it stands");
        let words = [play.bytes, play.together, play.rate].map(|number| number.to_string());
        let mut child = Command::new(own).arg(SERVER).args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the server starts");
        let lifeline = child.stdin.take().expect("it was asked for");
        let mut url = String::new();
        let told = BufReader::new(child.stdout.take().expect("it was asked for")).read_line(&mut url);
        assert!(told.is_ok() && url.starts_with("http"), "the server says where it stands");
        Self { url: url.trim_end().to_owned(), child, _lifeline: lifeline }
    }

    /// Returns when submits were taken, in milliseconds since the first, and how many were refused for their rate.
    pub fn submits(&self) -> (Vec<u64>, usize) {
        let mut stream = std::net::TcpStream::connect(self.url.trim_start_matches("http://")).expect("the server is there");
        std::io::Write::write_all(&mut stream, b"GET /submits HTTP/1.1\r\nconnection: close\r\n\r\n").expect("the server listens");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("the server answers");
        let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let mut numbers = body.split_whitespace().map(|number| number.parse::<u64>().expect("a number"));
        let refused = numbers.next().expect("the count of refusals");
        let taken: Vec<u64> = numbers.collect();
        let first = taken.first().copied().unwrap_or(0);
        (taken.iter().map(|at| at - first).collect(), usize::try_from(refused).expect("a small number"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Is the server, until nobody holds the other end of its input.
pub fn serve(args: &[String]) -> ExitCode {
    let numbers: Vec<usize> = args.iter().filter_map(|arg| arg.parse().ok()).collect();
    let [bytes, together, rate] = numbers[..] else { return ExitCode::from(2) };
    let play = Play { bytes, together, rate };
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let url = format!("http://{}", listener.local_addr().expect("it has an address"));
        let shop = Arc::new(Shop::new(play, url.clone()));
        println!("{url}");
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve_one(Arc::clone(&shop), stream));
        }
    });
    ExitCode::SUCCESS
}

struct Shop {
    url: String,
    /// A picture without its end.
    body: Vec<u8>,
    tasks: AtomicUsize,
    together: Option<Barrier>,
    rate: usize,
    begun: Instant,
    books: Mutex<Books>,
}

#[derive(Default)]
struct Books {
    taken: Vec<Duration>,
    recent: VecDeque<Duration>,
    refused: usize,
}

/// The end of a PNG: length, name and checksum of an empty chunk.
const END: [u8; 12] = [0, 0, 0, 0, b'I', b'E', b'N', b'D', 0xae, 0x42, 0x60, 0x82];

impl Shop {
    fn new(play: Play, url: String) -> Self {
        let mut body = picture(play.bytes);
        assert!(body.ends_with(&END), "a PNG ends with its end chunk");
        body.truncate(body.len() - END.len());
        let together = (play.together > 1).then(|| Barrier::new(play.together));
        Self { url, body, tasks: AtomicUsize::new(0), together, rate: play.rate, begun: Instant::now(), books: Mutex::default() }
    }

    /// Returns a picture that no other is equal to.
    fn picture(&self, number: usize) -> Vec<u8> {
        let note = format!("tEXtNumber\0{number}");
        let mut bytes = Vec::with_capacity(self.body.len() + note.len() + 8 + END.len());
        bytes.extend_from_slice(&self.body);
        bytes.extend_from_slice(&u32::try_from(note.len() - 4).expect("a short text").to_be_bytes());
        bytes.extend_from_slice(note.as_bytes());
        bytes.extend_from_slice(&checksum(note.as_bytes()).to_be_bytes());
        bytes.extend_from_slice(&END);
        bytes
    }

    /// Takes a submit, unless there were too many; returns its number.
    fn take(&self) -> Option<usize> {
        let now = self.begun.elapsed();
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        while books.recent.front().is_some_and(|at| now.saturating_sub(*at) >= SPAN) {
            books.recent.pop_front();
        }
        if self.rate > 0 && books.recent.len() >= self.rate {
            books.refused += 1;
            return None;
        }
        books.recent.push_back(now);
        books.taken.push(now);
        Some(self.tasks.fetch_add(1, Ordering::Relaxed))
    }

    async fn answer(&self, path: &str) -> (&'static str, Vec<u8>) {
        let json = "application/json";
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        if path.ends_with("/createTask") {
            return (
                json,
                match self.take() {
                    Some(number) => format!(r#"{{"code":200,"msg":"success","data":{{"taskId":"task-{number}"}}}}"#).into_bytes(),
                    None => br#"{"code":429,"msg":"too many requests","data":null}"#.to_vec(),
                },
            );
        }
        if path.ends_with("/recordInfo") {
            let number = query.rsplit('-').next().unwrap_or_default();
            let results = format!(r#"{{\"resultUrls\":[\"{}/result/{number}.png\"]}}"#, self.url);
            let data = format!(r#"{{"taskId":"task-{number}","state":"success","resultJson":"{results}","creditsConsumed":6}}"#);
            return (json, format!(r#"{{"code":200,"msg":"success","data":{data}}}"#).into_bytes());
        }
        if let Some(number) = path.strip_prefix("/result/").and_then(|name| name.strip_suffix(".png")?.parse().ok()) {
            self.gather().await;
            return ("image/png", self.picture(number));
        }
        if path.ends_with("/images/generations") {
            let Some(number) = self.take() else { return (json, br#"{"error":{"code":"rate_limit_exceeded"}}"#.to_vec()) };
            self.gather().await;
            let text = base64::engine::general_purpose::STANDARD.encode(self.picture(number));
            let usage = r#""usage":{"input_tokens":12,"input_tokens_details":{"image_tokens":0,"text_tokens":12},"output_tokens":1756}"#;
            return (json, format!(r#"{{"created":1776916481,"data":[{{"b64_json":"{text}"}}],{usage}}}"#).into_bytes());
        }
        if path == "/submits" {
            let books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
            let numbers = std::iter::once(books.refused.to_string()).chain(books.taken.iter().map(|at| at.as_millis().to_string()));
            return ("text/plain", numbers.collect::<Vec<_>>().join(" ").into_bytes());
        }
        // The balance, which the program asks for before it buys.
        (json, br#"{"code":200,"msg":"success","data":5916250}"#.to_vec())
    }

    /// Waits until so many results are asked for that they can leave together.
    async fn gather(&self) {
        if let Some(together) = &self.together {
            let _ = tokio::time::timeout(TOGETHER, together.wait()).await;
        }
    }
}

/// Answers the requests of one connection until it ends.
async fn serve_one(shop: Arc<Shop>, mut stream: TcpStream) -> Option<()> {
    let _ = stream.set_nodelay(true);
    let mut waiting = Vec::with_capacity(4096);
    loop {
        let (head, length) = loop {
            if let Some(found) = head_of(&waiting) {
                break found;
            }
            more(&mut stream, &mut waiting).await?;
        };
        while waiting.len() < head + length {
            more(&mut stream, &mut waiting).await?;
        }
        let line = std::str::from_utf8(&waiting[..head]).ok()?;
        let closes = line.to_ascii_lowercase().contains("connection: close");
        let path = line.split_whitespace().nth(1)?.to_owned();
        waiting.drain(..head + length);
        let (media, body) = shop.answer(&path).await;
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {media}\r\ncontent-length: {}\r\n\r\n", body.len());
        if body.len() < 4096 {
            stream.write_all(&[head.as_bytes(), &body].concat()).await.ok()?;
        } else {
            stream.write_all(head.as_bytes()).await.ok()?;
            stream.write_all(&body).await.ok()?;
        }
        if closes {
            return None;
        }
    }
}

async fn more(stream: &mut TcpStream, waiting: &mut Vec<u8>) -> Option<()> {
    let read = stream.read_buf(waiting).await.ok()?;
    (read > 0).then_some(())
}

/// Returns the length of the head, once it is there, and of the body that follows.
fn head_of(bytes: &[u8]) -> Option<(usize, usize)> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&bytes[..end]).ok()?.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    Some((end, length.unwrap_or(0)))
}

/// Draws a PNG of about so many bytes that is compressed to half its pixels, as pictures of models are.
fn picture(bytes: usize) -> Vec<u8> {
    let side = ((bytes as f64) * 2.0 / 3.0).sqrt() as u32;
    let mut pixels = vec![0; (side * side * 3) as usize];
    blake3::Hasher::new().finalize_xof().fill(&mut pixels);
    for (place, value) in pixels.iter_mut().enumerate() {
        *value = (*value & 0x0f) | ((place / (side as usize * 3) * 256 / side as usize) as u8 & 0xf0);
    }
    let picture = image::RgbImage::from_raw(side, side, pixels).expect("as many bytes as pixels");
    encode(&Picture::Rgb(picture), ImageFormat::Png, None, &[]).expect("it can be written")
}

/// Returns the checksum of a PNG's chunk.
fn checksum(bytes: &[u8]) -> u32 {
    let step = |sum: u32, byte: &u8| (0..8).fold(sum ^ u32::from(*byte), |sum, _| if sum & 1 == 1 { (sum >> 1) ^ 0xedb8_8320 } else { sum >> 1 });
    !bytes.iter().fold(u32::MAX, step)
}
