//! Variables as templates see them: axis values, `vars`, `keep`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use indexmap::IndexMap;
use minijinja::value::{Object, ObjectRepr, Value};

use super::lookups::Lookup;
use super::template::{Condition, Roots, Template, TemplateProblem};
use crate::types::diagnostic::{did_you_mean, listed};

/// The value of an axis in a template: printing it gives its text or its key, `.field` its fields.
pub struct AxisObject {
    /// Name of the value; also `{{ axis.key }}` unless a field is called so.
    pub key: Arc<str>,
    /// What printing it gives, if not the key.
    pub text: Option<Arc<str>>,
    /// Its fields.
    pub fields: AxisFields,
}

/// Where an axis value keeps its fields.
#[derive(Clone)]
pub enum AxisFields {
    /// It has none.
    None,
    /// A row of a table; the columns are shared by all rows.
    Row {
        /// Names of the columns.
        columns: Arc<[Arc<str>]>,
        /// One value a column; `None` where the row lacks it.
        cells: Arc<[Option<Value>]>,
    },
    /// Fields of a value in the campaign file.
    Map(Arc<IndexMap<String, Value>>),
}

impl AxisFields {
    /// Returns the field called `name`.
    pub fn get(&self, name: &str) -> Option<Value> {
        match self {
            Self::None => None,
            Self::Row { columns, cells } => {
                let column = columns.iter().position(|column| **column == *name)?;
                cells.get(column)?.clone()
            }
            Self::Map(fields) => fields.get(name).cloned(),
        }
    }
}

impl fmt::Debug for AxisObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text.as_deref().unwrap_or(&self.key))
    }
}

impl Object for AxisObject {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?;
        self.fields.get(name).or_else(|| match name {
            "key" => Some(Value::from(&self.key)),
            "text" => self.text.as_ref().map(Value::from),
            _ => None,
        })
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text.as_deref().unwrap_or(&self.key))
    }
}

/// The variables of one shot.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// Name and value, searched from the front.
    pub values: Vec<(Arc<str>, Value)>,
}

impl Scope {
    /// Adds a variable.
    pub fn push(&mut self, name: &str, value: Value) {
        self.values.push((Arc::from(name), value));
    }
}

impl Roots for Scope {
    fn root(&self, name: &str) -> Option<Value> {
        self.values.iter().find(|(known, _)| **known == *name).map(|(_, value)| value.clone())
    }
}

/// What is known of a variable before any row is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// A plain text without fields.
    Text,
    /// A value with these fields.
    Fields(Vec<Arc<str>>),
}

/// The variables that a step's templates may use.
#[derive(Debug, Clone, Default)]
pub struct Available {
    names: BTreeMap<Arc<str>, Known>,
}

impl Available {
    /// Adds a variable.
    pub fn add(&mut self, name: &str, known: Known) {
        self.names.insert(Arc::from(name), known);
    }

    /// Checks every lookup of a template; all that are wrong are returned.
    pub fn check(&self, template: &Template) -> Vec<(TemplateProblem, Option<String>)> {
        let mut wrong: Vec<_> = template.lookups().iter().filter_map(|lookup| self.check_lookup(lookup)).collect();
        // A template that only prints can do both; one that compares cannot: a text never equals an object.
        if !template.is_simple() {
            wrong.extend(self.mixed(template.lookups()));
        }
        wrong
    }

    /// Checks every lookup of a condition; all that are wrong are returned.
    pub fn check_condition(&self, condition: &Condition) -> Vec<(TemplateProblem, Option<String>)> {
        let mut wrong: Vec<_> = condition.lookups().iter().filter_map(|lookup| self.check_lookup(lookup)).collect();
        wrong.extend(self.mixed(condition.lookups()));
        wrong
    }

    /// Checks one lookup.
    fn check_lookup(&self, lookup: &Lookup) -> Option<(TemplateProblem, Option<String>)> {
        let root = lookup.names[0].as_str();
        let undefined = |message: String, help: Option<String>| {
            Some((TemplateProblem { code: "undefined-variable", message, range: Some(lookup.range.clone()) }, help))
        };
        let Some(known) = self.names.get(root) else {
            return undefined(format!("there is no variable `{root}` here"), Some(self.help(root)));
        };
        let field = lookup.names.get(1)?;
        match known {
            Known::Text if field == "key" || field == "text" => None,
            Known::Text => undefined(format!("`{root}` has no field `{field}`: it is a plain text"), Some(format!("write `{{{{ {root} }}}}`"))),
            Known::Fields(fields) if field == "key" || fields.iter().any(|known| **known == **field) => None,
            Known::Fields(fields) => {
                let help = match did_you_mean(field, fields.iter().map(|field| &**field)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("`{root}` has {}", listed(fields, 12)),
                };
                undefined(format!("`{root}` has no field `{field}`"), Some(help))
            }
        }
    }

    fn help(&self, root: &str) -> String {
        match did_you_mean(root, self.names.keys().map(|name| &**name)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("variables here are {}", listed(self.names.keys(), 12)),
        }
    }

    fn mixed(&self, lookups: &[Lookup]) -> Vec<(TemplateProblem, Option<String>)> {
        let bare =
            lookups.iter().filter(|lookup| lookup.names.len() == 1 && matches!(self.names.get(lookup.names[0].as_str()), Some(Known::Fields(_))));
        bare.filter(|lookup| lookups.iter().any(|other| other.names.len() > 1 && other.names[0] == lookup.names[0]))
            .map(|lookup| {
                let root = &lookup.names[0];
                let message = format!("`{root}` is used as a whole and by its fields in one place");
                let help = format!("write `{root}.key` for its name");
                (TemplateProblem { code: "mixed-variable", message, range: Some(lookup.range.clone()) }, Some(help))
            })
            .collect()
    }
}
