//! What KIE says of itself beside what is built in: models, schemas of their inputs, price prose.
//!
//! ```text
//! GET /api/v1/models           ─▶ Listing ┐
//! GET /api/v1/models/ID/schema ─▶ schema  ├─ compare with manifest and book ─▶ Moved
//!                     pricingDesc (prose) ┘
//! ```
//!
//! This is the one discovery API that is documented well enough to be read, and its schemas are more than a manifest can express, so it is code.
//! The form of the prose is documented nowhere: numbers are looked for in it, and the prose itself is shown.
//!
//! In: answers. Out: what moved, in sentences. Never: a request, a change to the built-in data, a panic on an answer of another shape.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::http::protocol::Protocol;
use super::http::template::{Template, Values};
use super::manifest::Manifest;
use crate::catalog::{OperationCard, PriceBook, PriceKind};
use crate::types::Action;
use crate::types::diagnostic::listed;

/// Where the catalog is.
pub const CATALOG: &str = "/api/v1/models";

/// Most levels of a schema that are looked at.
const DEEPEST: usize = 40;

/// Longest prose that is shown.
const PROSE: usize = 300;

/// One model as the catalog lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its id on the wire.
    pub wire: String,
    /// What it does, in the catalog's words.
    pub tasks: Vec<String>,
    /// What it costs, in prose.
    pub prose: Option<String>,
}

impl Listed {
    /// Returns whether it makes pictures, as far as its tasks tell.
    pub fn makes_pictures(&self) -> bool {
        self.tasks.iter().any(|task| {
            let task = task.to_lowercase();
            task.contains("image") && !task.contains("video")
        })
    }
}

/// Something that is no longer as it is built in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moved {
    /// What kind of thing.
    pub what: What,
    /// Which model, by its id on the wire.
    pub wire: String,
    /// What moved.
    pub sentence: String,
}

/// What kind of thing moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// A model is new or gone.
    Model,
    /// The input of a model has changed.
    Schema,
    /// The prose names other prices.
    Price,
}

impl What {
    /// Returns the word for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Schema => "schema",
            Self::Price => "price",
        }
    }
}

/// Returns where the schema of a model is; slashes of its id stand as they are.
pub fn schema_path(wire: &str) -> String {
    format!("{CATALOG}/{wire}/schema")
}

/// Reads the catalog; `None` when the answer has another shape.
pub fn listing(answer: &Value) -> Option<Vec<Listed>> {
    let models = answer.pointer("/data/models")?.as_array()?;
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let one = |model: &Value| {
        let tasks = match model.get("taskType") {
            Some(Value::Array(tasks)) => tasks.iter().filter_map(|task| task.as_str().map(str::to_owned)).collect(),
            one => text(one).into_iter().collect(),
        };
        Some(Listed { wire: text(model.get("model"))?, tasks, prose: text(model.get("pricingDesc")).filter(|prose| !prose.trim().is_empty()) })
    };
    Some(models.iter().filter_map(one).collect())
}

/// Returns the ids on the wire that are built in, with the models and actions that they stand for.
pub fn built_in(manifest: &Manifest) -> BTreeMap<String, Vec<(String, Action, OperationCard)>> {
    let mut wires: BTreeMap<String, Vec<(String, Action, OperationCard)>> = BTreeMap::new();
    for (name, card) in &manifest.models {
        for (action, operation) in &card.operations {
            if let Some(wire) = &operation.wire {
                wires.entry(wire.to_string()).or_default().push((name.to_string(), *action, operation.clone()));
            }
        }
    }
    wires
}

/// Compares the list of models.
pub fn compare_models(manifest: &Manifest, live: &[Listed]) -> Vec<Moved> {
    let known = built_in(manifest);
    let there: BTreeSet<&str> = live.iter().map(|one| one.wire.as_str()).collect();
    let moved = |wire: &str, sentence: String| Moved { what: What::Model, wire: wire.to_owned(), sentence };
    let gone = known.keys().filter(|wire| !there.contains(wire.as_str())).map(|wire| moved(wire, "is built in and not listed any more".to_owned()));
    let new = live.iter().filter(|one| one.makes_pictures() && !known.contains_key(&one.wire));
    let new = new.map(|one| {
        let prose = one.prose.as_deref().map_or("no price is told".to_owned(), |prose| format!("`{}`", short(prose)));
        moved(&one.wire, format!("is new ({}); {prose}", listed(&one.tasks, 4)))
    });
    gone.chain(new).collect()
}

/// Compares a model's price prose with the book: every price of the book should be one of its numbers.
pub fn compare_price(manifest: &Manifest, book: &PriceBook, live: &Listed) -> Vec<Moved> {
    let known = built_in(manifest);
    let Some(operations) = known.get(&live.wire) else { return Vec::new() };
    let moved = |sentence: String| vec![Moved { what: What::Price, wire: live.wire.clone(), sentence }];
    let mut ours: BTreeSet<String> = BTreeSet::new();
    for (model, action, _) in operations {
        match book.model(model).and_then(|priced| priced.entry(*action)).map(|entry| &entry.kind) {
            Some(PriceKind::Flat(price)) => drop(ours.insert(price.to_string())),
            Some(PriceKind::Table(table)) => ours.extend(table.rows.iter().map(|(_, price)| price.to_string())),
            _ => {}
        }
    }
    match &live.prose {
        None if ours.is_empty() => Vec::new(),
        None => moved(format!("tells no price; the book has {}", listed(&ours, 8))),
        Some(prose) if ours.is_empty() => moved(format!("the book has no price of a kind that prose can tell; it says `{}`", short(prose))),
        Some(prose) => {
            let numbers = numbers(prose);
            let lacking: Vec<&String> = ours.iter().filter(|price| !numbers.contains(*price)).collect();
            if lacking.is_empty() {
                Vec::new()
            } else {
                moved(format!("{} of the book is not in its words: `{}`", listed(&lacking, 8), short(prose)))
            }
        }
    }
}

/// Compares a model's schema with what is sent to it; a schema that says nothing is told as that.
pub fn compare_schema(manifest: &Manifest, wire: &str, answer: &Value) -> Vec<Moved> {
    let (Some(http), Some(operations)) = (&manifest.http, built_in(manifest).remove(wire)) else { return Vec::new() };
    let Some(template) = http.parameters.get(wire) else { return Vec::new() };
    let moved = |sentence: String| Moved { what: What::Schema, wire: wire.to_owned(), sentence };
    let root = answer.pointer("/data/openapi").unwrap_or(&Value::Null);
    let inputs = inputs(root);
    if inputs.is_empty() {
        return vec![moved("its schema has no `input` that can be read".to_owned())];
    }
    let sent: BTreeSet<String> =
        serde_json::to_value(template).ok().and_then(|value| Some(value.as_object()?.keys().cloned().collect())).unwrap_or_default();
    let mut found = Vec::new();
    let has = |key: &str| inputs.iter().any(|input| input.fields.contains_key(key));
    let unknown: Vec<&String> = sent.iter().filter(|key| !has(key)).collect();
    if !unknown.is_empty() {
        found.push(moved(format!("we send {}, which it does not know", listed(&unknown, 8))));
    }
    let required = |key: &&String| inputs.iter().all(|input| input.required.contains(*key));
    let missing: Vec<&String> = inputs[0].required.iter().filter(required).filter(|key| !sent.contains(*key)).collect();
    if !missing.is_empty() {
        found.push(moved(format!("it needs {}, which we do not send", listed(&missing, 8))));
    }
    for key in &sent {
        let live: BTreeSet<String> = inputs.iter().filter_map(|input| input.fields.get(key)).flat_map(words).collect();
        if live.is_empty() {
            continue;
        }
        let ours: BTreeSet<String> = operations.iter().flat_map(|(_, _, card)| said(http, template, card, key)).collect();
        let (new, gone): (Vec<_>, Vec<_>) = (live.difference(&ours).collect(), ours.difference(&live).collect());
        if !gone.is_empty() {
            found.push(moved(format!("`{key}` no longer takes {}", listed(&gone, 12))));
        }
        if !new.is_empty() && !ours.is_empty() {
            found.push(moved(format!("`{key}` also takes {}", listed(&new, 12))));
        }
    }
    let limit = inputs.iter().filter_map(|input| input.fields.get("prompt")?.get("maxLength")?.as_u64()).max();
    let ours = operations.iter().filter_map(|(_, _, card)| card.prompt_limit).max();
    if let (Some(limit), Some(ours)) = (limit, ours)
        && limit != ours as u64
    {
        found.push(moved(format!("a prompt has at most {limit} characters, built in are {ours}")));
    }
    found
}

/// Returns the words that our requests say under `key` for all that a card offers.
fn said(http: &Protocol, template: &Template, card: &OperationCard, key: &str) -> BTreeSet<String> {
    let mut cases: Vec<Values> = vec![Values::new()];
    let mut offer = |slot: &'static str, words: Vec<Value>| cases.extend(words.into_iter().map(|word| Values::from([(slot, word)])));
    offer("aspect", card.aspects.iter().flatten().map(|aspect| json!(aspect.to_string())).collect());
    offer("resolution", card.resolutions.iter().flat_map(|all| all.keys()).map(|word| json!(&**word)).collect());
    offer("quality", card.qualities.iter().map(|word| json!(&**word)).collect());
    offer("speed", card.speeds.iter().map(|word| json!(&**word)).collect());
    offer("background", card.backgrounds.iter().map(|word| json!(&**word)).collect());
    offer("format", card.formats.iter().map(|word| json!(word.as_str())).collect());
    offer("scale", card.scales.iter().map(|word| json!(word)).collect());
    let filled = cases.iter().filter_map(|values| template.fill(values, &http.words).ok().flatten());
    filled.filter_map(|body| text(body.get(key)?)).collect()
}

/// The input of a model, or one of several forms of it.
struct Input<'a> {
    fields: BTreeMap<String, &'a Value>,
    required: BTreeSet<String>,
}

/// Finds the forms of the input in a description of an API, wherever it keeps them.
fn inputs(root: &Value) -> Vec<Input<'_>> {
    let mut found = Vec::new();
    search(root, root, 0, &mut found);
    found
}

fn search<'a>(root: &'a Value, value: &'a Value, depth: usize, found: &mut Vec<Input<'a>>) {
    if depth > DEEPEST {
        return;
    }
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                if key.trim() == "input" {
                    take(root, inner, depth, found);
                } else {
                    search(root, inner, depth + 1, found);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| search(root, item, depth + 1, found)),
        _ => {}
    }
}

fn take<'a>(root: &'a Value, schema: &'a Value, depth: usize, found: &mut Vec<Input<'a>>) {
    if depth > DEEPEST {
        return;
    }
    let schema = resolved(root, schema);
    for forms in ["oneOf", "anyOf", "allOf"] {
        for form in schema.get(forms).and_then(Value::as_array).into_iter().flatten() {
            take(root, form, depth + 1, found);
        }
    }
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        let fields = fields(root, properties);
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        found.push(Input { fields, required: required.filter_map(|name| Some(name.as_str()?.trim().to_owned())).collect() });
    }
}

/// Some keys end in a blank.
fn fields<'a>(root: &'a Value, properties: &'a Map<String, Value>) -> BTreeMap<String, &'a Value> {
    properties.iter().map(|(name, schema)| (name.trim().to_owned(), resolved(root, schema))).collect()
}

/// Follows a local reference, once for each step, as far as references go.
fn resolved<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let mut schema = schema;
    for _ in 0..DEEPEST {
        let Some(pointer) = schema.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix('#')) else { return schema };
        let Some(next) = root.pointer(&decoded(pointer)) else { return schema };
        schema = next;
    }
    schema
}

/// Decodes `%20` and the like.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = (*first == b'%').then(|| after.get(..2)).flatten().and_then(|two| std::str::from_utf8(two).ok());
        match hex.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Returns the words that a field takes; nothing where it takes any.
fn words(schema: &&Value) -> BTreeSet<String> {
    schema.get("enum").and_then(Value::as_array).into_iter().flatten().filter_map(text).collect()
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Returns the numbers in a text, as a book would write them: `6.0` is 6.
fn numbers(prose: &str) -> BTreeSet<String> {
    let parts = prose.split(|char: char| !(char.is_ascii_digit() || char == '.')).map(|part| part.trim_matches('.')).filter(|part| !part.is_empty());
    parts.filter_map(|part| part.parse::<crate::types::Micros>().ok()).map(|micros| micros.to_string()).collect()
}

fn short(prose: &str) -> String {
    let line = prose.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= PROSE { line } else { format!("{}…", line.chars().take(PROSE).collect::<String>()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::builtin::book;
    use crate::provider::manifest::builtin;

    fn kie() -> (Manifest, PriceBook) {
        (builtin("kie").expect("a built-in manifest"), book("kie").expect("a built-in book"))
    }

    fn told(moved: &[Moved]) -> String {
        moved.iter().map(|one| format!("{} {}: {}\n", one.what.as_str(), one.wire, one.sentence)).collect()
    }

    #[test]
    fn what_is_new_and_what_is_gone_is_told() {
        let (manifest, _) = kie();
        let all =
            built_in(&manifest).into_keys().filter(|wire| wire != "z-image").map(|wire| json!({ "model": wire, "taskType": ["text-to-image"] }));
        let new = [
            json!({ "model": "flux-3/klein", "taskType": ["text-to-image"], "pricingDesc": "5 credits per image" }),
            json!({ "model": "veo-9", "taskType": ["image-to-video"] }),
        ];
        let live = listing(&json!({ "data": { "models": all.chain(new).collect::<Vec<_>>() } })).expect("a catalog");
        insta::assert_snapshot!(told(&compare_models(&manifest, &live)), @"
        model z-image: is built in and not listed any more
        model flux-3/klein: is new (`text-to-image`); `5 credits per image`
        ");
    }

    #[test]
    fn prose_that_names_other_numbers_is_shown() {
        let (manifest, book) = kie();
        let told = |prose: Option<&str>| {
            let live = Listed { wire: "gpt-image-2-text-to-image".to_owned(), tasks: Vec::new(), prose: prose.map(str::to_owned) };
            super::tests::told(&compare_price(&manifest, &book, &live))
        };
        assert_eq!(told(Some("1K: 6.0 credits ($0.03), 2K: 10 credits, 4K: 16 credits.")), "");
        insta::assert_snapshot!(told(Some("1K 3 credits, 2K 10, 4K 16")), @"price gpt-image-2-text-to-image: `6` of the book is not in its words: `1K 3 credits, 2K 10, 4K 16`");
        assert!(told(None).contains("tells no price"), "{}", told(None));
    }

    #[test]
    fn a_schema_is_found_behind_references_and_compared_field_by_field() {
        let (manifest, _) = kie();
        let schema = |properties: Value, required: Value| {
            json!({ "data": { "openapi": {
                "paths": { "/api/v1/jobs/createTask": { "post": { "requestBody": { "content": { "application/json": { "schema": { "$ref": "#/components/schemas/A%20B" } } } } } } },
                "components": { "schemas": {
                    "A B": { "properties": { "input": { "oneOf": [{ "$ref": "#/components/schemas/In" }] } } },
                    "In": { "properties": properties, "required": required },
                } },
            } } })
        };
        let aspects = ["auto", "1:1", "3:2", "2:3", "4:3", "3:4", "5:4", "4:5", "16:9", "9:16", "2:1", "1:2", "3:1", "1:3", "21:9", "9:21", "7:1"];
        let moved = compare_schema(
            &manifest,
            "gpt-image-2-text-to-image",
            &schema(
                json!({ "prompt ": { "maxLength": 100 }, "aspect_ratio": { "enum": aspects }, "style": {}, "resolution": { "enum": ["1K", "2K"] } }),
                json!(["prompt ", "style"]),
            ),
        );
        insta::assert_snapshot!(told(&moved), @"
        schema gpt-image-2-text-to-image: it needs `style`, which we do not send
        schema gpt-image-2-text-to-image: `aspect_ratio` also takes `7:1`
        schema gpt-image-2-text-to-image: `resolution` no longer takes `4K`
        schema gpt-image-2-text-to-image: a prompt has at most 100 characters, built in are 20000
        ");
        assert!(
            told(&compare_schema(&manifest, "gpt-image-2-text-to-image", &json!({ "data": { "openapi": null } })))
                .contains("no `input` that can be read")
        );
    }

    #[test]
    fn an_answer_of_another_shape_is_no_catalog_and_a_loop_of_references_ends() {
        for answer in [json!(null), json!([]), json!({ "data": { "models": 7 } }), json!({ "data": [] })] {
            assert_eq!(listing(&answer), None, "{answer}");
        }
        let (manifest, _) = kie();
        let looped = json!({ "data": { "openapi": { "a": { "input": { "$ref": "#/a/input" } } } } });
        assert_eq!(compare_schema(&manifest, "gpt-image-2-text-to-image", &looped).len(), 1);
        let mut deep = json!({});
        for _ in 0..200 {
            deep = json!({ "input": { "oneOf": [deep] } });
        }
        assert_eq!(compare_schema(&manifest, "gpt-image-2-text-to-image", &json!({ "data": { "openapi": deep } })).len(), 1);
    }
}
