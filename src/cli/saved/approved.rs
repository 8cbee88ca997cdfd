//! A saved plan that is to be run: what it asks for, whether it still holds, that it is begun and spent once.
//!
//! In: the file that was given to `run`. Out: [`Approved`]. Never: money for a shot that the file did not promise, or more than its ceiling.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::describe::{describe, money, named, stage_of};
use super::{paths, words};
use crate::cli::args::{self, CampaignArgs, SelectionArgs};
use crate::cli::context::Opened;
use crate::cli::error::{CliError, Outcome};
use crate::cli::memory::Memory;
use crate::cli::standing::{Standing, campaign_scope};
use crate::cli::workspace::{Stage, Workspace};
use crate::engine::{JobOutcome, OnDoubt, RunOutcome};
use crate::ledger::{Cap, Durability, Ledger, LedgerError, PlanRecord, Scope, SqliteLedger};
use crate::plan::SavedPlan;
use crate::plan::saved::{MAX_SAVED_PLAN_BYTES, SavedDoubt, SavedStage, Standpoint};
use crate::spec::{DiskFiles, Files, MoneySpec, Sources};
use crate::types::diagnostic::listed;
use crate::types::{Amount, Diagnostic, Diagnostics, Digest, DocId, FieldPath, RunId, SystemClock};

/// How much of a file is looked at to tell what it is.
const HEAD: u64 = 4096;

/// A saved plan that is to be run.
pub struct Approved {
    plan: SavedPlan,
    /// The digest that the ledger knows it by.
    name: Digest,
    /// The file, as it was named.
    path: PathBuf,
}

/// What was typed beside the plan; what is absent was not.
pub struct Typed<'a> {
    /// Campaign, profile, provider, prices.
    pub asked: &'a CampaignArgs,
    /// Which shots.
    pub selected: &'a SelectionArgs,
    /// `--cap`.
    pub cap: Option<&'a MoneySpec>,
    /// `--rehearse`.
    pub rehearse: bool,
    /// `--on-doubt`.
    pub on_doubt: Option<OnDoubt>,
    /// `--batch`.
    pub batch: bool,
}

/// What the plan asks for, as if it had been typed.
pub struct Wanted {
    /// Campaign, profile, provider, prices.
    pub asked: CampaignArgs,
    /// Which shots.
    pub selected: SelectionArgs,
    /// The cap in the place of the campaign's own.
    pub cap: Option<MoneySpec>,
    /// Whether money is at stake.
    pub stage: Stage,
    /// What happens to doubt.
    pub on_doubt: OnDoubt,
    /// Whether its shots go in batches.
    pub batch: bool,
}

/// Returns whether a file is a saved plan, whole or broken, rather than a campaign.
pub fn is_saved_plan(path: &Path) -> bool {
    // Asked before opening: opening a FIFO for reading waits for a writer.
    if !path.is_file() {
        return false;
    }
    let mut head = Vec::new();
    let Ok(_) = File::open(path).and_then(|file| file.take(HEAD).read_to_end(&mut head)) else { return false };
    let head = String::from_utf8_lossy(&head);
    let is_json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    let says_so = head.trim_start_matches('\u{feff}').trim_start().starts_with('{') && head.contains("\"callsheet-plan\"");
    says_so || (is_json && !head.contains("\"callsheet\""))
}

impl Approved {
    /// Reads the plan at `path`; nothing if that is a campaign.
    ///
    /// # Errors
    /// What is wrong with the file, with its place.
    pub fn read(path: &Path) -> Outcome<Option<Self>> {
        if !is_saved_plan(path) {
            return Ok(None);
        }
        let shown = path.display().to_string();
        let mut sources = Sources::new();
        let bytes = match DiskFiles.read(path, MAX_SAVED_PLAN_BYTES) {
            Ok(bytes) => bytes,
            Err(error) => {
                let doc = sources.add_opaque(shown.clone(), "".into());
                let finding = Diagnostic::error("unreadable-file", FieldPath::root(doc), format!("the saved plan `{shown}` cannot be read: {error}"));
                return Err(mistakes(finding.into(), sources));
            }
        };
        let text = match String::from_utf8(bytes) {
            Ok(text) => Arc::from(text.trim_start_matches('\u{feff}')),
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let doc = sources.add_opaque(shown, String::from_utf8_lossy(error.as_bytes()).into());
                let finding = Diagnostic::error("not-utf8", FieldPath::root(doc).inside(at..at + 1), format!("byte {} is not UTF-8", at + 1));
                return Err(mistakes(finding.help("save the plan again").into(), sources));
            }
        };
        let text: Arc<str> = text;
        match SavedPlan::read(DocId::CAMPAIGN, &text) {
            Ok(plan) => Ok(Some(Self { name: plan.name(), plan, path: path.to_owned() })),
            Err(found) => {
                sources.add_opaque(shown, text);
                Err(mistakes(found, sources))
            }
        }
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// Returns what the plan asks for.
    ///
    /// # Errors
    /// Each flag that asks for something else, by name; a selection or a cap that cannot be read.
    pub fn wanted(&self, typed: &Typed<'_>) -> Outcome<Wanted> {
        self.contradicted(typed)?;
        let asked = &self.plan.asked;
        let odd = |what: &str, why: String| CliError::usage(format!("the saved plan asks for {what}: {why}"), "save the plan again");
        let file = |name: &String| if paths::is_path(name) { paths::found(self.folder(), name).display().to_string() } else { name.clone() };
        let only = asked.only.iter().map(|only| only.parse().map_err(|error| odd("`--only`", format!("{error}"))));
        Ok(Wanted {
            asked: CampaignArgs {
                campaign: paths::found(self.folder(), &self.plan.file),
                profile: asked.profile.clone(),
                provider: asked.provider.as_ref().map(file),
                prices: asked.prices.as_ref().map(file),
            },
            selected: SelectionArgs { only: only.collect::<Outcome<_>>()?, until: asked.until.clone() },
            cap: asked.cap.as_deref().map(|cap| args::money(cap).map_err(|why| odd("`--cap`", why))).transpose()?,
            stage: match self.plan.stage {
                SavedStage::Real => Stage::Real,
                SavedStage::Rehearsal => Stage::Rehearsal,
            },
            on_doubt: match asked.on_doubt {
                SavedDoubt::Hold => OnDoubt::Hold,
                SavedDoubt::Resend => OnDoubt::Resend,
            },
            batch: asked.batch,
        })
    }

    /// Finds flags that ask for something else than the plan; those that say the same are fine.
    fn contradicted(&self, typed: &Typed<'_>) -> Outcome<()> {
        let asked = &self.plan.asked;
        let doubt = |resends: bool| if resends { "resend" } else { "hold" }.to_owned();
        let mut wrong: Vec<String> = Vec::new();
        let mut one = |flag: &str, typed: Option<String>, saved: Option<&String>| {
            if let Some(typed) = typed.filter(|typed| saved != Some(typed)) {
                let saved = saved.map_or_else(|| "says none".to_owned(), |saved| format!("says `{saved}`"));
                wrong.push(format!("`{flag} {typed}`, the plan {saved}"));
            }
        };
        let name = |name: &Option<String>| name.as_deref().map(|name| named(self.folder(), name));
        one("--profile", typed.asked.profile.clone(), asked.profile.as_ref());
        one("--provider", name(&typed.asked.provider), asked.provider.as_ref());
        one("--prices", name(&typed.asked.prices), asked.prices.as_ref());
        one("--cap", typed.cap.map(money), asked.cap.as_ref());
        one("--on-doubt", typed.on_doubt.map(|rule| doubt(rule == OnDoubt::Resend)), Some(&doubt(asked.on_doubt == SavedDoubt::Resend)));
        let lists = [
            ("--only", typed.selected.only.iter().map(ToString::to_string).collect::<Vec<_>>(), &asked.only),
            ("--until", typed.selected.until.clone(), &asked.until),
        ];
        for (flag, typed, saved) in lists {
            if !typed.is_empty() && typed != *saved {
                wrong.push(format!("`{flag}` {}, the plan says {}", listed(&typed, 3), listed(saved, 3)));
            }
        }
        if typed.rehearse && self.plan.stage != stage_of(Stage::Rehearsal) {
            wrong.push("`--rehearse`, the plan is for money".to_owned());
        }
        if typed.batch && !asked.batch {
            wrong.push("`--batch`, the plan's prices are those of single requests".to_owned());
        }
        if wrong.is_empty() {
            return Ok(());
        }
        let fact = format!("nothing was sent: `{}` says what is run: {}", self.path.display(), wrong.join("; "));
        Err(CliError::usage(fact, format!("leave the flag out, or save a plan that has it: {}", words::plan_again(&self.plan, &self.path))))
    }

    /// Makes sure that the plan holds: everything as it was saved, or moved by a run of it that was cut short.
    ///
    /// # Errors
    /// [`CliError::Stale`]: spent already, or something has moved; all of that has been told.
    pub fn holds(&self, opened: &Opened, standing: &Standing, memory: &Memory) -> Outcome<()> {
        let record = memory.plan(self.name)?;
        if let Some(record) = &record {
            self.unspent(record)?;
        }
        let from = if record.is_some() { Standpoint::Begun } else { Standpoint::Untouched };
        let stage = if self.plan.stage == SavedStage::Real { Stage::Real } else { Stage::Rehearsal };
        let now = describe(opened, standing, stage, self.plan.file.clone(), self.plan.asked.clone());
        let Some(moves) = self.plan.moves(&now, from) else { return Ok(()) };
        let bought_by = if moves.history { words::bought_by(&self.plan, &now, &memory.attempts(&opened.plan)?) } else { None };
        words::tell(opened, &self.plan, &now, &moves, bought_by.as_deref());
        let fact = format!("nothing was sent: `{}` no longer holds: {}", self.path.display(), words::summary(&moves));
        Err(self.stale(fact))
    }

    fn unspent(&self, record: &PlanRecord) -> Outcome<()> {
        let Some((run, at)) = &record.spent else { return Ok(()) };
        let fact = format!("nothing was sent: `{}` is spent: run {run} came to its end at {at}; a saved plan is run once", self.path.display());
        Err(self.stale(fact))
    }

    fn stale(&self, fact: String) -> CliError {
        CliError::Stale(fact, format!("plan again and look at it: {}", words::plan_again(&self.plan, &self.path)))
    }

    /// Returns the cap that holds the run, and every later run of this plan, to the ceiling that was approved.
    pub fn cap(&self, opened: &Opened, standing: &Standing) -> Cap {
        let Scope(campaign) = campaign_scope(&opened.campaign);
        // The book is the one that the plan was saved with, else the run was refused.
        let limit = Amount::new(opened.catalog.counted_in().currency.clone(), self.plan.totals.ceiling.amount);
        Cap { scope: Scope(format!("{campaign}/plan:{}", self.name)), limit: Some(limit), rates: standing.rates.clone() }
    }

    /// Notes in the ledger that `run` begins this plan; the caller holds the workspace's lock.
    ///
    /// # Errors
    /// When it is spent; when the ledger cannot be written.
    pub fn begin(&self, workspace: &Workspace, run: &RunId) -> Outcome<()> {
        let record = write(workspace, |ledger| ledger.begin_plan(self.name, &self.plan.campaign, run.clone()))?;
        self.unspent(&record)?;
        if record.begun_by != *run {
            words::taken_up(&record);
        }
        Ok(())
    }

    /// Notes in the ledger that the plan is spent, if `outcome` left nothing of it for a later run.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub fn end(&self, workspace: &Workspace, run: &RunId, outcome: &RunOutcome) -> Outcome<()> {
        if leaves_nothing(outcome) {
            write(workspace, |ledger| ledger.end_plan(self.name, run.clone()))?;
        }
        Ok(())
    }

    /// Notes that the plan is spent when nothing of it is left to do: its last run was cut off before it could say so.
    ///
    /// # Errors
    /// When the ledger cannot be read or written.
    pub fn end_done(&self, workspace: &Workspace, memory: &Memory) -> Outcome<()> {
        if let Some(record) = memory.plan(self.name)?.filter(|record| record.spent.is_none()) {
            write(workspace, |ledger| ledger.end_plan(self.name, record.begun_by.clone()))?;
        }
        Ok(())
    }

    /// Returns the file, if the same words run the rest of it.
    pub fn words_for_next(&self, outcome: &RunOutcome) -> Option<String> {
        (!leaves_nothing(outcome)).then(|| self.path.display().to_string())
    }
}

/// Returns whether a run came to the end of its plan: stopped by nobody, and no task that is still to be fetched.
fn leaves_nothing(outcome: &RunOutcome) -> bool {
    outcome.stopped.is_none() && !outcome.jobs.iter().any(|job| matches!(job, JobOutcome::Undone(_)))
}

/// Writes something into the ledger and waits until it is durable.
fn write<T>(workspace: &Workspace, ask: impl FnOnce(&SqliteLedger) -> BoxFuture<'_, Result<T, LedgerError>>) -> Outcome<T> {
    let durability = match workspace.stage() {
        Stage::Real => Durability::Full,
        Stage::Rehearsal => Durability::Normal,
    };
    let ledger = SqliteLedger::open(&workspace.ledger(), Arc::new(SystemClock), durability)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.map_err(|error| CliError::Io("cannot start a worker".to_owned(), error))?;
    Ok(runtime.block_on(ask(&ledger))?)
}

fn mistakes(found: Diagnostics, sources: Sources) -> CliError {
    CliError::Mistakes(Box::new((found, sources)))
}
