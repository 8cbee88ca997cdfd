//! The gallery and the review in a real browser. Without one each of these is skipped, by name.

mod chromium;
mod following;
mod keyboard;
mod reviewing;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use callsheet::ledger::{Artifact, AttemptCard, AttemptRow, AttemptStatus, History, JobState, KnownJob};
use callsheet::plan::{JobIx, Plan};
use callsheet::pricing::quotes;
use callsheet::report::gallery::IndexHtml;
use callsheet::report::{ReportWriter, RunReport};
use callsheet::types::{
    Amount, AttemptNo, BlobRef, Digest, Failure, FailureClass, ImageFormat, ImageInfo, Micros, Operation, PixelSize, RunId, TaskId, Timestamp,
};

use crate::support::{Planned, planned};
use chromium::Chromium;

/// What attackers write, a line each; `@@` stands for code.
const INJECTIONS: &str = include_str!("injections.txt");

/// Leaves traces in every way that this file looks at.
const CODE: &str = "(window.__ran=(window.__ran||0)+1,document.title='ran',alert(1))";

fn injections() -> Vec<String> {
    INJECTIONS.lines().map(|line| line.replace("@@", CODE).replace("\\n", "\n").replace("\\t", "\t")).collect()
}

/// Returns the address of a file.
fn address_of(path: &Path) -> String {
    format!("file://{}", path.display())
}

/// Puts an attack into everything that anybody but the program can name: each shot has one of its own in every place.
fn poison(plan: &mut Plan, attacks: &[String]) {
    let attack = |at: usize| attacks[at % attacks.len()].as_str();
    plan.campaign = attack(0).into();
    for (at, axis) in plan.axes.iter_mut().enumerate() {
        axis.name = attack(at + 1).into();
        axis.keys = axis.keys.iter().enumerate().map(|(value, _)| Arc::from(attack(at * 17 + value * 3))).collect();
    }
    for (at, step) in plan.steps.iter_mut().enumerate() {
        step.name = attack(at + 40).into();
        step.model = step.model.is_some().then(|| attack(at + 50).into());
        step.baseline = step.baseline.is_some().then(|| attack(at + 60).into());
    }
    for (at, job) in plan.jobs.iter_mut().enumerate() {
        job.prompt = attack(at).into();
        job.path = format!("{}.png", attack(at + 1)).into();
        if let Operation::Paid(paid) = &job.operation {
            let mut paid = (**paid).clone();
            paid.provider = attack(at + 2).into();
            paid.model = attack(at + 3).into();
            paid.settings.resolution = Some(attack(at + 4).into());
            job.operation = Operation::Paid(Arc::new(paid));
        }
    }
}

fn artifact(at: usize) -> Artifact {
    let info = ImageInfo { format: ImageFormat::Png, size: PixelSize::new(800, 1000), alpha: false };
    Artifact { blob: BlobRef { digest: Digest::of(&at.to_le_bytes()), len: 9 }, info }
}

/// Returns a campaign after a run in which every second shot failed, with words of the vendor.
fn ran(plan: &Plan, words: &dyn Fn(usize) -> String) -> (History, Vec<AttemptRow>) {
    let (mut jobs, mut attempts) = (HashMap::new(), Vec::new());
    for ix in plan.indices() {
        let (at, job) = (ix.index(), plan.job(ix));
        let has_failed = at % 2 == 1;
        let failure = Failure::new(FailureClass::Refused, words(at + 5), words(at));
        let state = if has_failed {
            JobState::Failed { attempt: AttemptNo(1), failure }
        } else {
            JobState::Done { attempt: Some(AttemptNo(1)), artifact: artifact(at) }
        };
        jobs.insert(job.key, KnownJob { state });
        if let Operation::Paid(paid) = &job.operation {
            attempts.push(attempt(plan, ix, paid, has_failed, &words(at + 6)));
        }
    }
    (History { jobs, ..History::default() }, attempts)
}

fn attempt(plan: &Plan, ix: JobIx, paid: &callsheet::types::Paid, has_failed: bool, words: &str) -> AttemptRow {
    AttemptRow {
        run: RunId::new(words),
        key: plan.job(ix).key,
        card: AttemptCard {
            campaign: plan.campaign.to_string(),
            job: plan.id(ix),
            step: plan.step_of(ix).name.to_string(),
            axes: Vec::new(),
            take: None,
            provider: words.to_owned(),
            model: paid.model.to_string(),
            operation: paid.action.to_string(),
            aspect: None,
            resolution: None,
            quality: None,
            unpriced: false,
            batch: false,
        },
        attempt: AttemptNo(1),
        status: if has_failed { AttemptStatus::Failed } else { AttemptStatus::Done },
        error_code: has_failed.then(|| words.to_owned()),
        quoted: Amount::new("credits:gptimage2-flat".parse().expect("a currency"), Micros::units(12)),
        charged: Some(Micros::units(if has_failed { 0 } else { 12 })),
        refunded: Micros::units(if has_failed { 12 } else { 0 }),
        started_at: Timestamp::from_millis(1_795_340_700_000),
        finished_at: Some(Timestamp::from_millis(1_795_340_731_000)),
        task: Some(TaskId::new(words)),
        artifact: (!has_failed).then(|| artifact(ix.index())),
    }
}

fn page_of(planned: &Planned, history: &History, attempts: &[AttemptRow]) -> Vec<u8> {
    let quotes = quotes(&planned.plan, &planned.catalog);
    let report = RunReport::new(&planned.plan, history, attempts, &quotes, None).expect("small sums");
    let mut page = Vec::new();
    IndexHtml.write(&report, &mut page).expect("memory takes all");
    page
}

/// Shows some of the shots large, each against all that it can be held against.
const SHOW: &str = "(async (from, to) => {
  const frame = () => new Promise((go) => requestAnimationFrame(go));
  const shots = JSON.parse(document.getElementById('data').textContent).shots.slice(from, to);
  let sections = 0;
  for (const shot of shots) {
    location.hash = new URLSearchParams({ shot: shot.id });
    await frame();
    for (const select of document.querySelectorAll('dialog[open] select')) {
      for (const option of select.options) { select.value = option.value; select.dispatchEvent(new Event('change')); }
    }
    sections += document.querySelectorAll('dialog[open] .aside section').length;
  }
  return sections;
})";

/// Goes through all else that the page can show: each group, each view, searches, filters, what is chosen.
const WALK: &str = "(async () => {
  const frame = () => new Promise((go) => requestAnimationFrame(go));
  document.querySelector('dialog[open]').close();
  const group = document.querySelector('#bar select');
  for (const option of [...group.options]) { group.value = option.value; group.dispatchEvent(new Event('change')); await frame(); }
  const search = document.querySelector('#bar input[type=search]');
  for (const prompt of JSON.parse(document.getElementById('data').textContent).prompts.slice(0, 24)) {
    search.value = prompt; search.dispatchEvent(new Event('input')); await frame();
  }
  search.value = ''; search.dispatchEvent(new Event('input'));
  for (const tab of document.querySelectorAll('#bar .tab')) { tab.click(); await frame(); }
  document.querySelectorAll('#facets input').forEach((box) => box.click());
  document.querySelectorAll('#bar .tab')[0].click(); await frame();
  for (const card of [...document.querySelectorAll('.card')].slice(0, 6)) card.querySelector('.choose').click();
  await frame();
})()";

#[test]
fn nothing_that_prompts_names_or_vendors_say_runs() {
    let Some(mut browser) = Chromium::start("browser::nothing_that_prompts_names_or_vendors_say_runs", 1440, 900) else { return };
    let attacks = injections();
    assert!(attacks.len() >= 100);
    let folder = tempfile::tempdir().expect("a folder");

    // The attacks are real: on a page that takes them for markup they run.
    let plain = folder.path().join("plain.html");
    // Without the dialog, which some of them would open for ever.
    let body: String = attacks.iter().map(|attack| format!("<div>{}</div>\n", attack.replace(",alert(1)", ""))).collect();
    std::fs::write(&plain, format!("<!doctype html><meta charset=utf-8><body class=plain>{body}</body>")).expect("written");
    browser.call("Page.navigate", serde_json::json!({ "url": address_of(&plain) }));
    browser.wait("window.__ran >= 10 && document.title === 'ran'");
    browser.call("Page.navigate", serde_json::json!({ "url": "about:blank" }));
    browser.events.clear();

    let mut planned = planned(Path::new("campaigns/spring-drop.yaml"), None).unwrap_or_else(|text| panic!("{text}"));
    poison(&mut planned.plan, &attacks);
    let (history, attempts) = ran(&planned.plan, &|at| attacks[at % attacks.len()].clone());
    let file = folder.path().join("index.html");
    std::fs::write(&file, page_of(&planned, &history, &attempts)).expect("written");
    browser.open(&address_of(&file));
    let title = browser.value("document.title");
    let all = planned.plan.jobs.len();
    let mut sections = 0;
    for from in (0..all).step_by(8) {
        sections += browser.value(&format!("{SHOW}({from}, {})", from + 8)).as_u64().unwrap_or_default();
    }
    assert!(sections > all as u64, "every shot was shown: {sections}");
    browser.value(WALK);

    assert_eq!(browser.value("window.__ran ?? 0"), 0);
    assert_eq!(browser.value("document.title"), title);
    let handlers = "[...document.querySelectorAll('*')].filter((node) => [...node.attributes].some((one) => one.name.startsWith('on'))).length";
    assert_eq!(browser.value(handlers), 0, "no attribute is code");
    assert_eq!(browser.value("document.querySelectorAll('script').length"), 2, "the data and the page's own");
    assert_eq!(browser.value("document.querySelectorAll('iframe, object, embed, base, link, meta[http-equiv=refresh]').length"), 0);
    let foreign = "[...document.querySelectorAll('[href], [src]')].filter((node) => !/^(\\.\\/|#)/.test(node.getAttribute('href') ?? node.getAttribute('src'))).length";
    assert_eq!(browser.value(foreign), 0, "every address stands below the page");
    // Pictures that are not there are told of; nothing else may go wrong, and no dialog may open.
    let mishaps: Vec<String> = browser.mishaps().into_iter().filter(|mishap| !mishap.contains("ERR_FILE_NOT_FOUND")).collect();
    assert!(mishaps.is_empty(), "{mishaps:?}");
}

#[test]
fn a_page_of_thousands_of_shots_holds_only_those_near_the_screen() {
    let Some(mut browser) = Chromium::start("browser::a_page_of_thousands_of_shots_holds_only_those_near_the_screen", 1440, 900) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let rows: String = (0..2500).map(|row| format!("p{row},Product {row}\n")).collect();
    std::fs::write(folder.path().join("rows.csv"), format!("sku,title\n{rows}")).expect("written");
    let campaign = "callsheet: 1\ncampaign: many\nprovider: kie\ndefaults: { model: gpt-image-2, aspect: \"4:5\", resolution: 1K }\n\
                    axes: { sku: { csv: rows.csv, key: sku }, angle: { front: { view: straight }, back: { view: behind } } }\n\
                    steps: { hero: { generate: { prompt: \"{{ sku.title }} from {{ angle.view }}\", over: [sku, angle] } } }\n";
    std::fs::write(folder.path().join("many.yaml"), campaign).expect("written");
    let planned = planned(&folder.path().join("many.yaml"), None).unwrap_or_else(|text| panic!("{text}"));
    let (history, attempts) = ran(&planned.plan, &|at| format!("word {at}"));
    let file = folder.path().join("index.html");
    std::fs::write(&file, page_of(&planned, &history, &attempts)).expect("written");
    browser.open(&address_of(&file));
    browser.wait("document.querySelectorAll('.card').length > 0");
    for place in ["0", "document.body.scrollHeight / 2", "document.body.scrollHeight"] {
        browser.value(&format!("(scrollTo(0, {place}), new Promise((go) => setTimeout(go, 120)))"));
        let cards = browser.value("document.querySelectorAll('.card').length").as_u64().unwrap_or_default();
        assert!((4..150).contains(&cards), "{cards} cards at {place}");
        let seen = browser.value("[...document.querySelectorAll('.card')].some((card) => { const box = card.getBoundingClientRect(); return box.bottom > 0 && box.top < innerHeight; })");
        assert_eq!(seen, true, "at {place} something is seen");
    }
    assert_eq!(
        browser
            .value("document.querySelector('.card:last-of-type') !== null && document.querySelector('#shots').getAttribute('aria-rowcount') > 500"),
        true
    );
}
