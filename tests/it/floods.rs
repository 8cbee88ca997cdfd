//! The real program against answers without an end, without a pace, and with more inside than they show.

use std::time::Duration;

use crate::buying::Shop;
use crate::loopback::kie::Kie;
use crate::loopback::openai::OpenAi;
use crate::loopback::{KEY, Loopback, LoopbackScript, Misdeed, Reply, flooded};
use crate::peak::{Watched, program, watch};

/// One picture, tried once, by whom it is asked for.
fn shop(provider: &str, script: LoopbackScript) -> Shop {
    let campaign = "callsheet: 1\ncampaign: one\nprovider: PROVIDER\ndefaults: { model: gpt-image-2, aspect: \"1:1\", resolution: 1K, quality: medium }\n\
                    steps: { draft: { generate: { prompt: a red cup } } }\nrun: { attempts: 1 }\n";
    let (name, quality) = if provider == "kie" { ("fast-kie.yaml", "") } else { ("openai", ", quality: medium") };
    Shop::kie(&campaign.replace("PROVIDER", name).replace(", quality: medium", quality), script)
}

fn run(shop: &Shop, provider: &str) -> Watched {
    let version = if provider == "openai" { "/v1" } else { "" };
    let base = format!("{provider}={}{version}", shop.server.url);
    let mut command = program(&shop.desk, &["run", "campaigns/c.yaml", "--yes", "-q", "--base-url", &base]);
    command.env("KIE_API_KEY", KEY).env("OPENAI_API_KEY", KEY);
    watch(command)
}

fn usual(provider: &str) -> u64 {
    let shop = match provider {
        "kie" => shop("kie", LoopbackScript::of(Kie::default())),
        _ => shop("openai", LoopbackScript::of(OpenAi::default())),
    };
    let watched = run(&shop, provider);
    assert_eq!(watched.said.code, 0, "{}", watched.said.all());
    let peak = watched.peak.unwrap_or(0);
    println!("{provider}: a run of one small picture has its peak at {peak} MB");
    peak
}

#[test]
fn pictures_without_an_end_are_refused_in_little_memory() {
    let png = b"\x89PNG\r\n\x1a\n".repeat(8 << 10);
    let gzip = |bytes: Vec<u8>| Reply::bytes("image/png", bytes).header("content-encoding", "gzip");
    let stated = "HTTP/1.1 200 x\r\ncontent-length: 1073741824\r\n\r\n".to_owned();
    let cases: Vec<(&str, Misdeed, Option<&str>)> = vec![
        ("an endless picture", Misdeed::endless("image/png", png.clone()), None),
        ("a flood of small chunks", Misdeed::chunked("image/png", &[0; 1024]), None),
        ("a picture that says it has 1 GB", Misdeed::Flood { head: stated, piece: png, pause: Duration::ZERO }, Some("larger than 96 MB")),
        ("a gzip bomb", Misdeed::Answer(gzip([&[0x1f, 0x8b, 8, 0][..], &[0; 60_000]].concat())), Some("gzip-compressed bytes")),
    ];
    for (name, misdeed, said) in cases {
        let before = flooded();
        let script = LoopbackScript::of(Kie::default());
        // Once, and the picture is fetched again for nothing; or always, and it is said why there is none.
        let script = if said.is_some() { script.always("/result/", misdeed) } else { script.fault("/result/", 1, misdeed) };
        let shop = shop("kie", script);
        let watched = run(&shop, "kie");
        println!("{name}: {} MB taken, {} fetches", (flooded() - before) >> 20, shop.server.asked("/result/"));
        watched.within(name, 256);
        assert_eq!(watched.said.code, if said.is_some() { 5 } else { 0 }, "{name}: {}", watched.said.all());
        assert!(watched.said.err.contains(said.unwrap_or_default()), "{name}: {}", watched.said.all());
        assert_eq!(shop.server.asked("createTask"), 1, "{name}");
        assert_eq!(shop.desk.files(".callsheet/blobs/tmp"), [""; 0], "{name}");
        if said.is_none() {
            shop.agrees("one");
        }
    }
}

#[test]
fn hostile_json_takes_little_memory_whichever_shape_it_has() {
    let body = |text: String| Misdeed::Answer(Reply::bytes("application/json", text.into_bytes()));
    for provider in ["kie", "openai"] {
        let usual = usual(provider);
        let size: usize = if provider == "kie" { 1 << 20 } else { 48 << 20 };
        let declared = "HTTP/1.1 200 x\r\ncontent-type: application/json\r\ncontent-length: 1073741824\r\n\r\n".to_owned();
        let cases: Vec<(&str, Misdeed)> = vec![
            ("1,000,000 levels of lists", body("[".repeat(1_000_000))),
            ("1,000,000 levels of maps", body("{\"a\":".repeat(200_000))),
            ("as many numbers as fit", body(format!("[{}0]", "0,".repeat(size / 2 - 8)))),
            ("as many maps as fit", body(format!("[{}{{}}]", "{\"\":0},".repeat(size / 8 - 8)))),
            ("one text as long as fits", body(format!("\"{}\"", "a b ".repeat(size / 4 - 8)))),
            ("1 GB as stated", Misdeed::Flood { head: declared, piece: b"[".repeat(1 << 16), pause: Duration::ZERO }),
            ("1 GB and more, in chunks", Misdeed::chunked("application/json", &b" ".repeat(4096))),
            ("bytes that are no UTF-8", Misdeed::Answer(Reply::bytes("application/json", vec![0xff; 500_000]))),
            ("a key that stands there twice", body("{\"code\":200,\"code\":500,\"data\":{\"taskId\":\"a\"},\"data\":{\"taskId\":\"b\"}}".to_owned())),
            ("NaN", body("{\"code\":NaN}".to_owned())),
        ];
        let path = if provider == "kie" { "createTask" } else { "/generations" };
        for (name, misdeed) in cases {
            let script = match provider {
                "kie" => LoopbackScript::of(Kie::default()),
                _ => LoopbackScript::of(OpenAi::default()),
            };
            let shop = shop(provider, script.always(path, misdeed));
            let watched = run(&shop, provider);
            watched.within(&format!("{provider}: {name}"), usual + 64);
            assert_eq!(watched.said.code, 7, "{provider}: {name}: {}", watched.said.all());
            assert_eq!(shop.server.asked(path), 1, "{provider}: {name}: never sent again");
        }
    }
}

#[test]
fn four_endless_pictures_at_once_take_the_memory_of_one() {
    let png = b"\x89PNG\r\n\x1a\n".repeat(8 << 10);
    let campaign = "callsheet: 1\ncampaign: many\nprovider: fast-kie.yaml\ndefaults: { model: gpt-image-2, aspect: \"1:1\", resolution: 1K }\n\
                    axes: { cup: [c1, c2, c3, c4] }\n\
                    steps: { draft: { generate: { prompt: \"cup {{ cup }}\", over: [cup] } } }\nrun: { attempts: 1, concurrency: 4 }\n";
    let script =
        (1..=4).fold(LoopbackScript::of(Kie::default()), |script, nth| script.fault("/result/", nth, Misdeed::endless("image/png", png.clone())));
    let shop = Shop::kie(campaign, script);
    let watched = run(&shop, "kie");
    watched.within("4 endless pictures at once", 256);
    assert_eq!((watched.said.code, shop.server.asked("createTask")), (0, 4), "{}", watched.said.all());
}

#[test]
fn the_key_reaches_no_host_of_results_and_no_address_that_is_not_followed() {
    let canary = Loopback::start(LoopbackScript::of(Kie::default()));
    let port = canary.url.rsplit(':').next().unwrap_or_default();
    let targets = [
        format!("http://127.0.0.1:{port}/x.png"),
        format!("https://127.0.0.1:{port}/x.png"),
        format!("https://localhost:{port}/x.png"),
        format!("https://localhost.:{port}/x.png"),
        format!("https://2130706433:{port}/x.png"),
        format!("https://0177.0.0.1:{port}/x.png"),
        format!("https://0x7f.1:{port}/x.png"),
        format!("https://[::1]:{port}/x.png"),
        format!("https://[::ffff:127.0.0.1]:{port}/x.png"),
        format!("https://user:pass@127.0.0.1:{port}/x.png"),
        "https://169.254.169.254/latest/meta-data".to_owned(),
        "https://[fd00:ec2::254]/latest".to_owned(),
        "https://10.0.0.1/x.png".to_owned(),
        "http://93.184.216.34/x.png".to_owned(),
        "file:///etc/passwd".to_owned(),
        "data:image/png;base64,AAAA".to_owned(),
        "ftp://93.184.216.34/x.png".to_owned(),
        "\\\\server\\share\\x.png".to_owned(),
        "//127.0.0.1/x.png".to_owned(),
    ];
    let tried = |target: &String| {
        // As the address of the result itself, and as where its own host sends us.
        let result = serde_json::json!({ "resultUrls": [target] }).to_string();
        let answer = serde_json::json!({ "code": 200, "data": { "state": "success", "resultJson": result } });
        let named = LoopbackScript::of(Kie::default()).always("recordInfo", Misdeed::Answer(Reply::json(200, &answer)));
        let sent = LoopbackScript::of(Kie::default()).always("/result/", Misdeed::Answer(Reply::redirect(target)));
        for script in [named, sent] {
            let shop = shop("kie", script);
            let said = shop.run(&["--json"], 5);
            assert!(!said.all().contains("root:"), "{target}: {}", said.all());
            let carried = shop.server.requests().iter().any(|request| request.path.contains("/result/") && request.header("authorization").is_some());
            assert!(!carried, "{target}: the key went along to where results are");
        }
    };
    // Each waits between its fetches; all wait at once.
    std::thread::scope(|scope| targets.iter().for_each(|target| drop(scope.spawn(|| tried(target)))));
    println!("{} addresses, each named and redirected to: {} hits on the canary", targets.len(), canary.requests().len());
    assert_eq!(canary.requests().len(), 0);
}

#[test]
fn every_command_that_sees_the_key_keeps_it_to_itself() {
    let shop = shop(
        "kie",
        LoopbackScript::of(Kie::default()).fault(
            "createTask",
            1,
            Misdeed::Answer(Reply::json(200, &serde_json::json!({ "code": 401, "msg": format!("bad key {KEY}") }))),
        ),
    );
    shop.run(&["--json"], 8);
    shop.run(&["--json"], 0);
    let base = format!("kie={}", shop.server.url);
    let commands: Vec<Vec<&str>> = vec![
        vec!["plan", "campaigns/c.yaml"],
        vec!["plan", "campaigns/c.yaml", "--format", "json"],
        vec!["plan", "campaigns/c.yaml", "--out", "plan.json"],
        vec!["status", "campaigns/c.yaml"],
        vec!["why", "campaigns/c.yaml", "draft"],
        vec!["report", "campaigns/c.yaml"],
        vec!["providers", "show", "kie"],
        vec!["providers", "balance", "kie"],
        vec!["cache", "size"],
        vec!["cache", "verify"],
        vec!["reconcile", "campaigns/c.yaml"],
        vec!["run", "campaigns/c.yaml", "--base-url", &base, "--cap", "nonsense"],
        vec!["run", "campaigns/none.yaml", "--base-url", &base],
    ];
    for words in &commands {
        let mut command = program(&shop.desk, words);
        command.env("KIE_API_KEY", KEY).env("OPENAI_API_KEY", KEY).env("HTTPS_PROXY", "http://127.0.0.1:1");
        let said = watch(command).said;
        assert!(!said.all().contains("sk-canary"), "{words:?}: {}", said.all());
    }
    let files = shop.desk.files(".");
    for file in &files {
        assert!(!shop.desk.read(file).windows(9).any(|window| window == b"sk-canary"), "the key stands in {file}");
    }
    println!("{} commands, {} files: the key is in none", commands.len() + 2, files.len());
}
