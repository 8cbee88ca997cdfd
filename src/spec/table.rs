//! Rows of products: comma- or tab-separated files, JSON lines, YAML lists.
//!
//! In: text. Out: a [`Table`] and all mistakes in it. Never: which row is wanted, or whether its key is unique.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};

use super::cells::{self, TableMap, Writing};
use crate::types::diagnostic::counted;
use crate::types::{Diagnostic, Diagnostics, DocId, FieldPath};

/// Most ragged rows that are listed one by one.
const MAX_LISTED: usize = 20;

/// A table as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// The document it was read from.
    pub doc: DocId,
    /// Names of the columns, in the order of the file (of JSON and YAML: in the order first met).
    pub columns: Vec<Arc<str>>,
    /// The rows, in the order of the file.
    pub rows: Vec<Row>,
}

/// One row of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its number, counted from 0 without the header; [`FieldPath::index`] takes it.
    pub index: usize,
    /// One value a column; texts in separated files. `None` where the row does not have the column.
    pub cells: Vec<Option<serde_json::Value>>,
}

impl Table {
    /// Returns the position of the column called `name`.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| **column == *name)
    }

    /// Returns the value of `row` in the column called `name`.
    pub fn cell<'a>(&self, row: &'a Row, name: &str) -> Option<&'a serde_json::Value> {
        row.cells.get(self.column(name)?)?.as_ref()
    }

    /// Returns the address of a cell.
    pub fn at(&self, row: &Row, column: &str) -> FieldPath {
        FieldPath::root(self.doc).index(row.index).column(column)
    }
}

/// A table with what finds its cells, and its mistakes.
pub(super) struct Reading {
    pub(super) table: Table,
    pub(super) map: TableMap,
    pub(super) found: Diagnostics,
}

impl Reading {
    fn new(doc: DocId, writing: Writing) -> Self {
        Self {
            table: Table { doc, columns: Vec::new(), rows: Vec::new() },
            map: TableMap { writing, columns: Vec::new(), rows: Vec::new() },
            found: Diagnostics::new(),
        }
    }

    fn start_row(&mut self, start: usize) -> usize {
        self.map.rows.push(u32::try_from(start).unwrap_or(u32::MAX));
        self.map.rows.len() - 1
    }

    fn finish(mut self) -> Self {
        self.map.columns.clone_from(&self.table.columns);
        if self.found.is_empty() && self.table.rows.is_empty() {
            let finding = Diagnostic::error("empty-table", FieldPath::root(self.table.doc), "the table has no rows");
            self.found.push(finding.help("an axis needs at least one row below the header"));
        }
        self
    }
}

/// Reads a file with a header and cells between `delimiter`s.
pub(super) fn read_delimited(doc: DocId, text: &str, delimiter: u8) -> Reading {
    let mut reading = Reading::new(doc, Writing::Delimited(delimiter));
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).has_headers(false).from_reader(text.as_bytes());
    let mut record = csv::StringRecord::new();
    let mut last_start = 0;
    let mut ragged = 0;
    let mut is_header = true;
    // The text is known to be UTF-8 and in memory, and ragged rows are let through: nothing is left that can fail.
    while let Ok(true) = reader.read_record(&mut record) {
        let (start, line) = record.position().map_or((0, 1), |position| (to_usize(position.byte()), position.line()));
        last_start = start;
        if is_header {
            is_header = false;
            header(&mut reading, &record);
            continue;
        }
        let index = reading.start_row(start);
        let wanted = reading.table.columns.len();
        if record.len() != wanted {
            ragged += 1;
            if ragged <= MAX_LISTED {
                reading.found.push(ragged_row(doc, index, skip_blank(text, start, line), record.len(), wanted));
            }
            continue;
        }
        let cells = record.iter().map(|cell| Some(serde_json::Value::from(cell))).collect();
        reading.table.rows.push(Row { index, cells });
    }
    if ragged > MAX_LISTED {
        let message = format!("{} more have another number of cells than the header", counted(ragged - MAX_LISTED, "row"));
        reading.found.push(Diagnostic::error("ragged-row", FieldPath::root(doc), message));
    }
    if is_header {
        reading.found.push(
            Diagnostic::error("empty-table", FieldPath::root(doc), "the file is empty")
                .help("write a header line with the names of the columns, then one line a row"),
        );
    }
    if let Some(quote) = cells::fields(text, last_start, delimiter).open_quote {
        let finding = Diagnostic::error("bad-row", FieldPath::root(doc).inside(quote..quote + 1), "a quote is opened and never closed");
        reading.found.push(finding.label("opened here").help("close it, or write `\"\"` for a quote inside a quoted cell"));
    }
    reading.finish()
}

fn to_usize(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

/// Returns the line where a row's text begins: the reader counts from the empty lines before it.
fn skip_blank(text: &str, start: usize, line: u64) -> u64 {
    let rest = text.get(start..).unwrap_or("");
    let blank = &rest[..rest.len() - rest.trim_start_matches(['\n', '\r']).len()];
    line + blank.bytes().filter(|byte| *byte == b'\n').count() as u64
}

fn ragged_row(doc: DocId, index: usize, line: u64, has: usize, wanted: usize) -> Diagnostic {
    let message = format!("the row on line {line} has {}, the header has {}", counted(has, "cell"), counted(wanted, "column"));
    let help = if has > wanted { "put a cell that holds the delimiter in quotes" } else { "a quote that is not closed, or a cell that is missing" };
    let label = format!("{has} here");
    Diagnostic::error("ragged-row", FieldPath::root(doc).index(index), message).label(label).help(help)
}

fn header(reading: &mut Reading, record: &csv::StringRecord) {
    let doc = reading.table.doc;
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for (position, name) in record.iter().enumerate() {
        let at = || FieldPath::root(doc).column(name);
        if name.trim().is_empty() {
            let message = format!("column {} has no name", position + 1);
            reading.found.push(Diagnostic::error("empty-column", FieldPath::root(doc), message).help("name it in the header, or remove the column"));
        } else if let Some(first) = seen.insert(name, position) {
            let message = format!("the column `{name}` stands twice, as number {} and {}", first + 1, position + 1);
            reading
                .found
                .push(Diagnostic::error("duplicate-column", at(), message).label("first of the two").help("rename or remove one of the two"));
        }
        reading.table.columns.push(Arc::from(name));
    }
}

/// Reads a file with one JSON object a line; empty lines are skipped.
pub(super) fn read_json_lines(doc: DocId, text: &str) -> Reading {
    let mut reading = Reading::new(doc, Writing::JsonLines);
    let mut columns = ColumnNumbers::default();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let line_start = start;
        start += line.len();
        if line.trim().is_empty() {
            continue;
        }
        let index = reading.start_row(line_start);
        match serde_json::from_str::<JsonRow>(line) {
            Ok(row) => match row.repeated {
                None => {
                    let cells = columns.place(row.entries, &mut reading.table.columns);
                    reading.table.rows.push(Row { index, cells });
                }
                Some(key) => {
                    let at = FieldPath::root(doc).index(index).column(&key).at_key();
                    let message = format!("the key `{key}` is written twice in this row");
                    reading.found.push(Diagnostic::error("duplicate-key", at, message).help("keep one of the two"));
                }
            },
            Err(error) => {
                let offset = line_start + error.column().saturating_sub(1);
                let at = FieldPath::root(doc).inside(offset..offset + 1);
                let text = error.to_string();
                let reason = text.split(" at line ").next().unwrap_or_default();
                let finding = Diagnostic::error("bad-row", at, "this line is not one JSON object").label(reason);
                reading.found.push(finding.help("write one object a line: {\"sku\": \"teapot\"}"));
            }
        }
    }
    reading.finish().fill()
}

/// Makes a table of a YAML list of maps; `shape` mistakes are found here, syntax before.
pub(super) fn read_yaml_rows(doc: DocId, rows: Vec<serde_yaml::Value>) -> (Table, Diagnostics) {
    let mut reading = Reading::new(doc, Writing::JsonLines);
    let mut columns = ColumnNumbers::default();
    for (index, row) in rows.into_iter().enumerate() {
        let entries: Result<Vec<(String, serde_json::Value)>, _> = match row {
            serde_yaml::Value::Mapping(entries) => {
                entries.into_iter().map(|(key, value)| Ok((key.as_str().unwrap_or_default().to_owned(), serde_json::to_value(value)?))).collect()
            }
            _ => Err(serde::ser::Error::custom("not a map")),
        };
        match entries {
            Ok(entries) => {
                let cells = columns.place(entries, &mut reading.table.columns);
                reading.table.rows.push(Row { index, cells });
            }
            Err::<_, serde_json::Error>(_) => {
                let finding = Diagnostic::error("bad-row", FieldPath::root(doc).index(index), "a row is a map of columns");
                reading.found.push(finding.help("write it as `- { sku: teapot, title: Teapot }`"));
            }
        }
    }
    let reading = reading.finish().fill();
    (reading.table, reading.found)
}

impl Reading {
    /// Gives every row a cell for columns that came up after it.
    fn fill(mut self) -> Self {
        for row in &mut self.table.rows {
            row.cells.resize(self.table.columns.len(), None);
        }
        self
    }
}

/// Column names to their positions.
#[derive(Default)]
struct ColumnNumbers(HashMap<Arc<str>, usize>);

impl ColumnNumbers {
    fn place(&mut self, entries: Vec<(String, serde_json::Value)>, columns: &mut Vec<Arc<str>>) -> Vec<Option<serde_json::Value>> {
        let mut cells = vec![None; columns.len()];
        for (name, value) in entries {
            let position = match self.0.get(name.as_str()) {
                Some(position) => *position,
                None => {
                    let name: Arc<str> = Arc::from(name);
                    columns.push(name.clone());
                    cells.push(None);
                    self.0.insert(name, columns.len() - 1);
                    columns.len() - 1
                }
            };
            if let Some(cell) = cells.get_mut(position) {
                *cell = Some(value);
            }
        }
        cells
    }
}

/// A JSON object in the order of its keys, with the first key that is written twice.
struct JsonRow {
    entries: Vec<(String, serde_json::Value)>,
    repeated: Option<String>,
}

impl<'de> Deserialize<'de> for JsonRow {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = JsonRow;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object such as {\"sku\": \"teapot\"}")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<JsonRow, A::Error> {
                let mut row = JsonRow { entries: Vec::new(), repeated: None };
                let mut seen = std::collections::HashSet::new();
                while let Some((key, value)) = map.next_entry::<String, serde_json::Value>()? {
                    if !seen.insert(key.clone()) {
                        row.repeated.get_or_insert_with(|| key.clone());
                    }
                    row.entries.push((key, value));
                }
                Ok(row)
            }
        }

        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn codes(reading: &Reading) -> Vec<&'static str> {
        reading.found.iter().map(|finding| finding.code.0).collect()
    }

    fn csv(text: &str) -> Reading {
        read_delimited(DocId(1), text, b',')
    }

    /// Returns the text at a cell, and at three bytes inside it.
    fn cell<'a>(text: &'a str, reading: &Reading, row: usize, column: &str) -> &'a str {
        &text[reading.map.locate(text, &FieldPath::root(DocId(1)).index(row).column(column))]
    }

    #[test]
    fn quotes_line_breaks_and_odd_column_names_are_read_and_found_again() {
        let text = "sku,Body (HTML),note\n\nt-1,\"<p>Say \"\"hi\"\"\nthere</p>\",\"{{ x }}\"\r\nt-2,,plain\n";
        let reading = csv(text);
        assert_eq!(codes(&reading), [""; 0]);
        let first = &reading.table.rows[0];
        assert_eq!(reading.table.cell(first, "Body (HTML)"), Some(&"<p>Say \"hi\"\nthere</p>".into()));
        assert_eq!(cell(text, &reading, 0, "note"), "{{ x }}");
        assert_eq!(cell(text, &reading, 1, "note"), "plain");
        assert_eq!(cell(text, &reading, 1, "Body (HTML)"), "");
        let inside = FieldPath::root(DocId(1)).index(0).column("Body (HTML)").inside(8..10);
        assert_eq!(&text[reading.map.locate(text, &inside)], "hi");
        let header = FieldPath::root(DocId(1)).column("Body (HTML)");
        assert_eq!(&text[reading.map.locate(text, &header)], "Body (HTML)");
    }

    #[test]
    fn mistakes_in_a_table_are_all_named() {
        assert_eq!(codes(&csv("a,b\n1\n2,3\n4,5,6\n")), ["ragged-row", "ragged-row"]);
        assert_eq!(codes(&csv("a,b,a\n1,2,3\n")), ["duplicate-column"]);
        assert_eq!(codes(&csv("a,,b\n1,2,3\n")), ["empty-column"]);
        assert_eq!(codes(&csv("")), ["empty-table"]);
        assert_eq!(codes(&csv("\n\n")), ["empty-table"]);
        assert_eq!(codes(&csv("a,b\n")), ["empty-table"]);
        assert_eq!(codes(&csv("a,b\n1,\"2\n")), ["bad-row"]);
        let ragged = csv(&format!("a,b\n{}", "1\n".repeat(1000)));
        assert_eq!(ragged.found.len(), 21, "twenty rows and a count of the others");
    }

    #[test]
    fn a_ragged_row_names_its_line_and_counts() {
        let reading = csv("a,b\n\"1\n1\",2\n\n3\n");
        let messages: Vec<&str> = reading.found.iter().map(|finding| finding.message.as_str()).collect();
        assert_eq!(messages, ["the row on line 5 has 1 cell, the header has 2 columns"]);
    }

    #[test]
    fn json_lines_keep_values_and_absent_columns() {
        let text = "{\"sku\":\"a\",\"price\":12.5}\n\n{\"sku\":\"b\",\"tags\":[1]}\n";
        let reading = read_json_lines(DocId(1), text);
        assert_eq!(codes(&reading), [""; 0]);
        let columns: Vec<&str> = reading.table.columns.iter().map(AsRef::as_ref).collect();
        assert_eq!(columns, ["sku", "price", "tags"]);
        assert_eq!(reading.table.cell(&reading.table.rows[0], "tags"), None);
        assert_eq!(reading.table.cell(&reading.table.rows[1], "price"), None);
        assert_eq!(cell(text, &reading, 1, "tags"), "[1]");
    }

    #[test]
    fn json_lines_that_are_no_objects_are_named_with_their_place() {
        let text = "{\"sku\":\"a\"}\n[1]\n{\"sku\":}\n{\"sku\":1,\"sku\":2}\n";
        let reading = read_json_lines(DocId(1), text);
        assert_eq!(codes(&reading), ["bad-row", "bad-row", "duplicate-key"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn every_cell_of_any_table_is_found_again(rows in proptest::collection::vec(proptest::collection::vec("[a-z\", \\né]{0,8}", 3), 1..6)) {
            let quoted = |cell: &String| format!("\"{}\"", cell.replace('"', "\"\""));
            let lines: Vec<String> = rows.iter().map(|row| row.iter().map(quoted).collect::<Vec<_>>().join(",")).collect();
            let text = format!("a,b,c\n{}\n", lines.join("\n"));
            let reading = csv(&text);
            prop_assert!(reading.found.is_empty());
            for (index, row) in rows.iter().enumerate() {
                for (column, wanted) in ["a", "b", "c"].into_iter().zip(row) {
                    prop_assert_eq!(&cell(&text, &reading, index, column).replace("\"\"", "\""), wanted);
                }
            }
        }

        #[test]
        fn no_text_makes_a_table_panic(text in "(?s).{0,60}|[a,\"\\n\\r]{0,40}") {
            let delimited = csv(&text);
            let lines = read_json_lines(DocId(1), &text);
            for path in [FieldPath::root(DocId(1)).index(1).column("a").inside(1..9), FieldPath::root(DocId(1)).column("a")] {
                delimited.map.locate(&text, &path);
                lines.map.locate(&text, &path);
            }
        }
    }
}
