//! fal.ai's queue as its documents and recordings have it: addresses in the answer to a submit, a status, a result of its own, units in a header,
//! errors as `detail`, files that are handed over in two steps.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Accepted, Api, Books, KEY, Received, Reply};

/// Fields of a model, each with the test that a value must pass.
type Fields = &'static [(&'static str, fn(&Value) -> bool)];

/// Models, what a unit costs in millionths of a dollar, how many units (in millionths) a picture takes, and their fields.
const MODELS: &[(&str, i64, i64, Fields)] = &[
    (
        "fal-ai/flux/dev",
        25_000,
        1_000_000,
        &[
            ("prompt", is_text),
            ("image_size", |size| size["width"].is_u64() && size["height"].is_u64() && size.as_object().is_some_and(|size| size.len() == 2)),
            ("num_images", |count| *count == json!(1)),
            ("output_format", |format| ["jpeg", "png"].iter().any(|known| format == known)),
            ("seed", Value::is_u64),
        ],
    ),
    ("fal-ai/nano-banana-2", 80_000, 1_000_000, BANANA),
    ("fal-ai/nano-banana-2/edit", 80_000, 1_000_000, BANANA),
    (
        "fal-ai/gpt-image-1.5",
        1_000_000,
        20_000,
        &[
            ("prompt", is_text),
            ("image_size", |size| ["1024x1024", "1536x1024", "1024x1536"].iter().any(|known| size == known)),
            ("quality", |quality| ["low", "medium", "high"].iter().any(|known| quality == known)),
            ("num_images", |count| *count == json!(1)),
            ("output_format", is_text),
        ],
    ),
    (
        "imagineart/imagineart-2.0-edit-preview/image-to-image",
        50_000,
        1_000_000,
        &[("prompt", is_text), ("image_urls", is_list), ("aspect_ratio", is_text)],
    ),
];

const BANANA: Fields = &[
    ("prompt", is_text),
    ("image_urls", is_list),
    ("aspect_ratio", is_text),
    ("resolution", |size| ["1K", "2K", "4K"].iter().any(|known| size == known)),
    ("num_images", |count| *count == json!(1)),
    ("output_format", is_text),
    ("seed", Value::is_u64),
];

fn is_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}

fn is_list(value: &Value) -> bool {
    value.as_array().is_some_and(|items| (1..=16).contains(&items.len()))
}

/// What becomes of a request.
#[derive(Debug, Clone)]
pub enum End {
    /// Pictures, so many.
    Pictures(usize),
    /// The result is this answer, and so much of the price is kept, in millionths.
    Instead(Reply, i64),
}

/// The provider.
pub struct Fal {
    /// How often a request is in the queue or in progress when it is asked after.
    pub running: u32,
    /// Whether results name the units that were billed.
    pub tells_units: bool,
    /// How many units a picture takes, if not what is usual, in millionths.
    pub units: Option<i64>,
    /// What becomes of requests, in order; the others bring one picture.
    pub ends: Vec<End>,
    /// Where the addresses in the answer to a submit lead.
    pub queue: &'static str,
    /// What it remembers; begins empty.
    pub memory: Memory,
}

/// Requests and files of a provider.
#[derive(Default)]
pub struct Memory {
    requests: Vec<Asked>,
    files: BTreeMap<String, Vec<u8>>,
    promised: Vec<String>,
}

struct Asked {
    app: String,
    polls: u32,
    units: i64,
    pictures: Vec<Vec<u8>>,
}

impl Default for Fal {
    fn default() -> Self {
        Self { running: 1, tells_units: true, units: None, ends: Vec::new(), queue: "https://queue.fal.run", memory: Memory::default() }
    }
}

/// An error as the models word it.
pub fn detail(status: u16, kind: &str, message: &str) -> Reply {
    Reply::json(status, &json!({ "detail": [{ "loc": ["body", "prompt"], "msg": message, "type": kind }] }))
}

impl Api for Fal {
    fn answer(&mut self, request: &Received, url: &str, books: &mut Books) -> Reply {
        let is_file = ["/files/", "/put/"].iter().any(|folder| request.path.starts_with(folder));
        if is_file {
            if request.header("authorization").is_some() {
                books.violation(format!("the key was sent to a host of files: {}", request.path));
            }
            return self.file(request, url, books);
        }
        if request.header("authorization") != Some(&format!("Key {KEY}")) {
            return Reply::json(401, &json!({ "detail": "Cannot access application. Authentication is required." }));
        }
        let parts: Vec<&str> = request.path.trim_start_matches('/').split('/').collect();
        match (request.method.as_str(), parts.as_slice()) {
            ("POST", ["storage", "upload", "initiate"]) => self.initiate(request, url, books),
            ("GET", [owner, name, "requests", id, "status"]) => self.status(&format!("{owner}/{name}"), id, request, books),
            ("GET", [owner, name, "requests", id]) => self.result(&format!("{owner}/{name}"), id, request, url, books),
            ("POST", _) => self.submit(request, books),
            (method, _) => {
                books.violation(format!("there is no {method} {}", request.path));
                Reply::json(404, &json!({ "detail": "Not Found" }))
            }
        }
    }
}

impl Fal {
    fn initiate(&mut self, request: &Received, url: &str, books: &mut Books) -> Reply {
        let body = request.json();
        let keys: Vec<&String> = body.as_object().map(|map| map.keys().collect()).unwrap_or_default();
        let media = body["content_type"].as_str().unwrap_or_default();
        if keys != ["content_type", "file_name"]
            || !media.starts_with("image/")
            || request.query.get("storage_type").is_none_or(|kind| kind != "fal-cdn-v3")
        {
            books.violation(format!("an upload is begun with a name and a type: {body} {:?}", request.query));
            return Reply::status(400);
        }
        let name = format!("{}-{}", self.memory.promised.len(), body["file_name"].as_str().unwrap_or_default());
        self.memory.promised.push(name.clone());
        Reply::json(200, &json!({ "file_url": format!("{url}/files/{name}"), "upload_url": format!("{url}/put/{name}?sig=1") }))
    }

    fn file(&mut self, request: &Received, url: &str, books: &mut Books) -> Reply {
        let name = request.path.rsplit('/').next().unwrap_or_default();
        if request.method == "PUT" {
            let is_picture =
                image::guess_format(&request.body).is_ok() && request.header("content-type").is_some_and(|media| media.starts_with("image/"));
            if !is_picture || !self.memory.promised.iter().any(|known| known == name) || !request.query.contains_key("sig") {
                books.violation(format!("{name} was put without being promised, or is no picture"));
            }
            self.memory.files.insert(format!("{url}/files/{name}"), request.body.clone());
            return Reply::status(200);
        }
        let (number, index) = name.trim_end_matches(".png").split_once('_').unwrap_or_default();
        let asked = number.parse::<usize>().ok().and_then(|number| self.memory.requests.get(number));
        let picture = asked.zip(index.parse::<usize>().ok()).and_then(|(asked, index)| asked.pictures.get(index));
        picture.map_or_else(|| Reply::status(404), |bytes| Reply::bytes("image/png", bytes.clone()))
    }

    fn submit(&mut self, request: &Received, books: &mut Books) -> Reply {
        let (model, body) = (request.path.trim_start_matches('/'), request.json());
        let Some((_, worth, usual, fields)) = MODELS.iter().find(|(name, ..)| *name == model) else {
            return Reply::json(404, &json!({ "detail": format!("Application '{model}' not found") }));
        };
        let wrong = body.as_object().map_or(Some("the body is flat JSON".to_owned()), |map| {
            let unknown = |(name, value): (&String, &Value)| !fields.iter().any(|(known, fits)| known == name && fits(value));
            map.iter().find(|(name, value)| unknown((name, value))).map(|(name, value)| format!("{name}: {value}"))
        });
        let urls: Vec<&str> = body["image_urls"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let inputs: Vec<String> =
            urls.iter().filter_map(|url| self.memory.files.get(*url)).map(|bytes| blake3::hash(bytes).to_hex().to_string()).collect();
        let lost = (inputs.len() < urls.len()).then(|| format!("unknown files among {urls:?}"));
        let bare = (!body["prompt"].is_string()).then(|| "prompt is required".to_owned());
        if let Some(why) = wrong.or(lost).or(bare) {
            books.violation(format!("{model}: {why}"));
            return detail(422, "value_error", &why);
        }
        let number = self.memory.requests.len();
        let (units, prompt) = (self.units.unwrap_or(*usual), body["prompt"].as_str().unwrap_or_default().to_owned());
        let price = units * worth / 1_000_000;
        let (count, kept) = match self.ends.get(number) {
            None => (1, price),
            Some(End::Pictures(count)) => (*count, price),
            Some(End::Instead(_, kept)) => (0, *kept),
        };
        books.charges.push(kept);
        let pictures: Vec<Vec<u8>> = (0..count).map(|_| books.draw(&prompt, &inputs)).collect();
        // Parts of the name after the second are no part of the addresses.
        let app: String = model.split('/').take(2).collect::<Vec<_>>().join("/");
        let id = format!("{number:08x}-0000-4000-8000-000000000000");
        books.accepted.push(Accepted { prompt, task: id.clone(), succeeds: count > 0, charged: kept });
        self.memory.requests.push(Asked { app: app.clone(), polls: 0, units, pictures });
        let at = format!("{}/{app}/requests/{id}", self.queue);
        let body = json!({
            "request_id": id, "response_url": at, "status_url": format!("{at}/status?logs=0"), "cancel_url": format!("{at}/cancel"), "queue_position": 0,
        });
        Reply::json(200, &body)
    }

    fn known(&mut self, app: &str, id: &str, books: &mut Books) -> Option<usize> {
        let number = usize::from_str_radix(id.split('-').next()?, 16).ok()?;
        let asked = self.memory.requests.get(number)?;
        if asked.app != app {
            books.violation(format!("request {id} is asked after at {app}, and was told {}", asked.app));
        }
        Some(number)
    }

    fn status(&mut self, app: &str, id: &str, request: &Received, books: &mut Books) -> Reply {
        if request.query.get("logs").is_none_or(|logs| logs != "0") {
            books.violation("the address of the status was not used as it was told");
        }
        let Some(number) = self.known(app, id, books) else { return Reply::status(404) };
        let asked = &mut self.memory.requests[number];
        asked.polls += 1;
        if asked.polls <= self.running {
            let state = if asked.polls == 1 { "IN_QUEUE" } else { "IN_PROGRESS" };
            return Reply::json(202, &json!({ "status": state, "request_id": id, "queue_position": 0 }));
        }
        Reply::json(200, &json!({ "status": "COMPLETED", "request_id": id, "metrics": { "inference_time": 1.5 } }))
    }

    fn result(&mut self, app: &str, id: &str, request: &Received, url: &str, books: &mut Books) -> Reply {
        if !request.query.is_empty() {
            books.violation("the address of the result was not used as it was told");
        }
        let Some(number) = self.known(app, id, books) else { return Reply::status(404) };
        let asked = &self.memory.requests[number];
        if asked.polls <= self.running {
            books.violation("a result was asked for before it was there");
            return Reply::json(400, &json!({ "detail": "Request is still in progress" }));
        }
        if let Some(End::Instead(reply, _)) = self.ends.get(number) {
            return reply.clone();
        }
        let image = |index| json!({ "url": format!("{url}/files/{number}_{index}.png"), "content_type": "image/png", "file_name": null, "file_size": null, "width": null, "height": null });
        let images: Vec<Value> = (0..asked.pictures.len()).map(image).collect();
        let reply = Reply::json(200, &json!({ "images": images, "seed": 1, "has_nsfw_concepts": [false], "prompt": "" }));
        if self.tells_units { reply.header("x-fal-billable-units", &format!("{}", asked.units as f64 / 1e6)) } else { reply }
    }
}
