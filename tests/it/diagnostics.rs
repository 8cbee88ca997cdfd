//! Every mistake that `check` finds, one file each, and what a person reads about it.
//!
//! `invalid/NAME.yaml` holds one mistake, the snapshot beside it the rendered text.

use std::fs;
use std::path::Path;

use crate::support::planned;

#[test]
fn every_mistake_is_said_with_its_place_and_how_to_mend_it() {
    let mut names: Vec<String> = fs::read_dir("tests/it/invalid")
        .expect("the fixtures are there")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok()?.strip_suffix(".yaml").map(str::to_owned))
        .collect();
    names.sort();
    assert!(names.len() >= 100, "only {} fixtures were found", names.len());
    for name in names {
        let path = Path::new("tests/it/invalid").join(format!("{name}.yaml"));
        let text = match planned(&path, None) {
            Ok(_) => panic!("{name}: no mistake was found"),
            Err(text) => text,
        };
        assert!(text.contains("error["), "{name}: only warnings:\n{text}");
        assert!(text.contains("--> tests/it/invalid/"), "{name}: no place:\n{text}");
        insta::with_settings!({ snapshot_path => "invalid", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(name, text);
        });
    }
}
