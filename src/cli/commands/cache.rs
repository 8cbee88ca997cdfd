//! `callsheet cache`: the pictures by digest: how many there are, whether they are whole, which nobody names.

use std::collections::{BTreeMap, HashSet};

use clap::{Args, Subcommand};

use crate::cli::args::StageArgs;
use crate::cli::console;
use crate::cli::error::{CliError, Outcome};
use crate::cli::exit::Exit;
use crate::cli::memory::Memory;
use crate::cli::picking;
use crate::cli::workspace::{Stage, Workspace, shown};
use crate::ledger::{KeptPicture, WorkspaceLock};
use crate::report::text::{Notes, Table, numbers, words};
use crate::store::fs::FsStore;
use crate::store::inventory::{Health, Inventory, check, inventory, remove};
use crate::store::thumbnails::Thumbnails;
use crate::types::diagnostic::counted;
use crate::types::{BlobRef, Digest, SystemClock};

/// Look after the pictures that the workspace keeps
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  callsheet cache size
  callsheet cache verify --rehearse
  callsheet cache prune --yes")]
pub struct CacheArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Say how many pictures there are, how large, and who names them
    #[command(after_help = "Example:\n  callsheet cache size")]
    Size(StageArgs),
    /// Read every picture again and compare it with its name; ends with exit code 5 when one is damaged or missing
    #[command(after_help = "Examples:\n  callsheet cache verify --rehearse\n  callsheet cache verify --mend")]
    Verify {
        #[command(flatten)]
        stage: StageArgs,
        /// Remove the damaged ones: the next run makes again what a campaign still needs, and pays for it again
        #[arg(long)]
        mend: bool,
    },
    /// Remove pictures that the ledger does not name; says only what it would do, unless `--yes` is given
    #[command(after_help = "Examples:\n  callsheet cache prune\n  callsheet cache prune --yes")]
    Prune {
        #[command(flatten)]
        stage: StageArgs,
        /// Do it
        #[arg(long, short)]
        yes: bool,
    },
}

/// Does what `cache` asks for.
pub fn cache(args: &CacheArgs) -> Outcome<Exit> {
    match &args.what {
        What::Size(stage) => size(&Kept::read(&workspace(*stage)?)?),
        What::Verify { stage, mend: false } => verify(&Kept::read(&workspace(*stage)?)?, false),
        What::Verify { stage, mend: true } => {
            let workspace = workspace(*stage)?;
            let _lock = WorkspaceLock::acquire(workspace.home(), "cache verify --mend", &SystemClock)?;
            verify(&Kept::read(&workspace)?, true)
        }
        What::Prune { stage, yes } => prune(&workspace(*stage)?, *yes),
    }
}

fn workspace(stage: StageArgs) -> Outcome<Workspace> {
    let workspace = Workspace::find(Stage::of(stage.rehearse))?;
    if workspace.ledger().is_file() || workspace.blobs().is_dir() {
        return Ok(workspace);
    }
    let help = if stage.rehearse { "rehearse a campaign first" } else { "run a campaign first, or add `--rehearse` for the pictures of rehearsals" };
    Err(CliError::usage(format!("there are no pictures in `{}`", shown(workspace.home())), help))
}

/// What the ledger names, beside what is there.
struct Kept {
    store: FsStore,
    thumbnails: Thumbnails,
    folder: String,
    named: Vec<KeptPicture>,
    /// What a picks file names: a ledger that was lost or left behind may not know it.
    picked: HashSet<Digest>,
    there: Inventory,
}

impl Kept {
    fn read(workspace: &Workspace) -> Outcome<Self> {
        // The ledger first: a picture is there before it is named, so none that is named can be missing by chance.
        let named = Memory::of(workspace)?.pictures()?;
        let there = inventory(&workspace.blobs())?;
        let (store, thumbnails) = (FsStore::at(&workspace.blobs()), Thumbnails::of(&workspace.blobs()));
        Ok(Self { store, thumbnails, folder: shown(&workspace.blobs()), named, picked: picking::digests(workspace)?, there })
    }

    /// Returns the small copies of pictures that are not there, or are about to go.
    fn orphans(&self, going: &[BlobRef]) -> Vec<BlobRef> {
        let going: HashSet<Digest> = going.iter().map(|blob| blob.digest).collect();
        let stays: HashSet<Digest> = self.there.blobs.iter().map(|blob| blob.digest).filter(|digest| !going.contains(digest)).collect();
        self.there.thumbnails.iter().copied().filter(|small| !stays.contains(&small.digest)).collect()
    }

    fn unnamed(&self) -> Vec<BlobRef> {
        let named: HashSet<Digest> = self.named.iter().map(|picture| picture.blob.digest).collect();
        self.there.blobs.iter().copied().filter(|blob| !named.contains(&blob.digest) && !self.picked.contains(&blob.digest)).collect()
    }
}

/// Pictures and their bytes.
#[derive(Default, Clone, Copy)]
struct Weight {
    pictures: usize,
    bytes: u64,
}

impl Weight {
    fn of<'a>(blobs: impl IntoIterator<Item = &'a BlobRef>) -> Self {
        blobs.into_iter().fold(Self::default(), |weight, blob| Self { pictures: weight.pictures + 1, bytes: weight.bytes + blob.len })
    }

    fn cells(self, name: &str) -> Vec<String> {
        vec![name.to_owned(), self.pictures.to_string(), bytes_words(self.bytes)]
    }
}

/// Returns bytes as a person reads them: `812 B`, `34.1 MB`.
fn bytes_words(bytes: u64) -> String {
    let mut unit = (1_u64, "B");
    for larger in [(1_000, "kB"), (1_000_000, "MB"), (1_000_000_000, "GB"), (1_000_000_000_000, "TB")] {
        if bytes >= larger.0 {
            unit = larger;
        }
    }
    let tenths = u128::from(bytes) * 10 / u128::from(unit.0);
    if unit.0 == 1 { format!("{bytes} B") } else { format!("{}.{} {}", tenths / 10, tenths % 10, unit.1) }
}

fn size(kept: &Kept) -> Outcome<Exit> {
    let width = console::width().unwrap_or(120);
    let there: HashSet<Digest> = kept.there.blobs.iter().map(|blob| blob.digest).collect();
    let present = || kept.named.iter().filter(|picture| there.contains(&picture.blob.digest));
    let mut campaigns: BTreeMap<&str, HashSet<BlobRef>> = BTreeMap::new();
    for picture in present() {
        for shot in &picture.shots {
            campaigns.entry(&shot.campaign).or_default().insert(picture.blob);
        }
    }
    let mut table = Table::new(vec![words("campaign", Some(8)), numbers("pictures"), numbers("size")]);
    for (campaign, blobs) in &campaigns {
        table.row(Weight::of(blobs).cells(campaign));
    }
    let superseded: Vec<BlobRef> = present().filter(|picture| picture.shots.is_empty()).map(|picture| picture.blob).collect();
    let unnamed = kept.unnamed();
    if !superseded.is_empty() {
        table.row(Weight::of(&superseded).cells("(shown by no campaign now)"));
    }
    if !unnamed.is_empty() {
        table.row(Weight::of(&unnamed).cells("(named by nobody)"));
    }
    table.totals(Weight::of(&kept.there.blobs).cells("on the disk"));
    let mut notes = Notes { text: table.render(width, true), width, color: true };
    notes.text.push('\n');
    notes.say("folder", &kept.folder);
    let shared = campaigns.values().map(HashSet::len).sum::<usize>() > present().filter(|picture| !picture.shots.is_empty()).count();
    if shared {
        notes.say("", "a picture that two campaigns show is counted with both, and once on the disk");
    }
    if !superseded.is_empty() {
        notes.say("", "what no campaign shows now was made before: a campaign that goes back to it pays nothing");
    }
    let missing = kept.named.len() - present().count();
    if missing > 0 {
        notes.warn("missing", &format!("{} that the ledger names; `callsheet cache verify` names them", counted(missing, "picture")));
    }
    if !kept.there.thumbnails.is_empty() {
        let weight = Weight::of(&kept.there.thumbnails);
        let files = counted(weight.pictures, "file");
        notes.say("thumbnails", &format!("{files}, {}: small copies for galleries, made again where one is missing", bytes_words(weight.bytes)));
    }
    if kept.there.unfinished.0 > 0 {
        let (files, bytes) = kept.there.unfinished;
        notes.say("unfinished", &format!("{}, {}: left by writers that died, or being written", counted(files, "file"), bytes_words(bytes)));
    }
    if !kept.there.strangers.is_empty() {
        notes.say("strangers", &format!("{} that callsheet did not write", counted(kept.there.strangers.len(), "file")));
    }
    if !unnamed.is_empty() {
        notes.say("next", "callsheet cache prune (removes what nobody names)");
    }
    console::data(&notes.text)?;
    Ok(Exit::Done)
}

fn verify(kept: &Kept, mend: bool) -> Outcome<Exit> {
    let width = console::width().unwrap_or(120);
    let mut notes = Notes { text: String::new(), width, color: true };
    let (mut wrong, mut damaged, mut gone) = (0, 0, 0);
    let unnamed: Vec<BlobRef> = kept.unnamed();
    let named = kept.named.iter().map(|picture| (picture.blob, Some(picture)));
    for (blob, picture) in named.chain(unnamed.iter().map(|blob| (*blob, None))) {
        let what = match check(&kept.store, blob.digest)? {
            Health::Whole => continue,
            Health::Damaged => "damaged",
            // Made anew since, or dropped by its campaign: nobody misses it.
            Health::Missing if picture.is_some_and(|picture| picture.shots.is_empty()) => {
                gone += 1;
                continue;
            }
            Health::Missing => "missing",
        };
        wrong += 1;
        damaged += usize::from(what == "damaged");
        if mend && what == "damaged" {
            remove(&kept.store, blob.digest)?;
        }
        notes.warn(what, &format!("{}: {}", shown(&kept.store.path(blob.digest)), whose(picture)));
    }
    let rotten: Vec<Digest> =
        kept.there.thumbnails.iter().map(|small| small.digest).filter(|digest| kept.thumbnails.get(*digest).is_none()).collect();
    if !rotten.is_empty() {
        if mend {
            rotten.iter().for_each(|digest| kept.thumbnails.forget(*digest));
        }
        notes.say("thumbnails", &format!("{} of {} damaged: made again for the next gallery", rotten.len(), kept.there.thumbnails.len()));
    }
    let all = kept.named.len() + unnamed.len() - gone;
    if gone > 0 {
        notes.say("gone", &format!("{} that no campaign shows now", counted(gone, "picture")));
    }
    if wrong == 0 {
        notes.say("whole", &format!("{}, {}", counted(all, "picture"), bytes_words(Weight::of(&kept.there.blobs).bytes)));
        console::data(&notes.text)?;
        return Ok(Exit::Done);
    }
    notes.say("whole", &format!("{} of {}", all - wrong, counted(all, "picture")));
    if damaged > 0 && mend {
        notes.say("removed", &counted(damaged, "damaged file"));
        notes.say("next", "put back copies of the files; else what a campaign still needs is made again, and paid again, by the next run");
    } else if damaged > 0 {
        notes.say(
            "next",
            "put back copies of the damaged files, or remove them with `callsheet cache verify --mend`; what is missing then is made again, and paid again, by the next run",
        );
    } else {
        notes.say("next", "put back copies of the files; else what is missing is made again, and paid again, by the next run");
    }
    console::data(&notes.text)?;
    Ok(Exit::SomeFailed)
}

/// Returns to whom a picture belongs.
fn whose(picture: Option<&KeptPicture>) -> String {
    let Some(picture) = picture else { return "named by nobody".to_owned() };
    let mut shots = picture.shots.iter().map(|shot| format!("{} of {}", shot.job, shot.campaign));
    match (shots.next(), shots.count()) {
        (None, _) => "shown by no campaign now".to_owned(),
        (Some(first), 0) => first,
        (Some(first), more) => format!("{first}, and {more} more"),
    }
}

/// Removes what the ledger does not name. The workspace is held: a run that is under way puts a picture there before it is named.
fn prune(workspace: &Workspace, yes: bool) -> Outcome<Exit> {
    let _lock = WorkspaceLock::acquire(workspace.home(), "cache prune", &SystemClock)?;
    let kept = Kept::read(workspace)?;
    let unnamed = kept.unnamed();
    let weight = Weight::of(&unnamed);
    let orphans = kept.orphans(&unnamed);
    if yes {
        orphans.iter().for_each(|small| kept.thumbnails.forget(small.digest));
    }
    if unnamed.is_empty() && !orphans.is_empty() {
        let copies = format!("{} of pictures that are not here, {}", counted(orphans.len(), "thumbnail"), bytes_words(Weight::of(&orphans).bytes));
        console::talk(&if yes { format!("{copies}: removed") } else { format!("would remove {copies}") });
        if !yes {
            console::hint("add `--yes` to do it");
        }
        return Ok(Exit::Done);
    }
    if unnamed.is_empty() {
        console::talk(&format!("nothing to remove: the ledger names all of {}", counted(kept.there.blobs.len(), "picture")));
        return Ok(Exit::Done);
    }
    let what = format!("{} that nobody names, {}", counted(weight.pictures, "picture"), bytes_words(weight.bytes));
    if !yes {
        console::talk(&format!("would remove {what}; nothing that the ledger names is touched"));
        console::talk("to buy them again would cost nothing: no shot of any campaign here has one of them, so none is ever bought for them");
        console::hint("add `--yes` to do it");
        return Ok(Exit::Done);
    }
    for blob in &unnamed {
        remove(&kept.store, blob.digest)?;
    }
    console::talk(&format!("{what}: removed; nothing has to be bought again"));
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_told_with_one_decimal() {
        for (bytes, said) in [(0, "0 B"), (812, "812 B"), (1_000, "1.0 kB"), (34_190_000, "34.1 MB"), (u64::MAX, "18446744.0 TB")] {
            assert_eq!(bytes_words(bytes), said);
        }
    }
}
