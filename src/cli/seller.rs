//! Who sells: the provider of a campaign, ready to be bought from, with the key from the environment.
//!
//! In: an opened campaign, the command line's addresses. Out: [`HttpProvider`], or why nothing can be bought.
//! Never: a request; the key in a word that is printed.

use super::args::BaseUrl;
use super::context::Opened;
use super::error::{CliError, Outcome};
use super::market;
use crate::provider::http::HttpProvider;
use crate::provider::manifest::Manifest;
use crate::types::Secret;

/// Prepares to buy what a campaign asks for; nothing is sent.
///
/// # Errors
/// No provider, no key, no way to speak to it: nothing was sent, and how to mend it.
pub fn connect(opened: &Opened, elsewhere: &[BaseUrl]) -> Outcome<HttpProvider> {
    let rehearse = format!("rehearse it for nothing: callsheet run {} --rehearse", opened.path.display());
    let Some(manifest) = &opened.manifest else {
        let help = format!("add `provider: {}`, or {rehearse}", market::BUILTIN_EXAMPLE);
        return Err(CliError::usage("nothing was sent: the campaign names no provider, so there is nobody to buy from", help));
    };
    if let Some(other) = elsewhere.iter().find(|other| other.provider != *manifest.id) {
        let fact = format!("nothing was sent: `--base-url` names `{}`, but the campaign buys from `{}`", other.provider, manifest.id);
        return Err(CliError::usage(fact, format!("write `--base-url {}={}`", manifest.id, other.origin)));
    }
    let key = key(manifest).ok_or_else(|| {
        let fact = format!("nothing was sent: there is no key for {}, the environment variable {} is not set", manifest.title, manifest.key_env);
        CliError::Account(fact, format!("set it, or {rehearse}"))
    })?;
    let own = elsewhere.last().map(|other| other.origin.clone());
    HttpProvider::new(manifest, opened.catalog.book.clone(), key, own)
        .map_err(|error| CliError::usage(format!("nothing was sent: {error}"), rehearse))
}

/// Returns the key of a provider, without the line end that a file may have left on it.
fn key(manifest: &Manifest) -> Option<Secret> {
    let text = std::env::var(&manifest.key_env).ok()?;
    let text = text.trim();
    (!text.is_empty()).then(|| Secret::new(text.to_owned()))
}
