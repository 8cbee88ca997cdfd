//! Mistakes of a manifest about tasks: addresses, states, results, ways to hand pictures over.
//!
//! In: the `http` part. Out: diagnostics, each with its path.
//! Never: a task that could be paid and not be asked after.

use reqwest::header::HeaderName;

use super::check::Check;
use super::hosts;
use super::protocol::{Request, TaskState, Told};
use crate::types::{DocId, FieldPath};

/// Adds what is wrong.
pub(super) fn check(check: &mut Check<'_>, doc: DocId) {
    hosts(check, doc);
    requests(check);
    poll(check);
    headers(check);
    upload(check);
}

fn hosts(check: &mut Check<'_>, doc: DocId) {
    for (index, host) in check.manifest.hosts.iter().enumerate() {
        if let Some(why) = hosts::mistake(host) {
            let at = FieldPath::root(doc).key("hosts").index(index);
            check.wrong("bad-host", at, format!("`{host}` would let the key go to strangers"), why.to_owned());
        }
    }
}

/// A request needs a path, or an address that an answer has told.
fn requests(check: &mut Check<'_>) {
    let tells =
        |places: fn(&super::protocol::SubmitCall) -> &Vec<super::place::Place>| move |call: &super::protocol::SubmitCall| !places(call).is_empty();
    let submits = check.submits();
    let polls = submits.iter().all(|(_, call)| call.task.is_empty() || tells(|call| &call.poll_url)(call));
    let results = submits.iter().all(|(_, call)| call.task.is_empty() || tells(|call| &call.result_url)(call));
    let is_about_a_task = |request: &Request| {
        let own = [check.protocol.poll.as_ref().map(|call| &call.request), check.protocol.result.as_ref().map(|call| &call.request)];
        own.into_iter().flatten().any(|known| std::ptr::eq(known, request))
    };
    let mut found = Vec::new();
    for (at, request) in check.requests() {
        match request.told {
            None if request.path.is_empty() => found.push(("no-path", at, "the request says nowhere to go".to_owned(), "add `path:`")),
            Some(_) if !is_about_a_task(request) => {
                let message = "only `poll` and `result` ask after a task, so only they know an address that was told".to_owned();
                found.push(("no-told", at.key("told"), message, "leave it out and give a `path`"));
            }
            Some(Told::PollUrl) if !polls => {
                found.push((
                    "no-told",
                    at.key("told"),
                    "a submit tells no `poll-url`".to_owned(),
                    "say where its answer keeps it: `poll-url: [/polling_url]`",
                ));
            }
            Some(Told::ResultUrl) if !results => {
                found.push((
                    "no-told",
                    at.key("told"),
                    "a submit tells no `result-url`".to_owned(),
                    "say where its answer keeps it: `result-url: [/response_url]`",
                ));
            }
            _ => {}
        }
    }
    for (code, at, message, help) in found {
        check.wrong(code, at, message, help.to_owned());
    }
}

/// A task must be able to come to an end, with pictures.
fn poll(check: &mut Check<'_>) {
    let at = check.http.clone().key("poll");
    let Some(call) = &check.protocol.poll else {
        if check.protocol.result.is_some() {
            let at = check.http.clone().key("result");
            check.wrong(
                "no-poll",
                at,
                "a result is asked for once a task is ready, and no task is asked after".to_owned(),
                "add `http.poll`".to_owned(),
            );
        }
        return;
    };
    let is_silent = call.state.is_none() && call.by_status.is_empty();
    if !is_silent && !call.states.values().chain(call.by_status.values()).any(|state| *state == TaskState::Ready) {
        let help = "say what its word or its status is: `states: { done: ready }` or `by-status: { 200: ready }`".to_owned();
        check.wrong("never-ready", at.clone(), "no answer says that a task is ready".to_owned(), help);
    }
    if call.state.is_none() && !call.states.is_empty() {
        check.wrong(
            "no-state",
            at.clone().key("states"),
            "the words have no place".to_owned(),
            "add `state:`, where the answer says how the task stands".to_owned(),
        );
    }
    if call.results.is_empty() && check.protocol.result.is_none() {
        check.wrong("no-result", at, "nothing says where the pictures are".to_owned(), "add `results:`, or the call `http.result`".to_owned());
    }
}

fn headers(check: &mut Check<'_>) {
    for (index, rule) in check.protocol.errors.iter().enumerate() {
        for name in rule.headers.keys().filter(|name| name.parse::<HeaderName>().is_err()) {
            let at = check.http.clone().key("errors").index(index).key("headers");
            check.wrong("bad-header", at, format!("`{name}` is no name of a header"), "write it as the provider's documents do".to_owned());
        }
    }
}

/// The first way serves every picture.
fn upload(check: &mut Check<'_>) {
    let Some(call) = &check.protocol.upload else { return };
    if call.request.json.as_ref().is_some_and(|json| json.has("source-url")) {
        let at = check.http.clone().key("upload").key("request").key("json");
        let message = "most pictures have no `{{ source-url }}`: only those that the provider has made itself".to_owned();
        check.wrong("no-source", at, message, "move this way below `instead:`".to_owned());
    }
}

#[cfg(test)]
mod tests {
    use crate::provider::manifest::{Manifest, builtin_text};
    use crate::types::DocId;

    fn told(text: &str) -> String {
        match Manifest::read(DocId(1), text) {
            Ok(_) => String::new(),
            Err(found) => found.iter().map(|one| format!("{} at {}: {}\n", one.code, one.at, one.message)).collect(),
        }
    }

    fn with(provider: &str, changes: &[(&str, &str)]) -> String {
        let mut text = builtin_text(provider).expect("a built-in manifest").to_owned();
        for (from, to) in changes {
            assert!(text.contains(from), "`{from}` stands in {provider}");
            text = text.replacen(from, to, 1);
        }
        told(&text)
    }

    #[test]
    fn tasks_that_could_be_paid_and_not_be_asked_after_are_mistakes() {
        let slips = [
            ("    poll-url: [/status_url]\n", ""),
            ("    result-url: [/response_url]\n", ""),
            ("COMPLETED: ready", "COMPLETED: running"),
            ("by-status: { 202: running, 200: ready }", "by-status: { 202: running }"),
            ("path: \"/{{ wire }}\"\n", "told: poll-url\n"),
            ("{ x-fal-retryable: [\"true\"] }", "{ \"x fal\": [] }"),
            ("hosts: [queue.fal.run, rest.fal.ai]", "hosts: [queue.fal.run, rest.fal.ai, \"*.run\"]"),
        ];
        insta::assert_snapshot!(with("fal", &slips), @"
        bad-host at hosts[2]: `*.run` would let the key go to strangers
        no-told at http.submit.request.told: only `poll` and `result` ask after a task, so only they know an address that was told
        no-told at http.poll.request.told: a submit tells no `poll-url`
        no-told at http.result.request.told: a submit tells no `result-url`
        never-ready at http.poll: no answer says that a task is ready
        bad-header at http.errors[2].headers: `x fal` is no name of a header
        ");
    }

    #[test]
    fn states_and_results_need_a_place() {
        let nowhere = [("    state: /status\n", ""), ("    results: [/result/sample]\n", "")];
        insta::assert_snapshot!(with("bfl", &nowhere), @"
        no-state at http.poll.states: the words have no place
        no-result at http.poll: nothing says where the pictures are
        ");
        let first = [
            ("json: { file_name: \"{{ file-name }}\", content_type: \"{{ media }}\" }", "json: { from: \"{{ source-url }}\" }"),
            ("  poll:\n    request", "  pol:\n    request"),
        ];
        assert!(with("fal", &first).contains("unknown field `pol`"));
        insta::assert_snapshot!(with("fal", &first[..1]), @"no-source at http.upload.request.json: most pictures have no `{{ source-url }}`: only those that the provider has made itself");
        let bare = [
            "provider: p\ntitle: P\nkey-env: P\nhosts: [a.example]\nprices: kie\nmodels: {}",
            "charge: { on: submit, refund-on-failure: unknown, moderation-charged: unknown, ambiguous-on-timeout: true }",
            "http:\n  base-url: https://a.example\n  auth: { header: a, value: \"{{ key }}\" }\n  error: {}",
            "  submit: { request: { json: {} }, picture: [/a] }\n  result: { request: { method: get, path: /r }, results: [/a] }\n",
        ];
        insta::assert_snapshot!(told(&bare.join("\n")), @"
        no-path at http.submit.request: the request says nowhere to go
        no-poll at http.result: a result is asked for once a task is ready, and no task is asked after
        no-models at models: the provider has no models
        ");
    }

    #[test]
    fn figures_are_places_or_say_more_and_nothing_else() {
        for (figure, wanted) in
            [("[{ headr: a }]", "unknown field `headr`"), ("[{ at: /b, divisor: 0 }]", "nonzero"), ("[cost]", "`cost` is not a place in an answer")]
        {
            let found = with("bfl", &[("charged: [/cost]", &format!("charged: {figure}"))]);
            assert!(found.contains(wanted), "{figure}: {found}");
        }
    }
}
