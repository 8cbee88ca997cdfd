//! What a good answer means that brings no picture, or none that counts: a refusal, mostly.
//!
//! In: the `endings` of a call, an answer. Out: the rule that fits and the word that it was recognised by.
//! Never: an answer without a picture taken for one that cost nothing.

use reqwest::header::HeaderMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::place::Place;
use super::protocol::{Plain, Verdict};
use crate::provider::manifest::Known;

/// One meaning of an answer that is good by its status. Without `at` and `header` it fits every answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct EndRule {
    /// Where in the body a word stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Place>,
    /// In which header a word stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// The words, compared as text; absent: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub is: Vec<Plain>,
    /// Whether it holds even if the answer brings a picture, such as a blurred one; otherwise only if there is none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub despite_picture: bool,
    /// What it means: `refused`, `failed`, `invalid`, `account` or `ambiguous`.
    pub class: Verdict,
    /// Whether it was charged, where the answer has no figure; absent: as the class usually is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billed: Option<Known>,
}

impl EndRule {
    /// Returns the word by which an answer is recognised (a truth value with its name), empty for a rule that fits every answer; `None` if it
    /// does not fit.
    pub fn fits(&self, body: &Value, headers: &HeaderMap) -> Option<String> {
        let said = match (&self.at, &self.header) {
            (Some(at), _) => at.plains(body),
            (None, Some(name)) => headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).map(|text| text.trim().to_owned()).collect(),
            (None, None) => return Some(String::new()),
        };
        let word = said.into_iter().find(|said| self.is.is_empty() || self.is.iter().any(|word| word.0 == *said))?;
        let name = self.at.as_ref().and_then(Place::name).filter(|_| matches!(word.as_str(), "true" | "false"));
        Some(name.map_or(word.clone(), |name| format!("{name}={word}")))
    }

    /// Returns whether the class can be that of an answer that was taken on: what was never accepted has no such answer.
    pub fn is_an_end(&self) -> bool {
        matches!(self.class, Verdict::Refused | Verdict::Failed | Verdict::Invalid | Verdict::Account | Verdict::Ambiguous)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;
    use serde_json::json;

    fn fits(rule: &str, body: Value) -> Option<String> {
        let rule: EndRule = serde_yaml::from_str(rule).unwrap_or_else(|error| panic!("{error}"));
        let mut headers = HeaderMap::new();
        headers.insert("finish-reason", HeaderValue::from_static("CONTENT_FILTERED"));
        rule.fits(&body, &headers)
    }

    #[test]
    fn a_refusal_inside_a_good_answer_is_recognised_by_its_word() {
        let reason = "{ at: '/candidates/*/finishReason', is: [SAFETY, IMAGE_SAFETY], class: refused }";
        assert_eq!(
            fits(reason, json!({ "candidates": [{ "finishReason": "STOP" }, { "finishReason": "IMAGE_SAFETY" }] })).as_deref(),
            Some("IMAGE_SAFETY")
        );
        assert_eq!(fits(reason, json!({ "candidates": [{ "finishReason": "STOP" }] })), None);
        assert_eq!(
            fits("{ at: '/data/*/is_image_safe', is: [false], class: refused }", json!({ "data": [{ "is_image_safe": false }] })).as_deref(),
            Some("is_image_safe=false")
        );
        assert_eq!(
            fits("{ at: /promptFeedback/blockReason, class: refused }", json!({ "promptFeedback": { "blockReason": "OTHER" } })).as_deref(),
            Some("OTHER")
        );
        assert_eq!(fits("{ at: /promptFeedback/blockReason, class: refused }", json!({ "promptFeedback": {} })), None);
        assert_eq!(fits("{ header: finish-reason, is: [CONTENT_FILTERED], class: refused }", json!(null)).as_deref(), Some("CONTENT_FILTERED"));
        assert_eq!(fits("{ class: refused }", json!(null)).as_deref(), Some(""), "a rule that asks for nothing fits all");
    }
}
