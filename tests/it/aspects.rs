//! Shapes that a model lacks, and sources that it would not take: what the plan says of them, what is sent, what comes out.

use callsheet::imaging::{Limits, Picture, decode, encode, marks, probe};
use callsheet::types::{ImageFormat, ImageInfo, PixelSize};

use crate::buying::{Shop, lasting, openai};
use crate::desk::{Desk, counted_by};
use crate::loopback::LoopbackScript;
use crate::loopback::kie::Kie;
use crate::loopback::openai::OpenAi;

/// A model without 4:5: nearest is 3:4.
const SHAPES: &str = r#"
callsheet: 1
campaign: shapes
provider: kie
prices: kie
defaults: { model: seedream-4.5, aspect: "4:5", resolution: 2K, fit: crop }
axes: { cup: { red: { title: "red cup" }, blue: { title: "blue cup" } } }
steps:
  hero: { generate: { prompt: "{{ cup.title }} on a table", over: [cup], path: "{{ cup }}/hero.{{ ext }}" } }
  evening: { edit: { image: hero, prompt: "in evening light", fit: pad } }
budget: { cap: 200 }
profiles: { heroes: { until: hero } }
"#;

/// A photograph with an edge in every direction.
fn photo(width: u32, height: u32) -> Picture {
    Picture::Rgb(image::RgbImage::from_fn(width, height, |x, y| image::Rgb([(x % 251) as u8, (y % 241) as u8, if x > y { 200 } else { 20 }])))
}

fn file(picture: &Picture, format: ImageFormat) -> Vec<u8> {
    encode(picture, format, None, &[]).expect("it can be written")
}

/// Says in a JPEG that it is to be turned by a quarter.
fn turned(jpeg: &[u8]) -> Vec<u8> {
    let mut exif = b"Exif\0\0II\x2a\0\x08\0\0\0\x01\0".to_vec();
    exif.extend_from_slice(&[0x12, 0x01, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0]);
    let length = u16::try_from(exif.len() + 2).expect("a short one").to_be_bytes();
    [&jpeg[..2], &[0xff, 0xe1], &length, &exif, &jpeg[2..]].concat()
}

fn info(bytes: &[u8]) -> ImageInfo {
    probe(bytes, &Limits::default()).expect("a picture")
}

#[test]
fn the_nearest_shape_is_asked_for_and_every_file_has_the_authors() {
    let desk = Desk::new();
    desk.write("campaigns/shapes.yaml", SHAPES);
    let plan = desk.plan(&["campaigns/shapes.yaml", "--rehearse"]);
    let fit = &plan["prepared"]["fit"];
    assert_eq!((&fit[0]["asked"], &fit[0]["sent"], &fit[0]["fit"]), (&"4:5".into(), &"3:4".into(), &"crop".into()), "{fit}");
    let lost = fit[0]["result-lost"].as_u64().expect("a share");
    assert!((600..=650).contains(&lost), "a crop from 3:4 to 4:5 loses 6.25 %: {lost}");
    assert_eq!(fit[1]["takes-off-padding"], true);
    let steps: Vec<&str> = plan["steps"].as_array().expect("steps").iter().filter_map(|step| step["step"].as_str()).collect();
    assert_eq!(steps, ["hero", "hero.fit", "evening.image", "evening", "evening.fit"]);
    assert_eq!((&plan["totals"]["jobs"]["all"], &plan["finals"]["count"]), (&10.into(), &2.into()));

    desk.rehearse(&["campaigns/shapes.yaml", "--sim", "latency=0s"], 0);
    for (path, shape) in [("red/hero.png", 0.8), ("red/hero.bought.png", 0.75), ("red/evening.png", 0.8), ("red/evening.bought.png", 0.75)] {
        let PixelSize { width, height } = desk.picture("shapes", path).size;
        assert!((f64::from(width) / f64::from(height) - shape).abs() < 0.02, "{path}: {width}x{height}");
    }
    let rows = desk.costs("shapes");
    assert_eq!(counted_by(&rows, "step"), [("evening".to_owned(), 2), ("hero".to_owned(), 2)].into(), "only what is asked of the model costs");
    assert!(rows.iter().all(|row| row["aspect"] == "3:4"), "prices are those of what is asked for");
    let again = desk.rehearse(&["campaigns/shapes.yaml", "--sim", "latency=0s"], 0);
    assert!(again.err.contains("nothing to do: 10 shots done"), "{}", again.err);
}

#[test]
fn who_asks_for_a_step_means_its_pictures_in_the_authors_shape() {
    let desk = Desk::new();
    desk.write("campaigns/shapes.yaml", SHAPES);
    for words in [&["--until", "hero"][..], &["--only", "hero[cup=red]"], &["--profile", "heroes"]] {
        let said = desk.rehearse(&[&["campaigns/shapes.yaml"], words].concat(), 0);
        assert!(desk.files("rehearsal/shapes").contains(&"red/hero.png".to_owned()), "{words:?}: {}", said.all());
        assert!(!desk.files("rehearsal/shapes").iter().any(|file| file.contains("evening")), "{words:?}");
        std::fs::remove_dir_all(desk.path().join("rehearsal")).expect("the tree can be removed");
        std::fs::remove_dir_all(desk.path().join(".callsheet")).expect("the workspace can be removed");
    }
}

#[test]
fn a_plan_says_what_is_done_and_what_it_loses() {
    let desk = Desk::new();
    desk.write("campaigns/shapes.yaml", SHAPES);
    insta::assert_snapshot!(desk.say(&["plan", "campaigns/shapes.yaml"]).all());
}

/// A photograph of the author's, turned by its EXIF, and one that needs nothing.
const PHOTOS: &str = r#"
callsheet: 1
campaign: photos
provider: fast-kie.yaml
defaults: { model: gpt-image-2, aspect: "4:5", resolution: 1K }
axes: { sku: { side: { file: side.jpg }, plain: { file: plain.jpg } } }
steps:
  pack: { load: { file: "{{ sku.file }}", over: [sku] } }
  scene: { edit: { image: pack, prompt: "{{ sku }} on a table" } }
budget: { cap: 200 }
"#;

#[test]
fn a_turned_photo_is_sent_upright_a_plain_one_as_it_is_and_the_server_gets_exactly_what_was_stored() {
    let shop = Shop::kie(PHOTOS, LoopbackScript::of(Kie::default()));
    let plain = file(&photo(60, 48), ImageFormat::Jpeg);
    shop.desk.write("campaigns/plain.jpg", &plain);
    shop.desk.write("campaigns/side.jpg", turned(&plain));
    let plan = shop.desk.plan(&["campaigns/c.yaml"]);
    let sources = plan["prepared"]["sources"].as_array().expect("a list");
    assert_eq!(sources.len(), 1, "the plain one is taken as it is: {sources:?}");
    assert_eq!((&sources[0]["file"], &sources[0]["changes"]), (&"side.jpg".into(), &serde_json::json!(["turned upright"])));

    shop.run(&[], 0);
    shop.agrees("photos");
    let sent: Vec<Vec<u8>> = shop
        .server
        .requests()
        .iter()
        .filter(|request| request.path.ends_with("file-stream-upload"))
        .flat_map(|request| request.form().unwrap_or_default())
        .filter(|part| part.name == "file")
        .map(|part| part.bytes)
        .collect();
    assert_eq!(sent.len(), 2);
    assert!(sent.contains(&plain), "the plain photo is sent to the byte");
    let upright = sent.iter().find(|bytes| **bytes != plain).expect("the other one");
    assert_eq!((info(upright).size, marks(upright).turned), (PixelSize::new(48, 60), false));
    assert_eq!(*upright, shop.desk.read("out/photos/side/scene.image.jpg"), "what is sent stands in the tree");
    let pixel = |bytes: &[u8], x, y| decode(bytes, &Limits::default()).expect("whole").into_rgba().get_pixel(x, y).0;
    let (as_sent, as_shot) = (pixel(upright, 40, 10), pixel(&turned(&plain), 40, 10));
    assert!(as_sent.iter().zip(as_shot).all(|(sent, shot)| sent.abs_diff(shot) < 24), "{as_sent:?} {as_shot:?}");

    let again = shop.run(&[], 0);
    assert!(again.err.contains("nothing to do: 5 shots done"), "prepared once, never again: {}", again.err);
}

/// A picture with its mask, for a model that makes neither's shape.
const MASKED: &str = r#"
callsheet: 1
campaign: masked
provider: lasting.yaml
defaults: { model: gpt-image-1.5, aspect: "4:5", fit: "pad #ffffff" }
steps:
  pack: { load: { file: pack.png } }
  hole: { load: { file: hole.png } }
  mended: { edit: { image: pack, mask: hole, prompt: "the handle is mended" } }
budget: { cap: "USD 5" }
"#;

#[test]
fn a_mask_is_padded_like_its_picture_and_nothing_is_painted_in_the_new_room() {
    let shop = openai(MASKED, LoopbackScript::of(OpenAi::default()));
    shop.desk.write("campaigns/lasting.yaml", lasting("openai"));
    shop.desk.write("campaigns/pack.png", file(&photo(80, 100), ImageFormat::Png));
    let hole = image::RgbaImage::from_fn(80, 100, |x, _| image::Rgba(if x < 40 { [0; 4] } else { [255; 4] }));
    shop.desk.write("campaigns/hole.png", file(&Picture::Rgba(hole), ImageFormat::Png));
    shop.run(&[], 0);
    assert_eq!(shop.server.books().violations, [""; 0]);
    let edit = shop.server.requests().into_iter().find(|request| request.path.ends_with("/edits")).expect("an edit was asked for");
    let parts = edit.form().expect("a form");
    let part = |name: &str| parts.iter().find(|part| part.name == name).map(|part| part.bytes.clone()).expect("a part");
    let (picture, mask) = (part("image[]"), part("mask"));
    // 4:5 has 2:3 as its nearest shape of three: 80x100 becomes 80x120.
    assert_eq!((info(&picture).size, info(&mask).size), (PixelSize::new(80, 120), PixelSize::new(80, 120)));
    let pixel = |bytes: &[u8], x, y| decode(bytes, &Limits::default()).expect("whole").into_rgba().get_pixel(x, y).0;
    assert_eq!((pixel(&picture, 5, 2), pixel(&mask, 5, 2), pixel(&mask, 5, 60)[3], pixel(&mask, 60, 60)[3]), ([255; 4], [255; 4], 0, 255));
}
