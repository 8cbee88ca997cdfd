//! The campaign itself: YAML in which each line says what it is for.
//!
//! In: what was seen of an export, and the few things that were asked for. Out: text. Never: a line without a reason.

use super::columns::{Filter, Pictures, Seen};
use super::table::Export;
use crate::types::diagnostic::counted;

/// Where the reasons begin.
const COLUMN: usize = 46;

/// Longest line with its reason beside it; longer ones have it above.
const WIDTH: usize = 118;

/// Most letters of a description that go into a prompt.
const MAX_WORDS: usize = 300;

/// Shots that each product makes: two views, each delivered.
pub const SHOTS: usize = 4;

/// What is asked for, or found out elsewhere.
#[derive(Debug, Clone)]
pub struct Setting<'a> {
    /// Name of the campaign.
    pub name: &'a str,
    /// The campaign file as its user types it.
    pub file: &'a str,
    /// Who makes the pictures.
    pub provider: &'a str,
    /// With which model.
    pub model: &'a str,
    /// In which shape.
    pub aspect: &'a str,
    /// The table, relative to the campaign file.
    pub data: &'a str,
    /// `csv` or `tsv`.
    pub kind: &'a str,
    /// What stands before the files of the table's pictures, if all of them are there: then they are edited.
    pub packshots: Option<&'a str>,
    /// What to write under `cap`: the amount, and where it comes from.
    pub cap: Option<(String, String)>,
    /// How many shots a campaign may have if nobody says more.
    pub max_jobs: usize,
}

/// What a campaign makes of an export, in the words of templates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Story {
    /// Name of the axis of products.
    pub axis: String,
    /// How a prompt calls a product.
    pub subject: String,
    /// Which rows are products, as an expression.
    pub filter: Option<String>,
    /// The key in a path.
    pub folder: String,
}

impl Story {
    /// Tells what was seen.
    pub fn of(export: &Export, seen: &Seen) -> Self {
        let axis = if export.columns[seen.key].eq_ignore_ascii_case("sku") { "sku" } else { "product" };
        let filter = match &seen.filter {
            Filter::All => None,
            Filter::Filled(column) => Some(format!("{} != ''", of_row(&export.columns[*column]))),
            Filter::Not(column, text) => Some(format!("{} != '{text}'", of_row(&export.columns[*column]))),
        };
        let folder = if seen.plain_keys { format!("{{{{ {axis} }}}}") } else { format!("{{{{ {axis} | slug }}}}") };
        Self { axis: axis.to_owned(), subject: subject(export, seen, axis), filter, folder }
    }
}

fn subject(export: &Export, seen: &Seen, axis: &str) -> String {
    let cells = |column: usize| seen.kept.iter().map(move |row| export.rows[*row][column].as_str());
    let is_full = |column: usize| cells(column).all(|cell| !cell.trim().is_empty());
    let field = |column: usize| field(axis, &export.columns[column]);
    let mut text = match seen.title {
        Some(title) if is_full(title) => format!("{{{{ {} }}}}", field(title)),
        Some(title) => format!("{{{{ {} | default({axis}.key, true) }}}}", field(title)),
        None => format!("{{{{ {axis} }}}}"),
    };
    for column in &seen.words {
        let field = field(*column);
        text += &if is_full(*column) { format!(", {{{{ {field} }}}}") } else { format!("{{% if {field} %}}, {{{{ {field} }}}}{{% endif %}}") };
    }
    if let Some(column) = seen.description {
        let plain = field(column);
        let mut value = plain.clone();
        if seen.html {
            value += " | striptags";
            for (name, letter) in [("&nbsp;", " "), ("&amp;", "&"), ("&#39;", "’"), ("&rsquo;", "’")] {
                if cells(column).any(|cell| cell.contains(name)) {
                    value += &format!(" | replace(\"{name}\", \"{letter}\")");
                }
            }
        }
        if cells(column).any(|cell| cell.chars().count() > MAX_WORDS) {
            value = format!("({value})[:{MAX_WORDS}]");
        }
        text += &if is_full(column) { format!(". {{{{ {value} }}}}") } else { format!("{{% if {plain} %}}. {{{{ {value} }}}}{{% endif %}}") };
    }
    text
}

/// Returns `axis.column`, or `axis["a column"]`.
fn field(axis: &str, column: &str) -> String {
    if is_word(column) { format!("{axis}.{column}") } else { format!("{axis}[{}]", quoted(column)) }
}

/// Returns a column as `where` names it.
fn of_row(column: &str) -> String {
    const TAKEN: [&str; 12] = ["and", "or", "not", "in", "is", "if", "else", "true", "false", "none", "row", "loop"];
    if is_word(column) && !TAKEN.contains(&column.to_ascii_lowercase().as_str()) { column.to_owned() } else { format!("row[{}]", quoted(column)) }
}

fn is_word(name: &str) -> bool {
    name.starts_with(|letter: char| letter.is_ascii_alphabetic()) && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

fn quoted(text: &str) -> String {
    let quote = if text.contains('"') { '\'' } else { '"' };
    format!("{quote}{text}{quote}")
}

/// Returns a text as YAML reads it back.
fn yaml(text: &str) -> String {
    if text.contains(['"', '\\']) { format!("'{}'", text.replace('\'', "''")) } else { format!("\"{text}\"") }
}

/// Lines of code, each with its reason.
struct Lines(String);

impl Lines {
    fn line(&mut self, code: &str, why: &str) {
        let length = code.chars().count();
        let gap = COLUMN.saturating_sub(length).max(2);
        let indent = code.len() - code.trim_start().len();
        self.0 += &if length + gap + 2 + why.chars().count() <= WIDTH {
            format!("{code}{}# {why}\n", " ".repeat(gap))
        } else {
            format!("{}# {why}\n{code}\n", " ".repeat(indent))
        };
    }

    fn remark(&mut self, text: &str) {
        self.0 += &format!("{text}\n");
    }

    fn gap(&mut self) {
        self.0.push('\n');
    }
}

/// Writes the campaign.
pub fn campaign_text(export: &Export, seen: &Seen, setting: &Setting<'_>) -> String {
    let story = Story::of(export, seen);
    let mut lines = Lines(String::new());
    head(&mut lines, seen, setting);
    axes(&mut lines, export, seen, setting, &story);
    match setting.packshots {
        Some(prefix) => edited(&mut lines, export, seen, &story, prefix),
        None => generated(&mut lines, export, seen, &story),
    }
    tail(&mut lines, seen, setting, &story);
    lines.0
}

fn head(lines: &mut Lines, seen: &Seen, setting: &Setting<'_>) {
    let Setting { name, file, provider, model, aspect, data, .. } = setting;
    lines.remark(&format!("# Pictures of {} in {data}. Change what you like, then:", counted(seen.kept.len(), "product")));
    lines.remark(&format!("#   callsheet check {file}             every mistake, with its line"));
    lines.remark(&format!("#   callsheet plan {file}              what it makes and what it will cost"));
    lines.remark(&format!("#   callsheet run {file} --rehearse    all of it with drawn pictures: no key, no money"));
    lines.remark("# `callsheet schema campaign` prints a schema of all keys, for editors.");
    lines.gap();
    lines.line("callsheet: 1", "version of this language");
    lines.line(&format!("campaign: {}", yaml(name)), &format!("its name; pictures go to out/{name}"));
    lines.line(&format!("provider: {}", yaml(provider)), "who makes the pictures; `callsheet providers list` names all");
    lines.line("defaults:", "holds for every step that says nothing else");
    lines.line(&format!("  model: {}", yaml(model)), &format!("`callsheet prices show {provider}` lists models and prices"));
    lines.line(&format!("  aspect: {}", yaml(aspect)), "shape of the pictures, width to height");
    lines.gap();
}

fn axes(lines: &mut Lines, export: &Export, seen: &Seen, setting: &Setting<'_>, story: &Story) {
    let axis = &story.axis;
    lines.line("axes:", "lists of values that the pictures are made over");
    lines.line(
        &format!("  {axis}:"),
        &format!("one value a product; a text can say {{{{ {} }}}}", field(axis, &export.columns[seen.title.unwrap_or(seen.key)])),
    );
    lines.line(&format!("    {}: {}", setting.kind, yaml(setting.data)), "read anew by each command, never changed");
    lines.line(&format!("    key: {}", yaml(&export.columns[seen.key])), "the column that names a product: never empty, never twice");
    if let Some(filter) = &story.filter {
        let left = counted(export.rows.len() - seen.kept.len(), "row");
        lines.line(&format!("    where: {}", yaml(filter)), &format!("rows that are products; {left} left out"));
    }
    if setting.packshots.is_none() {
        lines.line("  angle:", "each product is shown from each of these; add your own");
        lines.line("    front: \"straight on at eye level, 85mm lens\"", "its name stands in file names, its text in prompts");
        lines.line("    quarter: \"three-quarter view from the left, 85mm lens\"", "leave it out and half is to pay");
    }
    lines.gap();
}

fn generated(lines: &mut Lines, export: &Export, seen: &Seen, story: &Story) {
    let axis = &story.axis;
    lines.line("baselines:", "prompts that recur, in parts");
    lines.line("  page:", "the picture on a product's page");
    lines.line("    prompt:", "parts always stand in this order: what comes first weighs most");
    lines.line(&format!("      subject: {}", yaml(&story.subject)), &subject_words(export, seen));
    lines.line("      environment: \"on a seamless off-white sweep\"", "where it is");
    lines.line("      lighting: \"soft key light from the upper left\"", "where the light comes from");
    lines.line("      camera: \"{{ angle }}\"", "the text of the angle");
    lines.line("      style: \"photorealistic product photography\"", "the look, last and short");
    lines.line("    keep:", "stands in every prompt, also in edits of the picture");
    lines.line("      - \"one product, centred, about 85% of the frame\"", "what must always be so");
    lines.line("      - \"no text, no logo, no watermark\"", "what must never be there");
    lines.gap();
    lines.line("steps:", "what is made, from what");
    if let Pictures::Web(column) = seen.pictures {
        let name = &export.columns[column];
        lines.remark(&format!(
            "  # `{name}` holds web addresses; callsheet fetches none. To start from your photos, save them beside this file and put"
        ));
        lines.remark(&format!("  #   packshot: {{ load: {{ file: \"photos/{}.jpg\", over: [{axis}] }} }}", story.folder));
        lines.remark("  # here, and an `edit` with `image: packshot` in the place of `generate`.");
    }
    if let Pictures::Files(column) = seen.pictures {
        let file = field(axis, &export.columns[column]);
        lines.remark(&format!(
            "  # `{}` names pictures, but not all are there. Once they are, `packshot: {{ load: {{ file: '{{{{ {} }}}}',",
            export.columns[column], file
        ));
        lines.remark(&format!("  # over: [{axis}] }} }}` takes them in, and an `edit` with `image: packshot` starts from them."));
    }
    lines.line("  hero:", "a step's name; other steps take its pictures by it");
    lines.line("    generate:", "a picture from a prompt; paid");
    lines.line("      baseline: page", "the prompt above");
    lines.line(&format!("      over: [{axis}, angle]"), "each product from each angle");
    deliver(lines, story, "{{ angle }}");
}

fn edited(lines: &mut Lines, export: &Export, seen: &Seen, story: &Story, prefix: &str) {
    let axis = &story.axis;
    let Pictures::Files(column) = seen.pictures else { return };
    let file = format!("{prefix}{{{{ {} }}}}", field(axis, &export.columns[column]));
    lines.line("steps:", "what is made, from what");
    lines.line("  packshot:", "a step's name; other steps take its pictures by it");
    lines.line("    load:", "takes files of yours; free");
    lines.line(&format!("      file: {}", yaml(&file)), &format!("the column `{}`", export.columns[column]));
    lines.line(&format!("      over: [{axis}]"), "one file a product");
    lines.line("  hero:", "the picture on a product's page");
    lines.line("    edit:", "changes one thing about a picture and keeps the rest; paid");
    lines.line("      image: packshot", "the picture that is changed");
    let prompt = format!(
        "Replace only the background: {}, on a seamless off-white sweep, soft light from the upper left. Keep shape, proportions, label and colour as they are.",
        subject_name(export, seen, axis)
    );
    lines.line(&format!("      prompt: {}", yaml(&prompt)), "what to change, and what to keep");
    deliver(lines, story, "hero");
}

fn subject_name(export: &Export, seen: &Seen, axis: &str) -> String {
    match seen.title {
        Some(title) => format!("{{{{ {} }}}}", field(axis, &export.columns[title])),
        None => format!("{{{{ {axis} }}}}"),
    }
}

fn deliver(lines: &mut Lines, story: &Story, stem: &str) {
    let folder = &story.folder;
    lines.line("  deliver:", "the files for the shop: nothing is made from them");
    lines.line("    transform:", "done here, free");
    lines.line("      image: hero", "the pictures it works on");
    lines.line("      ops:", "one after the other");
    lines.line("        - resize: { width: 1080 }", "in pixels; the height follows");
    lines.line("        - encode: { format: jpeg, quality: 88 }", "jpeg, png or webp");
    lines.line(&format!("      path: {}", yaml(&format!("{folder}/{stem}.{{{{ ext }}}}"))), "where each file stands below the output folder");
    lines.line("output:", "where the files of all other steps stand");
    let path =
        if stem == "hero" { format!("{folder}/{{{{ step }}}}-full.{{{{ ext }}}}") } else { format!("{folder}/{stem}-{{{{ step }}}}.{{{{ ext }}}}") };
    lines.line(&format!("  path: {}", yaml(&path)), "its words come from the axes");
    lines.gap();
}

fn tail(lines: &mut Lines, seen: &Seen, setting: &Setting<'_>, story: &Story) {
    lines.line("budget:", "what it may cost");
    match &setting.cap {
        Some((amount, reason)) => lines.line(&format!("  cap: {amount}"), &format!("never passed, over all runs; {reason}")),
        None => lines.remark("  # cap: 500                                  # the most it may ever cost, over all runs"),
    }
    lines.line("  iteration: strict", "how many tries a picture takes until you are content: 1.2 on average");
    lines.gap();
    lines.line("profiles:", "smaller versions, for --profile");
    lines.line("  draft:", &format!("callsheet run {} --profile draft", setting.file));
    lines.line(
        &format!("    sample: {{ {}: {} }}", story.axis, seen.kept.len().min(2)),
        "only the first products: look at these before you buy the rest",
    );
    let shots = seen.kept.len() * SHOTS;
    if shots > setting.max_jobs {
        lines.gap();
        lines.line("run:", "how it is run");
        lines.line(&format!("  max-jobs: {shots}"), "more shots than a campaign may have without saying so");
    }
}

fn subject_words(export: &Export, seen: &Seen) -> String {
    let mut parts: Vec<String> = seen.title.iter().chain(&seen.words).map(|column| format!("`{}`", export.columns[*column])).collect();
    if let Some(column) = seen.description {
        parts.push(format!("`{}`{}", export.columns[column], if seen.html { " without its tags" } else { "" }));
    }
    match parts.as_slice() {
        [] => "what is in the picture".to_owned(),
        _ => format!("what is in the picture: {}", parts.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scaffold::{read, see};

    fn story(text: &str) -> Story {
        let export = read(text.as_bytes()).expect("a table");
        Story::of(&export, &see(&export).expect("products"))
    }

    fn text(table: &str) -> String {
        let export = read(table.as_bytes()).expect("a table");
        let seen = see(&export).expect("products");
        let setting = Setting {
            name: "drop",
            file: "drop.yaml",
            provider: "kie",
            model: "gpt-image-2",
            aspect: "4:5",
            data: "products.csv",
            kind: "csv",
            packshots: None,
            cap: None,
            max_jobs: 100_000,
        };
        campaign_text(&export, &seen, &setting)
    }

    #[test]
    fn odd_column_names_are_quoted_and_html_is_stripped() {
        let told = story("Handle,Title,Body (HTML),Variant SKU\na b,A,<p>x &amp; y</p>,\na b,,,\nc,C,,\n");
        assert_eq!(told.filter.as_deref(), Some("Title != ''"));
        assert_eq!(told.folder, "{{ product | slug }}");
        insta::assert_snapshot!(told.subject, @r#"{{ product.Title }}{% if product["Body (HTML)"] %}. {{ product["Body (HTML)"] | striptags | replace("&amp;", "&") }}{% endif %}"#);
    }

    #[test]
    fn a_title_that_is_missing_here_and_there_gives_way_to_the_key() {
        assert_eq!(story("sku,title,Colour\n1,A,red\n2,,blue\n").subject, "{{ sku.title | default(sku.key, true) }}, {{ sku.Colour }}");
        assert_eq!(story("sku,description\n1,A pot\n2,A pan\n").subject, "{{ sku }}. {{ sku.description }}");
    }

    #[test]
    fn every_line_says_what_it_is_for() {
        let text = text(crate::scaffold::SAMPLE);
        let mut before = "";
        for line in text.lines().filter(|line| !line.is_empty()) {
            assert!(line.contains('#') || before.trim_start().starts_with('#'), "{line}");
            assert!(line.chars().count() <= 140, "{line}");
            before = line;
        }
    }

    #[test]
    fn more_products_than_a_campaign_may_have_are_allowed_by_a_line() {
        let rows: String = (0..30_000).map(|row| format!("s{row},T\n")).collect();
        assert!(text(&format!("sku,title\n{rows}")).contains("  max-jobs: 120000"));
    }
}
