//! The file as text: sorted, one fact a line, every text in quotes.
//!
//! In: [`PicksFile`]. Out: YAML. Never: a note that ends its own quotes, or that a terminal would obey.

use std::fmt::Write as _;

use super::{PicksFile, Rejected};

/// Stands above every file, for editors.
const HEADER: &str = "# yaml-language-server: $schema=../schemas/picks.schema.json\n";

pub(super) fn yaml(file: &PicksFile) -> String {
    let mut text = format!("{HEADER}version: 1\ncampaign: {}\n", quoted(&file.campaign));
    let mut say = |line: std::fmt::Arguments<'_>| text.write_fmt(line).expect("a string takes all");
    if !file.chosen.is_empty() {
        say(format_args!("picks:\n"));
    }
    for (pick, chosen) in &file.chosen {
        say(format_args!("  {}:\n    shot: {}\n    picture: \"{}\"\n", quoted(pick.as_str()), quoted(chosen.shot.as_str()), chosen.picture));
        if let Some(note) = &chosen.note {
            say(format_args!("    note: {}\n", quoted(note)));
        }
        if let Some(rule) = chosen.automatic {
            say(format_args!("    automatic: {rule}\n"));
        }
    }
    if !file.rejected.is_empty() {
        say(format_args!("rejected:\n"));
    }
    for (shot, pictures) in &file.rejected {
        say(format_args!("  {}:\n", quoted(shot.as_str())));
        for Rejected { picture, note } in pictures {
            say(format_args!("    - picture: \"{picture}\"\n"));
            if let Some(note) = note {
                say(format_args!("      note: {}\n", quoted(note)));
            }
        }
    }
    text
}

/// Returns a text as a double-quoted scalar on one line; what does not print is escaped.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for char in text.chars() {
        match char {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            // Line breaks of Unicode, the byte order mark, and what turns the direction of writing.
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => escape(char, &mut quoted),
            char if char.is_control() => escape(char, &mut quoted),
            char => quoted.push(char),
        }
    }
    quoted.push('"');
    quoted
}

/// Adds a character as `\u` and four hex digits: none of those that are escaped needs more.
fn escape(char: char, text: &mut String) {
    write!(text, "\\u{:04x}", u32::from(char)).expect("a string takes all");
}
