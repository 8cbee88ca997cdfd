//! What is kept of an accepted task: its name, and all that the answer said about how to go on.
//!
//! The ledger keeps it as the [`TaskId`], so that a later run asks at the right place. The first line is the provider's own name of the task.
//!
//! In: the answer to a submit. Out: text, and back.
//! Never: the key; a line that the next version could misread.

use crate::types::{Micros, TaskId};

/// Longest address that is kept.
const LONGEST_ADDRESS: usize = 8192;

/// An accepted task.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Ticket {
    /// The provider's name of the task.
    pub(super) name: String,
    /// Where it is asked after, if the answer said so.
    pub(super) poll: Option<String>,
    /// Where its result is, if the answer said so.
    pub(super) result: Option<String>,
    /// What the answer said that it costs.
    pub(super) charged: Option<Micros>,
}

impl Ticket {
    /// Returns what is kept; `None` if it cannot be, because a line of it is too long or is none.
    pub(super) fn kept(&self) -> Option<TaskId> {
        let mut text = self.name.clone();
        for (word, line) in [("poll", &self.poll), ("result", &self.result)] {
            if let Some(line) = line {
                if line.len() > LONGEST_ADDRESS || line.chars().any(char::is_control) {
                    return None;
                }
                text.push_str(&format!("\n{word} {line}"));
            }
        }
        if let Some(charged) = self.charged {
            text.push_str(&format!("\ncharged {charged}"));
        }
        Some(TaskId::new(text))
    }

    /// Reads what was kept, also by versions that kept the name alone.
    pub(super) fn read(task: &TaskId) -> Self {
        let mut ticket = Self { name: task.name().to_owned(), ..Self::default() };
        for line in task.as_str().lines().skip(1) {
            match line.split_once(' ') {
                Some(("poll", address)) => ticket.poll = Some(address.to_owned()),
                Some(("result", address)) => ticket.result = Some(address.to_owned()),
                Some(("charged", figure)) => ticket.charged = figure.parse().ok(),
                _ => {}
            }
        }
        ticket
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_back_and_begins_with_the_name() {
        let bare = Ticket { name: "t 1".to_owned(), ..Ticket::default() };
        let full = Ticket {
            name: "abc".to_owned(),
            poll: Some("https://api.eu1.example.com/get?id=abc".to_owned()),
            result: Some("https://api.example.com/r/abc".to_owned()),
            charged: Some(Micros::new(4_500_000)),
        };
        for ticket in [bare, full] {
            let kept = ticket.kept().expect("it can be kept");
            assert_eq!((Ticket::read(&kept), kept.name()), (ticket.clone(), ticket.name.as_str()));
        }
        assert_eq!(Ticket::read(&TaskId::new("0123")), Ticket { name: "0123".to_owned(), ..Ticket::default() });
    }

    #[test]
    fn what_would_be_misread_is_not_kept() {
        let with = |poll: String| Ticket { name: "a".to_owned(), poll: Some(poll), ..Ticket::default() };
        assert_eq!(with("https://a/\ncharged 0".to_owned()).kept(), None);
        assert_eq!(with("x".repeat(LONGEST_ADDRESS + 1)).kept(), None);
    }
}
