//! The cookbook is true: every command on it is typed as it stands there, and what it shows is what comes.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use callsheet::ledger::Record;

use crate::desk::Desk;

const COOKBOOK: &str = "campaigns/COOKBOOK.md";

/// Recipes whose checks need pictures of the real size; the others are drawn small here.
const REAL_SIZE: [&str; 1] = ["4. Draft to final"];

/// What the page leaves out.
const GAP: &str = "...";

/// A command with the lines that the page shows under it.
#[derive(Debug)]
struct Typed {
    command: String,
    shown: Vec<String>,
}

fn text() -> String {
    fs::read_to_string(COOKBOOK).expect("the cookbook ships")
}

/// Returns the recipes: heading and what stands under it.
fn recipes(text: &str) -> Vec<(&str, &str)> {
    text.split("\n## ").skip(1).filter_map(|recipe| recipe.split_once('\n')).collect()
}

/// Returns the blocks of one language, each without its fences.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    text.split(fence.as_str()).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

fn typed(recipe: &str) -> Vec<Typed> {
    let mut typed: Vec<Typed> = Vec::new();
    for line in blocks(recipe, "console").into_iter().flat_map(str::lines) {
        match (line.strip_prefix("$ "), typed.last_mut()) {
            (Some(command), _) => typed.push(Typed { command: command.to_owned(), shown: Vec::new() }),
            (None, Some(last)) => last.shown.push(line.to_owned()),
            (None, None) => panic!("output without a command: {line}"),
        }
    }
    typed
}

/// Runs a line in a shell, as a reader would, with the program on the path and no key; both streams as they come.
fn shell(desk: &Desk, line: &str) -> Command {
    let program = Path::new(assert_cmd::cargo::cargo_bin!("callsheet")).parent().expect("the program stands in a folder").to_owned();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new("sh");
    command.current_dir(desk.path()).env_clear().env("PATH", path).env("HOME", desk.path());
    for (name, value) in [("GIT_AUTHOR", "reader"), ("GIT_COMMITTER", "reader")] {
        command.env(format!("{name}_NAME"), value).env(format!("{name}_EMAIL"), "reader@example.com");
    }
    command.args(["-c", &format!("{{ {line}\n}} 2>&1")]).stdin(Stdio::null());
    command
}

/// Drawing is not what is tested here.
const SMALL: &str = " --sim size=64x64";

fn drawn_small(command: &str) -> String {
    let draws = command.starts_with("callsheet run") && !command.contains("--sim");
    if draws { command.replace(" --rehearse", &format!(" --rehearse{SMALL}")) } else { command.to_owned() }
}

fn say(desk: &Desk, line: &str) -> (i32, String) {
    let output = shell(desk, line).output().expect("there is a shell");
    (output.status.code().unwrap_or(-1), String::from_utf8(output.stdout).expect("the program speaks UTF-8"))
}

/// Kills the program when all that it wants is ordered: that is what the seconds on the page are for, and a test need not guess them.
#[cfg(unix)]
fn killed(desk: &Desk, line: &str, orders: usize) -> (i32, String) {
    let accepted =
        || desk.ledger().entries(0).map_or(0, |entries| entries.iter().filter(|entry| matches!(entry.record, Record::Accepted { .. })).count());
    let mut child = shell(desk, &format!("exec {line}")).stdout(Stdio::null()).spawn().expect("there is a shell");
    let patience = Instant::now() + Duration::from_secs(50);
    while accepted() < orders && Instant::now() < patience {
        std::thread::sleep(Duration::from_millis(50));
    }
    child.kill().expect("it is still at work");
    assert_eq!(child.wait().expect("it has ended").code(), None, "it was killed before its end");
    (137, "Killed\n".to_owned())
}

/// What is shown stands in what was said, line by line; a gap may be any number of lines.
fn stands_in(shown: &[String], said: &str) -> Result<(), String> {
    let said: Vec<&str> = said.lines().map(str::trim_end).collect();
    let mut from = 0;
    let mut gap = false;
    for piece in shown.split_inclusive(|line| line == GAP) {
        let (lines, then_gap) = match piece.split_last() {
            Some((last, lines)) if last == GAP => (lines, true),
            _ => (piece, false),
        };
        let at = |start: usize| {
            said.get(start..start + lines.len()).is_some_and(|there| there.iter().zip(lines).all(|(there, line)| *there == line.trim_end()))
        };
        let last = if gap { said.len() } else { from };
        let Some(start) = (from..=last).find(|start| at(*start)) else {
            return Err(format!("not said{}:\n{}", if gap { "" } else { " there" }, lines.join("\n")));
        };
        from = start + lines.len();
        gap = then_gap;
    }
    if gap || from == said.len() { Ok(()) } else { Err(format!("more was said:\n{}", said.get(from..).unwrap_or_default().join("\n"))) }
}

fn cook(heading: &str, recipe: &str) {
    let desk = Desk::with_all_campaigns();
    assert_eq!(say(&desk, "git init -q && git add -A && git commit -q -m campaigns").0, 0, "the reader stands in a clone");
    let typed = typed(recipe);
    assert!(typed.iter().any(|one| one.command.contains("callsheet ")), "{heading}: nothing to type");
    let mut code = 0;
    for (index, one) in typed.iter().enumerate() {
        let looks_at_code = |one: &Typed| one.command == "echo $?";
        let line = if REAL_SIZE.contains(&heading) { one.command.clone() } else { drawn_small(&one.command) };
        let (now, said) = match one.command.strip_prefix("timeout -s KILL 5 ") {
            _ if looks_at_code(one) => (0, format!("{code}\n")),
            #[cfg(unix)]
            Some(line) => killed(&desk, line, 16),
            _ => say(&desk, &line),
        };
        code = now;
        let said = said.replace(SMALL, "");
        if let Err(wrong) = stands_in(&one.shown, &said) {
            panic!("{COOKBOOK}, {heading}\n$ {}\n{wrong}\n--- exit {code}, said:\n{said}", one.command);
        }
        let expected_well = !typed.get(index + 1).is_some_and(looks_at_code) && !one.command.starts_with("timeout");
        assert!(!expected_well || code == 0, "{heading}\n$ {}\nexit {code}: {said}", one.command);
    }
}

fn cook_number(number: usize) {
    if Command::new("git").arg("--version").output().is_err() {
        eprintln!("skipped: there is no git");
        return;
    }
    let text = text();
    let (heading, recipe) = recipes(&text)[number - 1];
    assert!(heading.starts_with(&format!("{number}. ")), "{heading}");
    cook(heading, recipe);
}

#[test]
fn a_sku_drop_goes_as_it_is_written() {
    cook_number(1);
}

#[test]
fn a_character_chain_goes_as_it_is_written() {
    cook_number(2);
}

#[test]
fn a_ugc_ladder_goes_as_it_is_written() {
    cook_number(3);
}

#[test]
fn a_draft_to_final_goes_as_it_is_written() {
    cook_number(4);
}

#[test]
fn a_budget_dry_run_goes_as_it_is_written() {
    cook_number(5);
}

#[test]
fn a_price_comparison_goes_as_it_is_written() {
    cook_number(6);
}

#[test]
fn a_provider_of_ones_own_goes_as_it_is_written() {
    cook_number(7);
}

#[test]
fn a_crash_is_resumed_from_as_it_is_written() {
    cook_number(8);
}

/// Commands of the README whose output is compared, each in a folder of its own.
const README_SAYS: [&str; 7] = [
    "cargo run --release -- run campaigns/spring-drop.yaml --rehearse",
    "callsheet init --from products_export.csv",
    "callsheet check campaigns/spring-drop.yaml",
    "callsheet estimate --finals",
    "callsheet plan campaigns/spring-drop.yaml --prices",
    "callsheet prices list",
    "callsheet plan campaigns/spring-drop.yaml --profile draft --rehearse --out plan.json",
];

#[test]
fn the_readme_shows_what_is_said() {
    let text = fs::read_to_string("README.md").expect("the README ships");
    let typed = typed(&text);
    for words in README_SAYS {
        let one = typed.iter().find(|one| one.command.starts_with(words)).unwrap_or_else(|| panic!("the README types `{words}`"));
        let desk = Desk::with_all_campaigns();
        desk.write("products_export.csv", crate::init::SHOPIFY);
        if one.command.contains(" check ") {
            desk.edit("sku.title }} in", "sku.titel }} in");
        }
        let line = drawn_small(&one.command.replace("cargo run --release --", "callsheet"));
        let (_, said) = say(&desk, &line);
        let said = said.replace(SMALL, "");
        if let Err(wrong) = stands_in(&one.shown, &said) {
            panic!("README.md\n$ {}\n{wrong}\n--- said:\n{said}", one.command);
        }
    }
}

#[test]
fn what_the_cookbook_cites_and_links_is_there() {
    let text = text();
    assert_eq!(recipes(&text).len(), 8, "each recipe has its test above");
    let campaigns: Vec<String> = Desk::with_all_campaigns()
        .files("campaigns")
        .iter()
        .filter(|file| file.ends_with(".yaml"))
        .map(|file| fs::read_to_string(Path::new("campaigns").join(file)).expect("a campaign can be read"))
        .collect();
    for cited in blocks(&text, "yaml") {
        assert!(campaigns.iter().any(|campaign| campaign.contains(cited)), "no campaign has\n{cited}");
    }
    for page in [COOKBOOK, "README.md"] {
        let text = fs::read_to_string(page).expect("the page ships");
        let folder = Path::new(page).parent().expect("a page stands in a folder");
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()).filter(|link| !link.contains("://")) {
            let (file, place) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { Path::new(page).to_owned() } else { folder.join(file) };
            assert!(target.exists(), "{page}: {link} leads nowhere");
            let headings: BTreeSet<String> = if place.is_empty() { BTreeSet::new() } else { headings(&target) };
            assert!(place.is_empty() || headings.contains(place), "{page}: {link} leads to no heading");
        }
    }
}

/// Addresses of a page's headings, as GitHub makes them.
fn headings(page: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(page).expect("a page can be read");
    let lines = text.lines().filter(|line| line.starts_with('#'));
    let kept = |letter: &char| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_');
    lines.map(|line| line.trim_start_matches('#').trim().to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-")).collect()
}

#[test]
fn a_gap_is_any_number_of_lines_and_nothing_else_is_left_out() {
    let shown = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let said = "a\nb\nc\nd\n";
    for good in ["a\nb\nc\nd", "...\nc\n...", "...", "a\n...\nd", "...\nd"] {
        assert_eq!(stands_in(&shown(good), said), Ok(()), "{good}");
    }
    for bad in ["", "a\nb", "a\nc\n...", "...\nd\n...\na\n...", "b\n...", "...\nc"] {
        assert!(stands_in(&shown(bad), said).is_err(), "{bad}");
    }
}
