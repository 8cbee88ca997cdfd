//! `callsheet why`: one shot, with everything that is known of it.

use clap::Args;

use crate::cli::args::{CampaignArgs, SelectionArgs, StageArgs};
use crate::cli::console::{self, STRONG};
use crate::cli::context::{self, Opened};
use crate::cli::error::{CliError, Outcome};
use crate::cli::exit::Exit;
use crate::cli::memory::Memory;
use crate::cli::standing::{self, Standing};
use crate::cli::words;
use crate::cli::workspace::{Stage, Workspace, shown};
use crate::engine::OnDoubt;
use crate::ledger::{AttemptRow, JobState};
use crate::plan::{self, JobIx, Plan, Reason, Work};
use crate::pricing::JobQuote;
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
    let opened = context::open(&args.asked, None)?;
    let ix = opened.plan.find(&args.shot).ok_or_else(|| unknown(&opened.plan, &args.shot))?;
    let workspace = Workspace::find(Stage::of(args.stage.rehearse))?;
    let memory = Memory::of(&workspace)?;
    let everything = SelectionArgs { only: Vec::new(), until: Vec::new() };
    let standing = standing::standing(&opened, &memory, &everything, OnDoubt::Hold)?;
    let key = opened.plan.job(ix).key;
    let attempts: Vec<AttemptRow> = memory.attempts(&opened.plan)?.into_iter().filter(|attempt| attempt.key == key).collect();

    let mut said = Said(format!("{STRONG}{}{STRONG:#}\n", visible(opened.plan.id(ix).as_str())));
    said.say("state", &state(&opened.plan, ix, &standing));
    let rehearse = if args.stage.rehearse { " --rehearse" } else { "" };
    reason(&mut said, &opened, &memory, (ix, standing.work.work(ix)), rehearse)?;
    picture(&mut said, &opened, &workspace, &standing, ix);
    made_of(&mut said, &opened.plan, ix, &standing);
    for attempt in &attempts {
        said.say(&format!("attempt {}", attempt.attempt), &tried(attempt));
    }
    console::data(&said.0)?;
    Ok(Exit::Done)
}

/// Lines of `what  sentence`.
struct Said(String);

impl Said {
    fn say(&mut self, what: &str, sentence: &str) {
        self.0.push_str(&format!("{what:<11}{}\n", visible(sentence)));
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
        JobState::Untried | JobState::Submitting { .. } => {}
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
        let lines: Vec<_> = prompt.lines().map(visible).collect();
        said.0.push_str(&format!("{:<11}{}\n", "prompt", lines.join("\n           ")));
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
