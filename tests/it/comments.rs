//! What a pull request is told after the run: pictures before and after, and where they can be seen.

use std::collections::BTreeSet;

use callsheet::imaging::{Limits, decode};

use crate::desk::{Desk, SPRING};
use crate::repository::{git, redacted, repository};

const URL: &str = "https://github.com/acme/shop/blob/pictures/pr-7/{{ path }}?raw=true";

fn comment(desk: &Desk, more: &[&str]) -> crate::desk::Said {
    desk.say(&[&["report", SPRING, "--rehearse", "--profile", "draft", "--format", "comment", "--base", "main"], more].concat())
}

/// Names of the pictures that a comment shows, in order, each as often as it stands there.
fn named(text: &str) -> Vec<&str> {
    let is_name = |word: &&str| word.len() == 28 && word.ends_with(".jpg") && word[..24].bytes().all(|byte| byte.is_ascii_hexdigit());
    text.split(['/', '?', '`']).filter(is_name).collect()
}

#[test]
fn after_the_run_changed_shots_stand_side_by_side_with_what_they_were() {
    let Some(desk) = repository() else { return };
    let _redacted = redacted();
    desk.rehearse(&[SPRING, "--profile", "draft", "-q"], 0);
    desk.edit("pale oak", "dark walnut");
    let before = comment(&desk, &["--pictures-url", URL]);
    assert!(before.out.contains("*not made yet*"), "the pictures of the base are there, those of now are not: {}", before.all());
    desk.rehearse(&[SPRING, "--profile", "draft", "-q"], 0);

    let said = comment(&desk, &["--pictures-url", URL]);
    assert_eq!((said.code, said.err.as_str()), (0, "8 small pictures in rehearsal/spring-drop/comment\n"), "{}", said.all());
    let names = named(&said.out);
    assert_eq!(names.len(), 8, "4 shots on both sides: {}", said.out);
    let files: BTreeSet<String> = desk.files("rehearsal/spring-drop/comment").into_iter().collect();
    assert_eq!(files, names.iter().map(|name| (*name).to_owned()).collect(), "what is shown is there, and nothing else");
    for file in &files {
        let bytes = desk.read(&format!("rehearsal/spring-drop/comment/{file}"));
        decode(&bytes, &Limits::default()).expect("a whole picture");
    }
    let mut told = said.out.clone();
    for (place, name) in names.iter().enumerate() {
        told = told.replacen(name, &format!("<PICTURE {}>", place + 1), 1);
    }
    insta::assert_snapshot!("comment_github", told);

    // Before is what the base made, after is what stands in the tree.
    let manifest = desk.manifest("spring-drop");
    let now = manifest["files"].as_array().expect("files").iter().find(|file| file["job"] == "surface[sku=teapot,angle=front,surface=oak]");
    assert!(now.expect("it is there")["digest"].as_str().expect("a digest").starts_with(&names[1][..24]), "{names:?}");
    desk.edit("dark walnut", "pale oak");
    desk.rehearse(&[SPRING, "--profile", "draft", "-q"], 0);
    let manifest = desk.manifest("spring-drop");
    let was = manifest["files"].as_array().expect("files").iter().find(|file| file["job"] == "surface[sku=teapot,angle=front,surface=oak]");
    assert!(was.expect("it is there")["digest"].as_str().expect("a digest").starts_with(&names[0][..24]), "{names:?}");

    let same = comment(&desk, &[]);
    assert_eq!((same.code, same.out.as_str(), same.err.as_str()), (0, "", ""), "nothing is said of nothing");
    assert!(!desk.path().join("rehearsal/spring-drop/comment").exists(), "and nothing is shown of it");
}

#[test]
fn small_pictures_of_an_older_comment_go_and_what_somebody_put_there_stays() {
    let Some(desk) = repository() else { return };
    let folder = "rehearsal/spring-drop/comment";
    desk.rehearse(&[SPRING, "--profile", "draft", "-q"], 0);
    desk.edit("pale oak", "dark walnut");
    desk.rehearse(&[SPRING, "--profile", "draft", "-q"], 0);
    let walnut = comment(&desk, &[]);
    assert_eq!(desk.files(folder).len(), named(&walnut.out).len(), "{}", walnut.all());
    let elsewhere = comment(&desk, &["--pictures", "kept"]);
    assert_eq!(desk.files("kept").len(), named(&elsewhere.out).len(), "{}", elsewhere.all());
    std::fs::write(desk.path().join(folder).join("mine.jpg"), "mine").expect("written");

    desk.edit("dark walnut", "pale oak");
    assert_eq!(comment(&desk, &[]).out, "");
    assert_eq!(desk.files(folder), ["mine.jpg"]);
    assert_eq!(comment(&desk, &["--pictures", "kept"]).out, "");
    assert_eq!(desk.files("kept").len(), named(&elsewhere.out).len(), "a folder that was named is its owner's");
}

#[test]
fn a_picture_that_is_damaged_leaves_its_place_in_the_comment_empty() {
    let Some(desk) = repository() else { return };
    desk.rehearse(&[SPRING, "--profile", "draft", "-q"], 0);
    desk.edit("pale oak", "dark walnut");
    desk.rehearse(&[SPRING, "--profile", "draft", "-q"], 0);
    let whole = comment(&desk, &[]);
    let damaged = named(&whole.out)[0][..24].to_owned();
    let blobs = desk.path().join(".callsheet/rehearsal/blobs");
    let all = desk.files(".callsheet/rehearsal/blobs");
    let blob = all.iter().find(|file| file.replace('/', "").starts_with(&damaged)).expect("it is kept");
    let length = std::fs::metadata(blobs.join(blob)).expect("it is there").len();
    std::fs::write(blobs.join(blob), vec![0; usize::try_from(length).expect("small")]).expect("written");

    let said = comment(&desk, &["--pictures-url", URL]);
    assert_eq!(said.code, 0, "{}", said.all());
    assert!(said.out.contains("*not whole in the store*") && !said.out.contains(&damaged), "{}", said.all());
    assert!(said.err.contains("is damaged: `callsheet cache verify` names its shots\n7 small pictures in"), "{}", said.err);
    assert_eq!(desk.files("rehearsal/spring-drop/comment").len(), 7);
}

#[test]
fn a_base_that_was_rehearsed_elsewhere_is_looked_up_there() {
    let Some(desk) = repository() else { return };
    desk.edit("pale oak", "dark walnut");
    desk.rehearse(&[SPRING, "--profile", "draft", "-q"], 0);
    git(&desk, &["worktree", "add", "-q", "--detach", "base", "main"]);
    let mut there =
        desk.command(&["run", &format!("base/{SPRING}"), "--profile", "draft", "--rehearse", "-q", "--sim", "size=64x64", "--out", "base-tree"]);
    assert_eq!(
        crate::desk::said({
            there.env("CALLSHEET_HOME", "base-home");
            there
        })
        .code,
        0,
        "a cap there counts nothing of this one"
    );
    let missing = comment(&desk, &[]);
    assert!(missing.out.contains("*never made in this workspace*"), "{}", missing.all());
    let said = comment(&desk, &["--base-home", "base-home"]);
    assert!(!said.out.contains("*never made") && named(&said.out).len() == 8, "{}", said.all());
    let wrong = comment(&desk, &["--base-home", "base-tree"]);
    assert!(wrong.code == 2 && wrong.err.contains("nothing was rehearsed in `base-tree`"), "{}", wrong.all());
}

#[test]
fn without_an_address_the_files_are_named_and_a_wrong_address_is_refused() {
    let Some(desk) = repository() else { return };
    assert!(comment(&desk, &[]).err.contains("nothing was rehearsed here yet"));
    desk.edit("pale oak", "dark walnut");
    desk.rehearse(&[SPRING, "--profile", "draft", "-q"], 0);
    let said = comment(&desk, &["--pictures", "shots"]);
    assert!(said.out.contains("The pictures stand in `shots`: put them where this page may read them"), "{}", said.all());
    assert!(said.out.contains("*never made in this workspace*") && !said.out.contains("<img"), "the base was never run: {}", said.out);
    assert_eq!(desk.files("shots").len(), named(&said.out).len());
    for (template, fact) in [
        ("https://x.example/one.jpg", "gives all pictures one address"),
        ("ftp://x.example/{{ path }}", "is no web address"),
        ("https://x.example/{{ picture }}", "`picture`"),
        ("https://x.example/{{ path", "is no template"),
    ] {
        let said = comment(&desk, &["--pictures-url", template]);
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{template}: {}", said.all());
        assert!(said.err.contains(fact) && said.err.contains("{{ path }}"), "{template}: {}", said.err);
    }
    let said = desk.say(&["report", SPRING, "--rehearse", "--format", "comment"]);
    assert!(said.code == 2 && said.err.contains("--base origin/main"), "{}", said.all());
    let said = desk.say(&["report", SPRING, "--rehearse", "--base", "main"]);
    assert!(said.code == 2 && said.err.contains("--format comment"), "{}", said.all());
}

#[test]
fn many_changes_fit_into_one_comment_and_names_are_only_text() {
    let Some(desk) = repository() else { return };
    let rows: String = (0..60).map(|place| format!("p{place},\"</details> @team #1 | `x` ![](http://evil.example) {place}\"\n")).collect();
    desk.write("campaigns/data/odd.csv", format!("key,title\n{rows}"));
    let campaign = "callsheet: 1\ncampaign: odd\nprovider: kie\nprices: gptimage2-flat\ndefaults: { model: gpt-image-2, aspect: \"1:1\", resolution: 1K }\n\
         axes: { sku: { csv: data/odd.csv, key: key } }\nsteps:\n  shot: { generate: { prompt: \"A photo of {{ sku.title }} on oak\", over: [sku] } }\n  \
         later: { edit: { image: shot, prompt: \"in the evening\" } }\n";
    desk.write("campaigns/odd.yaml", campaign);
    git(&desk, &["add", "-A"]);
    git(&desk, &["commit", "-q", "-m", "odd"]);
    desk.rehearse(&["campaigns/odd.yaml", "-q"], 0);
    desk.edit_file("campaigns/odd.yaml", "on oak", "on <script>alert(1)</script> slate");
    desk.rehearse(&["campaigns/odd.yaml", "-q", "--sim", "size=64x64,refuse=0.05,seed=3"], 5);
    let said =
        desk.say(&["report", "campaigns/odd.yaml", "--rehearse", "--format", "comment", "--base", "main", "--pictures-url", URL, "--out", "c.md"]);
    assert_eq!(said.code, 0, "{}", said.all());
    let text = String::from_utf8(desk.read("c.md")).expect("it is text");
    assert!(text.chars().count() < 65_536, "{}", text.chars().count());
    assert_eq!(text.matches("<img").count(), named(&text).len());
    assert_eq!(text.lines().filter(|line| line.starts_with("| ") && line.contains("<img")).count(), 20, "{text}");
    assert!(text.contains(" more: the gallery") && text.contains("shots failed, as"), "{text}");
    assert!(text.contains("follows shot") && text.contains("changed in prompt"), "both steps have their share: {text}");
    assert_eq!(text.matches("<details>").count(), text.matches("</details>").count(), "{text}");
    assert!(!text.contains("<script") && !text.contains("![](http") && !text.contains("@team"), "{text}");
}
