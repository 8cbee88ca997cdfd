//! Content identity: BLAKE3 over a canonical, length-prefixed form.
//!
//! Not over serde output: a serialiser's taste in key order or number format must never change what is bought again.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A 32-byte BLAKE3 digest, written as 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

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
    hasher: blake3::Hasher,
    /// Fields not yet hashed: many short updates cost more than the hashing itself.
    pending: Vec<u8>,
}

/// How many bytes are gathered before they are hashed.
const PENDING: usize = 16 * 1024;

impl FieldHasher {
    /// Starts a hash in the domain `domain`, so that two kinds of things never collide.
    pub fn new(domain: &str) -> Self {
        let mut hasher = Self { hasher: blake3::Hasher::new(), pending: Vec::with_capacity(1024) };
        hasher.field("domain", domain.as_bytes());
        hasher
    }

    /// Returns the digest of all fields.
    pub fn finish(mut self) -> Digest {
        self.hasher.update(&self.pending);
        Digest(*self.hasher.finalize().as_bytes())
    }
}

impl Fields for FieldHasher {
    fn field(&mut self, name: &str, value: &[u8]) {
        self.pending.extend_from_slice(&(name.len() as u64).to_le_bytes());
        self.pending.extend_from_slice(name.as_bytes());
        self.pending.extend_from_slice(&(value.len() as u64).to_le_bytes());
        self.pending.extend_from_slice(value);
        if self.pending.len() >= PENDING {
            self.hasher.update(&self.pending);
            self.pending.clear();
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
    fn hex_round_trips() {
        let digest = Digest::of(b"teapot");
        assert_eq!(Digest::from_hex(&digest.to_string()), Some(digest));
        assert_eq!(Digest::from_hex("teapot"), None);
    }
}
