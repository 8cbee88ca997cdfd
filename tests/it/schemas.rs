//! The schemas that editors read are generated from the types, up to date, and true of what ships.

use std::fs;

use callsheet::cli::Described;
use callsheet::provider::manifest::{Manifest, builtin_names, builtin_text};
use callsheet::spec::schema;

use crate::campaigns::shipped;
use crate::desk::Desk;

#[test]
fn schemas_and_references_on_disk_are_those_of_the_types() {
    let written = Described::ALL.into_iter().flat_map(|of| [(of.json().0.to_owned(), of.json().1), of.markdown()]);
    for (name, text) in written {
        let path = format!("schemas/{name}");
        let on_disk = fs::read_to_string(&path).unwrap_or_default();
        assert!(on_disk == text, "{path} is stale; write it again with `cargo run -- schema --write schemas`");
    }
}

#[test]
fn a_reference_is_printed_and_all_are_written_beside_their_schemas() {
    let desk = Desk::new();
    let printed = desk.say(&["schema", "provider", "--format", "markdown"]);
    assert_eq!((printed.code, printed.out), (0, fs::read_to_string("schemas/provider.md").expect("it ships")), "{}", printed.err);
    let written = desk.say(&["schema", "--write", "schemas"]);
    assert_eq!((written.code, written.out.lines().count()), (0, 14), "{}", written.err);
    for name in desk.files("schemas") {
        assert!(desk.read(&format!("schemas/{name}")) == fs::read(format!("schemas/{name}")).expect("it ships"), "{name}");
    }
    assert_eq!(desk.say(&["schema", "--write", "schemas", "--format", "markdown"]).code, 2, "what is written is both");
}

#[test]
fn every_built_in_manifest_is_valid_against_the_schema() {
    let validator = jsonschema::validator_for(&Manifest::schema().to_value()).expect("the schema is one");
    for name in builtin_names() {
        let value: serde_json::Value = serde_yaml::from_str(builtin_text(name).expect("a built-in manifest")).expect("a manifest is YAML");
        let mistakes: Vec<String> = validator.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(mistakes.is_empty(), "{name}:\n{}", mistakes.join("\n"));
    }
    let mut value: serde_json::Value = serde_yaml::from_str(builtin_text("kie").expect("a built-in manifest")).expect("a manifest is YAML");
    value["http"]["poll"]["stat"] = "x".into();
    assert!(!validator.is_valid(&value), "an unknown key is a mistake");
}

#[test]
fn every_shipped_campaign_is_valid_against_the_schema() {
    let validator = jsonschema::validator_for(&schema::campaign_schema()).expect("the schema is one");
    for path in shipped() {
        let text = fs::read_to_string(&path).expect("a campaign can be read");
        let value: serde_json::Value = serde_yaml::from_str(&text).expect("a campaign is YAML");
        let mistakes: Vec<String> = validator.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(mistakes.is_empty(), "{}:\n{}", path.display(), mistakes.join("\n"));
    }
}

#[test]
fn every_key_of_a_campaign_and_a_provider_is_explained() {
    fn walk(value: &serde_json::Value, path: &str, silent: &mut Vec<String>) {
        let Some(object) = value.as_object() else { return };
        if let Some(properties) = object.get("properties").and_then(serde_json::Value::as_object) {
            for (name, property) in properties {
                let said = property.get("description").is_some() || property.get("$ref").is_some();
                if !said {
                    silent.push(format!("{path}.{name}"));
                }
            }
        }
        for (name, child) in object {
            walk(child, &format!("{path}.{name}"), silent);
        }
    }
    let mut silent = Vec::new();
    walk(&schema::campaign_schema(), "", &mut silent);
    walk(&Manifest::schema().to_value(), "provider", &mut silent);
    assert!(silent.is_empty(), "without a description: {}", silent.join(", "));
}
