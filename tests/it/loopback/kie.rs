//! KIE as its documents describe it: uploads, tasks, an envelope with a code of its own, files on hosts that want no key.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::kie_schema::{MODELS, mistake, price};
use super::{Accepted, Api, Books, KEY, Received, Reply};
use base64::Engine as _;

/// What becomes of a task.
#[derive(Debug, Clone)]
pub enum Fate {
    /// It brings a picture.
    Success,
    /// It fails: code, message, and whether the charge is given back.
    Fail(&'static str, &'static str, bool),
    /// It fails, and so many millionths are kept of the charge.
    FailPart(&'static str, &'static str, i64),
    /// It does not end before the server is mended.
    Never,
}

/// The provider.
pub struct Kie {
    /// How often a task is still running when it is asked after.
    pub running: u32,
    /// How often a fresh task is not seen.
    pub unseen: u32,
    /// What a task costs, if not what the price list says.
    pub price: Option<i64>,
    /// Whether answers say what was charged.
    pub tells_charges: bool,
    /// Whether a request with a key that was seen before is answered with its task, without a charge.
    pub honours_keys: bool,
    /// What was in the account at first, in millionths; without it the balance never moves.
    pub credit: Option<i64>,
    /// How many requests it takes in any span.
    pub rate: Option<(usize, Duration)>,
    /// What becomes of tasks, in the order of their acceptance; the others succeed.
    pub fates: Vec<Fate>,
    /// Whether tasks that never end have their end now.
    pub mended: bool,
    /// What it remembers; begins empty.
    pub memory: Memory,
}

/// Tasks and files of a provider.
#[derive(Default)]
pub struct Memory {
    tasks: Vec<Task>,
    files: BTreeMap<String, Vec<u8>>,
    keys: BTreeMap<String, usize>,
}

struct Task {
    model: String,
    input: Value,
    asked: u32,
    consumed: i64,
    result: Option<Vec<u8>>,
}

impl Default for Kie {
    fn default() -> Self {
        Self {
            running: 1,
            unseen: 0,
            price: None,
            tells_charges: true,
            honours_keys: false,
            credit: None,
            rate: None,
            fates: Vec::new(),
            mended: false,
            memory: Memory::default(),
        }
    }
}

fn envelope(code: u32, msg: &str, data: Value) -> Reply {
    Reply::json(200, &json!({ "code": code, "msg": msg, "data": data }))
}

/// Answers with this code in the body and HTTP 200, as KIE does.
pub fn code(code: u32, msg: &str) -> Reply {
    envelope(code, msg, Value::Null)
}

impl Api for Kie {
    fn answer(&mut self, request: &Received, url: &str, books: &mut Books) -> Reply {
        let is_file = ["/result/", "/fresh/"].iter().any(|folder| request.path.starts_with(folder));
        if is_file {
            if request.header("authorization").is_some() {
                books.violation(format!("the key was sent to a host of files: {}", request.path));
            }
            let name = request.path.rsplit('/').next().unwrap_or_default().trim_end_matches(".png");
            let task = name.parse::<usize>().ok().and_then(|number| self.memory.tasks.get(number));
            return match task.and_then(|task| task.result.clone()) {
                Some(bytes) => Reply::bytes("image/png", bytes),
                None => Reply::status(404),
            };
        }
        if request.header("authorization") != Some(&format!("Bearer {KEY}")) {
            return code(401, "You do not have access permissions");
        }
        if request.header("user-agent").is_none_or(str::is_empty) {
            return Reply::status(403);
        }
        match (request.method.as_str(), request.path.as_str()) {
            ("POST", "/api/file-stream-upload") => self.upload(request, url, books),
            ("POST", "/api/file-base64-upload" | "/api/file-url-upload") => self.upload_json(request, url, books),
            ("POST", "/api/v1/jobs/createTask") => self.asked(request, url, books),
            ("GET", "/lookup") => match request.query.get("key").and_then(|key| self.memory.keys.get(key)) {
                Some(number) => envelope(200, "success", json!({ "taskId": format!("{number:032x}") })),
                None => code(404, "there is no such request"),
            },
            ("GET", "/api/v1/jobs/recordInfo") => self.record(request, url),
            ("GET", "/api/v1/chat/credit") => {
                let left = self.credit.map_or(5_916_250_000, |first| first - books.charges.iter().sum::<i64>());
                envelope(200, "success", json!(left as f64 / 1e6))
            }
            ("POST", "/api/v1/common/download-url") => self.refresh(request, url),
            (method, path) => {
                books.violation(format!("there is no {method} {path}"));
                Reply::json(404, &json!({ "code": 404, "msg": "Not Found" }))
            }
        }
    }

    fn mend(&mut self) {
        self.mended = true;
    }
}

impl Kie {
    fn upload(&mut self, request: &Received, url: &str, books: &mut Books) -> Reply {
        let parts = request.form().unwrap_or_default();
        let text = |name: &str| parts.iter().find(|part| part.name == name).map(super::Part::text);
        let path = text("uploadPath").filter(|path| !path.is_empty() && !path.starts_with('/') && !path.ends_with('/'));
        let file = parts.iter().find(|part| part.name == "file" && part.file_name.is_some());
        let (Some(path), Some(file)) = (path, file) else {
            books.violation("an upload needs `uploadPath` without slashes at its ends, and `file`");
            return code(400, "bad upload");
        };
        if image::guess_format(&file.bytes).is_err() || file.media.as_deref().is_none_or(|media| !media.starts_with("image/")) {
            books.violation("an upload that is no picture");
        }
        let name = text("fileName").or_else(|| file.file_name.clone()).unwrap_or_default();
        self.keep(&path, &name, file.bytes.clone(), url, books)
    }

    /// Takes a picture out of JSON: as base64, or from an address of our own.
    fn upload_json(&mut self, request: &Received, url: &str, books: &mut Books) -> Reply {
        let body = request.json();
        let text = |name: &str| body[name].as_str().filter(|text| !text.is_empty());
        let keys: Vec<&String> = body.as_object().map(|map| map.keys().collect()).unwrap_or_default();
        let source = if request.path.contains("base64") { "base64Data" } else { "fileUrl" };
        let bytes = match (source, text(source)) {
            ("base64Data", Some(data)) => {
                let bare = data.split_once(";base64,").map_or(data, |(_, bare)| bare);
                base64::engine::general_purpose::STANDARD.decode(bare).ok()
            }
            (_, Some(address)) => address.rsplit('/').next().and_then(|name| {
                let number: usize = name.trim_end_matches(".png").parse().ok()?;
                self.memory.tasks.get(number)?.result.clone()
            }),
            (_, None) => None,
        };
        let path = text("uploadPath").filter(|path| !path.starts_with('/') && !path.ends_with('/'));
        let (Some(bytes), Some(path), true) = (bytes, path, keys.len() == 3) else {
            books.violation(format!("{} is not as documented: {keys:?}", request.path));
            return code(400, "bad upload");
        };
        let name = text("fileName").unwrap_or("unnamed").to_owned();
        self.keep(path, &name, bytes, url, books)
    }

    /// Keeps a file under its name, which overwrites what had it before.
    fn keep(&mut self, path: &str, name: &str, bytes: Vec<u8>, url: &str, books: &mut Books) -> Reply {
        if !name.starts_with(&blake3::hash(&bytes).to_hex().to_string()) {
            books.violation(format!("`{name}` is no name of the content"));
        }
        let (address, size) = (format!("{url}/kieai/{path}/{name}"), bytes.len());
        if self.memory.files.insert(address.clone(), bytes.clone()).is_some_and(|old| old != bytes) {
            books.violation(format!("`{name}` was overwritten by another picture"));
        }
        let data = json!({ "success": true, "fileName": name, "filePath": path, "downloadUrl": address, "fileSize": size, "mimeType": "image/png" });
        Reply::json(200, &json!({ "success": true, "code": 200, "msg": "File uploaded successfully", "data": data }))
    }

    /// Takes a request within the rate, once for each key.
    fn asked(&mut self, request: &Received, url: &str, books: &mut Books) -> Reply {
        if let Some((count, span)) = self.rate {
            let now = Instant::now();
            if books.taken.iter().rev().take_while(|at| now.duration_since(**at) < span).count() >= count {
                books.refused.push(now);
                return code(429, "call frequency is too high");
            }
            books.taken.push(now);
        }
        let key = request.header("idempotency-key").map(str::to_owned);
        if let Some(number) = key.as_ref().filter(|_| self.honours_keys).and_then(|key| self.memory.keys.get(key)) {
            return envelope(200, "success", json!({ "taskId": format!("{number:032x}") }));
        }
        let (before, reply) = (self.memory.tasks.len(), self.create(request, url, books));
        if let Some(key) = key.filter(|_| self.memory.tasks.len() > before) {
            self.memory.keys.insert(key, before);
        }
        reply
    }

    fn create(&mut self, request: &Received, _: &str, books: &mut Books) -> Reply {
        let body = request.json();
        if request.header("content-type") != Some("application/json") {
            books.violation("createTask takes JSON");
        }
        let model = body["model"].as_str().unwrap_or_default();
        if !MODELS.contains_key(model) {
            return code(404, "The model name you specified is not supported");
        }
        if let Err(why) = self.validate(model, &body) {
            books.violation(format!("{model}: {why}"));
            return code(422, &why);
        }
        let fate = self.fates.get(self.memory.tasks.len()).cloned().unwrap_or(Fate::Success);
        let price = self.price.unwrap_or_else(|| body["input"].as_object().map_or(0, |input| price(model, input)));
        books.charges.push(price);
        let mut task = Task { model: model.to_owned(), input: body["input"].clone(), asked: 0, consumed: price, result: None };
        if let Fate::Success | Fate::Never = fate {
            let inputs: Vec<String> = addresses(&task.input)
                .iter()
                .filter_map(|url| self.memory.files.get(url))
                .map(|bytes| blake3::hash(bytes).to_hex().to_string())
                .collect();
            let prompt = task.input["prompt"].as_str().unwrap_or_default().to_owned();
            task.result = Some(books.draw(&prompt, &inputs));
        }
        let kept = match fate {
            Fate::Fail(_, _, true) => 0,
            Fate::FailPart(_, _, kept) => kept,
            Fate::Success | Fate::Fail(..) | Fate::Never => price,
        };
        if kept < price {
            books.charges.push(kept - price);
            task.consumed = kept;
        }
        let prompt = task.input["prompt"].as_str().unwrap_or_default().to_owned();
        let succeeds = task.result.is_some();
        self.memory.tasks.push(task);
        let id = format!("{:032x}", self.memory.tasks.len() - 1);
        books.accepted.push(Accepted { prompt, task: id.clone(), succeeds, charged: kept });
        envelope(200, "success", json!({ "taskId": id, "recordId": "ffffffffffffffffffffffffffffffff" }))
    }

    fn validate(&self, model: &str, body: &Value) -> Result<(), String> {
        let top: Vec<&String> = body.as_object().map(|map| map.keys().collect()).unwrap_or_default();
        if top.iter().any(|key| !["model", "input", "callBackUrl"].contains(&key.as_str())) {
            return Err(format!("unknown fields among {top:?}"));
        }
        let input = body["input"].as_object().ok_or("input is required")?;
        mistake(model, input, &|url| self.memory.files.contains_key(url)).map_or(Ok(()), Err)
    }

    fn record(&mut self, request: &Received, url: &str) -> Reply {
        let number = request.query.get("taskId").and_then(|id| usize::from_str_radix(id, 16).ok());
        let Some((number, task)) = number.and_then(|number| Some((number, self.memory.tasks.get_mut(number)?))) else {
            return code(422, "recordInfo is null");
        };
        task.asked += 1;
        if task.asked <= self.unseen {
            return code(422, "recordInfo is null");
        }
        let fate = self.fates.get(number).cloned().unwrap_or(Fate::Success);
        let running = matches!(fate, Fate::Never) && !self.mended || task.asked <= self.unseen + self.running;
        let param = json!({ "input": task.input.to_string(), "model": task.model }).to_string();
        let mut data = json!({
            "taskId": format!("{number:032x}"), "model": task.model, "param": param, "resultJson": "", "failCode": null, "failMsg": null,
            "costTime": null, "completeTime": null, "createTime": 1_776_862_567_160_u64,
        });
        if running {
            data["state"] = json!(["waiting", "queuing", "generating"][(task.asked % 3) as usize]);
            return envelope(200, "success", data);
        }
        data["completeTime"] = json!(1_776_862_622_656_u64);
        if self.tells_charges {
            data["creditsConsumed"] = json!(task.consumed as f64 / 1e6);
        }
        match fate {
            Fate::Fail(fail, why, _) | Fate::FailPart(fail, why, _) => {
                data["state"] = json!("fail");
                data["successFlag"] = json!(3);
                data["failCode"] = json!(fail);
                data["failMsg"] = json!(why);
            }
            Fate::Success | Fate::Never => {
                data["state"] = json!("success");
                data["successFlag"] = json!(1);
                data["resultJson"] = json!(json!({ "resultUrls": [format!("{url}/result/{number}.png")] }).to_string());
            }
        }
        envelope(200, "success", data)
    }

    fn refresh(&self, request: &Received, url: &str) -> Reply {
        let body = request.json();
        let asked = body["url"].as_str().unwrap_or_default();
        match asked.strip_prefix(&format!("{url}/result/")) {
            Some(name) => envelope(200, "success", json!(format!("{url}/fresh/{name}"))),
            None => code(422, "url is wrong"),
        }
    }
}

/// Returns every address of an input, in the order of its fields.
fn addresses(input: &Value) -> Vec<String> {
    let fields = input.as_object().into_iter().flat_map(|map| map.values());
    let of = |value: &Value| match value {
        Value::String(text) if text.starts_with("http") => vec![text.clone()],
        Value::Array(items) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    fields.flat_map(of).collect()
}
