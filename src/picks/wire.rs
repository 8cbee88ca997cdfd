//! The file as it is written: what an editor checks, and what it means.
//!
//! In: parsed YAML. Out: [`PicksFile`]. Never: a digest taken for one that is none.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{AutoPick, Chosen, PicksFile, Rejected, at_pick, at_rejected};
use crate::types::{Diagnostic, Diagnostics, Digest, DocId, FieldPath, JobId};

/// What people chose and turned down in one campaign; `callsheet review` writes it, and it is committed beside the campaign.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(title = "callsheet picks")]
pub(super) struct PicksWire {
    /// Version of the file; always 1.
    #[schemars(range(min = 1, max = 1))]
    #[allow(dead_code, reason = "the schema has judged it")]
    version: u32,
    /// Name of the campaign.
    #[schemars(example = &"spring-drop")]
    campaign: String,
    /// Cells of `pick` steps by their address, and what was chosen for each.
    #[serde(default)]
    picks: IndexMap<String, ChosenWire>,
    /// Shots by their address, and their pictures that were turned down: such a shot is made again.
    #[serde(default)]
    rejected: IndexMap<String, Vec<RejectedWire>>,
}

/// What was chosen for one cell.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct ChosenWire {
    /// Address of the shot that was chosen.
    #[schemars(example = &"surface[sku=teapot,angle=front,surface=oak]")]
    shot: String,
    /// BLAKE3 digest of the picture that was looked at: the choice holds for no other.
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"), extend("patternErrorMessage" = "a BLAKE3 digest of 64 hex digits"))]
    picture: String,
    /// Why, in the chooser's words.
    note: Option<String>,
    /// Set when nobody looked: the rule of `--auto-pick` that chose.
    automatic: Option<AutoPick>,
}

/// A picture that was turned down.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RejectedWire {
    /// BLAKE3 digest of the picture.
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"), extend("patternErrorMessage" = "a BLAKE3 digest of 64 hex digits"))]
    picture: String,
    /// Why; shown beside the shot when it is made again.
    note: Option<String>,
}

impl PicksWire {
    /// Returns what the file means.
    pub(super) fn meant(self, doc: DocId) -> Result<PicksFile, Diagnostics> {
        let mut found = Diagnostics::new();
        let mut file = PicksFile::new(self.campaign);
        for (pick, chosen) in self.picks {
            let pick = JobId::new(&pick);
            let ChosenWire { shot, picture, note, automatic } = chosen;
            if let Some(picture) = digest(&picture, &at_pick(doc, &pick).key("picture"), &mut found) {
                file.chosen.insert(pick, Chosen { shot: JobId::new(&shot), picture, note, automatic });
            }
        }
        for (shot, pictures) in self.rejected {
            let shot = JobId::new(&shot);
            for (index, RejectedWire { picture, note }) in pictures.into_iter().enumerate() {
                if let Some(picture) = digest(&picture, &at_rejected(doc, &shot).index(index).key("picture"), &mut found) {
                    file.reject_only(shot.clone(), Rejected { picture, note });
                }
            }
        }
        if found.has_errors() { Err(found) } else { Ok(file) }
    }
}

impl PicksFile {
    /// Adds a refusal as it stands in the file: a choice of the same picture is the author's contradiction, and is found with the plan.
    fn reject_only(&mut self, shot: JobId, rejected: Rejected) {
        self.rejected.entry(shot).or_default().push(rejected);
    }
}

fn digest(text: &str, at: &FieldPath, found: &mut Diagnostics) -> Option<Digest> {
    let digest = Digest::from_hex(text);
    if digest.is_none() {
        found.push(Diagnostic::error("not-a-digest", at.clone(), "this is no BLAKE3 digest of 64 hex digits"));
    }
    digest
}
