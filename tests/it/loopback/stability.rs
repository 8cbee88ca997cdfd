//! Stability AI's `stable-image` calls as its documents have them: a form, and the picture itself for an answer.

use image::ImageFormat;
use serde_json::json;

use super::{Accepted, Api, Books, KEY, Part, Received, Reply};

/// The provider.
#[derive(Default)]
pub struct Stability {
    /// Whether what was made is blurred by the filter; nobody says whether that is charged, and here it is not.
    pub filtered: bool,
    /// Whether a picture is handed over as JSON, as a gateway may do.
    pub in_json: bool,
}

/// A call: its path, its price in millionths of a credit, and its fields, files included; those with a `!` must be there.
const CALLS: &[(&str, i64, &[&str])] = &[
    ("generate/ultra", 8_000_000, &["prompt!", "aspect_ratio", "negative_prompt", "seed", "output_format", "style_preset"]),
    ("generate/core", 3_000_000, &["prompt!", "aspect_ratio", "negative_prompt", "seed", "output_format", "style_preset"]),
    ("generate/sd3", 6_500_000, &["prompt!", "model!", "mode", "aspect_ratio", "negative_prompt", "seed", "output_format", "cfg_scale"]),
    ("control/structure", 5_000_000, &["image!", "prompt!", "control_strength", "negative_prompt", "seed", "output_format"]),
    ("edit/inpaint", 5_000_000, &["image!", "prompt!", "mask", "grow_mask", "negative_prompt", "seed", "output_format"]),
    ("edit/remove-background", 5_000_000, &["image!", "output_format"]),
    ("upscale/fast", 2_000_000, &["image!", "output_format"]),
];

const RATIOS: [&str; 9] = ["16:9", "1:1", "21:9", "2:3", "3:2", "4:5", "5:4", "9:16", "9:21"];

/// An error as the API words it.
pub fn error(status: u16, name: &str, errors: &[&str]) -> Reply {
    Reply::json(status, &json!({ "id": "a1b2", "name": name, "errors": errors }))
}

impl Api for Stability {
    fn answer(&mut self, request: &Received, _: &str, books: &mut Books) -> Reply {
        if request.header("authorization") != Some(&format!("Bearer {KEY}")) {
            return error(401, "unauthorized", &["authorization: invalid or missing header value"]);
        }
        if (request.method.as_str(), request.path.as_str()) == ("GET", "/v1/user/balance") {
            if request.header("accept").is_some_and(|accept| accept.contains("image")) {
                books.violation("a balance is no picture");
            }
            return Reply::json(200, &json!({ "credits": 1000.5 }));
        }
        let path = request.path.strip_prefix("/v2beta/stable-image/").unwrap_or_default();
        let call = CALLS.iter().find(|(name, ..)| *name == path && request.method == "POST");
        let read = call
            .ok_or_else(|| format!("there is no {} {}", request.method, request.path))
            .and_then(|(_, price, fields)| Ok((read(request, fields)?, *price)));
        let ((prompt, inputs), price) = match read {
            Ok(read) => read,
            Err(why) => {
                books.violation(why.clone());
                return error(400, "bad_request", &[&why]);
            }
        };
        let picture = books.draw(&prompt, &inputs);
        let charged = if self.filtered { 0 } else { price };
        books.charges.push(charged);
        books.accepted.push(Accepted { prompt, task: String::new(), succeeds: !self.filtered, charged });
        let reason = if self.filtered { "CONTENT_FILTERED" } else { "SUCCESS" };
        if self.in_json {
            use base64::Engine as _;
            let image = base64::engine::general_purpose::STANDARD.encode(picture);
            return Reply::json(200, &json!({ "image": image, "finish_reason": reason, "seed": 7 }));
        }
        Reply::bytes("image/png", picture).header("finish-reason", reason).header("seed", "7")
    }
}

/// Returns the prompt and digests of the files.
fn read(request: &Received, fields: &[&str]) -> Result<(String, Vec<String>), String> {
    if request.header("accept") != Some("image/*") {
        return Err(format!("accept: must be one of image/*, application/json: {:?}", request.header("accept")));
    }
    let parts = request.form().ok_or("content-type: must be multipart/form-data")?;
    let known = |name: &str| fields.iter().any(|field| field.trim_end_matches('!') == name);
    if let Some(part) = parts.iter().find(|part| !known(&part.name)) {
        return Err(format!("{}: unknown field", part.name));
    }
    for needed in fields.iter().filter_map(|field| field.strip_suffix('!')) {
        if parts.iter().filter(|part| part.name == needed).count() != 1 {
            return Err(format!("{needed}: required, once"));
        }
    }
    let text = |name: &str| parts.iter().find(|part| part.name == name).map(Part::text);
    let among = |name: &str, words: &[&str]| text(name).is_none_or(|said| words.contains(&said.as_str()));
    if !among("aspect_ratio", &RATIOS) || !among("output_format", &["png", "jpeg", "webp"]) || !among("model", &["sd3.5-large"]) {
        return Err("a field has a value that is not offered".to_owned());
    }
    if text("seed").is_some_and(|seed| seed.parse::<u32>().is_err()) {
        return Err("seed: a whole number".to_owned());
    }
    let files: Vec<&Part> = parts.iter().filter(|part| part.file_name.is_some()).collect();
    if files.iter().any(|part| !matches!(part.name.as_str(), "image" | "mask") || image::guess_format(&part.bytes).is_err()) {
        return Err("a file is an image".to_owned());
    }
    if let Some(mask) = files.iter().find(|part| part.name == "mask") {
        is_black_and_white(mask, 255)?;
    }
    let digest = |part: &&Part| blake3::hash(&part.bytes).to_hex().to_string();
    Ok((text("prompt").unwrap_or_default(), files.iter().map(digest).collect()))
}

/// The left half of the tests' mask is to change, and must have this colour; no pixel is grey or transparent.
pub fn is_black_and_white(mask: &Part, hole: u8) -> Result<(), String> {
    let drawn = image::load_from_memory_with_format(&mask.bytes, ImageFormat::Png).map_err(|error| error.to_string())?;
    if drawn.color().has_alpha() {
        return Err("mask: transparency means nothing here".to_owned());
    }
    let fits = drawn.into_luma8().enumerate_pixels().all(|(x, _, pixel)| pixel.0[0] == if x < 24 { hole } else { 255 - hole });
    if fits { Ok(()) } else { Err("mask: the wrong part would change".to_owned()) }
}
