//! `plan --base`: the plan as it is now beside that of a git revision, of another campaign file, or of a saved plan.
//!
//! ```text
//! base ─▶ revision | campaign file | saved plan ─▶ Side ┐
//! campaign ─▶ plan ─────────────────────────────▶ Side ┴▶ diff ─▶ delta ─▶ policy ─▶ view
//! ```
//!
//! In: what was opened, and what it is compared with. Out: text, and how the command ends. Never: the working tree, the ledger, money spent.

use std::path::Path;

use super::args::{CampaignArgs, SelectionArgs};
use super::console;
use super::context::{self, Opened};
use super::error::{CliError, Outcome};
use super::exit::Exit;
use super::git::GitFiles;
use super::picking;
use super::standing::{self, Standing};
use crate::plan::saved::{MAX_SAVED_PLAN_BYTES, SavedWork};
use crate::plan::{PartOfSide, SavedPlan, Selection, Side, diff};
use crate::pricing::delta::CountedIn;
use crate::pricing::{Delta, EmptySide, LiveSide, Quotes, quotes};
use crate::report::{DiffView, Reader, diff_csv, diff_json, diff_markdown, diff_table};
use crate::spec::loader::MAX_YAML_BYTES;
use crate::spec::{DiskFiles, Files, Sources};

/// How a comparison is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// For people.
    Table,
    /// For programs.
    Json,
    /// One row a job that differs.
    Csv,
    /// For any reader of Markdown.
    Markdown,
    /// A comment on GitHub.
    GitHub,
}

/// What a plan is compared with.
struct Base {
    /// As the user called it, with its commit.
    label: String,
    content: Content,
    notes: Vec<String>,
}

enum Content {
    /// Planned now, from files as they were.
    Planned(Box<(Opened, Quotes, Selection)>),
    /// Read from a file.
    Saved(Box<SavedPlan>),
    /// Nothing: the campaign was not there.
    Nothing,
}

/// Compares the plan of a campaign with that of `base`: returns the text, which as Markdown is empty when nothing has changed, and
/// how the command ends.
///
/// # Errors
/// A base that cannot be read, with all mistakes in it; sums that do not fit.
pub fn compared(
    asked: &CampaignArgs,
    selected: &SelectionArgs,
    base: &str,
    now: (&Opened, &Standing),
    notes: &[String],
    shown: Shown,
) -> Outcome<(String, Exit)> {
    told(asked, selected, base, now, notes, &|view| {
        Ok(match shown {
            Shown::Table => diff_table(view, console::width().unwrap_or(120), true)?,
            Shown::Json => format!("{:#}\n", diff_json(view)?),
            Shown::Csv => diff_csv(view)?,
            Shown::Markdown => diff_markdown(view, Reader::Plain)?,
            Shown::GitHub => diff_markdown(view, Reader::GitHub)?,
        })
    })
}

/// Compares the plan of a campaign with that of `base` and returns what `tell` makes of it, and how the command ends.
///
/// # Errors
/// As [`compared`], and those of `tell`.
pub fn told<T>(
    asked: &CampaignArgs,
    selected: &SelectionArgs,
    base: &str,
    (opened, standing): (&Opened, &Standing),
    notes: &[String],
    tell: &dyn Fn(&DiffView<'_>) -> Outcome<T>,
) -> Outcome<(T, Exit)> {
    let mut base = open(asked, selected, base)?;
    // The same choices on both sides: what differs is what the campaigns say.
    if let Content::Planned(planned) = &mut base.content {
        picking::like(&mut planned.0, &opened.picks)?;
    }
    let selection = standing::selection(&opened.campaign, &opened.plan, selected)?;
    let current = LiveSide::new(&opened.plan, &standing.quotes, &selection);
    let counted_in = counted_in(&standing.quotes);
    match &base.content {
        Content::Planned(planned) => {
            let (before, quotes, there) = &**planned;
            let side = LiveSide::new(&before.plan, quotes, there);
            compare((opened, standing, &selection), &sides(&base, notes, &current, (&side, self::counted_in(quotes)), counted_in), tell)
        }
        Content::Saved(saved) => {
            let side = PartOfSide::new(&**saved, |place| saved.jobs.get(place).is_some_and(|job| job.work != SavedWork::Excluded));
            let before = CountedIn { currency: saved.totals.currency.clone(), usd_per_credit: None };
            compare((opened, standing, &selection), &sides(&base, notes, &current, (&side, before), counted_in), tell)
        }
        Content::Nothing => {
            let side = EmptySide(current.currency().clone());
            compare((opened, standing, &selection), &sides(&base, notes, &current, (&side, counted_in.clone()), counted_in), tell)
        }
    }
}

/// Both sides, ready to be compared.
struct Sides<'a> {
    label: &'a str,
    notes: Vec<String>,
    current: &'a LiveSide<'a>,
    current_in: CountedIn,
    base: &'a dyn Side,
    base_in: CountedIn,
}

fn sides<'a>(
    base: &'a Base,
    notes: &[String],
    current: &'a LiveSide<'a>,
    (side, base_in): (&'a dyn Side, CountedIn),
    current_in: CountedIn,
) -> Sides<'a> {
    let notes = base.notes.iter().chain(notes).cloned().collect();
    Sides { label: &base.label, notes, current, current_in, base: side, base_in }
}

fn counted_in(quotes: &Quotes) -> CountedIn {
    CountedIn { currency: quotes.book().currency.clone(), usd_per_credit: quotes.book().usd_per_credit }
}

fn compare<T>(
    (opened, standing, selection): (&Opened, &Standing, &Selection),
    sides: &Sides<'_>,
    tell: &dyn Fn(&DiffView<'_>) -> Outcome<T>,
) -> Outcome<(T, Exit)> {
    let found = diff(sides.base, sides.current);
    let delta = Delta::of(&found, (sides.base, sides.base_in.clone()), (sides.current, sides.current_in.clone()))?;
    let is_nothing = found.groups.is_empty() && delta.is_nothing();
    // Lines judge what a change brings: who changes nothing is not held up by what stood there before.
    let policy = match is_nothing {
        true => Vec::new(),
        false => standing::policy(&opened.campaign, &opened.plan, &standing.quotes, selection, standing.factor(), Some(&delta))?,
    };
    let view = DiffView {
        campaign: &opened.campaign.name,
        against: sides.label,
        profile: opened.campaign.profile.as_deref(),
        base: sides.base,
        current: sides.current,
        diff: &found,
        delta: &delta,
        estimate: &standing.estimate,
        verdict: &standing.verdict,
        policy: &policy,
        notes: &sides.notes,
    };
    Ok((tell(&view)?, if policy.iter().any(|verdict| verdict.denies()) { Exit::Denied } else { Exit::Done }))
}

/// Opens what a plan is compared with: an existing `.json` or `.yaml` file, else a git revision.
fn open(asked: &CampaignArgs, selected: &SelectionArgs, base: &str) -> Outcome<Base> {
    let path = Path::new(base);
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    match extension {
        "json" => saved(path, base),
        "yaml" | "yml" => {
            let asked_there = CampaignArgs { campaign: path.to_owned(), ..asked.clone() };
            if !path.exists() {
                let help = "name a campaign file, a saved plan, or a git revision such as `main`";
                return Err(CliError::usage(format!("there is no file `{base}` to compare with"), help));
            }
            planned(asked_there, selected, base.to_owned(), base, &DiskFiles)
        }
        _ => revision(asked, selected, base),
    }
}

fn saved(path: &Path, base: &str) -> Outcome<Base> {
    let help = "name a saved plan (`plan --out plan.json` writes one), a campaign file, or a git revision such as `main`";
    let unreadable = |error: &dyn std::fmt::Display| CliError::usage(format!("the saved plan `{base}` cannot be read: {error}"), help);
    let bytes = DiskFiles.read(path, MAX_SAVED_PLAN_BYTES).map_err(|error| unreadable(&error))?;
    let text = String::from_utf8(bytes).map_err(|_| unreadable(&"it is not UTF-8 text"))?;
    let mut sources = Sources::new();
    let doc = sources.add_opaque(base.to_owned(), text.as_str().into());
    let plan = SavedPlan::read(doc, &text).map_err(|found| CliError::Mistakes(Box::new((found, sources))))?;
    Ok(Base { label: base.to_owned(), content: Content::Saved(Box::new(plan)), notes: Vec::new() })
}

fn revision(asked: &CampaignArgs, selected: &SelectionArgs, revision: &str) -> Outcome<Base> {
    let folder = asked.campaign.parent().unwrap_or(Path::new(""));
    let files = GitFiles::at(revision, folder)?;
    let label = if files.short().starts_with(revision) { revision.to_owned() } else { format!("{revision} ({})", files.short()) };
    let campaign = files.path(asked.campaign.file_name().unwrap_or_default());
    if files.read(&campaign, MAX_YAML_BYTES).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
        let note = format!("there is no `{}` at `{revision}`: everything is added", asked.campaign.display());
        return Ok(Base { label, content: Content::Nothing, notes: vec![note] });
    }
    let asked_there = CampaignArgs { campaign, ..asked.clone() };
    planned(asked_there, selected, label, revision, &files)
}

/// Plans the campaign of the base with the same words of the command line.
fn planned(asked: CampaignArgs, selected: &SelectionArgs, label: String, name: &str, files: &dyn Files) -> Outcome<Base> {
    let nothing = |label, note| Ok(Base { label, content: Content::Nothing, notes: vec![note] });
    if let Some(profile) = asked.profile.as_deref().filter(|profile| context::lacks_profile(&asked.campaign, profile, files)) {
        return nothing(label, format!("there is no profile `{profile}` at `{name}`: everything is added"));
    }
    let opened = context::open_in(&asked, None, files).inspect_err(|error| {
        if let CliError::Mistakes(_) = error {
            console::talk(&format!("the campaign at {label} has mistakes, so there is no plan to compare with:"));
        }
    })?;
    let selection = match standing::selection(&opened.campaign, &opened.plan, selected) {
        Ok(selection) => selection,
        Err(_) => return nothing(label, format!("at `{name}` there is nothing of what `--only` and `--until` name: everything is added")),
    };
    let quotes = quotes(&opened.plan, &opened.catalog);
    Ok(Base { label, content: Content::Planned(Box::new((opened, quotes, selection))), notes: Vec::new() })
}
