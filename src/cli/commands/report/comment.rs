//! `callsheet report --format comment`: what a pull request is told after the run, with small pictures before and after.
//!
//! In: the campaign now, a base, the ledger. Out: the comment; its pictures, each named by its digest, in a folder of their own.
//! Never: a file removed but small pictures of an older comment in its own folder; a picture in the text itself.

use std::collections::{HashMap, HashSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::ReportArgs;
use crate::campaign::{Roots, Scope, Template};
use crate::cli::args::SelectionArgs;
use crate::cli::commands::plan;
use crate::cli::context::Opened;
use crate::cli::error::{CliError, Outcome};
use crate::cli::memory::Memory;
use crate::cli::workspace::{Workspace, shown};
use crate::cli::{comparison, console, standing};
use crate::engine::OnDoubt;
use crate::imaging;
use crate::report::picture_comment::{MOST_ADDRESS, Pictures, Place, SMALL_SIDE, is_small_name, picture_comment, pictures, small_name};
use crate::report::{DiffView, RunReport};
use crate::types::diagnostic::counted;
use crate::types::{Digest, FieldPath, JobKey};

/// Name of the folder in the output folder.
const FOLDER: &str = "comment";

/// Refuses words that are about a comment where none is asked for, and a comment that is compared with nothing.
///
/// # Errors
/// [`CliError::Usage`].
pub fn fits(args: &ReportArgs, is_comment: bool) -> Outcome<()> {
    let given = [
        ("--base", args.base.is_some()),
        ("--base-home", args.base_home.is_some()),
        ("--pictures", args.pictures.is_some()),
        ("--pictures-url", args.pictures_url.is_some()),
    ];
    match given.into_iter().find(|(_, given)| *given) {
        Some((flag, _)) if !is_comment => Err(CliError::usage(format!("`{flag}` is about a comment"), "add `--format comment`")),
        _ if is_comment && args.base.is_none() => {
            Err(CliError::usage("a comment tells what has changed, and nobody says since when", "name the base: `--base origin/main`"))
        }
        _ => Ok(()),
    }
}

/// Returns the comment and writes its pictures; an empty text, and no pictures, when nothing has changed.
///
/// # Errors
/// A base that cannot be read; a template that makes no address; what ledger and disk say.
pub fn comment(args: &ReportArgs, opened: &Opened, workspace: &Workspace, memory: &Memory, report: &RunReport<'_>) -> Outcome<String> {
    let base = args.base.as_deref().unwrap_or_default();
    let address = args.pictures_url.as_deref().map(|template| Address::new(template, &opened.campaign.name)).transpose()?;
    let selected = SelectionArgs { only: Vec::new(), until: Vec::new() };
    let standing = standing::standing(opened, memory, &selected, OnDoubt::Hold)?;
    let asked = standing::selection(&opened.campaign, &opened.plan, &selected)?;
    let report = &report.clone().narrowed(|ix| asked.includes(ix));
    let there = args.base_home.as_deref().map(|folder| Memory::of(&workspace.beside(folder)?)).transpose()?;
    let memories = Memories { own: memory, base: there.as_ref() };
    let notes = plan::notes(opened, workspace.stage());
    let folder = args.pictures.clone().unwrap_or_else(|| workspace.output(&opened.campaign.name, None).join(FOLDER));
    let tell = |view: &DiffView<'_>| -> Outcome<String> {
        let is_own = args.pictures.is_none();
        if view.is_nothing() {
            if is_own {
                clean(&folder, &Pictures::default())?;
            }
            return Ok(String::new());
        }
        let known = memories.known(view)?;
        let mut chosen = pictures(view, report, &|key| known.get(&key).copied());
        let lost = write(&folder, &chosen, &memories)?;
        chosen.lose(&lost);
        if is_own {
            clean(&folder, &chosen)?;
        }
        let told = shown(&folder);
        let on_the_web = |name: &str| address.as_ref().map_or_else(String::new, |address| address.of(name));
        let place = if address.is_some() { Place::Web(&on_the_web) } else { Place::Folder(&told) };
        Ok(picture_comment(view, report, &chosen, &place)?)
    };
    Ok(comparison::told(&args.asked, &selected, base, (opened, &standing), &notes, &tell)?.0)
}

/// What the workspace remembers, and the one that the base was run in.
struct Memories<'a> {
    own: &'a Memory,
    base: Option<&'a Memory>,
}

impl Memories<'_> {
    /// Returns the pictures of all that differs, on both sides, by key. One key is one picture, wherever it was made first.
    fn known(&self, view: &DiffView<'_>) -> Outcome<HashMap<JobKey, Digest>> {
        let pairs = || view.diff.groups.iter().flat_map(|group| &group.pairs);
        let before = pairs().filter_map(|pair| pair.base).map(|place| view.base.key(place as usize));
        let after = pairs().filter_map(|pair| pair.current).map(|place| view.current.key(place as usize));
        let mut keys: Vec<JobKey> = before.chain(after).collect();
        keys.sort_unstable();
        keys.dedup();
        let mut known = match self.base {
            Some(base) => base.pictures_of(view.campaign, &keys)?,
            None => HashMap::new(),
        };
        known.extend(self.own.pictures_of(view.campaign, &keys)?);
        Ok(known.into_iter().map(|(key, artifact)| (key, artifact.blob.digest)).collect())
    }

    fn bytes(&self, picture: Digest) -> std::io::Result<Vec<u8>> {
        match (self.own.bytes(picture), self.base) {
            (Err(error), Some(base)) if error.kind() == std::io::ErrorKind::NotFound => base.bytes(picture),
            (own, _) => own,
        }
    }
}

/// Writes the small pictures beside each other and returns those that cannot be made, because the store has lost or damaged them.
fn write(folder: &Path, chosen: &Pictures, memories: &Memories<'_>) -> Outcome<Vec<Digest>> {
    let digests = chosen.digests();
    let mut lost = Vec::new();
    if digests.is_empty() {
        return Ok(lost);
    }
    std::fs::create_dir_all(folder).map_err(|error| CliError::io("cannot make the folder", folder, error))?;
    for digest in &digests {
        let path = folder.join(small_name(*digest));
        let failed = |error| CliError::io("cannot write", &path, error);
        let small = match memories.bytes(*digest) {
            Ok(bytes) => imaging::thumbnail(&bytes, SMALL_SIDE).map_err(|_| "damaged"),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err("gone"),
            Err(error) => return Err(CliError::io("cannot read the picture for", &path, error)),
        };
        match small {
            Ok(small) => whole(&path, folder, &small).map_err(failed)?,
            Err(how) => {
                console::warning(&format!("the stored picture for `{}` is {how}: `callsheet cache verify` names its shots", path.display()));
                lost.push(*digest);
            }
        }
    }
    console::talk(&format!("{} in {}", counted(digests.len() - lost.len(), "small picture"), shown(folder)));
    Ok(lost)
}

/// Removes the small pictures of older comments, known by their names, from the folder in the output folder.
fn clean(folder: &Path, chosen: &Pictures) -> Outcome<()> {
    // A link in its place leads to somebody else's files.
    if !std::fs::symlink_metadata(folder).is_ok_and(|metadata| metadata.is_dir()) {
        return Ok(());
    }
    let kept: HashSet<String> = chosen.digests().into_iter().map(small_name).collect();
    let entries = std::fs::read_dir(folder).map_err(|error| CliError::io("cannot look into", folder, error))?;
    for entry in entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file())) {
        let name = entry.file_name();
        if name.to_str().is_some_and(|name| is_small_name(name) && !kept.contains(name)) {
            std::fs::remove_file(entry.path()).map_err(|error| CliError::io("cannot remove", &entry.path(), error))?;
        }
    }
    // Only an empty one goes; whatever else stands there stays.
    let _ = std::fs::remove_dir(folder);
    Ok(())
}

/// Writes a file beside its place and renames it into it.
fn whole(path: &PathBuf, folder: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".callsheet-").suffix(".part");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut part = builder.tempfile_in(folder)?;
    part.write_all(bytes)?;
    part.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Where the pictures can be seen, as a template.
struct Address {
    template: Template,
    campaign: String,
}

/// What a template may look like, for whoever wrote another.
const LIKE: &str = "write it like 'https://github.com/OWNER/REPO/blob/BRANCH/{{ path }}?raw=true'";

impl Address {
    fn new(text: &str, campaign: &str) -> Outcome<Self> {
        let wrong = |why: &str| CliError::usage(format!("`--pictures-url` {why}"), LIKE);
        let template = Template::compile(text, FieldPath::campaign()).map_err(|problem| wrong(&format!("is no template: {}", problem.message)))?;
        let address = Self { template, campaign: campaign.to_owned() };
        let [one, other] = ["1", "2"].map(|name| address.render(name));
        let one = one.map_err(|problem| wrong(&format!("cannot be written: {problem}")))?;
        if !(one.starts_with("https://") || one.starts_with("http://")) {
            return Err(wrong(&format!("makes `{one}`, which is no web address")));
        }
        if other.as_deref() == Ok(one.as_str()) {
            return Err(wrong("gives all pictures one address"));
        }
        if one.len() > MOST_ADDRESS - 40 {
            return Err(wrong(&format!("makes addresses of more than {MOST_ADDRESS} characters")));
        }
        Ok(address)
    }

    fn render(&self, name: &str) -> Result<String, String> {
        let mut scope = Scope::default();
        scope.push("path", name.into());
        scope.push("campaign", self.campaign.as_str().into());
        let scope: Arc<dyn Roots> = Arc::new(scope);
        self.template.render(&scope).map(|text| text.trim().to_owned()).map_err(|problem| problem.message.clone())
    }

    /// Returns the address of a file; the template has shown that it makes one.
    fn of(&self, name: &str) -> String {
        self.render(name).unwrap_or_default()
    }
}
