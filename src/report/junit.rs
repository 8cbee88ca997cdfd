//! A campaign as a test report, for the page on which a CI shows tests: one suite a step, one case a shot.
//!
//! In: [`RunReport`]. Out: JUnit XML. Money, tries and model stand in each case's properties.
//! Never: a shot that waits told as a failure of its own; a character that XML does not allow.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use super::ReportError;
use super::run_report::{ReportRow, RunReport, Shot};
use super::told::{causes, doubts, mend};
use crate::ledger::JobState;
use crate::plan::JobIx;
use crate::types::{Amount, Micros, Operation, visible};

/// Returns the test report.
///
/// A shot with its picture passes, one that failed fails, doubt is an error, whatever waits or is left to do is skipped and says why; what was
/// not asked for is no case. A case's time is how long its last paid try took.
///
/// # Errors
/// [`ReportError::Money`] if a sum does not fit; [`ReportError::Io`] when it cannot be written as XML.
pub fn junit(report: &RunReport<'_>) -> Result<String, ReportError> {
    let mut tests = Report::new(visible(&report.plan.campaign).into_owned());
    let stage = if report.is_rehearsal { "rehearsal" } else { "real" };
    for step in &report.plan.steps {
        let mut suite = TestSuite::new(visible(&step.name).into_owned());
        suite.add_property(("stage", stage));
        suite.add_property(("price-book", visible(&report.quotes.book().name).as_ref()));
        for ix in step.jobs.clone().map(JobIx).filter(|ix| report.shots[ix.index()] != Shot::LeftOut) {
            suite.add_test_case(case(report, ix)?);
        }
        if suite.tests > 0 {
            tests.add_test_suite(suite);
        }
    }
    tests.to_string().map_err(|error| ReportError::Io { file: "junit.xml", source: std::io::Error::other(error) })
}

fn case(report: &RunReport<'_>, ix: JobIx) -> Result<TestCase, ReportError> {
    let job = report.plan.job(ix);
    let rows: Vec<&ReportRow<'_>> = report.rows.iter().filter(|row| row.is_ours && row.attempt.key == job.key).collect();
    let mut case = TestCase::new(visible(report.plan.id(ix).as_str()).into_owned(), status(report, ix));
    case.set_classname(format!("{}.{}", visible(&report.plan.campaign), visible(&report.plan.step_of(ix).name)));
    if let Some(took) = rows.last().and_then(|row| Some(row.attempt.finished_at?.since(row.attempt.started_at))) {
        case.set_time(took);
    } else {
        case.set_time(Duration::ZERO);
    }
    let mut say = |name: &str, value: String| {
        case.add_property(Property::new(name, visible(&value).into_owned()));
    };
    if let Operation::Paid(paid) = &job.operation {
        say("provider", paid.provider.to_string());
        say("model", paid.model.to_string());
        say("attempts", rows.len().to_string());
        for (name, amount) in costs(&rows)? {
            say(name, amount.to_string());
        }
    }
    if let JobState::Done { artifact, .. } = report.history.state(&job.key) {
        say("blake3", artifact.blob.digest.to_string());
    }
    Ok(case)
}

/// Returns what a shot's tries were quoted and charged, in each currency that was paid; what nobody knows is in no sum.
fn costs(rows: &[&ReportRow<'_>]) -> Result<Vec<(&'static str, Amount)>, ReportError> {
    let mut costs: Vec<(&'static str, Amount)> = Vec::new();
    for row in rows {
        let currency = &row.attempt.quoted.currency;
        for (name, micros) in [("quoted", row.attempt.known_quote()), ("charged", row.attempt.known_charge())] {
            let Some(micros) = micros else { continue };
            match costs.iter_mut().find(|(known, amount)| *known == name && amount.currency == *currency) {
                Some((_, amount)) => amount.micros = amount.micros.checked_add(micros)?,
                None => costs.push((name, Amount::new(currency.clone(), Micros::ZERO.checked_add(micros)?))),
            }
        }
    }
    Ok(costs)
}

fn status(report: &RunReport<'_>, ix: JobIx) -> TestCaseStatus {
    let skipped = |why: String| {
        let mut status = TestCaseStatus::skipped();
        status.set_message(visible(&why).into_owned());
        status
    };
    let wrong = |kind: NonSuccessKind, class: &str, message: String| {
        let mut status = TestCaseStatus::non_success(kind);
        status.set_type(class).set_message(visible(&message).into_owned());
        status
    };
    match report.shots[ix.index()] {
        Shot::Done => TestCaseStatus::success(),
        Shot::Failed => match report.history.state(&report.plan.job(ix).key) {
            JobState::Failed { failure, .. } => {
                let message = format!("{} ({}): {}; {}", failure.class.as_str(), failure.code, failure.message, mend(failure.class));
                wrong(NonSuccessKind::Failure, failure.class.as_str(), message)
            }
            _ => wrong(NonSuccessKind::Failure, "given-up", "the service was not there for as long as the run waits".to_owned()),
        },
        Shot::InDoubt => wrong(
            NonSuccessKind::Error,
            "in-doubt",
            "nobody knows whether it was charged; `callsheet reconcile` says what helps to find out".to_owned(),
        ),
        Shot::UnderWay => skipped("accepted and paid for; the next run fetches it for nothing".to_owned()),
        Shot::Blocked(cause) => skipped(format!("waits for {}", report.plan.id(cause))),
        Shot::ToDo => skipped("still to be made".to_owned()),
        Shot::LeftOut => skipped("left out".to_owned()),
    }
}

/// Returns what failed or is in doubt as GitHub's workflow commands: each becomes a note on the page of the job.
///
/// `file` is the campaign's, as the repository knows it. One line a cause, since GitHub shows ten notes a step.
pub fn annotations(report: &RunReport<'_>, file: &str) -> String {
    let mut text = String::new();
    let mut say = |level: &str, title: &str, message: &str| {
        text.push_str(&format!("::{level} file={},title={}::{}\n", property(file), property(title), data(message)));
    };
    for cause in causes(report) {
        let first = cause.shots.first().map_or(String::new(), |ix| report.plan.id(*ix).to_string());
        let shots = crate::types::diagnostic::counted(cause.shots.len(), "shot");
        let waiting = if cause.waiting > 0 { format!("; {} more wait for them", cause.waiting) } else { String::new() };
        let failure = cause.failure;
        let message = format!(
            "{shots} failed, first {first}: {} ({}): {}{waiting}\n{}",
            failure.class.as_str(),
            failure.code,
            failure.message,
            mend(failure.class)
        );
        say("error", &format!("{shots} failed"), &message);
    }
    for (ix, held) in doubts(report) {
        let message = format!(
            "{}: it may have been charged, {held} are held for it\ncallsheet reconcile {file} says what helps to find out",
            report.plan.id(ix)
        );
        say("error", "in doubt", &message);
    }
    let (done, all) = report.done();
    let spent: Vec<String> = report
        .spending
        .iter()
        .filter(|spent| spent.attempts > 0)
        .map(|spent| Amount::new(spent.currency.clone(), spent.charged).to_string())
        .collect();
    let spent = if spent.is_empty() { "nothing".to_owned() } else { spent.join(" and ") };
    let would = if report.is_rehearsal { "rehearsed, as if paid: " } else { "" };
    say("notice", &format!("callsheet {}", report.plan.campaign), &format!("{done} of {all} shots done; {would}{spent} charged so far"));
    text
}

/// Returns the text of a workflow command, escaped.
pub fn data(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| visible(line).into_owned()).collect();
    lines.join("\n").replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Returns a property of a workflow command, escaped.
pub fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn told<T>(tell: impl Fn(&RunReport<'_>) -> T) -> T {
        let ran = sample::ran();
        tell(&RunReport::new(&ran.plan, &ran.history, &ran.attempts, &ran.quotes, Some(sample::run_id())).expect("small sums"))
    }

    #[test]
    fn a_test_report_has_a_case_for_each_shot_with_its_money() {
        insta::assert_snapshot!(told(|report| junit(report).expect("it can be written")));
    }

    #[test]
    fn notes_for_github_are_one_line_each_and_end_nowhere_else() {
        let text = told(|report| annotations(report, "campaigns/a,b.yaml"));
        insta::assert_snapshot!(text);
        assert!(text.lines().all(|line| line.starts_with("::")));
        assert_eq!(data("50%\r\n::error::x"), "50%25%0A::error::x");
    }
}
