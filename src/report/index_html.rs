//! `index.html`: the pictures of a campaign on one page that needs no server and no script.
//!
//! In: [`RunReport`]. Out: one HTML file; pictures are those of the tree, loaded as they come into view.
//! Never: a script, a request to anywhere; a prompt that becomes markup (the template engine escapes, the policy forbids the rest).

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io;

use minijinja::value::{Serde, Value};
use minijinja::{Environment, context};
use serde::Serialize;

use super::run_report::{RunReport, Shot};
use super::text::{money, number, sum_words};
use super::{ReportError, ReportWriter};
use crate::plan::{JobIx, Plan, PlannedStep};
use crate::types::diagnostic::counted;
use crate::types::{JobKey, Micros, Operation, visible};

/// Name of the file.
const FILE: &str = "index.html";

/// The templates: the page up to its first step, the beginnings of a step and of a row, and a picture with all that is told of it.
const TEMPLATES: [(&str, &str); 4] = [
    (PAGE, include_str!("index_html/page.html.jinja")),
    (STEP, include_str!("index_html/step.html.jinja")),
    (ROW, include_str!("index_html/row.html.jinja")),
    (CARD, include_str!("index_html/card.html.jinja")),
];

const PAGE: &str = "page.html";
const STEP: &str = "step.html";
const ROW: &str = "row.html";
const CARD: &str = "card.html";

const END_OF_ROW: &str = "</div>\n</div>\n";
const END_OF_STEP: &str = "</div>\n</section>\n";
const END_OF_PAGE: &str = "</main>\n<footer></footer>\n</body>\n</html>\n";

/// Writes `index.html`.
#[derive(Debug, Clone, Copy)]
pub struct IndexHtml;

/// One picture.
#[derive(Serialize)]
struct Card {
    address: String,
    /// The address in parts, between which a line may end.
    parts: Vec<String>,
    caption: String,
    href: String,
    width: u32,
    height: u32,
    model: Option<String>,
    cost: Option<String>,
    prompt: Option<String>,
}

/// One step.
#[derive(Serialize)]
struct Section {
    id: usize,
    name: String,
    what: String,
    is_final: bool,
    done: usize,
}

impl ReportWriter for IndexHtml {
    fn path(&self) -> &'static str {
        FILE
    }

    fn write(&self, report: &RunReport<'_>, to: &mut dyn io::Write) -> Result<(), ReportError> {
        let mut environment = Environment::new();
        for (name, source) in TEMPLATES {
            environment.add_template(name, source).map_err(|source| ReportError::Page { file: FILE, source })?;
        }
        let mut page = Page { environment, to };
        let costs = costs(report)?;
        let sections: Vec<Section> = report.plan.steps.iter().enumerate().map(|(place, step)| section(report, place, step)).collect();
        let (done, all) = report.done();
        page.part(
            PAGE,
            context! { campaign => visible(&report.plan.campaign), rehearsal => report.is_rehearsal, done, all, facts => facts(report)?, sections => Value::from(Serde(&sections)) },
        )?;
        for (step, section) in report.plan.steps.iter().zip(&sections) {
            page.part(STEP, Value::from(Serde(section)))?;
            page.cards(report, step, &costs)?;
            page.text(END_OF_STEP)?;
        }
        page.text(END_OF_PAGE)
    }
}

/// The page as far as it is written: only the picture at hand is in memory.
struct Page<'a> {
    environment: Environment<'static>,
    to: &'a mut dyn io::Write,
}

impl Page<'_> {
    fn part(&mut self, name: &str, values: Value) -> Result<(), ReportError> {
        let written = self.environment.get_template(name).and_then(|template| template.render_captured_to(values, &mut *self.to).map(drop));
        written.map_err(|source| ReportError::Page { file: FILE, source })
    }

    fn text(&mut self, text: &str) -> Result<(), ReportError> {
        self.to.write_all(text.as_bytes()).map_err(|source| ReportError::Io { file: FILE, source })
    }

    /// Writes the pictures of a step; those that share the value of its first axis stand in one row.
    fn cards(&mut self, report: &RunReport<'_>, step: &PlannedStep, costs: &HashMap<JobKey, String>) -> Result<(), ReportError> {
        let mut open: Option<String> = None;
        for ix in step.jobs.clone().map(JobIx).filter(|ix| report.shot(*ix) == Shot::Done) {
            let Some(card) = card(report, ix, costs) else { continue };
            // With one axis alone each row would hold one picture: then all stand together.
            let title = if step.axes.len() > 1 { report.plan.axes_of(ix).first().map(|(_, key)| visible(key).into_owned()) } else { None };
            let title = title.unwrap_or_default();
            if open.as_ref() != Some(&title) {
                if open.is_some() {
                    self.text(END_OF_ROW)?;
                }
                self.part(ROW, context! { title => &title })?;
                open = Some(title);
            }
            self.part(CARD, Value::from(Serde(&card)))?;
        }
        if open.is_some() { self.text(END_OF_ROW) } else { Ok(()) }
    }
}

/// Returns what the head of the page tells of the money.
fn facts(report: &RunReport<'_>) -> Result<Vec<(&'static str, String)>, ReportError> {
    let mut facts = Vec::new();
    for spent in report.spending.iter().filter(|spent| spent.attempts > 0) {
        let what = if report.is_rehearsal { "a real run would have cost" } else { "spent so far" };
        facts.push((what, money(&spent.currency, spent.charged)));
        if spent.in_doubt > Micros::ZERO {
            facts.push(("in doubt", money(&spent.currency, spent.in_doubt)));
        }
    }
    let unpriced: usize = report.spending.iter().map(|spent| spent.unpriced).sum();
    if unpriced > 0 {
        facts.push(("without a price, in no total", counted(unpriced, "shot")));
    }
    // The page shows the campaign, not a run: what an earlier run paid is spent, not saved.
    let never_paid = report.reused.never_paid()?;
    if never_paid.pictures > 0 {
        facts.push(("saved by reuse", sum_words(&report.quotes.book().currency, never_paid.saved)));
    }
    if let Some(each) = report.per_final.filter(|_| !report.is_rehearsal) {
        facts.push(("per final", money(&report.quotes.book().currency, each)));
    }
    if let Some(factor) = report.factor_seen {
        facts.push(("paid tries per picture", number(factor)));
    }
    Ok(facts)
}

/// Returns what each key cost, in words.
fn costs(report: &RunReport<'_>) -> Result<HashMap<JobKey, String>, ReportError> {
    let mut sums: HashMap<JobKey, (crate::types::Currency, Micros)> = HashMap::new();
    for row in &report.rows {
        if let Some(charged) = row.attempt.known_charge() {
            let currency = &row.attempt.quoted.currency;
            let sum = sums.entry(row.attempt.key).or_insert_with(|| (currency.clone(), Micros::ZERO));
            // A key paid in two currencies shows what it cost in the last one.
            *sum = if sum.0 == *currency { (sum.0.clone(), sum.1.checked_add(charged)?) } else { (currency.clone(), charged) };
        }
    }
    let unknown = report.rows.iter().filter(|row| row.attempt.card.unpriced && row.attempt.known_charge().is_none());
    let unknown: Vec<(JobKey, String)> = unknown.map(|row| (row.attempt.key, "no price known".to_owned())).collect();
    Ok(sums.into_iter().map(|(key, (currency, micros))| (key, money(&currency, micros))).chain(unknown).collect())
}

fn section(report: &RunReport<'_>, place: usize, step: &PlannedStep) -> Section {
    let what = match &step.model {
        Some(model) => format!("{} with {model}", step.kind),
        None => step.kind.to_owned(),
    };
    let what = format!("{}, {}", visible(&what), counted(step.jobs.len(), "shot"));
    Section { id: place, name: visible(&step.name).into_owned(), what, is_final: step.is_final, done: report.steps[place].done }
}

fn card(report: &RunReport<'_>, ix: JobIx, costs: &HashMap<JobKey, String>) -> Option<Card> {
    let plan = report.plan;
    let job = plan.job(ix);
    let artifact = report.history.artifact(&job.key)?;
    let model = match &job.operation {
        Operation::Paid(paid) => Some(visible(&paid.model).into_owned()),
        Operation::Local(_) => None,
    };
    let address = visible(plan.id(ix).as_str()).into_owned();
    Some(Card {
        parts: address.split_inclusive([',', '[']).map(str::to_owned).collect(),
        address,
        caption: caption(plan, ix),
        href: href(&job.path),
        width: artifact.info.size.width,
        height: artifact.info.size.height,
        model,
        cost: costs.get(&job.key).cloned(),
        // Line breaks belong to a prompt; everything else that cannot be seen is written out.
        prompt: (!job.prompt.is_empty()).then(|| job.prompt.lines().map(visible).collect::<Vec<_>>().join("\n")),
    })
}

/// Returns the values of the axes, and the take.
fn caption(plan: &Plan, ix: JobIx) -> String {
    let mut caption = plan.axes_of(ix).into_iter().map(|(_, key)| visible(key)).collect::<Vec<_>>().join(" · ");
    if let Some(take) = plan.take_of(ix) {
        let _ = write!(caption, " #{take}");
    }
    if caption.is_empty() { visible(&plan.step_of(ix).name).into_owned() } else { caption }
}

/// Returns a relative link to a file of the tree: every byte that is not plain is percent-encoded, folders stay folders.
fn href(path: &str) -> String {
    let mut href = String::from("./");
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/') {
            href.push(char::from(byte));
        } else {
            let _ = write!(href, "%{byte:02X}");
        }
    }
    href
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn render(ran: &sample::Ran) -> String {
        let report = RunReport::new(&ran.plan, &ran.history, &ran.attempts, &ran.quotes, None).expect("small sums");
        sample::text_of(&IndexHtml, &report)
    }

    #[test]
    fn every_finished_picture_is_on_the_page() {
        let page = render(&sample::ran());
        assert_eq!(page.matches("<figure>").count(), 5);
        assert!(page.contains(r#"<img src="./teapot/travertine/surface.png" width="1024" height="1280" loading="lazy""#), "{page}");
        assert!(page.contains("<dd>5 of 14</dd>") && page.contains("<dd>18 credits</dd>"));
        assert!(page.contains("default-src 'none'") && !page.contains("<script") && !page.contains("://"));
    }

    #[test]
    fn a_rehearsal_says_so_at_the_top() {
        let ran = sample::ran();
        let report = RunReport::new(&ran.plan, &ran.history, &ran.attempts, &ran.quotes, None).expect("small sums").rehearsed();
        let page = sample::text_of(&IndexHtml, &report);
        assert!(page.contains("Rehearsal: every picture is drawn, none was bought") && !page.contains("<dt>spent so far</dt>"));
        assert!(!render(&ran).contains("Rehearsal"));
    }

    #[test]
    fn hostile_prompts_and_names_stay_text() {
        let mut ran = sample::ran();
        let attack = "</p></details><script>alert(1)</script><img src=x onerror=alert(1)>\"'&{{ 7 * 7 }}";
        ran.plan.jobs[0].prompt = attack.into();
        ran.plan.jobs[0].path = "java\"script:alert(1)//<b>/ä #?.png".into();
        ran.plan.campaign = attack.into();
        ran.plan.steps[0].name = attack.into();
        let page = render(&ran);
        assert!(!page.contains("<script") && !page.contains("<img src=x"), "escaped");
        assert!(page.contains("{{ 7 * 7 }}"), "a prompt is no template");
        assert!(page.contains("&lt;script&gt;alert(1)&lt;"));
        assert!(page.contains(r#"href="./java%22script%3Aalert%281%29//%3Cb%3E/%C3%A4%20%23%3F.png""#));
        assert_eq!(page.matches("<figure>").count(), 5);
    }
}
