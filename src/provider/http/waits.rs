//! How long an answer asks us to wait, where it says so in words.
//!
//! In: `34.4s`, `Your rate limit resets in ~30s.` Out: a span.
//! Never: a number that counts something else; a wait of hours.

use std::time::Duration;

/// Units as they are written, with their seconds.
const UNITS: [(&str, f64); 13] = [
    ("milliseconds", 0.001),
    ("seconds", 1.0),
    ("second", 1.0),
    ("minutes", 60.0),
    ("minute", 60.0),
    ("hours", 3600.0),
    ("hour", 3600.0),
    ("secs", 1.0),
    ("sec", 1.0),
    ("min", 60.0),
    ("ms", 0.001),
    ("s", 1.0),
    ("m", 60.0),
];

/// Longest wait that is believed, 1 hour.
const LONGEST: Duration = Duration::from_secs(3600);

/// Returns the first span that a text names; a bare number counts seconds.
pub(super) fn told(text: &str) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return span(seconds, 1.0);
    }
    let mut rest = text;
    while let Some(start) = rest.find(|letter: char| letter.is_ascii_digit()) {
        let from = &rest[start..];
        let end = from.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(from.len());
        let (number, after) = from.split_at(end);
        let unit = after.strip_prefix(' ').unwrap_or(after);
        let word: String = unit.chars().take_while(char::is_ascii_alphabetic).collect::<String>().to_ascii_lowercase();
        if let (Ok(count), Some((_, seconds))) = (number.trim_end_matches('.').parse::<f64>(), UNITS.iter().find(|(name, _)| *name == word)) {
            return span(count, *seconds);
        }
        rest = after;
    }
    None
}

fn span(count: f64, seconds: f64) -> Option<Duration> {
    let seconds = count * seconds;
    (seconds.is_finite() && seconds >= 0.0).then(|| Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST).min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_found_in_words_and_other_numbers_are_left_alone() {
        let millis = |text: &str| told(text).map(|wait| wait.as_millis());
        for (text, wait) in [
            ("34.4s", Some(34_400)),
            ("30", Some(30_000)),
            ("Request was throttled. Your rate limit resets in ~30s.", Some(30_000)),
            ("reduced to 6 requests per minute with a burst of 5 while you have less than $5.0 in credit. It resets in ~2 seconds.", Some(2_000)),
            ("try again in 250ms", Some(250)),
            ("wait 2 minutes, then 5 seconds", Some(120_000)),
            ("wait 9999999 hours", Some(3_600_000)),
            ("error 429", None),
            ("6 requests, 3 pictures", None),
            ("-1", None),
            ("NaN", None),
            ("", None),
        ] {
            assert_eq!(millis(text), wait, "{text}");
        }
    }
}
