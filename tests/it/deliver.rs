//! The finals of a campaign as the table that a shop imports, through the real program.

use std::fs;

use crate::desk::Desk;

const CAMPAIGN: &str = r#"
callsheet: 1
campaign: drop
provider: kie
defaults: { model: gpt-image-2, aspect: "4:5", resolution: 1K }
axes:
  sku: { csv: products.csv, key: sku }
  angle: { front: "straight on", three-quarter: "from the left" }
steps:
  hero: { generate: { prompt: "{{ sku.title }}, {{ angle }}", over: [sku, angle] } }
  web: { transform: { image: hero, ops: [ { resize: { width: 40 } } ], path: "{{ sku }}/{{ angle }}.{{ ext }}" } }
budget: { cap: 200 }
"#;

const PRODUCTS: &str = "sku,title,Handle\nP 1,Clay pot,clay-pot\nP-2,\"=HYPERLINK(\"\"x\"\")\",lamp\n";

const CDN: &str = "https://cdn.example.com/v1/{{ path }}";

fn desk() -> Desk {
    let desk = Desk::new();
    desk.write("drop.yaml", CAMPAIGN);
    desk.write("products.csv", PRODUCTS);
    desk
}

fn text(desk: &Desk, file: &str) -> String {
    String::from_utf8(desk.read(file)).expect("it is text")
}

fn deliver<'a>(more: &[&'a str]) -> Vec<&'a str> {
    ["deliver", "drop.yaml", "--to", "shopify", "--base-url-template", CDN].into_iter().chain(more.iter().copied()).collect()
}

#[test]
fn finals_become_rows_by_product_with_addresses_that_a_shop_can_fetch() {
    let desk = desk();
    desk.rehearse(&["drop.yaml"], 0);
    let said = desk.say(&deliver(&["--rehearse"]));
    assert_eq!((said.code, said.out.as_str()), (0, "drop-shopify.rehearsal.csv\n"), "{}", said.all());
    insta::assert_snapshot!("deliver_table", text(&desk, "drop-shopify.rehearsal.csv"));
    insta::assert_snapshot!("deliver_said", said.err);
    let mut reader = csv::Reader::from_reader(fs::File::open(desk.path().join("drop-shopify.rehearsal.csv")).expect("it is there"));
    assert_eq!(reader.records().count(), 4);
    assert_eq!(desk.say(&deliver(&["--rehearse"])).code, 0, "a table of ours is written again");
}

#[test]
fn handle_alt_text_step_and_file_can_be_said() {
    let desk = desk();
    desk.rehearse(&["drop.yaml"], 0);
    let words = ["--rehearse", "--handle", "sku.key", "--alt", "{{ sku.title | upper }} {{ angle }}", "--step", "hero", "--out", "images.csv"];
    let said = desk.say(&deliver(&words));
    assert_eq!(said.code, 0, "{}", said.all());
    insta::assert_snapshot!("deliver_own_words", text(&desk, "images.rehearsal.csv"));
    assert!(said.err.contains("not as Shopify writes them"), "{}", said.err);
}

#[test]
fn missing_finals_are_named_and_left_out_only_on_demand() {
    let desk = desk();
    desk.rehearse(&["drop.yaml", "--only", "web[sku=P-2]"], 0);
    let refused = desk.say(&deliver(&["--rehearse"]));
    assert_eq!((refused.code, refused.out.as_str()), (2, ""));
    insta::assert_snapshot!("deliver_missing", refused.err);
    let partial = desk.say(&deliver(&["--rehearse", "--partial", "--out", "some-rehearsal.csv"]));
    assert_eq!((partial.code, partial.out.as_str()), (0, "some-rehearsal.csv\n"), "{}", partial.all());
    assert!(partial.err.contains("2 of 4 finals are not there yet"), "{}", partial.err);
    assert_eq!(text(&desk, "some-rehearsal.csv").lines().count(), 3);
}

#[test]
fn drawn_pictures_are_never_taken_for_bought_ones() {
    let desk = desk();
    desk.rehearse(&["drop.yaml"], 0);
    let said = desk.say(&deliver(&[]));
    assert_eq!((said.code, said.out.as_str()), (2, ""), "{}", said.all());
    assert!(said.err.contains("add `--rehearse`"), "{}", said.err);
}

#[test]
fn what_would_write_a_wrong_table_is_refused() {
    let desk = desk();
    desk.rehearse(&["drop.yaml"], 0);
    desk.write("mine-rehearsal.csv", "my,own\n");
    let cases: [(&str, &[&str]); 6] = [
        ("https://cdn.example.com/{{ sku }}", &[]),
        ("cdn.example.com/{{ path }}", &[]),
        ("https://cdn.example.com/{{ pth }}", &[]),
        ("https://cdn.example.com/{{ path", &[]),
        (CDN, &["--step", "wep"]),
        (CDN, &["--out", "mine-rehearsal.csv"]),
    ];
    let mut all = String::new();
    for (address, more) in cases {
        let words: Vec<&str> = ["deliver", "drop.yaml", "--to", "shopify", "--rehearse", "--base-url-template", address]
            .into_iter()
            .chain(more.iter().copied())
            .collect();
        let said = desk.say(&words);
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{}", said.all());
        all += &said.err;
    }
    insta::assert_snapshot!("deliver_refusals", all);
    assert_eq!(text(&desk, "mine-rehearsal.csv"), "my,own\n");
}
