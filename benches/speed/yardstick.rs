//! The yardstick of a run: the least client in Rust that keeps a journal, as a process of its own.
//!
//! 64 workers; for each picture an entry of a journal on the disk before the submit, after its answer and at the end (one flush for all
//! that wait); submit, question, download; a temporary file and a rename. It tries nothing again, counts no money, knows no campaign and
//! makes no reports: all of that favours it. In its careless form it also looks at no picture and flushes none, so a power cut leaves it
//! with paid pictures that its journal calls done and no disk has; in its careful form it decodes each, as we do, and brings file and
//! name to the disk.

use std::fs::{self, File};
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use callsheet::imaging::{self, Limits};
use reqwest::{Client, RequestBuilder};
use serde_json::Value;
use tokio::sync::oneshot;

use crate::server::KEY;

/// First argument of the yardstick; then the server's address, the number of pictures, and [`CAREFUL`] or [`CARELESS`].
pub const YARDSTICK: &str = "--yardstick";

/// Pictures are decoded and flushed.
pub const CAREFUL: &str = "careful";

/// Pictures are taken as they come.
pub const CARELESS: &str = "careless";

/// Pictures under way at once.
pub const WORKERS: usize = 64;

type Entry = (String, oneshot::Sender<()>);

/// Is the yardstick: buys so many pictures into the present folder.
pub fn buy(args: &[String]) -> ExitCode {
    let [url, count, manner] = args else { return ExitCode::from(2) };
    let count: usize = count.parse().expect("a number of pictures");
    let is_careful = manner == CAREFUL;
    fs::create_dir_all("pictures").expect("a folder can be made");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime starts");
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder().no_proxy().tls_certs_only([]).build().expect("a client without certificates");
    let (journal, entries) = mpsc::channel::<Entry>();
    let writer = std::thread::spawn(|| write(entries));
    runtime.block_on(async {
        let next = Arc::new(AtomicUsize::new(0));
        let worker = |_| {
            let (client, url, journal, next) = (client.clone(), url.clone(), journal.clone(), Arc::clone(&next));
            tokio::spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return;
                    }
                    buy_one(&client, &url, &journal, number, is_careful).await;
                }
            })
        };
        for worker in (0..WORKERS).map(worker).collect::<Vec<_>>() {
            worker.await.expect("a worker ends");
        }
    });
    drop(journal);
    writer.join().expect("the journal ends");
    ExitCode::SUCCESS
}

async fn buy_one(client: &Client, url: &str, journal: &mpsc::Sender<Entry>, number: usize, is_careful: bool) {
    note(journal, format!("intent {number}\n")).await;
    let order = format!(r#"{{"model":"gpt-image-2-text-to-image","input":{{"prompt":"cup {number}","aspect_ratio":"1:1","resolution":"1K"}}}}"#);
    let submit = client.post(format!("{url}/api/v1/jobs/createTask")).header("content-type", "application/json").body(order);
    let answer = asked(submit).await;
    let task = answer["data"]["taskId"].as_str().expect("a task").to_owned();
    note(journal, format!("task {number} {task}\n")).await;
    let address = loop {
        let answer = asked(client.get(format!("{url}/api/v1/jobs/recordInfo?taskId={task}"))).await;
        if answer["data"]["state"] == "success" {
            let results: Value = serde_json::from_str(answer["data"]["resultJson"].as_str().expect("a text")).expect("JSON in a text");
            break results["resultUrls"][0].as_str().expect("an address").to_owned();
        }
    };
    let picture = client.get(address).send().await.expect("an answer").bytes().await.expect("a picture");
    if is_careful {
        tokio::task::spawn_blocking(move || keep(number, &picture, true)).await.expect("the work ends");
    } else {
        keep(number, &picture, false);
    }
    note(journal, format!("done {number}\n")).await;
}

fn keep(number: usize, picture: &[u8], is_careful: bool) {
    let (draft, path) = (format!("pictures/{number}.tmp"), format!("pictures/{number}.png"));
    if is_careful {
        imaging::verify(picture, &Limits::default()).expect("a whole picture");
    }
    let mut file = File::create(&draft).expect("it can be made");
    file.write_all(picture).expect("it can be written");
    if is_careful {
        file.sync_data().expect("the disk takes it");
    }
    fs::rename(&draft, &path).expect("it can be renamed");
    if is_careful {
        File::open("pictures").and_then(|folder| folder.sync_all()).expect("the disk takes the name");
    }
}

async fn asked(request: RequestBuilder) -> Value {
    let answer = request.header("authorization", format!("Bearer {KEY}")).send().await.expect("an answer");
    serde_json::from_slice(&answer.bytes().await.expect("a body")).expect("JSON")
}

/// Returns once the entry is on the disk.
async fn note(journal: &mpsc::Sender<Entry>, entry: String) {
    let (told, heard) = oneshot::channel();
    journal.send((entry, told)).expect("the journal is open");
    heard.await.expect("the journal answers");
}

/// Writes all that wait with one flush.
fn write(entries: mpsc::Receiver<Entry>) {
    let mut file = File::create("journal").expect("a journal can be made");
    while let Ok(first) = entries.recv() {
        let group: Vec<Entry> = std::iter::once(first).chain(entries.try_iter()).collect();
        let text: String = group.iter().map(|(entry, _)| entry.as_str()).collect();
        file.write_all(text.as_bytes()).and_then(|()| file.sync_data()).expect("the disk takes it");
        for (_, told) in group {
            let _ = told.send(());
        }
    }
}
