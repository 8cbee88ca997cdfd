//! A desk in a git repository.

use std::process::Command;

use crate::desk::Desk;

/// A desk in a repository whose `main` holds everything; nothing where there is no git.
pub fn repository() -> Option<Desk> {
    let desk = Desk::new();
    if Command::new("git").arg("--version").output().is_err() {
        eprintln!("skipped: there is no git");
        return None;
    }
    git(&desk, &["init", "-q"]);
    commit(&desk);
    Some(desk)
}

pub fn git(desk: &Desk, words: &[&str]) -> String {
    let named = ["-c", "user.name=tester", "-c", "user.email=tester@example.com", "-c", "init.defaultBranch=main", "-c", "commit.gpgsign=false"];
    let done = Command::new("git").current_dir(desk.path()).args(named).args(words).output().expect("git runs");
    assert!(done.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).into_owned()
}

pub fn commit(desk: &Desk) {
    git(desk, &["add", "-A"]);
    git(desk, &["commit", "-q", "-m", "a state"]);
}

/// Takes the commit out of a snapshot.
pub fn redacted() -> insta::internals::SettingsBindDropGuard {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"\([0-9a-f]{10}\)", "(<commit>)");
    settings.bind_to_scope()
}
