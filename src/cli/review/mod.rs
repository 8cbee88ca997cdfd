//! The gallery on this machine, with a place to write picks: one page, one campaign, nobody else.
//!
//! ```text
//! connection ─▶ guard (who asks, for what) ─▶ a file of the tree │ the picks as they are │ words ─▶ picks file, whole and renamed into place
//!                                          └▶ are there new pictures? ─ ledger ─▶ a newer view, taken in when the page is loaded again
//! ```
//! In: connections from loopback. Out: files that the campaign's tree is known to hold, or the store; the picks file.
//! Never: an answer to anybody who does not know the address with its secret, to another site's page, or for another file.

mod guard;
mod keep;

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, Semaphore};

pub use guard::Secret;
use guard::{Asked, Guard, Refusal};
pub use keep::{Keeper, Shots};

/// Connections at a time: a browser opens six.
const CONNECTIONS: usize = 32;

/// Longest wait for the head of a request, and for its body.
const PATIENCE: Duration = Duration::from_secs(20);

/// Longest body, in bytes: a note has at most 2,000 characters.
const BODY: usize = 64 << 10;

/// Name of the page.
const PAGE: &str = "index.html";

/// What may be read: paths below the page's folder, and where the files stand.
pub type Files = HashMap<String, PathBuf>;

/// What is shown: a campaign as the ledger knew it at one moment.
pub struct View {
    /// The ledger's last record.
    pub seq: u64,
    /// The page; without it the one of the tree.
    pub page: Option<Bytes>,
    /// What may be read.
    pub files: Files,
    /// What words can be about.
    pub shots: Arc<Shots>,
}

/// Looks whether the ledger has moved on from a record, and returns what it shows then. Takes its time: it reads files and plans.
pub type Look = dyn Fn(u64) -> Result<Option<View>, Unseen> + Send + Sync;

/// What is newer cannot be shown: the campaign has mistakes by now, or something cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unseen;

/// How long a page that only asks is not looked for again after a look that failed; whoever loads the page is.
const REST: Duration = Duration::from_secs(20);

/// A server that is about to listen.
pub struct Review {
    /// What is shown at first.
    pub view: View,
    /// Who finds what is newer.
    pub look: Arc<Look>,
    /// Who writes the picks.
    pub keeper: Keeper,
    /// The secret part of the address.
    pub secret: Secret,
}

impl Review {
    /// Takes a place on loopback: `port`, or any that is free. Returns the listener and the address to open.
    ///
    /// # Errors
    /// What the system says.
    pub async fn listen(&self, port: u16) -> std::io::Result<(TcpListener, String)> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let port = listener.local_addr()?.port();
        Ok((listener, format!("http://127.0.0.1:{port}/{}/", self.secret)))
    }

    /// Answers until the future is dropped.
    ///
    /// # Errors
    /// What the system says when it takes the listener away.
    pub async fn serve(self, listener: TcpListener) -> std::io::Result<()> {
        let guard = Guard { port: listener.local_addr()?.port(), secret: self.secret };
        let shown = Mutex::new(Shown { view: Arc::new(self.view), newer: None, version: 0 });
        let desk = Arc::new(Desk { shown, look: self.look, looking: Mutex::new(None), keeper: Mutex::new(self.keeper), guard });
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            // The semaphore is never closed.
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return Ok(()) };
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                // A connection that broke before it was taken, or no more file numbers for a moment.
                Err(_) => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                }
            };
            let desk = Arc::clone(&desk);
            tokio::spawn(async move {
                desk.talk(stream).await;
                drop(place);
            });
        }
    }
}

/// What all connections share.
struct Desk {
    shown: Mutex<Shown>,
    look: Arc<Look>,
    /// Held by whoever looks: once is enough for all. When a look has failed, if the last one has.
    looking: Mutex<Option<Instant>>,
    keeper: Mutex<Keeper>,
    guard: Guard,
}

/// What pages are made from now, and what the next one will be made from.
struct Shown {
    view: Arc<View>,
    newer: Option<Arc<View>>,
    /// Counts how often something newer was taken in.
    version: u64,
}

type Answer = Response<Full<Bytes>>;

impl Desk {
    async fn talk(self: Arc<Self>, stream: TcpStream) {
        let service = service_fn(move |request| {
            let desk = Arc::clone(&self);
            async move { Ok::<_, Infallible>(desk.answer(request).await) }
        });
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(PATIENCE).max_buf_size(32 << 10);
        // A browser that goes away in the middle is nobody's trouble.
        let _ = http.serve_connection(TokioIo::new(stream), service).await;
    }

    async fn answer(&self, request: Request<Incoming>) -> Answer {
        let (head, body) = request.into_parts();
        match self.guard.judge(&head) {
            Err(refusal) => refused(&refusal),
            Ok(Asked::File(path)) if path == PAGE => {
                self.renew().await;
                self.file(PAGE).await
            }
            Ok(Asked::File(path)) => self.file(&path).await,
            Ok(Asked::State) => self.state().await,
            Ok(Asked::Picks) => self.kept(self.keeper.lock().await.read()),
            Ok(Asked::Say) => match tokio::time::timeout(PATIENCE, Limited::new(body, BODY).collect()).await {
                Ok(Ok(body)) => self.kept(self.keeper.lock().await.say(&body.to_bytes())),
                Ok(Err(_)) => refused(&Refusal { status: StatusCode::PAYLOAD_TOO_LARGE, why: "the words are too long".to_owned() }),
                Err(_) => refused(&Refusal { status: StatusCode::REQUEST_TIMEOUT, why: "the words did not come".to_owned() }),
            },
        }
    }

    fn kept(&self, state: Result<String, Refusal>) -> Answer {
        match state {
            Ok(state) => answer(StatusCode::OK, "application/json", state.into_bytes()),
            Err(refusal) => refused(&refusal),
        }
    }

    /// Looks for what is newer than all that is known, unless it cannot be seen, which was found out less than `rest` ago.
    async fn look(&self, rest: Duration) {
        let mut failed = self.looking.lock().await;
        if failed.is_some_and(|when| when.elapsed() < rest) {
            return;
        }
        let known = {
            let shown = self.shown.lock().await;
            shown.newer.as_ref().unwrap_or(&shown.view).seq
        };
        let look = Arc::clone(&self.look);
        let seen = tokio::task::spawn_blocking(move || look(known)).await.unwrap_or(Err(Unseen));
        *failed = seen.is_err().then(Instant::now);
        if let Ok(Some(view)) = seen {
            self.shown.lock().await.newer = Some(Arc::new(view));
        }
    }

    /// Tells how many pictures the page that is shown does not have.
    async fn state(&self) -> Answer {
        self.look(REST).await;
        let shown = self.shown.lock().await;
        let fresh = shown.newer.as_ref().map_or(0, |newer| shown.view.shots.fresh_in(&newer.shots));
        let said = serde_json::json!({ "version": shown.version, "fresh": fresh }).to_string();
        answer(StatusCode::OK, "application/json", said.into_bytes())
    }

    /// Takes in what is newer: somebody loads the page.
    async fn renew(&self) {
        self.look(Duration::ZERO).await;
        let mut shown = self.shown.lock().await;
        if let Some(newer) = shown.newer.take() {
            self.keeper.lock().await.shots = Arc::clone(&newer.shots);
            shown.view = newer;
            shown.version += 1;
        }
    }

    async fn file(&self, path: &str) -> Answer {
        let missing = || refused(&Refusal { status: StatusCode::NOT_FOUND, why: "there is no such file".to_owned() });
        let view = Arc::clone(&self.shown.lock().await.view);
        if let Some(page) = view.page.as_ref().filter(|_| path == PAGE) {
            return answer(StatusCode::OK, kind_of(path), page.clone());
        }
        let Some(file) = view.files.get(path).cloned() else { return missing() };
        // A link that somebody has put in the place of a picture leads nowhere.
        let read = move || if std::fs::symlink_metadata(&file)?.is_file() { std::fs::read(&file) } else { Err(std::io::ErrorKind::NotFound.into()) };
        match tokio::task::spawn_blocking(read).await {
            Ok(Ok(bytes)) => answer(StatusCode::OK, kind_of(path), bytes),
            _ => missing(),
        }
    }
}

fn refused(refusal: &Refusal) -> Answer {
    let said = serde_json::json!({ "error": refusal.why }).to_string();
    answer(refusal.status, "application/json", said.into_bytes())
}

/// Builds an answer that a browser neither guesses at, nor keeps, nor shows inside of another page.
fn answer(status: StatusCode, kind: &'static str, bytes: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(bytes.into()));
    *answer.status_mut() = status;
    // The page's own policy stands in the page; nothing else that is served here may do anything.
    let policy = if kind.starts_with("text/html") { "frame-ancestors 'none'" } else { "default-src 'none'; sandbox; frame-ancestors 'none'" };
    let headers: [(HeaderName, &'static str); 7] = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in headers {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}

/// Returns how a file is told to a browser: the page alone is a page.
fn kind_of(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, extension)| extension) {
        _ if path == PAGE => "text/html; charset=utf-8",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "json" | "jsonl" => "application/json",
        "csv" | "md" | "txt" | "yaml" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn shown() -> View {
        View { seq: 7, page: None, files: Files::new(), shots: Arc::default() }
    }

    fn desk(look: Arc<Look>) -> Desk {
        Desk {
            shown: Mutex::new(Shown { view: Arc::new(shown()), newer: None, version: 0 }),
            look,
            looking: Mutex::new(None),
            keeper: Mutex::new(Keeper { path: PathBuf::from("picks.yaml"), campaign: "spring-drop".to_owned(), shots: Arc::default() }),
            guard: Guard { port: 0, secret: Secret::new().expect("the system has chance") },
        }
    }

    #[tokio::test]
    async fn a_campaign_with_mistakes_is_not_planned_again_at_each_question_but_for_whoever_loads_the_page() {
        let looks = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&looks);
        let desk = desk(Arc::new(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            Err(Unseen)
        }));
        for _ in 0..5 {
            assert_eq!(desk.state().await.status(), StatusCode::OK);
        }
        assert_eq!(looks.load(Ordering::SeqCst), 1, "five questions, one look");
        desk.renew().await;
        assert_eq!(looks.load(Ordering::SeqCst), 2, "the page was loaded");
    }

    #[tokio::test]
    async fn nothing_new_is_asked_for_each_time() {
        let looks = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&looks);
        let desk = desk(Arc::new(move |known| {
            assert_eq!(known, 7);
            count.fetch_add(1, Ordering::SeqCst);
            Ok(None)
        }));
        for _ in 0..3 {
            desk.state().await;
        }
        assert_eq!(looks.load(Ordering::SeqCst), 3);
    }
}
