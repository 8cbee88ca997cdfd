//! A provider as data: who it is, what its account allows, what it charges for, what its models can do.
//!
//! In: YAML, embedded or a user's. Out: [`Manifest`].
//! Never: a key (only the name of the variable that holds it), a price (that is a book's).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::http::check;
use super::http::protocol::Protocol;
use super::lint;
use crate::catalog::ModelCard;
use crate::catalog::book::misread;
use crate::types::{Diagnostics, DocId, Severity};

/// One provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Manifest {
    /// Its name in campaigns.
    #[serde(rename = "provider")]
    pub id: Arc<str>,
    /// The name that people know.
    pub title: String,
    /// The environment variable that holds the key.
    pub key_env: String,
    /// Hosts of the API; the key is sent nowhere else.
    pub hosts: Vec<String>,
    /// Hosts that finished pictures are fetched from, without the key.
    #[serde(default)]
    pub result_hosts: Vec<String>,
    /// What the account allows.
    #[serde(default)]
    pub limits: Limits,
    /// What is charged, and when.
    pub charge: ChargePolicy,
    /// Whether a repeated submit with the same idempotency key is charged once, for a day at least.
    #[serde(default)]
    pub idempotency: bool,
    /// Whether the outcome of a lost submit can be found out without its task id.
    #[serde(default)]
    pub task_lookup: bool,
    /// How long a finished picture can be fetched; absent: it comes with the answer and only then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_ttl: Option<Span>,
    /// When a task is asked after; absent: the answer to the submit is the picture, or its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poll: Option<PollCurve>,
    /// The price book that applies unless a campaign names another.
    pub prices: Arc<str>,
    /// How it is spoken to; without it campaigns can be planned and rehearsed, not bought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<Protocol>,
    /// What its models can do, by the catalog's name.
    pub models: BTreeMap<Arc<str>, ModelCard>,
}

/// What a provider's account allows.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Limits {
    /// Windows of submits; all hold at once.
    #[serde(default)]
    pub windows: Vec<Window>,
    /// Most tasks in flight; absent: not stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub places: Option<u32>,
}

/// At most `count` submits in any `span`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Window {
    /// How many.
    pub count: u32,
    /// In how long.
    pub span: Span,
}

/// What is charged, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ChargePolicy {
    /// The moment at which the price is taken.
    pub on: ChargedOn,
    /// Whether a failed task gives it back.
    pub refund_on_failure: Known,
    /// Whether a request refused by moderation costs something.
    pub moderation_charged: Known,
    /// Whether a submit without an answer may have been charged.
    pub ambiguous_on_timeout: bool,
}

/// The moment at which a price is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ChargedOn {
    /// When the request is accepted.
    Submit,
    /// When the picture is ready.
    Success,
}

/// What a provider says, or does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(title = "Known or not")]
pub enum Known {
    /// It says yes.
    Yes,
    /// It says no.
    No,
    /// It does not say.
    Unknown,
}

/// When a task is asked after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PollCurve {
    /// How long after the submit the first question comes.
    pub start: Span,
    /// How often then, by the age of the task; in order of age.
    pub steps: Vec<PollStep>,
    /// The age after which this run asks no more; the task id is kept and a later run goes on.
    pub deadline: Span,
    /// How long the provider may not know a task that it has accepted; after that it is believed, and the shot is in doubt.
    #[serde(default = "PollCurve::usual_unseen")]
    pub unseen: Span,
}

/// One stretch of a poll curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PollStep {
    /// The age from which it holds.
    pub from: Span,
    /// How long between two questions.
    pub every: Span,
}

impl PollCurve {
    /// How long a fresh task may be unknown unless the manifest says otherwise, 1 minute.
    pub const UNSEEN: Span = Span(Duration::from_secs(60));

    const fn usual_unseen() -> Span {
        Self::UNSEEN
    }

    /// Returns a curve without a pause before the first question, for pictures that are ready.
    fn at_once() -> Self {
        let every = Span(Duration::from_secs(1));
        Self {
            start: Span(Duration::ZERO),
            steps: vec![PollStep { from: every, every }],
            deadline: Span(Duration::from_secs(600)),
            unseen: Self::UNSEEN,
        }
    }

    /// Returns how long to wait before the next question about a task of this age; `None` past the deadline.
    pub fn wait(&self, age: Duration) -> Option<Duration> {
        if age >= self.deadline.0 {
            return None;
        }
        if age < self.start.0 {
            return Some(self.start.0.saturating_sub(age));
        }
        let step = self.steps.iter().rev().find(|step| step.from.0 <= age).or(self.steps.first());
        Some(step.map_or(self.start.0, |step| step.every.0))
    }
}

/// A length of time, written `250ms`, `10s`, `15m` or `24h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

/// Units of a span, largest first, in milliseconds.
const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl std::str::FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("`{text}` is not a span like `250ms`, `10s`, `15m` or `24h`");
        let digits = text.find(|letter: char| !letter.is_ascii_digit()).ok_or_else(wrong)?;
        let (count, unit) = text.split_at(digits);
        let count: u64 = count.parse().map_err(|_| wrong())?;
        let (_, millis) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        count.checked_mul(*millis).map(|millis| Self(Duration::from_millis(millis))).ok_or_else(wrong)
    }
}

impl std::fmt::Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let total = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        let (unit, millis) = UNITS.into_iter().find(|(_, millis)| total >= *millis && total.is_multiple_of(*millis)).unwrap_or(("ms", 1));
        write!(f, "{}{unit}", total / millis)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl schemars::JsonSchema for Span {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "description": "A length of time.", "type": "string", "pattern": "^[0-9]+(ms|s|m|h)$", "examples": ["250ms", "10s", "15m", "24h"] })
    }
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// The reader's own error, with path and line.
    pub fn parse(text: &str) -> Result<Self, serde_yaml::Error> {
        serde_yaml::from_str(text).map(Self::named)
    }

    /// Reads a user's manifest; mistakes carry the path to them in `doc`.
    ///
    /// # Errors
    /// What is wrong and where.
    pub fn read(doc: DocId, text: &str) -> Result<Self, Diagnostics> {
        let deserializer = serde_yaml::Deserializer::from_str(text);
        let manifest = serde_path_to_error::deserialize(deserializer).map(Self::named).map_err(|error| misread(doc, &error))?;
        let mut found = check::check(&manifest, doc);
        // What is only odd is told by a check of its own.
        lint::lint(&manifest, doc).into_iter().filter(|one| one.severity == Severity::Error).for_each(|wrong| found.push(wrong));
        if found.has_errors() { Err(found) } else { Ok(manifest) }
    }

    /// Reads a user's manifest for a check of its own: what is wrong with it, and what is only odd.
    pub fn checked(doc: DocId, text: &str) -> (Option<Self>, Diagnostics) {
        let deserializer = serde_yaml::Deserializer::from_str(text);
        match serde_path_to_error::deserialize(deserializer).map(Self::named) {
            Err(error) => (None, misread(doc, &error).into()),
            Ok(manifest) => {
                let mut found = check::check(&manifest, doc);
                found.extend(lint::lint(&manifest, doc));
                (Some(manifest), found)
            }
        }
    }

    /// Returns when a task is asked after: as the manifest says, and at once where what waits is a picture at an address.
    pub fn curve(&self) -> Option<PollCurve> {
        let hands_addresses = self.http.as_ref().is_some_and(Protocol::hands_addresses);
        self.poll.clone().or_else(|| hands_addresses.then(PollCurve::at_once))
    }

    /// Returns the JSON Schema of a manifest, generated from the types.
    pub fn schema() -> schemars::Schema {
        schemars::schema_for!(Self)
    }

    /// Gives each model card the name that it stands under.
    fn named(mut manifest: Self) -> Self {
        manifest.models = std::mem::take(&mut manifest.models).into_iter().map(|(name, card)| (Arc::clone(&name), card.named(&name))).collect();
        manifest
    }
}

/// Returns the text of a manifest without what stands as `key-env` and is no name of a variable: it may be the key itself, and a mistake
/// is shown with its line. Each character becomes a `-`, so that every place stays what it was and the text is still YAML.
pub fn without_keys(text: &str) -> String {
    let masked = |line: &str| {
        let Some((before, value)) = line.split_once("key-env:") else { return line.to_owned() };
        let (value, comment) = value.split_once(" #").map_or((value, String::new()), |(value, comment)| (value, format!(" #{comment}")));
        let name = value.trim().trim_matches(['"', '\'']);
        let value = if is_variable(name) {
            value.to_owned()
        } else {
            value.chars().map(|char| if char.is_whitespace() || "\"'".contains(char) { char } else { '-' }).collect()
        };
        format!("{before}key-env:{value}{comment}")
    };
    text.split_inclusive('\n').map(masked).collect()
}

/// Returns whether an environment variable can be called so.
pub(super) fn is_variable(name: &str) -> bool {
    !name.starts_with(|first: char| first.is_ascii_digit()) && name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_')
}

/// Name and text of each embedded manifest.
macro_rules! manifests {
    ($($name:literal),* $(,)?) => {
        const MANIFESTS: &[(&str, &str)] = &[$(($name, include_str!(concat!("manifests/", $name, ".yaml")))),*];
        const NAMES: &[&str] = &[$($name),*];
    };
}

manifests!["bfl", "fal", "gemini", "ideogram", "imagineart", "kie", "openai", "qolaba", "recraft", "replicate", "stability", "xai"];

/// Returns the embedded manifest called `name`.
pub fn builtin(name: &str) -> Option<Manifest> {
    let (_, text) = MANIFESTS.iter().find(|(known, _)| *known == name)?;
    Some(Manifest::parse(text).expect("a test reads every embedded manifest"))
}

/// Returns the text of the embedded manifest called `name`.
pub fn builtin_text(name: &str) -> Option<&'static str> {
    MANIFESTS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// Returns the names of the embedded manifests, in order.
pub fn builtin_names() -> &'static [&'static str] {
    NAMES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Aspect, Unfit};
    use crate::types::{Action, Ratio, Settings};

    #[test]
    fn every_embedded_manifest_reads_well_and_names_itself() {
        for name in builtin_names() {
            let manifest = builtin(name).expect("a name of the list");
            assert_eq!(&*manifest.id, *name);
            assert!(!manifest.models.is_empty() && !manifest.hosts.is_empty());
            assert!(manifest.models.iter().all(|(name, card)| card.id == *name && !card.title.is_empty()));
        }
        assert_eq!(builtin("no-such-provider"), None);
    }

    #[test]
    fn wire_ids_belong_to_one_model_and_action_each() {
        let manifest = builtin("kie").expect("an embedded manifest");
        let mut seen = std::collections::BTreeMap::new();
        for (name, card) in &manifest.models {
            for (action, operation) in &card.operations {
                let wire = operation.wire.clone().unwrap_or_else(|| panic!("{name} {action} has no wire id"));
                let owner = seen.entry(wire).or_insert(name);
                assert_eq!(*owner, name);
            }
        }
    }

    #[test]
    fn gpt_image_2_at_kie_has_its_published_holes() {
        let manifest = builtin("kie").expect("an embedded manifest");
        let card = &manifest.models["gpt-image-2"];
        let hole = |action: Action, aspect: Option<Ratio>, resolution: &str| {
            let settings = Settings { aspect, resolution: Some(resolution.into()), ..Settings::default() };
            matches!(card.operations[&action].fit(&settings, 0, 0).as_slice(), [Unfit::Hole { .. }])
        };
        for action in [Action::Generate, Action::Edit] {
            assert!(hole(action, Some(Ratio::new(1, 1)), "4K") && !hole(action, Some(Ratio::new(1, 1)), "2K"));
            assert!(hole(action, Some(Ratio::new(4, 5)), "2K") && !hole(action, Some(Ratio::new(4, 5)), "1K"));
            assert!(hole(action, None, "2K") && !hole(action, None, "1K"));
            assert!(!hole(action, Some(Ratio::new(16, 9)), "4K"));
        }
        assert!(hole(Action::Generate, Some(Ratio::new(3, 1)), "2K") && !hole(Action::Edit, Some(Ratio::new(3, 1)), "2K"));
        assert_eq!(card.operations[&Action::Edit].max_references, Some(15));
        assert!(card.operations[&Action::Edit].aspects.as_ref().is_some_and(|aspects| aspects.contains(&Aspect::Auto)));
    }

    #[test]
    fn models_that_are_about_to_go_say_when_and_what_follows() {
        let manifest = builtin("openai").expect("an embedded manifest");
        let card = &manifest.models["gpt-image-1-mini"];
        assert_eq!((card.shutdown, card.successor.as_deref()), (Some(jiff::civil::date(2026, 12, 1)), Some("gpt-image-2")));
        assert_eq!(manifest.models["gpt-image-2"].shutdown, None);
    }

    #[test]
    fn polling_slows_down_with_age_and_ends() {
        let curve = builtin("kie").and_then(|manifest| manifest.poll).expect("a curve in the manifest");
        let wait = |seconds: u64| curve.wait(Duration::from_secs(seconds)).map(|span| span.as_secs());
        assert_eq!([0, 1, 3, 29, 30, 119, 120, 899, 900].map(wait), [Some(3), Some(2), Some(3), Some(3), Some(8), Some(8), Some(20), Some(20), None]);
    }

    #[test]
    fn what_may_be_a_key_is_masked_at_its_place() {
        let text = "provider: a\nkey-env: sk-live_1 # mine\r\nkey-env: \"STUDIO_KEY\"\n  key-env: 'sk-2'\n";
        assert_eq!(without_keys(text), "provider: a\nkey-env: --------- # mine\r\nkey-env: \"STUDIO_KEY\"\n  key-env: '----'\n");
    }

    #[test]
    fn a_picture_that_waits_at_an_address_is_asked_after_at_once() {
        let curve = builtin("xai").and_then(|manifest| manifest.curve()).expect("its answers are addresses");
        assert_eq!((curve.start, curve.wait(Duration::ZERO)), (Span(Duration::ZERO), Some(Duration::from_secs(1))));
        assert_eq!(builtin("gemini").and_then(|manifest| manifest.curve()), None, "its answers are pictures");
    }

    #[test]
    fn spans_are_written_as_they_are_read() {
        for text in ["250ms", "10s", "15m", "24h", "90s", "0ms"] {
            assert_eq!(text.parse::<Span>().map(|span| span.to_string()), Ok(text.to_owned()));
        }
        assert_eq!("3600s".parse::<Span>().map(|span| span.to_string()), Ok("1h".to_owned()));
        for text in ["10", "s", "10 s", "-1s", "1d", "99999999999999999999s", "9999999999999999h"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_key_that_nothing_reads_is_refused() {
        let text = builtin_text("kie").expect("an embedded manifest").replacen("idempotency:", "idempotent:", 1);
        assert!(Manifest::parse(&text).is_err_and(|error| error.to_string().contains("unknown field `idempotent`")));
    }
}
