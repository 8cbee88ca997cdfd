//! Which sections a reference has, in which order, and under which titles.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{About, samples, words};

/// How a definition is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// A table of keys.
    Object,
    /// A list of ways to write it.
    Union,
}

/// A part of the page about one definition.
pub struct Section<'a> {
    /// Its name in the schema; the whole file has none.
    pub name: Option<&'a str>,
    /// Its heading.
    pub title: String,
    /// How it is told.
    pub sort: Sort,
    /// What it is about.
    pub schema: &'a Map<String, Value>,
    /// Whether it stands below a group, such as the kind of a step.
    pub nested: bool,
    /// The key under which the whole file has it.
    key: Option<&'a str>,
}

impl Section<'_> {
    /// Returns whether its keys are kinds, of which one is chosen.
    pub fn is_group(&self) -> bool {
        is_group(self.schema)
    }

    /// Returns a piece of a file that shows it, fenced.
    pub fn sample(&self, files: &[samples::Sample<'_>]) -> Option<String> {
        if self.nested {
            return samples::step(files, self.title.trim_matches('`'));
        }
        self.key.filter(|_| !self.is_group()).and_then(|key| samples::block(files, key))
    }
}

/// A value that is a word, a number or a text of a certain form.
pub struct Plain<'a> {
    /// Its heading.
    pub title: String,
    /// What it is.
    pub schema: &'a Map<String, Value>,
}

/// Keys that mean the same in several kinds.
pub struct Shared<'a> {
    /// Heading: who has them.
    pub title: String,
    /// The definition of their group.
    group: &'a Map<String, Value>,
    /// The kinds.
    kinds: BTreeSet<&'a str>,
    /// The keys with what they are.
    pub keys: Vec<(&'a str, &'a Value)>,
}

/// The plan of a page.
pub struct Outline<'a> {
    defs: BTreeMap<&'a str, &'a Map<String, Value>>,
    order: Vec<&'a str>,
    titles: BTreeMap<&'a str, String>,
    /// In the order of the page; the whole file first.
    pub sections: Vec<Section<'a>>,
    /// In the order of their first use.
    pub values: Vec<Plain<'a>>,
    /// Keys that several kinds have.
    pub shared: Vec<Shared<'a>>,
}

/// A key is told once for all when so many kinds have it with the same words.
const SHARED_BY: usize = 5;

impl<'a> Outline<'a> {
    /// Plans the page of a schema.
    pub fn of(schema: &'a Value, about: &About<'a>) -> Self {
        let definitions = schema.get("$defs").and_then(Value::as_object).into_iter().flatten();
        let defs = definitions.filter_map(|(name, one)| Some((name.as_str(), one.as_object()?))).collect();
        let mut outline = Self {
            defs,
            order: about.order.split_whitespace().collect(),
            titles: BTreeMap::new(),
            sections: Vec::new(),
            values: Vec::new(),
            shared: Vec::new(),
        };
        let Some(root) = schema.as_object() else { return outline };
        outline.titles = outline.named();
        outline.shared = outline.defs.values().filter(|one| is_group(one)).flat_map(|group| outline.shared_in(group)).collect();
        outline.sections.push(Section { name: None, title: about.root.to_owned(), sort: Sort::Object, schema: root, nested: false, key: None });
        let mut seen = BTreeSet::new();
        for (key, value) in outline.keys(root) {
            outline.visit(&references(value), Some(key), &mut seen);
        }
        outline
    }

    /// Titles of all definitions: their names in words, of a kind its key.
    fn named(&self) -> BTreeMap<&'a str, String> {
        let mut titles = BTreeMap::new();
        for (name, schema) in &self.defs {
            let own = ["title", "x-one-key"].iter().find_map(|key| schema.get(*key)?.as_str());
            if let Some(own) = own {
                titles.insert(*name, capital(own));
                continue;
            }
            let short = ["Spec", "Wire", "Text"].iter().filter_map(|end| name.strip_suffix(end)).find(|short| !short.is_empty());
            let free = short.filter(|short| !self.defs.contains_key(short));
            titles.insert(*name, words::in_words(free.unwrap_or(name)));
        }
        for group in self.defs.values().filter(|one| is_group(one)) {
            let kinds = self.keys(group).into_iter().flat_map(|(key, value)| references(value).into_iter().map(move |name| (key, name)));
            let kinds: Vec<(&str, &str)> = kinds.filter(|(_, name)| self.sort(name) == Some(Sort::Object)).collect();
            for (key, name) in &kinds {
                // What two keys have in common is no kind of its own.
                if kinds.iter().filter(|(_, other)| other == name).count() == 1 {
                    titles.insert(*name, format!("`{key}`"));
                }
            }
        }
        titles
    }

    fn visit(&mut self, names: &[&'a str], key: Option<&'a str>, seen: &mut BTreeSet<&'a str>) {
        for name in names {
            let Some(schema) = self.defs.get(name).copied() else { continue };
            if !seen.insert(name) {
                continue;
            }
            let title = self.titles.get(name).cloned().unwrap_or_default();
            let Some(sort) = self.sort(name) else {
                self.values.push(Plain { title, schema });
                continue;
            };
            self.sections.push(Section { name: Some(name), title, sort, schema, nested: false, key });
            let below: Vec<&'a str> = self.keys_or_members(schema).into_iter().flat_map(references).collect();
            if is_group(schema) {
                self.kinds_of(&below, seen);
            }
            self.visit(&below, None, seen);
        }
    }

    /// The kinds of a group follow it at once, what they use comes after them.
    fn kinds_of(&mut self, names: &[&'a str], seen: &mut BTreeSet<&'a str>) {
        let mut below = Vec::new();
        for name in names {
            let (Some(schema), Some(sort)) = (self.defs.get(name).copied(), self.sort(name)) else { continue };
            if self.titles.get(name).is_some_and(|title| title.starts_with('`')) && seen.insert(name) {
                let title = self.titles.get(name).cloned().unwrap_or_default();
                self.sections.push(Section { name: Some(name), title, sort, schema, nested: true, key: None });
                below.extend(self.keys(schema).into_iter().flat_map(|(_, value)| references(value)));
            }
        }
        self.visit(&below, None, seen);
    }

    /// Returns how a definition is told; a plain value is told among the values.
    fn sort(&self, name: &str) -> Option<Sort> {
        let schema = self.defs.get(name)?;
        if schema.contains_key("properties") {
            return Some(Sort::Object);
        }
        let holds_objects = words::members(schema).any(|member| references(member).iter().any(|name| self.sort(name).is_some()));
        holds_objects.then_some(Sort::Union)
    }

    fn keys_or_members(&self, schema: &'a Map<String, Value>) -> Vec<&'a Value> {
        let keys = self.keys(schema).into_iter().map(|(_, value)| value);
        keys.chain(words::members(schema)).collect()
    }

    /// Returns the keys of an object, in reading order.
    pub fn keys(&self, schema: &'a Map<String, Value>) -> Vec<(&'a str, &'a Value)> {
        let properties = schema.get("properties").and_then(Value::as_object);
        let mut keys: Vec<(&str, &Value)> = properties.into_iter().flatten().map(|(key, value)| (key.as_str(), value)).collect();
        keys.sort_by_key(|(key, _)| self.order.iter().position(|one| one == key).unwrap_or(usize::MAX));
        keys
    }

    fn shared_in(&self, group: &'a Map<String, Value>) -> Vec<Shared<'a>> {
        let kinds: Vec<(&str, &Map<String, Value>)> = self
            .keys(group)
            .into_iter()
            .flat_map(|(key, value)| references(value).into_iter().filter_map(move |name| Some((key, *self.defs.get(name)?))))
            .collect();
        let mut found: Vec<Shared<'a>> = Vec::new();
        let all: Vec<&str> = kinds.iter().map(|(name, _)| *name).collect();
        let mut told = BTreeSet::new();
        for (_, kind) in &kinds {
            for (key, value) in self.keys(kind) {
                let same = |(name, other): &(&'a str, &'a Map<String, Value>)| (other.get("properties")?.get(key)? == value).then_some(*name);
                let having: BTreeSet<&str> = kinds.iter().filter_map(same).collect();
                if having.len() < SHARED_BY || !told.insert(key) {
                    continue;
                }
                match found.iter_mut().find(|shared| shared.kinds == having) {
                    Some(shared) => shared.keys.push((key, value)),
                    None => found.push(Shared { title: shared_title(&all, &having), group, kinds: having, keys: vec![(key, value)] }),
                }
            }
        }
        found
    }

    /// Returns the keys that the kinds of a group share.
    pub fn shared_below(&self, group: &Section<'_>) -> impl Iterator<Item = &Shared<'a>> {
        self.shared.iter().filter(move |shared| std::ptr::eq(shared.group, group.schema))
    }

    /// Returns whether a key of a section is told with those that its kind shares.
    pub fn is_shared(&self, section: &Section<'_>, key: &str) -> bool {
        self.shared_with(section).any(|shared| shared.keys.iter().any(|(one, _)| *one == key))
    }

    /// Returns the shared keys that a section has.
    pub fn shared_with(&self, section: &Section<'_>) -> impl Iterator<Item = &Shared<'a>> {
        let kind = section.nested.then(|| section.title.trim_matches('`').to_owned());
        self.shared.iter().filter(move |shared| kind.as_deref().is_some_and(|kind| shared.kinds.contains(kind)))
    }

    /// Returns where a section's object stands: keys of others, as links.
    pub fn users(&self, section: &Section<'_>) -> Vec<String> {
        let Some(name) = section.name.filter(|_| !section.nested) else { return Vec::new() };
        let link = |title: &str| format!("[{}](#{})", title.to_lowercase(), anchor(title));
        let mut users: Vec<(String, Vec<String>)> = Vec::new();
        let mut stands = |key: &str, of: String| match users.iter_mut().find(|(known, _)| known == key) {
            Some((_, all)) => all.push(of),
            None => users.push((key.to_owned(), vec![of])),
        };
        for other in &self.sections {
            for (key, value) in self.keys(other.schema) {
                if references(value).contains(&name) && !self.is_shared(other, key) {
                    stands(key, link(&other.title));
                }
            }
            if other.sort == Sort::Union && words::members(other.schema).any(|member| references(member).contains(&name)) {
                stands("", link(&other.title));
            }
        }
        for shared in &self.shared {
            let keys = shared.keys.iter().filter(|(_, value)| references(value).contains(&name));
            keys.for_each(|(key, _)| stands(key, format!("the {}", link(&shared.title))));
        }
        let said = |(key, of): (String, Vec<String>)| if key.is_empty() { of.join(", ") } else { format!("`{key}` of {}", of.join(", ")) };
        users.into_iter().map(said).collect()
    }

    /// Returns what a reference points to, with its title.
    pub fn target(&self, reference: &str) -> Option<(&str, &'a Map<String, Value>)> {
        let name = name_of(reference);
        Some((self.titles.get(name)?.as_str(), *self.defs.get(name)?))
    }
}

fn shared_title(all: &[&str], having: &BTreeSet<&str>) -> String {
    let listed = |names: Vec<&str>| {
        let marked: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
        match marked.split_last() {
            Some((last, before)) if !before.is_empty() => format!("{} and {last}", before.join(", ")),
            _ => marked.concat(),
        }
    };
    let without: Vec<&str> = all.iter().copied().filter(|name| !having.contains(name)).collect();
    match without.len() {
        0 => "Keys of all kinds".to_owned(),
        1 | 2 => format!("Keys of all kinds but {}", listed(without)),
        _ => format!("Keys of {}", listed(all.iter().copied().filter(|name| having.contains(name)).collect())),
    }
}

fn capital(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn is_group(schema: &Map<String, Value>) -> bool {
    schema.contains_key("x-one-key") && schema.get("properties").is_some()
}

fn name_of(reference: &str) -> &str {
    reference.rsplit('/').next().unwrap_or(reference)
}

/// Returns the definitions that a schema points to, at any depth, without those of its own definitions.
fn references(schema: &Value) -> Vec<&str> {
    match schema {
        Value::Object(entries) => {
            let own = entries.get("$ref").and_then(Value::as_str).map(name_of);
            own.into_iter()
                .chain(entries.iter().filter(|(key, _)| *key != "examples" && *key != "default").flat_map(|(_, value)| references(value)))
                .collect()
        }
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

/// Returns the address of a heading as GitHub makes it.
pub fn anchor(title: &str) -> String {
    let kept = title.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
    kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect::<String>().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heading_has_the_address_that_github_gives_it() {
        assert_eq!(anchor("Keys of all kinds but `pick`"), "keys-of-all-kinds-but-pick");
        assert_eq!(anchor("`remove-background`"), "remove-background");
    }

    #[test]
    fn keys_shared_by_many_kinds_are_named_by_the_shorter_list() {
        let all = ["a", "b", "c", "d", "e", "f", "g", "h"];
        assert_eq!(shared_title(&all, &all.into()), "Keys of all kinds");
        assert_eq!(shared_title(&all, &all.iter().copied().filter(|name| *name != "d").collect()), "Keys of all kinds but `d`");
        assert_eq!(shared_title(&all, &["e", "a", "c"].into()), "Keys of `a`, `c` and `e`");
    }
}
