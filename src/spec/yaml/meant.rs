//! Keys that were read as others: a misspelt section is read as the one that was meant, and what stands in it keeps its place.
//!
//! In: the path of a map, the key as written, the key as read. Out: paths through either lead to the same text. Never: a second text.

use super::{Entry, Kind, YamlMap};
use crate::types::FieldPath;

impl YamlMap {
    /// Lets paths through the key `meant` of the map at `at` lead to what was written behind `written`.
    pub(in crate::spec) fn read_as(&mut self, at: &FieldPath, written: &str, meant: &str) {
        let mut hops = 0;
        let Some(mut node) = self.root else { return };
        for segment in &at.segments {
            match self.child(node, segment, &mut hops) {
                Some((child, _)) => node = child,
                None => return,
            }
        }
        while let Some(Kind::Alias(target)) = self.nodes.get(node as usize).map(|node| &node.kind) {
            hops += 1;
            if hops > super::MAX_HOPS {
                return;
            }
            node = *target;
        }
        let Some(Kind::Map { entries, .. }) = self.nodes.get_mut(node as usize).map(|node| &mut node.kind) else { return };
        if let Some(found) = entries.iter().find(|entry| &*entry.key == written) {
            let second = Entry { key: Box::from(meant), key_span: found.key_span, value: found.value };
            entries.push(second);
        }
    }
}
