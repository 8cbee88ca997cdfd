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
pub(super) const LONGEST: Duration = Duration::from_secs(3600);

/// Returns the first span that a text names; a bare number counts seconds.
pub(super) fn told(text: &str) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return span(seconds, 1.0);
    }
    // A number in the middle of a word, or of another number, counts nothing.
    let starts = text.char_indices().filter(|(at, letter)| {
        letter.is_ascii_digit() && !text[..*at].ends_with(|before: char| before.is_ascii_alphanumeric() || matches!(before, '.' | '-'))
    });
    starts.map(|(at, _)| &text[at..]).find_map(|from| {
        let end = from.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(from.len());
        let (number, after) = from.split_at(end);
        let word: String = after.trim_start().chars().take_while(char::is_ascii_alphabetic).collect::<String>().to_ascii_lowercase();
        let (_, seconds) = UNITS.iter().find(|(name, _)| *name == word)?;
        span(number.trim_end_matches('.').parse().ok()?, *seconds)
    })
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
            ("7", Some(7_000)),
            ("250ms", Some(250)),
            ("limit reached, resets in ~30s", Some(30_000)),
            ("retry in 2 minutes", Some(120_000)),
            ("99999999s", Some(3_600_000)),
            ("soon", None),
            ("-1s", None),
            ("1e400s", None),
            ("gpt-2 is busy", None),
            ("\u{fc}\u{fc}3\u{fc}", None),
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
