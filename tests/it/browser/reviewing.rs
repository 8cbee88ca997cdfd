//! `callsheet review`: what it serves, to whom, and what a person does there.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use super::chromium::Chromium;
use crate::desk::{Desk, SPRING};

/// A review that is under way; it ends with its owner.
pub struct Reviewing {
    child: Child,
    /// `http://127.0.0.1:PORT/SECRET/`.
    pub address: String,
}

impl Reviewing {
    pub fn start(desk: &Desk, campaign: &[&str]) -> Self {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("callsheet"));
        command.current_dir(desk.path()).env_clear().arg("review").args(campaign).args(["--rehearse", "--no-open"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the program starts");
        let mut address = String::new();
        BufReader::new(child.stdout.take().expect("it is piped")).read_line(&mut address).expect("it says where");
        Self { child, address: address.trim().to_owned() }
    }

    /// Returns host with port, and the path with the secret.
    pub fn parts(&self) -> (&str, &str) {
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

    pub fn get(&self, path: &str, headers: &str) -> (u16, String) {
        self.ask(&format!("GET {path} HTTP/1.1\r\nConnection: close\r\n{headers}\r\n"))
    }
}

impl Drop for Reviewing {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The campaign that is reviewed where nothing is to be chosen.
const DRAFT: [&str; 3] = [SPRING, "--profile", "draft"];

fn rehearsed() -> Desk {
    let desk = Desk::new();
    desk.rehearse(&[SPRING, "--profile", "draft", "-q"], 0);
    desk
}

#[test]
fn only_those_who_know_the_address_are_served_and_only_files_of_the_tree() {
    let desk = rehearsed();
    let review = Reviewing::start(&desk, &DRAFT);
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
    let mut review = Reviewing::start(&desk, &DRAFT);
    kill(Pid::from_raw(i32::try_from(review.child.id()).expect("a number")), Signal::SIGINT).expect("it is there");
    assert_eq!(review.child.wait().expect("it ends").code(), Some(0));
}

#[test]
fn a_picture_is_turned_down_with_a_note_and_taken_back_by_keys() {
    let Some(mut browser) = Chromium::start("browser::reviewing::a_picture_is_turned_down_with_a_note_and_taken_back_by_keys", 1440, 900) else {
        return;
    };
    let desk = rehearsed();
    let review = Reviewing::start(&desk, &DRAFT);
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

/// Two cups on three grounds each, of which one is chosen.
const CUPS: &str = r#"callsheet: 1
campaign: cups
provider: kie
prices: gptimage2-flat
defaults: { model: gpt-image-2, aspect: "1:1", resolution: 1K }
axes: { cup: [red, blue], ground: [oak, linen, stone] }
steps:
  shot: { generate: { prompt: "A {{ cup }} cup on {{ ground }}", over: [cup, ground] } }
  best: { pick: { from: shot, across: [ground] } }
  evening: { edit: { image: best, prompt: "The same cup in evening light" } }
"#;

#[test]
fn one_of_several_is_chosen_by_number_and_the_next_run_goes_on_from_it() {
    let Some(mut browser) = Chromium::start("browser::reviewing::one_of_several_is_chosen_by_number_and_the_next_run_goes_on_from_it", 1440, 900)
    else {
        return;
    };
    let desk = Desk::new();
    desk.write("cups.yaml", CUPS);
    desk.rehearse(&["cups.yaml", "-q"], 6);
    let review = Reviewing::start(&desk, &["cups.yaml"]);
    browser.open(&format!("{}#view=picks", review.address));
    browser.wait("document.querySelectorAll('.cell ol li').length === 6");
    browser.wait("[...document.querySelectorAll('.steps .open')].some((cell) => cell.textContent === '2 wait for a pick')");
    let progress = "document.querySelector('.progress').textContent";
    browser.wait(&format!("{progress} === '0 of 2 chosen'"));
    browser.value("(document.querySelector('.cell ol li').focus(), 0)");
    browser.press(&["2"]);
    browser.wait(&format!("{progress} === '1 of 2 chosen'"));
    browser.wait("document.activeElement.getAttribute('aria-label') === 'red · linen, chosen'");
    browser.press(&["n"]);
    browser.wait("document.querySelector('dialog.ask[open]') !== null");
    browser.insert("the grain reads well");
    browser.press(&["Enter"]);
    browser.wait("document.querySelector('.cell h3').textContent.includes('the grain reads well')");
    browser.press(&["ArrowDown", "3"]);
    browser.wait(&format!("{progress} === '2 of 2 chosen'"));
    browser.press(&["ArrowLeft", "r"]);
    browser.wait("document.querySelector('dialog.ask[open]') !== null");
    browser.press(&["Enter"]);
    browser.wait(&format!("{progress} === '2 of 2 chosen, 1 turned down'"));
    assert!(browser.mishaps().is_empty(), "{:?}", browser.mishaps());
    drop(review);

    let text = String::from_utf8(desk.read("picks/rehearsal/cups.yaml")).expect("it is text");
    assert!(
        text.contains("\"best[cup=red]\":\n    shot: \"shot[cup=red,ground=linen]\"") && text.contains("    note: \"the grain reads well\"\n"),
        "{text}"
    );
    assert!(text.contains("shot: \"shot[cup=blue,ground=stone]\"") && text.contains("rejected:\n  \"shot[cup=blue,ground=linen]\""), "{text}");
    desk.rehearse(&["cups.yaml", "-q"], 0);
    let manifest = desk.manifest("cups");
    let of =
        |job: &str| manifest["files"].as_array().into_iter().flatten().find(|file| file["job"] == job).cloned().unwrap_or_else(|| panic!("no {job}"));
    assert_eq!(of("best[cup=red]")["digest"], of("shot[cup=red,ground=linen]")["digest"]);
    assert_eq!(of("evening[cup=red]")["parents"][0]["digest"], of("best[cup=red]")["digest"]);

    browser.open(&super::address_of(&desk.path().join("rehearsal/cups/index.html")));
    let refused = "JSON.parse(document.getElementById('data').textContent).shots.find((shot) => shot.id === 'shot[cup=blue,ground=linen]').rj.length";
    assert_eq!(browser.value(refused), 1, "what was turned down can still be looked at");
}

#[test]
fn answers_that_come_late_and_out_of_order_take_neither_the_choice_nor_the_focus() {
    let name = "browser::reviewing::answers_that_come_late_and_out_of_order_take_neither_the_choice_nor_the_focus";
    let Some(mut browser) = Chromium::start(name, 1440, 900) else { return };
    let desk = Desk::new();
    desk.write("cups.yaml", CUPS);
    desk.rehearse(&["cups.yaml", "-q"], 6);
    let review = Reviewing::start(&desk, &["cups.yaml"]);
    // The first answer, which tells what was chosen before, is the slowest of all.
    let slow = "((real) => { window.fetch = async (path, asked) => { const answer = await real(path, asked);
        await new Promise((done) => setTimeout(done, asked.method === 'GET' ? 900 : 300)); return answer; }; })(window.fetch)";
    browser.call("Page.addScriptToEvaluateOnNewDocument", serde_json::json!({ "source": slow }));
    browser.open(&format!("{}#view=picks", review.address));
    browser.wait("document.querySelectorAll('.cell ol li').length === 6");
    let progress = "document.querySelector('.progress').textContent";
    let focused = "document.activeElement.getAttribute('aria-label')";
    browser.value("(document.querySelector('.cell ol li').focus(), 0)");
    browser.press(&["2", "n"]);
    browser.wait("document.querySelector('dialog.ask[open]') !== null");
    browser.wait(&format!("{progress} === '1 of 2 chosen'"));
    browser.press(&["Escape"]);
    browser.wait("document.querySelector('dialog.ask') === null");
    browser.wait(&format!("{focused} === 'red · linen, chosen'"));
    browser.press(&["ArrowDown", "3"]);
    browser.wait(&format!("{progress} === '2 of 2 chosen'"));
    browser.value("new Promise((done) => setTimeout(done, 1000))");
    assert_eq!(browser.value(progress), "2 of 2 chosen", "no older answer has taken it back");
    assert_eq!(browser.value(focused), "blue · stone, chosen");

    // A dialog that was left takes the focus from nobody later.
    browser.press(&["n"]);
    browser.wait("document.querySelector('dialog.ask[open]') !== null");
    browser.press(&["Escape"]);
    browser.wait("document.querySelector('dialog.ask') === null");
    browser.press(&["/"]);
    browser.insert("blue");
    browser.wait("document.querySelectorAll('.cell').length === 1");
    assert_eq!(browser.value("document.activeElement.type"), "search");
    assert!(browser.mishaps().is_empty(), "{:?}", browser.mishaps());
}
