//! The JSON Schema of a campaign, for editors: generated from the types, so that it cannot drift from them.

use serde_json::{Value, json};

use super::CampaignSpec;

/// Returns the JSON Schema (draft 2020-12) of a campaign file.
pub fn campaign_schema() -> Value {
    let mut schema = schemars::schema_for!(CampaignSpec).to_value();
    if let Some(root) = schema.as_object_mut() {
        root.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    }
    schema
}

/// Returns a schema as pretty text with a final newline.
pub fn text(schema: &Value) -> String {
    format!("{schema:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn validator() -> jsonschema::Validator {
        jsonschema::validator_for(&campaign_schema()).expect("the schema is a schema")
    }

    fn campaign(steps: &Value) -> Value {
        json!({ "callsheet": 1, "campaign": "spring", "steps": steps })
    }

    #[test]
    fn the_schema_accepts_campaigns_and_refuses_others() {
        let hero = json!({ "hero": { "generate": { "prompt": "a teapot", "aspect": "4:5", "takes": 2 } } });
        assert!(validator().is_valid(&campaign(&hero)));
        let file = json!({ "deliver": { "transform": { "image": "hero", "ops": [{ "crop": "4:5" }, { "encode": { "format": "jpg" } }] } } });
        assert!(validator().is_valid(&campaign(&file)));
        for wrong in [
            json!({}),
            json!({ "hero": {} }),
            json!({ "hero": { "generate": {}, "edit": { "image": "hero" } } }),
            json!({ "hero": { "generate": { "promt": "x" } } }),
            json!({ "hero": { "generate": { "prompt": "x", "takes": 0 } } }),
            json!({ "hero": { "edit": {} } }),
        ] {
            assert!(!validator().is_valid(&campaign(&wrong)), "{wrong}");
        }
    }

    #[test]
    fn the_text_is_always_the_same_and_ends_with_a_newline() {
        let first = text(&campaign_schema());
        assert_eq!(first, text(&campaign_schema()));
        assert!(first.ends_with("}\n"));
        assert!(first.contains("\"$schema\": \"https://json-schema.org/draft/2020-12/schema\""));
    }

    /// Walks the schema and collects the names of properties that say nothing about themselves.
    fn undescribed(schema: &Value, root: &Value, found: &mut Vec<String>) {
        let properties = schema.get("properties").and_then(Value::as_object);
        for (name, property) in properties.into_iter().flatten() {
            let target = property.get("$ref").and_then(Value::as_str).and_then(|link| root.pointer(&link[1..]));
            if property.get("description").or_else(|| target?.get("description")).is_none() {
                found.push(name.clone());
            }
        }
        match schema {
            Value::Object(entries) => entries.values().for_each(|value| undescribed(value, root, found)),
            Value::Array(items) => items.iter().for_each(|value| undescribed(value, root, found)),
            _ => {}
        }
    }

    #[test]
    fn every_key_tells_an_editor_what_it_is_for() {
        let schema = campaign_schema();
        let mut found = Vec::new();
        undescribed(&schema, &schema, &mut found);
        assert_eq!(found, [""; 0]);
    }

    #[test]
    fn the_examples_in_the_schema_are_right() {
        let schema = campaign_schema();
        let definitions = schema["$defs"].as_object().expect("definitions");
        for (name, definition) in definitions {
            for (key, property) in definition["properties"].as_object().into_iter().flatten() {
                let mut alone = property.clone();
                alone["$defs"] = schema["$defs"].clone();
                let validator = jsonschema::validator_for(&alone).expect("a property is a schema");
                for example in property["examples"].as_array().into_iter().flatten() {
                    assert!(validator.is_valid(example), "{name}.{key}: {example}");
                }
            }
        }
    }
}
