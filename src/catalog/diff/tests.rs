use super::*;
use crate::catalog::builtin;
use crate::types::DocId;

fn book(head: &str, models: &str) -> PriceBook {
    PriceBook::parse(DocId::CAMPAIGN, &format!("{head}\nmodels:\n{models}")).expect("a book of the test")
}

fn told(diff: &BookDiff) -> String {
    let side = |side: Option<Side>| match side {
        None => "-".to_owned(),
        Some(Side { price: None, .. }) => "?".to_owned(),
        Some(Side { price: Some(price), certainty }) => format!("{price}{}", if certainty == Certainty::Exact { "" } else { "+" }),
    };
    let line = |row: &DiffRow| {
        let action = row.action.map_or("any", Action::as_str);
        let permille = row.permille().map_or(String::new(), |permille| format!(" {permille}‰"));
        format!("{} {action} {}: {} -> {} {}{permille}", row.model, row.row, side(row.old), side(row.new), row.turn.as_str())
    };
    diff.rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_turn_of_a_price_is_told() {
    let head = "book: mine\ncurrency: credits";
    let old = book(
        head,
        concat!(
            "  same: { price: { flat: 1 } }\n  dearer: { price: { flat: 3 } }\n  cheaper: { price: { flat: 3 } }\n  surer: { price: { flat: 3, certainty: lower-bound } }\n",
            "  gone: { price: { flat: 3 } }\n  found: { price: { certainty: unknown } }\n  lost: { price: { flat: 3 } }\n  table: { price: { by: [resolution], table: { 1K: 1, 2K: 2 } } }\n",
            "  opened: { price: { flat: 6 } }\n  moved: { aliases: [moved-2], price: { flat: 1 } }\n  split: { price: { flat: 5, per-reference: { price: 1 } } }\n",
        ),
    );
    let new = book(
        head,
        concat!(
            "  same: { price: { flat: 1 } }\n  dearer: { price: { flat: 3.5 } }\n  cheaper: { price: { flat: 1 } }\n  surer: { price: { flat: 3 } }\n",
            "  found: { price: { by: [resolution], table: { 1K: 1, 2K: 2 } } }\n  lost: { price: { certainty: unknown } }\n",
            "  table: { price: { by: [resolution], table: { 1K: 1, 4K: 4 } } }\n  opened: { price: { by: [resolution], table: { 1K: 6, 2K: 10 } } }\n",
            "  moved-2: { price: { flat: 2 } }\n  split: { prices: { generate: { flat: 5 }, edit: { flat: 7 } } }\n  fresh: { price: { flat: 9 } }\n",
        ),
    );
    let diff = BookDiff::of(&old, &new);
    insta::assert_snapshot!(told(&diff), @"
    same any a picture: 1 -> 1 same 0‰
    dearer any a picture: 3 -> 3.5 dearer 167‰
    cheaper any a picture: 3 -> 1 cheaper -667‰
    surer any a picture: 3+ -> 3 certainty 0‰
    gone any a picture: 3 -> - removed
    found any 1K: ? -> 1 now known
    found any 2K: ? -> 2 now known
    lost any a picture: 3 -> ? now unknown
    table any 1K: 1 -> 1 same 0‰
    table any 2K: 2 -> - removed
    table any 4K: - -> 4 added
    opened any 1K: 6 -> 6 same 0‰
    opened any 2K: 6 -> 10 dearer 667‰
    moved-2 any a picture: 1 -> 2 dearer 1000‰
    split generate a picture: 5 -> 5 same 0‰
    split generate a reference picture: 1 -> - removed
    split edit a picture: 5 -> 7 dearer 400‰
    split edit a reference picture: 1 -> - removed
    split any a picture: 5 -> - removed
    split any a reference picture: 1 -> - removed
    fresh any a picture: - -> 9 added
    ");
    assert_eq!((&*diff.removed, &*diff.added), (&["gone".into()][..], &["fresh".into()][..]));
}

#[test]
fn two_currencies_are_compared_only_by_stated_rates() {
    let credits = |name: &str, rate: &str, price: &str| {
        book(&format!("book: {name}\ncurrency: credits{rate}"), &format!("  m: {{ price: {{ flat: {price} }} }}\n"))
    };
    let usd = book("book: dollars\ncurrency: USD", "  m: { price: { flat: 0.04 } }\n");
    let rated = credits("rated", "\nusd-per-credit: 0.005", "6");
    let silent = credits("silent", "", "6");
    let told = |old: &PriceBook, new: &PriceBook| {
        let diff = BookDiff::of(old, new);
        format!("{:?}: {}", diff.counted_in, told(&diff))
    };
    assert_eq!(told(&rated, &usd), "Usd: m any a picture: 0.03 -> 0.04 dearer 333‰");
    assert_eq!(told(&silent, &usd), "Apart: m any a picture: 6 -> 0.04 apart");
    assert_eq!(told(&silent, &rated), "Apart: m any a picture: 6 -> 6 apart", "two kinds of credits are never set off");
    let newer = credits("silent", "", "9");
    assert_eq!(told(&silent, &newer), r#"Same(Credits("silent")): m any a picture: 6 -> 9 dearer 500‰"#);
}

#[test]
fn a_book_is_the_same_as_itself() {
    for name in builtin::book_names() {
        let book = builtin::book(name).expect("a name of the list");
        let diff = BookDiff::of(&book, &book);
        assert_eq!(diff.count(Turn::Same), diff.rows.len(), "{name}: {}", told(&diff));
        assert!(diff.added.is_empty() && diff.removed.is_empty() && !diff.rows.is_empty());
    }
}

#[test]
fn percentages_are_rounded_to_the_nearest_tenth() {
    let of = |old: i64, new: i64| permille(Micros::units(old), Micros::units(new - old));
    assert_eq!([of(6, 7), of(3, 2), of(8, 8), of(1, 3), of(0, 5)], [Some(167), Some(-333), Some(0), Some(2000), None]);
}
