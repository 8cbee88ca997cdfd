//! Keys: from the environment by name, or from a file that the user names; never from anywhere else.
//!
//! In: names of variables, `--env-file`. Out: [`Secret`]s. Never: a file that nobody named; a value in a word that is printed.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

use super::error::{CliError, Outcome};
use crate::types::Secret;

/// Largest file of variables, 64 KB.
const MAX_BYTES: u64 = 64 << 10;

/// What `--env-file` brought, if it was said: read once, at the start of the process.
static FROM_FILE: OnceLock<BTreeMap<String, Secret>> = OnceLock::new();

/// Returns the key in the environment variable `name`, without the line end that a file may have left on it.
///
/// The environment wins over the file that was named.
pub fn key(name: &str) -> Option<Secret> {
    let cleaned = |text: &str| Some(text.trim()).filter(|text| !text.is_empty()).map(|text| Secret::new(text.to_owned()));
    let here = std::env::var(name).ok().and_then(|text| cleaned(&text));
    here.or_else(|| FROM_FILE.get().and_then(|file| file.get(name)).and_then(|secret| cleaned(secret.expose())))
}

/// Reads the file that `--env-file` names; what is said of its mistakes names lines and never what stands there.
///
/// # Errors
/// A file that cannot be read, lines that are none like `NAME=value`.
pub fn read_file(path: &Path) -> Outcome<()> {
    let shown = path.display();
    let told = |fact: String| CliError::usage(fact, "give lines like `KIE_API_KEY=...`");
    let about = std::fs::metadata(path).map_err(|error| told(format!("`{shown}` cannot be read: {error}")))?;
    if !about.is_file() || about.len() > MAX_BYTES {
        return Err(told(format!("`{shown}` is no file of variables: it is {}", if about.is_file() { "larger than 64 KB" } else { "no file" })));
    }
    let bytes = std::fs::read(path).map_err(|error| told(format!("`{shown}` cannot be read: {error}")))?;
    let text = String::from_utf8(bytes).map_err(|_| told(format!("`{shown}` is not UTF-8 text")))?;
    let variables = variables(&text).map_err(|line| told(format!("line {line} of `{shown}` is none like `NAME=value`")))?;
    // Set once: there is one command line.
    let _ = FROM_FILE.set(variables);
    Ok(())
}

/// Reads lines `NAME=value`, with `export` and quotes where a shell has them; returns the number of a line that is none.
fn variables(text: &str) -> Result<BTreeMap<String, Secret>, usize> {
    let mut found = BTreeMap::new();
    for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (name, value) = line.split_once('=').ok_or(number)?;
        let name = name.trim();
        let is_name = !name.is_empty() && !name.starts_with(|first: char| first.is_ascii_digit());
        if !is_name || !name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_') {
            return Err(number);
        }
        found.insert(name.to_owned(), Secret::new(unquoted(value.trim()).ok_or(number)?.to_owned()));
    }
    Ok(found)
}

/// Returns a value without its quotes, or without the comment behind it; `None` when a quote is not closed.
fn unquoted(value: &str) -> Option<&str> {
    for quote in ['"', '\''] {
        if let Some(rest) = value.strip_prefix(quote) {
            let (inside, after) = rest.split_once(quote)?;
            let after = after.trim_start();
            return (after.is_empty() || after.starts_with('#')).then_some(inside);
        }
    }
    Some(value.split_once(" #").map_or(value, |(before, _)| before.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<(String, String)>, usize> {
        variables(text).map(|found| found.into_iter().map(|(name, value)| (name, value.expose().to_owned())).collect())
    }

    #[test]
    fn a_file_of_variables_is_read_as_a_shell_would_read_it() {
        let text = "\u{feff}# keys\nexport A=1\n B = two words \nC=\"a # b\" # c\nD='x=y'\nE=z # why\n\nF=\r\n";
        let wanted = [("A", "1"), ("B", "two words"), ("C", "a # b"), ("D", "x=y"), ("E", "z"), ("F", "")];
        assert_eq!(read(text), Ok(wanted.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()));
    }

    #[test]
    fn a_line_that_is_no_variable_is_told_by_its_number() {
        for (text, line) in [("sk-only-the-key", 1), ("A=1\n=2", 2), ("1A=2", 1), ("A-B=2", 1), ("\nA=\"open", 2), ("A='x' y", 1)] {
            assert_eq!(read(text), Err(line), "{text}");
        }
    }
}
