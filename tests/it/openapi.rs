//! What is sent to OpenAI, against the published description of its API: single requests, forms, batches and the lines in them.

use serde_json::{Map, Value, json};

use crate::batches::{shop, together};
use crate::loopback::Received;

/// The description, reduced by hand to what is asked of a request.
const DESCRIPTION: &str = include_str!("openapi/openai-images.json");

fn violations(of: &str, instance: &Value) -> Vec<String> {
    let description: Value = serde_json::from_str(DESCRIPTION).expect("the description is JSON");
    let schema = json!({ "$ref": format!("#/$defs/{of}"), "$defs": description["$defs"] });
    let validator = jsonschema::validator_for(&schema).expect("the description is a schema");
    validator.iter_errors(instance).map(|error| format!("{of}{}: {error}", error.instance_path())).collect()
}

/// Returns the parts of a form as one value: texts that are numbers as numbers, files by their media type.
fn form(request: &Received) -> Value {
    let mut fields = Map::new();
    for part in request.form().expect("it is a form") {
        let name = part.name.trim_end_matches("[]").to_owned();
        if part.file_name.is_some() {
            let media = json!(part.media.clone().unwrap_or_default());
            match (name.as_str(), fields.get_mut(&name)) {
                ("mask", _) => drop(fields.insert(name, media)),
                (_, Some(Value::Array(list))) => list.push(media),
                (_, _) => drop(fields.insert(name, json!([media]))),
            }
            continue;
        }
        let text = part.text();
        let value = if name == "n" { text.parse::<u64>().map_or(json!(text), |number| json!(number)) } else { json!(text) };
        assert!(fields.insert(name, value).is_none(), "a text stands there once");
    }
    Value::Object(fields)
}

/// Returns what is wrong with a request, and what it was held against.
fn judged(request: &Received) -> (&'static str, Vec<String>) {
    match (request.method.as_str(), request.path.trim_start_matches("/v1")) {
        ("POST", "/images/generations") => ("CreateImageRequest", violations("CreateImageRequest", &request.json())),
        ("POST", "/images/edits") => ("CreateImageEditRequest", violations("CreateImageEditRequest", &form(request))),
        ("POST", "/batches") => ("CreateBatchRequest", violations("CreateBatchRequest", &request.json())),
        ("POST", "/files") => {
            let mut wrong = violations("CreateFileRequest", &form(request));
            let parts = request.form().expect("it is a form");
            let lines = parts.iter().find(|part| part.name == "file").expect("a file goes along").text();
            for line in lines.lines() {
                let line: Value = serde_json::from_str(line).expect("a line is JSON");
                let schema = if line["url"] == "/v1/images/edits" { "EditImageBodyJsonParam" } else { "CreateImageRequest" };
                wrong.extend(violations(schema, &line["body"]));
            }
            ("CreateFileRequest", wrong)
        }
        ("GET", _) => ("nothing: it has no body", Vec::new()),
        (method, path) => ("nothing", vec![format!("{method} {path} is not described")]),
    }
}

/// A picture, an edit with two references, an edit within a mask; every setting that can be said.
const ALL: &str = r#"
callsheet: 1
campaign: all
provider: together.yaml
defaults: { model: gpt-image-2, aspect: "1:1", resolution: 1K, quality: high, background: opaque, format: webp }
axes:
  way: { plain: { title: "a cup" }, odd: { title: '{"a": "cup"} and “quotes”' } }
steps:
  hole: { load: { file: mask.png } }
  draft: { generate: { prompt: "{{ way.title }}", over: [way] } }
  evening: { edit: { image: draft, images: [draft, draft], prompt: "{{ way.title }} in the evening" } }
  mended: { edit: { image: evening, mask: hole, prompt: "{{ way.title }}, the handle is mended", aspect: "3:2" } }
budget: { cap: "USD 20" }
providers: { openai: { windows: [{ count: 1000, span: 1m }] } }
"#;

#[test]
fn every_request_is_as_the_published_description_says() {
    for words in [&[][..], &["--batch", "--wait", "60s"]] {
        let shop = shop(ALL, together(|_| {}));
        let mask = image::RgbaImage::from_fn(48, 48, |x, _| image::Rgba(if x < 24 { [0; 4] } else { [255; 4] }));
        mask.save(shop.desk.path().join("campaigns/mask.png")).expect("a small picture can be written");
        shop.run(words, 0);
        shop.agrees("all");
        let judged: Vec<_> = shop.server.requests().iter().map(judged).collect();
        let wrong: Vec<&String> = judged.iter().flat_map(|(_, wrong)| wrong).collect();
        assert_eq!(wrong, Vec::<&String>::new());
        let count = |of: &str| judged.iter().filter(|(schema, _)| *schema == of).count();
        let counts = ["CreateImageRequest", "CreateImageEditRequest", "CreateFileRequest", "CreateBatchRequest"].map(count);
        assert_eq!(counts, if words.is_empty() { [2, 4, 0, 0] } else { [0, 0, 3, 3] });
    }
}

#[test]
fn the_description_finds_what_it_should() {
    let good = json!({ "model": "gpt-image-2", "prompt": "a cup", "n": 1, "size": "1024x1024", "quality": "high" });
    assert_eq!(violations("CreateImageRequest", &good), [""; 0]);
    let cases = [
        ("CreateImageRequest", json!({ "model": "gpt-image-2" })),
        ("CreateImageRequest", json!({ "prompt": "a cup", "n": "1" })),
        ("CreateImageRequest", json!({ "prompt": "a cup", "quality": "xhigh" })),
        ("CreateImageRequest", json!({ "prompt": "a cup", "aspect_ratio": "1:1" })),
        ("EditImageBodyJsonParam", json!({ "prompt": "a cup", "images": ["data:image/png;base64,AAAA"] })),
        ("EditImageBodyJsonParam", json!({ "prompt": "a cup", "images": [{ "image_url": "data:image/png;base64,AAAA" }], "size": "1536x864" })),
        ("CreateImageEditRequest", json!({ "prompt": "a cup", "image": [] })),
        ("CreateBatchRequest", json!({ "input_file_id": "file-1", "endpoint": "/images/generations", "completion_window": "24h" })),
    ];
    for (of, instance) in cases {
        assert_eq!(violations(of, &instance).len(), 1, "{of} {instance}: {:?}", violations(of, &instance));
    }
}
