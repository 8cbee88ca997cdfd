//! Recraft's API as its documents have it: OpenAI's shape for pictures, forms for its tools, units spent in the answer.

use serde_json::{Value, json};

use super::shelf::Shelf;
use super::{Accepted, Api, Books, KEY, Part, Received, Reply};

/// The provider.
#[derive(Default)]
pub struct Recraft {
    /// Pictures that come beside the one that was asked for, each at its price.
    pub extra: i64,
    pub shelf: Shelf,
}

/// Models and what a picture costs in units.
const MODELS: &[(&str, i64)] = &[
    ("recraftv4_1", 35),
    ("recraftv4_1_pro", 210),
    ("recraftv4_1_flash", 7),
    ("recraftv4", 40),
    ("recraftv4_pro", 250),
    ("recraftv3", 40),
    ("recraftv2", 22),
];

/// Tools and what a call costs in units.
const TOOLS: &[(&str, i64)] = &[("/v1/images/removeBackground", 10), ("/v1/images/crispUpscale", 4), ("/v1/images/creativeUpscale", 250)];

const SIZES: [&str; 14] = ["1:1", "2:1", "1:2", "3:2", "2:3", "4:3", "3:4", "5:4", "4:5", "6:10", "14:10", "10:14", "16:9", "9:16"];

impl Api for Recraft {
    fn answer(&mut self, request: &Received, url: &str, books: &mut Books) -> Reply {
        if let Some(picture) = self.shelf.take(request, &["authorization"], books) {
            return picture;
        }
        if request.header("authorization") != Some(&format!("Bearer {KEY}")) {
            return Reply::json(401, &json!({ "code": "unauthorized", "message": "invalid token" }));
        }
        if (request.method.as_str(), request.path.as_str()) == ("GET", "/v1/users/me") {
            return Reply::json(200, &json!({ "credits": 5000, "email": "a@example.com" }));
        }
        let tool = TOOLS.iter().find(|(path, _)| *path == request.path && request.method == "POST");
        let read = match tool {
            Some((_, price)) => form(request).map(|digest| (String::new(), vec![digest], *price)),
            None if (request.method.as_str(), request.path.as_str()) == ("POST", "/v1/images/generations") => {
                generation(request).map(|(prompt, price)| (prompt, Vec::new(), price))
            }
            None => Err(format!("there is no {} {}", request.method, request.path)),
        };
        let (prompt, inputs, price) = match read {
            Ok(read) => read,
            Err(why) => {
                books.violation(why.clone());
                return Reply::json(400, &json!({ "code": "bad_request", "message": why }));
            }
        };
        let count = if tool.is_some() { 1 } else { 1 + self.extra };
        let pictures: Vec<Value> =
            (0..count).map(|_| json!({ "image_id": "a1", "url": self.shelf.put(url, books.draw(&prompt, &inputs)) })).collect();
        books.charges.push(price * count * 1_000_000);
        books.accepted.push(Accepted { prompt, task: String::new(), succeeds: true, charged: price * count * 1_000_000 });
        match tool {
            Some(_) => Reply::json(200, &json!({ "image": pictures[0], "created": 1, "credits": price })),
            None => Reply::json(200, &json!({ "data": pictures, "created": 1, "credits": price * count })),
        }
    }
}

fn generation(request: &Received) -> Result<(String, i64), String> {
    let body = request.json();
    for (name, value) in body.as_object().ok_or("the body is JSON")? {
        let fits = match name.as_str() {
            "prompt" => value.as_str().is_some_and(|text| !text.is_empty()),
            "model" => value.is_string(),
            "size" => SIZES.iter().any(|size| value == size),
            "n" => value.as_u64().is_some_and(|count| (1..=6).contains(&count)),
            "response_format" => value == "url" || value == "b64_json",
            "style" | "substyle" | "style_id" | "controls" => true,
            _ => false,
        };
        if !fits {
            return Err(format!("{name}: {value}"));
        }
    }
    let (_, price) = MODELS.iter().find(|(model, _)| body["model"] == *model).ok_or_else(|| format!("no model {}", body["model"]))?;
    Ok((body["prompt"].as_str().ok_or("prompt is needed")?.to_owned(), *price))
}

fn form(request: &Received) -> Result<String, String> {
    let parts = request.form().ok_or("the body is a form")?;
    let is_known = |part: &&Part| part.name == "image" || (part.name == "response_format" && part.text() == "url");
    if let Some(part) = parts.iter().find(|part| !is_known(part)) {
        return Err(format!("{}: {}", part.name, part.text()));
    }
    let image = parts.iter().find(|part| part.name == "image" && part.file_name.is_some()).ok_or("image is needed")?;
    image::load_from_memory(&image.bytes).map_err(|error| error.to_string())?;
    Ok(blake3::hash(&image.bytes).to_hex().to_string())
}
