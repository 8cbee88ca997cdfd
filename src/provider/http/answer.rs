//! What an answer means: success, a failure of a class, a figure.
//!
//! In: status, headers and body of an answer, the places and rules of a manifest. Out: a body to read, or a classed [`Failure`].
//! Never: HTTP 200 taken for success by itself; a charge taken for granted; a doubt about a paid request taken for a no.

use std::time::{Duration, SystemTime};

use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde_json::Value;

use super::ending::EndRule;
use super::place::Place;
use super::protocol::{Call, ErrorPlaces, ErrorRule, Plain, Protocol};
use super::waits::{self, LONGEST};
use crate::provider::manifest::Known;
use crate::types::{Billed, Failure, FailureClass, Micros, Secret};

/// Most characters of a provider's message that are kept.
const MESSAGE_MOST: usize = 500;

/// Most characters of a provider's code that are kept.
const CODE_MOST: usize = 64;

/// An answer that came whole.
#[derive(Debug)]
pub(super) struct Answer {
    /// HTTP status.
    pub(super) status: u16,
    /// How long we are asked to wait.
    pub(super) retry_after: Option<Duration>,
    /// Headers: some say what was charged, some what an error means.
    pub(super) headers: HeaderMap,
    /// The body as JSON, or why it is none.
    pub(super) body: Result<Value, String>,
}

/// Reads the answers of one provider.
pub(super) struct Reader<'a> {
    pub(super) protocol: &'a Protocol,
    /// Blotted out wherever a provider repeats it.
    pub(super) key: &'a Secret,
}

/// What a body says about an error.
#[derive(Debug, Default)]
struct Complaint {
    code: Option<String>,
    kind: Option<String>,
    message: Option<String>,
    wait: Option<Duration>,
}

impl Complaint {
    fn read(body: &Value, places: &ErrorPlaces) -> Self {
        let first = |places: &[Place]| places.iter().find_map(|place| place.text(body));
        // Some errors are a plain sentence instead of JSON.
        let sentence = || body.as_str().map(str::to_owned);
        let wait = first(&places.wait).and_then(|text| waits::told(&text));
        Self { code: first(&places.code), kind: first(&places.kind), message: first(&places.message).or_else(sentence), wait }
    }
}

impl Reader<'_> {
    /// Returns the body of a good answer.
    ///
    /// # Errors
    /// The classed failure that the answer tells.
    pub(super) fn good(&self, call: Call, answer: Answer) -> Result<Value, Failure> {
        let Answer { status, retry_after, headers, body } = answer;
        let accepted = (200..300).contains(&status);
        match body {
            Ok(body) if accepted && self.succeeds(&body) => Ok(body),
            Ok(body) => {
                let complaint = Complaint::read(&body, &self.protocol.error);
                Err(self.failure(call, status, retry_after, &headers, complaint))
            }
            Err(why) if accepted => {
                let class = if call == Call::Submit { FailureClass::Ambiguous } else { FailureClass::Transient };
                Err(self.told(class, "unreadable", &format!("the answer cannot be read: {why}"), billed_as(class, None), retry_after))
            }
            Err(_) => Err(self.failure(call, status, retry_after, &headers, Complaint::default())),
        }
    }

    /// Returns whether a body with a good HTTP status is one of success.
    pub(super) fn succeeds(&self, body: &Value) -> bool {
        self.agrees(body) && self.protocol.failed_if.iter().all(|place| place.find(body).is_empty())
    }

    /// Returns whether a body says what a body of success must say.
    pub(super) fn agrees(&self, body: &Value) -> bool {
        let Some(success) = &self.protocol.success else { return true };
        let said = success.at.text(body);
        said.is_some_and(|said| success.is.iter().any(|good| good.0 == said))
    }

    /// Returns what the endings of a submit make of a good answer; those that hold despite a picture, or all.
    pub(super) fn ending(&self, rules: &[EndRule], body: &Value, headers: &HeaderMap, has_picture: bool, charged: Option<Micros>) -> Option<Failure> {
        let among = rules.iter().filter(|rule| rule.despite_picture || !has_picture);
        let (rule, word) = among.into_iter().find_map(|rule| rule.fits(body, headers).map(|word| (rule, word)))?;
        let class = FailureClass::from(rule.class);
        let billed = match charged {
            Some(Micros::ZERO) => Billed::No,
            Some(figure) => Billed::Yes(figure),
            None => billed_as(class, rule.billed),
        };
        let code = if word.is_empty() { "no-picture" } else { word.as_str() };
        let said = Complaint::read(body, &self.protocol.error).message;
        let message = said.unwrap_or_else(|| "the request was answered, without a picture that can be kept".to_owned());
        Some(self.told(class, code, &message, billed, None))
    }

    /// Returns why a task has ended without a picture.
    pub(super) fn ended(&self, body: &Value, places: &ErrorPlaces, refused: bool) -> Failure {
        let complaint = Complaint::read(body, places);
        let rule = self.rule(Call::Task, None, &HeaderMap::new(), &complaint);
        let class = match rule {
            Some(rule) => FailureClass::from(rule.class),
            None if refused => FailureClass::Refused,
            None => FailureClass::Failed,
        };
        // Whatever the rule says: the task was taken, so it cannot be sent again as if it had not been.
        let class = if matches!(class, FailureClass::Refused | FailureClass::Invalid | FailureClass::Account) { class } else { FailureClass::Failed };
        let code = complaint.code.or(complaint.kind).unwrap_or_else(|| "failed".to_owned());
        let message = complaint.message.unwrap_or_else(|| "the provider gives no reason".to_owned());
        self.told(class, &code, &message, billed_as(FailureClass::Failed, rule.and_then(|rule| rule.billed)), None)
    }

    fn rule(&self, call: Call, status: Option<u16>, headers: &HeaderMap, complaint: &Complaint) -> Option<&ErrorRule> {
        let among =
            |wanted: &[Plain], said: &Option<String>| wanted.is_empty() || said.as_ref().is_some_and(|said| wanted.iter().any(|one| one.0 == *said));
        self.protocol.errors.iter().find(|rule| {
            // The code of a failed task is not the code of an exchange: a rule must say that it means it.
            let here = rule.on.contains(&call) || (rule.on.is_empty() && call != Call::Task);
            let by_status = rule.status.is_empty() || status.is_some_and(|status| rule.status.contains(&status));
            let by_words = rule.message_has.is_empty()
                || complaint.message.as_ref().is_some_and(|message| {
                    let message = message.to_lowercase();
                    rule.message_has.iter().any(|words| message.contains(words.as_str()))
                });
            let by_headers = rule.headers.iter().all(|(name, values)| {
                let said = headers.get(name).and_then(|said| said.to_str().ok());
                said.is_some_and(|said| values.is_empty() || values.iter().any(|value| value.0.eq_ignore_ascii_case(said.trim())))
            });
            here && by_status && by_words && by_headers && among(&rule.code, &complaint.code) && among(&rule.kind, &complaint.kind)
        })
    }

    fn failure(&self, call: Call, status: u16, retry_after: Option<Duration>, headers: &HeaderMap, complaint: Complaint) -> Failure {
        let rule = self.rule(call, Some(status), headers, &complaint);
        let class = rule.map_or_else(|| usual_class(call, status), |rule| rule.class.into());
        let class = match (call, class) {
            // Only a submit can have been accepted without our knowing.
            (Call::Upload | Call::Poll | Call::Result | Call::Refresh | Call::Lookup | Call::Balance, FailureClass::Ambiguous) => {
                FailureClass::Transient
            }
            (Call::Upload | Call::Refresh | Call::Lookup | Call::Balance, FailureClass::Failed) => FailureClass::Transient,
            (_, class) => class,
        };
        let billed = match call {
            Call::Submit | Call::Poll | Call::Task => billed_as(class, rule.and_then(|rule| rule.billed)),
            // The task was taken and has ended, whatever its end is called.
            Call::Result => billed_as(FailureClass::Failed, rule.and_then(|rule| rule.billed)),
            Call::Upload | Call::Refresh | Call::Lookup | Call::Balance => Billed::No,
        };
        let code = match (complaint.code, complaint.kind) {
            (Some(code), _) | (None, Some(code)) => code,
            (None, None) => status.to_string(),
        };
        let message = complaint.message.unwrap_or_else(|| format!("HTTP status {status} without a reason"));
        self.told(class, &code, &message, billed, retry_after.or(complaint.wait))
    }

    /// Returns a failure whose words are cut to a size, with the key blotted out.
    pub(super) fn told(&self, class: FailureClass, code: &str, message: &str, billed: Billed, retry_after: Option<Duration>) -> Failure {
        let blotted = |text: &str| self.key.taken_out_of(text).into_owned();
        let code: String = blotted(code).chars().map(|char| if char.is_ascii_graphic() { char } else { '_' }).take(CODE_MOST).collect();
        let message: String = blotted(message).chars().take(MESSAGE_MOST).collect();
        Failure { class, code, message, retry_after, billed }
    }
}

/// Returns what an HTTP status means when no rule of the manifest speaks of the answer.
fn usual_class(call: Call, status: u16) -> FailureClass {
    match status {
        429 => FailureClass::Throttled,
        401..=403 => FailureClass::Account,
        // The task is ready and its result is an error: it has failed. What is not there may come.
        200..=299 if call == Call::Result => FailureClass::Failed,
        404 | 410 if call == Call::Result => FailureClass::Transient,
        // A redirect, a conflict, a timeout, a fault of the server or a body that says neither yes nor no: it may have been accepted.
        100..=399 | 408 | 409 | 425 | 500.. => FailureClass::Ambiguous,
        404 | 410 if call == Call::Poll => FailureClass::Invalid,
        _ if call == Call::Poll => FailureClass::Transient,
        _ => FailureClass::Invalid,
    }
}

/// Returns what a failure of this class cost, unless a rule knows better.
fn billed_as(class: FailureClass, said: Option<Known>) -> Billed {
    match (said, class) {
        (Some(Known::No), _) => Billed::No,
        (Some(Known::Yes | Known::Unknown), _) => Billed::Maybe,
        (None, FailureClass::Ambiguous | FailureClass::Failed | FailureClass::Refused) => Billed::Maybe,
        (None, _) => Billed::No,
    }
}

/// Returns how long an answer asks us to wait: milliseconds, seconds or a date; nonsense is ignored, hours are cut to one.
pub(super) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    if let Some(millis) = text("retry-after-ms").and_then(|text| text.parse::<u64>().ok()) {
        return Some(Duration::from_millis(millis).min(LONGEST));
    }
    let told = text(RETRY_AFTER.as_str())?;
    let wait = match told.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() && seconds >= 0.0 => Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST),
        Ok(_) => return None,
        Err(_) => httpdate::parse_http_date(told).ok()?.duration_since(now).unwrap_or(Duration::ZERO),
    };
    Some(wait.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::manifest::builtin;
    use reqwest::header::HeaderValue;
    use serde_json::json;

    fn classes(provider: &str, call: Call, answers: &[(u16, Value)]) -> String {
        let protocol = builtin(provider).and_then(|manifest| manifest.http).expect("a built-in provider is spoken to over HTTP");
        let key = Secret::new("sk-canary".to_owned());
        let reader = Reader { protocol: &protocol, key: &key };
        let line = |(status, body): &(u16, Value)| {
            let answer = Answer { status: *status, retry_after: None, headers: HeaderMap::new(), body: Ok(body.clone()) };
            match reader.good(call, answer) {
                Ok(_) => format!("{status} {body} -> good\n"),
                Err(failure) => format!("{status} {body} -> {} {} {:?}\n", failure.class.as_str(), failure.code, failure.billed),
            }
        };
        answers.iter().map(line).collect()
    }

    #[test]
    fn every_code_of_kie_with_http_200_is_classed() {
        let codes = [200, 400, 401, 402, 404, 408, 422, 429, 433, 455, 500, 501, 505, 999];
        let answers: Vec<(u16, Value)> = codes.iter().map(|code| (200, json!({ "code": code }))).collect();
        insta::assert_snapshot!(classes("kie", Call::Submit, &answers), @r#"
        200 {"code":200} -> good
        200 {"code":400} -> refused 400 No
        200 {"code":401} -> account 401 No
        200 {"code":402} -> account 402 No
        200 {"code":404} -> invalid 404 No
        200 {"code":408} -> ambiguous 408 Maybe
        200 {"code":422} -> invalid 422 No
        200 {"code":429} -> throttled 429 No
        200 {"code":433} -> account 433 No
        200 {"code":455} -> maintenance 455 No
        200 {"code":500} -> ambiguous 500 Maybe
        200 {"code":501} -> failed 501 Maybe
        200 {"code":505} -> invalid 505 No
        200 {"code":999} -> ambiguous 999 Maybe
        "#);
        insta::assert_snapshot!(classes("kie", Call::Poll, &answers), @r#"
        200 {"code":200} -> good
        200 {"code":400} -> transient 400 No
        200 {"code":401} -> account 401 No
        200 {"code":402} -> account 402 No
        200 {"code":404} -> invalid 404 No
        200 {"code":408} -> failed 408 Maybe
        200 {"code":422} -> invalid 422 No
        200 {"code":429} -> throttled 429 No
        200 {"code":433} -> account 433 No
        200 {"code":455} -> maintenance 455 No
        200 {"code":500} -> transient 500 No
        200 {"code":501} -> failed 501 Maybe
        200 {"code":505} -> invalid 505 No
        200 {"code":999} -> transient 999 No
        "#);
    }

    #[test]
    fn errors_of_openai_are_classed_by_code_before_status() {
        let error = |kind: &str, code: Option<&str>| json!({ "error": { "message": "no", "type": kind, "param": null, "code": code } });
        let answers = [
            (400, error("invalid_request_error", Some("unknown_parameter"))),
            (400, error("image_generation_user_error", Some("moderation_blocked"))),
            (401, error("invalid_request_error", Some("invalid_api_key"))),
            (403, error("invalid_request_error", None)),
            (404, error("invalid_request_error", Some("model_not_found"))),
            (409, error("conflict", None)),
            (429, error("input-images", Some("rate_limit_exceeded"))),
            (429, error("insufficient_quota", Some("insufficient_quota"))),
            (429, error("billing_limit_user_error", Some("billing_hard_limit_reached"))),
            (500, error("server_error", None)),
            (503, error("server_error", None)),
        ];
        insta::assert_snapshot!(classes("openai", Call::Submit, &answers), @r#"
        400 {"error":{"code":"unknown_parameter","message":"no","param":null,"type":"invalid_request_error"}} -> invalid unknown_parameter No
        400 {"error":{"code":"moderation_blocked","message":"no","param":null,"type":"image_generation_user_error"}} -> refused moderation_blocked Maybe
        401 {"error":{"code":"invalid_api_key","message":"no","param":null,"type":"invalid_request_error"}} -> account invalid_api_key No
        403 {"error":{"code":null,"message":"no","param":null,"type":"invalid_request_error"}} -> account invalid_request_error No
        404 {"error":{"code":"model_not_found","message":"no","param":null,"type":"invalid_request_error"}} -> invalid model_not_found No
        409 {"error":{"code":null,"message":"no","param":null,"type":"conflict"}} -> ambiguous conflict Maybe
        429 {"error":{"code":"rate_limit_exceeded","message":"no","param":null,"type":"input-images"}} -> throttled rate_limit_exceeded No
        429 {"error":{"code":"insufficient_quota","message":"no","param":null,"type":"insufficient_quota"}} -> account insufficient_quota No
        429 {"error":{"code":"billing_hard_limit_reached","message":"no","param":null,"type":"billing_limit_user_error"}} -> account billing_hard_limit_reached No
        500 {"error":{"code":null,"message":"no","param":null,"type":"server_error"}} -> ambiguous server_error Maybe
        503 {"error":{"code":null,"message":"no","param":null,"type":"server_error"}} -> ambiguous server_error Maybe
        "#);
    }

    #[test]
    fn every_http_status_without_a_readable_body_has_a_class() {
        for provider in ["kie", "openai"] {
            let protocol = builtin(provider).and_then(|manifest| manifest.http).expect("a built-in provider is spoken to over HTTP");
            let key = Secret::new("sk-canary".to_owned());
            let reader = Reader { protocol: &protocol, key: &key };
            let mut ambiguous = 0;
            for status in 100..=599 {
                let answer = || Answer { status, retry_after: None, headers: HeaderMap::new(), body: Err("not JSON".to_owned()) };
                let submit = reader.good(Call::Submit, answer()).expect_err("an unreadable answer is no success").class;
                let poll = reader.good(Call::Poll, answer()).expect_err("an unreadable answer is no success").class;
                ambiguous += usize::from(submit == FailureClass::Ambiguous);
                assert!(
                    poll != FailureClass::Ambiguous && poll != FailureClass::Failed,
                    "{provider} {status}: a poll neither doubts nor fails a task"
                );
                assert!(status >= 400 || submit == FailureClass::Ambiguous, "{provider} {status}");
                assert!(status < 500 || matches!(submit, FailureClass::Ambiguous | FailureClass::Maintenance), "{provider} {status}: {submit:?}");
            }
            assert!(ambiguous >= 400);
        }
    }

    #[test]
    fn words_of_a_provider_are_cut_and_the_key_is_blotted_out() {
        let protocol = builtin("kie").and_then(|manifest| manifest.http).expect("a built-in provider is spoken to over HTTP");
        let key = Secret::new("sk-canary".to_owned());
        let reader = Reader { protocol: &protocol, key: &key };
        let body = json!({ "code": "4\u{1b}[31m sk-canary", "msg": format!("key sk-canary {}", "x".repeat(5000)) });
        let failure = reader
            .good(Call::Submit, Answer { status: 200, retry_after: None, headers: HeaderMap::new(), body: Ok(body) })
            .expect_err("not a success");
        assert_eq!(failure.code, "4_[31m_[redacted]");
        assert!(failure.message.starts_with("key [redacted] xxx") && failure.message.chars().count() == MESSAGE_MOST);
    }

    #[test]
    fn waits_are_read_as_milliseconds_seconds_or_a_date_and_nonsense_is_not_believed() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let wait = |name: &'static str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_str(value).expect("a header"));
            retry_after(&headers, now).map(|wait| wait.as_millis())
        };
        assert_eq!(
            [wait("retry-after", "7"), wait("retry-after", "0"), wait("retry-after", "1.5"), wait("retry-after-ms", "250")],
            [Some(7000), Some(0), Some(1500), Some(250)]
        );
        let date = httpdate::fmt_http_date(now + Duration::from_secs(90));
        assert_eq!([wait("retry-after", &date), wait("retry-after", "Thu, 01 Jan 1970 00:00:00 GMT")], [Some(90_000), Some(0)]);
        assert_eq!([wait("retry-after", "1000000000"), wait("retry-after", "1e300"), wait("retry-after-ms", "99999999999")], [Some(3_600_000); 3]);
        assert_eq!([wait("retry-after", "-1"), wait("retry-after", "soon"), wait("retry-after", "NaN")], [None; 3]);
    }
}
