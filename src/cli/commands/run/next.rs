//! Commands that go on from where a run has ended, as a person types them.
//!
//! In: the words of this run. Out: those of the next command. Never: a flag that would make it buy something else.

use super::RunArgs;
use crate::cli::args::CampaignArgs;
use crate::cli::commands::reconcile;
use crate::cli::words::shell_word;
use crate::cli::workspace::Stage;

/// Returns what to type to see what there is to choose from.
pub(in crate::cli::commands) fn review(asked: &CampaignArgs, stage: Stage) -> String {
    reconcile::command(asked, stage).replacen("reconcile", "review", 1)
}

/// Returns what follows `callsheet run` when the same run is wanted again, `with_cap` with the cap of the command line.
pub(super) fn words_for_next(args: &RunArgs, with_cap: bool) -> String {
    let CampaignArgs { campaign, profile, provider, prices } = &args.asked;
    let mut words = shell_word(&campaign.display().to_string());
    let mut say = |flag: &str, value: &str| {
        words.push_str(&format!(" {flag} {}", shell_word(value)));
    };
    for (flag, value) in [("--profile", profile), ("--provider", provider), ("--prices", prices)] {
        if let Some(value) = value {
            say(flag, value);
        }
    }
    for only in &args.selected.only {
        say("--only", &only.to_string());
    }
    for until in &args.selected.until {
        say("--until", until);
    }
    if let Some(out) = &args.out {
        say("--out", &out.display().to_string());
    }
    for other in &args.base_url {
        say("--base-url", &format!("{}={}", other.provider, other.origin));
    }
    if let (true, Some(cap)) = (with_cap, &args.cap) {
        say("--cap", &if cap.usd { format!("USD {}", cap.micros) } else { cap.micros.to_string() });
    }
    for (flag, is_set) in [("--allow-unpriced", args.allow_unpriced), ("--rehearse", args.rehearse), ("--batch", args.batch)] {
        if is_set {
            words.push_str(&format!(" {flag}"));
        }
    }
    words
}
