//! What people chose and turned down: the file `picks/<campaign>.yaml`.
//!
//! In: the file's bytes. Out: [`PicksFile`], or all mistakes with their places; and back to text that a version control shows well.
//! Never: the disk, the plan, a judgement whether a choice still holds; that is [`plan`](crate::plan)'s, with the ledger beside it.
//!
//! ```yaml
//! # yaml-language-server: $schema=../schemas/picks.schema.json
//! version: 1
//! campaign: "spring-drop"
//! picks:
//!   "best[sku=teapot,angle=front]":
//!     shot: "surface[sku=teapot,angle=front,surface=oak]"
//!     picture: "0f3a…64 hex digits"
//!     note: "the grain reads well"
//! rejected:
//!   "surface[sku=teapot,angle=front,surface=linen]":
//!     - picture: "77c1…"
//!       note: "the handle is cut off"
//! ```

mod text;
mod wire;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::spec::{Positions, Sources, read_yaml};
use crate::types::{Diagnostic, Diagnostics, Digest, DocId, FieldPath, JobId};
use wire::PicksWire;

/// Largest file that is read, 64 MB: a choice takes about 250 bytes.
pub const MAX_BYTES: u64 = 64_000_000;

/// The whole file: choices and refusals of one campaign.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PicksFile {
    /// The campaign.
    pub campaign: String,
    /// The choice for each cell of a `pick` step, by the cell's address: `best[sku=teapot,angle=front]`.
    pub chosen: BTreeMap<JobId, Chosen>,
    /// Pictures that were turned down, by the address of their shot, in the order in which it happened.
    pub rejected: BTreeMap<JobId, Vec<Rejected>>,
}

/// What was chosen for one cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// Address of the shot.
    pub shot: JobId,
    /// Digest of the picture that was looked at: the choice holds for it and for no other.
    pub picture: Digest,
    /// Why, in the chooser's words.
    pub note: Option<String>,
    /// Set when nobody looked: the rule of `--auto-pick` that chose.
    pub automatic: Option<AutoPick>,
}

/// A picture that was turned down: its shot is made again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Digest of the picture.
    pub picture: Digest,
    /// Why.
    pub note: Option<String>,
}

/// A rule that chooses where nobody looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AutoPick {
    /// The first shot in the plan's order.
    First,
    /// The shot with the sharpest picture; the first of equals.
    Sharpest,
}

impl AutoPick {
    /// Returns the word of the command line and of files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Sharpest => "sharpest",
        }
    }
}

impl fmt::Display for AutoPick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl PicksFile {
    /// Returns the file of a campaign in which nothing is chosen yet.
    pub fn new(campaign: impl Into<String>) -> Self {
        Self { campaign: campaign.into(), ..Self::default() }
    }

    /// Reads a file and keeps its text in `sources`; `shown` is its path as messages print it.
    ///
    /// # Errors
    /// All that is wrong with it: syntax, unknown keys, what is no digest, a file of another campaign than `campaign`.
    pub fn read(sources: &mut Sources, shown: impl Into<String>, bytes: &[u8], campaign: &str) -> Result<(DocId, Self), Diagnostics> {
        let (doc, wire): (DocId, PicksWire) = read_yaml(sources, shown, bytes, Positions::None)?;
        let read = wire.meant(doc)?;
        if read.campaign != campaign {
            let at = FieldPath::root(doc).key("campaign");
            let message = format!("these picks are of campaign `{}`, not of `{campaign}`", read.campaign);
            return Err(Diagnostic::error("picks-of-another-campaign", at, message).help("each campaign has a picks file of its own name").into());
        }
        Ok((doc, read))
    }

    /// Returns the JSON Schema of the file.
    pub fn schema() -> schemars::Schema {
        schemars::schema_for!(PicksWire)
    }

    /// Returns the file's text: sorted by address, one choice on its own lines, the same choices always the same bytes.
    pub fn to_yaml(&self) -> String {
        text::yaml(self)
    }

    /// Returns whether nothing is chosen and nothing turned down.
    pub fn is_empty(&self) -> bool {
        self.chosen.is_empty() && self.rejected.is_empty()
    }

    /// Chooses a picture for the cell `pick`, in place of what was chosen before.
    pub fn choose(&mut self, pick: JobId, chosen: Chosen) {
        self.chosen.insert(pick, chosen);
    }

    /// Takes the choice for a cell back; returns what it was.
    pub fn unchoose(&mut self, pick: &JobId) -> Option<Chosen> {
        self.chosen.remove(pick)
    }

    /// Turns a picture of a shot down, and takes back every choice of it. Saying it again only replaces the note.
    pub fn reject(&mut self, shot: JobId, rejected: Rejected) {
        self.chosen.retain(|_, chosen| chosen.shot != shot || chosen.picture != rejected.picture);
        let of_shot = self.rejected.entry(shot).or_default();
        match of_shot.iter_mut().find(|known| known.picture == rejected.picture) {
            Some(known) => *known = rejected,
            None => of_shot.push(rejected),
        }
    }

    /// Takes back that a picture was turned down; returns whether it was.
    pub fn unreject(&mut self, shot: &JobId, picture: Digest) -> bool {
        let Some(of_shot) = self.rejected.get_mut(shot) else { return false };
        let before = of_shot.len();
        of_shot.retain(|known| known.picture != picture);
        let taken_back = of_shot.len() < before;
        if of_shot.is_empty() {
            self.rejected.remove(shot);
        }
        taken_back
    }

    /// Returns the refusal of a picture of a shot.
    pub fn rejection(&self, shot: &JobId, picture: Digest) -> Option<&Rejected> {
        self.rejected.get(shot)?.iter().find(|known| known.picture == picture)
    }
}

/// Returns where the choice for a cell stands in the file `doc`: its key.
pub fn at_pick(doc: DocId, pick: &JobId) -> FieldPath {
    FieldPath::root(doc).key("picks").key(pick.as_str())
}

/// Returns where the refusals of a shot stand in the file `doc`.
pub fn at_rejected(doc: DocId, shot: &JobId) -> FieldPath {
    FieldPath::root(doc).key("rejected").key(shot.as_str())
}

#[cfg(test)]
mod tests;
