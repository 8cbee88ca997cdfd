//! Where pictures come from: said in delivered files and beside them, and never lost in silence.

use callsheet::imaging::{Limits, decode, marks};

use crate::buying::Shop;
use crate::desk::Desk;
use crate::loopback::kie::Kie;
use crate::loopback::{LoopbackScript, Misdeed, Reply};

/// Two pictures, delivered in two formats, each with a JSON beside it.
const DELIVERED: &str = r#"
callsheet: 1
campaign: delivered
provider: fast-kie.yaml
prices: kie
defaults: { model: gpt-image-2, aspect: "4:5", resolution: 1K }
output: { sidecar: true }
steps:
  hero: { generate: { prompt: "a red cup & <saucer>" } }
  web: { transform: { image: hero, ops: [ { resize: { width: 40 } }, { encode: { format: jpeg, quality: 88 } } ], path: "web.{{ ext }}" } }
  small: { transform: { image: hero, ops: [ { resize: { width: 20 } }, { encode: { format: webp, quality: 80 } } ], path: "small.{{ ext }}" } }
budget: { cap: 200 }
"#;

const SOURCE: &str = "http://cv.iptc.org/newscodes/digitalsourcetype/";

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Puts a C2PA manifest into the PNG of an answer, as a signing provider does.
fn sign(reply: &mut Reply) {
    let manifest = b"\0\0\0\x1ejumdc2pa\0\x11\0\x10\x80\0\0\xaa\0\x38\x9b\x71\x03c2pa\0";
    let named = [b"caBX", &manifest[..]].concat();
    let sum = named
        .iter()
        .fold(u32::MAX, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), |sum, _| if sum & 1 == 1 { (sum >> 1) ^ 0xedb8_8320 } else { sum >> 1 }));
    let chunk = [&(manifest.len() as u32).to_be_bytes()[..], &named, &(!sum).to_be_bytes()].concat();
    reply.body.splice(33..33, chunk);
}

#[test]
fn a_delivered_file_says_that_a_model_made_it_and_the_bought_one_is_as_it_came() {
    let shop = Shop::kie(DELIVERED, LoopbackScript::of(Kie::default()));
    shop.run(&[], 0);
    shop.agrees("delivered");
    for file in ["web.jpg", "small.webp"] {
        let bytes = shop.desk.read(&format!("out/delivered/{file}"));
        assert!(text(&bytes).contains(&format!("{SOURCE}trainedAlgorithmicMedia")), "{file}");
        assert!(text(&bytes).contains("a red cup &amp; &lt;saucer&gt;"), "{file}");
        assert!(decode(&bytes, &Limits::default()).is_ok(), "{file}");
    }
    assert!(!text(&shop.desk.read("out/delivered/hero.png")).contains("xmpmeta"), "the picture as bought has not been touched");
    let told: serde_json::Value = serde_json::from_slice(&shop.desk.read("out/delivered/web.jpg.json")).expect("a sidecar is JSON");
    assert_eq!((&told["digital-source-type"], &told["requests"][0]["charged"]), (&"trainedAlgorithmicMedia".into(), &"6".into()));
    assert_eq!(told["blake3"], blake3::hash(&shop.desk.read("out/delivered/web.jpg")).to_hex().as_str());
    assert_eq!(told["parents"][0]["blake3"], blake3::hash(&shop.desk.read("out/delivered/hero.png")).to_hex().as_str());
    assert_eq!(shop.desk.files("out/delivered").iter().filter(|file| file.ends_with(".json")).count(), 3 + 1, "one each, and the manifest");
    shop.desk.edit_file("campaigns/c.yaml", "sidecar: true", "sidecar: false");
    shop.run(&[], 0);
    assert_eq!(shop.desk.files("out/delivered").iter().filter(|file| file.ends_with(".json")).count(), 1, "they go when they are no longer wanted");
}

#[test]
fn a_manifest_that_comes_with_a_picture_is_kept_with_it_and_named_where_a_transform_drops_it() {
    let shop = Shop::kie(DELIVERED, LoopbackScript::of(Kie::default()).always("/result/", Misdeed::Rewrite(sign)));
    shop.run(&[], 0);
    assert!(marks(&shop.desk.read("out/delivered/hero.png")).c2pa, "as bought it keeps its manifest");
    assert!(!marks(&shop.desk.read("out/delivered/web.jpg")).c2pa);
    let summary = text(&shop.desk.read("out/delivered/summary.md"));
    assert!(summary.contains("has worked on 1 picture bought with a C2PA manifest"), "{summary}");
    let manifest: serde_json::Value = serde_json::from_slice(&shop.desk.read("out/delivered/manifest.json")).expect("it is JSON");
    let words: Vec<&str> = manifest["files"].as_array().expect("files").iter().filter_map(|file| file["c2pa"].as_str()).collect();
    assert_eq!(words, ["there", "dropped", "dropped"]);
    let status = shop.desk.say(&["status", "campaigns/c.yaml"]);
    assert!(status.all().contains("C2PA manifest"), "{}", status.all());
}

#[test]
fn a_rehearsal_never_says_that_a_model_made_its_pictures() {
    let desk = Desk::new();
    desk.write("campaigns/d.yaml", DELIVERED.replace("fast-kie.yaml", "kie"));
    desk.rehearse(&["campaigns/d.yaml"], 0);
    let delivered = text(&desk.read("rehearsal/delivered/web.jpg"));
    assert!(delivered.contains(&format!("{SOURCE}algorithmicMedia")) && delivered.contains("A rehearsal, drawn without a model"));
    assert!(!delivered.contains("rainedAlgorithmicMedia"));
}
