//! Small copies for galleries: made while pictures come in, kept with them, and nothing that anything depends on.

use std::fs;

use callsheet::imaging::{THUMBNAIL_SIDE, thumbnail};
use callsheet::store::thumbnails::Thumbnails;
use callsheet::types::Digest;

use crate::desk::{Desk, SPRING};

const KEPT: &str = ".callsheet/rehearsal/blobs/thumbnails";
const SHOWN: &str = "rehearsal/spring-drop/thumbnails";

/// A hero, its edits, its delivered files: pictures that come in, and pictures that are made here.
fn rehearsed(desk: &Desk) {
    desk.rehearse(&[SPRING, "--profile", "draft", "--only", "surface[sku=teapot,angle=front]", "--sim", "size=480x600"], 0);
}

fn reported(desk: &Desk) {
    for gone in [SHOWN, "rehearsal/spring-drop/index.html"] {
        let path = desk.path().join(gone);
        if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) }.expect("it is there");
    }
    let said = desk.say(&["report", SPRING, "--profile", "draft", "--rehearse"]);
    assert_eq!(said.code, 0, "{}", said.all());
}

fn kept(desk: &Desk) -> Thumbnails {
    Thumbnails::of(&desk.path().join(".callsheet/rehearsal/blobs"))
}

/// The pictures of the campaign with the names of their thumbnails.
fn pictures(desk: &Desk) -> Vec<(Digest, String)> {
    let digests = desk.costs("spring-drop").into_iter().map(|row| row["blake3"].clone());
    digests.map(|hex| (Digest::from_hex(&hex).expect("a digest"), format!("{SHOWN}/{}.jpg", &hex[..24]))).collect()
}

#[test]
fn a_gallery_takes_the_small_copies_that_were_made_as_the_pictures_came_in() {
    let desk = Desk::new();
    rehearsed(&desk);
    let pictures = pictures(&desk);
    assert_eq!((desk.files(KEPT).len(), desk.files(SHOWN).len(), pictures.len()), (4, 4, 4));
    for (digest, shown) in &pictures {
        let made_later = thumbnail(&fs::read(desk.blob(&digest.to_string())).expect("a picture"), THUMBNAIL_SIDE).expect("it is whole");
        assert!(desk.read(shown) == made_later && kept(&desk).get(*digest).as_ref() == Some(&made_later), "{shown}");
    }
    // What is kept is taken as it is.
    let (marked, place) = &pictures[1];
    kept(&desk).keep(*marked, b"marked");
    reported(&desk);
    assert_eq!(desk.read(place), b"marked");
    assert_eq!(desk.files(SHOWN).len(), 4);
}

#[test]
fn small_copies_that_are_lost_or_rotten_are_made_again_and_kept() {
    let desk = Desk::new();
    rehearsed(&desk);
    let pictures = pictures(&desk);
    let before: Vec<Vec<u8>> = pictures.iter().map(|(_, shown)| desk.read(shown)).collect();
    fs::write(kept(&desk).path(pictures[0].0), b"rot").expect("a file");
    kept(&desk).forget(pictures[1].0);
    reported(&desk);
    let after: Vec<Vec<u8>> = pictures.iter().map(|(_, shown)| desk.read(shown)).collect();
    assert!(before == after);
    assert!(pictures.iter().zip(&before).all(|((digest, _), small)| kept(&desk).get(*digest).as_ref() == Some(small)));
}

#[test]
fn where_no_small_copy_can_be_kept_the_run_and_its_gallery_are_whole_all_the_same() {
    let desk = Desk::new();
    fs::create_dir_all(desk.path().join(".callsheet/rehearsal/blobs")).expect("a folder");
    desk.write(KEPT, "in the way");
    rehearsed(&desk);
    assert_eq!(desk.files(SHOWN).len(), 4);
    reported(&desk);
    assert_eq!(desk.files(SHOWN).len(), 4);
}

#[test]
fn the_cache_counts_small_copies_names_rotten_ones_and_removes_those_of_nobody() {
    let desk = Desk::new();
    rehearsed(&desk);
    let said = |words: &[&str]| {
        let said = desk.say(&[&["cache"], words, &["--rehearse"]].concat());
        assert_eq!(said.code, 0, "{}", said.all());
        said
    };
    let size = said(&["size"]).out;
    assert!(size.contains("thumbnails 4 files, ") && size.contains("made again where one is missing") && !size.contains("strangers"), "{size}");
    assert!(!said(&["verify"]).out.contains("thumbnails"));

    let rotten = kept(&desk).path(pictures(&desk)[0].0);
    fs::write(&rotten, b"rot").expect("a file");
    let verified = said(&["verify"]).out;
    assert!(
        verified.contains("thumbnails 1 of 4 damaged: made again for the next gallery") && verified.contains("whole      4 pictures"),
        "{verified}"
    );
    assert!(rotten.is_file());
    said(&["verify", "--mend"]);
    assert!(!rotten.exists());

    let orphan = Digest::of(b"a picture that is not here");
    kept(&desk).keep(orphan, b"small");
    let would = said(&["prune"]).err;
    assert!(would.contains("would remove 1 thumbnail of pictures that are not here, 37 B"), "{would}");
    assert!(kept(&desk).path(orphan).is_file());
    said(&["prune", "--yes"]);
    assert!(!kept(&desk).path(orphan).exists());
    assert_eq!(desk.files(KEPT).len(), 3, "those of pictures that are named stay");
    assert!(said(&["prune"]).err.contains("nothing to remove"));
}
