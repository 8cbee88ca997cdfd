//! The way from a shop's export to a campaign that can be rehearsed, through the real program.

use std::fs;

use crate::desk::{Desk, Said};

pub const SHOPIFY: &str = "\
Handle,Title,Body (HTML),Vendor,Option1 Name,Option1 Value,Variant SKU,Variant Price,Image Src,Image Position,Status
clay-pot,Clay Pot,<p>Blown clay &amp; glaze</p>,Acme,Size,Small,,9.99,https://cdn.example.com/a.jpg,1,active
clay-pot,,,,,Large,,15.99,https://cdn.example.com/b.jpg,2,
copper-lamp,Copper Lamp,,Acme,Title,Default Title,,59.99,https://cdn.example.com/c.jpg,1,active
cream-sofa,\"Cream Sofa, wide\",\"<ul>
<li>Wooden base</li></ul>\",Acme,Title,Default Title,,500,,,active
";

const WOOCOMMERCE: &str = "\
\u{feff}ID,Type,SKU,Name,Published,\"Short description\",\"Regular price\",Images,Parent
7,variable,MUG,Mug,1,<b>Stoneware</b> mug,,https://shop.example.com/mug.jpg,
8,variation,MUG-S,Mug - small,1,,9,,MUG
9,variation,MUG-L,Mug - large,1,,12,,MUG
10,simple,BOWL,Bowl,1,A bowl,8,,
";

fn empty() -> Desk {
    let desk = Desk::new();
    fs::remove_dir_all(desk.path().join("campaigns")).expect("the campaigns go");
    desk
}

fn text(desk: &Desk, file: &str) -> String {
    String::from_utf8(desk.read(file)).expect("it is text")
}

fn made(desk: &Desk, words: &[&str]) -> Said {
    let said = desk.say(words);
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{}", said.all());
    said
}

/// Returns how many shots of the step `hero` there are.
fn heroes(desk: &Desk, campaign: &str) -> u64 {
    let plan = desk.plan(&[campaign]);
    let steps = plan["steps"].as_array().expect("a plan has steps");
    steps.iter().find(|step| step["step"] == "hero" || step["name"] == "hero").and_then(|step| step["jobs"]["all"].as_u64()).expect("hero has shots")
}

#[test]
fn a_shopify_export_becomes_a_campaign_as_it_is() {
    let desk = empty();
    desk.write("products_export.csv", SHOPIFY);
    let said = made(&desk, &["init", "--from", "products_export.csv"]);
    insta::assert_snapshot!("init_shopify_said", said.out);
    insta::assert_snapshot!("init_shopify_campaign", text(&desk, "products-export.yaml"));
    assert_eq!(text(&desk, "products_export.csv"), SHOPIFY, "the export is as it was");
    assert_eq!(desk.files(""), ["products-export.yaml", "products_export.csv"]);
    assert_eq!(desk.say(&["check", "products-export.yaml"]).code, 0);
    assert_eq!(heroes(&desk, "products-export.yaml"), 6, "three products, two views");
    let prompts = desk.say(&["why", "products-export.yaml", "hero[product=clay-pot,angle=front]"]);
    assert!(!prompts.out.contains("<p>"), "{}", prompts.all());
}

#[test]
fn commands_to_type_next_are_typed_as_they_stand_whatever_the_folder_is_called() {
    let desk = empty();
    fs::create_dir(desk.path().join("my shop")).expect("a folder");
    desk.write("my shop/it's ours.csv", "sku,title\n1,Pot\n2,Pan\n");
    let said = made(&desk, &["init", "my shop"]);
    let next = said.out.lines().find_map(|line| line.strip_prefix("next       callsheet ")).expect("what to type next").to_owned();
    assert_eq!(next, "run 'my shop/my-shop.yaml' --rehearse");
    let other = made(&desk, &["init", "my shop/it's new.yaml"]);
    assert!(other.out.contains("next       callsheet run 'my shop/it'\\''s new.yaml' --rehearse\n"), "{}", other.out);
    assert!(text(&desk, "my shop/it's new.yaml").contains("#   callsheet check 'my shop/it'\\''s new.yaml' "));
    let before = desk.say(&["status", "my shop/my-shop.yaml"]);
    assert!(before.err.contains("run it first: callsheet run 'my shop/my-shop.yaml', or"), "{}", before.all());
}

#[test]
fn a_woocommerce_export_keeps_products_and_leaves_variations_out() {
    let desk = empty();
    desk.write("wc.csv", WOOCOMMERCE);
    made(&desk, &["init", "mugs.yaml", "--from", "wc.csv", "--name", "mugs"]);
    let campaign = text(&desk, "mugs.yaml");
    assert!(campaign.contains("where: \"Type != 'variation'\"") && campaign.contains("key: \"SKU\""), "{campaign}");
    assert!(campaign.contains("{{ sku[\"Short description\"] | striptags }}"), "{campaign}");
    assert_eq!(heroes(&desk, "mugs.yaml"), 4);
}

#[test]
fn a_table_that_no_campaign_can_read_is_copied_and_said_to_be() {
    let desk = empty();
    desk.write("Topf Liste.csv", b"SKU;Bezeichnung;Preis\nA 1;Kochtopf gro\xdf;12,50\nA 2;Pfanne;9,90\n;;\n");
    let said = made(&desk, &["init", "--from", "Topf Liste.csv", "--name", "pots"]);
    insta::assert_snapshot!("init_copied", said.out.split("\n\n").next().unwrap_or_default());
    assert_eq!(text(&desk, "topf-liste-tidy.csv"), "SKU,Bezeichnung,Preis\nA 1,Kochtopf groß,\"12,50\"\nA 2,Pfanne,\"9,90\"\n,,\n");
    assert_eq!(heroes(&desk, "pots.yaml"), 4);
    assert!(text(&desk, "pots.yaml").contains("path: \"{{ sku | slug }}/"), "a key with a space is no folder");
}

#[test]
fn tabs_need_no_copy_and_a_table_elsewhere_is_named_from_the_campaigns_folder() {
    let desk = empty();
    fs::create_dir(desk.path().join("exports")).expect("a folder can be made");
    desk.write("exports/p.tsv", "id\tname\n1\tPot, round\n2\tPan\n");
    made(&desk, &["init", "shop", "--from", "exports/p.tsv"]);
    assert_eq!(desk.files(""), ["exports/p.tsv", "shop/p.yaml"]);
    assert!(text(&desk, "shop/p.yaml").contains("    tsv: \"../exports/p.tsv\""));
    assert_eq!(heroes(&desk, "shop/p.yaml"), 4);
}

#[test]
fn packshots_that_are_all_there_are_edited_instead_of_drawn_anew() {
    let desk = empty();
    fs::create_dir_all(desk.path().join("data/shots")).expect("a folder can be made");
    let image = image::RgbImage::from_pixel(640, 800, image::Rgb([200, 180, 160]));
    for name in ["pot", "pan"] {
        image.save(desk.path().join(format!("data/shots/{name}.png"))).expect("a picture can be written");
    }
    desk.write("data/p.csv", "sku,title,packshot\npot,Pot,shots/pot.png\npan,Pan,shots/pan.png\n");
    let said = made(&desk, &["init", "drop.yaml", "--from", "data/p.csv"]);
    assert!(said.out.contains("all there, and the start of an edit"), "{}", said.out);
    let campaign = text(&desk, "drop.yaml");
    assert!(campaign.contains("file: \"data/{{ sku.packshot }}\"") && campaign.contains("image: packshot"), "{campaign}");
    fs::remove_file(desk.path().join("data/shots/pan.png")).expect("a picture can go");
    let fewer = made(&desk, &["init", "other.yaml", "--from", "data/p.csv"]);
    assert!(fewer.out.contains("not all there"), "{}", fewer.out);
    assert!(text(&desk, "other.yaml").contains("generate:"));
}

#[test]
fn with_nothing_to_see_a_small_campaign_is_written_and_rehearsed() {
    let desk = empty();
    let said = desk.say(&["init", "--name", "first", "--rehearse"]);
    assert_eq!(said.code, 0, "{}", said.all());
    assert!(said.all().contains("6 pictures drawn, none bought"), "{}", said.all());
    assert!(desk.files("rehearsal/first").contains(&"teapot/front.jpg".to_owned()));
    let campaign = text(&desk, "first.yaml");
    let again = desk.say(&["init", "--name", "first"]);
    assert_eq!(again.code, 2);
    insta::assert_snapshot!("init_again", again.err);
    assert_eq!(text(&desk, "first.yaml"), campaign, "what is there is left as it is");
}

#[test]
fn what_cannot_be_used_is_said_and_nothing_is_written() {
    let desk = empty();
    desk.write("headless.csv", ",,\nJane,Doe,jane@example.com\n");
    desk.write("untitled.csv", "Handle,Title,Body (HTML),Variant SKU\nsneaker,,,\n");
    desk.write("twice.csv", "sku,price\na,1\na,1\n");
    desk.write("wide.csv", "sku,title\na,b\nc,d,e\n");
    desk.write("good.csv", "sku,title\na,A\n");
    desk.write("zip.csv", "PK\u{3}\u{4}\0\0");
    let mut all = String::new();
    for words in [
        &["init"] as &[&str],
        &["init", "--from", "none.csv"],
        &["init", "--from", "headless.csv"],
        &["init", "--from", "untitled.csv"],
        &["init", "--from", "twice.csv"],
        &["init", "--from", "wide.csv"],
        &["init", "--from", "zip.csv"],
        &["init", "x.yaml", "--from", "wide.csv", "--name", "No Name"],
        &["init", "x.yaml", "--from", "good.csv", "--provider", "nobody"],
    ] {
        let said = desk.say(words);
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{words:?}: {}", said.all());
        all += &format!("$ {}\n{}", words.join(" "), said.err);
    }
    insta::assert_snapshot!("init_refusals", all);
    assert_eq!(desk.files("").len(), 6);
}

#[test]
fn every_provider_gets_a_campaign_that_it_can_do() {
    let desk = empty();
    desk.write("p.csv", "sku,title\na,A\n");
    for provider in ["kie", "openai"] {
        made(&desk, &["init", &format!("{provider}.yaml"), "--from", "p.csv", "--provider", provider]);
        assert_eq!(desk.say(&["check", &format!("{provider}.yaml")]).code, 0);
    }
}
