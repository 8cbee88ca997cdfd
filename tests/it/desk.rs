//! A desk: a folder of its own with campaigns in it, and the real program at work there, without a key.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use assert_cmd::Command;
use callsheet::imaging::{Limits, verify};
use callsheet::ledger::{Durability, SqliteLedger};
use callsheet::types::{ImageInfo, SystemClock};
use std::sync::Arc;
use tempfile::TempDir;

/// Small pictures: drawing is not what is tested here.
pub const SIM: &str = "size=64x64";

/// The campaign that most tests run.
pub const SPRING: &str = "campaigns/spring-drop.yaml";

/// A folder with the spring campaign in it, and no key in the environment.
pub struct Desk(TempDir);

/// What a command has said.
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// A row of `costs.csv`, by column.
pub type Row = BTreeMap<String, String>;

impl Desk {
    pub fn new() -> Self {
        let desk = Self(tempfile::tempdir().expect("a temporary folder can be made"));
        fs::create_dir_all(desk.path().join("campaigns/data")).expect("a folder can be made");
        for file in [SPRING, "campaigns/data/spring-skus.csv"] {
            fs::copy(file, desk.path().join(file)).expect("the campaign ships with the program");
        }
        desk
    }

    /// A desk with everything that ships in `campaigns/`.
    pub fn with_all_campaigns() -> Self {
        let desk = Self::new();
        for file in files_in(Path::new("campaigns")) {
            let to = desk.path().join("campaigns").join(&file);
            fs::create_dir_all(to.parent().expect("a file stands in a folder")).expect("a folder can be made");
            fs::copy(Path::new("campaigns").join(&file), to).expect("the campaign ships with the program");
        }
        desk
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn write(&self, file: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path().join(file), bytes).expect("a file can be written");
    }

    pub fn read(&self, file: &str) -> Vec<u8> {
        fs::read(self.path().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
    }

    /// Replaces a text in the spring campaign.
    pub fn edit(&self, from: &str, to: &str) {
        self.edit_file(SPRING, from, to);
    }

    /// Replaces a text in a file.
    pub fn edit_file(&self, file: &str, from: &str, to: &str) {
        let text = String::from_utf8(self.read(file)).expect("it is text");
        assert!(text.contains(from), "`{from}` stands in {file}");
        self.write(file, text.replacen(from, to, 1));
    }

    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("callsheet"));
        command.current_dir(self.path()).env_clear().args(words);
        command
    }

    pub fn say(&self, words: &[&str]) -> Said {
        said(self.command(words))
    }

    pub fn with_key(&self, words: &[&str]) -> Said {
        let mut command = self.command(words);
        command.env("KIE_API_KEY", "not-a-real-key");
        said(command)
    }

    /// Rehearses with small pictures and expects this exit code.
    pub fn rehearse(&self, words: &[&str], code: i32) -> Said {
        let mut all = vec!["run"];
        all.extend(words);
        all.push("--rehearse");
        if !words.contains(&"--sim") {
            all.extend(["--sim", SIM]);
        }
        let said = self.say(&all);
        assert_eq!(said.code, code, "{words:?}: {}", said.all());
        said
    }

    /// Returns the files below a folder, sorted, with `/` between folders.
    pub fn files(&self, below: &str) -> Vec<String> {
        files_in(&self.path().join(below))
    }

    /// Returns every file below a folder with its bytes and when it was last written.
    pub fn snapshot(&self, below: &str) -> BTreeMap<String, (SystemTime, Vec<u8>)> {
        let about = |file: String| {
            let path = self.path().join(below).join(&file);
            let modified = fs::metadata(&path).and_then(|about| about.modified()).expect("the file is there");
            let bytes = fs::read(&path).expect("the file can be read");
            (file, (modified, bytes))
        };
        self.files(below).into_iter().map(about).collect()
    }

    /// Returns the rows of a rehearsal's `costs.csv`.
    pub fn costs(&self, campaign: &str) -> Vec<Row> {
        let bytes = self.read(&format!("rehearsal/{campaign}/costs.csv"));
        let mut reader = csv::Reader::from_reader(bytes.as_slice());
        reader.deserialize().map(|row| row.expect("a row has a cell for each column")).collect()
    }

    /// Returns a rehearsal's `manifest.json`.
    pub fn manifest(&self, campaign: &str) -> serde_json::Value {
        serde_json::from_slice(&self.read(&format!("rehearsal/{campaign}/manifest.json"))).expect("the manifest is JSON")
    }

    /// Returns path, job and picture of every file in the manifest, as one text a file.
    pub fn pictures(&self, campaign: &str) -> Vec<String> {
        let manifest = self.manifest(campaign);
        let files = manifest["files"].as_array().expect("the manifest has files");
        files.iter().map(|file| format!("{} {} {}", file["path"], file["job"], file["digest"])).collect()
    }

    /// Returns what a picture of a rehearsal is; panics if it is not whole.
    pub fn picture(&self, campaign: &str, path: &str) -> ImageInfo {
        let bytes = self.read(&format!("rehearsal/{campaign}/{path}"));
        verify(&bytes, &Limits::default()).unwrap_or_else(|error| panic!("{campaign}/{path}: {error}"))
    }

    /// Returns the plan of a campaign as data.
    pub fn plan(&self, words: &[&str]) -> serde_json::Value {
        let all: Vec<&str> = ["plan"].iter().chain(words).chain(&["--format", "json"]).copied().collect();
        let said = self.say(&all);
        serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {}", said.all()))
    }

    /// Opens the rehearsals' ledger.
    pub fn ledger(&self) -> SqliteLedger {
        let path = self.path().join(".callsheet/rehearsal/ledger.db");
        SqliteLedger::open(&path, Arc::new(SystemClock), Durability::Normal).expect("the ledger opens")
    }

    /// Returns how many records the rehearsals' ledger has.
    pub fn records(&self) -> usize {
        self.ledger().entries(0).expect("every record can be read").len()
    }

    /// Returns where a picture's bytes stand in the store.
    pub fn blob(&self, digest: &str) -> PathBuf {
        self.path().join(".callsheet/rehearsal/blobs").join(&digest[..2]).join(&digest[2..])
    }
}

/// Returns the files in a folder and below it, sorted, with `/` between folders.
fn files_in(folder: &Path) -> Vec<String> {
    fn walk(folder: &Path, name: &str, found: &mut Vec<String>) {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        for entry in entries {
            let path = format!("{name}{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() { walk(&entry.path(), &format!("{path}/"), found) } else { found.push(path) }
        }
    }
    let mut found = Vec::new();
    walk(folder, "", &mut found);
    found.sort();
    found
}

pub fn said(mut command: Command) -> Said {
    let output = command.output().expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the program speaks UTF-8");
    Said { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

impl Said {
    /// Everything that was said, for a snapshot.
    pub fn all(&self) -> String {
        format!("exit {}\n--- stdout\n{}--- stderr\n{}", self.code, self.out, self.err)
    }
}

/// Counts rows by what stands in a column.
pub fn counted_by(rows: &[Row], column: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for row in rows {
        *counts.entry(row[column].clone()).or_default() += 1;
    }
    counts
}

/// Adds up a column of decimal amounts, in millionths.
pub fn sum(rows: &[Row], column: &str) -> u64 {
    rows.iter().map(|row| &row[column]).filter(|cell| !cell.is_empty()).map(|cell| micros(cell)).sum()
}

/// Reads a decimal amount, in millionths.
pub fn micros(text: &str) -> u64 {
    let amount: callsheet::types::Micros = text.parse().unwrap_or_else(|_| panic!("`{text}` is an amount"));
    u64::try_from(amount.get()).expect("no amount here is negative")
}
