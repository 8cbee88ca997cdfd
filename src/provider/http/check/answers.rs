//! Mistakes in what a manifest says about answers: figures without a currency, endings that are none, shapes of a picture without it.
//!
//! In: the calls of a manifest. Out: diagnostics with their paths.
//! Never: a figure that would be dropped in silence because nobody says what it is counted in.

use super::Check;
use crate::provider::http::figure::Figure;
use crate::provider::http::protocol::{PicturesAs, SubmitCall};
use crate::types::FieldPath;

impl Check<'_> {
    pub(super) fn answers(&mut self) {
        for (at, call) in self.submits() {
            self.figures(&at, &call.charged);
            self.endings(&at, call);
        }
        if let Some(poll) = &self.protocol.poll {
            self.figures(&self.http.clone().key("poll"), &poll.charged);
        }
        let Some(shape) = &self.protocol.each_picture else { return };
        let at = self.http.clone().key("each-picture");
        if !shape.has("picture") {
            let help = "write `{{ picture }}` where its text stands".to_owned();
            self.wrong("no-picture-slot", at, "the shape of a picture does not hold the picture".to_owned(), help);
        } else if self.protocol.pictures == PicturesAs::DataUrl && shape.has("media") {
            let help = "write `pictures: base64`".to_owned();
            self.wrong("type-twice", at, "a picture as a `data:` address says its type already".to_owned(), help);
        }
    }

    fn figures(&mut self, call: &FieldPath, figures: &[Figure]) {
        for (index, figure) in figures.iter().enumerate() {
            let at = call.clone().key("charged").index(index);
            if figure.at.is_some() == figure.header.is_some() {
                let help = "say where it stands".to_owned();
                self.wrong("no-place", at, "a figure stands at exactly one of `at` and `header`".to_owned(), help);
            } else if figure.unit.is_none() && self.protocol.unit.is_none() {
                let help = "add `unit: USD` or `unit: credits:BOOK`, here or under `http`".to_owned();
                self.wrong("no-unit", at, "nobody says what this figure is counted in, so it would settle nothing".to_owned(), help);
            }
        }
    }

    fn endings(&mut self, call: &FieldPath, submit: &SubmitCall) {
        for (index, rule) in submit.endings.iter().enumerate() {
            let at = call.clone().key("endings").index(index);
            if !submit.task.is_empty() {
                let help = "say under `poll` how a task ends".to_owned();
                self.wrong("no-ending", at, "an answer that is a task is no end".to_owned(), help);
                continue;
            }
            if !rule.is_an_end() {
                let help = "choose `refused`, `failed`, `invalid`, `account` or `ambiguous`".to_owned();
                let message = "an answer that is good by its status was accepted; this class is for what was not".to_owned();
                self.wrong("no-ending", at.clone().key("class"), message, help);
            }
            let places = usize::from(rule.at.is_some()) + usize::from(rule.header.is_some());
            if places > 1 || (places == 0 && !rule.is.is_empty()) {
                let help = "say where the words stand; a rule without words and place fits every answer".to_owned();
                self.wrong("no-place", at.clone(), "an ending is recognised at one of `at` and `header`".to_owned(), help);
            }
            let fits_all = places == 0 && rule.is.is_empty();
            if fits_all && rule.despite_picture {
                let help = "say by what it is recognised".to_owned();
                self.wrong("no-ending", at, "this ending would throw every picture away".to_owned(), help);
            } else if fits_all && index + 1 < submit.endings.len() {
                let help = "put it last".to_owned();
                self.wrong("no-ending", at, "an ending that fits every answer leaves nothing to those after it".to_owned(), help);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::provider::manifest::{Manifest, builtin_text};
    use crate::types::DocId;

    fn told(text: &str) -> String {
        let found = Manifest::read(DocId(1), text).err().unwrap_or_default();
        found.iter().map(|one| format!("{} at {}: {}\n", one.code, one.at, one.message)).collect()
    }

    #[test]
    fn mistakes_about_answers_are_found_all_at_once_with_their_places() {
        let text = builtin_text("gemini")
            .expect("a built-in manifest")
            .replace("data: \"{{ picture }}\"", "data: here")
            .replace("- { at: /promptFeedback/blockReason, class: refused", "- { at: /promptFeedback/blockReason, header: x, class: throttled")
            .replace("- { at: \"/candidates/*/finishReason\", class: refused", "- { class: refused, despite-picture: true")
            .replace("    usage: #", "    charged: [/cost, { divisor: 100, unit: USD }, { at: /cost, unit: USD }]\n    usage: #");
        insta::assert_snapshot!(told(&text), @"
        no-unit at http.submit.charged[0]: nobody says what this figure is counted in, so it would settle nothing
        no-place at http.submit.charged[1]: a figure stands at exactly one of `at` and `header`
        no-ending at http.submit.endings[0].class: an answer that is good by its status was accepted; this class is for what was not
        no-place at http.submit.endings[0]: an ending is recognised at one of `at` and `header`
        no-ending at http.submit.endings[1]: this ending would throw every picture away
        no-picture-slot at http.each-picture: the shape of a picture does not hold the picture
        ");
    }

    #[test]
    fn an_answer_is_a_task_or_a_picture() {
        let xai = builtin_text("xai").expect("a built-in manifest");
        let both = xai.replacen("    address: [/data/*/url]\n", "    address: [/data/*/url]\n    task: [/id]\n", 1);
        assert!(told(&both).contains("no-result at http.submit"), "{}", told(&both));
        let neither = xai.replacen("    address: [/data/*/url]\n", "", 1);
        assert!(told(&neither).contains("no-result at http.submit"), "{}", told(&neither));
        let bytes = xai.replacen("    address: [/data/*/url]\n", "    bytes: true\n", 1);
        assert_eq!(told(&bytes), "");
    }

    #[test]
    fn a_slip_in_a_figure_or_an_ending_carries_its_path() {
        let xai = builtin_text("xai").expect("a built-in manifest");
        let slip = xai.replace("divisor: 10000000000", "divisr: 10000000000");
        assert!(told(&slip).contains("unknown-key at http.submit.charged[0].divisr"), "{}", told(&slip));
        let gemini = builtin_text("gemini").expect("a built-in manifest");
        let slip = gemini.replacen("class: refused", "class: refusd", 1);
        assert!(told(&slip).contains("unknown-value at http.submit.endings[0].class"), "{}", told(&slip));
    }
}
