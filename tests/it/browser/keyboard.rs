//! The gallery of a rehearsal, opened as a file and used without a mouse.

use callsheet::picks::PicksFile;
use callsheet::spec::Sources;
use serde_json::json;

use super::address_of;
use super::chromium::Chromium;
use crate::desk::{Desk, SPRING};

fn rehearsed() -> Desk {
    let desk = Desk::new();
    desk.rehearse(&[SPRING, "--profile", "draft", "-q"], 0);
    desk
}

fn page(desk: &Desk) -> String {
    address_of(&desk.path().join("rehearsal/spring-drop/index.html"))
}

#[test]
fn the_gallery_is_searched_filtered_grouped_and_looked_at_by_keys() {
    let Some(mut browser) = Chromium::start("browser::keyboard::the_gallery_is_searched_filtered_grouped_and_looked_at_by_keys", 1440, 900) else {
        return;
    };
    let desk = rehearsed();
    browser.open(&page(&desk));
    browser.wait("document.querySelectorAll('.card').length > 8");
    assert_eq!(browser.value("document.querySelector('.verdict').textContent"), "16 of 26 shots are done. 10 are still to do.");
    assert_eq!(browser.value("document.querySelector('.rehearsal') !== null"), true);

    browser.press(&["/"]);
    browser.insert("oak teapot");
    browser.wait("document.querySelector('.count').textContent.startsWith('6 of 26 shots, 24 credits')");
    browser.value("(document.querySelector('.count button').click(), 0)");
    browser.wait("document.querySelector('.count').textContent.startsWith('26 shots')");

    browser.value("(document.querySelector('#facets input').closest('fieldset').nextElementSibling.querySelectorAll('input')[0].click(), 0)");
    browser.wait("document.querySelectorAll('.card').length === 4");
    assert!(browser.value("location.hash").as_str().is_some_and(|hash| hash.contains("step=0")), "what is asked for stands in the address");
    browser.value("((select) => { select.value = 'axis:0'; select.dispatchEvent(new Event('change')); })(document.querySelector('#bar select'))");
    browser.wait("document.querySelectorAll('.head').length === 2");

    browser.value("(document.querySelector('.card').focus(), 0)");
    let focused = "document.activeElement.getAttribute('aria-label')";
    browser.wait(&format!("{focused} === 'hero, teapot · front, done, 12 credits'"));
    browser.press(&["ArrowRight"]);
    browser.wait(&format!("{focused} === 'hero, teapot · quarter, done, 12 credits'"));
    browser.press(&["ArrowDown", "ArrowUp", "ArrowLeft", "Enter"]);
    browser.wait("document.querySelector('dialog[open] h2')?.textContent === 'teapot · fronthero'");
    browser.wait("document.querySelector('dialog[open]').contains(document.activeElement)");
    browser.press(&["ArrowRight"]);
    browser.wait("document.querySelector('dialog[open] .place').textContent === '2 of 4'");
    browser.press(&["Escape"]);
    browser.wait("document.querySelector('dialog[open]') === null");
    // The focus is where one was looking.
    browser.wait(&format!("{focused} === 'hero, teapot · quarter, done, 12 credits'"));

    browser.press(&["x", "ArrowLeft", " ", "c"]);
    browser.wait("document.querySelectorAll('dialog.compare[open] .frame').length === 2");
    browser.press(&["+", "ArrowRight"]);
    let transforms = "[...document.querySelectorAll('dialog.compare .layer img')].map((image) => image.style.transform)";
    browser.wait(&format!("(([a, b]) => a === b && a.includes('scale(1.5)') && !a.startsWith('translate(0px'))({transforms})"));
    assert!(browser.mishaps().is_empty(), "{:?}", browser.mishaps());
}

#[test]
fn a_chain_is_held_before_and_after_and_a_rung_against_the_first() {
    let Some(mut browser) = Chromium::start("browser::keyboard::a_chain_is_held_before_and_after_and_a_rung_against_the_first", 1440, 900) else {
        return;
    };
    let desk = rehearsed();
    browser.open(&format!("{}#shot=surface%5Bsku%3Dteapot%2Cangle%3Dfront%2Csurface%3Doak%5D", page(&desk)));
    browser.wait("document.querySelector('dialog[open]') !== null");
    assert_eq!(browser.value("[...document.querySelectorAll('.prompt ins')].map((one) => one.textContent).join('|')"), "pale oak tabletop.");
    assert_eq!(browser.value("document.querySelectorAll('.chain li').length"), 2);
    browser.press(&["b"]);
    browser.wait("document.querySelectorAll('.stage .layer').length === 2");
    assert_eq!(browser.value("document.querySelector('.slide').getAttribute('aria-label')"), "Before and after: hero to surface");
    browser.value("((slide) => { slide.value = 20; slide.dispatchEvent(new Event('input')); })(document.querySelector('.slide'))");
    assert_eq!(browser.value("document.querySelector('.frame').style.getPropertyValue('--cut')"), "20%");
    browser.wait("[...document.querySelectorAll('.stage img')].every((image) => image.naturalWidth === 64)");
    browser.wait("document.querySelector('.slide').getBoundingClientRect().top >= document.querySelector('.frame').getBoundingClientRect().bottom");
    browser.wait("document.querySelector('.frame').clientHeight > 200 && document.querySelector('.slide').clientWidth > document.querySelector('.frame').clientWidth");
    assert!(browser.mishaps().is_empty(), "{:?}", browser.mishaps());
}

#[test]
fn the_page_fits_a_phone_and_is_dark_where_that_is_wanted() {
    let Some(mut browser) = Chromium::start("browser::keyboard::the_page_fits_a_phone_and_is_dark_where_that_is_wanted", 390, 844) else { return };
    let desk = rehearsed();
    browser.call("Emulation.setEmulatedMedia", json!({ "features": [{ "name": "prefers-color-scheme", "value": "dark" }] }));
    for view in ["", "#view=money", "#shot=hero%5Bsku%3Dteapot%2Cangle%3Dfront%5D"] {
        browser.open(&format!("{}{view}", page(&desk)));
        assert_eq!(browser.value("document.documentElement.scrollWidth <= 390"), true, "{view}: nothing stands out on the right");
        assert_eq!(browser.value("getComputedStyle(document.body).backgroundColor"), "rgb(20, 21, 23)");
    }
    browser.open(&page(&desk));
    browser.wait("document.querySelectorAll('.card').length > 3");
    assert_eq!(browser.value("getComputedStyle(document.querySelector('#facets')).display"), "none");
    browser.value("(document.querySelector('.filters').click(), 0)");
    assert_eq!(browser.value("getComputedStyle(document.querySelector('#facets')).display"), "grid");
}

#[test]
fn everything_that_can_be_pressed_has_a_name_and_shows_its_focus() {
    let Some(mut browser) = Chromium::start("browser::keyboard::everything_that_can_be_pressed_has_a_name_and_shows_its_focus", 1440, 900) else {
        return;
    };
    let desk = rehearsed();
    browser.open(&format!("{}#shot=surface%5Bsku%3Dteapot%2Cangle%3Dfront%2Csurface%3Doak%5D", page(&desk)));
    browser.wait("document.querySelector('dialog[open]') !== null");
    let tree = browser.call("Accessibility.getFullAXTree", json!({}));
    let nameless: Vec<String> = tree["nodes"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|node| node["ignored"] == false)
        .filter(|node| {
            ["button", "link", "checkbox", "combobox", "slider", "searchbox", "textbox", "img", "image"]
                .contains(&node["role"]["value"].as_str().unwrap_or_default())
        })
        .filter(|node| node["name"]["value"].as_str().unwrap_or_default().trim().is_empty())
        .map(|node| format!("{} {}", node["role"]["value"], node["properties"]))
        .collect();
    assert!(nameless.is_empty(), "{nameless:?}");
    browser.press(&["Escape"]);
    // The card gets the focus back once the dialog has told that it is closed, which is after it is.
    browser.wait("document.querySelector('dialog[open]') === null && document.activeElement.matches('.card')");
    for _ in 0..12 {
        browser.press(&["Tab"]);
        browser.wait("document.activeElement === document.body || getComputedStyle(document.activeElement).outlineStyle !== 'none'");
    }
}

#[test]
fn a_page_that_was_opened_as_a_file_hands_out_the_picks_as_the_program_writes_them() {
    let Some(mut browser) = Chromium::start("browser::keyboard::a_page_that_was_opened_as_a_file_hands_out_the_picks", 1440, 900) else { return };
    let desk = rehearsed();
    let downloads = desk.path().join("downloads");
    browser.call("Page.setDownloadBehavior", json!({ "behavior": "allow", "downloadPath": downloads }));
    browser.open(&format!("{}#shot=hero%5Bsku%3Dteapot%2Cangle%3Dfront%5D", page(&desk)));
    browser.wait("document.querySelector('dialog.look[open]') !== null");
    browser.press(&["r"]);
    browser.wait("document.querySelector('dialog.ask[open]') !== null");
    browser.insert("the \"handle\" is cut off: #no \\ tea\u{2028}pot");
    browser.press(&["Enter"]);
    browser.wait("document.querySelector('.verdicts .note button') !== null");
    browser.value("(document.querySelector('.verdicts .note button').click(), 0)");
    let file = downloads.join("spring-drop.yaml");
    let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
    // The browser reserves the name with an empty file, and renames the whole one onto it.
    while std::fs::metadata(&file).map_or(0, |file| file.len()) == 0 {
        assert!(std::time::Instant::now() < until, "no file came: {:?}", browser.mishaps());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let text = std::fs::read_to_string(&file).expect("it can be read");
    let (_, picks) =
        PicksFile::read(&mut Sources::new(), "spring-drop.yaml", text.as_bytes(), "spring-drop").unwrap_or_else(|found| panic!("{found:?}\n{text}"));
    assert_eq!(picks.to_yaml(), text, "byte for byte");
    let (shot, rejected) = picks.rejected.iter().next().expect("one is turned down");
    assert_eq!(
        (shot.as_str(), rejected[0].note.as_deref()),
        ("hero[sku=teapot,angle=front]", Some("the \"handle\" is cut off: #no \\ tea\u{2028}pot"))
    );
    let manifest = desk.manifest("spring-drop");
    let hero = manifest["files"].as_array().into_iter().flatten().find(|file| file["job"] == shot.as_str()).expect("it is in the tree");
    assert_eq!(hero["digest"], rejected[0].picture.to_string());
}
