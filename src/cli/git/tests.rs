use std::fs;

use tempfile::TempDir;

use super::*;

/// A repository with one commit, or nothing where there is no git.
fn repository(fill: impl Fn(&Path)) -> Option<TempDir> {
    let folder = tempfile::tempdir().expect("a folder");
    let git = |words: &[&str]| {
        let named = ["-c", "user.name=tester", "-c", "user.email=tester@example.com", "-c", "init.defaultBranch=main", "-c", "commit.gpgsign=false"];
        Command::new("git").current_dir(folder.path()).args(named).args(words).output()
    };
    if git(&["init", "-q"]).is_err() {
        eprintln!("skipped: there is no git");
        return None;
    }
    fill(folder.path());
    for words in [&["add", "-A", "-f"] as &[&str], &["commit", "-q", "-m", "first"]] {
        let done = git(words).expect("git runs");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    Some(folder)
}

fn write(root: &Path, file: &str, text: impl AsRef<[u8]>) {
    let path = root.join(file);
    fs::create_dir_all(path.parent().expect("a file stands in a folder")).expect("made");
    fs::write(path, text).expect("written");
}

fn at(revision: &str, folder: &Path) -> GitFiles {
    GitFiles::at(revision, folder).unwrap_or_else(|error| panic!("{error}"))
}

fn refused(revision: &str, folder: &Path) -> String {
    match GitFiles::at(revision, folder) {
        Ok(files) => panic!("{revision} was taken for {}", files.commit),
        Err(error) => format!("{error}\n{}", error.hints().join("\n")),
    }
}

#[test]
fn files_are_read_as_they_were_whatever_the_working_tree_holds() {
    let Some(folder) = repository(|root| {
        write(root, "shop/spring.yaml", "old\n");
        write(root, "shop/data/a b.csv", "rows");
        write(root, "shared/empty.csv", "");
    }) else {
        return;
    };
    write(folder.path(), "shop/spring.yaml", "new\n");
    let files = at("main", &folder.path().join("shop"));
    let campaign = files.path(OsStr::new("spring.yaml"));
    assert_eq!(campaign, Path::new("main:shop/spring.yaml"));
    let base = campaign.parent().expect("a folder");
    assert_eq!(files.read(&campaign, 99).expect("read"), b"old\n");
    assert_eq!(files.read(&base.join("data/./a b.csv"), 99).expect("read"), b"rows");
    assert_eq!(files.read(&base.join("../shared/empty.csv"), 99).expect("read"), b"");
    assert_eq!(at("HEAD", folder.path()).path(OsStr::new("x.yaml")), Path::new("HEAD:./x.yaml"));
    assert_eq!(at("HEAD", folder.path()).read(Path::new("HEAD:./shop/spring.yaml"), 99).expect("read"), b"old\n");
}

#[test]
fn what_is_no_file_within_limits_is_refused_and_the_next_is_read() {
    let Some(folder) = repository(|root| {
        write(root, "a/small.csv", "rows");
        write(root, "a/large.csv", vec![b'x'; 300_000]);
    }) else {
        return;
    };
    let files = at("HEAD", &folder.path().join("a"));
    let kind = |path: &str, limit| files.read(Path::new(path), limit).map(|bytes| bytes.len()).map_err(|error| error.kind());
    assert_eq!(kind("HEAD:a/large.csv", 1000), Err(io::ErrorKind::FileTooLarge));
    assert_eq!(kind("HEAD:a/small.csv", 4), Ok(4));
    assert_eq!(kind("HEAD:a/small.csv", 3), Err(io::ErrorKind::FileTooLarge));
    assert_eq!(kind("HEAD:a", 99), Err(io::ErrorKind::InvalidInput));
    assert_eq!(kind("HEAD:a/none.csv", 99), Err(io::ErrorKind::NotFound));
    assert_eq!(kind("HEAD:a/small.csv/none.csv", 99), Err(io::ErrorKind::NotFound));
    assert_eq!(kind("HEAD:a/two\nlines", 99), Err(io::ErrorKind::InvalidInput));
    assert_eq!(kind(&format!("HEAD:{}", "x".repeat(9000)), 99), Err(io::ErrorKind::InvalidInput));
    for outside in ["HEAD:../x", "HEAD:a/../../x", "HEAD:/etc/passwd", "/etc/passwd", "a/small.csv", "other:a/small.csv"] {
        assert_eq!(kind(outside, 99), Err(io::ErrorKind::PermissionDenied), "{outside}");
    }
    assert_eq!(kind("HEAD:a/large.csv", 300_000), Ok(300_000));
}

#[cfg(unix)]
#[test]
fn links_are_followed_inside_the_repository_only() {
    use std::os::unix::fs::symlink;
    let Some(folder) = repository(|root| {
        write(root, "real/rows.csv", "rows");
        for (to, from) in
            [("../real/rows.csv", "a/inside.csv"), ("/etc/passwd", "a/absolute.csv"), ("../../x.csv", "a/above.csv"), ("loop.csv", "a/loop.csv")]
        {
            fs::create_dir_all(root.join("a")).expect("made");
            symlink(to, root.join(from)).expect("linked");
        }
        symlink("real", root.join("folder")).expect("linked");
    }) else {
        return;
    };
    let files = at("HEAD", folder.path());
    let kind = |path: &str| files.read(Path::new(path), 99).map_err(|error| error.kind());
    assert_eq!(kind("HEAD:a/inside.csv"), Ok(b"rows".to_vec()));
    assert_eq!(kind("HEAD:folder/rows.csv"), Ok(b"rows".to_vec()));
    assert_eq!(kind("HEAD:a/absolute.csv"), Err(io::ErrorKind::PermissionDenied));
    assert_eq!(kind("HEAD:a/above.csv"), Err(io::ErrorKind::PermissionDenied));
    assert_eq!(kind("HEAD:a/loop.csv"), Err(io::ErrorKind::InvalidInput));
    assert_eq!(kind("HEAD:real/rows.csv"), Ok(b"rows".to_vec()), "every answer was read to its end");
}

#[test]
fn a_pointer_of_git_lfs_is_named_or_stands_for_what_is_here() {
    let digest = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393";
    let pointer = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize 7\n");
    let Some(folder) = repository(|root| write(root, "packshot.png", &pointer)) else { return };
    let files = at("HEAD", folder.path());
    let read = || files.read(Path::new("HEAD:packshot.png"), 999);
    let error = read().expect_err("its content is elsewhere").to_string();
    assert!(error.contains("Git LFS pointer") && error.contains("git lfs fetch"), "{error}");
    write(folder.path(), &format!(".git/lfs/objects/4d/7a/{digest}"), "picture");
    assert_eq!(read().expect("it is here now"), b"picture");
    write(folder.path(), &format!(".git/lfs/objects/4d/7a/{digest}"), "half");
    assert!(read().is_err(), "of another size than stated");
}

#[test]
fn a_revision_that_is_none_is_refused_with_what_to_do() {
    let Some(folder) = repository(|root| write(root, "a.yaml", "a")) else { return };
    for odd in ["-n", "--all", "", "main:a.yaml", "a b", "a\nb"] {
        assert!(refused(odd, folder.path()).contains("is not a git revision"), "{odd:?}");
    }
    let said = refused("origin/main", folder.path());
    assert!(said.contains("git knows no revision `origin/main`") && said.contains("git fetch origin main"), "{said}");
    let nowhere = tempfile::tempdir().expect("a folder");
    let said = refused("main", nowhere.path());
    assert!(said.contains("is not in a git repository") && said.contains("a saved plan"), "{said}");
}
