//! The campaign's charges as CSV for finance, with the columns of FOCUS 1.2 (FinOps Open Cost and Usage Specification, ratified 2025-05-29,
//! <https://focus.finops.org/focus-specification/v1-2>).
//!
//! What the specification asks for, and what follows for us:
//!
//! - `BilledCost`, `EffectiveCost`, `ListCost` and `ContractedCost` "MUST NOT be null", and `BillingCurrency` "MUST be expressed in national
//!   currency"; credits can only stand in `PricingCurrency` ("national or virtual currency") and its three companions. So a campaign whose
//!   book states no rate to USD is refused: no column may be empty and no number is made up.
//! - List and contracted cost are the quote, `unit price x PricingQuantity`; billed and effective cost are the charge. The four differ
//!   where a provider charged other than its book says.
//! - A refund within the same billing period is no `Credit` (these are "granted by the provider", as promotions are) and no `Correction`
//!   (these mend a period that was invoiced): it belongs to `Usage`. The ledger keeps what a try cost in the end, so a try that was accepted
//!   and given back is one row of quantity and cost 0, and what went back stands in `x_Refunded`;
//!   what was only held for one that nobody took on stands in `x_Released`.
//! - Tries whose charge is not known yet have no cost that could be told: they are left out, and counted in [`FocusDone`].
//!
//! Where we do not know what a provider's own export would say: `BilledCost` is what the use cost at the book's rate, also where credits
//! were bought in advance (the purchase is on the provider's invoice, not in our ledger); `BillingAccountId` is the provider's name unless
//! the caller knows better; the billing period is the calendar month.
//!
//! In: [`RunReport`]. Out: CSV, one row a try that this campaign made. Never: a try that another campaign paid.

use std::io;

use super::run_report::{ReportRow, RunReport};
use super::spending::{refunded, released};
use super::spreadsheet::neutral;
use super::{ReportError, spending};
use crate::ledger::AttemptStatus;
use crate::types::{Amount, Currency, Micros, Timestamp};

/// Name in messages.
const FILE: &str = "focus.csv";

/// The columns, in alphabetical order, those of our own last.
const COLUMNS: [&str; 54] = [
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractedCost",
    "ContractedUnitPrice",
    "EffectiveCost",
    "InvoiceId",
    "InvoiceIssuerName",
    "ListCost",
    "ListUnitPrice",
    "PricingCategory",
    "PricingCurrency",
    "PricingCurrencyContractedUnitPrice",
    "PricingCurrencyEffectiveCost",
    "PricingCurrencyListUnitPrice",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "RegionId",
    "RegionName",
    "ResourceId",
    "ResourceName",
    "ResourceType",
    "ServiceCategory",
    "ServiceName",
    "ServiceSubcategory",
    "SkuId",
    "SkuMeter",
    "SkuPriceDetails",
    "SkuPriceId",
    "SubAccountId",
    "SubAccountName",
    "Tags",
    "x_Attempt",
    "x_Difference",
    "x_JobKey",
    "x_Refunded",
    "x_Rehearsal",
    "x_Released",
    "x_RunId",
    "x_Status",
    "x_Step",
];

/// What finance calls things.
#[derive(Debug, Clone, Copy, Default)]
pub struct FocusNames<'a> {
    /// The provider's own number of the account that is billed, if it is known.
    pub account: Option<&'a str>,
    /// A provider's id and the name that it trades under.
    pub provider: Option<(&'a str, &'a str)>,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FocusDone {
    /// Rows.
    pub rows: usize,
    /// Tries that are left out because nobody knows yet what they cost.
    pub unknown: usize,
}

/// Why there is no such file.
#[derive(Debug, thiserror::Error)]
pub enum FocusError {
    /// A cost in a national currency cannot be told.
    #[error("FOCUS wants every cost in a national currency, and the price book `{book}` states no rate from `{currency}` to USD")]
    NoRate {
        /// Today's book.
        book: String,
        /// What the charges are counted in.
        currency: Currency,
    },
    /// The rows did not take.
    #[error(transparent)]
    Report(#[from] ReportError),
}

/// Writes the charges of a campaign.
///
/// # Errors
/// [`FocusError::NoRate`] before anything is written; what `to` says.
pub fn focus_csv(report: &RunReport<'_>, names: FocusNames<'_>, to: &mut dyn io::Write) -> Result<FocusDone, FocusError> {
    let known = || report.rows.iter().filter(|row| row.is_ours && is_charge(row));
    for row in known() {
        let currency = &row.attempt.quoted.currency;
        if usd(report, currency, row.attempt.quoted.micros).is_none() {
            return Err(FocusError::NoRate { book: report.quotes.book().name.to_string(), currency: currency.clone() });
        }
    }
    let failed = |source| ReportError::Csv { file: FILE, source };
    let mut writer = csv::Writer::from_writer(to);
    writer.write_record(COLUMNS).map_err(failed)?;
    let mut done = FocusDone::default();
    for row in known() {
        let Some(cells) = cells(report, row, names).map_err(ReportError::Money)? else { continue };
        writer.write_record(cells).map_err(failed)?;
        done.rows += 1;
    }
    writer.flush().map_err(|source| ReportError::Io { file: FILE, source })?;
    done.unknown = report.rows.iter().filter(|row| row.is_ours && row.attempt.known_charge().is_none()).count();
    Ok(done)
}

/// Returns whether the provider took the try on, and what it cost is known.
fn is_charge(row: &ReportRow<'_>) -> bool {
    let attempt = row.attempt;
    match attempt.status {
        AttemptStatus::Done => attempt.known_charge().is_some(),
        AttemptStatus::Failed => attempt.known_charge().is_some_and(|charged| charged > Micros::ZERO || attempt.task.is_some()),
        AttemptStatus::Submitting | AttemptStatus::Running | AttemptStatus::InDoubt => false,
    }
}

fn usd(report: &RunReport<'_>, currency: &Currency, micros: Micros) -> Option<Micros> {
    report.quotes.book().usd(&Amount::new(currency.clone(), micros))
}

/// Returns the cells of a row; `None` for a charge that cannot be told.
fn cells(report: &RunReport<'_>, row: &ReportRow<'_>, names: FocusNames<'_>) -> Result<Option<Vec<String>>, crate::types::MoneyError> {
    let attempt = row.attempt;
    let card = &attempt.card;
    let currency = &attempt.quoted.currency;
    let Some(charged) = attempt.known_charge() else { return Ok(None) };
    let (Some(billed), Some(list)) = (usd(report, currency, charged), usd(report, currency, attempt.quoted.micros)) else { return Ok(None) };
    let is_paid = attempt.status == AttemptStatus::Done || charged > Micros::ZERO;
    let quantity = if is_paid { "1" } else { "0" };
    let list_cost = if is_paid { list } else { Micros::ZERO };
    let provider = match names.provider {
        Some((id, title)) if id == card.provider => title,
        _ => &card.provider,
    };
    let (start, end) = period(attempt.started_at, attempt.finished_at);
    let (month, next_month) = months(&start);
    let text = |text: &str| neutral(text).into_owned();
    let rehearsal = if report.is_rehearsal { "rehearsal, not billed: " } else { "" };
    let sku: Vec<&str> =
        [Some(card.model.as_str()), Some(&card.operation), card.resolution.as_deref(), card.quality.as_deref()].into_iter().flatten().collect();
    let task = attempt.task.as_ref().map(|task| task.name()).filter(|task| !task.is_empty());
    let difference = spending::difference(attempt)?;
    let null = String::new;
    Ok(Some(vec![
        billed.to_string(),
        text(names.account.unwrap_or(&card.provider)),
        null(),
        "USD".to_owned(),
        next_month,
        month,
        "Usage".to_owned(),
        null(),
        text(&format!("{rehearsal}{} with {}, try {} for {}", card.operation, card.model, attempt.attempt, card.job)),
        "Usage-Based".to_owned(),
        end,
        start,
        quantity.to_owned(),
        "Images".to_owned(),
        list_cost.to_string(),
        list.to_string(),
        billed.to_string(),
        null(),
        text(provider),
        list_cost.to_string(),
        list.to_string(),
        "Standard".to_owned(),
        text(&currency.to_string()),
        attempt.quoted.micros.to_string(),
        charged.to_string(),
        attempt.quoted.micros.to_string(),
        quantity.to_owned(),
        "Images".to_owned(),
        text(provider),
        text(provider),
        null(),
        null(),
        task.map(text).unwrap_or_default(),
        task.map(|_| text(card.job.as_str())).unwrap_or_default(),
        task.map(|_| "Image task".to_owned()).unwrap_or_default(),
        "AI and Machine Learning".to_owned(),
        text(&format!("{provider} image models")),
        "Generative AI".to_owned(),
        text(&format!("{}/{}", card.model, card.operation)),
        text(&card.operation),
        details(row),
        text(&sku.join("/")),
        null(),
        null(),
        tags(report, row),
        attempt.attempt.to_string(),
        difference.map(|difference| difference.to_string()).unwrap_or_default(),
        attempt.key.to_string(),
        refunded(attempt).to_string(),
        report.is_rehearsal.to_string(),
        released(attempt).to_string(),
        text(attempt.run.as_str()),
        attempt.status.as_str().to_owned(),
        text(&card.step),
    ]))
}

/// Returns when a try began and the first second after it ended, to the second as FOCUS writes them.
fn period(started: Timestamp, finished: Option<Timestamp>) -> (String, String) {
    let second = |at: Timestamp| format!("{}Z", at.to_string().split('.').next().unwrap_or_default());
    let last = finished.unwrap_or(started).max(started);
    (second(started), second(last.after(std::time::Duration::from_secs(1))))
}

/// Returns the beginnings of the month of a moment and of the next one.
fn months(moment: &str) -> (String, String) {
    let part = |range| moment.get(range).and_then(|digits: &str| digits.parse::<u32>().ok()).unwrap_or(1);
    let (year, month) = (part(0..4), part(5..7));
    let (next_year, next) = if month >= 12 { (year + 1, 1) } else { (year, month + 1) };
    let first = |year: u32, month: u32| format!("{year:04}-{month:02}-01T00:00:00Z");
    (first(year, month), first(next_year, next))
}

fn details(row: &ReportRow<'_>) -> String {
    let card = &row.attempt.card;
    let known = [("x_Aspect", &card.aspect), ("x_Quality", &card.quality), ("x_Resolution", &card.resolution)];
    let known: Vec<(String, &str)> = known.iter().filter_map(|(name, value)| Some(((*name).to_owned(), value.as_deref()?))).collect();
    if known.is_empty() { String::new() } else { object(&known) }
}

fn tags(report: &RunReport<'_>, row: &ReportRow<'_>) -> String {
    let card = &row.attempt.card;
    let mut tags = vec![("callsheet/campaign".to_owned(), card.campaign.as_str()), ("callsheet/step".to_owned(), card.step.as_str())];
    tags.extend(card.axes.iter().map(|(axis, value)| (format!("callsheet/axis/{axis}"), value.as_str())));
    if report.is_rehearsal {
        tags.push(("callsheet/rehearsal".to_owned(), "true"));
    }
    object(&tags)
}

/// Returns a JSON object of texts; what a spreadsheet could run is written as escapes, which JSON reads back as it was.
fn object(fields: &[(String, &str)]) -> String {
    let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{}:{}", string(name), string(value))).collect();
    format!("{{{}}}", fields.join(","))
}

fn string(text: &str) -> String {
    let plain = serde_json::Value::from(text).to_string();
    if neutral(text) == text {
        return plain;
    }
    let mut escaped = String::with_capacity(plain.len() + 8);
    for char in plain.chars() {
        if matches!(char, '=' | '+' | '-' | '@' | '\'' | '＝' | '＋' | '－' | '＠') {
            escaped.push_str(&format!("\\u{:04x}", u32::from(char)));
        } else {
            escaped.push(char);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::pricing::{quotes, sample as plans};
    use crate::report::sample;
    use proptest::prelude::*;

    /// Columns that FOCUS 1.2 forbids to be null in a row of use.
    const NEVER_NULL: [&str; 31] = [
        "BilledCost",
        "BillingAccountId",
        "BillingCurrency",
        "BillingPeriodEnd",
        "BillingPeriodStart",
        "ChargeCategory",
        "ChargeFrequency",
        "ChargePeriodEnd",
        "ChargePeriodStart",
        "ConsumedQuantity",
        "ConsumedUnit",
        "ContractedCost",
        "ContractedUnitPrice",
        "EffectiveCost",
        "InvoiceIssuerName",
        "ListCost",
        "ListUnitPrice",
        "PricingCategory",
        "PricingCurrency",
        "PricingCurrencyContractedUnitPrice",
        "PricingCurrencyEffectiveCost",
        "PricingCurrencyListUnitPrice",
        "PricingQuantity",
        "PricingUnit",
        "ProviderName",
        "PublisherName",
        "ServiceCategory",
        "ServiceName",
        "ServiceSubcategory",
        "SkuId",
        "SkuPriceId",
    ];

    type Cells = BTreeMap<String, String>;

    fn read(ran: &sample::Ran) -> (FocusDone, Vec<Cells>) {
        let report = RunReport::new(&ran.plan, &ran.history, &ran.attempts, &ran.quotes, None).expect("small sums");
        let mut bytes = Vec::new();
        let names = FocusNames { account: None, provider: Some(("kie", "Kie.ai")) };
        let done = focus_csv(&report, names, &mut bytes).expect("the book states a rate");
        let rows = csv::Reader::from_reader(bytes.as_slice()).deserialize().collect::<Result<Vec<Cells>, _>>().expect("whole rows");
        (done, rows)
    }

    #[test]
    fn a_try_is_a_row_of_use_in_credits_and_in_dollars() {
        let (done, rows) = read(&sample::ran());
        assert_eq!(done, FocusDone { rows: 5, unknown: 1 });
        let row = &rows[1];
        let shown: Vec<String> =
            row.iter().filter(|(column, cell)| !cell.is_empty() && *column != "x_JobKey").map(|(column, cell)| format!("{column}: {cell}")).collect();
        insta::assert_snapshot!(shown.join("\n"), @r#"
        BilledCost: 0.03
        BillingAccountId: kie
        BillingCurrency: USD
        BillingPeriodEnd: 2026-12-01T00:00:00Z
        BillingPeriodStart: 2026-11-01T00:00:00Z
        ChargeCategory: Usage
        ChargeDescription: generate with gpt-image-2, try 2 for hero[sku=teapot]
        ChargeFrequency: Usage-Based
        ChargePeriodEnd: 2026-11-22T09:45:32Z
        ChargePeriodStart: 2026-11-22T09:45:00Z
        ConsumedQuantity: 1
        ConsumedUnit: Images
        ContractedCost: 0.03
        ContractedUnitPrice: 0.03
        EffectiveCost: 0.03
        InvoiceIssuerName: Kie.ai
        ListCost: 0.03
        ListUnitPrice: 0.03
        PricingCategory: Standard
        PricingCurrency: credits:kie
        PricingCurrencyContractedUnitPrice: 6
        PricingCurrencyEffectiveCost: 6
        PricingCurrencyListUnitPrice: 6
        PricingQuantity: 1
        PricingUnit: Images
        ProviderName: Kie.ai
        PublisherName: Kie.ai
        ResourceId: task-0-2
        ResourceName: hero[sku=teapot]
        ResourceType: Image task
        ServiceCategory: AI and Machine Learning
        ServiceName: Kie.ai image models
        ServiceSubcategory: Generative AI
        SkuId: gpt-image-2/generate
        SkuMeter: generate
        SkuPriceDetails: {"x_Aspect":"4:5","x_Resolution":"1K"}
        SkuPriceId: gpt-image-2/generate/1K
        Tags: {"callsheet/campaign":"spring-drop","callsheet/step":"hero","callsheet/axis/sku":"teapot"}
        x_Attempt: 2
        x_Difference: 0
        x_Refunded: 0
        x_Rehearsal: false
        x_Released: 0
        x_RunId: 20261122T094500Z-7f3a
        x_Status: done
        x_Step: hero
        "#);
    }

    #[test]
    fn what_may_never_be_null_never_is_and_products_hold() {
        let mut ran = sample::ran();
        ran.attempts[1].charged = Some(Micros::units(8));
        let (_, rows) = read(&ran);
        for row in &rows {
            for column in NEVER_NULL {
                assert!(!row[column].is_empty(), "{column}: {row:?}");
            }
            let cost = |column: &str| row[column].parse::<Micros>().expect("a decimal");
            let quantity = row["PricingQuantity"].parse().expect("a whole number");
            assert_eq!(cost("ListUnitPrice").checked_mul(quantity), Ok(cost("ListCost")));
            assert_eq!(cost("ContractedUnitPrice").checked_mul(quantity), Ok(cost("ContractedCost")));
            assert_eq!(row["ResourceId"].is_empty(), row["ResourceType"].is_empty());
            assert!(row["ChargePeriodStart"] < row["ChargePeriodEnd"] && row["BillingPeriodStart"] <= row["ChargePeriodStart"]);
        }
        assert_eq!((rows[1]["BilledCost"].as_str(), rows[1]["ListCost"].as_str(), rows[1]["x_Difference"].as_str()), ("0.04", "0.03", "2"));
        assert_eq!((rows[0]["PricingQuantity"].as_str(), rows[0]["x_Refunded"].as_str()), ("0", "6"), "refunded whole");
    }

    #[test]
    fn columns_are_in_order_and_ours_stand_last() {
        let (focus, ours) = COLUMNS.split_at(45);
        assert!(focus.is_sorted() && ours.is_sorted());
        assert!(focus.iter().all(|column| !column.starts_with("x_")) && ours.iter().all(|column| column.starts_with("x_")));
    }

    #[test]
    fn without_a_rate_nothing_is_written() {
        let mut ran = sample::ran();
        ran.quotes = quotes(&ran.plan, &plans::catalog("gptimage2-flat"));
        for row in &mut ran.attempts {
            row.quoted.currency = Currency::credits("gptimage2-flat");
        }
        let report = RunReport::new(&ran.plan, &ran.history, &ran.attempts, &ran.quotes, None).expect("small sums");
        let mut bytes = Vec::new();
        let refused = focus_csv(&report, FocusNames::default(), &mut bytes).expect_err("no rate");
        assert_eq!(
            refused.to_string(),
            "FOCUS wants every cost in a national currency, and the price book `gptimage2-flat` states no rate from `credits:gptimage2-flat` to USD"
        );
        assert!(bytes.is_empty());
    }

    #[test]
    fn years_end_in_december() {
        assert_eq!(months("2026-12-31T23:59:59Z"), ("2026-12-01T00:00:00Z".to_owned(), "2027-01-01T00:00:00Z".to_owned()));
    }

    #[test]
    fn another_campaigns_charges_are_not_ours() {
        let mut ran = sample::ran();
        for row in &mut ran.attempts {
            row.card.campaign = "summer".to_owned();
        }
        assert_eq!(read(&ran).0, FocusDone::default());
    }

    proptest! {
        #[test]
        fn hostile_names_are_read_back_and_never_run(value in "[=+@a;'\"\n\r\t -]{0,10}") {
            let mut ran = sample::ran();
            ran.attempts.truncate(2);
            ran.attempts[1].card.axes[0].1 = value.clone();
            let (_, rows) = read(&ran);
            let tags: BTreeMap<String, String> = serde_json::from_str(&rows[1]["Tags"]).expect("a JSON object");
            prop_assert_eq!(&tags["callsheet/axis/sku"], &value);
            prop_assert_eq!(neutral(&rows[1]["Tags"]).into_owned(), rows[1]["Tags"].clone());
        }
    }
}
