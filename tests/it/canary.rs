//! The key stands nowhere: every command of the program under every fault of a provider, and then every file, stream and record is searched for it.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::buying::{CHAIN, fast};
use crate::desk::{Desk, Said, said};
use crate::loopback::kie::{Kie, code};
use crate::loopback::openai::OpenAi;
use crate::loopback::{KEY, Loopback, LoopbackScript, Misdeed, Reply};

/// Every command that clap knows, as it would be typed, without its arguments: `prices show`.
fn commands() -> Vec<String> {
    fn walk(command: &clap::Command, before: &str, found: &mut Vec<String>) {
        let below: Vec<&clap::Command> = command.get_subcommands().filter(|one| one.get_name() != "help").collect();
        if below.is_empty() {
            found.push(before.trim().to_owned());
        }
        below.iter().for_each(|one| walk(one, &format!("{before} {}", one.get_name()), found));
    }
    let mut found = Vec::new();
    walk(&callsheet::cli::command(), "", &mut found);
    found
}

/// How each command is called here; `BASE` stands for the addresses of the servers. A new command has to be given a line.
const CALLS: &[(&str, &[&[&str]])] = &[
    ("init", &[&["campaigns/fresh", "--name", "fresh"]]),
    ("check", &[&["campaigns/c.yaml"], &["campaigns/c.yaml", "--provider", "openai"]]),
    ("plan", &[&["campaigns/c.yaml"], &["campaigns/c.yaml", "--format", "json"], &["campaigns/c.yaml", "--out", "plan.json"]]),
    ("estimate", &[&["--finals", "2", "--model", "gpt-image-2", "--prices", "kie"]]),
    ("run", &[&["campaigns/c.yaml", "--yes", "BASE"], &["campaigns/c.yaml", "--yes", "--json", "BASE"], &["campaigns/c.yaml", "--rehearse"]]),
    ("status", &[&["campaigns/c.yaml"], &["campaigns/c.yaml", "--json"]]),
    ("why", &[&["campaigns/c.yaml", "draft[cup=red]"]]),
    // The port is taken: it shows nothing and ends.
    ("review", &[&["campaigns/c.yaml", "--no-open", "--port", "PORT"]]),
    ("reconcile", &[&["campaigns/c.yaml"], &["campaigns/c.yaml", "--lookup", "BASE"], &["campaigns/c.yaml", "--by-balance", "BASE"]]),
    ("report", &[&["campaigns/c.yaml"], &["campaigns/c.yaml", "--format", "json"], &["campaigns/c.yaml", "--format", "csv"]]),
    ("deliver", &[&["campaigns/c.yaml", "--to", "shopify", "--base-url-template", "https://cdn.example.com/{{ path }}", "--partial"]]),
    ("graph", &[&["campaigns/c.yaml"]]),
    ("cache size", &[&[]]),
    ("cache verify", &[&[]]),
    ("cache prune", &[&[]]),
    ("prices list", &[&[]]),
    ("prices show", &[&["kie"]]),
    ("prices check", &[&["kie"]]),
    ("prices diff", &[&["kie", "openai"]]),
    ("providers list", &[&[]]),
    ("providers show", &[&["kie"]]),
    ("providers check", &[&["campaigns/fast-kie.yaml"], &["kie", "openai"]]),
    ("providers balance", &[&["BASE"], &["openai", "BASE"]]),
    ("providers refresh", &[&["kie", "BASE"]]),
    ("schema", &[&["campaign"]]),
    ("completions", &[&["bash"]]),
    ("man", &[&[]]),
];

/// What goes wrong at the provider; some of it tells the key back.
fn faults() -> Vec<(&'static str, Vec<(&'static str, Misdeed)>)> {
    let echo = || format!("bad key {KEY}, {} or {}", STANDARD_NO_PAD.encode(format!("Bearer {KEY}")), KEY.replace('-', "%2D"));
    fn as_task(reply: &mut Reply) {
        if let Ok(mut body) = serde_json::from_slice::<Value>(&reply.body) {
            body["data"]["taskId"] = json!(format!("task-{KEY}"));
            reply.body = body.to_string().into_bytes();
        }
    }
    fn as_address(reply: &mut Reply) {
        if let Ok(mut body) = serde_json::from_slice::<Value>(&reply.body) {
            body["data"]["resultJson"] = json!(json!({ "resultUrls": [format!("https://{KEY}.invalid/{KEY}.png?key={KEY}")] }).to_string());
            reply.body = body.to_string().into_bytes();
        }
    }
    fn as_header(reply: &mut Reply) {
        reply.headers.push(("x-echo".to_owned(), format!("Bearer {KEY}")));
        reply.headers.push(("set-cookie".to_owned(), format!("session={KEY}")));
    }
    let told = |status: u16| {
        Misdeed::Answer(Reply::json(status, &json!({ "code": status, "msg": echo(), "error": { "code": KEY, "type": KEY, "message": echo() } })))
    };
    let everywhere = |misdeed: Misdeed| vec![("/", misdeed)];
    vec![
        ("nothing", Vec::new()),
        ("key told back with 401", everywhere(told(401))),
        ("key told back with 402", everywhere(told(402))),
        ("key told back with 400", everywhere(told(400))),
        ("key told back with 200", everywhere(told(200))),
        ("key told back with 500", vec![("createTask", told(500)), ("/images/", told(500))]),
        ("key told back with 422", vec![("recordInfo", told(422)), ("/images/", told(422))]),
        ("key as the name of a task", vec![("createTask", Misdeed::Rewrite(as_task))]),
        ("key in the address of a picture", vec![("recordInfo", Misdeed::Rewrite(as_address))]),
        ("key in headers", everywhere(Misdeed::Rewrite(as_header))),
        ("key in a redirect", vec![("/result/", Misdeed::Answer(Reply::redirect(&format!("https://{KEY}.invalid/{KEY}"))))]),
        ("dropped before", vec![("createTask", Misdeed::DropBefore), ("/images/", Misdeed::DropBefore)]),
        ("dropped after", vec![("createTask", Misdeed::DropAfter), ("/images/", Misdeed::DropAfter)]),
        ("garbled", everywhere(Misdeed::Garble)),
        ("truncated", everywhere(Misdeed::Truncate(20))),
        ("reset", everywhere(Misdeed::Reset(10))),
        ("late", vec![("createTask", Misdeed::Delay(Duration::from_millis(300)))]),
        ("in drops", everywhere(Misdeed::Drip(3, Duration::from_millis(20)))),
        ("busy", vec![("recordInfo", Misdeed::Answer(code(500, "busy")))]),
    ]
}

/// Two providers in one campaign, so that each key could go astray to the other.
fn campaign() -> String {
    let both = CHAIN.replace("edit: { image: draft, images: [draft],", "edit: { image: draft, provider: openai, quality: low,");
    assert_ne!(both, CHAIN);
    both.replace("budget: { cap: 200 }", "budget: { cap: \"USD 9\" }").replace(", blue: { title: 'a \"blue\" cup' }", "") + "run: { attempts: 1 }\n"
}

/// Forms in which the key may stand somewhere.
fn forms() -> Vec<String> {
    let mut forms = vec![KEY.to_owned(), KEY.replace('-', "%2D"), KEY.replace('-', "%2d")];
    for before in ["", "x", "xx", "Bearer "] {
        // Of a longer text in base64 the middle is what the key alone decides.
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let encoded = engine.encode(format!("{before}{KEY}"));
            let start = (before.len() * 4).div_ceil(3);
            forms.push(encoded[start..encoded.len() - encoded.len() % 4].to_owned());
        }
    }
    forms
}

fn hits(bytes: &[u8], forms: &[String]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let stands = |form: &&String| text.contains(form.as_str());
    forms.iter().filter(stands).cloned().collect()
}

struct Search {
    forms: Vec<String>,
    found: Vec<String>,
}

impl Search {
    fn said(&mut self, what: &str, said: &Said) {
        let hits = hits(said.all().as_bytes(), &self.forms);
        self.found.extend(hits.iter().map(|form| format!("{what} said `{form}`:\n{}", said.all())));
        assert!(!said.err.contains("panicked"), "{what}: {}", said.all());
        assert_ne!(said.code, 101, "{what}: {}", said.all());
    }

    fn files(&mut self, what: &str, desk: &Desk) {
        for file in desk.files(".").iter().filter(|file| *file != "keys.env") {
            let hits = hits(&desk.read(file), &self.forms);
            self.found.extend(hits.iter().map(|form| format!("{what}: `{form}` stands in {file}")));
        }
    }
}

#[test]
fn every_command_is_called_here() {
    let called: Vec<&str> = CALLS.iter().map(|(name, _)| *name).collect();
    let missing: Vec<String> = commands().into_iter().filter(|name| !called.contains(&name.as_str())).collect();
    assert!(missing.is_empty(), "give these a line in CALLS: {missing:?}");
}

#[test]
fn the_key_stands_nowhere_after_any_command_under_any_fault() {
    let mut search = Search { forms: forms(), found: Vec::new() };
    for (place, (fault, misdeeds)) in faults().into_iter().enumerate() {
        let desk = Desk::new();
        desk.write("campaigns/fast-kie.yaml", fast("kie"));
        desk.write("campaigns/c.yaml", campaign());
        desk.write("keys.env", format!("# keys\nexport KIE_API_KEY='{KEY}'\nOPENAI_API_KEY=\"{KEY}\"\n"));
        let script = |script: LoopbackScript| misdeeds.iter().fold(script, |script, (path, misdeed)| script.always(path, misdeed.clone()));
        let kie = Loopback::start(script(LoopbackScript::of(Kie::default())));
        let openai = Loopback::start(script(LoopbackScript::of(OpenAi::default())));
        for (name, calls) in CALLS {
            for (number, call) in calls.iter().enumerate() {
                let mut words: Vec<String> = name.split(' ').map(str::to_owned).collect();
                for word in *call {
                    if *word == "BASE" {
                        words.extend([
                            "--base-url".to_owned(),
                            format!("kie={}", kie.url),
                            "--base-url".to_owned(),
                            format!("openai={}/v1", openai.url),
                        ]);
                    } else if *word == "PORT" {
                        words.push(kie.url.rsplit(':').next().unwrap_or_default().to_owned());
                    } else {
                        words.push((*word).to_owned());
                    }
                }
                // The key comes by the environment or by a file, and every other command is traced.
                let by_file = (place + number) % 2 == 1;
                let keys = if by_file { vec!["--env-file".to_owned(), "keys.env".to_owned()] } else { Vec::new() };
                let debug = if number % 2 == 0 { "--debug".to_owned() } else { format!("--debug=trace-{number}.txt") };
                words.extend(keys);
                words.push(debug);
                let mut command = desk.command(&words.iter().map(String::as_str).collect::<Vec<_>>());
                if !by_file {
                    command.env("KIE_API_KEY", KEY).env("OPENAI_API_KEY", KEY);
                }
                command.env("RUST_BACKTRACE", "full").timeout(Duration::from_secs(60));
                search.said(&format!("`{}` under `{fault}`", words.join(" ")), &said(command));
            }
        }
        search.files(fault, &desk);
    }
    assert!(search.found.is_empty(), "{} hits\n{}", search.found.len(), search.found.join("\n"));
}

#[test]
fn a_trace_tells_every_exchange_and_no_secret() {
    let desk = Desk::new();
    desk.write("campaigns/fast-kie.yaml", fast("kie"));
    desk.write("campaigns/c.yaml", campaign());
    let kie = Loopback::start(LoopbackScript::of(Kie::default()));
    let openai = Loopback::start(LoopbackScript::of(OpenAi::default()));
    let run = |debug: &[&str]| {
        let (one, two) = (format!("kie={}", kie.url), format!("openai={}/v1", openai.url));
        let mut command = desk.command(&[&["run", "campaigns/c.yaml", "--yes", "--base-url", &one, "--base-url", &two], debug].concat());
        command.env("KIE_API_KEY", KEY).env("OPENAI_API_KEY", KEY);
        said(command)
    };
    let told = run(&["--debug=trace.txt"]);
    assert_eq!(told.code, 0, "{}", told.all());
    assert!(!told.err.contains("-> POST"), "a trace in a file is not on the screen: {}", told.err);
    let trace = String::from_utf8(desk.read("trace.txt")).expect("a trace is text");
    for wanted in [
        "-> POST ",
        "/api/v1/jobs/createTask",
        "<- 200 to POST",
        " ms",
        "/api/v1/jobs/recordInfo?taskId=",
        "authorization: [redacted]",
        "image[]=[file]",
        "[base64, ",
        "[bytes of a file]",
    ] {
        assert!(trace.contains(wanted), "`{wanted}` is missing in\n{trace}");
    }
    assert_eq!(hits(trace.as_bytes(), &forms()), [""; 0], "{trace}");
    let exchanges = kie.requests().len() + openai.requests().len();
    assert_eq!(trace.matches("-> ").count() + trace.matches("[bytes of a file]").count(), exchanges, "{trace}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(desk.path().join("trace.txt")).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o077, 0, "the trace is its owner's alone");
    }
    let again = run(&[]);
    assert!(!again.all().contains("->"), "nothing is traced unless it is asked for: {}", again.all());
}

#[test]
fn a_file_of_keys_is_read_only_when_it_is_named() {
    let desk = Desk::new();
    desk.write("campaigns/fast-kie.yaml", fast("kie"));
    desk.write("campaigns/c.yaml", campaign());
    desk.write(".env", format!("KIE_API_KEY={KEY}\nOPENAI_API_KEY={KEY}\n"));
    let without = desk.say(&["run", "campaigns/c.yaml", "--yes"]);
    assert_eq!(without.code, 8, "{}", without.all());
    assert!(without.err.contains("KIE_API_KEY is not set") && without.err.contains("OPENAI_API_KEY is not set"), "{}", without.err);
    desk.write("bad.env", format!("KIE_API_KEY={KEY}\n{KEY}\n"));
    let bad = desk.say(&["run", "campaigns/c.yaml", "--yes", "--env-file", "bad.env"]);
    assert_eq!((bad.code, hits(bad.all().as_bytes(), &forms()).len()), (2, 0), "{}", bad.all());
    assert!(bad.err.contains("line 2 of `bad.env`"), "{}", bad.err);
}
