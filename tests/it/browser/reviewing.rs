//! `callsheet review`: what it serves, to whom, and what a person does there.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use super::chromium::Chromium;
use crate::desk::{Desk, SPRING};

/// A review that is under way; it ends with its owner.
struct Reviewing {
    child: Child,
    /// `http://127.0.0.1:PORT/SECRET/`.
    address: String,
}

impl Reviewing {
    fn start(desk: &Desk) -> Self {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("callsheet"));
        command.current_dir(desk.path()).env_clear().args(["review", SPRING, "--profile", "draft", "--rehearse", "--no-open"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the program starts");
        let mut address = String::new();
        BufReader::new(child.stdout.take().expect("it is piped")).read_line(&mut address).expect("it says where");
        Self { child, address: address.trim().to_owned() }
    }

    /// Returns host with port, and the path with the secret.
    fn parts(&self) -> (&str, &str) {
        let rest = self.address.strip_prefix("http://").expect("it is an address");
        rest.split_at(rest.find('/').expect("it has a path"))
    }

    /// Sends a request as it stands and returns the answer's head and body.
    fn ask(&self, request: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.parts().0).expect("somebody listens");
        stream.write_all(request.as_bytes()).expect("it listens");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("it answers");
        let answer = String::from_utf8_lossy(&answer).into_owned();
        (answer.get(9..12).and_then(|status| status.parse().ok()).unwrap_or_default(), answer)
    }

    fn get(&self, path: &str, headers: &str) -> (u16, String) {
        self.ask(&format!("GET {path} HTTP/1.1\r\nConnection: close\r\n{headers}\r\n"))
    }
}

impl Drop for Reviewing {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn rehearsed() -> Desk {
    let desk = Desk::new();
    desk.rehearse(&[SPRING, "--profile", "draft", "-q"], 0);
    desk
}

#[test]
fn only_those_who_know_the_address_are_served_and_only_files_of_the_tree() {
    let desk = rehearsed();
    let review = Reviewing::start(&desk);
    let (host, root) = review.parts();
    let own = format!("Host: {host}\r\n");

    let (status, page) = review.get(root, &own);
    assert!(status == 200 && page.contains("text/html") && page.contains("id=\"data\""), "{status}");
    for header in [
        "x-content-type-options: nosniff",
        "x-frame-options: DENY",
        "cache-control: no-store",
        "referrer-policy: no-referrer",
        "frame-ancestors 'none'",
    ] {
        assert!(page.contains(header), "{header}");
    }
    let (status, picture) = review.get(&format!("{root}teapot/front/hero.png"), &own);
    assert!(status == 200 && picture.contains("image/png") && picture.contains("sandbox"), "{status}");
    assert_eq!(review.get(&format!("{root}costs.csv"), &own).0, 200);

    desk.write("rehearsal/spring-drop/secret.txt", "not of the tree");
    for path in [
        "secret.txt",
        "../../campaigns/spring-drop.yaml",
        "%2e%2e/%2e%2e/campaigns/spring-drop.yaml",
        "/etc/passwd",
        ".callsheet-tree",
        "teapot",
        "teapot/",
    ] {
        assert_eq!(review.get(&format!("{root}{path}"), &own).0, 404, "{path}");
    }
    assert_eq!(review.get("/", &own).0, 404);
    assert_eq!(review.get("/index.html", &own).0, 404);
    assert_eq!(review.get(root, "Host: evil.example\r\n").0, 403, "a name that was bound to loopback");
    assert_eq!(review.get(root, &format!("{own}Origin: http://evil.example\r\n")).0, 403);
    assert_eq!(review.get(root, &format!("{own}Sec-Fetch-Site: cross-site\r\n")).0, 403);
    assert_eq!(review.ask(&format!("DELETE {root}picks HTTP/1.1\r\nConnection: close\r\n{own}\r\n")).0, 405);

    let post = |headers: &str, body: &str| {
        review.ask(&format!("POST {root}picks HTTP/1.1\r\nConnection: close\r\n{own}{headers}Content-Length: {}\r\n\r\n{body}", body.len()))
    };
    let json = "Content-Type: application/json\r\n";
    let origin = format!("Origin: http://{host}\r\n");
    assert_eq!(post(json, "[]").0, 403, "nobody says which page asks");
    assert_eq!(post(&format!("{json}Origin: http://evil.example\r\n"), "[]").0, 403);
    assert_eq!(post(&format!("{origin}Content-Type: text/plain\r\n"), "[]").0, 415, "what a form of another site could send");
    assert_eq!(post(&format!("{origin}{json}"), &"x".repeat(70_000)).0, 413);
    let (status, said) = post(&format!("{origin}{json}"), "[]");
    assert!(status == 200 && said.ends_with(r#"{"picks":{},"rejected":{}}"#), "{said}");
    assert!(!desk.path().join("picks").exists(), "nothing was said, nothing is written");
}

#[test]
#[cfg(unix)]
fn ctrl_c_ends_it() {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    let desk = rehearsed();
    let mut review = Reviewing::start(&desk);
    kill(Pid::from_raw(i32::try_from(review.child.id()).expect("a number")), Signal::SIGINT).expect("it is there");
    assert_eq!(review.child.wait().expect("it ends").code(), Some(0));
}

#[test]
fn a_picture_is_turned_down_with_a_note_and_taken_back_by_keys() {
    let Some(mut browser) = Chromium::start("browser::reviewing::a_picture_is_turned_down_with_a_note_and_taken_back_by_keys", 1440, 900) else {
        return;
    };
    let desk = rehearsed();
    let review = Reviewing::start(&desk);
    browser.open(&review.address);
    browser.wait("document.querySelectorAll('.card').length > 8");
    browser.wait("[...document.querySelectorAll('.card img')].every((image) => image.naturalWidth > 0)");
    browser.value("(document.querySelector('.card').focus(), 0)");
    browser.press(&["Enter", "r"]);
    browser.wait("document.querySelector('dialog.ask[open]') !== null");
    browser.insert("the handle is cut off");
    browser.press(&["Enter"]);
    browser.wait("document.querySelector('.verdicts .why')?.textContent === 'the handle is cut off'");
    let file = "picks/rehearsal/spring-drop.yaml";
    let text = String::from_utf8(desk.read(file)).expect("it is text");
    assert!(
        text.contains("  \"hero[sku=teapot,angle=front]\":\n    - picture: \"") && text.contains("      note: \"the handle is cut off\"\n"),
        "{text}"
    );

    browser.press(&["u"]);
    browser.wait("document.querySelector('.verdicts .why') === null");
    assert!(!String::from_utf8(desk.read(file)).expect("it is text").contains("rejected"), "it is taken back");

    desk.write(file, "version: 1\ncampaign: summer\n");
    browser.press(&["r"]);
    browser.wait("document.querySelector('dialog.ask[open]') !== null");
    browser.press(&["Enter"]);
    browser.wait("document.querySelector('.verdicts .why')?.textContent.includes('has mistakes')");
    assert_eq!(desk.read(file), b"version: 1\ncampaign: summer\n", "what another hand has written is left");
}
