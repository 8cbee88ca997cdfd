//! Axes: rows, inline values, rungs, takes; their keys checked, their values made ready for templates.

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::IndexMap;
use minijinja::value::{Serde, Value};

use super::template::{Condition, Roots, Template, TemplateProblem};
use super::variables::{AxisFields, AxisObject};
use super::{Axis, AxisSource, AxisValue};
use crate::spec::{AxisSpec, CampaignSpec, FileAxisSpec, LadderSpec, Table};
use crate::types::diagnostic::{did_you_mean, listed};
use crate::types::{Diagnostic, Diagnostics, FieldPath};

/// Names that templates already use for something else.
pub const RESERVED: [&str; 9] = ["vars", "keep", "take", "step", "campaign", "ext", "row", "loop", "self"];

/// Most mistakes that are listed one by one for one axis.
const MAX_LISTED: usize = 20;

/// Returns the author's axes and the ladders, each with its first `sample` values if one is given.
pub fn axes(spec: &CampaignSpec, tables: &IndexMap<String, Table>, sample: &IndexMap<String, u32>, found: &mut Diagnostics) -> Vec<Axis> {
    let mut axes = Vec::new();
    for (name, axis) in &spec.axes {
        let at = FieldPath::campaign().key("axes").key(name);
        check_name(name, &at, found);
        let values = match axis {
            AxisSpec::File(file) => tables.get(name).and_then(|table| rows(file, table, &at, found)),
            AxisSpec::Map(values) => Some(inline(values, &at)),
            AxisSpec::List(texts) => list(texts, &at, found),
        };
        let Some((mut values, fields)) = values else { continue };
        if let Some(most) = sample.get(name) {
            values.truncate(*most as usize);
        }
        if values.is_empty() {
            let finding = Diagnostic::error("empty-axis", at.clone(), format!("axis `{name}` has no values"));
            found.push(finding.help("check its `where`, or the number under `sample`"));
        }
        axes.push(Axis { name: Arc::from(name.as_str()), source: AxisSource::Values, values, fields, at });
    }
    for (name, ladder) in &spec.ladders {
        let at = FieldPath::campaign().key("ladders").key(name);
        check_name(name, &at, found);
        if spec.axes.contains_key(name) {
            let finding = Diagnostic::error("axis-clash", at.clone().at_key(), format!("`{name}` is a ladder and an axis"));
            found.push(finding.help("give one of them another name").related(FieldPath::campaign().key("axes").key(name).at_key(), "the axis"));
        }
        let mut axis = rungs(name, ladder, at, found);
        if let Some(most) = sample.get(name) {
            axis.values.truncate(*most as usize);
        }
        axes.push(axis);
    }
    axes
}

/// Returns the axis of a step's equal tries.
pub fn takes(step: &Arc<str>, count: u32, at: FieldPath) -> Axis {
    let values = (1..=count).map(|take| {
        let key: Arc<str> = Arc::from(take.to_string());
        AxisValue { value: Value::from(take), keyed: Value::from(take), key, rung: None, at: at.clone() }
    });
    Axis { name: Arc::from("take"), source: AxisSource::Take { step: Arc::clone(step) }, values: values.collect(), fields: None, at }
}

fn check_name(name: &str, at: &FieldPath, found: &mut Diagnostics) {
    let is_word = name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_')
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    if RESERVED.contains(&name) {
        let finding = Diagnostic::error("reserved-name", at.clone().at_key(), format!("`{name}` already means something in templates"));
        found.push(finding.help(format!("reserved are {}", listed(RESERVED, 12))));
    } else if !is_word {
        let finding = Diagnostic::error("bad-name", at.clone().at_key(), format!("`{name}` cannot be used in a template"));
        found.push(
            finding.help(format!("use letters, digits and `_`, for example `{}`", name.replace(|letter: char| !letter.is_ascii_alphanumeric(), "_"))),
        );
    }
}

type Values = (Vec<AxisValue>, Option<Vec<Arc<str>>>);

fn value(key: &str, text: Option<Arc<str>>, fields: AxisFields, at: FieldPath) -> AxisValue {
    let key: Arc<str> = Arc::from(key);
    let object = |text| Value::from_object(AxisObject { key: Arc::clone(&key), text, fields: fields.clone() });
    AxisValue { value: object(text), keyed: object(None), rung: None, at, key }
}

fn inline(values: &IndexMap<String, serde_json::Value>, at: &FieldPath) -> Values {
    let mut names: Vec<Arc<str>> = Vec::new();
    let axis_values = values.iter().map(|(key, content)| {
        let (text, fields) = match content {
            serde_json::Value::Object(fields) => {
                let fields: IndexMap<String, Value> = fields.iter().map(|(name, value)| (name.clone(), Value::from(Serde(value)))).collect();
                for name in fields.keys() {
                    if !names.iter().any(|known| **known == **name) {
                        names.push(Arc::from(name.as_str()));
                    }
                }
                (None, AxisFields::Map(Arc::new(fields)))
            }
            serde_json::Value::String(text) => (Some(Arc::from(text.as_str())), AxisFields::None),
            other => (Some(Arc::from(other.to_string())), AxisFields::None),
        };
        value(key, text, fields, at.key(key))
    });
    let axis_values = axis_values.collect();
    (axis_values, if names.is_empty() { None } else { Some(names) })
}

fn list(texts: &[String], at: &FieldPath, found: &mut Diagnostics) -> Option<Values> {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let mut values = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        if let Some(first) = seen.insert(text, index) {
            let finding = Diagnostic::error("duplicate-value", at.index(index), format!("`{text}` stands twice on the axis"));
            found.push(finding.related(at.index(first), "first here"));
        }
        values.push(value(text, None, AxisFields::None, at.index(index)));
    }
    Some((values, None))
}

fn rungs(name: &str, ladder: &LadderSpec, at: FieldPath, found: &mut Diagnostics) -> Axis {
    let values = ladder.rungs.iter().filter_map(|(key, text)| {
        let rung_at = at.key("rungs").key(key);
        match Template::compile(text, rung_at.clone()) {
            Ok(template) => {
                let mut rung = value(key, Some(Arc::from(text.as_str())), AxisFields::None, rung_at);
                rung.rung = (!template.lookups().is_empty() || !template.is_simple()).then_some(template);
                Some(rung)
            }
            Err(problem) => {
                found.push(template_diagnostic(&problem, &rung_at, None));
                None
            }
        }
    });
    Axis { name: Arc::from(name), source: AxisSource::Ladder, values: values.collect(), fields: None, at: at.clone() }
}

/// Turns a template's problem into a diagnostic at its place.
pub fn template_diagnostic(problem: &TemplateProblem, at: &FieldPath, help: Option<String>) -> Diagnostic {
    let at = match &problem.range {
        Some(range) => at.clone().inside(range.clone()),
        None => at.clone(),
    };
    let diagnostic = Diagnostic::error(problem.code, at, problem.message.clone());
    match help {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}

fn rows(file: &FileAxisSpec, table: &Table, at: &FieldPath, found: &mut Diagnostics) -> Option<Values> {
    let columns: Arc<[Arc<str>]> = table.columns.clone().into();
    let key_column = table.column(&file.key)?;
    let cells: Vec<Arc<[Option<Value>]>> = table.rows.iter().map(|row| row.cells.iter().map(cell).collect()).collect();
    let keep = match &file.filter {
        Some(source) => filter(source, file, &columns, &cells, at, table, found)?,
        None => vec![true; cells.len()],
    };
    let mut seen: HashMap<String, FieldPath> = HashMap::new();
    let mut values = Vec::new();
    let mut mistakes = 0;
    for ((row, cells), _) in table.rows.iter().zip(&cells).zip(keep).filter(|(_, keep)| *keep) {
        let place = table.at(row, &file.key);
        let key = cells.get(key_column).and_then(Option::as_ref).map(ToString::to_string).unwrap_or_default();
        if key.trim().is_empty() {
            mistakes += 1;
            if mistakes <= MAX_LISTED {
                let finding = Diagnostic::error("empty-row-key", place, format!("this row has no `{}`", file.key));
                found.push(
                    finding
                        .label("empty")
                        .help("fill it in, choose another `key`, or leave such rows out with `where`")
                        .related(at.key("key"), "named as the key here"),
                );
            }
            continue;
        }
        if let Some(first) = seen.insert(key.clone(), place.clone()) {
            mistakes += 1;
            if mistakes <= MAX_LISTED {
                let finding = Diagnostic::error("duplicate-row-key", place, format!("`{key}` names two rows"));
                found.push(
                    finding
                        .related(first, "first here")
                        .help("keys are unique; leave continuation rows out with `where`, for example `where: \"Title != ''\"`"),
                );
            }
            continue;
        }
        values.push(value(&key, None, AxisFields::Row { columns: Arc::clone(&columns), cells: Arc::clone(cells) }, place));
    }
    if mistakes > MAX_LISTED {
        let message = format!("{} more rows of this table have an empty or repeated key", mistakes - MAX_LISTED);
        found.push(Diagnostic::error("duplicate-row-key", at.key("key"), message));
    }
    Some((values, Some(columns.to_vec())))
}

fn cell(cell: &Option<serde_json::Value>) -> Option<Value> {
    match cell {
        None | Some(serde_json::Value::Null) => None,
        Some(serde_json::Value::String(text)) => Some(Value::from(text.as_str())),
        Some(other) => Some(Value::from(Serde(other))),
    }
}

/// A row's columns as the roots of a `where`.
struct RowRoots {
    columns: Arc<[Arc<str>]>,
    cells: Arc<[Option<Value>]>,
}

impl Roots for RowRoots {
    fn root(&self, name: &str) -> Option<Value> {
        let fields = AxisFields::Row { columns: Arc::clone(&self.columns), cells: Arc::clone(&self.cells) };
        if name == "row" {
            return Some(Value::from_object(AxisObject { key: Arc::from("row"), text: None, fields }));
        }
        fields.get(name).or_else(|| self.columns.iter().any(|column| **column == *name).then(|| Value::from("")))
    }
}

fn filter(
    source: &str,
    file: &FileAxisSpec,
    columns: &Arc<[Arc<str>]>,
    cells: &[Arc<[Option<Value>]>],
    at: &FieldPath,
    table: &Table,
    found: &mut Diagnostics,
) -> Option<Vec<bool>> {
    let at = at.key("where");
    let condition = match Condition::compile(source, at.clone()) {
        Ok(condition) => condition,
        Err(problem) => {
            found.push(template_diagnostic(&problem, &at, assignment_help(source)));
            return None;
        }
    };
    let mut sound = true;
    for lookup in condition.lookups() {
        let name = match lookup.names.as_slice() {
            [row, column, ..] if row == "row" => column,
            [column, ..] => column,
            [] => continue,
        };
        if name == "row" || columns.iter().any(|column| **column == **name) {
            continue;
        }
        sound = false;
        let help = match did_you_mean(name, columns.iter().map(|column| &**column)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("columns are {}; `row[\"Column Name\"]` reaches any of them", listed(columns.iter(), 10)),
        };
        found.push(
            Diagnostic::error("unknown-column", at.clone().inside(lookup.range.clone()), format!("the table has no column `{name}`")).help(help),
        );
    }
    let texts_only = file.csv.is_some() || file.tsv.is_some();
    if let Some(range) = number_comparison(source).filter(|_| texts_only) {
        sound = false;
        let finding =
            Diagnostic::error("text-compared-with-number", at.clone().inside(range), "a column of this file is text, and text never equals a number");
        found.push(finding.help("write `price | float > 100` to compare as numbers, or `stock == '0'` to compare as text"));
    }
    if !sound {
        return None;
    }
    let judged = condition.with(|is_true| {
        let mut keep = Vec::with_capacity(cells.len());
        for (index, cells) in cells.iter().enumerate() {
            match is_true(Arc::new(RowRoots { columns: Arc::clone(columns), cells: Arc::clone(cells) })) {
                Ok(kept) => keep.push(kept),
                Err(problem) => return Err((index, problem)),
            }
        }
        Ok(keep)
    });
    match judged {
        Ok(Ok(keep)) => Some(keep),
        Ok(Err((index, problem))) => {
            let row = FieldPath::root(table.doc).index(index);
            found.push(template_diagnostic(&problem, &at, None).related(row, "for this row"));
            None
        }
        Err(problem) => {
            found.push(template_diagnostic(&problem, &at, None));
            None
        }
    }
}

/// Returns a hint for `status = 'ready'`.
pub fn assignment_help(source: &str) -> Option<String> {
    let single = source.char_indices().any(|(position, letter)| {
        let before = source[..position].chars().next_back();
        letter == '=' && !source[position + 1..].starts_with('=') && !matches!(before, Some('=' | '!' | '<' | '>'))
    });
    single.then(|| "`==` compares; a single `=` means nothing here".to_owned())
}

/// Finds `name > 100` without a filter that makes a number of the name; bytes of the comparison.
pub fn number_comparison(source: &str) -> Option<std::ops::Range<usize>> {
    for operator in ["==", "!=", ">=", "<=", ">", "<"] {
        for (position, _) in source.match_indices(operator) {
            let after = source[position + operator.len()..].trim_start();
            let digits = after.starts_with(|first: char| first.is_ascii_digit())
                || (after.starts_with('-') && after[1..].starts_with(|first: char| first.is_ascii_digit()));
            let before = source[..position].trim_end();
            let operand_start = before.rfind([' ', '(']).map_or(0, |space| space + 1);
            let operand = &before[operand_start..];
            let filtered = before[..operand_start].trim_end().ends_with('|') || operand.contains('|') || operand.ends_with(')');
            let is_name = operand.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
            if digits && is_name && !filtered {
                return Some(operand_start..position + operator.len());
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparing_text_with_a_number_is_noticed() {
        assert!(number_comparison("price > 100").is_some());
        assert!(number_comparison("row['Variant Price'] >= 10").is_some());
        assert!(number_comparison("price | float > 100").is_none());
        assert!(number_comparison("(price | int) > 100").is_none());
        assert!(number_comparison("status == 'ready'").is_none());
    }
}
