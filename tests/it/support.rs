//! What several tests need: a campaign file taken all the way to its plan.

use std::path::Path;

use callsheet::campaign::{Campaign, resolve};
use callsheet::catalog::{Catalog, builtin};
use callsheet::cli::diagnostics::render;
use callsheet::imaging::{Limits, marks, probe};
use callsheet::plan::{Plan, asset_paths, build};
use callsheet::provider::manifest;
use callsheet::spec::{DiskFiles, load, read_assets};
use callsheet::types::Diagnostics;

/// A campaign with all that was made of it.
pub struct Planned {
    /// Settled.
    pub campaign: Campaign,
    /// Models and prices.
    pub catalog: Catalog,
    /// The plan.
    pub plan: Plan,
}

/// The day that tests take for today: models that end later are still there.
pub const TODAY: jiff::civil::Date = jiff::civil::date(2026, 11, 22);

/// Plans a campaign file on its own book, or on `book`.
///
/// # Errors
/// All mistakes, as a person reads them.
pub fn planned(path: &Path, book: Option<&str>) -> Result<Planned, String> {
    let loading = load(path, &DiskFiles);
    let shown = |found: &Diagnostics| render(found, &loading.sources, false, Some(140));
    let (loaded, so_far) = match (&loading.result, &loading.partial) {
        (Ok(loaded), _) => (loaded, Diagnostics::new()),
        (Err(found), Some(loaded)) => (loaded, found.clone()),
        (Err(found), None) => return Err(shown(found)),
    };
    let own = catalog(loaded.spec.provider.as_deref(), book.or(loaded.spec.prices.as_deref()));
    let further = loaded.spec.named_providers().into_iter().map(|(name, _)| name).filter(|name| Some(name) != loaded.spec.provider.as_ref());
    let further: std::collections::BTreeSet<String> = further.collect();
    let catalog = own.with_others(further.iter().map(|name| catalog(Some(name), None))).expect("books of fixtures state their rates");
    let resolved = match resolve(&loaded.spec, &loaded.tables, &catalog, None, TODAY) {
        Ok(resolved) if so_far.is_empty() => resolved,
        Ok(_) => return Err(shown(&so_far)),
        Err(found) => {
            let mut all = so_far;
            all.extend(found);
            return Err(shown(&all));
        }
    };
    let paths = asset_paths(&resolved.campaign).map_err(|found| shown(&found))?;
    let read = |bytes: &[u8]| probe(bytes, &Limits::default()).map(|info| (info, marks(bytes))).map_err(|error| error.to_string());
    let assets = read_assets(&loaded.base, &paths, &DiskFiles, &read);
    let plan = build(&resolved.campaign, &catalog, &assets).map_err(|found| shown(&found))?;
    Ok(Planned { campaign: resolved.campaign, catalog, plan })
}

fn catalog(provider: Option<&str>, book: Option<&str>) -> Catalog {
    let manifest = provider.map(|name| manifest::builtin(name).expect("fixtures name built-in providers"));
    let book_name = book.map(str::to_owned).or_else(|| manifest.as_ref().map(|manifest| manifest.prices.to_string()));
    let book = builtin::book(&book_name.expect("fixtures name a provider or a book")).expect("fixtures name built-in books");
    match manifest {
        Some(manifest) => Catalog::new(provider.unwrap_or_default(), manifest.models, book),
        None => Catalog::new(book.name.to_string(), Default::default(), book),
    }
}
