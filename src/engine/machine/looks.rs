//! What follows when the pictures of a job are looked at: taken for good, turned down, bought once more.
//!
//! In: a ruling, or what was measured. Out: the turn. Never: a threshold; those stand in the plan's ruling.

use std::time::Duration;

use super::Desk;
use crate::engine::turn::{Effect, Ending, Notice, Queue, Trade, Turn};
use crate::ledger::{JobState, Record};
use crate::plan::{Fate, Kept, Ruling, TurnedDown};
use crate::types::{Amount, Finding};

impl Desk<'_> {
    /// Goes on with a job whose pictures are looked at.
    pub(super) fn ruled(mut self, ruling: &Ruling) -> Turn {
        if let Some(TurnedDown { kept, findings }) = &ruling.down {
            let record =
                Record::Judged { job: self.brief.job.clone(), of: kept.of, artifact: kept.artifact, accepted: false, findings: findings.clone() };
            return self.record([record], [Effect::Again { after: Duration::ZERO, queue: Queue::Look }]);
        }
        match (ruling.fate, self.state) {
            (Fate::Stands, JobState::Done { artifact, .. }) => {
                let artifact = *artifact;
                self.finish(Ending::There(artifact))
            }
            (Fate::Stands, _) => self.look_again(),
            (Fate::Look(kept), _) => self.turn([Effect::Judge { kept, charged: None }]),
            (Fate::Again(_), _) if self.effort.reroll || self.brief.closed => {
                self.effort.reroll = false;
                self.ask(None)
            }
            (Fate::Again(_), _) => {
                self.effort.reroll = true;
                self.again(Duration::ZERO, Queue::Reroll)
            }
            (Fate::UsedUp, state) => {
                let attempt = Some(state.last_attempt()).filter(|attempt| attempt.0 > 0);
                self.finish(Ending::Rejected { attempt })
            }
        }
    }

    /// Writes down what was measured: a picture that is good is taken, another is bought for one that is not, as often as the author allows.
    pub(super) fn judged(mut self, kept: Kept, findings: Vec<Finding>, charged: Option<Amount>) -> Turn {
        let Kept { of, artifact } = kept;
        let accepted = findings.iter().all(|finding| finding.passed);
        let reason = findings.iter().filter(|finding| !finding.passed).map(ToString::to_string).collect::<Vec<_>>().join("; ");
        let record = Record::Judged { job: self.brief.job.clone(), of, artifact, accepted, findings };
        if accepted {
            let ending = match (of, charged) {
                (Some(attempt), Some(charged)) => Ending::Bought { artifact, attempt, charged },
                (None, _) if matches!(self.brief.trade, Trade::Local) => Ending::Made(artifact),
                _ => Ending::There(artifact),
            };
            return self.record([record], [Effect::Finish(ending)]);
        }
        self.effort.reroll = false;
        let notice = Notice::Rejected { attempt: of, reason };
        self.record([record], [Effect::Tell(notice), Effect::Again { after: Duration::ZERO, queue: Queue::Look }])
    }
}
