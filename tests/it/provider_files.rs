//! Providers as files: every mistake of a manifest by its line, a provider that callsheet has never heard of, balances, and what KIE says of itself.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use callsheet::cli::diagnostics::{counted_words, render};
use callsheet::provider::manifest::{Manifest, builtin, without_keys};
use callsheet::spec::{Positions, Sources};
use serde_json::{Value, json};

use crate::desk::{Desk, Said, said};
use crate::loopback::kie::{Kie, code};
use crate::loopback::{Accepted, Api, Books, KEY, Loopback, LoopbackScript, Misdeed, Received, Reply};

/// Returns what `providers check` finds in a file, as a person reads it, and whether anything was found.
fn found_in(path: &Path) -> (String, bool) {
    let text: Arc<str> = Arc::from(without_keys(&fs::read_to_string(path).expect("a fixture can be read")));
    let mut sources = Sources::new();
    let (doc, mut found) = sources.add_yaml(path.display().to_string(), Arc::clone(&text), Positions::None);
    if !found.has_errors() {
        found.extend(Manifest::checked(doc, &text).1);
    }
    (format!("{}\n{}", render(&found, &sources, false, Some(100)), counted_words(&found)), !found.is_empty())
}

#[test]
fn every_mistake_of_a_manifest_is_said_with_its_place() {
    let mut names: Vec<String> = fs::read_dir("tests/it/manifests")
        .expect("the fixtures are there")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok()?.strip_suffix(".yaml").map(str::to_owned))
        .collect();
    names.sort();
    assert!(names.len() >= 50, "only {} fixtures were found", names.len());
    for name in names.iter().filter(|name| *name != "sound") {
        let (text, found) = found_in(&Path::new("tests/it/manifests").join(format!("{name}.yaml")));
        assert!(found, "{name}: nothing was found");
        assert!(text.contains(&format!("--> tests/it/manifests/{name}.yaml:")), "{name}: no place:\n{text}");
        assert!(!text.contains("sk-live"), "{name}: what may be a key is repeated:\n{text}");
        insta::with_settings!({ snapshot_path => "manifests", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(name.as_str(), text);
        });
    }
    assert!(!found_in(Path::new("tests/it/manifests/sound.yaml")).1, "the manifest that the others are made of is sound");
}

/// The server that `campaigns/own-provider/studio.yaml` is written for.
#[derive(Default)]
struct Studio {
    tasks: Vec<(Vec<u8>, u32)>,
    keys: Vec<String>,
}

/// Millionths of a credit for a small and a large picture.
const PRICES: [(u64, i64); 2] = [(1024, 2_000_000), (2048, 5_000_000)];

impl Api for Studio {
    fn answer(&mut self, request: &Received, url: &str, books: &mut Books) -> Reply {
        if request.header("x-studio-key") != Some(KEY) {
            return if request.path.starts_with("/files/") { self.file(request) } else { Reply::json(401, &json!({ "error": { "code": "key" } })) };
        }
        match (request.method.as_str(), request.path.as_str()) {
            ("POST", "/v1/pictures") => self.take(request, books),
            ("GET", "/v1/account") => Reply::json(200, &json!({ "credits": 40 })),
            ("GET", path) if path.starts_with("/v1/pictures/") => self.state(path, url),
            (method, path) => {
                books.violation(format!("there is no {method} {path}, or it is no place for the key"));
                Reply::status(404)
            }
        }
    }
}

impl Studio {
    fn take(&mut self, request: &Received, books: &mut Books) -> Reply {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let Some((_, price)) = PRICES.iter().find(|(size, _)| body["size"].as_u64() == Some(*size)) else {
            books.violation(format!("no such size: {body}"));
            return Reply::json(400, &json!({ "error": { "code": "size", "message": "no such size" } }));
        };
        if body["model"] != "brush-2" || body["ratio"] != "4:5" {
            books.violation(format!("not as the documents say: {body}"));
        }
        let key = request.header("idempotency-key").unwrap_or_default().to_owned();
        if let Some(known) = self.keys.iter().position(|one| *one == key) {
            return Reply::json(200, &json!({ "id": format!("t{known}") }));
        }
        let prompt = body["prompt"].as_str().unwrap_or_default();
        let inputs: Vec<String> = body["sources"].as_array().into_iter().flatten().filter_map(|one| Some(one.as_str()?.to_owned())).collect();
        if inputs.iter().any(|one| !one.starts_with("data:image/png;base64,")) {
            books.violation("sources are data addresses");
        }
        let picture = books.draw(prompt, &inputs);
        let id = format!("t{}", self.tasks.len());
        books.charges.push(*price);
        books.accepted.push(Accepted { prompt: prompt.to_owned(), task: id.clone(), succeeds: true, charged: *price });
        self.tasks.push((picture, u32::try_from(*price / 1_000_000).expect("a small price")));
        self.keys.push(key);
        Reply::json(200, &json!({ "id": id }))
    }

    fn state(&self, path: &str, url: &str) -> Reply {
        let number = path.trim_start_matches("/v1/pictures/t");
        let Some((_, credits)) = number.parse::<usize>().ok().and_then(|number| self.tasks.get(number)) else { return Reply::status(404) };
        Reply::json(200, &json!({ "status": "done", "credits": credits, "pictures": [{ "url": format!("{url}/files/{number}.png") }] }))
    }

    fn file(&self, request: &Received) -> Reply {
        let number = request.path.trim_start_matches("/files/").trim_end_matches(".png").parse::<usize>().ok();
        number.and_then(|number| self.tasks.get(number)).map_or(Reply::status(404), |(bytes, _)| Reply::bytes("image/png", bytes.clone()))
    }
}

fn with_keys(desk: &Desk, words: &[&str]) -> Said {
    let mut command = desk.command(words);
    command.env("STUDIO_API_KEY", KEY).env("KIE_API_KEY", KEY).env("OPENAI_API_KEY", KEY);
    let said = said(command);
    assert!(!said.all().contains(KEY), "the key was said: {}", said.all());
    said
}

const POSTERS: &str = "campaigns/own-provider/posters.yaml";

#[test]
fn a_provider_of_ones_own_is_checked_planned_rehearsed_and_bought_from_without_a_line_of_code() {
    let desk = Desk::with_all_campaigns();
    let server = Loopback::start(LoopbackScript::of(Studio::default()).fault("/v1/pictures", 1, Misdeed::DropAfter));
    let base = format!("studio={}", server.url);
    let checked = desk.say(&["check", POSTERS]);
    assert_eq!((checked.code, checked.out.as_str()), (0, "campaigns/own-provider/posters.yaml: no mistakes, 9 shots\n"), "{}", checked.all());
    insta::assert_snapshot!("own_provider_plan", desk.say(&["plan", POSTERS]).out);
    desk.rehearse(&[POSTERS], 0);
    let without = desk.say(&["run", POSTERS, "--yes"]);
    assert!(without.code == 8 && without.err.contains("STUDIO_API_KEY is not set"), "{}", without.all());

    let run = with_keys(&desk, &["run", POSTERS, "--yes", "--base-url", &base]);
    assert_eq!(run.code, 0, "{}", run.all());
    assert!(run.err.contains("balance 40 credits: 13 credits left after the floor"), "{}", run.err);
    let books = server.books();
    assert_eq!((books.violations, server.charges()), (Vec::<String>::new(), 27_000_000), "six at 2 and three at 5, the lost answer paid once");
    let costs = String::from_utf8(desk.read("out/posters/costs.csv")).expect("it is text");
    assert_eq!(costs.matches(",studio,brush,").count(), 9, "{costs}");
    assert_eq!(costs.matches("credits:studio").count(), 9, "{costs}");
    let again = with_keys(&desk, &["run", POSTERS, "--yes", "--base-url", &base]);
    assert!(again.code == 0 && again.err.contains("nothing to do"), "{}", again.all());
}

#[test]
fn a_manifest_is_checked_with_its_prices_and_the_requests_that_it_makes() {
    let desk = Desk::with_all_campaigns();
    let said = with_keys(&desk, &["providers", "check", "campaigns/own-provider/studio.yaml"]);
    assert_eq!(said.code, 0, "{}", said.all());
    insta::assert_snapshot!("providers_check_own", said.out);
    let kie = with_keys(&desk, &["providers", "check", "kie", "--model", "gpt-image-2"]);
    assert_eq!(kie.code, 0, "{}", kie.all());
    insta::assert_snapshot!("providers_check_kie_model", kie.out.split("\n\n").skip(2).collect::<Vec<_>>().join("\n\n"));
    assert!(kie.out.contains("unpriced: "), "what has no price is said so: {}", kie.out);
    let all = with_keys(&desk, &["providers", "check"]);
    assert_eq!(all.code, 0, "every built-in manifest makes a request of each operation: {}", all.all());
    desk.write("bad.yaml", fs::read("tests/it/manifests/all-at-once.yaml").expect("a fixture"));
    let bad = desk.say(&["providers", "check", "bad.yaml"]);
    assert!(bad.code == 3 && bad.out.contains("bad.yaml:"), "{}", bad.all());
    assert_eq!(desk.say(&["providers", "check", "kei"]).code, 2);
}

#[test]
fn balances_are_asked_for_and_silence_is_called_so() {
    let desk = Desk::with_all_campaigns();
    let kie = Loopback::start(LoopbackScript::of(Kie { credit: Some(5_916_250_000), ..Kie::default() }));
    let studio = Loopback::start(LoopbackScript::of(Studio::default()));
    let (kie_at, studio_at) = (format!("kie={}", kie.url), format!("studio={}", studio.url));
    let named = ["providers", "balance", "kie", "openai", "campaigns/own-provider/studio.yaml", "--base-url", &kie_at, "--base-url", &studio_at];
    let told = with_keys(&desk, &named);
    assert_eq!(told.code, 0, "{}", told.all());
    insta::assert_snapshot!(told.out, @"
    provider  key in          balance
    kie       KIE_API_KEY     5916.25 credits ($29.58125)
    openai    OPENAI_API_KEY  not told: its API offers no way to ask, or none is known
    studio    STUDIO_API_KEY  40 credits ($0.8)
    ");
    let none = desk.say(&["providers", "balance"]);
    assert!(none.code == 8 && none.err.contains("no key is set"), "{}", none.all());
    let refusing = Loopback::start(LoopbackScript::of(Kie::default()).always("/credit", Misdeed::Answer(code(401, "no such key"))));
    let refused = with_keys(&desk, &["providers", "balance", "kie", "--base-url", &format!("kie={}", refusing.url)]);
    assert!(refused.code == 8 && refused.out.contains("the account is refused: no such key (401)"), "{}", refused.all());
    let broken = Loopback::start(LoopbackScript::of(Kie::default()).always("/credit", Misdeed::Garble));
    let broken = with_keys(&desk, &["providers", "balance", "kie", "--base-url", &format!("kie={}", broken.url)]);
    assert!(broken.code == 5 && broken.out.contains("no answer: "), "{}", broken.all());
}

/// KIE's discovery, as its documents have it: everything that is built in but one model, one new one, one other price, one other schema.
struct Discovery;

impl Api for Discovery {
    fn answer(&mut self, request: &Received, _: &str, books: &mut Books) -> Reply {
        if request.header("authorization") != Some(&format!("Bearer {KEY}")) {
            return code(401, "no key");
        }
        let good = |data: Value| Reply::json(200, &json!({ "code": 200, "msg": "success", "data": data }));
        let manifest = builtin("kie").expect("a built-in manifest");
        let mut wires: Vec<String> =
            manifest.models.values().flat_map(|card| card.operations.values()).filter_map(|one| Some(one.wire.as_ref()?.to_string())).collect();
        wires.sort();
        wires.dedup();
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/api/v1/models") => {
                let model = |wire: &String| json!({ "model": wire, "slug": wire, "taskType": ["text-to-image"], "pricingDesc": if wire == "gpt-image-2-text-to-image" { json!("1K is 3 credits, 2K 10, 4K 16") } else { Value::Null } });
                let new = json!({ "model": "flux-3/klein", "taskType": ["text-to-image"], "pricingDesc": "2.5 credits per image" });
                let models: Vec<Value> = wires.iter().filter(|wire| *wire != "z-image").map(model).chain([new]).collect();
                good(json!({ "total": models.len(), "models": models }))
            }
            ("GET", path) if path.starts_with("/api/v1/models/") && path.ends_with("/schema") => {
                let wire = path.trim_start_matches("/api/v1/models/").trim_end_matches("/schema");
                if !wires.iter().any(|known| known == wire) {
                    books.violation(format!("nobody knows `{wire}`"));
                }
                let aspects: &[&str] = if wire == "gpt-image-2-text-to-image" { &["1:1", "7:1"] } else { &[] };
                let input = json!({ "properties": { "prompt": {}, "aspect_ratio": { "enum": aspects }, "resolution": {} } });
                good(
                    json!({ "openapi": { "components": { "schemas": { "In put": input, "Body": { "properties": { "input": { "$ref": "#/components/schemas/In%20put" } } } } } } }),
                )
            }
            (method, path) => {
                books.violation(format!("there is no {method} {path}"));
                Reply::status(404)
            }
        }
    }
}

#[test]
fn what_kie_says_of_itself_is_compared_only_when_it_is_asked_for() {
    let desk = Desk::new();
    let server = Loopback::start(LoopbackScript::of(Discovery));
    let base = format!("kie={}", server.url);
    let told = with_keys(&desk, &["providers", "refresh", "kie", "--schemas", "--base-url", &base]);
    assert_eq!((told.code, server.books().violations), (0, Vec::new()), "{}", told.all());
    for wanted in [
        "model z-image: is built in and not listed any more",
        "model flux-3/klein: is new (text-to-image); `2.5 credits per image`",
        "price gpt-image-2-text-to-image: 6 of the book is not in its words: `1K is 3",
        "`aspect_ratio` also takes 7:1",
        "nothing was changed here",
    ] {
        let plain = told.out.replace("\n  ", " ").replace('`', "");
        assert!(plain.contains(&wanted.replace('`', "")), "`{wanted}` is missing in\n{plain}");
    }
    let other = desk.say(&["providers", "refresh", "openai"]);
    assert!(other.code == 2 && other.err.contains("no free way to ask `openai`"), "{}", other.all());
    let without = desk.say(&["providers", "refresh", "kie"]);
    assert_eq!(without.code, 8, "{}", without.all());
    let broken = Loopback::start(LoopbackScript::of(Discovery).always("/models", Misdeed::Garble));
    let broken = with_keys(&desk, &["providers", "refresh", "kie", "--base-url", &format!("kie={}", broken.url)]);
    assert_eq!(broken.code, 5, "{}", broken.all());
}
