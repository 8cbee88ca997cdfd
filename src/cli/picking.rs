//! What people chose and turned down, brought together with the campaign and what the workspace remembers.
//!
//! ```text
//! picks file ─▶ plan with choices ─ ledger ─▶ refusals of current pictures count, choices of other pictures fall ─▶ the same once more
//! ```
//!
//! In: an opened campaign, a workspace, its memory. Out: the campaign's plan with all choices that hold.
//! Never: a choice that is taken for another picture; a file that is written half.

use std::collections::HashSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::context::Opened;
use super::error::{CliError, Outcome};
use super::memory::Memory;
use super::workspace::{Stage, Workspace, shown};
use crate::imaging::checks::sharpness;
use crate::imaging::{Limits, decode};
use crate::ledger::{Artifact, History, JobState};
use crate::picks::{AutoPick, Chosen, MAX_BYTES, PicksFile};
use crate::plan::{self, JobIx, Stale};
use crate::spec::{DiskFiles, Files, Sources};
use crate::steps::StepSpec;
use crate::store::fs::FsStore;
use crate::types::diagnostic::counted;
use crate::types::{CheckKind, Diagnostic, Diagnostics, Digest, DocId, JobId};

/// What becomes of a choice whose shot has another picture now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// It is a mistake: nothing is planned or bought on it.
    Strict,
    /// It is said, and the choice is open again: for looking.
    Lenient,
    /// As strict, but what a rule of `--auto-pick` chose is chosen again.
    Automatic,
}

/// Reads the picks file of a campaign; an empty one when there is none yet. Its text is added to `sources`.
///
/// # Errors
/// All mistakes in it; what the disk says.
pub fn read(workspace: &Workspace, campaign: &str, sources: &mut Sources) -> Outcome<(Option<DocId>, PicksFile)> {
    let path = workspace.picks(campaign);
    let bytes = match DiskFiles.read(&path, MAX_BYTES) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok((None, PicksFile::new(campaign))),
        Err(error) => return Err(CliError::io("cannot read", &path, error)),
    };
    match PicksFile::read(sources, shown(&path), &bytes, campaign) {
        Ok((doc, file)) => Ok((Some(doc), file)),
        Err(found) => Err(CliError::Mistakes(Box::new((found, sources.clone())))),
    }
}

/// Returns every digest that a picks file of the workspace names, whatever else may be wrong with the file.
///
/// # Errors
/// A file that is there and cannot be read: what it names is not known then.
pub fn digests(workspace: &Workspace) -> Outcome<HashSet<Digest>> {
    let file = workspace.picks("any");
    let folder = file.parent().unwrap_or(Path::new("."));
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(HashSet::new()),
        Err(error) => return Err(CliError::io("cannot read the folder", folder, error)),
    };
    let mut named = HashSet::new();
    for path in entries.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|extension| extension == "yaml")) {
        let bytes = DiskFiles.read(&path, MAX_BYTES).map_err(|error| CliError::io("cannot read", &path, error))?;
        let text = String::from_utf8_lossy(&bytes);
        named.extend(text.split(|char: char| !char.is_ascii_hexdigit()).filter_map(Digest::from_hex));
    }
    Ok(named)
}

/// Writes the picks file of a campaign: beside its place and renamed into it, so that it is never half a file.
///
/// # Errors
/// What the disk says.
pub fn save(workspace: &Workspace, file: &PicksFile) -> Outcome<PathBuf> {
    let path = workspace.picks(&file.campaign);
    write_whole(&path, file).map_err(|error| CliError::io("cannot write", &path, error))?;
    Ok(path)
}

/// Writes a picks file at `path`: a reader sees the old one or the new one.
///
/// # Errors
/// What the disk says; nothing half-written is left.
pub fn write_whole(path: &Path, file: &PicksFile) -> std::io::Result<()> {
    let folder = path.parent().ok_or(std::io::ErrorKind::InvalidInput)?;
    std::fs::create_dir_all(folder)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".picks-").suffix(".part");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut part = builder.tempfile_in(folder)?;
    part.write_all(file.to_yaml().as_bytes())?;
    part.as_file().sync_all()?;
    part.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Finds the mistakes that a picks file has without the ledger: those of a real run's file and of the rehearsals'.
///
/// # Errors
/// All mistakes in both; warnings are added to the campaign's.
pub fn check(opened: &mut Opened) -> Outcome<()> {
    for stage in [Stage::Real, Stage::Rehearsal] {
        let workspace = Workspace::find(stage)?;
        let (doc, file) = read(&workspace, &opened.campaign.name, &mut opened.sources)?;
        named(opened, &file, doc)?;
    }
    Ok(())
}

/// Makes the plan once more with every choice that holds and every refusal that counts.
///
/// # Errors
/// Mistakes in the file, with their places; as `manner` says also a stale choice.
pub fn settle(opened: &mut Opened, workspace: &Workspace, memory: &Memory, manner: Manner) -> Outcome<()> {
    let (doc, file) = read(workspace, &opened.campaign.name, &mut opened.sources)?;
    let Some(doc) = doc.filter(|_| !file.is_empty()) else { return Ok(()) };
    named(opened, &file, Some(doc))?;
    let mut counted = PicksFile { rejected: Default::default(), ..file.clone() };
    let mut fallen = Vec::new();
    loop {
        rebuild(opened, &counted)?;
        let history = known(opened, memory)?;
        let refused = plan::refused_now(&opened.plan, &history, &file, &counted);
        if !refused.is_empty() {
            // A refused shot has another picture: only then can it be said which choices are of one that is gone.
            for (shot, rejected) in refused {
                counted.rejected.entry(shot).or_default().push(rejected);
            }
            continue;
        }
        let stale = plan::stale(&opened.plan, &history);
        if stale.is_empty() {
            break;
        }
        for choice in &stale {
            counted.chosen.remove(&choice.pick);
        }
        fallen.extend(stale);
    }
    opened.picks = counted;
    tell_stale(opened, doc, &fallen, manner)
}

/// Makes the plan of another version of a campaign with the same choices, as far as it has them.
///
/// # Errors
/// Mistakes that only show with them.
pub fn like(opened: &mut Opened, picks: &PicksFile) -> Outcome<()> {
    if picks.is_empty() { Ok(()) } else { rebuild(opened, picks) }
}

fn rebuild(opened: &mut Opened, picks: &PicksFile) -> Outcome<()> {
    let plan = plan::build_picked(&opened.campaign, &opened.catalog, &opened.files, picks)
        .map_err(|found| CliError::Mistakes(Box::new((found, opened.sources.clone()))))?;
    opened.plan = Arc::new(plan);
    Ok(())
}

/// Returns what the ledger knows, as the thresholds of today see it.
fn known(opened: &Opened, memory: &Memory) -> Outcome<History> {
    let history = memory.history(&opened.plan)?;
    let census = memory.census(history.jobs.len());
    Ok(plan::ruled(&opened.plan, history, &|blob| census.has(blob.digest)))
}

/// Finds names that the campaign does not have. A profile has fewer shots than the campaign, so there nothing is unknown.
fn named(opened: &mut Opened, file: &PicksFile, doc: Option<DocId>) -> Outcome<()> {
    let Some(doc) = doc.filter(|_| opened.campaign.profile.is_none()) else { return Ok(()) };
    let found = plan::check_picks(&opened.plan, file, doc);
    if found.has_errors() {
        return Err(CliError::Mistakes(Box::new((found, opened.sources.clone()))));
    }
    opened.warnings.extend(found);
    Ok(())
}

/// Says which choices hold no more.
fn tell_stale(opened: &mut Opened, doc: DocId, fallen: &[Stale], manner: Manner) -> Outcome<()> {
    let counts = |stale: &&Stale| manner != Manner::Automatic || stale.automatic.is_none();
    let mistakes: Vec<Diagnostic> = fallen.iter().filter(counts).filter_map(|stale| stale.mistake(doc)).collect();
    let unmade: Vec<&Stale> = fallen.iter().filter(counts).filter(|stale| stale.now.is_none()).collect();
    if let Some(first) = unmade.first() {
        let which = if unmade.len() == 1 { String::new() } else { format!(" and {} more", unmade.len() - 1) };
        let message = format!("the choice for `{}`{which} is of a picture that the shot does not have now", first.pick);
        let at = crate::picks::at_pick(doc, &first.pick).key("picture");
        opened.warnings.push(Diagnostic::warning("stale-pick", at, message).help("once it is made, choose again with `callsheet review`"));
    }
    if mistakes.is_empty() {
        return Ok(());
    }
    let mut found = Diagnostics::new();
    for mistake in mistakes {
        let severity = if manner == Manner::Lenient { crate::types::Severity::Warning } else { mistake.severity };
        found.push(Diagnostic { severity, ..mistake });
    }
    if found.has_errors() {
        return Err(CliError::Mistakes(Box::new((found, opened.sources.clone()))));
    }
    opened.warnings.extend(found);
    Ok(())
}

/// Chooses by `rule` for every open cell that `wanted` lets through and that has pictures to choose from, and writes the picks file.
/// Returns how many were chosen.
///
/// # Errors
/// A picture that cannot be read; what the disk says.
pub fn choose(opened: &mut Opened, workspace: &Workspace, memory: &Memory, rule: AutoPick, wanted: &dyn Fn(&JobId) -> bool) -> Outcome<usize> {
    if !opened.campaign.steps.iter().any(|step| matches!(step.spec, StepSpec::Pick(_))) {
        return Ok(0);
    }
    settle(opened, workspace, memory, Manner::Automatic)?;
    let (_, mut file) = read(workspace, &opened.campaign.name, &mut Sources::new())?;
    // What was chosen automatically and holds no more is chosen again, or is open.
    let holds = |pick: &JobId| opened.picks.chosen.contains_key(pick);
    file.chosen.retain(|pick, chosen| chosen.automatic.is_none() || holds(pick) || opened.plan.find(pick.as_str()).is_none());
    let choices = choices(opened, workspace, memory, rule, wanted)?;
    let made = choices.len();
    for (pick, chosen) in choices {
        file.choose(pick, chosen);
    }
    if made > 0 {
        let path = save(workspace, &file)?;
        super::console::talk(&format!("{} made by `--auto-pick {rule}` and written to {}: nobody has looked", counted(made, "choice"), shown(&path)));
    }
    Ok(made)
}

/// Plans as if `rule` had chosen wherever nobody has: pictures that are there are chosen among, and what stands behind choices whose pictures
/// are still to be made counts as new. Writes nothing. Returns how many choices are supposed.
///
/// # Errors
/// Mistakes in the picks file; a picture that cannot be read.
pub fn suppose(opened: &mut Opened, workspace: &Workspace, memory: &Memory, rule: AutoPick) -> Outcome<usize> {
    settle(opened, workspace, memory, Manner::Automatic)?;
    let open = |opened: &Opened| opened.plan.picks.values().filter(|cell| cell.chosen.is_none()).count();
    let supposed = open(opened);
    loop {
        let choices = choices(opened, workspace, memory, rule, &|_| true)?;
        if choices.is_empty() {
            break;
        }
        let mut picks = opened.picks.clone();
        for (pick, chosen) in choices {
            picks.choose(pick, chosen);
        }
        rebuild(opened, &picks)?;
        opened.picks = picks;
    }
    opened.supposes_picks = true;
    Ok(supposed)
}

/// Returns what `rule` chooses for each open cell that `wanted` lets through and that has pictures to choose from.
fn choices(
    opened: &Opened,
    workspace: &Workspace,
    memory: &Memory,
    rule: AutoPick,
    wanted: &dyn Fn(&JobId) -> bool,
) -> Outcome<Vec<(JobId, Chosen)>> {
    let history = known(opened, memory)?;
    let store = FsStore::at(&workspace.blobs());
    let mut choices = Vec::new();
    for (ix, cell) in opened.plan.picks.iter().filter(|(_, cell)| cell.chosen.is_none()) {
        let pick = opened.plan.id(*ix);
        let there = cell.candidates.iter().filter_map(|ix| match history.state(&opened.plan.job(*ix).key) {
            JobState::Done { artifact, .. } => Some((*ix, *artifact)),
            _ => None,
        });
        let there: Vec<(JobIx, Artifact)> = there.collect();
        if !wanted(&pick) || there.is_empty() {
            continue;
        }
        let (from, artifact) = match rule {
            AutoPick::First => there[0],
            AutoPick::Sharpest => sharpest(opened, &history, &store, &there)?,
        };
        let chosen = Chosen { shot: opened.plan.id(from), picture: artifact.blob.digest, note: None, automatic: Some(rule) };
        choices.push((pick, chosen));
    }
    Ok(choices)
}

/// Returns the sharpest picture, the first of equals; a figure of the ledger is taken before a picture is read.
fn sharpest(opened: &Opened, history: &History, store: &FsStore, there: &[(JobIx, Artifact)]) -> Outcome<(JobIx, Artifact)> {
    let mut best = (i64::MIN, there[0]);
    for (ix, artifact) in there {
        let judged = history.judged(&opened.plan.job(*ix).key).iter().find(|known| known.artifact == *artifact);
        let known = judged.and_then(|known| known.findings.iter().find(|finding| finding.check == CheckKind::Sharpness));
        let figure = match known {
            Some(finding) => finding.value,
            None => {
                let path = store.path(artifact.blob.digest);
                let bytes = std::fs::read(&path).map_err(|error| CliError::io("cannot read", &path, error))?;
                decode(&bytes, &Limits::default()).map_or(i64::MIN, |picture| sharpness(&picture))
            }
        };
        if figure > best.0 {
            best = (figure, (*ix, *artifact));
        }
    }
    Ok(best.1)
}
