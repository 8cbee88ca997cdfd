//! KIE: every image model of its documents, held against the schema that the documents give for its input, and the ways to hand pictures over.

use std::collections::BTreeSet;
use std::sync::Arc;

use callsheet::catalog::{Aspect, OperationCard};
use callsheet::provider::http::HttpProvider;
use callsheet::provider::manifest::builtin;
use callsheet::provider::{InputPicture, PictureSource, Provider as _, Shot, Slate, Submitted};
use callsheet::types::{
    Action, AttemptNo, BlobRef, Digest, Failure, FailureClass, IdempotencyKey, ImageFormat, ImageInfo, InputRole, JobKey, Paid, PixelSize, Ratio,
    Secret, Settings,
};
use futures_util::future::BoxFuture;

use super::{fast, shop};
use crate::buying::{CHAIN, Shop};
use crate::loopback::kie::{Kie, code};
use crate::loopback::kie_schema::{Field, MODELS};
use crate::loopback::{KEY, Loopback, LoopbackScript, Misdeed, Reply};

/// The same small picture for every input.
struct Picture(Vec<u8>);

impl PictureSource for Picture {
    fn open(&self, _: BlobRef) -> BoxFuture<'_, Result<Vec<u8>, Failure>> {
        Box::pin(async { Ok(self.0.clone()) })
    }
}

fn picture() -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image::RgbImage::new(8, 8).write_to(&mut bytes, image::ImageFormat::Png).expect("a small picture can be encoded");
    bytes.into_inner()
}

/// A counter at which all requests are made.
struct Counter {
    provider: HttpProvider,
    runtime: tokio::runtime::Runtime,
    picture: Arc<Picture>,
}

impl Counter {
    fn at(server: &Loopback) -> Self {
        let manifest = builtin("kie").expect("a built-in manifest");
        let book = callsheet::catalog::builtin::book("kie").expect("a built-in book");
        let own = Some(server.url.parse().expect("an address"));
        let provider = HttpProvider::new(&manifest, book, Secret::new(KEY.to_owned()), own).expect("it can be spoken to");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
        Self { provider, runtime, picture: Arc::new(Picture(picture())) }
    }

    /// Whether the server takes a request.
    fn takes(&self, model: &str, action: Action, settings: &Settings, prompt: &str, references: u32) -> Result<(), String> {
        let blob = BlobRef { digest: Digest::of(&self.picture.0), len: self.picture.0.len() as u64 };
        let info = ImageInfo { format: ImageFormat::Png, size: PixelSize::new(8, 8), alpha: false };
        let input = |role| InputPicture { role, blob, info };
        let mut inputs = Vec::new();
        if action != Action::Generate {
            inputs.push(input(InputRole::Image));
            inputs.extend((0..references).map(|index| input(InputRole::Reference(index))));
        }
        if action == Action::Inpaint {
            inputs.push(input(InputRole::Mask));
        }
        let takes_prompt = !matches!(action, Action::Upscale | Action::RemoveBackground);
        let shot = Shot {
            key: JobKey(Digest::of(b"a shot of the test")),
            attempt: AttemptNo(1),
            idempotency_key: IdempotencyKey::new("once"),
            paid: Arc::new(Paid { provider: "kie".into(), model: model.into(), action, settings: settings.clone() }),
            prompt: if takes_prompt { prompt.into() } else { "".into() },
            inputs,
            output: PixelSize::new(1024, 1024),
            slate: Slate { campaign: String::new(), step: String::new(), axes: Vec::new(), take: None, subject: String::new() },
            pictures: Arc::clone(&self.picture) as Arc<dyn PictureSource>,
        };
        match self.runtime.block_on(self.provider.submit(&shot)) {
            Ok(Submitted::Task(_)) => Ok(()),
            Ok(Submitted::Picture { .. } | Submitted::Arriving { .. }) => panic!("{model} answered with a picture"),
            Err(failure) if failure.class == FailureClass::Invalid => Err(failure.message),
            Err(failure) => panic!("{model}: {failure:?}"),
        }
    }
}

/// Every operation of the manifest.
fn operations() -> Vec<(String, Action, OperationCard)> {
    let models = builtin("kie").expect("a built-in manifest").models;
    let of = |(name, card): (Arc<str>, callsheet::catalog::ModelCard)| {
        card.operations.into_iter().map(move |(action, card)| (name.to_string(), action, card))
    };
    models.into_iter().flat_map(of).collect()
}

fn aspects(card: &OperationCard) -> Vec<Option<Ratio>> {
    let one = |aspect: &Aspect| match aspect {
        Aspect::Auto => None,
        Aspect::Ratio(ratio) => Some(*ratio),
    };
    let all: Vec<_> = card.aspects.iter().flatten().map(one).collect();
    if all.is_empty() { vec![None] } else { all }
}

#[test]
fn every_shape_and_size_that_a_card_offers_is_made_and_every_one_that_it_lacks_is_not() {
    let server = Loopback::start(LoopbackScript::of(Kie::default()));
    let counter = Counter::at(&server);
    let (mut made, mut missing) = (0, 0);
    for (name, action, card) in operations() {
        let resolutions: Vec<Option<Arc<str>>> = card.resolutions.iter().flatten().map(|(word, _)| Some(Arc::clone(word))).collect();
        for aspect in aspects(&card) {
            for resolution in if resolutions.is_empty() { vec![None] } else { resolutions.clone() } {
                let settings = card.settle(&Settings { aspect, resolution: resolution.clone(), ..Settings::default() });
                let unfit = card.fit(&settings, 5, 0);
                let taken = counter.takes(&name, action, &settings, "a cup", 0);
                assert_eq!(unfit.is_empty(), taken.is_ok(), "{name} {action} {aspect:?} {resolution:?}: card {unfit:?}, documents {taken:?}");
                if taken.is_ok() { made += 1 } else { missing += 1 }
            }
        }
    }
    assert!(made > 500 && missing >= 20, "{made} made, {missing} not");
}

#[test]
fn every_other_setting_that_a_card_offers_is_taken() {
    let server = Loopback::start(LoopbackScript::of(Kie::default()));
    let counter = Counter::at(&server);
    for (name, action, card) in operations() {
        let usual = card.settle(&Settings { seed: Some(7), ..Settings::default() });
        let usual = Settings { aspect: usual.aspect.or_else(|| aspects(&card).into_iter().flatten().next()), ..usual };
        let mut all = vec![usual.clone()];
        all.extend(card.qualities.iter().map(|word| Settings { quality: Some(Arc::clone(word)), ..usual.clone() }));
        all.extend(card.speeds.iter().map(|word| Settings { speed: Some(Arc::clone(word)), ..usual.clone() }));
        all.extend(card.scales.iter().map(|scale| Settings { scale: Some(*scale), ..usual.clone() }));
        all.extend(card.backgrounds.iter().map(|word| Settings { background: Some(Arc::clone(word)), ..usual.clone() }));
        all.extend(card.formats.iter().map(|format| Settings { format: Some(*format), ..usual.clone() }));
        for settings in all {
            assert_eq!(counter.takes(&name, action, &settings, "a cup", 0), Ok(()), "{name} {action} {settings:?}");
        }
    }
}

#[test]
fn limits_of_prompts_and_references_are_those_of_the_documents() {
    let server = Loopback::start(LoopbackScript::of(Kie::default()));
    let counter = Counter::at(&server);
    for (name, action, card) in operations() {
        let wire = card.wire.as_deref().expect("every model has a wire id");
        let documented = &MODELS[wire].input;
        assert_eq!(card.prompt_limit, documented.get("prompt").and_then(|field| field.max_length), "{name} {action}");
        let usual = card.settle(&Settings::default());
        let usual = Settings { aspect: usual.aspect.or_else(|| aspects(&card).into_iter().flatten().next()), ..usual };
        if let Some(limit) = card.prompt_limit.filter(|limit| *limit <= 20_000) {
            assert_eq!(counter.takes(&name, action, &usual, &"\u{e9}".repeat(limit), 0), Ok(()), "{name} {action}: as long as it may be");
            assert!(counter.takes(&name, action, &usual, &"\u{e9}".repeat(limit + 1), 0).is_err(), "{name} {action}: one more");
        }
        let most = documented.iter().filter(|(field, _)| Field::holds_pictures(field)).filter_map(|(_, field)| field.max_items).max();
        if let (Some(references), Some(most), true) = (card.max_references, most, action == Action::Edit) {
            assert_eq!(references as usize + 1, most, "{name} {action}");
            assert_eq!(counter.takes(&name, action, &usual, "a cup", references), Ok(()), "{name} {action}: as many as it may take");
            assert!(counter.takes(&name, action, &usual, "a cup", references + 1).is_err(), "{name} {action}: one more");
        }
    }
}

#[test]
fn what_is_documented_and_not_sold_is_known_by_name() {
    let sold: BTreeSet<String> = operations().into_iter().filter_map(|(_, _, card)| card.wire).map(|wire| wire.to_string()).collect();
    let missing: Vec<&str> = MODELS.keys().filter(|name| !sold.contains(*name)).map(String::as_str).collect();
    assert_eq!(
        missing,
        ["grok-imagine-image-2-0/image-edit", "grok-imagine-image-2-0/segment-map", "ideogram/v3-reframe", "seedream/5-pro-layer-decomposition"]
    );
    assert!(sold.iter().all(|name| MODELS.contains_key(name)), "{sold:?}");
}

#[test]
fn a_picture_goes_another_way_when_the_usual_one_is_closed() {
    let kie = || LoopbackScript::of(Kie::default());
    let closed = || Misdeed::Answer(code(500, "upload failed"));
    let shop = Shop::kie(CHAIN, kie().always("file-stream-upload", closed()));
    shop.run(&[], 0);
    shop.agrees("chain");
    assert_eq!(["file-stream-upload", "file-base64-upload", "file-url-upload"].map(|path| shop.server.asked(path)), [2, 2, 0]);

    let shop = Shop::kie(CHAIN, kie().always("file-stream-upload", closed()).always("file-base64-upload", Misdeed::Answer(Reply::status(413))));
    shop.run(&[], 0);
    shop.agrees("chain");
    assert_eq!(["file-stream-upload", "file-base64-upload", "file-url-upload"].map(|path| shop.server.asked(path)), [2, 2, 2]);
}

#[test]
fn a_mask_that_is_redrawn_is_handed_over_as_it_is_drawn_and_is_another_picture_than_its_source() {
    let campaign = r#"
callsheet: 1
campaign: masked
provider: fast.yaml
steps:
  hole: { load: { file: mask.png } }
  mended: { edit: { image: hole, mask: hole, prompt: "a handle", model: ideogram-v3 } }
"#;
    let shop = shop("kie", campaign, LoopbackScript::of(Kie::default()));
    let mask = image::RgbaImage::from_fn(64, 64, |x, _| image::Rgba(if x < 32 { [9, 9, 9, 0] } else { [9, 9, 9, 255] }));
    mask.save(shop.desk.path().join("campaigns/mask.png")).expect("a small picture can be written");
    let white = fast("kie").replacen("  pictures: upload\n", "  pictures: upload\n  masks: white\n", 1);
    shop.desk.write("campaigns/fast.yaml", white);
    shop.run(&[], 0);
    assert_eq!(shop.server.books().violations, [""; 0]);
    let uploads = shop.server.requests().into_iter().filter(|request| request.path.ends_with("file-stream-upload"));
    let mut colors: Vec<(image::ColorType, [u8; 4])> = uploads
        .map(|request| {
            let parts = request.form().expect("a form");
            let file = parts.iter().find(|part| part.name == "file").expect("a file");
            let picture = image::load_from_memory(&file.bytes).expect("a picture");
            (picture.color(), picture.to_rgba8().get_pixel(0, 0).0)
        })
        .collect();
    colors.sort_by_key(|(color, _)| color.channel_count());
    assert_eq!(colors, [(image::ColorType::L8, [255; 4]), (image::ColorType::Rgba8, [9, 9, 9, 0])]);
}
