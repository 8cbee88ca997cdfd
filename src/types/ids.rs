//! Names of things: for people ([`JobId`]) and for machines ([`RunId`], [`TaskId`], [`IdempotencyKey`]).

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Wraps `text` as it stands.
            pub fn new(text: impl AsRef<str>) -> Self {
                Self(Arc::from(text.as_ref()))
            }

            /// Returns the text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id! {
    /// The address of one shot, for people: `surface[sku=teapot,angle=front,surface=oak]#2`.
    ///
    /// Stable across runs while the author keeps step, axis and row names. Never an identity for reuse: that is `JobKey`.
    JobId
}
text_id! {
    /// One invocation that may spend, for example `20261122T094500Z-7f3a`.
    RunId
}
text_id! {
    /// The provider's own name for accepted work. Whoever holds it can poll and download for nothing.
    ///
    /// The first line is that name; a provider may keep more below it, about how the task is asked after.
    TaskId
}
text_id! {
    /// Sent with a submit so that a provider or gateway that honours it charges once; hash of workspace, job key and attempt.
    IdempotencyKey
}

impl TaskId {
    /// Returns the name alone, as the provider lists it.
    pub fn name(&self) -> &str {
        self.0.lines().next().unwrap_or_default()
    }
}

/// Counts the paid tries of one job from 1; it fences every later write about that try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AttemptNo(pub u32);

impl fmt::Display for AttemptNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
