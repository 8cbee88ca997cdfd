//! Ideogram's API as its documents have it: forms, a key in a header of its own, addresses for pictures, and none for those that are not safe.

use serde_json::json;

use super::shelf::Shelf;
use super::stability::is_black_and_white;
use super::{Accepted, Api, Books, KEY, Part, Received, Reply};

/// The provider.
#[derive(Default)]
pub struct Ideogram {
    /// Whether what was made is not safe: it has no address, and here it costs nothing.
    pub is_unsafe: bool,
    /// Whether answers hold no picture at all, and cost as usual.
    pub empty: bool,
    pub shelf: Shelf,
}

/// A call: its path, and its fields, files included; those with a `!` must be there.
const CALLS: &[(&str, &[&str])] = &[
    (
        "/v1/ideogram-v3/generate",
        &["prompt!", "seed", "resolution", "aspect_ratio", "rendering_speed", "magic_prompt", "negative_prompt", "num_images"],
    ),
    (
        "/v1/ideogram-v3/remix",
        &["image!", "prompt!", "image_weight", "seed", "resolution", "aspect_ratio", "rendering_speed", "magic_prompt", "num_images"],
    ),
    ("/v1/ideogram-v3/edit", &["image!", "mask!", "prompt!", "seed", "rendering_speed", "magic_prompt", "num_images"]),
];

const RATIOS: [&str; 15] = ["1x3", "3x1", "1x2", "2x1", "9x16", "16x9", "10x16", "16x10", "2x3", "3x2", "3x4", "4x3", "4x5", "5x4", "1x1"];

impl Api for Ideogram {
    fn answer(&mut self, request: &Received, url: &str, books: &mut Books) -> Reply {
        if let Some(picture) = self.shelf.take(request, &["api-key", "authorization"], books) {
            return picture;
        }
        if request.header("api-key") != Some(KEY) || request.header("authorization").is_some() {
            return Reply::json(401, &json!({ "error": "Unauthorized" }));
        }
        let call = CALLS.iter().find(|(path, _)| *path == request.path && request.method == "POST");
        let read = call.ok_or_else(|| format!("there is no {} {}", request.method, request.path)).and_then(|(_, fields)| read(request, fields));
        let (prompt, inputs, speed) = match read {
            Ok(read) => read,
            Err(why) => {
                books.violation(why.clone());
                return Reply::json(400, &json!({ "error": why }));
            }
        };
        let price = match speed.as_str() {
            "TURBO" => 30_000,
            "QUALITY" => 90_000,
            _ => 75_000,
        };
        let address = self.shelf.put(url, books.draw(&prompt, &inputs));
        let charged = if self.is_unsafe { 0 } else { price };
        books.charges.push(charged);
        books.accepted.push(Accepted { prompt: prompt.clone(), task: String::new(), succeeds: !self.is_unsafe && !self.empty, charged });
        let address = if self.is_unsafe { String::new() } else { address };
        let picture = json!({ "url": address, "prompt": prompt, "resolution": "1024x1024", "seed": 7, "is_image_safe": !self.is_unsafe, "style_type": "GENERAL" });
        Reply::json(200, &json!({ "created": "2026-11-22T16:00:00Z", "data": if self.empty { vec![] } else { vec![picture] } }))
    }
}

/// Returns the prompt, digests of the files and the speed.
fn read(request: &Received, fields: &[&str]) -> Result<(String, Vec<String>, String), String> {
    let parts = request.form().ok_or("the body is a form")?;
    let known = |name: &str| fields.iter().any(|field| field.trim_end_matches('!') == name);
    if let Some(part) = parts.iter().find(|part| !known(&part.name)) {
        return Err(format!("unknown field {}", part.name));
    }
    for needed in fields.iter().filter_map(|field| field.strip_suffix('!')) {
        if parts.iter().filter(|part| part.name == needed).count() != 1 {
            return Err(format!("{needed} is needed, once"));
        }
    }
    let text = |name: &str| parts.iter().find(|part| part.name == name).map(Part::text);
    let among = |name: &str, words: &[&str]| text(name).is_none_or(|said| words.contains(&said.as_str()));
    if !among("aspect_ratio", &RATIOS)
        || !among("rendering_speed", &["TURBO", "DEFAULT", "QUALITY"])
        || !among("magic_prompt", &["AUTO", "ON", "OFF"])
        || !among("num_images", &["1"])
    {
        return Err("a field has a value that is not offered".to_owned());
    }
    if text("seed").is_some_and(|seed| seed.parse::<u32>().is_err()) {
        return Err("seed is a whole number".to_owned());
    }
    let files: Vec<&Part> = parts.iter().filter(|part| part.file_name.is_some()).collect();
    if files.iter().any(|part| !matches!(part.name.as_str(), "image" | "mask") || image::guess_format(&part.bytes).is_err()) {
        return Err("a file is an image".to_owned());
    }
    if let Some(mask) = files.iter().find(|part| part.name == "mask") {
        is_black_and_white(mask, 0)?;
    }
    let digests = files.iter().map(|part| blake3::hash(&part.bytes).to_hex().to_string()).collect();
    Ok((text("prompt").unwrap_or_default(), digests, text("rendering_speed").unwrap_or_default()))
}
