//! From bytes of a scalar's decoded text back to bytes of the file.
//!
//! In: where a scalar stands, its style, a range of what it says. Out: the range in the file. Never: a guess; what does not add up is `None`.

use std::ops::Range;

use granit_parser::ScalarStyle;

/// Decoded text with, for each of its bytes, the piece of the file that it came from.
struct Decoded {
    text: String,
    from: Vec<Range<usize>>,
}

impl Decoded {
    fn push(&mut self, decoded: char, from: Range<usize>) {
        self.text.push(decoded);
        self.from.resize(self.text.len(), from);
    }

    fn cut(&mut self, len: usize) {
        self.text.truncate(len);
        self.from.truncate(len);
    }
}

/// Returns where bytes `inside` of the decoded text of the scalar at `range` stand in `text`.
pub(super) fn source_of(text: &str, range: Range<usize>, style: ScalarStyle, inside: Range<usize>) -> Option<Range<usize>> {
    let decoded = decode(text, range, style)?;
    if inside.is_empty() {
        let at = decoded.from.get(inside.start).map(|piece| piece.start).or_else(|| decoded.from.last().map(|piece| piece.end))?;
        return Some(at..at);
    }
    let first = decoded.from.get(inside.start)?;
    let last = decoded.from.get(inside.end.min(decoded.from.len()).checked_sub(1)?)?;
    (first.start <= last.end).then_some(first.start..last.end)
}

fn decode(text: &str, range: Range<usize>, style: ScalarStyle) -> Option<Decoded> {
    match style {
        ScalarStyle::Plain => flow(text, range, Quotes::None),
        ScalarStyle::SingleQuoted => flow(text, unquoted(text, range, '\'')?, Quotes::Single),
        ScalarStyle::DoubleQuoted => flow(text, unquoted(text, range, '"')?, Quotes::Double),
        ScalarStyle::Literal => block(text, range, false),
        ScalarStyle::Folded => block(text, range, true),
    }
}

fn unquoted(text: &str, range: Range<usize>, quote: char) -> Option<Range<usize>> {
    let raw = text.get(range.clone())?;
    (raw.len() >= 2 && raw.starts_with(quote) && raw.ends_with(quote)).then(|| range.start + 1..range.end - 1)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Quotes {
    None,
    Single,
    Double,
}

/// Decodes a plain or quoted scalar: escapes, doubled quotes, lines folded into one.
fn flow(text: &str, range: Range<usize>, quotes: Quotes) -> Option<Decoded> {
    let raw = text.get(range.clone())?;
    let mut decoded = Decoded { text: String::new(), from: Vec::new() };
    // White space before a line break vanishes, unless it was escaped.
    let mut solid = 0;
    let mut rest = raw.char_indices().peekable();
    while let Some((at, char)) = rest.next() {
        let start = range.start + at;
        match char {
            '\n' | '\r' => {
                decoded.cut(solid);
                let breaks = skip_breaks(char, &mut rest);
                let end = range.start + rest.peek().map_or(raw.len(), |(next, _)| *next);
                let (filler, count) = if breaks == 1 { (' ', 1) } else { ('\n', breaks - 1) };
                for _ in 0..count {
                    decoded.push(filler, start..end);
                }
                solid = decoded.text.len();
            }
            '\'' if quotes == Quotes::Single => {
                rest.next_if(|(_, next)| *next == '\'')?;
                decoded.push('\'', start..start + 2);
                solid = decoded.text.len();
            }
            '\\' if quotes == Quotes::Double => {
                let (escape_at, escape) = rest.next()?;
                if matches!(escape, '\n' | '\r') {
                    let breaks = skip_breaks(escape, &mut rest);
                    for _ in 1..breaks {
                        decoded.push('\n', start..start + 1);
                    }
                } else {
                    let (meant, digits) = escaped(escape, raw.get(escape_at + escape.len_utf8()..)?)?;
                    for _ in 0..digits {
                        rest.next();
                    }
                    decoded.push(meant, start..start + 1 + escape.len_utf8() + digits);
                }
                solid = decoded.text.len();
            }
            _ => {
                decoded.push(char, start..start + char.len_utf8());
                if !matches!(char, ' ' | '\t') {
                    solid = decoded.text.len();
                }
            }
        }
    }
    Some(decoded)
}

/// Skips the rest of a line break, further empty lines and the indentation of the next; returns the number of breaks.
fn skip_breaks(first: char, rest: &mut std::iter::Peekable<std::str::CharIndices<'_>>) -> usize {
    let mut breaks = 1;
    let mut last = first;
    while let Some((_, next)) = rest.next_if(|(_, next)| matches!(next, ' ' | '\t' | '\n' | '\r')) {
        let second_half = last == '\r' && next == '\n';
        if matches!(next, '\n' | '\r') && !second_half {
            breaks += 1;
        }
        last = next;
    }
    breaks
}

/// Returns the character that an escape means and how many digits after the letter belong to it.
fn escaped(letter: char, after: &str) -> Option<(char, usize)> {
    let hex = |digits: usize| Some((char::from_u32(u32::from_str_radix(after.get(..digits)?, 16).ok()?)?, digits));
    let simple = match letter {
        '0' => '\0',
        'a' => '\x07',
        'b' => '\x08',
        't' | '\t' => '\t',
        'n' => '\n',
        'v' => '\x0b',
        'f' => '\x0c',
        'r' => '\r',
        'e' => '\x1b',
        ' ' | '"' | '/' | '\\' => letter,
        'N' => '\u{85}',
        '_' => '\u{a0}',
        'L' => '\u{2028}',
        'P' => '\u{2029}',
        'x' => return hex(2),
        'u' => return hex(4),
        'U' => return hex(8),
        _ => return None,
    };
    Some((simple, 0))
}

/// One line of a block scalar: where its text begins and ends after its indentation.
struct Line {
    start: usize,
    end: usize,
}

/// Decodes a block after `|` or `>`, without what chomping does to its end.
fn block(text: &str, range: Range<usize>, folded: bool) -> Option<Decoded> {
    let lines = block_lines(text, range)?;
    let mut decoded = Decoded { text: String::new(), from: Vec::new() };
    let is_deeper = |line: &Line| text.get(line.start..line.end).is_some_and(|piece| piece.starts_with([' ', '\t']));
    let mut previous: Option<&Line> = None;
    let mut empty = 0;
    for line in &lines {
        if line.start == line.end {
            empty += 1;
            continue;
        }
        let gap = previous.map_or(line.start, |previous| previous.end)..line.start;
        let (filler, count) = match previous {
            None => ('\n', empty),
            Some(previous) if folded && !is_deeper(previous) && !is_deeper(line) => {
                if empty == 0 {
                    (' ', 1)
                } else {
                    ('\n', empty)
                }
            }
            Some(_) => ('\n', empty + 1),
        };
        for _ in 0..count {
            decoded.push(filler, gap.clone());
        }
        for (at, char) in text.get(line.start..line.end)?.char_indices() {
            decoded.push(char, line.start + at..line.start + at + char.len_utf8());
        }
        previous = Some(line);
        empty = 0;
    }
    let end = previous.map_or(0, |previous| previous.end);
    for _ in 0..=empty {
        decoded.push('\n', end..end);
    }
    Some(decoded)
}

/// Goes back over empty lines to the line after the `|` or `>`: they belong to the block, but the parser's range begins behind them.
fn over_empty_lines(text: &str, begin: usize) -> Option<usize> {
    let mut begin = begin;
    while let Some(before) = text.get(..begin)?.strip_suffix('\n') {
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        if !before.get(start..)?.trim().is_empty() {
            break;
        }
        begin = start;
    }
    Some(begin)
}

/// Splits a block into lines without their indentation, which is that of its first line with text.
fn block_lines(text: &str, range: Range<usize>) -> Option<Vec<Line>> {
    // The range may begin after the indentation of the first line; go back to the beginning of that line.
    let begin = text.get(..range.start)?.rfind(['\n', '\r']).map_or(0, |newline| newline + 1);
    let own_indent = text.get(begin..range.start)?;
    if !own_indent.bytes().all(|byte| byte == b' ') {
        return None;
    }
    let begin = over_empty_lines(text, begin)?;
    let raw = text.get(begin..range.end)?;
    let indent_of = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let indent = if own_indent.is_empty() { raw.lines().find(|line| !line.trim().is_empty()).map_or(0, indent_of) } else { own_indent.len() };
    let mut lines = Vec::new();
    let mut at = begin;
    for piece in raw.split_inclusive('\n') {
        let line = piece.trim_end_matches(['\n', '\r']);
        if piece.len() == line.len() && line.trim().is_empty() {
            break;
        }
        let cut = indent_of(line).min(indent);
        lines.push(Line { start: at + cut, end: at + line.len() });
        at += piece.len();
    }
    Some(lines)
}

#[cfg(test)]
mod tests {
    use granit_parser::{Event, Parser};
    use proptest::prelude::*;

    use super::*;

    /// Decodes every scalar of `text` both ways and returns the pairs that differ.
    fn disagreements(text: &str) -> Vec<(String, Option<String>)> {
        let mut differing = Vec::new();
        for (event, span) in Parser::new_from_str(text).map_while(Result::ok) {
            let (Event::Scalar(value, style, ..), Some(range)) = (event, span.byte_range()) else { continue };
            if range.is_empty() {
                continue;
            }
            let ours = decode(text, range, style).map(|decoded| decoded.text);
            let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
            let same = ours.as_deref().is_some_and(|ours| if is_block { ours.trim_end() == value.trim_end() } else { *ours == *value });
            if !same {
                differing.push((value.into_owned(), ours));
            }
        }
        differing
    }

    #[test]
    fn every_style_decodes_as_the_parser_does() {
        let text = "a: plain\nb: plain\n  over  \n\n  lines\nc: 'it''s'\nd: \"tab\\t \\u00e9 \\\n  end\"\ne: |\n  one\n    two\n\n  three\nf: >-\n  one\n  two\n\n  three\n    deep\n  back\ng: |2\n    kept\nh: |\n\n  after a gap\ni: \"a\n  b\"\n";
        assert_eq!(disagreements(text), []);
        assert_eq!(disagreements(&text.replace('\n', "\r\n")), []);
    }

    fn find(yaml: &str, needle: &str) -> String {
        let (Event::Scalar(value, style, ..), span) =
            Parser::new_from_str(yaml).map_while(Result::ok).filter(|(event, _)| matches!(event, Event::Scalar(..))).nth(1).expect("a value")
        else {
            unreachable!("filtered")
        };
        let start = value.find(needle).expect("the needle is in the value");
        let range = span.byte_range().expect("a place");
        let found = source_of(yaml, range, style, start..start + needle.len()).expect("mapped");
        yaml[found].to_owned()
    }

    #[test]
    fn a_word_inside_a_text_is_found_in_the_file() {
        assert_eq!(find("a: one {{ two }}", "two"), "two");
        assert_eq!(find("a: 'it''s {{ two }}'", "two"), "two");
        assert_eq!(find("a: \"\\\"é\\\" {{ two }}\"", "two"), "two");
        assert_eq!(find("a: |\n    one\n      {{ two }}\n", "two"), "two");
        assert_eq!(find("a: >\n    one\n\n    {{ two }}\n    x\n", "two"), "two");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn blocks_and_quotes_of_any_text_agree_with_the_parser(lines in proptest::collection::vec("[ a-z\"'é\\\\]{0,12}", 1..6), folded in any::<bool>()) {
            let mut yaml = format!("k: {}2\n", if folded { '>' } else { '|' });
            for line in &lines {
                yaml.push_str("  ");
                yaml.push_str(line);
                yaml.push('\n');
            }
            yaml.push_str("next: 1\n");
            prop_assert_eq!(disagreements(&yaml), []);
        }
    }
}
