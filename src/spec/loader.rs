//! Reads a campaign and the tables that it names, once.
//!
//! In: a path and [`Files`]. Out: [`Loading`]: the sources always, and the spec with its tables or all mistakes. Never: what a row means.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use super::files::{Files, input_path};
use super::model::{AxisSpec, CampaignSpec, FileAxisSpec};
use super::reading::{decode, read_value, read_yaml};
use super::source::Sources;
use super::table::{self, Table};
use super::yaml::Positions;
use crate::types::diagnostic::{did_you_mean, listed};
use crate::types::{Diagnostic, Diagnostics, DocId, FieldPath};

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
    let (result, warnings) = match result {
        Ok((loaded, found)) if !found.has_errors() => (Ok(loaded), found),
        Ok((_, found)) | Err(found) => (Err(found), Diagnostics::new()),
    };
    Loading { sources, result, warnings }
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
    let (_, spec) = read_yaml::<CampaignSpec>(sources, shown, &bytes, Positions::Campaign)?;
    let base = path.parent().map(Path::to_path_buf).unwrap_or_default();
    let mut found = Diagnostics::new();
    let mut tables = IndexMap::new();
    let mut read: HashMap<(PathBuf, &'static str), Option<Table>> = HashMap::new();
    for (name, axis) in &spec.axes {
        let AxisSpec::File(file) = axis else { continue };
        let at = FieldPath::campaign().key("axes").key(name);
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
        Ok(read) => read,
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
    if let Some(meant) = did_you_mean(&file.key, columns()) {
        finding = finding.help(format!("did you mean `{meant}`?"));
    }
    found.push(finding.related(FieldPath::root(table.doc), "the columns are named here"));
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
    use crate::cli::diagnostics::render;
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

    /// Loads a campaign that must be refused and returns what a person sees.
    fn refused(files: &MemoryFiles) -> String {
        let loading = load(Path::new("shop/spring.yaml"), files);
        let found = loading.result.expect_err("the campaign is wrong");
        render(&found, &loading.sources, false, Some(120))
    }

    #[test]
    fn a_whole_campaign_is_read_with_its_table() {
        let loading = load(Path::new("shop/spring.yaml"), &campaign(CAMPAIGN));
        let loaded = match loading.result {
            Ok(loaded) => loaded,
            Err(found) => panic!("{}", render(&found, &loading.sources, false, None)),
        };
        assert_eq!(loaded.base, Path::new("shop"));
        assert_eq!(loaded.spec.steps.keys().collect::<Vec<_>>(), ["hero", "surface", "deliver"]);
        let table = &loaded.tables["sku"];
        assert_eq!(table.rows.len(), 2);
        assert_eq!(table.cell(&table.rows[0], "title"), Some(&"Teapot, large".into()));
        assert!(loading.warnings.is_empty());
    }

    #[test]
    fn a_column_that_is_not_there_is_shown_in_both_files() {
        let wrong = CAMPAIGN.replace("key: sku,", "key: skuu,");
        insta::assert_snapshot!(refused(&campaign(&wrong)), @"");
    }
}
