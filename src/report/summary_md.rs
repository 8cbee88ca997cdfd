//! `summary.md`: the campaign so far on one page, for a pull request, a CI job's summary, a colleague.
//!
//! In: [`RunReport`]. Out: Markdown, the same for the same plan and ledger. Never: a word of a prompt, a name or a vendor that becomes
//! markup, a link or a mention.

use std::io;

use super::run_report::RunReport;
use super::spending::{Group, RunLine, Spending};
use super::status::factor_words;
use super::text::{count, money, number, sum_words};
use super::told::{causes, counted_tries, deviating_models, doubts, mend, quoted_words, with_usd};
use super::{ReportError, ReportWriter, markdown, preparations};
use crate::types::diagnostic::counted;
use crate::types::{Billed, Micros};

/// Name of the file.
const FILE: &str = "summary.md";

/// Most runs in the table: the last ones.
const MOST_RUNS: usize = 10;

/// Most shots that are named for one reason.
const MOST_NAMED: usize = 5;

/// The files beside it, and what they hold.
const FILES: [(&str, &str); 5] = [
    ("index.html", "all pictures"),
    ("costs.csv", "one row a paid try"),
    ("costs-summary.csv", "sums by step, baseline, model, axis value and run"),
    ("manifest.json", "every file with its origin"),
    ("prompts.jsonl", "the prompt log"),
];

/// Writes `summary.md`.
#[derive(Debug, Clone, Copy)]
pub struct SummaryMd;

impl ReportWriter for SummaryMd {
    fn path(&self) -> &'static str {
        FILE
    }

    fn write(&self, report: &RunReport<'_>, to: &mut dyn io::Write) -> Result<(), ReportError> {
        let mut page = Page(to);
        page.line(&format!("# {}", plain(&report.plan.campaign)))?;
        page.line("")?;
        if report.is_rehearsal {
            page.line("> **Rehearsal.** Every picture is drawn, none was bought. Amounts are what a real run would have been charged.")?;
            page.line("")?;
        }
        page.line("The campaign so far: all its runs, from plan and ledger.")?;
        page.line("")?;
        if let Some(sentence) = report.without_price() {
            page.line(&format!("> **{}**", plain(&sentence)))?;
            page.line("")?;
        }
        facts(report, &mut page)?;
        steps(report, &mut page)?;
        prepared(report, &mut page)?;
        models(report, &mut page)?;
        runs(report, &mut page)?;
        anomalies(report, &mut page)?;
        page.line("## Files")?;
        page.line("")?;
        for (file, what) in FILES {
            page.line(&format!("- [{file}](./{file}): {what}"))?;
        }
        Ok(())
    }
}

/// The page as far as it is written.
struct Page<'a>(&'a mut dyn io::Write);

impl Page<'_> {
    fn line(&mut self, line: &str) -> Result<(), ReportError> {
        writeln!(self.0, "{line}").map_err(|source| ReportError::Io { file: FILE, source })
    }

    /// Writes a table: a heading, what stands right, rows, and a blank line. Nothing when there are no rows.
    fn table(&mut self, title: &str, columns: &[&str], words: usize, rows: Vec<Vec<String>>) -> Result<(), ReportError> {
        if rows.is_empty() {
            return Ok(());
        }
        if !title.is_empty() {
            self.line(&format!("## {title}"))?;
            self.line("")?;
        }
        let sides: Vec<&str> = (0..columns.len()).map(|place| if place < words { ":--" } else { "--:" }).collect();
        self.line(&format!("| {} |", columns.join(" | ")))?;
        self.line(&format!("|{}|", sides.join("|")))?;
        for row in rows {
            self.line(&format!("| {} |", row.join(" | ")))?;
        }
        self.line("")
    }
}

/// Returns text that stays text: no markup, no mention, no formula, and no link where an address is recognised by itself.
fn plain(text: &str) -> String {
    markdown::plain(text).replace("://", ":&#47;/").replace("www.", "www&#46;").replace('$', "&#36;").replace("\\#", "&#35;")
}

fn facts(report: &RunReport<'_>, page: &mut Page<'_>) -> Result<(), ReportError> {
    let book = &report.quotes.book().currency;
    let (done, all) = report.done();
    let mut rows = vec![["shots done".to_owned(), format!("**{done}** of {all} in the plan")]];
    for spent in report.spending.iter().enumerate().filter(|(place, spent)| *place == 0 || spent.attempts > 0).map(|(_, spent)| spent) {
        let runs = report.runs.iter().filter(|run| run.spending.iter().any(|other| other.currency == spent.currency)).count();
        let charged = with_usd(report, &spent.currency, spent.charged);
        rows.push(["charged".to_owned(), format!("**{charged}** for {} in {}", counted_tries(spent.attempts, ""), counted(runs, "run"))]);
        if let Some(how) = quoted_words(spent) {
            rows.push(["quoted".to_owned(), how]);
        }
        for (what, micros) in
            [("refunded", spent.refunded), ("released", spent.released), ("in doubt", spent.in_doubt), ("under way", spent.reserved)]
        {
            if micros > Micros::ZERO {
                rows.push([what.to_owned(), money(&spent.currency, micros)]);
            }
        }
    }
    let never_paid = report.reused.never_paid()?;
    if never_paid.pictures > 0 {
        let saved = sum_words(book, never_paid.saved);
        rows.push(["saved by reuse".to_owned(), format!("{saved}: {} that this campaign never paid for", counted(never_paid.pictures, "picture"))]);
    }
    if let Some(each) = report.per_final {
        rows.push(["per final".to_owned(), format!("**{}** for each of {} done", money(book, each), counted(report.finals.0, "final"))]);
    }
    if let Some(factor) = report.factor_seen {
        rows.push(["factor seen".to_owned(), factor_words(factor)]);
    }
    page.table("", &["", ""], 2, rows.into_iter().map(Vec::from).collect())
}

/// Columns of money, the same in every table.
const MONEY: [&str; 8] = ["tries", "quoted", "charged", "refunded", "released", "in doubt", "per image", "factor"];

fn money_cells(spent: &Spending) -> Result<Vec<String>, ReportError> {
    let shown = |micros: Micros| if micros == Micros::ZERO { "-".to_owned() } else { number(micros) };
    let optional = |micros: Option<Micros>| micros.map_or("-".to_owned(), number);
    let (each, factor) = (spent.per_picture()?, spent.factor()?);
    let mut cells = vec![count(spent.attempts)];
    cells.extend([spent.quoted, spent.charged, spent.refunded, spent.released, spent.in_doubt].map(shown));
    cells.extend([optional(each), optional(factor)]);
    Ok(cells)
}

/// Returns the sums of a group, or one of nothing, so that a step that is free has a row as well.
fn of_group(report: &RunReport<'_>, by: &str, name: &str) -> Vec<Spending> {
    let group: Option<&Group> = report.groups.iter().find(|group| group.by == by && group.name == name);
    let none = || vec![Spending::none(report.quotes.book().currency.clone())];
    group.map_or_else(none, |group| group.spending.clone())
}

fn steps(report: &RunReport<'_>, page: &mut Page<'_>) -> Result<(), ReportError> {
    let mut rows = Vec::new();
    for step in &report.steps {
        for spent in of_group(report, "step", &step.name) {
            let mut row = vec![plain(&step.name), step.jobs.to_string(), count(step.done), count(step.failed)];
            row.extend(money_cells(&spent)?);
            rows.push(row);
        }
    }
    let (done, all) = report.done();
    let failed: usize = report.steps.iter().map(|step| step.failed).sum();
    let several = report.spending.iter().filter(|spent| spent.attempts > 0).count() > 1;
    for spent in report.spending.iter().filter(|spent| spent.attempts > 0) {
        let name = if several { format!("**total** in {}", plain(&spent.currency.to_string())) } else { "**total**".to_owned() };
        let mut row = vec![name, all.to_string(), count(done), count(failed)];
        row.extend(money_cells(spent)?);
        rows.push(row);
    }
    let columns: Vec<&str> = ["step", "shots", "done", "failed"].into_iter().chain(MONEY).collect();
    page.table("Steps", &columns, 1, rows)
}

/// Tells what was done to pictures for a model's sake.
fn prepared(report: &RunReport<'_>, page: &mut Page<'_>) -> Result<(), ReportError> {
    let lines = preparations::lines_so_far(report);
    if lines.is_empty() {
        return Ok(());
    }
    page.line("## Made to fit")?;
    page.line("")?;
    for (heading, line) in lines {
        page.line(&format!("- {heading}: {}", plain(&line)))?;
    }
    page.line("")
}

fn models(report: &RunReport<'_>, page: &mut Page<'_>) -> Result<(), ReportError> {
    let mut rows = Vec::new();
    for group in report.groups.iter().filter(|group| group.by == "model" || group.by == "baseline") {
        for spent in &group.spending {
            let mut row = vec![group.by.to_owned(), plain(&group.name)];
            row.extend(money_cells(spent)?);
            rows.push(row);
        }
    }
    let columns: Vec<&str> = ["by", "name"].into_iter().chain(MONEY).collect();
    page.table("Models and baselines", &columns, 2, rows)
}

fn runs(report: &RunReport<'_>, page: &mut Page<'_>) -> Result<(), ReportError> {
    let older = report.runs.len().saturating_sub(MOST_RUNS);
    let mut rows = Vec::new();
    for RunLine { run, started_at, spending } in &report.runs[older..] {
        for spent in spending {
            let mut row = vec![plain(run.as_str()), started_at.to_string()];
            row.extend(money_cells(spent)?);
            rows.push(row);
        }
    }
    let columns: Vec<&str> = ["run", "first try"].into_iter().chain(MONEY).collect();
    let title = if older > 0 { format!("The last {MOST_RUNS} of {} runs", report.runs.len()) } else { "Runs".to_owned() };
    page.table(&title, &columns, 2, rows)
}

/// Tells what somebody should look at; says so when there is nothing.
fn anomalies(report: &RunReport<'_>, page: &mut Page<'_>) -> Result<(), ReportError> {
    page.line("## To look at")?;
    page.line("")?;
    let mut told = Vec::new();
    for (ix, held) in doubts(report) {
        told.push(format!("**in doubt**: {}: {} held; nobody knows whether it was charged", shot(report, ix), money(&held.currency, held.micros)));
    }
    for model in deviating_models(&report.groups) {
        told.push(format!("**charged other than quoted**: {}", plain(&model)));
    }
    for cause in causes(report) {
        let named: Vec<String> = cause.shots.iter().take(MOST_NAMED).map(|ix| shot(report, *ix)).collect();
        let more = cause.shots.len().saturating_sub(MOST_NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let waiting = if cause.waiting > 0 { format!("; {} behind them", counted(cause.waiting, "shot")) } else { String::new() };
        let failure = cause.failure;
        let open = if failure.billed == Billed::Maybe { " The provider has not said whether it charged." } else { "" };
        told.push(format!(
            "**{}** ({}): {}: {}{more}{waiting}. {}.{open}",
            failure.class.as_str(),
            plain(&failure.code),
            counted(cause.shots.len(), "shot"),
            named.join(", "),
            capital(mend(failure.class))
        ));
    }
    if told.is_empty() {
        told.push("nothing: no failures, no doubts, everything charged as quoted".to_owned());
    }
    for line in told {
        page.line(&format!("- {line}"))?;
    }
    page.line("")
}

fn shot(report: &RunReport<'_>, ix: crate::plan::JobIx) -> String {
    plain(report.plan.id(ix).as_str())
}

fn capital(sentence: &str) -> String {
    let mut chars = sentence.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::JobState;
    use crate::plan::JobIx;
    use crate::pricing::sample as plans;
    use crate::report::sample;
    use crate::types::{AttemptNo, Failure, FailureClass};

    fn render(ran: &sample::Ran) -> String {
        let report = RunReport::new(&ran.plan, &ran.history, &ran.attempts, &ran.quotes, None).expect("small sums");
        sample::text_of(&SummaryMd, &report)
    }

    #[test]
    fn a_campaign_stands_on_one_page() {
        insta::assert_snapshot!(render(&sample::ran()), @r"
        # spring-drop

        The campaign so far: all its runs, from plan and ledger.

        |  |  |
        |:--|:--|
        | shots done | **5** of 14 in the plan |
        | charged | **18 credits ($0.09)** for 6 tries in 2 runs |
        | quoted | as quoted |
        | refunded | 12 credits |
        | in doubt | 6 credits |
        | per final | **9 credits** for each of 2 finals done |
        | factor seen | 1 paid try for each picture in use |

        ## Steps

        | step | shots | done | failed | tries | quoted | charged | refunded | released | in doubt | per image | factor |
        |:--|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|
        | hero | 2 | 1 | 1 | 3 | 18 | 6 | 12 | - | - | 6 | 1 |
        | surface | 6 | 2 | - | 3 | 18 | 12 | - | - | 6 | 6 | 1 |
        | deliver | 6 | 2 | - | - | - | - | - | - | - | - | - |
        | **total** | 14 | 5 | 1 | 6 | 36 | 18 | 12 | - | 6 | 6 | 1 |

        ## Models and baselines

        | by | name | tries | quoted | charged | refunded | released | in doubt | per image | factor |
        |:--|:--|--:|--:|--:|--:|--:|--:|--:|--:|
        | baseline | pdp | 6 | 36 | 18 | 12 | - | 6 | 6 | 1 |
        | model | gpt-image-2 | 6 | 36 | 18 | 12 | - | 6 | 6 | 1 |

        ## Runs

        | run | first try | tries | quoted | charged | refunded | released | in doubt | per image | factor |
        |:--|:--|--:|--:|--:|--:|--:|--:|--:|--:|
        | 20261122T094500Z-7f3a | 2026-11-22T09:45:00.000Z | 5 | 30 | 12 | 12 | - | 6 | 6 | 1 |
        | 20261101T080000Z-0001 | 2026-11-22T09:45:03.000Z | 1 | 6 | 6 | - | - | - | 6 | 1 |

        ## To look at

        - **in doubt**: surface\[sku=teapot,surface=linen\]: 6 credits held; nobody knows whether it was charged
        - **refused** (moderation): 1 shot: hero\[sku=mug\]; 6 shots behind them. Change the prompt, or the picture that it is made from: the same is refused again.

        ## Files

        - [index.html](./index.html): all pictures
        - [costs.csv](./costs.csv): one row a paid try
        - [costs-summary.csv](./costs-summary.csv): sums by step, baseline, model, axis value and run
        - [manifest.json](./manifest.json): every file with its origin
        - [prompts.jsonl](./prompts.jsonl): the prompt log
        ");
    }

    #[test]
    fn what_was_only_held_is_no_refund_in_any_table() {
        let mut ran = sample::ran();
        ran.attempts[5].task = None;
        let page = render(&ran);
        assert!(page.contains("| refunded | 6 credits |\n| released | 6 credits |"), "{page}");
        assert!(page.contains("| **total** | 14 | 5 | 1 | 6 | 36 | 18 | 6 | 6 | 6 | 6 | 1 |"), "{page}");
    }

    #[test]
    fn it_does_not_depend_on_which_run_is_closed() {
        let ran = sample::ran();
        let report = RunReport::new(&ran.plan, &ran.history, &ran.attempts, &ran.quotes, Some(sample::run_id())).expect("small sums");
        assert_eq!(sample::text_of(&SummaryMd, &report), render(&ran));
    }

    #[test]
    fn hostile_names_and_codes_stay_text() {
        let mut ran = sample::ran();
        let attack = "x](https://evil.example)|<img src=x onerror=alert(1)>`\n# owned @team www.evil.example $a^2$ ![](//e)";
        ran.plan.campaign = attack.into();
        ran.plan.steps[0].name = attack.into();
        for row in &mut ran.attempts {
            row.card.model = attack.to_owned();
            row.card.step = attack.to_owned();
            row.card.campaign = attack.to_owned();
            row.charged = Some(Micros::units(9));
        }
        let failure = Failure::new(FailureClass::Refused, attack, attack);
        plans::knows(&mut ran.history, &ran.plan, JobIx(1), JobState::Failed { attempt: AttemptNo(1), failure });
        let page = render(&ran);
        assert_eq!(page.matches("evil").count() % 2, 0, "it is shown, with both addresses");
        assert!(page.contains("evil"));
        // What stands behind a backslash is text.
        let bare: String =
            page.split('\\').enumerate().map(|(place, part)| if place == 0 { part } else { part.get(1..).unwrap_or_default() }).collect();
        for markup in ["](https", "://", "www.", "<img", " @team", "$a", "\n# owned", "![]"] {
            assert!(!bare.contains(markup), "{markup}: {page}");
        }
        let columns: Vec<usize> = bare.lines().filter(|line| line.starts_with("| x")).map(|line| line.matches('|').count()).collect();
        assert_eq!(columns, [13], "the step's row has its twelve cells: {page}");
    }

    #[test]
    fn a_rehearsal_says_so_before_any_number() {
        let ran = sample::ran();
        let report = RunReport::new(&ran.plan, &ran.history, &ran.attempts, &ran.quotes, None).expect("small sums").rehearsed();
        let page = sample::text_of(&SummaryMd, &report);
        assert!(page.starts_with("# spring-drop\n\n> **Rehearsal.**"), "{page}");
    }
}
