//! Maps that refuse a key standing twice: YAML readers keep the last one and say nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::Hash;
use std::marker::PhantomData;

use indexmap::IndexMap;
use serde::de::{Deserialize, Deserializer, Error, IntoDeserializer, MapAccess, Visitor};

/// A map that can be filled pair by pair and tells when a key was there before.
pub(super) trait Fill<K, V>: Default {
    /// Adds the pair; `false` if the key stood there already.
    fn fill(&mut self, key: K, value: V) -> bool;
}

impl<K: Hash + Eq, V> Fill<K, V> for IndexMap<K, V> {
    fn fill(&mut self, key: K, value: V) -> bool {
        self.insert(key, value).is_none()
    }
}

impl<K: Ord, V> Fill<K, V> for BTreeMap<K, V> {
    fn fill(&mut self, key: K, value: V) -> bool {
        self.insert(key, value).is_none()
    }
}

/// Reads a map whose keys stand once each; for `#[serde(deserialize_with)]`.
pub(super) fn once_each<'de, D, K, V, M>(deserializer: D) -> Result<M, D::Error>
where
    D: Deserializer<'de>,
    K: Deserialize<'de> + Clone + fmt::Display,
    V: Deserialize<'de>,
    M: Fill<K, V>,
{
    deserializer.deserialize_map(OnceEach(PhantomData))
}

/// Like [`once_each`], for a map that may be absent.
pub(super) fn once_each_if_any<'de, D, K, V, M>(deserializer: D) -> Result<Option<M>, D::Error>
where
    D: Deserializer<'de>,
    K: Deserialize<'de> + Clone + fmt::Display,
    V: Deserialize<'de>,
    M: Fill<K, V>,
{
    once_each(deserializer).map(Some)
}

/// Visits one map of kind `M`.
struct OnceEach<K, V, M>(PhantomData<(K, V, M)>);

impl<'de, K, V, M> Visitor<'de> for OnceEach<K, V, M>
where
    K: Deserialize<'de> + Clone + fmt::Display,
    V: Deserialize<'de>,
    M: Fill<K, V>,
{
    type Value = M;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<M, A::Error> {
        let mut filled = M::default();
        // Read as text first: a reader that keeps the path to a mistake knows the names of texts only.
        while let Some(name) = map.next_key::<String>()? {
            let key = K::deserialize(name.into_deserializer())?;
            let value = map.next_value()?;
            if !filled.fill(key.clone(), value) {
                return Err(A::Error::custom(format!("duplicate key `{key}`")));
            }
        }
        Ok(filled)
    }
}
