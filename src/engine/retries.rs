//! What is done about a failure, by its class: the one table that the machine reads.
//!
//! In: a class. Out: what follows for a submit, for a question after a task, for the fetch of a picture.
//! Never: a class that is handled elsewhere, a number of tries (those are the run's rules).

use super::backoff::{Curve, FREE, MAINTENANCE, THROTTLED, TRANSIENT};
use crate::types::FailureClass;

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RetryRule {
    /// When the paid request was answered so.
    pub(super) submit: OnSubmit,
    /// When the question after a task was.
    pub(super) poll: OnPoll,
    /// When the picture of a finished task did not come, however often it was fetched.
    pub(super) fetch: OnFetch,
}

/// What follows for a paid request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnSubmit {
    /// Not accepted, not charged: a new try as long as the run's patience lasts, as told or by this curve.
    Wait(Curve),
    /// Nobody knows: held in doubt, or repeated under its own key where that is honoured.
    Doubt,
    /// Accepted and failed: a new try within the attempts of the run.
    NewTry,
    /// No further try can mend it.
    Final,
    /// No further try of any shot can: the campaign stops.
    Stop,
}

/// What follows for a question after a task, which is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnPoll {
    /// Ask again, as told or by this curve; says nothing about the task.
    AskAgain(Curve),
    /// The task has ended so.
    Ended,
    /// The provider does not know the task: believed once the task is old enough to be seen, then in doubt.
    Unknown,
    /// The campaign stops; the task is kept.
    Stop,
}

/// What follows for a picture that did not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnFetch {
    /// It will not come: it was paid for.
    Lost,
    /// The way to it is broken: the task is kept, a later run fetches it for nothing.
    Kept,
    /// Our own side is broken: kept at once.
    KeptAtOnce,
}

/// Returns what is done about failures of a class.
pub(super) const fn rule(class: FailureClass) -> RetryRule {
    use FailureClass as Class;
    use OnFetch::{Kept, KeptAtOnce, Lost};
    let (submit, poll, fetch) = match class {
        Class::Throttled => (OnSubmit::Wait(THROTTLED), OnPoll::AskAgain(FREE), Kept),
        Class::Transient => (OnSubmit::Wait(TRANSIENT), OnPoll::AskAgain(FREE), Kept),
        Class::Maintenance => (OnSubmit::Wait(MAINTENANCE), OnPoll::AskAgain(MAINTENANCE), Kept),
        Class::Ambiguous => (OnSubmit::Doubt, OnPoll::AskAgain(FREE), Kept),
        // An answer that cannot be read may have been a yes.
        Class::BadResult => (OnSubmit::Doubt, OnPoll::AskAgain(FREE), Lost),
        Class::Failed => (OnSubmit::NewTry, OnPoll::Ended, Lost),
        Class::Refused => (OnSubmit::Final, OnPoll::Ended, Lost),
        Class::Invalid => (OnSubmit::Final, OnPoll::Unknown, Lost),
        Class::Account => (OnSubmit::Stop, OnPoll::Stop, Kept),
        Class::Local => (OnSubmit::Final, OnPoll::AskAgain(FREE), KeptAtOnce),
    };
    RetryRule { submit, poll, fetch }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLASSES: [FailureClass; 10] = [
        FailureClass::Throttled,
        FailureClass::Transient,
        FailureClass::Maintenance,
        FailureClass::Ambiguous,
        FailureClass::Failed,
        FailureClass::Refused,
        FailureClass::Invalid,
        FailureClass::Account,
        FailureClass::BadResult,
        FailureClass::Local,
    ];

    /// Returns the table as the README shows it.
    fn table() -> String {
        let waits = |curve: Curve| format!("as told, else up to {:?}, doubling to {:?}", curve.base, curve.cap);
        let submit = |then: OnSubmit| match then {
            OnSubmit::Wait(curve) => (format!("waits {}", waits(curve)), "nothing"),
            OnSubmit::Doubt => ("held in doubt; repeated only under a key that is honoured".to_owned(), "counts as spent"),
            OnSubmit::NewTry => ("new try, within `attempts`".to_owned(), "as the provider says"),
            OnSubmit::Final => ("final".to_owned(), "nothing"),
            OnSubmit::Stop => ("stops the campaign, keeps what is paid".to_owned(), "nothing"),
        };
        let poll = |then: OnPoll| match then {
            OnPoll::AskAgain(_) => "asks again",
            OnPoll::Ended => "the task has ended so",
            OnPoll::Unknown => "asks again for `poll.unseen`, then in doubt",
            OnPoll::Stop => "stops, keeps the task",
        };
        let fetch = |then: OnFetch| match then {
            OnFetch::Lost => "paid for, no picture",
            OnFetch::Kept | OnFetch::KeptAtOnce => "task kept",
        };
        let mut text =
            "| class | a paid request | it costs | a question after a task | no picture after all fetches |\n|---|---|---|---|---|\n".to_owned();
        for class in CLASSES {
            let RetryRule { submit: of_submit, poll: of_poll, fetch: of_fetch } = rule(class);
            let (then, mut costs) = submit(of_submit);
            if class == FailureClass::Refused {
                costs = "as the provider says";
            }
            text.push_str(&format!("| {} | {then} | {costs} | {} | {} |\n", class.as_str(), poll(of_poll), fetch(of_fetch)));
        }
        text
    }

    #[test]
    fn the_readme_shows_the_table_as_it_is() {
        let readme = include_str!("../../README.md");
        assert!(readme.contains(&table()), "put this into README.md:\n{}", table());
    }

    #[test]
    fn what_may_have_been_accepted_is_never_simply_sent_again() {
        for class in CLASSES {
            let resent = matches!(rule(class).submit, OnSubmit::Wait(_));
            let never_accepted = matches!(class, FailureClass::Throttled | FailureClass::Transient | FailureClass::Maintenance);
            assert_eq!(resent, never_accepted, "{class:?}");
        }
    }
}
