//! Rules that look at whole prompts, as they are sent.

use std::sync::LazyLock;

use regex_lite::Regex;

use super::Remark;
use super::texts::Fragment;
use super::words::slot;
use crate::campaign::{Campaign, PartText, Step};
use crate::plan::{Job, JobIx, Plan};
use crate::types::{Action, FieldPath, InputRole, Rule};

/// More words than this and the end gets lost.
const MOST_WORDS: usize = 300;

/// With fewer words the model chooses most of the picture.
const LEAST_WORDS: usize = 8;

/// How many shots of a step are read whole; they lie evenly over it.
const READ: usize = 64;

fn pattern(source: &str) -> Regex {
    Regex::new(source).expect("a pattern of this file is sound")
}

static MOOD: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?i)\b(?:beautiful|nice|good|great|perfect|amazing|stunning|gorgeous|lovely|atmospheric|moody|dramatic|cinematic)\s+light(?:ing)?\b")
});

static DIRECTION: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"(?i)\b(?:left|right|above|below|behind|front|sides?|sideways|overhead|top|under|from|through|back-?lit|back-?light(?:ing)?|rim|windows?|doors?|sun|sunny|sun-?light|",
        r"sunlit|sunset|sunrise|golden|noon|dawn|dusk|morning|evening|afternoon|night|daylight|soft-?box(?:es)?|lamps?|candle(?:s|light)?|neon|flash|strobes?|spot-?lights?|",
        r"fire(?:light)?|moon(?:light)?|sky(?:light)?|overcast|shade|shadows?|key|fill|ring|umbrella|beauty|lanterns?|screens?|led|bulbs?|chandelier|studio|directional|",
        r"north|south|east|west|northern|southern|diffused?|hard|high[- ]key|low[- ]key|glow(?:s|ing)?|blue hour|stage)\b"
    ))
});

static PAINTED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\b(?:water-?colou?r|oil painting|pencil (?:sketch|drawing)|line (?:art|drawing)|charcoal drawing|flat vector|vector (?:art|illustration)|cartoon|anime|pixel art|claymation|gouache)\b",
    )
});

static PHOTOGRAPHED: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)\b(?:photo-?realistic|hyper-?realistic|ultra-?sharp|photograph|photo|dslr|raw photo)\b"));

/// Words that make a medium a thing in the picture.
static THING: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)\b(?:on|of|beside|with|above|behind|hangs?|hanging|framed|an?)\b"));

static PERSON: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?i)\b(?:woman|man|girl|boy|person|lady|gentleman|child|teenager|portrait|cyclist|barista|chef|athlete|dancer|runner|her|his)\b")
});

static IDENTITY: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)\b(?:same|identical|unchanged|preserve|preserving|keep|keeping)\b"));

static ONE_CHANGE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)^\W*(?:only\s+)?(?:replace|change|remove|add|swap|only|make|turn|extend|crop|erase|recolou?r|brighten|darken|put|give|retouch|clean|move|light|relight|set|let|now)\b",
    )
});

/// Judges the prompts of a step as wholes.
pub(super) fn judge(campaign: &Campaign, plan: &Plan, index: usize, fragments: &[Fragment], remarks: &mut Vec<Remark>) {
    let step = &campaign.steps[index];
    let Some(paid) = step.paid.as_ref().filter(|_| step.inserted.is_none()) else { return };
    let Some(jobs) = jobs(plan, step) else { return };
    let is_generated = paid.action == Action::Generate;
    length(plan, step, jobs, is_generated, remarks);
    light(jobs, fragments, remarks);
    if is_generated {
        media(step, jobs, fragments, remarks);
    }
    if paid.action == Action::Edit {
        identity(campaign, plan, step, jobs, remarks);
    }
}

/// Returns the shots of a step, if it has any.
fn jobs<'a>(plan: &'a Plan, step: &Step) -> Option<&'a [Job]> {
    let planned = plan.steps.iter().find(|planned| planned.name == step.name)?;
    let jobs = plan.jobs.get(planned.jobs.start as usize..planned.jobs.end as usize)?;
    if jobs.is_empty() { None } else { Some(jobs) }
}

fn read_whole(jobs: &[Job]) -> impl Iterator<Item = &Job> {
    jobs.iter().step_by(jobs.len().div_ceil(READ).max(1))
}

/// Returns where a step's prompt is written: its own text, its baseline's slots, or its ladder.
fn prompt_at(step: &Step) -> FieldPath {
    let first = step.prompt.parts.iter().find_map(|part| match &part.template {
        PartText::Own(template) => Some((part.slot, template.at())),
        PartText::Rung(_) => None,
    });
    match first {
        Some(("prompt", at)) => at.clone().at_key(),
        Some((_, at)) => {
            let mut at = at.clone();
            at.segments.pop();
            at.at_key()
        }
        None => step.at.key("ladder"),
    }
}

fn length(plan: &Plan, step: &Step, jobs: &[Job], is_generated: bool, remarks: &mut Vec<Remark>) {
    let words = |job: &Job| job.prompt.split_whitespace().count();
    let address = |job: &Job| {
        let place = plan.jobs.iter().position(|other| std::ptr::eq(other, job)).and_then(|place| u32::try_from(place).ok());
        place.map_or(String::new(), |place| format!(", for `{}`", plan.id(JobIx(place))))
    };
    if let Some(longest) = jobs.iter().max_by_key(|job| job.prompt.len()).filter(|job| words(job) > MOST_WORDS) {
        let label = format!("{} words{}", words(longest), address(longest));
        let help = "keep what this picture needs: subject, action, environment, light, camera, style, a short phrase each";
        remarks.push(Remark::new(Rule::TooLong, prompt_at(step), label, help));
    }
    let shortest = jobs.iter().filter(|job| !job.prompt.is_empty()).min_by_key(|job| job.prompt.len());
    if let Some(shortest) = shortest.filter(|job| is_generated && is_written_in_words(&job.prompt) && words(job) < LEAST_WORDS) {
        let label = format!("{} words{}", words(shortest), address(shortest));
        let help = "add what you would mind if it came out otherwise: environment, where the light comes from, camera, style";
        remarks.push(Remark::new(Rule::TooShort, prompt_at(step), label, help));
    }
}

/// Returns whether a text puts spaces between words; Chinese and Japanese do not.
fn is_written_in_words(text: &str) -> bool {
    text.chars().all(|letter| letter < '\u{2e80}')
}

fn light(jobs: &[Job], fragments: &[Fragment], remarks: &mut Vec<Remark>) {
    let help = "name source and direction: `window light from the left`, `softbox from above`";
    let of_slot = || fragments.iter().filter(|fragment| fragment.slot == "lighting");
    let has_direction = of_slot().any(|fragment| DIRECTION.is_match(&fragment.written));
    // A slot with variables is judged by all that it can say: one direction among them is taken for all.
    if let Some(fragment) = of_slot().find(|fragment| fragment.looked_up_in.is_none() && !fragment.has_variables).filter(|_| !has_direction) {
        remarks.push(Remark::new(Rule::NoLightDirection, fragment.at.clone(), "says how it feels, not where it comes from", help));
    }
    let sent = read_whole(jobs).all(|job| DIRECTION.is_match(&job.prompt));
    for fragment in fragments.iter().filter(|fragment| !sent && fragment.slot != "lighting" && fragment.slot != "keep") {
        if let Some(found) = MOOD.find(&fragment.bare) {
            let label = format!("a mood, {}; nothing in the prompt says where it comes from", slot(fragment.slot));
            let mut remark = Remark::new(Rule::NoLightDirection, fragment.at.clone().inside(found.range()), label, help);
            remark.also_at.extend(fragment.looked_up_in.clone());
            remark.is_cell = fragment.is_cell;
            remarks.push(remark);
        }
    }
}

fn media(step: &Step, jobs: &[Job], fragments: &[Fragment], remarks: &mut Vec<Remark>) {
    let phrase = |text: &str, medium: &Regex, most: usize| {
        let mut phrases = text.split([',', ';', '.', ':', '\n', '(', ')']).map(str::trim);
        phrases.find(|phrase| phrase.split_whitespace().count() <= most && medium.is_match(phrase) && !THING.is_match(phrase)).map(str::to_owned)
    };
    let both = read_whole(jobs).find_map(|job| Some((phrase(&job.prompt, &PAINTED, 4)?, phrase(&job.prompt, &PHOTOGRAPHED, 5)?)));
    let Some((painted, photographed)) = both else { return };
    let place = |phrase: &str| {
        let fragment = fragments.iter().find(|fragment| fragment.written.contains(phrase))?;
        let start = fragment.written.find(phrase)?;
        Some(fragment.at.clone().inside(start..start + phrase.len()))
    };
    let at = place(&photographed).unwrap_or_else(|| prompt_at(step));
    let mut remark = Remark::new(
        Rule::ContradictingMedia,
        at,
        format!("excludes `{painted}`"),
        "keep one medium, in slot `style`; make two ladders' rungs of it to compare both",
    );
    if let Some(other) = place(&painted) {
        remark.also_at.push(other.clone());
        remark.said = remark.said.related(other, "the other medium");
    }
    remarks.push(remark);
}

fn identity(campaign: &Campaign, plan: &Plan, step: &Step, jobs: &[Job], remarks: &mut Vec<Remark>) {
    let is_of_a_person = first_of(campaign, step).and_then(|first| self::jobs(plan, first)).is_some_and(|first| {
        let text = |job: &Job| if job.subject.is_empty() { job.prompt.to_string() } else { job.subject.to_string() };
        read_whole(first).all(|job| PERSON.is_match(&text(job)))
    });
    let rebuilds = |job: &Job| {
        let text = job.prompt.trim_start();
        let opening = text.split_inclusive(['.', '\n']).next().unwrap_or(text);
        !IDENTITY.is_match(opening) && !ONE_CHANGE.is_match(opening)
    };
    if is_of_a_person && read_whole(jobs).all(rebuilds) {
        let label = "describes a scene before it says who is in it";
        let help = "open with `Same person, identical facial features and hair.`, or name only the one change: `Replace only the background: …`";
        remarks.push(Remark::new(Rule::IdentityNotFirst, prompt_at(step), label, help));
    }
}

/// Returns the generated step at the root of a chain of pictures.
fn first_of<'a>(campaign: &'a Campaign, step: &'a Step) -> Option<&'a Step> {
    let mut current = step;
    // Steps stand behind those whose pictures they take, so that this ends.
    loop {
        let source = current.sources.iter().find(|source| matches!(source.role, InputRole::Image | InputRole::Candidate(_)))?;
        current = &campaign.steps[source.step];
        if current.paid.as_ref().is_some_and(|paid| paid.action == Action::Generate) && current.inserted.is_none() {
            return Some(current);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_is_sound_and_finds_what_it_is_for() {
        for (pattern, text) in [
            (&MOOD, "with beautiful lighting"),
            (&DIRECTION, "a softbox"),
            (&PAINTED, "soft watercolor"),
            (&PHOTOGRAPHED, "ultra-sharp photorealistic"),
            (&THING, "a watercolor on a wall"),
            (&PERSON, "a woman in a coat"),
            (&IDENTITY, "Same person"),
            (&ONE_CHANGE, "Replace only the background"),
        ] {
            assert!(pattern.is_match(text), "{text}");
        }
    }
}
