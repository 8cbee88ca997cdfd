//! OpenAI's images as its published description has them: the answer is the picture, tokens are counted, errors have a code.

use serde_json::{Value, json};

use super::{Accepted, Api, Books, KEY, Received, Reply};
use base64::Engine as _;

/// The provider.
#[derive(Default)]
pub struct OpenAi {
    /// Whether answers count tokens.
    pub hides_usage: bool,
}

/// An error as the API words it.
pub fn error(status: u16, kind: &str, code: Option<&str>, message: &str) -> Reply {
    Reply::json(status, &json!({ "error": { "message": message, "type": kind, "param": null, "code": code } }))
}

/// Fields of a request, and the values that they may have; none: any text.
const FIELDS: &[(&str, &[&str])] = &[
    ("model", &["gpt-image-2", "gpt-image-2.5-flare", "gpt-image-2.5-sunburst", "gpt-image-1.5"]),
    ("prompt", &[]),
    ("n", &["1"]),
    ("size", &[]),
    ("quality", &["low", "medium", "high", "xhigh", "max"]),
    ("background", &["transparent", "opaque", "auto"]),
    ("output_format", &["png", "jpeg", "webp"]),
];

/// Tokens of a result of 1024x1024 in medium quality, as recorded.
pub(super) const OUTPUT: u64 = 1756;

/// Tokens of one input picture, as recorded.
pub(super) const INPUT: u64 = 1024;

impl Api for OpenAi {
    fn answer(&mut self, request: &Received, _: &str, books: &mut Books) -> Reply {
        if request.header("authorization") != Some(&format!("Bearer {KEY}")) {
            return error(401, "invalid_request_error", Some("invalid_api_key"), "Incorrect API key provided");
        }
        let read = match (request.method.as_str(), request.path.as_str()) {
            ("POST", "/v1/images/generations") => generation(request),
            ("POST", "/v1/images/edits") => edit(request),
            (method, path) => Err(format!("there is no {method} {path}")),
        };
        let (fields, inputs) = match read {
            Ok(read) => read,
            Err(why) => {
                books.violation(why.clone());
                return error(400, "invalid_request_error", Some("invalid_value"), &why);
            }
        };
        let prompt = fields["prompt"].as_str().unwrap_or_default();
        let picture = books.draw(prompt, &inputs);
        let text = prompt.len() as u64 / 4 + 6;
        let images = INPUT * inputs.len() as u64;
        // Dollars a million tokens are millionths of a dollar a token.
        let charged = i64::try_from(text * 5 + images * 8 + OUTPUT * 30).expect("a small sum");
        books.charges.push(charged);
        books.accepted.push(Accepted { prompt: prompt.to_owned(), task: String::new(), succeeds: true, charged });
        let mut answer = json!({
            "created": 1_776_916_481, "background": "opaque", "output_format": "png", "quality": "medium", "size": fields["size"],
            "data": [{ "b64_json": base64::engine::general_purpose::STANDARD.encode(picture) }],
        });
        if !self.hides_usage {
            answer["usage"] = json!({
                "input_tokens": text + images, "input_tokens_details": { "image_tokens": images, "text_tokens": text },
                "output_tokens": OUTPUT, "output_tokens_details": { "image_tokens": OUTPUT, "text_tokens": 0 }, "total_tokens": text + images + OUTPUT,
            });
        }
        Reply::json(200, &answer)
    }
}

/// Fields of a request, and digests of its pictures.
type Read = (Value, Vec<String>);

fn generation(request: &Received) -> Result<Read, String> {
    let body = request.json();
    if request.header("content-type") != Some("application/json") || !body["n"].is_u64() {
        return Err("a generation is JSON, with a whole number of pictures".to_owned());
    }
    let texts =
        body.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
    validate(&texts.collect::<Vec<_>>())?;
    Ok((body, Vec::new()))
}

fn edit(request: &Received) -> Result<Read, String> {
    let parts = request.form().ok_or("an edit is a form")?;
    let (files, texts): (Vec<_>, Vec<_>) = parts.into_iter().partition(|part| part.file_name.is_some());
    let texts: Vec<(String, String)> = texts.iter().map(|part| (part.name.clone(), part.text())).collect();
    validate(&texts)?;
    let images = files.iter().filter(|part| part.name == "image[]" || part.name == "image").count();
    let masks: Vec<_> = files.iter().filter(|part| part.name == "mask").collect();
    if images == 0 || images > 16 || masks.len() > 1 || images + masks.len() != files.len() {
        return Err(format!("{images} images and {} masks among {} files", masks.len(), files.len()));
    }
    if masks.iter().any(|mask| image::guess_format(&mask.bytes).ok() != Some(image::ImageFormat::Png) || mask.bytes.len() > 4_000_000) {
        return Err("a mask is a PNG below 4 MB".to_owned());
    }
    if files.iter().any(|part| part.media.as_deref().is_none_or(|media| !["image/png", "image/jpeg", "image/webp"].contains(&media))) {
        return Err("a file without its type".to_owned());
    }
    let digest = |part: &super::Part| blake3::hash(&part.bytes).to_hex().to_string();
    Ok((texts.into_iter().map(|(name, text)| (name, json!(text))).collect::<serde_json::Map<_, _>>().into(), files.iter().map(digest).collect()))
}

pub(super) fn validate(texts: &[(String, String)]) -> Result<(), String> {
    for needed in ["model", "prompt", "size", "quality"] {
        if !texts.iter().any(|(name, _)| name == needed) {
            return Err(format!("`{needed}` is not said"));
        }
    }
    for (name, text) in texts {
        let (_, values) = FIELDS.iter().find(|(known, _)| known == name).ok_or_else(|| format!("Unknown parameter: '{name}'."))?;
        let side = |text: &str| text.parse::<u32>().ok().filter(|side| side % 16 == 0 && (256..=3840).contains(side));
        let fits = match name.as_str() {
            "size" => text.split_once('x').is_some_and(|(width, height)| side(width).is_some() && side(height).is_some()),
            _ => !text.is_empty() && (values.is_empty() || values.contains(&text.as_str())),
        };
        if !fits {
            return Err(format!("Invalid value for '{name}': '{text}'."));
        }
    }
    Ok(())
}
