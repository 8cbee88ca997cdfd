//! What KIE's documents say about the `input` of each image model: fields, types, limits, what goes together, and what a task costs.
//!
//! In: `kie_models.yaml`, made from the documents. Out: whether a request is as they say.
//! Never: a look at the manifest.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Map, Value};

/// A model.
#[derive(serde::Deserialize)]
pub struct Model {
    pub credits: Value,
    pub input: BTreeMap<String, Field>,
}

/// A field of its input.
#[derive(serde::Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub struct Field {
    #[serde(rename = "type")]
    kind: String,
    pub required: bool,
    #[serde(rename = "enum")]
    values: Vec<String>,
    min_length: Option<usize>,
    pub max_length: Option<usize>,
    min_items: Option<usize>,
    pub max_items: Option<usize>,
    minimum: Option<f64>,
    maximum: Option<f64>,
}

/// All models, by id.
pub static MODELS: LazyLock<BTreeMap<String, Model>> =
    LazyLock::new(|| serde_yaml::from_str(include_str!("kie_models.yaml")).expect("the file is as the documents are"));

/// What a task of a model without a published price costs here.
const UNLISTED: i64 = 7_000_000;

impl Field {
    /// Whether addresses stand here.
    pub fn holds_pictures(name: &str) -> bool {
        matches!(name, "image" | "image_input") || name.ends_with("_url") || name.ends_with("_urls")
    }

    fn fits(&self, name: &str, value: &Value, known: &dyn Fn(&str) -> bool) -> bool {
        let is_known = |value: &Value| value.as_str().is_some_and(known);
        let within = |count: usize, least: Option<usize>, most: Option<usize>| {
            least.is_none_or(|least| count >= least) && most.is_none_or(|most| count <= most)
        };
        match self.kind.as_str() {
            "array" => value.as_array().is_some_and(|items| {
                !items.is_empty()
                    && within(items.len(), self.min_items, self.max_items)
                    && (!Self::holds_pictures(name) || items.iter().all(is_known))
            }),
            "string" if Self::holds_pictures(name) => is_known(value),
            "string" => value.as_str().is_some_and(|text| {
                within(text.chars().count(), self.min_length, self.max_length)
                    && (self.values.is_empty() || self.values.iter().any(|known| known == text))
            }),
            "integer" => value.is_u64() || value.is_i64(),
            "number" => value
                .as_f64()
                .is_some_and(|number| self.minimum.is_none_or(|least| number >= least) && self.maximum.is_none_or(|most| number <= most)),
            "boolean" => value.is_boolean(),
            _ => false,
        }
    }
}

/// Says what is wrong with an input.
pub fn mistake(model: &str, input: &Map<String, Value>, known: &dyn Fn(&str) -> bool) -> Option<String> {
    let fields = &MODELS.get(model)?.input;
    if let Some(unknown) = input.keys().find(|key| !fields.contains_key(*key)) {
        return Some(format!("`{unknown}` would be ignored"));
    }
    for (name, field) in fields {
        match input.get(name) {
            None if field.required => return Some(format!("{name} is required")),
            Some(value) if !field.fits(name, value, known) => {
                return Some(format!("{name} is not valid: {}", value.to_string().chars().take(120).collect::<String>()));
            }
            _ => {}
        }
    }
    hole(model, input)
}

/// Says what does not go together: the notes of the documents.
fn hole(model: &str, input: &Map<String, Value>) -> Option<String> {
    let text = |name: &str| input.get(name).and_then(Value::as_str);
    let (aspect, size) = (text("aspect_ratio").unwrap_or("auto"), text("resolution").unwrap_or("1K"));
    let only_1k: &[&str] = match model {
        "gpt-image-2-text-to-image" => &["5:4", "4:5", "3:1", "1:3", "9:21", "auto"],
        "gpt-image-2-image-to-image" => &["5:4", "4:5", "auto"],
        "gpt-image-2-5-flare-text-to-image" | "gpt-image-2-5-sunburst-text-to-image" => &["27:16", "16:27", "9:8", "8:9"],
        _ => &[],
    };
    let square_4k = model.starts_with("gpt-image-2-text") || model.starts_with("gpt-image-2-image");
    if size != "1K" && only_1k.contains(&aspect) || square_4k && (aspect, size) == ("1:1", "4K") {
        return Some(format!("{aspect} is not made at {size}"));
    }
    if model == "wan/2-7-image-pro" && size == "4K" && input.contains_key("input_urls") {
        return Some("4K is made from text alone".to_owned());
    }
    None
}

/// Returns what a task costs, in millionths of a credit.
pub fn price(model: &str, input: &Map<String, Value>) -> i64 {
    let credits = &MODELS[model].credits;
    let micros = |value: &Value| value.as_f64().map(|credits| (credits * 1e6).round() as i64);
    if let Some(by) = credits["by"].as_str() {
        let usual = match by {
            "rendering_speed" => "BALANCED",
            "output_size_class" => "2K",
            _ => "1K",
        };
        let asked = input.get(by).and_then(Value::as_str).unwrap_or(usual);
        return micros(&credits[asked]).unwrap_or(UNLISTED);
    }
    ["flat", "per_call", "per_image", "per_megapixel"].iter().find_map(|kind| micros(&credits[*kind])).unwrap_or(UNLISTED)
}
