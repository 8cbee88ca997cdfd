//! Who sells: the providers of a campaign, ready to be bought from, each with its own key from the environment.
//!
//! In: an opened campaign, the command line's addresses. Out: [`Sellers`], or why nothing can be bought.
//! Never: a request; a key in a word that is printed; the key, or the address, of one provider in what goes to another.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt, ready};

use super::args::BaseUrl;
use super::context::Opened;
use super::error::{CliError, Outcome};
use super::market::Seller;
use super::words::typed;
use super::{keys, market};
use crate::plan::JobIx;
use crate::provider::http::HttpProvider;
use crate::provider::http::protocol::Origin;
use crate::provider::manifest::Manifest;
use crate::provider::{BatchDesk, ByteStream, Polled, Provider, ResultRef, Shot, Submitted};
use crate::types::diagnostic::listed;
use crate::types::{Failure, FailureClass, Operation, TaskId};

/// Providers by name; each shot goes to its own.
pub struct Sellers<P = HttpProvider>(BTreeMap<Arc<str>, P>);

impl<P> Sellers<P> {
    /// Returns each provider with its name.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &P)> {
        self.0.iter()
    }

    /// Returns the provider of this name.
    pub fn called(&self, name: &str) -> Option<&P> {
        self.0.get(name)
    }

    /// Makes of each provider another one, under its name.
    pub fn each<Q>(self, make: impl Fn(P) -> Q) -> Sellers<Q> {
        Sellers(self.0.into_iter().map(|(name, provider)| (name, make(provider))).collect())
    }

    fn of(&self, shot: &Shot) -> Result<&P, Failure> {
        let lacking = || Failure::new(FailureClass::Invalid, "no-provider", format!("`{}` was not prepared for this run", shot.paid.provider));
        self.0.get(&shot.paid.provider).ok_or_else(lacking)
    }
}

/// Sends each call to the provider of its shot.
impl Provider for Sellers<Arc<dyn Provider>> {
    fn submit<'a>(&'a self, shot: &'a Shot) -> BoxFuture<'a, Result<Submitted, Failure>> {
        self.of(shot).map_or_else(|lacking| ready(Err(lacking)).boxed(), |provider| provider.submit(shot))
    }

    fn poll<'a>(&'a self, shot: &'a Shot, task: &'a TaskId) -> BoxFuture<'a, Result<Polled, Failure>> {
        self.of(shot).map_or_else(|lacking| ready(Err(lacking)).boxed(), |provider| provider.poll(shot, task))
    }

    fn fetch<'a>(&'a self, shot: &'a Shot, task: &'a TaskId, result: &'a ResultRef) -> BoxFuture<'a, Result<ByteStream, Failure>> {
        self.of(shot).map_or_else(|lacking| ready(Err(lacking)).boxed(), |provider| provider.fetch(shot, task, result))
    }

    fn begin(&self, desk: BatchDesk) {
        self.0.values().for_each(|provider| provider.begin(desk.clone()));
    }

    fn batches(&self) -> BoxFuture<'_, Vec<(TaskId, String)>> {
        async move {
            let mut all = Vec::new();
            for provider in self.0.values() {
                all.extend(provider.batches().await);
            }
            all
        }
        .boxed()
    }
}

/// Prepares to buy what a campaign asks for; nothing is sent. Only who makes one of the `wanted` shots is prepared.
///
/// # Errors
/// No provider, no key, no way to speak to it: nothing was sent, and how to mend it; all missing keys at once.
pub fn connect(opened: &Opened, elsewhere: &[BaseUrl], wanted: impl Fn(JobIx) -> bool) -> Outcome<Sellers> {
    let rehearse = format!("rehearse it for nothing: callsheet run {} --rehearse", typed(&opened.path));
    let mut makers: BTreeMap<Arc<str>, Option<&Seller>> = BTreeMap::new();
    for ix in opened.plan.indices().filter(|ix| wanted(*ix)) {
        if let Operation::Paid(paid) = &opened.plan.job(ix).operation {
            makers.insert(Arc::clone(&paid.provider), opened.sellers.get(&paid.provider));
        }
    }
    if opened.manifest.is_none() && (makers.is_empty() || makers.values().any(Option::is_none)) {
        let help = format!("add `provider: {}`, or {rehearse}", market::BUILTIN_EXAMPLE);
        return Err(CliError::usage("nothing was sent: the campaign names no provider, so there is nobody to buy from", help));
    }
    if makers.is_empty() {
        makers.extend(opened.sellers.iter().map(|(name, seller)| (Arc::clone(name), Some(seller))));
    }
    if let Some(other) = elsewhere.iter().find(|other| !opened.sellers.contains_key(&*other.provider)) {
        let names: Vec<&str> = opened.sellers.keys().map(|name| &**name).collect();
        let fact = format!("nothing was sent: `--base-url` names `{}`, but the campaign buys from {}", other.provider, listed(&names, 8));
        return Err(CliError::usage(fact, format!("write `--base-url {}={}`", names.first().unwrap_or(&market::BUILTIN_EXAMPLE), other.origin)));
    }
    let sellers: Vec<&Seller> = makers.into_values().flatten().collect();
    let without: Vec<&Manifest> = sellers.iter().map(|seller| &seller.manifest).filter(|manifest| keys::key(&manifest.key_env).is_none()).collect();
    if !without.is_empty() {
        return Err(no_keys(&without, &rehearse));
    }
    let mut prepared = BTreeMap::new();
    for seller in sellers {
        let own = elsewhere.iter().rev().find(|other| other.provider == *seller.manifest.id).map(|other| other.origin.clone());
        let provider = speak(opened, seller, own.or_else(|| seller.own.clone()), &rehearse)?;
        prepared.insert(Arc::clone(&seller.manifest.id), provider);
    }
    Ok(Sellers(prepared))
}

fn speak(opened: &Opened, seller: &Seller, own: Option<Origin>, rehearse: &str) -> Outcome<HttpProvider> {
    let manifest = &seller.manifest;
    let key = keys::key(&manifest.key_env).ok_or_else(|| no_keys(&[manifest], rehearse))?;
    let book = opened.catalog.at(&manifest.id).book.clone();
    HttpProvider::new(manifest, book, key, own).map_err(|error| CliError::usage(format!("nothing was sent: {error}"), rehearse.to_owned()))
}

fn no_keys(without: &[&Manifest], rehearse: &str) -> CliError {
    let named = |manifest: &&Manifest| format!("there is no key for {}, the environment variable {} is not set", manifest.title, manifest.key_env);
    let fact = without.iter().map(named).collect::<Vec<_>>().join("; ");
    let it = if without.len() == 1 { "it" } else { "them" };
    CliError::Account(format!("nothing was sent: {fact}"), format!("set {it}, or {rehearse}"))
}

/// Returns what should be known of where a campaign sends keys that its manifest does not say; such an address stands in the file.
pub fn told_elsewhere(opened: &Opened) -> Vec<String> {
    let told = opened.sellers.values().filter_map(|seller| {
        let (own, manifest) = (seller.own.as_ref()?, &seller.manifest);
        Some(format!("the campaign sends all that is meant for {} to {own}, with the key in {}", manifest.id, manifest.key_env))
    });
    told.collect()
}
