//! Mistakes of a manifest beside its `http` part: what contradicts itself, and what nothing uses.
//!
//! In: a [`Manifest`] that reads well. Out: diagnostics, each with its path; what is only odd is a warning.
//! Never: a book; whether models are priced is asked where books are.

use std::collections::BTreeSet;
use std::fmt::Display;

use super::http::protocol::Protocol;
use super::manifest::{Manifest, is_variable};
use crate::catalog::{Aspect, OperationCard};
use crate::types::diagnostic::{did_you_mean, listed};
use crate::types::{Diagnostic, Diagnostics, DocId, FieldPath};

/// Returns what contradicts itself in a manifest, and as warnings what nothing uses.
pub fn lint(manifest: &Manifest, doc: DocId) -> Diagnostics {
    let mut lint = Lint { manifest, root: FieldPath::root(doc), found: Diagnostics::new() };
    lint.names();
    lint.hosts();
    lint.limits();
    lint.polls();
    lint.cards();
    if let Some(http) = &manifest.http {
        lint.answers(http);
        lint.unused(http);
    }
    lint.found
}

struct Lint<'a> {
    manifest: &'a Manifest,
    root: FieldPath,
    found: Diagnostics,
}

impl Lint<'_> {
    fn wrong(&mut self, code: &'static str, at: FieldPath, message: impl Into<String>, help: impl Into<String>) {
        self.found.push(Diagnostic::error(code, at, message.into()).help(help.into()));
    }

    fn odd(&mut self, code: &'static str, at: FieldPath, message: impl Into<String>, help: impl Into<String>) {
        self.found.push(Diagnostic::warning(code, at, message.into()).help(help.into()));
    }

    fn names(&mut self) {
        let is_plain =
            |text: &str| !text.is_empty() && text.chars().all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || "-_.".contains(char));
        if !is_plain(&self.manifest.id) {
            let message = format!("`{}` is no name of a provider", self.manifest.id);
            self.wrong("provider-name", self.root.key("provider"), message, "use lower-case letters, digits, `-`, `_` and `.`");
        }
        let variable = &self.manifest.key_env;
        if variable.is_empty() || !is_variable(variable) {
            // What stands here instead of a name may be the key itself: it is not repeated.
            let message = "this is no name of an environment variable; a key itself never stands in a file";
            self.wrong("key-env", self.root.key("key-env"), message, "name the variable that holds the key, such as `STUDIO_API_KEY`");
        }
        if self.manifest.models.is_empty() {
            self.wrong("no-models", self.root.key("models"), "the provider has no models", "add at least one, with its `operations`");
        }
    }

    fn hosts(&mut self) {
        for (key, hosts) in [("hosts", &self.manifest.hosts), ("result-hosts", &self.manifest.result_hosts)] {
            for (index, host) in hosts.iter().enumerate() {
                // A star that stands for one part is judged where the key's way is.
                let is_pattern = key == "hosts" && host.contains('*');
                if host.is_empty() || host.contains(['/', ':', '@', ' ', '?']) || (host.contains('*') && !is_pattern) {
                    let help = "write the bare name, such as `api.example.com`: the address is `http.base-url`";
                    self.wrong("bad-host", self.root.key(key).index(index), format!("`{host}` is no name of a host"), help);
                }
            }
        }
        if self.manifest.hosts.is_empty() {
            self.wrong("bad-host", self.root.key("hosts"), "no host may be sent the key", "name the API's own hosts");
        }
    }

    fn limits(&mut self) {
        let at = self.root.key("limits");
        for (index, window) in self.manifest.limits.windows.iter().enumerate() {
            if window.count == 0 || window.span.0.is_zero() {
                self.wrong(
                    "empty-window",
                    at.key("windows").index(index),
                    "a window of nothing lets nothing through",
                    "give at least `{ count: 1, span: 1s }`",
                );
            }
        }
        if self.manifest.limits.places == Some(0) {
            self.wrong("empty-window", at.key("places"), "no place lets nothing through", "give at least 1, or leave the line out");
        }
    }

    fn polls(&mut self) {
        let Some(curve) = &self.manifest.poll else { return };
        let at = self.root.key("poll");
        if curve.steps.is_empty() {
            self.wrong("poll-steps", at.key("steps"), "nobody says how often a task is asked after", "add `{ from: 0s, every: 3s }`");
        }
        for (index, pair) in curve.steps.windows(2).enumerate() {
            if let [before, after] = pair
                && after.from <= before.from
            {
                let message = format!("`from: {}` does not come after `from: {}`", after.from, before.from);
                self.wrong("poll-steps", at.key("steps").index(index + 1).key("from"), message, "put the steps in the order of age");
            }
        }
        for (index, step) in curve.steps.iter().enumerate().filter(|(_, step)| step.every.0.is_zero()) {
            let message = format!("`every: {}` asks without a pause", step.every);
            self.wrong("poll-steps", at.key("steps").index(index).key("every"), message, "give at least `100ms`");
        }
        if curve.deadline <= curve.start {
            let message = format!("the deadline of {} is over before the first question at {}", curve.deadline, curve.start);
            self.wrong("poll-deadline", at.key("deadline"), message, "give the longest time that a task takes");
        }
    }

    fn cards(&mut self) {
        let manifest = self.manifest;
        for (name, card) in &manifest.models {
            let at = self.root.key("models").key(name);
            if card.operations.is_empty() {
                self.wrong("no-operations", at.key("operations"), format!("`{name}` can be asked for nothing"), "add `generate:` or `edit:`");
            }
            for (action, operation) in &card.operations {
                self.operation(&at.key("operations").key(action.as_str()), operation);
            }
        }
    }

    fn operation(&mut self, at: &FieldPath, card: &OperationCard) {
        let resolutions: Vec<&str> = card.resolutions.iter().flat_map(|all| all.keys()).map(|name| &**name).collect();
        let texts = |all: &[std::sync::Arc<str>]| all.iter().map(ToString::to_string).collect::<Vec<_>>();
        self.among(&at.key("default-quality"), "qualities", card.default_quality.as_deref(), &texts(&card.qualities));
        self.among(&at.key("default-speed"), "speeds", card.default_speed.as_deref(), &texts(&card.speeds));
        self.among(&at.key("default-scale"), "scales", card.default_scale.as_ref(), &card.scales);
        if card.resolutions.is_some() {
            self.among(&at.key("default-resolution"), "resolutions", card.default_resolution.as_deref(), &resolutions);
        }
        if let Some(aspects) = &card.aspects {
            let default = card.default_aspect.map(Aspect::Ratio);
            self.among(&at.key("default-aspect"), "aspects", default.as_ref(), aspects);
        }
        for (index, hole) in card.holes.iter().enumerate() {
            let at = at.key("holes").index(index);
            for (place, aspect) in hole.aspects.iter().enumerate() {
                if let Some(aspects) = &card.aspects {
                    self.among(&at.key("aspects").index(place), "aspects", Some(aspect), aspects);
                }
            }
            for (place, resolution) in hole.resolutions.iter().enumerate() {
                if card.resolutions.is_some() {
                    self.among(&at.key("resolutions").index(place), "resolutions", Some(&**resolution), &resolutions);
                }
            }
        }
        if card.prompt_limit == Some(0) {
            self.wrong("no-prompt", at.key("prompt-limit"), "a prompt of no characters says nothing", "leave the line out where no prompt is taken");
        }
    }

    /// What a card pins or forbids is among what it offers.
    fn among<A: Display + ?Sized, B: Display>(&mut self, at: &FieldPath, list: &str, said: Option<&A>, offered: &[B]) {
        let Some(said) = said.map(ToString::to_string) else { return };
        let offered: Vec<String> = offered.iter().map(ToString::to_string).collect();
        if offered.contains(&said) {
            return;
        }
        let help = match did_you_mean(&said, offered.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None if offered.is_empty() => format!("add `{list}`, or remove the line"),
            None => format!("{list} are {}", listed(&offered, 12)),
        };
        self.wrong("not-offered", at.clone(), format!("`{said}` is not among the card's `{list}`"), help);
    }

    fn answers(&mut self, http: &Protocol) {
        let at = self.root.key("http");
        if http.success.as_ref().is_some_and(|success| success.is.is_empty()) {
            self.wrong("no-success", at.key("success").key("is"), "no answer is ever good", "name what a good answer says there");
        }
        let names = http.headers.keys().map(|name| (at.key("headers").key(name), name)).collect::<Vec<_>>();
        let key = [(at.key("auth").key("header"), &http.auth.header)];
        let repeated = http.idempotency_header.iter().map(|name| (at.key("idempotency-header"), name));
        for (at, name) in names.into_iter().chain(key).chain(repeated) {
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
                self.wrong("bad-header", at, format!("`{name}` is no name of a header"), "use letters, digits, `-` and `_`");
            }
        }
        for (index, rule) in http.errors.iter().enumerate() {
            if rule.on.is_empty() && rule.status.is_empty() && rule.code.is_empty() && rule.kind.is_empty() && rule.message_has.is_empty() {
                self.wrong(
                    "rule-for-all",
                    at.key("errors").index(index),
                    "this rule fits every error",
                    "say which: `status`, `code`, `kind` or `message-has`",
                );
            }
            for (place, status) in rule.status.iter().enumerate().filter(|(_, status)| !(100..=599).contains(*status)) {
                let at = at.key("errors").index(index).key("status").index(place);
                self.wrong("bad-status", at, format!("{status} is no HTTP status"), "statuses are 100 to 599; codes of the body stand in `code`");
            }
        }
        if self.manifest.poll.is_some() && http.poll.is_none() {
            let message = "the curve says when a task is asked after, and `http.poll` is missing, which says how";
            self.odd("unused-curve", self.root.key("poll").at_key(), message, "add `http.poll`, or remove the curve");
        }
    }

    fn unused(&mut self, http: &Protocol) {
        let at = self.root.key("http");
        let wires: BTreeSet<&str> =
            self.manifest.models.values().flat_map(|card| card.operations.values()).filter_map(|operation| operation.wire.as_deref()).collect();
        for wire in http.parameters.keys().filter(|wire| !wires.contains(wire.as_str())) {
            let help = did_you_mean(wire, wires.iter().copied())
                .map_or_else(|| "remove it, or name it as a `wire`".to_owned(), |near| format!("did you mean `{near}`?"));
            self.odd("unused-parameters", at.key("parameters").key(wire).at_key(), format!("no operation is called `{wire}`"), help);
        }
        let text = serde_json::to_string(http).unwrap_or_default();
        for words in http.words.keys().filter(|words| !text.contains(&format!("via {words}"))) {
            self.odd("unused-words", at.key("words").key(words).at_key(), format!("no template says `via {words}`"), "remove them, or use them");
        }
        for origin in http.origins.keys().filter(|origin| !text.contains(&format!("\"origin\":\"{origin}\""))) {
            self.odd(
                "unused-origin",
                at.key("origins").key(origin).at_key(),
                format!("no request goes to `{origin}`"),
                "remove it, or name it in a request",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::manifest::{builtin, builtin_names};

    #[test]
    fn the_built_in_manifests_contradict_themselves_nowhere_and_have_nothing_unused() {
        for name in builtin_names() {
            let manifest = builtin(name).expect("a built-in manifest");
            let found: Vec<String> = lint(&manifest, DocId(1)).iter().map(|one| format!("{} at {}: {}", one.code, one.at, one.message)).collect();
            assert_eq!(found, [""; 0], "{name}");
        }
    }
}
