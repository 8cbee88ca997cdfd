//! The Imagine API as its documents have it: a form, and a picture byte for byte or an error with a code of its own.

use serde_json::json;

use super::{Accepted, Api, Books, KEY, Received, Reply};

/// Styles, and what one picture costs in millionths of a token.
const STYLES: &[(&str, i64)] = &[
    ("realistic", 5_000_000),
    ("anime", 5_000_000),
    ("flux-schnell", 5_000_000),
    ("flux-dev-fast", 5_000_000),
    ("flux-dev", 5_000_000),
    ("imagine-turbo", 5_000_000),
];

/// The provider.
#[derive(Default)]
pub struct ImagineArt;

/// An error as the API words it.
pub fn error(status: u16, code: u32, message: &str) -> Reply {
    Reply::json(status, &json!({ "status": "error", "code": code, "error": "Error", "message": message }))
}

impl Api for ImagineArt {
    fn answer(&mut self, request: &Received, _: &str, books: &mut Books) -> Reply {
        match request.header("authorization") {
            None => return error(400, 1000, "No bearer token"),
            Some(said) if said != format!("Bearer {KEY}") => return error(401, 1001, "Invalid key"),
            Some(_) => {}
        }
        if (request.method.as_str(), request.path.as_str()) != ("POST", "/v2/image/generations") {
            books.violation(format!("there is no {} {}", request.method, request.path));
            return error(404, 1100, "Not Found");
        }
        let parts = request.form().unwrap_or_default();
        let text = |name: &str| parts.iter().find(|part| part.name == name && part.file_name.is_none()).map(super::Part::text);
        let known = ["prompt", "style", "aspect_ratio", "seed"];
        let seed_fits = text("seed").is_none_or(|seed| seed.parse::<u64>().is_ok_and(|seed| seed >= 1));
        let ratio_fits = text("aspect_ratio").is_none_or(|ratio| ratio.split_once(':').is_some());
        let style = text("style").and_then(|style| STYLES.iter().find(|(name, _)| *name == style));
        let prompt = text("prompt").filter(|prompt| !prompt.is_empty());
        let (Some((_, price)), Some(prompt), true) =
            (style, prompt, seed_fits && ratio_fits && parts.iter().all(|part| known.contains(&part.name.as_str())))
        else {
            books
                .violation(format!("not as documented: {:?}", parts.iter().map(|part| format!("{}={}", part.name, part.text())).collect::<Vec<_>>()));
            return error(400, 1100, "Invalid request");
        };
        let picture = books.draw(&prompt, &[]);
        books.charges.push(*price);
        books.accepted.push(Accepted { prompt, task: String::new(), succeeds: true, charged: *price });
        Reply::bytes("image/png", picture)
    }
}
