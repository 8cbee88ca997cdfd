//! The reference of a file format, for people: a Markdown page made from its JSON Schema, so that it cannot drift from the types.
//!
//! In: a schema, a few words about it, files that show it at work. Out: Markdown as GitHub shows it.
//! Never: what a key means; the doc comment of its field says that.

mod outline;
mod samples;
mod words;

use std::fmt::Write;

use serde_json::{Map, Value};

use outline::{Outline, Shared, Sort};
pub use samples::Sample;

/// What a reference says besides its schema.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// Heading of the page.
    pub title: &'a str,
    /// A few sentences under it.
    pub intro: &'a str,
    /// Name of the schema's own file, which stands beside the page.
    pub file: &'a str,
    /// Title of the section on the whole file.
    pub root: &'a str,
    /// Keys in the order in which a person reads them, separated by spaces; others follow by name.
    pub order: &'a str,
    /// Files that the examples are cut from, in the order of preference.
    pub samples: &'a [Sample<'a>],
}

/// Returns the reference of a schema as Markdown with a final newline.
pub fn page(schema: &Value, about: &About<'_>) -> String {
    let outline = Outline::of(schema, about);
    let mut page = format!(
        "<!-- Made from the types by `callsheet schema --write schemas`; change the doc comments, not this file. -->\n\n# {}\n\n{}\n\n\
         Editors read the same from [`{}`]({}). A key in **bold** is required.\n\n",
        about.title, about.intro, about.file, about.file
    );
    contents(&mut page, &outline);
    for section in &outline.sections {
        let level = if section.nested { "###" } else { "##" };
        let _ = write!(page, "\n{level} {}\n\n", section.title);
        if let Some(text) = section.schema.get("description").and_then(Value::as_str) {
            let _ = write!(page, "{}\n\n", words::paragraphs(text));
        }
        used_by(&mut page, section, &outline);
        match section.sort {
            Sort::Object => keys_of(&mut page, section, &outline),
            Sort::Union => union(&mut page, section.schema, &outline),
        }
        if let Some(sample) = section.sample(about.samples) {
            let _ = write!(page, "\n{sample}");
        }
        outline.shared_below(section).for_each(|shared| shared_keys(&mut page, shared, &outline));
    }
    values(&mut page, &outline);
    page
}

/// One line of links for each group of sections.
fn contents(page: &mut String, outline: &Outline<'_>) {
    let link = |title: &str| format!("[{title}](#{})", outline::anchor(title));
    let sections: Vec<String> = outline.sections.iter().map(|section| link(&section.title)).collect();
    let values: Vec<String> = outline.values.iter().map(|value| link(&value.title)).collect();
    let _ = writeln!(page, "{}", sections.join(" · "));
    if !values.is_empty() {
        let _ = writeln!(page, "\nHow values are written: {}", values.join(" · "));
    }
}

fn used_by(page: &mut String, section: &outline::Section<'_>, outline: &Outline<'_>) {
    let users = outline.users(section);
    if !users.is_empty() {
        let _ = write!(page, "Stands under {}.\n\n", users.join("; "));
    }
}

fn keys_of(page: &mut String, section: &outline::Section<'_>, outline: &Outline<'_>) {
    let own: Vec<(&str, &Value)> = outline.keys(section.schema).into_iter().filter(|(key, _)| !outline.is_shared(section, key)).collect();
    table(page, &own, &words::required(section.schema), outline);
    for (key, schema) in &own {
        let choices = words::many_choices(schema);
        if !choices.is_empty() {
            let _ = writeln!(page, "\n| word of `{key}` | meaning |\n|---|---|");
            word_rows(page, &choices);
        }
    }
    let besides: Vec<String> =
        outline.shared_with(section).map(|shared| format!("[{}](#{})", shared.title.to_lowercase(), outline::anchor(&shared.title))).collect();
    if !besides.is_empty() {
        let _ = writeln!(page, "\nBesides: {}.", besides.join("; "));
    }
}

fn word_rows(page: &mut String, choices: &[(&str, &str)]) {
    for (word, meaning) in choices {
        let _ = writeln!(page, "| `{word}` | {} |", words::cell(meaning));
    }
}

fn shared_keys(page: &mut String, shared: &Shared<'_>, outline: &Outline<'_>) {
    let _ = write!(page, "\n### {}\n\n", shared.title);
    table(page, &shared.keys, &[], outline);
}

fn table(page: &mut String, keys: &[(&str, &Value)], required: &[&str], outline: &Outline<'_>) {
    if keys.is_empty() {
        return;
    }
    let with_defaults = keys.iter().any(|(_, schema)| words::default(schema).is_some());
    page.push_str(if with_defaults {
        "| key | value | default | what it is for |\n|---|---|---|---|\n"
    } else {
        "| key | value | what it is for |\n|---|---|---|\n"
    });
    for (key, schema) in keys {
        let key = if required.contains(key) { format!("**`{key}`**") } else { format!("`{key}`") };
        let default = if with_defaults { format!(" {} |", words::default(schema).unwrap_or_default()) } else { String::new() };
        let _ = writeln!(page, "| {key} | {} |{default} {} |", words::kind(schema, outline), words::cell(&words::meaning(schema, outline)));
    }
}

fn union(page: &mut String, schema: &Map<String, Value>, outline: &Outline<'_>) {
    for member in words::members(schema) {
        let said = words::meaning(member, outline);
        let _ = writeln!(page, "- {}{}", words::kind(member, outline), if said.is_empty() { String::new() } else { format!(": {said}") });
    }
}

fn values(page: &mut String, outline: &Outline<'_>) {
    if outline.values.is_empty() {
        return;
    }
    page.push_str("\n## How values are written\n");
    for value in &outline.values {
        let _ = write!(page, "\n### {}\n\n", value.title);
        let choices = words::choices(value.schema);
        let said = words::written(value.schema, choices.is_empty(), outline);
        if !said.is_empty() {
            let _ = writeln!(page, "{said}");
        }
        if !choices.is_empty() {
            page.push_str("\n| word | meaning |\n|---|---|\n");
            word_rows(page, &choices);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn small() -> Value {
        json!({
            "description": "A shelf.",
            "type": "object",
            "required": ["books", "name"],
            "properties": {
                "books": { "type": "object", "additionalProperties": { "$ref": "#/$defs/BookSpec" }, "description": "What stands | on it." },
                "name": { "type": "string", "description": "Its name.", "examples": ["upper"] },
                "room": { "anyOf": [{ "$ref": "#/$defs/Room" }, { "type": "null" }], "description": "Where it is." },
            },
            "$defs": {
                "BookSpec": { "type": "object", "description": "A book.", "properties": {
                    "pages": { "type": ["integer", "null"], "minimum": 1, "maximum": 900, "default": 100, "description": "How many." },
                    "tags": { "type": "array", "items": { "type": "string" }, "default": [], "description": "Words." },
                } },
                "Room": { "description": "A room.", "oneOf": [{ "const": "hall", "description": "The hall." }, { "const": "loft", "description": "Under the roof." }] },
            },
        })
    }

    #[test]
    fn a_schema_becomes_a_page_with_tables_links_and_an_example() {
        let sample = Sample { path: "../shelf.yaml", text: "name: upper\n\nbooks:\n  moby: { pages: 600 }\n# end\nroom: hall\n" };
        let about = About {
            title: "The shelf",
            intro: "What stands where.",
            file: "shelf.schema.json",
            root: "Shelf",
            order: "name books",
            samples: &[sample],
        };
        insta::assert_snapshot!(page(&small(), &about), @r#"
        <!-- Made from the types by `callsheet schema --write schemas`; change the doc comments, not this file. -->

        # The shelf

        What stands where.

        Editors read the same from [`shelf.schema.json`](shelf.schema.json). A key in **bold** is required.

        [Shelf](#shelf) · [Book](#book)

        How values are written: [Room](#room)

        ## Shelf

        A shelf.

        | key | value | what it is for |
        |---|---|---|
        | **`name`** | text | Its name. For example `upper`. |
        | **`books`** | map of names to [book](#book) | What stands \| on it. |
        | `room` | [room](#room) | Where it is. |

        ## Book

        A book.

        Stands under `books` of [shelf](#shelf).

        | key | value | default | what it is for |
        |---|---|---|---|
        | `pages` | whole number, 1 to 900 | `100` | How many. |
        | `tags` | list of texts |  | Words. |

        From [shelf.yaml](../shelf.yaml):

        ```yaml
        books:
          moby: { pages: 600 }
        ```

        ## How values are written

        ### Room

        A room.

        | word | meaning |
        |---|---|
        | `hall` | The hall. |
        | `loft` | Under the roof. |
        "#);
    }
}
