//! The readers, each with inputs that it takes.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use callsheet::campaign::{Roots, Template, resolve};
use callsheet::catalog::builtin::{book, book_text};
use callsheet::catalog::{Catalog, PriceBook};
use callsheet::imaging::{Limits, decode, verify};
use callsheet::ledger::{JobState, Record};
use callsheet::plan::{Assets, SavedPlan, build};
use callsheet::provider::http::HttpProvider;
use callsheet::provider::manifest::{Manifest, builtin, builtin_text};
use callsheet::provider::{PictureSource, Shot, Slate};
use callsheet::spec::{MemoryFiles, load};
use callsheet::types::{
    Action, AttemptNo, BlobRef, Digest, DocId, Failure, FailureClass, FieldPath, IdempotencyKey, JobKey, Paid, PixelSize, Ratio, Secret, Settings,
    Timestamp,
};
use futures_util::future::BoxFuture;

/// Says whether an input is right.
type Read = Box<dyn Fn(&[u8]) -> bool>;

/// One reader.
pub struct Target {
    name: &'static str,
    seeds: Vec<Vec<u8>>,
    read: Read,
    is_png: bool,
}

impl Target {
    fn new(name: &'static str, seeds: Vec<Vec<u8>>, read: impl Fn(&[u8]) -> bool + 'static) -> Self {
        Self { name, seeds, read: Box::new(read), is_png: false }
    }

    fn of_texts(name: &'static str, seeds: &[&str], read: impl Fn(&str) -> bool + 'static) -> Self {
        // What is read as text by all callers is read from text that was checked to be some.
        Self::new(name, seeds.iter().map(|text| text.as_bytes().to_vec()).collect(), move |bytes| read(&String::from_utf8_lossy(bytes)))
    }

    /// What it reads.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Inputs that are right.
    pub fn seeds(&self) -> &[Vec<u8>] {
        &self.seeds
    }

    /// Whether inputs have checksums to be sealed.
    pub fn is_png(&self) -> bool {
        self.is_png
    }

    /// Reads an input, and returns whether it was taken for right.
    pub fn read(&self, input: &[u8]) -> bool {
        (self.read)(input)
    }
}

const CAMPAIGN: &str = include_str!("cup.yaml");
const TABLE: &str = include_str!("cups.csv");
const PLAN: &str = include_str!("plan.json");
const SPRING: &str = include_str!("../../../campaigns/spring-drop.yaml");
const SPRING_TABLE: &str = include_str!("../../../campaigns/data/spring-skus.csv");

/// Returns all targets.
pub fn targets() -> Vec<Target> {
    let mut all = vec![
        Target::new("campaign", texts(&[CAMPAIGN, SPRING]), |bytes| campaign(bytes, SPRING_TABLE.as_bytes())),
        Target::new("table", texts(&[TABLE, SPRING_TABLE]), |bytes| campaign(CAMPAIGN.as_bytes(), bytes)),
        Target::of_texts("template", TEMPLATES, template),
        Target::of_texts("price book", &[text_of_book("kie"), text_of_book("openai"), text_of_book("bestphoto-hd")], |text| {
            PriceBook::parse(DocId::CAMPAIGN, text).is_ok()
        }),
        Target::of_texts("manifest", &[text_of_manifest("kie"), text_of_manifest("openai")], |text| Manifest::read(DocId::CAMPAIGN, text).is_ok()),
        Target::of_texts("saved plan", &[PLAN], |text| {
            let Ok(plan) = SavedPlan::read(DocId::CAMPAIGN, text) else { return false };
            assert!(SavedPlan::read(DocId::CAMPAIGN, &plan.to_text()).is_ok(), "a plan that was read cannot be read again");
            true
        }),
        Target::new("ledger record", RECORDS.iter().map(|text| text.as_bytes().to_vec()).collect(), record),
    ];
    for (name, format) in [("PNG", image::ImageFormat::Png), ("JPEG", image::ImageFormat::Jpeg), ("WebP", image::ImageFormat::WebP)] {
        let mut target = Target::new(name, pictures(format), picture);
        target.is_png = name == "PNG";
        all.push(target);
    }
    for (name, provider, seeds) in [("answer with a task", "kie", TASK_ANSWERS), ("answer with a picture", "openai", PICTURE_ANSWERS)] {
        let (reader, shot) = (reader(provider), shot(provider));
        all.push(Target::new(name, texts(seeds), move |bytes| {
            let read = |status| reader.read_submit(&shot, status, bytes).is_ok() | reader.read_poll(status, bytes).is_ok();
            [200, 400, 429, 500].map(read).contains(&true)
        }));
    }
    all
}

fn texts(all: &[&str]) -> Vec<Vec<u8>> {
    all.iter().map(|text| text.as_bytes().to_vec()).collect()
}

fn text_of_book(name: &str) -> &'static str {
    book_text(name).expect("a built-in book")
}

fn text_of_manifest(name: &str) -> &'static str {
    builtin_text(name).expect("a built-in manifest")
}

/// Reads a campaign with its table, settles it, and plans it, if it is none of the large ones.
fn campaign(yaml: &[u8], table: &[u8]) -> bool {
    let files = MemoryFiles::new().with("c.yaml", yaml).with("cups.csv", table).with("data/spring-skus.csv", table);
    let Ok(loaded) = load(Path::new("c.yaml"), &files).result else { return false };
    let manifest = builtin("kie").expect("a built-in manifest");
    let catalog = Catalog::new("kie", manifest.models, book("kie").expect("a built-in book"));
    let today = "2026-11-22".parse().expect("a date");
    let Ok(resolved) = resolve(&loaded.spec, &loaded.tables, &catalog, None, today) else { return false };
    build(&resolved.campaign, &catalog, &Assets::default()).is_ok()
}

const TEMPLATES: &[&str] = &[
    "{{ sku.title }} in {{ sku[\"Body (HTML)\"] | striptags | default(\"oak\") }}, {\"json\": {\"a\": 1}}",
    "{% for word in sku.title | split(\" \") %}{{ loop.index }} {{ word | upper | slug }}{% if not loop.last %}, {% endif %}{% endfor %}",
    "{% if sku.price | float > 100 %}dear{% elif sku.price %}fair{% else %}{{ 'x' * 3 }}{% endif %} {{ keep }} {{ [1,2,3] | join('-') }}",
];

/// Values of a step.
struct Names;

impl Roots for Names {
    fn root(&self, name: &str) -> Option<minijinja::Value> {
        match name {
            "sku" => Some(minijinja::Value::from(BTreeMap::from([("title", "A red cup"), ("price", "12.5"), ("Body (HTML)", "<b>oak</b>")]))),
            "keep" => Some(minijinja::Value::from("identical shape")),
            _ => None,
        }
    }
}

fn template(text: &str) -> bool {
    let roots: Arc<dyn Roots> = Arc::new(Names);
    let Ok(template) = Template::compile(text, FieldPath::campaign()) else { return false };
    drop(template.roots());
    template.render(&roots).is_ok()
}

const RECORDS: &[&str] = &[
    r#"{"intent":{"card":{"campaign":"c","job":"draft[cup=red]#2","step":"draft","axes":[["cup","red"]],"take":2,"provider":"kie","model":"m","operation":"generate","aspect":"1:1","resolution":"1K","quality":null,"unpriced":false},"attempt":1,"idempotency_key":"once","quoted":{"currency":"credits:kie","micros":"6"},"reserved":{"currency":"credits:kie","micros":"6"},"deadline":1795340700000}}"#,
    r#"{"accepted":{"attempt":1,"task":"281e"}}"#,
    r#"{"failed":{"attempt":1,"failure":{"class":"failed","code":"501","message":"no","retry_after":null,"billed":{"yes":"6"}},"charged":"6","refunded":"0"}}"#,
    r#"{"in-doubt":{"attempt":1,"failure":{"class":"ambiguous","code":"no-answer","message":"","retry_after":{"secs":1,"nanos":5},"billed":"maybe"}}}"#,
    r#"{"settled":{"attempt":1,"charged":"0","refunded":"6","evidence":"the user's word"}}"#,
];

fn record(bytes: &[u8]) -> bool {
    let Ok(record) = serde_json::from_slice::<Record>(bytes) else { return false };
    drop(JobState::Untried.next(&record, Timestamp::from_millis(1_795_340_700_000)));
    serde_json::to_string(&record).is_ok()
}

fn pictures(format: image::ImageFormat) -> Vec<Vec<u8>> {
    let written = |picture: image::DynamicImage| {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).expect("a small picture can be written");
        bytes.into_inner()
    };
    let rgb = image::RgbImage::from_fn(23, 17, |x, y| image::Rgb([(x * 9) as u8, (y * 13) as u8, (x * y) as u8]));
    let mut all = vec![written(rgb.clone().into()), written(image::RgbImage::from_pixel(64, 3, image::Rgb([7; 3])).into())];
    if format != image::ImageFormat::Jpeg {
        all.push(written(image::DynamicImage::ImageRgb8(rgb).into_rgba8().into()));
    }
    if format == image::ImageFormat::Png {
        all.push(written(image::ImageBuffer::<image::Luma<u16>, _>::from_fn(9, 9, |x, y| image::Luma([(x * y * 700) as u16])).into()));
    }
    all
}

fn picture(bytes: &[u8]) -> bool {
    // Small enough that what is within the usual limits does not keep the fuzzer busy.
    let limits = Limits { pixels: 1 << 20, ..Limits::default() };
    let (seen, shown) = (verify(bytes, &limits), decode(bytes, &limits));
    if let (Ok(info), Ok(picture)) = (&seen, &shown) {
        assert_eq!(info.size, picture.size(), "two sizes of one picture");
    }
    seen.is_ok() && shown.is_ok()
}

const TASK_ANSWERS: &[&str] = &[
    r#"{"code":200,"msg":"success","data":{"taskId":"281e5b0f","recordId":"ffff"}}"#,
    r#"{"code":200,"msg":"success","data":{"taskId":"281e","model":"m","state":"success","resultJson":"{\"resultUrls\":[\"https://a.example/1.png\"]}","creditsConsumed":6.0,"failCode":null}}"#,
    r#"{"code":200,"msg":"success","data":{"taskId":"281e","state":"fail","resultJson":"","creditsConsumed":0,"failCode":"430","failMsg":"violates our content policy"}}"#,
    r#"{"code":429,"msg":"too fast","data":null}"#,
];

const PICTURE_ANSWERS: &[&str] = &[
    r#"{"created":1776916481,"size":"1024x1024","data":[{"b64_json":"aGVsbG8="}],"usage":{"input_tokens":10,"input_tokens_details":{"image_tokens":2,"text_tokens":8},"output_tokens":1756,"output_tokens_details":{"image_tokens":1756,"text_tokens":0},"total_tokens":1766}}"#,
    r#"{"error":{"message":"rejected by the safety system","type":"image_generation_user_error","param":null,"code":"moderation_blocked"}}"#,
];

fn reader(provider: &str) -> HttpProvider {
    let manifest = builtin(provider).expect("a built-in manifest");
    let own = "http://127.0.0.1:1".parse().expect("an address");
    HttpProvider::new(&manifest, book(provider).expect("a built-in book"), Secret::new("key".to_owned()), Some(own)).expect("it can be spoken to")
}

/// No shot here has an input.
struct NoPictures;

impl PictureSource for NoPictures {
    fn open(&self, _: BlobRef) -> BoxFuture<'_, Result<Vec<u8>, Failure>> {
        Box::pin(async { Err(Failure::new(FailureClass::Local, "none", "no picture goes along")) })
    }
}

fn shot(provider: &str) -> Shot {
    Shot {
        key: JobKey(Digest::of(b"a shot of the fuzzer")),
        attempt: AttemptNo(1),
        idempotency_key: IdempotencyKey::new("once"),
        paid: Arc::new(Paid {
            provider: provider.into(),
            model: "gpt-image-2".into(),
            action: Action::Generate,
            settings: Settings { aspect: Some(Ratio::new(1, 1)), resolution: Some("1K".into()), ..Settings::default() },
        }),
        prompt: "a cup".into(),
        inputs: Vec::new(),
        output: PixelSize::new(1024, 1024),
        slate: Slate { campaign: String::new(), step: String::new(), axes: Vec::new(), take: None, subject: String::new() },
        pictures: Arc::new(NoPictures),
    }
}
