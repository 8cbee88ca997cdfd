//! The gallery of a large campaign: thumbnails and page made anew, and the page opened in a browser.

use std::path::Path;
use std::time::Instant;

use crate::campaign::{FILE, Matrix};
use crate::cases::{Setup, thousands};
use crate::chromium::{Chromium, installed};
use crate::table::{Row, Wanted, median};

/// Thousands of pictures of the usual size, most of which nobody has looked at yet.
pub fn gallery(setup: &Setup) -> Vec<Row> {
    let place = setup.folder();
    let matrix = Matrix { rows: setup.rows(500), rungs: 4 };
    let shots = thousands(matrix.jobs());
    matrix.write(&place, 100_000);
    setup.run(&place, &["run", FILE, "--rehearse", "--quiet"]);
    let tree = place.join("rehearsal/speed");

    let made = median((0..setup.rounds(3)).map(|_| {
        std::fs::remove_dir_all(tree.join("thumbnails")).expect("they are there");
        std::fs::remove_file(tree.join("index.html")).expect("it is there");
        setup.run(&place, &["report", FILE, "--rehearse"]).wall.as_secs_f64()
    }));
    let kept = median((0..setup.rounds(3)).map(|_| setup.run(&place, &["report", FILE, "--rehearse"]).wall.as_secs_f64()));
    let mut rows = vec![
        Row::alone(format!("gallery of {shots} shots: thumbnails, page, reports, wall"), made, " s", Wanted::AtMost(10.0, None)),
        Row::alone("the same when no picture has changed, wall", kept, " s", Wanted::AtMost(1.0, None)),
    ];
    let what = format!("opening it in the browser, {shots} shots, wall");
    if installed().is_none() {
        rows.push(Row::skipped(what, "no Chromium is installed"));
        return rows;
    }
    let opened = median((0..setup.rounds(5)).map(|_| open(&tree.join("index.html"))));
    rows.push(Row::alone(what, opened, " s", Wanted::AtMost(2.0, None)));
    rows
}

/// Returns the seconds from the address to the last picture on the screen.
fn open(page: &Path) -> f64 {
    let mut browser = Chromium::start("gallery", 1440, 900).expect("it is installed");
    let start = Instant::now();
    browser.open(&format!("file://{}", page.display()));
    browser.wait("((images) => images.length > 4 && images.every((image) => image.complete))([...document.querySelectorAll('.card img')])");
    start.elapsed().as_secs_f64()
}
