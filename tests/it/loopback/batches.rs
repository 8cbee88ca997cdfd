//! OpenAI's Batch API as its published description has it: a file of requests, a batch of it, files of answers in any order.
//!
//! Charges follow when a batch ends: half of what single requests cost, for what was done; nothing for what it did not come to.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::openai::{INPUT, OUTPUT, OpenAi, error, validate};
use super::{Accepted, Api, Books, KEY, Received, Reply};
use base64::Engine as _;

/// Requests of one batch, as the documents say; a test may make it smaller.
const LINES: usize = 50_000;

/// The provider, with what it has taken.
pub struct Together {
    /// Asked after so often a batch has ended.
    pub polls: usize,
    /// How batches end.
    pub ends: &'static str,
    /// Prompts with this word are not done before the end.
    pub late: &'static str,
    /// Prompts with this word are refused.
    pub refused: &'static str,
    /// What is wrong with the files of answers.
    pub odd: Odd,
    /// Whether batches are in the list of batches.
    pub hides: bool,
    direct: OpenAi,
    files: BTreeMap<String, Vec<u8>>,
    batches: Vec<Batch>,
}

/// What is wrong with a file of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Odd {
    Nothing,
    /// Every line stands there twice.
    Twice,
    /// Between the lines stand empty ones, somebody else's, and one that is no JSON.
    Strangers,
    /// The first line is torn.
    Torn,
}

impl Default for Together {
    fn default() -> Self {
        Self {
            polls: 2,
            ends: "completed",
            late: "late",
            refused: "refused",
            odd: Odd::Nothing,
            hides: false,
            direct: OpenAi::default(),
            files: BTreeMap::new(),
            batches: Vec::new(),
        }
    }
}

struct Batch {
    id: String,
    input: String,
    endpoint: String,
    metadata: Value,
    polls: usize,
    status: &'static str,
    errors: Value,
    output: Option<String>,
    failed: Option<String>,
    counts: (usize, usize, usize),
}

impl Batch {
    fn shown(&self) -> Value {
        let (total, completed, failed) = self.counts;
        json!({
            "id": self.id, "object": "batch", "endpoint": self.endpoint, "input_file_id": self.input, "completion_window": "24h",
            "status": self.status, "errors": self.errors, "output_file_id": self.output, "error_file_id": self.failed,
            "created_at": 1_795_340_700, "metadata": self.metadata,
            "request_counts": { "total": total, "completed": completed, "failed": failed },
        })
    }
}

impl Api for Together {
    fn answer(&mut self, request: &Received, url: &str, books: &mut Books) -> Reply {
        if request.header("authorization") != Some(&format!("Bearer {KEY}")) {
            return error(401, "invalid_request_error", Some("invalid_api_key"), "Incorrect API key provided");
        }
        let path: Vec<&str> = request.path.trim_start_matches("/v1/").split('/').collect();
        match (request.method.as_str(), path.as_slice()) {
            ("POST", ["files"]) => self.take_file(request, books),
            ("GET", ["files", id, "content"]) => match self.files.get(*id) {
                Some(bytes) => Reply::bytes("application/octet-stream", bytes.clone()),
                None => error(404, "invalid_request_error", None, "No such File object"),
            },
            ("POST", ["batches"]) => self.take_batch(request, books),
            ("GET", ["batches"]) => self.list(request),
            ("GET", ["batches", id]) => self.look(id, books),
            _ => self.direct.answer(request, url, books),
        }
    }

    fn mend(&mut self) {
        (self.late, self.refused, self.odd, self.ends, self.hides) = ("\u{0}", "\u{0}", Odd::Nothing, "completed", false);
    }
}

impl Together {
    fn keep(&mut self, bytes: Vec<u8>) -> String {
        let id = format!("file-{}", self.files.len() + 1);
        self.files.insert(id.clone(), bytes);
        id
    }

    fn take_file(&mut self, request: &Received, books: &mut Books) -> Reply {
        let parts = request.form().unwrap_or_default();
        let purpose = parts.iter().find(|part| part.name == "purpose").map(super::Part::text);
        let file = parts.iter().find(|part| part.name == "file" && part.file_name.as_deref().is_some_and(|name| name.ends_with(".jsonl")));
        let (Some("batch"), Some(file), 2) = (purpose.as_deref(), file, parts.len()) else {
            books.violation("a file of requests has a purpose, `batch`, and is JSONL");
            return error(400, "invalid_request_error", Some("invalid_value"), "purpose and file");
        };
        if file.bytes.len() > 200_000_000 {
            books.violation("a file of requests has at most 200 MB");
        }
        let bytes = file.bytes.len();
        let id = self.keep(file.bytes.clone());
        Reply::json(
            200,
            &json!({ "id": id, "object": "file", "bytes": bytes, "created_at": 1_795_340_700, "filename": "r.jsonl", "purpose": "batch", "status": "processed" }),
        )
    }

    fn take_batch(&mut self, request: &Received, books: &mut Books) -> Reply {
        let body = request.json();
        let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
        let known = ["input_file_id", "endpoint", "completion_window", "metadata"];
        let is_plain =
            body["metadata"].as_object().is_some_and(|data| data.values().all(|value| value.as_str().is_some_and(|text| text.len() <= 512)));
        let has_unknown = body.as_object().is_none_or(|fields| fields.keys().any(|key| !known.contains(&key.as_str())));
        let is_endpoint = ["/v1/images/generations", "/v1/images/edits"].contains(&text("endpoint").as_str());
        if has_unknown || !is_plain || !is_endpoint || text("completion_window") != "24h" || !self.files.contains_key(&text("input_file_id")) {
            books.violation(format!("no request for a batch: {body}"));
            return error(400, "invalid_request_error", Some("invalid_value"), "no request for a batch");
        }
        let batch = Batch {
            id: format!("batch_{}", self.batches.len() + 1),
            input: text("input_file_id"),
            endpoint: text("endpoint"),
            metadata: body["metadata"].clone(),
            polls: self.polls,
            status: "validating",
            errors: Value::Null,
            output: None,
            failed: None,
            counts: (0, 0, 0),
        };
        let shown = batch.shown();
        self.batches.push(batch);
        Reply::json(200, &shown)
    }

    fn list(&self, request: &Received) -> Reply {
        // The newest first, two on a page: who looks must turn over.
        let mut all: Vec<Value> = self.batches.iter().rev().filter(|_| !self.hides).map(Batch::shown).collect();
        if let Some(after) = request.query.get("after") {
            let at = all.iter().position(|batch| batch["id"] == **after).map_or(all.len(), |at| at + 1);
            all.drain(..at);
        }
        let has_more = all.len() > 2;
        all.truncate(2);
        Reply::json(200, &json!({ "object": "list", "data": all, "has_more": has_more }))
    }

    fn look(&mut self, id: &str, books: &mut Books) -> Reply {
        let Some(at) = self.batches.iter().position(|batch| batch.id == id) else {
            return error(404, "invalid_request_error", None, "No batch found");
        };
        let is_open = matches!(self.batches[at].status, "validating" | "in_progress");
        if is_open && self.batches[at].polls > 0 {
            self.batches[at].polls -= 1;
            self.batches[at].status = if self.batches[at].polls > 0 { "in_progress" } else { "finalizing" };
        } else if is_open || self.batches[at].status == "finalizing" {
            self.end(at, books);
        }
        if self.batches[at].status == "finalizing" && self.polls == 0 {
            self.end(at, books);
        }
        Reply::json(200, &self.batches[at].shown())
    }

    /// Does what stands in the file.
    fn end(&mut self, at: usize, books: &mut Books) {
        let text = String::from_utf8_lossy(&self.files[&self.batches[at].input]).into_owned();
        let endpoint = self.batches[at].endpoint.clone();
        let read = validated(&text, &endpoint);
        let errors: Vec<Value> = read.iter().filter_map(|read| read.as_ref().err().cloned()).collect();
        if self.ends == "failed" || !errors.is_empty() {
            let all = if errors.is_empty() {
                vec![json!({ "code": "invalid_json_line", "message": "not parseable", "param": null, "line": 1 })]
            } else {
                errors
            };
            self.batches[at].status = "failed";
            self.batches[at].errors = json!({ "object": "list", "data": all });
            return;
        }
        let (mut output, mut failed) = (Vec::new(), Vec::new());
        let lines: Vec<Value> = read.into_iter().flatten().collect();
        for line in &lines {
            let (name, body) = (&line["custom_id"], &line["body"]);
            let prompt = body["prompt"].as_str().unwrap_or_default();
            if prompt.contains(self.late) && self.ends != "completed" {
                let (code, message) = if self.ends == "expired" {
                    ("batch_expired", "This request could not be executed before the completion window expired.")
                } else {
                    ("batch_cancelled", "This request was cancelled.")
                };
                failed.push(json!({ "id": "batch_req_x", "custom_id": name, "response": null, "error": { "code": code, "message": message } }));
                continue;
            }
            if prompt.contains(self.refused) {
                let why = json!({ "error": { "message": "Your request was rejected by the safety system.", "type": "image_generation_user_error", "param": null, "code": "moderation_blocked" } });
                failed.push(json!({ "id": "batch_req_x", "custom_id": name, "response": { "status_code": 400, "request_id": "r", "body": why }, "error": null }));
                continue;
            }
            output.push(done(line, books));
        }
        // Lines come in any order.
        output.reverse();
        let mut text: Vec<String> = output.iter().map(Value::to_string).collect();
        match self.odd {
            Odd::Nothing => {}
            Odd::Twice => text = text.iter().flat_map(|line| [line.clone(), line.clone()]).collect(),
            Odd::Strangers => {
                let other =
                    json!({ "id": "x", "custom_id": "somebody-else", "response": { "status_code": 200, "body": { "data": [] } }, "error": null });
                text = text.iter().flat_map(|line| [String::new(), other.to_string(), line.clone()]).collect();
                text.push("{\"custom_id\":".to_owned());
            }
            Odd::Torn => text[0].truncate(40),
        }
        let counts = (lines.len(), output.len(), failed.len());
        let join = |lines: Vec<String>| (lines.join("\n") + "\n").into_bytes();
        let batch_output = (!text.is_empty()).then(|| self.keep(join(text)));
        let batch_failed = (!failed.is_empty()).then(|| self.keep(join(failed.iter().map(Value::to_string).collect())));
        let ends = self.ends;
        let batch = &mut self.batches[at];
        (batch.status, batch.output, batch.failed, batch.counts) = (ends, batch_output, batch_failed, counts);
    }
}

/// Draws what a line asks for, and charges half.
fn done(line: &Value, books: &mut Books) -> Value {
    let body = &line["body"];
    let prompt = body["prompt"].as_str().unwrap_or_default();
    let addresses = body["images"].as_array().into_iter().flatten().chain(body.get("mask"));
    let digests: Vec<String> =
        addresses.map(|image| blake3::hash(image["image_url"].as_str().unwrap_or_default().as_bytes()).to_hex().to_string()).collect();
    let picture = books.draw(prompt, &digests);
    let text = prompt.len() as u64 / 4 + 6;
    let images = INPUT * digests.len() as u64;
    let charged = i64::try_from((text * 5 + images * 8 + OUTPUT * 30).div_ceil(2)).expect("a small sum");
    books.charges.push(charged);
    books.accepted.push(Accepted { prompt: prompt.to_owned(), task: String::new(), succeeds: true, charged });
    let answer = json!({
        "created": 1_776_916_481, "data": [{ "b64_json": base64::engine::general_purpose::STANDARD.encode(picture) }],
        "usage": {
            "input_tokens": text + images, "input_tokens_details": { "image_tokens": images, "text_tokens": text },
            "output_tokens": OUTPUT, "total_tokens": text + images + OUTPUT,
        },
    });
    json!({ "id": "batch_req_1", "custom_id": line["custom_id"], "response": { "status_code": 200, "request_id": "r1", "body": answer }, "error": null })
}

/// Reads the lines of a file, or says what is wrong with each.
fn validated(text: &str, endpoint: &str) -> Vec<Result<Value, Value>> {
    let mut names = BTreeSet::new();
    let mut model: Option<String> = None;
    let lines: Vec<&str> = text.lines().collect();
    let mut read: Vec<Result<Value, Value>> = Vec::new();
    for (place, line) in lines.iter().enumerate() {
        let wrong = |code: &str, message: String| json!({ "code": code, "message": message, "param": null, "line": place + 1 });
        let Ok(line) = serde_json::from_str::<Value>(line) else {
            read.push(Err(wrong("invalid_json_line", "This line is not parseable as valid JSON.".to_owned())));
            continue;
        };
        let own = line["body"]["model"].as_str().unwrap_or_default().to_owned();
        let checked = match &line {
            _ if lines.len() > LINES => Err("too many lines".to_owned()),
            line if line.as_object().is_none_or(|all| all.keys().any(|key| !["custom_id", "method", "url", "body"].contains(&key.as_str()))) => {
                Err("unknown field".to_owned())
            }
            line if line["method"] != "POST" || line["url"] != endpoint => Err(format!("{} {}", line["method"], line["url"])),
            line if !line["custom_id"].as_str().is_some_and(|name| names.insert(name.to_owned())) => Err("custom_id stands there twice".to_owned()),
            _ if model.as_ref().is_some_and(|model| *model != own) => Err("two models in one batch".to_owned()),
            line => fields(&line["body"], endpoint),
        };
        model.get_or_insert(own);
        read.push(checked.map(|()| line).map_err(|why| wrong("invalid_request", why)));
    }
    read
}

fn fields(body: &Value, endpoint: &str) -> Result<(), String> {
    let fields = body.as_object().ok_or("a body is an object")?;
    let texts: Vec<(String, String)> = fields
        .iter()
        .filter(|(name, _)| !["images", "mask"].contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
        .collect();
    validate(&texts)?;
    let is_picture = |image: &Value| {
        image.as_object().is_some_and(|fields| fields.len() == 1)
            && image["image_url"].as_str().is_some_and(|url| url.starts_with("data:image/") && url.len() <= 20_971_520)
    };
    let edits = endpoint.ends_with("edits");
    let images = body["images"].as_array().map_or(0, Vec::len);
    let is_sized = ["1024x1024", "1536x1024", "1024x1536"].iter().any(|size| body["size"] == **size);
    match edits {
        true if !(1..=16).contains(&images) => Err(format!("{images} images")),
        true if !is_sized => Err(format!("Invalid value for 'size': {}", body["size"])),
        false if images > 0 || body.get("mask").is_some() => Err("a generation takes no images".to_owned()),
        _ if body["images"].as_array().into_iter().flatten().chain(body.get("mask")).all(is_picture) => Ok(()),
        _ => Err("an image is `{ image_url: data:... }`".to_owned()),
    }
}
