//! One plan on several price books, beside each other: for a terminal, for pull requests, for spreadsheets and for programs.
//!
//! In: an [`OffersView`]. Out: text. Amounts stay in each book's own currency; USD stands only where a book states a rate.
//! Never: a sum of two currencies, a total that hides what has no price.

use std::fmt::Write as _;

use anstyle::Style;
use serde_json::{Value, json};

use super::ReportError;
use super::markdown::plain;
use super::plan_export::certainty;
use super::plan_table::{factor_words, learned_words};
use super::spreadsheet::neutral;
use super::text::{Notes, Table, money, numbers, styled, sum, words};
use crate::catalog::Certainty;
use crate::pricing::{Cheapest, Estimate, Offer, Sum, cheapest, without_price};
use crate::types::diagnostic::counted;
use crate::types::{Currency, visible};

/// Version of the JSON form.
const FORMAT: u32 = 1;

/// Most reasons and lacks that are told of one book.
const MOST_TOLD: usize = 6;

/// Everything that the views show.
#[derive(Debug, Clone)]
pub struct OffersView<'a> {
    /// The campaign's name.
    pub campaign: &'a str,
    /// The profile.
    pub profile: Option<&'a str>,
    /// One a book, in the order in which they were asked for.
    pub offers: &'a [Offer],
    /// The book that the campaign itself names: its caps hold there.
    pub own: &'a str,
    /// Whether the user lets shots without a price pass.
    pub allow_unpriced: bool,
    /// What is supposed instead of what is, in words.
    pub supposed: &'a [String],
    /// Further sentences.
    pub notes: &'a [String],
}

impl OffersView<'_> {
    fn shots(&self) -> usize {
        let paid = |estimate: &Estimate| estimate.lines.iter().filter(|line| line.model.is_some()).map(|line| line.counts.outstanding()).sum();
        self.offers.first().map_or(0, |offer| paid(&offer.estimate))
    }
}

/// Returns the comparison for a terminal of `width` columns.
pub fn offers_table(view: &OffersView<'_>, width: usize, color: bool) -> String {
    let cheapest = cheapest(view.offers);
    let mut text = styled(&visible(view.campaign), Style::new().bold(), color);
    if let Some(profile) = view.profile {
        let _ = write!(text, ", profile {}", visible(profile));
    }
    let _ = writeln!(text, ": {} to pay for, on {}\n", counted(view.shots(), "shot"), counted(view.offers.len(), "price book"));
    let mut table = Table::new(vec![
        words("book", Some(8)),
        words("in", None),
        numbers("floor"),
        numbers("expected"),
        numbers("ceiling"),
        numbers("per final"),
        numbers("floor in USD"),
    ]);
    for offer in view.offers {
        let Estimate { book, totals, finals, .. } = &offer.estimate;
        let unit = if book.currency == Currency::Usd { "USD" } else { "credits" };
        let each = finals.floor_each.map_or("-".to_owned(), shown);
        let usd = offer.estimate.usd(totals.floor).map_or("no rate".to_owned(), shown);
        let name = book.name.to_string();
        table.row(vec![name, unit.to_owned(), shown(totals.floor), shown(totals.expected), shown(totals.ceiling), each, usd]);
    }
    text.push_str(&table.render(width, color));
    let mut notes = Notes { text, width, color };
    for (place, offer) in view.offers.iter().enumerate() {
        notes.text.push('\n');
        let date = offer.estimate.book.as_of.map_or("undated".to_owned(), |date| format!("of {date}"));
        let name = styled(&visible(&offer.estimate.book.name), Style::new().bold(), color);
        let _ = writeln!(notes.text, "{name}, {date}");
        about(view, offer, cheapest.filter(|cheapest| cheapest.offer == place), &mut notes);
    }
    notes.text.push('\n');
    for sentence in closing(view, cheapest) {
        notes.say("note", &sentence);
    }
    notes.text
}

/// Returns a sum as a number; what is wholly unknown is a question mark.
fn shown(of: Sum) -> String {
    if of.certainty == Certainty::Unknown && of.micros == crate::types::Micros::ZERO { "?".to_owned() } else { sum(of) }
}

/// Tells of one book what its line in the table cannot.
fn about(view: &OffersView<'_>, offer: &Offer, cheapest: Option<Cheapest>, notes: &mut Notes) {
    let estimate = &offer.estimate;
    match cheapest {
        Some(Cheapest { is_sure: true, .. }) => notes.say("cheapest", CHEAPEST),
        Some(_) => notes.say("cheapest", &format!("{CHEAPEST}; it is a lower bound, and may turn out dearer")),
        None => {}
    }
    let unpriced = estimate.unpriced_jobs();
    match estimate.totals.floor.certainty {
        Certainty::Exact => notes.say("price", "every shot has an exact price"),
        Certainty::LowerBound => notes.say("price", &format!("at least: only a lower bound for {}", unsure(estimate))),
        Certainty::Unknown => {}
    }
    for group in estimate.unpriced.iter().take(MOST_TOLD) {
        let sentence = format!("{}: {} ({})", counted(group.jobs.count, "shot"), group.reason, group.jobs.listed());
        if view.allow_unpriced { notes.warn("no price", &sentence) } else { notes.refuse("no price", &sentence) }
    }
    if estimate.unpriced.len() > MOST_TOLD {
        notes.refuse("", &format!("and {} more", counted(estimate.unpriced.len() - MOST_TOLD, "reason")));
    }
    if unpriced > 0 {
        notes.warn("no price", &without_price(unpriced));
    }
    for sentence in lacks(offer) {
        notes.warn("cannot", &sentence);
    }
    for sentence in assumed(offer) {
        notes.say("assumed", &sentence);
    }
}

/// Returns what the plan leaves open and is settled differently there, steps with the same together.
fn assumed(offer: &Offer) -> Vec<String> {
    let mut told: Vec<(&str, Vec<&str>)> = Vec::new();
    for (step, what) in &offer.assumed {
        match told.iter_mut().find(|(known, _)| known == what) {
            Some((_, steps)) => steps.push(step),
            None => told.push((what, vec![&**step])),
        }
    }
    let sentence =
        |(what, steps): (&str, Vec<&str>)| format!("{what}, the model's own choice there, for {}", crate::types::diagnostic::listed(steps, 8));
    told.into_iter().map(sentence).collect()
}

/// What makes a book the cheapest.
const CHEAPEST: &str = "lowest floor of the books that price and can do all of this and can be compared";

fn unsure(estimate: &Estimate) -> String {
    let unsure = estimate.lines.iter().filter(|line| line.floor.certainty == Certainty::LowerBound).map(|line| &*line.name);
    crate::types::diagnostic::listed(unsure, 8)
}

/// Returns what a book's models cannot do: steps that lack the same together.
fn lacks(offer: &Offer) -> Vec<String> {
    let mut told: Vec<(String, Vec<&str>)> = Vec::new();
    for lack in &offer.lacks {
        let help = lack.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
        let sentence = format!("`{}`: {}{help}", lack.model, lack.what);
        match told.iter_mut().find(|(known, _)| *known == sentence) {
            Some((_, steps)) => steps.push(&lack.step),
            None => told.push((sentence, vec![&*lack.step])),
        }
    }
    told.into_iter().map(|(sentence, steps)| format!("{sentence} (asked by {})", crate::types::diagnostic::listed(steps, 8))).collect()
}

fn closing(view: &OffersView<'_>, cheapest: Option<Cheapest>) -> Vec<String> {
    let mut sentences: Vec<String> = view.supposed.iter().map(|supposed| format!("supposed: {supposed}")).collect();
    if let Some(estimate) = view.offers.first().map(|offer| &offer.estimate) {
        sentences.push(match &estimate.factor {
            Some((name, factor)) => format!("expected is the floor x {}", factor_words(name, *factor)),
            None => "expected is the floor; the campaign names no `iteration` factor".to_owned(),
        });
        sentences.extend(learned_words(&estimate.factors).into_iter().map(|learned| format!("learned: {learned}")));
    }
    let capped = |offer: &&Offer| !offer.estimate.caps.is_empty();
    if let Some(own) = view.offers.iter().find(capped) {
        let estimate = &own.estimate;
        let caps = estimate.caps.iter().map(|cap| money(&estimate.book.currency, cap.limit)).collect::<Vec<_>>().join(", ");
        sentences.push(format!("the campaign's caps ({caps}) hold on `{}`, the book it names; on others the ceiling is all tries", view.own));
    }
    if cheapest.is_none() && view.offers.len() > 1 {
        sentences
            .push("none is called cheapest: fewer than two price all, can do all and are counted in one currency or state a rate to USD".to_owned());
    }
    sentences.extend(view.notes.iter().cloned());
    sentences
}

/// Returns the comparison as JSON.
pub fn offers_json(view: &OffersView<'_>) -> Value {
    let cheapest = cheapest(view.offers);
    let offer = |(place, offer): (usize, &Offer)| {
        let Estimate { book, totals, finals, unpriced, .. } = &offer.estimate;
        let of_sum =
            |of: Sum| json!({ "amount": of.micros, "usd": offer.estimate.usd(of).map(|usd| usd.micros), "certainty": certainty(of.certainty) });
        let is_cheapest = cheapest.filter(|cheapest| cheapest.offer == place);
        json!({
            "book": book.name, "as-of": book.as_of, "currency": book.currency, "usd-per-credit": book.usd_per_credit,
            "floor": of_sum(totals.floor), "expected": of_sum(totals.expected), "ceiling": of_sum(totals.ceiling), "saved": of_sum(totals.saved),
            "per-final": { "floor": finals.floor_each.map(of_sum), "expected": finals.expected_each.map(of_sum), "finals": finals.count },
            "unpriced": unpriced.iter().map(|group| json!({ "reason": group.reason.to_string(), "count": group.jobs.count, "first": group.jobs.first })).collect::<Vec<_>>(),
            "cannot": offer.lacks.iter().map(|lack| json!({ "step": lack.step, "model": lack.model, "what": lack.what, "help": lack.help })).collect::<Vec<_>>(),
            "assumed": offer.assumed.iter().map(|(step, what)| json!({ "step": step, "what": what })).collect::<Vec<_>>(),
            "cheapest": is_cheapest.is_some(), "cheapest-is-sure": is_cheapest.map(|cheapest| cheapest.is_sure),
        })
    };
    json!({
        "callsheet-comparison": FORMAT,
        "campaign": view.campaign,
        "profile": view.profile,
        "shots": view.shots(),
        "own-book": view.own,
        "allow-unpriced": view.allow_unpriced,
        "supposed": view.supposed,
        "books": view.offers.iter().enumerate().map(offer).collect::<Vec<_>>(),
        "notes": closing(view, cheapest),
    })
}

/// Returns the comparison as CSV, one row a book.
///
/// # Errors
/// [`ReportError::Csv`] if a row does not take.
pub fn offers_csv(view: &OffersView<'_>) -> Result<String, ReportError> {
    let failed = |source| ReportError::Csv { file: "plan.csv", source };
    let cheapest = cheapest(view.offers);
    let mut writer = csv::Writer::from_writer(Vec::new());
    let headings = "campaign,book,as_of,currency,usd_per_credit,floor,expected,ceiling,floor_per_final,expected_per_final,floor_usd,expected_usd,ceiling_usd,certainty,unpriced,reasons,cannot,cheapest";
    writer.write_record(headings.split(',')).map_err(failed)?;
    for (place, offer) in view.offers.iter().enumerate() {
        let Estimate { book, totals, finals, .. } = &offer.estimate;
        // What is wholly unknown is an empty cell; what is known in part is told by the certainty.
        let known = |of: Sum| (of.certainty != Certainty::Unknown || of.micros > crate::types::Micros::ZERO).then(|| of.micros.to_string());
        let amount = |of: Option<Sum>| of.and_then(known).unwrap_or_default();
        let usd = |of: Sum| amount(offer.estimate.usd(of));
        let text = |text: &str| neutral(text).into_owned();
        let row = [
            text(view.campaign),
            text(&book.name),
            book.as_of.map(|date| date.to_string()).unwrap_or_default(),
            text(&book.currency.to_string()),
            book.usd_per_credit.map(|rate| rate.to_string()).unwrap_or_default(),
            amount(Some(totals.floor)),
            amount(Some(totals.expected)),
            amount(Some(totals.ceiling)),
            amount(finals.floor_each),
            amount(finals.expected_each),
            usd(totals.floor),
            usd(totals.expected),
            usd(totals.ceiling),
            certainty(totals.floor.certainty).to_owned(),
            offer.estimate.unpriced_jobs().to_string(),
            text(&offer.estimate.unpriced.iter().map(|group| group.reason.to_string()).collect::<Vec<_>>().join("; ")),
            text(&lacks(offer).join("; ")),
            cheapest.is_some_and(|cheapest| cheapest.offer == place).to_string(),
        ];
        writer.write_record(row).map_err(failed)?;
    }
    let bytes = writer.into_inner().map_err(|error| failed(error.into_error().into()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Returns the comparison for a pull request.
pub fn offers_markdown(view: &OffersView<'_>) -> String {
    let cheapest = cheapest(view.offers);
    let mut page = format!("### {}\n\n", plain(view.campaign));
    let _ = writeln!(page, "{} to pay for, on {}.\n", counted(view.shots(), "shot"), counted(view.offers.len(), "price book"));
    page.push_str("| book | in | floor | expected | ceiling | per final | floor in USD | |\n|---|---|--:|--:|--:|--:|--:|---|\n");
    for (place, offer) in view.offers.iter().enumerate() {
        let Estimate { book, totals, finals, .. } = &offer.estimate;
        let mark = match cheapest.filter(|cheapest| cheapest.offer == place) {
            Some(Cheapest { is_sure: true, .. }) => "cheapest",
            Some(_) => "cheapest, if its lower bound holds",
            None => "",
        };
        let cells = [
            plain(&book.name),
            if book.currency == Currency::Usd { "USD".to_owned() } else { "credits".to_owned() },
            shown(totals.floor),
            shown(totals.expected),
            shown(totals.ceiling),
            finals.floor_each.map_or("-".to_owned(), shown),
            offer.estimate.usd(totals.floor).map_or("no rate".to_owned(), shown),
            mark.to_owned(),
        ];
        let _ = writeln!(page, "| {} |", cells.join(" | "));
    }
    page.push('\n');
    for offer in view.offers {
        let name = plain(&offer.estimate.book.name);
        for group in offer.estimate.unpriced.iter().take(MOST_TOLD) {
            let sentence = format!("{}: {}", counted(group.jobs.count, "shot"), group.reason);
            let _ = writeln!(page, "- **no price** on {name}: {}", plain(&sentence));
        }
        if offer.estimate.unpriced_jobs() > 0 {
            let _ = writeln!(page, "- {name}: {}", plain(&without_price(offer.estimate.unpriced_jobs())));
        }
        for sentence in lacks(offer) {
            let _ = writeln!(page, "- {name} cannot: {}", plain(&sentence));
        }
        for sentence in assumed(offer) {
            let _ = writeln!(page, "- {name} assumed: {}", plain(&sentence));
        }
    }
    for sentence in closing(view, cheapest) {
        let _ = writeln!(page, "- {}", plain(&sentence));
    }
    page
}
