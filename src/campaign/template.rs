//! Texts with `{{ }}`: compiled once, checked against the step's variables, rendered per shot.
//!
//! Sandboxed: no file, environment or network to reach; no macros, no `set`, no loops that grow; fuel and output limits.
//! `{#` is plain text here, because prompts hold JSON and markup.
//!
//! Nearly all templates only look values up. Those are rendered by [`Piece`]s, without the engine; the result is the same.

use std::collections::BTreeSet;
use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{Environment, ErrorKind, UndefinedBehavior};

use super::lookups::{self, Lookup};
use crate::types::FieldPath;

/// Longest template, in bytes: ten times the longest prompt that any model takes.
const MAX_SOURCE: usize = 256 * 1024;

/// Longest rendered text, in bytes.
const MAX_OUTPUT: usize = 256 * 1024;

/// Steps of the template engine a render may take.
const FUEL: u64 = 20_000;

/// Tags that a template may use. `set`, `with` and macros are left out: they can double a text with every line.
const TAGS: [&str; 7] = ["if", "elif", "else", "endif", "for", "endfor", "raw"];

/// A mistake in a template, with the bytes of the source that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateProblem {
    /// Stable name: `template-syntax`, `undefined-variable`, `template-tag`, `template-limit`.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// Where in the source.
    pub range: Option<Range<usize>>,
}

/// A compiled template and where the author wrote it.
#[derive(Debug, Clone)]
pub struct Template {
    source: Arc<str>,
    at: FieldPath,
    body: Body,
    lookups: Vec<Lookup>,
}

#[derive(Debug, Clone)]
enum Body {
    /// No variable in it.
    Fixed(Arc<str>),
    /// Text and lookups, in order.
    Pieces(Arc<[Piece]>),
    /// Everything else: the engine renders it.
    Engine,
}

/// A part of a template that needs no engine.
#[derive(Debug, Clone)]
enum Piece {
    Text(Arc<str>),
    Lookup(Lookup),
}

/// Gives a template the value of a root variable.
pub trait Roots: Send + Sync {
    /// Returns the value called `name`, if the step has it.
    fn root(&self, name: &str) -> Option<Value>;
}

impl Template {
    /// Compiles `source`, which stands at `at`.
    ///
    /// # Errors
    /// Syntax, a tag that is not allowed, or a text over 256 KiB.
    pub fn compile(source: &str, at: FieldPath) -> Result<Self, TemplateProblem> {
        if source.len() > MAX_SOURCE {
            let message = format!("the template has {} bytes; {MAX_SOURCE} are the limit", source.len());
            return Err(TemplateProblem { code: "template-limit", message, range: None });
        }
        let source: Arc<str> = Arc::from(source);
        if !source.contains("{{") && !source.contains("{%") {
            return Ok(Self { body: Body::Fixed(Arc::clone(&source)), source, at, lookups: Vec::new() });
        }
        if let Some(pieces) = pieces(&source) {
            let lookups = pieces.iter().filter_map(|piece| match piece {
                Piece::Lookup(lookup) => Some(lookup.clone()),
                Piece::Text(_) => None,
            });
            return Ok(Self { lookups: lookups.collect(), body: Body::Pieces(pieces.into()), source, at });
        }
        allowed_tags(&source)?;
        let environment = environment();
        let compiled = environment.template_from_str(&source).map_err(|error| problem(&error))?;
        let lookups = lookups::of_template(&source, &compiled.undeclared_variables(false).into_iter().collect());
        Ok(Self { source: Arc::clone(&source), at, body: Body::Engine, lookups })
    }

    /// Returns the text as the author wrote it.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Returns where the author wrote it.
    pub fn at(&self) -> &FieldPath {
        &self.at
    }

    /// Returns the variables that it looks up.
    pub fn lookups(&self) -> &[Lookup] {
        &self.lookups
    }

    /// Returns whether it only looks values up, without conditions, loops or filters.
    pub fn is_simple(&self) -> bool {
        !matches!(self.body, Body::Engine)
    }

    /// Returns the root variables that it needs, without those that it binds itself.
    pub fn roots(&self) -> BTreeSet<&str> {
        self.lookups.iter().map(|lookup| lookup.names[0].as_str()).collect()
    }

    /// Renders the text.
    ///
    /// # Errors
    /// An undefined variable, or a limit.
    pub fn render(&self, roots: &Arc<dyn Roots>) -> Result<Arc<str>, TemplateProblem> {
        match &self.body {
            Body::Fixed(text) => Ok(Arc::clone(text)),
            Body::Pieces(pieces) => render_pieces(pieces, roots.as_ref()),
            Body::Engine => self.render_engine(roots),
        }
    }

    fn render_engine(&self, roots: &Arc<dyn Roots>) -> Result<Arc<str>, TemplateProblem> {
        let environment = environment();
        let compiled = environment.template_from_str(&self.source).map_err(|error| problem(&error))?;
        let mut output = Limited(Vec::new());
        let context = Value::from_object(Context { roots: Arc::clone(roots), plain: lookups::used_whole(&self.lookups) });
        compiled.render_captured_to(context, &mut output).map_err(|error| problem(&error))?;
        String::from_utf8(output.0).map(Arc::from).map_err(|_| TemplateProblem {
            code: "template-limit",
            message: "the text is cut inside a letter".to_owned(),
            range: None,
        })
    }
}

/// Keeps what a template writes, up to the limit.
struct Limited(Vec<u8>);

impl Write for Limited {
    fn write(&mut self, chunk: &[u8]) -> std::io::Result<usize> {
        if self.0.len() + chunk.len() > MAX_OUTPUT {
            return Err(std::io::Error::other(format!("the text grows past {MAX_OUTPUT} bytes")));
        }
        self.0.extend_from_slice(chunk);
        Ok(chunk.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The roots as the engine sees them; those in `plain` as texts, so that they can be compared.
struct Context {
    roots: Arc<dyn Roots>,
    plain: BTreeSet<String>,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Context")
    }
}

impl minijinja::value::Object for Context {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?;
        let value = self.roots.root(name)?;
        if self.plain.contains(name) && value.as_object().is_some() { Some(Value::from(value.to_string())) } else { Some(value) }
    }
}

/// A condition such as `when:` or `where:`.
#[derive(Debug, Clone)]
pub struct Condition {
    source: Arc<str>,
    at: FieldPath,
    lookups: Vec<Lookup>,
}

impl Condition {
    /// Compiles `source`, which stands at `at`.
    ///
    /// # Errors
    /// Syntax.
    pub fn compile(source: &str, at: FieldPath) -> Result<Self, TemplateProblem> {
        let environment = environment();
        let expression = environment.compile_expression(source).map_err(|error| problem(&error))?;
        let lookups = lookups::of_expression(source, &expression.undeclared_variables(false).into_iter().collect());
        Ok(Self { source: Arc::from(source), at, lookups })
    }

    /// Returns where the author wrote it.
    pub fn at(&self) -> &FieldPath {
        &self.at
    }

    /// Returns the variables that it looks up.
    pub fn lookups(&self) -> &[Lookup] {
        &self.lookups
    }

    /// Prepares the condition for many evaluations; `judge` is called with a function from roots to truth.
    ///
    /// # Errors
    /// Whatever `judge` returns.
    pub fn with<T>(&self, judge: impl FnOnce(&dyn Fn(Arc<dyn Roots>) -> Result<bool, TemplateProblem>) -> T) -> Result<T, TemplateProblem> {
        let environment = environment();
        let expression = environment.compile_expression(&self.source).map_err(|error| problem(&error))?;
        let plain = lookups::used_whole(&self.lookups);
        let evaluate = |roots: Arc<dyn Roots>| {
            let context = Context { roots, plain: plain.clone() };
            let value = expression.eval(Value::from_object(context)).map_err(|error| problem(&error))?;
            if value.is_undefined() {
                let message = format!("`{}` has no value here", self.source);
                return Err(TemplateProblem { code: "undefined-variable", message, range: None });
            }
            Ok(value.is_true())
        };
        Ok(judge(&evaluate))
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder().comment_delimiters("{\u{1}#", "#\u{1}}").build();
    if let Ok(syntax) = syntax {
        environment.set_syntax(syntax);
    }
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(64);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_debug(true);
    for function in ["debug", "namespace", "dict"] {
        environment.remove_global(function);
    }
    environment.add_filter("slug", |text: &str| slug(text));
    environment.add_filter("replace", bounded_replace);
    environment.add_filter("striptags", |text: &str| strip_tags(text));
    environment
}

/// `replace` that cannot blow a text up: chains of it multiply lengths.
fn bounded_replace(text: &str, from: &str, to: &str) -> Result<String, minijinja::Error> {
    let grown = text.len().saturating_add(text.matches(from).count().saturating_mul(to.len()));
    if grown > MAX_OUTPUT {
        return Err(minijinja::Error::new(ErrorKind::InvalidOperation, format!("the text grows past {MAX_OUTPUT} bytes")));
    }
    Ok(text.replace(from, to))
}

/// Returns `text` in lower case with runs of other characters than letters and digits as one `-`.
pub fn slug(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars().flat_map(char::to_lowercase) {
        if letter.is_alphanumeric() {
            out.push(letter);
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
    }
    out.trim_end_matches('-').to_owned()
}

/// Returns `text` without `<...>`: product exports hold HTML bodies.
fn strip_tags(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut inside = false;
    for letter in text.chars() {
        match letter {
            '<' => inside = true,
            '>' if inside => {
                inside = false;
                out.push(' ');
            }
            _ if !inside => out.push(letter),
            _ => {}
        }
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Splits a template that only looks values up; `None` when it does anything else.
fn pieces(source: &str) -> Option<Vec<Piece>> {
    if source.contains("{%") {
        return None;
    }
    let mut pieces = Vec::new();
    let mut position = 0;
    while let Some(open) = source[position..].find("{{").map(|found| position + found) {
        let close = open + source[open..].find("}}")?;
        let lookup = lookups::alone(source, open + 2..close)?;
        if open > position {
            pieces.push(Piece::Text(Arc::from(&source[position..open])));
        }
        pieces.push(Piece::Lookup(lookup));
        position = close + 2;
    }
    // The engine drops one newline at the very end of a template; so do we.
    let rest = source[position..].strip_suffix('\n').unwrap_or(&source[position..]);
    if !rest.is_empty() {
        pieces.push(Piece::Text(Arc::from(rest)));
    }
    Some(pieces)
}

fn render_pieces(pieces: &[Piece], roots: &dyn Roots) -> Result<Arc<str>, TemplateProblem> {
    use std::fmt::Write as _;
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(fixed) => text.push_str(fixed),
            Piece::Lookup(lookup) => {
                let value = find(lookup, roots)?;
                match value.as_str() {
                    Some(plain) => text.push_str(plain),
                    None => write!(text, "{value}").map_err(|_| undefined(lookup, lookup.names.len()))?,
                }
            }
        }
    }
    if text.len() > MAX_OUTPUT {
        let message = format!("the text grows past {MAX_OUTPUT} bytes");
        return Err(TemplateProblem { code: "template-limit", message, range: None });
    }
    Ok(Arc::from(text))
}

fn find(lookup: &Lookup, roots: &dyn Roots) -> Result<Value, TemplateProblem> {
    let mut value = roots.root(&lookup.names[0]).ok_or_else(|| undefined(lookup, 1))?;
    for (depth, name) in lookup.names.iter().enumerate().skip(1) {
        value = value.get_attr(name).ok().filter(|value| !value.is_undefined()).ok_or_else(|| undefined(lookup, depth + 1))?;
    }
    Ok(value)
}

fn undefined(lookup: &Lookup, depth: usize) -> TemplateProblem {
    let message = format!("`{}` has no value here", lookup.names[..depth].join("."));
    TemplateProblem { code: "undefined-variable", message, range: Some(lookup.range.clone()) }
}

fn allowed_tags(source: &str) -> Result<(), TemplateProblem> {
    for (open, _) in source.match_indices("{%") {
        let rest = source[open + 2..].trim_start_matches(['-', '+']).trim_start();
        let tag: String = rest.chars().take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '_').collect();
        if !TAGS.contains(&tag.as_str()) && tag != "endraw" {
            let message = format!("the tag `{tag}` is not part of campaign templates");
            return Err(TemplateProblem { code: "template-tag", message, range: Some(open..open + 2 + tag.len()) });
        }
    }
    Ok(())
}

fn problem(error: &minijinja::Error) -> TemplateProblem {
    let detail = error.detail().map(str::to_owned).unwrap_or_else(|| error.kind().to_string());
    let (code, message) = match error.kind() {
        ErrorKind::SyntaxError => ("template-syntax", format!("the template cannot be read: {detail}")),
        ErrorKind::UndefinedError => ("undefined-variable", format!("a variable has no value here: {detail}")),
        ErrorKind::UnknownFilter | ErrorKind::UnknownFunction | ErrorKind::UnknownMethod | ErrorKind::UnknownTest => {
            ("template-syntax", format!("the template uses something that is not there: {detail}"))
        }
        ErrorKind::WriteFailure => ("template-limit", format!("the text grows past {MAX_OUTPUT} bytes")),
        kind => ("template-limit", format!("the template cannot be rendered: {kind}: {detail}")),
    };
    TemplateProblem { code, message, range: error.range() }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Product;

    impl Roots for Product {
        fn root(&self, name: &str) -> Option<Value> {
            match name {
                "sku" => Some(Value::from_pairs([
                    ("title", Value::from("Teapot")),
                    ("Body (HTML)", Value::from("<p>Blown <b>clay</b></p>")),
                    ("price", Value::from(12)),
                ])),
                _ => None,
            }
        }
    }

    fn render(source: &str) -> Result<String, String> {
        let roots: Arc<dyn Roots> = Arc::new(Product);
        let template = Template::compile(source, FieldPath::campaign()).map_err(|problem| problem.message)?;
        template.render(&roots).map(|text| text.to_string()).map_err(|problem| problem.message)
    }

    #[test]
    fn lookups_and_the_engine_agree() {
        for source in ["{{ sku.title }} at {{ sku.price }}", "a {{sku['title']}}\n", "{{ sku[\"Body (HTML)\"] }}"] {
            let fast = render(source).expect("simple lookups render");
            let engine = render(&format!("{source}{{% if true %}}{{% endif %}}")).expect("the engine renders");
            assert_eq!(fast, engine.trim_end_matches('\n'), "{source}");
        }
    }

    #[test]
    fn braces_and_json_are_plain_text() {
        let json = r##"{"scene": {"light": "soft {# not a comment #}"}, "style": {"lens": {"mm": 85}}}"##;
        assert_eq!(render(json), Ok(json.to_owned()));
        assert_eq!(render("{\"of\": \"{{ sku.title }}\", \"deep\": {\"a\": {}}}"), Ok("{\"of\": \"Teapot\", \"deep\": {\"a\": {}}}".to_owned()));
    }

    #[test]
    fn undefined_names_say_where_they_stand() {
        let roots: Arc<dyn Roots> = Arc::new(Product);
        let template = Template::compile("In {{ sku.titel }}", FieldPath::campaign()).expect("it compiles");
        let problem = template.render(&roots).expect_err("the column is missing");
        assert_eq!(problem.range, Some(6..15));
        assert_eq!(problem.message, "`sku.titel` has no value here");
    }

    #[test]
    fn templates_cannot_reach_out_or_grow_without_bound() {
        for source in [
            "{% include '/etc/passwd' %}",
            "{% set x = 'a' %}",
            "{% macro m() %}{{ m() }}{% endmacro %}",
            "{% for i in range(9000) %}{% for j in range(9000) %}x{% endfor %}{% endfor %}",
            "{{ 'a' * 1000000000 }}",
            "{{ namespace() }}",
            "{{ debug() }}",
            "{{ self.__class__ }}",
            "{{ [1] * 1000000000 }}",
        ] {
            assert!(render(source).is_err(), "{source}");
        }
        let chain = "aaaaaaaaaa".repeat(100);
        let bomb = format!("{{{{ '{chain}' | replace('a', '{chain}') | replace('a', '{chain}') | replace('a', '{chain}') }}}}");
        assert!(render(&bomb).is_err());
    }

    #[test]
    fn filters_for_products_work() {
        assert_eq!(render("{{ sku['Body (HTML)'] | striptags }}"), Ok("Blown clay".to_owned()));
        assert_eq!(render("{{ 'Crème Brûlée / No. 5' | slug }}"), Ok("crème-brûlée-no-5".to_owned()));
    }
}
