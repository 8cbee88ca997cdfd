//! What was chosen and turned down, as the page's script reads it.
//!
//! In: a [`PicksFile`]. Out: JSON, by the addresses that the file holds. Never: more than the file says.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::picks::{Chosen, PicksFile};
use crate::plan::Plan;

/// Choices by cell, refusals by shot.
#[derive(Debug, Default, Serialize)]
pub struct Said {
    picks: BTreeMap<String, Choice>,
    rejected: BTreeMap<String, Vec<Refusal>>,
}

#[derive(Debug, Serialize)]
struct Choice {
    shot: String,
    picture: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    automatic: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct Refusal {
    picture: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

impl Said {
    /// Returns what a plan was made with.
    pub fn of(plan: &Plan) -> Self {
        let mut file = PicksFile::new(&*plan.campaign);
        for (ix, cell) in &plan.picks {
            if let Some(picked) = &cell.chosen {
                let chosen = Chosen { shot: plan.id(picked.from), picture: picked.picture, note: picked.note.clone(), automatic: picked.automatic };
                file.choose(plan.id(*ix), chosen);
            }
        }
        for (ix, refused) in &plan.refused {
            for rejected in refused {
                file.reject(plan.id(*ix), rejected.clone());
            }
        }
        Self::from(&file)
    }
}

impl From<&PicksFile> for Said {
    fn from(file: &PicksFile) -> Self {
        let choice = |chosen: &crate::picks::Chosen| Choice {
            shot: chosen.shot.to_string(),
            picture: chosen.picture.to_string(),
            note: chosen.note.clone(),
            automatic: chosen.automatic.map(crate::picks::AutoPick::as_str),
        };
        let refusal = |rejected: &crate::picks::Rejected| Refusal { picture: rejected.picture.to_string(), note: rejected.note.clone() };
        Self {
            picks: file.chosen.iter().map(|(pick, chosen)| (pick.to_string(), choice(chosen))).collect(),
            rejected: file.rejected.iter().map(|(shot, pictures)| (shot.to_string(), pictures.iter().map(refusal).collect())).collect(),
        }
    }
}
