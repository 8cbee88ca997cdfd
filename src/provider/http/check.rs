//! Mistakes of a manifest that its types cannot see.
//!
//! In: a [`Manifest`] that reads well. Out: diagnostics, each with its path.
//! Never: a model whose settings or pictures would be dropped in silence.

mod answers;

use super::hosts::is_declared;
use super::protocol::{Protocol, Request, SubmitCall};
use super::template::Template;
use crate::catalog::OperationCard;
use crate::provider::manifest::Manifest;
use crate::types::diagnostic::{did_you_mean, listed};
use crate::types::{Action, Diagnostic, Diagnostics, DocId, FieldPath};

/// Longest exchange, 9 minutes: an exchange is given up by its run after 10, and then nobody knows what became of it.
const LONGEST: std::time::Duration = std::time::Duration::from_secs(540);

/// Returns what is wrong with the `http` part of a manifest.
pub fn check(manifest: &Manifest, doc: DocId) -> Diagnostics {
    let Some(protocol) = &manifest.http else { return Diagnostics::new() };
    let mut check = Check { manifest, protocol, http: FieldPath::root(doc).key("http"), found: Diagnostics::new() };
    check.origins();
    check.calls();
    check.answers();
    super::task_check::check(&mut check, doc);
    check.lookup();
    check.batches(doc);
    check.translations();
    check.models(doc);
    check.found
}

pub(super) struct Check<'a> {
    pub(super) manifest: &'a Manifest,
    pub(super) protocol: &'a Protocol,
    pub(super) http: FieldPath,
    found: Diagnostics,
}

impl<'a> Check<'a> {
    pub(super) fn wrong(&mut self, code: &'static str, at: FieldPath, message: String, help: String) {
        self.found.push(Diagnostic::error(code, at, message).help(help));
    }

    /// The key goes to hosts of the API only.
    fn origins(&mut self) {
        let base = (self.http.clone().key("base-url"), &self.protocol.base_url);
        let further = self.protocol.origins.iter().map(|(name, origin)| (self.http.clone().key("origins").key(name.as_str()), origin));
        for (at, origin) in std::iter::once(base).chain(further).collect::<Vec<_>>() {
            let host = origin.url().host_str().unwrap_or_default();
            if !is_declared(&self.manifest.hosts, host) {
                let message = format!("`{host}` is not among the manifest's `hosts`, to which alone the key is sent");
                self.wrong(
                    "unknown-host",
                    at,
                    message,
                    format!("add it: `hosts: [{}]`", self.manifest.hosts.iter().map(String::as_str).chain([host]).collect::<Vec<_>>().join(", ")),
                );
            }
        }
        if !self.protocol.auth.value.has("key") {
            let at = self.http.clone().key("auth").key("value");
            self.wrong(
                "no-key-slot",
                at,
                "the key header does not carry the key".to_owned(),
                "write `Bearer {{ key }}`, or what the provider asks for".to_owned(),
            );
        }
        if self.manifest.idempotency && self.protocol.idempotency_header.is_none() {
            let at = self.http.clone();
            self.wrong(
                "no-idempotency-header",
                at,
                "`idempotency: true` needs the header that carries the key".to_owned(),
                "add `idempotency-header: Idempotency-Key`".to_owned(),
            );
        }
    }

    /// A look-up asks by the key that the request carried.
    fn lookup(&mut self) {
        let at = self.http.clone().key("lookup");
        let Some(call) = &self.protocol.lookup else {
            if self.manifest.task_lookup {
                let help = "say how: a request with `{{ idempotency-key }}` in it, and where its answer keeps the task".to_owned();
                self.wrong("no-lookup", at, "`task-lookup: true` needs the call `http.lookup`".to_owned(), help);
            }
            return;
        };
        if !carries_key(&call.request) {
            let help = "write `{{ idempotency-key }}` where the provider reads it".to_owned();
            self.wrong("no-key-slot", at.clone(), "the look-up does not say which request it is about".to_owned(), help);
        }
        let is_sent = self.protocol.idempotency_header.is_some() || self.submits().iter().all(|(_, submit)| carries_key(&submit.request));
        if !is_sent {
            let help = "add `idempotency-header`, or `{{ idempotency-key }}` to the body of the submit".to_owned();
            self.wrong("no-key-slot", at, "the look-up asks by a key that no submit carries".to_owned(), help);
        }
    }

    /// A batch carries all that its requests say by themselves, and answers with pictures.
    fn batches(&mut self, doc: DocId) {
        let (manifest, protocol) = (self.manifest, self.protocol);
        let at = self.http.clone().key("batch");
        let takers = manifest.models.iter().filter(|(_, card)| card.batch);
        let Some(flow) = &protocol.batch else {
            for (name, _) in takers {
                let at = FieldPath::root(doc).key("models").key(name).key("batch");
                self.wrong("no-batch", at, format!("`{name}` goes in batches, and the manifest does not say how"), "add `http.batch`".to_owned());
            }
            return;
        };
        if protocol.poll.is_some() {
            let message = "batches are for providers whose answer is the picture itself; this one has tasks of its own".to_owned();
            self.wrong("two-kinds-of-tasks", at.clone(), message, "leave out `http.batch` or `http.poll`".to_owned());
        }
        if flow.lines == 0 || flow.megabytes == 0 {
            self.wrong("bad-value", at.clone(), "a batch takes at least one request of one megabyte".to_owned(), "give its limits".to_owned());
        }
        for (name, card) in takers {
            for (action, operation) in card.operations.iter().filter(|(_, operation)| operation.wire.is_some()) {
                let here = FieldPath::root(doc).key("models").key(name).key("operations").key(action.as_str());
                let Some(request) = flow.requests.get(action) else {
                    let message = format!("`{name}` goes in batches, and `http.batch.requests` has no `{action}`");
                    self.wrong("no-batch", here, message, "add it, with its `url` and its `json`".to_owned());
                    continue;
                };
                let direct = protocol.submit_by_action.get(action).unwrap_or(&protocol.submit);
                let call = request.as_submit(direct);
                let sent = Sent { call: &call, parameters: operation.wire.as_deref().and_then(|wire| protocol.parameters.get(wire)) };
                for what in sent.drops(operation, *action) {
                    let message = format!("`{name}` takes {what} to {action}, but its request in a batch has no place for it");
                    self.wrong("dropped-setting", here.clone(), message, "add its slot to `http.batch.requests`".to_owned());
                }
            }
        }
    }

    pub(super) fn submits(&self) -> Vec<(FieldPath, &'a SubmitCall)> {
        let by_action = self.protocol.submit_by_action.iter();
        let by_action = by_action.map(|(action, call)| (self.http.clone().key("submit-by-action").key(action.as_str()), call));
        std::iter::once((self.http.clone().key("submit"), &self.protocol.submit)).chain(by_action).collect()
    }

    pub(super) fn requests(&self) -> Vec<(FieldPath, &'a Request)> {
        let mut all: Vec<_> = self.submits().into_iter().map(|(at, call)| (at, &call.request)).collect();
        let at = |name: &str| self.http.clone().key(name);
        all.extend(self.protocol.upload.iter().map(|call| (at("upload"), &call.request)));
        let ways = self.protocol.upload.iter().flat_map(|call| call.instead.iter().enumerate());
        all.extend(ways.map(|(index, way)| (at("upload").key("instead").index(index), &way.request)));
        all.extend(self.protocol.poll.iter().map(|call| (at("poll"), &call.request)));
        all.extend(self.protocol.result.iter().map(|call| (at("result"), &call.request)));
        all.extend(self.protocol.refresh.iter().map(|call| (at("refresh"), &call.request)));
        all.extend(self.protocol.lookup.iter().map(|call| (at("lookup"), &call.request)));
        all.extend(self.protocol.balance.iter().map(|call| (at("balance"), &call.request)));
        all.into_iter().map(|(at, request)| (at.key("request"), request)).collect()
    }

    fn calls(&mut self) {
        for (at, request) in self.requests() {
            if let Some(name) = request.origin.as_ref().filter(|name| !self.protocol.origins.contains_key(*name)) {
                let help = format!("origins are {}", listed(self.protocol.origins.keys().map(String::as_str), 8));
                self.wrong("unknown-origin", at.clone().key("origin"), format!("there is no origin `{name}`"), help);
            }
            if request.json.is_some() && !request.form.is_empty() {
                self.wrong(
                    "two-bodies",
                    at.clone(),
                    "a request has a `json` body or a `form`, not both".to_owned(),
                    "leave one of them out".to_owned(),
                );
            }
            if request.timeout.0 > LONGEST {
                let message = format!("`{}` is longer than an exchange may take", request.timeout);
                self.wrong("long-timeout", at.clone().key("timeout"), message, "give at most `9m`".to_owned());
            }
            for (index, part) in request.form.iter().enumerate() {
                let carries = [part.text.is_some(), part.files.is_some(), part.spread.is_some()].into_iter().filter(|is| *is).count();
                if carries != 1 {
                    let message = format!("the part `{}` has exactly one of `text`, `files` and `spread`", part.name);
                    self.wrong("form-part", at.clone().key("form").index(index), message, "say what it carries".to_owned());
                } else if part.name.is_empty() != part.spread.is_some() {
                    let help = "give a text or files a `name`; the names of what is spread are its keys".to_owned();
                    self.wrong(
                        "form-part",
                        at.clone().key("form").index(index),
                        "a part of a form has a name, unless it spreads many".to_owned(),
                        help,
                    );
                }
            }
        }
        for (at, call) in self.submits() {
            let brings_picture = call.bytes || !call.picture.is_empty() || !call.address.is_empty();
            if call.task.is_empty() != brings_picture {
                self.wrong(
                    "no-result",
                    at.clone(),
                    "the answer to a submit is either a `task`, or a picture: `picture`, `address` or `bytes`".to_owned(),
                    "say what its answer is".to_owned(),
                );
            }
            if !call.task.is_empty() && (self.protocol.poll.is_none() || self.manifest.poll.is_none()) {
                let message = "a submit that brings a task needs the call `http.poll` and the curve `poll`".to_owned();
                self.wrong("no-poll", at, message, "add what is missing".to_owned());
            }
        }
    }

    /// Every translation that is asked for is there.
    fn translations(&mut self) {
        let mut templates: Vec<(FieldPath, &Template)> = Vec::new();
        for (at, request) in self.requests() {
            templates.push((at.clone().key("path"), &request.path));
            templates.extend(request.json.iter().map(|template| (at.clone().key("json"), template)));
            templates.extend(request.query.values().map(|template| (at.clone().key("query"), template)));
            templates.extend(
                request
                    .form
                    .iter()
                    .enumerate()
                    .filter_map(|(index, part)| Some((at.clone().key("form").index(index), part.text.as_ref().or(part.spread.as_ref())?))),
            );
        }
        let batch = self.http.clone().key("batch").key("requests");
        let together = self.protocol.batch.iter().flat_map(|flow| &flow.requests);
        templates.extend(together.map(|(action, request)| (batch.clone().key(action.as_str()).key("json"), &request.json)));
        templates.extend(self.protocol.each_picture.iter().map(|template| (self.http.clone().key("each-picture"), template)));
        let parameters = self.http.clone().key("parameters");
        templates.extend(self.protocol.parameters.iter().map(|(wire, template)| (parameters.clone().key(wire.as_str()), template)));
        for (at, template) in templates {
            for name in template.translations().into_iter().filter(|name| !self.protocol.words.contains_key(*name)) {
                let known = self.protocol.words.keys().map(String::as_str);
                let help = did_you_mean(name, known.clone())
                    .map_or_else(|| format!("words are {}", listed(known, 12)), |near| format!("did you mean `{near}`?"));
                self.wrong("unknown-words", at.clone(), format!("there are no words `{name}`"), help);
            }
        }
    }

    /// Every setting and picture that a card takes has a place in the request.
    fn models(&mut self, doc: DocId) {
        let manifest = self.manifest;
        for (name, card) in &manifest.models {
            for (action, operation) in &card.operations {
                let at = FieldPath::root(doc).key("models").key(name).key("operations").key(action.as_str());
                let Some(wire) = &operation.wire else {
                    self.wrong(
                        "no-wire-id",
                        at,
                        format!("`{name}` cannot be asked to {action}: it has no wire id"),
                        "add `wire:`, the provider's name of the model".to_owned(),
                    );
                    continue;
                };
                let call = self.protocol.submit_by_action.get(action).unwrap_or(&self.protocol.submit);
                let sent = Sent { call, parameters: self.protocol.parameters.get(&**wire) };
                if sent.asks_for_parameters() && sent.parameters.is_none() {
                    let message = format!("there are no `http.parameters` for `{wire}`");
                    self.wrong("no-parameters", at.key("wire"), message, "add what the provider's documents say".to_owned());
                    continue;
                }
                for what in sent.drops(operation, *action) {
                    let message = format!("`{name}` takes {what} to {action}, but its request has no place for it");
                    self.wrong("dropped-setting", at.clone(), message, "add its slot to the request, or take it off the card".to_owned());
                }
            }
        }
    }
}

/// Returns whether the idempotency key stands somewhere in a request.
fn carries_key(request: &Request) -> bool {
    let has = |template: &Template| template.has("idempotency-key");
    has(&request.path)
        || request.query.values().any(has)
        || request.json.as_ref().is_some_and(has)
        || request.form.iter().any(|part| part.text.as_ref().or(part.spread.as_ref()).is_some_and(has))
}

/// What a request of one model carries.
struct Sent<'a> {
    call: &'a SubmitCall,
    parameters: Option<&'a Template>,
}

impl Sent<'_> {
    fn asks_for_parameters(&self) -> bool {
        let in_form = self.call.request.form.iter().any(|part| part.spread.as_ref().is_some_and(|tree| tree.has("parameters")));
        in_form || self.call.request.json.as_ref().is_some_and(|json| json.has("parameters"))
    }

    fn has(&self, slot: &str) -> bool {
        let request = &self.call.request;
        let own = request.path.has(slot) || request.query.values().any(|template| template.has(slot));
        let body = request.json.as_ref().is_some_and(|json| json.has(slot))
            || request.form.iter().any(|part| part.text.as_ref().or(part.spread.as_ref()).is_some_and(|text| text.has(slot)));
        own || body || (self.asks_for_parameters() && self.parameters.is_some_and(|parameters| parameters.has(slot)))
    }

    fn sends(&self, kinds: &[super::protocol::Files]) -> bool {
        self.call.request.form.iter().any(|part| part.files.is_some_and(|files| kinds.contains(&files)))
    }

    /// Returns what the card takes and the request leaves out.
    fn drops(&self, card: &OperationCard, action: Action) -> Vec<&'static str> {
        use super::protocol::Files::{Image, Mask, Pictures, References};
        let any = |slots: &[&str]| slots.iter().any(|slot| self.has(slot));
        let sized = any(&["size", "width", "height"]);
        let edits = !matches!(action, Action::Generate);
        let wants = [
            ("a prompt", card.prompt_limit.is_some() && !any(&["prompt"])),
            ("an aspect", card.aspects.as_ref().is_none_or(|aspects| !aspects.is_empty()) && !any(&["aspect"]) && !sized),
            ("a resolution", card.resolutions.as_ref().is_none_or(|all| !all.is_empty()) && !any(&["resolution"]) && !sized),
            ("a quality", !card.qualities.is_empty() && !any(&["quality"])),
            ("a speed", !card.speeds.is_empty() && !any(&["speed"])),
            ("a scale", !card.scales.is_empty() && !any(&["scale"])),
            ("a background", !card.backgrounds.is_empty() && !any(&["background"])),
            ("a format", !card.formats.is_empty() && !any(&["format"])),
            ("a picture", edits && !any(&["image", "pictures"]) && !self.sends(&[Image, Pictures])),
            ("references", card.max_references != Some(0) && edits && !any(&["references", "pictures"]) && !self.sends(&[References, Pictures])),
            ("a mask", action == Action::Inpaint && !any(&["mask"]) && !self.sends(&[Mask])),
        ];
        wants.into_iter().filter(|(_, is_dropped)| *is_dropped).map(|(what, _)| what).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::template::Values;
    use super::*;
    use crate::provider::manifest::{builtin, builtin_names, builtin_text};
    use crate::types::ImageFormat;
    use serde_json::json;

    const DOC: DocId = DocId(1);

    fn told(text: &str) -> String {
        let found = match Manifest::read(DOC, text) {
            Ok(_) => Diagnostics::new(),
            Err(found) => found,
        };
        found.iter().map(|one| format!("{} at {}: {}\n", one.code, one.at, one.message)).collect()
    }

    #[test]
    fn the_built_in_manifests_have_no_mistakes() {
        for name in builtin_names() {
            assert_eq!(told(builtin_text(name).expect("a built-in manifest")), "", "{name}");
        }
    }

    #[test]
    fn every_parameter_belongs_to_a_model_and_has_words_for_all_that_its_card_takes() {
        for name in builtin_names() {
            let manifest = builtin(name).expect("a built-in manifest");
            let protocol = manifest.http.expect("it is spoken to over HTTP");
            let operations: Vec<&OperationCard> = manifest.models.values().flat_map(|card| card.operations.values()).collect();
            for (wire, template) in &protocol.parameters {
                let of_wire: Vec<_> = operations.iter().filter(|card| card.wire.as_deref() == Some(wire)).collect();
                assert!(!of_wire.is_empty(), "{name}: no model is called {wire}");
                for card in of_wire {
                    let aspects = card
                        .aspects
                        .iter()
                        .flatten()
                        .map(ToString::to_string)
                        .filter(|aspect| aspect != "auto")
                        .map(|aspect| ("aspect", json!(aspect)));
                    let resolutions = card.resolutions.iter().flat_map(|all| all.keys()).map(|word| ("resolution", json!(&**word)));
                    let formats = card.formats.iter().map(|format: &ImageFormat| ("format", json!(format.as_str())));
                    for (slot, value) in aspects.chain(resolutions).chain(formats) {
                        // A size in pixels says both.
                        if matches!(slot, "aspect" | "resolution") && ["size", "width", "height"].iter().any(|slot| template.has(slot)) {
                            continue;
                        }
                        let filled =
                            template.fill(&Values::from([(slot, value.clone())]), &protocol.words).unwrap_or_else(|error| panic!("{wire}: {error}"));
                        let filled = filled.unwrap_or_default().to_string();
                        assert!(filled.len() > 4, "{wire} says nothing of {slot} {value}: {filled}");
                    }
                }
            }
        }
    }

    #[test]
    fn mistakes_of_a_manifest_are_found_all_at_once_with_their_places() {
        let kie = builtin_text("kie").expect("a built-in manifest");
        let text = kie
            .replace("hosts: [api.kie.ai, kieai.redpandaai.co]", "hosts: [api.kie.ai]")
            .replace("value: \"Bearer {{ key }}\"", "value: Bearer")
            .replace("origin: upload\n", "origin: uploads\n")
            .replace("timeout: 2m", "timeout: 10m")
            .replace("via seedream-5-pro", "via seedream-5")
            .replace("rendering_speed: \"{{ speed }}\"", "style: AUTO")
            .replace("    z-image: {", "    y-image: {")
            .replace("    task: [/data/taskId]\n", "");
        insta::assert_snapshot!(told(&text), @"
            unknown-host at http.origins.upload: `kieai.redpandaai.co` is not among the manifest's `hosts`, to which alone the key is sent
            no-key-slot at http.auth.value: the key header does not carry the key
            unknown-origin at http.upload.request.origin: there is no origin `uploads`
            long-timeout at http.upload.request.timeout: `10m` is longer than an exchange may take
            unknown-origin at http.upload.instead[0].request.origin: there is no origin `uploads`
            long-timeout at http.upload.instead[0].request.timeout: `10m` is longer than an exchange may take
            unknown-origin at http.upload.instead[1].request.origin: there is no origin `uploads`
            no-result at http.submit: the answer to a submit is either a `task`, or a picture: `picture`, `address` or `bytes`
            unknown-words at http.parameters.seedream/5-pro-image-to-image: there are no words `seedream-5`
            unknown-words at http.parameters.seedream/5-pro-text-to-image: there are no words `seedream-5`
            dropped-setting at models.ideogram-character.operations.edit: `ideogram-character` takes a speed to edit, but its request has no place for it
            dropped-setting at models.ideogram-character.operations.inpaint: `ideogram-character` takes a speed to inpaint, but its request has no place for it
            dropped-setting at models.ideogram-character-remix.operations.edit: `ideogram-character-remix` takes a speed to edit, but its request has no place for it
            dropped-setting at models.ideogram-v3.operations.generate: `ideogram-v3` takes a speed to generate, but its request has no place for it
            dropped-setting at models.ideogram-v3.operations.edit: `ideogram-v3` takes a speed to edit, but its request has no place for it
            dropped-setting at models.ideogram-v3.operations.inpaint: `ideogram-v3` takes a speed to inpaint, but its request has no place for it
            no-parameters at models.z-image.operations.generate.wire: there are no `http.parameters` for `z-image`
            ");
    }

    #[test]
    fn what_goes_in_batches_is_sent_whole_and_by_providers_without_tasks() {
        let openai = builtin_text("openai").expect("a built-in manifest");
        let text = openai.replacen("          quality: \"{{ quality }}\"\n          background", "          background", 1).replacen(
            "      inpaint: *edits-together\n",
            "",
            1,
        );
        insta::assert_snapshot!(told(&text), @"
        dropped-setting at models.gpt-image-2.operations.edit: `gpt-image-2` takes a quality to edit, but its request in a batch has no place for it
        no-batch at models.gpt-image-2.operations.inpaint: `gpt-image-2` goes in batches, and `http.batch.requests` has no `inpaint`
        dropped-setting at models.gpt-image-2.5-flare.operations.edit: `gpt-image-2.5-flare` takes a quality to edit, but its request in a batch has no place for it
        no-batch at models.gpt-image-2.5-flare.operations.inpaint: `gpt-image-2.5-flare` goes in batches, and `http.batch.requests` has no `inpaint`
        dropped-setting at models.gpt-image-2.5-sunburst.operations.edit: `gpt-image-2.5-sunburst` takes a quality to edit, but its request in a batch has no place for it
        no-batch at models.gpt-image-2.5-sunburst.operations.inpaint: `gpt-image-2.5-sunburst` goes in batches, and `http.batch.requests` has no `inpaint`
        ");
        let kie = builtin_text("kie").expect("a built-in manifest");
        let batch =
            "http:\n  batch: { window: 24h, lines: 0, megabytes: 1, requests: { generate: { url: /v1/x, json: { prompt: \"{{ prompt }}\" } } } }\n";
        insta::assert_snapshot!(told(&kie.replacen("http:\n", batch, 1)), @"
        two-kinds-of-tasks at http.batch: batches are for providers whose answer is the picture itself; this one has tasks of its own
        bad-value at http.batch: a batch takes at least one request of one megabyte
        ");
    }

    #[test]
    fn a_slot_or_a_place_that_cannot_be_is_refused_with_its_path() {
        let kie = builtin_text("kie").expect("a built-in manifest");
        let cases = [
            (kie.replacen("{{ wire }}", "{{ wyre }}", 1), "bad-value at http.submit.request.json: there is no slot `wyre`; did you mean `wire`?"),
            (kie.replacen("state: /data/state", "state: data.state", 1), "bad-value at http.poll.state: `data.state` is not a place in an answer"),
            (kie.replacen("base-url: https://api.kie.ai", "base-url: https://key@api.kie.ai", 1), "user, query and fragment do not belong here"),
            (kie.replacen("class: throttled", "class: throtled", 1), "unknown variant `throtled`"),
            (kie.replacen("  success: {", "  sucess: {", 1), "unknown field `sucess`"),
        ];
        for (text, wanted) in cases {
            assert!(told(&text).contains(wanted), "{}", told(&text));
        }
    }
}
