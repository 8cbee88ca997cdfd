//! `callsheet providers balance`: what is left on the accounts whose keys are at hand.

use std::path::Path;

use crate::cli::args::BaseUrl;
use crate::cli::console;
use crate::cli::error::{CliError, Outcome};
use crate::cli::exit::Exit;
use crate::cli::keys;
use crate::cli::market::{Said, book_called, provider_called};
use crate::provider::Provider as _;
use crate::provider::http::HttpProvider;
use crate::provider::manifest::{self, Manifest};
use crate::report::text::{Table, words};
use crate::spec::Sources;
use crate::types::diagnostic::listed;
use crate::types::{Failure, FailureClass, Micros};

/// What an account answered.
enum Answer {
    Told(String),
    /// There is no way to ask.
    Silent(String),
    /// The account itself is refused.
    Refused(String),
    /// No clear answer.
    Broken(String),
}

/// Asks each provider that is named, or each built-in one whose key is there.
pub(super) fn balance(named: &[String], elsewhere: &[BaseUrl]) -> Outcome<Exit> {
    let manifests = chosen(named)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| CliError::Io("cannot start the workers".to_owned(), error))?;
    let mut table = Table::new(vec![words("provider", None), words("key in", None), words("balance", Some(30))]);
    let (mut refused, mut broken) = (false, false);
    for (said, manifest) in &manifests {
        let provider = prepared(said, manifest, elsewhere)?;
        let answer = runtime.block_on(ask(&provider));
        (refused, broken) = (refused || matches!(answer, Answer::Refused(_)), broken || matches!(answer, Answer::Broken(_)));
        let (Answer::Told(words) | Answer::Silent(words) | Answer::Refused(words) | Answer::Broken(words)) = answer;
        table.row(vec![manifest.id.to_string(), manifest.key_env.clone(), words]);
    }
    console::data(&table.render(console::width().unwrap_or(120), true))?;
    Ok(if refused {
        Exit::Account
    } else if broken {
        Exit::SomeFailed
    } else {
        Exit::Done
    })
}

fn chosen(named: &[String]) -> Outcome<Vec<(Said, Manifest)>> {
    if !named.is_empty() {
        let read = |name: &String| {
            let said = Said::Here(name.clone());
            provider_called(&said, Path::new(""), &mut Sources::new()).map(|manifest| (said, manifest))
        };
        return named.iter().map(read).collect();
    }
    let all: Vec<Manifest> = manifest::builtin_names().iter().filter_map(|name| manifest::builtin(name)).collect();
    let with_key: Vec<(Said, Manifest)> = all
        .iter()
        .filter(|manifest| keys::key(&manifest.key_env).is_some())
        .map(|manifest| (Said::Here(manifest.id.to_string()), manifest.clone()))
        .collect();
    if with_key.is_empty() {
        let names: Vec<&str> = all.iter().map(|manifest| manifest.key_env.as_str()).collect();
        return Err(CliError::Account(
            "nothing was asked: no key is set".to_owned(),
            format!("set one of {}, or name a manifest of your own", listed(&names, 20)),
        ));
    }
    Ok(with_key)
}

/// Prepares to ask a provider, as a user's words name it.
pub(super) fn prepared(said: &Said, manifest: &Manifest, elsewhere: &[BaseUrl]) -> Outcome<HttpProvider> {
    let key = keys::key(&manifest.key_env).ok_or_else(|| {
        let fact = format!("nothing was asked: there is no key for {}, the environment variable {} is not set", manifest.title, manifest.key_env);
        CliError::Account(fact, "set it, or name a file that holds it with `--env-file`".to_owned())
    })?;
    let book = book_called(&Said::Here(manifest.prices.to_string()).beside(said), Path::new(""), &mut Sources::new())?;
    let own = elsewhere.iter().rev().find(|other| other.provider == *manifest.id).map(|other| other.origin.clone());
    HttpProvider::new(manifest, book, key, own)
        .map_err(|error| CliError::usage(format!("nothing was asked: {error}"), "only an `http` part can be asked".to_owned()))
}

async fn ask(provider: &HttpProvider) -> Answer {
    if let Some(why) = provider.lacks_balance() {
        return Answer::Silent(format!("not told: {why}"));
    }
    match provider.balance().await {
        Ok(Some(amount)) => {
            let usd = provider.book().usd(&amount).filter(|usd| usd.currency != amount.currency && usd.micros > Micros::ZERO);
            Answer::Told(usd.map_or_else(|| amount.to_string(), |usd| format!("{amount} ({usd})")))
        }
        Ok(None) => Answer::Broken("the answer holds no figure where the manifest looks for it".to_owned()),
        Err(failure) if failure.class == FailureClass::Account => Answer::Refused(format!("the account is refused: {}", words_of(&failure))),
        Err(failure) => Answer::Broken(format!("no answer: {}", words_of(&failure))),
    }
}

fn words_of(failure: &Failure) -> String {
    format!("{} ({})", failure.message, failure.code)
}
