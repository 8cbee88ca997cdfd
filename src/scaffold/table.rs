//! A table as a shop or a spreadsheet exports it: which letters, which delimiter, which rows.
//!
//! In: bytes. Out: [`Export`], which says whether a campaign can read the file as it is. Never: a cell changed in silence.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::types::diagnostic::counted;

/// Most rows by which a delimiter is found.
const LOOKED_AT: usize = 200;

/// Delimiters that are tried, the likeliest first.
const DELIMITERS: [u8; 4] = [b',', b'\t', b';', b'|'];

/// A table with all its cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Its rows, each as long as `columns`.
    pub rows: Vec<Vec<String>>,
    /// What stands between cells in the file.
    pub delimiter: u8,
    /// Why a campaign cannot read the file as it is; empty when it can.
    pub odd: Vec<String>,
}

/// Why a table cannot be used: the fact, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// What is wrong.
    pub fact: String,
    /// What to do.
    pub help: String,
}

impl Unreadable {
    fn new(fact: impl Into<String>, help: impl Into<String>) -> Self {
        Self { fact: fact.into(), help: help.into() }
    }
}

impl Export {
    /// Returns the key under which a campaign reads the file: `csv` or `tsv`.
    pub fn kind(&self) -> &'static str {
        if self.delimiter == b'\t' && self.odd.is_empty() { "tsv" } else { "csv" }
    }

    /// Returns the table written anew so that a campaign can read it: UTF-8, commas, a name for each column.
    pub fn rewritten(&self) -> String {
        let mut text = String::new();
        for row in std::iter::once(&self.columns).chain(&self.rows) {
            for (place, cell) in row.iter().enumerate() {
                if place > 0 {
                    text.push(',');
                }
                if cell.contains(['"', ',', '\n', '\r']) || (row.len() == 1 && cell.is_empty()) {
                    text.push('"');
                    text.push_str(&cell.replace('"', "\"\""));
                    text.push('"');
                } else {
                    text.push_str(cell);
                }
            }
            text.push('\n');
        }
        text
    }
}

/// Reads a table: finds out its letters and its delimiter, and names the columns that have no name or one of two.
///
/// # Errors
/// What is not a table, has no column names or no rows, or rows with more cells than columns.
pub fn read(bytes: &[u8]) -> Result<Export, Unreadable> {
    let mut odd = Vec::new();
    let text = letters(bytes, &mut odd)?;
    let (text, said) = said_delimiter(&text);
    if said.is_some() {
        odd.push("it begins with a line for Excel".to_owned());
    }
    let delimiter = said.unwrap_or_else(|| likeliest(text));
    if !matches!(delimiter, b',' | b'\t') {
        odd.push(format!("its cells stand between `{}`", char::from(delimiter)));
    }
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).has_headers(false).from_reader(text.as_bytes());
    let mut records = reader.records();
    let header = match records.next() {
        Some(Ok(header)) if header.iter().any(|name| !name.trim().is_empty()) => header,
        Some(Ok(_)) => return Err(Unreadable::new("its first line names no column", "write the names of the columns into the first line")),
        _ => return Err(Unreadable::new("it is empty", "export the products again, with their column names")),
    };
    let columns = names(&header, &mut odd);
    let mut rows = Vec::new();
    let mut short = 0;
    for record in records {
        let Ok(record) = record else { continue };
        if record.iter().skip(columns.len()).any(|cell| !cell.trim().is_empty()) {
            let line = record.position().map_or(0, csv::Position::line);
            let fact = format!("the row on line {line} has {}, the header has {}", counted(record.len(), "cell"), counted(columns.len(), "column"));
            return Err(Unreadable::new(fact, "put a cell that holds the delimiter in quotes, or export the table again"));
        }
        short += usize::from(record.len() != columns.len());
        rows.push((0..columns.len()).map(|place| record.get(place).unwrap_or_default().to_owned()).collect());
    }
    if short > 0 {
        odd.push(format!("{} another number of cells than the header", counted_verb(short)));
    }
    if rows.is_empty() {
        return Err(Unreadable::new("it has no rows below its header", "export the products again"));
    }
    Ok(Export { columns, rows, delimiter, odd })
}

fn counted_verb(rows: usize) -> String {
    format!("{} {}", counted(rows, "row"), if rows == 1 { "has" } else { "have" })
}

/// Turns bytes into text: UTF-8, UTF-16 with its mark, or else what Windows writes in the west.
fn letters<'a>(bytes: &'a [u8], odd: &mut Vec<String>) -> Result<Cow<'a, str>, Unreadable> {
    let wide = |bytes: &[u8], read: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| read([pair[0], pair[1]])).collect();
        String::from_utf16_lossy(&units)
    };
    let text = match bytes {
        [0xff, 0xfe, rest @ ..] => Some(wide(rest, u16::from_le_bytes)),
        [0xfe, 0xff, rest @ ..] => Some(wide(rest, u16::from_be_bytes)),
        _ => None,
    };
    if let Some(text) = text {
        odd.push("it is UTF-16".to_owned());
        return Ok(Cow::Owned(text));
    }
    let body = bytes.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(bytes);
    if body.contains(&0) {
        return Err(Unreadable::new("it is not a text", "save the spreadsheet as \"CSV UTF-8\" and name that file"));
    }
    match std::str::from_utf8(body) {
        Ok(text) => Ok(Cow::Borrowed(text)),
        Err(_) => {
            odd.push("it is not UTF-8 and was read as Windows-1252".to_owned());
            Ok(Cow::Owned(body.iter().map(|byte| western(*byte)).collect()))
        }
    }
}

/// Returns a letter of Windows-1252.
fn western(byte: u8) -> char {
    const HIGH: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘', '’', '“', '”', '•', '–', '—',
        '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    match byte {
        0x80..=0x9f => HIGH[usize::from(byte - 0x80)],
        _ => char::from(byte),
    }
}

/// Takes away the line `sep=;` that Excel understands, and returns what it says.
fn said_delimiter(text: &str) -> (&str, Option<u8>) {
    let Some((first, rest)) = text.split_once('\n') else { return (text, None) };
    match first.trim_end_matches('\r').strip_prefix("sep=").map(str::as_bytes) {
        Some([delimiter]) if DELIMITERS.contains(delimiter) => (rest, Some(*delimiter)),
        _ => (text, None),
    }
}

/// Returns the delimiter by which most rows have as many cells as the header; of several the one that makes most columns.
fn likeliest(text: &str) -> u8 {
    let tried = DELIMITERS.iter().rev().map(|delimiter| {
        let mut reader = csv::ReaderBuilder::new().delimiter(*delimiter).flexible(true).has_headers(false).from_reader(text.as_bytes());
        let mut lengths = reader.records().take(LOOKED_AT).map_while(Result::ok).map(|record| record.len());
        let columns = lengths.next().unwrap_or(0);
        let rows: Vec<usize> = lengths.collect();
        let alike = rows.iter().filter(|length| **length == columns).count();
        let share = if rows.is_empty() { 100 } else { alike * 100 / rows.len() };
        (columns > 1, share, columns, *delimiter)
    });
    tried
        .max_by_key(|(splits, share, columns, _)| (*splits, *share, *columns))
        .map_or(b',', |(splits, _, _, delimiter)| if splits { delimiter } else { b',' })
}

/// Returns the names of the columns: those without one are counted, of two with one name the second gets a number.
fn names(header: &csv::StringRecord, odd: &mut Vec<String>) -> Vec<String> {
    let mut taken: HashSet<String> = HashSet::new();
    let mut names = Vec::with_capacity(header.len());
    for (place, name) in header.iter().enumerate() {
        let name = if name.trim().is_empty() {
            odd.push(format!("column {} has no name", place + 1));
            format!("column {}", place + 1)
        } else {
            name.to_owned()
        };
        let mut own = name.clone();
        let mut times = 1;
        while !taken.insert(own.clone()) {
            times += 1;
            own = format!("{name} ({times})");
        }
        if times > 1 {
            odd.push(format!("two columns are called `{name}`"));
        }
        names.push(own);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_delimiter_is_found_whatever_stands_in_the_cells() {
        for (text, delimiter) in [
            ("sku,title\nt,\"a; b; c\"\n", b','),
            ("sku\ttitle\nt\ta, b, c\n", b'\t'),
            ("sku;title;price\nt;Topf, rund;12,50\nu;Topf, eckig, blau;9,90\n", b';'),
            ("sku|title\nt|a\n", b'|'),
            ("sku\nt\n", b','),
            ("sep=;\nsku;a\nt;b\n", b';'),
        ] {
            assert_eq!(read(text.as_bytes()).expect("a table").delimiter, delimiter, "{text:?}");
        }
    }

    #[test]
    fn tables_in_other_letters_are_read_and_said_to_be_odd() {
        let western = read(b"sku,title\nt,Caf\xe9 \x80\n").expect("a table");
        assert_eq!((western.rows[0][1].as_str(), western.odd.len()), ("Café €", 1));
        let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain("sku\ttitle\nt\té\n".encode_utf16().flat_map(u16::to_le_bytes)).collect();
        let wide = read(&utf16).expect("a table");
        assert_eq!((wide.rows[0][1].as_str(), wide.kind()), ("é", "csv"), "it has to be written anew, with commas");
        let marked = read(b"\xef\xbb\xbfsku,title\nt,x\n").expect("a table");
        assert_eq!((marked.columns[0].as_str(), marked.odd.len()), ("sku", 0));
    }

    #[test]
    fn what_is_no_table_is_refused_with_what_to_do() {
        let fact = |bytes: &[u8]| read(bytes).expect_err("no table").fact;
        assert_eq!(fact(b""), "it is empty");
        assert_eq!(fact(b",,\nJane,Doe,x\n"), "its first line names no column");
        assert_eq!(fact(b"sku,title\n"), "it has no rows below its header");
        assert_eq!(fact(b"PK\x03\x04\0\0"), "it is not a text");
        assert_eq!(fact(b"a,b\n1,2\n1,2,3\n"), "the row on line 3 has 3 cells, the header has 2 columns");
    }

    #[test]
    fn columns_without_a_name_short_rows_and_two_of_one_name_are_mended_in_the_copy() {
        let table = read(b"sku,,sku\nt,\"x \"\"y\"\"\"\nu,v,w,\n").expect("a table");
        assert_eq!(table.rewritten(), "sku,column 2,sku (2)\nt,\"x \"\"y\"\"\",\nu,v,w\n");
        assert_eq!(table.odd, ["column 2 has no name", "two columns are called `sku`", "2 rows have another number of cells than the header"]);
    }

    #[test]
    fn no_two_columns_of_the_copy_have_one_name_whatever_they_are_called() {
        let names = |text: &str| read(text.as_bytes()).expect("a table").columns;
        assert_eq!(names("sku,sku (2),sku\na,b,c\n"), ["sku", "sku (2)", "sku (3)"]);
        assert_eq!(names("column 2,,x,x (2),x,x\na,b,c,d,e,f\n"), ["column 2", "column 2 (2)", "x", "x (2)", "x (3)", "x (4)"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_written_anew_says_the_same(rows in proptest::collection::vec(proptest::collection::vec("[a-z\", ;\té]{1,8}", 3), 1..6)) {
            let export = Export { columns: vec!["a".into(), "b".into(), "c".into()], rows, delimiter: b',', odd: Vec::new() };
            let again = csv::ReaderBuilder::new().has_headers(true).from_reader(export.rewritten().as_bytes()).records()
                .map(|record| record.map(|record| record.iter().map(str::to_owned).collect::<Vec<_>>())).collect::<Result<Vec<_>, _>>();
            prop_assert_eq!(again.expect("it is CSV"), export.rows);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = read(&bytes);
        }
    }
}
