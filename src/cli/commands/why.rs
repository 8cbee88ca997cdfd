//! `callsheet why`: one shot, with everything that is known of it.

use clap::Args;

use crate::cli::args::{CampaignArgs, SelectionArgs, StageArgs};
use crate::cli::console::{self, STRONG};
use crate::cli::context::{self, Opened};
use crate::cli::error::{CliError, Outcome};
use crate::cli::exit::Exit;
use crate::cli::memory::Memory;
use crate::cli::picking::{self, Manner};
use crate::cli::standing::{self, Standing};
use crate::cli::words::{self, shell_word};
use crate::cli::workspace::{Stage, Workspace, shown};
use crate::engine::OnDoubt;
use crate::ledger::{AttemptRow, JobState};
use crate::plan::{self, JobIx, Plan, Reason, Work};
use crate::pricing::JobQuote;
use crate::report::text::Notes;
use crate::types::diagnostic::{did_you_mean, listed};
use crate::types::{Amount, Operation, visible};

/// Tell why a shot is made again, reused or held: what changed, what it cost, where its picture is
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  callsheet why campaigns/spring-drop.yaml 'surface[sku=teapot,angle=front,surface=oak]'")]
pub struct WhyArgs {
    #[command(flatten)]
    asked: CampaignArgs,
    /// Address of the shot, as `plan`, `status` and the reports print it
    #[arg(value_name = "SHOT")]
    shot: String,
    #[command(flatten)]
    stage: StageArgs,
}

/// Longest prompt that is shown whole, in characters.
const MOST_PROMPT: usize = 4000;

/// Prints all that is known of one shot.
pub fn why(args: &WhyArgs) -> Outcome<Exit> {
    let mut opened = context::open(&args.asked, None)?;
    let workspace = Workspace::find(Stage::of(args.stage.rehearse))?;
    let memory = Memory::of(&workspace)?;
    picking::settle(&mut opened, &workspace, &memory, Manner::Lenient)?;
    let ix = opened.plan.find(&args.shot).ok_or_else(|| unknown(&opened.plan, &args.shot))?;
    let everything = SelectionArgs { only: Vec::new(), until: Vec::new() };
    let standing = standing::standing(&opened, &memory, &everything, OnDoubt::Hold)?;
    let key = opened.plan.job(ix).key;
    let attempts: Vec<AttemptRow> = memory.attempts(&opened.plan)?.into_iter().filter(|attempt| attempt.key == key).collect();

    // Where no person reads, a line stays one line.
    let text = format!("{STRONG}{}{STRONG:#}\n", visible(opened.plan.id(ix).as_str()));
    let mut said = Said(Notes { text, width: console::width().unwrap_or(usize::MAX), color: true });
    said.say("state", &state(&opened.plan, ix, &standing));
    let rehearse = if args.stage.rehearse { " --rehearse" } else { "" };
    reason(&mut said, &opened, &memory, (ix, standing.work.work(ix)), rehearse)?;
    picture(&mut said, &opened, &workspace, &standing, ix);
    made_of(&mut said, &opened.plan, ix, &standing);
    for attempt in &attempts {
        said.say(&format!("attempt {}", attempt.attempt), &tried(attempt));
    }
    if let Some(next) = next(args, &opened, ix, &standing, workspace.stage()) {
        said.say("next", &next);
    }
    console::data(&said.0.text)?;
    Ok(Exit::Done)
}

/// Lines of `what  sentence`.
struct Said(Notes);

impl Said {
    fn say(&mut self, what: &str, sentence: &str) {
        self.0.say(what, sentence);
    }
}

/// Returns what to type to go on with the shot.
fn next(args: &WhyArgs, opened: &Opened, ix: JobIx, standing: &Standing, stage: Stage) -> Option<String> {
    let settle = super::reconcile::command(&args.asked, stage);
    let shot = shell_word(opened.plan.id(ix).as_str());
    let run = format!("{} --only {shot}", settle.replacen("reconcile", "run", 1));
    match standing.work.work(ix) {
        Work::New | Work::Changed { .. } | Work::Lost | Work::Again | Work::Resumed | Work::Look | Work::Reroll => Some(run),
        Work::Rejected => Some(format!("{run}, once a threshold, `rerolls` or the prompt is changed")),
        Work::InDoubt => Some(format!("{settle} {shot}")),
        Work::Waiting => Some(super::run::review(&args.asked, stage)),
        Work::Twin => opened
            .plan
            .twins
            .get(&ix)
            .map(|first| format!("{} {}", settle.replacen("reconcile", "why", 1), shell_word(opened.plan.id(*first).as_str()))),
        Work::Reused | Work::Excluded => None,
    }
}

fn state(plan: &Plan, ix: JobIx, standing: &Standing) -> String {
    match standing.work.work(ix) {
        Work::New => "new: it was never tried".to_owned(),
        Work::Changed { .. } => "changed: it will be made again".to_owned(),
        Work::Lost => "lost: it was made, but its picture is no longer in the store; it will be made again".to_owned(),
        Work::Again => "failed: it will be tried again".to_owned(),
        Work::Resumed => "under way: a run takes it up for nothing".to_owned(),
        Work::Reused => "done: nothing to do".to_owned(),
        Work::InDoubt => "in doubt: nobody knows whether it was charged, so it counts as spent and is not sent again".to_owned(),
        Work::Twin => match plan.twins.get(&ix) {
            Some(first) => format!("the same picture as `{}`: made and paid once, there", plan.id(*first)),
            None => "the same picture as another shot's: made and paid once, there".to_owned(),
        },
        Work::Look => "to check: a picture is there that its checks have not seen, or that passes them now; looking costs nothing".to_owned(),
        Work::Reroll => "rejected by its checks: the next run pays for another picture".to_owned(),
        Work::Rejected => "rejected by its checks, and no reroll is left: lower a threshold, raise `rerolls`, or change the prompt".to_owned(),
        Work::Waiting if plan.waits_for_a_pick(ix) => "waiting for a pick: nobody has chosen yet".to_owned(),
        Work::Waiting => "waiting for a pick that it is made from".to_owned(),
        Work::Excluded => "left out by the profile".to_owned(),
    }
}

fn reason(said: &mut Said, opened: &Opened, memory: &Memory, (ix, work): (JobIx, Work), rehearse: &str) -> Outcome<()> {
    let Work::Changed { was } = work else { return Ok(()) };
    match plan::why(&opened.plan, ix, work, memory.recipe(was)?) {
        Reason::Changed(differences) => {
            for (place, difference) in differences.iter().enumerate() {
                said.say(if place == 0 { "because" } else { "and" }, &words::difference(&opened.plan, difference));
                if let Some(input) = difference.input {
                    said.say("", &format!("ask why that one: callsheet why{rehearse} {} '{}'", opened.path.display(), opened.plan.id(input)));
                }
            }
        }
        Reason::ChangedUnknown | Reason::Plain(_) => said.say("because", "another picture stood here; the ledger kept no recipe of it"),
    }
    said.say("was", &was.to_string());
    Ok(())
}

fn picture(said: &mut Said, opened: &Opened, workspace: &Workspace, standing: &Standing, ix: JobIx) {
    let job = opened.plan.job(ix);
    let path = workspace.output(&opened.campaign.name, None).join(&*job.path);
    said.say("file", &shown(&path));
    match standing.history.state(&job.key) {
        JobState::Done { artifact, .. } => {
            let info = &artifact.info;
            said.say("picture", &format!("{} {}, {} bytes, blake3 {}", info.size, info.format, artifact.blob.len, artifact.blob.digest));
        }
        JobState::Failed { attempt, failure } => {
            said.say("failure", &format!("attempt {attempt}: {}, {}: {}", failure.class.as_str(), failure.code, failure.message));
        }
        JobState::InDoubt { failure, .. } => said.say("doubt", &format!("{}, {}: {}", failure.class.as_str(), failure.code, failure.message)),
        JobState::Running { task, .. } => said.say("task", task.name()),
        JobState::Rejected { artifact, .. } => {
            let info = &artifact.info;
            said.say("picture", &format!("turned down: {} {}, blake3 {}", info.size, info.format, artifact.blob.digest));
        }
        JobState::Untried | JobState::Submitting { .. } => {}
    }
    looked_at(said, opened, standing, ix);
}

/// Tells what was measured of each picture, who chose, and who turned down.
fn looked_at(said: &mut Said, opened: &Opened, standing: &Standing, ix: JobIx) {
    let plan = &opened.plan;
    for known in standing.history.judged(&plan.job(ix).key) {
        let findings = plan.bar(ix).findings(&known.artifact, &known.findings);
        let told: Vec<String> = findings.iter().map(|finding| format!("{}{finding}", if finding.passed { "passes " } else { "fails " })).collect();
        let of = known.of.map_or("made here".to_owned(), |attempt| format!("attempt {attempt}"));
        said.say("checked", &format!("{of}, {}: {}", known.artifact.blob.digest.short(), told.join("; ")));
    }
    for refused in plan.refused.get(&ix).into_iter().flatten() {
        let note = refused.note.as_deref().map_or(String::new(), |note| format!(": {note}"));
        said.say("rejected", &format!("{} by you{note}", refused.picture.short()));
    }
    if let Some(picked) = plan.picks.get(&ix).and_then(|cell| cell.chosen.as_ref()) {
        let note = picked.note.as_deref().map_or(String::new(), |note| format!(": {note}"));
        let who = picked.automatic.map_or("by you".to_owned(), |rule| format!("by `--auto-pick {rule}`, nobody has looked"));
        said.say("picked", &format!("{} {who}{note}", plan.id(picked.from)));
    }
}

fn made_of(said: &mut Said, plan: &Plan, ix: JobIx, standing: &Standing) {
    let job = plan.job(ix);
    match &job.operation {
        Operation::Paid(paid) => said.say("asks", &format!("{} for `{}` with {}, {}", paid.provider, paid.action, paid.model, job.size)),
        Operation::Local(_) => said.say("does", &format!("{}: local and free, {}", plan.step_of(ix).kind, job.size)),
    }
    match standing.quotes.of(ix) {
        Some(JobQuote::Priced(quote)) => said.say("price", &format!("{} a try ({})", quote.amount, quote.basis)),
        Some(JobQuote::Unpriced(why)) => said.say("price", &format!("none: {why}")),
        None => {}
    }
    for input in plan.inputs(ix) {
        said.say("takes", &format!("{}: {}", input.role.label(), plan.id(input.from)));
    }
    if !job.prompt.is_empty() {
        let prompt: String = job.prompt.chars().take(MOST_PROMPT).collect();
        for (place, line) in prompt.lines().enumerate() {
            said.say(if place == 0 { "prompt" } else { "" }, line);
        }
    }
    said.say("key", &job.key.to_string());
}

fn tried(attempt: &AttemptRow) -> String {
    let money = |micros| Amount::new(attempt.quoted.currency.clone(), micros).to_string();
    let charged = attempt.charged.map_or(format!("{} held", attempt.quoted), |charged| format!("{} charged", money(charged)));
    let error = attempt.error_code.as_ref().map_or(String::new(), |code| format!(" ({code})"));
    let task = attempt.task.as_ref().map_or(String::new(), |task| format!(", task {}", task.name()));
    format!("{}{error}, {charged}, {} in run {}{task}", attempt.status.as_str(), attempt.started_at, attempt.run)
}

/// Says which shots are near to one that does not exist.
fn unknown(plan: &Plan, asked: &str) -> CliError {
    let name = asked.split(['[', '#']).next().unwrap_or(asked);
    let Some(step) = plan.steps.iter().find(|step| &*step.name == name) else {
        let names = plan.steps.iter().map(|step| &*step.name);
        let help =
            did_you_mean(name, names.clone()).map_or_else(|| format!("steps are {}", listed(names, 12)), |near| format!("did you mean `{near}`?"));
        return CliError::usage(format!("there is no shot `{asked}`: no step is called `{name}`"), help);
    };
    let ids: Vec<_> = step.jobs.clone().map(|ix| plan.id(JobIx(ix))).collect();
    let words: Vec<&str> = asked.split(['[', ']', ',', '=', '#']).filter(|word| !word.is_empty()).collect();
    let near =
        |id: &&crate::types::JobId| words.iter().filter(|word| id.as_str().split(['[', ']', ',', '=', '#']).any(|part| part == **word)).count();
    let best = ids.iter().max_by_key(near).filter(|id| near(id) > 1);
    let help = match did_you_mean(asked, ids.iter().map(|id| id.as_str())).or(best.map(|id| id.as_str())) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("its shots are {}", listed(ids.iter().map(|id| id.as_str()), 3)),
    };
    CliError::usage(format!("step `{name}` has no shot `{asked}`"), help)
}
