//! What an output folder is known to hold: the files that were written there, with what tells them from others.
//!
//! In, out: one small file in the output folder: a heading line, JSON, and one line a file: `<length> <changed> <digest> <path>`.
//! Never: trusted further than a path that stays inside of the folder.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use super::tree::TreeKind;
use crate::types::Digest;

/// Name of the file in the output folder.
pub(super) const STATE_FILE: &str = ".callsheet-tree";

/// Version of the form.
const STATE_FORMAT: u32 = 1;

/// One file that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Known {
    /// Digest of what was written.
    pub digest: Digest,
    /// Its length in bytes.
    pub len: u64,
    /// When the file system says it was changed last, in nanoseconds since 1970; 0 while it is about to be written.
    pub changed: u64,
}

impl Known {
    /// Returns whether a file that looks like this still is the one that was written.
    pub(super) fn fits(&self, metadata: &std::fs::Metadata) -> bool {
        fits(metadata, self.len, self.changed)
    }
}

fn fits(metadata: &std::fs::Metadata, len: u64, at: u64) -> bool {
    metadata.is_file() && metadata.len() == len && at != 0 && changed(metadata) == at
}

/// All that is known of an output folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    pub kind: TreeKind,
    /// Of what the folder was written; empty while it is being written.
    pub stamp: String,
    pub files: BTreeMap<String, Known>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Heading {
    callsheet_tree: u32,
    kind: TreeKind,
    stamp: String,
}

/// Returns when the file was changed last, in nanoseconds since 1970.
pub(super) fn changed(metadata: &std::fs::Metadata) -> u64 {
    let since = metadata.modified().ok().and_then(|moment| moment.duration_since(UNIX_EPOCH).ok());
    since.and_then(|since| u64::try_from(since.as_nanos()).ok()).unwrap_or(0)
}

fn read_text(root: &Path) -> Option<String> {
    let path = root.join(STATE_FILE);
    if !std::fs::symlink_metadata(&path).ok()?.is_file() {
        return None;
    }
    std::fs::read_to_string(path).ok()
}

/// Returns the heading and the lines below it, all of them whole.
fn heading(text: &str) -> Option<(Heading, &str)> {
    let (heading, lines) = text.split_once('\n')?;
    let heading: Heading = serde_json::from_str(heading).ok()?;
    let is_whole = lines.is_empty() || lines.ends_with('\n');
    (heading.callsheet_tree == STATE_FORMAT && is_whole).then_some((heading, lines))
}

/// One line of the file. No path holds a line break, so the path needs no escapes.
struct Line<'a> {
    len: u64,
    changed: u64,
    digest: &'a str,
    path: &'a str,
}

impl<'a> Line<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut parts = line.splitn(4, ' ');
        let len = parts.next()?.parse().ok()?;
        let changed = parts.next()?.parse().ok()?;
        Some(Self { len, changed, digest: parts.next()?, path: parts.next()? })
    }
}

impl State {
    /// Reads the state of a folder; `None` if there is none, or none that this version reads: then nothing is known.
    pub(super) fn read(root: &Path) -> Option<Self> {
        Self::parse(&read_text(root)?)
    }

    /// Returns whether the folder was written as `stamp` says and every file in it is still as it was written.
    ///
    /// The same as reading the state and asking for each file, but for thousands of files in a row: nothing is kept of a line.
    pub(super) fn is_untouched(root: &Path, kind: TreeKind, stamp: &str) -> bool {
        let Some(text) = read_text(root) else { return false };
        let Some((_, lines)) = heading(&text).filter(|(heading, _)| heading.kind == kind && heading.stamp == stamp) else { return false };
        let mut file = PathBuf::new();
        lines.lines().all(|line| {
            let Some(line) = Line::parse(line) else { return false };
            file.clear();
            file.push(root);
            file.push(line.path);
            std::fs::symlink_metadata(&file).is_ok_and(|metadata| fits(&metadata, line.len, line.changed))
        })
    }

    fn parse(text: &str) -> Option<Self> {
        let (heading, lines) = heading(text)?;
        let mut files = BTreeMap::new();
        for line in lines.lines() {
            let line = Line::parse(line)?;
            files.insert(line.path.to_owned(), Known { digest: Digest::from_hex(line.digest)?, len: line.len, changed: line.changed });
        }
        Some(Self { kind: heading.kind, stamp: heading.stamp, files })
    }

    /// Returns the state as it is written.
    pub(super) fn to_bytes(&self) -> io::Result<Vec<u8>> {
        let heading = Heading { callsheet_tree: STATE_FORMAT, kind: self.kind, stamp: self.stamp.clone() };
        let mut bytes = serde_json::to_vec(&heading)?;
        for (path, known) in &self.files {
            write!(bytes, "\n{} {} {} {path}", known.len, known.changed, known.digest)?;
        }
        bytes.push(b'\n');
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_read_back_and_a_torn_one_is_none() {
        let known = Known { digest: Digest::of(b"teapot"), len: 6, changed: 17 };
        let files = BTreeMap::from([("a b/c d.png".to_owned(), known), ("teapot/front.jpg".to_owned(), known)]);
        let state = State { kind: TreeKind::Real, stamp: "s".to_owned(), files };
        let text = String::from_utf8(state.to_bytes().expect("plain values")).expect("JSON is text");
        assert_eq!(State::parse(&text), Some(state));
        assert_eq!(State::parse(&text[..text.len() - 5]), None);
        assert_eq!(State::parse(&text.replace("\"callsheet-tree\":1", "\"callsheet-tree\":2")), None);
        assert_eq!(State::parse(""), None);
    }
}
