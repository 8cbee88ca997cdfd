//! A picture that is made and paid, and waits at an address: as durable as a task, and asked after without a request.
//!
//! The answer to a paid request names an address that lives for hours. What becomes durable is a task whose name holds the address and what
//! the answer said it cost; a crash between the answer and the download loses nothing, and a download that breaks is repeated for nothing.
//!
//! In: address and figure. Out: a [`TaskId`], and back.
//! Never: a request; the name of a provider's own task.

use crate::provider::{Polled, ResultRef};
use crate::types::{Micros, TaskId};

/// What such a name begins with; no name that a provider gives its tasks does.
const MARK: &str = "delivered:";

/// Longest address that is kept.
pub(super) const LONGEST_ADDRESS: usize = 8192;

/// Returns the name of a picture that waits at `address`; `None` for what is no address.
pub(super) fn named(address: &str, charged: Option<Micros>) -> Option<TaskId> {
    let is_plain =
        address.len() <= LONGEST_ADDRESS && !address.is_empty() && !address.chars().any(|letter| letter.is_control() || letter.is_whitespace());
    let figure = charged.map_or("?".to_owned(), |figure| figure.get().to_string());
    is_plain.then(|| TaskId::new(format!("{MARK}{figure}:{address}")))
}

/// Returns what a question after such a picture brings; `None` for a task of the provider's own.
pub(super) fn found(task: &TaskId) -> Option<Polled> {
    let (figure, address) = task.as_str().strip_prefix(MARK)?.split_once(':')?;
    let charged = figure.parse().ok().map(Micros::new);
    Some(Polled::Ready { results: vec![ResultRef(address.to_owned())], charged })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_and_figure_come_back_as_they_went_in() {
        let address = "https://files.example.com:8443/a.png?sig=a:b&x=1";
        for charged in [None, Some(Micros::ZERO), Some(Micros::new(20_000))] {
            let task = named(address, charged).expect("an address");
            assert_eq!(found(&task), Some(Polled::Ready { results: vec![ResultRef(address.to_owned())], charged }));
        }
    }

    #[test]
    fn what_is_no_address_or_no_delivery_is_none() {
        for address in ["", "https://a/ b", "https://a/\n", &"x".repeat(LONGEST_ADDRESS + 1)] {
            assert_eq!(named(address, None), None);
        }
        for task in ["abc", "delivered", "delivered:x"] {
            assert_eq!(found(&TaskId::new(task)), None, "{task}");
        }
    }
}
