//! Paths in a saved plan: relative to its folder, so that the plan means the same on every machine.
//!
//! In: paths as they were typed. Out: paths with `/` between folders. Never: a look at the disk, except where a file may stand in two places.

use std::path::{Component, Path, PathBuf};

/// Returns `path` as it is written in a file in `folder`; both as they were typed.
pub fn relative(folder: &Path, path: &Path) -> String {
    let current = std::env::current_dir().unwrap_or_default();
    let (from, to) = (plain(&current.join(folder)), plain(&current.join(path)));
    let shared = from.components().zip(to.components()).take_while(|(one, other)| one == other).count();
    // On Windows two drives share nothing: then the path stays as it was typed.
    if shared == 0 {
        return path.display().to_string();
    }
    let up = from.components().skip(shared).map(|_| "..".to_owned());
    let down = to.components().skip(shared).map(|part| part.as_os_str().to_string_lossy().into_owned());
    up.chain(down).collect::<Vec<_>>().join("/")
}

/// Returns where a file that is named in a file in `folder` stands: there, or, if the plan was carried elsewhere, below the current folder.
pub fn found(folder: &Path, written: &str) -> PathBuf {
    let there = plain(&folder.join(written));
    let here = PathBuf::from(written);
    if !there.exists() && here.exists() { here } else { there }
}

/// Returns whether a provider or a book is named by a file.
pub fn is_path(name: &str) -> bool {
    name.contains(['/', '\\']) || name.ends_with(".yaml") || name.ends_with(".yml")
}

/// Returns the path without `.` and with `a/..` taken away.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if matches!(plain.components().next_back(), Some(Component::Normal(_))) => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_told_from_the_folder_of_the_plan() {
        let told = |folder: &str, path: &str| relative(Path::new(folder), Path::new(path));
        assert_eq!(told("", "campaigns/spring.yaml"), "campaigns/spring.yaml");
        assert_eq!(told("plans", "campaigns/spring.yaml"), "../campaigns/spring.yaml");
        assert_eq!(told("./plans/2026", "campaigns/./spring.yaml"), "../../campaigns/spring.yaml");
        assert_eq!(told("campaigns", "campaigns/spring.yaml"), "spring.yaml");
        let absolute = std::env::current_dir().expect("there is one").join("campaigns/spring.yaml");
        assert_eq!(relative(Path::new("plans"), &absolute), "../campaigns/spring.yaml", "no absolute path is kept");
    }

    #[test]
    fn and_found_from_there() {
        assert_eq!(found(Path::new("plans"), "../campaigns/spring.yaml"), Path::new("campaigns/spring.yaml"));
        assert_eq!(found(Path::new(""), "nowhere.yaml"), Path::new("nowhere.yaml"));
        assert_eq!(found(Path::new("no-such-folder"), "Cargo.toml"), Path::new("Cargo.toml"), "carried elsewhere");
    }
}
