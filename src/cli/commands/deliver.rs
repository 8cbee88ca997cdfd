//! `callsheet deliver`: the finals of a campaign as the table that a shop imports.

use std::collections::HashSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::report::known;
use crate::campaign::{Axis, Campaign, Roots, Scope, Template, slug};
use crate::cli::args::{CampaignArgs, StageArgs};
use crate::cli::context::{self, Opened};
use crate::cli::error::{CliError, Outcome};
use crate::cli::exit::Exit;
use crate::cli::memory::Memory;
use crate::cli::picking::{self, Manner};
use crate::cli::publish::Material;
use crate::cli::words::typed;
use crate::cli::workspace::{Stage, Workspace};
use crate::cli::{console, workspace};
use crate::plan::{JobIx, Plan, PlannedStep};
use crate::pricing::quotes;
use crate::report::shopify_csv::{COLUMNS, ImageRow, shopify_csv, url, url_path};
use crate::report::{RunReport, Shot};
use crate::scaffold::columns::{handle_column, title_column};
use crate::types::diagnostic::{counted, did_you_mean, listed};
use crate::types::{DocId, FieldPath};

/// Write the table with which a shop takes in the finals
///
/// One row a final, those of one product together: Handle, Image Src, Image Position, Image Alt Text. Upload the output folder to a
/// place that the shop can read, and import the table in Shopify under Products.
///
/// The templates know `{{ path }}` (below the output folder, as part of an address), `{{ step }}`, `{{ ext }}`, `{{ campaign }}`, `{{ title }}`,
/// `{{ view }}` and the axes with their columns.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  callsheet deliver campaigns/spring-drop.yaml --to shopify \\
      --base-url-template 'https://cdn.example.com/{{ path }}'
  callsheet deliver drop.yaml --to shopify \\
      --base-url-template 'https://cdn.example.com/{{ path }}' \\
      --handle 'sku.Handle' --alt '{{ title }} by Acme'
  callsheet deliver drop.yaml --to shopify --rehearse --out images.csv \\
      --base-url-template 'https://cdn.example.com/{{ path }}'")]
pub struct DeliverArgs {
    #[command(flatten)]
    asked: CampaignArgs,
    /// For which shop
    #[arg(long, value_enum)]
    to: Shop,
    /// Where the shop will find each picture, for example https://cdn.example.com/{{ path }}
    #[arg(long, value_name = "TEMPLATE")]
    base_url_template: String,
    #[command(flatten)]
    stage: StageArgs,
    /// How the shop calls the product: a column, `sku.Handle`, or a template; without it the table's `Handle`, or else its key
    #[arg(long, value_name = "TEMPLATE")]
    handle: Option<String>,
    /// What stands in for the picture; without it title and view
    #[arg(long, value_name = "TEMPLATE")]
    alt: Option<String>,
    /// Pictures of this step, instead of all finals; can be repeated
    #[arg(long, value_name = "STEP")]
    step: Vec<String>,
    /// Write what is there, even if some finals are missing
    #[arg(long)]
    partial: bool,
    /// Where to write, instead of `<campaign>-shopify.csv`; a rehearsal's file always has `rehearsal` in its name
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shop {
    /// The image columns of Shopify's product import.
    Shopify,
}

/// Writes the table and prints where.
pub fn deliver(args: &DeliverArgs) -> Outcome<Exit> {
    let Shop::Shopify = args.to;
    let mut opened = context::open(&args.asked, None)?;
    let workspace = Workspace::find(Stage::of(args.stage.rehearse))?;
    let memory = Memory::of(&workspace)?;
    known(&memory, &workspace, &args.asked)?;
    picking::settle(&mut opened, &workspace, &memory, Manner::Lenient)?;
    let material = Material::read(&opened, &memory, workspace.stage())?;
    let quotes = quotes(&opened.plan, &opened.catalog);
    let report = material.report(&opened, &quotes, material.last_run())?;
    let wanted = wanted(args, &opened.plan)?;
    let (ready, missing): (Vec<JobIx>, Vec<JobIx>) = wanted
        .iter()
        .flat_map(|step| step.jobs.clone().map(JobIx))
        .filter(|ix| report.shots[ix.index()] != Shot::LeftOut)
        .partition(|ix| report.shots[ix.index()] == Shot::Done);
    whole(args, &report, &ready, &missing)?;
    let rows = Teller::new(args, &opened)?.rows(&ready)?;
    let out = target(args, &opened.campaign.name, workspace.stage())?;
    let mut text = Vec::new();
    let done = shopify_csv(&rows, &mut text)?;
    std::fs::write(&out, &text).map_err(|error| CliError::io("cannot write", &out, error))?;
    console::talk(&format!("{} of {}", counted(done.pictures, "picture"), counted(done.products, "product")));
    warn(&rows, done.marked, &missing, ready.len());
    let folder = workspace.output(&opened.campaign.name, None);
    let absent = ready.iter().filter(|ix| !folder.join(&*opened.plan.job(**ix).path).is_file()).count();
    if absent > 0 {
        console::hint(&format!("{} not in `{}`: `callsheet report` writes the folder again", are(absent), workspace::shown(&folder)));
    }
    if report.is_rehearsal {
        console::warning("these are drawn pictures of a rehearsal: not for a shop");
    }
    console::data(&format!("{}\n", workspace::shown(&out)))?;
    Ok(Exit::Done)
}

fn are(files: usize) -> String {
    format!("{} {}", counted(files, "file"), if files == 1 { "is" } else { "are" })
}

/// Returns the steps whose pictures go to the shop.
fn wanted<'a>(args: &DeliverArgs, plan: &'a Plan) -> Outcome<Vec<&'a PlannedStep>> {
    if args.step.is_empty() {
        return Ok(plan.steps.iter().filter(|step| step.is_final).collect());
    }
    let find = |name: &String| {
        plan.steps.iter().find(|step| *step.name == **name).ok_or_else(|| {
            let names = || plan.steps.iter().map(|step| &*step.name);
            let help =
                did_you_mean(name, names()).map_or_else(|| format!("steps are {}", listed(names(), 12)), |near| format!("did you mean `{near}`?"));
            CliError::usage(format!("the campaign has no step `{name}`"), help)
        })
    };
    args.step.iter().map(find).collect()
}

/// Refuses to write half of the pictures in silence.
fn whole(args: &DeliverArgs, report: &RunReport<'_>, ready: &[JobIx], missing: &[JobIx]) -> Outcome<()> {
    let rehearse = if args.stage.rehearse { " --rehearse" } else { "" };
    let run = format!("callsheet run {}{rehearse}", typed(&args.asked.campaign));
    if missing.is_empty() && !ready.is_empty() {
        return Ok(());
    }
    if ready.is_empty() {
        return Err(CliError::usage("none of the finals is there yet", format!("make them first: {run}")));
    }
    if args.partial {
        return Ok(());
    }
    let named = listed(missing.iter().map(|ix| report.plan.id(*ix).to_string()), 3);
    let fact = format!("{} of {} are not there yet: {named}", missing.len(), counted(missing.len() + ready.len(), "final"));
    Err(CliError::usage(fact, format!("make them first: {run}; or write what is there: `--partial`")))
}

/// Says what the shop would stumble over.
fn warn(rows: &[ImageRow], marked: usize, missing: &[JobIx], ready: usize) {
    if !missing.is_empty() {
        console::warning(&format!("the table is not whole: {} of {} are not there yet", missing.len(), counted(missing.len() + ready, "final")));
    }
    let odd: Vec<&str> =
        rows.iter().map(|row| &*row.handle).filter(|handle| slug(handle) != **handle).collect::<indexmap::IndexSet<_>>().into_iter().collect();
    if !odd.is_empty() {
        let what = if odd.len() == 1 { "a handle is" } else { "handles are" };
        console::warning(&format!("{what} not as Shopify writes them, lower-case words with `-` between: {}", listed(&odd, 3)));
        console::hint("`--handle` says how the shop calls a product, for example `--handle '{{ sku | slug }}'`");
    }
    if marked > 0 {
        let cells = counted(marked, "cell");
        console::warning(&format!("{cells} could be taken for a formula by a spreadsheet: a `'` stands in front"));
    }
    if let Some(row) = rows.iter().find(|row| row.alt.chars().count() > MAX_ALT) {
        console::warning(&format!("Shopify takes {MAX_ALT} characters of alt text; that of `{}` has more", row.handle));
    }
}

/// Most characters of an alt text that Shopify takes.
const MAX_ALT: usize = 512;

/// Returns the file to write; one that is there is only written over if it is such a table.
fn target(args: &DeliverArgs, campaign: &str, stage: Stage) -> Outcome<PathBuf> {
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from(format!("{campaign}-shopify.csv")));
    let is_marked = out.file_name().is_some_and(|name| name.to_string_lossy().contains("rehearsal"));
    let out = if stage == Stage::Rehearsal && !is_marked { out.with_extension(marked_extension(&out)) } else { out };
    if out.is_dir() {
        return Err(CliError::usage(format!("`{}` is a folder", out.display()), "`--out` names a file"));
    }
    let Ok(mut file) = std::fs::File::open(&out) else { return Ok(out) };
    let heading = COLUMNS.join(",");
    let mut start = vec![0; heading.len()];
    if file.read_exact(&mut start).is_ok() && start == heading.as_bytes() {
        return Ok(out);
    }
    let fact = format!("`{}` is there already and is no table of pictures; it was left as it is", out.display());
    Err(CliError::usage(fact, "name another file with `--out`, or move that one away"))
}

fn marked_extension(out: &Path) -> String {
    format!("rehearsal.{}", out.extension().map_or_else(|| "csv".into(), |extension| extension.to_string_lossy()))
}

/// Tells each picture's row.
struct Teller<'a> {
    opened: &'a Opened,
    address: Template,
    handle: Option<Template>,
    alt: Template,
}

impl<'a> Teller<'a> {
    fn new(args: &DeliverArgs, opened: &'a Opened) -> Outcome<Self> {
        let handle =
            args.handle.as_ref().map(|text| if text.contains("{{") || text.contains("{%") { text.clone() } else { format!("{{{{ {text} }}}}") });
        Ok(Self {
            opened,
            address: compile("--base-url-template", &args.base_url_template)?,
            handle: handle.map(|text| compile("--handle", &text)).transpose()?,
            alt: compile("--alt", args.alt.as_deref().unwrap_or("{{ title }}{% if view %}, {{ view }}{% endif %}"))?,
        })
    }

    fn rows(&self, jobs: &[JobIx]) -> Outcome<Vec<ImageRow>> {
        let mut addresses = HashSet::new();
        let mut rows = Vec::with_capacity(jobs.len());
        for ix in jobs {
            let row = self.row(*ix)?;
            if !addresses.insert(row.src.clone()) {
                let fact = format!("two pictures have the address `{}`", row.src);
                return Err(CliError::usage(fact, "let each have its own: `--base-url-template 'https://cdn.example.com/{{ path }}'`"));
            }
            rows.push(row);
        }
        Ok(rows)
    }

    fn row(&self, ix: JobIx) -> Outcome<ImageRow> {
        let plan = &self.opened.plan;
        let job = plan.job(ix);
        let cell = cell(&self.opened.campaign, plan, ix);
        let product = cell.iter().position(|(axis, _)| is_from_a_file(axis));
        let mut scope = Scope::default();
        scope.push("path", url_path(&job.path).into());
        scope.push("ext", job.path.rsplit_once('.').map_or("", |(_, extension)| extension).into());
        scope.push("step", (&*plan.step_of(ix).name).into());
        scope.push("campaign", (&*plan.campaign).into());
        if let Some(take) = plan.take_of(ix) {
            scope.push("take", take.into());
        }
        let field = |column: fn(&[Arc<str>]) -> Option<&Arc<str>>| {
            let (axis, value) = &cell[product?];
            let column = column(axis.fields.as_deref()?)?;
            let text = axis.values[*value].keyed.get_item(&minijinja::Value::from(&**column)).ok()?;
            text.as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let key = |place: usize| cell[place].0.values[cell[place].1].key.to_string();
        let others = cell.iter().enumerate().filter(|(place, _)| Some(*place) != product).map(|(place, _)| key(place).replace(['-', '_'], " "));
        let view = others.collect::<Vec<_>>().join(", ");
        let title = field(title_column).or_else(|| product.map(key)).unwrap_or_else(|| plan.campaign.to_string());
        scope.push("title", title.into());
        scope.push("view", view.into());
        for (axis, value) in &cell {
            scope.push(&axis.name, axis.values[*value].keyed.clone());
        }
        let scope: Arc<dyn Roots> = Arc::new(scope);
        let render = |flag: &str, template: &Template| {
            let id = plan.id(ix);
            template.render(&scope).map_err(|problem| {
                CliError::usage(
                    format!("`{flag}` cannot be written for `{id}`: {}", problem.message),
                    "`callsheet deliver --help` lists what a template knows",
                )
            })
        };
        let handle = match (&self.handle, product) {
            (Some(template), _) => render("--handle", template)?.trim().to_owned(),
            (None, Some(product)) => field(handle_column).unwrap_or_else(|| key(product)),
            (None, None) => {
                let fact = format!("`{}` has no axis whose rows come from a file: nobody says which product it is", plan.id(ix));
                return Err(CliError::usage(fact, "say it: `--handle '{{ sku }}'`"));
            }
        };
        if handle.is_empty() {
            return Err(CliError::usage(format!("the handle of `{}` is empty", plan.id(ix)), "say another with `--handle`"));
        }
        let src = url(render("--base-url-template", &self.address)?.trim());
        if !(src.starts_with("https://") || src.starts_with("http://")) {
            let fact = format!("`{src}` is no web address");
            return Err(CliError::usage(fact, "begin the template with https://: `--base-url-template 'https://cdn.example.com/{{ path }}'`"));
        }
        let alt = render("--alt", &self.alt)?.split_whitespace().collect::<Vec<_>>().join(" ");
        Ok(ImageRow { handle, src, alt })
    }
}

fn compile(flag: &str, text: &str) -> Outcome<Template> {
    let wrong = |problem: crate::campaign::TemplateProblem| {
        CliError::usage(format!("`{flag}` is no template: {}", problem.message), "write it like 'https://cdn.example.com/{{ path }}'")
    };
    Template::compile(text, FieldPath::campaign()).map_err(wrong)
}

/// Returns the axes of a shot with the places of their values, takes left out.
fn cell<'a>(campaign: &'a Campaign, plan: &Plan, ix: JobIx) -> Vec<(&'a Axis, usize)> {
    let (job, step) = (plan.job(ix), plan.step_of(ix));
    let of = |(axis, value): (&usize, &u32)| {
        let planned = plan.axes.get(*axis).filter(|axis| !axis.is_take)?;
        let axis = campaign.axes.iter().find(|axis| axis.name == planned.name)?;
        // The plan has the values in the campaign's order.
        let place = *value as usize;
        (axis.values.get(place)?.key == *planned.keys.get(place)?).then_some((axis, place))
    };
    step.axes.iter().zip(&job.cell).filter_map(of).collect()
}

fn is_from_a_file(axis: &Axis) -> bool {
    axis.values.first().is_some_and(|value| value.at.doc != DocId::CAMPAIGN)
}
