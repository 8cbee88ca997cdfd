//! What must hold: at each event, at the end of each run, at the end of the history.

use std::collections::{HashMap, HashSet};

use callsheet::engine::OnDoubt;
use callsheet::ledger::{AttemptRow, AttemptStatus, Cap, JobState, Ledger, Record, fold};
use callsheet::types::{AttemptNo, Digest, JobKey};

use super::campaign::CAMPAIGN;
use super::process::Gate;
use super::provider::SECOND;
use super::world::World;
use super::{Broken, looks};

/// The clock counts milliseconds, virtual time microseconds: a wait may seem so much shorter.
const TICK: u64 = 2_000;

fn broken<T>(what: String) -> Result<T, Broken> {
    Err(Broken(what))
}

/// Before a paid request leaves.
pub fn submit(world: &mut World, process: usize, shot: usize, attempt: AttemptNo) -> Result<(), Broken> {
    let about = &world.campaign.shots[shot];
    let own = &world.processes[process];
    match world.load(about.key)? {
        JobState::Submitting { attempt: durable, .. } if durable == attempt => {}
        JobState::InDoubt { attempt: durable, .. } if durable == attempt && world.campaign.terms.idempotent => {}
        other => return broken(format!("{}: a paid request without a durable intent, the ledger says `{}`", about.id, other.name())),
    }
    let before = world.sent.get(&(about.key, attempt)).copied().unwrap_or(0);
    if before > 0 && !world.campaign.terms.idempotent {
        return broken(format!("{}: attempt {attempt} is sent a second time", about.id));
    }
    if own.gate != Gate::Open {
        return broken(format!("{}: a paid request after the run was told to send no more", about.id));
    }
    if world.now + TICK < own.told_until {
        return broken(format!("{}: a paid request {} ms before the provider allows one", about.id, (own.told_until - world.now) / 1000));
    }
    for input in &about.inputs {
        looks::given(world, process, *input)?;
        let input = &world.campaign.shots[*input];
        let held = match world.load(input.key)? {
            JobState::Done { artifact, .. } => world.store.contains(&artifact.blob.digest),
            _ => false,
        };
        if !held {
            return broken(format!("{}: sent before its input {} is there", about.id, input.id));
        }
    }
    let key = (about.key, attempt);
    *world.sent.entry(key).or_default() += 1;
    Ok(())
}

/// After a request has arrived: no more of them in any window than the account allows.
pub fn arrival(world: &World) -> Result<(), Broken> {
    // A request that is repeated under its own key takes no slot of its own.
    if world.campaign.terms.idempotent {
        return Ok(());
    }
    for window in &world.campaign.terms.limits.windows {
        let span = World::span(window.span);
        let known = &world.provider.arrivals[world.arrivals_from..];
        let within = known.iter().rev().take_while(|at| **at + span > world.now + TICK).count();
        if within > window.count as usize {
            return broken(format!("{within} paid requests within {} s, {} are allowed", window.span.as_secs(), window.count));
        }
    }
    Ok(())
}

/// After the provider's book about a try has changed.
pub fn book(world: &World, (key, attempt): (JobKey, AttemptNo)) -> Result<(), Broken> {
    let book = world.provider.book(key, attempt);
    if book.charged > book.price() {
        return broken(format!("{} attempt {attempt}: charged twice: {book:?}", world.name(key)));
    }
    if book.accepted > 0 && world.load(key)?.last_attempt() < attempt {
        return broken(format!("{} attempt {attempt}: taken by the provider, unknown to the ledger", world.name(key)));
    }
    Ok(())
}

/// Before a record is written.
pub fn record(world: &World, shot: usize, record: &Record) -> Result<(), Broken> {
    let about = &world.campaign.shots[shot];
    match record {
        Record::Done { attempt, artifact, .. } => {
            let digest = artifact.blob.digest;
            if !world.store.contains(&digest) {
                return broken(format!("{}: done without a picture in the store", about.id));
            }
            if !world.provider.made((about.key, *attempt), digest) {
                return broken(format!("{}: done with a picture that was not made for it", about.id));
            }
        }
        Record::Accepted { attempt, task } => {
            let owner = world.provider.find(task).map(|task| world.provider.owner(task));
            if owner != Some((about.key, *attempt)) {
                return broken(format!("{}: accepted under the task of another try", about.id));
            }
        }
        Record::Made { artifact, .. } if !world.store.contains(&artifact.blob.digest) => {
            return broken(format!("{}: made without a picture in the store", about.id));
        }
        _ => {}
    }
    Ok(())
}

fn caps(world: &World, shot: usize) -> impl Iterator<Item = &Cap> {
    let step = world.campaign.shots[shot].step;
    std::iter::once(&world.campaign.cap).chain(world.campaign.step_caps[step].as_ref())
}

/// After a write: no cap is passed.
pub fn money(world: &World, shot: usize) -> Result<(), Broken> {
    for cap in caps(world, shot) {
        let Some(limit) = &cap.limit else { continue };
        let committed = committed(world, cap)?;
        if committed > limit.micros.get() {
            return broken(format!("cap `{}` of {limit} is passed: {committed} millionths are spent, reserved and in doubt", cap.scope.0));
        }
    }
    Ok(())
}

fn committed(world: &World, cap: &Cap) -> Result<i64, Broken> {
    let totals = world.ledger.totals(&cap.scope).map_err(|error| Broken(error.to_string()))?;
    Ok(totals.iter().map(|totals| totals.committed().micros.get()).sum())
}

/// When a process ends: it did not storm a service that was down.
pub fn outage(world: &World, process: usize) -> Result<(), Broken> {
    let own = &world.processes[process];
    let seconds = (world.outage.1.min(world.now).saturating_sub(world.outage.0)) / SECOND;
    // The first request of each place, a full bucket of retries, then one a second.
    let most = 2 * world.campaign.concurrency as u64 + seconds + 2;
    let counted = !world.campaign.outages_are_ambiguous && !world.campaign.terms.idempotent;
    if counted && own.into_outage > most {
        return broken(format!("{} paid requests into an outage of {seconds} s, {most} are allowed", own.into_outage));
    }
    Ok(())
}

/// When a run has ended, however it did: our ledger agrees with the provider's books, try by try, and with its own records.
pub fn run(world: &mut World) -> Result<(), Broken> {
    let rows = world.ledger.attempts(CAMPAIGN, &[]).map_err(|error| Broken(error.to_string()))?;
    let known: HashSet<(JobKey, AttemptNo)> = rows.iter().map(|row| (row.key, row.attempt)).collect();
    for (of, book) in world.provider.books() {
        if book.requests > 0 && !known.contains(of) {
            return broken(format!("{} attempt {}: the provider has a request that the ledger does not know: {book:?}", world.name(of.0), of.1));
        }
    }
    for row in &rows {
        world.provider.compare(&world.campaign, row).map_err(Broken)?;
    }
    bought_once(world, &rows)?;
    looks::run(world)?;
    let spent: i64 = rows.iter().filter_map(|row| row.charged).map(|charged| charged.get()).sum();
    let totals = world.ledger.totals(&world.campaign.cap.scope).map_err(|error| Broken(error.to_string()))?;
    let counted: i64 = totals.iter().map(|totals| totals.spent.get()).sum();
    if spent != counted {
        return broken(format!("the tries add up to {spent} millionths, the ledger counts {counted}"));
    }
    let entries = world.ledger.entries();
    let folded = fold::fold(&entries).map_err(|error| Broken(format!("a prefix of the ledger does not fold: {error}")))?;
    if folded != world.ledger.folded() {
        return broken("the records add up to something else than the live ledger".to_owned());
    }
    Ok(())
}

/// No shot has more pictures than one, its rerolls and one for each that was deleted, and no paid picture was given up, except where the user says so.
fn bought_once(world: &World, rows: &[AttemptRow]) -> Result<(), Broken> {
    let mut bought: HashMap<JobKey, u32> = HashMap::new();
    for row in rows.iter().filter(|row| row.status == AttemptStatus::Done) {
        let pictures = bought.entry(row.key).or_default();
        *pictures += 1;
        if !looks::is_allowed(world, row.key, *pictures) {
            return broken(format!("{}: {pictures} pictures are bought", row.card.job));
        }
    }
    let gives_up = |row: &&AttemptRow| {
        let class = row.error_code.as_deref().unwrap_or_default();
        // These are pictures that did not arrive whole or are gone at the provider.
        row.status == AttemptStatus::Failed && !class.starts_with("bad-result/") && !class.starts_with("local/")
    };
    if world.campaign.rules.on_doubt == OnDoubt::Hold
        && let Some(row) = rows.iter().filter(gives_up).find(|row| world.provider.has_picture((row.key, row.attempt)))
    {
        return broken(format!("{} attempt {}: the provider holds a paid picture that nobody will come for: {row:?}", row.card.job, row.attempt));
    }
    Ok(())
}

/// Returns the stored picture of a shot.
pub fn artifact(world: &World, shot: usize) -> Option<Digest> {
    match world.load(world.campaign.shots[shot].key) {
        Ok(JobState::Done { artifact, .. }) => Some(artifact.blob.digest).filter(|digest| world.store.contains(digest)),
        _ => None,
    }
}

/// Returns the first shot that should have come to an end by now, and did not.
pub fn undone(world: &World) -> Option<String> {
    let mut has_end = vec![false; world.campaign.shots.len()];
    for (shot, about) in world.campaign.shots.iter().enumerate() {
        if looks::stands(world, shot) == Ok(true) {
            continue;
        }
        let Ok(state) = world.load(about.key) else { return Some(format!("{} cannot be read", about.id)) };
        let waits = about.inputs.iter().any(|input| has_end[*input]);
        let reserved = about.price.as_ref().map_or(0, |price| price.reserved.micros.get());
        let over = about.price.is_some()
            && caps(world, shot)
                .any(|cap| cap.limit.as_ref().is_some_and(|limit| committed(world, cap).is_ok_and(|sum| sum + reserved > limit.micros.get())));
        let settled = match state {
            JobState::InDoubt { .. } => world.campaign.rules.on_doubt == OnDoubt::Hold || waits || over,
            JobState::Failed { .. } | JobState::Rejected { .. } => {
                let (better, used_up) = (looks::has_better(world, shot, &state), looks::is_used_up(world, shot, &state));
                better == Ok(false) && (about.refused || over || waits || used_up == Ok(true))
            }
            JobState::Untried | JobState::Done { .. } => waits || over,
            // It is repeated under its key once the picture that it takes is there again.
            JobState::Submitting { .. } => world.campaign.terms.idempotent && waits,
            JobState::Running { .. } => false,
        };
        if !settled {
            return Some(format!("{} is {} for good", about.id, state.name()));
        }
        has_end[shot] = true;
    }
    None
}

/// At the end of the history: everything has come to an end.
pub fn end(world: &World) -> Result<(), Broken> {
    undone(world).map_or(Ok(()), |what| broken(format!("no progress: {what}")))
}
