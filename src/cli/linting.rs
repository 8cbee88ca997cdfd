//! Lint at the edge: what the rules say of an opened campaign joins its warnings; the list of rules.

use super::context::Opened;
use crate::lint::{allow, lint};
use crate::types::Rule;

/// Adds what the lint rules say of a campaign, without what its author allows, to its warnings.
pub fn add_to(opened: &mut Opened) {
    let says_unused = opened.campaign.profile.is_none();
    let found = allow::heard(lint(&opened.campaign, &opened.plan), &opened.campaign.allowed, says_unused, &opened.sources);
    opened.warnings.extend(found);
}

/// Returns all rules with where they look and why, wrapped at `width` columns.
pub fn rules(width: usize) -> String {
    let mut text = String::new();
    for rule in Rule::ALL {
        text.push_str(&format!("{}\n", rule.name()));
        text.push_str(&wrapped(rule.reason(), width));
        text.push_str(&wrapped(&format!("looks at {}", rule.looks_at()), width));
        text.push('\n');
    }
    text.push_str(concat!(
        "Each is a warning; `check --strict` makes them mistakes. Allowed by name: on or\n",
        "above a line with the comment `# callsheet: allow(negation)`, for a campaign with\n",
        "`lint: { allow: [negation] }`. An allow that allows nothing is a warning itself.\n\n",
        "Always a mistake: `rung-changes-two-things`, when shots of two rungs of a ladder\n",
        "differ in more than the slot that the ladder varies.\n"
    ));
    text
}

fn wrapped(words: &str, width: usize) -> String {
    let mut text = String::new();
    let mut line = String::from(" ");
    for word in words.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > width.max(40) {
            text.push_str(&line);
            text.push('\n');
            line = String::from(" ");
        }
        line.push(' ');
        line.push_str(word);
    }
    text.push_str(&line);
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_rules_fits_a_narrow_terminal() {
        let text = rules(80);
        assert!(text.lines().all(|line| line.chars().count() <= 82), "{text}");
        assert!(Rule::ALL.iter().all(|rule| text.contains(rule.reason()) || rule.reason().len() > 70), "{text}");
    }
}
