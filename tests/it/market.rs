//! Prices beside each other, suppositions, learned factors, and shots without a price: the real program at a desk.

use std::path::Path;

use crate::campaigns::shipped;
use crate::desk::{Desk, SPRING};

/// All books that come with the program.
const BOOKS: &str = "bestphoto-hd,gptimage2-flat,imagineart-studio,kie,openai,qolaba-app";

/// A campaign with one step whose model has no price.
const LITE: &str = r#"callsheet: 1
campaign: lite
provider: kie
defaults: { model: gpt-image-2, aspect: "4:5", resolution: 1K }
axes:
  sku: [teapot, mug, vase]
steps:
  hero: { generate: { prompt: "{{ sku }} on a table", over: [sku] } }
  cheap: { edit: { image: hero, prompt: "Same, in evening light", model: nano-banana-2-lite } }
budget: { cap: 100 }
"#;

fn words(text: &str) -> Vec<&str> {
    text.split(' ').collect()
}

#[test]
fn every_shipped_campaign_is_priced_on_every_book_or_refused_by_name() {
    let desk = Desk::with_all_campaigns();
    for path in shipped() {
        let name = path.file_stem().and_then(|name| name.to_str()).expect("campaigns have plain names").to_owned();
        let said = desk.say(&["plan", &path.display().to_string(), "--prices", BOOKS, "--format", "csv"]);
        assert_eq!((said.code, said.out.lines().count()), (0, 7), "{}", said.all());
        insta::with_settings!({ snapshot_path => "markets", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(name, said.out);
        });
    }
}

#[test]
fn one_plan_on_several_books() {
    let desk = Desk::new();
    let prices = "gptimage2-flat,kie,openai,qolaba-app,bestphoto-hd";
    insta::assert_snapshot!("side_by_side", desk.say(&["plan", SPRING, "--prices", prices]).all());
    insta::assert_snapshot!("side_by_side_markdown", desk.say(&["plan", SPRING, "--prices", "kie,openai", "--format", "markdown"]).out);
    let json = desk.say(&["plan", SPRING, "--prices", "kie,openai", "--format", "json"]).out;
    let read: serde_json::Value = serde_json::from_str(&json).expect("it is JSON");
    assert_eq!(read["books"][0]["floor"], serde_json::json!({ "amount": "720", "usd": "3.6", "certainty": "exact" }));
    assert!(desk.files("").iter().all(|file| file.starts_with("campaigns/")), "it leaves nothing behind");
}

#[test]
fn several_books_are_for_plans_alone_and_each_is_named_once() {
    let desk = Desk::new();
    for slip in ["run S --rehearse --prices kie,openai", "status S --prices kie,openai", "plan S --prices kie,kie", "plan S --prices kie,kei"] {
        let said = desk.say(&words(&slip.replace('S', SPRING)));
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{slip}: {}", said.all());
    }
    let said = desk.say(&words("run campaigns/spring-drop.yaml --rehearse --prices kie,openai"));
    insta::assert_snapshot!(said.err, @"
    error: `--prices` names several books; only `plan` sets them beside each other, and a run is paid by one
    hint: name one: `--prices kie`
    ");
}

#[test]
fn what_if_stands_beside_what_is() {
    let desk = Desk::new();
    let asked = ["plan", SPRING, "--what-if", "sku=40", "--what-if", "iteration=1.8"];
    insta::assert_snapshot!("what_if", desk.say(&asked).all());
    let format = |format: &str| desk.say(&asked.iter().copied().chain(["--format", format]).collect::<Vec<_>>()).out;
    insta::assert_snapshot!(format("markdown"), @r"
    ### spring-drop

    What if sku=40: 12 known, 28 more like their average in each step, rounded up; iteration=1.8.

    | | now | what if | more |
    |---|--:|--:|--:|
    | floor | 1440 | 4800 | +3360 |
    | expected | 1728 | 8640 | +6912 |
    | ceiling | 2000 | 2000 | - |
    | floor per final | 60 | 60 | - |
    | expected per final | 72 | 108 | +36 |

    - 24 finals, 80 then; in credits of the book
    - expected is the floor x 1.2 (strict), then x 1.8
    - the cap of 2000 credits bounds both ceilings
    - **then refused**: the floor of 4800 credits is above the campaign's cap of 2000 credits by 2800 credits
    - **then refused**: the floor of 2880 credits is above the cap of step \`surface\` of 1200 credits by 1680 credits
    ");
    insta::assert_snapshot!(format("csv"), @"
    campaign,step,jobs,jobs_what_if,floor,floor_what_if,expected,expected_what_if,ceiling,ceiling_what_if,currency,certainty,certainty_what_if
    spring-drop,hero,24,80,288,960,345.6,1728,576,1920,credits:gptimage2-flat,exact,exact
    spring-drop,surface,72,240,864,2880,1036.8,5184,1200,1200,credits:gptimage2-flat,exact,exact
    spring-drop,evening,24,80,288,960,345.6,1728,576,1920,credits:gptimage2-flat,exact,exact
    spring-drop,overview,12,40,0,0,0,0,0,0,credits:gptimage2-flat,exact,exact
    spring-drop,deliver,24,80,0,0,0,0,0,0,credits:gptimage2-flat,exact,exact
    spring-drop,total,156,520,1440,4800,1728,8640,2000,2000,credits:gptimage2-flat,exact,exact
    ");
    let read: serde_json::Value = serde_json::from_str(&format("json")).expect("it is JSON");
    assert_eq!((&read["more"]["floor"], &read["more"]["ceiling"]), (&"3360".into(), &"0".into()));
    insta::assert_snapshot!(desk.say(&["plan", SPRING, "--what-if", "skus=40"]).err, @"
    error: the plan has no axis `skus` to suppose another length of
    hint: did you mean `sku`?
    ");
    insta::assert_snapshot!(desk.say(&["plan", SPRING, "--what-if", "sku"]).err, @"
    error: `--what-if sku`: write `AXIS=NUMBER` or `iteration=FACTOR`, for example `sku=40`
    hint: `callsheet plan --help` tells what it takes
    ");
    // On several books the supposition holds for all.
    let on_two = desk.say(&["plan", SPRING, "--what-if", "sku=24", "--prices", "kie,gptimage2-flat", "--format", "csv"]).out;
    assert!(on_two.contains("spring-drop,kie,2026-06-30,credits:kie,0.005,1440,"), "{on_two}");
}

#[test]
fn a_factor_is_learned_from_what_the_campaign_paid_and_says_from_how_many_finals() {
    let desk = Desk::new();
    desk.edit("iteration: strict", "iteration: { learned: explore }");
    let learned = |desk: &Desk| desk.plan(&[SPRING, "--rehearse"])["learned"].clone();
    let plan = desk.say(&["plan", SPRING, "--rehearse"]).out;
    assert!(plan.contains("learned    baseline `pdp`: too few finals (0), explore 1.8 stands in"), "{plan}");
    desk.rehearse(&[SPRING, "--quiet"], 0);
    assert_eq!(learned(&desk), serde_json::json!([{ "baseline": "pdp", "finals": 24, "pictures": 120, "attempts": 120, "factor": "1" }]));
    // Twice the money for the same finals: what was paid for the first prompt is not forgotten.
    desk.edit("on a seamless off-white sweep", "on a seamless grey sweep");
    desk.edit("cap: 2000", "cap: 9000");
    desk.edit("surface: 1200", "surface: 5000");
    let plan = desk.say(&["plan", SPRING, "--rehearse"]).out;
    assert!(plan.contains("learned    baseline `pdp`: 1 from 24 finals of this campaign (120 tries paid for 120"), "{plan}");
    desk.rehearse(&[SPRING, "--quiet"], 0);
    assert_eq!(learned(&desk)[0]["factor"], "2");
    assert_eq!(desk.plan(&[SPRING])["learned"][0]["finals"], 0, "a rehearsal teaches nothing about real runs");
}

#[test]
fn shots_without_a_price_are_refused_or_let_pass_and_then_marked_everywhere() {
    let desk = Desk::new();
    desk.write("campaigns/lite.yaml", LITE);
    let refused = desk.say(&words("run campaigns/lite.yaml --rehearse"));
    assert_eq!(refused.code, 4, "{}", refused.all());
    assert!(refused.err.contains("`--allow-unpriced` lets them pass"), "{}", refused.err);

    let marked = "3 shots without a price are not in any total";
    let plan = |format: &str| desk.say(&["plan", "campaigns/lite.yaml", "--allow-unpriced", "--format", format]).out;
    let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    for format in ["table", "json", "markdown"] {
        assert!(flat(&plan(format)).contains(marked), "{format}: {}", plan(format));
    }
    assert!(flat(&plan("table")).contains("not in any total, and no cap guards them"), "{}", plan("table"));
    assert!(plan("csv").lines().any(|line| line.starts_with("lite,cheap,") && line.ends_with(",unknown,3")), "{}", plan("csv"));

    let ran = desk.rehearse(&["campaigns/lite.yaml", "--allow-unpriced", "--json"], 0);
    assert!(flat(&ran.err).contains(&format!("no price {marked}")), "{}", ran.err);
    assert!(ran.out.lines().any(|line| line.contains(r#""unpriced":3"#)), "{}", ran.out);
    assert!(
        ran.out.lines().filter(|line| line.contains("job-done") && line.contains("cheap[")).all(|line| !line.contains(r#""charged""#)),
        "{}",
        ran.out
    );
    for row in desk.costs("lite").iter().filter(|row| row["step"] == "cheap") {
        for column in ["unit_price", "quoted", "charged", "refunded", "released", "usd"] {
            assert_eq!(row[column], "", "{column} of {}", row["job"]);
        }
    }
    assert_eq!(desk.costs("lite").iter().filter(|row| row["charged"] == "6").count(), 3, "the others cost what they cost");
    let text = |file: &str| String::from_utf8(desk.read(&format!("rehearsal/lite/{file}"))).expect("it is text");
    let summary = text("costs-summary.csv");
    let cheap = summary.lines().find(|line| line.starts_with("step,cheap,,3,3,,,")).unwrap_or_else(|| panic!("what it cost is not known: {summary}"));
    assert!(cheap.ends_with(",3"), "{cheap}");
    assert!(text("index.html").contains("without a price, in no total"));
    let manifest = desk.manifest("lite");
    let costs = manifest["files"].as_array().expect("files").iter().filter(|file| file["step"] == "cheap").map(|file| &file["cost"]["charged"]);
    assert!(costs.into_iter().all(serde_json::Value::is_null), "{manifest}");
    assert!(flat(&desk.say(&["status", "campaigns/lite.yaml", "--rehearse"]).out).contains(&format!("no price {marked}")));
    assert!(Path::new(&desk.path().join("rehearsal/lite")).is_dir());
}
