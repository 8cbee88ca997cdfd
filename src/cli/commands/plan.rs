//! `callsheet plan`: what there is to do and what it will cost.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::run::{Doubt, Rule};
use crate::catalog::Channel;
use crate::cli::args::{self, CampaignArgs, SelectionArgs, StageArgs};
use crate::cli::batches;
use crate::cli::comparison::{self, Shown};
use crate::cli::context::{self, Opened};
use crate::cli::error::{CliError, Outcome};
use crate::cli::exit::Exit;
use crate::cli::forecast::{self, Forecast, Form, Supposed};
use crate::cli::linting;
use crate::cli::memory::Memory;
use crate::cli::picking;
use crate::cli::saved::{self, Manner};
use crate::cli::seller;
use crate::cli::standing::{self, Standing};
use crate::cli::workspace::{Stage, Workspace};
use crate::cli::{console, diagnostics};
use crate::report::{Change, PlanView, plan_comment, plan_csv, plan_json, plan_markdown, plan_table};
use crate::spec::MoneySpec;
use crate::types::diagnostic::counted;

/// Say what a campaign makes and what it will cost, before anything is spent
///
/// Per step: shots, new, changed and reused ones, price of one try, floor, expected, ceiling. The floor is every outstanding shot
/// once; expected is the floor times the campaign's iteration factor; the ceiling is the most that one run can spend. Needs no key
/// and no network, and leaves nothing behind.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  callsheet plan campaigns/spring-drop.yaml
  callsheet plan campaigns/spring-drop.yaml --prices kie --only surface[surface=oak]
  callsheet plan campaigns/spring-drop.yaml --prices kie,openai,gptimage2-flat
  callsheet plan campaigns/spring-drop.yaml --what-if sku=40 --what-if iteration=1.8
  callsheet plan campaigns/spring-drop.yaml --base origin/main --format github
  callsheet plan campaigns/draft-to-final.yaml --auto-pick first
  callsheet plan campaigns/spring-drop.yaml --format json --detailed-exit-code
  callsheet plan campaigns/spring-drop.yaml --out plan.json
                            to be looked at, then: callsheet run plan.json")]
pub struct PlanArgs {
    #[command(flatten)]
    asked: CampaignArgs,
    #[command(flatten)]
    selected: SelectionArgs,
    #[command(flatten)]
    stage: StageArgs,
    /// The most that the campaign may ever cost, instead of its own cap: credits, or "USD 12.50"
    #[arg(long, value_name = "AMOUNT", value_parser = args::money)]
    cap: Option<MoneySpec>,
    /// What a run would do with a try whose outcome nobody knows; without it: hold
    #[arg(long, value_enum)]
    on_doubt: Option<Doubt>,
    /// Save it for `callsheet run FILE`, which runs it as it was saved or not at all; `-` for stdout
    #[arg(long, value_name = "FILE", conflicts_with = "what_if")]
    out: Option<PathBuf>,
    /// Compare with the same campaign at a git revision, with another campaign file, or with a saved plan (`.json`)
    #[arg(long, value_name = "REV|FILE", conflicts_with = "what_if")]
    base: Option<String>,
    /// What it would cost if an axis had N values, or at another iteration factor: `sku=40`, `iteration=1.8`; can be repeated
    #[arg(long, value_name = "AXIS=N")]
    what_if: Vec<Supposed>,
    /// Let shots without a price pass; they are in no total, and no cap guards them
    #[arg(long)]
    allow_unpriced: bool,
    /// What it would cost if every choice that is still open were made so, as `run --auto-pick` makes it; nothing is chosen by it
    #[arg(long, value_enum, value_name = "RULE", conflicts_with = "out")]
    auto_pick: Option<Rule>,
    /// What it would cost if its shots went in batches; what is saved with `--out` is run so
    #[arg(long, conflicts_with = "base")]
    batch: bool,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// End with exit code 10 when there is something to do
    #[arg(long)]
    detailed_exit_code: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Table,
    /// For programs.
    Json,
    /// One row a step, for spreadsheets.
    Csv,
    /// For a pull request.
    Markdown,
    /// A comment on GitHub; with `--base` nothing at all when nothing has changed.
    Github,
}

impl Format {
    fn of_comparison(self) -> Shown {
        match self {
            Self::Table => Shown::Table,
            Self::Json => Shown::Json,
            Self::Csv => Shown::Csv,
            Self::Markdown => Shown::Markdown,
            Self::Github => Shown::GitHub,
        }
    }
}

/// Plans a campaign and prints it.
pub fn plan(args: &PlanArgs) -> Outcome<Exit> {
    let books = forecast::several(args.asked.prices.as_deref());
    let opened = open(args, books.as_deref())?;
    let mut opened = if args.batch { batches::in_batches(opened)? } else { opened };
    let on_doubt = Doubt::rule(args.on_doubt);
    let workspace = Workspace::find(Stage::of(args.stage.rehearse))?;
    let memory = Memory::of(&workspace)?;
    let supposed = match args.auto_pick {
        Some(rule) => picking::suppose(&mut opened, &workspace, &memory, rule.into())?,
        None => {
            picking::settle(&mut opened, &workspace, &memory, picking::Manner::Strict)?;
            0
        }
    };
    linting::add_to(&mut opened);
    let standing = standing::standing(&opened, &memory, &args.selected, on_doubt)?.allowing_unpriced(&opened, args.allow_unpriced);
    batches::fits(&opened, &standing.work)?;
    if books.is_some() || !args.what_if.is_empty() {
        return foretell(args, &opened, &memory, &standing, books.as_deref(), workspace.stage());
    }
    let changes = standing::changes(&opened, &memory, &standing.work)?;
    tell_warnings(&opened);
    let mut notes = notes(&opened, workspace.stage());
    if let (Some(rule), true) = (args.auto_pick, supposed > 0) {
        let rule = crate::picks::AutoPick::from(rule);
        notes.push(format!(
            "{} taken as `--auto-pick {rule}` would make them: what stands behind is counted as new, and nobody has looked",
            are_open(supposed)
        ));
    }
    let (text, end) = match &args.base {
        Some(base) => comparison::compared(&args.asked, &args.selected, base, (&opened, &standing), &notes, args.format.of_comparison())?,
        None => {
            if opened.campaign.budget.policy.iter().any(|line| line.needs_a_base()) {
                notes.push("the policy's `delta` and `percent` lines were not judged: `--base` names the plan to compare with".to_owned());
            }
            let text = shown(args.format, &view(&opened, &standing, &changes, &notes))?;
            (text, if standing.verdict.is_denied_by_policy() { Exit::Denied } else { Exit::Done })
        }
    };
    if !args.out.as_deref().is_some_and(saved::is_stdout) {
        console::data(&text)?;
    }
    if let Some(out) = &args.out {
        let manner =
            Manner { asked: &args.asked, selected: &args.selected, cap: args.cap.as_ref(), stage: workspace.stage(), on_doubt, batch: args.batch };
        saved::save(out, &opened, &standing, &manner)?;
    }
    Ok(if end == Exit::Done { exit(args, &standing) } else { end })
}

fn are_open(choices: usize) -> String {
    format!("{} {}", counted(choices, "open choice"), if choices == 1 { "is" } else { "are" })
}

fn exit(args: &PlanArgs, standing: &Standing) -> Exit {
    if args.detailed_exit_code && !standing.work.is_done() { Exit::HasWork } else { Exit::Done }
}

/// Opens the campaign. What is made does not depend on prices: on several books it is planned on its own, or else on the first.
fn open(args: &PlanArgs, books: Option<&[String]>) -> Outcome<Opened> {
    let Some(books) = books else { return context::open(&args.asked, args.cap.as_ref()) };
    for (flag, is_set) in [("--base", args.base.is_some()), ("--out", args.out.is_some()), ("--cap", args.cap.is_some()), ("--batch", args.batch)] {
        if is_set {
            let fact = format!("`--prices` names several books, and `{flag}` is about one");
            return Err(CliError::usage(fact, format!("name one: `--prices {}`", books.first().map_or("kie", String::as_str))));
        }
    }
    match context::open(&CampaignArgs { prices: None, ..args.asked.clone() }, None) {
        Err(CliError::Mistakes(found)) if found.0.iter().any(|finding| finding.code.0 == "no-prices") => {
            context::open(&CampaignArgs { prices: books.first().cloned(), ..args.asked.clone() }, None)
        }
        other => other,
    }
}

/// Returns a plan as it is asked for.
fn shown(format: Format, view: &PlanView<'_>) -> Outcome<String> {
    Ok(match format {
        Format::Table => plan_table(view, console::width().unwrap_or(120), true),
        Format::Json => format!("{:#}\n", plan_json(view)),
        Format::Csv => plan_csv(view)?,
        Format::Markdown => plan_markdown(view),
        Format::Github => plan_comment(view),
    })
}

/// Prints the plan on several books, or as it would be.
fn foretell(args: &PlanArgs, opened: &Opened, memory: &Memory, standing: &Standing, books: Option<&[String]>, stage: Stage) -> Outcome<Exit> {
    tell_warnings(opened);
    let notes = notes(opened, stage);
    let (supposed, allow_unpriced) = (&args.what_if[..], args.allow_unpriced);
    let forecast = Forecast { opened, memory, standing, supposed, allow_unpriced, notes: &notes, form: args.format.into() };
    match books {
        Some(books) => forecast.side_by_side(books)?,
        None => forecast.supposed()?,
    }
    Ok(exit(args, standing))
}

impl From<Format> for Form {
    fn from(format: Format) -> Self {
        match format {
            Format::Table => Self::Table,
            Format::Json => Self::Json,
            Format::Csv => Self::Csv,
            Format::Markdown | Format::Github => Self::Markdown,
        }
    }
}

/// Shows what should be said of the campaign's files but forbids nothing.
pub fn tell_warnings(opened: &Opened) {
    if !opened.warnings.is_empty() {
        console::talk(&diagnostics::render(&opened.warnings, &opened.sources, true, console::width()));
    }
}

/// Brings together what the views of a plan show.
pub fn view<'a>(opened: &'a Opened, standing: &'a Standing, changed: &'a [Change], notes: &'a [String]) -> PlanView<'a> {
    PlanView {
        campaign: &opened.campaign.name,
        provider: opened.manifest.as_ref().map(|manifest| &*manifest.id),
        profile: opened.campaign.profile.as_deref(),
        plan: &opened.plan,
        estimate: &standing.estimate,
        verdict: &standing.verdict,
        changed,
        notes,
    }
}

/// Returns what else should be known of a plan.
pub fn notes(opened: &Opened, stage: Stage) -> Vec<String> {
    let mut notes = Vec::new();
    if stage == Stage::Rehearsal {
        notes.push("this is the rehearsal's plan: its amounts are played, nothing is spent".to_owned());
    }
    if stage == Stage::Real {
        notes.extend(seller::told_elsewhere(opened));
    }
    if opened.manifest.is_none() && stage == Stage::Real {
        notes.push("the campaign names no provider: it can be planned and rehearsed, not run".to_owned());
    }
    if opened.catalog.book.channel == Channel::Batch {
        notes.push(
            "the prices are those of batches: shots go together, answers come within a day, and each level of a chain waits for the one before"
                .to_owned(),
        );
    }
    if let Some(step) = &opened.campaign.until {
        notes.push(format!("the profile makes everything up to step `{step}`"));
    }
    notes
}
