//! Shows mistakes: file, line, column, the excerpt with carets, what is wrong, how to mend it.
//!
//! In: [`Diagnostics`] and the [`Sources`] that they point into. Out: text for a person, or JSON.
//! Never: a control character of a file, a prompt or a vendor on somebody's terminal.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde_json::{Value, json};

use crate::report::junit;
use crate::spec::{Place, Sources};
use crate::types::diagnostic::counted;
use crate::types::{Diagnostic, Diagnostics, FieldPath, Severity, visible};

/// Width of an excerpt when the terminal does not tell its own.
const DEFAULT_WIDTH: usize = 120;

/// Most characters of a line that are shown on each side of the place.
const MAX_BESIDE: usize = 160;

/// Returns all diagnostics as text, sorted by file and position, with an empty line between two.
///
/// The count at the end is the caller's to write. `width` is that of the terminal in columns.
pub fn render(diagnostics: &Diagnostics, sources: &Sources, color: bool, width: Option<usize>) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() }.term_width(width.unwrap_or(DEFAULT_WIDTH).max(40));
    let mut text = String::new();
    for diagnostic in sorted(diagnostics, sources) {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&one(diagnostic, sources, &renderer));
        text.push('\n');
    }
    text
}

/// Returns "2 mistakes and 1 warning".
pub fn counted_words(diagnostics: &Diagnostics) -> String {
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count();
    match (errors, diagnostics.len() - errors) {
        (errors, 0) => counted(errors, "mistake"),
        (0, warnings) => counted(warnings, "warning"),
        (errors, warnings) => format!("{} and {}", counted(errors, "mistake"), counted(warnings, "warning")),
    }
}

/// Returns all diagnostics as JSON, in the order of [`render`].
pub fn to_json(diagnostics: &Diagnostics, sources: &Sources) -> Value {
    let all = sorted(diagnostics, sources).into_iter().map(|diagnostic| {
        let mut object = place_json(&diagnostic.at, sources);
        let related = diagnostic.related.iter().map(|(at, note)| {
            let mut object = place_json(at, sources);
            object.insert("note".to_owned(), json!(note));
            Value::Object(object)
        });
        object.insert("severity".to_owned(), json!(word(diagnostic.severity)));
        object.insert("code".to_owned(), json!(diagnostic.code.0));
        object.insert("message".to_owned(), json!(diagnostic.message));
        object.insert("label".to_owned(), json!(diagnostic.label));
        object.insert("help".to_owned(), json!(diagnostic.help));
        object.insert("path".to_owned(), json!(diagnostic.at.to_string()));
        object.insert("related".to_owned(), related.collect());
        Value::Object(object)
    });
    all.collect()
}

/// Returns mistakes as GitHub's workflow commands, one line each: notes beside the lines of a pull request.
pub fn to_github(diagnostics: &Diagnostics, sources: &Sources) -> String {
    let mut text = String::new();
    for diagnostic in sorted(diagnostics, sources) {
        let place = sources.locate(&diagnostic.at).and_then(|place| Some((sources.document(place.doc)?, place)));
        let at = place.map_or(String::new(), |(document, place)| {
            let ((line, column), (end, _)) = (sources.position(place.doc, place.start), sources.position(place.doc, place.end));
            format!("file={},line={line},endLine={end},col={column},", junit::property(&document.shown))
        });
        let help = diagnostic.help.as_ref().map_or(String::new(), |help| format!("\n{help}"));
        let message = junit::data(&format!("{}{help}", diagnostic.message));
        text.push_str(&format!("::{} {at}title={}::{message}\n", word(diagnostic.severity), junit::property(diagnostic.code.0)));
    }
    text
}

fn place_json(at: &FieldPath, sources: &Sources) -> serde_json::Map<String, Value> {
    let mut object = serde_json::Map::new();
    let Some((document, place)) = sources.locate(at).and_then(|place| Some((sources.document(place.doc)?, place))) else {
        return object;
    };
    let (line, column) = sources.position(place.doc, place.start);
    let (end_line, end_column) = sources.position(place.doc, place.end);
    object.insert("file".to_owned(), json!(document.shown));
    object.insert("line".to_owned(), json!(line));
    object.insert("column".to_owned(), json!(column));
    object.insert("end".to_owned(), json!({ "line": end_line, "column": end_column }));
    object
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn sorted<'a>(diagnostics: &'a Diagnostics, sources: &Sources) -> Vec<&'a Diagnostic> {
    let mut all: Vec<&Diagnostic> = diagnostics.iter().collect();
    all.sort_by_cached_key(|diagnostic| (diagnostic.at.doc, sources.locate(&diagnostic.at).map(|place| place.start), diagnostic.severity));
    all
}

fn one(diagnostic: &Diagnostic, sources: &Sources, renderer: &Renderer) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(safe(&diagnostic.message)).id(diagnostic.code.0);
    let mut primary = Group::with_title(title);
    primary = with_excerpt(primary, sources, &diagnostic.at, &diagnostic.label, AnnotationKind::Primary);
    let mut groups = vec![primary];
    for (at, note) in &diagnostic.related {
        let group = Group::with_title(Level::NOTE.secondary_title(safe(note)));
        groups.push(with_excerpt(group, sources, at, "", AnnotationKind::Context));
    }
    if let Some(help) = &diagnostic.help {
        groups.push(Group::with_title(Level::HELP.secondary_title(safe(help))));
    }
    without_empty_arrows(&renderer.render(&groups))
}

/// Drops the lines ` ::: ` that stand between a place and its excerpt when the place is said apart from it.
fn without_empty_arrows(text: &str) -> String {
    let is_arrow = |line: &str| anstream::adapter::strip_str(line).to_string().trim() == ":::";
    let kept: Vec<&str> = text.lines().filter(|line| !is_arrow(line)).collect();
    kept.join("\n")
}

fn with_excerpt<'a>(group: Group<'a>, sources: &Sources, at: &FieldPath, label: &str, kind: AnnotationKind) -> Group<'a> {
    let Some(place) = sources.locate(at) else { return group };
    let Some(document) = sources.document(place.doc) else { return group };
    let (line, column) = sources.position(place.doc, place.start);
    // Said here and not left to the excerpt: its columns shift where lines are cut and characters are written out.
    let group = group.element(Origin::path(safe(&document.shown)).line(line).char_column(column));
    let excerpt = Excerpt::around(&document.text, &place);
    if excerpt.text.trim().is_empty() {
        return group;
    }
    let mut annotation = kind.span(excerpt.span.clone());
    if !label.is_empty() {
        annotation = annotation.label(safe(label));
    }
    let snippet = Snippet::source(excerpt.text).line_start(line).annotation(annotation);
    group.element(snippet)
}

/// The line of a place, cut around it and made safe to print.
struct Excerpt {
    text: String,
    /// The place in `text`.
    span: Range<usize>,
}

impl Excerpt {
    fn around(text: &str, place: &Place) -> Self {
        let before = text.get(..place.start).unwrap_or("");
        let before = before.rsplit('\n').next().unwrap_or("");
        // A place of several lines is shown by its first.
        let from = text.get(place.start..).unwrap_or("").split('\n').next().unwrap_or("").trim_end_matches('\r');
        let inside = from.get(..place.end - place.start).unwrap_or(from);
        let after = from.get(inside.len()..).unwrap_or("");
        let before = match before.char_indices().rev().nth(MAX_BESIDE) {
            Some((at, _)) => format!("…{}", safe(&before[at..])),
            None => safe(before),
        };
        let inside = cut(inside, 2 * MAX_BESIDE);
        let span = before.len()..before.len() + inside.len();
        Self { text: format!("{before}{inside}{}", cut(after, MAX_BESIDE)), span }
    }
}

/// Returns the first `most` characters, safe to print, with an ellipsis if there were more.
fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", safe(&text[..at])),
        None => safe(text),
    }
}

fn safe(text: &str) -> String {
    visible(text).into_owned()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::spec::{MemoryFiles, load};

    const CAMPAIGN: &str = "callsheet: 1\ncampaign: spring\naxes:\n  sku: { csv: skus.csv, key: sku }\nsteps:\n  hero:\n    generate:\n      prompt: |\n        A {{ sku.title }}\n        on oak\n      over: [sku]\n";

    const ROWS: &str = "sku,title\nteapot,Teapot\n";

    fn loaded(campaign: &str, rows: &str) -> (Sources, Diagnostics) {
        let files = MemoryFiles::new().with("spring.yaml", campaign).with("skus.csv", rows);
        let loading = load(Path::new("spring.yaml"), &files);
        (loading.sources, loading.result.err().unwrap_or_default())
    }

    fn refused(campaign: &str, rows: &str) -> String {
        let (sources, found) = loaded(campaign, rows);
        assert!(found.has_errors(), "the campaign should be refused");
        render(&found, &sources, false, Some(100))
    }

    #[test]
    fn a_misspelt_key_is_shown_with_its_neighbours() {
        insta::assert_snapshot!(refused(&CAMPAIGN.replace("over:", "ovr:"), ROWS), @r#"
        error[unknown-key]: `generate` has no key `ovr`
          --> spring.yaml:11:7
           |
        11 |       ovr: [sku]
           |       ^^^ keys here are `aspect`, `background`, `baseline`, `exclude`, `format`, `ladder`, `model`, `over`, `path`, `prompt`, `quality`, `resolution`, `seed`, `speed`, `takes` and `when`
           |
        help: did you mean `over`?
        "#);
    }

    #[test]
    fn a_key_that_is_missing_is_asked_for_where_it_belongs() {
        insta::assert_snapshot!(refused(&CAMPAIGN.replace("generate:", "edit:"), ROWS), @r#"
        error[missing-key]: `edit` lacks the key `image`
         --> spring.yaml:7:5
          |
        7 |     edit:
          |     ^^^^ `image` belongs here
          |
        help: add `image: hero`; step whose pictures are edited; its axes are inherited
        "#);
    }

    #[test]
    fn a_key_written_twice_is_shown_twice() {
        insta::assert_snapshot!(refused(&CAMPAIGN.replace("steps:", "campaign: summer\nsteps:"), ROWS), @r#"
        error[duplicate-key]: the key `campaign` is written twice
         --> spring.yaml:5:1
          |
        5 | campaign: summer
          | ^^^^^^^^ second time here
          |
        note: first time here
         --> spring.yaml:2:1
          |
        2 | campaign: spring
          | --------
        help: keep one of the two: YAML readers differ in which one they take
        "#);
    }

    #[test]
    fn a_mistake_in_a_row_points_into_the_table() {
        insta::assert_snapshot!(refused(CAMPAIGN, "sku,title\nteapot,Teapot\ncup,Cup, small\n"), @r#"
        error[ragged-row]: the row on line 3 has 3 cells, the header has 2 columns
         --> skus.csv:3:1
          |
        3 | cup,Cup, small
          | ^^^^^^^^^^^^^^ 3 here
          |
        help: put a cell that holds the delimiter in quotes
        "#);
    }

    #[test]
    fn a_column_that_is_not_there_is_shown_in_both_files() {
        insta::assert_snapshot!(refused(&CAMPAIGN.replace("key: sku", "key: skuu"), ROWS), @r#"
        error[unknown-column]: no column of the table is called `skuu`
         --> spring.yaml:4:30
          |
        4 |   sku: { csv: skus.csv, key: skuu }
          |                              ^^^^ columns are `sku` and `title`
          |
        note: the columns are named here
         --> skus.csv:1:1
          |
        1 | sku,title
          | ---------
        help: did you mean `sku`?
        "#);
    }

    #[test]
    fn a_word_that_readers_take_differently_is_to_be_quoted() {
        insta::assert_snapshot!(refused(&CAMPAIGN.replace("axes:", "vars: { country: no }\naxes:"), ROWS), @r#"
        error[yaml-trap]: `no` is not the same to every YAML reader
         --> spring.yaml:3:18
          |
        3 | vars: { country: no }
          |                  ^^ false to older readers
          |
        help: put it in quotes: "no"
        "#);
    }

    #[test]
    fn two_kinds_in_one_step_are_both_shown() {
        insta::assert_snapshot!(refused(&format!("{CAMPAIGN}    edit: {{ image: hero }}\n"), ROWS), @r#"
        error[step-kind]: `hero` has 2 kinds, `generate` and `edit`, but a step has one
          --> spring.yaml:12:5
           |
        12 |     edit: { image: hero }
           |     ^^^^ second kind
           |
        note: first kind
          --> spring.yaml:7:5
           |
         7 |     generate:
           |     --------
        help: make two steps of it, or indent what belongs to `generate` below it
        "#);
    }

    #[test]
    fn a_template_without_quotes_is_explained() {
        insta::assert_snapshot!(refused(&CAMPAIGN.replace("over: [sku]", "path: {{ sku }}.png"), ROWS), @r#"
        error[yaml-syntax]: a text that begins with `{{` must stand in quotes
          --> spring.yaml:11:13
           |
        11 |       path: {{ sku }}.png
           |             ^^^^^^^^ YAML takes this for a map
           |
        help: put the whole text in quotes: "{{ … }}"
        "#);
    }

    #[test]
    fn a_file_that_is_missing_names_its_neighbour() {
        insta::assert_snapshot!(refused(&CAMPAIGN.replace("csv: skus.csv", "csv: sku.csv"), ROWS), @r#"
        error[missing-file]: there is no file `sku.csv`
         --> spring.yaml:4:15
          |
        4 |   sku: { csv: sku.csv, key: sku }
          |               ^^^^^^^
          |
        help: did you mean `skus.csv`?
        "#);
    }

    #[test]
    fn a_word_in_a_block_of_text_has_its_own_line() {
        let (sources, _) = loaded(CAMPAIGN, ROWS);
        let prompt = FieldPath::campaign().key("steps").key("hero").key("generate").key("prompt");
        let mut found = Diagnostics::from(Diagnostic::warning("unused", prompt.clone().inside(21..24), "`oak` again").label("here"));
        found.push(Diagnostic::error("unknown-variable", prompt.inside(5..14), "no column is called `title`").label("not a column"));
        insta::assert_snapshot!(render(&found, &sources, false, Some(100)), @r#"
        error[unknown-variable]: no column is called `title`
         --> spring.yaml:9:14
          |
        9 |         A {{ sku.title }}
          |              ^^^^^^^^^ not a column

        warning[unused]: `oak` again
          --> spring.yaml:10:12
           |
        10 |         on oak
           |            ^^^ here
        "#);
    }

    #[test]
    fn nothing_from_a_file_reaches_the_terminal_raw() {
        let shown = refused(&CAMPAIGN.replace("axes:", "\u{202e}evil\u{7}\u{200b}: \"x\"\naxes:").replace("hero:\n", "hero\u{9b}31m:\n"), ROWS);
        let harmful: Vec<char> = shown.chars().filter(|char| *char != '\n' && visible(&char.to_string()) != char.to_string()).collect();
        assert!(harmful.is_empty(), "{shown}: {harmful:?}");
        assert!(shown.contains("\\u{202e}evil"), "{shown}");
    }

    #[test]
    fn long_lines_are_cut_around_the_place_and_the_column_stays_true() {
        let padding = "word ".repeat(400_000);
        let shown = refused(&CAMPAIGN.replace("axes:", &format!("vars: {{ a: \"{padding}\", b: no, c: \"{padding}\" }}\naxes:")), ROWS);
        assert!(shown.len() < 2000, "{}", shown.len());
        assert!(shown.contains("spring.yaml:3:2000019"), "{shown}");
        assert!(shown.contains("b: no"), "{shown}");
    }

    #[test]
    fn json_says_the_same_for_machines() {
        let (sources, found) = loaded(&CAMPAIGN.replace("over:", "ovr:"), ROWS);
        insta::assert_snapshot!(format!("{:#}", to_json(&found, &sources)), @r#"
        [
          {
            "code": "unknown-key",
            "column": 7,
            "end": {
              "column": 10,
              "line": 11
            },
            "file": "spring.yaml",
            "help": "did you mean `over`?",
            "label": "keys here are `aspect`, `background`, `baseline`, `exclude`, `format`, `ladder`, `model`, `over`, `path`, `prompt`, `quality`, `resolution`, `seed`, `speed`, `takes` and `when`",
            "line": 11,
            "message": "`generate` has no key `ovr`",
            "path": "steps.hero.generate.ovr",
            "related": [],
            "severity": "error"
          }
        ]
        "#);
    }

    #[test]
    fn colour_is_only_there_when_asked_for() {
        let (sources, found) = loaded(&CAMPAIGN.replace("over:", "ovr:"), ROWS);
        let colored = render(&found, &sources, true, Some(100));
        assert!(colored.contains('\u{1b}'));
        assert_eq!(anstream::adapter::strip_str(&colored).to_string(), render(&found, &sources, false, Some(100)));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_campaign_makes_loading_or_showing_panic(text in "(?s).{0,60}|[-\\[\\]{}:,&*!|>'\" \\nab1]{0,60}", rows in "(?s).{0,20}") {
            let campaign = CAMPAIGN.replace("on oak", &text).replace("axes:", &format!("{text}\naxes:"));
            let (sources, found) = loaded(&campaign, &rows);
            let shown = render(&found, &sources, false, None);
            prop_assert_eq!(shown.is_empty(), found.is_empty());
            let (sources, found) = loaded(&text, &rows);
            render(&found, &sources, false, None);
        }
    }
}
