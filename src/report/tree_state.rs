//! What an output folder is known to hold: the files that were written there, with what tells them from others.
//!
//! In, out: one small file in the output folder, a heading line and one line a file, JSON each.
//! Never: trusted further than a path that stays inside of the folder.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
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
        metadata.is_file() && metadata.len() == self.len && self.changed != 0 && changed(metadata) == self.changed
    }
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

impl State {
    /// Reads the state of a folder; `None` if there is none, or none that this version reads: then nothing is known.
    pub(super) fn read(root: &Path) -> Option<Self> {
        let path = root.join(STATE_FILE);
        if !std::fs::symlink_metadata(&path).ok()?.is_file() {
            return None;
        }
        Self::parse(&std::fs::read_to_string(path).ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let heading: Heading = serde_json::from_str(lines.next()?).ok()?;
        if heading.callsheet_tree != STATE_FORMAT {
            return None;
        }
        let mut files = BTreeMap::new();
        for line in lines {
            let (path, digest, len, changed): (String, Digest, u64, u64) = serde_json::from_str(line).ok()?;
            files.insert(path, Known { digest, len, changed });
        }
        Some(Self { kind: heading.kind, stamp: heading.stamp, files })
    }

    /// Returns the state as it is written.
    pub(super) fn to_bytes(&self) -> io::Result<Vec<u8>> {
        let heading = Heading { callsheet_tree: STATE_FORMAT, kind: self.kind, stamp: self.stamp.clone() };
        let mut bytes = serde_json::to_vec(&heading)?;
        for (path, known) in &self.files {
            bytes.push(b'\n');
            serde_json::to_writer(&mut bytes, &(path, known.digest, known.len, known.changed))?;
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
        let files = BTreeMap::from([("a\nb.png".to_owned(), known), ("teapot/front.jpg".to_owned(), known)]);
        let state = State { kind: TreeKind::Real, stamp: "s".to_owned(), files };
        let text = String::from_utf8(state.to_bytes().expect("plain values")).expect("JSON is text");
        assert_eq!(State::parse(&text), Some(state));
        assert_eq!(State::parse(&text[..text.len() - 5]), None);
        assert_eq!(State::parse(&text.replace("\"callsheet-tree\":1", "\"callsheet-tree\":2")), None);
        assert_eq!(State::parse(""), None);
    }
}
