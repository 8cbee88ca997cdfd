//! The words of the product as types: ids, amounts, time, diagnostics, failures, operations.
//!
//! In: nothing. Out: plain values that every other folder speaks.
//! Never: I/O, floats for money, a vendor's name.

pub mod amount;
pub mod check;
pub mod diagnostic;
pub mod digest;
pub mod escape;
pub mod failure;
pub mod fit;
pub mod ids;
pub mod operation;
pub mod picture;
pub mod provenance;
pub mod rates;
pub mod rule;
pub mod secret;
pub mod shape;
pub mod time;
pub mod width;

pub use amount::{Amount, Currency, Micros, MoneyError};
pub use check::{Check, CheckKind, Finding, Yardstick};
pub use diagnostic::{Code, Diagnostic, Diagnostics, DocId, FieldPath, Segment, Severity};
pub use digest::{Digest, Fields, JobKey};
pub use escape::visible;
pub use failure::{Billed, Failure, FailureClass};
pub use fit::{Fit, Shaping};
pub use ids::{AttemptNo, IdempotencyKey, JobId, RunId, TaskId};
pub use operation::{Action, InputRole, LocalAction, Operation, Paid, Settings};
pub use picture::{BlobRef, ImageFormat, ImageInfo, Marks, PixelSize, Profile, Ratio};
pub use provenance::{Credit, DigitalSource};
pub use rates::Rates;
pub use rule::Rule;
pub use secret::{REDACTED, Secret};
pub use time::{Clock, ManualClock, SystemClock, Timestamp};
