//! `callsheet review` while a run goes on: the page tells of new pictures, and takes them in when it is asked to.

use super::chromium::Chromium;
use super::reviewing::Reviewing;
use crate::desk::{Desk, SPRING};

const DRAFT: [&str; 3] = [SPRING, "--profile", "draft"];

/// A review of which only the first step was made when it began.
fn begun(desk: &Desk) -> Reviewing {
    desk.rehearse(&[SPRING, "--profile", "draft", "--until", "hero", "-q"], 0);
    Reviewing::start(desk, &DRAFT)
}

#[test]
fn the_state_tells_what_the_page_lacks_and_loading_it_takes_that_in_from_the_store() {
    let desk = Desk::new();
    let review = begun(&desk);
    let (host, root) = review.parts();
    let own = format!("Host: {host}\r\n");
    let state = || review.get(&format!("{root}state"), &own).1.lines().last().unwrap_or_default().to_owned();
    let surface = format!("{root}teapot/front/oak/surface.png");
    assert_eq!(state(), r#"{"fresh":0,"version":0}"#);
    assert_eq!(review.get(&surface, &own).0, 404);

    desk.rehearse(&[SPRING, "--profile", "draft", "-q"], 0);
    assert_eq!(state(), r#"{"fresh":12,"version":0}"#);
    assert_eq!(review.get(&surface, &own).0, 404, "the page that is open does not know it");
    std::fs::remove_dir_all(desk.path().join("rehearsal/spring-drop/teapot")).expect("the folder lags behind, as while a run goes on");
    let (status, page) = review.get(root, &own);
    assert!(status == 200 && page.contains("frame-ancestors 'none'") && page.contains("cache-control: no-store"), "{status}");
    let (status, picture) = review.get(&surface, &own);
    assert!(status == 200 && picture.contains("image/png") && picture.contains("sandbox"), "{status}");
    assert_eq!(state(), r#"{"fresh":0,"version":1}"#);
    assert!(!desk.path().join("rehearsal/spring-drop/teapot").exists(), "looking writes nothing");

    for (headers, status) in [("Host: evil.example\r\n".to_owned(), 403), (format!("{own}Sec-Fetch-Site: cross-site\r\n"), 403)] {
        assert_eq!(review.get(&format!("{root}state"), &headers).0, status, "{headers}");
    }
    assert_eq!(review.get("/state", &own).0, 404);
    desk.edit("callsheet: 1", "callsheet: 1\noops: [");
    assert_eq!(state(), r#"{"fresh":0,"version":1}"#, "a campaign that cannot be read takes nothing away");
}

#[test]
fn new_pictures_are_told_and_shown_when_a_person_asks_for_them() {
    let name = "browser::following::new_pictures_are_told_and_shown_when_a_person_asks_for_them";
    let Some(mut browser) = Chromium::start(name, 1440, 900) else { return };
    let desk = Desk::new();
    let review = begun(&desk);
    browser.open(&format!("{}#q=teapot", review.address));
    browser.wait("document.querySelectorAll('.card').length > 0");
    browser.wait("document.querySelector('.follow').hidden");
    let shown = "[...document.querySelectorAll('.card img')].filter((image) => image.naturalWidth > 0).length";
    browser.wait(&format!("{shown} === 2"));

    desk.rehearse(&[SPRING, "--profile", "draft", "-q"], 0);
    browser.wait("document.querySelector('.follow:not([hidden]) [role=status]')?.textContent === '12 new pictures'");
    browser.leave("document.querySelector('.follow button').click()");
    browser.wait(&format!("document.querySelector('.follow')?.hidden && {shown} === 8"));
    browser.wait("location.hash.includes('teapot')");
    assert!(browser.mishaps().is_empty(), "{:?}", browser.mishaps());
}
