//! `callsheet providers refresh`: what a provider says of itself today beside what is built in. Only when it is asked for; nothing is written.

use std::time::Duration;

use crate::catalog::builtin;
use crate::cli::args::BaseUrl;
use crate::cli::console::{self, STRONG};
use crate::cli::error::{CliError, Outcome};
use crate::cli::exit::Exit;
use crate::cli::market::Said;
use crate::provider::http::HttpProvider;
use crate::provider::kie::{self, Moved, What};
use crate::provider::manifest::{self, Manifest};
use crate::report::text::wrapped;
use crate::types::diagnostic::counted;
use crate::types::{Failure, FailureClass, visible};

/// The provider whose discovery is documented.
const KNOWN: &str = "kie";

/// Pause between two questions: its documents allow one a second.
const PAUSE: Duration = Duration::from_secs(1);

/// Asks and compares; `schemas` says whether each model's schema is asked for too.
pub(super) fn refresh(name: &str, schemas: bool, elsewhere: &[BaseUrl]) -> Outcome<Exit> {
    if name != KNOWN {
        let fact = format!("nothing was asked: no free way to ask `{name}` for its models, schemas and prices is known");
        return Err(CliError::usage(fact, format!("it is known of `{KNOWN}`; compare others with their documents")));
    }
    let lacking = || CliError::usage("nothing was asked: the provider is not built in", "name a built-in one");
    let (manifest, book) = (manifest::builtin(KNOWN).ok_or_else(lacking)?, builtin::book(KNOWN).ok_or_else(lacking)?);
    let provider = super::balance::prepared(&Said::Here(KNOWN.to_owned()), &manifest, elsewhere)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| CliError::Io("cannot start the workers".to_owned(), error))?;

    let answer = match runtime.block_on(provider.look(kie::CATALOG)) {
        Ok(answer) => answer,
        Err(failure) => return unanswered(&failure),
    };
    let live = kie::listing(&answer)
        .ok_or_else(|| CliError::usage("the catalog came in a form that is not known", "nothing can be compared; look at its documents"))?;
    let pictures = live.iter().filter(|one| one.makes_pictures()).count();
    console::talk(&format!("{} listed, {pictures} of them for pictures", counted(live.len(), "model")));
    let mut moved = kie::compare_models(&manifest, &live);
    moved.extend(live.iter().flat_map(|one| kie::compare_price(&manifest, &book, one)));
    let mut unseen = Vec::new();
    if schemas {
        let known = kie::built_in(&manifest);
        let pause = if elsewhere.is_empty() { PAUSE } else { Duration::ZERO };
        let listed = known.keys().filter(|wire| live.iter().any(|one| one.wire == **wire));
        runtime.block_on(compare_schemas(&provider, &manifest, listed, pause, &mut moved, &mut unseen));
    }
    moved.sort();
    console::data(&told(&moved, &unseen, schemas))?;
    Ok(if unseen.is_empty() { Exit::Done } else { Exit::SomeFailed })
}

async fn compare_schemas(
    provider: &HttpProvider,
    manifest: &Manifest,
    wires: impl Iterator<Item = &String>,
    pause: Duration,
    moved: &mut Vec<Moved>,
    unseen: &mut Vec<String>,
) {
    for wire in wires {
        tokio::time::sleep(pause).await;
        match provider.look(&kie::schema_path(wire)).await {
            Ok(answer) => moved.extend(kie::compare_schema(manifest, wire, &answer)),
            Err(failure) => {
                unseen.push(format!("{wire}: {} ({})", failure.message, failure.code));
                // Who refuses the key refuses it for the next one too.
                if failure.class == FailureClass::Account {
                    return;
                }
            }
        }
    }
}

fn unanswered(failure: &Failure) -> Outcome<Exit> {
    let fact = format!("the catalog could not be read: {} ({})", failure.message, failure.code);
    if failure.class == FailureClass::Account {
        return Err(CliError::Account(fact, "look at the key and at the account's page".to_owned()));
    }
    console::error(&visible(&fact));
    Ok(Exit::SomeFailed)
}

fn told(moved: &[Moved], unseen: &[String], schemas: bool) -> String {
    let width = console::width().unwrap_or(100).max(40);
    let mut text = String::new();
    for what in [What::Model, What::Schema, What::Price] {
        for one in moved.iter().filter(|one| one.what == what) {
            let line = format!("{} {}: {}", what.as_str(), visible(&one.wire), visible(&one.sentence));
            text.push_str(&format!("{}\n", wrapped(&line, width, 2)));
        }
    }
    for line in unseen {
        text.push_str(&format!("{}\n", wrapped(&format!("unseen {}", visible(line)), width, 2)));
    }
    if moved.is_empty() {
        text.push_str("nothing has moved\n");
    } else {
        text.push_str(&format!(
            "\n{STRONG}{} moved{STRONG:#} since the built-in data was read; nothing was changed here\n",
            counted(moved.len(), "thing")
        ));
    }
    if !schemas {
        text.push_str("schemas were not asked for: `--schemas` does, one a second\n");
    }
    text
}
