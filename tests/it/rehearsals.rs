//! Whole rehearsals by the real program: every campaign that ships, and one that speaks the whole language of steps.

use std::collections::BTreeSet;
use std::path::Path;

use callsheet::imaging::{Limits, Picture, decode, encode, picture::texts};
use callsheet::types::{ImageFormat, PixelSize};

use crate::campaigns::shipped;
use crate::desk::{Desk, SPRING, counted_by, micros, sum};
use crate::support::planned;

/// The columns that the documentation promises, before and after those of the axes.
const BEFORE: &str = "run_id,campaign,job,step";
const AFTER: &str = "take,attempt,provider,model,operation,aspect,resolution,quality,status,error_code,unit_price,quoted,charged,refunded,released,\
                     currency,usd,reused,started_at,finished_at,latency_ms,task_id,job_key,output_path,blake3,checks";

/// What a rehearsal writes besides pictures.
const REPORTS: [&str; 8] =
    [".callsheet-tree", "REHEARSAL.txt", "costs-summary.csv", "costs.csv", "index.html", "manifest.json", "prompts.jsonl", "summary.md"];

fn shipped_names() -> Vec<String> {
    // Those that somebody has to choose in have tests of their own.
    let picks = |path: &&std::path::PathBuf| !std::fs::read_to_string(path).expect("a campaign can be read").contains("pick:");
    shipped().iter().filter(picks).map(|path| path.file_stem().expect("a file has a name").to_string_lossy().into_owned()).collect()
}

#[test]
fn every_campaign_that_ships_is_rehearsed_to_the_end_and_a_second_time_for_nothing() {
    let desk = Desk::with_all_campaigns();
    for name in shipped_names() {
        let file = format!("campaigns/{name}.yaml");
        let floor = desk.plan(&[&file, "--rehearse"])["totals"]["floor"]["amount"].as_str().map(micros).expect("the plan has a floor");
        desk.rehearse(&[&file, "-q"], 0);
        every_planned_file_is_there_as_the_manifest_says(&desk, &name);
        every_paid_shot_has_one_row_and_the_sum_is_the_floor(&desk, &name, floor);

        let (tree, records) = (desk.snapshot(&format!("rehearsal/{name}")), desk.records());
        let again = desk.rehearse(&[&file], 0);
        assert!(again.err.contains("nothing to do: "), "{name}: {}", again.err);
        assert!(desk.snapshot(&format!("rehearsal/{name}")) == tree, "{name}: a file has changed");
        assert_eq!(desk.records(), records, "{name}: the ledger has grown");
    }
    let elsewhere: Vec<String> = desk
        .files(".")
        .into_iter()
        .filter(|file| !["rehearsal/", ".callsheet/", "campaigns/"].iter().any(|folder| file.starts_with(folder)))
        .collect();
    assert_eq!(elsewhere, [""; 0], "files were written elsewhere");
    assert!(desk.files(".callsheet").iter().all(|file| file == ".gitignore" || file == "name" || file.starts_with("rehearsal/")));
    assert!(desk.files(".callsheet/rehearsal/blobs/tmp").is_empty());
}

fn every_planned_file_is_there_as_the_manifest_says(desk: &Desk, name: &str) {
    let plan = planned(&Path::new("campaigns").join(format!("{name}.yaml")), None).unwrap_or_else(|text| panic!("{text}")).plan;
    let wanted: BTreeSet<String> = plan.indices().map(|ix| plan.job(ix).path.to_string()).collect();
    let found: BTreeSet<String> = desk
        .files(&format!("rehearsal/{name}"))
        .into_iter()
        .filter(|file| !REPORTS.contains(&file.as_str()) && !file.starts_with("thumbnails/"))
        .collect();
    assert_eq!(found, wanted, "{name}");

    let manifest = desk.manifest(name);
    assert_eq!((&manifest["campaign"], &manifest["rehearsal"]), (&name.into(), &true.into()));
    let files = manifest["files"].as_array().expect("the manifest has files");
    assert_eq!(files.len(), wanted.len(), "{name}");
    for file in files {
        let path = file["path"].as_str().expect("a file has a path");
        let (info, bytes) = (desk.picture(name, path), desk.read(&format!("rehearsal/{name}/{path}")));
        assert_eq!((&file["width"], &file["height"]), (&info.size.width.into(), &info.size.height.into()), "{name}/{path}");
        assert_eq!((&file["format"], &file["bytes"]), (&info.format.as_str().into(), &bytes.len().into()), "{name}/{path}");
        assert_eq!(file["digest"], blake3::hash(&bytes).to_hex().as_str(), "{name}/{path}");
        let is_paid = !file["model"].is_null();
        if is_paid && info.format == ImageFormat::Png {
            let stamp = texts(&bytes).into_iter().find(|(key, _)| key == "callsheet");
            let (_, stamp) = stamp.unwrap_or_else(|| panic!("{name}/{path} has no stamp"));
            assert!(stamp.contains("rehearsal"), "{name}/{path}: {stamp}");
        }
    }
}

fn every_paid_shot_has_one_row_and_the_sum_is_the_floor(desk: &Desk, name: &str, floor: u64) {
    let text = String::from_utf8(desk.read(&format!("rehearsal/{name}/costs.csv"))).expect("CSV is text");
    let header = text.lines().next().expect("there is a header");
    let axes = header.strip_prefix(BEFORE).and_then(|rest| rest.strip_suffix(AFTER));
    let axes = axes.unwrap_or_else(|| panic!("{name}: undocumented columns: {header}"));

    let manifest = desk.manifest(name);
    let files = manifest["files"].as_array().expect("the manifest has files");
    let of_files: BTreeSet<&String> = files.iter().filter_map(|file| file["axes"].as_object()).flat_map(|axes| axes.keys()).collect();
    let of_header: BTreeSet<String> =
        axes.split(',').filter(|axis| !axis.is_empty()).map(|axis| axis.trim_start_matches("axis_").to_owned()).collect();
    assert!(of_header.iter().collect::<BTreeSet<_>>().is_subset(&of_files), "{name}: {of_header:?} of {of_files:?}");

    let rows = desk.costs(name);
    let keys: BTreeSet<&str> = files.iter().filter(|file| !file["model"].is_null()).filter_map(|file| file["key"].as_str()).collect();
    let of_rows: BTreeSet<&str> = rows.iter().map(|row| row["job_key"].as_str()).collect();
    assert_eq!((of_rows, rows.len()), (keys.clone(), keys.len()), "{name}: one row a shot");
    assert_eq!(counted_by(&rows, "status"), [("done".to_owned(), rows.len())].into(), "{name}");
    assert_eq!((sum(&rows, "charged"), sum(&rows, "refunded")), (sum(&rows, "quoted"), 0), "{name}");
    // A plan over several currencies is summed in dollars.
    let counted = if counted_by(&rows, "currency").len() > 1 { "usd" } else { "charged" };
    assert_eq!(sum(&rows, counted), floor, "{name}");
    for row in &rows {
        assert_eq!(row["blake3"], blake3::hash(&desk.read(&format!("rehearsal/{name}/{}", row["output_path"]))).to_hex().as_str());
    }
}

#[test]
fn pictures_are_as_large_as_the_plan_says() {
    let desk = Desk::new();
    let shot = ["run", SPRING, "--rehearse", "-q", "--only", "hero[sku=teapot,angle=front]"];
    let said = desk.say(&shot);
    assert_eq!(said.code, 0, "{}", said.all());
    assert_eq!(desk.picture("spring-drop", "teapot/front/hero.png").size, PixelSize::new(896, 1120));
    assert_eq!(desk.manifest("spring-drop")["files"].as_array().map(Vec::len), Some(1), "only the shot that was asked for");
}

/// Every kind of step, every operation on pictures, takes, and a sheet of them.
const WHOLE_LANGUAGE: &str = r##"
callsheet: 1
campaign: whole-language
provider: kie
defaults: { model: ideogram-v3, aspect: "1:1" }
axes:
  cup: { red: { title: "red cup" }, blue: { title: "blue cup" } }
steps:
  logo:
    load: { file: art/logo.png }
  hole:
    load: { file: "art/{{ cup }}-mask.png", over: [cup] }
  draft:
    generate: { prompt: "a {{ cup.title }} on a table", over: [cup], takes: 2 }
  repaired:
    edit: { image: draft, mask: hole, prompt: "the handle is mended" }
  warm:
    edit: { image: repaired, images: [logo], prompt: "in evening light, with the mark of the second picture", model: nano-banana-2, resolution: 1K }
  large:
    upscale: { image: draft, scale: 2, model: topaz-upscale }
  cut:
    remove-background: { image: large, model: recraft-remove-background }
  board:
    sheet: { image: draft, across: [take], cell: 100x80, columns: 2, label: "{{ cup.title }} {{ take }}" }
  card:
    transform:
      image: cut
      ops:
        - overlay: { image: logo, at: bottom-right, width: 25, opacity: 80 }
        - text: { text: "{{ cup.title }}", at: top, size: 8, color: "#204060" }
        - pad: { to: "3:2", color: "#00000000" }
        - resize: { width: 600 }
        - encode: { format: webp }
  thumb:
    transform: { image: card, ops: [ { crop: "1:1" }, { pad: { to: "9:10", color: "#ffffff" } }, { resize: { height: 90 } }, { encode: { format: jpeg, quality: 80 } } ] }
"##;

/// A provider of one's own whose model makes further tries of a picture; none of the built-in ones has such a model.
const MAKER: &str = r#"
provider: maker
title: Maker
key-env: MAKER_KEY
hosts: [example.com]
charge: { on: submit, refund-on-failure: yes, moderation-charged: no, ambiguous-on-timeout: true }
prices: maker.yaml
models:
  brush:
    title: Brush
    operations:
      generate: { wire: brush, prompt-limit: 500, aspects: ["1:1"], resolutions: {}, max-references: 0 }
      vary: { wire: brush/again, prompt-limit: 500, aspects: [], resolutions: {}, max-references: 0 }
"#;

#[test]
fn a_provider_of_ones_own_is_rehearsed_with_a_step_that_no_built_in_one_has() {
    let desk = Desk::new();
    desk.write("campaigns/maker-provider.yaml", MAKER);
    desk.write(
        "campaigns/maker.yaml",
        "book: maker\ncurrency: credits\nas-of: 2026-11-22\nsource: a page\nmodels:\n  brush: { price: { flat: 2.5 } }\n",
    );
    let campaign = "callsheet: 1\ncampaign: varied\nprovider: maker-provider.yaml\nprices: maker.yaml\ndefaults: { model: brush }\nsteps:\n  \
                    draft: { generate: { prompt: a cup, aspect: \"1:1\" } }\n  other: { vary: { image: draft, takes: 3 } }\n";
    desk.write("campaigns/varied.yaml", campaign);
    desk.rehearse(&["campaigns/varied.yaml", "-q"], 0);
    let rows = desk.costs("varied");
    assert_eq!(counted_by(&rows, "operation"), [("generate".to_owned(), 1), ("vary".to_owned(), 3)].into());
    assert_eq!(counted_by(&rows, "blake3").len(), 4, "every try is another picture");
    assert_eq!(sum(&rows, "charged"), 10_000_000);
}

fn painted(width: u32, height: u32, paint: impl Fn(u32, u32) -> [u8; 4]) -> Vec<u8> {
    let picture = image::RgbaImage::from_fn(width, height, |x, y| image::Rgba(paint(x, y)));
    encode(&Picture::Rgba(picture), ImageFormat::Png, None, &[]).expect("a small picture can be encoded")
}

#[test]
fn one_campaign_speaks_the_whole_language_of_steps() {
    let desk = Desk::new();
    std::fs::create_dir(desk.path().join("campaigns/art")).expect("a folder can be made");
    desk.write("campaigns/art/logo.png", painted(40, 20, |x, _| if x < 20 { [200, 30, 30, 255] } else { [0, 0, 0, 0] }));
    for name in ["red", "blue"] {
        let mask = painted(1024, 1024, |x, y| if x < 512 && y < 512 { [0; 4] } else { [255; 4] });
        desk.write(&format!("campaigns/art/{name}-mask.png"), mask);
    }
    desk.write("campaigns/whole.yaml", WHOLE_LANGUAGE);
    let said = desk.say(&["run", "campaigns/whole.yaml", "--rehearse"]);
    assert_eq!(said.code, 0, "{}", said.all());

    let manifest = desk.manifest("whole-language");
    let files = manifest["files"].as_array().expect("the manifest has files");
    let of = |step: &str| -> Vec<(String, callsheet::types::ImageInfo, Vec<u8>)> {
        let mine = files.iter().filter(|file| file["step"] == step).filter_map(|file| file["path"].as_str());
        mine.map(|path| (path.to_owned(), desk.picture("whole-language", path), desk.read(&format!("rehearsal/whole-language/{path}")))).collect()
    };
    let sizes = |step: &str| of(step).iter().map(|(_, info, _)| (info.size.width, info.size.height)).collect::<Vec<_>>();
    assert_eq!(sizes("logo"), [(40, 20)]);
    assert_eq!(sizes("hole"), [(1024, 1024); 2]);
    assert_eq!(sizes("draft"), [(1024, 1024); 4], "two cups, two takes");
    assert_eq!(sizes("repaired"), [(1024, 1024); 4]);
    assert_eq!(sizes("warm"), [(1024, 1024); 4]);
    assert_eq!(sizes("large"), [(2048, 2048); 4], "an upscale is larger");
    assert_eq!(sizes("cut"), [(2048, 2048); 4]);
    assert_eq!(sizes("card"), [(600, 400); 4]);
    assert_eq!(sizes("thumb"), [(81, 90); 4]);
    assert_eq!(sizes("board").len(), 2, "one sheet a cup, both takes on it");
    assert!(sizes("board").iter().all(|(width, height)| *width >= 200 && *height >= 80), "{:?}", sizes("board"));
    assert!(
        of("card").iter().all(|(_, info, _)| info.format == ImageFormat::Webp)
            && of("thumb").iter().all(|(_, info, _)| info.format == ImageFormat::Jpeg)
    );

    for (path, info, bytes) in of("cut") {
        let picture = decode(&bytes, &Limits::default()).expect("it is whole").into_rgba();
        assert!(info.alpha && picture.get_pixel(0, 0).0[3] == 0, "{path}: the corner is transparent");
        assert!(picture.pixels().any(|pixel| pixel.0[3] == 255), "{path}: the subject is there");
    }
    for (path, _, bytes) in of("card") {
        let picture = decode(&bytes, &Limits::default()).expect("it is whole").into_rgba();
        assert_eq!(picture.get_pixel(2, 200).0[3], 0, "{path}: what was padded is transparent");
        let is_logo = |pixel: &image::Rgba<u8>| pixel.0[3] > 150 && pixel.0[0] > 150 && pixel.0[1] < 90 && pixel.0[2] < 90;
        assert!(picture.enumerate_pixels().any(|(x, y, pixel)| x > 300 && y > 200 && is_logo(pixel)), "{path}: the logo sits at the bottom right");
    }
    // Inpainting keeps what the mask covers.
    let (before, after) = (of("draft"), of("repaired"));
    for ((path, _, before), (_, _, after)) in before.iter().zip(&after) {
        let rgba = |bytes: &[u8]| decode(bytes, &Limits::default()).expect("it is whole").into_rgba();
        let (before, after) = (rgba(before), rgba(after));
        let differing = |from: u32| {
            let pixels = (from..from + 512).step_by(8).flat_map(|y| (from..from + 512).step_by(8).map(move |x| (x, y)));
            pixels.filter(|(x, y)| before.get_pixel(*x, *y) != after.get_pixel(*x, *y)).count()
        };
        assert!(differing(0) > differing(512), "{path}: {} changed where it may, {} where it may not", differing(0), differing(512));
    }
    let takes: BTreeSet<&str> = files.iter().filter(|file| file["step"] == "draft").filter_map(|file| file["digest"].as_str()).collect();
    assert_eq!(takes.len(), 4, "takes are different pictures");
    let operations: BTreeSet<String> = desk.costs("whole-language").iter().map(|row| row["operation"].clone()).collect();
    assert_eq!(operations.iter().map(String::as_str).collect::<Vec<_>>(), ["edit", "generate", "inpaint", "remove-background", "upscale"]);
}
