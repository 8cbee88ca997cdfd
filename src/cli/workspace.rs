//! Where the ledger, the pictures and the output stand.
//!
//! In: the environment and the current folder. Out: paths. Real runs and rehearsals share none of them.
//! Never: a folder made by looking: only a run makes them.

use std::hash::{BuildHasher, Hasher};
use std::path::{Path, PathBuf};

use super::error::{CliError, Outcome};

/// Name of the folder with ledger and pictures.
const FOLDER: &str = ".callsheet";

/// The environment variable that moves that folder.
const HOME: &str = "CALLSHEET_HOME";

/// Whether money is at stake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Real requests, real money.
    Real,
    /// The simulator: own ledger, own pictures, own tree.
    Rehearsal,
}

impl Stage {
    /// Returns the stage that a `--rehearse` flag asks for.
    pub fn of(rehearse: bool) -> Self {
        if rehearse { Self::Rehearsal } else { Self::Real }
    }
}

/// The folders of one stage.
#[derive(Debug, Clone)]
pub struct Workspace {
    /// Holds ledger and pictures of the stage.
    home: PathBuf,
    /// The whole of `.callsheet`.
    folder: PathBuf,
    /// What the output folders stand in.
    root: PathBuf,
    stage: Stage,
}

impl Workspace {
    /// Finds the workspace: `CALLSHEET_HOME`, else the nearest `.callsheet` at or above the current folder, else one that would be made here.
    ///
    /// # Errors
    /// When there is no current folder.
    pub fn find(stage: Stage) -> Outcome<Self> {
        let current = std::env::current_dir().map_err(|error| CliError::Io("cannot tell the current folder".to_owned(), error))?;
        let (folder, root) = match std::env::var_os(HOME).filter(|home| !home.is_empty()) {
            Some(home) => (current.join(home), current),
            None => {
                let root = current.ancestors().find(|folder| folder.join(FOLDER).is_dir()).unwrap_or(&current).to_owned();
                (root.join(FOLDER), root)
            }
        };
        let home = match stage {
            Stage::Real => folder.clone(),
            Stage::Rehearsal => folder.join("rehearsal"),
        };
        Ok(Self { home, folder, root, stage })
    }

    /// Returns the same for another `.callsheet` folder, for looking into it.
    ///
    /// # Errors
    /// [`CliError::Usage`] when it has no ledger of this stage.
    pub fn beside(&self, folder: &Path) -> Outcome<Self> {
        let home = match self.stage {
            Stage::Real => folder.to_owned(),
            Stage::Rehearsal => folder.join("rehearsal"),
        };
        let other = Self { home, folder: folder.to_owned(), ..self.clone() };
        if other.ledger().is_file() {
            return Ok(other);
        }
        let what = if self.stage == Stage::Rehearsal { "rehearsed" } else { "run" };
        Err(CliError::usage(
            format!("nothing was {what} in `{}`", folder.display()),
            "name the folder that `CALLSHEET_HOME` named there, or its `.callsheet`",
        ))
    }

    /// Returns the stage.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// Returns the folder that is locked and that ledger and pictures stand in.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Returns the ledger's file.
    pub fn ledger(&self) -> PathBuf {
        self.home.join("ledger.db")
    }

    /// Returns the folder of the picture store.
    pub fn blobs(&self) -> PathBuf {
        self.home.join("blobs")
    }

    /// Returns the output folder of a campaign: `--out` if it is given.
    pub fn output(&self, campaign: &str, out: Option<&Path>) -> PathBuf {
        match (out, self.stage) {
            (Some(out), _) => out.to_owned(),
            (None, Stage::Real) => self.root.join("out").join(campaign),
            (None, Stage::Rehearsal) => self.root.join("rehearsal").join(campaign),
        }
    }

    /// Returns the file with what people chose and turned down: `picks/<campaign>.yaml`, and one of its own for rehearsals, whose pictures are others.
    pub fn picks(&self, campaign: &str) -> PathBuf {
        let folder = self.root.join("picks");
        let folder = if self.stage == Stage::Rehearsal { folder.join("rehearsal") } else { folder };
        folder.join(format!("{campaign}.yaml"))
    }

    /// Makes the folder, keeps it out of version control, and returns the name that idempotency keys carry.
    ///
    /// # Errors
    /// When the disk says no.
    pub fn make(&self) -> Outcome<String> {
        std::fs::create_dir_all(&self.home).map_err(|error| CliError::io("cannot make the folder", &self.home, error))?;
        let ignore = self.folder.join(".gitignore");
        if !ignore.exists() {
            std::fs::write(&ignore, "*\n").map_err(|error| CliError::io("cannot write", &ignore, error))?;
        }
        let name = self.folder.join("name");
        match std::fs::read_to_string(&name) {
            Ok(text) if !text.trim().is_empty() => Ok(text.trim().to_owned()),
            _ => {
                let fresh = format!("{:016x}", random());
                std::fs::write(&name, format!("{fresh}\n")).map_err(|error| CliError::io("cannot write", &name, error))?;
                Ok(fresh)
            }
        }
    }
}

/// Returns a number that nobody can foresee: the standard library seeds its hashers from the system.
pub fn random() -> u64 {
    std::hash::RandomState::new().build_hasher().finish()
}

/// Returns a path as it is shown: relative to the current folder where it stands below it.
pub fn shown(path: &Path) -> String {
    let current = std::env::current_dir().unwrap_or_default();
    let relative = path.strip_prefix(&current).ok().filter(|relative| !relative.as_os_str().is_empty());
    relative.unwrap_or(path).display().to_string()
}
