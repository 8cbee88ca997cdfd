//! `callsheet init`: a first campaign from a table of products, or from nothing.
//!
//! ```text
//! find the table ─▶ see its columns ─▶ draft ─ planned before a byte is written ─▶ write ─▶ plan ─▶ rehearse
//! ```

use std::io::{self, Write as _};
use std::path::{Component, Path, PathBuf};

use clap::{Args, Parser as _};

use crate::cli::args::{CampaignArgs, Cli, SelectionArgs};
use crate::cli::context::{self, Opened};
use crate::cli::error::{CliError, Outcome};
use crate::cli::exit::Exit;
use crate::cli::market::{BUILTIN_EXAMPLE, Said, provider_called};
use crate::cli::memory::Memory;
use crate::cli::standing::standing;
use crate::cli::words::typed;
use crate::cli::workspace::{Stage, Workspace};
use crate::cli::{console, execute};
use crate::engine::OnDoubt;
use crate::provider::manifest::Manifest;
use crate::scaffold::{self, Export, Filter, Pictures, SAMPLE, SAMPLE_FILE, Seen, Setting, Story, Unreadable, Unseen, campaign_text};
use crate::spec::files::input_path;
use crate::spec::loader::MAX_TABLE_BYTES;
use crate::spec::{DiskFiles, Files, Sources};
use crate::types::diagnostic::{counted, listed};
use crate::types::{Action, Currency, Micros, visible};

/// Model that is taken where the provider has it.
const MODEL: &str = "gpt-image-2";

/// Shape that is taken where the model has it.
const ASPECT: &str = "4:5";

/// Most shots that a campaign may have if it does not say more.
const MAX_JOBS: usize = 100_000;

/// Most products that are rehearsed at once; of more, the profile `draft`.
const MAX_REHEARSED: usize = 24;

/// Write a first campaign, each line explained, from a product export or from nothing
///
/// Reads the table as the shop exports it: Shopify (rows grouped by handle, HTML texts), WooCommerce (variations), any CSV or TSV. Finds the
/// delimiter, the column that names a product, title, text and pictures, and leaves out rows that go on with the one above. Without
/// `--from` it takes the only table in the folder, or writes a small one. Files that are there already are never written over.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  callsheet init            in an empty folder: a campaign and products.csv
  callsheet init --from products_export.csv
                            products-export.yaml beside it, planned at once
  callsheet init spring.yaml --from products_export.csv --rehearse
  callsheet init shop --from exports/wc-products.csv --name autumn --provider openai")]
pub struct InitArgs {
    /// The folder that the campaign is written to, or its file (`.yaml`)
    #[arg(value_name = "FOLDER|FILE", default_value = ".")]
    place: PathBuf,
    /// The table of products, as the shop exports it
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// The campaign's name; without it that of the file, the table or the folder
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Who makes the pictures: a name or the path of a manifest
    #[arg(long, value_name = "PROVIDER", default_value = BUILTIN_EXAMPLE)]
    provider: String,
    /// Rehearse it at once: drawn pictures, no key, no money
    #[arg(long)]
    rehearse: bool,
}

/// Writes a campaign, plans it, and rehearses it.
pub fn init(args: &InitArgs) -> Outcome<Exit> {
    let is_file = args.place.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    let folder = if is_file { args.place.parent().unwrap_or(Path::new("")).to_owned() } else { args.place.clone() };
    let folder = if folder == Path::new(".") { PathBuf::new() } else { folder };
    let from = match &args.from {
        Some(from) => Some(from.clone()),
        None => only_table(&folder)?,
    };
    // A table that was only found does not name the campaign: the same words again meet the same file, which is left as it is.
    let name = name(args, is_file, args.from.as_deref(), &folder)?;
    let file = if is_file { args.place.clone() } else { folder.join(format!("{name}.yaml")) };
    let source = Source::read(from, &folder)?;
    let draft = Draft::new(args, &name, &file, &folder, &source)?;
    draft.write()?;
    console::data(&draft.told(&source))?;
    let shown = file.display().to_string();
    let draft_first = source.seen.kept.len() > MAX_REHEARSED;
    if !args.rehearse {
        execute(&words(&["plan", "--", &shown])?)?;
        let profile = if draft_first { " --profile draft" } else { "" };
        console::data(&format!("next       callsheet run {} --rehearse{profile}\n", visible(&typed(&file))))?;
        return Ok(Exit::Done);
    }
    if draft_first {
        console::talk(&format!("{} are many to look at: this rehearses the profile `draft`", counted(source.seen.kept.len(), "product")));
        return execute(&words(&["run", "--rehearse", "--profile", "draft", "--", &shown])?);
    }
    execute(&words(&["run", "--rehearse", "--", &shown])?)
}

/// Returns a command as if it had been typed.
fn words(words: &[&str]) -> Outcome<crate::cli::args::Command> {
    let typed = Cli::try_parse_from(std::iter::once(&"callsheet").chain(words));
    typed.map(|cli| cli.command).map_err(|error| CliError::Usage(error.to_string(), None))
}

/// Returns the only table that stands in a folder; `None` when there is none.
fn only_table(folder: &Path) -> Outcome<Option<PathBuf>> {
    let is_table = |name: &String| {
        let extension = Path::new(name).extension().and_then(|extension| extension.to_str()).unwrap_or_default().to_ascii_lowercase();
        ["csv", "tsv"].contains(&&*extension) && !name.starts_with('.')
    };
    let mut tables: Vec<String> = DiskFiles.names(folder).into_iter().filter(is_table).collect();
    tables.sort();
    match tables.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(folder.join(one))),
        [first, ..] => {
            let fact = format!("there are {} here: {}", counted(tables.len(), "table"), listed(&tables, 5));
            Err(CliError::usage(fact, format!("say which has the products: callsheet init --from {}", typed(&folder.join(first)))))
        }
    }
}

/// Returns the campaign's name: as it was said, or made of what is there.
fn name(args: &InitArgs, is_file: bool, from: Option<&Path>, folder: &Path) -> Outcome<String> {
    let is_name = |name: &str| {
        let plain = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || matches!(char, '.' | '_' | '-');
        name.starts_with(|char: char| char.is_ascii_lowercase() || char.is_ascii_digit()) && name.chars().all(plain)
    };
    let made = |text: &str| -> String {
        let ascii: String = crate::campaign::slug(text).chars().map(|char| if char.is_ascii() { char } else { '-' }).collect();
        ascii.trim_matches('-').to_owned()
    };
    if let Some(name) = &args.name {
        if is_name(name) {
            return Ok(name.clone());
        }
        let fact = format!("`{name}` cannot be the name of a campaign: lower-case letters, digits, `.`, `_` and `-` can");
        return Err(CliError::usage(
            fact,
            format!("for example: --name {}", Some(made(name)).filter(|made| is_name(made)).unwrap_or("spring-drop".into())),
        ));
    }
    let stem = |path: &Path| path.file_stem().map(|stem| made(&stem.to_string_lossy()));
    let from_file = is_file.then(|| stem(&args.place)).flatten();
    let names = [from_file, from.and_then(stem), real(folder).file_name().map(|name| made(&name.to_string_lossy()))];
    Ok(names.into_iter().flatten().find(|name| is_name(name)).unwrap_or_else(|| "products".to_owned()))
}

/// The table and what was seen in it.
struct Source {
    /// Where it stands; `None` for the sample that is yet to be written.
    path: Option<PathBuf>,
    export: Export,
    seen: Seen,
}

impl Source {
    fn read(path: Option<PathBuf>, folder: &Path) -> Outcome<Self> {
        let shown = path.clone().unwrap_or_else(|| folder.join(SAMPLE_FILE)).display().to_string();
        let bytes = match &path {
            None => SAMPLE.as_bytes().to_vec(),
            Some(path) => DiskFiles.read(path, MAX_TABLE_BYTES).map_err(|error| unread(path, &error))?,
        };
        let export =
            scaffold::read(&bytes).map_err(|Unreadable { fact, help }| CliError::usage(format!("`{shown}` cannot be used: {fact}"), help))?;
        let seen = scaffold::see(&export).map_err(|unseen| match unseen {
            Unseen::NoProduct(column) => CliError::usage(
                format!("`{shown}` cannot be used: none of its rows has a `{column}`"),
                "a product has a title: export the products again, all of their columns",
            ),
            Unseen::NoKey(near) => {
                let nearest = near.map(|(column, text)| format!("; `{column}` has `{text}` twice")).unwrap_or_default();
                let help = "give each row a number or a name of its own in a column called `sku`";
                CliError::usage(format!("`{shown}` cannot be used: no column names each product{nearest}"), help)
            }
        })?;
        Ok(Self { path, export, seen })
    }
}

fn unread(path: &Path, error: &io::Error) -> CliError {
    let shown = path.display();
    match error.kind() {
        io::ErrorKind::NotFound => CliError::usage(format!("there is no file `{shown}`"), "`--from` names the table of products: a CSV or TSV file"),
        io::ErrorKind::FileTooLarge | io::ErrorKind::InvalidInput => {
            CliError::usage(format!("`{shown}` is {error}"), "name a CSV or TSV file of up to 64 MB")
        }
        _ => CliError::usage(format!("`{shown}` cannot be read: {error}"), "see to it that you may read it"),
    }
}

/// Files that are yet to be written, the campaign first; all others are those of the disk.
struct Draft {
    files: Vec<(PathBuf, Vec<u8>)>,
    /// What is said of the pictures.
    pictures: Option<String>,
}

impl Files for Draft {
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        match self.files.iter().find(|(known, _)| known == path) {
            Some((_, bytes)) => Ok(bytes.clone()),
            None => DiskFiles.read(&without_detours(path), limit),
        }
    }

    fn names(&self, path: &Path) -> Vec<String> {
        DiskFiles.names(path)
    }
}

/// Returns a path without ways into folders that are not there yet and out again: `shop/../exports` is `exports`.
fn without_detours(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut way, part| {
        let is_new = || way.file_name().is_some() && way.symlink_metadata().is_err();
        if part == Component::ParentDir && is_new() {
            way.pop();
        } else {
            way.push(part);
        }
        way
    })
}

impl Draft {
    /// Writes all that there will be, in memory, and plans it: what has mistakes is never written.
    fn new(args: &InitArgs, name: &str, file: &Path, folder: &Path, source: &Source) -> Outcome<Self> {
        let Source { path, export, seen } = source;
        let linked = path.as_deref().and_then(|path| relative(folder, path)).filter(|_| export.odd.is_empty());
        let (data, copy) = match (linked, path) {
            (Some(linked), _) => (linked, None),
            (None, None) => (SAMPLE_FILE.to_owned(), Some(SAMPLE.to_owned())),
            (None, Some(path)) => (tidy_name(path), Some(export.rewritten())),
        };
        let packshots = path.as_deref().and_then(|path| packshots(folder, path, export, seen));
        let manifest = provider_called(&Said::Here(args.provider.clone()), Path::new(""), &mut Sources::new())?;
        let (model, aspect) = model(&manifest, packshots.is_some())?;
        let is_path = args.provider.contains(['/', '\\']) || args.provider.ends_with(".yaml") || args.provider.ends_with(".yml");
        let provider = if is_path { relative(folder, Path::new(&args.provider)).map(|path| format!("./{path}")) } else { None };
        let shown = visible(&typed(file)).into_owned();
        let mut setting = Setting {
            name,
            file: &shown,
            provider: provider.as_deref().unwrap_or(&args.provider),
            model: &model,
            aspect: &aspect,
            data: &data,
            kind: if copy.is_some() { "csv" } else { export.kind() },
            packshots: packshots.as_deref(),
            cap: None,
            max_jobs: MAX_JOBS,
        };
        let pictures = said_of_pictures(export, seen, packshots.is_some());
        let mut draft = Self { files: vec![(file.to_owned(), campaign_text(export, seen, &setting).into_bytes())], pictures };
        draft.files.extend(copy.map(|text| (folder.join(&data), text.into_bytes())));
        draft.stand_free()?;
        let asked = CampaignArgs { campaign: file.to_owned(), profile: None, provider: None, prices: None };
        let opened = context::open_in(&asked, None, &draft)?;
        setting.cap = cap(&opened)?;
        draft.files[0].1 = campaign_text(export, seen, &setting).into_bytes();
        Ok(draft)
    }

    /// Refuses to write where something is.
    fn stand_free(&self) -> Outcome<()> {
        match self.files.iter().find(|(path, _)| path.symlink_metadata().is_ok()) {
            None => Ok(()),
            Some((path, _)) => Err(taken(path)),
        }
    }

    fn write(&self) -> Outcome<()> {
        for (path, bytes) in &self.files {
            if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                std::fs::create_dir_all(folder).map_err(|error| CliError::io("cannot make the folder", folder, error))?;
            }
            let written = std::fs::OpenOptions::new().write(true).create_new(true).open(path).and_then(|mut file| file.write_all(bytes));
            written.map_err(
                |error| if error.kind() == io::ErrorKind::AlreadyExists { taken(path) } else { CliError::io("cannot write", path, error) },
            )?;
        }
        Ok(())
    }

    /// Says what was seen and what was written.
    fn told(&self, source: &Source) -> String {
        let Source { path, export, seen } = source;
        let story = Story::of(export, seen);
        let column = |column: usize| format!("`{}`", export.columns[column]);
        let mut lines = Vec::new();
        if let Some(path) = path {
            lines.push(("products", format!("{} in {}, {}", seen.kept.len(), path.display(), seen.kind.words())));
            lines.push(("key", format!("{}, never empty and never twice", column(seen.key))));
            if let Some(filter) = story.filter {
                let left = counted(export.rows.len() - seen.kept.len(), "row");
                let why = match seen.filter {
                    Filter::Filled(column) if column == seen.key => "without a key",
                    Filter::Not(..) => "with a variation of a product",
                    _ => "with more of a product above",
                };
                lines.push(("left out", format!("{left} {why}: kept is where {filter}")));
            }
            let mut prompt: Vec<String> = seen.title.iter().chain(&seen.words).map(|place| column(*place)).collect();
            prompt.extend(seen.description.map(|place| format!("{}{}", column(place), if seen.html { " without its tags" } else { "" })));
            if !prompt.is_empty() {
                lines.push(("prompt", format!("says {}", prompt.join(", "))));
            }
        }
        lines.extend(self.pictures.iter().map(|said| ("pictures", said.clone())));
        for odd in &export.odd {
            lines.push(("copied", odd.clone()));
        }
        for (path, _) in &self.files {
            lines.push(("written", path.display().to_string()));
        }
        let mut text: String = lines.iter().map(|(label, said)| format!("{label:<10} {}\n", visible(said))).collect();
        text.push('\n');
        text
    }
}

fn taken(path: &Path) -> CliError {
    let fact = format!("`{}` is there already; nothing was written", path.display());
    CliError::usage(fact, "name another file, `callsheet init other.yaml`, or move that one away")
}

/// Returns the name of a copy of a table.
fn tidy_name(path: &Path) -> String {
    let stem = path.file_stem().map(|stem| crate::campaign::slug(&stem.to_string_lossy())).filter(|stem| !stem.is_empty());
    format!("{}-tidy.csv", stem.unwrap_or_else(|| "products".to_owned()))
}

/// Returns the way from a folder to a file, if a campaign may name it.
fn relative(folder: &Path, file: &Path) -> Option<String> {
    let (folder, file) = (real(folder), real(file));
    let mut here = folder.components().peekable();
    let mut there = file.components().peekable();
    while here.peek().is_some() && here.peek() == there.peek() {
        here.next();
        there.next();
    }
    let up = here.map(|_| Some("..".to_owned()));
    let down = there.map(|part| match part {
        Component::Normal(name) => name.to_str().map(str::to_owned),
        _ => None,
    });
    let parts: Option<Vec<String>> = up.chain(down).collect();
    let path = parts?.join("/");
    input_path(&path).is_ok().then_some(path)
}

/// Returns a path from the root, links followed as far as it is there.
fn real(path: &Path) -> PathBuf {
    let path = std::path::absolute(if path.as_os_str().is_empty() { Path::new(".") } else { path }).unwrap_or_else(|_| path.to_owned());
    for folder in path.ancestors() {
        if let (Ok(real), Ok(rest)) = (folder.canonicalize(), path.strip_prefix(folder)) {
            return if rest.as_os_str().is_empty() { real } else { real.join(rest) };
        }
    }
    path
}

/// Returns what stands before the table's pictures, if each product has one and all are there.
fn packshots(folder: &Path, table: &Path, export: &Export, seen: &Seen) -> Option<String> {
    let Pictures::Files(column) = seen.pictures else { return None };
    let beside = table.parent().unwrap_or(Path::new(""));
    // The way to any file beside the table, without that file.
    let probe = relative(folder, &real(table))?;
    let prefix = probe.rsplit_once('/').map(|(before, _)| format!("{before}/")).unwrap_or_default();
    let is_there = |cell: &str| !cell.trim().is_empty() && input_path(&format!("{prefix}{cell}")).is_ok() && beside.join(cell).is_file();
    seen.kept.iter().all(|row| is_there(&export.rows[*row][column])).then_some(prefix)
}

fn said_of_pictures(export: &Export, seen: &Seen, are_loaded: bool) -> Option<String> {
    match seen.pictures {
        Pictures::None => None,
        Pictures::Files(column) if are_loaded => Some(format!("`{}`: all there, and the start of an edit", export.columns[column])),
        Pictures::Files(column) => {
            Some(format!("`{}` names files that are not all there; the campaign says how to start from them", export.columns[column]))
        }
        Pictures::Web(column) => {
            Some(format!("`{}` holds web addresses, which are not fetched; the campaign says what to do", export.columns[column]))
        }
    }
}

/// Returns a model of the provider that does what the campaign asks for, and a shape that it has.
fn model(manifest: &Manifest, edits: bool) -> Outcome<(String, String)> {
    let action = if edits { Action::Edit } else { Action::Generate };
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let can = |name: &str| manifest.models.get(name).filter(|card| !card.is_shut_down(today)).and_then(|card| card.operation(action));
    let found = std::iter::once(MODEL).chain(manifest.models.keys().map(|name| &**name)).find_map(|name| Some((name, can(name)?)));
    let Some((name, card)) = found else {
        let word = if edits { "edits pictures" } else { "makes pictures from words" };
        return Err(CliError::usage(
            format!("`{}` has no model that {word}", manifest.id),
            "name another with `--provider`; `callsheet providers list` names all",
        ));
    };
    let shapes: Vec<String> = card.aspects.iter().flatten().map(ToString::to_string).filter(|shape| shape != "auto").collect();
    let shape = [ASPECT, "3:4", "1:1"].into_iter().find(|shape| shapes.is_empty() || shapes.iter().any(|known| known == shape));
    Ok((name.to_owned(), shape.map(str::to_owned).or_else(|| shapes.first().cloned()).unwrap_or_else(|| ASPECT.to_owned())))
}

/// Returns a cap that lets every picture be made, with some tries more; `None` when the price is not known to the last credit.
fn cap(opened: &Opened) -> Outcome<Option<(String, String)>> {
    let memory = Memory::of(&Workspace::find(Stage::Real)?)?;
    let everything = SelectionArgs { only: Vec::new(), until: Vec::new() };
    let estimate = standing(opened, &memory, &everything, OnDoubt::Hold)?.estimate;
    let expected = estimate.totals.expected;
    if !expected.is_exact() || expected.micros <= Micros::ZERO {
        return Ok(None);
    }
    let unit = if estimate.book.currency == Currency::Usd { 10_000 } else { 1_000_000 };
    let rounded = expected.micros.mul_ratio_ceil(1, unit).and_then(|units| units.checked_mul(unit.unsigned_abs()))?;
    let amount = if estimate.book.currency == Currency::Usd { format!("\"USD {rounded}\"") } else { rounded.to_string() };
    Ok(Some((amount, format!("1.2 x what one try of each costs in `{}`", estimate.book.name))))
}
