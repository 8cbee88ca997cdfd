//! Checks a YAML value against the schema of the type that it shall become: all misfits at once, each at its place.
//!
//! In: a value and a JSON Schema made by `schemars`. Out: diagnostics. Never: a rule of its own; what the types say, editors and messages say too.
//! It knows the part of JSON Schema that our types generate, and three words more: `patternErrorMessage` (what a text must look like, which
//! editors show as well), `x-chosen-by` (keys that mark an alternative) and `x-one-key` (a map with one key, its kind).

use serde_json::Value as Schema;
use serde_yaml::Value;

use super::wording::{self, article, describe, shown};
use crate::types::diagnostic::{did_you_mean, listed};
use crate::types::{Code, Diagnostic, Diagnostics, DocId, FieldPath, Segment};

/// Most keys or values that a message lists.
const MAX_LISTED: usize = 24;

/// The misfit that leaves no doubt about the rest of the file.
pub(super) const UNKNOWN_KEY: Code = Code("unknown-key");

/// Checks `value`, the root of `doc`, and takes out optional sections that are empty (`axes:` with nothing behind it).
///
/// The second part are the keys that were read as others: where, as written, as read.
pub(super) fn check(value: &mut Value, schema: &Schema, doc: DocId) -> (Diagnostics, Vec<ReadAs>) {
    let mut checker = Checker { root: schema, found: Diagnostics::new(), read_as: Vec::new() };
    if value.is_null() {
        let finding = Diagnostic::error("empty-value", FieldPath::root(doc), "the file is empty");
        return (finding.help("`callsheet init` writes one to start from").into(), Vec::new());
    }
    checker.value(value, schema, &FieldPath::root(doc));
    (checker.found, checker.read_as)
}

/// A misspelt key: the map that it stands in, the key as written, the key as read.
pub(super) type ReadAs = (FieldPath, String, String);

struct Checker<'s> {
    root: &'s Schema,
    found: Diagnostics,
    read_as: Vec<ReadAs>,
}

impl<'s> Checker<'s> {
    /// Follows `$ref` to the schema that says what a value is.
    fn resolve(&self, schema: &'s Schema) -> &'s Schema {
        let mut schema = schema;
        for _ in 0..8 {
            let target = schema.get("$ref").and_then(Schema::as_str).and_then(|link| self.root.pointer(link.strip_prefix('#')?));
            match target {
                Some(target) => schema = target,
                None => break,
            }
        }
        schema
    }

    /// Returns the alternatives of a schema without `null`, each with its own site; a plain schema is its only alternative.
    fn alternatives(&self, schema: &'s Schema) -> Vec<&'s Schema> {
        let mut found = Vec::new();
        self.add_alternatives(schema, 0, &mut found);
        found
    }

    fn add_alternatives(&self, schema: &'s Schema, depth: usize, found: &mut Vec<&'s Schema>) {
        let resolved = self.resolve(schema);
        match resolved.get("anyOf").or_else(|| resolved.get("oneOf")).and_then(Schema::as_array) {
            Some(all) if depth < 4 => all.iter().for_each(|one| self.add_alternatives(one, depth + 1, found)),
            _ if resolved.get("type").and_then(Schema::as_str) == Some("null") => {}
            _ => found.push(schema),
        }
    }

    fn value(&mut self, value: &mut Value, site: &'s Schema, at: &FieldPath) {
        let alternatives = self.alternatives(site);
        if let Some(words) = self.words(&alternatives) {
            return self.one_of(value, &words, site, at);
        }
        match self.choose(value, &alternatives) {
            Some(chosen) => self.fits(value, chosen, site, at),
            None => self.wrong_type(value, &alternatives, site, at),
        }
    }

    /// Returns the words of an enumeration.
    fn words(&self, alternatives: &[&'s Schema]) -> Option<Vec<&'s str>> {
        let mut words = Vec::new();
        for alternative in alternatives {
            let resolved = self.resolve(alternative);
            match (resolved.get("const"), resolved.get("enum").and_then(Schema::as_array)) {
                (Some(word), _) => words.push(word.as_str()?),
                (None, Some(several)) => words.extend(several.iter().filter_map(Schema::as_str)),
                (None, None) => return None,
            }
        }
        Some(words)
    }

    fn one_of(&mut self, value: &Value, words: &[&str], site: &'s Schema, at: &FieldPath) {
        let Some(text) = value.as_str() else {
            let message = format!("{} is {}, but a word belongs here", wording::named(at), describe(value));
            self.found.push(Diagnostic::error("wrong-type", at.clone(), message).label(format!("one of {}", listed(words, MAX_LISTED))));
            return;
        };
        if words.contains(&text) {
            return;
        }
        let message = format!("{} is `{}`, which it cannot be", wording::named(at), shown(text));
        let mut finding = Diagnostic::error("unknown-value", at.clone(), message).label(format!("one of {}", listed(words, MAX_LISTED)));
        finding.help = match did_you_mean(text, words.iter().copied()) {
            Some(meant) => Some(format!("did you mean `{meant}`?")),
            None => self.description(site).map(wording::clause),
        };
        self.found.push(finding);
    }

    /// Returns the alternative that is meant: by the keys that mark it, else by type.
    fn choose(&self, value: &Value, alternatives: &[&'s Schema]) -> Option<&'s Schema> {
        let fitting: Vec<&'s Schema> = alternatives.iter().copied().filter(|one| is_type(value, self.resolve(one))).collect();
        let marked = fitting.iter().copied().find(|one| {
            let marks = one.get("x-chosen-by").and_then(Schema::as_array);
            marks.is_some_and(|marks| marks.iter().filter_map(Schema::as_str).any(|mark| value.get(mark).is_some_and(Value::is_string)))
        });
        marked.or_else(|| fitting.into_iter().find(|one| one.get("x-chosen-by").is_none()))
    }

    fn fits(&mut self, value: &mut Value, chosen: &'s Schema, site: &'s Schema, at: &FieldPath) {
        let resolved = self.resolve(chosen);
        match value {
            Value::Mapping(entries) => {
                if resolved.get("x-one-key").is_some() && !self.one_key(entries, resolved, at) {
                    return;
                }
                self.map(entries, resolved, at);
            }
            Value::Sequence(items) => self.list(items, resolved, at),
            Value::String(text) => self.text(text, resolved, site, at),
            Value::Number(number) => self.number(number, resolved, site, at),
            Value::Null | Value::Bool(_) | Value::Tagged(_) => {}
        }
    }

    fn map(&mut self, entries: &mut serde_yaml::Mapping, schema: &'s Schema, at: &FieldPath) {
        let none = serde_json::Map::new();
        let properties: &serde_json::Map<String, Schema> = match schema.get("properties").and_then(Schema::as_object) {
            Some(properties) => properties,
            None => &none,
        };
        let required: Vec<&str> =
            schema.get("required").and_then(Schema::as_array).map_or(Vec::new(), |all| all.iter().filter_map(Schema::as_str).collect());
        let others = schema.get("additionalProperties");
        let least = schema.get("minProperties").and_then(Schema::as_u64).unwrap_or(0);
        if (entries.len() as u64) < least && schema.get("x-one-key").is_none() {
            self.empty(at, schema);
        }
        let keys: Vec<String> = entries.keys().filter_map(|key| key.as_str().map(str::to_owned)).collect();
        let mut empty_sections = Vec::new();
        let mut unknown_keys = Vec::new();
        for (key, value) in entries.iter_mut() {
            let Some(key) = key.as_str() else { continue };
            let path = at.key(key);
            let known = schema.get("properties").and_then(|properties| properties.get(key));
            let site = match (known, others) {
                (Some(site), _) => site,
                (None, Some(Schema::Bool(false))) => {
                    unknown_keys.push((key.to_owned(), self.unknown_key(key, &keys, properties, at)));
                    continue;
                }
                (None, Some(site)) => site,
                (None, None) => continue,
            };
            if site.as_bool() == Some(true) {
                continue;
            }
            if value.is_null() {
                let is_section =
                    known.is_some() && !required.contains(&key) && self.alternatives(site).iter().any(|one| allows(self.resolve(one), "object"));
                if is_section { empty_sections.push(key.to_owned()) } else { self.empty(&path, site) }
            } else {
                let must_say_something = required.contains(&key) && value.as_str().is_some_and(|text| text.trim().is_empty());
                if must_say_something { self.empty(&path, site) } else { self.value(value, site, &path) }
            }
        }
        for section in empty_sections {
            entries.remove(section.as_str());
        }
        for name in required.iter().filter(|name| !keys.iter().any(|key| key == *name)) {
            let misspelt = unknown_keys.iter().any(|(_, meant)| meant.as_deref() == Some(*name));
            if !misspelt {
                self.missing_key(name, schema, at);
            }
        }
        // The rest is read as it was probably meant, so that one slip does not hide, or bring along, other mistakes.
        for (key, meant) in unknown_keys {
            let value = entries.remove(key.as_str());
            if let (Some(meant), Some(mut value)) = (meant, value) {
                let site = schema.get("properties").and_then(|properties| properties.get(&meant));
                if let Some(site) = site.filter(|site| !value.is_null() && site.as_bool() != Some(true)) {
                    self.value(&mut value, site, &at.key(&key));
                }
                entries.insert(meant.clone().into(), value);
                self.read_as.push((at.clone(), key, meant));
            }
        }
    }

    /// Notes a key that is not there, and returns the one that was probably meant.
    fn unknown_key(&mut self, key: &str, present: &[String], known: &serde_json::Map<String, Schema>, at: &FieldPath) -> Option<String> {
        let free = known.keys().map(String::as_str).filter(|name| !present.iter().any(|key| key == name));
        let message = match at.segments.last() {
            Some(_) => format!("{} has no key `{}`", wording::named(at), shown(key)),
            None => format!("the file has no key `{}`", shown(key)),
        };
        let mut finding =
            Diagnostic::error(UNKNOWN_KEY.0, at.key(key).at_key(), message).label(format!("keys here are {}", listed(known.keys(), MAX_LISTED)));
        let meant = did_you_mean(key, free).map(str::to_owned);
        finding.help = meant.as_ref().map(|meant| format!("did you mean `{meant}`?"));
        self.found.push(finding);
        meant
    }

    fn missing_key(&mut self, name: &str, schema: &'s Schema, at: &FieldPath) {
        let message = match at.segments.last() {
            Some(_) => format!("{} lacks the key `{name}`", wording::named(at)),
            None => format!("the file lacks the key `{name}`"),
        };
        let mut finding = Diagnostic::error("missing-key", at.clone().at_key(), message).label(format!("`{name}` belongs here"));
        if let Some(site) = schema.get("properties").and_then(|properties| properties.get(name)) {
            let example = self.example(site).map(|example| format!("add `{name}: {example}`"));
            let parts: Vec<String> = example.into_iter().chain(self.description(site).map(wording::clause)).collect();
            finding.help = Some(parts.join("; ")).filter(|help| !help.is_empty());
        }
        self.found.push(finding);
    }

    /// Checks that a map has one key, its kind; returns whether looking into it makes sense.
    fn one_key(&mut self, entries: &serde_yaml::Mapping, schema: &'s Schema, at: &FieldPath) -> bool {
        let noun = schema.get("x-one-key").and_then(Schema::as_str).unwrap_or("kind");
        let known: Vec<&str> =
            schema.get("properties").and_then(Schema::as_object).map_or(Vec::new(), |all| all.keys().map(String::as_str).collect());
        let keys: Vec<&str> = entries.keys().filter_map(Value::as_str).collect();
        let kinds: Vec<&str> = keys.iter().copied().filter(|key| known.contains(key)).collect();
        let help = format!("it is one of {}", listed(&known, MAX_LISTED));
        let finding = match (keys.as_slice(), kinds.as_slice()) {
            ([_], [_]) => return true,
            (_, [first, second, ..]) => {
                let message = format!("{} has {} kinds, {}, but a {noun} has one", wording::named(at), kinds.len(), listed(&kinds, MAX_LISTED));
                Diagnostic::error("step-kind", at.key(second).at_key(), message)
                    .label("second kind")
                    .related(at.key(first).at_key(), "first kind")
                    .help(format!("make two {noun}s of it, or indent what belongs to `{first}` below it"))
            }
            (_, [kind]) => {
                let stray: Vec<&str> = keys.iter().copied().filter(|key| key != kind).collect();
                let at_stray = stray.first().map_or_else(|| at.clone(), |key| at.key(key).at_key());
                let message = format!("{} stands beside the kind `{kind}` of {}", listed(&stray, MAX_LISTED), wording::named(at));
                Diagnostic::error("step-kind", at_stray, message).label("does not belong on this level").help(format!("indent it below `{kind}:`"))
            }
            ([], []) => Diagnostic::error("step-kind", at.clone().at_key(), format!("{} has no kind", wording::named(at))).help(help),
            ([key], []) => {
                let message = format!("`{}` is not a kind of {noun}", shown(key));
                let meant = did_you_mean(key, known.iter().copied()).map(|meant| format!("did you mean `{meant}`?"));
                Diagnostic::error("step-kind", at.key(key).at_key(), message)
                    .label(format!("kinds are {}", listed(&known, MAX_LISTED)))
                    .help(meant.unwrap_or_else(|| format!("write one key here, the kind of {noun}")))
            }
            (_, []) => {
                let message = format!("{} has no kind: its keys are {}", wording::named(at), listed(&keys, MAX_LISTED));
                Diagnostic::error("step-kind", at.clone().at_key(), message)
                    .label(help)
                    .help("put the kind above these keys and indent them below it")
            }
        };
        self.found.push(finding);
        false
    }

    fn list(&mut self, items: &mut [Value], schema: &'s Schema, at: &FieldPath) {
        let least = schema.get("minItems").or_else(|| schema.get("minLength")).and_then(Schema::as_u64).unwrap_or(0);
        if (items.len() as u64) < least {
            self.empty(at, schema);
        }
        let Some(site) = schema.get("items") else { return };
        for (index, item) in items.iter_mut().enumerate() {
            let path = at.index(index);
            if item.is_null() || item.as_str().is_some_and(|text| text.trim().is_empty()) {
                self.empty(&path, site);
            } else {
                self.value(item, site, &path);
            }
        }
    }

    fn text(&mut self, text: &str, schema: &'s Schema, site: &'s Schema, at: &FieldPath) {
        let Some(pattern) = schema.get("pattern").or_else(|| site.get("pattern")).and_then(Schema::as_str) else { return };
        if matches(pattern, text) {
            return;
        }
        let wanted = schema.get("patternErrorMessage").or_else(|| site.get("patternErrorMessage")).and_then(Schema::as_str);
        let message = match (wanted, self.example(site).or_else(|| self.example(schema))) {
            (Some(wanted), _) => format!("`{}` is not {wanted}", shown(text)),
            (None, Some(example)) => format!("`{}` is not of the form `{example}`", shown(text)),
            (None, None) => format!("`{}` does not match `{pattern}`", shown(text)),
        };
        let mut finding = Diagnostic::error("wrong-value", at.clone(), message);
        finding.help = self.description(site).map(wording::clause);
        self.found.push(finding);
    }

    fn number(&mut self, number: &serde_yaml::Number, schema: &'s Schema, site: &'s Schema, at: &FieldPath) {
        let Some(given) = number.as_f64() else { return };
        let limit = |name: &str| schema.get(name).or_else(|| site.get(name)).and_then(Schema::as_f64);
        let complaint = match (limit("minimum"), limit("maximum")) {
            (Some(least), _) if given < least => format!("the least is {least}"),
            (_, Some(most)) if given > most => format!("the most is {most}"),
            _ if given.is_finite() => return,
            _ => "a number that can be counted belongs here".to_owned(),
        };
        let mut finding =
            Diagnostic::error("wrong-value", at.clone(), format!("{} is {number}, but {complaint}", wording::named(at))).label(complaint);
        finding.help = self.description(site).map(wording::clause);
        self.found.push(finding);
    }

    fn empty(&mut self, at: &FieldPath, site: &'s Schema) {
        let help = match (self.example(site), at.segments.last()) {
            (Some(example), Some(Segment::Key(key))) => Some(format!("write a value, for example `{key}: {example}`, or remove the key")),
            _ => Some("write a value, or remove it".to_owned()),
        };
        let mut finding = Diagnostic::error("empty-value", at.clone(), format!("{} is empty", wording::named(at))).label("nothing here");
        finding.help = help;
        self.found.push(finding);
    }

    fn wrong_type(&mut self, value: &Value, alternatives: &[&'s Schema], site: &'s Schema, at: &FieldPath) {
        let wanted = self.wanted(alternatives);
        let message = format!("{} is {}, but {} belongs here", wording::named(at), describe(value), wording::either(&wanted));
        let written = wording::written(value);
        let quoted = wanted.contains(&"text") && matches!(value, Value::Number(_) | Value::Bool(_)) && self.accepts_text(alternatives, &written);
        let bare = wanted.iter().any(|word| word.contains("number")) && value.as_str().is_some_and(|text| text.parse::<f64>().is_ok());
        let listable = wanted.contains(&"list") && matches!(value, Value::String(_) | Value::Number(_));
        let help = match self.example(site) {
            _ if bare => Some(format!("remove the quotes: {written}")),
            _ if listable => Some(format!("put it in brackets: [{}]", wording::as_yaml(&written.clone().into()))),
            _ if quoted => Some(format!("put it in quotes: \"{written}\"")),
            Some(example) => Some(format!("for example `{example}`")),
            None => self.description(site).map(wording::clause),
        };
        let mut finding = Diagnostic::error("wrong-type", at.clone(), message).label(format!("{} here", article(wording::kind(value))));
        finding.help = help;
        self.found.push(finding);
    }

    /// Returns whether one of the alternatives takes `text` as it stands.
    fn accepts_text(&self, alternatives: &[&'s Schema], text: &str) -> bool {
        alternatives.iter().any(|one| {
            let resolved = self.resolve(one);
            allows(resolved, "string") && resolved.get("pattern").and_then(Schema::as_str).is_none_or(|pattern| matches(pattern, text))
        })
    }

    /// Returns the words for the types that the alternatives allow.
    fn wanted(&self, alternatives: &[&'s Schema]) -> Vec<&'static str> {
        let mut wanted = Vec::new();
        for one in alternatives {
            for (name, word) in [
                ("string", "text"),
                ("integer", "whole number"),
                ("number", "number"),
                ("boolean", "true or false"),
                ("array", "list"),
                ("object", "map"),
            ] {
                if allows(self.resolve(one), name) && !wanted.contains(&word) {
                    wanted.push(word);
                }
            }
        }
        wanted
    }

    fn description(&self, site: &'s Schema) -> Option<&'s str> {
        let own = site.get("description").and_then(Schema::as_str);
        own.or_else(|| self.resolve(site).get("description").and_then(Schema::as_str))
    }

    /// Returns the first example of a schema, as it is written in YAML's flow style.
    fn example(&self, site: &'s Schema) -> Option<String> {
        let examples = |schema: &'s Schema| schema.get("examples").and_then(Schema::as_array).and_then(|all| all.first());
        let found = examples(site)
            .or_else(|| examples(self.resolve(site)))
            .or_else(|| self.alternatives(site).into_iter().find_map(|one| examples(one).or_else(|| examples(self.resolve(one)))));
        found.map(wording::as_yaml)
    }
}

/// Returns whether `text` has the form of `pattern`; a pattern that is none forbids nothing.
fn matches(pattern: &str, text: &str) -> bool {
    regex_lite::Regex::new(pattern).map_or(true, |pattern| pattern.is_match(text))
}

/// Returns whether `schema` names the type; a schema without types allows all.
fn allows(schema: &Schema, name: &str) -> bool {
    match schema.get("type") {
        Some(Schema::String(one)) => one == name,
        Some(Schema::Array(several)) => several.iter().any(|one| one == name),
        _ => true,
    }
}

fn is_type(value: &Value, schema: &Schema) -> bool {
    match value {
        Value::Null => allows(schema, "null"),
        Value::Bool(_) => allows(schema, "boolean"),
        Value::Number(number) if number.is_f64() => allows(schema, "number"),
        Value::Number(_) => allows(schema, "number") || allows(schema, "integer"),
        Value::String(_) => allows(schema, "string"),
        Value::Sequence(_) => allows(schema, "array"),
        Value::Mapping(_) => allows(schema, "object"),
        Value::Tagged(_) => false,
    }
}
