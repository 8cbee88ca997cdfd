//! Rules that look at the author's words one place at a time.

use std::ops::Range;
use std::sync::LazyLock;

use regex_lite::Regex;

use super::Remark;
use super::texts::{Fragment, quoted};
use crate::types::{Action, Rule};

/// Most words of a text in the picture.
const MOST_WORDS_PAINTED: usize = 10;

/// How far before quoted words something must say that they are text, in bytes.
const SAID_BEFORE: usize = 40;

fn pattern(source: &str) -> Regex {
    Regex::new(source).expect("a pattern of this file is sound")
}

static QUALITY: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)^\s*(?:an?\s+|the\s+)?(photo-?realistic|hyper-?realistic|ultra[- ]realistic|(?:ultra[- ]|highly[- ]|hyper[- ])detailed|high[- ]detail|ultra[- ]hd|[248]k|uhd|hdr|masterpiece|best quality|high[- ]quality|top[- ]quality|award[- ]winning)\b",
    )
});

static VAGUE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?i)\b(vibey|vibes?|dreamy|epic|stunning|breath-?taking|mesmeri[sz]ing|awesome|jaw-dropping|mind-blowing|gorgeous|amazing)\b")
});

static NEGATION: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)\b(no|without any|don[’']t|do not|avoid|never)\s+([a-z][a-z-]+)"));

/// Words behind `no` that make it something else.
const NOT_NEGATED: [&str; 6] = ["longer", "more", "doubt", "one", "matter", "to"];

static ARTIST: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"\b(?:Greg Rutkowski|Artgerm|Alphonse Mucha|Mucha|(?:Pablo )?Picasso|(?:Vincent )?[Vv]an Gogh|(?:Claude )?Monet|Rembrandt|Vermeer|Caravaggio|Gustav Klimt|Klimt|",
        r"Salvador Dal[ií]|Ren[eé] Magritte|Magritte|Edward Hopper|Norman Rockwell|Andy Warhol|Warhol|Roy Lichtenstein|Basquiat|Banksy|Keith Haring|Frida Kahlo|",
        r"Hokusai|Hayao Miyazaki|Miyazaki|Studio Ghibli|Ghibli|Makoto Shinkai|Moebius|H\. ?R\. Giger|Zdzis[lł]aw Beksi[nń]ski|Simon St[aå]lenhag|Wes Anderson|Tim Burton|",
        r"Annie Leibovitz|Steve McCurry|Ansel Adams|Helmut Newton|Mario Testino|Tim Walker|David LaChapelle)\b",
        r"|\b(?:painted|photographed|illustrated|drawn|shot) by [A-Z][\p{L}]+ [A-Z][\p{L}]+"
    ).replace(r"\p{L}", "a-zà-ÿ").as_str())
});

static LOGO: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)\blogos?\b"));

/// Words around `logo` that leave it to later work.
static LEFT_OUT: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)\b(space|area|room|place|blank|empty|no|without|avoid|remove|free of|unbranded)\b"));

static IS_TEXT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\b(reads?|reading|says?|saying|text|words?|wording|written|label(?:led|ed)?|caption|headline|slogan|tagline|title[ds]?|lettering|sign|copy|printed)\b",
    )
});

/// Judges one fragment by all rules about words.
pub(super) fn judge(fragment: &Fragment, remarks: &mut Vec<Remark>) {
    quality_first(fragment, remarks);
    vague(fragment, remarks);
    artist(fragment, remarks);
    negation(fragment, remarks);
    logo(fragment, remarks);
    long_text(fragment, remarks);
}

fn remark(fragment: &Fragment, rule: Rule, range: Range<usize>, label: String, help: impl Into<String>) -> Remark {
    Remark {
        also_at: fragment.looked_up_in.iter().cloned().collect(),
        is_cell: fragment.is_cell,
        ..Remark::new(rule, fragment.at.clone().inside(range), label, help)
    }
}

/// Returns `in slot `style`` or `in the prompt`.
pub(super) fn slot(name: &str) -> String {
    match name {
        "prompt" => "in the prompt".to_owned(),
        other => format!("in slot `{other}`"),
    }
}

fn is_made_from_nothing(fragment: &Fragment) -> bool {
    fragment.action == Action::Generate && fragment.slot != "keep"
}

fn quality_first(fragment: &Fragment, remarks: &mut Vec<Remark>) {
    if !fragment.leads || !is_made_from_nothing(fragment) {
        return;
    }
    let Some(found) = QUALITY.captures(&fragment.bare).and_then(|found| found.get(1)) else { return };
    let label = format!("the prompt opens with it, {}", slot(fragment.slot));
    remarks.push(remark(
        fragment,
        Rule::QualityWordsFirst,
        found.range(),
        label,
        format!("open with the subject, and end with `{}`: slot `style` stands last", found.as_str()),
    ));
}

fn vague(fragment: &Fragment, remarks: &mut Vec<Remark>) {
    let mut all = VAGUE.find_iter(&fragment.bare);
    let Some(first) = all.next() else { return };
    let others: Vec<String> = all.map(|other| format!("`{}`", other.as_str())).collect();
    let label = match others.as_slice() {
        [] => slot(fragment.slot),
        _ => format!("{}, as well as {}", slot(fragment.slot), others.join(", ")),
    };
    remarks.push(remark(fragment, Rule::VagueWords, first.range(), label, "say what makes it so: a light, a colour, a distance, a material"));
}

fn artist(fragment: &Fragment, remarks: &mut Vec<Remark>) {
    let Some(found) = ARTIST.find(&fragment.bare) else { return };
    let help = "name the medium and how it is handled: `oil with visible brushwork`, `flat vector`, `35mm film grain`";
    remarks.push(remark(fragment, Rule::ArtistName, found.range(), slot(fragment.slot), help));
}

fn negation(fragment: &Fragment, remarks: &mut Vec<Remark>) {
    if !is_made_from_nothing(fragment) {
        return;
    }
    let found = NEGATION.captures_iter(&fragment.bare).find(|found| {
        let is_no = found.get(1).is_some_and(|word| word.as_str().eq_ignore_ascii_case("no"));
        !(is_no && found.get(2).is_some_and(|word| NOT_NEGATED.contains(&word.as_str().to_ascii_lowercase().as_str())))
    });
    let Some(found) = found.and_then(|found| found.get(0)) else { return };
    let help = "say what is there instead: `an empty room with clean walls`, not `no people, no clutter`";
    remarks.push(remark(fragment, Rule::Negation, found.range(), slot(fragment.slot), help));
}

fn logo(fragment: &Fragment, remarks: &mut Vec<Remark>) {
    if !is_made_from_nothing(fragment) {
        return;
    }
    // What a sentence says of one logo holds for all in it; so a sentence is read once.
    let mut left_out_until = 0;
    let found = LOGO.find_iter(&fragment.bare).find(|found| {
        if found.start() < left_out_until {
            return false;
        }
        let sentence = sentence(&fragment.bare, found.range());
        left_out_until = sentence.end;
        !LEFT_OUT.is_match(&fragment.bare[sentence])
    });
    let Some(found) = found else { return };
    let help = "leave a blank area here, and put the real file on it with a `transform` step's `overlay`";
    remarks.push(remark(fragment, Rule::LogoInPrompt, found.range(), slot(fragment.slot), help));
}

/// Returns where the sentence around a range stands.
fn sentence(text: &str, range: Range<usize>) -> Range<usize> {
    let start = text[..range.start].rfind(['.', ';', '\n']).map_or(0, |stop| stop + 1);
    let end = text[range.end..].find(['.', ';', '\n']).map_or(text.len(), |stop| range.end + stop);
    start..end
}

fn long_text(fragment: &Fragment, remarks: &mut Vec<Remark>) {
    if fragment.action != Action::Generate && fragment.action != Action::Edit {
        return;
    }
    let long = quoted(&fragment.written).into_iter().find_map(|range| {
        let words = fragment.written[range.clone()].split_whitespace().count();
        let before = fragment.written[..range.start].char_indices().rev().take(SAID_BEFORE).last().map_or(0, |(start, _)| start);
        let is_said = words > MOST_WORDS_PAINTED && IS_TEXT.is_match(&fragment.written[before..range.start]);
        is_said.then_some((range, words))
    });
    let Some((range, words)) = long else { return };
    let label = format!("{words} words to be painted, {}", slot(fragment.slot));
    remarks.push(remark(
        fragment,
        Rule::LongTextInImage,
        range,
        label,
        format!("keep it to a label of {MOST_WORDS_PAINTED} words at most, and set the rest with a `transform` step's `text`"),
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_is_sound_and_finds_what_it_is_for() {
        for (pattern, text) in [
            (&QUALITY, "A photorealistic cup"),
            (&VAGUE, "an epic cup"),
            (&NEGATION, "a room, no people"),
            (&ARTIST, "a cup, painted by Jane Doe"),
            (&ARTIST, "in the style of Van Gogh"),
            (&LOGO, "with the Orrin logo"),
            (&LEFT_OUT, "room for a logo"),
            (&IS_TEXT, "a label that reads"),
        ] {
            assert!(pattern.is_match(text), "{text}");
        }
    }

    fn logos(bare: &str) -> usize {
        let fragment = Fragment {
            at: crate::types::FieldPath::campaign(),
            written: bare.to_owned(),
            bare: bare.to_owned(),
            slot: "prompt",
            action: Action::Generate,
            leads: true,
            is_cell: false,
            has_variables: false,
            looked_up_in: None,
        };
        let mut remarks = Vec::new();
        logo(&fragment, &mut remarks);
        remarks.len()
    }

    #[test]
    fn a_sentence_that_leaves_a_logo_out_is_read_once_and_says_nothing_of_the_next_one() {
        assert_eq!([logos("no logo, no logo"), logos("no logo. A logo"), logos("A logo; no logo")], [0, 1, 1]);
        assert_eq!(logos(&"no logo ".repeat(20_000)), 0);
    }

    #[test]
    fn a_sentence_ends_at_a_stop() {
        let text = "A cup. A blank area for the logo; nothing else.";
        let at = text.find("logo").expect("it is there");
        assert_eq!(text[sentence(text, at..at + 4)].trim(), "A blank area for the logo");
    }
}
