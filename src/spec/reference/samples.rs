//! Examples for a reference, cut out of files that tests run.

use serde_yaml::Value;

/// A file that shows the language at work.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    /// Its address, seen from the reference.
    pub path: &'a str,
    /// What stands in it.
    pub text: &'a str,
}

impl Sample<'_> {
    fn fenced(&self, lines: &[&str]) -> String {
        let name = self.path.rsplit('/').next().unwrap_or(self.path);
        format!("From [{name}]({}):\n\n```yaml\n{}\n```\n", self.path, lines.join("\n"))
    }
}

/// Returns the first block under a top-level key.
pub fn block(files: &[Sample<'_>], key: &str) -> Option<String> {
    files.iter().find_map(|file| {
        let lines: Vec<&str> = file.text.lines().collect();
        Some(file.fenced(&from_key(&lines, key, 0)?))
    })
}

/// Returns the first step of a kind, under `steps:`.
pub fn step(files: &[Sample<'_>], kind: &str) -> Option<String> {
    files.iter().find_map(|file| {
        let campaign: Value = serde_yaml::from_str(file.text).ok()?;
        let steps = campaign.get("steps")?.as_mapping()?;
        let (name, _) = steps.iter().find(|(_, step)| step.get(kind).is_some())?;
        let lines: Vec<&str> = file.text.lines().collect();
        let steps = from_key(&lines, "steps", 0)?;
        let mut shown = vec!["steps:"];
        shown.extend(from_key(steps.get(1..)?, name.as_str()?, 2)?);
        Some(file.fenced(&shown))
    })
}

/// Returns the line of a key at an indent with all that stands below it; comments and blank lines before the next key are not its own.
fn from_key<'a>(lines: &[&'a str], key: &str, indent: usize) -> Option<Vec<&'a str>> {
    let depth = |line: &str| line.len() - line.trim_start().len();
    let opens = |line: &str| depth(line) == indent && line.trim_start().strip_prefix(key).is_some_and(|rest| rest.starts_with(':'));
    let first = lines.iter().position(|line| opens(line))?;
    let below = lines.iter().skip(first + 1).take_while(|line| line.trim().is_empty() || depth(line) > indent);
    let mut found: Vec<&str> = lines.get(first).into_iter().chain(below).copied().collect();
    while found.last().is_some_and(|line| line.trim().is_empty()) {
        found.pop();
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: Sample<'_> = Sample {
        path: "../campaigns/cups.yaml",
        text: "callsheet: 1\n\nsteps:\n  # the first\n  hero:\n    generate: { prompt: cup }\n\n  # smaller\n  small: { upscale: { image: hero } }\n\nbudget:\n  cap: 3\n",
    };

    #[test]
    fn a_step_is_cut_out_with_its_own_lines_only() {
        let shown = step(&[FILE], "generate").expect("it is there");
        assert_eq!(shown, "From [cups.yaml](../campaigns/cups.yaml):\n\n```yaml\nsteps:\n  hero:\n    generate: { prompt: cup }\n```\n");
        assert!(step(&[FILE], "upscale").is_some_and(|shown| shown.contains("  small: {") && !shown.contains("smaller")));
        assert_eq!(step(&[FILE], "vary"), None);
    }

    #[test]
    fn a_block_ends_before_the_next_key() {
        assert!(block(&[FILE], "budget").is_some_and(|shown| shown.contains("```yaml\nbudget:\n  cap: 3\n```")));
        assert_eq!(block(&[FILE], "lint"), None);
    }
}
