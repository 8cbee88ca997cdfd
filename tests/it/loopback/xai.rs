//! xAI's image API as it was recorded: OpenAI's shape with addresses for pictures, ticks for money, and a 422 that is a plain sentence.

use serde_json::{Value, json};

use super::shelf::Shelf;
use super::{Accepted, Api, Books, KEY, Received, Reply};

/// Ticks of a dollar.
const TICKS: u64 = 10_000_000_000;

/// The provider.
#[derive(Default)]
pub struct Xai {
    /// Brings this many pictures more than asked for, and charges them.
    pub extra: u64,
    /// Leaves the cost out of its answers.
    pub hides_cost: bool,
    /// Leaves the pictures out of its answers, and charges all the same.
    pub empty: bool,
    pub shelf: Shelf,
}

/// A refusal as it was recorded: no JSON.
pub fn sentence(status: u16, text: &str) -> Reply {
    Reply { status, headers: vec![("content-type".to_owned(), "text/plain; charset=utf-8".to_owned())], body: text.as_bytes().to_vec() }
}

impl Api for Xai {
    fn answer(&mut self, request: &Received, url: &str, books: &mut Books) -> Reply {
        if let Some(picture) = self.shelf.take(request, &["authorization"], books) {
            return picture;
        }
        if request.header("authorization") != Some(&format!("Bearer {KEY}")) {
            return Reply::json(401, &json!({ "code": "unauthenticated", "error": "no such key" }));
        }
        let body = request.json();
        let (price, source) = match (request.method.as_str(), request.path.as_str()) {
            ("POST", "/v1/images/generations") => (TICKS / 50, Ok(None)),
            ("POST", "/v1/images/edits") => (TICKS * 22 / 1000, source(&body).map(Some)),
            (method, path) => {
                books.violation(format!("there is no {method} {path}"));
                return Reply::status(404);
            }
        };
        let source = match source.and_then(|source| fits(request, &body, source.is_some()).map(|()| source)) {
            Ok(source) => source,
            Err(why) => {
                books.violation(why.clone());
                return sentence(422, &format!("Failed to deserialize the JSON body into the target type: {why}"));
            }
        };
        let prompt = body["prompt"].as_str().unwrap_or_default();
        let count = body["n"].as_u64().unwrap_or(1) + self.extra;
        let inputs: Vec<String> = source.into_iter().collect();
        let data: Vec<Value> = (0..count)
            .map(|_| json!({ "url": self.shelf.put(url, books.draw(prompt, &inputs)), "mime_type": "image/png", "revised_prompt": "" }))
            .collect();
        let charged = i64::try_from(price * count / (TICKS / 1_000_000)).expect("a small sum");
        books.charges.push(charged);
        books.accepted.push(Accepted { prompt: prompt.to_owned(), task: String::new(), succeeds: !self.empty, charged });
        let mut answer = json!({ "data": if self.empty { Vec::new() } else { data } });
        if !self.hides_cost {
            answer["usage"] = json!({ "cost_in_usd_ticks": price * count });
        }
        Reply::json(200, &answer)
    }
}

/// Returns the digest of the picture that is to be edited.
fn source(body: &Value) -> Result<String, String> {
    use base64::Engine as _;
    let address = body["image"]["url"].as_str().ok_or("missing field `image.url`")?;
    let text = address.strip_prefix("data:image/png;base64,").ok_or("`image.url` is no `data:` address of a PNG")?;
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).map_err(|error| error.to_string())?;
    image::load_from_memory(&bytes).map_err(|error| error.to_string())?;
    Ok(blake3::hash(&bytes).to_hex().to_string())
}

fn fits(request: &Received, body: &Value, is_edit: bool) -> Result<(), String> {
    if request.header("content-type") != Some("application/json") {
        return Err("the body is JSON".to_owned());
    }
    for (name, value) in body.as_object().ok_or("the body is a map")? {
        let fits = match name.as_str() {
            "model" => value == "grok-imagine-image",
            "prompt" => value.as_str().is_some_and(|text| !text.is_empty()),
            "n" => value.as_u64().is_some_and(|count| (1..=10).contains(&count)),
            "aspect_ratio" => {
                !is_edit && ["1:1", "16:9", "9:16", "4:3", "3:4", "3:2", "2:3", "2:1", "1:2", "20:9", "9:20"].iter().any(|ratio| value == ratio)
            }
            "response_format" => value == "url" || value == "b64_json",
            "image" => is_edit,
            _ => false,
        };
        if !fits {
            return Err(format!("Argument not supported: {name}: {value}"));
        }
    }
    if body["model"].is_null() || body["prompt"].is_null() { Err("missing field".to_owned()) } else { Ok(()) }
}
