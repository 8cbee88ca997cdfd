//! The house: which folder may import which, and what must never stand in it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Folder, and the folders it may import. What is missing here is forbidden.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("types", &[]),
    ("catalog", &["types"]),
    ("steps", &["types", "catalog"]),
    ("spec", &["types", "steps"]),
    ("campaign", &["types", "catalog", "spec", "steps"]),
    ("ledger", &["types"]),
    ("picks", &["types", "spec"]),
    ("plan", &["types", "catalog", "spec", "steps", "campaign", "ledger", "picks"]),
    ("lint", &["types", "spec", "steps", "campaign", "plan"]),
    ("pricing", &["types", "catalog", "campaign", "plan", "ledger"]),
    ("store", &["types"]),
    ("imaging", &["types"]),
    ("provider", &["types", "catalog", "imaging"]),
    ("event", &["types"]),
    ("engine", &["types", "catalog", "plan", "ledger", "store", "imaging", "provider", "event"]),
    ("reporter", &["types", "event"]),
    ("scaffold", &["types", "campaign"]),
    ("report", &["types", "catalog", "picks", "plan", "ledger", "store", "imaging", "pricing"]),
];

/// Words that must not stand in a folder, and why.
const NEVER: &[(&[&str], &[&str], &str)] = &[
    (
        &["types", "catalog", "steps", "spec", "campaign", "plan", "lint", "pricing", "imaging", "report", "event"],
        &["tokio"],
        "it is pure, or at least not asynchronous",
    ),
    (
        &["types", "catalog", "steps", "campaign", "plan", "lint", "pricing", "event", "engine", "imaging", "scaffold"],
        &["std::fs", "File::open"],
        "it never touches the disk",
    ),
    (
        &["types", "catalog", "steps", "spec", "campaign", "plan", "lint", "pricing", "engine", "ledger", "store", "imaging", "provider", "report"],
        &["println!", "eprintln!", "std::env::"],
        "only the command line speaks and reads the environment",
    ),
    (
        &["campaign", "plan", "lint", "pricing", "engine", "ledger", "catalog", "steps"],
        &["SystemTime::now", "std::time::Instant", "jiff::Timestamp::now", "Zoned::now"],
        "time comes from the clock",
    ),
    (&["engine", "plan", "campaign", "pricing"], &["\"kie\"", "\"openai\""], "no vendor's name"),
];

/// Files that implement a port on the disk, or read the machine, by design.
const EXCEPTIONS: &[&str] = &["src/spec/files.rs", "src/ledger/workspace.rs", "src/ledger/sqlite/schema.rs", "src/report/tree.rs"];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the source folder is there") {
        let path = entry.expect("its entries can be read").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The code of a file without its test module, doc comments and comments.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("a source file can be read");
    let before_tests = text.split("#[cfg(test)]\nmod ").next().unwrap_or(&text);
    before_tests.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn is_test_only(path: &Path) -> bool {
    let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
    path.components().any(|part| part.as_os_str() == "tests" || part.as_os_str() == "contract")
        || ["tests", "contract", "speed", "sample"].contains(&name)
}

fn imported(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (position, _) in code.match_indices("crate::") {
        let rest = &code[position + "crate::".len()..];
        let name: String = rest.chars().take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '_').collect();
        found.insert(name);
    }
    found
}

#[test]
fn every_folder_imports_only_what_stands_left_of_it() {
    let mut wrong = Vec::new();
    for (folder, allowed) in MAY_IMPORT {
        for path in sources(&Path::new("src").join(folder)).iter().filter(|path| !is_test_only(path)) {
            for name in imported(&code(path)) {
                let known = MAY_IMPORT.iter().any(|(other, _)| *other == name) || name == "cli";
                if known && name != *folder && !allowed.contains(&name.as_str()) {
                    wrong.push(format!("{}: {folder} may not import {name}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_provider_draws_pictures_only_in_its_simulator() {
    for path in sources(Path::new("src/provider")) {
        let in_simulator = path.components().any(|part| part.as_os_str().to_string_lossy().starts_with("sim"));
        assert!(in_simulator || !imported(&code(&path)).contains("imaging"), "{}", path.display());
    }
}

#[test]
fn every_folder_of_the_source_stands_in_the_table() {
    for entry in fs::read_dir("src").expect("the source folder is there") {
        let path = entry.expect("its entries can be read").path();
        if path.is_dir() {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
            assert!(name == "cli" || MAY_IMPORT.iter().any(|(folder, _)| *folder == name), "src/{name} has no line in the table");
        }
    }
}

#[test]
fn pure_folders_stay_pure() {
    let mut wrong = Vec::new();
    for (folders, words, reason) in NEVER {
        for folder in *folders {
            for path in sources(&Path::new("src").join(folder)) {
                if is_test_only(&path) || EXCEPTIONS.iter().any(|exception| path.ends_with(exception)) {
                    continue;
                }
                let code = code(&path);
                for word in words.iter().filter(|word| code.contains(**word)) {
                    wrong.push(format!("{}: `{word}`, but {reason}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn unsafe_code_is_forbidden_in_the_manifest() {
    let manifest = fs::read_to_string("Cargo.toml").expect("the manifest can be read");
    assert!(manifest.contains("unsafe_code = \"forbid\""));
}
