//! Where each shot's file stands: the author's template or the default layout; never outside the output folder, never two in one place.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};
use std::sync::Arc;

use minijinja::value::Value;

use super::JobIx;
use super::texts::Scene;
use crate::campaign::{Roots, Template, TemplateProblem};

/// Longest name of a file or folder, in bytes: what common file systems take.
const MAX_NAME: usize = 255;

/// Longest path below the output folder, in bytes.
const MAX_PATH: usize = 1024;

/// Names that Windows keeps for devices, with any extension.
const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];

/// How a step's paths are made.
pub(super) enum Layout<'a> {
    /// From fixed text and axis keys only: no template engine needed.
    Direct(Vec<Part>),
    /// By rendering a template.
    Template(&'a Template),
}

/// A part of a direct layout.
pub(super) enum Part {
    Text(Arc<str>),
    /// The key of the step's axis at this position.
    Key(usize),
    Extension,
}

impl<'a> Layout<'a> {
    /// Returns the layout of a step.
    pub(super) fn new(scene: &Scene<'a>) -> Self {
        match &scene.step.path {
            None => Self::Direct(default_parts(scene)),
            Some(template) => direct_parts(template, scene).map_or(Self::Template(template), Self::Direct),
        }
    }

    /// Returns the path at these coordinates.
    ///
    /// # Errors
    /// What is wrong with it, as a sentence with its help.
    pub(super) fn path(&self, scene: &Scene<'_>, coordinates: &[u32], extension: &str) -> Result<String, PathProblem> {
        let path = match self {
            Self::Direct(parts) => direct(parts, scene, coordinates, extension)?,
            Self::Template(template) => {
                let roots: Arc<dyn Roots> = Arc::new(PathRoots { keyed: scene.keyed(coordinates), extension: Value::from(extension) });
                template.render(&roots).map_err(PathProblem::Template)?.trim().to_owned()
            }
        };
        match check(&path) {
            Ok(()) => Ok(path),
            Err(reason) => Err(PathProblem::Unsafe { path, reason }),
        }
    }
}

/// Why a path cannot be used.
#[derive(Debug)]
pub(super) enum PathProblem {
    /// The template failed.
    Template(TemplateProblem),
    /// The path itself is wrong.
    Unsafe { path: String, reason: String },
}

/// `sku/angle/step-take.ext`: folders are the axes' keys, the file is the step and the take.
fn default_parts(scene: &Scene<'_>) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut take = None;
    for (position, axis) in scene.axes.iter().enumerate() {
        if matches!(scene.campaign.axes[*axis].source, crate::campaign::AxisSource::Take { .. }) {
            take = Some(position);
        } else {
            parts.push(Part::Key(position));
            parts.push(Part::Text(Arc::from("/")));
        }
    }
    parts.push(Part::Text(scene.step.file_stem()));
    if let Some(position) = take {
        parts.push(Part::Text(Arc::from("-")));
        parts.push(Part::Key(position));
    }
    parts.push(Part::Text(Arc::from(".")));
    parts.push(Part::Extension);
    parts
}

/// Splits a template that holds only `{{ axis }}`, `{{ axis.key }}`, `{{ step }}`, `{{ campaign }}` and `{{ ext }}`.
fn direct_parts(template: &Template, scene: &Scene<'_>) -> Option<Vec<Part>> {
    if !template.is_simple() {
        return None;
    }
    let source = template.source();
    let mut parts = Vec::new();
    let mut position = 0;
    for lookup in template.lookups() {
        let open = source[..lookup.range.start].rfind("{{")?;
        let close = lookup.range.end + source[lookup.range.end..].find("}}")? + 2;
        parts.push(Part::Text(Arc::from(&source[position..open])));
        position = close;
        let names: Vec<&str> = lookup.names.iter().map(String::as_str).collect();
        parts.push(match names.as_slice() {
            ["ext"] => Part::Extension,
            ["step"] => Part::Text(scene.step.file_stem()),
            ["campaign"] => Part::Text(Arc::clone(&scene.campaign.name)),
            [name] | [name, "key"] => {
                let position = scene.axes.iter().position(|axis| *scene.campaign.axes[*axis].name == **name)?;
                let has_own_key =
                    scene.campaign.axes[scene.axes[position]].fields.as_ref().is_some_and(|fields| fields.iter().any(|field| **field == *"key"));
                if names.len() == 2 && has_own_key {
                    return None;
                }
                Part::Key(position)
            }
            _ => return None,
        });
    }
    parts.push(Part::Text(Arc::from(source[position..].trim_end())));
    Some(parts)
}

fn direct(parts: &[Part], scene: &Scene<'_>, coordinates: &[u32], extension: &str) -> Result<String, PathProblem> {
    let mut path = String::with_capacity(48);
    for part in parts {
        match part {
            Part::Text(text) => path.push_str(text),
            Part::Extension => path.push_str(extension),
            Part::Key(position) => {
                let axis = &scene.campaign.axes[scene.axes[*position]];
                let key = &axis.values[coordinates[*position] as usize].key;
                if key.contains(['/', '\\']) {
                    let reason = format!("the value `{key}` of `{}` would make a folder of its own", axis.name);
                    return Err(PathProblem::Unsafe { path: key.to_string(), reason });
                }
                path.push_str(key);
            }
        }
    }
    Ok(path)
}

/// The variables of a path; a `/` inside a value is an error, so that data cannot make folders.
struct PathRoots {
    keyed: Arc<dyn Roots>,
    extension: Value,
}

impl Roots for PathRoots {
    fn root(&self, name: &str) -> Option<Value> {
        if name == "ext" {
            return Some(self.extension.clone());
        }
        let value = self.keyed.root(name)?;
        match value.as_str() {
            Some(text) if text.contains(['/', '\\']) => Some(Value::from(guarded(text))),
            Some(_) => Some(value),
            None if value.as_object().is_some() => Some(Value::from_object(Guarded(value))),
            None => Some(value),
        }
    }
}

/// Stands for a `/` that came from data; no file name may hold it, and `slug` turns it into `-`.
const SLASH_FROM_DATA: &str = "\u{1}";

fn guarded(text: &str) -> String {
    text.replace(['/', '\\'], SLASH_FROM_DATA)
}

/// An axis value whose texts are guarded.
struct Guarded(Value);

impl std::fmt::Debug for Guarded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl minijinja::value::Object for Guarded {
    fn repr(self: &Arc<Self>) -> minijinja::value::ObjectRepr {
        minijinja::value::ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let value = self.0.get_item(key).ok().filter(|value| !value.is_undefined())?;
        Some(value.as_str().map(|text| Value::from(guarded(text))).unwrap_or(value))
    }

    fn render(self: &Arc<Self>, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&guarded(&self.0.to_string()))
    }
}

/// Says why a path is not safe below every output folder, if it is not.
fn check(path: &str) -> Result<(), String> {
    if path.contains(SLASH_FROM_DATA) {
        return Err("a value holds a `/` and would make a folder of its own".to_owned());
    }
    if path.is_empty() {
        return Err("the path is empty".to_owned());
    }
    if path.len() > MAX_PATH {
        return Err(format!("the path has {} bytes; {MAX_PATH} are the limit", path.len()));
    }
    if path.starts_with('/') || path.as_bytes().get(1) == Some(&b':') {
        return Err("the path is absolute".to_owned());
    }
    path.split('/').try_for_each(check_name)
}

fn check_name(name: &str) -> Result<(), String> {
    let shown = || name.escape_debug();
    if name.is_empty() {
        return Err("a folder or file has no name".to_owned());
    }
    if name == "." || name == ".." {
        return Err(format!("`{name}` leads out of its folder"));
    }
    if let Some(letter) = name.chars().find(|letter| letter.is_control() || matches!(letter, '\\' | '<' | '>' | ':' | '"' | '|' | '?' | '*')) {
        return Err(format!("`{}` holds `{}`, which file systems do not take", shown(), letter.escape_debug()));
    }
    if name.ends_with(['.', ' ']) || name.starts_with(' ') {
        return Err(format!("`{}` begins or ends with a space, or ends with a dot", shown()));
    }
    if name.len() > MAX_NAME {
        return Err(format!("`{:.40}...` has {} bytes; {MAX_NAME} are the limit for a name", shown().to_string(), name.len()));
    }
    if name_of_device(name) {
        return Err(format!("`{name}` is the name of a device on Windows"));
    }
    Ok(())
}

fn name_of_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name);
    let is = |device: &str, stem: &str| stem.eq_ignore_ascii_case(device);
    let numbered = |ports: &str| matches!(stem.split_at_checked(3), Some((port, number)) if is(ports, port) && is_digit(number));
    DEVICES.iter().any(|device| is(device, stem)) || numbered("com") || numbered("lpt")
}

/// Returns how a path is mended that cannot be used; `axis` is one of its step, if it has any.
pub(super) fn plainer(path: &str, axis: Option<&str>) -> String {
    let no_name = path.starts_with('/') || path.contains("//");
    let is_device = path.split('/').any(name_of_device);
    match axis {
        Some(axis) if no_name => {
            format!("a text without letters and digits leaves nothing behind `slug`: put something before it, `{axis}-{{{{ {axis} | slug }}}}`")
        }
        Some(axis) if is_device => format!("put something before the value: `{axis}-{{{{ {axis} | slug }}}}`"),
        None if no_name => "paths are below the output folder: begin with a name, not with `/`".to_owned(),
        None if is_device => "choose another name".to_owned(),
        _ => {
            let axis = axis.unwrap_or("sku");
            format!("`{{{{ {axis} | slug }}}}` makes a plain name of any text; set it as the step's `path` or as `output.path`")
        }
    }
}

fn is_digit(text: &str) -> bool {
    matches!(text.as_bytes(), [byte] if byte.is_ascii_digit())
}

/// Paths that are taken, without the differences that some file systems do not see. The paths themselves are with their jobs; only
/// their hashes are kept here.
pub(super) struct Paths {
    files: HashMap<u64, JobIx, BuildHasherDefault<Hashed>>,
    /// Jobs whose hash another path has already: one in billions.
    rest: Vec<JobIx>,
    /// Keyed anew for each plan, so that no file of names can be made to collide.
    keys: RandomState,
    /// The path at hand, folded.
    folded: Vec<u8>,
    /// Whether a file has no extension, so that it could stand where another needs a folder.
    bare: bool,
}

impl Paths {
    /// Makes room for this many paths.
    pub(super) fn with_room(paths: usize) -> Self {
        let files = HashMap::with_capacity_and_hasher(paths, BuildHasherDefault::default());
        Self { files, rest: Vec::new(), keys: RandomState::new(), folded: Vec::new(), bare: false }
    }

    /// Takes the path of `job`; returns the job that has it already. `path_of` is asked for jobs that were taken before.
    pub(super) fn take<'p>(&mut self, path: &str, job: JobIx, path_of: impl Fn(JobIx) -> &'p str) -> Option<JobIx> {
        self.bare |= !path.rsplit('/').next().unwrap_or(path).contains('.');
        fold(path, &mut self.folded);
        let hash = self.keys.hash_one(&self.folded);
        let Some(other) = self.files.get(&hash).copied() else {
            self.files.insert(hash, job);
            return None;
        };
        let found = self.at_hash(other, path_of);
        if found.is_none() {
            self.rest.push(job);
        }
        found
    }

    /// Returns the job whose path is the one at hand, given the one that has its hash.
    fn at_hash<'p>(&self, holder: JobIx, path_of: impl Fn(JobIx) -> &'p str) -> Option<JobIx> {
        let mut other = Vec::new();
        let mut is_same = |job: JobIx| {
            fold(path_of(job), &mut other);
            other == self.folded
        };
        if is_same(holder) { Some(holder) } else { self.rest.iter().copied().find(|job| is_same(*job)) }
    }

    /// Returns a file that stands where another needs a folder, with the job behind it; `paths` are those of all jobs, in order.
    pub(super) fn file_as_folder<'p>(&mut self, paths: impl Iterator<Item = &'p str>, path_of: impl Fn(JobIx) -> &'p str) -> Option<(JobIx, JobIx)> {
        if !self.bare {
            return None;
        }
        let mut found: Vec<(JobIx, JobIx)> = Vec::new();
        for (path, job) in paths.zip((0u32..).map(JobIx)) {
            for (end, _) in path.match_indices('/') {
                fold(&path[..end], &mut self.folded);
                let holder = self.files.get(&self.keys.hash_one(&self.folded));
                found.extend(holder.and_then(|holder| self.at_hash(*holder, &path_of)).map(|file| (file, job)));
            }
        }
        found.into_iter().min()
    }
}

/// Takes a hash for what it is.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// Puts a path without the differences that some file systems do not see into `folded`.
fn fold(path: &str, folded: &mut Vec<u8>) {
    folded.clear();
    if path.is_ascii() {
        folded.extend_from_slice(path.as_bytes());
        folded.make_ascii_lowercase();
    } else {
        folded.extend_from_slice(path.to_lowercase().as_bytes());
    }
}

/// Says the path and the reason, for a diagnostic.
pub(super) fn sentence(path: &str, reason: &str) -> String {
    let mut text = String::from("this path cannot be used");
    let _ = write!(text, ": `{}`: {reason}", path.escape_debug());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_out_or_that_systems_refuse_are_refused() {
        for path in [
            "",
            "/etc/x.png",
            "../x.png",
            "a/../x.png",
            "a//x.png",
            "C:/x.png",
            "a\\x.png",
            "con.png",
            "COM1",
            "a/nul.jpg",
            "x.",
            "x ",
            "a\u{0}b.png",
            "what?.png",
        ] {
            assert!(check(path).is_err(), "{path:?}");
        }
        for path in ["teapot/front.jpg", "Crème brûlée/x.png", "a.b.c/..x.png", "console.png"] {
            assert!(check(path).is_ok(), "{path:?}: {:?}", check(path));
        }
        assert!(check(&"x".repeat(256)).is_err());
    }

    #[test]
    fn paths_that_differ_by_case_only_collide() {
        let paths = ["A/front.png", "a/Front.png", "É/x.png", "é/x.png"];
        assert_eq!(taken_by(&paths), [None, Some(JobIx(0)), None, Some(JobIx(2))]);
    }

    fn taken_by(paths: &[&str]) -> Vec<Option<JobIx>> {
        let mut taken = Paths::with_room(paths.len());
        paths.iter().zip((0u32..).map(JobIx)).map(|(path, job)| taken.take(path, job, |other| paths[other.index()])).collect()
    }

    #[test]
    fn paths_that_only_share_a_hash_do_not_collide() {
        let paths = ["teapot.png", "mug.png", "mug.png"];
        let mut taken = Paths::with_room(paths.len());
        let hash = taken.keys.hash_one(b"mug.png".to_vec());
        taken.files.insert(hash, JobIx(0));
        assert_eq!(taken.take(paths[1], JobIx(1), |job| paths[job.index()]), None);
        assert_eq!(taken.take(paths[2], JobIx(2), |job| paths[job.index()]), Some(JobIx(1)));
    }

    #[test]
    fn a_file_where_a_folder_must_stand_is_found() {
        let paths = ["teapot", "teapot/front.png"];
        let mut taken = Paths::with_room(2);
        for (path, job) in paths.iter().zip([JobIx(0), JobIx(1)]) {
            assert_eq!(taken.take(path, job, |job| paths[job.index()]), None);
        }
        assert_eq!(taken.file_as_folder(paths.into_iter(), |job| paths[job.index()]), Some((JobIx(0), JobIx(1))));
    }
}
