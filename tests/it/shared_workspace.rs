//! One workspace for several campaigns: who holds it, what they share, what is looked after.

use std::time::Instant;

use callsheet::ledger::WorkspaceLock;
use callsheet::types::SystemClock;

use crate::buying::Shop;
use crate::desk::{Desk, SIM, SPRING};
use crate::loopback::LoopbackScript;
use crate::loopback::kie::Kie;
use crate::peak::{program, watch};

fn campaign(name: &str, cups: &str) -> String {
    format!(
        "callsheet: 1\ncampaign: {name}\nprovider: fast-kie.yaml\ndefaults: {{ model: gpt-image-2, aspect: \"1:1\", resolution: 1K }}\n\
         axes: {{ cup: [{cups}] }}\nsteps: {{ draft: {{ generate: {{ prompt: \"cup {{{{ cup }}}}\", over: [cup] }} }} }}\n"
    )
}

/// Two campaigns of one workspace that show three cups together and have one in common.
fn two() -> Shop {
    let shop = Shop::kie(&campaign("first", "a, b"), LoopbackScript::of(Kie::default()));
    shop.run(&[], 0);
    shop.desk.write("campaigns/c.yaml", campaign("second", "b, c"));
    shop.run(&[], 0);
    shop
}

#[test]
fn what_two_campaigns_show_is_bought_once() {
    let shop = two();
    assert_eq!(shop.server.asked("createTask"), 3);
    let of = |file: &str| shop.desk.read(file);
    assert_eq!(of("out/first/b/draft.png"), of("out/second/b/draft.png"), "one picture in both trees");
    let blobs = shop.desk.files(".callsheet/blobs");
    assert_eq!(blobs.len(), 3, "{blobs:?}");
    let pruned = shop.desk.say(&["cache", "prune", "--yes"]);
    assert!(pruned.err.contains("nothing to remove: the ledger names all of 3 pictures"), "{}", pruned.all());
    assert_eq!(shop.desk.files(".callsheet/blobs"), blobs, "a picture that either names stays");
}

#[test]
fn prune_says_what_it_removes_and_what_it_would_cost_again() {
    let shop = two();
    let stray = blake3::hash(b"left by nobody").to_hex().to_string();
    let folder = format!(".callsheet/blobs/{}", &stray[..2]);
    std::fs::create_dir_all(shop.desk.path().join(&folder)).expect("a folder");
    shop.desk.write(&format!("{folder}/{}", &stray[2..]), "left by nobody");
    let said = [shop.desk.say(&["cache", "prune"]), shop.desk.say(&["cache", "prune", "--yes"])].map(|said| said.all());
    insta::assert_snapshot!(said.join("\n"), @"
    exit 0
    --- stdout
    --- stderr
    would remove 1 picture that nobody names, 14 B; nothing that the ledger names is touched
    to buy them again would cost nothing: no shot of any campaign here has one of them, so none is ever bought for them
    hint: add `--yes` to do it

    exit 0
    --- stdout
    --- stderr
    1 picture that nobody names, 14 B: removed; nothing has to be bought again
    ");
    assert_eq!(shop.desk.files(".callsheet/blobs").len(), 3);
    shop.run(&[], 0);
    assert_eq!(shop.server.asked("createTask"), 3, "nothing was bought again");
}

#[test]
fn a_damaged_picture_is_named_removed_on_demand_and_bought_again() {
    let shop = two();
    let blob = shop.desk.files(".callsheet/blobs").swap_remove(1);
    let mut bytes = shop.desk.read(&format!(".callsheet/blobs/{blob}"));
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    shop.desk.write(&format!(".callsheet/blobs/{blob}"), bytes);
    let named = shop.desk.say(&["cache", "verify"]);
    assert_eq!(named.code, 5, "{}", named.all());
    assert!(named.out.contains("damaged") && named.out.contains("callsheet cache verify --mend"), "{}", named.all());
    let mended = shop.desk.say(&["cache", "verify", "--mend"]);
    assert!(mended.code == 5 && mended.out.contains("1 damaged file"), "{}", mended.all());
    assert_eq!(shop.desk.files(".callsheet/blobs").len(), 2);
    for (name, cups) in [("first", "a, b"), ("second", "b, c")] {
        shop.desk.write("campaigns/c.yaml", campaign(name, cups));
        shop.run(&[], 0);
    }
    assert_eq!(shop.server.asked("createTask"), 4, "the damaged one alone was bought again, once");
    assert_eq!(shop.desk.say(&["cache", "verify"]).code, 0);
}

#[cfg(unix)]
#[test]
fn prune_stopped_in_the_middle_has_removed_only_what_nobody_names() {
    let shop = two();
    let named = shop.desk.files(".callsheet/blobs");
    for number in 0..3_000_u32 {
        let name = blake3::hash(&number.to_le_bytes()).to_hex().to_string();
        std::fs::create_dir_all(shop.desk.path().join(format!(".callsheet/blobs/{}", &name[..2]))).expect("a folder");
        shop.desk.write(&format!(".callsheet/blobs/{}/{}", &name[..2], &name[2..]), number.to_le_bytes());
    }
    for wait in [5, 40, 80, 120, 200] {
        let mut child = program(&shop.desk, &["cache", "prune", "--yes"]).stderr(std::process::Stdio::null()).spawn().expect("it starts");
        std::thread::sleep(std::time::Duration::from_millis(wait));
        let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).expect("a small number"));
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT);
        child.wait().expect("it ends");
        let left = shop.desk.files(".callsheet/blobs");
        println!("after {wait} ms: {} of 3003 files left", left.len());
        assert!(named.iter().all(|file| left.contains(file)), "a named picture is gone");
    }
    assert_eq!(shop.desk.say(&["cache", "prune", "--yes"]).code, 0);
    assert_eq!(shop.desk.files(".callsheet/blobs"), named);
    assert_eq!(shop.desk.say(&["cache", "verify"]).code, 0);
}

#[test]
fn the_second_run_is_refused_in_a_moment() {
    let desk = Desk::new();
    let home = desk.path().join(".callsheet/rehearsal");
    let held = WorkspaceLock::acquire(&home, "run autumn", &SystemClock).expect("nobody holds it");
    let begun = Instant::now();
    let refused = WorkspaceLock::acquire(&home, "run spring", &SystemClock).expect_err("it is held");
    let span = begun.elapsed();
    let watched = watch(program(&desk, &["run", SPRING, "--rehearse", "-q", "--sim", SIM]));
    println!("refused in {:.2} ms, the whole program in {:.0} ms", span.as_secs_f64() * 1e3, watched.span.as_secs_f64() * 1e3);
    assert!(span.as_millis() < 100, "{span:?}: {refused}");
    assert_eq!(watched.said.code, 9, "{}", watched.said.all());
    let told = watched.said.err;
    assert!(told.contains("run autumn") && told.contains(&format!("process {}", std::process::id())) && told.contains("since 20"), "{told}");
    drop(held);
}
