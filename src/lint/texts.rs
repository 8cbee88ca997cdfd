//! The author's own words that make a step's prompt: slots, invariants, rungs, `vars` and cells, each with its place.
//!
//! A template's variables and all words in quotes are blanked, byte for byte, so that no rule reads them and every place stays true:
//! what stands in quotes is to be painted, or a name.

use crate::campaign::{AxisSource, Campaign, PartText, Step, Template};
use crate::types::{Action, DocId, FieldPath, Segment};

/// Stands for bytes that no rule shall read.
const BLANK: u8 = 0x1a;

/// Cells with fewer words are names and titles, not prompts.
const WORDS_OF_A_PROMPT: usize = 12;

/// Longest text in quotes; a second `"` further away belongs to something else.
const MAX_QUOTED: usize = 400;

/// Words of the author's in one place.
#[derive(Debug, Clone)]
pub(super) struct Fragment {
    /// Where they stand.
    pub(super) at: FieldPath,
    /// As written.
    pub(super) written: String,
    /// The same with variables and quoted words blanked.
    pub(super) bare: String,
    /// The slot that they are part of; `prompt` for a step's own text, `keep` for invariants.
    pub(super) slot: &'static str,
    /// What the step asks of the model.
    pub(super) action: Action,
    /// Whether the prompt begins with them.
    pub(super) leads: bool,
    /// Whether they stand in a cell of a table.
    pub(super) is_cell: bool,
    /// Whether variables are part of them.
    pub(super) has_variables: bool,
    /// The template that looks them up.
    pub(super) looked_up_in: Option<FieldPath>,
}

/// Returns the words that make the prompts of a step; of tables only cells that hold a prompt.
pub(super) fn fragments(campaign: &Campaign, step: usize) -> Vec<Fragment> {
    let step = &campaign.steps[step];
    let Some(paid) = step.paid.as_ref().filter(|_| step.inserted.is_none()) else { return Vec::new() };
    let mut gathered = Gathered { campaign, step, action: paid.action, found: Vec::new() };
    for (index, part) in step.prompt.parts.iter().enumerate() {
        match &part.template {
            PartText::Own(template) => gathered.template(template, part.slot, index == 0),
            PartText::Rung(axis) => gathered.rungs(*axis, part.slot, index == 0, None),
        }
    }
    if let Some(keep) = &step.prompt.keep {
        gathered.keep(keep);
    }
    gathered.found
}

struct Gathered<'a> {
    campaign: &'a Campaign,
    step: &'a Step,
    action: Action,
    found: Vec<Fragment>,
}

impl Gathered<'_> {
    fn template(&mut self, template: &Template, slot: &'static str, leads: bool) {
        self.words(template.at().clone(), template.source(), slot, leads, None);
        self.looked_up(template, slot, leads);
    }

    /// Adds the invariants one by one: they are one text only when they are sent.
    fn keep(&mut self, template: &Template) {
        let list = template.source().strip_prefix("Keep: ").unwrap_or(template.source());
        for (index, text) in list.strip_suffix('.').unwrap_or(list).split("; ").enumerate() {
            self.words(template.at().index(index), text, "keep", false, None);
        }
        self.looked_up(template, "keep", false);
    }

    /// Adds the words that a template's variables stand for.
    fn looked_up(&mut self, template: &Template, slot: &'static str, leads: bool) {
        let first = template.source().trim_start();
        let before = template.source().len() - first.len();
        for lookup in template.lookups() {
            let is_first = leads && first.starts_with("{{") && lookup.range.start <= before + 4;
            let from = Some(template.at().clone());
            let field = lookup.names.get(1).map(String::as_str);
            if lookup.names[0] == "vars" {
                let text = field.and_then(|field| Some((field, self.campaign.vars.get_attr(field).ok()?.as_str()?.to_owned())));
                if let Some((field, text)) = text {
                    self.words(FieldPath::campaign().key("vars").key(field), &text, slot, is_first, from);
                }
                continue;
            }
            let axis = self.step.axes.iter().copied().find(|axis| *self.campaign.axes[*axis].name == *lookup.names[0]);
            let Some(axis) = axis else { continue };
            if self.campaign.axes[axis].source == AxisSource::Ladder {
                if field != Some("key") {
                    self.rungs(axis, slot, is_first, from);
                }
                continue;
            }
            // A cell that goes through a filter is data: a product's description in HTML, a title.
            if self.campaign.axes[axis].values.first().is_some_and(|value| value.at.doc == DocId::CAMPAIGN) || template.is_simple() {
                self.values(axis, field, slot, is_first, &from);
            }
        }
    }

    /// Adds what the values of an axis say there.
    fn values(&mut self, axis: usize, field: Option<&str>, slot: &'static str, leads: bool, from: &Option<FieldPath>) {
        for value in &self.campaign.axes[axis].values {
            let is_cell = value.at.doc != DocId::CAMPAIGN;
            let (at, text) = match field {
                Some("key") => continue,
                Some(field) => {
                    let at = if is_cell { cell_beside(&value.at, field) } else { value.at.key(field) };
                    let Some(text) = value.value.get_attr(field).ok().and_then(|text| text.as_str().map(str::to_owned)) else { continue };
                    (at, text)
                }
                None if is_cell => continue,
                None => (value.at.clone(), value.value.to_string()),
            };
            if is_cell && text.split_whitespace().take(WORDS_OF_A_PROMPT).count() < WORDS_OF_A_PROMPT {
                continue;
            }
            self.words(at, &text, slot, leads, from.clone());
        }
    }

    /// Adds the rungs of a ladder; of two ladders the other one's belong to the step that climbs it.
    fn rungs(&mut self, axis: usize, slot: &'static str, leads: bool, from: Option<FieldPath>) {
        for value in &self.campaign.axes[axis].values {
            match &value.rung {
                Some(rung) => self.words(rung.at().clone(), rung.source(), slot, leads, from.clone()),
                None => self.words(value.at.clone(), &value.value.to_string(), slot, leads, from.clone()),
            }
        }
    }

    fn words(&mut self, at: FieldPath, written: &str, slot: &'static str, leads: bool, looked_up_in: Option<FieldPath>) {
        let is_cell = at.doc != DocId::CAMPAIGN;
        // Braces in a cell are text: only templates have variables.
        let without_variables = if is_cell { written.to_owned() } else { without_variables(written) };
        let has_variables = without_variables != written;
        let bare = without_quoted(&without_variables);
        let (action, written) = (self.action, written.to_owned());
        self.found.push(Fragment { at, written, bare, slot, action, leads, is_cell, has_variables, looked_up_in });
    }
}

/// Returns the cell of another column in the row of a cell.
fn cell_beside(at: &FieldPath, column: &str) -> FieldPath {
    let mut row = at.clone();
    if matches!(row.segments.last(), Some(Segment::Column(_))) {
        row.segments.pop();
    }
    row.column(column)
}

fn blanked(text: &str, ranges: &[std::ops::Range<usize>]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for range in ranges {
        bytes[range.clone()].fill(BLANK);
    }
    // Ranges begin and end at ASCII marks or whole quotation marks, so that no letter is cut.
    String::from_utf8_lossy(&bytes).into_owned()
}

fn without_variables(text: &str) -> String {
    let mut ranges = Vec::new();
    let mut position = 0;
    while let Some(open) = text[position..].find('{').map(|found| position + found) {
        let close = match text.as_bytes().get(open + 1) {
            Some(b'{') => "}}",
            Some(b'%') => "%}",
            _ => {
                position = open + 1;
                continue;
            }
        };
        let end = text[open + 2..].find(close).map_or(text.len(), |found| open + 2 + found + 2);
        ranges.push(open..end);
        position = end;
    }
    blanked(text, &ranges)
}

/// Where the next mark of one kind stands. It is asked for from ascending places, so that no part of a text is read twice: a text full of marks
/// that nothing closes would else be read to its end for each of them.
struct Closing<'t> {
    text: &'t str,
    mark: char,
    next: Next,
}

enum Next {
    NotLooked,
    At(usize),
    Never,
}

impl<'t> Closing<'t> {
    fn of(text: &'t str, mark: char) -> Self {
        Self { text, mark, next: Next::NotLooked }
    }

    /// Returns the first place of the mark at or behind `from`.
    fn from(&mut self, from: usize) -> Option<usize> {
        let is_known = match self.next {
            Next::NotLooked => false,
            Next::At(at) => at >= from,
            Next::Never => true,
        };
        if !is_known {
            self.next = self.text[from..].find(self.mark).map_or(Next::Never, |found| Next::At(from + found));
        }
        if let Next::At(at) = self.next { Some(at) } else { None }
    }
}

/// Returns where words stand in quotes, without the marks.
pub(super) fn quoted(text: &str) -> Vec<std::ops::Range<usize>> {
    let mut ranges = Vec::new();
    let mut position = 0;
    let (mut straight, mut curly, mut angled) = (Closing::of(text, '"'), Closing::of(text, '\u{201d}'), Closing::of(text, '\u{bb}'));
    while let Some((open, mark)) = text[position..].char_indices().find(|(_, letter)| ['"', '\u{201c}', '\u{ab}'].contains(letter)) {
        let open = position + open;
        let inside = open + mark.len_utf8();
        position = inside;
        // A mark opens only behind a space or the like: behind a letter it is an inch or ends something.
        let opens = text[..open].chars().next_back().is_none_or(|before| before.is_whitespace() || "([{=:,/-\\\u{2013}\u{2014}".contains(before));
        if mark == '"' && (!opens || text[inside..].starts_with(char::is_whitespace)) {
            continue;
        }
        let closing = match mark {
            '\u{201c}' => &mut curly,
            '\u{ab}' => &mut angled,
            _ => &mut straight,
        };
        let Some(end) = closing.from(inside).filter(|end| end - inside <= MAX_QUOTED) else { continue };
        ranges.push(inside..end);
        position = end + closing.mark.len_utf8();
    }
    ranges
}

fn without_quoted(text: &str) -> String {
    blanked(text, &quoted(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_and_quoted_words_are_blanked_without_moving_the_rest() {
        let text = "A {{ sku.title }} with a label \"épic\" and “dreamy” on 5\" oak";
        let bare = without_quoted(&without_variables(text));
        assert_eq!(bare.len(), text.len());
        assert_eq!(bare.find("oak"), text.find("oak"));
        assert!(!bare.contains("sku") && !bare.contains("pic") && !bare.contains("dreamy"), "{bare:?}");
    }

    #[test]
    fn quotes_of_each_kind_end_at_their_own_mark_and_not_too_far_away() {
        let inside = |text: &str| quoted(text).into_iter().map(|range| text[range].to_owned()).collect::<Vec<_>>();
        assert_eq!(inside("\"a\" “b” «c» \"d “e” f\" g\" «h"), ["a", "b", "c", "d “e” f"]);
        let far = format!("\"{}\" and \"near\"", "x ".repeat(MAX_QUOTED));
        assert_eq!(inside(&far), ["near"], "the first mark belongs to something else");
    }

    #[test]
    fn a_megabyte_of_marks_that_nothing_closes_is_read_in_no_time() {
        for text in ["“".repeat(350_000), "«".repeat(500_000), "\"x".repeat(500_000), "“«".repeat(200_000) + "”»"] {
            // Reading the rest for each mark would take minutes, which nobody could overlook.
            assert!(quoted(&text).len() <= 1);
        }
    }
}
