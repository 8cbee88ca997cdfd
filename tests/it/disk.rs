//! The disk says no while the real program buys: what is paid is kept or in doubt by name, nothing half-written stands under a name.
#![cfg(unix)]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use callsheet::imaging::{Limits, verify};

use crate::buying::Shop;
use crate::desk::Said;
use crate::loopback::kie::Kie;
use crate::loopback::{KEY, LoopbackScript};
use crate::peak::{program, watch};

const CUPS: &str = "callsheet: 1\ncampaign: cups\nprovider: fast-kie.yaml\ndefaults: { model: gpt-image-2, aspect: \"1:1\", resolution: 1K }\n\
                    axes: { cup: [a, b, c, d] }\nsteps: { draft: { generate: { prompt: \"cup {{ cup }}\", over: [cup] } } }\n\
                    budget: { cap: 200 }\nrun: { concurrency: 2 }\n";

fn shop() -> Shop {
    Shop::kie(CUPS, LoopbackScript::of(Kie::default()))
}

fn words(shop: &Shop) -> Vec<String> {
    let base = format!("kie={}", shop.server.url);
    ["run", "campaigns/c.yaml", "--yes", "-q", "--base-url", &base].map(str::to_owned).to_vec()
}

fn run(shop: &Shop) -> Said {
    let words = words(shop);
    let mut command = program(&shop.desk, &words.iter().map(String::as_str).collect::<Vec<_>>());
    command.env("KIE_API_KEY", KEY);
    watch(command).said
}

/// Runs with no file allowed to grow past so many blocks of 512 bytes: a disk that is full at another moment for each number.
fn run_limited(shop: &Shop, blocks: u64) -> Said {
    let mut command = Command::new("sh");
    // A file that is full is an error to the program, not a signal that ends it.
    command.arg("-c").arg(format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"")).arg("sh").arg(assert_cmd::cargo::cargo_bin!("callsheet"));
    command.args(words(shop)).current_dir(shop.desk.path()).env_clear().env("PATH", "/usr/bin:/bin").env("KIE_API_KEY", KEY);
    watch(command).said
}

/// Nothing under a final name is half of anything.
fn all_is_whole(shop: &Shop, what: &str) {
    for file in shop.desk.files(".") {
        let bytes = shop.desk.read(&file);
        if file.contains("/blobs/") && !file.contains("/tmp/") {
            let name: String = file.rsplit('/').take(2).collect::<Vec<_>>().into_iter().rev().collect();
            assert_eq!(name, blake3::hash(&bytes).to_hex().as_str(), "{what}: {file}");
        }
        if file.ends_with(".png") {
            verify(&bytes, &Limits::default()).unwrap_or_else(|error| panic!("{what}: {file}: {error}"));
        }
        if file.ends_with("manifest.json") {
            serde_json::from_slice::<serde_json::Value>(&bytes).unwrap_or_else(|error| panic!("{what}: {file}: {error}"));
        }
    }
}

/// Once the disk is well again, all is there, and each shot that is not in doubt was paid for once.
fn ends_well(shop: &Shop, what: &str) -> usize {
    let said = run(shop);
    let doubts = shop.rows("cups").iter().filter(|row| row["status"] == "in-doubt").count();
    assert_eq!(said.code, if doubts > 0 { 7 } else { 0 }, "{what}: {}", said.all());
    if doubts > 0 {
        assert!(said.err.contains("in doubt"), "{what}: {}", said.all());
    }
    let submits = shop.server.asked("createTask");
    assert!(submits <= 4, "{what}: {submits} requests for 4 shots");
    if doubts == 0 {
        shop.agrees("cups");
        assert_eq!(submits, 4, "{what}");
    }
    all_is_whole(shop, what);
    doubts
}

fn read_only(path: &Path, is: bool) {
    fs::set_permissions(path, Permissions::from_mode(if is { 0o555 } else { 0o755 })).expect("the folder is ours");
}

#[test]
fn a_disk_that_is_full_at_any_moment_loses_nothing_that_is_paid() {
    let clean = shop();
    assert_eq!(run(&clean).code, 0);
    let (mut stopped, mut doubts, mut tried) = (0, 0, 0);
    // The largest file is the ledger's log; from nothing to more than it needs.
    for blocks in [0, 1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 160, 200, 256, 320, 400, 512, 640, 800, 1000, 1300, 1600] {
        let shop = shop();
        let said = run_limited(&shop, blocks);
        let what = format!("{blocks} blocks");
        tried += 1;
        all_is_whole(&shop, &what);
        if said.code != 0 {
            stopped += 1;
            assert!(!said.err.trim().is_empty(), "{what}: it says why");
            assert!(!said.err.contains("panicked"), "{what}: {}", said.all());
        }
        doubts += ends_well(&shop, &what);
    }
    println!("{tried} limits, {stopped} runs stopped by them, {doubts} shots left in doubt by name, 0 paid twice");
    assert!(stopped >= 5, "{stopped}");
}

#[test]
fn a_folder_that_cannot_be_written_is_refused_before_anything_is_paid() {
    let shop = shop();
    let home = shop.desk.path().join(".callsheet");
    fs::create_dir_all(&home).expect("a folder");
    read_only(&home, true);
    if fs::write(home.join("may root"), "write here").is_ok() {
        println!("a folder that is read-only by its rights: skipped, this user may write anywhere");
        return;
    }
    let said = run(&shop);
    read_only(&home, false);
    assert!(said.code == 1 && said.err.contains("mend it and run the same command again"), "{}", said.all());
    assert_eq!(shop.server.asked("createTask"), 0);
    assert_eq!(ends_well(&shop, "read-only"), 0);
}

#[test]
fn a_file_where_a_folder_should_be_is_named_and_nothing_is_paid() {
    for place in [".callsheet", ".callsheet/blobs", ".callsheet/ledger.db/x"] {
        let shop = shop();
        let path = shop.desk.path().join(place);
        fs::create_dir_all(path.parent().expect("it has one")).expect("a folder");
        fs::write(&path, "in the way").expect("a file");
        let said = run(&shop);
        assert_eq!(said.code, 1, "{place}: {}", said.all());
        assert!(said.err.contains("mend it and run the same command again"), "{place}: {}", said.all());
        assert_eq!(shop.server.asked("createTask"), 0, "{place}");
        let away = if place.ends_with("/x") { path.parent().expect("it has one").to_owned() } else { path };
        if away.is_dir() { fs::remove_dir_all(&away) } else { fs::remove_file(&away) }.expect("it is ours");
        assert_eq!(ends_well(&shop, place), 0);
    }
}

#[test]
fn a_tree_that_cannot_be_written_costs_nothing_and_is_written_later() {
    let shop = shop();
    shop.desk.write("out", "in the way");
    let said = run(&shop);
    assert!(said.code == 1 && said.err.contains("what is paid is kept"), "{}", said.all());
    let bought = shop.server.asked("createTask");
    fs::remove_file(shop.desk.path().join("out")).expect("it is ours");
    assert_eq!(ends_well(&shop, "tree"), 0);
    println!("{bought} shots bought while the tree was in the way, {} in all", shop.server.asked("createTask"));
}

#[test]
fn pictures_removed_while_they_are_bought_are_fetched_or_bought_by_name() {
    let shop = Shop::kie(CUPS, LoopbackScript::of(Kie { running: 20, ..Kie::default() }));
    let words = words(&shop);
    let mut command = program(&shop.desk, &words.iter().map(String::as_str).collect::<Vec<_>>());
    let child = command.env("KIE_API_KEY", KEY).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::piped()).spawn().expect("it starts");
    while shop.server.asked("recordInfo") < 4 {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    fs::remove_dir_all(shop.desk.path().join(".callsheet/blobs")).expect("the folder is there");
    let ended = child.wait_with_output().expect("it ends");
    let told = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(ended.status.code() == Some(1) && told.contains("what is paid is kept"), "{:?}: {told}", ended.status.code());
    assert_eq!(ends_well(&shop, "blobs"), 0);
}

#[test]
fn a_small_disk_of_its_own_that_fills_up_loses_nothing_that_is_paid() {
    let mount = tempfile::tempdir().expect("a folder");
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=160k", "tmpfs"]).arg(mount.path()).output();
    if !mounted.is_ok_and(|done| done.status.success()) {
        println!("a full tmpfs: skipped, this system lets us mount none");
        return;
    }
    let shop = shop();
    let words = words(&shop);
    let on_it = || {
        let mut command = program(&shop.desk, &words.iter().map(String::as_str).collect::<Vec<_>>());
        command.env("KIE_API_KEY", KEY).env("CALLSHEET_HOME", mount.path());
        watch(command).said
    };
    let full = on_it();
    let larger = Command::new("mount").args(["-o", "remount,size=64m"]).arg(mount.path()).status();
    let submits = shop.server.asked("createTask");
    let well = on_it();
    let _ = Command::new("umount").arg("-l").arg(mount.path()).status();
    println!("a disk of 160 kB: exit {}, {submits} paid; with room: exit {}, {} paid", full.code, well.code, shop.server.asked("createTask"));
    assert!(larger.is_ok_and(|done| done.success()), "the disk can be made larger");
    assert_ne!(full.code, 0, "{}", full.all());
    assert!([0, 7].contains(&well.code) && shop.server.asked("createTask") <= 4, "{}\n{}", full.all(), well.all());
}
