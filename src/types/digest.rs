//! Content identity: BLAKE3 over a canonical, length-prefixed form.
//!
//! Not over serde output: a serialiser's taste in key order or number format must never change what is bought again.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A 32-byte BLAKE3 digest, written as 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Hash for Digest {
    /// Eight of its bytes: they are as good as random already.
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.seed());
    }
}

impl Digest {
    /// Returns the digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// Wraps raw digest bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the raw bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads 64 hex digits; anything else is `None`.
    pub fn from_hex(text: &str) -> Option<Self> {
        blake3::Hash::from_hex(text).ok().map(|hash| Self(*hash.as_bytes()))
    }

    /// Returns the first 10 hex digits, enough for a person to tell two apart.
    pub fn short(&self) -> String {
        self.to_string()[..10].to_owned()
    }

    /// Returns the first eight bytes as a number: a seed for everything that must be deterministic per job.
    pub fn seed(&self) -> u64 {
        let mut first = [0; 8];
        first.copy_from_slice(&self.0[..8]);
        u64::from_le_bytes(first)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_hex(&text).ok_or_else(|| serde::de::Error::custom("expected a digest of 64 hex digits"))
    }
}

/// Digest of everything that determines one picture, and nothing else.
///
/// Same key: the image is reused, across runs, campaigns and machines that share the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobKey(pub Digest);

impl fmt::Display for JobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Receives the named fields of a value in a fixed order.
///
/// One description serves identity (hash the fields) and explanation (list them for `why`), so the two cannot drift.
pub trait Fields {
    /// Takes the next field.
    fn field(&mut self, name: &str, value: &[u8]);
}

/// Hashes fields as `len(name) name len(value) value`.
pub struct FieldHasher {
    /// What is hashed already: nothing, for most. Shared with branches, because it is 2 KiB to copy.
    begun: Option<Arc<blake3::Hasher>>,
    /// Fields not yet hashed: many short updates cost more than the hashing itself.
    pending: Vec<u8>,
}

/// How many bytes are gathered before they are hashed.
const PENDING: usize = 16 * 1024;

impl FieldHasher {
    /// Starts a hash in the domain `domain`, so that two kinds of things never collide.
    pub fn new(domain: &str) -> Self {
        let mut hasher = Self { begun: None, pending: Vec::with_capacity(1024) };
        hasher.field("domain", domain.as_bytes());
        hasher
    }

    /// Hashes what was gathered so far, so that no [`branch`](Self::branch) has to.
    pub fn settle(&mut self) {
        Arc::make_mut(self.begun.get_or_insert_default()).update(&self.pending);
        self.pending.clear();
    }

    /// Returns a hash that goes on from here on its own: what many begin with is hashed once.
    pub fn branch(&self) -> Self {
        let mut pending = Vec::with_capacity(self.pending.len() + 256);
        pending.extend_from_slice(&self.pending);
        Self { begun: self.begun.clone(), pending }
    }

    /// Returns the digest of all fields.
    pub fn finish(self) -> Digest {
        match self.begun {
            None => Digest::of(&self.pending),
            Some(begun) => Digest(*Arc::unwrap_or_clone(begun).update(&self.pending).finalize().as_bytes()),
        }
    }
}

impl Fields for FieldHasher {
    fn field(&mut self, name: &str, value: &[u8]) {
        self.pending.extend_from_slice(&(name.len() as u64).to_le_bytes());
        self.pending.extend_from_slice(name.as_bytes());
        self.pending.extend_from_slice(&(value.len() as u64).to_le_bytes());
        self.pending.extend_from_slice(value);
        if self.pending.len() >= PENDING {
            self.settle();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moving_a_byte_between_fields_changes_the_digest() {
        let digest = |fields: &[(&str, &str)]| {
            let mut hasher = FieldHasher::new("test");
            for (name, value) in fields {
                hasher.field(name, value.as_bytes());
            }
            hasher.finish()
        };
        assert_ne!(digest(&[("a", "bc")]), digest(&[("ab", "c")]));
        assert_ne!(digest(&[("a", ""), ("b", "")]), digest(&[("a", "b")]));
        assert_eq!(digest(&[("a", "1")]), digest(&[("a", "1")]));
    }

    #[test]
    fn a_branch_says_what_the_whole_says_and_leaves_its_stem_alone() {
        let whole = |last: &str| {
            let mut hasher = FieldHasher::new("test");
            hasher.field("a", b"1");
            hasher.field("b", last.as_bytes());
            hasher.finish()
        };
        let mut stem = FieldHasher::new("test");
        stem.field("a", b"1");
        for settled in [false, true] {
            if settled {
                stem.settle();
            }
            for last in ["2", "3"] {
                let mut branch = stem.branch();
                branch.field("b", last.as_bytes());
                assert_eq!(branch.finish(), whole(last));
            }
        }
    }

    #[test]
    fn hex_round_trips() {
        let digest = Digest::of(b"teapot");
        assert_eq!(Digest::from_hex(&digest.to_string()), Some(digest));
        assert_eq!(Digest::from_hex("teapot"), None);
    }
}
