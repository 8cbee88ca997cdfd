//! What was said of pictures, word by word, and the file that it is kept in.
//!
//! In: JSON of a page. Out: the picks file, written whole beside itself and renamed into place; the state as the page reads it.
//! Never: a word about a picture that is not the shot's now; a file that another hand has made unreadable overwritten.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use hyper::StatusCode;
use serde::Deserialize;

use super::guard::Refusal;
use crate::cli::picking::write_whole;
use crate::ledger::History;
use crate::picks::{Chosen, MAX_BYTES, PicksFile, Rejected};
use crate::plan::Plan;
use crate::report::gallery::Said;
use crate::spec::Sources;
use crate::types::{Digest, JobId, Operation};

/// Most words of one request.
const MOST_WORDS: usize = 100;

/// Longest note, in characters.
const LONGEST_NOTE: usize = 2_000;

/// One thing that is said.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
enum Word {
    Choose { pick: String, shot: String, picture: String, note: Option<String> },
    Unchoose { pick: String },
    Reject { shot: String, picture: String, note: Option<String> },
    Unreject { shot: String, picture: String },
}

/// What words can be about.
#[derive(Debug, Default)]
pub struct Shots {
    /// The picture that each shot has now, and whether it was paid for.
    pictures: HashMap<String, (Digest, bool)>,
    /// The candidates of each cell of a `pick` step.
    cells: HashMap<String, Vec<String>>,
}

impl Shots {
    /// Reads them from a plan and what the ledger knows.
    pub fn new(plan: &Plan, history: &History) -> Self {
        let picture = |ix| {
            let job = plan.job(ix);
            let artifact = history.artifact(&job.key)?;
            Some((plan.id(ix).to_string(), (artifact.blob.digest, matches!(job.operation, Operation::Paid(_)))))
        };
        let cells = crate::report::gallery::cells(plan);
        let names = |of: Vec<crate::plan::JobIx>| of.into_iter().map(|ix| plan.id(ix).to_string()).collect();
        Self {
            pictures: plan.indices().filter_map(picture).collect(),
            cells: cells.into_iter().map(|(cell, of)| (plan.id(cell).to_string(), names(of))).collect(),
        }
    }

    /// Returns how many shots have another picture than here, or the first one.
    pub fn fresh_in(&self, newer: &Self) -> usize {
        newer.pictures.iter().filter(|(shot, (digest, _))| self.pictures.get(*shot).is_none_or(|(known, _)| known != digest)).count()
    }

    /// Returns the digest if it is that of the shot's picture now.
    fn picture(&self, shot: &str, picture: &str) -> Result<(Digest, bool), Refusal> {
        let known = self.pictures.get(shot).ok_or_else(|| conflict(&format!("`{shot}` has no picture in this plan")))?;
        if known.0.to_string() == picture { Ok(*known) } else { Err(conflict(&format!("`{shot}` has another picture now"))) }
    }
}

fn conflict(why: &str) -> Refusal {
    Refusal { status: StatusCode::CONFLICT, why: why.to_owned() }
}

fn broken(what: &str, error: &std::io::Error) -> Refusal {
    Refusal { status: StatusCode::INTERNAL_SERVER_ERROR, why: format!("{what}: {error}") }
}

/// Keeps one campaign's picks.
pub struct Keeper {
    /// The file.
    pub path: PathBuf,
    /// The campaign.
    pub campaign: String,
    /// What words can be about.
    pub shots: Arc<Shots>,
}

impl Keeper {
    /// Returns the state as the page reads it.
    pub fn read(&self) -> Result<String, Refusal> {
        state(&self.file()?)
    }

    /// Does what is said, all of it or nothing, and returns the state after it.
    pub fn say(&self, body: &[u8]) -> Result<String, Refusal> {
        let bad = |why: String| Refusal { status: StatusCode::BAD_REQUEST, why };
        let words: Vec<Word> = serde_json::from_slice(body).map_err(|error| bad(format!("these words cannot be read: {error}")))?;
        if words.len() > MOST_WORDS {
            return Err(bad(format!("more than {MOST_WORDS} words at once")));
        }
        // The file is read anew each time: a person, or another window, may have written it since.
        let mut file = self.file()?;
        let before = file.clone();
        for word in words {
            self.apply(&mut file, word)?;
        }
        if file != before {
            write_whole(&self.path, &file).map_err(|error| broken("the picks cannot be written", &error))?;
        }
        state(&file)
    }

    fn apply(&self, file: &mut PicksFile, word: Word) -> Result<(), Refusal> {
        match word {
            Word::Choose { pick, shot, picture, note } => {
                let (picture, _) = self.shots.picture(&shot, &picture)?;
                if !self.shots.cells.get(&pick).is_some_and(|of| of.contains(&shot)) {
                    return Err(conflict(&format!("`{shot}` is not among the shots that `{pick}` chooses from")));
                }
                let shot = JobId::new(shot);
                file.unreject(&shot, picture);
                file.choose(JobId::new(pick), Chosen { shot, picture, note: noted(note)?, automatic: None });
            }
            Word::Unchoose { pick } => drop(file.unchoose(&JobId::new(pick))),
            Word::Reject { shot, picture, note } => {
                let (picture, is_paid) = self.shots.picture(&shot, &picture)?;
                if !is_paid {
                    return Err(conflict(&format!("`{shot}` is made here, for nothing: made again it would be the same")));
                }
                file.reject(JobId::new(shot), Rejected { picture, note: noted(note)? });
            }
            Word::Unreject { shot, picture } => {
                let picture = Digest::from_hex(&picture).ok_or_else(|| conflict("this is no digest"))?;
                file.unreject(&JobId::new(shot), picture);
            }
        }
        Ok(())
    }

    fn file(&self) -> Result<PicksFile, Refusal> {
        let bytes = match std::fs::metadata(&self.path) {
            Ok(metadata) if metadata.len() > MAX_BYTES => return Err(conflict("the picks file is too large")),
            _ => std::fs::read(&self.path),
        };
        let bytes = match bytes {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(PicksFile::new(&self.campaign)),
            Err(error) => return Err(broken("the picks cannot be read", &error)),
        };
        let shown = self.path.display().to_string();
        let read = PicksFile::read(&mut Sources::new(), shown.as_str(), &bytes, &self.campaign);
        read.map(|(_, file)| file).map_err(|found| {
            let first = found.iter().next().map_or_else(String::new, |finding| format!(": {}", finding.message));
            conflict(&format!("`{shown}` has mistakes{first}"))
        })
    }
}

fn state(file: &PicksFile) -> Result<String, Refusal> {
    serde_json::to_string(&Said::from(file)).map_err(|error| broken("the picks cannot be told", &error.into()))
}

/// Returns a note without the blanks around it; an empty one is none.
fn noted(note: Option<String>) -> Result<Option<String>, Refusal> {
    let Some(note) = note.map(|note| note.trim().to_owned()).filter(|note| !note.is_empty()) else { return Ok(None) };
    if note.chars().count() > LONGEST_NOTE || note.contains('\0') {
        return Err(conflict(&format!("a note has at most {LONGEST_NOTE} characters, and no NUL")));
    }
    Ok(Some(note))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keeper(folder: &std::path::Path) -> Keeper {
        let digest = |word: &str| Digest::of(word.as_bytes());
        let shots = Shots {
            pictures: HashMap::from([
                ("surface[surface=oak]".to_owned(), (digest("oak"), true)),
                ("surface[surface=linen]".to_owned(), (digest("linen"), true)),
                ("deliver".to_owned(), (digest("free"), false)),
            ]),
            cells: HashMap::from([("best".to_owned(), vec!["surface[surface=oak]".to_owned(), "surface[surface=linen]".to_owned()])]),
        };
        Keeper { path: folder.join("picks/spring-drop.yaml"), campaign: "spring-drop".to_owned(), shots: Arc::new(shots) }
    }

    fn say(keeper: &Keeper, words: serde_json::Value) -> Result<serde_json::Value, (u16, String)> {
        let said = keeper.say(words.to_string().as_bytes());
        said.map(|state| serde_json::from_str(&state).expect("JSON")).map_err(|refusal| (refusal.status.as_u16(), refusal.why))
    }

    #[test]
    fn what_is_said_is_in_the_file_at_once_and_can_be_taken_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let keeper = keeper(folder.path());
        let oak = Digest::of(b"oak").to_string();
        let choose =
            serde_json::json!([{ "do": "choose", "pick": "best", "shot": "surface[surface=oak]", "picture": oak, "note": " the \"grain\" " }]);
        let state = say(&keeper, choose).expect("kept");
        assert_eq!(state["picks"]["best"]["note"], "the \"grain\"");
        let text = std::fs::read_to_string(&keeper.path).expect("the file is there");
        assert!(text.contains("note: \"the \\\"grain\\\"\""), "{text}");
        let reject = serde_json::json!([{ "do": "reject", "shot": "surface[surface=oak]", "picture": oak, "note": "dull" }]);
        let state = say(&keeper, reject).expect("kept");
        assert_eq!(
            (state["picks"].as_object().map(serde_json::Map::len), &state["rejected"]["surface[surface=oak]"][0]["note"]),
            (Some(0), &"dull".into())
        );
        let unreject =
            serde_json::json!([{ "do": "unreject", "shot": "surface[surface=oak]", "picture": oak }, { "do": "unchoose", "pick": "best" }]);
        assert_eq!(say(&keeper, unreject), Ok(serde_json::json!({ "picks": {}, "rejected": {} })));
        let left: Vec<_> = std::fs::read_dir(folder.path().join("picks")).expect("a folder").collect();
        assert_eq!(left.len(), 1, "nothing half-written is left");
    }

    #[test]
    fn a_word_about_what_is_not_there_changes_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let keeper = keeper(folder.path());
        let (oak, free) = (Digest::of(b"oak").to_string(), Digest::of(b"free").to_string());
        let wrong = [
            (409, serde_json::json!([{ "do": "choose", "pick": "best", "shot": "surface[surface=oak]", "picture": free }])),
            (409, serde_json::json!([{ "do": "choose", "pick": "worst", "shot": "surface[surface=oak]", "picture": oak }])),
            (409, serde_json::json!([{ "do": "choose", "pick": "best", "shot": "deliver", "picture": free }])),
            (409, serde_json::json!([{ "do": "reject", "shot": "deliver", "picture": free }])),
            (409, serde_json::json!([{ "do": "reject", "shot": "../../etc/passwd", "picture": oak }])),
            (409, serde_json::json!([{ "do": "reject", "shot": "surface[surface=oak]", "picture": oak, "note": "x".repeat(2001) }])),
            (400, serde_json::json!([{ "do": "delete", "shot": "surface[surface=oak]" }])),
            (400, serde_json::json!([{ "do": "unchoose", "pick": "best", "path": "/etc/passwd" }])),
            (400, serde_json::json!({ "do": "unchoose", "pick": "best" })),
            // The first would be right: all or nothing.
            (
                409,
                serde_json::json!([{ "do": "reject", "shot": "surface[surface=oak]", "picture": oak }, { "do": "reject", "shot": "deliver", "picture": free }]),
            ),
        ];
        for (status, words) in wrong {
            assert_eq!(say(&keeper, words.clone()).map_err(|(status, _)| status), Err(status), "{words}");
        }
        assert!(!keeper.path.exists());
    }

    #[test]
    fn a_file_with_mistakes_is_named_and_left_as_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let keeper = keeper(folder.path());
        std::fs::create_dir_all(folder.path().join("picks")).expect("a folder");
        std::fs::write(&keeper.path, "version: 1\ncampaign: summer\n").expect("written");
        let (status, why) = say(&keeper, serde_json::json!([{ "do": "unchoose", "pick": "best" }])).expect_err("refused");
        assert!(status == 409 && why.contains("has mistakes: these picks are of campaign `summer`"), "{why}");
        assert_eq!(std::fs::read_to_string(&keeper.path).expect("there"), "version: 1\ncampaign: summer\n");
    }
}
