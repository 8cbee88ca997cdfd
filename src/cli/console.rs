//! Where words go: data on stdout, talk on stderr.
//!
//! In: finished text, styled or not. Out: bytes; colours only where `--color`, `NO_COLOR` and the terminal agree.
//! Never: an error because the reader of a pipe has gone.

use std::io::{self, IsTerminal, Write};

use anstyle::{AnsiColor, Style};

use super::error::{CliError, Outcome};
use crate::types::visible;

/// Headings.
pub const STRONG: Style = Style::new().bold();
/// What is wrong.
const ERROR: Style = AnsiColor::Red.on_default().bold();
/// What should be known.
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
/// What to do.
const HINT: Style = AnsiColor::Cyan.on_default().bold();

/// Writes data to stdout.
///
/// # Errors
/// [`CliError::BrokenPipe`] when nobody reads any more; whatever else the system says.
pub fn data(text: &str) -> Outcome<()> {
    written(&mut anstream::stdout().lock(), text)
}

/// Writes a file's text to stdout: byte for byte, but on a terminal without what would drive it.
///
/// # Errors
/// As of [`data`].
pub fn document(text: &str) -> Outcome<()> {
    let mut out = io::stdout().lock();
    if out.is_terminal() { written(&mut out, &harmless(text)) } else { written(&mut out, text) }
}

/// Returns a text of several lines with control characters written out.
fn harmless(text: &str) -> String {
    text.split_inclusive('\n').fold(String::with_capacity(text.len()), |mut shown, line| {
        let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
        shown.push_str(&visible(line));
        shown.push_str(end);
        shown
    })
}

fn written(out: &mut dyn Write, text: &str) -> Outcome<()> {
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(CliError::BrokenPipe),
        Err(error) => Err(CliError::Io("cannot write to the output".to_owned(), error)),
    }
}

/// Says a line on stderr. Talk that nobody hears is not worth an error.
pub fn talk(line: &str) {
    let _ = writeln!(anstream::stderr(), "{line}");
}

/// Says that something is wrong.
pub fn error(sentence: &str) {
    talk(&format!("{ERROR}error{ERROR:#}: {sentence}"));
}

/// Says what should be known.
pub fn warning(sentence: &str) {
    talk(&format!("{WARNING}warning{WARNING:#}: {sentence}"));
}

/// Says what to do.
pub fn hint(sentence: &str) {
    talk(&format!("{HINT}hint{HINT:#}: {sentence}"));
}

/// Returns the width of the terminal in columns, if there is one.
pub fn width() -> Option<usize> {
    terminal_size::terminal_size().map(|(width, _)| usize::from(width.0))
}

/// Returns whether a person can be asked: both ends are a terminal.
pub fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks a question that is answered with yes or no; anything but a yes is a no.
pub fn agrees(question: &str) -> bool {
    let mut err = anstream::stderr();
    let _ = write!(err, "{question} [y/N] ");
    let _ = err.flush();
    let mut answer = String::new();
    let heard = io::stdin().read_line(&mut answer).is_ok();
    heard && matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_shown_on_a_terminal_does_not_drive_it() {
        assert_eq!(harmless("job,sku\nhero,\u{1b}[31mred\n\u{9b}2J"), "job,sku\nhero,\\u{1b}[31mred\n\\u{9b}2J");
        assert_eq!(harmless("a,b\n"), "a,b\n");
    }
}
