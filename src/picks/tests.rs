//! The file is read as it was written, and says what is wrong with it.

use proptest::prelude::*;

use super::*;

fn digest(word: &str) -> Digest {
    Digest::of(word.as_bytes())
}

fn sample() -> PicksFile {
    let mut file = PicksFile::new("spring-drop");
    let chosen = |shot: &str, note: Option<&str>, automatic| Chosen {
        shot: JobId::new(shot),
        picture: digest(shot),
        note: note.map(str::to_owned),
        automatic,
    };
    file.choose(JobId::new("best[sku=teapot]"), chosen("surface[sku=teapot,surface=oak]", Some("the \"grain\" reads well"), None));
    file.choose(JobId::new("best[sku=mug]"), chosen("surface[sku=mug,surface=linen]", None, Some(AutoPick::Sharpest)));
    file.reject(JobId::new("surface[sku=mug,surface=oak]"), Rejected { picture: digest("mug"), note: Some("handle\ncut off: no".to_owned()) });
    file
}

fn read(text: &str) -> Result<PicksFile, String> {
    let mut sources = Sources::new();
    let read = PicksFile::read(&mut sources, "picks/spring-drop.yaml", text.as_bytes(), "spring-drop");
    read.map(|(_, file)| file).map_err(|found| {
        let line = |finding: &Diagnostic| {
            let place = sources.locate(&finding.at).expect("every finding has a place");
            let (line, column) = sources.position(place.doc, place.start);
            format!("{line}:{column} {}: {}", finding.code, finding.message)
        };
        found.iter().map(line).collect::<Vec<_>>().join("\n")
    })
}

#[test]
fn the_file_is_sorted_and_small() {
    insta::assert_snapshot!(sample().to_yaml(), @r#"
    # yaml-language-server: $schema=../schemas/picks.schema.json
    version: 1
    campaign: "spring-drop"
    picks:
      "best[sku=mug]":
        shot: "surface[sku=mug,surface=linen]"
        picture: "fb949228f106c7c20250e27b463c4371965bae00876d63663afcbd6af4a6e35e"
        automatic: sharpest
      "best[sku=teapot]":
        shot: "surface[sku=teapot,surface=oak]"
        picture: "8caf0dfbcc8dd54815e3d40a26365b1b50f3dcc9aedf4ccc0ae7d70ddac005e2"
        note: "the \"grain\" reads well"
    rejected:
      "surface[sku=mug,surface=oak]":
        - picture: "d57ce6f7db39f27074f7a35d41fcded7f364db83a63391a01696ef309d365b4e"
          note: "handle\ncut off: no"
    "#);
    assert_eq!(read(&sample().to_yaml()), Ok(sample()));
}

#[test]
fn what_is_wrong_is_told_with_its_place_all_at_once() {
    insta::assert_snapshot!(read("version: 2\ncampaign: spring-drop\npicked: {}\n").expect_err("wrong"), @"
    1:10 wrong-value: `version` is 2, but the most is 1
    3:1 unknown-key: the file has no key `picked`
    ");
    let text = "version: 1\ncampaign: spring-drop\npicks:\n  best:\n    shot: surface\n    picture: abc\nrejected:\n  hero:\n    - note: ugly\n";
    insta::assert_snapshot!(read(text).expect_err("wrong"), @"
    6:14 wrong-value: `abc` is not a BLAKE3 digest of 64 hex digits
    9:7 missing-key: item 1 of `hero` lacks the key `picture`
    ");
    insta::assert_snapshot!(read("version: 1\ncampaign: summer\n").expect_err("wrong"), @"2:11 picks-of-another-campaign: these picks are of campaign `summer`, not of `spring-drop`");
}

#[test]
fn a_picture_that_is_turned_down_is_chosen_no_more() {
    let mut file = sample();
    let (shot, picture) = (JobId::new("surface[sku=teapot,surface=oak]"), digest("surface[sku=teapot,surface=oak]"));
    file.reject(shot.clone(), Rejected { picture, note: None });
    assert!(!file.chosen.contains_key(&JobId::new("best[sku=teapot]")));
    file.reject(shot.clone(), Rejected { picture, note: Some("dull".to_owned()) });
    assert_eq!(file.rejected[&shot].len(), 1, "said twice, it is one refusal with the later note");
    assert_eq!(file.rejection(&shot, picture).and_then(|rejected| rejected.note.as_deref()), Some("dull"));
    assert!(file.unreject(&shot, picture) && !file.unreject(&shot, picture));
    assert!(!file.rejected.contains_key(&shot));
}

#[test]
fn the_schema_accepts_what_is_written_and_refuses_others() {
    let validator = jsonschema::validator_for(&PicksFile::schema().to_value()).expect("the schema is a schema");
    let value = |text: &str| serde_yaml::from_str::<serde_json::Value>(text).expect("YAML");
    assert!(validator.is_valid(&value(&sample().to_yaml())));
    assert!(validator.is_valid(&value(&PicksFile::new("x").to_yaml())));
    for wrong in
        ["version: 1", "version: 1\ncampaign: x\npicks: { best: { shot: a } }", "version: 1\ncampaign: x\nrejected: { a: [{ picture: short }] }"]
    {
        assert!(!validator.is_valid(&value(wrong)), "{wrong}");
    }
}

proptest! {
    #[test]
    fn whatever_a_note_or_a_key_says_is_read_back(note in "\\PC{0,40}|[\\x00-\\xff]{0,12}", key in "[a-z]{1,4}\\[sku=[^\\]\\x00]{1,12}\\]") {
        let mut file = PicksFile::new("spring-drop");
        // A NUL byte is refused by every reader of ours, so a note has none.
        let note = note.replace('\0', "");
        let chosen = Chosen { shot: JobId::new(&key), picture: digest(&note), note: Some(note.clone()), automatic: None };
        file.choose(JobId::new(&key), chosen);
        file.reject(JobId::new("hero"), Rejected { picture: digest(&key), note: Some(note) });
        prop_assert_eq!(read(&file.to_yaml()), Ok(file));
    }
}
