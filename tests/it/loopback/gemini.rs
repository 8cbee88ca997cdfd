//! Gemini's `generateContent` for pictures as its documents have it: parts, thoughts among them, tokens counted, refusals with HTTP 200.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Accepted, Api, Books, KEY, Received, Reply};

/// What becomes of a request that is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Turn {
    /// A picture, after words and a draft of its thoughts.
    #[default]
    Picture,
    /// No picture, and this reason for the candidate; it is not charged.
    Finish(&'static str),
    /// No candidate, and this reason for the prompt; it is not charged.
    Block(&'static str),
    /// Thoughts, and no picture; it is not charged.
    Thoughts,
    /// An answer without anything in it; it is not charged.
    Nothing,
}

/// The provider.
#[derive(Default)]
pub struct Gemini {
    pub turn: Turn,
    /// Tokens of thought that each picture takes.
    pub thoughts: u64,
    /// Pictures that come in one answer beside the first; their tokens are charged.
    pub extra: u64,
}

/// An error as the API words it.
pub fn error(code: u16, status: &str, message: &str, details: Value) -> Reply {
    Reply::json(code, &json!({ "error": { "code": code, "status": status, "message": message, "details": details } }))
}

/// Models, their sizes, and tokens of a picture of 1K, or millionths of a dollar for one where it is sold by the piece.
const MODELS: &[(&str, &[&str], Price)] = &[
    ("gemini-nano-banana-2.1", &["1K", "2K", "4K"], Price::Tokens(1120)),
    ("gemini-3-pro-image", &["1K", "2K", "4K"], Price::Piece(134_000)),
    ("gemini-2.5-flash-image", &[], Price::Piece(39_000)),
];

#[derive(Clone, Copy)]
enum Price {
    Tokens(u64),
    Piece(i64),
}

const RATIOS: [&str; 14] = ["1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9", "1:4", "4:1", "1:8", "8:1"];

impl Api for Gemini {
    fn answer(&mut self, request: &Received, _: &str, books: &mut Books) -> Reply {
        if request.header("x-goog-api-key") != Some(KEY) || request.header("authorization").is_some() || request.query.contains_key("key") {
            return error(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", json!([]));
        }
        let model = request.path.strip_prefix("/v1beta/models/").and_then(|rest| rest.strip_suffix(":generateContent"));
        let known = model.and_then(|model| MODELS.iter().find(|(name, ..)| *name == model)).filter(|_| request.method == "POST");
        let read = known
            .ok_or_else(|| format!("there is no {} {}", request.method, request.path))
            .and_then(|(_, sizes, price)| Ok((read(request, sizes)?, *price)));
        let ((prompt, inputs), price) = match read {
            Ok(read) => read,
            Err(why) => {
                books.violation(why.clone());
                return error(400, "INVALID_ARGUMENT", &why, json!([]));
            }
        };
        let asked = prompt.len() as u64 / 4 + 258 * inputs.len() as u64;
        let words = |reason: &str| json!({ "candidates": [{ "content": { "parts": [{ "text": "I cannot." }] }, "finishReason": reason, "finishMessage": "not this one" }], "usageMetadata": { "promptTokenCount": asked } });
        let draft = json!({ "thought": true, "inlineData": { "mimeType": "image/png", "data": STANDARD.encode(b"a draft") } });
        match self.turn {
            Turn::Picture => {}
            Turn::Finish(reason) => return Reply::json(200, &words(reason)),
            Turn::Block(reason) => {
                return Reply::json(200, &json!({ "promptFeedback": { "blockReason": reason }, "usageMetadata": { "promptTokenCount": asked } }));
            }
            Turn::Thoughts => return Reply::json(200, &json!({ "candidates": [{ "content": { "parts": [draft] }, "finishReason": "NO_IMAGE" }] })),
            Turn::Nothing => return Reply::json(200, &json!({})),
        }
        let mut parts = vec![json!({ "text": "Here it is." }), draft];
        for _ in 0..=self.extra {
            parts.push(json!({ "inlineData": { "mimeType": "image/png", "data": STANDARD.encode(books.draw(&prompt, &inputs)) } }));
        }
        let made = match price {
            Price::Tokens(each) => each * (self.extra + 1),
            Price::Piece(_) => 1290,
        };
        let charged = match price {
            // A dollar and a half, 30 and seven and a half for a million tokens.
            Price::Tokens(_) => i64::try_from((asked * 15 + made * 300 + self.thoughts * 75).div_ceil(10)).expect("a small sum"),
            Price::Piece(charged) => charged,
        };
        books.charges.push(charged);
        books.accepted.push(Accepted { prompt, task: String::new(), succeeds: true, charged });
        let mut usage = json!({ "promptTokenCount": asked, "candidatesTokenCount": made, "totalTokenCount": asked + made + self.thoughts });
        if self.thoughts > 0 {
            usage["thoughtsTokenCount"] = json!(self.thoughts);
        }
        Reply::json(
            200,
            &json!({ "candidates": [{ "content": { "role": "model", "parts": parts }, "finishReason": "STOP", "index": 0 }], "usageMetadata": usage }),
        )
    }
}

/// Returns the prompt and digests of the pictures that go along.
fn read(request: &Received, sizes: &[&str]) -> Result<(String, Vec<String>), String> {
    let body = request.json();
    let keys = |value: &Value, known: &[&str]| match value
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, _)| key)
        .find(|key| !known.contains(&key.as_str()))
    {
        Some(key) => Err(format!("Unknown name \"{key}\": Cannot find field.")),
        None => Ok(()),
    };
    keys(&body, &["contents", "generationConfig"])?;
    let config = &body["generationConfig"];
    keys(config, &["responseModalities", "imageConfig"])?;
    keys(&config["imageConfig"], &["aspectRatio", "imageSize"])?;
    if config["responseModalities"] != json!(["IMAGE"]) {
        return Err("a picture is asked for".to_owned());
    }
    let among = |value: &Value, known: &[&str]| value.is_null() || known.iter().any(|word| value == word);
    if !among(&config["imageConfig"]["aspectRatio"], &RATIOS) || !among(&config["imageConfig"]["imageSize"], sizes) {
        return Err(format!("imageConfig: {}", config["imageConfig"]));
    }
    let parts = body["contents"][0]["parts"].as_array().ok_or("contents have parts")?;
    let (first, rest) = parts.split_first().ok_or("contents have a part")?;
    let prompt = first["text"].as_str().filter(|text| !text.is_empty()).ok_or("the first part is the text")?;
    let picture = |part: &Value| {
        keys(part, &["inlineData"])?;
        let (media, data) = (part["inlineData"]["mimeType"].as_str(), part["inlineData"]["data"].as_str());
        let bytes = STANDARD.decode(data.ok_or("a picture has data")?).map_err(|error| error.to_string())?;
        let format = image::guess_format(&bytes).map_err(|error| error.to_string())?;
        if media == Some(format.to_mime_type()) { Ok(blake3::hash(&bytes).to_hex().to_string()) } else { Err(format!("{media:?} is {format:?}")) }
    };
    Ok((prompt.to_owned(), rest.iter().map(picture).collect::<Result<_, String>>()?))
}
