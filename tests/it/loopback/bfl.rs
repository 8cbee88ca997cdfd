//! Black Forest Labs' API as its documents have it: a task in a region, moderation as a state, an address of a picture that lives for minutes.

use base64::Engine as _;
use serde_json::{Value, json};

use super::{Accepted, Api, Books, KEY, Received, Reply};

/// Models, their price by millionths of a credit for the first megapixel, each further one, each of an input; flat ones have no further.
const MODELS: &[(&str, i64, i64)] = &[
    ("flux-2-pro", 3_000_000, 1_500_000),
    ("flux-2-max", 7_000_000, 3_000_000),
    ("flux-2-flex", 5_000_000, 5_000_000),
    ("flux-2-klein-4b", 1_400_000, 100_000),
    ("flux-2-klein-9b", 1_500_000, 200_000),
    ("flux-kontext-pro", 4_000_000, 0),
    ("flux-kontext-max", 8_000_000, 0),
    ("flux-pro-1.1", 4_000_000, 0),
    ("flux-pro-1.1-ultra", 6_000_000, 0),
    ("flux-pro-1.0-fill", 5_000_000, 0),
];

/// Pixels of a megapixel, as the price page reckons: 1024x1024.
const MEGAPIXEL: u64 = 1 << 20;

/// What becomes of a task.
#[derive(Debug, Clone)]
pub enum Fate {
    /// It brings a picture.
    Ready,
    /// It ends in this state, and so many millionths are kept of its price.
    Ends(&'static str, i64),
    /// It is ready and names no picture.
    Empty,
}

/// The provider.
pub struct Bfl {
    /// How often a task is pending when it is asked after.
    pub pending: u32,
    /// How often a fresh task is not found.
    pub unseen: u32,
    /// Whether the answer to a submit says the price.
    pub tells_cost: bool,
    /// What a task costs, if not what the price list says.
    pub price: Option<i64>,
    /// Where tasks live.
    pub region: &'static str,
    /// What becomes of tasks, in order; the others bring a picture.
    pub fates: Vec<Fate>,
    /// What it remembers; begins empty.
    pub tasks: Vec<Task>,
}

/// A task.
pub struct Task {
    asked: u32,
    picture: Vec<u8>,
}

impl Default for Bfl {
    fn default() -> Self {
        Self { pending: 1, unseen: 0, tells_cost: true, price: None, region: "https://api.eu1.bfl.ai", fates: Vec::new(), tasks: Vec::new() }
    }
}

impl Api for Bfl {
    fn answer(&mut self, request: &Received, url: &str, books: &mut Books) -> Reply {
        if let Some(name) = request.path.strip_prefix("/delivery/") {
            if request.header("x-key").is_some() {
                books.violation("the key was sent to a host of files");
            }
            let task = name.trim_end_matches(".png").parse::<usize>().ok().and_then(|number| self.tasks.get(number));
            let is_signed = request.query.get("sig").is_some_and(|sig| sig == "ok");
            return task.filter(|_| is_signed).map_or_else(|| Reply::status(403), |task| Reply::bytes("image/png", task.picture.clone()));
        }
        if request.header("x-key") != Some(KEY) {
            return Reply::json(403, &json!({ "detail": "Not authenticated" }));
        }
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/v1/get_result") => self.result(request, url, books),
            ("POST", path) if path.starts_with("/v1/") => self.submit(path.trim_start_matches("/v1/"), request, books),
            (method, path) => {
                books.violation(format!("there is no {method} {path}"));
                Reply::json(404, &json!({ "detail": "Not Found" }))
            }
        }
    }
}

/// Returns the picture that a field holds in base64.
fn picture(value: &Value) -> Result<Vec<u8>, String> {
    let bytes = base64::engine::general_purpose::STANDARD.decode(value.as_str().unwrap_or_default()).map_err(|error| error.to_string())?;
    image::guess_format(&bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}

fn pixels(bytes: &[u8]) -> u64 {
    image::load_from_memory(bytes).map_or(0, |picture| u64::from(picture.width()) * u64::from(picture.height()))
}

impl Bfl {
    fn submit(&mut self, model: &str, request: &Received, books: &mut Books) -> Reply {
        let Some((_, first, further)) = MODELS.iter().find(|(name, ..)| *name == model) else {
            return Reply::json(404, &json!({ "detail": "Not Found" }));
        };
        let body = request.json();
        let read = read(model, &body);
        let (inputs, megapixels) = match read {
            Ok(read) => read,
            Err(why) => {
                books.violation(format!("{model}: {why}"));
                return Reply::json(422, &json!({ "detail": [{ "loc": ["body"], "msg": why, "type": "value_error" }] }));
            }
        };
        let of_inputs: u64 = inputs.iter().map(|bytes| pixels(bytes).div_ceil(MEGAPIXEL)).sum();
        let more = i64::try_from(megapixels.saturating_sub(1) + of_inputs).expect("few megapixels");
        let price = self.price.unwrap_or(first + further * more);
        let number = self.tasks.len();
        let fate = self.fates.get(number).cloned().unwrap_or(Fate::Ready);
        let kept = match fate {
            Fate::Ready | Fate::Empty => price,
            Fate::Ends(_, kept) => kept,
        };
        books.charges.push(kept);
        let prompt = body["prompt"].as_str().unwrap_or_default().to_owned();
        let digests: Vec<String> = inputs.iter().map(|bytes| blake3::hash(bytes).to_hex().to_string()).collect();
        let picture = if matches!(fate, Fate::Ready) { books.draw(&prompt, &digests) } else { Vec::new() };
        let id = format!("{number:08x}-1111-4000-8000-000000000000");
        books.accepted.push(Accepted { prompt, task: id.clone(), succeeds: matches!(fate, Fate::Ready), charged: kept });
        self.tasks.push(Task { asked: 0, picture });
        let mut answer = json!({ "id": id, "polling_url": format!("{}/v1/get_result?id={id}&region=eu1", self.region) });
        if self.tells_cost {
            answer["cost"] = json!(price as f64 / 1e6);
            answer["output_mp"] = json!(megapixels);
            answer["input_mp"] = json!(of_inputs);
        }
        Reply::json(200, &answer)
    }

    fn result(&mut self, request: &Received, url: &str, books: &mut Books) -> Reply {
        let id = request.query.get("id").cloned().unwrap_or_default();
        if request.query.get("region").is_none_or(|region| region != "eu1") {
            books.violation(format!("{id} is asked after elsewhere than where it lives"));
        }
        let missing = Reply::json(404, &json!({ "id": id, "status": "Task not found", "result": null }));
        let number = id.split('-').next().and_then(|number| usize::from_str_radix(number, 16).ok());
        let Some((number, task)) = number.and_then(|number| Some((number, self.tasks.get_mut(number)?))) else { return missing };
        task.asked += 1;
        if task.asked <= self.unseen {
            return missing;
        }
        let said = |status: &str, result: Value| {
            Reply::json(200, &json!({ "id": id, "status": status, "result": result, "progress": null, "details": null }))
        };
        if task.asked <= self.unseen + self.pending {
            return said("Pending", Value::Null);
        }
        match self.fates.get(number) {
            Some(Fate::Ends(state, _)) => said(state, Value::Null),
            Some(Fate::Empty) => said("Ready", json!({ "sample": null })),
            Some(Fate::Ready) | None => said("Ready", json!({ "sample": format!("{url}/delivery/{number}.png?sig=ok"), "seed": 7, "prompt": "" })),
        }
    }
}

/// Reads a request as the documents have it: its pictures, and how many megapixels it makes.
fn read(model: &str, body: &Value) -> Result<(Vec<Vec<u8>>, u64), String> {
    let map = body.as_object().ok_or("the body is JSON")?;
    let is_two = model.starts_with("flux-2-");
    let sized = is_two || model == "flux-pro-1.1";
    let mut inputs = Vec::new();
    for (name, value) in map {
        let fits = match name.as_str() {
            "prompt" => value.as_str().is_some_and(|text| !text.is_empty()),
            "width" | "height" => sized && value.as_u64().is_some_and(|side| side >= 64 && side % 16 == 0),
            "aspect_ratio" => !sized && value.as_str().is_some_and(|ratio| ratio.contains(':')),
            "seed" => value.is_u64(),
            "output_format" => ["jpeg", "png"].iter().any(|known| value == known),
            "input_image" => model != "flux-pro-1.1" && value.is_string(),
            "image" | "mask" => model == "flux-pro-1.0-fill" && value.is_string(),
            other => {
                is_two && other.strip_prefix("input_image_").and_then(|index| index.parse::<u32>().ok()).is_some_and(|index| (2..=8).contains(&index))
            }
        };
        if !fits {
            return Err(format!("{name}: {}", value.to_string().chars().take(80).collect::<String>()));
        }
        if name.contains("image") || name == "mask" {
            inputs.push(picture(value).map_err(|why| format!("{name}: {why}"))?);
        }
    }
    if !map.contains_key("prompt") || sized && !(map.contains_key("width") && map.contains_key("height")) {
        return Err("prompt, and a size where the model takes one, are always said".to_owned());
    }
    let made = body["width"].as_u64().unwrap_or(1024) * body["height"].as_u64().unwrap_or(1024);
    Ok((inputs, made.div_ceil(MEGAPIXEL)))
}
