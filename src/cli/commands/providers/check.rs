//! `callsheet providers check`: is a manifest whole, is everything that it sells priced, and what would its requests look like?

use std::path::Path;
use std::sync::Arc;

use crate::catalog::{PriceBook, QuoteInput, builtin};
use crate::cli::console::{self, STRONG};
use crate::cli::diagnostics::{counted_words, render};
use crate::cli::error::{CliError, Outcome};
use crate::cli::exit::Exit;
use crate::cli::market::{Said, book_called};
use crate::provider::http::{DryBody, DryRun, HttpProvider};
use crate::provider::manifest::{self, Manifest};
use crate::provider::{PictureSource, Shot, Slate};
use crate::report::text::{Table, words, wrapped};
use crate::spec::{DiskFiles, Files, Positions, Sources};
use crate::types::diagnostic::{counted, did_you_mean, listed};
use crate::types::{
    Action, AttemptNo, BlobRef, Diagnostics, Digest, Failure, FailureClass, IdempotencyKey, JobKey, Paid, PixelSize, REDACTED, Secret, Settings,
    visible,
};

/// Largest manifest that is checked, 2 MB.
const MAX_BYTES: u64 = 2_000_000;

/// The picture that every edit is asked about.
const SOURCE: PixelSize = PixelSize::new(1024, 1024);

/// The prompt of the requests that are shown.
const PROMPT: &str = "A red cup on a wooden table, \"quoted\" and {braced}";

/// Checks manifests by name or path; all built-in ones if none is named. `model` shows all requests of one.
pub(super) fn check(providers: &[String], model: Option<&str>) -> Outcome<Exit> {
    let named: Vec<&str> = if providers.is_empty() { manifest::builtin_names().to_vec() } else { providers.iter().map(String::as_str).collect() };
    let mut has_errors = false;
    for (place, name) in named.iter().enumerate() {
        if place > 0 {
            console::data("\n")?;
        }
        has_errors |= one(name, model)?;
    }
    Ok(if has_errors { Exit::Mistakes } else { Exit::Done })
}

/// Checks one and tells what was found; returns whether it has mistakes.
fn one(name: &str, model: Option<&str>) -> Outcome<bool> {
    let (shown, text) = text_of(name)?;
    let mut sources = Sources::new();
    let (doc, mut found) = sources.add_yaml(shown.clone(), Arc::clone(&text), Positions::None);
    let manifest = if found.has_errors() { None } else { read(doc, &text, &mut found) };
    let width = console::width();
    let mut said = render(&found, &sources, true, width);
    if !said.is_empty() {
        said.push('\n');
    }
    let count = if found.is_empty() { "no mistakes".to_owned() } else { counted_words(&found) };
    let models = manifest.as_ref().map_or(String::new(), |manifest| format!(", {}", counted(manifest.models.len(), "model")));
    said.push_str(&format!("{}: {count}{models}\n", visible(&shown)));
    console::data(&said)?;
    let Some(manifest) = manifest.filter(|_| !found.has_errors()) else { return Ok(found.has_errors()) };
    if let Some(model) = model.filter(|model| !manifest.models.contains_key(*model)) {
        let help = match did_you_mean(model, manifest.models.keys().map(|name| &**name)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("it has {}", listed(manifest.models.keys(), 12)),
        };
        return Err(CliError::usage(format!("provider `{}` has no model `{model}`", manifest.id), help));
    }
    let book = book_of(&manifest, name)?;
    console::data(&priced(&manifest, &book, width))?;
    requests(&manifest, book, model, width)
}

fn read(doc: crate::types::DocId, text: &str, found: &mut Diagnostics) -> Option<Manifest> {
    let (manifest, mistakes) = Manifest::checked(doc, text);
    found.extend(mistakes);
    manifest
}

/// Returns a manifest's text, and what to call it.
fn text_of(name: &str) -> Outcome<(String, Arc<str>)> {
    if let Some(path) = Said::Here(name.to_owned()).path(Path::new("")) {
        let bytes = DiskFiles
            .read(&path, MAX_BYTES)
            .map_err(|error| CliError::usage(format!("the file `{name}` cannot be read: {error}"), "give the path of a manifest"))?;
        let text = String::from_utf8(bytes).map_err(|_| CliError::usage(format!("the file `{name}` is not UTF-8 text"), "save it as UTF-8"))?;
        return Ok((name.to_owned(), Arc::from(manifest::without_keys(text.trim_start_matches('\u{feff}')))));
    }
    let text = manifest::builtin_text(name).ok_or_else(|| {
        let help = match did_you_mean(name, manifest::builtin_names().iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                format!("providers are {}; a manifest of your own is named by its file: `./my-studio.yaml`", listed(manifest::builtin_names(), 20))
            }
        };
        CliError::usage(format!("there is no provider `{name}`"), help)
    })?;
    Ok((name.to_owned(), Arc::from(text)))
}

/// Returns the book that the manifest names: a built-in one, or a file beside it.
fn book_of(manifest: &Manifest, name: &str) -> Outcome<PriceBook> {
    let said = Said::Here(manifest.prices.to_string()).beside(&Said::Here(name.to_owned()));
    if let (None, None) = (said.path(Path::new("")), builtin::book(said.name())) {
        let help = format!("books are {}; one of your own is named by its file: `./my-prices.yaml`", listed(builtin::book_names(), 20));
        return Err(CliError::usage(format!("`prices: {}` of `{}` is no price book", manifest.prices, manifest.id), help));
    }
    book_called(&said, Path::new(""), &mut Sources::new())
}

/// Returns a line for each model: what it can, and what that costs as it is asked for by default.
fn priced(manifest: &Manifest, book: &PriceBook, width: Option<usize>) -> String {
    let mut table = Table::new(vec![words("model", Some(12)), words("can", None), words("price by default", Some(20))]);
    for (name, card) in &manifest.models {
        for (action, operation) in &card.operations {
            let settings = operation.settle(&Settings::default());
            let input = (*action != Action::Generate).then_some(SOURCE);
            let output = operation.output_size(&settings, input);
            let asked = QuoteInput { model: name, action: *action, settings: &settings, input, output, references: 0, prompt_chars: PROMPT.len() };
            let price = match book.quote(&asked) {
                Ok(quote) => format!("{}, {}", quote.amount, quote.basis),
                Err(unpriced) => format!("unpriced: {unpriced}"),
            };
            table.row(vec![name.to_string(), action.to_string(), price]);
        }
    }
    let date = book.as_of.map_or("undated".to_owned(), |date| format!("of {date}"));
    format!("\nprices `{}` {date}\n{}", visible(&book.name), table.render(width.unwrap_or(120), true))
}

/// Makes a request of every operation, and prints one of each action, or all of one model; returns whether any cannot be made.
fn requests(manifest: &Manifest, book: PriceBook, model: Option<&str>, width: Option<usize>) -> Outcome<bool> {
    if manifest.http.is_none() {
        console::data("\nno `http` part: campaigns can be planned and rehearsed there, not bought\n")?;
        return Ok(false);
    }
    let provider = HttpProvider::new(manifest, book, Secret::new(REDACTED.to_owned()), None)
        .map_err(|error| CliError::usage(error.to_string(), "mend the manifest".to_owned()))?;
    let (mut shown, mut failed, mut text) = (Vec::new(), 0, String::new());
    for (name, card) in &manifest.models {
        for (action, operation) in &card.operations {
            let settings = operation.settle(&Settings::default());
            let input = (*action != Action::Generate).then_some(SOURCE);
            let output = operation.output_size(&settings, input);
            let dry = match provider.dry(&shot(manifest, name, *action, settings, output)) {
                Ok(dry) => dry,
                Err(failure) => {
                    failed += 1;
                    console::error(&format!("no request can be made to {action} with `{}`: {}", visible(name), visible(&failure.message)));
                    continue;
                }
            };
            let is_wanted = model.map_or_else(|| !shown.contains(action), |model| **name == *model);
            if is_wanted {
                shown.push(*action);
                text.push_str(&format!("\n{STRONG}{action} with {}{STRONG:#}, as it would be sent\n{}", visible(name), told(&dry, width)));
            }
        }
    }
    console::data(&text)?;
    if model.is_none() {
        let name = manifest.models.keys().next().map_or("NAME", |name| name);
        console::talk(&format!("all requests of one model: --model {name}"));
    }
    Ok(failed > 0)
}

fn told(dry: &DryRun, width: Option<usize>) -> String {
    let width = width.unwrap_or(120).max(40);
    let mut text = format!("  {}\n", visible(&dry.line));
    for (name, value) in &dry.headers {
        text.push_str(&format!("  {}: {}\n", visible(name), visible(value)));
    }
    match &dry.body {
        DryBody::Nothing => {}
        DryBody::Json(value) => {
            for line in format!("{value:#}").lines() {
                text.push_str(&format!("  {}\n", visible(line)));
            }
        }
        DryBody::Form(fields) => {
            for (name, value) in fields {
                text.push_str(&format!("  {}\n", wrapped(&visible(&format!("{name}={value}")), width, 4)));
            }
        }
    }
    text
}

/// A shot that nobody buys.
fn shot(manifest: &Manifest, model: &Arc<str>, action: Action, settings: Settings, output: PixelSize) -> Shot {
    let slate = Slate { campaign: "check".to_owned(), step: "check".to_owned(), axes: Vec::new(), take: None, subject: String::new() };
    Shot {
        key: JobKey(Digest::of(model.as_bytes())),
        attempt: AttemptNo(1),
        idempotency_key: IdempotencyKey::new("0123456789abcdef"),
        paid: Arc::new(Paid { provider: Arc::clone(&manifest.id), model: Arc::clone(model), action, settings }),
        prompt: Arc::from(PROMPT),
        inputs: Vec::new(),
        output,
        slate,
        pictures: Arc::new(NoPictures),
    }
}

/// No picture is needed for a request that is not sent.
struct NoPictures;

impl PictureSource for NoPictures {
    fn open(&self, _: BlobRef) -> futures_util::future::BoxFuture<'_, Result<Vec<u8>, Failure>> {
        Box::pin(async { Err(Failure::new(FailureClass::Local, "no-picture", "nothing is sent")) })
    }
}
