//! What each provider of a campaign is to be paid, as a table, as data and as Markdown.
//!
//! In: [`ProviderLine`]s. Out: text and JSON. Never: amounts of two currencies in one sum.

use serde_json::{Value, json};

use super::markdown::code;
use super::text::{Table, count, number, numbers, sum, words};
use crate::pricing::ProviderLine;
use crate::types::Currency;

fn unit(line: &ProviderLine) -> &'static str {
    if line.book.currency == Currency::Usd { "USD" } else { "credits" }
}

fn book(line: &ProviderLine) -> String {
    let date = line.book.as_of.map_or("undated".to_owned(), |date| format!("of {date}"));
    format!("{} {date}", line.book.name)
}

/// Returns the lines for a terminal.
pub(super) fn provider_table(lines: &[ProviderLine]) -> Table {
    let numbers = [numbers("shots"), numbers("to buy"), numbers("floor"), numbers("ceiling"), numbers("cap"), numbers("committed")];
    let mut table = Table::new([words("at", Some(8)), words("prices", Some(10)), words("in", None)].into_iter().chain(numbers).collect());
    for line in lines {
        let (cap, committed) = line.cap.map_or((String::new(), String::new()), |cap| (number(cap.limit), number(cap.committed)));
        let counts = [count(line.counts.jobs()), count(line.counts.outstanding())];
        let names = [line.provider.to_string(), book(line), unit(line).to_owned()];
        table.row(names.into_iter().chain(counts).chain([sum(line.floor), sum(line.ceiling), cap, committed]).collect());
    }
    table.drop_if_empty(&["cap", "committed"]);
    table
}

/// Returns the lines for programs; amounts are texts, as everywhere.
pub(super) fn provider_json(lines: &[ProviderLine]) -> Vec<Value> {
    let line = |line: &ProviderLine| {
        json!({
            "provider": line.provider, "book": line.book.name, "as-of": line.book.as_of, "currency": line.book.currency,
            "jobs": line.counts.jobs(), "outstanding": line.counts.outstanding(),
            "floor": { "amount": line.floor.micros, "certainty": super::plan_export::certainty(line.floor.certainty) },
            "ceiling": { "amount": line.ceiling.micros, "certainty": super::plan_export::certainty(line.ceiling.certainty) },
            "cap": line.cap.map(|cap| json!({ "limit": cap.limit, "committed": cap.committed, "room": cap.room() })),
        })
    };
    lines.iter().map(line).collect()
}

/// Returns the lines as a table in Markdown; nothing without lines.
pub(super) fn provider_markdown(lines: &[ProviderLine]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let mut text = String::from("| at | prices | shots | floor | ceiling | cap |\n|---|---|--:|--:|--:|--:|\n");
    for line in lines {
        let amount = |micros| line.book.amount(micros).to_string();
        let cap = line.cap.map_or("-".to_owned(), |cap| amount(cap.limit));
        text.push_str(&format!(
            "| {} | {} | {} | {} {u} | {} {u} | {cap} |\n",
            code(&line.provider),
            code(&book(line)),
            line.counts.jobs(),
            sum(line.floor),
            sum(line.ceiling),
            u = unit(line)
        ));
    }
    text.push('\n');
    text
}
