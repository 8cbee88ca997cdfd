//! What `plan` and `run` have made of a campaign, as a saved plan.
//!
//! In: [`Opened`] and [`Standing`]. Out: [`SavedPlan`]. Never: anything that neither of them says.

use std::path::Path;

use super::paths;
use crate::cli::args::{CampaignArgs, SelectionArgs};
use crate::cli::context::Opened;
use crate::cli::standing::Standing;
use crate::cli::workspace::Stage;
use crate::engine::OnDoubt;
use crate::plan::JobIx;
use crate::plan::saved::{
    Asked, InputKind, SAVED_PLAN_VERSION, SavedCap, SavedDoubt, SavedInput, SavedPlan, SavedPrice, SavedStage, SavedSum, SavedTotals,
    describe_history, describe_jobs, describe_steps,
};
use crate::pricing::{CapOf, JobQuote, Quotes, Sum};
use crate::spec::{Document, MoneySpec};
use crate::types::Digest;

/// How a campaign was asked for: what the command line says beside its file.
pub struct Manner<'a> {
    /// Campaign, profile, provider, prices.
    pub asked: &'a CampaignArgs,
    /// Which shots.
    pub selected: &'a SelectionArgs,
    /// The cap in the place of the campaign's own.
    pub cap: Option<&'a MoneySpec>,
    /// Whether money is at stake.
    pub stage: Stage,
    /// What happens to doubt.
    pub on_doubt: OnDoubt,
    /// Whether its shots go in batches.
    pub batch: bool,
}

impl Manner<'_> {
    /// Returns the campaign file as a plan in `folder` names it.
    pub fn file(&self, opened: &Opened, folder: &Path) -> String {
        paths::relative(folder, &opened.path)
    }

    /// Returns what was asked for, as a plan in `folder` says it.
    pub fn asked(&self, folder: &Path) -> Asked {
        let CampaignArgs { profile, provider, prices, .. } = self.asked;
        Asked {
            profile: profile.clone(),
            provider: provider.as_deref().map(|name| named(folder, name)),
            prices: prices.as_deref().map(|name| named(folder, name)),
            only: self.selected.only.iter().map(ToString::to_string).collect(),
            until: self.selected.until.clone(),
            cap: self.cap.map(money),
            on_doubt: match self.on_doubt {
                OnDoubt::Hold => SavedDoubt::Hold,
                OnDoubt::Resend => SavedDoubt::Resend,
            },
            batch: self.batch,
        }
    }
}

/// Returns the name of a provider or a book; a file is named from the plan's folder.
pub fn named(folder: &Path, name: &str) -> String {
    if !paths::is_path(name) {
        return name.to_owned();
    }
    let relative = paths::relative(folder, Path::new(name));
    // A file beside the plan must still read as a file.
    if paths::is_path(&relative) { relative } else { format!("./{relative}") }
}

/// Returns an amount as `--cap` reads it.
pub fn money(spec: &MoneySpec) -> String {
    if spec.usd { format!("USD {}", spec.micros) } else { spec.micros.to_string() }
}

/// Returns the stage as a plan says it.
pub fn stage_of(stage: Stage) -> SavedStage {
    match stage {
        Stage::Real => SavedStage::Real,
        Stage::Rehearsal => SavedStage::Rehearsal,
    }
}

/// Describes a plan; `file` and `asked` are told from the folder of its file.
pub fn describe(opened: &Opened, standing: &Standing, stage: Stage, file: String, asked: Asked) -> SavedPlan {
    let totals = &standing.estimate.totals;
    SavedPlan {
        version: SAVED_PLAN_VERSION,
        campaign: opened.campaign.name.to_string(),
        file,
        stage: stage_of(stage),
        asked,
        inputs: inputs(opened),
        digest: opened.plan.digest,
        history: describe_history(&opened.plan, &standing.work, &standing.history),
        totals: SavedTotals {
            currency: standing.estimate.book.currency.clone(),
            floor: sum(totals.floor),
            expected: sum(totals.expected),
            ceiling: sum(totals.ceiling),
        },
        caps: standing.estimate.caps.iter().map(|cap| SavedCap { of: cap_name(&cap.of), limit: cap.limit, committed: cap.committed }).collect(),
        steps: describe_steps(&opened.plan),
        jobs: describe_jobs(&opened.plan, &standing.work, |ix| price(&standing.quotes, ix)),
    }
}

fn sum(sum: Sum) -> SavedSum {
    SavedSum { amount: sum.micros, certainty: sum.certainty }
}

fn cap_name(of: &CapOf) -> String {
    match of {
        CapOf::Campaign => "campaign".to_owned(),
        CapOf::Profile => "profile".to_owned(),
        CapOf::Step(name) => format!("step:{name}"),
        CapOf::Provider(name) => format!("provider:{name}"),
    }
}

fn price(quotes: &Quotes, ix: JobIx) -> SavedPrice {
    match quotes.of(ix) {
        None => SavedPrice::Free,
        Some(JobQuote::Priced(quote)) => crate::plan::SidePrice::Priced(quote.amount.micros, quote.certainty).into(),
        Some(JobQuote::Unpriced(_)) => SavedPrice::Unpriced,
    }
}

/// Returns every file and book that the plan was made from, each once.
fn inputs(opened: &Opened) -> Vec<SavedInput> {
    let mut inputs: Vec<SavedInput> = Vec::new();
    let mut add = |kind: InputKind, name: String, digest: Digest| {
        if !inputs.iter().any(|input| input.kind == kind && input.name == name) {
            inputs.push(SavedInput { kind, name, as_of: None, digest });
        }
    };
    let own_name = |document: &Document| {
        let path = Path::new(&document.shown);
        let inside = path.strip_prefix(&opened.base).unwrap_or(path);
        inside.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
    };
    for (place, document) in opened.sources.iter().take(opened.own_sources).enumerate() {
        let kind = if place == 0 { InputKind::Campaign } else { InputKind::Rows };
        add(kind, own_name(document), Digest::of(document.text.as_bytes()));
    }
    for (path, digest) in &opened.assets {
        add(InputKind::Asset, path.to_string(), *digest);
    }
    for (name, seller) in &opened.sellers {
        add(InputKind::Provider, name.to_string(), seller.digest);
    }
    for book in opened.catalog.all().map(|one| &one.book) {
        let as_of = book.as_of.map(|day| day.to_string());
        let input = SavedInput { kind: InputKind::Prices, name: book.name.to_string(), as_of, digest: book.digest };
        if !inputs.contains(&input) {
            inputs.push(input);
        }
    }
    inputs
}
