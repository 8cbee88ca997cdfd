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
