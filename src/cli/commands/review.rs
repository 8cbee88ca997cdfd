//! `callsheet review`: the gallery in the browser, with picks that are kept as they are made.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use clap::Args;

use super::plan::tell_warnings;
use super::report::known;
use crate::cli::args::{CampaignArgs, StageArgs};
use crate::cli::error::{CliError, Outcome};
use crate::cli::exit::Exit;
use crate::cli::memory::Memory;
use crate::cli::picking::{self, Manner};
use crate::cli::publish::{Material, Shelf};
use crate::cli::review::{Keeper, Review, Secret, Shots, Unseen, View};
use crate::cli::workspace::{Stage, Workspace, shown};
use crate::cli::{console, context};
use crate::pricing::quotes;
use crate::report::ReportWriter as _;
use crate::report::gallery::IndexHtml;

/// Look at the pictures in the browser; choose and turn down with the keyboard
///
/// Writes the campaign's folder as `report` does, serves its gallery on this machine only, under an address that nobody can guess, and keeps
/// every choice at once in `picks/<campaign>.yaml` (`picks/rehearsal/` for rehearsals). While a run in the same workspace goes on, the page tells
/// of new pictures and takes them in. Ends with Ctrl-C. Keys: 1-9 choose, r turn down,
/// n note, u take back, arrows move, enter looks closer, x and c set side by side. Without a server the same page, opened as a
/// file, hands the picks file out.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  callsheet review campaigns/spring-drop.yaml
  callsheet review campaigns/spring-drop.yaml --rehearse --no-open --port 4711")]
pub struct ReviewArgs {
    #[command(flatten)]
    asked: CampaignArgs,
    #[command(flatten)]
    stage: StageArgs,
    /// Where to listen on this machine, instead of a port that is free
    #[arg(long, value_name = "PORT", default_value_t = 0, hide_default_value = true)]
    port: u16,
    /// Print the address and open nothing
    #[arg(long)]
    no_open: bool,
    /// The folder that is written and served, instead of `out/<campaign>` or `rehearsal/<campaign>`
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Serves the gallery until Ctrl-C.
pub fn review(args: &ReviewArgs) -> Outcome<Exit> {
    let mut opened = context::open(&args.asked, None)?;
    let workspace = Workspace::find(Stage::of(args.stage.rehearse))?;
    let memory = Memory::of(&workspace)?;
    known(&memory, &workspace, &args.asked)?;
    let seq = memory.last_seq()?;
    // What no longer holds is said, not refused: here it is chosen again.
    picking::settle(&mut opened, &workspace, &memory, Manner::Lenient)?;
    tell_warnings(&opened);
    let material = Material::read(&opened, &memory, workspace.stage())?;
    let quotes = quotes(&opened.plan, &opened.catalog);
    let report = material.report(&opened, &quotes, material.last_run())?;
    let shelf = Shelf::of(&workspace, &opened.campaign.name, args.out.as_deref());
    shelf.write(&opened, &material, &report)?;

    let picks = workspace.picks(&opened.campaign.name);
    let shots = Arc::new(Shots::new(&opened.plan, material.history()));
    let keeper = Keeper { path: picks.clone(), campaign: opened.campaign.name.to_string(), shots: Arc::clone(&shots) };
    let secret = Secret::new().map_err(|error| CliError::Io("cannot make a secret address".to_owned(), error))?;
    let view = View { seq, page: None, files: shelf.files(&report), shots };
    let look = {
        let asked = args.asked.clone();
        move |known| newer(&asked, &workspace, &shelf, known).map_err(|_| Unseen)
    };
    let review = Review { view, look: Arc::new(look), keeper, secret };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| CliError::Io("cannot start the server".to_owned(), error))?;
    runtime.block_on(async {
        // Listened for before anybody knows that there is something to end.
        let interrupted = interrupted().map_err(|error| CliError::Io("cannot listen for Ctrl-C".to_owned(), error))?;
        let (listener, address) =
            review.listen(args.port).await.map_err(|error| CliError::Io(format!("cannot listen on port {}", args.port), error))?;
        console::data(&format!("{address}\n"))?;
        console::talk(&format!("picks are kept in {}; Ctrl-C ends", shown(&picks)));
        if !args.no_open && console::can_ask() {
            open(&address);
        }
        tokio::select! {
            served = review.serve(listener) => served.map_err(|error| CliError::Io("cannot serve any longer".to_owned(), error))?,
            () = interrupted => {}
        }
        Ok(Exit::Done)
    })
}

/// Returns the campaign as the ledger shows it now, if it has moved on from the record `known`.
///
/// A run may be under way, so nothing is written: it writes the folder itself when it ends. Until then pictures come from the store.
fn newer(asked: &CampaignArgs, workspace: &Workspace, shelf: &Shelf, known: u64) -> Outcome<Option<View>> {
    let memory = Memory::of(workspace)?;
    let seq = memory.last_seq()?;
    if seq == known {
        return Ok(None);
    }
    let mut opened = context::open(asked, None)?;
    picking::settle(&mut opened, workspace, &memory, Manner::Lenient)?;
    let material = Material::read(&opened, &memory, workspace.stage())?;
    let quotes = quotes(&opened.plan, &opened.catalog);
    let report = material.report(&opened, &quotes, material.last_run())?;
    let mut page = Vec::new();
    IndexHtml.write(&report, &mut page)?;
    let shots = Arc::new(Shots::new(&opened.plan, material.history()));
    Ok(Some(View { seq, page: Some(page.into()), files: shelf.files_of_store(&report), shots }))
}

/// Takes Ctrl-C (and the signal by which others ask a program to end) from now on; the future ends with it.
#[cfg(unix)]
fn interrupted() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut typed, mut asked) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = typed.recv() => {}
            _ = asked.recv() => {}
        }
    })
}

/// Takes Ctrl-C from now on; the future ends with it.
#[cfg(not(unix))]
fn interrupted() -> std::io::Result<impl Future<Output = ()>> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}

/// Opens an address of our own making in the browser, if there is one; the address was printed, so nothing is lost without.
fn open(address: &str) {
    let opener = if cfg!(target_os = "macos") {
        "open"
    } else if cfg!(windows) {
        "explorer"
    } else {
        "xdg-open"
    };
    let _ = Command::new(opener).arg(address).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
}
