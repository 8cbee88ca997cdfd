//! Who makes the pictures and what they cost: provider and price book, built in or a user's own file.
//!
//! In: names or paths, from the campaign or the command line. Out: a [`Catalog`] and the provider's [`Manifest`].
//! Never: a manifest or a book that nobody asked for is read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indexmap::IndexMap;

use super::error::{CliError, Outcome};
use crate::catalog::{Catalog, PriceBook, builtin};
use crate::provider::http::protocol::Origin;
use crate::provider::manifest::{self, Manifest, Window};
use crate::spec::{DiskFiles, Files, Positions, ProviderSpec, Sources};
use crate::types::diagnostic::{did_you_mean, listed};
use crate::types::{Diagnostic, Diagnostics, Digest, FieldPath};

/// Largest manifest or book, 2 MB: the largest of ours has 20 KB.
const MAX_BYTES: u64 = 2_000_000;

/// A provider to name in hints.
pub const BUILTIN_EXAMPLE: &str = "kie";

/// Where a name was said: decides how a mistake in it is shown, and what its paths are relative to.
#[derive(Debug, Clone)]
pub enum Said {
    /// On the command line; paths are relative to the current folder.
    Here(String),
    /// In the campaign, at this place; paths are relative to the campaign's folder.
    InCampaign {
        /// The name.
        name: String,
        /// Where it stands.
        at: FieldPath,
    },
}

impl Said {
    /// Returns the name as it was said.
    pub fn name(&self) -> &str {
        match self {
            Self::Here(name) | Self::InCampaign { name, .. } => name,
        }
    }

    /// Returns the path, if the name is one.
    pub(super) fn path(&self, base: &Path) -> Option<PathBuf> {
        let name = self.name();
        let is_path = name.contains(['/', '\\']) || name.ends_with(".yaml") || name.ends_with(".yml");
        is_path.then(|| match self {
            Self::Here(_) => PathBuf::from(name),
            Self::InCampaign { .. } => base.join(name),
        })
    }

    /// Returns the same name as a file says it that is called `file`: paths in it are relative to its folder.
    pub(super) fn beside(&self, file: &Self) -> Self {
        let folder = file.path(Path::new("")).and_then(|_| Path::new(file.name()).parent().map(Path::to_owned));
        let name = match (self.path(Path::new("")), folder) {
            (Some(path), Some(folder)) => folder.join(path).display().to_string(),
            _ => self.name().to_owned(),
        };
        match file {
            Self::Here(_) => Self::Here(name),
            Self::InCampaign { at, .. } => Self::InCampaign { name, at: at.clone() },
        }
    }

    /// Says a mistake in the name at its place.
    fn wrong(&self, code: &'static str, message: String, help: String, sources: &Sources) -> CliError {
        match self {
            Self::Here(_) => CliError::usage(message, help),
            Self::InCampaign { at, .. } => mistakes(Diagnostic::error(code, at.clone(), message).help(help).into(), sources),
        }
    }
}

/// Providers and prices of a campaign.
#[derive(Debug)]
pub struct Market {
    /// What can be asked for, and what it costs.
    pub catalog: Catalog,
    /// The campaign's own provider; `None` for a campaign that names none: it can be planned and rehearsed.
    pub manifest: Option<Manifest>,
    /// All providers by name, the campaign's own among them.
    pub sellers: BTreeMap<Arc<str>, Seller>,
}

/// A provider with what the campaign says of its account there.
#[derive(Debug, Clone)]
pub struct Seller {
    /// Its manifest, with the account's own key variable and limits.
    pub manifest: Manifest,
    /// The address that stands for all of its own.
    pub own: Option<Origin>,
    /// Digest of the manifest's text.
    pub digest: Digest,
}

/// Which providers and which books.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// The campaign's own provider.
    pub provider: Option<Said>,
    /// The book of its own provider; on the command line that of all.
    pub prices: Option<Said>,
    /// Those that single parts of the campaign name.
    pub further: Vec<Said>,
    /// What the campaign says of its accounts.
    pub accounts: &'a IndexMap<String, ProviderSpec>,
}

/// Finds providers and books. Files that the campaign names are read from `files`, those of the command line from the disk; all
/// that are read are added to `sources`.
///
/// # Errors
/// Unknown names with what was probably meant; mistakes in files with line and column.
pub fn market_in(wanted: &Wanted<'_>, base: &Path, files: &dyn Files, sources: &mut Sources) -> Outcome<Market> {
    let mut market = Reading { wanted, base, files, sources };
    let own = wanted.provider.as_ref().map(|said| market.seller(said)).transpose()?;
    let mut catalog = match (&wanted.prices, &own) {
        (said, Some(own)) => market.catalog(own, said.as_ref(), wanted.provider.as_ref())?,
        (Some(said), None) => {
            let book = book_in(said, base, files, market.sources)?;
            Catalog::new(Arc::clone(&book.name), BTreeMap::new(), book)
        }
        (None, None) => {
            let help = format!("name who makes the pictures, `provider: kie`, or only whose prices hold: {}", listed(builtin::book_names(), 8));
            let at = FieldPath::campaign().key("campaign").at_key();
            let found = Diagnostic::error("no-prices", at, "the campaign names neither a `provider` nor `prices`").help(help);
            return Err(mistakes(found.into(), market.sources));
        }
    };
    let manifest = own.as_ref().map(|own| own.manifest.clone());
    let mut sellers: BTreeMap<Arc<str>, Seller> = own.into_iter().map(|own| (Arc::clone(&own.manifest.id), own)).collect();
    let mut others: BTreeMap<Arc<str>, Catalog> = BTreeMap::new();
    for said in &wanted.further {
        let seller = market.seller(said)?;
        let id = Arc::clone(&seller.manifest.id);
        match sellers.get(&id) {
            Some(known) if known.digest != seller.digest => {
                let message = format!("two different manifests call themselves `{id}`");
                return Err(said.wrong(
                    "two-manifests",
                    message,
                    "give one of them another name: `provider:` in its first lines".to_owned(),
                    market.sources,
                ));
            }
            Some(_) => {}
            None => {
                // A book on the command line is that of everything.
                let book = wanted.prices.as_ref().filter(|prices| matches!(prices, Said::Here(_)));
                others.insert(Arc::clone(&id), market.catalog(&seller, book, Some(said))?);
                sellers.insert(Arc::clone(&id), seller);
            }
        }
        others.get_mut(&id).unwrap_or(&mut catalog).said_as.push(Arc::from(said.name()));
    }
    market.knows_accounts(&sellers)?;
    if others.is_empty() {
        return Ok(Market { catalog, manifest, sellers });
    }
    let at = wanted.further.iter().find_map(|said| if let Said::InCampaign { at, .. } = said { Some(at.clone()) } else { None });
    let catalog = catalog.with_others(others.into_values()).map_err(|book| {
        let message =
            format!("book `{}` counts in credits and states no rate to dollars, so nothing can be added to what other providers cost", book.name);
        let help = format!(
            "save it with a rate of yours: `callsheet prices show {} --format yaml`, add `usd-per-credit`, and name the file as `prices`",
            book.name
        );
        mistakes(Diagnostic::error("no-common-currency", at.unwrap_or_else(FieldPath::campaign), message).help(help).into(), market.sources)
    })?;
    Ok(Market { catalog, manifest, sellers })
}

/// What is read from, and what is wanted of it.
struct Reading<'a> {
    wanted: &'a Wanted<'a>,
    base: &'a Path,
    files: &'a dyn Files,
    sources: &'a mut Sources,
}

impl Reading<'_> {
    /// Every account belongs to a provider that there is.
    fn knows_accounts(&self, sellers: &BTreeMap<Arc<str>, Seller>) -> Outcome<()> {
        let mut said = self.wanted.provider.iter().chain(&self.wanted.further).map(Said::name);
        let mut found = Diagnostics::new();
        for name in self.wanted.accounts.keys() {
            // A manifest of one's own is called by the name that it gives itself.
            let is_read = sellers.contains_key(&**name) || said.any(|said| said == name);
            if !is_read && !manifest::builtin_names().contains(&name.as_str()) {
                let own = sellers.keys().map(|name| &**name).filter(|name| !manifest::builtin_names().contains(name));
                let names: Vec<&str> = manifest::builtin_names().iter().copied().chain(own).collect();
                let help = suggestion(name, &names, "providers", "a manifest of your own is called by the name in its first lines");
                let at = FieldPath::campaign().key("providers").key(name).at_key();
                found.push(Diagnostic::error("unknown-provider", at, format!("there is no provider `{name}`")).help(help));
            }
        }
        if found.has_errors() { Err(mistakes(found, self.sources)) } else { Ok(()) }
    }

    /// Reads a provider, and sets what the campaign says of the account there.
    fn seller(&mut self, said: &Said) -> Outcome<Seller> {
        let (mut manifest, digest) = provider_in(said, self.base, self.files, self.sources)?;
        let Some((name, account)) = self.account(&manifest.id, said) else { return Ok(Seller { manifest, own: None, digest }) };
        let at = FieldPath::campaign().key("providers").key(name);
        let mut found = Diagnostics::new();
        if let Some(variable) = &account.key_env {
            manifest.key_env.clone_from(variable);
        }
        if let Some(windows) = &account.windows {
            manifest.limits.windows.clear();
            for (index, window) in windows.iter().enumerate() {
                match window.span.parse() {
                    Ok(span) => manifest.limits.windows.push(Window { count: window.count, span }),
                    Err(why) => found.push(Diagnostic::error("bad-value", at.key("windows").index(index).key("span"), why)),
                }
            }
        }
        if account.places.is_some() {
            manifest.limits.places = account.places;
        }
        let own = account.base_url.as_ref().and_then(|text| match text.parse::<Origin>() {
            Ok(origin) => Some(origin),
            Err(why) => {
                found.push(Diagnostic::error("bad-value", at.key("base-url"), why));
                None
            }
        });
        if found.has_errors() { Err(mistakes(found, self.sources)) } else { Ok(Seller { manifest, own, digest }) }
    }

    fn account(&self, id: &str, said: &Said) -> Option<(&str, &ProviderSpec)> {
        let accounts = self.wanted.accounts;
        accounts.get_key_value(id).or_else(|| accounts.get_key_value(said.name())).map(|(name, account)| (name.as_str(), account))
    }

    /// Brings together what a provider can do and what it costs there: `book`, else the account's own, else the provider's.
    fn catalog(&mut self, seller: &Seller, book: Option<&Said>, said: Option<&Said>) -> Outcome<Catalog> {
        let id = &seller.manifest.id;
        let account = self.account(id, said.unwrap_or(&Said::Here(String::new()))).and_then(|(name, account)| {
            let at = FieldPath::campaign().key("providers").key(name).key("prices");
            account.prices.clone().map(|name| Said::InCampaign { name, at })
        });
        let own = || {
            let prices = Said::Here(seller.manifest.prices.to_string());
            said.map_or(prices.clone(), |said| prices.beside(said))
        };
        let said_book = book.cloned().or(account).unwrap_or_else(own);
        let book = book_in(&said_book, self.base, self.files, self.sources)?;
        let mut catalog = Catalog::new(Arc::clone(id), seller.manifest.models.clone(), book);
        catalog.said_as.extend(said.map(|said| Arc::from(said.name())));
        Ok(catalog)
    }
}

/// Returns the provider of this name, or of this file.
///
/// # Errors
/// As [`market_in`].
pub fn provider_called(said: &Said, base: &Path, sources: &mut Sources) -> Outcome<Manifest> {
    provider_in(said, base, &DiskFiles, sources).map(|(manifest, _)| manifest)
}

/// Reads a manifest, and returns it with the digest of its text.
fn provider_in(said: &Said, base: &Path, files: &dyn Files, sources: &mut Sources) -> Outcome<(Manifest, Digest)> {
    if let Some(path) = said.path(base) {
        let (doc, text) = document(said, &path, files, sources)?;
        return Manifest::read(doc, &text).map(|manifest| (manifest, Digest::of(text.as_bytes()))).map_err(|found| mistakes(found, sources));
    }
    let known = manifest::builtin(said.name()).zip(manifest::builtin_text(said.name()));
    known.map(|(manifest, text)| (manifest, Digest::of(text.as_bytes()))).ok_or_else(|| {
        let help = suggestion(said.name(), manifest::builtin_names(), "providers", "to use your own manifest, name its file: `./my-provider.yaml`");
        said.wrong("unknown-provider", format!("there is no provider `{}`", said.name()), help, sources)
    })
}

/// Returns the price book of this name, or of this file.
///
/// # Errors
/// As [`market_in`]; a book that reads well and makes no sense is refused too.
pub fn book_called(said: &Said, base: &Path, sources: &mut Sources) -> Outcome<PriceBook> {
    book_in(said, base, &DiskFiles, sources)
}

fn book_in(said: &Said, base: &Path, files: &dyn Files, sources: &mut Sources) -> Outcome<PriceBook> {
    if let Some(path) = said.path(base) {
        let (doc, text) = document(said, &path, files, sources)?;
        let book = PriceBook::parse(doc, &text).map_err(|found| mistakes(found, sources))?;
        let found = book.lint(doc);
        return if found.has_errors() { Err(mistakes(found, sources)) } else { Ok(book) };
    }
    builtin::book(said.name()).ok_or_else(|| {
        let help = suggestion(said.name(), builtin::book_names(), "books", "to use your own book, name its file: `./my-prices.yaml`");
        said.wrong("unknown-book", format!("there is no price book `{}`", said.name()), help, sources)
    })
}

fn suggestion(name: &str, known: &[&str], what: &str, own: &str) -> String {
    match did_you_mean(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("{what} are {}; {own}", listed(known, 8)),
    }
}

/// Reads a file of a user's into the sources.
fn document(said: &Said, path: &Path, files: &dyn Files, sources: &mut Sources) -> Outcome<(crate::types::DocId, Arc<str>)> {
    let files = if let Said::Here(_) = said { &DiskFiles } else { files };
    let bytes = files.read(path, MAX_BYTES).map_err(|error| {
        let help = "give the path of a YAML file".to_owned();
        said.wrong("unreadable-file", format!("the file `{}` cannot be read: {error}", path.display()), help, sources)
    })?;
    let text = String::from_utf8(bytes)
        .map_err(|_| said.wrong("not-utf8", format!("the file `{}` is not UTF-8 text", path.display()), "save it as UTF-8".to_owned(), sources))?;
    let text: Arc<str> = Arc::from(manifest::without_keys(text.trim_start_matches('\u{feff}')));
    let (doc, found) = sources.add_yaml(path.display().to_string(), Arc::clone(&text), Positions::None);
    if found.has_errors() { Err(mistakes(found, sources)) } else { Ok((doc, text)) }
}

fn mistakes(found: Diagnostics, sources: &Sources) -> CliError {
    CliError::Mistakes(Box::new((found, sources.clone())))
}
