//! Replicate's predictions as its documents have them: an answer with addresses, states, an output of any shape, files for inputs; no price.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Accepted, Api, Books, KEY, Received, Reply};

const RATIOS: &[&str] = &["match_input_image", "1:1", "16:9", "21:9", "3:2", "2:3", "4:5", "5:4", "3:4", "4:3", "9:16", "9:21"];

/// What becomes of a prediction.
#[derive(Debug, Clone)]
pub enum Fate {
    /// It succeeds with an output of this shape.
    Output(Shape),
    /// It ends in this state, with this text.
    Ends(&'static str, &'static str),
}

/// The shapes of an output.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    Text,
    List(usize),
    Object,
    /// The files were deleted after their hour.
    Gone,
}

/// The provider.
#[derive(Default)]
pub struct Replicate {
    /// How often a prediction is under way when it is asked after.
    pub running: u32,
    /// What becomes of predictions, in order; the others bring a list of one picture.
    pub fates: Vec<Fate>,
    /// What it remembers; begins empty.
    pub memory: Memory,
}

/// Predictions and files.
#[derive(Default)]
pub struct Memory {
    predictions: Vec<(u32, Vec<Vec<u8>>)>,
    files: BTreeMap<String, Vec<u8>>,
}

/// An error as the API words it.
pub fn problem(status: u16, detail: &str) -> Reply {
    Reply::json(status, &json!({ "title": "Problem", "detail": detail, "status": status }))
}

impl Api for Replicate {
    fn answer(&mut self, request: &Received, url: &str, books: &mut Books) -> Reply {
        if let Some(name) = request.path.strip_prefix("/delivery/") {
            if request.header("authorization").is_some() {
                books.violation("the key was sent to a host of files");
            }
            let (number, index) = name.trim_end_matches(".png").split_once('_').unwrap_or_default();
            let pictures = number.parse::<usize>().ok().and_then(|number| self.memory.predictions.get(number));
            let picture = pictures.zip(index.parse::<usize>().ok()).and_then(|((_, pictures), index)| pictures.get(index));
            return picture.map_or_else(|| Reply::status(404), |bytes| Reply::bytes("image/png", bytes.clone()));
        }
        if request.header("authorization") != Some(&format!("Bearer {KEY}")) {
            return problem(401, "You did not pass a valid authentication token");
        }
        let parts: Vec<&str> = request.path.trim_start_matches('/').split('/').collect();
        match (request.method.as_str(), parts.as_slice()) {
            ("POST", ["v1", "files"]) => self.upload(request, books),
            ("POST", ["v1", "models", owner, name, "predictions"]) => self.create(&format!("{owner}/{name}"), request, books),
            ("GET", ["v1", "predictions", id]) => self.get(id, url),
            (method, _) => {
                books.violation(format!("there is no {method} {}", request.path));
                problem(404, "not found")
            }
        }
    }
}

impl Replicate {
    fn upload(&mut self, request: &Received, books: &mut Books) -> Reply {
        let parts = request.form().unwrap_or_default();
        let file = parts.iter().find(|part| part.name == "content" && part.file_name.is_some());
        let Some(file) = file.filter(|file| image::guess_format(&file.bytes).is_ok()) else {
            books.violation("an upload needs `content`, a picture");
            return problem(400, "no file");
        };
        let id = format!("file{}", self.memory.files.len());
        let get = format!("https://api.replicate.com/v1/files/{id}");
        self.memory.files.insert(get.clone(), file.bytes.clone());
        Reply::json(201, &json!({ "id": id, "name": file.file_name, "content_type": file.media, "size": file.bytes.len(), "urls": { "get": get } }))
    }

    fn create(&mut self, model: &str, request: &Received, books: &mut Books) -> Reply {
        let body = request.json();
        let wrong = |why: String, books: &mut Books| {
            books.violation(format!("{model}: {why}"));
            problem(422, &why)
        };
        let keys: Vec<&String> = body.as_object().map(|map| map.keys().collect()).unwrap_or_default();
        let Some(input) = body["input"].as_object().filter(|_| keys == ["input"]) else { return wrong(format!("the body is {body}"), books) };
        let banana = match model {
            "google/nano-banana-2" => true,
            "black-forest-labs/flux-schnell" | "black-forest-labs/flux-1.1-pro" => false,
            _ => return problem(404, "The requested resource could not be found."),
        };
        for (name, value) in input {
            let fits = match name.as_str() {
                "prompt" => value.as_str().is_some_and(|text| !text.is_empty()),
                "aspect_ratio" => RATIOS.iter().any(|known| value == known),
                "output_format" => ["jpg", "png", "webp"].iter().any(|known| value == known),
                "num_outputs" => model.ends_with("schnell") && *value == json!(1),
                "seed" => !banana && value.is_u64(),
                "image_input" => {
                    banana
                        && value
                            .as_array()
                            .is_some_and(|urls| urls.iter().all(|url| self.memory.files.contains_key(url.as_str().unwrap_or_default())))
                }
                _ => false,
            };
            if !fits {
                return wrong(format!("{name}: {value}"), books);
            }
        }
        let Some(prompt) = input.get("prompt").and_then(Value::as_str).map(str::to_owned) else {
            return wrong("input.prompt is required".to_owned(), books);
        };
        let urls = input.get("image_input").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let inputs: Vec<String> = urls.filter_map(|url| self.memory.files.get(url)).map(|bytes| blake3::hash(bytes).to_hex().to_string()).collect();
        let number = self.memory.predictions.len();
        let count = match self.fates.get(number) {
            None | Some(Fate::Output(Shape::Text | Shape::Object)) => 1,
            Some(Fate::Output(Shape::List(count))) => *count,
            Some(Fate::Output(Shape::Gone) | Fate::Ends(..)) => 0,
        };
        let pictures: Vec<Vec<u8>> = (0..count).map(|_| books.draw(&prompt, &inputs)).collect();
        let id = format!("p{number:025}");
        books.accepted.push(Accepted { prompt, task: id.clone(), succeeds: count > 0, charged: 0 });
        self.memory.predictions.push((0, pictures));
        let at = format!("https://api.replicate.com/v1/predictions/{id}");
        let urls = json!({ "get": at, "cancel": format!("{at}/cancel"), "web": format!("https://replicate.com/p/{id}") });
        Reply::json(
            201,
            &json!({ "id": id, "model": model, "status": "starting", "urls": urls, "input": input, "output": null, "error": null, "logs": "", "metrics": {} }),
        )
    }

    fn get(&mut self, id: &str, url: &str) -> Reply {
        let number = id.strip_prefix('p').and_then(|number| number.parse::<usize>().ok());
        let Some((number, (asked, pictures))) = number.and_then(|number| Some((number, self.memory.predictions.get_mut(number)?))) else {
            return problem(404, "The requested resource could not be found.");
        };
        *asked += 1;
        let said = |status: &str, output: Value, error: Value| {
            Reply::json(200, &json!({ "id": id, "status": status, "output": output, "error": error, "metrics": { "predict_time": 1.5 } }))
        };
        if *asked <= self.running {
            return said(if *asked == 1 { "starting" } else { "processing" }, Value::Null, Value::Null);
        }
        let address = |index| format!("{url}/delivery/{number}_{index}.png");
        match self.fates.get(number) {
            Some(Fate::Ends(state, why)) => said(state, Value::Null, if why.is_empty() { Value::Null } else { json!(why) }),
            Some(Fate::Output(Shape::Text)) => said("succeeded", json!(address(0)), Value::Null),
            Some(Fate::Output(Shape::Object)) => said("succeeded", json!({ "url": address(0), "seed": 1 }), Value::Null),
            Some(Fate::Output(Shape::Gone)) => said("succeeded", Value::Null, Value::Null),
            _ => said("succeeded", (0..pictures.len()).map(address).collect::<Vec<_>>().into(), Value::Null),
        }
    }
}
