//! From a path to a plan: the one way that all commands take, told top to bottom.
//!
//! ```text
//! campaign.yaml ─ load ─▶ spec ─ market ─▶ catalog ─ resolve ─▶ campaign ─ read assets ─▶ build ─▶ plan
//! ```
//!
//! In: what the command line says of a campaign. Out: [`Opened`], or every mistake with its place.
//! Never: the ledger, the network, a file that the campaign does not name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::args::CampaignArgs;
use super::error::{CliError, Outcome};
use super::market::{Market, Said, Seller, Wanted, market_in};
use super::saved::is_saved_plan;
use super::words::typed;
use crate::campaign::{Campaign, resolve};
use crate::catalog::Catalog;
use crate::imaging::{self, Limits};
use crate::picks::PicksFile;
use crate::plan::{self, Plan};
use crate::provider::manifest::Manifest;
use crate::spec::{self, CampaignSpec, DiskFiles, Files, Loaded, MoneySpec, Sources};
use crate::types::diagnostic::{did_you_mean, listed};
use crate::types::{Diagnostics, Digest, FieldPath, ImageInfo, Marks};

/// Pictures by path, with the digests of their bytes.
pub type AssetDigests = Vec<(Arc<str>, Digest)>;

/// A campaign, planned.
#[derive(Debug)]
pub struct Opened {
    /// The campaign file, as it was named.
    pub path: PathBuf,
    /// Everything that was read, for excerpts.
    pub sources: Sources,
    /// What should be said but forbids nothing.
    pub warnings: Diagnostics,
    /// The folder that the campaign's own files are relative to.
    pub base: PathBuf,
    /// Who makes the pictures; `None` when the campaign names nobody.
    pub manifest: Option<Manifest>,
    /// All providers by name, the campaign's own among them.
    pub sellers: BTreeMap<Arc<str>, Seller>,
    /// What can be asked for, and what it costs.
    pub catalog: Catalog,
    /// The campaign.
    pub campaign: Campaign,
    /// Its plan.
    pub plan: Arc<Plan>,
    /// How many of the sources are the campaign and its tables; the others belong to provider and prices.
    pub own_sources: usize,
    /// The author's pictures, by path, with their digests.
    pub assets: AssetDigests,
    /// The same with all that is known of them, to make the plan once more.
    pub files: plan::Assets,
    /// What people chose and turned down, as far as it holds; empty until it is asked for.
    pub picks: PicksFile,
    /// Whether every choice that is still open is to be priced as if it were made.
    pub supposes_picks: bool,
}

/// Reads and plans a campaign; `cap` stands in for the campaign's own.
///
/// # Errors
/// [`CliError::Mistakes`] with all that is wrong; [`CliError::Usage`] for names on the command line that do not exist.
pub fn open(asked: &CampaignArgs, cap: Option<&MoneySpec>) -> Outcome<Opened> {
    if is_saved_plan(&asked.campaign) {
        let shown = asked.campaign.display();
        return Err(CliError::usage(
            format!("`{shown}` is a saved plan, not a campaign"),
            format!("run it: callsheet run {}", typed(&asked.campaign)),
        ));
    }
    if asked.prices.as_ref().is_some_and(|prices| prices.contains(',')) {
        let fact = "`--prices` names several books; only `plan` sets them beside each other, and a run is paid by one".to_owned();
        return Err(CliError::usage(
            fact,
            format!("name one: `--prices {}`", asked.prices.iter().flat_map(|all| all.split(',')).next().unwrap_or("kie")),
        ));
    }
    open_in(asked, cap, &DiskFiles)
}

/// Reads and plans a campaign whose files are these: those of the disk, or those of a git revision.
///
/// # Errors
/// As [`open`].
pub fn open_in(asked: &CampaignArgs, cap: Option<&MoneySpec>, files: &dyn Files) -> Outcome<Opened> {
    let spec::Loading { mut sources, result, partial, mut warnings } = spec::load(&asked.campaign, files);
    // Mistakes that leave the rest readable do not hide those further on.
    let (Loaded { mut spec, tables, base }, found_so_far) = match (result, partial) {
        (Ok(loaded), _) => (loaded, Diagnostics::new()),
        (Err(found), Some(loaded)) => (loaded, found),
        (Err(found), None) => return Err(mistakes(found, sources)),
    };
    if let Some(profile) = &asked.profile {
        know_profile(&spec, profile)?;
    }
    if let Some(cap) = cap {
        spec.budget.cap = Some(cap.clone());
    }

    let own_sources = sources.iter().count();
    if asked.provider.is_some() {
        // Whoever switches the provider switches it for everything.
        spec.forget_providers();
    }
    let own = FieldPath::campaign().key("provider");
    let further = spec.named_providers().into_iter().filter(|(_, at)| *at != own).map(|(name, at)| Said::InCampaign { name, at });
    let wanted = Wanted {
        provider: said(asked.provider.as_ref(), spec.provider.as_ref(), "provider"),
        prices: said(asked.prices.as_ref(), spec.prices.as_ref(), "prices"),
        further: further.collect(),
        accounts: &spec.providers,
    };
    let Market { catalog, manifest, sellers } = market_in(&wanted, &base, files, &mut sources)?;

    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let resolved = match resolve(&spec, &tables, &catalog, asked.profile.as_deref(), today) {
        Ok(resolved) if found_so_far.is_empty() => resolved,
        Ok(_) => return Err(mistakes(found_so_far, sources)),
        Err(found) => {
            let mut all = found_so_far;
            all.extend(found);
            return Err(mistakes(all, sources));
        }
    };
    warnings.extend(resolved.warnings);
    let campaign = resolved.campaign;

    let (plan, files) = match planned(&campaign, &catalog, &base, files) {
        Ok((plan, files)) => (Arc::new(plan), files),
        Err(found) => return Err(mistakes(found, sources)),
    };
    // One reference stays for good: the process ends with its command, and giving a large plan back piece by piece takes a tenth of
    // the time that making it took.
    std::mem::forget(Arc::clone(&plan));
    let assets = files.iter().filter_map(|(path, asset)| Some((Arc::clone(path), asset.as_ref().ok()?.digest))).collect();
    let picks = PicksFile::new(&*campaign.name);
    Ok(Opened {
        path: asked.campaign.clone(),
        sources,
        warnings,
        base,
        manifest,
        sellers,
        catalog,
        campaign,
        plan,
        own_sources,
        assets,
        files,
        picks,
        supposes_picks: false,
    })
}

/// Returns whether a campaign can be read and names no such profile.
pub fn lacks_profile(path: &Path, profile: &str, files: &dyn Files) -> bool {
    let spec::Loading { result, partial, .. } = spec::load(path, files);
    result.ok().or(partial).is_some_and(|loaded| !loaded.spec.profiles.contains_key(profile))
}

fn planned(campaign: &Campaign, catalog: &Catalog, base: &Path, files: &dyn Files) -> Result<(Plan, plan::Assets), Diagnostics> {
    let paths = plan::asset_paths(campaign)?;
    let assets = spec::read_assets(base, &paths, files, &probe);
    let plan = plan::build(campaign, catalog, &assets)?;
    Ok((plan, assets))
}

fn probe(bytes: &[u8]) -> Result<(ImageInfo, Marks), String> {
    let info = imaging::probe(bytes, &Limits::default()).map_err(|error| error.to_string())?;
    Ok((info, imaging::marks(bytes)))
}

/// Returns the name that holds: the command line's, else the campaign's.
fn said(here: Option<&String>, in_campaign: Option<&String>, key: &str) -> Option<Said> {
    let in_campaign = || in_campaign.map(|name| Said::InCampaign { name: name.clone(), at: FieldPath::campaign().key(key) });
    here.map(|name| Said::Here(name.clone())).or_else(in_campaign)
}

fn know_profile(spec: &CampaignSpec, profile: &str) -> Outcome<()> {
    if spec.profiles.contains_key(profile) {
        return Ok(());
    }
    let help = match did_you_mean(profile, spec.profiles.keys().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None if spec.profiles.is_empty() => "it has no `profiles`".to_owned(),
        None => format!("profiles are {}", listed(spec.profiles.keys(), 8)),
    };
    Err(CliError::usage(format!("campaign `{}` has no profile `{profile}`", spec.campaign), help))
}

fn mistakes(found: Diagnostics, sources: Sources) -> CliError {
    CliError::Mistakes(Box::new((found, sources)))
}
