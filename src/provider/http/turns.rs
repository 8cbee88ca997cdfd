//! Bodies that come fast are read by turns: the client reads ahead as far as a connection can fill it, up to hundreds of kilobytes, and a
//! hundred of them at once would take what none of them needs.
//!
//! In: responses that are being read. Out: their next chunk.
//! Never: a turn for a body that comes slowly, or a wait behind one: of those nothing is read ahead.

use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::Response;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Fast bodies that are read at once.
static TURNS: Semaphore = Semaphore::const_new(4);

/// Bytes of a chunk past which its body comes fast, 16 KiB: as many as an encrypted record brings.
const FAST: usize = 16 << 10;

/// How long a fast body may pause and keep its turn, 500 ms: if others went on meanwhile, all would be half read.
const PAUSE: Duration = Duration::from_millis(500);

/// How long a body is read before the others come, 2 s.
const HELD: Duration = Duration::from_secs(2);

/// The turn of one body; it is given back at its end, after a while, and when the body comes no more or slowly.
#[derive(Default)]
pub(super) struct Turn {
    held: Option<(SemaphorePermit<'static>, Instant)>,
    /// Bytes of the last chunk.
    last: usize,
}

impl Turn {
    /// Returns the next chunk of a body.
    ///
    /// # Errors
    /// What the client says.
    pub(super) async fn next(&mut self, response: &mut Response) -> Result<Option<Bytes>, reqwest::Error> {
        if self.last <= FAST {
            self.held = None;
        } else if self.held.as_ref().is_none_or(|(_, since)| since.elapsed() > HELD) {
            // Given back before it is asked for: the others come first.
            self.held = None;
            self.held = TURNS.acquire().await.ok().map(|turn| (turn, Instant::now()));
        }
        let in_time = if self.held.is_some() { tokio::time::timeout(PAUSE, response.chunk()).await.ok() } else { None };
        let chunk = match in_time {
            Some(chunk) => chunk,
            None => {
                self.held = None;
                response.chunk().await
            }
        };
        self.last = chunk.as_ref().ok().and_then(Option::as_ref).map_or(0, Bytes::len);
        if self.last == 0 {
            self.held = None;
        }
        chunk
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// Opens a body of which the server sends so many bytes at a time, after a rest; it may leave the end out.
    async fn body(piece: usize, pieces: usize, rest: Duration, whole: bool) -> Response {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let url = format!("http://{}/", listener.local_addr().expect("it has an address"));
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a client");
            let _ = stream.read(&mut [0; 4096]).await;
            let length = piece * pieces + usize::from(!whole);
            stream.write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n").as_bytes()).await.expect("it listens");
            for _ in 0..pieces {
                tokio::time::sleep(rest).await;
                let _ = stream.write_all(&vec![7; piece]).await;
            }
            std::future::pending::<()>().await;
        });
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().expect("a client without certificates");
        client.get(url).send().await.expect("an answer")
    }

    async fn read(turn: &mut Turn, response: &mut Response, most: usize) -> usize {
        let mut taken = 0;
        while taken < most
            && let Ok(Some(chunk)) = turn.next(response).await
        {
            taken += chunk.len();
        }
        taken
    }

    /// One test, because the turns are everybody's.
    #[tokio::test]
    async fn who_comes_fast_waits_for_a_turn_who_comes_slowly_never_does_and_who_pauses_gives_it_back() {
        let none = Duration::ZERO;
        let all = TURNS.acquire_many(4).await.expect("nobody closes them");
        let mut slow = body(2_000, 40, Duration::from_millis(2), true).await;
        assert_eq!(read(&mut Turn::default(), &mut slow, usize::MAX).await, 80_000, "slow, and no turn is free");
        let (mut fast, mut turn) = (body(4_000_000, 1, none, true).await, Turn::default());
        let early = tokio::time::timeout(PAUSE, read(&mut turn, &mut fast, usize::MAX)).await;
        assert!(early.is_err() && turn.held.is_none(), "fast, and no turn is free");
        drop(all);
        let mut fast = body(4_000_000, 1, none, true).await;
        assert_eq!(read(&mut turn, &mut fast, usize::MAX).await, 4_000_000);
        assert_eq!((turn.held.is_none(), TURNS.available_permits()), (true, 4), "given back at the end");

        let (mut stops, mut turn) = (body(1_000_000, 1, none, false).await, Turn::default());
        assert_eq!(read(&mut turn, &mut stops, 1_000_000).await, 1_000_000);
        assert_eq!(TURNS.available_permits(), 3, "it may go on at once");
        let more = tokio::time::timeout(PAUSE * 2, turn.next(&mut stops)).await;
        assert!(more.is_err() && TURNS.available_permits() == 4, "it pauses");
    }
}
