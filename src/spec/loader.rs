//! Reads a campaign and the tables that it names, once.
//!
//! In: a path and [`Files`]. Out: [`Loading`]: the sources always, and the spec with its tables or all mistakes. Never: what a row means.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use super::files::{Files, input_path};
use super::model::{AxisSpec, CampaignSpec, FileAxisSpec};
use super::reading::{decode, read_as_meant, read_value};
use super::source::Sources;
use super::table::{self, Table};
use super::yaml::Positions;
use crate::types::diagnostic::{did_you_mean, listed};
use crate::types::{Diagnostic, Diagnostics, DocId, FieldPath, visible};

/// Largest YAML file, 10 MB: a campaign is some kilobytes, a table of a hundred thousand rows a few megabytes.
pub const MAX_YAML_BYTES: u64 = 10_000_000;

/// Largest table of another format, 64 MB.
pub const MAX_TABLE_BYTES: u64 = 64_000_000;

/// What came of reading a campaign.
#[derive(Debug, Clone)]
pub struct Loading {
    /// Every text that was read, for showing excerpts; there also when the load failed.
    pub sources: Sources,
    /// The campaign, or everything that is wrong with it so far.
    pub result: Result<Loaded, Diagnostics>,
    /// The campaign as far as it can be read, when `result` holds mistakes: good for finding more of them, never for going on.
    pub partial: Option<Loaded>,
    /// What should be said but forbids nothing.
    pub warnings: Diagnostics,
}

/// A campaign as written, with its tables.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The campaign.
    pub spec: CampaignSpec,
    /// Axis name to the table that it is read from; only axes that name a file.
    pub tables: IndexMap<String, Table>,
    /// The folder of the campaign file: paths in the campaign are relative to it.
    pub base: PathBuf,
}

/// Reads the campaign at `path` and all tables that it names.
pub fn load(path: &Path, files: &dyn Files) -> Loading {
    let mut sources = Sources::new();
    let result = load_into(&mut sources, path, files);
    match result {
        Ok((loaded, found)) if !found.has_errors() => Loading { sources, result: Ok(loaded), partial: None, warnings: found },
        Ok((loaded, found)) => Loading { result: Err(once(found, &sources)), sources, partial: Some(loaded), warnings: Diagnostics::new() },
        Err(found) => Loading { result: Err(once(found, &sources)), sources, partial: None, warnings: Diagnostics::new() },
    }
}

/// Drops repetitions: a mistake in a block that is shared by alias is found wherever the block is used.
fn once(found: Diagnostics, sources: &Sources) -> Diagnostics {
    let mut seen = HashSet::new();
    let mut kept = Diagnostics::new();
    for finding in found {
        if seen.insert((finding.code, sources.locate(&finding.at), finding.message.clone())) {
            kept.push(finding);
        }
    }
    kept
}

fn load_into(sources: &mut Sources, path: &Path, files: &dyn Files) -> Result<(Loaded, Diagnostics), Diagnostics> {
    let shown = path.display().to_string();
    let bytes = match files.read(path, MAX_YAML_BYTES) {
        Ok(bytes) => bytes,
        Err(error) => {
            let doc = sources.add_opaque(shown.clone(), "".into());
            return Err(unreadable(FieldPath::root(doc), &shown, path, &error, files).into());
        }
    };
    let (_, spec, mut found) = read_as_meant::<CampaignSpec>(sources, shown, &bytes, Positions::Campaign)?;
    let base = path.parent().map(Path::to_path_buf).unwrap_or_default();
    let mut tables = IndexMap::new();
    let mut read: HashMap<(PathBuf, &'static str), Option<Table>> = HashMap::new();
    for (name, axis) in &spec.axes {
        let at = FieldPath::campaign().key("axes").key(name);
        let AxisSpec::File(file) = axis else {
            found.extend(misspelt_source(axis, &at));
            continue;
        };
        let Some((kind, written)) = only_source(file, &at, &mut found) else { continue };
        let at_file = at.key(kind);
        let relative = match input_path(written) {
            Ok(relative) => relative,
            Err(why) => {
                found.push(bad_path(at_file, written, &why));
                continue;
            }
        };
        let full = base.join(relative);
        let table =
            read.entry((full.clone(), kind)).or_insert_with(|| read_table(sources, &full, kind, &at_file, written, files, &mut found)).clone();
        if let Some(table) = table {
            check_key(&table, file, &at, &mut found);
            tables.insert(name.clone(), table);
        }
    }
    Ok((Loaded { spec, tables, base }, found))
}

/// Finds `{ cvs: data/skus.csv, key: sku }`: written like a file, but read as two values called `cvs` and `key`.
fn misspelt_source(axis: &AxisSpec, at: &FieldPath) -> Diagnostics {
    let AxisSpec::Map(values) = axis else { return Diagnostics::new() };
    let is_file = |value: &serde_json::Value| {
        let extension = value.as_str().and_then(|text| Path::new(text).extension()?.to_str());
        extension.is_some_and(|extension| ["csv", "tsv", "jsonl", "ndjson", "yaml", "yml"].contains(&extension))
    };
    let Some((key, _)) = values.iter().find(|(_, value)| is_file(value)).filter(|_| values.contains_key("key")) else { return Diagnostics::new() };
    let mut finding = Diagnostic::error("axis-source", at.key(key).at_key(), format!("`{key}` is not a kind of table"))
        .label(format!("kinds are {}", listed(AxisSpec::FILE_KINDS, 4)));
    if let Some(meant) = did_you_mean(key, AxisSpec::FILE_KINDS) {
        finding = finding.help(format!("did you mean `{meant}`?"));
    }
    finding.into()
}

/// Returns the one file that an axis names.
fn only_source<'a>(file: &'a FileAxisSpec, at: &FieldPath, found: &mut Diagnostics) -> Option<(&'static str, &'a str)> {
    let all = [("csv", &file.csv), ("tsv", &file.tsv), ("jsonl", &file.jsonl), ("yaml", &file.yaml)];
    let named: Vec<(&'static str, &str)> = all.into_iter().filter_map(|(kind, path)| Some((kind, path.as_deref()?))).collect();
    match named.as_slice() {
        [one] => Some(*one),
        several => {
            let message = format!("an axis is read from one file, here are {}", listed(several.iter().map(|(kind, _)| *kind), 4));
            let mut finding = Diagnostic::error("axis-source", at.clone().at_key(), message).help("keep one of `csv`, `tsv`, `jsonl` and `yaml`");
            for (kind, _) in several {
                finding = finding.related(at.key(kind).at_key(), "one of them");
            }
            found.push(finding);
            None
        }
    }
}

fn read_table(
    sources: &mut Sources,
    full: &Path,
    kind: &'static str,
    at: &FieldPath,
    written: &str,
    files: &dyn Files,
    found: &mut Diagnostics,
) -> Option<Table> {
    let limit = if kind == "yaml" { MAX_YAML_BYTES } else { MAX_TABLE_BYTES };
    let bytes = match files.read(full, limit) {
        Ok(bytes) => bytes,
        Err(error) => {
            found.push(unreadable(at.clone(), written, full, &error, files));
            return None;
        }
    };
    let shown = full.display().to_string();
    if kind == "yaml" {
        return read_yaml_table(sources, shown, &bytes, found);
    }
    let text = match decode(&bytes) {
        Ok(text) => text,
        Err((text, finding)) => {
            let doc = sources.add_opaque(shown, text);
            found.push(finding(doc).related(at.clone(), "named here"));
            return None;
        }
    };
    let doc = sources.next_id();
    let reading = match kind {
        "csv" => table::read_delimited(doc, &text, b','),
        "tsv" => table::read_delimited(doc, &text, b'\t'),
        _ => table::read_json_lines(doc, &text),
    };
    sources.add_table(shown, text, reading.map);
    let usable = !reading.found.has_errors();
    found.extend(reading.found);
    usable.then_some(reading.table)
}

fn read_yaml_table(sources: &mut Sources, shown: String, bytes: &[u8], found: &mut Diagnostics) -> Option<Table> {
    let (doc, value) = match read_value(sources, shown, bytes, Positions::All) {
        Ok((doc, value, traps)) => {
            found.extend(traps);
            (doc, value)
        }
        Err(refused) => {
            found.extend(refused);
            return None;
        }
    };
    let serde_yaml::Value::Sequence(rows) = value else {
        let finding = Diagnostic::error("bad-row", FieldPath::root(doc), "the file is not a list of rows");
        found.push(finding.help("write each row as a list item: `- { sku: teapot, title: Teapot }`"));
        return None;
    };
    let (table, mistakes) = table::read_yaml_rows(doc, rows);
    let usable = !mistakes.has_errors();
    found.extend(mistakes);
    usable.then_some(table)
}

fn check_key(table: &Table, file: &FileAxisSpec, at: &FieldPath, found: &mut Diagnostics) {
    if table.column(&file.key).is_some() {
        return;
    }
    let columns = || table.columns.iter().map(AsRef::as_ref);
    let mut finding = Diagnostic::error("unknown-column", at.key("key"), format!("no column of the table is called `{}`", file.key))
        .label(format!("columns are {}", listed(columns(), 8)));
    if let Some(delimiter) = other_delimiter(table, &file.key) {
        let tabs = if delimiter == '\t' { ", or name it with `tsv:`" } else { "" };
        finding =
            finding.help(format!("the header seems to be separated by `{}`: save the table with commas{tabs}", visible(&delimiter.to_string())));
    } else if let Some(meant) = did_you_mean(&file.key, columns()) {
        finding = finding.help(format!("did you mean `{meant}`?"));
    }
    found.push(finding.related(FieldPath::root(table.doc), "the columns are named here"));
}

/// Returns what separates the columns of a table that was read as one column, if the key is then among them.
fn other_delimiter(table: &Table, key: &str) -> Option<char> {
    let [only] = table.columns.as_slice() else { return None };
    [';', '\t', '|', ','].into_iter().find(|delimiter| only.split(*delimiter).any(|column| column.trim().trim_matches('"') == key))
}

fn bad_path(at: FieldPath, written: &str, why: &str) -> Diagnostic {
    Diagnostic::error("bad-path", at, format!("the path `{written}` {why}"))
}

fn unreadable(at: FieldPath, written: &str, full: &Path, error: &io::Error, files: &dyn Files) -> Diagnostic {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            let finding = Diagnostic::error("missing-file", at.clone(), format!("there is no file `{written}`"));
            let name = full.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let names = files.names(full.parent().unwrap_or(Path::new("")));
            let meant = did_you_mean(name, names.iter().map(String::as_str));
            match meant {
                Some(meant) => finding.help(format!("did you mean `{}`?", Path::new(written).with_file_name(meant).display())),
                None if at.doc == DocId::CAMPAIGN && !at.segments.is_empty() => finding.help("paths are relative to the campaign file"),
                None => finding,
            }
        }
        io::ErrorKind::InvalidInput | io::ErrorKind::IsADirectory => {
            Diagnostic::error("not-a-file", at, format!("`{written}` is not a regular file")).help("name a file, not a folder, pipe or device")
        }
        io::ErrorKind::FileTooLarge => {
            Diagnostic::error("too-large", at, format!("the file `{written}` is {error}")).help("split it into several files")
        }
        _ => Diagnostic::error("unreadable-file", at, format!("the file `{written}` cannot be read: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::MemoryFiles;

    const CAMPAIGN: &str = r#"callsheet: 1
campaign: spring-drop
description: 2 SKUs x 2 angles

provider: kie
defaults: { model: gpt-image-2, aspect: "4:5", resolution: 1K }

vars:
  light: "Soft key light from the upper left"

axes:
  sku: { csv: data/skus.csv, key: sku, where: "status == 'ready'" }
  angle:
    front:   { view: "straight on at eye level, 85mm lens" }
    quarter: { view: "three-quarter view from the left" }
  size: [s, m]

baselines:
  pdp:
    prompt:
      subject: "{{ sku.title }} in {{ sku.material }}"
      style: "Photorealistic product photography"
    keep:
      - "identical shape"

ladders:
  surface:
    baseline: pdp
    vary: environment
    rungs:
      travertine: "on a honed travertine slab"

steps:
  hero:
    generate: { baseline: pdp, over: [sku, angle] }
  surface:
    edit:
      image: hero
      ladder: surface
      prompt: |
        Replace only the background.
        {{ keep }}
      takes: 2
  deliver:
    transform:
      image: surface
      ops:
        - crop: "4:5"
        - resize: { width: 1080 }
        - encode: { format: jpeg, quality: 88 }
      path: "{{ sku }}/{{ angle }}.{{ ext }}"

budget:
  cap: 1300
  iteration: strict
  warn-at: 80%
  steps: { surface: 900 }

profiles:
  draft: { sample: { sku: 2 }, until: surface, budget: { cap: 260 } }

run: { concurrency: 16, stop-after-failures: 10% }
"#;

    const ROWS: &str = "sku,title,material,status\nteapot,\"Teapot, large\",cast iron,ready\ncup,Cup,\"stone\nware\",ready\n";

    fn campaign(campaign: &str) -> MemoryFiles {
        MemoryFiles::new().with("shop/spring.yaml", campaign).with("shop/data/skus.csv", ROWS)
    }

    /// Loads and returns each finding as `code file:line:column`.
    fn findings(files: &MemoryFiles) -> Vec<String> {
        let loading = load(Path::new("shop/spring.yaml"), files);
        let place = |finding: &Diagnostic| {
            let place = loading.sources.locate(&finding.at).expect("every finding has a place");
            let (line, column) = loading.sources.position(place.doc, place.start);
            let document = loading.sources.document(place.doc).expect("a place is in a document");
            format!("{} {}:{line}:{column}", finding.code, document.shown)
        };
        match &loading.result {
            Ok(_) => Vec::new(),
            Err(found) => found.iter().map(place).collect(),
        }
    }

    #[test]
    fn a_whole_campaign_is_read_with_its_table() {
        let loading = load(Path::new("shop/spring.yaml"), &campaign(CAMPAIGN));
        let loaded = loading.result.expect("the campaign is right");
        assert_eq!(loaded.base, Path::new("shop"));
        assert_eq!(loaded.spec.steps.keys().collect::<Vec<_>>(), ["hero", "surface", "deliver"]);
        let table = &loaded.tables["sku"];
        assert_eq!(table.rows.len(), 2);
        assert_eq!(table.cell(&table.rows[0], "title"), Some(&"Teapot, large".into()));
        assert_eq!(table.cell(&table.rows[1], "material"), Some(&"stone\nware".into()));
        assert!(loading.warnings.is_empty());
    }

    #[test]
    fn every_kind_of_table_is_read() {
        for (kind, name, text) in [
            ("csv", "rows.csv", "\u{feff}sku,title\r\na,One\r\nb,Two\r\n"),
            ("tsv", "rows.tsv", "sku\ttitle\na\tOne\nb\tTwo\n"),
            ("jsonl", "rows.jsonl", "{\"sku\": \"a\", \"title\": \"One\"}\n\n{\"sku\": \"b\", \"title\": \"Two\"}\n"),
            ("yaml", "rows.yaml", "- { sku: a, title: One }\n- { sku: b, title: Two }\n"),
        ] {
            let text_of_campaign = CAMPAIGN.replace("csv: data/skus.csv", &format!("{kind}: ../shared/{name}"));
            let files = MemoryFiles::new().with("shop/spring.yaml", text_of_campaign).with(format!("shared/{name}"), text);
            let loading = load(Path::new("shop/spring.yaml"), &files);
            let loaded = loading.result.unwrap_or_else(|found| panic!("{kind}: {found:?}"));
            let table = &loaded.tables["sku"];
            let titles: Vec<_> = table.rows.iter().filter_map(|row| table.cell(row, "title")?.as_str()).collect();
            assert_eq!(titles, ["One", "Two"], "{kind}");
            let place = loading.sources.locate(&table.at(&table.rows[1], "title")).expect("a cell has a place");
            let document = loading.sources.document(place.doc).expect("its document");
            assert_eq!(&document.text[place.span()], if kind == "jsonl" { "\"Two\"" } else { "Two" }, "{kind}");
        }
    }

    #[test]
    fn two_axes_over_one_file_share_its_text() {
        let twice = CAMPAIGN.replace("  size: [s, m]", "  again: { csv: data/skus.csv, key: title }");
        let loading = load(Path::new("shop/spring.yaml"), &campaign(&twice));
        assert_eq!(loading.result.expect("right").tables.len(), 2);
        assert_eq!(loading.sources.iter().count(), 2);
    }

    #[test]
    fn what_is_wrong_with_a_table_or_its_path_is_found_at_the_axis() {
        let with = |axis: &str| findings(&campaign(&CAMPAIGN.replace("{ csv: data/skus.csv, key: sku, where: \"status == 'ready'\" }", axis)));
        assert_eq!(with("{ csv: data/sku.csv, key: sku }"), ["missing-file shop/spring.yaml:12:15"]);
        assert_eq!(with("{ csv: data, key: sku }"), ["missing-file shop/spring.yaml:12:15"]);
        assert_eq!(with("{ csv: /etc/passwd, key: sku }"), ["bad-path shop/spring.yaml:12:15"]);
        assert_eq!(with("{ csv: data/skus.csv, tsv: data/skus.tsv, key: sku }"), ["axis-source shop/spring.yaml:12:3"]);
        assert_eq!(with("{ cvs: data/skus.csv, key: sku }"), ["axis-source shop/spring.yaml:12:10"]);
        assert_eq!(with("{ csv: data/skus.csv, key: skuu }"), ["unknown-column shop/spring.yaml:12:35"]);
        assert_eq!(with("{ csv: data/skus.csv }"), ["missing-key shop/spring.yaml:12:3"]);
        assert_eq!(with("{ csv: data/skus.csv, key: sku, filter: x }"), ["unknown-key shop/spring.yaml:12:40"]);
    }

    #[test]
    fn a_file_that_is_not_text_is_refused_with_a_place() {
        let load = |bytes: &[u8]| findings(&MemoryFiles::new().with("shop/spring.yaml", bytes));
        assert_eq!(load(b"callsheet: 1\ncampaign: caf\xe9\n"), ["not-utf8 shop/spring.yaml:2:14"]);
        assert_eq!(load(b"\xff\xfec\0a\0"), ["not-utf8 shop/spring.yaml:1:1"]);
        assert_eq!(load(b"callsheet: 1\n\0"), ["nul-byte shop/spring.yaml:2:1"]);
        assert_eq!(load(b""), ["empty-value shop/spring.yaml:1:1"]);
        assert_eq!(load(&vec![b'#'; 10_000_001]), ["too-large shop/spring.yaml:1:1"]);
        assert_eq!(findings(&MemoryFiles::new()), ["missing-file shop/spring.yaml:1:1"]);
        let mut marked = b"\xef\xbb\xbf".to_vec();
        marked.extend(CAMPAIGN.replace('\n', "\r\n").bytes());
        let files = campaign(CAMPAIGN).with("shop/spring.yaml", marked);
        assert_eq!(findings(&files), Vec::<String>::new());
    }

    #[test]
    fn mistakes_of_all_sorts_are_found_at_once() {
        let wrong = CAMPAIGN
            .replace("provider: kie", "provdier: kie")
            .replace("size: [s, m]", "size: [no, m]")
            .replace("image: hero", "image:")
            .replace("takes: 2", "takes: 0")
            .replace("warn-at: 80%", "warn-at: 180 %");
        assert_eq!(
            findings(&campaign(&wrong)),
            [
                "yaml-trap shop/spring.yaml:16:10",
                "unknown-key shop/spring.yaml:5:1",
                "empty-value shop/spring.yaml:38:7",
                "wrong-value shop/spring.yaml:43:14",
                "wrong-value shop/spring.yaml:56:12",
            ]
        );
    }

    #[test]
    fn what_stands_below_a_misspelt_key_is_checked_at_its_own_place() {
        let wrong = CAMPAIGN.replace("\nsteps:\n", "\nstepz:\n").replace("takes: 2", "takes: 0");
        assert_eq!(findings(&campaign(&wrong)), ["unknown-key shop/spring.yaml:33:1", "wrong-value shop/spring.yaml:43:14"]);
        let typed = CAMPAIGN.replace("\nbudget:\n", "\nbudgets:\n").replace("warn-at: 80%", "warn-at: 180%");
        assert_eq!(findings(&campaign(&typed)), ["unknown-key shop/spring.yaml:53:1", "wrong-value shop/spring.yaml:56:12"]);
    }

    #[test]
    fn a_number_that_nobody_can_count_is_named_as_such() {
        let wrong = CAMPAIGN.replace("cap: 1300", "cap: 99999999999999999999999");
        let loading = load(Path::new("shop/spring.yaml"), &campaign(&wrong));
        let found = loading.result.expect_err("too large");
        let messages: Vec<_> = found.iter().map(|finding| finding.message.as_str()).collect();
        assert_eq!(messages, ["the number `99999999999999999999999` is too large"]);
        assert_eq!(findings(&campaign(&wrong)), ["wrong-value shop/spring.yaml:54:8"]);
    }

    #[test]
    fn a_table_with_another_delimiter_is_told_so() {
        let files = campaign(CAMPAIGN).with("shop/data/skus.csv", "sku;title;material;status\nteapot;Teapot;iron;ready\n");
        let found = load(Path::new("shop/spring.yaml"), &files).result.expect_err("one column");
        let help = found.iter().next().and_then(|finding| finding.help.clone()).unwrap_or_default();
        assert!(help.starts_with("the header seems to be separated by `;`"), "{help}");
    }

    #[test]
    fn what_only_the_typed_reading_refuses_has_its_place_too() {
        let wrong = CAMPAIGN.replace("warn-at: 80%", "warn-at: 180%");
        assert_eq!(findings(&campaign(&wrong)), ["wrong-value shop/spring.yaml:56:12"]);
    }

    #[test]
    fn sections_with_everything_commented_out_are_as_if_not_there() {
        let empty = CAMPAIGN.replace("run: { concurrency: 16, stop-after-failures: 10% }", "run:\n  # concurrency: 16\noutput:");
        assert_eq!(findings(&campaign(&empty)), Vec::<String>::new());
    }

    #[test]
    fn shared_blocks_are_merged_and_mistakes_in_them_point_at_their_text() {
        let merged = CAMPAIGN.replace(
            "    generate: { baseline: pdp, over: [sku, angle] }",
            "    generate: &g { baseline: pdp, over: [sku, angle] }\n  more:\n    generate: { <<: *g, takes: 2 }",
        );
        assert_eq!(findings(&campaign(&merged)), Vec::<String>::new());
        let wrong = merged.replace("over: [sku, angle] }", "over: [sku, angle], seed: x }");
        assert_eq!(findings(&campaign(&wrong)), ["wrong-type shop/spring.yaml:35:61"]);
    }
}
