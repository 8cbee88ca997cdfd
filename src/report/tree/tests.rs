use super::*;
use crate::pricing::sample as plans;
use crate::report::sample;
use std::fs;
use std::path::PathBuf;

/// A folder, and the pictures of the sample as a store.
struct Case {
    folder: tempfile::TempDir,
    ran: sample::Ran,
}

impl Case {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder"), ran: sample::ran() }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    fn write(&self, seq: u64) -> Result<Materialised, TreeError> {
        let reports = [ReportFile::new("costs.csv", |to| to.write_all(b"run_id\n").map_err(|source| ReportError::Io { file: "costs.csv", source }))];
        let placements = placements(&self.ran.plan, &self.ran.history);
        materialise(&self.root(), TreeKind::Real, &self.stamp(seq), &placements, &reports, &|blob| self.open(blob), None)
    }

    fn stamp(&self, seq: u64) -> Stamp {
        Stamp::new(&self.ran.plan, seq, false)
    }

    fn is_current(&self, seq: u64) -> bool {
        is_current(&self.root(), TreeKind::Real, &self.stamp(seq))
    }

    fn open(&self, blob: &BlobRef) -> io::Result<Box<dyn Read>> {
        let of = |ix: JobIx| plans::artifact(&self.ran.plan, ix).blob == *blob;
        let ix = self.ran.plan.indices().find(|ix| of(*ix)).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(io::Cursor::new(plans::bytes(&self.ran.plan, ix))))
    }

    fn files(&self) -> Vec<String> {
        let mut files = Vec::new();
        let mut folders = vec![self.root()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() && !path.is_symlink() {
                    folders.push(path);
                } else {
                    files.push(path.strip_prefix(self.root()).expect("below the root").display().to_string());
                }
            }
        }
        files.sort();
        files
    }
}

#[test]
fn a_tree_holds_the_pictures_and_reports_and_nothing_temporary() {
    let case = Case::new();
    let done = case.write(1).expect("a tree");
    assert_eq!((done.written, done.kept, done.removed), (6, 0, 0));
    assert_eq!(
        case.files(),
        [
            ".callsheet-tree",
            "costs.csv",
            "teapot/hero.png",
            "teapot/oak.jpg",
            "teapot/oak/surface.png",
            "teapot/travertine.jpg",
            "teapot/travertine/surface.png"
        ]
    );
    assert_eq!(fs::read(case.root().join("teapot/hero.png")).expect("a file"), b"picture of hero[sku=teapot]");
}

#[test]
fn what_is_right_is_not_written_again_and_the_stamp_tells_without_looking() {
    let case = Case::new();
    assert!(!case.is_current(1), "nothing is there");
    case.write(1).expect("a tree");
    assert!(case.is_current(1));
    assert!(!case.is_current(2), "the ledger has moved");
    let changed = |path: &str| fs::metadata(case.root().join(path)).and_then(|metadata| metadata.modified()).expect("a file");
    let before = changed("teapot/hero.png");
    let done = case.write(2).expect("a tree");
    assert_eq!((done.written, done.kept), (0, 6));
    assert_eq!(changed("teapot/hero.png"), before);
    assert!(case.is_current(2));
}

#[test]
fn a_file_that_somebody_broke_is_mended() {
    let case = Case::new();
    case.write(1).expect("a tree");
    let path = case.root().join("teapot/hero.png");
    fs::write(&path, b"picture of hero[sku=teapoT]").expect("writable");
    assert!(!case.is_current(1), "the same length, another time");
    assert_eq!(case.write(1).expect("a tree").written, 1);
    assert_eq!(fs::read(&path).expect("a file"), b"picture of hero[sku=teapot]");
    fs::remove_file(&path).expect("removable");
    assert!(!case.is_current(1));
    assert_eq!(case.write(1).expect("a tree").written, 1);
}

#[test]
fn what_no_longer_belongs_goes_and_what_is_not_ours_stays() {
    let mut case = Case::new();
    case.write(1).expect("a tree");
    fs::write(case.root().join("teapot/oak/notes.txt"), b"mine").expect("writable");
    for ix in [3, 9] {
        case.ran.history.jobs.remove(&case.ran.plan.job(JobIx(ix)).key);
    }
    case.ran.history.jobs.remove(&case.ran.plan.job(JobIx(2)).key);
    let done = case.write(2).expect("a tree");
    assert_eq!(done.removed, 3);
    assert_eq!(case.files(), [".callsheet-tree", "costs.csv", "teapot/hero.png", "teapot/oak/notes.txt", "teapot/travertine.jpg"]);
    assert!(!case.root().join("teapot/travertine").exists(), "an empty folder of ours goes too");
}

#[test]
fn a_file_of_ours_that_somebody_edited_is_not_removed() {
    let mut case = Case::new();
    case.write(1).expect("a tree");
    fs::write(case.root().join("teapot/oak.jpg"), b"retouched by hand").expect("writable");
    case.ran.history.jobs.remove(&case.ran.plan.job(JobIx(9)).key);
    assert_eq!(case.write(2).expect("a tree").removed, 0);
    assert_eq!(fs::read(case.root().join("teapot/oak.jpg")).expect("a file"), b"retouched by hand");
}

#[test]
fn a_file_that_was_there_before_is_neither_overwritten_nor_removed() {
    let case = Case::new();
    fs::create_dir_all(case.root().join("teapot")).expect("a folder");
    fs::write(case.root().join("costs.csv"), b"my own costs").expect("writable");
    fs::write(case.root().join("teapot/hero.png"), b"picture of hero[sku=teapot]").expect("writable");
    let done = case.write(1).expect("a tree");
    assert_eq!((done.written, done.kept, done.foreign.as_slice()), (4, 1, &["costs.csv".to_owned()][..]));
    assert_eq!(fs::read(case.root().join("costs.csv")).expect("a file"), b"my own costs");
    assert!(!case.is_current(1), "it is looked at again until it is out of the way");
}

#[cfg(unix)]
#[test]
fn no_link_leads_out_of_the_folder() {
    let case = Case::new();
    let outside = case.folder.path().join("outside");
    fs::create_dir_all(&outside).expect("a folder");
    fs::create_dir_all(case.root()).expect("a folder");
    std::os::unix::fs::symlink(&outside, case.root().join("teapot")).expect("a link");
    assert!(matches!(case.write(1), Err(TreeError::NoFolder { what: "a symbolic link", .. })));
    assert_eq!(fs::read_dir(&outside).expect("a folder").count(), 0);
    fs::remove_file(case.root().join("teapot")).expect("removable");
    case.write(1).expect("a tree");
    // A folder of ours that became a link to elsewhere: nothing there is taken for ours.
    fs::rename(case.root().join("teapot"), outside.join("teapot")).expect("movable");
    std::os::unix::fs::symlink(outside.join("teapot"), case.root().join("teapot")).expect("a link");
    let mut moved = case;
    moved.ran.history.jobs.clear();
    assert_eq!(moved.write(2).expect("a tree").removed, 0);
    assert!(outside.join("teapot/hero.png").exists());
}

#[test]
fn paths_that_lead_elsewhere_are_refused() {
    for path in ["../up.png", "/etc/passwd", "a//b.png", "a/./b.png", "c:/x.png", "a\\b.png", "a\nb.png", "", ".callsheet-tree"] {
        let mut case = Case::new();
        case.ran.plan.jobs[0].path = path.into();
        assert!(matches!(case.write(1), Err(TreeError::Path(_))), "{path:?}");
    }
    let mut case = Case::new();
    case.ran.plan.jobs[0].path = "costs.csv".into();
    assert!(matches!(case.write(1), Err(TreeError::Twice(_))));
}

#[test]
fn a_picture_that_is_gone_is_named_and_a_damaged_one_is_never_shown() {
    let mut case = Case::new();
    let lost = crate::types::Digest::of(b"lost");
    let mut artifact = plans::artifact(&case.ran.plan, JobIx(0));
    artifact.blob.digest = lost;
    let state = crate::ledger::JobState::Done { attempt: Some(crate::types::AttemptNo(1)), artifact };
    plans::knows(&mut case.ran.history, &case.ran.plan, JobIx(0), state);
    assert_eq!(case.write(1).expect("a tree").missing, ["teapot/hero.png"]);
    assert!(!case.is_current(1));
    let placements = placements(&case.ran.plan, &case.ran.history);
    let damaged = materialise(&case.root(), TreeKind::Real, &case.stamp(1), &placements, &[], &|_| Ok(Box::new(&b"rot"[..])), None);
    assert!(matches!(damaged, Err(TreeError::Damaged { .. })));
    assert!(!case.root().join("teapot/hero.png").exists());
}

#[test]
fn a_rehearsal_says_so_and_never_mixes_with_a_real_tree() {
    let case = Case::new();
    let rehearse = |root: &Path| materialise(root, TreeKind::Rehearsal, &case.stamp(1), &[], &[], &|blob| case.open(blob), None);
    rehearse(&case.root()).expect("a tree");
    assert!(fs::read_to_string(case.root().join("REHEARSAL.txt")).expect("a note").contains("none was bought"));
    assert!(matches!(case.write(1), Err(TreeError::Kind { holds: "a rehearsal", .. })));
}

#[test]
fn after_a_crash_half_way_the_rest_is_written_and_nothing_is_taken_for_a_stranger() {
    let case = Case::new();
    let opened = std::sync::atomic::AtomicU32::new(0);
    let stamp = case.stamp(1);
    let crash = |blob: &BlobRef| {
        let before = opened.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if before >= 2 { Err(io::Error::other("power cut")) } else { case.open(blob) }
    };
    let placements = placements(&case.ran.plan, &case.ran.history);
    assert!(materialise(&case.root(), TreeKind::Real, &stamp, &placements, &[], &crash, None).is_err());
    let half_written = [case.root().join(".callsheet-Ab3.part"), case.root().join("teapot/.callsheet-Cd4.part")];
    for path in &half_written {
        std::fs::write(path, b"half a pic").expect("a file can be written");
    }
    let done = case.write(1).expect("a tree");
    assert_eq!((done.written, done.kept, done.foreign.len()), (4, 2, 0));
    assert!(half_written.iter().all(|path| !path.exists()), "what a killed run left half-written is gone");
}
