use proptest::prelude::*;

use super::*;

fn codes(text: &str) -> Vec<&'static str> {
    let (_, found) = scan(DocId::CAMPAIGN, text, Positions::Campaign);
    found.iter().map(|finding| finding.code.0).collect()
}

fn at<'a>(text: &'a str, path: &FieldPath) -> &'a str {
    let (map, found) = scan(DocId::CAMPAIGN, text, Positions::None);
    assert!(found.is_empty(), "{found:?}");
    &text[map.locate(text, path)]
}

#[test]
fn keys_values_and_words_inside_are_found() {
    let text = "a:\n  b: one two\n  c: [x, 'it''s y']\n  d:\n    - k: v\n    - |\n      line\n      {{ z }}\ne: {}\n";
    let root = FieldPath::campaign();
    let a = root.key("a");
    assert_eq!(at(text, &a.key("b")), "one two");
    assert_eq!(at(text, &a.key("b").at_key()), "b");
    assert_eq!(at(text, &a.key("b").inside(4..7)), "two");
    assert_eq!(at(text, &a.key("c").index(1).inside(3..4)), "s");
    assert_eq!(at(text, &a), "a", "a block map is shown by its key");
    assert_eq!(at(text, &a.key("d").index(0)), "k: v", "an item of a block list by its first line");
    assert_eq!(at(text, &a.key("d").index(1).inside(8..9)), "z");
    assert_eq!(at(text, &root.key("e")), "{}");
    assert_eq!(at(text, &a.key("missing").key("deeper")), "a", "what is not there is shown by its ancestor");
    assert_eq!(at(text, &root), "a:");
}

#[test]
fn places_behind_aliases_and_merges_are_those_of_the_shared_text() {
    let text = "base: &b { x: one }\nuse: *b\nmerged:\n  <<: *b\n  y: two\n";
    let root = FieldPath::campaign();
    assert_eq!(at(text, &root.key("use").key("x")), "one");
    assert_eq!(at(text, &root.key("merged").key("x")), "one");
    assert_eq!(at(text, &root.key("use")), "*b");
}

#[test]
fn what_is_wrong_as_yaml_is_named() {
    for (text, wanted) in [
        ("a: 1\nb: 2\na: 3\n", vec!["duplicate-key"]),
        ("a: { x: 1, 'x': 2 }\nb: 1\nb: 2\n", vec!["duplicate-key", "duplicate-key"]),
        ("a: 1\n---\nb: 2\n", vec!["yaml-syntax"]),
        ("a: [1, 2\nb: 3\n", vec!["yaml-syntax"]),
        ("a:\n\tb: 1\n", vec!["yaml-syntax"]),
        ("a: {{ sku.title }}\n", vec!["yaml-syntax"]),
        ("a: one: two\n", vec!["yaml-syntax"]),
        ("a: *nowhere\n", vec!["yaml-syntax"]),
        ("a: &x [1, *x]\n", vec!["alias-bomb"]),
        ("a: !!python/object x\n", vec!["yaml-tag"]),
        ("a: !secret x\n", vec!["yaml-tag"]),
        ("a: !!str 5\n", vec![]),
        ("[a, b]: 1\n", vec!["yaml-syntax"]),
        ("vars: { x: no }\nsteps: { no: no }\n", vec!["yaml-trap"]),
        ("axes: { a: { no: { f: 1e3 } }, b: { f: 'no', g: 12 } }\n", vec!["yaml-trap", "yaml-trap"]),
        ("ladders: { l: { baseline: no, rungs: { a: yes } } }\n", vec!["yaml-trap"]),
        ("# only a comment\n", vec![]),
    ] {
        assert_eq!(codes(text), wanted, "{text}");
    }
}

#[test]
fn bombs_and_towers_are_refused_quickly() {
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..10 {
        let before = format!("*a{}, ", level - 1).repeat(9);
        laughs.push_str(&format!("a{level}: &a{level} [{before}]\n"));
    }
    assert_eq!(codes(&laughs), ["alias-bomb"]);
    assert_eq!(codes(&format!("a: {}", "[".repeat(20_000))), ["too-deep"]);
    let steps: String = (0..200).map(|depth| format!("{}k:\n", " ".repeat(depth))).collect();
    assert_eq!(codes(&steps), ["too-deep"]);
    let many = format!("base: &b x\nlist: [{}]\n", "*b,".repeat(120_000));
    assert_eq!(codes(&many), ["alias-bomb"]);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_the_scan_panic(text in "(?s).{0,80}|[-\\[\\]{}:,?&*!|>'\"%@ \\n\\tab<]{0,60}", path in proptest::collection::vec("[a-b]", 0..4)) {
        let (map, found) = scan(DocId::CAMPAIGN, &text, Positions::All);
        let at = path.iter().fold(FieldPath::campaign(), |at, key| at.key(key)).inside(0..3);
        let place = map.locate(&text, &at);
        prop_assert!(place.start <= place.end);
        prop_assert!(found.len() <= text.len() + 1);
    }
}
