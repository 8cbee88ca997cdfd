//! What a pull request is told after the run: its plan comment, with small pictures of the shots that it changes, before and after.
//!
//! In: a [`DiffView`], which picture a key has, how the shots stand. Out: which pictures to show; Markdown with them.
//! Never: a picture inside of the comment (sites take none there); more than a comment may hold; an address or a name that becomes markup.

use std::collections::HashSet;
use std::fmt::Write as _;

use super::changes::address;
use super::markdown::{code, plain};
use super::plan_comment::{Reader, diff_markdown_with};
use super::plan_diff::DiffView;
use super::run_report::{RunReport, Shot};
use super::shopify_csv::url;
use super::status::so_far_words;
use super::told::{causes, mend};
use crate::plan::{Change, Group};
use crate::types::diagnostic::counted;
use crate::types::width::cut;
use crate::types::{Digest, JobId, JobKey, MoneyError};

/// Most shots whose pictures a comment shows.
pub const MOST_SHOWN: usize = 20;

/// How many of them stand there unfolded.
const UNFOLDED: usize = 6;

/// Longest address of a picture, in bytes.
pub const MOST_ADDRESS: usize = 500;

/// What the pictures may take of a comment, in bytes: less than half.
const MOST_BYTES: usize = 30_000;

/// Longest name of a shot, in characters.
const MOST_NAME: usize = 160;

/// Width of a picture in the comment, in pixels.
const WIDTH: u32 = 200;

/// Longest side of the files, in pixels: sharp on a screen of double density.
pub const SMALL_SIDE: u32 = 400;

/// One side of a shot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// Its picture.
    Picture(Digest),
    /// Why there is none.
    Not(&'static str),
}

/// A shot before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pictured {
    /// Its address.
    pub shot: JobId,
    /// What has become of it, in a word or two: `changed in prompt`, `follows surface`, `added`.
    pub what: String,
    /// At the base.
    pub before: Seen,
    /// Now.
    pub after: Seen,
}

/// The pictures of a comment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pictures {
    /// Those to show, in the order of the comparison.
    pub shown: Vec<Pictured>,
    /// Changed and added shots that have something to show and no place in the comment.
    pub more: usize,
    /// Changed and added shots without a picture on either side.
    pub without: usize,
    /// Changed shots that came out as the same picture.
    pub same: usize,
}

impl Pictures {
    /// Returns every picture that is shown, each once.
    pub fn digests(&self) -> Vec<Digest> {
        let sides = self.shown.iter().flat_map(|shown| [shown.before, shown.after]);
        let mut seen = HashSet::new();
        sides.filter_map(|side| if let Seen::Picture(digest) = side { Some(digest) } else { None }).filter(|digest| seen.insert(*digest)).collect()
    }

    /// Takes away pictures that cannot be shown: their places say why.
    pub fn lose(&mut self, lost: &[Digest]) {
        for side in self.shown.iter_mut().flat_map(|shown| [&mut shown.before, &mut shown.after]) {
            if matches!(side, Seen::Picture(digest) if lost.contains(digest)) {
                *side = Seen::Not("not whole in the store");
            }
        }
    }
}

/// Returns whether a file is called as [`small_name`] calls them.
pub fn is_small_name(name: &str) -> bool {
    name.strip_suffix(".jpg").is_some_and(|stem| stem.len() == 24 && stem.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')))
}

/// Returns the name of the small file of a picture.
pub fn small_name(picture: Digest) -> String {
    let name = picture.to_string();
    format!("{}.jpg", name.get(..24).unwrap_or(&name))
}

/// Chooses whose pictures are shown: of each group of changes its share, spread over the group.
///
/// `picture` says which picture a key has, `report` how the shots of the current plan stand.
pub fn pictures(view: &DiffView<'_>, report: &RunReport<'_>, picture: &dyn Fn(JobKey) -> Option<Digest>) -> Pictures {
    let mut pictures = Pictures::default();
    let mut seen = HashSet::new();
    let mut groups: Vec<(&Group, Vec<Candidate>)> = Vec::new();
    for group in view.diff.groups.iter().filter(|group| matches!(group.change, Change::Changed { .. } | Change::Added)) {
        let mut candidates = Vec::new();
        for (place, pair) in group.pairs.iter().enumerate() {
            let before = pair.base.and_then(|base| picture(view.base.key(base as usize)));
            let after = pair.current.and_then(|current| picture(view.current.key(current as usize)));
            match (before, after) {
                (None, None) => pictures.without += 1,
                (Some(before), Some(after)) if before == after => pictures.same += 1,
                // A choice is the picture that was chosen: it is shown where it was made.
                sides if seen.insert(sides) => candidates.push(Candidate { place, before, after }),
                _ => {}
            }
        }
        groups.push((group, candidates));
    }
    let shares = shares(&groups.iter().map(|(_, candidates)| candidates.len()).collect::<Vec<_>>());
    for ((group, candidates), share) in groups.into_iter().zip(shares) {
        pictures.more += candidates.len() - share;
        let spread = (0..share).map(|place| &candidates[place * candidates.len() / share]);
        pictures.shown.extend(spread.map(|candidate| pictured(view, report, group, candidate)));
    }
    pictures
}

/// A shot that has something to show.
struct Candidate {
    /// Its place in the group.
    place: usize,
    before: Option<Digest>,
    after: Option<Digest>,
}

/// Gives each group one place after the other, as long as there are any.
fn shares(sizes: &[usize]) -> Vec<usize> {
    let mut shares = vec![0; sizes.len()];
    let mut left = MOST_SHOWN.min(sizes.iter().sum());
    while left > 0 {
        for (share, size) in shares.iter_mut().zip(sizes) {
            if *share < *size && left > 0 {
                *share += 1;
                left -= 1;
            }
        }
    }
    shares
}

fn pictured(view: &DiffView<'_>, report: &RunReport<'_>, group: &Group, candidate: &Candidate) -> Pictured {
    let shot = address(group, candidate.place, view.base, view.current);
    let what = match &group.change {
        Change::Changed { own, follows } if own.is_empty() => format!("follows {}", follows.join(", ")),
        Change::Changed { own, .. } => format!("changed in {}", own.join(", ")),
        other => other.as_str().to_owned(),
    };
    let before = match candidate.before {
        Some(digest) => Seen::Picture(digest),
        None if group.change == Change::Added => Seen::Not("was not there"),
        None => Seen::Not("never made in this workspace"),
    };
    let after = candidate.after.map_or_else(|| Seen::Not(standing(report, &shot)), Seen::Picture);
    Pictured { shot, what, before, after }
}

fn standing(report: &RunReport<'_>, shot: &JobId) -> &'static str {
    match report.plan.find(shot.as_str()).map(|ix| report.shot(ix)) {
        Some(Shot::Failed) => "failed",
        Some(Shot::Rejected) => "rejected by its checks",
        Some(Shot::ToPick) => "waits for a choice",
        Some(Shot::InDoubt) => "in doubt",
        Some(Shot::UnderWay) => "under way",
        Some(Shot::Blocked(_)) => "waits for one that failed",
        Some(Shot::LeftOut) => "not asked for",
        Some(Shot::Done) => "no longer in the store",
        Some(Shot::ToDo) | None => "not made yet",
    }
}

/// Where the pictures can be seen.
pub enum Place<'a> {
    /// Each under an address of the web.
    Web(&'a dyn Fn(&str) -> String),
    /// In this folder only.
    Folder(&'a str),
}

/// Returns the comment; empty when nothing has changed.
///
/// # Errors
/// A difference that does not fit.
pub fn picture_comment(view: &DiffView<'_>, report: &RunReport<'_>, pictures: &Pictures, place: &Place<'_>) -> Result<String, MoneyError> {
    let mut further = ran(report);
    match place {
        Place::Web(address) => on_the_web(pictures, address, &mut further),
        Place::Folder(folder) => in_a_folder(pictures, folder, &mut further),
    }
    diff_markdown_with(view, Reader::GitHub, &further)
}

/// Tells what the runs have made and charged.
fn ran(report: &RunReport<'_>) -> String {
    let (done, all) = report.done();
    let mut counts = vec![format!("**{done} of {all} shots done**")];
    let sum = |of: fn(&super::StepStatus) -> usize| report.steps.iter().map(of).sum::<usize>();
    let others = [
        (sum(|step| step.failed), "failed"),
        (sum(|step| step.rejected), "rejected by their checks"),
        (sum(|step| step.in_doubt), "in doubt"),
        (sum(|step| step.under_way), "under way"),
        (sum(|step| step.blocked), "waiting for one that failed"),
        (sum(|step| step.to_pick), "waiting for a choice"),
        (sum(|step| step.to_do), "not made yet"),
    ];
    counts.extend(others.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")));
    let mut text = format!("#### After the run\n\n{}.", counts.join(", "));
    let so_far = if report.is_rehearsal { "So far, as if paid: " } else { "So far " };
    for spent in report.spending.iter().enumerate().filter(|(place, spent)| *place == 0 || spent.attempts > 0).map(|(_, spent)| spent) {
        let _ = write!(text, " {so_far}{}.", plain(&so_far_words(report, spent)));
    }
    text.push_str("\n\n");
    let causes = causes(report);
    for cause in causes.iter().take(5) {
        let first = cause.shots.first().map_or_else(String::new, |ix| cut(report.plan.id(*ix).as_str(), MOST_NAME));
        let why = format!("{} ({}) {}", cause.failure.class.as_str(), cause.failure.code, cut(&cause.failure.message, 300));
        let _ = writeln!(
            text,
            "- ⛔ {} failed, as {}: {}. To mend it: {}.",
            counted(cause.shots.len(), "shot"),
            plain(&first),
            plain(why.trim_end()),
            mend(cause.failure.class)
        );
    }
    if !causes.is_empty() {
        text.push('\n');
    }
    text
}

const HEAD: &str = "| shot | before | after |\n|---|---|---|\n";

fn on_the_web(pictures: &Pictures, address: &dyn Fn(&str) -> String, text: &mut String) {
    let rows = pictures.shown.iter().map(|shown| {
        let cell = |seen: &Seen, when: &str| match seen {
            Seen::Picture(digest) => {
                let alt = format!("{}, {when}", cut(shown.shot.as_str(), MOST_NAME));
                format!("<img src=\"{}\" width=\"{WIDTH}\" alt=\"{}\">", attribute(&url(&address(&small_name(*digest)))), attribute(&alt))
            }
            Seen::Not(why) => format!("*{why}*"),
        };
        format!("| {} | {} | {} |\n", name(shown), cell(&shown.before, "before"), cell(&shown.after, "after"))
    });
    let room = text.len() + MOST_BYTES;
    let mut told = 0;
    for (place, row) in rows.enumerate() {
        if text.len() + row.len() > room {
            break;
        }
        if place == 0 {
            text.push_str(HEAD);
        } else if place == UNFOLDED {
            let _ = write!(text, "\n<details><summary>{} more</summary>\n\n{HEAD}", pictures.shown.len() - UNFOLDED);
        }
        text.push_str(&row);
        told += 1;
    }
    if told > UNFOLDED {
        text.push_str("\n</details>\n");
    }
    if told > 0 {
        text.push('\n');
    }
    rest(pictures, pictures.shown.len() - told, text);
}

fn in_a_folder(pictures: &Pictures, folder: &str, text: &mut String) {
    if !pictures.shown.is_empty() {
        let _ = writeln!(text, "| shot | before | after |\n|---|---|---|");
        for shown in &pictures.shown {
            let cell = |seen: &Seen| match seen {
                Seen::Picture(digest) => format!("`{}`", small_name(*digest)),
                Seen::Not(why) => format!("*{why}*"),
            };
            let _ = writeln!(text, "| {} | {} | {} |", name(shown), cell(&shown.before), cell(&shown.after));
        }
        let how = "put them where this page may read them and name the place, `--pictures-url 'https://…/{{ path }}'`, and they are shown here";
        let _ = writeln!(text, "\nThe pictures stand in `{}`: {how}.\n", code(folder));
    }
    rest(pictures, 0, text);
}

fn name(shown: &Pictured) -> String {
    format!("{}<br>{}", plain(&cut(shown.shot.as_str(), MOST_NAME)), plain(&cut(&shown.what, MOST_NAME)))
}

/// Tells of those that are not shown.
fn rest(pictures: &Pictures, left: usize, text: &mut String) {
    let mut said = Vec::new();
    let more = pictures.more + left;
    if more > 0 {
        said.push(format!("and {more} more: the gallery, `index.html` in the output folder, has all that is there now"));
    }
    if pictures.same > 0 {
        said.push(format!("{} came out as the same picture", counted(pictures.same, "changed shot")));
    }
    if pictures.without > 0 {
        said.push(format!("{} of the change without a picture yet", counted(pictures.without, "shot")));
    }
    if !said.is_empty() {
        let _ = writeln!(text, "{}.\n", said.join("; "));
    }
}

/// Returns text for between the quotes of an attribute in a cell of a table: what could end either is a character reference.
fn attribute(text: &str) -> String {
    crate::types::visible(text).chars().fold(String::new(), |mut escaped, char| {
        if char.is_alphanumeric() || matches!(char, ' ' | ',' | '.' | '-' | '_' | '=' | ':' | '/' | '?' | '%' | '+' | '~') {
            escaped.push(char);
        } else {
            let _ = write!(escaped, "&#{};", u32::from(char));
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_group_has_its_share_of_the_places() {
        assert_eq!(shares(&[24, 24, 24, 24]), [5, 5, 5, 5]);
        assert_eq!(shares(&[1, 0, 300]), [1, 0, 19]);
        assert_eq!(shares(&[2, 3]), [2, 3]);
        assert_eq!(shares(&[]), [0; 0]);
        assert_eq!(shares(&vec![1; 50]).iter().sum::<usize>(), MOST_SHOWN);
    }

    #[test]
    fn nothing_of_a_name_or_an_address_ends_its_attribute_or_its_cell() {
        assert_eq!(attribute("a\"b|c<d>'`&\n"), "a&#34;b&#124;c&#60;d&#62;&#39;&#96;&#38;&#92;n");
        let shot = JobId::new("hero[sku=<img src=x onerror=1>|\"@team]");
        let digest = Digest::of(b"one");
        let shown = Pictured { shot, what: "changed in prompt".to_owned(), before: Seen::Picture(digest), after: Seen::Not("failed") };
        let pictures = Pictures { shown: vec![shown], more: 43, without: 1, same: 2 };
        let mut text = String::new();
        on_the_web(&pictures, &|name| format!("https://x.example/a b/{name}?raw=true&\"onload=1"), &mut text);
        let told = text.replace(&small_name(digest), "<DIGEST>.jpg");
        insta::assert_snapshot!(told, @r#"
        | shot | before | after |
        |---|---|---|
        | hero\[sku=&lt;img src=x onerror=1&gt;\|"@&#8203;team\]<br>changed in prompt | <img src="https://x.example/a%20b/<DIGEST>.jpg?raw=true&#38;%22onload=1" width="200" alt="hero&#91;sku=&#60;img src=x onerror=1&#62;&#124;&#34;&#64;team&#93;, before"> | *failed* |

        and 43 more: the gallery, `index.html` in the output folder, has all that is there now; 2 changed shots came out as the same picture; 1 shot of the change without a picture yet.
        "#);
    }

    #[test]
    fn pictures_never_take_more_than_their_part_of_a_comment() {
        let shown = |place: usize| Pictured {
            shot: JobId::new(format!("hero[sku={}{place}]", "\"".repeat(500))),
            what: "|".repeat(500),
            before: Seen::Picture(Digest::of(&[place as u8])),
            after: Seen::Picture(Digest::of(&[place as u8, 1])),
        };
        let pictures = Pictures { shown: (0..MOST_SHOWN).map(shown).collect(), more: 3, ..Pictures::default() };
        let mut text = String::new();
        on_the_web(&pictures, &|name| format!("https://x.example/{}/{name}", "y".repeat(MOST_ADDRESS - 50)), &mut text);
        assert!(text.len() < MOST_BYTES + 500, "{}", text.len());
        let rows = text.matches("<img").count() / 2;
        assert!(rows > UNFOLDED && rows < MOST_SHOWN && text.contains(&format!("and {} more", 3 + MOST_SHOWN - rows)), "{rows}: {text}");
        assert_eq!(text.matches("<details>").count(), text.matches("</details>").count());
    }
}
